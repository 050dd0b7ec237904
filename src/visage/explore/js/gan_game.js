// The discriminator's view: change a face and watch its score and its patches; then guess against it.
import { html } from "./plots.js";
import { faceSlider, choice, tabs } from "./face_controls.js";
import { staticRoot, loadNetwork, kernel, whenVisible } from "./runtime.js";
import { portraits } from "./inversion_controls.js";
import { FACE_SIZE, unpackFaces, faceCanvas, drawFace, stackFaces, floatsOf, latest } from "./grey_faces.js";
import { NO_EDIT, blankPaint, dab, editFace, blurFace } from "./face_edits.js";
import { sigmoid, percent, scoreScale, scoreCourse, drawPatches, windows, heatOf, drawHeat } from "./score_plots.js";
import { guessingGame } from "./guessing_game.js";

const SIDE = 256; // of the canvas that patches are drawn on
const WINDOW_BLUR = 4; // pixels
const MOST = 13; // faces that are judged at once, so that the page can breathe
const EDIT_SLIDERS = [
  { key: "blur", name: "Blur", range: [0, 4], step: 0.05, format: (v) => `${v.toFixed(1)} px` },
  { key: "brightness", name: "Brightness", range: [-0.4, 0.4], step: 0.01, format: (v) => `${v > 0 ? "+" : v < 0 ? "−" : ""}${Math.abs(v).toFixed(2)}` },
  { key: "contrast", name: "Contrast", range: [0.3, 2], step: 0.02, format: (v) => `${v.toFixed(2)}×` },
  { key: "noise", name: "Grain", range: [0, 0.2], step: 0.005, format: (v) => v.toFixed(2) },
  { key: "shift", name: "Shift", range: [-6, 6], step: 0.1, format: (v) => `${v > 0 ? "→ " : v < 0 ? "← " : ""}${Math.abs(v).toFixed(1)} px` },
];
const TONES = { dark: 0.08, middle: 0.45, light: 0.85, erase: null };
const TONE_NAMES = { dark: "Dark", middle: "Middle", light: "Light", erase: "Rub out" };
const MIRROR_NAMES = { none: "Both halves", left: "Left half twice", right: "Right half twice" };
const VIEWS = { none: "Face alone", patches: "Its patches", hangs: "Where the score hangs" };

function pageJudge(name, progress) {
  const network = loadNetwork(name, progress);
  return { ready: network, logits: async (faces) => (await (await network)({ faces: stackFaces(faces) })).logits };
}

function kernelJudge(model) {
  const ask = kernel(model);
  return { ready: Promise.resolve(), logits: async (faces) => floatsOf((await ask({ kind: "judge" }, [stackFaces(faces).data.buffer])).buffers[0]) };
}

