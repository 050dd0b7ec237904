// Before and after on a turning head: low-frequency albedo, inferred texture, what was seen, the truth.
import { html } from "./plots.js";
import { faceSlider, choice } from "./face_controls.js";
import { portraits } from "./inversion_controls.js";
import { whenVisible } from "./runtime.js";
import { unpackFace } from "./face_model.js";
import { headArrays, packedTiles, partOf } from "./head_arrays.js";
import { lampDirection, turnMatrix } from "./relief_surface.js";
import { pictureOf, tileOf, colourOf } from "./texture_tiles.js";
import { makeSwing, turnByHand } from "./swing.js";
import { makeHeadView, TEXTURES } from "./textured_head_view.js";

const TEXTURE_NAMES = { low: "low-frequency albedo", made: "inferred", seen: "what was seen", truth: "the truth" };
const WORDS_ON = {
  low: "A few dozen numbers: tone, lips, lids. Nothing finer.",
  made: "The whole face, from the correlations of the part that was seen.",
  seen: "What the photograph shows, with light and shadow divided out. Grey is unseen.",
  truth: "What a photograph never shows entirely. Only a synthetic person has it.",
};
const HEAD_START = { person: 0, left: "low", right: "made", split: 0.5, yaw: 0, nod: 0, lampRight: 35, lampUp: 25, bump: 0.5, tint: false, spinning: false };
const HEAD_LIMITS = { yaw: 75, nod: 30 };
const SWING_TO = 50; // degrees
const SWING_SECONDS = 8; // of a swing to both sides
const LIFT = 12; // mm, so that the face is in the middle
const BUMP_MM = 1.6; // of height for the whole range of luminance, with the slider at 1

const away = (low, high) => (v) => (Math.round(v) ? `${Math.abs(Math.round(v))}° ${v < 0 ? low : high}` : "0°");

