// A head with known answers: the morphable model, live. Every number that makes the picture is on the page.
import { html, svg } from "./plots.js";
import { staticRoot, kernel, whenVisible } from "./runtime.js";
import { openFace, makeHead, readLabels, setLabel, isPlausible, distanceFromMean, rotationMatrix, projectVertex, landmarkVertices } from "./face_model.js";
import { makeLight, lightCoefficients } from "./face_light.js";
import { makeView, decodePictures, VIEWS, BALL_SHARE } from "./face_view.js";
import { faceSlider, choice, tabs, barStrip } from "./face_controls.js";

const VIEW_NAMES = { shaded: "Picture", albedo: "Albedo", normals: "Normals", depth: "Depth", pncc: "PNCC", uv: "Texture map", wireframe: "Mesh" };
const LABELS = [
  ["sex", "Sex", (v) => (v < 0.2 ? "female" : v > 0.8 ? "male" : v.toFixed(2))],
  ["age", "Age", (v) => `${v.toFixed(0)} years`],
  ["weight", "Weight", (v) => v.toFixed(2)],
  ["face_length", "Face length", (v) => `${v.toFixed(0)} mm`],
  ["jaw_width", "Jaw width", (v) => `${v.toFixed(0)} mm`],
  ["nose_length", "Nose length", (v) => `${v.toFixed(1)} mm`],
  ["nose_width", "Nose width", (v) => v.toFixed(2)],
  ["mouth_width", "Mouth width", (v) => `${v.toFixed(1)} mm`],
  ["lip_fullness", "Lips", (v) => `${v.toFixed(1)} mm`],
  ["eye_distance", "Eye distance", (v) => `${v.toFixed(1)} mm`],
];
const MODES = 5; // principal modes with a slider of their own
const ACTIONS = ["jawOpen", "mouthSmileLeft", "mouthSmileRight", "browInnerUp", "eyeBlinkLeft", "eyeBlinkRight", "mouthPucker", "cheekPuff"];
const DEGREES = Math.PI / 180;
const MORPH = 420; // ms from one person to the next
const SLOW = 40; // ms a frame; slower than this, the moving picture is drawn coarser

const capital = (text) => text[0].toUpperCase() + text.slice(1);
const words = (name) => capital(name.replace(/([A-Z])/g, " $1").toLowerCase());
const mix = (a, b, t) => a.map((v, i) => v + t * (b[i] - v));
// What a tuft of hair reflects, from its two pigments (visage.faces.hair.colour.melanin_colour).
const hairColour = (dark, red) => [[0.419, 0.187], [0.697, 0.4], [1.37, 1.05]].map(([eu, pheo]) => Math.max(0.006, 0.97 * Math.exp(-5.888 * Math.sqrt(0.08 * 40 ** dark * eu + 1.1 * red * pheo))));
const irisColour = (brown) => (brown < 0.5 ? mix([0.10, 0.19, 0.30], [0.13, 0.13, 0.055], 2 * brown) : mix([0.13, 0.13, 0.055], [0.055, 0.022, 0.009], 2 * brown - 1));

async function loadAsset(model, name) {
  if (!staticRoot()) {
    const { buffers: [view] } = await kernel(model)({ kind: "asset", name });
    return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  }
  const response = await fetch(new URL(`assets/${name}`, staticRoot()));
  if (!response.ok) throw new Error(`${name} could not be loaded (${response.status}).`);
  return new Uint8Array(await response.arrayBuffer());
}

