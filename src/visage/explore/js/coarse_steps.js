// CoarseNet's iterations: what it is shown at each, what it makes of it, and how wrong that is.
import { html, svg, axes } from "./plots.js";
import { faceSlider, choice } from "./face_controls.js";
import { portraits } from "./inversion_controls.js";
import { whenVisible } from "./runtime.js";

const PARTS = [
  ["face", "What it is shown", "the picture, masked by its last answer"],
  ["pncc", "PNCC", "which point of a face each pixel is"],
  ["normals", "Normals", "how the answer lies there"],
  ["error", "Error of its depth", "blue: too near, orange: too far"],
];
const PLOTS = [["error", "mean depth error", "mm", "vx-curve"], ["turned", "turned wrongly by", "°", "vx-curve vx-second"], ["change", "moved by this step", "mm", "vx-curve vx-third"]];

// One curve a measure over the steps; `show(values, step)`.
function coursePlot(name, unit, kind, steps) {
  let root = html("div", { class: "vx-course" });
  const show = (values, step) => {
    const known = values.filter((v) => v !== null);
    const top = Math.max(1, Math.ceil(1.1 * Math.max(...known)));
    const { root: plot, px, py, base } = axes({ width: 300, height: 128, x: [0, steps - 1], y: [0, top], ticks: Array.from({ length: steps }, (_, i) => i), label: "iteration", title: `${name} over the iterations: ${values.map((v) => (v === null ? "–" : v.toFixed(1))).join(", ")} ${unit}`, margin: { left: 30, right: 10, top: 22, bottom: 34 } });
    const points = values.map((v, i) => (v === null ? null : [px(i), py(v)])).filter(Boolean);
    plot.append(
      svg("line", { x1: px(0), x2: px(0), y1: py(top), y2: base, class: "vx-axis" }),
      svg("text", { x: px(0) - 5, y: py(top) + 4, "text-anchor": "end" }, String(top)),
      svg("text", { x: px(0) - 5, y: base, "text-anchor": "end" }, "0"),
      svg("text", { x: px(0) + 4, y: 12, class: "vx-course-name" }, `${name}: ${values[step] === null ? "–" : `${values[step].toFixed(values[step] < 10 ? 2 : 1)} ${unit}`}`),
      svg("path", { class: kind, d: points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)},${y.toFixed(1)}`).join("") }),
      ...points.map(([cx, cy]) => svg("circle", { cx, cy, r: 2.4, class: "vx-course-dot" })));
    if (values[step] !== null) plot.append(svg("circle", { cx: px(step), cy: py(values[step]), r: 6, class: "vx-dot" }));
    root.replaceChildren(plot);
  };
  return { root, show };
}

function render({ model, el }) {
  const [names, placings, steps, tile, numbers] = ["names", "placings", "steps", "tile", "numbers"].map((key) => model.get(key));
  const state = { person: 0, placing: 0, step: 0, ...model.get("values") };
  const status = html("p", { class: "vx-status", role: "status" });
  const tiles = PARTS.map(([key, name, note]) => {
    const canvas = html("canvas", { width: tile, height: tile, role: "img", "aria-label": name, "data-part": key });
    return { canvas, figure: html("figure", { class: "vx-face" }, canvas, html("figcaption", {}, html("strong", {}, name), html("span", { class: "vx-note" }, note))) };
  });
  const small = names.map((name) => html("canvas", { width: tile, height: tile, "aria-label": name }));
  const pick = portraits("Whose face", names.map((name, i) => ({ name, face: small[i] })), (person) => change({ person }));
  const windows = choice("The window is placed", placings.map((_, i) => String(i)), Object.fromEntries(placings.map((name, i) => [String(i), name])), (value) => change({ placing: Number(value) }));
  const slider = faceSlider({ key: "step", name: "Iteration", range: [0, steps - 1], step: 1, format: (v) => (v ? `after ${v}` : "the start"), onInput: (value) => { stop(); change({ step: value }); } });
  const play = html("button", { type: "button", class: "vx-button", "data-key": "play", onclick: () => (timer ? stop() : start()) }, "Play");
  const curves = PLOTS.map(([key, name, unit, kind]) => ({ key, ...coursePlot(name, unit, kind, steps) }));
  el.classList.add("vx", "vx-geometry", "vx-steps");
  el.append(
    html("div", { class: "vx-four" }, ...tiles.map(({ figure }) => figure)),
    html("div", { class: "vx-walker" }, slider.root, play),
    html("div", { class: "vx-courses" }, ...curves.map(({ root }) => root)),
    html("div", { class: "vx-grid vx-steps-choices" }, pick.root, html("fieldset", {}, html("legend", {}, "The window is placed"), windows.root)),
    status);

  let [sheet, timer] = [null, null];

  function start() {
    if (state.step === steps - 1) change({ step: 0 });
    play.textContent = "Stop";
    timer = setInterval(() => {
      if (state.step === steps - 1) return stop();
      change({ step: state.step + 1 });
    }, 700);
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
  }

  function change(some) {
    Object.assign(state, some);
    model.set("values", { ...state });
    model.save_changes?.();
    draw();
  }

  function draw() {
    const { person, placing, step } = state;
    const own = numbers[person][placing];
    slider.show(step);
    pick.show(person);
    windows.show(String(placing));
    curves.forEach(({ key, show }) => show(own[key], step));
    el.dataset.error = own.error[step];
    if (!sheet) return;
    const row = person * placings.length + placing;
    tiles.forEach(({ canvas }, k) => {
      const context = canvas.getContext("2d");
      context.drawImage(sheet, (step * PARTS.length + k) * tile, row * tile, tile, tile, 0, 0, tile, tile);
    });
    el.dataset.shown = `${person} ${placing} ${step}`;
  }

  draw();
  let gone = false;
  whenVisible(el, async () => {
    try {
      sheet = await createImageBitmap(await (await fetch(model.get("sheet"))).blob());
      if (gone) return;
      // The last answer's mask shows each face best.
      small.forEach((canvas, person) => canvas.getContext("2d").drawImage(sheet, (steps - 1) * PARTS.length * tile, person * placings.length * tile, tile, tile, 0, 0, tile, tile));
      draw();
      el.dataset.ready = "true";
    } catch (error) {
      status.textContent = error.message;
      status.classList.add("vx-wrong");
    }
  });
  return () => { gone = true; stop(); };
}

export default { render };
