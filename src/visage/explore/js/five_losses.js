// Five losses pull on one face: weigh them, and see what a generator that was trained for all weightings makes of it.
import { html } from "./plots.js";
import { staticRoot, loadNetwork, kernel, whenVisible } from "./runtime.js";
import { portraits } from "./inversion_controls.js";
import { choice } from "./face_controls.js";
import { FACE_SIZE, unpackFaces, faceCanvas, drawFace, stackFaces, unstackFaces, laplacianEnergy, floatsOf, latest } from "./grey_faces.js";
import { lossPanel, sumBar, tradePlotOf, steppedScale, STEPS } from "./loss_panel.js";

const SWEEP = [0, 1, 4.29, 7.57, 10.86, 14.14, 17.43, 20.71, STEPS]; // places at which a slider is tried

const MODES = { family: "One network for all weights", own: "A network of its own for each subset" };
const MODE_WORDS = {
  family: "One network that was told the weights, and behaves as it learned for them.",
  own: "Small networks, each trained briefly with exactly the losses that are on, at their usual weights; sliders only switch.",
};

// The letters of the losses that are on, as the library names a subset.
export const lettersOf = (weights, letters) => [...letters].filter((_, i) => weights[i] > 0).join("");

const repeated = (weights, count) => ({ data: Float32Array.from({ length: count * weights.length }, (_, i) => weights[i % weights.length]), dims: [count, weights.length] });

// Where networks run: in the page, or in the notebook's kernel.
function pageFamily(names, progress) {
  const [generator, judge] = names.map((name) => loadNetwork(name, progress));
  return {
    ready: Promise.all([generator, judge]),
    async generate(faces, weights) {
      const { generated } = await (await generator)({ faces: stackFaces(faces), weights: repeated(weights, faces.length) });
      return unstackFaces(generated);
    },
    async judge({ input, target }, face) {
      const { terms } = await (await judge)({ faces: stackFaces([input]), generated: stackFaces([face]), targets: stackFaces([target]) });
      return Array.from(terms);
    },
  };
}

function kernelFamily(model) {
  const ask = kernel(model);
  return {
    ready: Promise.resolve(),
    async generate(faces, weights) {
      const { buffers } = await ask({ kind: "generate" }, [stackFaces(faces).data.buffer, Float32Array.from(weights).buffer]);
      return unstackFaces(floatsOf(buffers[0]));
    },
    async judge({ input, target }, face) {
      const { buffers } = await ask({ kind: "judge" }, [input, face, target].map((one) => one.slice().buffer));
      return Array.from(floatsOf(buffers[0]));
    },
  };
}

