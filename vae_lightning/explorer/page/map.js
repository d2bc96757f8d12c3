// The map: posterior means of test images in the plane of two latents, and the current z as a cross.

import { resizeCanvas } from "./images.js";

const REACH = 12; // pixels within which a point is hovered
const STEPS = 50; // of the arrow keys, across the map

export class LatentMap {
  /** onMove receives a position and whether the pointer is still down; onTake the index of a point. */
  constructor(container, manifest, points, thumbnails, { onMove, onTake }) {
    Object.assign(this, { manifest, points, thumbnails });
    container.innerHTML = '<canvas tabindex="0" aria-label="Map of two latents"></canvas><figure class="tip" hidden><canvas></canvas><figcaption></figcaption></figure>';
    this.canvas = container.querySelector("canvas");
    this.tip = container.querySelector(".tip");
    this.background = document.createElement("canvas");
    this.callbacks = { onMove, onTake };
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      this.isDown = true;
      onMove(this.toLatents(event), true);
    });
    this.canvas.addEventListener("pointermove", (event) => (this.isDown ? onMove(this.toLatents(event), true) : this.hover(event)));
    this.canvas.addEventListener("pointerup", (event) => {
      if (this.isDown) onMove(this.toLatents(event), false);
      this.isDown = false;
    });
    this.canvas.addEventListener("pointerleave", () => (this.tip.hidden = true));
    this.canvas.addEventListener("dblclick", (event) => {
      const index = this.nearest(event);
      if (index >= 0) onTake(index);
    });
    this.canvas.addEventListener("keydown", (event) => this.press(event));
    new ResizeObserver(() => this.resize()).observe(container);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.resize());
  }

  show({ z, axes, a, b }) {
    const isNew = !this.axes || axes.some((axis, i) => axis !== this.axes[i]);
    Object.assign(this, { z, axes, ends: { A: a, B: b } });
    if (isNew) this.resize();
    else this.draw();
  }

  /** Draw the points once, for this size and these axes. */
  resize() {
    const side = this.canvas.clientWidth;
    if (!side || !this.axes) return;
    this.scale = devicePixelRatio;
    for (const canvas of [this.canvas, this.background]) canvas.width = canvas.height = side * this.scale;
    this.side = side;
    this.bounds = this.axes.map((axis) => this.boundsOf(axis));
    const context = this.background.getContext("2d");
    context.scale(this.scale, this.scale);
    if (this.manifold) {
      context.imageSmoothingQuality = "high";
      context.drawImage(this.manifold, 0, 0, side, side);
    }
    const { labels, labelColors, latentDim } = this.manifest;
    const accent = getComputedStyle(this.canvas).getPropertyValue("--accent");
    context.globalAlpha = this.manifold ? 0.4 : 0.75;
    for (let i = 0; i < this.manifest.points; i++) {
      context.fillStyle = labels ? labelColors[labels[i]] : accent;
      context.beginPath();
      context.arc(...this.toPixels(this.points.subarray(i * latentDim, (i + 1) * latentDim)), 2.2, 0, 7);
      context.fill();
    }
    this.draw();
  }

  draw() {
    if (!this.bounds) return;
    const context = this.canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.drawImage(this.background, 0, 0);
    context.scale(this.scale, this.scale);
    const [x, y] = this.toPixels(this.z).map((v) => Math.min(this.side - 1, Math.max(1, v)));
    const style = getComputedStyle(this.canvas);
    context.font = "bold 15px system-ui, sans-serif";
    [context.textAlign, context.textBaseline] = ["center", "middle"];
    [context.lineWidth, context.lineJoin] = [4, "round"];
    for (const [name, end] of Object.entries(this.ends).filter(([, end]) => end)) {
      [context.strokeStyle, context.fillStyle] = [style.getPropertyValue("--card"), style.getPropertyValue("--text")];
      context.strokeText(name, ...this.toPixels(end));
      context.fillText(name, ...this.toPixels(end));
    }
    context.strokeStyle = style.getPropertyValue("--muted");
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x, 0);
    context.lineTo(x, this.side);
    context.moveTo(0, y);
    context.lineTo(this.side, y);
    context.stroke();
    context.beginPath();
    context.arc(x, y, 7, 0, 7);
    context.fillStyle = style.getPropertyValue("--card");
    context.strokeStyle = style.getPropertyValue("--text");
    context.lineWidth = 2.5;
    context.fill();
    context.stroke();
  }

  /** Show a canvas with decoded images behind the points, or null for none. */
  setManifold(manifold) {
    this.manifold = manifold;
    this.resize();
  }

  /** Return z on a grid over the map, the upper left first: n² rows. */
  grid(n) {
    const z = new Float32Array(n * n * this.z.length);
    for (let i = 0; i < n * n; i++) {
      z.set(this.z, i * this.z.length);
      const share = [((i % n) + 0.5) / n, 1 - (Math.floor(i / n) + 0.5) / n];
      this.axes.forEach((axis, k) => {
        const [low, high] = this.bounds[k];
        z[i * this.z.length + axis] = low + share[k] * (high - low);
      });
    }
    return z;
  }

  boundsOf(axis) {
    const { points, low, high, latentDim } = this.manifest;
    let [from, to] = [low[axis], high[axis]];
    for (let i = 0; i < points; i++) {
      from = Math.min(from, this.points[i * latentDim + axis]);
      to = Math.max(to, this.points[i * latentDim + axis]);
    }
    const margin = 0.04 * (to - from);
    return [from - margin, to + margin];
  }

  toPixels(z) {
    const [x, y] = this.axes.map((axis, i) => (z[axis] - this.bounds[i][0]) / (this.bounds[i][1] - this.bounds[i][0]));
    return [x * this.side, (1 - y) * this.side];
  }

  toLatents(event) {
    const box = this.canvas.getBoundingClientRect();
    const share = [(event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height];
    return share.map((v, i) => this.bounds[i][0] + Math.min(1, Math.max(0, v)) * (this.bounds[i][1] - this.bounds[i][0]));
  }

  nearest(event) {
    const box = this.canvas.getBoundingClientRect();
    const { latentDim } = this.manifest;
    let [best, distance] = [-1, REACH ** 2];
    for (let i = 0; i < this.manifest.points; i++) {
      const [x, y] = this.toPixels(this.points.subarray(i * latentDim, (i + 1) * latentDim));
      const d = (x - (event.clientX - box.left)) ** 2 + (y - (event.clientY - box.top)) ** 2;
      if (d < distance) [best, distance] = [i, d];
    }
    return best;
  }

  hover(event) {
    const index = this.bounds ? this.nearest(event) : -1;
    this.tip.hidden = index < 0;
    if (index < 0) return;
    const [height, width] = this.manifest.thumbnail;
    const columns = this.thumbnails.width / width;
    const canvas = this.tip.querySelector("canvas");
    resizeCanvas(canvas, width, height);
    const [column, row] = [index % columns, Math.floor(index / columns)];
    canvas.getContext("2d").drawImage(this.thumbnails, column * width, row * height, width, height, 0, 0, width, height);
    const { labels, labelNames } = this.manifest;
    this.tip.querySelector("figcaption").textContent = labels ? labelNames[labels[index]] : "";
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    this.tip.style.left = `${x > this.side / 2 ? x - 86 : x + 14}px`;
    this.tip.style.top = `${y > this.side / 2 ? y - 104 : y + 14}px`;
  }

  press(event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] }[event.key];
    if (!step || !this.bounds) return;
    event.preventDefault();
    const moved = this.axes.map((axis, i) => this.z[axis] + (step[i] * (this.bounds[i][1] - this.bounds[i][0])) / STEPS);
    this.callbacks.onMove(moved, false);
  }
}
