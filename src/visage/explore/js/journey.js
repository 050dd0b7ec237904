// From a photograph to an avatar: every stage beside what it was given, how far it is from the person, and the head.
import { html } from "./plots.js";
import { faceSlider, choice } from "./face_controls.js";
import { portraits } from "./inversion_controls.js";
import { whenVisible, staticRoot } from "./runtime.js";
import { unpackFace } from "./face_model.js";
import { lampDirection, turnMatrix } from "./relief_surface.js";
import { pictureOf } from "./texture_tiles.js";
import { makeSwing, turnByHand } from "./swing.js";
import { makeHeadView } from "./textured_head_view.js";
import { journeyHeads, errorGradient, skinPicture, carved, pointsOf, paintHeads } from "./journey_head.js";
import { JOURNEY_STAGES, LOOK_WORDS_OF_HEADS } from "./journey_stages.js";
import { writeGlb } from "./glb_writer.js";

const JOURNEY_START = { person: 0, stage: "front", look: "textured", truth: false, error: false, split: 0.5, yaw: 0, nod: 0, lampRight: 35, lampUp: 25, spinning: false };
const JOURNEY_LOOKS = { coarse: "Coarse", fine: "Fine", textured: "Textured" };
const TURN_LIMITS = { yaw: 80, nod: 30, lampRight: 80, lampUp: 75 };
const SWAY = { to: 45, seconds: 8 }; // degrees, and how long to both sides and back
const HEAD_LIFT = 0; // mm: a crown that is high fits, too
const FILE_SIDE = 1024; // texels of the file's picture
const BAR_TOP = 1.2; // distance of a full bar

const sided = (low, high) => (v) => (Math.round(v) ? `${Math.abs(Math.round(v))}° ${v < 0 ? low : high}` : "0°");
const stageOf = (key) => JOURNEY_STAGES.find((one) => one.key === key);

// Numbers as cells, blue above zero and orange below: what an embedding looks like.
export function paintNumbers(canvas, numbers, columns = 8) {
  const rows = Math.ceil(numbers.length / columns);
  const most = Math.max(1e-6, ...numbers.map(Math.abs));
  const context = canvas.getContext("2d");
  const [wide, high] = [canvas.width / columns, canvas.height / rows];
  context.fillStyle = "#f2f2ef";
  context.fillRect(0, 0, canvas.width, canvas.height);
  numbers.forEach((v, i) => {
    context.globalAlpha = Math.sqrt(Math.abs(v) / most);
    context.fillStyle = v < 0 ? "#d55e00" : "#0072b2";
    context.fillRect((i % columns) * wide + 0.5, Math.floor(i / columns) * high + 0.5, wide - 1, high - 1);
  });
  context.globalAlpha = 1;
}

// How near a stage is, in words.
export function distanceWords(distance, threshold) {
  if (distance === null) return "What all the others are compared with.";
  return `${distance < threshold ? "the same person" : "somebody else"}, says the recogniser, whose threshold is ${threshold.toFixed(2)}.`;
}

