// A network paints whatever embedding it is given. The reader walks between two people, and beyond.
import { html } from "./plots.js";
import { faceSlider, barStrip } from "./face_controls.js";
import { CHIP_SIZE } from "./geometry.js";
import { toImageData, mirror } from "./image.js";
import { staticRoot, loadNetwork, kernel, whenVisible } from "./runtime.js";
import { portraits, distanceBars } from "./inversion_controls.js";
import { asked, distance, normals } from "./inversion_embedding.js";

const START = { a: 0, b: 1, walk: 0, scale: 1, noise: 0, seed: 1, bits: false, mirror: false };
const PLAIN = { scale: 1, noise: 0, bits: false, mirror: false };
const RECOGNISER = "dlib_resnet.onnx";

// Where networks run: in the page, or in the notebook's kernel.
function pageBackend(name, progress) {
  const painter = loadNetwork(name, progress);
  return {
    ready: painter,
    load: (onProgress) => loadNetwork(RECOGNISER, onProgress),
    async paint(embedding) {
      const { faces } = await (await painter)({ embeddings: { data: embedding, dims: [1, embedding.length] } });
      return { width: CHIP_SIZE, height: CHIP_SIZE, data: faces };
    },
    async embed(chip) {
      const run = await loadNetwork(RECOGNISER);
      return (await run({ chips: { data: chip.data, dims: [1, 3, CHIP_SIZE, CHIP_SIZE] } })).embedding;
    },
  };
}

function kernelBackend(model) {
  const ask = kernel(model);
  const bytes = ([view]) => view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
  return {
    ready: Promise.resolve(),
    load: () => Promise.resolve(),
    async paint(embedding) {
      const { buffers } = await ask({ kind: "paint" }, [embedding.slice().buffer]);
      return { width: CHIP_SIZE, height: CHIP_SIZE, data: Float32Array.from(new Uint8Array(bytes(buffers)), (v) => v / 255) };
    },
    async embed(chip) {
      const { buffers } = await ask({ kind: "embed" }, [chip.data.slice().buffer]);
      return new Float32Array(bytes(buffers));
    },
  };
}

