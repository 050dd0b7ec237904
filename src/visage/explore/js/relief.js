// Move a lamp over recovered geometry: coarse, fine and true, as clay, as skin, as normals.
import { html } from "./plots.js";
import { faceSlider, choice } from "./face_controls.js";
import { portraits } from "./inversion_controls.js";
import { whenVisible } from "./runtime.js";
import { LOOKS } from "./surface_shading.js";
import { surfaceStage } from "./surface_stage.js";
import { unpackSurfaces, exaggerate, surfaceNormals, surfaceTriangles, surfacePoints, unlitColours, surfaceDifference } from "./relief_surface.js";

const LOOK_NAMES = { clay: "Clay", skin: "Skin, relit", normals: "Normals", depth: "Depth", photograph: "Photograph" };
const LOOK_WORDS = {
  clay: "The surface alone, in the lamp’s light.",
  skin: "The photograph, with its own light divided out and the lamp’s put in its place. What the recovered light does not explain stays: cast shadows, highlights.",
  normals: "Red: to the right, green: up, blue: to you.",
  depth: "The lighter, the nearer. Wrinkles are a thousandth of it, and not to be seen.",
  photograph: "What the networks were given, in colour, laid over the surface.",
};
const JUMP = 8; // mm between neighbours, beyond which the surface is torn: a nose before a cheek
const START = { face: 0, surface: "fine", look: "clay", detail: 1, lampRight: -50, lampUp: 35, turn: 0, nod: 0, drag: "lamp" };

