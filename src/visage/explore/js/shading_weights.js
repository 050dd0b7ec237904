// What FineNet's criterion wants by itself: three weights, and the surface that they lead to.
import { html, svg } from "./plots.js";
import { faceSlider, choice } from "./face_controls.js";
import { portraits, weightScale, brief, termTable } from "./inversion_controls.js";
import { rung, corners, blendTerm } from "./inversion_blend.js";
import { whenVisible } from "./runtime.js";
import { surfaceStage } from "./surface_stage.js";
import { surfaceNormals, surfaceTriangles, surfacePoints, decodeSrgb, encodeSrgb } from "./relief_surface.js";

const TEAR = 12; // mm
const LOOK_NAMES_OF_GRID = { clay: "Clay", normals: "Normals", photograph: "Picture" };
const BEGIN_GRID = { person: 0, start: 0, look: "clay", lampRight: -50, lampUp: 30, turn: 0, nod: 0, drag: "lamp" };

async function bytesOf(url) {
  const picture = await createImageBitmap(await (await fetch(url)).blob(), { premultiplyAlpha: "none", colorSpaceConversion: "none" });
  const canvas = html("canvas", { width: picture.width, height: picture.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  return { width: picture.width, data: context.getImageData(0, 0, picture.width, picture.height).data };
}

// Heights of the coarse surface, relief, albedo (linear) and picture of one person, off the sheet of grounds.
export function groundOf({ width, data }, person, [rows, columns], [step, coarseStep]) {
  const found = { coarse: new Float32Array(rows * columns), relief: new Float32Array(rows * columns), albedo: new Float32Array(rows * columns), picture: new Uint8Array(rows * columns) };
  for (let i = 0; i < rows * columns; i++) {
    const at = 4 * ((person * rows + Math.floor(i / columns)) * width + (i % columns));
    const steps = 256 * data[at] + data[at + 1];
    found.coarse[i] = steps ? (steps - 1) * coarseStep : NaN;
    found.relief[i] = (data[at + 2] - 128) * step;
    found.albedo[i] = decodeSrgb(data[at + 4 * columns] / 255);
    found.picture[i] = data[at + 4 * columns + 1];
  }
  return found;
}

// The offset of one person between the knots, in mm.
export function offsetOf({ width, data }, person, cells, [rows, columns], fidelities, smoothnesses, step) {
  const sum = new Float32Array(rows * columns);
  for (const [cell, share] of cells) {
    const [f, s] = [Math.floor(cell / smoothnesses), cell % smoothnesses];
    for (let i = 0; i < sum.length; i++) {
      const y = (person * fidelities + f) * rows + Math.floor(i / columns);
      sum[i] += share * step * (data[4 * (y * width + s * columns + (i % columns))] - 128);
    }
  }
  return sum;
}

// Squares of the grid, blue where the outcome is better than the coarse surface, orange where worse; `onChoose(f, s)`.
function weightMap(fidelities, smoothnesses, onChoose) {
  const [size, left, top] = [34, 58, 8];
  const [rows, columns] = [fidelities.length, smoothnesses.length];
  const root = svg("svg", { viewBox: `0 0 ${left + columns * size + 6} ${top + rows * size + 44}`, role: "img", class: "vx-plot vx-weight-map" });
  const squares = fidelities.flatMap((_, f) => smoothnesses.map((__, s) => {
    const square = svg("rect", { x: left + s * size + 1, y: top + (rows - 1 - f) * size + 1, width: size - 2, height: size - 2, rx: 3, "data-knot": `${f},${s}` }, svg("title", {}));
    square.addEventListener("click", () => onChoose(f, s));
    return square;
  }));
  const say = (text, attributes) => svg("text", attributes, text);
  const marker = svg("circle", { r: 8, class: "vx-now" });
  const paper = svg("text", { "text-anchor": "middle", class: "vx-paper-mark" }, "paper’s");
  root.append(...squares,
    ...smoothnesses.map((v, s) => say(brief(v), { x: left + (s + 0.5) * size, y: top + rows * size + 15, "text-anchor": "middle" })),
    ...fidelities.map((v, f) => say(brief(v), { x: left - 6, y: top + (rows - 0.5 - f) * size + 4, "text-anchor": "end" })),
    say("smoothness, for a shading of 1 →", { x: left + (columns * size) / 2, y: top + rows * size + 34, "text-anchor": "middle" }),
    say("fidelity →", { x: 11, y: top + (rows * size) / 2, "text-anchor": "middle", transform: `rotate(-90 11 ${top + (rows * size) / 2})` }),
    paper, marker);
  const place = (f, s) => [left + (s + 0.5) * size, top + (rows - 0.5 - f) * size];
  return {
    root,
    show(ratios) {
      squares.forEach((square, k) => {
        // Little is gained and much is lost, so that the two have scales of their own.
        const share = ratios[k] < 1 ? (1 - ratios[k]) / 0.12 : Math.log2(ratios[k]) / 2.5;
        square.setAttribute("class", ratios[k] < 1 ? "vx-better" : "vx-worse");
        square.style.fillOpacity = Math.min(0.92, 0.06 + 0.86 * share).toFixed(3);
        square.firstChild.textContent = `Normals ${ratios[k].toFixed(2)} times as wrong as the coarse surface’s`;
      });
    },
    mark(f, s) {
      const [x, y] = place(f, s);
      paper.setAttribute("x", x);
      paper.setAttribute("y", y + 14);
    },
    move(f, s, words) {
      const [cx, cy] = place(f, s);
      marker.setAttribute("cx", cx.toFixed(1));
      marker.setAttribute("cy", cy.toFixed(1));
      root.setAttribute("aria-label", words);
    },
  };
}

function render({ model, el }) {
  const [people, fidelities, smoothnesses, tile, steps, units, paper] = ["people", "fidelities", "smoothnesses", "tile", "steps", "units", "paper"].map((key) => model.get(key));
  const [rows, columns] = tile;
  const state = { ...BEGIN_GRID, shading: paper[0], fidelity: paper[1], smoothness: paper[2], ...model.get("values") };
  const status = html("p", { class: "vx-status", role: "status" });
  const stage = surfaceStage({ label: "The surface that these weights lead to.", state, changed: change });
  const scales = { fidelity: weightScale(fidelities[1], fidelities.at(-1)), smoothness: weightScale(smoothnesses[1], smoothnesses.at(-1)) };
  const sliders = {
    shading: faceSlider({ key: "shading", name: "Shading", range: [-1, 1], step: 0.02, format: (p) => brief(10 ** p), onInput: (p) => change({ shading: 10 ** p }) }),
    ...Object.fromEntries(Object.entries(scales).map(([key, scale]) => [key, faceSlider({ key, name: key === "fidelity" ? "Fidelity" : "Smoothness", range: [0, Number(scale.top.toFixed(6))], step: 0.02, format: (p) => (p ? brief(scale.at(p)) : "off"), onInput: (p) => change({ [key]: scale.at(p) }) })])),
  };
  const presets = {
    "The paper’s": { shading: paper[0], fidelity: paper[1], smoothness: paper[2] },
    "Shading alone": { shading: 1, fidelity: 0, smoothness: 0 },
    "No smoothness": { shading: 1, fidelity: 0.5, smoothness: 0 },
    "No fidelity": { shading: 1, fidelity: 0, smoothness: 1 },
    "Hardly any shading": { shading: 1, fidelity: 50, smoothness: 10 },
  };
  const begin = html("div", { class: "vx-choice", role: "group", "aria-label": "Weights to begin with" }, ...Object.entries(presets).map(([text, weights]) => html("button", { type: "button", class: "vx-button", onclick: () => change(weights) }, text)));
  const looks = choice("Shown as", Object.keys(LOOK_NAMES_OF_GRID), LOOK_NAMES_OF_GRID, (look) => change({ look }));
  const face = (key, name, note) => {
    const canvas = html("canvas", { width: columns, height: rows, role: "img", "aria-label": name, "data-part": key });
    return { canvas, figure: html("figure", { class: "vx-face" }, canvas, html("figcaption", {}, html("strong", {}, name), html("span", { class: "vx-note" }, note))) };
  };
  const shown = { explained: face("explained", "What it explains", "albedo × light"), picture: face("picture", "The picture", "what shall be explained"), apart: face("apart", "Away from truth", "blue: too near, orange: too far, full at 1 mm") };
  const starts = model.get("starts"); // every person comes once for each
  const persons = people.filter((_, i) => i % starts.length === 0);
  const small = persons.map(({ name }) => html("canvas", { width: rows, height: rows, "aria-label": name }));
  const pick = portraits("Whose face", persons.map(({ name }, i) => ({ name, face: small[i] })), (person) => change({ person }));
  const begun = choice("The surface that it begins with", starts.map((_, i) => String(i)), Object.fromEntries(starts.map((name, i) => [String(i), name])), (value) => change({ start: Number(value) }));
  const verdict = html("p", { class: "vx-verdict", "aria-live": "polite" }, "…");
  const terms = termTable([{ name: "Shading", what: "(ρ⟨l, Y⟩ − I)², eq. 8" }, { name: "Fidelity", what: "(ẑ − z₀)², eq. 13" }, { name: "Smoothness", what: "|Δẑ|, eq. 13" }]);
  const map = weightMap(fidelities, smoothnesses, (f, s) => change({ shading: 1, fidelity: fidelities[f], smoothness: smoothnesses[s] }));
  const group = (name, ...children) => html("fieldset", {}, html("legend", {}, name), ...children);
  el.classList.add("vx", "vx-relief", "vx-geometry", "vx-weights");
  el.append(
    html("div", { class: "vx-grid" },
      html("div", { class: "vx-stack" }, stage.root,
        html("div", { class: "vx-row" }, looks.root),
        html("div", { class: "vx-row" }, html("span", { class: "vx-small" }, "Dragging moves"), stage.drag.root, stage.again),
        html("div", { class: "vx-three-faces" }, ...Object.values(shown).map(({ figure }) => figure)), pick.root, group("It begins with", begun.root)),
      html("div", { class: "vx-stack" }, group("Weights in the loss", ...Object.values(sliders).map(({ root }) => root)), begin, verdict, terms.root,
        html("div", {}, html("p", { class: "vx-small" }, "Every square is a computed surface: press one. ", html("span", { class: "vx-key-better" }, "normals better"), " or ", html("span", { class: "vx-key-worse" }, "worse"), " than those that it began with."), map.root))),
    status);

  let [sheet, grounds, frame, gone] = [null, null, 0, false];
  const known = new Map(); // grounds by person

  function change(some) {
    Object.assign(state, some);
    model.set("values", { ...state });
    model.save_changes?.();
    frame ||= requestAnimationFrame(draw);
  }

  function draw() {
    frame = 0;
    if (gone) return;
    const number = state.person * starts.length + state.start;
    const person = people[number];
    const place = [rung(state.fidelity / state.shading, fidelities), rung(state.smoothness / state.shading, smoothnesses)];
    const cells = corners(...place, fidelities.length, smoothnesses.length);
    sliders.shading.show(Math.log10(state.shading));
    for (const [key, scale] of Object.entries(scales)) sliders[key].show(Number(Math.min(scale.top, scale.place(state[key])).toFixed(4)));
    looks.show(state.look);
    pick.show(state.person);
    begun.show(String(state.start));
    const at = (key) => blendTerm(person.terms[key], cells);
    const [white, millimetre] = units;
    const raws = [at("shading"), at("fidelity"), at("smoothness")];
    const unit = [white ** 2, millimetre ** 2, millimetre];
    const ranges = [[1e-6, 1e-1], [1e-6, 10], [1e-2, 3]];
    terms.show(raws.map((raw, i) => ({ raw, weight: [state.shading, state.fidelity, state.smoothness][i] * unit[i], range: ranges[i] })));
    const ratio = at("normals") / person.terms.coarse_normals[0];
    verdict.replaceChildren(html("strong", {}, `${at("normals").toFixed(1)}°`), ` from the true normals, after ${person.terms.coarse_normals[0].toFixed(1)}° before`);
    verdict.classList.toggle("vx-is-different", ratio > 1);
    verdict.dataset.ratio = ratio.toFixed(4);
    map.show(person.terms.normals.map((v) => v / person.terms.coarse_normals[0]));
    map.mark(rung(paper[1] / paper[0], fidelities), rung(paper[2] / paper[0], smoothnesses));
    map.move(...place, `Fidelity ${brief(state.fidelity / state.shading)}, smoothness ${brief(state.smoothness / state.shading)} for a shading of 1: normals ${ratio.toFixed(2)} times as wrong as the coarse surface’s.`);
    if (!sheet) return;
    paint(number, cells);
    el.dataset.shown = `${number} ${cells.map(([cell, share]) => `${cell}:${share.toFixed(3)}`).join(" ")}`;
  }

  function paint(number, cells) {
    const person = people[number];
    if (!known.has(number)) known.set(number, groundOf(grounds, number, tile, steps));
    const ground = known.get(number);
    const offset = offsetOf(sheet, number, cells, tile, fidelities.length, smoothnesses.length, steps[0]);
    const z = ground.coarse.map((v, i) => v + offset[i]);
    const normals = surfaceNormals(z, columns, rows, person.pitch);
    const screen = Float32Array.from({ length: 3 * z.length }, (_, i) => ground.picture[Math.floor(i / 3)] / 255);
    ground.triangles ??= surfaceTriangles(ground.coarse, columns, rows, TEAR);
    const mesh = { points: surfacePoints(z, columns, rows, person.pitch), normals, colours: screen, screen, triangles: ground.triangles };
    const photo = Uint8ClampedArray.from({ length: 4 * z.length }, (_, i) => ground.picture[Math.floor(i / 4)]);
    stage.draw({ mesh, span: 1.04 * person.pitch * rows, reach: 250, look: state.look }, { ...mesh, photo, known: z.map((v) => (Number.isNaN(v) ? 0 : 1)), width: columns, height: rows, pitch: person.pitch });
    const [a, x, y, t] = person.light;
    put(shown.explained.canvas, (i) => {
      if (Number.isNaN(z[i])) return [0, 0, 0, 0];
      const level = 255 * encodeSrgb(Math.min(1, Math.max(0, ground.albedo[i] * (a + x * normals[3 * i] + y * normals[3 * i + 1] + t * normals[3 * i + 2]))));
      return [level, level, level, 255];
    });
    put(shown.picture.canvas, (i) => [ground.picture[i], ground.picture[i], ground.picture[i], Number.isNaN(z[i]) ? 90 : 255]);
    put(shown.apart.canvas, (i) => {
      if (Number.isNaN(z[i])) return [0, 0, 0, 0];
      const share = Math.max(-1, Math.min(1, offset[i] - ground.relief[i]));
      const end = share > 0 ? [0, 114, 178] : [213, 94, 0];
      return [...end.map((v) => 255 + Math.abs(share) * (v - 255)), 255];
    });
  }

  function put(canvas, colour) {
    const image = new ImageData(columns, rows);
    for (let i = 0; i < rows * columns; i++) image.data.set(colour(i), 4 * i);
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  draw();
  whenVisible(el, async () => {
    try {
      [sheet, grounds] = await Promise.all([bytesOf(model.get("sheet")), bytesOf(model.get("grounds"))]);
      if (gone) return;
      persons.forEach((_, i) => {
        const { picture } = groundOf(grounds, i * starts.length, tile, steps);
        const image = new ImageData(columns, rows);
        picture.forEach((v, k) => image.data.set([v, v, v, 255], 4 * k));
        small[i].getContext("2d").putImageData(image, (rows - columns) / 2, 0);
      });
      draw();
      el.dataset.ready = "true";
    } catch (error) {
      status.textContent = error.message;
      status.classList.add("vx-wrong");
    }
  });
  return () => { gone = true; cancelAnimationFrame(frame); stage.dispose(); };
}

export default { render };
