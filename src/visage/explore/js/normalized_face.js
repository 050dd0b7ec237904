// Features to a normal face, in its parts: texture, landmarks, and the texture warped to the landmarks.
import { html } from "./plots.js";
import { faceSlider } from "./face_controls.js";
import { toImageData } from "./image.js";
import { staticRoot, loadNetwork, kernel, whenVisible } from "./runtime.js";
import { portraits } from "./inversion_controls.js";
import { warpFace } from "./face_warp.js";

const SCALE = 4; // of the landmarks' canvas: lines, not pixels
// Runs of the 68 landmarks that are drawn as lines, and whether they close.
const LINES = [[0, 17], [17, 22], [22, 27], [27, 31], [31, 36], [36, 42, true], [42, 48, true], [48, 60, true], [60, 68, true]];

// Features of a walk from a to b, with steps along the directions, in their standard deviations.
export function wantedFeatures({ a, b, walk, steps }, directions) {
  return Float32Array.from(a, (value, i) => {
    const between = value + walk * (b[i] - value);
    return directions.reduce((sum, { vector, spread }, k) => sum + steps[k] * spread * vector[i], between);
  });
}

function pageBackend(name, progress) {
  const network = loadNetwork(name, progress);
  return {
    ready: network,
    async decode(features) {
      const { textures, landmarks } = await (await network)({ features: { data: features, dims: [1, features.length] } });
      return { texture: textures, landmarks };
    },
  };
}

function kernelBackend(model) {
  const ask = kernel(model);
  const floats = (view) => new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
  return {
    ready: Promise.resolve(),
    async decode(features) {
      const { buffers } = await ask({ kind: "decode" }, [features.slice().buffer]);
      return { texture: floats(buffers[0]), landmarks: floats(buffers[1]) };
    },
  };
}