async function pixelsOf(url) {
  const picture = await createImageBitmap(await (await fetch(url)).blob(), { premultiplyAlpha: "none", colorSpaceConversion: "none" });
  const canvas = html("canvas", { width: picture.width, height: picture.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  return context.getImageData(0, 0, picture.width, picture.height).data;
}

function render({ model, el }) {
  const faces = model.get("faces");
  const state = { ...START, ...model.get("values") };
  const status = html("p", { class: "vx-status", role: "status" });
  const stage = surfaceStage({ label: "The recovered surface.", state, changed: change });
  const pick = portraits("Whose face", faces.map(({ name, photo }) => ({ name, face: photo })), (face) => change({ face }));
  const surfaces = html("div", {});
  const looks = choice("Shown as", LOOKS, LOOK_NAMES, (look) => change({ look }));
  const detail = faceSlider({ key: "detail", name: "Detail", range: [0, 4], step: 0.1, format: (v) => `× ${v.toFixed(1)}`, onInput: (value) => change({ detail: value }) });
  const words = html("p", { class: "vx-small" });
  const apart = html("table", { class: "vx-apart" });
  const photo = html("img", { alt: "", class: "vx-relief-photo" });
  const group = (name, ...children) => html("fieldset", {}, html("legend", {}, name), ...children);
  el.classList.add("vx", "vx-relief");
  el.append(
    html("div", { class: "vx-grid" },
      html("div", { class: "vx-stack" }, stage.root, html("div", { class: "vx-row" }, html("span", { class: "vx-small" }, "Dragging moves"), stage.drag.root, stage.again), words),
      html("div", { class: "vx-stack" }, group("Surface", surfaces, detail.root), group("Shown as", looks.root), ...stage.controls,
        html("div", { class: "vx-relief-facts" }, photo, apart), pick.root)),
    status);
  if (!stage.webgl) status.textContent = "This browser offers no WebGL 2: the page paints the surface point by point, a little more coarsely.";

  const loaded = new Map(); // of a face, once its pictures are decoded
  let [frame, gone, mesh] = [0, false, null];

  async function load(number) {
    if (loaded.has(number)) return;
    const one = faces[number];
    loaded.set(number, null);
    const [maps, screen] = await Promise.all([pixelsOf(one.maps), pixelsOf(one.photo)]);
    const heights = unpackSurfaces(maps, one.width, one.height * one.surfaces.length, { step: one.step, names: one.surfaces.map(({ key }) => key) });
    const colours = Float32Array.from({ length: 3 * one.width * one.height }, (_, i) => screen[4 * Math.floor(i / 3) + (i % 3)] / 255);
    loaded.set(number, { ...one, heights, photo: screen, colours });
    refresh();
  }

  // What of the surface does not change with lamp or pose; kept until something else is wanted.
  function meshOf(face, number) {
    const key = [number, state.surface, state.surface === "coarse" ? 0 : state.detail].join(" ");
    if (mesh?.key === key) return mesh;
    const { width, height, pitch } = face;
    const z = state.surface === "coarse" ? face.heights.coarse : exaggerate(face.heights.coarse, face.heights[state.surface], state.detail);
    const normals = surfaceNormals(z, width, height, pitch);
    mesh = {
      key, normals, points: surfacePoints(z, width, height, pitch), colours: unlitColours(face.photo, normals, face.light),
      screen: face.colours, triangles: surfaceTriangles(z, width, height, JUMP), known: z.map((v) => (Number.isNaN(v) ? 0 : 1)),
    };
    return mesh;
  }

  function change(some) {
    Object.assign(state, some);
    model.set("values", { ...state });
    model.save_changes?.();
    refresh();
  }

  function refresh() {
    frame ||= requestAnimationFrame(draw);
  }

  function controls(one) {
    const names = Object.fromEntries(one.surfaces.map(({ key, name }) => [key, name]));
    const buttons = choice("Surface", Object.keys(names), names, (surface) => change({ surface }));
    buttons.show(state.surface);
    surfaces.replaceChildren(buttons.root);
    looks.show(state.look);
    detail.show(state.detail);
    detail.input.disabled = state.surface === "coarse";
    pick.show(state.face);
    words.textContent = LOOK_WORDS[state.look];
    if (photo.getAttribute("src") !== one.photo) photo.src = one.photo;
    photo.alt = `The picture: ${one.name}.`;
  }

  // How far each recovered surface is from the true one; measured in the page.
  function facts(face) {
    face.apart ??= face.surfaces.filter(({ key }) => face.heights.true && key !== "true").map(({ key, name }) => ({ key, name, ...surfaceDifference(face.heights[key], face.heights.true, face.width, face.height, face.pitch) }));
    if (!face.apart.length) return apart.replaceChildren(html("caption", {}, face.heights.true ? "" : "Of this face nobody knows the truth."));
    const row = (cells, tag) => html("tr", {}, ...cells.map((cell) => html(tag, {}, cell)));
    apart.replaceChildren(html("caption", {}, "Away from the true surface"), row(["", "depth", "normals"], "th"),
      ...face.apart.map(({ name, millimetres, degrees }) => row([name, `${millimetres.toFixed(2)} mm`, `${degrees.toFixed(1)}°`], "td")));
    apart.dataset.apart = JSON.stringify(Object.fromEntries(face.apart.map(({ key, millimetres, degrees }) => [key, [millimetres, degrees]])));
  }

  function draw() {
    frame = 0;
    if (gone) return;
    const one = faces[state.face];
    if (!one.surfaces.some(({ key }) => key === state.surface)) state.surface = one.surfaces.at(-1).key;
    controls(one);
    const face = loaded.get(state.face);
    if (!face) return void load(state.face).catch((error) => { status.textContent = error.message; status.classList.add("vx-wrong"); });
    const { width, height, pitch } = face;
    const now = meshOf(face, state.face);
    const scene = { mesh: now, span: 1.04 * pitch * Math.max(width, height), reach: 250, look: state.look };
    stage.draw(scene, { ...now, photo: face.photo, width, height, pitch });
    facts(face);
    el.dataset.shown = `${now.key} ${state.look}`;
    el.dataset.ready = "true";
  }

  controls(faces[state.face]);
  whenVisible(el, refresh);
  return () => { gone = true; cancelAnimationFrame(frame); stage.dispose(); };
}

export default { render };
