// Loads the runs and connects the tools to them.

import { createBackend } from "./backend.js";
import { readImage } from "./images.js";
import { latest } from "./latest.js";
import { Pad } from "./pad.js";
import { mix, Panel } from "./panel.js";
import { fromHash, Store, toHash } from "./state.js";

const byId = (id) => document.getElementById(id);

async function load() {
  const { backend: kind, runs: manifests } = await (await fetch("runs.json")).json();
  const store = new Store({ t: 0, runs: manifests.map(initialRun) });
  const panels = await Promise.all(manifests.map((manifest, i) => loadPanel(kind, i, manifest, store)));
  byId("runs").append(...panels.map((panel) => panel.element));
  connect(store, panels);
  document.title = `${manifests.map(({ name }) => name).join(", ")} - latent explorer`;
  window.explorer = { store, panels }; // for the console, and the tests
  byId("status").textContent = "";
}

function initialRun(manifest) {
  const condition = manifest.condition && new Float32Array(manifest.condition.names.length);
  if (manifest.condition?.kind === "class") condition[0] = 1;
  const z = Float32Array.from(manifest.priorMeans[0]);
  return { z, condition, axes: [manifest.order[0], manifest.order[1] ?? 0], a: null, b: null };
}

async function loadPanel(kind, index, manifest, store) {
  const folder = `runs/${index}`;
  const floats = async (name) => new Float32Array(await (await fetch(`${folder}/${name}`)).arrayBuffer());
  const thumbnails = new Image();
  thumbnails.src = `${folder}/thumbnails.png`;
  const [backend, points, prior] = await Promise.all([
    createBackend(kind, folder, manifest),
    floats("points.bin"),
    floats("prior.bin"),
    thumbnails.decode(),
  ]);
  const setCondition = (k, isOn, condition) => changeCondition(store, k, isOn, condition);
  return new Panel(index, manifest, backend, { points, prior, thumbnails }, store, setCondition);
}

/** Set a class or attribute in all runs that have as many. */
function changeCondition(store, k, isOn, { kind, names }) {
  const runs = store.state.runs.map((run) => {
    if (run.condition?.length !== names.length) return run;
    const condition = kind === "class" ? new Float32Array(names.length) : Float32Array.from(run.condition);
    condition[k] = isOn ? 1 : 0;
    return { ...run, condition };
  });
  store.set({ ...store.state, runs });
}

function connect(store, panels) {
  const setAll = (values, options) => {
    const runs = store.state.runs.map((run, i) => ({ ...run, ...values(panels[i]) }));
    store.set({ ...store.state, runs }, options);
  };

  store.subscribe((state) => {
    for (const panel of panels) panel.show();
    byId("undo").disabled = !store.past.length;
    byId("redo").disabled = !store.future.length;
    byId("t").disabled = !state.runs.some(({ a, b }) => a && b);
    byId("t").value = state.t;
    if (state === store.committed) history.replaceState(null, "", toHash(state));
  });

  byId("undo").addEventListener("click", () => store.undo());
  byId("redo").addEventListener("click", () => store.redo());
  addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z") return;
    if (event.target.matches('input[type="number"]')) return;
    event.preventDefault();
    if (event.shiftKey) store.redo();
    else store.undo();
  });
  byId("share").addEventListener("click", () => share(byId("share")));
  addEventListener("hashchange", () => store.set(fromHash(location.hash, store.state)));

  byId("prior-mean").addEventListener("click", () => setAll((panel) => ({ z: panel.priorMean() })));
  byId("prior-sample").addEventListener("click", () => {
    const index = Math.floor(1e6 * Math.random());
    setAll((panel) => ({ z: panel.priorDraw(index) }));
  });
  byId("test-image").addEventListener("click", () => {
    const index = Math.floor(1e6 * Math.random());
    setAll((panel) => panel.codeOf(index % panel.manifest.points));
  });

  const encode = latest(async ({ picture, passing }) => {
    const codes = await Promise.all(
      panels.map((panel, i) => {
        const image = readImage(picture, panel.manifest.imageShape, byId("invert").checked);
        return panel.backend.encode(image, store.state.runs[i].condition);
      }),
    );
    setAll((panel) => ({ z: codes[panel.index] }), { passing });
  });
  const [channels, height, width] = panels[0].manifest.imageShape;
  const pad = new Pad(byId("pad"), {
    isColor: channels === 3,
    aspect: width / height,
    onImage: (picture, { passing }) => encode({ picture, passing }),
  });
  byId("invert").addEventListener("change", () => pad.picture && encode({ picture: pad.picture, passing: false }));

  const setEnd = (end, t) => store.set({ t, runs: store.state.runs.map((run) => ({ ...run, [end]: run.z })) });
  byId("set-a").addEventListener("click", () => setEnd("a", 0));
  byId("set-b").addEventListener("click", () => setEnd("b", 1));
  const moveTo = (t, options) => {
    const runs = store.state.runs.map((run) => (run.a && run.b ? { ...run, z: mix(run.a, run.b, t) } : run));
    store.set({ t, runs }, options);
  };
  byId("t").addEventListener("input", () => moveTo(byId("t").valueAsNumber, { passing: true }));
  byId("t").addEventListener("change", () => moveTo(byId("t").valueAsNumber));

  store.state = store.committed = fromHash(location.hash, store.state);
  store.notify();
}

async function share(button) {
  try {
    await navigator.clipboard.writeText(location.href);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Copy it from the address bar"; // without permission, or not on a secure address
  }
  setTimeout(() => (button.textContent = "Copy link"), 1500);
}

addEventListener("unhandledrejection", ({ reason }) => {
  byId("status").textContent = `Failed: ${reason.message}. Reload the page, or start vae-lightning explore again.`;
});
load();
