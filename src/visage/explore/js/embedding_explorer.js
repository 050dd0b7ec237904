// How far does an embedding move when its photograph is changed? The reader changes a face; the recogniser answers.
import { CHIP_SIZE } from "./geometry.js";
import { fromImageData, toImageData, corrupt } from "./image.js";
import { staticRoot, loadNetwork, kernel, whenVisible } from "./runtime.js";
import { findFace } from "./locator.js";
import { html, distancePlot, sweepPlot, embeddingPlot } from "./plots.js";

const SLIDERS = [
  { key: "blur", name: "Blur", unit: "px", range: [0, 8], step: 0.1, group: "Lens and light" },
  { key: "exposure", name: "Exposure", unit: "stops", range: [-6, 3], step: 0.1, group: "Lens and light" },
  { key: "noise", name: "Grain", unit: "", range: [0, 0.4], step: 0.01, group: "Lens and light" },
  { key: "rotation", name: "Turn", unit: "°", range: [-90, 90], step: 1, group: "Placement in the chip" },
  { key: "zoom", name: "Zoom", unit: "×", range: [0.6, 1.8], step: 0.02, group: "Placement in the chip" },
  { key: "shift_x", name: "Shift right", unit: "px", range: [-50, 50], step: 1, group: "Placement in the chip" },
  { key: "shift_y", name: "Shift down", unit: "px", range: [-50, 50], step: 1, group: "Placement in the chip" },
  { key: "cover", name: "Cover", unit: "", range: [0, 1], step: 0.02, group: "Something in front" },
];
const OCCLUDER_NAMES = { sunglasses: "sunglasses", mask: "a mask from below", patch: "a grey patch" };
const NEUTRAL = { blur: 0, exposure: 0, noise: 0, rotation: 0, zoom: 1, shift_x: 0, shift_y: 0, cover: 0, occluder: "sunglasses", mirror: false };
const SWEEP_POINTS = 13;

async function decode(url) {
  const picture = new Image();
  picture.src = url;
  await picture.decode();
  return pixels(picture, picture.naturalWidth, picture.naturalHeight);
}

