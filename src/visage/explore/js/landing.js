// The landing page: one photograph, and what each part of the book makes of it, ending in a head that turns.
import { html, svg } from "./plots.js";
import { faceSlider } from "./face_controls.js";
import { unpackFace } from "./face_model.js";
import { pictureOf } from "./texture_tiles.js";
import { lampDirection, turnMatrix, unpackSurfaces, surfacePoints, surfaceNormals, surfaceTriangles } from "./relief_surface.js";
import { makeSurfaceView } from "./surface_view.js";
import { paintSurface } from "./surface_shading.js";
import { makeSwing, turnByHand } from "./swing.js";
import { makeHeadView } from "./textured_head_view.js";
import { landingHead } from "./landing_head.js";

const LANDING = [
  { key: "numbers", tab: "128 numbers", part: "Start", page: "start/who_is_this", name: "Who is this?", title: "A face in 128 numbers",
    words: "This is all that a recogniser keeps of the photograph: 128 numbers, one a ray. Doors, telephones and databases store them in the photograph’s place." },
  { key: "face", tab: "a face", part: "Part I", page: "inversion/an_embedding_is_not_a_hash", name: "Part I: inverting embeddings", title: "A face, out of the numbers", pair: ["expected", "face"], captions: ["what they let one expect", "searched until they fit"],
    words: "Whoever holds the numbers can look for a picture that has them. Both of these were made without the photograph, and the recogniser takes the second one for the same person." },
  { key: "normal", tab: "at rest", part: "Parts II and III", page: "normalization/a_warp_with_gradients", more: { page: "nfgan/five_losses", name: "Part III: a perceptron GAN" }, name: "Part II: normalized faces", title: "The same face, at rest", pair: ["normal", "rest"], captions: ["painted by what a recogniser knows", "drawn by five losses that disagree"],
    words: "From the front, evenly lit, with nothing going on in it: pose, lamp and smile taken away, twice, by two ways of learning it." },
  { key: "shape", tab: "its shape", part: "Part IV", page: "geometry/coarse_geometry", name: "Part IV: shape", title: "Its shape",
    words: "How far every point of it was from the lens, down to the folds, read from one photograph by networks that learned what light does. Move the lamp." },
  { key: "skin", tab: "its skin", part: "Part V", page: "texture/what_skin_is_made_of", name: "Part V: texture", title: "Its skin",
    words: "At the left, what the photograph showed of the skin, its light divided out; grey was never seen. At the right, the whole skin, invented where it had to be. Drag the line." },
  { key: "avatar", tab: "its avatar", part: "The whole road", page: "avatar/from_a_photograph_to_an_avatar", name: "From a photograph to an avatar", title: "A head that turns",
    words: "Shape and skin, put together: it turns, under any lamp, and can be taken away as a file. Hair is nobody’s subject here, and so it has none." },
];
const LANDING_START = { stage: "avatar", yaw: 20, nod: 0, lampRight: 52, lampUp: 34, split: 0.5, spinning: true };
const LANDING_LIMITS = { yaw: 60, nod: 25, lampRight: 80, lampUp: 70 };
const LANDING_SWING = { to: 42, seconds: 11 };
const SPAN = 206; // mm of the recovered surface that the stage shows
const JUMP = 6; // mm between neighbours, from which on they are two surfaces

// Rays of the embedding: its mean direction would hide it, so lengths are of what differs from the smallest.
export function rays(embedding, { inner = 96, most = 84 } = {}) {
  const largest = Math.max(...embedding.map(Math.abs));
  return embedding.map((value, i) => {
    const angle = (2 * Math.PI * i) / embedding.length - Math.PI / 2;
    const [from, to] = [inner, inner + 6 + (most * Math.abs(value)) / largest];
    return { x1: from * Math.cos(angle), y1: from * Math.sin(angle), x2: to * Math.cos(angle), y2: to * Math.sin(angle), positive: value >= 0 };
  });
}