function render({ model, el }) {
  const [rows, columns] = model.get("patches");
  const real = unpackFaces(model.get("real"));
  const forgers = model.get("forgers").map(({ key, name, faces }) => ({ key, name, faces: unpackFaces(faces) }));
  const bench = Math.min(8, real.length); // people who may be changed
  const sources = [{ key: "real", name: "real", faces: real }, ...forgers.map((one) => ({ ...one, name: `made by ${one.name}` }))];
  const start = { ...NO_EDIT, person: 0, source: "real" };
  const state = { ...start, ...model.get("values") };
  const status = html("p", { class: "vx-status", role: "status" });
  const say = (text, wrong = false) => {
    status.textContent = text;
    status.classList.toggle("vx-wrong", wrong);
  };
  let [backend, paint, tone, radius, view, reference, lastPaint] = [null, blankPaint(), "dark", 2, "patches", null, []];

  // The face, what lies over it, and the brush.
  const face = faceCanvas("The face that you change. Arrow keys move the brush, space paints.", { tabindex: 0, class: "vx-easel", "data-part": "face" });
  const over = html("canvas", { width: SIDE, height: SIDE, class: "vx-over", "aria-hidden": "true", "data-part": "patches" });
  const heat = html("canvas", { width: FACE_SIZE, height: FACE_SIZE, class: "vx-over", "aria-hidden": "true", "data-part": "heat" });
  const cursor = html("span", { class: "vx-cursor", "aria-hidden": "true", hidden: true });
  const stage = html("div", { class: "vx-stage" }, face, over, heat, cursor);
  const pen = { x: 31, y: 31, down: false };
  const stroke = (x, y) => {
    paint = TONES[tone] === null ? rubbed(paint, x, y, radius) : dab(paint, x, y, radius, TONES[tone]);
    refresh();
  };
  const place = (event) => {
    const box = face.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * FACE_SIZE - 0.5, ((event.clientY - box.top) / box.height) * FACE_SIZE - 0.5];
  };
  const remember = () => { lastPaint = [...lastPaint, paint].slice(-20); undo.disabled = false; };
  face.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    face.setPointerCapture?.(event.pointerId);
    pen.down = true;
    remember();
    [pen.x, pen.y] = place(event);
    stroke(pen.x, pen.y);
  });
  face.addEventListener("pointermove", (event) => {
    if (!pen.down) return;
    const [x, y] = place(event);
    const steps = Math.max(1, Math.ceil(Math.hypot(x - pen.x, y - pen.y) / Math.max(1, radius / 2)));
    for (let i = 1; i <= steps; i++) {
      const [u, v] = [pen.x + ((x - pen.x) * i) / steps, pen.y + ((y - pen.y) * i) / steps];
      paint = TONES[tone] === null ? rubbed(paint, u, v, radius) : dab(paint, u, v, radius, TONES[tone]);
    }
    [pen.x, pen.y] = [x, y];
    refresh();
  });
  for (const end of ["pointerup", "pointercancel"]) face.addEventListener(end, () => { pen.down = false; });
  face.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (by) {
      [pen.x, pen.y] = [pen.x + by[0], pen.y + by[1]].map((v) => Math.min(FACE_SIZE - 1, Math.max(0, Math.round(v))));
    } else if (event.key === " ") {
      remember();
      stroke(pen.x, pen.y);
    } else return;
    event.preventDefault();
    aim();
  });
  const aim = () => {
    cursor.hidden = document.activeElement !== face;
    Object.assign(cursor.style, { left: `${((pen.x + 0.5) / FACE_SIZE) * 100}%`, top: `${((pen.y + 0.5) / FACE_SIZE) * 100}%`, width: `${((2 * radius + 1) / FACE_SIZE) * 100}%` });
  };
  face.addEventListener("focus", aim);
  face.addEventListener("blur", aim);

  // What can be done to it.
  const small = real.slice(0, bench).map((one, i) => {
    const canvas = faceCanvas(`Person ${i + 1}`);
    return { canvas, name: `Person ${i + 1}`, face: canvas, draw: (faces) => drawFace(canvas, faces[i]) };
  });
  const pick = portraits("Whose face", small, (person) => begin({ person }));
  const source = choice("Where the face comes from", sources.map(({ key }) => key), Object.fromEntries(sources.map(({ key, name }) => [key, name])), (key) => begin({ source: key }));
  const sliders = EDIT_SLIDERS.map((slider) => faceSlider({ ...slider, onInput: (value) => change({ [slider.key]: value }) }));
  const halves = choice("Mirror", Object.keys(MIRROR_NAMES), MIRROR_NAMES, (mirror) => change({ mirror }));
  const tones = choice("Brush", Object.keys(TONES), TONE_NAMES, (name) => { tone = name; tones.show(tone); });
  const size = faceSlider({ key: "radius", name: "Brush", range: [0.5, 8], step: 0.5, format: (v) => `${(2 * v + 1).toFixed(0)} px`, onInput: (value) => { radius = value; size.show(value); aim(); } });
  const views = choice("What lies over the face", Object.keys(VIEWS), VIEWS, (name) => { view = name; overlay(); if (view === "hangs") question.ask(); });
  const button = (text, key, onclick) => html("button", { type: "button", class: "vx-button", "data-key": key, onclick }, text);
  const another = (part) => { // each press brings the next person's, never one's own
    const next = ((state[part] ?? state.person) + 1) % bench;
    change({ [part]: next === state.person ? (next + 1) % bench : next });
  };
  const swaps = ["mouth", "eyes", "nose"].map((part) => ({ part, button: button(`Another’s ${part}`, part, () => another(part)) }));
  const undo = button("Undo a stroke", "undo", () => { paint = lastPaint.pop() ?? blankPaint(); undo.disabled = !lastPaint.length; refresh(); });
  const reset = button("Start again", "reset", () => begin({}));
  undo.disabled = true;

  const scale = scoreScale();
  const course = scoreCourse();
  const reach = html("p", { class: "vx-small" });
  const small2 = (text) => html("p", { class: "vx-small" }, text);
  const workshop = html("div", { class: "vx-grid" },
    html("div", { class: "vx-stack" }, stage, views.root, reach,
      html("fieldset", {}, html("legend", {}, "Brush"), tones.root, size.root), html("div", { class: "vx-buttons" }, undo, reset)),
    html("div", { class: "vx-stack" }, scale.root, course.root, pick.root,
      html("fieldset", {}, html("legend", {}, "It is"), source.root),
      html("fieldset", {}, html("legend", {}, "Parts of others"), html("div", { class: "vx-buttons" }, ...swaps.map((swap) => swap.button))),
      html("fieldset", {}, html("legend", {}, "Halves"), halves.root),
      html("fieldset", {}, html("legend", {}, "Light and lens"), ...sliders.map((slider) => slider.root))));

  const score = (logits, number) => {
    const own = logits.slice(number * rows * columns, (number + 1) * rows * columns);
    return own.reduce((sum, logit) => sum + sigmoid(logit), 0) / own.length;
  };
  const game = guessingGame({
    real, forgers,
    judge: async (faces) => {
      if (!backend) throw new Error("not yet");
      const logits = await backend.logits(faces);
      return faces.map((_, i) => score(logits, i));
    },
  });
  el.classList.add("vx", "vx-nfgan", "vx-judge");
  el.append(tabs("What to do", { "Change a face": [workshop], "Guess against it": [game, small2("Every pair shows one person twice, so that nobody’s looks give the answer away.")] }), status);

  function begin(some) {
    Object.assign(state, NO_EDIT, some);
    [paint, lastPaint, reference] = [blankPaint(), [], null];
    undo.disabled = true;
    course.clear();
    change({});
  }

  function change(some) {
    Object.assign(state, some);
    model.set("values", { ...state });
    model.save_changes?.();
    refresh();
  }

  const original = () => sources.find(({ key }) => key === state.source).faces[state.person];
  const edited = () => editFace(original(), state, real, paint);

  function refresh() {
    sliders.forEach((slider, i) => slider.show(state[EDIT_SLIDERS[i].key]));
    halves.show(state.mirror);
    source.show(state.source);
    tones.show(tone);
    size.show(radius);
    swaps.forEach(({ part, button: one }) => one.setAttribute("aria-pressed", String(state[part] !== null)));
    const { faces } = sources.find(({ key }) => key === state.source);
    small.forEach((one) => one.draw(faces));
    pick.show(state.person);
    drawFace(face, edited());
    overlay();
    if (backend) question.ask();
    face.dataset.wanted = question.wanted;
  }

  function overlay() {
    views.show(view);
    over.hidden = view !== "patches";
    heat.hidden = view !== "hangs";
    reach.textContent = {
      none: "Paint on the face with mouse or finger, or with arrow keys and the space bar.",
      patches: `The ${rows} × ${columns} answers that its last layer gives, each drawn round its own place: blue for real, orange for made. The score is their mean.`,
      hangs: "Each place was blurred in turn. Orange: blurring it there makes the face look more made; blue: more real.",
    }[view];
  }

  async function work(current, number) {
    const now = edited();
    const began = performance.now();
    const plain = original();
    const key = `${state.source} ${state.person}`;
    const logits = await backend.logits(reference?.key === key ? [now] : [now, plain]);
    if (reference?.key !== key) reference = { key, score: score(logits, 1) };
    face.dataset.milliseconds = (performance.now() - began).toFixed(1);
    const found = score(logits, 0);
    const patches = Array.from(logits.slice(0, rows * columns), sigmoid);
    scale.show(found, reference.score);
    course.add(found);
    drawPatches(over, patches, [rows, columns]);
    over.dataset.patches = patches.map((p) => p.toFixed(4)).join(",");
    face.setAttribute("aria-description", `The discriminator says ${percent(found)}.`);
    if (view === "hangs" && current()) await occlude(current, now, found);
    if (current()) face.dataset.settled = number;
  }

  // Blurs one window after another and sees what that does to the score (Zeiler and Fergus 2014, with blur for grey).
  async function occlude(current, now, found) {
    const all = windows();
    const soft = blurFace(now, WINDOW_BLUR);
    const changes = [];
    for (let first = 0; first < all.places.length; first += MOST) {
      const faces = all.places.slice(first, first + MOST).map(([x, y]) => now.map((v, i) => {
        const [u, w] = [(i % FACE_SIZE) - x, Math.floor(i / FACE_SIZE) - y];
        return u >= 0 && u < all.side && w >= 0 && w < all.side ? soft[i] : v;
      }));
      const logits = await backend.logits(faces);
      if (!current()) return;
      faces.forEach((_, i) => changes.push(score(logits, i) - found));
    }
    drawHeat(heat, heatOf(all, changes));
    heat.dataset.changes = changes.map((v) => v.toFixed(4)).join(",");
  }

  const question = latest(work, (error) => say(error.message, true));
  refresh();
  whenVisible(el, async () => {
    try {
      say("Loading the discriminator…");
      const loading = staticRoot() ? pageJudge(model.get("network"), (share, bytes) => say(`Loading the discriminator: ${share ? Math.round(100 * share) + "%" : (bytes / 1e6).toFixed(1) + " MB"}`)) : kernelJudge(model);
      await loading.ready;
      backend = loading;
      say(staticRoot() ? "The discriminator runs in this page." : "");
      refresh();
      el.dataset.ready = "true";
    } catch (error) {
      say(error.message, true);
    }
  });
  return () => question.stop();
}

// Takes paint away under a round rubber.
function rubbed({ cover, level }, x, y, radius) {
  return { level, cover: cover.map((c, i) => (Math.hypot((i % FACE_SIZE) - x, Math.floor(i / FACE_SIZE) - y) <= radius ? 0 : c)) };
}

export default { render };
