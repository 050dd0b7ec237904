// From z of a picture to z of its normalized face, or to anybody else's: what the decoder draws on the way.
import { html, svg } from "./plots.js";
import { choice } from "./face_controls.js";
import { staticRoot, loadNetwork, kernel, whenVisible } from "./runtime.js";
import { portraits } from "./inversion_controls.js";
import { unpackFaces, faceCanvas, drawFace, stackFaces, unstackFaces, floatsOf, latest } from "./grey_faces.js";

const RANGE = [-1, 2]; // 0 is the picture's code, 1 the other end's
const FRAMES = [-1, -0.5, 0, 0.5, 1, 1.5, 2];
const TARGETS = { own: "its own normalized face", other: "another person’s picture" };

// The code at a place of the straight line through two codes.
export function codeAt(from, to, place) {
  return Float32Array.from(from, (value, i) => value + place * (to[i] - value));
}

export function codeDistance(a, b) {
  return Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0));
}

function stackCodes(codes) {
  const data = new Float32Array(codes.length * codes[0].length);
  codes.forEach((code, i) => data.set(code, i * code.length));
  return { data, dims: [codes.length, codes[0].length] };
}

function unstackCodes(data, count) {
  const length = data.length / count;
  return Array.from({ length: count }, (_, i) => data.slice(i * length, (i + 1) * length));
}

function pageCoder(names, progress) {
  const [encoder, decoder] = names.map((name) => loadNetwork(name, progress));
  return {
    ready: Promise.all([encoder, decoder]),
    encode: async (faces) => unstackCodes((await (await encoder)({ faces: stackFaces(faces) })).codes, faces.length),
    decode: async (codes) => unstackFaces((await (await decoder)({ codes: stackCodes(codes) })).faces),
  };
}

function kernelCoder(model) {
  const ask = kernel(model);
  const one = async (kind, data) => floatsOf((await ask({ kind }, [data.buffer])).buffers[0]);
  return {
    ready: Promise.resolve(),
    encode: async (faces) => unstackCodes(await one("encode", stackFaces(faces).data), faces.length),
    decode: async (codes) => unstackFaces(await one("decode", stackCodes(codes).data)),
  };
}

// Distances between codes as bars on one scale: { root, show({name: value}) }.
function codeBars(names) {
  const rows = names.map((name) => {
    const [bar, value] = [html("i", {}), html("b", {})];
    return { name, bar, value, root: html("div", { class: "vx-code-row" }, html("span", {}, name), html("div", { class: "vx-gauge", "aria-hidden": "true" }, bar), value) };
  });
  return {
    root: html("div", { class: "vx-codes" }, ...rows.map((row) => row.root)),
    show(values) {
      const top = Math.max(...values.filter(Number.isFinite), 1e-9);
      rows.forEach((row, i) => {
        row.value.textContent = Number.isFinite(values[i]) ? values[i].toFixed(2) : "–";
        row.bar.style.width = `${Number.isFinite(values[i]) ? (100 * values[i]) / top : 0}%`;
      });
    },
  };
}