function render({ model, el }) {
  const still = html("img", { class: "vx-still", alt: "A synthetic head, drawn by the library.", src: model.get("still") });
  const canvas = html("canvas", { class: "vx-head", tabindex: 0, role: "application", "aria-label": "The head. Arrow keys turn it, with Shift they roll it; plus and minus bring it nearer." });
  const overlay = svg("svg", { class: "vx-overlay", "aria-hidden": "true" });
  const stage = html("div", { class: "vx-stage" }, still, canvas, overlay);
  const status = html("p", { class: "vx-status", role: "status" });
  const side = html("div", { class: "vx-face-side" });
  const below = html("div", { class: "vx-face-below" });
  el.classList.add("vx", "vx-face-explorer");
  el.append(html("div", { class: "vx-face-grid" }, html("div", { class: "vx-face-column" }, stage, below), side), status);
  let stop = () => {};
  let removed = false;
  whenVisible(el, async () => {
    try {
      status.textContent = "Loading the head…";
      const face = await openFace(await loadAsset(model, "face_basis.bin"));
      const pictures = await decodePictures(face);
      if (removed) return;
      stop = start({ model, face, pictures, el, stage, canvas, overlay, side, below, status });
      stage.classList.add("vx-live");
      status.textContent = "";
      el.dataset.ready = "true";
    } catch (error) {
      status.textContent = `${error.message} The picture shows what the library draws.`;
      status.classList.add("vx-wrong");
    }
  });
  return () => { removed = true; stop(); };
}

