// A face on strings: the reader moves landmarks, and a spline carries everything between them along.
import { html, svg } from "./plots.js";
import { faceSlider, choice } from "./face_controls.js";
import { portraits } from "./inversion_controls.js";
import { boundaryOf, fitFlow, flowGrid, flowAt, foldedShare, warpPixels } from "./warp_spline.js";

const PARTS = [[0, 16, "jaw"], [17, 21, "brow on the left"], [22, 26, "brow on the right"], [27, 30, "ridge of the nose"], [31, 35, "base of the nose"], [36, 41, "eye on the left"], [42, 47, "eye on the right"], [48, 59, "outer lips"], [60, 67, "inner lips"]];
const partOf = (k) => PARTS.find(([from, to]) => k >= from && k <= to)[2];
const START = { face: 0, other: 1, exaggerate: 0, towards: 0, order: 1, boundary: true, flow: "grid", dots: true };
const COARSE = 3; // pixels between places where the flow is computed while something moves
const REST = 160; // ms without a change, after which every pixel gets its own
const LINES = 16; // cells of the bent grid

function render({ model, el }) {
  const [faces, mean, size] = [model.get("faces"), model.get("mean"), model.get("size")];
  const state = { ...START, ...model.get("values") };
  let moved = faces[0].landmarks.map(() => [0, 0]); // by hand, on top of the sliders
  let active = 30;
  let [pixelsOf, frame, timer, gone] = [[], 0, 0, false];
  const status = html("p", { class: "vx-status", role: "status" }, "Loading the faces…");

  // Pictures.
  const result = html("canvas", { width: size, height: size, role: "img", "aria-label": "The warped face" });
  const flowCanvas = html("canvas", { width: 2 * size, height: 2 * size, role: "img", "aria-label": "Where each place of the warped face is read in the picture" });
  const frameOf = (...inside) => html("div", { class: "vx-warp-frame" }, ...inside);
  const strings = svg("path", { class: "vx-warp-strings" });
  const rim = svg("g", { class: "vx-warp-rim" });
  const handles = faces[0].landmarks.map((_, k) => svg("g", { class: "vx-warp-handle", role: "button", tabindex: k === active ? 0 : -1, "data-landmark": k }, svg("circle", { r: 5.5, class: "vx-warp-hit" }), svg("circle", { r: 1.7 })));
  const board = svg("svg", { viewBox: `0 0 ${size} ${size}`, class: "vx-warp-board", role: "group", "aria-label": "68 landmarks. Arrow keys move the one in focus, Page Up and Page Down go to another, Delete puts it back." }, rim, strings, ...handles);
  for (const [x, y] of boundaryOf(size)) rim.append(svg("rect", { x: x - 2, y: y - 2, width: 4, height: 4 }));
  const caption = (strong, text) => html("figcaption", {}, html("strong", {}, strong), html("span", { class: "vx-name" }, text));
  const figures = html("div", { class: "vx-warp-pair" },
    html("figure", { class: "vx-face" }, frameOf(result, board), caption("Warped face", "drag a landmark")),
    html("figure", { class: "vx-face" }, frameOf(flowCanvas), caption("Where it is read", "in the picture")));

  // Controls.
  const people = (label, key) => portraits(label, faces.map(({ name, image }) => ({ name, face: image })), (number) => { if (key === "face") forget(); change({ [key]: number }); });
  const chosen = { face: people("Face", "face"), other: people("The other", "other") };
  const sliders = {
    exaggerate: faceSlider({ key: "exaggerate", name: "Caricature", range: [-1, 2], step: 0.05, format: (v) => (v === -1 ? "mean face" : v === 0 ? "as it is" : `${v > 0 ? "+" : "−"}${Math.abs(Math.round(100 * v))}%`), onInput: (exaggerate) => change({ exaggerate }) }),
    towards: faceSlider({ key: "towards", name: "To other", range: [-1, 2], step: 0.05, format: (v) => `${v < 0 ? "−" : ""}${Math.abs(Math.round(100 * v))}%`, onInput: (towards) => change({ towards }) }),
  };
  const orders = choice("Radial function", ["1", "2"], { 1: "φ₁ = r", 2: "φ₂ = r² log r" }, (value) => change({ order: Number(value) }));
  const flows = choice("Show the flow as", ["grid", "arrows"], { grid: "bent grid", arrows: "arrows" }, (flow) => change({ flow }));
  const toggle = (key, text) => html("button", { type: "button", class: "vx-button", "data-toggle": key, onclick: () => change({ [key]: !state[key] }) }, text);
  const toggles = { boundary: toggle("boundary", "Boundary points"), dots: toggle("dots", "Landmarks") };
  const reset = html("button", { type: "button", class: "vx-button", onclick: () => { forget(); change({ ...START, face: state.face, other: state.other }); } }, "Reset");
  const verdict = html("p", { class: "vx-small vx-warp-says", "aria-live": "polite" });
  const group = (name, ...children) => html("fieldset", {}, html("legend", {}, name), ...children);
  el.classList.add("vx", "vx-inversion", "vx-warp");
  el.append(
    html("div", { class: "vx-warp-grid" },
      figures,
      html("div", { class: "vx-warp-controls" },
        html("div", { class: "vx-stack" },
          html("div", { class: "vx-warp-people" }, chosen.face.root, chosen.other.root),
          group("Where the landmarks shall lie", sliders.exaggerate.root, sliders.towards.root),
          verdict),
        html("div", { class: "vx-stack" },
          group("Radial function", orders.root),
          group("Show the flow as", flows.root),
          html("div", { class: "vx-choice" }, toggles.boundary, toggles.dots, reset)))),
    status);

  // Where landmark k shall lie: the sliders' wish, and what was dragged.
  function targetOf(k) {
    const [own, other] = [faces[state.face].landmarks[k], faces[state.other].landmarks[k]];
    return [0, 1].map((c) => own[c] + state.exaggerate * (own[c] - mean[k][c]) + state.towards * (other[c] - own[c]) + moved[k][c]);
  }

  function change(some) {
    Object.assign(state, some);
    model.set("values", { ...state });
    model.save_changes?.();
    showControls();
    redraw();
  }

  function redraw() {
    clearTimeout(timer);
    timer = setTimeout(() => draw(1), REST);
    frame ||= requestAnimationFrame(() => { frame = 0; draw(COARSE); });
  }

  function forget() { moved = moved.map(() => [0, 0]); }

  function showControls() {
    sliders.exaggerate.show(state.exaggerate);
    sliders.towards.show(state.towards);
    chosen.face.show(state.face);
    chosen.other.show(state.other);
    orders.show(String(state.order));
    flows.show(state.flow);
    for (const [key, button] of Object.entries(toggles)) button.setAttribute("aria-pressed", String(state[key]));
    rim.setAttribute("visibility", state.boundary ? "visible" : "hidden");
    board.classList.toggle("vx-warp-quiet", !state.dots);
  }

  const image = new ImageData(size, size);

  function draw(step) {
    if (gone || !pixelsOf[state.face]) return;
    const began = performance.now();
    const source = faces[state.face].landmarks;
    const target = source.map((_, k) => targetOf(k));
    const edge = state.boundary ? boundaryOf(size) : [];
    const values = [...target.map(([x, y], k) => [source[k][0] - x, source[k][1] - y]), ...edge.map(() => [0, 0])];
    const fit = fitFlow([...target, ...edge], values, state.order, size);
    status.textContent = fit ? "" : "Two control points coincide: a spline has one value at a point. Pull them apart.";
    status.classList.toggle("vx-wrong", !fit);
    placeHandles(source, target);
    if (!fit) return;
    const flow = flowGrid(fit, size, step);
    warpPixels(pixelsOf[state.face], size, flow, image.data);
    result.getContext("2d").putImageData(image, 0, 0);
    drawFlow(flow);
    const farthest = Math.max(...values.map(([u, v]) => Math.hypot(u, v)));
    let flowing = 0;
    for (let i = 0; i < flow.u.length; i++) flowing = Math.max(flowing, flow.u[i] * flow.u[i] + flow.v[i] * flow.v[i]);
    const folded = foldedShare(flow);
    verdict.textContent = `Farthest landmark ${farthest.toFixed(1)} px, farthest pixel ${Math.sqrt(flowing).toFixed(1)} px. ${folded ? `Folded over: ${(100 * folded).toFixed(2)}% of the picture.` : "Nothing is folded over."}`;
    Object.assign(result.dataset, { milliseconds: (performance.now() - began).toFixed(1), step, folded: folded.toFixed(5), farthest: farthest.toFixed(3) });
  }

  function placeHandles(source, target) {
    let d = "";
    target.forEach(([x, y], k) => {
      handles[k].setAttribute("transform", `translate(${x.toFixed(2)},${y.toFixed(2)})`);
      handles[k].setAttribute("aria-label", `Landmark ${k}, ${partOf(k)}: ${Math.round(x)}, ${Math.round(y)}`);
      if (Math.hypot(x - source[k][0], y - source[k][1]) > 0.5) d += `M${source[k][0].toFixed(1)},${source[k][1].toFixed(1)}L${x.toFixed(1)},${y.toFixed(1)}`;
    });
    strings.setAttribute("d", d);
  }

  function drawFlow(flow) {
    const context = flowCanvas.getContext("2d");
    context.save();
    context.scale(2, 2);
    context.drawImage(sources[state.face], 0, 0, size, size);
    context.fillStyle = "rgba(255, 255, 255, 0.35)";
    context.fillRect(0, 0, size, size);
    context.lineWidth = 0.9;
    context.strokeStyle = context.fillStyle = "#004f7c";
    context.beginPath();
    const read = (x, y) => { const [u, v] = flowAt(flow, x, y); return [x + u, y + v]; };
    const last = size - 1;
    if (state.flow === "grid") {
      const pieces = 4 * LINES;
      for (const turn of [(a, b) => [a, b], (a, b) => [b, a]]) {
        for (let k = 0; k <= LINES; k++) {
          for (let i = 0; i <= pieces; i++) {
            const place = read(...turn((i / pieces) * last, (k / LINES) * last));
            context[i ? "lineTo" : "moveTo"](...place.map((p) => p + 0.5));
          }
        }
      }
    } else {
      for (let row = 0; row < LINES; row++) {
        for (let c = 0; c < LINES; c++) {
          const from = [((c + 0.5) / LINES) * last, ((row + 0.5) / LINES) * last];
          arrow(context, from, read(...from));
        }
      }
    }
    context.stroke();
    context.restore();
  }

  function arrow(context, [x, y], [toX, toY]) {
    const length = Math.hypot(toX - x, toY - y);
    if (length < 0.6) return context.rect(x - 0.3, y - 0.3, 0.6, 0.6);
    const [ux, uy, head] = [(toX - x) / length, (toY - y) / length, Math.min(4, 0.45 * length)];
    context.moveTo(x, y);
    context.lineTo(toX, toY);
    for (const side of [-1, 1]) {
      context.moveTo(toX, toY);
      context.lineTo(toX - head * (ux + 0.5 * side * uy), toY - head * (uy - 0.5 * side * ux));
    }
  }

  // Hands and keys.
  const clamped = (value) => Math.min(size - 1.5, Math.max(0.5, value));
  function moveTo(k, x, y) {
    const now = targetOf(k);
    moved[k] = [moved[k][0] + clamped(x) - now[0], moved[k][1] + clamped(y) - now[1]];
    redraw();
  }
  function focus(k) {
    handles[active].setAttribute("tabindex", -1);
    active = (k + handles.length) % handles.length;
    handles[active].setAttribute("tabindex", 0);
    handles[active].focus({ preventScroll: true });
  }
  function place(event) {
    const box = board.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * size, ((event.clientY - box.top) / box.height) * size];
  }
  handles.forEach((handle, k) => {
    handle.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      focus(k);
      const [from, start] = [place(event), targetOf(k)];
      const drag = (next) => { const at = place(next); moveTo(k, start[0] + at[0] - from[0], start[1] + at[1] - from[1]); };
      handle.setPointerCapture(event.pointerId);
      handle.addEventListener("pointermove", drag);
      const stop = () => { for (const kind of ["pointerup", "pointercancel"]) handle.removeEventListener(kind, stop); handle.removeEventListener("pointermove", drag); };
      for (const kind of ["pointerup", "pointercancel"]) handle.addEventListener(kind, stop);
    });
    handle.addEventListener("keydown", (event) => {
      const by = event.shiftKey ? 5 : 1;
      const step = { ArrowLeft: [-by, 0], ArrowRight: [by, 0], ArrowUp: [0, -by], ArrowDown: [0, by] }[event.key];
      const [x, y] = targetOf(k);
      if (step) moveTo(k, x + step[0], y + step[1]);
      else if (event.key === "PageDown" || event.key === "PageUp") focus(k + (event.key === "PageDown" ? 1 : -1));
      else if (event.key === "Delete" || event.key === "Backspace") { moved[k] = [0, 0]; redraw(); }
      else return;
      event.preventDefault();
    });
  });

  showControls();
  const sources = faces.map(({ image: address }) => { const picture = new Image(); picture.src = address; return picture; });
  Promise.all(sources.map((picture) => picture.decode())).then(() => {
    if (gone) return;
    const canvas = html("canvas", { width: size, height: size });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    pixelsOf = sources.map((picture) => { context.drawImage(picture, 0, 0, size, size); return context.getImageData(0, 0, size, size).data; });
    draw(1);
    el.dataset.ready = "true";
  }).catch(() => { status.textContent = "The faces could not be shown."; status.classList.add("vx-wrong"); });
  return () => { gone = true; clearTimeout(timer); cancelAnimationFrame(frame); };
}

export default { render };
