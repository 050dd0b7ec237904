// One look for the card and for the canvas without one: what a lamp makes of a normal and a colour, all linear.
import { encodeSrgb, applyTurn } from "./relief_surface.js";

export const LOOKS = ["clay", "skin", "normals", "depth", "photograph"];
export const CLAY = [0.62, 0.58, 0.53];
export const AMBIENT = 0.1; // of the lamp, from everywhere, a little more from above
export const LAMP = 1.35; // for skin, whose colour is that of the photograph
export const DEPTH_RANGE = 75; // mm to either side of the middle, from black to white
export const GLOSS = [0.06, 24]; // share and exponent of clay's highlight

// The same in GLSL as in `lit` below.
export const SHADING_GLSL = `
const vec3 CLAY = vec3(${CLAY.map((v) => v.toFixed(3)).join(", ")});
vec3 encode(vec3 v) {
  v = clamp(v, 0.0, 1.0);
  return mix(12.92 * v, 1.055 * pow(max(v, vec3(1e-6)), vec3(1.0 / 2.4)) - 0.055, step(vec3(0.0031308), v));
}
vec3 lit(int look, vec3 n, vec3 lamp, vec3 colour, vec3 photo, float near) {
  if (look == 2) return 0.5 + 0.5 * n;
  if (look == 3) return vec3(near);
  if (look == 4) return photo;
  float shading = max(dot(n, lamp), 0.0) + ${AMBIENT.toFixed(3)} * (1.0 + 0.5 * n.y);
  if (look == 1) return encode(colour * shading * ${LAMP.toFixed(3)});
  vec3 halfway = normalize(lamp + vec3(0.0, 0.0, 1.0));
  float gloss = ${GLOSS[0].toFixed(3)} * pow(max(dot(n, halfway), 0.0), ${GLOSS[1].toFixed(1)}) * step(0.0, dot(n, lamp));
  return encode(CLAY * shading + gloss);
}`;

// The screen's colour (0 to 1) of one point.
export function lit(look, n, lamp, colour, photo, near) {
  if (look === "normals") return n.map((v) => 0.5 + 0.5 * v);
  if (look === "depth") return [near, near, near];
  if (look === "photograph") return photo;
  const facing = n[0] * lamp[0] + n[1] * lamp[1] + n[2] * lamp[2];
  const shading = Math.max(facing, 0) + AMBIENT * (1 + 0.5 * n[1]);
  const screen = (v) => encodeSrgb(Math.min(1, Math.max(0, v)));
  if (look === "skin") return colour.map((v) => screen(v * shading * LAMP));
  const length = Math.hypot(lamp[0], lamp[1], lamp[2] + 1);
  const towards = Math.max((n[0] * lamp[0] + n[1] * lamp[1] + n[2] * (lamp[2] + 1)) / length, 0);
  const gloss = facing >= 0 ? GLOSS[0] * towards ** GLOSS[1] : 0;
  return CLAY.map((v) => screen(v * shading + gloss));
}

// Where WebGL is not offered: every point of the grid is thrown onto the canvas, the nearest one stays.
export function paintSurface(canvas, { points, normals, colours, photo, known, width, height, pitch, turn, lamp, look }) {
  const side = Math.round(1.04 * Math.max(width, height));
  if (canvas.width !== side) Object.assign(canvas, { width: side, height: side });
  const picture = new ImageData(side, side);
  const nearest = new Float32Array(side * side).fill(-Infinity);
  const still = turn[0] === 1 && turn[4] === 1;
  const middle = (side - 1) / 2;
  for (let i = 0; i < known.length; i++) {
    if (!known[i]) continue;
    const [x, y, z] = applyTurn(turn, points[3 * i], points[3 * i + 1], points[3 * i + 2]);
    // A little more than half: points that fall between two pixels must all fall to the same side.
    const [left, top] = [x / pitch + middle, middle - y / pitch].map((v) => Math.floor(still ? v + 0.501 : v));
    let colour = null;
    for (let k = 0; k < (still ? 1 : 4); k++) { // a turned point covers four pixels, so that no gaps are left
      const [column, row] = [left + (k % 2), top + (k >> 1)];
      const at = row * side + column;
      if (column < 0 || row < 0 || column >= side || row >= side || nearest[at] >= z) continue;
      nearest[at] = z;
      colour ??= lit(look, applyTurn(turn, normals[3 * i], normals[3 * i + 1], normals[3 * i + 2]), lamp,
        [colours[3 * i], colours[3 * i + 1], colours[3 * i + 2]], [photo[4 * i] / 255, photo[4 * i + 1] / 255, photo[4 * i + 2] / 255], Math.min(1, Math.max(0, 0.5 + (0.5 * z) / DEPTH_RANGE)));
      picture.data.set([255 * colour[0], 255 * colour[1], 255 * colour[2], 255], 4 * at);
    }
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
}