function render({ model, el }) {
  const people = model.get("people");
  const [centre, spread, threshold] = [model.get("centre"), model.get("spread"), model.get("threshold")];
  const state = { ...START, ...model.get("values") };
  const status = html("p", { class: "vx-status", role: "status" });
  const say = (text, wrong = false) => {
    status.textContent = text;
    status.classList.toggle("vx-wrong", wrong);
  };
  const of = (number) => people[number].embedding;

  // The picture, and the way from one person to the other.
  const canvas = html("canvas", { class: "vx-painted", width: CHIP_SIZE, height: CHIP_SIZE, role: "img", "aria-label": "What the network paints" });
  const ends = ["a", "b"].map((key) => ({ key, image: html("img", { alt: "" }) }));
  const walk = html("input", { type: "range", min: 0, max: 1, step: 0.01, "data-key": "walk" });
  const walked = html("output", {});
  walk.addEventListener("input", () => change({ walk: Number(walk.value) }));
  const picks = [
    portraits("From", people, (a) => change({ a })),
    portraits("To", people, (b) => change({ b })),
  ];

  // What is done to the embedding.
  const sliders = {
    scale: faceSlider({ key: "scale", name: "Scale", range: [0, 2.5], step: 0.02, format: (v) => (v === 0 ? "mean face" : `${v.toFixed(2)}×`), onInput: (scale) => change({ scale }) }),
    noise: faceSlider({ key: "noise", name: "Noise", range: [0, 3], step: 0.02, format: (v) => `${v.toFixed(2)} σ`, onInput: (noise) => change({ noise }) }),
  };
  const button = (text, onclick) => html("button", { type: "button", class: "vx-button", onclick }, text);
  const reseed = button("Other noise", () => change({ seed: state.seed + 1, noise: state.noise || 0.5 }));
  const toggles = { bits: button("1 bit a number", () => change({ bits: !state.bits })), mirror: button("Mirror the picture", () => change({ mirror: !state.mirror })) };
  const reset = button("Reset", () => change(PLAIN));
  const ask = button(staticRoot() ? "Ask the recogniser (6 MB)" : "Ask the recogniser", recognise);

  // Answers.
  const rows = [
    { group: "The embedding that you ask for", key: "asked-a" }, { group: "The embedding that you ask for", key: "asked-b" },
    { group: "The embedding of the painted face", key: "face-asked", name: "to what you ask for" },
    { group: "The embedding of the painted face", key: "face-a" }, { group: "The embedding of the painted face", key: "face-b" },
  ];
  const bars = distanceBars({ rows: rows.map((row) => ({ name: row.key.endsWith("-a") ? "to the first" : "to the second", ...row })), threshold, top: 1.2 });
  const strip = barStrip("The 128 numbers of the embedding that you ask for, less those of the mean face.", centre.length, 3 * spread);
  strip.root.classList.add("vx-numbers");
  const verdict = html("p", { class: "vx-explain", "aria-live": "polite" });
  const small = (text) => html("p", { class: "vx-small" }, text);
  el.classList.add("vx", "vx-inversion");
  el.append(
    html("div", { class: "vx-grid" },
      html("div", { class: "vx-stack" },
        canvas,
        html("div", { class: "vx-walk" }, ends[0].image, html("label", {}, "Walk from one to the other", walk, walked), ends[1].image),
        ...picks.map((pick) => pick.root)),
      html("div", { class: "vx-stack" },
        html("fieldset", {}, html("legend", {}, "Done to the embedding"), sliders.scale.root, sliders.noise.root),
        html("div", { class: "vx-buttons" }, reseed, toggles.bits, toggles.mirror, reset),
        html("div", {}, small("Its 128 numbers, less those of the mean face. σ is their spread over people."), strip.root),
        bars.root, html("div", { class: "vx-buttons" }, ask), verdict,
        small("The network was trained to satisfy this very recogniser. What another would say is another question."))),
    status);

  let [backend, seeing, busy, wanted, deviates] = [null, false, false, 0, null];

  function change(some) {
    Object.assign(state, some);
    model.set("values", { ...state });
    model.save_changes?.();
    refresh();
  }

  function embedding() {
    if (deviates?.seed !== state.seed) deviates = { seed: state.seed, values: normals(centre.length, state.seed) };
    return asked({ ...state, a: of(state.a), b: of(state.b) }, { centre, spread, deviates: deviates.values });
  }

  // What follows from the controls at once; the networks answer when they can.
  function refresh() {
    walk.value = state.walk;
    walked.textContent = `${Math.round(100 * state.walk)}% of the way`;
    walk.setAttribute("aria-valuetext", `${walked.textContent} from ${people[state.a].name} to ${people[state.b].name}`);
    sliders.scale.show(state.scale);
    sliders.noise.show(state.noise);
    for (const [key, toggle] of Object.entries(toggles)) toggle.setAttribute("aria-pressed", String(state[key]));
    picks[0].show(state.a);
    picks[1].show(state.b);
    ends.forEach(({ key, image }) => {
      if (image.src !== people[state[key]].face) image.src = people[state[key]].face;
      image.alt = `The true face of ${people[state[key]].name}`;
    });
    wanted += 1;
    canvas.dataset.wanted = wanted;
    if (!busy) answer();
    else report(embedding());
  }

  function report(target, face = null) {
    const found = { "asked-a": distance(target, of(state.a)), "asked-b": distance(target, of(state.b)) };
    if (face) Object.assign(found, { "face-asked": distance(face, target), "face-a": distance(face, of(state.a)), "face-b": distance(face, of(state.b)) });
    bars.show(found);
    strip.show(target.map((v, i) => v - centre[i]));
    Object.assign(bars.root.dataset, Object.fromEntries(Object.entries(found).map(([key, d]) => [key.replace("-", ""), d.toFixed(4)])));
    if (!face) {
      verdict.textContent = seeing ? "…" : "Does the painted face carry the embedding? The recogniser that made it can say.";
      return;
    }
    const near = ["a", "b"].filter((key) => found[`face-${key}`] < threshold).map((key) => people[state[key]].name);
    const whom = [...new Set(near)];
    verdict.textContent = `The recogniser takes the painted face for ${whom.length ? whom.join(" and for ") : "neither of the two"}.`;
  }

  async function answer() {
    const target = embedding();
    report(target);
    if (!backend) return;
    busy = true;
    try {
      for (let done = -1; done !== wanted; ) {
        done = wanted;
        const now = embedding();
        const began = performance.now();
        const painted = await backend.paint(now);
        canvas.dataset.milliseconds = (performance.now() - began).toFixed(1);
        const shown = state.mirror ? mirror(painted) : painted;
        canvas.getContext("2d").putImageData(toImageData(shown), 0, 0);
        canvas.dataset.painted = done;
        report(now);
        if (seeing && done === wanted) {
          const face = await backend.embed(shown);
          if (done === wanted) report(now, face);
        }
        await new Promise((next) => setTimeout(next)); // let the page breathe
      }
      canvas.dataset.settled = wanted;
    } catch (error) {
      say(error.message, true);
    } finally {
      busy = false;
    }
  }

  async function recognise() {
    ask.disabled = true;
    try {
      say("Loading the recogniser…");
      await backend.load((share, bytes) => say(`Loading the recogniser: ${share ? Math.round(100 * share) + "%" : (bytes / 1e6).toFixed(1) + " MB"}`));
      seeing = true;
      ask.hidden = true;
      say(staticRoot() ? "Both networks run in this page." : "");
      refresh();
    } catch (error) {
      ask.disabled = false;
      say(error.message, true);
    }
  }

  const still = new Image();
  still.onload = () => canvas.dataset.painted || canvas.getContext("2d").drawImage(still, 0, 0);
  still.src = model.get("still");
  ask.disabled = true;
  refresh();
  whenVisible(el, async () => {
    try {
      say("Loading the network…");
      const loading = staticRoot() ? pageBackend(model.get("network"), (share, bytes) => say(`Loading the network: ${share ? Math.round(100 * share) + "%" : (bytes / 1e6).toFixed(1) + " MB"}`)) : kernelBackend(model);
      await loading.ready;
      backend = loading;
      ask.disabled = false;
      say(staticRoot() ? "The network runs in this page." : "");
      refresh();
      el.dataset.ready = "true";
    } catch (error) {
      say(`${error.message} The picture shows the first person as the library paints it.`, true);
    }
  });
  return () => { wanted += 1; };
}

export default { render };
