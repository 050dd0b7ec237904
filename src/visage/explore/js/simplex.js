// Weights of three faces, set by hand: their pictures blended, and their correlations.
import { html } from "./plots.js";
import { faceSlider } from "./face_controls.js";
import { whenVisible } from "./runtime.js";
import { pictureOf, tileOf, blendOf, colourOf, luminanceOf, colouredBytes } from "./texture_tiles.js";
import { textureLoupe } from "./texture_loupe.js";
import { simplexPlot, latticeCells, withWeight } from "./simplex_triangle.js";

const PIECE = 0.3; // of the tile's width that a loupe shows
const NEGATIVE = 1e-3; // of the largest eigenvalue, from which a matrix counts as impossible

function render({ model, el }) {
  const told = model.get("told"); // tile, steps, beyond, names, columns, fine (of the lattice), corners, negative
  const [high, wide] = told.tile;
  const least = -told.beyond / told.steps;
  const state = { weights: [1 / 3, 1 / 3, 1 / 3], gain: 1, at: [0.3 * wide, 0.6 * high], ...model.get("values") };
  const status = html("p", { class: "vx-status", role: "status" });
  const panes = { 0: told.names[0], 1: told.names[1], 2: told.names[2], pixels: "pictures blended", made: "correlations blended" };
  const loupe = textureLoupe({ tile: told.tile, side: Math.round(PIECE * wide), panes, main: "made", label: "The texture with blended correlations.", moved: (at) => change({ at }) });
  const plot = simplexPlot({ steps: told.steps, beyond: told.beyond, names: told.names, onMove: (weights) => change({ weights }) });
  const sliders = told.names.map((name, k) => faceSlider({ key: `weight${k}`, name, range: [least, 1 - 2 * least], step: 0.01, format: (v) => v.toFixed(2), onInput: (v) => change({ weights: withWeight(state.weights, k, v, least) }) }));
  const presets = { "One face": [1, 0, 0], "Two, half and half": [0.5, 0.5, 0], "All three": [1 / 3, 1 / 3, 1 / 3], "Beyond the simplex": [1 - least, least, 0] };
  const begin = html("div", { class: "vx-choice", role: "group", "aria-label": "Weights to begin with" }, ...Object.entries(presets).map(([text, weights]) => html("button", { type: "button", class: "vx-button", onclick: () => change({ weights }) }, text)));
  const gain = faceSlider({ key: "gain", name: "Contrast", range: [1, 4], step: 0.25, format: (v) => `× ${v}`, onInput: (v) => change({ gain: v }) });
  const verdict = html("p", { class: "vx-verdict", "aria-live": "polite" });
  const said = html("p", { class: "vx-explain" });
  const group = (name, ...children) => html("fieldset", {}, html("legend", {}, name), ...children);
  el.classList.add("vx", "vx-skin", "vx-simplex");
  el.append(
    html("div", { class: "vx-grid" },
      html("div", { class: "vx-stack" }, group("Weights of three faces", plot.root, ...sliders.map(({ root }) => root)), begin),
      html("div", { class: "vx-stack" }, loupe.root, html("p", { class: "vx-small" }, "Made to have the blended correlations. Drag over it to move the loupes."), verdict, said, gain.root)),
    loupe.loupes, status);

  let [sheet, strip, frame, gone] = [null, null, 0, false];
  const tiles = new Map();
  let colours = null; // of the three faces

  function change(some) {
    Object.assign(state, some);
    model.set("values", { ...state });
    model.save_changes?.();
    frame ||= requestAnimationFrame(draw);
  }

  // Row 0 holds the three faces, the others the lattice.
  function tile(row, column) {
    const key = row * told.columns + column;
    if (!tiles.has(key)) tiles.set(key, tileOf(sheet, row, column, told.tile));
    return tiles.get(key);
  }
  const lattice = (index) => tile(1 + Math.floor(index / told.columns), index % told.columns);

  function draw() {
    frame = 0;
    if (gone) return;
    const { weights } = state;
    const cells = latticeCells(weights, told);
    const words = told.names.map((name, k) => `${name} ${weights[k].toFixed(2)}`).join(", ");
    plot.move(weights, words);
    sliders.forEach((slider, k) => slider.show(Number(weights[k].toFixed(3))));
    const negative = cells.reduce((most, [index]) => Math.max(most, told.negative[index]), 0);
    const outside = weights.some((w) => w < -0.005);
    verdict.textContent = outside ? "Outside of the simplex" : "Inside of the simplex";
    verdict.classList.toggle("vx-is-different", outside);
    said.textContent = outside
      ? `A face is taken away from the others. ${negative > NEGATIVE ? `The blended matrices have negative eigenvalues, to ${(100 * negative).toFixed(1)}% of the largest: no picture has such correlations, and the texture is only as near to them as it can be.` : "So near to the edge the matrices still have no negative eigenvalue worth speaking of."}`
      : "Every entry lies between those of real skins, and no eigenvalue is negative. Compare the last two loupes: the mean of pictures is smoother than any of them, the mean of correlations is not.";
    el.dataset.weights = weights.map((w) => w.toFixed(3)).join(" ");
    gain.show(state.gain);
    if (!sheet) return;
    const bytes = (luminance, own) => colouredBytes(luminance, own, luminanceOf(own), state.gain);
    const blended = new Float32Array(3 * high * wide);
    for (let k = 0; k < 3; k++) for (let i = 0; i < blended.length; i++) blended[i] += weights[k] * colours[k][i];
    for (let k = 0; k < 3; k++) loupe.show(String(k), bytes(tile(0, k), colours[k]));
    loupe.show("pixels", bytes(blendOf(weights.map((w, k) => [tile(0, k), w])), blended));
    loupe.show("made", bytes(blendOf(cells.map(([index, share]) => [lattice(index), share])), blended));
    loupe.frame(state.at);
    el.dataset.shown = cells.map(([index, share]) => `${index}:${share.toFixed(3)}`).join(" ");
  }

  draw();
  whenVisible(el, async () => {
    try {
      [sheet, strip] = await Promise.all([pictureOf(model.get("sheet")), pictureOf(model.get("colours"))]);
      if (gone) return;
      colours = [0, 1, 2].map((k) => colourOf(strip, k, 3, told.tile));
      draw();
      el.dataset.ready = "true";
    } catch (error) {
      status.textContent = error.message;
      status.classList.add("vx-wrong");
    }
  });
  return () => { gone = true; cancelAnimationFrame(frame); };
}

export default { render };
