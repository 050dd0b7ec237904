// A mesh in the page: read from a GLB file, turned, lit, with its edges, and to take away.
import { html } from "./plots.js";
import { choice } from "./face_controls.js";
import { whenVisible } from "./runtime.js";
import { surfaceStage } from "./surface_stage.js";
import { decodeSrgb } from "./relief_surface.js";
import { readGlb } from "./glb.js";

const LOOKS_OF_MESH = { clay: "Clay", photograph: "Coloured", normals: "Normals" };
const BEGIN = { file: 0, look: "clay", wire: false, lampRight: -45, lampUp: 35, turn: 20, nod: 0, drag: "head" };

function render({ model, el }) {
  const files = model.get("files");
  const state = { ...BEGIN, ...model.get("values") };
  const status = html("p", { class: "vx-status", role: "status" });
  const stage = surfaceStage({ label: "A mesh.", state, changed: change });
  const which = choice("Mesh", files.map((_, i) => String(i)), Object.fromEntries(files.map(({ name }, i) => [String(i), name])), (value) => change({ file: Number(value) }));
  const looks = choice("Shown as", Object.keys(LOOKS_OF_MESH), LOOKS_OF_MESH, (look) => change({ look }));
  const wire = html("input", { type: "checkbox", "data-key": "wire", onchange: () => change({ wire: wire.checked }) });
  const take = html("a", { class: "vx-button", "data-key": "take" }, "Take the file (GLB)");
  const facts = html("p", { class: "vx-small" });
  el.classList.add("vx", "vx-relief", "vx-mesh");
  const group = (name, ...children) => html("fieldset", {}, html("legend", {}, name), ...children);
  el.append(
    html("div", { class: "vx-grid" },
      html("div", { class: "vx-stack" }, stage.root, html("div", { class: "vx-row" }, html("span", { class: "vx-small" }, "Dragging moves"), stage.drag.root, stage.again)),
      html("div", { class: "vx-stack" }, group("Mesh", which.root), group("Shown as", looks.root, html("label", { class: "vx-row" }, wire, "with its edges")), ...stage.controls, facts, html("div", { class: "vx-buttons" }, take))),
    status);
  if (!stage.webgl) status.textContent = "This browser offers no WebGL 2, which a mesh needs; the file can still be taken.";

  const read = new Map();
  let [frame, gone] = [0, false];

  function change(some) {
    Object.assign(state, some);
    model.set("values", { ...state });
    model.save_changes?.();
    refresh();
  }

  function refresh() { frame ||= requestAnimationFrame(draw); }

  function meshOf(number) {
    if (!read.has(number)) {
      const bytes = Uint8Array.from(atob(files[number].glb), (letter) => letter.charCodeAt(0));
      const mesh = readGlb(bytes.buffer);
      const middle = [0, 1, 2].map((k) => { // of its box
        let [low, high] = [Infinity, -Infinity];
        for (let i = k; i < mesh.points.length; i += 3) { low = Math.min(low, mesh.points[i]); high = Math.max(high, mesh.points[i]); }
        return { at: (low + high) / 2, size: high - low };
      });
      const points = mesh.points.map((v, i) => v - middle[i % 3].at);
      const screen = mesh.colours ?? new Float32Array(points.length).fill(0.7);
      read.set(number, { ...mesh, points, screen, colours: screen.map(decodeSrgb), size: Math.max(...middle.slice(0, 2).map(({ size }) => size)), address: URL.createObjectURL(new Blob([bytes], { type: "model/gltf-binary" })) });
    }
    return read.get(number);
  }

  function draw() {
    frame = 0;
    if (gone) return;
    which.show(String(state.file));
    looks.show(state.look);
    wire.checked = state.wire;
    try {
      const mesh = meshOf(state.file);
      stage.draw({ mesh, span: 1.12 * mesh.size, reach: 250, look: state.look, wire: state.wire }, null);
      facts.textContent = `${(mesh.points.length / 3).toLocaleString("en")} vertices, ${(mesh.triangles.length / 3).toLocaleString("en")} triangles.`;
      take.href = mesh.address;
      take.download = files[state.file].file;
      el.dataset.shown = `${state.file} ${state.look} ${state.wire}`;
      el.dataset.ready = "true";
    } catch (error) {
      status.textContent = error.message;
      status.classList.add("vx-wrong");
    }
  }

  whenVisible(el, refresh);
  return () => {
    gone = true;
    cancelAnimationFrame(frame);
    stage.dispose();
    for (const { address } of read.values()) URL.revokeObjectURL(address);
  };
}

export default { render };