function render({ model, el }) {
  const inputs = unpackFaces(model.get("inputs"));
  const names = model.get("names");
  const state = { a: 0, b: 1, target: "own", place: 0, ...model.get("values") };
  const status = html("p", { class: "vx-status", role: "status" });
  const say = (text, wrong = false) => {
    status.textContent = text;
    status.classList.toggle("vx-wrong", wrong);
  };
  const face = faceCanvas("What the decoder draws at this place", { "data-part": "face" });
  const ends = { from: faceCanvas("The picture whose code is the start"), to: faceCanvas("The picture whose code is the end") };
  const figure = (picture, caption) => html("figure", { class: "vx-face" }, picture, html("figcaption", {}, caption));
  const walk = html("input", { type: "range", min: RANGE[0], max: RANGE[1], step: 0.02, "data-key": "place", "aria-label": "Place on the way" });
  const walked = html("output", {});
  walk.addEventListener("input", () => { stop(); change({ place: Number(walk.value) }); });
  const film = FRAMES.map((place, i) => {
    const canvas = faceCanvas(`At ${place}`, { "data-frame": i });
    return { place, canvas, root: html("figure", { class: "vx-face" }, html("button", { type: "button", class: "vx-frame", "aria-label": `Go to ${place}`, onclick: () => { stop(); change({ place }); } }, canvas), html("figcaption", {}, place === 0 ? "z" : place === 1 ? "end" : String(place).replace("-", "−"))) };
  });
  const people = inputs.map((input, i) => {
    const draw = () => { const canvas = faceCanvas(names[i]); drawFace(canvas, input); return canvas; };
    return { name: names[i], draw };
  });
  const picks = [["From", "a"], ["To another’s", "b"]].map(([label, key]) => portraits(label, people.map(({ name, draw }) => ({ name, face: draw() })), (number) => { stop(); change({ [key]: number, ...(key === "b" ? { target: "other" } : {}) }); }));
  const target = choice("Where the way leads", Object.keys(TARGETS), TARGETS, (name) => { stop(); change({ target: name }); });
  const play = html("button", { type: "button", class: "vx-button", "data-key": "play", onclick: () => (timer ? stop() : start()) }, "Walk");
  const bars = codeBars(["z to z of its normalized face", "z to z of the other picture"]);
  const change2 = svg("path", { class: "vx-curve" });
  const mark = svg("line", { class: "vx-threshold", y1: 4, y2: 84 });
  const plot = svg("svg", { viewBox: "0 0 440 108", class: "vx-plot", role: "img", "aria-label": "How much the drawn face changes from one step to the next, along the way." });
  plot.append(svg("line", { class: "vx-axis", x1: 10, x2: 430, y1: 84, y2: 84 }), mark, change2);
  for (const place of [-1, 0, 1, 2]) plot.append(svg("text", { x: 10 + (420 * (place - RANGE[0])) / 3, y: 102, "text-anchor": "middle" }, place === 0 ? "z" : place === 1 ? "end" : String(place).replace("-", "−")));
  const note = (text) => html("p", { class: "vx-small" }, text);
  el.classList.add("vx", "vx-nfgan", "vx-traversal");
  el.append(
    html("div", { class: "vx-grid" },
      html("div", { class: "vx-stack" },
        html("div", { class: "vx-three" }, figure(ends.from, "start: this picture"), figure(face, "drawn here"), figure(ends.to, "end: this picture")),
        html("label", { class: "vx-wayfarer" }, html("span", {}, "Place on the way"), walk, walked),
        html("div", { class: "vx-film" }, ...film.map((frame) => frame.root)),
        html("div", { class: "vx-buttons" }, play)),
      html("div", { class: "vx-stack" }, target.root, picks[0].root, picks[1].root, bars.root,
        html("div", {}, note("How much the drawn face changes from step to step. A decoder that had learned faces by heart would jump."), plot))),
    status);

  let [backend, timer, codes] = [null, null, null];
  let filmed = "";

  function change(some) {
    Object.assign(state, some);
    model.set("values", { ...state });
    model.save_changes?.();
    refresh();
  }

  function start() {
    play.textContent = "Stop";
    let way = state.place >= 1 ? 0 : state.place;
    timer = setInterval(() => {
      way += 0.02;
      change({ place: Math.min(1, Number(way.toFixed(2))) });
      if (way >= 1) stop();
    }, 60);
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Walk";
  }

  function refresh() {
    walk.value = state.place;
    walked.textContent = state.place.toFixed(2).replace("-", "−");
    walk.setAttribute("aria-valuetext", `${walked.textContent}, where 0 is the picture's code and 1 the end's`);
    target.show(state.target);
    picks[0].show(state.a);
    picks[1].show(state.b);
    drawFace(ends.from, inputs[state.a]);
    mark.setAttribute("x1", 10 + (420 * (state.place - RANGE[0])) / 3);
    mark.setAttribute("x2", 10 + (420 * (state.place - RANGE[0])) / 3);
    if (backend) question.ask();
    face.dataset.wanted = question.wanted;
  }

  async function work(current, number) {
    const { a, b, target: goal, place } = state;
    const began = performance.now();
    if (codes?.a !== a || codes?.b !== b) {
      const [za, zb] = await backend.encode([inputs[a], inputs[b]]);
      const [normal] = await backend.decode([za]);
      const [zn] = await backend.encode([normal]);
      codes = { a, b, za, zb, zn, normal };
    }
    const end = goal === "own" ? codes.zn : codes.zb;
    drawFace(ends.to, goal === "own" ? codes.normal : inputs[b]);
    const [drawn] = await backend.decode([codeAt(codes.za, end, place)]);
    drawFace(face, drawn);
    face.dataset.milliseconds = (performance.now() - began).toFixed(1);
    bars.show([codeDistance(codes.za, codes.zn), codeDistance(codes.za, codes.zb)]);
    const key = `${a} ${b} ${goal}`;
    if (filmed !== key && current()) await develop(current, end, key);
    if (current()) face.dataset.settled = number;
  }

  // The frames of the film, and how much changes between many small steps.
  async function develop(current, end, key) {
    const frames = await backend.decode(FRAMES.map((place) => codeAt(codes.za, end, place)));
    if (!current()) return;
    frames.forEach((frame, i) => drawFace(film[i].canvas, frame));
    const steps = 31;
    const places = Array.from({ length: steps }, (_, i) => RANGE[0] + ((RANGE[1] - RANGE[0]) * i) / (steps - 1));
    const drawn = [];
    for (let first = 0; first < steps; first += 8) {
      drawn.push(...(await backend.decode(places.slice(first, first + 8).map((place) => codeAt(codes.za, end, place)))));
      if (!current()) return;
    }
    const changes = drawn.slice(1).map((one, i) => one.reduce((sum, v, k) => sum + Math.abs(v - drawn[i][k]), 0) / one.length);
    const top = Math.max(...changes, 1e-6);
    change2.setAttribute("d", changes.map((v, i) => `${i ? "L" : "M"}${(10 + (420 * (i + 0.5)) / (steps - 1)).toFixed(1)},${(84 - (76 * v) / top).toFixed(1)}`).join(""));
    plot.dataset.largest = (top / (changes.reduce((s, v) => s + v, 0) / changes.length)).toFixed(2);
    filmed = key;
  }

  const question = latest(work, (error) => say(error.message, true));
  refresh();
  whenVisible(el, async () => {
    try {
      say("Loading encoder and decoder…");
      const loading = staticRoot() ? pageCoder(model.get("networks"), (share, bytes) => say(`Loading encoder and decoder: ${share ? Math.round(100 * share) + "%" : (bytes / 1e6).toFixed(1) + " MB"}`)) : kernelCoder(model);
      await loading.ready;
      backend = loading;
      say(staticRoot() ? "Encoder and decoder run in this page." : "");
      refresh();
      el.dataset.ready = "true";
    } catch (error) {
      say(error.message, true);
    }
  });
  return () => { stop(); question.stop(); };
}

export default { render };
