// Three weights that sum to one as a place in a triangle, and a lattice of computed places; no drawing but of the plot.
import { svg } from "./plots.js";

// The lattice has `steps` steps along a side of the simplex and goes `beyond` steps over it, so that weights reach -beyond / steps.
// Rows of equal first weight, from the largest; in a row, from the largest second weight.
export function latticeWeights({ steps, beyond }) {
  const side = steps + 3 * beyond;
  const found = [];
  for (let i = side; i >= 0; i--) for (let j = side - i; j >= 0; j--) found.push([i, j, side - i - j].map((n) => (n - beyond) / steps));
  return found;
}

const placeIn = (side, i, j) => ((side - i) * (side - i + 1)) / 2 + (side - i - j); // of row i, place j

// The corners of the small triangle round weights that sum to one, and their shares: [index, share], positive shares only.
export function latticeCells(weights, { steps, beyond }) {
  const side = steps + 3 * beyond;
  const [a, b] = weights.map((w) => Math.max(0, Math.min(side, w * steps + beyond)));
  let [i, j] = [Math.floor(a + 1e-9), Math.floor(b + 1e-9)];
  if (i + j >= side) [i, j] = i === side ? [side - 1, 0] : [i, side - i - 1];
  const [u, v] = [a - i, b - j];
  const cells = u + v <= 1 || i + j + 2 > side
    ? [[placeIn(side, i, j), 1 - u - v], [placeIn(side, i + 1, j), u], [placeIn(side, i, j + 1), v]]
    : [[placeIn(side, i + 1, j + 1), u + v - 1], [placeIn(side, i, j + 1), 1 - u], [placeIn(side, i + 1, j), 1 - v]];
  return cells.filter(([, share]) => share > 1e-6);
}

// One weight changes, the others keep their ratio; none falls below `least`, and their sum is one.
export function withWeight(weights, index, value, least) {
  const wanted = Math.max(least, Math.min(1 - 2 * least, value));
  const others = [0, 1, 2].filter((k) => k !== index);
  const rest = 1 - wanted;
  const sum = others.reduce((s, k) => s + weights[k] - least, 0);
  const free = rest - 2 * least;
  const found = [0, 0, 0];
  found[index] = wanted;
  others.forEach((k) => { found[k] = least + free * (sum > 1e-9 ? (weights[k] - least) / sum : 0.5); });
  return found;
}

// The nearest place within the lattice.
export function held(weights, least) {
  let found = weights.map((w) => Math.max(least, w));
  for (let round = 0; round < 3; round++) {
    const over = found.reduce((s, w) => s + w, 0) - 1;
    const free = found.map((w) => (w > least + 1e-12 || over < 0 ? 1 : 0));
    const count = free.reduce((s, f) => s + f, 0) || 1;
    found = found.map((w, k) => Math.max(least, w - (free[k] * over) / count));
  }
  const sum = found.reduce((s, w) => s + w, 0);
  found[found.indexOf(Math.max(...found))] -= sum - 1;
  return found;
}

// The plot: { root, move(weights, words) }. Dragging and arrow keys ask `onMove(weights)`.
export function simplexPlot({ steps, beyond, names, onMove }) {
  const [width, height, pad] = [340, 312, 14];
  const least = -beyond / steps;
  const size = 1 - 3 * least; // of the large triangle, in weights
  const scale = (width - 2 * pad) / size;
  const tall = (scale * size * Math.sqrt(3)) / 2;
  // The first corner is on top, the second at the left, the third at the right.
  const xy = (w) => [pad + scale * (w[2] - least + (w[0] - least) / 2), pad + tall - (scale * (w[0] - least) * Math.sqrt(3)) / 2];
  const weightsAt = (x, y) => {
    const first = least + ((pad + tall - y) * 2) / (scale * Math.sqrt(3));
    const third = least + (x - pad) / scale - (first - least) / 2;
    return [first, 1 - first - third, third];
  };
  const corner = (k) => [0, 1, 2].map((n) => (n === k ? 1 : 0));
  const points = (list) => list.map((w) => xy(w).map((v) => v.toFixed(1)).join(",")).join(" ");
  const outer = [0, 1, 2].map((k) => [0, 1, 2].map((n) => (n === k ? 1 - 2 * least : least)));
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "vx-plot vx-simplex-plot", role: "slider", tabindex: 0, "aria-label": "Weights of three faces. Arrow keys move them.", "aria-valuemin": 0, "aria-valuemax": 1, "aria-valuenow": 0 });
  root.append(svg("polygon", { points: points(outer), class: "vx-beyond" }), svg("polygon", { points: points([0, 1, 2].map(corner)), class: "vx-within" }));
  for (const w of latticeWeights({ steps, beyond })) {
    const [cx, cy] = xy(w);
    root.append(svg("circle", { cx: cx.toFixed(1), cy: cy.toFixed(1), r: 2.6, class: "vx-lattice" }));
  }
  names.forEach((name, k) => {
    const [x, y] = xy(corner(k));
    root.append(svg("text", { x: k === 1 ? x - 5 : k === 2 ? x + 5 : x + 9, y: k ? y + 17 : y - 4, "text-anchor": ["start", "start", "end"][k], class: "vx-corner" }, name));
  });
  const marker = svg("circle", { r: 8, class: "vx-now" });
  root.append(marker);

  let now = [1 / 3, 1 / 3, 1 / 3];
  const aim = (event) => {
    const box = root.getBoundingClientRect();
    onMove(held(weightsAt(((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height), least));
  };
  let dragging = false;
  root.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    root.focus({ preventScroll: true });
    root.setPointerCapture?.(event.pointerId);
    dragging = true;
    aim(event);
  });
  root.addEventListener("pointermove", (event) => { if (dragging) aim(event); });
  for (const end of ["pointerup", "pointercancel"]) root.addEventListener(end, () => { dragging = false; });
  root.addEventListener("keydown", (event) => {
    const by = { ArrowUp: [1, -0.5, -0.5], ArrowDown: [-1, 0.5, 0.5], ArrowLeft: [0, 0.5, -0.5], ArrowRight: [0, -0.5, 0.5] }[event.key];
    if (!by) return;
    event.preventDefault();
    onMove(held(now.map((w, k) => w + (by[k] * 0.5) / steps), least));
  });
  return {
    root,
    move(weights, words) {
      now = weights;
      const [cx, cy] = xy(weights);
      marker.setAttribute("cx", cx.toFixed(1));
      marker.setAttribute("cy", cy.toFixed(1));
      root.setAttribute("aria-valuenow", weights[0].toFixed(2));
      root.setAttribute("aria-valuetext", words);
    },
  };
}
