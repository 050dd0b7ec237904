// Networks in the page: onnxruntime-web and the models come from the book's own _static folder, and only on demand.

// The built book says where its root is (Sphinx writes data-content_root); a notebook has no such attribute.
export function staticRoot() {
  const root = document.documentElement.dataset.content_root;
  return root === undefined ? null : new URL(root + "_static/", document.baseURI);
}

let runtime = null;

async function onnxRuntime() {
  runtime ??= (async () => {
    const folder = new URL("vendor/onnxruntime-web/", staticRoot());
    const ort = await import(new URL("ort.wasm.min.mjs", folder).href);
    ort.env.wasm.wasmPaths = folder.href;
    ort.env.wasm.numThreads = 1; // threads need headers that a static host does not send
    return ort;
  })();
  return runtime;
}

async function download(url, onProgress) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url.pathname.split("/").pop()} could not be loaded (${response.status}).`);
  const total = Number(response.headers.get("content-length")) || 0;
  const parts = [];
  let received = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    received += value.length;
    onProgress(total ? Math.min(1, received / total) : 0, received);
  }
  const bytes = new Uint8Array(received);
  parts.reduce((offset, part) => (bytes.set(part, offset), offset + part.length), 0);
  return bytes;
}

const networks = new Map();

// A network by file name: run({input: {data, dims}}) -> {output: Float32Array}. Loaded once a page.
export function loadNetwork(name, onProgress = () => {}) {
  if (!networks.has(name)) {
    const loading = (async () => {
      const [ort, bytes] = await Promise.all([onnxRuntime(), download(new URL(`assets/${name}`, staticRoot()), onProgress)]);
      const session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
      let last = Promise.resolve(); // a session runs one input at a time
      return (inputs) => {
        const feeds = Object.fromEntries(
          Object.entries(inputs).map(([key, { data, dims }]) => [key, new ort.Tensor("float32", data, dims)]),
        );
        const next = last.then(() => session.run(feeds));
        last = next.catch(() => {});
        return next.then((outputs) => Object.fromEntries(Object.entries(outputs).map(([k, v]) => [k, v.data])));
      };
    })();
    loading.catch(() => networks.delete(name)); // a failed download may be tried again
    networks.set(name, loading);
  }
  return networks.get(name);
}

// Questions to the notebook's kernel, answered in order of arrival: ask({kind, ...}, [buffers]) -> {content, buffers}.
export function kernel(model) {
  const waiting = new Map();
  let count = 0;
  model.on("msg:custom", (content, buffers) => {
    const entry = waiting.get(content.id);
    if (!entry) return;
    waiting.delete(content.id);
    if (content.error) entry.reject(new Error(content.error));
    else entry.resolve({ content, buffers });
  });
  return (content, buffers = []) =>
    new Promise((resolve, reject) => {
      const id = ++count;
      waiting.set(id, { resolve, reject });
      model.send({ ...content, id }, undefined, buffers);
    });
}

// Calls `start` once, when `element` first comes near the window.
export function whenVisible(element, start) {
  if (!("IntersectionObserver" in window)) return start();
  const observer = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) {
      observer.disconnect();
      start();
    }
  }, { rootMargin: "200px" });
  observer.observe(element);
}
