// The pad: draw an image, drop one anywhere on the page, paste one or open a file.

import { resizeCanvas } from "./images.js";

export class Pad {
  /** onImage receives a picture whenever there is a new one: the pad's canvas, or a dropped image. */
  constructor(canvas, { isColor, aspect, onImage }) {
    this.canvas = canvas;
    resizeCanvas(canvas, canvas.width, Math.max(1, Math.round(canvas.width / aspect)));
    this.context = canvas.getContext("2d");
    this.onImage = onImage;
    this.color = document.getElementById("color");
    this.color.hidden = !isColor;
    this.clear();
    canvas.addEventListener("pointerdown", (event) => this.start(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", () => this.stop());
    canvas.addEventListener("pointercancel", () => this.stop());
    const file = document.getElementById("file");
    document.getElementById("open").addEventListener("click", () => file.click());
    file.addEventListener("change", () => this.take(file.files));
    document.getElementById("clear").addEventListener("click", () => this.clear());
    addEventListener("paste", (event) => this.take(event.clipboardData.files));
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => {
      event.preventDefault();
      this.take(event.dataTransfer.files);
    });
  }

  clear() {
    this.picture = this.last = null;
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
  }

  /** Take the first image of some files. */
  async take(files) {
    const file = [...files].find(({ type }) => type.startsWith("image/"));
    if (!file) return;
    const picture = await createImageBitmap(file);
    const { width, height } = this.canvas;
    const scale = Math.max(width / picture.width, height / picture.height);
    const [w, h] = [picture.width * scale, picture.height * scale];
    this.clear();
    this.context.imageSmoothingEnabled = scale < 1;
    this.context.drawImage(picture, (width - w) / 2, (height - h) / 2, w, h);
    this.show(picture, true);
  }

  start(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.last = this.position(event);
    this.move(event);
  }

  move(event) {
    if (!this.last) return;
    const [x, y] = this.position(event);
    this.context.lineWidth = this.canvas.width / 12;
    this.context.lineCap = "round";
    this.context.strokeStyle = this.color.hidden ? "white" : this.color.value;
    this.context.beginPath();
    this.context.moveTo(...this.last);
    this.context.lineTo(x, y);
    this.context.stroke();
    this.last = [x, y];
    this.show(this.canvas, false);
  }

  stop() {
    if (!this.last) return;
    this.last = null;
    this.show(this.canvas, true);
  }

  show(picture, isDone) {
    this.picture = picture;
    this.onImage(picture, { passing: !isDone });
  }

  position(event) {
    const box = this.canvas.getBoundingClientRect();
    const { width, height } = this.canvas;
    return [((event.clientX - box.left) * width) / box.width, ((event.clientY - box.top) * height) / box.height];
  }
}
