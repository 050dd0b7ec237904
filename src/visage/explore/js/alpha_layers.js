// What α and the number of layers do: computed syntheses of one texture, under a loupe.
import { html, svg } from "./plots.js";
import { faceSlider } from "./face_controls.js";
import { brief } from "./inversion_controls.js";
import { whenVisible } from "./runtime.js";
import { pictureOf, tileOf, colourOf, luminanceOf, colouredBytes } from "./texture_tiles.js";
import { textureLoupe } from "./texture_loupe.js";

const LOUPE_SHARE = 0.2; // of the tile's width
const BAND_NAMES = { high: "fine", middle: "middle", low: "coarse" };
const MOST = 1.5; // times the truth, at the end of a bar

// Energy of bands as shares of the truth's: bars with a mark at 1.
function energyBars(bands) {
  const [left, right, pitch, width] = [64, 46, 24, 380];
  const px = (v) => left + (Math.min(MOST, v) / MOST) * (width - left - right);
  const root = svg("svg", { role: "img", class: "vx-plot vx-bands", viewBox: `0 0 ${width} ${bands.length * pitch + 26}` });
  const bars = bands.map((band, i) => {
    const at = 12 + i * pitch;
    const bar = svg("rect", { x: left, y: at - 7, height: 14, rx: 2, width: 0, "data-band": band });
    const value = svg("text", { y: at + 4.5, class: "vx-value" });
    root.append(svg("text", { x: left - 8, y: at + 4.5, "text-anchor": "end" }, BAND_NAMES[band]), bar, value);
    return { bar, value };
  });
  const foot = 4 + bands.length * pitch;
  root.append(svg("line", { class: "vx-threshold", x1: px(1), x2: px(1), y1: 2, y2: foot }), svg("text", { x: px(1), y: foot + 14, "text-anchor": "middle" }, "as much as in the truth"));
  return {
    root,
    show(shares) {
      shares.forEach((share, i) => {
        bars[i].bar.setAttribute("width", Math.max(1, px(share) - left).toFixed(1));
        bars[i].bar.setAttribute("class", Math.abs(share - 1) <= 0.15 ? "vx-near" : "vx-far");
        bars[i].value.setAttribute("x", px(share) + 6);
        bars[i].value.textContent = share.toFixed(2);
      });
      root.setAttribute("aria-label", `Energy of detail as shares of the truth: ${bands.map((band, i) => `${BAND_NAMES[band]} ${shares[i].toFixed(2)}`).join(", ")}.`);
    },
  };
}

function render({ model, el }) {
  const told = model.get("told"); // alphas, layers, tile, bands, energies by cell, low
  const [high, wide] = told.tile;
  const state = { alpha: told.alphas.length - 1, layers: told.layers.length, gain: 1, at: [0.3 * wide, 0.6 * high], ...model.get("values") };
  const status = html("p", { class: "vx-status", role: "status" });
  const side = Math.round(LOUPE_SHARE * wide);
  const loupe = textureLoupe({ tile: told.tile, side, panes: { low: "where it starts", made: "synthesised", truth: "the truth" }, main: "made", label: "The synthesised texture.", moved: (at) => change({ at }) });
  const alphas = ["0", ...told.alphas.map(brief)]; // 0 is the start itself
  const alpha = faceSlider({ key: "alpha", name: "α", range: [0, told.alphas.length], step: 1, format: (v) => alphas[v], onInput: (v) => change({ alpha: v }) });
  const layers = faceSlider({ key: "layers", name: "Layers", range: [1, told.layers.length], step: 1, format: (v) => `${v} of ${told.layers.length}`, onInput: (v) => change({ layers: v }) });
  const named = html("p", { class: "vx-small" });
  const gain = faceSlider({ key: "gain", name: "Contrast", range: [1, 4], step: 0.25, format: (v) => `× ${v}`, onInput: (v) => change({ gain: v }) });
  const bars = energyBars(told.bands);
  const said = html("p", { class: "vx-explain", "aria-live": "polite" });
  const group = (name, ...children) => html("fieldset", {}, html("legend", {}, name), ...children);
  el.classList.add("vx", "vx-skin", "vx-alpha");
  el.append(
    html("div", { class: "vx-grid" },
      html("div", { class: "vx-stack" }, loupe.root, html("p", { class: "vx-small" }, "Drag over the texture: the frame is what the loupes show."), group("Energy of detail", bars.root)),
      html("div", { class: "vx-stack" }, loupe.loupes, gain.root, group("Weight of the correlations, and layers that they are taken of", alpha.root, layers.root, named), said)),
    status);

  let [sheet, colours, own, frame, gone] = [null, null, null, 0, false];
  const known = new Map();

  function change(some) {
    Object.assign(state, some);
    model.set("values", { ...state });
    model.save_changes?.();
    frame ||= requestAnimationFrame(draw);
  }

  // Tiles: a row for each α, then one row with the truth.
  function bytesAt(row, column) {
    const key = `${row} ${column}`;
    if (!known.has(key)) known.set(key, row < 0 ? own : tileOf(sheet, row, column, told.tile));
    return colouredBytes(known.get(key), colours, own, state.gain);
  }

  function draw() {
    frame = 0;
    if (gone) return;
    alpha.show(state.alpha);
    layers.show(state.layers);
    gain.show(state.gain);
    named.textContent = `Correlations of ${told.layers.slice(0, state.layers).join(", ")}.`;
    const [row, column] = [state.alpha - 1, state.layers - 1];
    const energies = row < 0 ? told.low : told.energies[row][column];
    bars.show(energies);
    said.textContent = wordsOn(row, column, energies);
    el.dataset.energies = JSON.stringify(energies);
    if (!sheet) return;
    loupe.show("low", bytesAt(-1, 0));
    loupe.show("made", row < 0 ? bytesAt(-1, 0) : bytesAt(row, column));
    loupe.show("truth", bytesAt(told.alphas.length, 0));
    loupe.frame(state.at);
    el.dataset.shown = `${state.alpha} ${state.layers} ${state.gain}`;
  }

  function wordsOn(row, column, [fine]) {
    if (row < 0) return "α = 0: nobody asks for detail. This is the low-frequency albedo by itself.";
    const amount = fine < 0.5 ? "Much of the fine detail is still missing" : fine > 1.15 ? "There is more fine detail than in the truth" : fine < 0.85 ? "Some fine detail is missing" : "As much fine detail as in the truth, to 15%";
    return `${amount}${column + 1 < told.layers.length ? `; ${told.layers.length - column - 1} ${told.layers.length - column - 1 === 1 ? "layer has" : "layers have"} no say` : ""}.`;
  }

  draw();
  whenVisible(el, async () => {
    try {
      const [grey, low] = await Promise.all([pictureOf(model.get("sheet")), pictureOf(model.get("colours"))]);
      if (gone) return;
      sheet = grey;
      colours = colourOf(low, 0, 1, told.tile);
      own = luminanceOf(colours);
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
