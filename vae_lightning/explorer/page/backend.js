// Two ways to run a model, with the same methods: by the Python server, or by ONNX Runtime in this page.
// encode(image, condition) resolves to the posterior mean; decode(z, condition, n) to n images, all as Float32Array.

class ServerBackend {
  constructor(folder) {
    this.folder = folder;
  }

  encode(image, condition) {
    return this.run("encode", joinRows(image, condition, 1));
  }

  decode(z, condition, n = 1) {
    return this.run("decode", joinRows(z, condition, n));
  }

  async run(name, rows) {
    const headers = { "Content-Type": "application/octet-stream" };
    const response = await fetch(`${this.folder}/${name}`, { method: "POST", headers, body: rows });
    if (!response.ok) throw new Error(await response.text());
    return new Float32Array(await response.arrayBuffer());
  }
}

/** Append the condition to each of n rows. */
function joinRows(values, condition, n) {
  if (!condition) return values;
  const size = values.length / n;
  const rows = new Float32Array(n * (size + condition.length));
  for (let i = 0; i < n; i++) {
    rows.set(values.subarray(i * size, (i + 1) * size), i * (size + condition.length));
    rows.set(condition, i * (size + condition.length) + size);
  }
  return rows;
}

class OnnxBackend {
  static async create(folder, imageShape) {
    const ort = await import("./ort/ort.js");
    ort.env.wasm.numThreads = 1; // more would need headers that static servers do not send
    ort.env.wasm.wasmPaths = { wasm: new URL("ort/ort-wasm-simd-threaded.wasm", document.baseURI).href };
    const backend = new OnnxBackend();
    backend.ort = ort;
    backend.imageShape = imageShape;
    backend.encoder = await ort.InferenceSession.create(`${folder}/encoder.onnx`);
    backend.decoder = await ort.InferenceSession.create(`${folder}/decoder.onnx`);
    return backend;
  }

  encode(image, condition) {
    return this.run(this.encoder, image, [1, ...this.imageShape], condition);
  }

  decode(z, condition, n = 1) {
    return this.run(this.decoder, z, [n, z.length / n], condition);
  }

  async run(session, values, shape, condition) {
    const tensor = (data, dims) => new this.ort.Tensor("float32", data, dims);
    const feeds = { [session.inputNames[0]]: tensor(values, shape) };
    if (condition) {
      const n = shape[0];
      const rows = new Float32Array(n * condition.length);
      for (let i = 0; i < n; i++) rows.set(condition, i * condition.length);
      feeds.condition = tensor(rows, [n, condition.length]);
    }
    const results = await session.run(feeds);
    return results[session.outputNames[0]].data;
  }
}

export async function createBackend(kind, folder, manifest) {
  return kind === "onnx" ? OnnxBackend.create(folder, manifest.imageShape) : new ServerBackend(folder);
}