function start({ model, face, pictures, el, stage, canvas, overlay, side, below, status }) {
  const view = makeView(canvas, face, pictures);
  const head = makeHead(face);
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const people = face.people_hair.length / 2;
  const state = {
    person: 0, identity: new Float32Array(face.modes), strength: 1, mood: "neutral", moodStrength: 1, actions: {}, other: "tongueOut",
    pose: [0, 0, 0], zoom: 1, light: null, preset: "studio", skin: { melanin: 0.2, haemoglobin: 0.4, freckles: 0, age: 0.1, iris: 0.5, hair: 0.6, red: 0.1 }, view: "shaded", landmarks: false, style: "crop", beard: false,
  };
  const shown = new Float32Array(face.modes); // the identity on its way from one person to the next
  let [moved, dirty, frame, slow, listening] = [true, true, 0, 0, 0];

  const refresh = () => { dirty = true; if (!frame && visible) frame = requestAnimationFrame(tick); };
  const reshape = () => { moved = true; refresh(); };

  // What each control is, and how it shows the state.
  const shows = [];
  const slider = (options, read, write, after = refresh) => {
    const made = faceSlider({ ...options, onInput: (value) => { write(value); after(); showAll(); } });
    shows.push(() => made.show(read()));
    return made.root;
  };
  const showAll = () => { shows.forEach((show) => show()); report(); };
  const group = (name, ...children) => html("fieldset", {}, html("legend", {}, name), ...children);
  const button = (text, onclick) => html("button", { type: "button", class: "vx-button", onclick }, text);

  // Who.
  const plain = (digits) => (v) => v.toFixed(digits);
  const labelSliders = LABELS.map(([key, name, format]) => {
    const l = face.labels.indexOf(key);
    const range = [face.reading_limits[2 * l], face.reading_limits[2 * l + 1]];
    const step = (range[1] - range[0]) / 200;
    return slider({ key, name, range, step, format }, () => readLabels(face, state.identity)[key], (value) => setLabel(face, state.identity, key, value), jump);
  });
  const modeSliders = Array.from({ length: MODES }, (_, k) => slider({ key: `mode-${k}`, name: `α${"₁₂₃₄₅₆₇₈₉"[k]}`, range: [-3.5, 3.5], step: 0.05, format: (v) => `${v.toFixed(2)} σ` }, () => state.identity[k], (value) => { state.identity[k] = value; }, jump));
  const strength = slider({ key: "strength", name: "Likeness", range: [0, 2], step: 0.02, format: (v) => (v === 0 ? "mean head" : v > 1.05 ? `${v.toFixed(2)}, caricature` : v.toFixed(2)) }, () => state.strength, (v) => { state.strength = v; }, jump);
  const number = html("input", { type: "number", min: 1, max: people, "aria-label": `Person, 1 to ${people}`, class: "vx-number" });
  number.addEventListener("change", () => meet(Math.min(people, Math.max(1, Math.round(Number(number.value) || 1))) - 1));
  shows.push(() => { number.value = state.person + 1; });
  const who = [
    html("div", { class: "vx-buttons" }, button("New person", () => meet((state.person + 1 + Math.floor(Math.random() * (people - 1))) % people)), button("Mean head", () => { state.identity.fill(0); state.strength = 1; morph(); showAll(); }), html("label", { class: "vx-inline" }, "No. ", number)),
    group("How much of this person", strength), group("Read off the shape, and moved along it", ...labelSliders), group("Principal modes", ...modeSliders),
  ];

  // Expression.
  const mood = choice("Expression", Object.keys(face.expressions), {}, (name) => { state.mood = name; state.actions = {}; if (!state.moodStrength) state.moodStrength = 1; face_expression(); });
  shows.push(() => mood.show(state.mood));
  const actionValue = (name) => state.actions[name] ?? Math.min(1, state.moodStrength * (face.expressions[state.mood][name] ?? 0));
  const actionSlider = (name) => slider({ key: name, name: words(name), range: [0, 1], step: 0.01, format: plain(2) }, () => actionValue(name), (v) => { state.actions[name] = v; }, act);
  const other = html("select", { "aria-label": "Another facial action" });
  face.actions.forEach((name) => other.append(html("option", { value: name }, words(name))));
  other.value = state.other;
  other.addEventListener("change", () => { state.other = other.value; showAll(); });
  const otherSlider = slider({ key: "other", name: "this one", range: [0, 1], step: 0.01, format: plain(2) }, () => actionValue(state.other), (v) => { state.actions[state.other] = v; }, act);
  const expression = [
    mood.root,
    slider({ key: "mood", name: "Strength", range: [0, 1.2], step: 0.02, format: plain(2) }, () => state.moodStrength, (v) => { state.moodStrength = v; }, act),
    group("Single facial actions", ...ACTIONS.map(actionSlider)), group(`Any of the ${face.actions.length}`, other, otherSlider),
  ];
  function act() {
    face.actions.forEach((name, i) => { head.expression[i] = actionValue(name); });
    reshape();
  }
  function face_expression() { act(); showAll(); }

  // Pose.
  const angle = (v) => `${Math.round(v)}°`;
  const poseSlider = (i, key, name, limit) => slider({ key, name, range: [-limit, limit], step: 1, format: angle }, () => state.pose[i] / DEGREES, (v) => { state.pose[i] = v * DEGREES; });
  const pose = [
    group("Turn of the head", poseSlider(1, "yaw", "Yaw", 100), poseSlider(0, "pitch", "Pitch", 60), poseSlider(2, "roll", "Roll", 60)),
    slider({ key: "zoom", name: "Zoom", range: [1, 3], step: 0.02, format: (v) => `${v.toFixed(2)}×` }, () => state.zoom, (v) => { state.zoom = v; }),
    html("div", { class: "vx-buttons" }, ...[["Frontal", 0], ["Three quarters", 38], ["Profile", 88]].map(([name, yaw]) => button(name, () => { state.pose = [0, yaw * DEGREES, 0]; refresh(); showAll(); }))),
    html("p", { class: "vx-small" }, "Or drag the head. On the head, arrow keys turn, Shift and arrow keys roll, plus and minus zoom."),
  ];

  // Light.
  const lightSlider = (key, name, range, step, format) => slider({ key, name, range, step, format }, () => state.light[key], (v) => { state.light[key] = v; state.preset = ""; });
  const presets = choice("Light", Object.keys(face.lights), {}, (name) => { shine(name); refresh(); showAll(); });
  shows.push(() => presets.show(state.preset));
  shine("studio");
  function shine(name) { state.preset = name; state.light = { ...face.lights[name], key: 1, fill: 1 }; }
  const light = [
    presets.root,
    group("Key light", lightSlider("azimuth", "From the side", [-180, 180], 1, angle), lightSlider("elevation", "From above", [-90, 90], 1, angle), lightSlider("radius", "Softness", [1, 45], 1, (v) => `${v}° wide`), lightSlider("key", "Strength", [0, 2.5], 0.02, (v) => `${v.toFixed(2)}×`)),
    group("Light from all sides", lightSlider("fill", "Strength", [0, 2.5], 0.02, (v) => `${v.toFixed(2)}×`)),
    html("p", { class: "vx-small" }, "Or drag on the white ball in the picture's corner: it is lit like the head."),
  ];

  // Skin.
  const skinSlider = (key, name, format = plain(2)) => slider({ key, name, range: [0, 1], step: 0.01, format }, () => state.skin[key], (v) => { state.skin[key] = v; });
  const styles = choice("Hair style", ["none", "buzz", ...face.hair_styles], { none: "bald", side_part: "side parting", long_wavy: "long" }, (name) => { state.style = name; refresh(); showAll(); });
  shows.push(() => styles.show(state.style));
  const beard = html("input", { type: "checkbox", "data-key": "beard", onchange: () => { state.beard = beard.checked; refresh(); showAll(); } });
  shows.push(() => { beard.checked = state.beard; });
  const skin = [
    group("What colours skin", skinSlider("melanin", "Melanin"), skinSlider("haemoglobin", "Blood"), skinSlider("freckles", "Freckles"), skinSlider("age", "Age spots")),
    group("Hair", styles.root, html("label", { class: "vx-inline" }, beard, " beard")), group("Eyes and hair", skinSlider("iris", "Iris", (v) => (v < 0.25 ? "blue" : v < 0.6 ? "green" : "brown")), skinSlider("hair", "Hair's melanin"), skinSlider("red", "Its red pigment")),
  ];
  side.append(tabs("What makes the picture", { Person: who, Expression: expression, Pose: pose, Light: light, Looks: skin }));

  // Views and numbers.
  const views = choice("What the picture shows", VIEWS, VIEW_NAMES, (name) => { state.view = name; refresh(); showAll(); });
  shows.push(() => views.show(state.view));
  const landmarks = html("input", { type: "checkbox", onchange: () => { state.landmarks = landmarks.checked; refresh(); showAll(); } });
  const strips = { identity: barStrip("The 80 identity coefficients.", face.modes, 3.5), expression: barStrip("The 52 expression coefficients.", face.actions.length, 1.2), light: barStrip("The 27 light coefficients.", 27, 3) };
  const summary = html("p", { class: "vx-answer", "aria-live": "polite" });
  const strip = (name, what, made) => html("figure", { class: "vx-strip-box" }, html("figcaption", {}, html("strong", {}, name), ` ${what}`), made.root);
  below.append(
    views.root, html("label", { class: "vx-inline" }, landmarks, " 68 landmarks"), summary,
    html("div", { class: "vx-strips" }, strip("Identity", `${face.modes} numbers, ±3.5 σ`, strips.identity), strip("Expression", `${face.actions.length} numbers, 0 to 1`, strips.expression), strip("Light", "27 numbers, 9 a colour", strips.light)),
  );

  // The state's consequences.
  function target() { return state.identity.map((a) => state.strength * a); }
  function jump() { shown.set(target()); reshape(); }
  let tween = null;
  function morph() {
    if (calm) return jump();
    tween = { from: shown.slice(), start: performance.now() };
    refresh();
  }
  function meet(person) {
    state.person = person;
    for (let k = 0; k < face.modes; k++) state.identity[k] = face.people[person * face.modes + k] / 4096;
    const looks = face.looks.length;
    face.looks.forEach((name, i) => { state.skin[name] = face.people_looks[looks * person + i] / 255; });
    state.skin.age = Math.min(1, Math.max(0, (readLabels(face, state.identity).age - 28) / 50));
    state.style = face.hair_styles[face.people_hair[2 * person]];
    state.beard = face.people_hair[2 * person + 1] === 1;
    state.strength = 1;
    morph();
    showAll();
  }

  function backdrop() {
    const dark = document.documentElement.dataset.theme === "dark" || document.body.dataset.jpThemeLight === "false";
    const around = scene.light.ambient[0].map((v) => Math.max(0.02, v * 0.282));
    const mean = (around[0] + around[1] + around[2]) / 3;
    const tint = around.map((v) => 0.5 + (0.5 * v) / mean);
    const [inner, outer] = dark ? [0.30, 0.11] : [0.80, 0.52];
    return [inner, outer].map((level) => tint.map((t) => Math.min(1, level * t)));
  }

  // How many copies of each strand this machine can draw in a frame; found by drawing the fewest.
  let share = 0;
  function calibrate() {
    resize(false);
    for (const share_ of [0, 0]) {
      share = share_;
      const began = performance.now();
      view.draw(compose());
      view.finish();
      const took = performance.now() - began; // the second time, nothing is compiled any more
      share = took < 14 ? 1 : took < 30 ? 0.5 : 0;
      slow = took > 60 ? 8 : 0;
      canvas.dataset.took = took.toFixed(1);
    }
  }

  const scene = { head, ball: true };
  function compose() {
    scene.moved = moved;
    scene.pose = state.pose;
    scene.zoom = state.zoom;
    scene.light = makeLight(state.light);
    scene.skin = { ...state.skin, iris: irisColour(state.skin.iris) };
    scene.hair = { colour: hairColour(state.skin.hair, state.skin.red), crop: state.style === "none" ? 0 : 0.9, beard: state.beard ? 0.7 : 0, worn: state.style in face.tufts, styles: ["brows", "lashes", ...(face.tufts[state.style] ? [state.style] : []), ...(state.beard ? ["beard"] : [])] };
    scene.share = share;
    scene.view = state.view;
    scene.backdrop = backdrop();
    return scene;
  }

  function resize(coarse) {
    const css = stage.clientWidth;
    // Hair is finer than a pixel of most screens: a machine that can draws more of them.
    const ratio = Math.min(2, Math.max(window.devicePixelRatio || 1, share === 1 ? 1.5 : 1));
    const size = Math.max(64, Math.round(css * ratio * (coarse ? 0.55 : 1)));
    if (canvas.width !== size) { canvas.width = size; canvas.height = size; }
  }

  let settle = 0;
  function tick(now) {
    frame = 0;
    if (tween) {
      const t = Math.min(1, (now - tween.start) / MORPH);
      const eased = t * t * (3 - 2 * t);
      const to = target();
      for (let k = 0; k < face.modes; k++) shown[k] = tween.from[k] + eased * (to[k] - tween.from[k]);
      moved = true;
      if (t >= 1) tween = null;
    }
    const began = performance.now();
    if (moved) { head.identity.set(shown); head.update(); }
    resize(slow > 3);
    view.draw(compose());
    [moved, dirty] = [false, false];
    overlayLandmarks();
    if (now - last < 120) slow = now - last > SLOW ? Math.min(8, slow + 1) : Math.max(0, slow - 0.05);
    last = now;
    canvas.dataset.frames = Number(canvas.dataset.frames ?? 0) + 1;
    canvas.dataset.milliseconds = (performance.now() - began).toFixed(1);
    strips.identity.show(head.identity);
    strips.expression.show(head.expression);
    strips.light.show(lightCoefficients(scene.light).flat());
    clearTimeout(settle);
    canvas.dataset.still = "false";
    settle = setTimeout(() => { resize(false); view.draw(compose()); report(); canvas.dataset.still = "true"; }, 220);
    if (tween || dirty) refresh();
  }
  let last = 0;

  function overlayLandmarks() {
    overlay.replaceChildren();
    if (!state.landmarks) return;
    const size = stage.clientWidth;
    overlay.setAttribute("viewBox", `-0.5 -0.5 ${size} ${size}`);
    const rotation = rotationMatrix(state.pose);
    for (const v of landmarkVertices(face, state.pose[1])) {
      const [x, y] = projectVertex(face, head.positions, v, rotation, size, state.zoom);
      overlay.append(svg("circle", { cx: x.toFixed(3), cy: y.toFixed(3), r: 2.6, class: "vx-landmark" }));
    }
  }

  // The numbers in words, and to the notebook, once the reader pauses.
  function report() {
    clearTimeout(listening);
    listening = setTimeout(() => {
      const labels = readLabels(face, head.identity);
      const distance = distanceFromMean(face, head.positions);
      const possible = isPlausible(face, head.identity);
      summary.replaceChildren(html("strong", {}, distance.toFixed(2)), ` mm from the mean head. Reads as ${labels.age.toFixed(0)} years, ${labels.sex < 0.5 ? "female" : "male"}. `, possible ? "Somebody could look like this." : "Outside of the people that the model knows.");
      summary.dataset.distance = distance.toFixed(4);
      summary.dataset.plausible = possible;
      model.set("identity", Array.from(head.identity));
      model.set("expression", Object.fromEntries(face.actions.map((name, i) => [name, head.expression[i]]).filter(([, v]) => v)));
      model.set("pose", [...state.pose]);
      model.set("light", makeLight(state.light));
      model.set("skin", { ...state.skin });
      model.set("view", state.view);
      model.save_changes?.();
    }, 160);
  }

  // Hands on the picture.
  let drag = null;
  const ball = (event) => {
    const box = canvas.getBoundingClientRect();
    const [x, y] = [(event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height].map((v) => (v - 0.03) / BALL_SHARE * 2 - 1);
    return [x, y];
  };
  const pointLight = (event) => {
    let [x, y] = ball(event);
    const r = Math.hypot(x, y);
    if (r > 0.999) [x, y] = [x / r * 0.999, y / r * 0.999];
    const z = Math.sqrt(1 - x * x - y * y) * (Math.abs(state.light.azimuth) > 90 ? -1 : 1);
    state.light.azimuth = Math.round(Math.atan2(x, z) / DEGREES);
    state.light.elevation = Math.round(Math.asin(y) / DEGREES);
    state.preset = "";
    refresh();
    showAll();
  };
  const turnBy = (pitch, yaw, roll) => {
    const limit = (v, most) => Math.max(-most * DEGREES, Math.min(most * DEGREES, v));
    state.pose = [limit(state.pose[0] + pitch, 60), limit(state.pose[1] + yaw, 100), limit(state.pose[2] + roll, 60)];
    refresh();
    showAll();
  };
  const on = (target_, name, listener, options) => { target_.addEventListener(name, listener, options); cleanups.push(() => target_.removeEventListener(name, listener, options)); };
  const cleanups = [];
  on(canvas, "pointerdown", (event) => {
    drag = { x: event.clientX, y: event.clientY, light: Math.hypot(...ball(event)) < 1 };
    canvas.setPointerCapture(event.pointerId);
    if (drag.light) pointLight(event);
  });
  on(canvas, "pointermove", (event) => {
    if (!drag) { canvas.style.cursor = Math.hypot(...ball(event)) < 1 ? "crosshair" : "grab"; return; }
    if (drag.light) return pointLight(event);
    const scale = 2.6 / canvas.clientWidth;
    turnBy((event.clientY - drag.y) * scale, (event.clientX - drag.x) * scale, 0);
    Object.assign(drag, { x: event.clientX, y: event.clientY });
  });
  for (const name of ["pointerup", "pointercancel"]) on(canvas, name, () => { drag = null; });
  on(canvas, "dblclick", () => { state.pose = [0, 0, 0]; state.zoom = 1; refresh(); showAll(); });
  on(canvas, "keydown", (event) => {
    const step = 5 * DEGREES;
    const turns = event.shiftKey ? { ArrowLeft: [0, 0, step], ArrowRight: [0, 0, -step] } : { ArrowLeft: [0, -step, 0], ArrowRight: [0, step, 0], ArrowUp: [-step, 0, 0], ArrowDown: [step, 0, 0] };
    const turn = turns[event.key];
    if (event.key === "+" || event.key === "-") { state.zoom = Math.max(1, Math.min(3, state.zoom + (event.key === "+" ? 0.1 : -0.1))); refresh(); showAll(); }
    else if (event.key === "Home") { state.pose = [0, 0, 0]; refresh(); showAll(); }
    else if (!turn) return;
    else turnBy(...turn);
    event.preventDefault();
  });
  on(canvas, "webglcontextrestored", reshape);

  // Work only while somebody can see it.
  let visible = true;
  const watch = new IntersectionObserver((entries) => { visible = entries.at(-1).isIntersecting; if (visible && dirty) refresh(); });
  watch.observe(stage);
  const sized = new ResizeObserver(refresh);
  sized.observe(stage);
  const theme = new MutationObserver(refresh);
  theme.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });

  meet(face.start);
  tween = null;
  shown.set(target());
  head.identity.set(shown);
  head.update();
  calibrate();
  jump();
  showAll();
  return () => {
    cancelAnimationFrame(frame);
    clearTimeout(settle);
    clearTimeout(listening);
    [watch, sized, theme].forEach((observer) => observer.disconnect());
    cleanups.forEach((remove) => remove());
    view.dispose();
  };
}

export default { render };
