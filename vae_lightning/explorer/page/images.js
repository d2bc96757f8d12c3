// Images between floats (C, H, W) in [0, 1] and canvases.

const WIDEST = 12; // width by height of a picture
const HIGHEST = 3; // height by width

/** Resize a canvas to a picture. A lower or higher one, such as a vector, is stretched to be visible. */
export function resizeCanvas(canvas, width, height) {
  [canvas.width, canvas.height] = [width, height];
  canvas.style.aspectRatio = Math.min(WIDEST, Math.max(1 / HIGHEST, width / height));
}

/** Draw images row by row on a canvas, which is resized to them. */
export function drawImages(canvas, pixels, [channels, height, width], columns = 1, rows = 1) {
  resizeCanvas(canvas, columns * width, rows * height);
  const context = canvas.getContext("2d");
  const area = height * width;
  for (let i = 0; i < columns * rows; i++) {
    const image = context.createImageData(width, height);
    for (let p = 0; p < area; p++) {
      for (let c = 0; c < 3; c++)
        image.data[4 * p + c] = 255 * pixels[i * channels * area + (channels === 3 ? c : 0) * area + p] + 0.5;
      image.data[4 * p + 3] = 255;
    }
    context.putImageData(image, (i % columns) * width, Math.floor(i / columns) * height);
  }
}

/** Read a picture as an image of a shape: the largest part in its middle with the right proportions, on black. */
export function readImage(source, [channels, height, width], invert) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  const scale = Math.max(width / source.width, height / source.height);
  const [w, h] = [source.width * scale, source.height * scale];
  context.drawImage(source, (width - w) / 2, (height - h) / 2, w, h);
  const { data } = context.getImageData(0, 0, width, height);
  const area = height * width;
  const pixels = new Float32Array(channels * area);
  for (let p = 0; p < area; p++) {
    const rgb = [data[4 * p], data[4 * p + 1], data[4 * p + 2]];
    const gray = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
    for (let c = 0; c < channels; c++) {
      const value = Math.min(1, (channels === 3 ? rgb[c] : gray) / 255);
      pixels[c * area + p] = invert ? 1 - value : value;
    }
  }
  return pixels;
}
