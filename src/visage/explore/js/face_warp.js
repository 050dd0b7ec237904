// The warp of Cole et al. (2017), section 4, of a face's texture to its landmarks: exact at every pixel, in milliseconds.

import { boundaryOf, fitFlow, flowGrid } from "./warp_spline.js";

// Where each pixel is read: Float32Array of size·size (x, y), for landmarks that come from `source` to `target`.
export function splinePlaces(source, target, size) {
  const points = [...target, ...boundaryOf(size)];
  const values = points.map(([x, y], i) => (i < source.length ? [source[i][0] - x, source[i][1] - y] : [0, 0]));
  const fit = fitFlow(points, values, 1, size);
  if (!fit) throw new Error("Two landmarks lie on the same spot.");
  const { u, v } = flowGrid(fit, size, 1);
  return Float32Array.from({ length: 2 * size * size }, (_, i) => {
    const k = i >> 1;
    return i % 2 ? Math.floor(k / size) + v[k] : (k % size) + u[k];
  });
}

// A square picture {width, height, data} (planes of red, green, blue) read at places; bilinear, the border repeated.
export function readAt(image, places) {
  const { width, height, data } = image;
  const n = width * height;
  const out = new Float32Array(3 * n);
  for (let i = 0; i < n; i++) {
    const x = Math.min(width - 1, Math.max(0, places[2 * i]));
    const y = Math.min(height - 1, Math.max(0, places[2 * i + 1]));
    const [x0, y0] = [Math.min(width - 2, Math.floor(x)), Math.min(height - 2, Math.floor(y))];
    const [fx, fy] = [x - x0, y - y0];
    for (let c = 0, at = y0 * width + x0; c < 3; c++, at += n) {
      const top = data[at] * (1 - fx) + data[at + 1] * fx;
      const bottom = data[at + width] * (1 - fx) + data[at + width + 1] * fx;
      out[c * n + i] = top * (1 - fy) + bottom * fy;
    }
  }
  return { width, height, data: out };
}

// A texture whose landmarks lie at `mean`, with its landmarks at `landmarks`: lists of [x, y].
export function warpFace(texture, mean, landmarks) {
  return readAt(texture, splinePlaces(mean, landmarks, texture.width));
}