function render({ model, el }) {
  const told = model.get("told"); // people: name, energies; tile, box
  const photos = model.get("photos");
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const state = { ...HEAD_START, spinning: !calm, ...model.get("values") };
  const status = html("p", { class: "vx-status", role: "status" });
  const canvas = html("canvas", { class: "vx-turned", tabindex: 0, role: "application", "aria-label": "The head. Arrow keys turn it; with Shift they move the line.", "data-part": "head" });
  const split = html("span", { class: "vx-split", "aria-hidden": "true" });
  const sides = { left: html("span", { class: "vx-side vx-left" }), right: html("span", { class: "vx-side vx-right" }) };
  const stage = html("div", { class: "vx-turn-stage" }, canvas, split, sides.left, sides.right);
  const pick = portraits("Whose face", told.people.map(({ name }, i) => ({ name, face: photos[i] })), (person) => change({ person }));
  const slider = (key, name, range, step, format, more = {}) => faceSlider({ key, name, range, step, format, onInput: (v) => change({ [key]: v, ...more }) });
  const sliders = {
    split: slider("split", "Line", [0, 1], 0.01, (v) => `${Math.round(100 * v)}%`),
    yaw: slider("yaw", "Turn", [-HEAD_LIMITS.yaw, HEAD_LIMITS.yaw], 1, away("left", "right"), { spinning: false }),
    nod: slider("nod", "Nod", [-HEAD_LIMITS.nod, HEAD_LIMITS.nod], 1, away("up", "down")),
    lampRight: slider("lampRight", "Lamp", [-80, 80], 1, away("left", "right")),
    lampUp: slider("lampUp", "Lamp, height", [-60, 75], 1, away("below", "above")),
    bump: slider("bump", "Bumps", [0, 1.5], 0.05, (v) => (v ? `× ${v.toFixed(2)}` : "off")),
  };
  const choices = Object.fromEntries(["left", "right"].map((key) => [key, choice(key === "left" ? "Left of the line" : "Right of the line", TEXTURES, TEXTURE_NAMES, (value) => change({ [key]: value }))]));
  const tint = html("input", { type: "checkbox", "data-key": "tint", onchange: () => change({ tint: tint.checked }) });
  const spin = html("button", { type: "button", class: "vx-button", "data-key": "spin", onclick: () => change({ spinning: !state.spinning }) });
  const photo = html("img", { alt: "", class: "vx-turn-photo" });
  const said = html("p", { class: "vx-explain", "aria-live": "polite" });
  const group = (name, ...children) => html("fieldset", {}, html("legend", {}, name), ...children);
  el.classList.add("vx", "vx-skin", "vx-turning");
  el.append(
    html("div", { class: "vx-grid" },
      html("div", { class: "vx-stack" }, stage, html("div", { class: "vx-row" }, spin, html("label", { class: "vx-row" }, tint, "paint what was invented")), sliders.split.root, html("div", { class: "vx-turn-facts" }, photo, said), pick.root),
      html("div", { class: "vx-stack" }, group("Left of the line", choices.left.root), group("Right of the line", choices.right.root),
        group("Head", sliders.yaw.root, sliders.nod.root), group("Light", sliders.lampRight.root, sliders.lampUp.root, sliders.bump.root))),
    status);

  let [view, gone] = [null, false];

  function change(some) {
    Object.assign(state, some);
    for (const [key, limit] of Object.entries(HEAD_LIMITS)) state[key] = Math.max(-limit, Math.min(limit, state[key]));
    state.split = Math.max(0, Math.min(1, state.split));
    if (some.spinning) swing.from(state.yaw);
    model.set("values", { ...state });
    model.save_changes?.();
    showAll();
    swing.refresh();
  }

  function showAll() {
    for (const [key, one] of Object.entries(sliders)) one.show(Number(state[key].toFixed(2)));
    for (const key of ["left", "right"]) {
      choices[key].show(state[key]);
      sides[key].textContent = TEXTURE_NAMES[state[key]];
    }
    split.style.left = `${100 * state.split}%`;
    sides.left.hidden = state.split < 0.15;
    sides.right.hidden = state.split > 0.85;
    tint.checked = state.tint;
    pick.show(state.person);
    spin.textContent = state.spinning ? "Stop" : "Turn by itself";
    if (photo.getAttribute("src") !== photos[state.person]) photo.src = photos[state.person];
    photo.alt = `The photograph: ${told.people[state.person].name}.`;
    said.textContent = `${told.people[state.person].name}. ${WORDS_ON[state.right]}`;
  }

  function draw() {
    const side = Math.max(1, Math.min(1200, Math.round(stage.clientWidth * (window.devicePixelRatio || 1))));
    if (canvas.width !== side) canvas.width = canvas.height = side;
    view.draw({ ...state, sides: [state.left, state.right], rotation: turnMatrix(state.yaw, state.nod), lamp: lampDirection(state.lampRight, state.lampUp), bump: BUMP_MM * state.bump, lift: LIFT });
    canvas.dataset.yaw = state.yaw.toFixed(2);
    el.dataset.shown = `${state.person} ${state.left} ${state.right} ${state.split.toFixed(2)}`;
  }

  const swing = makeSwing(stage, {
    to: SWING_TO, seconds: SWING_SECONDS, draw, ready: () => view, swings: () => state.spinning,
    turn: (yaw) => { state.yaw = yaw; sliders.yaw.show(Number(yaw.toFixed(1))); },
  });
  turnByHand(canvas, {
    state,
    turn: (angles) => change({ ...angles, spinning: false }),
    holds: (at) => Math.abs(at.x - state.split) < 0.03 && "line",
    drag: (_line, at) => change({ split: at.x }),
    shifted: (right) => change({ split: state.split + right / 100 }),
  });

  async function load() {
    const [mesh, sheet, strip, atlases] = await Promise.all([
      unpackFace(Uint8Array.from(atob(model.get("mesh")), (letter) => letter.charCodeAt(0))), pictureOf(model.get("sheet")), pictureOf(model.get("colours")), pictureOf(model.get("atlases"))]);
    if (gone) return;
    const [high, wide] = told.tile;
    const count = told.people.length;
    const parts = 2 * count; // a low-frequency albedo and a mask of what was seen for each
    const low = { width: strip.width / parts, height: strip.height };
    const heads = told.people.map((_, person) => {
      const seen = colourOf(strip, 2 * person + 1, parts, told.tile);
      const tiles = packedTiles([0, 1, 2].map((column) => tileOf(sheet, person, column, told.tile)), seen.filter((_v, i) => i % 3 === 0));
      return { ...headArrays(mesh, person), tiles: { width: wide, height: high, data: tiles }, low: { ...low, data: partOf(strip, 2 * person, parts) }, atlas: { width: atlases.width / count, height: atlases.height, data: partOf(atlases, person, count) } };
    });
    view = makeHeadView(canvas, heads, mesh.arrays.triangles, told.box);
    if (!view) throw new Error("This browser offers no WebGL 2, which the head needs; the photograph and the other pages need none.");
    draw();
    el.dataset.ready = "true";
    swing.refresh();
  }

  showAll();
  whenVisible(el, () => load().catch((error) => { status.textContent = error.message; status.classList.add("vx-wrong"); }));
  return () => { gone = true; swing.stop(); view?.dispose(); };
}

export default { render };
