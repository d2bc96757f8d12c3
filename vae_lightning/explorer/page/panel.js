// One run: its picture, map, sliders, condition and interpolation.

import { drawImages } from "./images.js";
import { latest } from "./latest.js";
import { LatentMap } from "./map.js";
import { Sliders } from "./sliders.js";

const STRIP = 9; // images of an interpolation
const MANIFOLD = 15; // images per side behind the map

const TEMPLATE = `
  <header><h2></h2><p class="meta"></p></header>
  <div class="views">
    <div class="picture">
      <canvas aria-label="Decoded image"></canvas>
      <p class="hint time"></p>
      <fieldset class="condition" hidden><legend></legend></fieldset>
    </div>
    <div class="plane">
      <div class="map"></div>
      <div class="axes"><label>→ <select></select></label><label>↑ <select></select></label></div>
      <ul class="legend"></ul>
      <label><input class="manifold" type="checkbox"> Decoded images</label>
      <p class="hint">Drag to move. Double-click a point for its code.</p>
    </div>
    <div class="strip" hidden><canvas aria-label="Interpolation from A to B"></canvas></div>
    <div class="sliders"></div>
  </div>`;

export class Panel {
  constructor(index, manifest, backend, assets, store, setCondition) {
    Object.assign(this, { index, manifest, backend, assets, store, setCondition });
    this.element = document.createElement("article");
    this.element.className = "card run";
    this.element.innerHTML = TEMPLATE;
    this.find = (selector) => this.element.querySelector(selector);
    this.find("h2").textContent = manifest.name;
    const shape = manifest.imageShape.join(" × ");
    this.find(".meta").textContent = `${manifest.model}, ${manifest.latentDim} latents, images ${shape}`;
    this.decode = latest((run) => this.decodePicture(run));
    this.interpolate = latest((run) => this.decodeStrip(run));
    this.decodeGrid = latest((run) => this.decodeManifold(run));
    this.addSliders();
    this.addMap();
    this.addCondition();
  }

  get run() {
    return this.store.state.runs[this.index];
  }

  addSliders() {
    const set = (latent, value, passing) => {
      const z = Float32Array.from(this.run.z);
      z[latent] = value;
      this.store.setRun(this.index, { z }, { passing });
    };
    const reset = (latent) => set(latent, this.priorMean()[latent], false);
    this.sliders = new Sliders(this.find(".sliders"), this.manifest, { onChange: set, onReset: reset });
  }

  addMap() {
    const { manifest } = this;
    const plane = this.find(".plane");
    plane.hidden = manifest.latentDim < 2;
    this.map = new LatentMap(this.find(".map"), manifest, this.assets.points, this.assets.thumbnails, {
      onMove: (position, passing) => {
        const z = Float32Array.from(this.run.z);
        this.run.axes.forEach((axis, i) => (z[axis] = position[i]));
        this.store.setRun(this.index, { z }, { passing });
      },
      onTake: (index) => this.store.setRun(this.index, this.codeOf(index)),
    });
    plane.querySelectorAll("select").forEach((select, i) => {
      for (const latent of manifest.order) {
        const kl = manifest.kl ? ` (${manifest.kl[latent].toFixed(2)})` : "";
        select.append(new Option(`z${latent}${kl}`, latent));
      }
      select.addEventListener("change", () => {
        const axes = [...this.run.axes];
        axes[i] = Number(select.value);
        this.store.setRun(this.index, { axes });
      });
    });
    this.find(".manifold").addEventListener("change", (event) => {
      if (event.target.checked) this.decodeGrid(this.run);
      else this.map.setManifold(null);
    });
    const { labels, labelNames, labelColors } = manifest;
    if (!labels || labelNames.length > 20) return;
    labelNames.forEach((name, label) => {
      const item = document.createElement("li");
      item.textContent = name;
      item.style.setProperty("--color", labelColors[label]);
      this.find(".legend").append(item);
    });
  }

