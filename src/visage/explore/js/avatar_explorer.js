// Heads fitted to normalized faces, to be turned; and what their colours are made of (appendix B).
import { html } from "./plots.js";
import { faceSlider, choice } from "./face_controls.js";
import { staticRoot, kernel, whenVisible } from "./runtime.js";
import { unpackFace, rotationMatrix } from "./face_model.js";
import { makeSwing } from "./swing.js";
import { avatarHeads, makeAvatarView, SHOWS } from "./avatar_view.js";
import { portraits } from "./inversion_controls.js";

const START = { person: 0, yaw: 0, show: "blend", lit: true, spinning: true };
const NAMES = { blend: "Blended (eq. 12)", projected: "Projected picture", confidence: "Confidence (eq. 9)", basis: "Colour basis (eq. 11)", shape: "Shape alone" };
const SAYS = {
  blend: "The picture where it is sure, the basis where it is not.",
  projected: "Every vertex has the colour of the pixel that it falls on, whether it sees it or not: turn the head and look at the ears and the neck.",
  confidence: "White is sure: inside the landmarks and facing the camera.",
  basis: "What 30 principal components of colour make of the sure vertices. No brows, no beard, no hair: it has never seen any.",
  shape: "Lit from the upper left. 80 numbers from 68 landmarks; all that lies beside the face is what such faces usually have.",
};
const WIDEST = 80; // degrees to both sides
const SWING = 50;
const SECONDS = 7; // of a swing to both sides
const PAPER = 0.96;

async function loadAvatars(model, name) {
  if (!staticRoot()) {
    const { buffers: [view] } = await kernel(model)({ kind: "asset", name });
    return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  }
  const response = await fetch(new URL(`assets/${name}`, staticRoot()));
  if (!response.ok) throw new Error(`The heads could not be loaded (${response.status}).`);
  return new Uint8Array(await response.arrayBuffer());
}

function render({ model, el }) {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const state = { ...START, spinning: !calm, ...model.get("values") };
  const still = html("img", { class: "vx-still", alt: "A fitted head, drawn by the library.", src: model.get("still") });
  const canvas = html("canvas", { class: "vx-head", tabindex: 0, role: "application", "aria-label": "The head. Arrow keys turn it." });
  const stage = html("div", { class: "vx-avatar-stage" }, still, canvas);
  const status = html("p", { class: "vx-status", role: "status" });
  const people = portraits("Normalized face", model.get("portraits").map((face, i) => ({ name: `Person ${i + 1}`, face })), (person) => change({ person }));
  const yaw = faceSlider({ key: "yaw", name: "Turn", range: [-WIDEST, WIDEST], step: 1, format: (v) => `${Math.round(v)}°`, onInput: (v) => change({ yaw: v, spinning: false }) });
  const shows = choice("Colours", SHOWS, NAMES, (show) => change({ show }));
  const lit = html("input", { type: "checkbox", "data-key": "lit", onchange: () => change({ lit: lit.checked }) });
  const spin = html("button", { type: "button", class: "vx-button", onclick: () => change({ spinning: !state.spinning }) });
  const said = html("p", { class: "vx-explain", "aria-live": "polite" });
  const group = (name, ...children) => html("fieldset", {}, html("legend", {}, name), ...children);
  el.classList.add("vx", "vx-application", "vx-avatar");
  el.append(
    html("div", { class: "vx-grid" },
      html("div", { class: "vx-stack" }, stage, yaw.root),
      html("div", { class: "vx-stack" }, people.root, group("Colours of the vertices", shows.root), said,
        html("div", { class: "vx-buttons" }, spin, html("label", { class: "vx-inline" }, lit, " lit from the upper left")),
        html("p", { class: "vx-small" }, "Or drag the head. What lies behind it, hair above all, nobody has seen."))),
    status);

  let [view, camera, gone] = [null, null, false];

  function change(some) {
    Object.assign(state, some);
    if (state.spinning) swing.from(state.yaw);
    model.set("values", { ...state });
    model.save_changes?.();
    showAll();
    swing.refresh();
  }

  function showAll() {
    people.show(state.person);
    yaw.show(Number(state.yaw.toFixed(1)));
    shows.show(state.show);
    lit.checked = state.lit;
    lit.disabled = state.show === "shape" || state.show === "confidence";
    spin.textContent = state.spinning ? "Stop" : "Spin";
    said.textContent = SAYS[state.show];
  }

  const swing = makeSwing(stage, {
    to: SWING, seconds: SECONDS, draw, ready: () => view, swings: () => state.spinning,
    turn: (angle) => { state.yaw = angle; yaw.show(Number(angle.toFixed(1))); },
  });

  function draw() {
    const side = Math.max(1, Math.min(1200, Math.round(stage.clientWidth * (window.devicePixelRatio || 1))));
    if (canvas.width !== side) canvas.width = canvas.height = side;
    const rotation = rotationMatrix([0, (state.yaw * Math.PI) / 180, 0]);
    view.draw({ ...state, lit: state.lit ? 1 : 0, rotation, camera, paper: [PAPER, PAPER, PAPER] });
    canvas.dataset.yaw = state.yaw.toFixed(2);
  }

  // Dragging and keys.
  let from = null;
  const turn = (degrees) => change({ yaw: Math.max(-WIDEST, Math.min(WIDEST, degrees)), spinning: false });
  canvas.addEventListener("pointerdown", (event) => { from = [event.clientX, state.yaw]; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointermove", (event) => { if (from) turn(from[1] + ((event.clientX - from[0]) / stage.clientWidth) * 150); });
  for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => { from = null; });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -5, ArrowRight: 5 }[event.key];
    if (!step) return;
    event.preventDefault();
    turn(state.yaw + step);
  });

  showAll();
  whenVisible(el, async () => {
    try {
      status.textContent = "Loading the heads…";
      const file = await unpackFace(await loadAvatars(model, "avatars.bin"));
      if (gone) return;
      camera = file.header.camera;
      const harmonics = file.header.harmonics.flatMap((v) => [v, v, v]);
      view = makeAvatarView(canvas, avatarHeads(file), file.arrays.triangles, harmonics);
      stage.classList.add("vx-live");
      status.textContent = "";
      draw();
      el.dataset.ready = "true";
      swing.refresh();
    } catch (error) {
      status.textContent = `${error.message} The picture shows what the library draws.`;
      status.classList.add("vx-wrong");
    }
  });
  return () => { gone = true; swing.stop(); view?.dispose(); };
}

export default { render };