function render({ model, el }) {
  const told = model.get("told");
  const pictures = model.get("pictures");
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const state = { ...LANDING_START, spinning: !calm, ...model.get("values") };
  const number = Math.random().toString(36).slice(2, 8); // several may share a page
  const root = document.documentElement.dataset.content_root;
  const address = (page) => (root === undefined ? new URL(`${page}.html`, model.get("site")) : new URL(`${root}${page}.html`, document.baseURI)).href;

  const ring = svg("svg", { class: "vx-ring", viewBox: "-200 -200 400 400", role: "img", "aria-label": "The embedding: 128 numbers, drawn as rays round the photograph" });
  const clip = svg("clipPath", { id: `vx-${number}-round` }, svg("circle", { r: 84 }));
  ring.append(clip, svg("image", { href: pictures.chip, x: -84, y: -84, width: 168, height: 168, "clip-path": `url(#vx-${number}-round)` }));
  for (const { positive, ...line } of rays(told.embedding)) ring.append(svg("line", { ...line, class: positive ? "vx-more" : "vx-less" }));
  const pair = html("div", { class: "vx-pair" });
  const still = html("img", { class: "vx-still", alt: "The head, from a little to the side.", src: pictures.still });
  const surface = html("canvas", { width: 640, height: 640, class: "vx-canvas" });
  const head = html("canvas", { class: "vx-canvas" });
  const grip = html("canvas", { class: "vx-grip", width: 1, height: 1, tabindex: 0, role: "application", "data-part": "stage" });
  const line = html("span", { class: "vx-split", "aria-hidden": "true" });
  const lamp = html("span", { class: "vx-lamp-grip", "aria-hidden": "true" });
  const stage = html("div", { class: "vx-landing-stage" }, still, ring, pair, surface, head, grip, line, lamp);

  const heads = LANDING.map(({ key, tab }, i) => html("button", { type: "button", role: "tab", id: `vx-${number}-${key}`, "aria-controls": `vx-${number}-panel`, class: "vx-way", "data-stage": key, onclick: () => change({ stage: key }) }, html("span", { class: "vx-way-dot" }, String(i + 1)), html("span", {}, tab)));
  const tabs = html("div", { class: "vx-ways", role: "tablist", "aria-label": "From 128 numbers to a head" }, ...heads);
  tabs.addEventListener("keydown", (event) => {
    const at = LANDING.findIndex(({ key }) => key === state.stage);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: LANDING.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    change({ stage: LANDING[(to + LANDING.length) % LANDING.length].key });
    heads[(to + LANDING.length) % LANDING.length].focus();
  });
  const eyebrow = html("p", { class: "vx-eyebrow" });
  const title = html("p", { class: "vx-title" });
  const said = html("p", { class: "vx-said" });
  const meter = html("div", { class: "vx-meter" });
  const links = html("p", { class: "vx-links" });
  const photo = html("figure", { class: "vx-from" }, html("img", { src: pictures.photo, alt: "Portrait of a man who does not exist, turned a little to the side", width: 320, height: 320 }), html("figcaption", {}, "All of it from this one photograph, of somebody who does not exist."));
  const away = (low, high) => (v) => (Math.round(v) ? `${Math.abs(Math.round(v))}° ${v < 0 ? low : high}` : "0°");
  const slider = (key, name, low, high, more = {}) => faceSlider({ key, name, range: [-LANDING_LIMITS[key], LANDING_LIMITS[key]], step: 1, format: away(low, high), onInput: (v) => change({ [key]: v, ...more }) });
  const sliders = {
    yaw: slider("yaw", "Turn", "left", "right", { spinning: false }),
    lampRight: slider("lampRight", "Lamp", "left", "right"),
    split: faceSlider({ key: "split", name: "Line", range: [0, 1], step: 0.01, format: (v) => `${Math.round(100 * v)}%`, onInput: (split) => change({ split }) }),
  };
  const spin = html("button", { type: "button", class: "vx-button", "data-key": "spin", onclick: () => change({ spinning: !state.spinning }) });
  const hint = html("span", { class: "vx-small" });
  const controls = html("div", { class: "vx-landing-controls" }, sliders.yaw.root, sliders.lampRight.root, sliders.split.root, html("div", { class: "vx-row" }, spin, hint));
  const status = html("p", { class: "vx-status", role: "status" });
  const panel = html("div", { class: "vx-landing-panel", role: "tabpanel", id: `vx-${number}-panel` },
    html("div", { class: "vx-landing-stack" }, stage), html("div", { class: "vx-landing-words" }, eyebrow, title, said, meter, links, controls, photo));
  el.classList.add("vx", "vx-skin", "vx-landing");
  el.replaceChildren(tabs, panel, status);

  let [view, relief, grid, drawnBy, gone] = [null, null, null, "still", false];
  const solid = () => ["shape", "skin", "avatar"].includes(state.stage);

  function change(some) {
    Object.assign(state, some);
    for (const [key, limit] of Object.entries(LANDING_LIMITS)) state[key] = Math.max(-limit, Math.min(limit, state[key]));
    state.split = Math.max(0, Math.min(1, state.split));
    if (some.spinning) swing.from(state.yaw);
    model.set("values", { ...state });
    model.save_changes?.();
    showAll();
    swing.refresh();
  }

  function showAll() {
    const now = LANDING.find(({ key }) => key === state.stage);
    heads.forEach((one) => {
      const chosen = one.dataset.stage === state.stage;
      one.setAttribute("aria-selected", String(chosen));
      one.tabIndex = chosen ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", `vx-${number}-${state.stage}`);
    if (el.dataset.stage !== state.stage) {
      eyebrow.textContent = now.part;
      title.textContent = now.title;
      said.textContent = now.words;
      links.replaceChildren(html("a", { href: address(now.page) }, `${now.name} →`), ...(now.more ? [html("a", { href: address(now.more.page) }, `${now.more.name} →`)] : []));
      meter.replaceChildren(...meterOf(now));
      pair.replaceChildren(...(now.pair ?? []).map((name, i) => html("figure", {}, html("img", { src: pictures[name], alt: `A face: ${now.captions[i]}.` }), html("figcaption", {}, now.captions[i]))));
      el.dataset.stage = state.stage;
      if (state.stage === "numbers" && !calm) [...ring.querySelectorAll("line")].forEach((ray, i) => ray.animate?.([{ opacity: 0 }, { opacity: 1 }], { duration: 400, delay: 5 * i, fill: "backwards" }));
    }
    for (const [key, one] of Object.entries(sliders)) one.show(Number(state[key].toFixed(2)));
    const deep = solid();
    controls.hidden = !deep;
    sliders.split.root.hidden = state.stage !== "skin";
    spin.textContent = state.spinning ? "Stop" : "Turn by itself";
    hint.textContent = state.stage === "skin" ? "Drag the head, the line, or the lamp." : "Drag the head, or the lamp.";
    ring.toggleAttribute("hidden", state.stage !== "numbers");
    pair.hidden = !now.pair;
    surface.hidden = state.stage !== "shape";
    head.hidden = !(state.stage === "skin" || state.stage === "avatar") || !view;
    still.hidden = !deep || state.stage === "shape" || Boolean(view);
    grip.hidden = !deep;
    grip.setAttribute("aria-label", `${now.title}. Arrow keys turn it; with Shift they move the lamp.`);
    lamp.hidden = !deep || drawnBy === "still";
    line.hidden = state.stage !== "skin" || !view;
    line.style.left = `${100 * state.split}%`;
    Object.assign(lamp.style, { left: `${50 + (45 * state.lampRight) / LANDING_LIMITS.lampRight}%`, top: `${50 - (45 * state.lampUp) / LANDING_LIMITS.lampUp}%` });
  }

  // How far the recogniser finds each picture from the photograph.
  function meterOf({ key }) {
    const names = { face: ["expected", "face"], normal: ["normal", "rest"], avatar: ["avatar"] }[key] ?? [];
    const about = html("p", { class: "vx-small" }, `How far the recogniser finds it from the photograph. Below ${told.threshold.toFixed(2)}, the mark, it says: the same person.`);
    const share = (v) => `${Math.min(100, (100 * v) / (2 * told.threshold))}%`;
    const bars = names.map((name, i) => {
      const value = told.distances[name];
      const bar = html("span", { class: "vx-bar-track", "aria-hidden": "true" }, html("span", { class: "vx-bar-fill", style: `width: ${share(value)}` }), html("span", { class: "vx-bar-mark" }));
      const which = names.length > 1 ? ["at the left", "at the right"][i] : "";
      return html("p", { class: "vx-distance" }, bar, html("span", {}, `${value.toFixed(2)}${which ? `, ${which}` : ""}`));
    });
    return bars.length ? [about, ...bars] : [];
  }

  function draw() {
    const towards = lampDirection(state.lampRight, state.lampUp);
    const turn = turnMatrix(state.yaw, state.nod);
    const side = Math.max(1, Math.min(1100, Math.round(stage.clientWidth * Math.min(2, window.devicePixelRatio || 1))));
    if (state.stage === "shape" && grid) {
      // The surface lies as the photograph saw it: what it is turned by there is taken off.
      const scene = { mesh: grid.mesh, span: SPAN, reach: 250, look: "clay", turn: turnMatrix(state.yaw - told.relief.yaw, state.nod), lamp: towards };
      if (relief) {
        if (surface.width !== side) surface.width = surface.height = side;
        relief.draw(scene);
      } else paintSurface(surface, { ...scene, ...grid.mesh, ...grid });
    } else if (view && solid() && state.stage !== "shape") {
      if (head.width !== side) head.width = head.height = side;
      const skin = state.stage === "skin";
      view.draw({ person: 0, rotation: turn, sides: skin ? ["seen", "made"] : ["made", "made"], split: skin ? state.split : 0, lamp: towards, bump: 0.4, tint: false, lift: 6 });
    }
    el.dataset.shown = `${state.stage} ${state.yaw.toFixed(1)} ${state.lampRight.toFixed(0)}`;
  }

  const swing = makeSwing(stage, {
    ...LANDING_SWING, draw, ready: () => true, swings: () => state.spinning && solid() && (view || relief),
    turn: (yaw) => { state.yaw = yaw; sliders.yaw.show(Number(yaw.toFixed(1))); },
  });
  const near = (at, left, top) => Math.hypot((at.x - left) * at.width, (at.y - top) * at.height) < 26;
  turnByHand(grip, {
    state,
    across: 130,
    along: 90,
    turn: (angles) => change({ ...angles, spinning: false }),
    holds: (at) => (near(at, parseFloat(lamp.style.left) / 100, parseFloat(lamp.style.top) / 100) ? "lamp" : state.stage === "skin" && Math.abs(at.x - state.split) < 0.04 && "line"),
    drag: (held, { x, y }) => change(held === "line" ? { split: x } : { lampRight: ((2 * x - 1) / 0.9) * LANDING_LIMITS.lampRight, lampUp: ((1 - 2 * y) / 0.9) * LANDING_LIMITS.lampUp }),
    shifted: (right, down) => change({ lampRight: state.lampRight + right, lampUp: state.lampUp - down }),
  });

  async function load() {
    const file = await unpackFace(Uint8Array.from(atob(model.get("mesh")), (letter) => letter.charCodeAt(0)));
    const [sheet, colour, atlas] = await Promise.all(["skin", "colour", "atlas"].map((name) => pictureOf(pictures[name])));
    if (gone) return;
    const made = landingHead({ file, told, sheet, colour, atlas });
    try {
      view = makeHeadView(head, made.heads, made.triangles, told.box);
      relief = makeSurfaceView(surface);
    } catch (error) {
      console.warn(error.message); // a card that cannot compile is no card
      [view, relief] = [null, null];
    }
    const { width, height, pitch, step } = told.relief;
    const heights = unpackSurfaces((await pictureOf(pictures.relief)).data, width, height, { step, names: ["fine"] }).fine;
    const normals = surfaceNormals(heights, width, height, pitch);
    const flat = new Float32Array(3 * heights.length);
    grid = { known: heights.map((v) => (Number.isNaN(v) ? 0 : 1)), width, height, pitch: SPAN / height, photo: new Uint8ClampedArray(4 * heights.length),
      mesh: { points: surfacePoints(heights, width, height, pitch), normals, colours: flat, screen: flat, triangles: surfaceTriangles(heights, width, height, JUMP) } };
    drawnBy = view ? "webgl" : "still";
    el.dataset.drawnBy = drawnBy;
    if (!view) status.textContent = "This browser offers no WebGL 2: the head stands still.";
    if (state.spinning) swing.from(state.yaw);
    showAll();
    draw();
    el.dataset.ready = "true";
    swing.refresh();
  }

  showAll();
  load().catch((error) => { status.textContent = error.message; status.classList.add("vx-wrong"); });
  return () => { gone = true; swing.stop(); view?.dispose(); relief?.dispose(); };
}

export default { render };
