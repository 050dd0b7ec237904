// How the discriminator's answer is shown: a scale from "made" to "real", its patches over the face, its course over time.
import { html, svg } from "./plots.js";
import { FACE_SIZE } from "./grey_faces.js";

export const sigmoid = (logit) => 1 / (1 + Math.exp(-logit));

// A probability in words that stay honest near 0 and 1.
export function percent(share) {
  if (share > 0.999) return "over 99.9%";
  if (share < 0.001) return "under 0.1%";
  return `${(100 * share).toFixed(share > 0.1 && share < 0.9 ? 0 : 1)}%`;
}

// The score on a scale, with a mark where the unchanged face stands: { root, show(score, reference) }.
export function scoreScale() {
  const [needle, mark] = [html("i", {}), html("s", { hidden: true })];
  const words = html("p", { class: "vx-verdict", "aria-live": "polite" }, "…");
  const track = html("div", { class: "vx-score", "aria-hidden": "true" }, mark, needle);
  const ends = html("div", { class: "vx-score-ends" }, html("span", {}, "made"), html("span", {}, "real"));
  return {
    root: html("div", { class: "vx-scale" }, words, track, ends),
    show(score, reference) {
      words.replaceChildren(html("strong", {}, percent(score)), score >= 0.5 ? " real: it takes this for a true normal face" : " real: it takes this for a made one");
      words.classList.toggle("vx-is-different", score < 0.5);
      words.dataset.score = score.toFixed(5);
      needle.style.left = `${(100 * score).toFixed(2)}%`;
      mark.hidden = !Number.isFinite(reference);
      if (!mark.hidden) mark.style.left = `${(100 * reference).toFixed(2)}%`;
    },
  };
}

// A colour between orange (made), clear, and blue (real), as RGBA bytes.
export function patchColour(probability, strength = 0.55) {
  const towards = 2 * probability - 1;
  const colour = towards < 0 ? [213, 94, 0] : [0, 114, 178];
  return [...colour, Math.round(255 * strength * Math.min(1, Math.abs(towards)))];
}

// Where the cells of `count` answers begin and end, as shares of the picture: answer i stands at i / count, and a pixel
// belongs to the nearest one.
export function cellEdges(count) {
  return Array.from({ length: count + 1 }, (_, i) => (i === 0 ? 0 : i === count ? 1 : (i - 0.5) / count));
}

// Lays an answer of rows × columns over a canvas of any size: each answer colours the pixels that are nearest to its place.
export function drawPatches(canvas, probabilities, [rows, columns]) {
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  const [ys, xs] = [cellEdges(rows).map((y) => y * canvas.height), cellEdges(columns).map((x) => x * canvas.width)];
  probabilities.forEach((p, i) => {
    const [r, g, b, a] = patchColour(p);
    const [row, column] = [Math.floor(i / columns), i % columns];
    pen.fillStyle = `rgba(${r}, ${g}, ${b}, ${a / 255})`;
    pen.fillRect(xs[column] + 0.5, ys[row] + 0.5, xs[column + 1] - xs[column] - 1, ys[row + 1] - ys[row] - 1);
  });
}

// Squares that are blurred one at a time to learn where the score hangs: corners [x, y] and their side.
export function windows(side = 16, stride = 8) {
  const places = [];
  for (let y = 0; y + side <= FACE_SIZE; y += stride) for (let x = 0; x + side <= FACE_SIZE; x += stride) places.push([x, y]);
  return { places, side };
}

// What a change of score by blurring each window says of each pixel: the mean over the windows that hold it.
export function heatOf({ places, side }, changes) {
  const [sum, count] = [new Float32Array(FACE_SIZE ** 2), new Float32Array(FACE_SIZE ** 2)];
  places.forEach(([x, y], k) => {
    for (let v = y; v < y + side; v++) for (let u = x; u < x + side; u++) { sum[v * FACE_SIZE + u] += changes[k]; count[v * FACE_SIZE + u] += 1; }
  });
  return sum.map((v, i) => (count[i] ? v / count[i] : 0));
}

// Paints such a map, its largest value at full strength: orange where blur makes the face look made, blue where more real.
export function drawHeat(canvas, heat) {
  const largest = Math.max(...heat.map(Math.abs), 1e-9);
  const picture = new ImageData(FACE_SIZE, FACE_SIZE);
  heat.forEach((v, i) => picture.data.set(patchColour(0.5 + (0.5 * v) / largest, 0.8), 4 * i));
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

// The scores of the last changes, newest at the right: { root, add(score), clear() }.
export function scoreCourse(length = 60) {
  const [width, height, left, top, bottom] = [440, 120, 44, 8, 24];
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", class: "vx-plot", "aria-label": "The score after each of the last changes." });
  const px = (i) => left + (i / (length - 1)) * (width - left - 10);
  const py = (score) => top + (1 - score) * (height - top - bottom);
  for (const [score, text] of [[0, "made"], [0.5, "50%"], [1, "real"]]) {
    root.append(svg("line", { class: score === 0.5 ? "vx-threshold" : "vx-axis", x1: left, x2: width - 10, y1: py(score), y2: py(score) }), svg("text", { x: left - 6, y: py(score) + 4, "text-anchor": "end" }, text));
  }
  root.append(svg("text", { x: (left + width) / 2, y: height - 4, "text-anchor": "middle" }, "your last changes"));
  const curve = svg("path", { class: "vx-curve" });
  const dot = svg("circle", { class: "vx-dot", r: 5, visibility: "hidden" });
  root.append(curve, dot);
  let scores = [];
  const draw = () => {
    const at = scores.map((score, i) => [px(length - scores.length + i), py(score)]);
    curve.setAttribute("d", at.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)},${y.toFixed(1)}`).join(""));
    dot.setAttribute("visibility", at.length ? "visible" : "hidden");
    if (at.length) { dot.setAttribute("cx", at.at(-1)[0].toFixed(1)); dot.setAttribute("cy", at.at(-1)[1].toFixed(1)); }
  };
  return { root, add(score) { scores = [...scores, score].slice(-length); draw(); }, clear() { scores = []; draw(); } };
}
