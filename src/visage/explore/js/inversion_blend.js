// Between computed pictures: where two ratios of weights lie on a grid of weights, and what is to be seen there.

// The place of a ratio on rungs [0, r1, r2, …]: linear up to the first, then in the ratio's logarithm; held at the end.
export function rung(ratio, rungs) {
  const last = rungs.length - 1;
  if (!(ratio > 0)) return 0;
  if (ratio <= rungs[1]) return ratio / rungs[1];
  for (let i = 1; i < last; i++) {
    if (ratio < rungs[i + 1]) return i + Math.log(ratio / rungs[i]) / Math.log(rungs[i + 1] / rungs[i]);
  }
  return last;
}

// The four cells around a place (row, column) and their shares, which sum to 1; cells count row by row.
export function corners(row, column, rows, columns) {
  const split = (place, count) => {
    const low = Math.min(count - 2, Math.max(0, Math.floor(place)));
    return [low, Math.min(1, Math.max(0, place - low))];
  };
  const [r, v] = split(row, rows);
  const [c, u] = split(column, columns);
  return [
    [r * columns + c, (1 - v) * (1 - u)],
    [r * columns + c + 1, (1 - v) * u],
    [(r + 1) * columns + c, v * (1 - u)],
    [(r + 1) * columns + c + 1, v * u],
  ].filter(([, share]) => share > 0);
}

// The mean of tiles (RGBA bytes of one length) by their shares, written into `out`.
export function blendTiles(tiles, cells, out) {
  const sum = new Float32Array(out.length);
  for (const [cell, share] of cells) {
    const tile = tiles[cell];
    for (let i = 0; i < sum.length; i++) sum[i] += share * tile[i];
  }
  out.set(sum); // a clamped array rounds
  return out;
}

// The geometric mean of a term by the cells' shares: terms span decades, as the weights do.
export function blendTerm(values, cells, least = 1e-6) {
  return Math.exp(cells.reduce((sum, [cell, share]) => sum + share * Math.log(Math.max(least, values[cell])), 0));
}