function render({ model, el }) {
  const [people, directions, mean, size] = ["people", "directions", "mean", "size"].map((key) => model.get(key));
  const state = { a: 0, b: 1, walk: 0, steps: directions.map(() => 0), ...model.get("values") };
  const status = html("p", { class: "vx-status", role: "status" });
  const say = (text, wrong = false) => {
    status.textContent = text;
    status.classList.toggle("vx-wrong", wrong);
  };
  const canvas = (key, label, side) => html("canvas", { width: side, height: side, role: "img", "aria-label": label, "data-part": key });
  const face = canvas("face", "The normalized face", size);
  face.classList.add("vx-painted");
  const texture = canvas("texture", "Its texture, with all landmarks at the mean ones", size);
  const points = canvas("landmarks", "Its landmarks, over the mean ones", SCALE * size);
  const figure = (picture, caption) => html("figure", { class: "vx-face" }, picture, html("figcaption", {}, caption));

  const ends = ["a", "b"].map((key) => ({ key, image: html("img", { alt: "" }) }));
  const walk = html("input", { type: "range", min: 0, max: 1, step: 0.01, "data-key": "walk" });
  const walked = html("output", {});
  walk.addEventListener("input", () => change({ walk: Number(walk.value) }));
  const picks = [portraits("From", people, (a) => change({ a })), portraits("To", people, (b) => change({ b }))];
  const sliders = directions.map(({ name }, k) =>
    faceSlider({
      key: `direction-${k}`, name, range: [-3, 3], step: 0.05,
      format: (v) => (v === 0 ? "0" : `${v > 0 ? "+" : "−"}${Math.abs(v).toFixed(2)} σ`),
      onInput: (v) => change({ steps: state.steps.map((old, i) => (i === k ? v : old)) }),
    }));
  const reset = html("button", { type: "button", class: "vx-button", onclick: () => change({ steps: directions.map(() => 0) }) }, "Reset the directions");
  const small = (text) => html("p", { class: "vx-small" }, text);
  el.classList.add("vx", "vx-inversion", "vx-normalized");
  el.append(
    html("div", { class: "vx-grid" },
      html("div", { class: "vx-stack" },
        html("div", { class: "vx-trio" }, figure(face, "normalized face"), figure(texture, "texture"), figure(points, "landmarks")),
        html("div", { class: "vx-walk" }, ends[0].image, html("label", {}, "Walk from one to the other", walk, walked), ends[1].image),
        ...picks.map((pick) => pick.root)),
      html("div", { class: "vx-stack" },
        html("fieldset", {}, html("legend", {}, "Directions in which features differ most"), ...sliders.map((slider) => slider.root)),
        html("div", { class: "vx-buttons" }, reset),
        small("σ is the spread over the people that the decoder learned from. A name says with what a direction goes along in them, and nothing of what causes it."))),
    status);

  let [backend, busy, wanted] = [null, false, 0];

  function change(some) {
    Object.assign(state, some);
    model.set("values", { ...state });
    model.save_changes?.();
    refresh();
  }

  function refresh() {
    walk.value = state.walk;
    walked.textContent = `${Math.round(100 * state.walk)}% of the way`;
    walk.setAttribute("aria-valuetext", `${walked.textContent} from ${people[state.a].name} to ${people[state.b].name}`);
    sliders.forEach((slider, k) => slider.show(state.steps[k]));
    picks[0].show(state.a);
    picks[1].show(state.b);
    ends.forEach(({ key, image }) => {
      const person = people[state[key]];
      if (image.src !== person.face) image.src = person.face;
      image.alt = `A picture of ${person.name}`;
    });
    wanted += 1;
    face.dataset.wanted = wanted;
    if (backend && !busy) answer();
  }

  async function answer() {
    busy = true;
    try {
      for (let done = -1; done !== wanted; ) {
        done = wanted;
        const began = performance.now();
        const features = wantedFeatures({ ...state, a: people[state.a].features, b: people[state.b].features }, directions);
        const decoded = await backend.decode(features);
        draw({ width: size, height: size, data: decoded.texture }, pairs(decoded.landmarks));
        face.dataset.milliseconds = (performance.now() - began).toFixed(1);
        await new Promise((next) => setTimeout(next)); // let the page breathe
      }
      face.dataset.settled = wanted;
    } catch (error) {
      say(error.message, true);
    } finally {
      busy = false;
    }
  }

  function draw(picture, landmarks) {
    texture.getContext("2d").putImageData(toImageData(picture), 0, 0);
    face.getContext("2d").putImageData(toImageData(warpFace(picture, mean, landmarks)), 0, 0);
    const pen = points.getContext("2d");
    pen.clearRect(0, 0, points.width, points.height);
    const style = getComputedStyle(el);
    trace(pen, mean, style.getPropertyValue("--vx-muted") || "#888", 1.5);
    trace(pen, landmarks, style.getPropertyValue("--vx-accent") || "#0072b2", 4);
  }

  const still = new Image();
  still.onload = () => face.dataset.settled || face.getContext("2d").drawImage(still, 0, 0, size, size);
  still.src = model.get("still");
  refresh();
  whenVisible(el, async () => {
    try {
      say("Loading the decoder…");
      const loading = staticRoot() ? pageBackend(model.get("network"), (share, bytes) => say(`Loading the decoder: ${share ? Math.round(100 * share) + "%" : (bytes / 1e6).toFixed(1) + " MB"}`)) : kernelBackend(model);
      await loading.ready;
      backend = loading;
      say(staticRoot() ? "The decoder runs in this page." : "");
      refresh();
      el.dataset.ready = "true";
    } catch (error) {
      say(`${error.message} The picture shows the first person as the library decodes it.`, true);
    }
  });
  return () => { wanted += 1; };
}

function pairs(flat) {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]);
}

function trace(pen, landmarks, colour, width) {
  Object.assign(pen, { strokeStyle: colour, lineWidth: width, lineJoin: "round", lineCap: "round" });
  for (const [first, end, closed] of LINES) {
    pen.beginPath();
    landmarks.slice(first, end).forEach(([x, y], i) => pen[i ? "lineTo" : "moveTo"](SCALE * (x + 0.5), SCALE * (y + 0.5)));
    if (closed) pen.closePath();
    pen.stroke();
  }
}

export default { render };
