// What does a face know about the light? A cast by sliders; eq. 13 and grey world undo it, in the page.
import { html, svg } from "./plots.js";
import { faceSlider } from "./face_controls.js";
import { fromImageData, toImageData } from "./image.js";
import { portraits } from "./inversion_controls.js";
import { castColours, colourErrors, correctColours, faceColour, greyWorld, lampGains, piecewiseShift } from "./colour_correction.js";

const START = { person: 0, stops: -1, mireds: 300, green: 0 };
const CASTS = {
  "No cast": { stops: 0, mireds: 1e6 / 6500, green: 0 },
  "Old lamp": { stops: -0.3, mireds: 370, green: 0 },
  "Blue shade": { stops: -0.8, mireds: 90, green: 0 },
  "Too dark": { stops: -1.5, mireds: 1e6 / 6500, green: 0 },
  "Too bright": { stops: 1, mireds: 1e6 / 6500, green: 0 },
  "Fluorescent tube": { stops: -0.4, mireds: 220, green: 0.3 },
};
const FACES = [["input", "Photograph", "under the cast"], ["ours", "By the face", "eq. 13"], ["grey", "Grey world", ""], ["truth", "Before the cast", ""]];

async function pixelsOf(url) {
  const picture = html("img", { src: url, alt: "" });
  await picture.decode();
  const canvas = html("canvas", { width: picture.naturalWidth, height: picture.naturalHeight });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  return fromImageData(context.getImageData(0, 0, canvas.width, canvas.height));
}

// The three curves of eq. 13, each through its own mean: { root, show(means, targets) }.
function curves() {
  const [side, left, bottom] = [220, 26, 30];
  const [px, py] = [(v) => left + v * (side - 8), (v) => 8 + (1 - v) * (side - 8)];
  const root = svg("svg", { viewBox: `0 0 ${side + left + 4} ${side + bottom + 8}`, role: "img", class: "vx-plot vx-curves", "aria-label": "Eq. 13 for Y, Cr and Cb." });
  root.append(svg("path", { class: "vx-axis", d: `M${px(0)},${py(1)}V${py(0)}H${px(1)}`, fill: "none" }), svg("path", { class: "vx-identity", d: `M${px(0)},${py(0)}L${px(1)},${py(1)}` }));
  for (const tick of [0, 1]) root.append(svg("text", { x: px(tick), y: py(0) + 16, "text-anchor": "middle" }, String(tick)), svg("text", { x: px(0) - 6, y: py(tick) + 4, "text-anchor": "end" }, String(tick)));
  root.append(svg("text", { x: px(0.5), y: py(0) + 26, "text-anchor": "middle" }, "in the photograph"), svg("text", { x: px(0.03), y: py(0.97), "text-anchor": "start" }, "corrected"));
  const lines = ["luma", "cr", "cb"].map((name) => [svg("path", { class: `vx-${name}` }), svg("circle", { r: 4, class: "vx-dot" })]);
  lines.forEach(([path, dot]) => root.append(path, dot));
  const show = (means, targets) => lines.forEach(([path, dot], c) => {
    const [m, t] = [means[c], targets[c]];
    path.setAttribute("d", `M${px(0)},${py(piecewiseShift(0, m, t))}L${px(m)},${py(t)}L${px(1)},${py(piecewiseShift(1, m, t))}`);
    dot.setAttribute("cx", px(m));
    dot.setAttribute("cy", py(t));
  });
  return { root, show };
}

