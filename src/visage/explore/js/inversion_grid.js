// What does each term of the inversion's loss do? The reader trades them; the face follows.
import { html } from "./plots.js";
import { faceSlider, choice } from "./face_controls.js";
import { staticRoot, kernel, whenVisible } from "./runtime.js";
import { rung, corners, blendTiles, blendTerm } from "./inversion_blend.js";
import { portraits, weightScale, brief, termTable, tradePlot } from "./inversion_controls.js";

const TERMS = ["embedding", "guide", "tv"];
const START = { person: 0, embedding: 1, guide: 0.1, tv: 1e-3 };
const PRESETS = {
  "Embedding alone": { embedding: 1, guide: 0, tv: 0 },
  "+ total variation": { embedding: 1, guide: 0, tv: 1e-2 },
  "+ guide": { embedding: 1, guide: 0.1, tv: 1e-3 },
  "Guide wins": { embedding: 0.1, guide: 0.3, tv: 0 },
  "Total variation wins": { embedding: 0.1, guide: 0, tv: 0.1 },
};
const WAYS = { still: "held still (paper)", moved: "moved at every step" };
// A photograph's own value of eq. 2 is of this order, so that a reader can tell rough from smooth.
const LIMITS = { embedding: [1e-5, 1], guide: [1e-2, 20], tv: [0.1, 2e4] };

async function gridPicture(model, grid) {
  const root = staticRoot();
  if (root) {
    const response = await fetch(new URL(`assets/inversion_grid.webp?${grid.picture_sha256.slice(0, 12)}`, root));
    if (!response.ok) throw new Error(`The pictures could not be loaded (${response.status}).`);
    return createImageBitmap(await response.blob());
  }
  const { buffers: [view] } = await kernel(model)({ kind: "asset", name: "grid.webp" });
  return createImageBitmap(new Blob([view], { type: "image/webp" }));
}