function pixels(picture, width, height) {
  const canvas = html("canvas", { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0, width, height);
  return fromImageData(context.getImageData(0, 0, width, height));
}

// The two places where networks run: in the page, or in the notebook's kernel.
function pageBackend(onProgress) {
  const network = loadNetwork("dlib_resnet.onnx", onProgress);
  return {
    ready: network,
    async embed(chip) {
      const run = await network;
      return (await run({ chips: { data: chip.data, dims: [1, 3, CHIP_SIZE, CHIP_SIZE] } })).embedding;
    },
    async face(file) {
      const bitmap = await createImageBitmap(file).catch(() => {
        throw new Error(`${file.name} is not a picture that this browser can open.`);
      });
      const shrink = Math.min(1, 1600 / Math.max(bitmap.width, bitmap.height));
      const image = pixels(bitmap, Math.round(bitmap.width * shrink), Math.round(bitmap.height * shrink));
      return findFace(await loadNetwork("locator.onnx"), image);
    },
  };
}

function kernelBackend(model) {
  const ask = kernel(model);
  return {
    ready: Promise.resolve(),
    async embed(chip) {
      const { buffers } = await ask({ kind: "embed" }, [chip.data.buffer]);
      return new Float32Array(buffers[0].buffer.slice(buffers[0].byteOffset, buffers[0].byteOffset + buffers[0].byteLength));
    },
    async face(file) {
      const { content } = await ask({ kind: "face", name: file.name }, [await file.arrayBuffer()]);
      return decode(content.image);
    },
  };
}

function render({ model, el }) {
  const threshold = model.get("threshold");
  const settings = { ...NEUTRAL, ...model.get("values") };
  const status = html("p", { class: "vx-status", role: "status" });
  const say = (text, wrong = false) => {
    status.textContent = text;
    status.classList.toggle("vx-wrong", wrong);
  };
  const backend = { current: null };

  // Faces: what the recogniser sees, and where it comes from.
  const slots = ["reference", "probe"].map((role) => {
    const canvas = html("canvas", { width: CHIP_SIZE, height: CHIP_SIZE, role: "img", "aria-label": role === "probe" ? "The changed face" : "The reference face" });
    const caption = html("span", { class: "vx-name" });
    const input = html("input", { type: "file", accept: "image/*", class: "vx-file", "aria-label": `Photograph for the ${role}` });
    const pick = html("label", { class: "vx-button" }, "Your photo…", input);
    input.addEventListener("change", () => input.files[0] && replace(role, input.files[0]).finally(() => (input.value = "")));
    const title = role === "probe" ? "Changed" : "Reference";
    return { role, canvas, caption, figure: html("figure", { class: "vx-face" }, canvas, html("figcaption", {}, html("strong", {}, title), caption, pick)) };
  });
  const [reference, probe] = slots;

  // Controls.
  const controls = html("div", { class: "vx-controls" });
  const inputs = {};
  const show = (slider) => {
    const value = settings[slider.key];
    inputs[slider.key].value = value;
    inputs[slider.key].output.textContent = `${Number(value.toFixed(2))}${slider.unit ? (slider.unit === "°" || slider.unit === "×" ? slider.unit : " " + slider.unit) : ""}`;
  };
  const groups = new Map();
  for (const slider of SLIDERS) {
    if (!groups.has(slider.group)) {
      groups.set(slider.group, html("fieldset", {}, html("legend", {}, slider.group)));
      controls.append(groups.get(slider.group));
    }
    const group = groups.get(slider.group);
    if (slider.key === "cover") {
      const choice = html("select", { "aria-label": "What covers the face", onchange: () => change("occluder", choice.value) });
      for (const [value, text] of Object.entries(OCCLUDER_NAMES)) choice.append(html("option", { value }, text));
      choice.value = settings.occluder;
      inputs.occluder = choice;
      group.append(choice);
    }
    const input = html("input", { type: "range", min: slider.range[0], max: slider.range[1], step: slider.step, "data-key": slider.key });
    input.output = html("output", {});
    input.addEventListener("input", () => change(slider.key, Number(input.value), slider));
    inputs[slider.key] = input;
    group.append(html("label", { class: "vx-slider" }, html("span", {}, slider.name), input, input.output));
    show(slider);
  }
  const mirror = html("button", { type: "button", class: "vx-button", "aria-pressed": String(settings.mirror), onclick: () => change("mirror", !settings.mirror) }, "Mirror");
  const reset = html("button", { type: "button", class: "vx-button", onclick: () => { Object.assign(settings, NEUTRAL); refresh(); } }, "Reset");
  controls.append(html("div", { class: "vx-buttons" }, mirror, reset));

  // Answers.
  const verdict = html("p", { class: "vx-verdict", "aria-live": "polite" }, "…");
  const explain = html("p", { class: "vx-explain" });
  const distances = distancePlot({ ...model.get("histograms"), threshold });
  const sweep = html("div", {});
  const bars = html("div", {});
  const small = (text) => html("p", { class: "vx-small" }, text);
  el.classList.add("vx");
  // In this order on a phone, two by two on a desk.
  el.append(
    html("div", { class: "vx-grid" },
      html("div", { class: "vx-faces" }, ...slots.map((s) => s.figure)),
      html("div", { class: "vx-answers" }, verdict, explain, distances.root),
      controls,
      html("div", { class: "vx-answers" },
        small("Distance along the slider that you moved last"), sweep,
        small("The embedding's 128 numbers: bars, the reference; dots, the changed face"), bars)),
    status);

  let swept = SLIDERS[0];
  let generation = 0; // of the faces and settings; an answer to an older question is dropped
  let busy = false;
  let idle = null;

  function change(key, value, slider) {
    settings[key] = value;
    if (slider) swept = slider;
    else if (key === "occluder") swept = SLIDERS.find((s) => s.key === "cover");
    refresh();
  }

  function refresh() {
    SLIDERS.forEach(show);
    inputs.occluder.value = settings.occluder;
    mirror.setAttribute("aria-pressed", String(settings.mirror));
    generation += 1;
    clearTimeout(idle);
    model.set("values", { ...settings });
    if (probe.source) draw();
    if (!busy) answer();
  }

  function draw() {
    reference.chip = corrupt(reference.source, NEUTRAL);
    probe.chip = corrupt(probe.source, settings);
    for (const slot of slots) slot.canvas.getContext("2d").putImageData(toImageData(slot.chip), 0, 0);
  }

  const between = (a, b) => Math.sqrt(a.reduce((s, v, i) => s + (v - b[i]) ** 2, 0));

  async function answer() {
    if (!backend.current || !probe.chip) return;
    busy = true;
    try {
      await backend.current.ready;
      for (let asked = -1; asked !== generation; ) {
        asked = generation;
        reference.embedding ??= await backend.current.embed(reference.chip);
        const embedding = await backend.current.embed(probe.chip);
        const d = between(reference.embedding, embedding);
        report(d, embedding);
        if (asked === generation) idle = setTimeout(() => trace(asked, d), 250);
      }
    } catch (error) {
      say(error.message, true);
    } finally {
      busy = false;
    }
  }

  function report(d, embedding) {
    const [farther, nearer] = distances.shares(d);
    const percent = (share) => (share === 0 ? "none" : share < 0.001 ? "under 0.1%" : share > 0.999 && share < 1 ? "over 99.9%" : `${(100 * share).toFixed(1)}%`);
    const same = d < threshold;
    verdict.replaceChildren(html("strong", {}, d.toFixed(2)), ` ${same ? "reads as the same person" : "reads as somebody else"}`);
    verdict.classList.toggle("vx-is-different", !same);
    verdict.dataset.distance = d.toFixed(4);
    el.dataset.ready = "true";
    explain.textContent = `Threshold ${threshold.toFixed(2)}. Of real pairs, ${percent(farther)} of one person's are as far apart or farther, and ${percent(nearer)} of two people's are as near or nearer.`;
    distances.move(d);
    bars.replaceChildren(embeddingPlot(reference.embedding, embedding));
    sweep.replaceChildren(sweepPlot({ ...swept, points: [], now: [settings[swept.key], d], threshold }));
  }

  // The whole curve of one slider, a point at a time, given up as soon as the reader moves on.
  async function trace(asked, d) {
    const [low, high] = swept.range;
    const points = [];
    for (let i = 0; i < SWEEP_POINTS && asked === generation; i++) {
      const value = low + ((high - low) * i) / (SWEEP_POINTS - 1);
      const embedding = await backend.current.embed(corrupt(probe.source, { ...settings, [swept.key]: value }));
      if (asked !== generation) return;
      points.push([value, between(reference.embedding, embedding)]);
      sweep.replaceChildren(sweepPlot({ ...swept, points, now: [settings[swept.key], d], threshold }));
      await new Promise((next) => setTimeout(next)); // let the page breathe
    }
    if (asked === generation) sweep.dataset.traced = swept.key;
  }

  async function replace(role, file) {
    say(`Looking for a face in ${file.name}…`);
    try {
      const face = await backend.current.face(file);
      for (const slot of role === "reference" ? slots : [probe]) {
        slot.source = face;
        slot.embedding = null;
        slot.caption.textContent = file.name;
      }
      say(staticRoot() ? "Your photograph stays in this page: nothing is sent anywhere." : "");
      refresh();
    } catch (error) {
      say(error.message, true);
    }
  }

  // Both slots begin with the first face that the notebook supplied.
  (async () => {
    const [face] = model.get("faces");
    const source = await decode(face.image);
    for (const slot of slots) {
      slot.source = source;
      slot.caption.textContent = face.name;
    }
    draw();
    whenVisible(el, async () => {
      try {
        say("Loading the recogniser…");
        backend.current = staticRoot()
          ? pageBackend((share, bytes) => say(`Loading the recogniser: ${share ? Math.round(100 * share) + "%" : (bytes / 1e6).toFixed(1) + " MB"}`))
          : kernelBackend(model);
        await backend.current.ready;
        say(staticRoot() ? "The recogniser runs in this page; a photograph that you choose does not leave it." : "");
        refresh();
      } catch (error) {
        say(error.message, true);
      }
    });
  })();
  return () => { generation += 1; clearTimeout(idle); };
}

export default { render };
