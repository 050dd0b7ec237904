// The warp of Cole et al. (2017), section 4, for pictures with a few dozen landmarks: exact, in milliseconds.

// Points at even distances along the outermost pixels, corners included: they stay where they are.
export function boundaryPoints(size, eachSide = 5) {
  const points = [];
  const last = size - 1;
  for (let i = 0; i < eachSide - 1; i++) {
    const at = (i / (eachSide - 1)) * last;
    points.push([at, 0], [last, at], [last - at, last], [0, last - at]);
  }
  return points;
}

// Solves a x = b for several right sides, in place, by elimination with row pivots. Rows are Float64Arrays.
export function solve(a, b) {
  const n = a.length;
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(a[i][k]) > Math.abs(a[pivot][k])) pivot = i;
    [a[k], a[pivot]] = [a[pivot], a[k]];
    [b[k], b[pivot]] = [b[pivot], b[k]];
    if (Math.abs(a[k][k]) < 1e-12) throw new Error("Two landmarks lie on the same spot.");
    for (let i = k + 1; i < n; i++) {
      const f = a[i][k] / a[k][k];
      if (f === 0) continue;
      for (let j = k; j < n; j++) a[i][j] -= f * a[k][j];
      for (let j = 0; j < b[i].length; j++) b[i][j] -= f * b[k][j];
    }
  }
  for (let k = n - 1; k >= 0; k--) {
    for (let j = 0; j < b[k].length; j++) {
      let sum = b[k][j];
      for (let i = k + 1; i < n; i++) sum -= a[k][i] * b[i][j];
      b[k][j] = sum / a[k][k];
    }
  }
  return b;
}

// Where each pixel is read: Float32Array of size·size (x, y), for landmarks that come from `source` to `target`.
export function splinePlaces(source, target, size) {
  const edge = boundaryPoints(size);
  const points = [...target, ...edge];
  const n = points.length;
  const rows = points.map(([x, y]) => Float64Array.from([...points.map(([u, v]) => Math.hypot(x - u, y - v)), 1, x, y]));
  for (const pick of [() => 1, ([x]) => x, ([, y]) => y]) rows.push(Float64Array.from([...points.map(pick), 0, 0, 0]));
  const values = points.map((p, i) => (i < source.length ? [source[i][0] - p[0], source[i][1] - p[1]] : [0, 0]));
  const weights = solve(rows, [...values, [0, 0], [0, 0], [0, 0]].map((v) => Float64Array.from(v)));
  const places = new Float32Array(2 * size * size);
  for (let y = 0, at = 0; y < size; y++) {
    for (let x = 0; x < size; x++, at += 2) {
      let dx = weights[n][0] + weights[n + 1][0] * x + weights[n + 2][0] * y;
      let dy = weights[n][1] + weights[n + 1][1] * x + weights[n + 2][1] * y;
      for (let i = 0; i < n; i++) {
        const [u, v] = [x - points[i][0], y - points[i][1]];
        const r = Math.sqrt(u * u + v * v);
        dx += weights[i][0] * r;
        dy += weights[i][1] * r;
      }
      places[at] = x + dx;
      places[at + 1] = y + dy;
    }
  }
  return places;
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