function render({ model, el }) {
  const state = { ...START, ...model.get("values") };
  const [targets, lamps] = [model.get("targets"), model.get("lamps")];
  const status = html("p", { class: "vx-status", role: "status" });
  const shown = Object.fromEntries(FACES.map(([name, label, note]) => {
    const canvas = html("canvas", { role: "img", "aria-label": label, "data-face": name });
    const said = html("span", { class: "vx-name" }, note);
    return [name, { canvas, said, figure: html("figure", { class: "vx-face" }, canvas, html("figcaption", {}, html("strong", {}, label), said)) }];
  }));
  const normal = html("img", { alt: "The normalized face." });
  const wanted = html("figure", { class: "vx-face" }, normal, html("figcaption", {}, html("strong", {}, "Normalized face"), html("span", { class: "vx-name" }, "says what colour it has")));
  const people = portraits("Person", model.get("faces").map((face, i) => ({ name: `Person ${i + 1}`, face })), (person) => change({ person }));
  const slider = (key, name, range, step, format) => faceSlider({ key, name, range, step, format, onInput: (v) => change({ [key]: v }) });
  const sliders = {
    stops: slider("stops", "Exposure", [-2, 2], 0.05, (v) => `${v < 0 ? "−" : "+"}${Math.abs(v).toFixed(2)} stops`),
    mireds: slider("mireds", "Lamp", lamps.range, 2, (v) => `${(Math.round(1e4 / v) * 100).toLocaleString("en").replaceAll(",", "\u202f")} K`),
    green: slider("green", "Green", [-0.4, 0.4], 0.01, (v) => `${v < 0 ? "−" : "+"}${Math.abs(100 * v).toFixed(0)}%`),
  };
  const presets = html("div", { class: "vx-choice", role: "group", "aria-label": "Casts to begin with" }, ...Object.entries(CASTS).map(([text, some]) => html("button", { type: "button", class: "vx-button", onclick: () => change(some) }, text)));
  const group = (name, ...children) => html("fieldset", {}, html("legend", {}, name), ...children);
  const plot = curves();
  el.classList.add("vx", "vx-application", "vx-colour");
  el.append(
    html("div", { class: "vx-grid" },
      html("div", { class: "vx-stack" }, html("div", { class: "vx-colour-faces" }, shown.input.figure, shown.ours.figure, shown.grey.figure, shown.truth.figure, wanted), people.root),
      html("div", { class: "vx-stack" }, group("The cast", ...Object.values(sliders).map(({ root }) => root)), presets,
        html("div", {}, html("p", { class: "vx-small" }, "Eq. 13: ", html("strong", {}, "Y"), " (solid), Cr (dashed), Cb (dotted). The dot is the face's mean; 0 and 1 stay."), plot.root))),
    status);

  let [pictures, frame] = [null, 0];

  function change(some) {
    Object.assign(state, some);
    model.set("values", { ...state });
    model.save_changes?.();
    showControls();
    if (pictures) frame ||= requestAnimationFrame(draw);
  }

  function showControls() {
    people.show(state.person);
    for (const [key, { show }] of Object.entries(sliders)) show(state[key]);
    normal.src = model.get("faces")[state.person];
  }

  function put(name, image) {
    const { canvas } = shown[name];
    if (canvas.width !== image.width) [canvas.width, canvas.height] = [image.width, image.height];
    canvas.getContext("2d").putImageData(toImageData(image), 0, 0);
  }

  function draw() {
    frame = 0;
    const truth = pictures[state.person];
    const lamp = lampGains(lamps, state.mireds);
    const gains = lamp.map((v, c) => v * 2 ** state.stops * (c === 1 ? 1 + state.green : 1));
    const input = castColours(truth, gains);
    const [mean, target] = [faceColour(input), targets[state.person]];
    const made = { input, ours: correctColours(input, mean, target), grey: greyWorld(input), truth };
    for (const [name, image] of Object.entries(made)) {
      put(name, image);
      if (name === "truth") continue;
      const { angle, stops } = colourErrors(image, truth);
      shown[name].said.textContent = `${angle.toFixed(1)}° and ${stops.toFixed(2)} stops off`;
      Object.assign(shown[name].canvas.dataset, { angle: angle.toFixed(4), stops: stops.toFixed(4) });
    }
    plot.show(mean, target);
    el.dataset.drawn = String(1 + Number(el.dataset.drawn ?? 0));
  }

  showControls();
  let gone = false;
  Promise.all(model.get("photographs").map(pixelsOf)).then((found) => {
    if (gone) return;
    pictures = found;
    draw();
    el.dataset.ready = "true";
  }, (error) => {
    status.textContent = error.message;
    status.classList.add("vx-wrong");
  });
  return () => { gone = true; cancelAnimationFrame(frame); };
}

export default { render };
