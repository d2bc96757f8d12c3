// What the page shows, with undo and redo, and as the hash of its address.
//
// The state is { t, runs: [{ z, condition, axes, a, b }] }: z is a Float32Array, condition one too or null, axes the
// latents of the map, a and b the ends of the interpolation or null, and t the position between them. It is never
// changed in place.

export class Store {
  constructor(initial) {
    this.state = initial;
    this.past = [];
    this.future = [];
    this.committed = initial;
    this.listeners = [];
  }

  subscribe(listener) {
    this.listeners.push(listener);
  }

  /** Show a state. Unless it is passing, as while a slider moves, it becomes a step that can be undone. */
  set(state, { passing = false } = {}) {
    this.state = state;
    if (!passing && state !== this.committed) {
      this.past.push(this.committed);
      this.future = [];
      this.committed = state;
    }
    this.notify();
  }

  /** Replace some values of one run. */
  setRun(index, values, options) {
    const runs = this.state.runs.map((run, i) => (i === index ? { ...run, ...values } : run));
    this.set({ ...this.state, runs }, options);
  }

  undo() {
    this.step(this.past, this.future);
  }

  redo() {
    this.step(this.future, this.past);
  }

  step(from, to) {
    if (!from.length) return;
    to.push(this.committed);
    this.state = this.committed = from.pop();
    this.notify();
  }

  notify() {
    for (const listener of this.listeners) listener(this.state);
  }
}

/** Write a state as the hash of an address. */
export function toHash(state) {
  const parameters = new URLSearchParams();
  state.runs.forEach((run, i) => {
    for (const [key, value] of [["z", run.z], ["y", run.condition], ["a", run.a], ["b", run.b]])
      if (value) parameters.set(`${key}${i}`, toText(value));
    parameters.set(`m${i}`, run.axes.join("."));
  });
  parameters.set("t", state.t);
  return `#${parameters}`;
}

/** Read a hash into a state; what it lacks, or does not fit the runs, stays as it is. */
export function fromHash(hash, state) {
  const parameters = new URLSearchParams(hash.slice(1));
  const runs = state.runs.map((run, i) => {
    const vector = (key, length, otherwise) => {
      const values = fromText(parameters.get(`${key}${i}`));
      return values?.length === length && values.every(Number.isFinite) ? values : otherwise;
    };
    const axes = (parameters.get(`m${i}`) ?? "").split(".").map(Number);
    const isValid = axes.length === 2 && axes.every((axis) => Number.isInteger(axis) && axis in run.z);
    return {
      z: vector("z", run.z.length, run.z),
      condition: run.condition && vector("y", run.condition.length, run.condition),
      axes: isValid ? axes : run.axes,
      a: vector("a", run.z.length, null),
      b: vector("b", run.z.length, null),
    };
  });
  const t = Number(parameters.get("t"));
  return { t: t >= 0 && t <= 1 ? t : 0, runs };
}

/** Write 32-bit floats without loss, in the alphabet of addresses. */
function toText(values) {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function fromText(text) {
  if (!text) return null;
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    return new Float32Array(bytes.buffer);
  } catch {
    return null; // not written by toText
  }
}
