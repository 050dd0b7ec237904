// Grey faces of 64 pixels a side, as Part III takes and makes them: Float32Array of 4,096 levels in [0, 1], row by row.
import { html } from "./plots.js";

export const FACE_SIZE = 64;
export const FACE_PIXELS = FACE_SIZE ** 2;

// Faces that a notebook sent: base64 of bytes (N, 64, 64).
export function unpackFaces(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return Array.from({ length: bytes.length / FACE_PIXELS }, (_, i) =>
    Float32Array.from(bytes.subarray(i * FACE_PIXELS, (i + 1) * FACE_PIXELS), (v) => v / 255));
}

// A canvas of one face; `drawFace` fills it.
export function faceCanvas(label, attributes = {}) {
  return html("canvas", { width: FACE_SIZE, height: FACE_SIZE, role: "img", "aria-label": label, ...attributes });
}

export function drawFace(canvas, face) {
  const picture = new ImageData(FACE_SIZE, FACE_SIZE);
  face.forEach((v, i) => {
    const level = Math.round(255 * Math.min(1, Math.max(0, v)));
    picture.data.set([level, level, level, 255], 4 * i);
  });
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

// Several faces behind one another, for a network that takes (N, 1, 64, 64).
export function stackFaces(faces) {
  const data = new Float32Array(faces.length * FACE_PIXELS);
  faces.forEach((face, i) => data.set(face, i * FACE_PIXELS));
  return { data, dims: [faces.length, 1, FACE_SIZE, FACE_SIZE] };
}

export function unstackFaces(data) {
  return Array.from({ length: data.length / FACE_PIXELS }, (_, i) => data.slice(i * FACE_PIXELS, (i + 1) * FACE_PIXELS));
}

// Energy of the discrete Laplacian of the inner face: what blur takes away. Ours over the truth's is a sharpness.
const [INNER_START, INNER_END] = [12, 52]; // as visage.nfgan.measures
export function laplacianEnergy(face) {
  let sum = 0;
  for (let y = INNER_START + 1; y < INNER_END - 1; y++) {
    for (let x = INNER_START + 1; x < INNER_END - 1; x++) {
      const i = y * FACE_SIZE + x;
      sum += (4 * face[i] - face[i - 1] - face[i + 1] - face[i - FACE_SIZE] - face[i + FACE_SIZE]) ** 2;
    }
  }
  return sum / (INNER_END - INNER_START - 2) ** 2;
}

// The numbers of a buffer that a kernel sent.
export function floatsOf(view) {
  return new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

// Answers the latest question only: call `ask()` as often as you like, `work(isCurrent)` runs again until it was current to its end.
export function latest(work, onError) {
  let [wanted, busy, stopped] = [0, false, false];
  const ask = async () => {
    wanted += 1;
    if (busy) return;
    busy = true;
    try {
      for (let done = -1; done !== wanted && !stopped; ) {
        done = wanted;
        await work(() => done === wanted && !stopped, done);
        await new Promise((next) => setTimeout(next)); // let the page breathe
      }
    } catch (error) {
      onError(error);
    } finally {
      busy = false;
    }
  };
  return { ask, get wanted() { return wanted; }, stop() { stopped = true; wanted += 1; } };
}

// Even random numbers in [0, 1), the same for the same seed on every page.
export function uniforms(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
