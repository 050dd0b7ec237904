// The stage on which a surface stands: canvas, lamp, pointer and keys. With WebGL 2, or painted point by point without.
import { html } from "./plots.js";
import { faceSlider, choice } from "./face_controls.js";
import { makeSurfaceView } from "./surface_view.js";
import { paintSurface } from "./surface_shading.js";
import { lampDirection, turnMatrix } from "./relief_surface.js";

const SIDE = 640; // pixels of the canvas
const LIMITS = { lampRight: 85, lampUp: 80, turn: 45, nod: 35 }; // degrees
const degrees = (low, high) => (v) => (Math.round(v) ? `${Math.abs(Math.round(v))}° ${v < 0 ? low : high}` : "0°");

// `state` holds lampRight, lampUp, turn, nod (degrees) and drag ("lamp" or "head"); `changed(some)` asks to change it.
export function surfaceStage({ label, state, changed }) {
  let canvas = html("canvas", { width: SIDE, height: SIDE });
  let view = null;
  try {
    view = makeSurfaceView(canvas);
  } catch (error) {
    console.warn(error.message); // a card that cannot compile is no card
  }
  if (!view) canvas = html("canvas", { width: SIDE, height: SIDE });
  const help = "Drag to move the lamp, or the head. Arrow keys move the lamp; with Shift, they turn the head.";
  for (const [key, value] of Object.entries({ class: "vx-surface", tabindex: 0, role: "img", "aria-label": `${label} ${help}`, "data-part": "surface", "data-drawn-by": view ? "webgl" : "canvas" })) canvas.setAttribute(key, value);
  const lamp = html("span", { class: "vx-lamp", "aria-hidden": "true" });
  const root = html("div", { class: "vx-stage vx-relief-stage" }, canvas, lamp);
  let from = null;

  const clamped = (some) => Object.fromEntries(Object.entries(some).map(([key, value]) => [key, Math.max(-LIMITS[key], Math.min(LIMITS[key], value))]));
  const change = (some) => changed(clamped(some));
  canvas.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture?.(event.pointerId);
    from = { x: event.clientX, y: event.clientY, head: event.shiftKey || event.button === 2 || state.drag === "head", ...state };
    if (!from.head) aim(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!from) return;
    if (!from.head) return aim(event);
    const side = canvas.getBoundingClientRect().width;
    change({ turn: from.turn + (90 * (event.clientX - from.x)) / side, nod: from.nod + (90 * (event.clientY - from.y)) / side });
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { from = null; });
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: [-5, 0], ArrowRight: [5, 0], ArrowUp: [0, 5], ArrowDown: [0, -5] }[event.key];
    if (!by) return;
    event.preventDefault();
    if (event.shiftKey) change({ turn: state.turn + by[0], nod: state.nod - by[1] });
    else change({ lampRight: state.lampRight + by[0], lampUp: state.lampUp + by[1] });
  });

  // The pointer is the lamp: in the middle it stands behind the viewer, near the rim beside the head.
  function aim(event) {
    const box = canvas.getBoundingClientRect();
    const [x, y] = [(2 * (event.clientX - box.left)) / box.width - 1, 1 - (2 * (event.clientY - box.top)) / box.height];
    const length = Math.max(1, Math.hypot(x, y) / 0.98);
    const [u, v] = [x / length, y / length];
    const up = (Math.asin(v) * 180) / Math.PI;
    const right = (Math.atan2(u, Math.sqrt(Math.max(0.02, 1 - u * u - v * v))) * 180) / Math.PI;
    change({ lampRight: right, lampUp: up });
  }

  const slider = (key, name, low, high) => faceSlider({ key, name, range: [-LIMITS[key], LIMITS[key]], step: 1, format: degrees(low, high), onInput: (value) => change({ [key]: value }) });
  const sliders = { lampRight: slider("lampRight", "Lamp", "left", "right"), lampUp: slider("lampUp", "Lamp, height", "below", "above"), turn: slider("turn", "Turn", "left", "right"), nod: slider("nod", "Nod", "up", "down") };
  const drag = choice("Dragging moves", ["lamp", "head"], { lamp: "the lamp", head: "the head" }, (value) => changed({ drag: value }));
  const again = html("button", { type: "button", class: "vx-button", "data-key": "front", onclick: () => change({ turn: 0, nod: 0 }) }, "From the front");

  // scene: what `makeSurfaceView` takes without turn and lamp; `grid`: what `paintSurface` takes beside, or null for a loose mesh.
  function draw(scene, grid) {
    const began = performance.now();
    for (const [key, one] of Object.entries(sliders)) one.show(Math.round(state[key]));
    drag.show(state.drag);
    const towards = lampDirection(state.lampRight, state.lampUp);
    Object.assign(lamp.style, { left: `${50 + 49 * towards[0]}%`, top: `${50 - 49 * towards[1]}%` });
    lamp.hidden = scene.look !== "clay" && scene.look !== "skin";
    canvas.classList.toggle("vx-turns", state.drag === "head");
    const now = { ...scene, turn: turnMatrix(state.turn, state.nod), lamp: towards };
    if (view) view.draw(now);
    else if (grid) paintSurface(canvas, { ...now, ...grid });
    canvas.dataset.milliseconds = (performance.now() - began).toFixed(1);
    canvas.dataset.drawn = Number(canvas.dataset.drawn ?? 0) + 1;
  }

  return {
    root, canvas, draw, sliders, drag, again,
    webgl: Boolean(view),
    controls: [html("fieldset", {}, html("legend", {}, "Light"), sliders.lampRight.root, sliders.lampUp.root), html("fieldset", {}, html("legend", {}, "Head"), sliders.turn.root, sliders.nod.root)],
    dispose: () => view?.dispose(),
  };
}