function render({ model, el }) {
  const [terms, presets] = [model.get("terms"), model.get("presets")];
  const [inputs, targets] = [unpackFaces(model.get("inputs")), unpackFaces(model.get("targets"))];
  const people = inputs.map((input, i) => ({ input, target: targets[i] }));
  const reference = presets[0].weights;
  const letters = model.get("letters") ?? "";
  const subsets = new Map((model.get("subsets") ?? []).map((one, row) => [one.letters, { ...one, row }]));
  const sheet = new Image(); // of the subsets' networks: a row each, a column a person
  let sheetReady = null;
  const state = { person: 0, weights: [...reference], mode: "family", ...model.get("values") };
  if (!subsets.size) state.mode = "family";
  const status = html("p", { class: "vx-status", role: "status" });
  const say = (text, wrong = false) => {
    status.textContent = text;
    status.classList.toggle("vx-wrong", wrong);
  };

  const trio = { input: faceCanvas("The picture that goes in"), outcome: faceCanvas("What the generator makes of it", { "data-part": "outcome" }), target: faceCanvas("The true normal face") };
  const figure = (picture, caption) => html("figure", { class: "vx-face" }, picture, html("figcaption", {}, caption));
  const small = people.map(({ target }, i) => {
    const canvas = faceCanvas(`Person ${i + 1}`, { "data-small": i });
    drawFace(canvas, target);
    return canvas;
  });
  const pick = portraits("What these weights make of others", small.map((face, i) => ({ name: `Person ${i + 1}`, face })), (person) => change({ person }));
  const buttons = presets.map(({ name, weights, what }) => html("button", { type: "button", class: "vx-button", title: what, onclick: () => change({ weights: [...weights] }) }, name));
  const modes = choice("Which network", Object.keys(MODES), MODES, (mode) => change({ mode }));
  modes.root.hidden = !subsets.size;
  const explain = html("p", { class: "vx-explain vx-preset-words", "aria-live": "polite" });
  const panel = lossPanel(terms, (number, weight) => {
    swept = number;
    change({ weights: state.weights.map((old, i) => (i === number ? weight : old)) });
  });
  const sum = sumBar(terms);
  const sharp = { bar: html("i", {}), value: html("b", {}), root: null };
  sharp.root = html("div", { class: "vx-loss vx-sharp" }, html("div", { class: "vx-loss-name" }, html("strong", {}, "Sharpness"), html("span", {}, "against the truth; asked for by nobody")), html("div", { class: "vx-gauge", "aria-hidden": "true" }, sharp.bar, html("s", { style: "left:66.7%" })), html("div", { class: "vx-loss-value" }, sharp.value));
  const trade = html("div", { class: "vx-trade-box" });
  const note = (text) => html("p", { class: "vx-small" }, text);
  const tradeBox = html("div", {}, note("Along the slider that you moved last: all five losses, in times of what “All five” gives"), trade);
  el.classList.add("vx", "vx-nfgan", "vx-five");
  el.append(
    modes.root,
    html("fieldset", {}, html("legend", {}, "Weights"), html("div", { class: "vx-choice" }, ...buttons), explain),
    html("div", { class: "vx-grid" },
      html("div", { class: "vx-stack" },
        html("div", { class: "vx-three" }, figure(trio.input, "picture"), figure(trio.outcome, "outcome"), figure(trio.target, "truth")),
        pick.root,
        sharp.root,
        tradeBox),
      html("div", { class: "vx-stack" },
        panel.root,
        sum.root,
        note("A bar is the loss of this outcome by itself, on a logarithmic scale; the tick is where “All five” brings it. Each loss wants its bar short."))),
    status);

  let [backend, swept, idle, milliseconds] = [null, 0, null, 0];
  let known = []; // what the reference weights give, by person

  function change(some) {
    Object.assign(state, some);
    model.set("values", { ...state, weights: [...state.weights] });
    model.save_changes?.();
    refresh();
  }

  function refresh() {
    if (state.mode === "own") state.weights = state.weights.map((w, i) => (w > 0 ? reference[i] : 0));
    modes.show(state.mode);
    tradeBox.hidden = state.mode === "own";
    panel.show(state.weights);
    pick.show(state.person);
    const { input, target } = people[state.person];
    drawFace(trio.input, input);
    drawFace(trio.target, target);
    const found = presets.findIndex(({ weights }) => weights.every((w, i) => Math.abs(w - state.weights[i]) <= 0.02 * w));
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === found)));
    explain.textContent = `${found >= 0 ? presets[found].what : "Weights of your own."}${subsets.size ? ` ${MODE_WORDS[state.mode]}` : ""}`;
    clearTimeout(idle);
    if (backend) question.ask();
    trio.outcome.dataset.wanted = question.wanted;
  }

  function showSharpness(outcome, target) {
    const sharpness = laplacianEnergy(outcome) / laplacianEnergy(target);
    sharp.value.textContent = `${sharpness.toFixed(2)}×`;
    sharp.root.dataset.value = sharpness.toFixed(4);
    sharp.bar.style.width = `${Math.min(100, (100 * sharpness) / 1.5).toFixed(1)}%`;
  }

  // What a network of its own drew, read off the sheet.
  async function drawSubset(number) {
    sheetReady ??= (async () => { sheet.src = model.get("subset_sheet"); await sheet.decode(); })();
    await sheetReady;
    const one = subsets.get(lettersOf(state.weights, letters));
    [trio.outcome, ...small].forEach((canvas, i) => {
      const pen = canvas.getContext("2d", { willReadFrequently: true });
      pen.clearRect(0, 0, FACE_SIZE, FACE_SIZE);
      const person = i ? i - 1 : state.person;
      if (one) pen.drawImage(sheet, person * FACE_SIZE, one.row * FACE_SIZE, FACE_SIZE, FACE_SIZE, 0, 0, FACE_SIZE, FACE_SIZE);
    });
    if (one) {
      const pixels = trio.outcome.getContext("2d").getImageData(0, 0, FACE_SIZE, FACE_SIZE).data;
      showSharpness(Float32Array.from({ length: FACE_SIZE ** 2 }, (_, i) => pixels[4 * i] / 255), people[state.person].target);
      panel.gauge(one.values[state.person], subsets.get(letters)?.values[state.person]);
      sum.show(state.weights, one.values[state.person]);
    } else explain.textContent = "No such network was trained.";
    trio.outcome.dataset.settled = number;
  }

  async function work(current, number) {
    if (state.mode === "own") {
      await drawSubset(number);
      return;
    }
    const [weights, person] = [[...state.weights], state.person];
    const one = people[person];
    const began = performance.now();
    const [outcome] = await backend.generate([one.input], weights);
    drawFace(trio.outcome, outcome);
    drawFace(small[person], outcome);
    milliseconds = performance.now() - began;
    trio.outcome.dataset.milliseconds = milliseconds.toFixed(1);
    showSharpness(outcome, one.target);
    if (!current()) return;
    const values = await backend.judge(one, outcome);
    panel.gauge(values, known[person]);
    sum.show(weights, values);
    if (!current()) return;
    if (!known[person]) {
      const [plain] = await backend.generate([one.input], reference);
      known[person] = await backend.judge(one, plain);
      panel.gauge(values, known[person]);
    }
    const made = await backend.generate(people.map(({ input }) => input), weights);
    if (!current()) return;
    made.forEach((face, i) => drawFace(small[i], face));
    trio.outcome.dataset.settled = number;
    idle = setTimeout(() => trace(current, one, person, weights, values).catch((error) => say(error.message, true)), 200);
  }

  // The slider that was moved last, from off to its end, a point at a time; given up as soon as the reader moves on.
  async function trace(current, one, person, weights, values) {
    const { low, high } = terms[swept];
    const scale = steppedScale(low, high);
    const [along, points] = [swept, []];
    for (const place of SWEEP) {
      const there = weights.map((w, i) => (i === along ? scale.at(place) : w));
      const [face] = await backend.generate([one.input], there);
      const found = await backend.judge(one, face);
      if (!current()) return;
      points.push({ place, values: found });
      const now = { place: scale.place(weights[along]), values };
      trade.replaceChildren(tradePlotOf(terms, { swept: along, points, references: known[person], now }));
      await new Promise((next) => setTimeout(next)); // let the page breathe
    }
    trade.dataset.traced = terms[along].key;
  }

  const question = latest(work, (error) => say(error.message, true));
  refresh();
  whenVisible(el, async () => {
    try {
      say("Loading the networks…");
      const loading = staticRoot() ? pageFamily(model.get("networks"), (share, bytes) => say(`Loading the networks: ${share ? Math.round(100 * share) + "%" : (bytes / 1e6).toFixed(1) + " MB"}`)) : kernelFamily(model);
      await loading.ready;
      backend = loading;
      say(staticRoot() ? "The generator and the networks that judge it run in this page." : "");
      refresh();
      el.dataset.ready = "true";
    } catch (error) {
      say(error.message, true);
    }
  });
  return () => { question.stop(); clearTimeout(idle); };
}

export default { render };