function render({ model, el }) {
  const grid = model.get("grid");
  const [rows, columns, size] = [grid.guide_weights.length, grid.tv_weights.length, grid.tile];
  const state = { ...START, way: grid.ways.at(-1), ...model.get("values") };
  const status = html("p", { class: "vx-status", role: "status" });

  // Faces.
  const face = (name, label, note) => {
    const canvas = html("canvas", { width: size, height: size, role: "img", "aria-label": label, "data-face": name });
    const said = html("span", { class: "vx-name" }, note);
    return { canvas, said, figure: html("figure", { class: `vx-face vx-face-${name}` }, canvas, html("figcaption", {}, html("strong", {}, label), said)) };
  };
  const result = face("result", "Reconstruction", "from 128 numbers");
  const truth = face("true", "True face", "never seen");
  const guide = face("guide", "Guide", "and start");
  const picks = grid.people.map(({ name }) => ({ name, face: html("canvas", { width: size, height: size }) }));
  const people = portraits("Whose embedding", picks, (person) => change({ person }));

  // Controls.
  const scales = { guide: weightScale(0.01, 1), tv: weightScale(1e-4, 1) };
  const sliders = {
    embedding: faceSlider({ key: "embedding", name: "Embedding", range: [-1, 1], step: 0.02, format: (p) => brief(10 ** p), onInput: (p) => change({ embedding: 10 ** p }) }),
    ...Object.fromEntries(Object.entries(scales).map(([key, scale]) => [key, faceSlider({
      key, name: key === "tv" ? "Total variation" : "Guide", range: [0, Number(scale.top.toFixed(6))], step: 0.02, format: (p) => (p ? brief(scale.at(p)) : "off"), onInput: (p) => change({ [key]: scale.at(p) }),
    })])),
  };
  const ways = choice("While it is descended, the picture is", grid.ways, WAYS, (way) => change({ way }));
  const presets = html("div", { class: "vx-choice", role: "group", "aria-label": "Weights to begin with" }, ...Object.entries(PRESETS).map(([text, weights]) => html("button", { type: "button", class: "vx-button", onclick: () => change(weights) }, text)));
  const group = (name, ...children) => html("fieldset", {}, html("legend", {}, name), ...children);

  // Answers.
  const verdict = html("p", { class: "vx-verdict", "aria-live": "polite" }, "…");
  const terms = termTable([
    { name: "Embedding", what: "‖F(p) − e‖²" },
    { name: "Guide", what: "activations, 4 layers" },
    { name: "Total variation", what: "roughness, eq. 2" },
  ]);
  const plot = tradePlot({
    x: { range: [0.02, 20], ticks: [0.1, 1, 10], label: "guide term by itself: away from the mean face →" },
    y: { range: [0.004, 0.9], ticks: [0.01, 0.03, 0.1, 0.3], label: "distance from the embedding →" },
    threshold: grid.threshold,
    onChoose: (row, column) => {
      const [own, tv] = [grid.guide_weights[row], grid.tv_weights[column]];
      const embedding = Math.min(1, 1 / Math.max(own, tv)); // so that no slider is at its end before its weight is
      change({ embedding, guide: embedding * own, tv: embedding * tv });
    },
  });
  const small = (text, ...more) => html("p", { class: "vx-small" }, text, ...more);
  el.classList.add("vx", "vx-inversion");
  el.append(
    html("div", { class: "vx-grid" },
      html("div", { class: "vx-stack" },
        html("div", { class: "vx-trio" }, result.figure, truth.figure, guide.figure),
        group("Weights in the loss", ...TERMS.map((key) => sliders[key].root)),
        presets,
        ...(grid.ways.length > 1 ? [group("While it is descended, the picture is", ways.root)] : []),
        people.root),
      html("div", { class: "vx-stack" },
        verdict, terms.root,
        small("Grey bars: the term, logarithmic. Coloured bars: its share of the loss."),
        html("div", {}, small("Every knot is a computed picture: press one. ", html("span", { class: "vx-key-row" }, "total variation varies"), " · ", html("span", { class: "vx-key-column" }, "guide varies")), plot.root))),
    status);

  let [sprite, frame] = [null, 0];
  const sheets = new Map(); // tiles of one person and way, read off the sprite when they are first wanted
  const image = new ImageData(size, size);

  function tilesOf(person, way) {
    const key = person * grid.ways.length + grid.ways.indexOf(way);
    if (!sheets.has(key)) {
      const canvas = html("canvas", { width: columns * size, height: rows * size });
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(sprite, 0, -key * rows * size);
      sheets.set(key, Array.from({ length: rows * columns }, (_, k) => context.getImageData((k % columns) * size, Math.floor(k / columns) * size, size, size).data));
    }
    return sheets.get(key);
  }

  function drawLast(canvas, column) {
    const y = sprite.height - size;
    canvas.getContext("2d").drawImage(sprite, column * size, y, size, size, 0, 0, size, size);
  }

  // The terms of one person and way, cell by cell.
  function values(term) {
    const first = grid.ways.indexOf(state.way) * rows * columns;
    return grid.people[state.person].terms[term].slice(first, first + rows * columns);
  }

  function change(some) {
    Object.assign(state, some);
    model.set("values", { ...state });
    model.save_changes?.();
    showControls();
    frame ||= requestAnimationFrame(draw);
  }

  function showControls() {
    sliders.embedding.show(Math.log10(state.embedding));
    for (const [key, scale] of Object.entries(scales)) sliders[key].show(Number(Math.min(scale.top, scale.place(state[key])).toFixed(4)));
    people.show(state.person);
    ways.show(state.way);
  }

  function draw() {
    frame = 0;
    const began = performance.now();
    const place = [rung(state.guide / state.embedding, grid.guide_weights), rung(state.tv / state.embedding, grid.tv_weights)];
    const table = Object.fromEntries(TERMS.map((term) => [term, values(term)]));
    const at = (row, column) => {
      const cells = corners(row, column, rows, columns);
      return [blendTerm(table.guide, cells), Math.sqrt(blendTerm(table.embedding, cells))];
    };
    const cells = corners(...place, rows, columns);
    const raw = Object.fromEntries(TERMS.map((term) => [term, blendTerm(table[term], cells)]));
    if (sprite) {
      blendTiles(tilesOf(state.person, state.way), cells, image.data);
      result.canvas.getContext("2d").putImageData(image, 0, 0);
      result.canvas.dataset.cells = cells.map(([cell, share]) => `${cell}:${share.toFixed(3)}`).join(" ");
    }
    const distance = Math.sqrt(raw.embedding);
    const same = distance < grid.threshold;
    verdict.replaceChildren(html("strong", {}, distance.toFixed(2)), ` from the embedding: ${same ? "the recogniser takes it for this person" : "the recogniser takes it for somebody else"}`);
    verdict.classList.toggle("vx-is-different", !same);
    verdict.dataset.distance = distance.toFixed(4);
    terms.show(TERMS.map((term) => ({ raw: raw[term], weight: state[term], range: LIMITS[term] })));
    plot.move({
      at: [raw.guide, distance],
      row: Array.from({ length: 8 * (columns - 1) + 1 }, (_, k) => at(place[0], k / 8)),
      column: Array.from({ length: 8 * (rows - 1) + 1 }, (_, k) => at(k / 8, place[1])),
      words: `Distance from the embedding ${distance.toFixed(2)}, guide term ${brief(raw.guide)}; the threshold is ${grid.threshold.toFixed(1)}.`,
    });
    if (drawn !== `${state.person} ${state.way}`) sheet(table);
    result.canvas.dataset.milliseconds = (performance.now() - began).toFixed(1);
  }

  // What changes with the person only.
  let drawn = "";
  function sheet(table) {
    drawn = `${state.person} ${state.way}`;
    const { true: own, of_guide: mean } = grid.people[state.person];
    const points = (row) => Array.from({ length: columns }, (_, c) => [table.guide[row * columns + c], Math.sqrt(table.embedding[row * columns + c])]);
    plot.sheet(Array.from({ length: rows }, (_, r) => points(r)), [
      { text: "true face", at: [own.guide, Math.sqrt(own.embedding)] },
      { text: "guide", at: [mean.guide, Math.sqrt(mean.embedding)] },
      { text: "noise", at: points(0)[0], plain: true },
      { text: "blur", at: points(0)[columns - 1], plain: true },
    ]);
    if (sprite) drawLast(truth.canvas, state.person);
  }

  showControls();
  draw();
  let gone = false;
  whenVisible(el, async () => {
    try {
      status.textContent = "Loading the pictures…";
      sprite = await gridPicture(model, grid);
      if (gone) return;
      picks.forEach((pick, person) => drawLast(pick.face, person));
      drawLast(guide.canvas, grid.people.length);
      [drawn, status.textContent] = ["", ""];
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
