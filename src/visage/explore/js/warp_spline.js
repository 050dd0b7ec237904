// Polyharmonic splines in the plane, as visage.normalization.spline has them, and the warp that follows a flow.

// Points that stay, clockwise from the top-left corner; `size` pixels a side.
export function boundaryOf(size, eachSide = 5) {
  const last = size - 1;
  const along = Array.from({ length: eachSide - 1 }, (_, k) => (k / (eachSide - 1)) * last);
  return [...along.map((a) => [a, 0]), ...along.map((a) => [last, a]), ...along.map((a) => [last - a, last]), ...along.map((a) => [0, last - a])];
}

// φ of a squared distance: r, or r² log r.
const radial = (squared, order) => (order === 1 ? Math.sqrt(squared) : squared > 0 ? 0.5 * squared * Math.log(squared) : 0);

// Solves a·x = b for several right sides by elimination with pivots; rows of `a` carry their right sides behind them.
function eliminate(rows, count) {
  const width = rows[0].length;
  for (let k = 0; k < count; k++) {
    let best = k;
    for (let i = k + 1; i < count; i++) if (Math.abs(rows[i][k]) > Math.abs(rows[best][k])) best = i;
    if (Math.abs(rows[best][k]) < 1e-12) return false;
    [rows[k], rows[best]] = [rows[best], rows[k]];
    for (let i = k + 1; i < count; i++) {
      const factor = rows[i][k] / rows[k][k];
      if (factor) for (let j = k; j < width; j++) rows[i][j] -= factor * rows[k][j];
    }
  }
  for (let k = count - 1; k >= 0; k--) {
    for (let j = count; j < width; j++) {
      let sum = rows[k][j];
      for (let i = k + 1; i < count; i++) sum -= rows[k][i] * rows[i][j];
      rows[k][j] = sum / rows[k][k];
    }
  }
  return true;
}

// The spline with values (dx, dy) at points (x, y), or null where two points coincide. Points are scaled to about [-1, 1].
export function fitFlow(points, values, order, size) {
  const [n, middle] = [points.length, (size - 1) / 2];
  const at = points.map(([x, y]) => [(x - middle) / middle, (y - middle) / middle]);
  const rows = Array.from({ length: n + 3 }, () => new Float64Array(n + 5));
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const squared = (at[i][0] - at[j][0]) ** 2 + (at[i][1] - at[j][1]) ** 2;
      if (i !== j && squared < 1e-12) return null;
      rows[i][j] = radial(squared, order);
    }
    [1, at[i][0], at[i][1]].forEach((value, k) => { rows[i][n + k] = rows[n + k][i] = value; });
    [rows[i][n + 3], rows[i][n + 4]] = values[i];
  }
  if (!eliminate(rows, n + 3)) return null;
  const column = (from, count, k) => Float64Array.from({ length: count }, (_, i) => rows[from + i][k]);
  return {
    order, middle,
    x: Float64Array.from(at, ([x]) => x), y: Float64Array.from(at, ([, y]) => y),
    u: column(0, n, n + 3), v: column(0, n, n + 4), planeU: column(n, 3, n + 3), planeV: column(n, 3, n + 4),
  };
}

// The flow at crossings of a regular grid, every `step` pixels from 0 to size − 1 and beyond: {cells, step, u, v}.
export function flowGrid(fit, size, step) {
  const cells = Math.ceil((size - 1) / step) + 1;
  const [u, v] = [new Float32Array(cells * cells), new Float32Array(cells * cells)];
  const n = fit.x.length;
  const squares = new Float64Array(n);
  for (let row = 0; row < cells; row++) {
    const y = (row * step - fit.middle) / fit.middle;
    for (let i = 0; i < n; i++) squares[i] = (y - fit.y[i]) ** 2;
    for (let c = 0; c < cells; c++) {
      const x = (c * step - fit.middle) / fit.middle;
      let sumU = fit.planeU[0] + fit.planeU[1] * x + fit.planeU[2] * y;
      let sumV = fit.planeV[0] + fit.planeV[1] * x + fit.planeV[2] * y;
      if (fit.order === 1) {
        for (let i = 0; i < n; i++) {
          const d = x - fit.x[i];
          const r = Math.sqrt(d * d + squares[i]);
          sumU += fit.u[i] * r;
          sumV += fit.v[i] * r;
        }
      } else {
        for (let i = 0; i < n; i++) {
          const d = x - fit.x[i];
          const s = d * d + squares[i] + 1e-300;
          const r = 0.5 * s * Math.log(s);
          sumU += fit.u[i] * r;
          sumV += fit.v[i] * r;
        }
      }
      u[row * cells + c] = sumU;
      v[row * cells + c] = sumV;
    }
  }
  return { cells, step, u, v };
}

// The flow at one place between crossings, bilinear: [dx, dy].
export function flowAt({ cells, step, u, v }, x, y) {
  const [gx, gy] = [x / step, y / step];
  const [x0, y0] = [Math.min(cells - 2, Math.floor(gx)), Math.min(cells - 2, Math.floor(gy))];
  const [fx, fy] = [gx - x0, gy - y0];
  const k = y0 * cells + x0;
  const mix = (a) => (1 - fy) * ((1 - fx) * a[k] + fx * a[k + 1]) + fy * ((1 - fx) * a[k + cells] + fx * a[k + cells + 1]);
  return [mix(u), mix(v)];
}

// How many of the picture's cells are turned over, as a share: places where the Jacobian of x + flow is not positive.
export function foldedShare({ cells, step, u, v }) {
  let folded = 0;
  for (let row = 0; row < cells - 1; row++) {
    for (let c = 0; c < cells - 1; c++) {
      const k = row * cells + c;
      const [ux, vx] = [(u[k + 1] - u[k]) / step, (v[k + 1] - v[k]) / step];
      const [uy, vy] = [(u[k + cells] - u[k]) / step, (v[k + cells] - v[k]) / step];
      if ((1 + ux) * (1 + vy) - vx * uy <= 0) folded++;
    }
  }
  return folded / (cells - 1) ** 2;
}

// Reads RGBA pixels (size × size) where the flow points, bilinear, the border repeated.
export function warpPixels(source, size, flow, out) {
  const { cells, step, u, v } = flow;
  const last = size - 1;
  for (let y = 0; y < size; y++) {
    const gy = Math.min(cells - 2, Math.floor(y / step));
    const fy = y / step - gy;
    for (let x = 0; x < size; x++) {
      const gx = Math.min(cells - 2, Math.floor(x / step));
      const fx = x / step - gx;
      const g = gy * cells + gx;
      const h = g + cells;
      const across = u[g] + fx * (u[g + 1] - u[g]);
      const down = v[g] + fx * (v[g + 1] - v[g]);
      const sx = Math.min(last, Math.max(0, x + across + fy * (u[h] + fx * (u[h + 1] - u[h]) - across)));
      const sy = Math.min(last, Math.max(0, y + down + fy * (v[h] + fx * (v[h + 1] - v[h]) - down)));
      const x0 = Math.min(last - 1, Math.floor(sx));
      const y0 = Math.min(last - 1, Math.floor(sy));
      const ax = sx - x0;
      const ay = sy - y0;
      const p = 4 * (y0 * size + x0);
      const q = p + 4 * size;
      const o = 4 * (y * size + x);
      for (let c = 0; c < 3; c++) {
        const top = source[p + c] + ax * (source[p + 4 + c] - source[p + c]);
        const bottom = source[q + c] + ax * (source[q + 4 + c] - source[q + c]);
        out[o + c] = top + ay * (bottom - top);
      }
      out[o + 3] = 255;
    }
  }
}