  addCondition() {
    const { condition } = this.manifest;
    if (!condition) return;
    const box = this.find(".condition");
    box.hidden = false;
    box.querySelector("legend").textContent = condition.kind === "class" ? "Class" : "Attributes";
    this.choices = condition.names.map((name, k) => {
      const label = document.createElement("label");
      const input = document.createElement("input");
      input.type = condition.kind === "class" ? "radio" : "checkbox";
      input.name = `condition-${this.index}`;
      input.addEventListener("change", () => this.setCondition(k, input.checked, condition));
      label.append(input, name);
      box.append(label);
      return input;
    });
  }

  /** Return code and condition of a test image. */
  codeOf(index) {
    const { latentDim, labels } = this.manifest;
    const z = this.assets.points.slice(index * latentDim, (index + 1) * latentDim);
    return this.manifest.condition?.kind === "class" && labels ? { z, condition: this.oneHot(labels[index]) } : { z };
  }

  oneHot(k) {
    const condition = new Float32Array(this.manifest.condition.names.length);
    condition[k] = 1;
    return condition;
  }

  /** Return the row of a table of priors: that of the class, if the prior depends on it. */
  priorRow() {
    const rows = this.manifest.priorMeans.length;
    return rows > 1 ? Math.max(0, this.run.condition.indexOf(1)) : 0;
  }

  priorMean() {
    return Float32Array.from(this.manifest.priorMeans[this.priorRow()]);
  }

  priorDraw(index) {
    const { draws, latentDim } = this.manifest;
    const start = (this.priorRow() * draws + (index % draws)) * latentDim;
    return this.assets.prior.slice(start, start + latentDim);
  }

  show() {
    const { run } = this;
    this.sliders.show(run.z);
    if (this.manifest.latentDim > 1) this.map.show(run);
    this.element.querySelectorAll("select").forEach((select, i) => (select.value = run.axes[i]));
    this.choices?.forEach((input, k) => (input.checked = run.condition[k] > 0));
    this.decode(run);
    const { shown } = this;
    if (this.find(".manifold").checked && !isSameGrid(run, shown)) this.decodeGrid(run);
    const strip = this.find(".strip");
    strip.hidden = !run.a || !run.b;
    if (!strip.hidden && (run.a !== shown?.a || run.b !== shown?.b || run.condition !== shown?.condition)) this.interpolate(run);
    this.shown = run;
  }

  async decodePicture(run) {
    const start = performance.now();
    this.pixels = await this.backend.decode(run.z, run.condition);
    this.milliseconds = performance.now() - start;
    this.decoded = run;
    drawImages(this.find(".picture canvas"), this.pixels, this.manifest.imageShape);
    this.find(".time").textContent = `decoded in ${this.milliseconds.toFixed(0)} ms`;
  }

  async decodeManifold({ condition }) {
    const pixels = await this.backend.decode(this.map.grid(MANIFOLD), condition, MANIFOLD ** 2);
    const canvas = document.createElement("canvas");
    drawImages(canvas, pixels, this.manifest.imageShape, MANIFOLD, MANIFOLD);
    if (this.find(".manifold").checked) this.map.setManifold(canvas);
  }

  async decodeStrip({ a, b, condition }) {
    const z = new Float32Array(STRIP * a.length);
    for (let i = 0; i < STRIP; i++) z.set(mix(a, b, i / (STRIP - 1)), i * a.length);
    const pixels = await this.backend.decode(z, condition, STRIP);
    drawImages(this.find(".strip canvas"), pixels, this.manifest.imageShape, STRIP);
  }
}

/** Return whether two states of a run differ at most in the latents of the map. */
function isSameGrid(run, other) {
  if (run.condition !== other.condition || run.axes.some((axis, i) => axis !== other.axes[i])) return false;
  return run.z.every((value, latent) => value === other.z[latent] || run.axes.includes(latent));
}

/** Return (1 - t) a + t b. */
export function mix(a, b, t) {
  return a.map((value, i) => (1 - t) * value + t * b[i]);
}
