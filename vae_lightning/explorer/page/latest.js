// Run an asynchronous function for the newest argument only: those that arrive while it runs replace each other.

export function latest(work) {
  let isRunning = false;
  let next;
  return async function request(argument) {
    next = { argument };
    if (isRunning) return;
    isRunning = true;
    try {
      while (next) {
        const current = next.argument;
        next = undefined;
        await work(current);
      }
    } finally {
      isRunning = false;
    }
  };
}
