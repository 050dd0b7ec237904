// What a reader may do to a face before the discriminator looks at it: pure functions of Float32Array(64 × 64).
import { FACE_SIZE, FACE_PIXELS, uniforms } from "./grey_faces.js";

const clip = (v) => Math.min(1, Math.max(0, v));

// Soft ellipses in the crop of Part III: where mouth and eyes of an aligned face lie, in pixels.
export const REGIONS = {
  mouth: [{ cx: 31.5, cy: 45.3, rx: 13, ry: 8 }],
  eyes: [{ cx: 20.2, cy: 19.5, rx: 9.5, ry: 6.5 }, { cx: 42.8, cy: 19.5, rx: 9.5, ry: 6.5 }],
  nose: [{ cx: 31.5, cy: 31, rx: 8, ry: 9 }],
};
const FEATHER = 2.5; // pixels over which a region fades

// 1 inside the region, 0 outside, with a soft edge.
export function regionMask(name) {
  return Float32Array.from({ length: FACE_PIXELS }, (_, i) => {
    const [x, y] = [i % FACE_SIZE, Math.floor(i / FACE_SIZE)];
    return Math.max(...REGIONS[name].map(({ cx, cy, rx, ry }) => {
      const outside = (Math.hypot((x - cx) / rx, (y - cy) / ry) - 1) * Math.min(rx, ry);
      return clip(0.5 - outside / FEATHER);
    }));
  });
}

// A region of another face, brought to the mean level of the region that it replaces.
export function swapRegion(face, other, name) {
  const mask = regionMask(name);
  let [here, there, total] = [0, 0, 0];
  mask.forEach((m, i) => { here += m * face[i]; there += m * other[i]; total += m; });
  const shift = (here - there) / total;
  return face.map((v, i) => clip(v + mask[i] * (other[i] + shift - v)));
}

// Gaussian blur, sigma in pixels, the border repeated, taps out to four sigma.
export function blurFace(face, sigma) {
  if (!(sigma > 0)) return face;
  const radius = Math.ceil(4 * sigma);
  const taps = Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-((i - radius) ** 2) / (2 * sigma * sigma)));
  const total = taps.reduce((sum, tap) => sum + tap, 0);
  const last = FACE_SIZE - 1;
  const pass = (source, across) => source.map((_, i) => {
    const [x, y] = [i % FACE_SIZE, Math.floor(i / FACE_SIZE)];
    let sum = 0;
    taps.forEach((tap, k) => {
      const at = Math.min(last, Math.max(0, (across ? x : y) + k - radius));
      sum += tap * source[across ? y * FACE_SIZE + at : at * FACE_SIZE + x];
    });
    return sum / total;
  });
  return pass(pass(face, true), false);
}

// One half of the face in place of both: "left" keeps the picture's left half.
export function mirrorHalf(face, kept) {
  if (kept !== "left" && kept !== "right") return face;
  return face.map((v, i) => {
    const x = i % FACE_SIZE;
    const keeps = (x < FACE_SIZE / 2) === (kept === "left");
    return keeps ? v : face[i - x + (FACE_SIZE - 1 - x)];
  });
}

// Moves the picture by whole and broken pixels, the border repeated.
export function shiftFace(face, right) {
  if (right === 0) return face;
  return face.map((_, i) => {
    const x = i % FACE_SIZE;
    const from = Math.min(FACE_SIZE - 1, Math.max(0, x - right));
    const [low, row] = [Math.min(FACE_SIZE - 2, Math.floor(from)), i - x];
    return face[row + low] + (from - low) * (face[row + low + 1] - face[row + low]);
  });
}

// Contrast about the mean, then brightness, in levels.
export function relight(face, brightness, contrast) {
  if (brightness === 0 && contrast === 1) return face;
  const mean = face.reduce((sum, v) => sum + v, 0) / face.length;
  return face.map((v) => clip(mean + contrast * (v - mean) + brightness));
}

// The same grain for the same seed on every page.
export function grain(face, sigma, seed = 1) {
  if (!(sigma > 0)) return face;
  const uniform = uniforms(seed);
  return face.map((v) => clip(v + sigma * Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())));
}

// A layer of paint: what it covers and with which level.
export const blankPaint = () => ({ cover: new Float32Array(FACE_PIXELS), level: new Float32Array(FACE_PIXELS) });

// A soft round dab at (x, y), in pixels; returns a new layer.
export function dab({ cover, level }, x, y, radius, tone) {
  const made = { cover: cover.slice(), level: level.slice() };
  const reach = Math.ceil(radius + 1);
  for (let v = Math.max(0, Math.floor(y) - reach); v <= Math.min(FACE_SIZE - 1, Math.ceil(y) + reach); v++) {
    for (let u = Math.max(0, Math.floor(x) - reach); u <= Math.min(FACE_SIZE - 1, Math.ceil(x) + reach); u++) {
      const share = clip(radius + 0.5 - Math.hypot(u - x, v - y));
      const i = v * FACE_SIZE + u;
      const kept = made.cover[i] * (1 - share);
      const now = kept + share;
      if (now > 0) made.level[i] = (kept * made.level[i] + share * tone) / now;
      made.cover[i] = now;
    }
  }
  return made;
}

export const NO_EDIT = { mouth: null, eyes: null, nose: null, mirror: "none", blur: 0, shift: 0, brightness: 0, contrast: 1, noise: 0 };

// All of it, in one order: parts of others, mirror, place, lens, light, paint, grain. `faces` gives the others by number.
export function editFace(face, edit, faces, paint = null) {
  let made = face;
  for (const part of ["mouth", "eyes", "nose"]) if (edit[part] !== null) made = swapRegion(made, faces[edit[part]], part);
  made = relight(blurFace(shiftFace(mirrorHalf(made, edit.mirror), edit.shift), edit.blur), edit.brightness, edit.contrast);
  if (paint) made = made.map((v, i) => v + paint.cover[i] * (paint.level[i] - v));
  return grain(made, edit.noise);
}