function render({ model, el }) {
  const told = model.get("told"); // people, tile, box, threshold, relief, most_error
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const state = { ...JOURNEY_START, spinning: !calm, ...model.get("values") };
  const status = html("p", { class: "vx-status", role: "status" });
  const person = () => told.people[state.person];
  const measured = (key) => person().stages.find((one) => one.key === key);
  const group = (name, ...children) => html("fieldset", {}, html("legend", {}, name), ...children);

  // Whose photograph: their faces are cut from the sheet of stages once it is there.
  const faces = told.people.map(() => html("canvas", { width: 96, height: 96 }));
  const pick = portraits("Whose photograph", told.people.map(({ name }, i) => ({ name, face: faces[i] })), (chosen) => change({ person: chosen }));
  const about = html("p", { class: "vx-small" });

  const steps = journeySteps((stage) => change({ stage }), told.threshold);
  const back = html("button", { type: "button", class: "vx-button", "data-key": "back", onclick: () => walk(-1) }, "← Back");
  const next = html("button", { type: "button", class: "vx-button", "data-key": "next", onclick: () => walk(1) }, "Next →");

  const inputs = html("div", { class: "vx-journey-inputs" });
  const arrow = html("span", { class: "vx-journey-arrow", "aria-hidden": "true" }, "→");
  const picture = html("canvas", { class: "vx-journey-picture", width: 8, height: 8, role: "img", "data-part": "output" });
  let canvas = turnedCanvas();
  const split = html("span", { class: "vx-split", "aria-hidden": "true" });
  const sides = { left: html("span", { class: "vx-side vx-left" }), right: html("span", { class: "vx-side vx-right" }, "the truth") };
  const stand = html("div", { class: "vx-turn-stage" }, canvas, split, sides.left, sides.right);
  const output = html("div", { class: "vx-journey-output" }, picture, stand);

  const title = html("h4", { class: "vx-journey-title" });
  const words = html("p", { class: "vx-journey-words", "aria-live": "polite" });
  const verdict = html("p", { class: "vx-verdict" });
  const link = html("p", { class: "vx-small" });

  const slider = (key, name, range, step, format, more = {}) => faceSlider({ key, name, range, step, format, onInput: (v) => change({ [key]: v, ...more }) });
  const turned = (key, name, low, high, more) => slider(key, name, [-TURN_LIMITS[key], TURN_LIMITS[key]], 1, sided(low, high), more);
  const sliders = {
    split: slider("split", "Line", [0, 1], 0.01, (v) => `${Math.round(100 * v)}%`),
    yaw: turned("yaw", "Turn", "left", "right", { spinning: false }),
    nod: turned("nod", "Nod", "up", "down"),
    lampRight: turned("lampRight", "Aside", "left", "right"),
    lampUp: turned("lampUp", "Height", "below", "above"),
  };
  const looks = choice("Shown as", Object.keys(JOURNEY_LOOKS), JOURNEY_LOOKS, (look) => change({ look }));
  const check = (key) => { const made = html("input", { type: "checkbox", "data-key": key, onchange: () => change({ [key]: made.checked }) }); return made; };
  const [truth, error] = [check("truth"), check("error")];
  const spin = html("button", { type: "button", class: "vx-button", "data-key": "spin", onclick: () => change({ spinning: !state.spinning }) });
  const take = html("button", { type: "button", class: "vx-button", "data-key": "take", onclick: takeFile }, "Take the head (GLB)");
  const legend = html("div", { class: "vx-error-legend" }, html("i", { style: `background: ${errorGradient()}` }), html("span", {}, "0"), html("span", {}, `${told.most_error} mm and more`));
  const known = html("p", { class: "vx-small" });
  const controls = html("div", { class: "vx-journey-controls" },
    group("Shown as", looks.root),
    group("Against the truth", html("label", { class: "vx-row" }, truth, "the true head, right of a line"), sliders.split.root, html("label", { class: "vx-row" }, error, "paint the error of the shape"), legend, known),
    html("div", { class: "vx-row" }, take));
  const posing = html("div", { class: "vx-journey-posing" }, group("Head", sliders.yaw.root, sliders.nod.root), group("Lamp", sliders.lampRight.root, sliders.lampUp.root));

  el.classList.add("vx", "vx-skin", "vx-journey");
  el.append(
    html("div", { class: "vx-journey-top" }, pick.root, about),
    steps.root,
    html("div", { class: "vx-grid" },
      html("div", { class: "vx-stack" }, html("div", { class: "vx-journey-pair" }, inputs, arrow, output), html("div", { class: "vx-row vx-journey-walk" }, back, next, spin, link), posing),
      html("div", { class: "vx-stack" }, title, words, verdict, controls)),
    status);

  let [view, heads, triangles, sheetOfSteps, gone] = [null, null, null, null, false];
  const painted = new Map(); // points, where there is no card

  function turnedCanvas() {
    return html("canvas", { class: "vx-turned", tabindex: 0, role: "application", "aria-label": "The head. Arrow keys turn it; with Shift they move the line.", "data-part": "head" });
  }

  function change(some) {
    Object.assign(state, some);
    for (const [key, limit] of Object.entries(TURN_LIMITS)) state[key] = Math.max(-limit, Math.min(limit, state[key]));
    state.split = Math.max(0, Math.min(1, state.split));
    if (some.spinning) swing.from(state.yaw);
    model.set("values", { ...state });
    model.save_changes?.();
    show();
    swing.refresh();
  }

  function walk(by) {
    const at = JOURNEY_STAGES.findIndex(({ key }) => key === state.stage) + by;
    if (at >= 0 && at < JOURNEY_STAGES.length) change({ stage: JOURNEY_STAGES[at].key });
  }

  // One picture of the sheet, on a canvas: a stage of a person, or the embedding's numbers.
  function paintStage(target, key, number = state.person) {
    if (key === "embedding") return paintNumbers(target, told.people[number].embedding);
    if (!sheetOfSteps) return;
    const side = sheetOfSteps.height / told.people.length;
    const column = JOURNEY_STAGES.findIndex((one) => one.key === key);
    target.getContext("2d").drawImage(sheetOfSteps, column * side, number * side, side, side, 0, 0, target.width, target.height);
  }

  function figureOf(key) {
    const one = html("canvas", { width: 192, height: 192, "data-input": key });
    paintStage(one, key);
    return html("figure", { class: "vx-face" }, one, html("figcaption", {}, html("span", { class: "vx-name" }, stageOf(key).name)));
  }

  const withTruth = () => state.truth && person().truth !== null;
  const withError = () => state.error && person().truth !== null;

  function show() {
    const stage = stageOf(state.stage);
    const head = stage.key === "front";
    pick.show(state.person);
    about.textContent = person().about;
    steps.show(state.stage, person().stages, (target, key) => paintStage(target, key));
    back.disabled = stage === JOURNEY_STAGES[0];
    next.disabled = stage === JOURNEY_STAGES.at(-1);
    inputs.replaceChildren(...stage.from.map(figureOf));
    inputs.hidden = arrow.hidden = !stage.from.length;
    stand.hidden = controls.hidden = posing.hidden = spin.hidden = !head;
    picture.hidden = head;
    title.textContent = stage.title;
    words.textContent = head ? LOOK_WORDS_OF_HEADS[state.look] : stage.words;
    const { distance } = measured(stage.key);
    verdict.replaceChildren(...(distance === null ? [] : [html("strong", {}, distance.toFixed(2)), "from the photograph: "]), distanceWords(distance, told.threshold));
    verdict.classList.toggle("vx-is-different", distance >= told.threshold);
    showLink(stage);
    if (!head) {
      picture.width = picture.height = sheetOfSteps ? sheetOfSteps.height / told.people.length : 192;
      paintStage(picture, stage.key);
      picture.setAttribute("aria-label", `${stage.name}, ${person().name}.`);
    }
    showControls();
    mark();
  }

  function showLink(stage) {
    const root = staticRoot(); // of the book; a notebook has none
    link.replaceChildren();
    if (stage.page) link.append("Chapter: ", root ? html("a", { href: new URL(`../${stage.page}.html`, root).href }, stage.chapter) : stage.chapter);
  }

  function showControls() {
    const real = person().truth === null;
    looks.show(state.look);
    for (const [key, one] of Object.entries(sliders)) one.show(Number(state[key].toFixed(2)));
    [truth.checked, error.checked] = [withTruth(), withError()];
    truth.disabled = error.disabled = real;
    sliders.split.input.disabled = !withTruth();
    legend.hidden = !withError();
    known.textContent = real ? "Nobody has measured this head: of a photograph, the truth is not known." : `On average the face’s points are ${(state.look === "textured" ? person().head_mm : person().coarse_mm).toFixed(1)} mm off, once size and place are made the same.`;
    spin.textContent = state.spinning ? "Stop" : "Turn by itself";
    split.hidden = sides.left.hidden = sides.right.hidden = !withTruth();
    split.style.left = `${100 * state.split}%`;
    sides.left.textContent = "made from the photograph";
  }

  const mark = () => { if (heads) el.dataset.shown = [state.person, state.stage, state.look, withTruth(), withError(), state.split.toFixed(2)].join(" "); };

  const swing = makeSwing(output, {
    ...SWAY, draw, ready: () => heads && state.stage === "front", swings: () => state.spinning && view,
    turn: (yaw) => { state.yaw = yaw; sliders.yaw.show(Number(yaw.toFixed(1))); },
  });

  // What stands at each side of the line: { head, kind (its name among the person's heads), part, paint, relief }.
  function layers() {
    const kind = state.look === "textured" ? "skin" : "clay";
    const made = { kind, relief: state.look !== "coarse", paint: withError(), part: [0, withTruth() ? state.split : 1] };
    if (!withTruth()) return [made];
    return [made, { kind: kind === "skin" ? "trueSkin" : "trueClay", relief: false, paint: false, part: [state.split, 1] }];
  }

  function draw() {
    const rotation = turnMatrix(state.yaw, state.nod);
    const lamp = lampDirection(state.lampRight, state.lampUp);
    if (view) {
      const side = Math.max(1, Math.min(1200, Math.round(stand.clientWidth * (window.devicePixelRatio || 1))));
      if (canvas.width !== side) canvas.width = canvas.height = side;
      for (const { kind, relief, paint, part } of layers()) {
        view.draw({ person: KINDS.indexOf(kind) + KINDS.length * state.person, rotation, lamp, sides: ["made", "made"], split: 1, bump: relief ? told.relief : 0, tint: false, lift: HEAD_LIFT, coloured: SKINNED.has(kind), relief: true, paint: paint ? 1 : 0, part });
      }
    } else {
      paintHeads(canvas, layers().map((one) => ({ points: painting(one), part: one.part })), { turn: rotation, lamp });
    }
    canvas.dataset.yaw = state.yaw.toFixed(2);
    canvas.dataset.drawn = Number(canvas.dataset.drawn ?? 0) + 1;
    mark();
  }

  function painting({ kind, relief, paint }) {
    const key = [state.person, kind, relief, paint].join(" ");
    if (!painted.has(key)) {
      const head = heads[state.person][kind];
      const shaped = relief ? { ...head, ...carved(head, triangles, told.box, told.relief) } : head;
      painted.set(key, pointsOf(shaped, triangles, told.box, { coloured: SKINNED.has(kind), lift: HEAD_LIFT, painted: paint }));
    }
    return painted.get(key);
  }

  async function takeFile() {
    const head = heads[state.person].skin;
    const { width, height, data } = skinPicture(head, told.box, FILE_SIDE);
    const sheet = html("canvas", { width, height });
    sheet.getContext("2d").putImageData(new ImageData(data, width, height), 0, 0);
    const type = "image/jpeg";
    const blob = await new Promise((done) => sheet.toBlob(done, type, 0.92));
    const { positions, normals } = carved(head, triangles, told.box, told.relief);
    const file = writeGlb({ positions, normals, places: head.places, triangles, picture: { bytes: new Uint8Array(await blob.arrayBuffer()), type } });
    const address = URL.createObjectURL(new Blob([file], { type: "model/gltf-binary" }));
    html("a", { href: address, download: `${person().file}.glb` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
    status.textContent = `${person().file}.glb: ${(file.length / 1e6).toFixed(1)} MB. visage avatar writes the same head with a finer skin.`;
  }

  function listen() {
    turnByHand(canvas, {
      state,
      turn: (angles) => change({ ...angles, spinning: false }),
      holds: (at) => withTruth() && Math.abs(at.x - state.split) < 0.03 && "line",
      drag: (_line, at) => change({ split: at.x }),
      shifted: (right) => change({ split: state.split + right / 100 }),
    });
  }

  async function load() {
    const bytes = Uint8Array.from(atob(model.get("mesh")), (letter) => letter.charCodeAt(0));
    sheetOfSteps = await createImageBitmap(await (await fetch(model.get("steps"))).blob());
    if (gone) return;
    faces.forEach((face, i) => paintStage(face, "photograph", i));
    show();
    const [file, sheet, strip, atlases] = await Promise.all([unpackFace(bytes), pictureOf(model.get("sheet")), pictureOf(model.get("colours")), pictureOf(model.get("atlases"))]);
    if (gone) return;
    heads = journeyHeads({ told, file, sheet, strip, atlases });
    triangles = file.arrays.triangles;
    // The card keeps every head of everybody; who has no truth stands in for it.
    view = cardView(heads.flatMap((one) => KINDS.map((kind) => one[kind] ?? one.clay)));
    canvas.dataset.drawnBy = view ? "webgl" : "canvas";
    spin.disabled = !view;
    if (!view) status.textContent = "This browser offers no WebGL 2: the page paints the head point by point, more coarsely, and it stands still until you turn it.";
    listen();
    draw();
    el.dataset.ready = "true";
    swing.refresh();
  }

  function cardView(all) {
    try {
      const made = makeHeadView(canvas, all, triangles, told.box);
      if (made) return made;
    } catch (wrong) {
      console.warn(wrong.message); // a card that cannot compile is no card
    }
    const other = turnedCanvas();
    canvas.replaceWith(other);
    canvas = other;
    return null;
  }

  show();
  whenVisible(el, () => load().catch((wrong) => { status.textContent = wrong.message; status.classList.add("vx-wrong"); }));
  return () => { gone = true; swing.stop(); view?.dispose(); };
}

const KINDS = ["clay", "skin", "trueClay", "trueSkin"];
const SKINNED = new Set(["skin", "trueSkin"]);

// The stages in a row, one of them chosen: radio buttons, so that arrow keys walk along. Under each its distance as a bar.
function journeySteps(onChoose, threshold) {
  const name = `vx-${Math.random().toString(36).slice(2, 8)}`; // several explorers may share a page
  const steps = JOURNEY_STAGES.map(({ key, name: label, part }) => {
    const input = html("input", { type: "radio", name, value: key, "data-stage": key, onchange: () => onChoose(key) });
    const picture = html("canvas", { width: 128, height: 128, "aria-hidden": "true" });
    const bar = html("i", { "aria-hidden": "true", class: "vx-near-far" });
    const number = html("span", { class: "vx-step-number" });
    const root = html("label", { class: "vx-step" }, input, picture, html("span", { class: "vx-step-name" }, label), html("span", { class: "vx-step-part" }, part && `Part ${part}`), bar, number);
    bar.style.setProperty("--threshold", (threshold / BAR_TOP).toFixed(3));
    return { key, input, picture, bar, number, root };
  });
  const root = html("fieldset", { class: "vx-steps-row" }, html("legend", {}, `The stages, and each one’s distance from the photograph. The mark is the recogniser’s threshold, ${threshold.toFixed(2)}.`), html("div", {}, ...steps.map((one) => one.root)));
  const show = (chosen, measured, paint) => {
    for (const { key, input, picture, bar, number } of steps) {
      input.checked = key === chosen;
      paint(picture, key);
      const distance = measured.find((one) => one.key === key)?.distance ?? null;
      bar.classList.toggle("vx-none", distance === null);
      bar.style.setProperty("--share", distance === null ? 0 : Math.min(1, distance / BAR_TOP).toFixed(3));
      bar.classList.toggle("vx-is-far", distance >= threshold);
      number.textContent = distance === null ? "" : distance.toFixed(2);
    }
  };
  return { root, show };
}

export default { render };
