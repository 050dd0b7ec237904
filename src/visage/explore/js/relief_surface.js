// A surface over the picture's pixels: heights towards the viewer in mm, not a number where there is none.

// Surfaces below one another in the pixels of one picture: red and green are 16 bits of steps, 0 is no surface.
export function unpackSurfaces(pixels, width, height, { step, names }) {
  const size = width * (height / names.length);
  return Object.fromEntries(names.map((name, k) => [name, Float32Array.from({ length: size }, (_, i) => {
    const at = 4 * (k * size + i);
    const steps = 256 * pixels[at] + pixels[at + 1];
    return steps ? (steps - 1) * step : NaN;
  })]));
}

// coarse + amount · (fine - coarse - their median), so that detail can be left out or exaggerated.
export function exaggerate(coarse, fine, amount) {
  const shift = medianOf(fine.map((v, i) => v - coarse[i]));
  return fine.map((v, i) => {
    const base = Number.isNaN(coarse[i]) ? v - shift : coarse[i];
    return base + amount * (v - shift - base);
  });
}

export function medianOf(values) {
  const known = Float32Array.from(values).filter((v) => !Number.isNaN(v)).sort();
  if (!known.length) return 0;
  const middle = known.length >> 1;
  return known.length % 2 ? known[middle] : (known[middle - 1] + known[middle]) / 2;
}

// The slope along one direction: central where both neighbours are, one-sided at an edge, else 0.
function slope(z, i, before, after, pitch) {
  const [a, b] = [before === null ? NaN : z[before], after === null ? NaN : z[after]];
  if (!Number.isNaN(a) && !Number.isNaN(b)) return (b - a) / (2 * pitch);
  if (!Number.isNaN(b)) return (b - z[i]) / pitch;
  return Number.isNaN(a) ? 0 : (z[i] - a) / pitch;
}

// Unit normals, x to the right, y up, z to the viewer; (0, 0, 0) where there is no surface. `pitch` is mm a pixel.
export function surfaceNormals(z, width, height, pitch) {
  const normals = new Float32Array(3 * z.length);
  for (let i = 0; i < z.length; i++) {
    if (Number.isNaN(z[i])) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    const p = -slope(z, i, x ? i - 1 : null, x < width - 1 ? i + 1 : null, pitch);
    const q = slope(z, i, y ? i - width : null, y < height - 1 ? i + width : null, pitch); // the picture's y points down
    const length = Math.hypot(p, q, 1);
    normals.set([p / length, q / length, 1 / length], 3 * i);
  }
  return normals;
}

// Two triangles a square of pixels, counter-clockwise as seen; none across a step of more than `jump` mm.
export function surfaceTriangles(z, width, height, jump) {
  const found = new Uint32Array(6 * (width - 1) * (height - 1));
  let count = 0;
  for (let y = 0; y + 1 < height; y++) {
    for (let x = 0; x + 1 < width; x++) {
      const a = y * width + x;
      const [one, two, three, four] = [z[a], z[a + 1], z[a + width], z[a + width + 1]];
      const spread = Math.max(one, two, three, four) - Math.min(one, two, three, four);
      if (!(spread <= jump)) continue; // not a number where a corner is missing
      found.set([a, a + width, a + 1, a + 1, a + width, a + width + 1], count);
      count += 6;
    }
  }
  return found.slice(0, count);
}

// Points in mm about the middle of the picture and the surface's middle height.
export function surfacePoints(z, width, height, pitch) {
  const middle = medianOf(z);
  const points = new Float32Array(3 * z.length);
  z.forEach((v, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    points.set([(x - (width - 1) / 2) * pitch, ((height - 1) / 2 - y) * pitch, Number.isNaN(v) ? 0 : v - middle], 3 * i);
  });
  return points;
}

export const decodeSrgb = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
export const encodeSrgb = (v) => (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055);

// The colour that is left when the light of the photograph (eq. 9: constant, x, y, z) is divided out; linear.
export const DARKEST = 0.12; // of a shading: what is darker is shadow, of which nothing can be made
export function unlitColours(photo, normals, light) {
  const colours = new Float32Array(3 * (photo.length / 4));
  for (let i = 0; i < colours.length / 3; i++) {
    const shading = light[0] + light[1] * normals[3 * i] + light[2] * normals[3 * i + 1] + light[3] * normals[3 * i + 2];
    for (let c = 0; c < 3; c++) colours[3 * i + c] = decodeSrgb(photo[4 * i + c] / 255) / Math.max(DARKEST, shading);
  }
  return colours;
}

// How far two surfaces are apart where both are: RMS of heights (their median taken out), mm, and the mean angle, degrees.
export function surfaceDifference(one, other, width, height, pitch) {
  const apart = one.map((v, i) => v - other[i]);
  const shift = medianOf(apart);
  const [a, b] = [one, other].map((z) => surfaceNormals(z, width, height, pitch));
  let [count, absolute, angle] = [0, 0, 0];
  apart.forEach((v, i) => {
    if (Number.isNaN(v)) return;
    count += 1;
    absolute += Math.abs(v - shift);
    angle += Math.acos(Math.min(1, a[3 * i] * b[3 * i] + a[3 * i + 1] * b[3 * i + 1] + a[3 * i + 2] * b[3 * i + 2]));
  });
  return { millimetres: absolute / count, degrees: ((angle / count) * 180) / Math.PI };
}

// A direction towards a lamp, from degrees to the right and up.
export function lampDirection(right, up) {
  const [a, e] = [right, up].map((v) => (v * Math.PI) / 180);
  return [Math.cos(e) * Math.sin(a), Math.sin(e), Math.cos(e) * Math.cos(a)];
}

// R_y(turn) R_x(nod), row by row; degrees.
export function turnMatrix(turn, nod) {
  const [y, x] = [turn, nod].map((v) => (v * Math.PI) / 180);
  const [sy, cy, sx, cx] = [Math.sin(y), Math.cos(y), Math.sin(x), Math.cos(x)];
  return [cy, sx * sy, cx * sy, 0, cx, -sx, -sy, sx * cy, cx * cy];
}

export const applyTurn = (m, x, y, z) => [m[0] * x + m[1] * y + m[2] * z, m[3] * x + m[4] * y + m[5] * z, m[6] * x + m[7] * y + m[8] * z];
