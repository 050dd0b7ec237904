// Controls and small plots of the face explorer: made of plain inputs, so that the keyboard works.
import { html, svg } from "./plots.js";

// A labelled slider: { root, show(value) }. `format` says the value in words beside it.
export function faceSlider({ key, name, range: [low, high], step, format, onInput }) {
  const input = html("input", { type: "range", min: low, max: high, step, "data-key": key });
  const output = html("output", {});
  input.addEventListener("input", () => onInput(Number(input.value)));
  const root = html("label", { class: "vx-slider" }, html("span", {}, name), input, output);
  const show = (value) => {
    input.value = value;
    output.textContent = format(value);
    input.setAttribute("aria-valuetext", output.textContent);
  };
  return { root, input, show };
}

// A row of buttons of which one is pressed: { root, show(value) }.
export function choice(label, values, names, onChoose) {
  const buttons = values.map((value) => html("button", { type: "button", class: "vx-button", "data-value": value, onclick: () => onChoose(value) }, names[value] ?? value));
  const root = html("div", { class: "vx-choice", role: "group", "aria-label": label }, ...buttons);
  const show = (value) => buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.value === value)));
  return { root, show };
}

// Panels of which one shows, with the keys of the ARIA tab pattern.
export function tabs(label, panels) {
  const number = Math.random().toString(36).slice(2, 8); // several explorers may share a page
  const names = Object.keys(panels);
  const heads = names.map((name, i) => html("button", { type: "button", role: "tab", id: `vx-${number}-tab-${i}`, "aria-controls": `vx-${number}-panel-${i}`, onclick: () => select(i) }, name));
  const bodies = names.map((name, i) => html("div", { role: "tabpanel", id: `vx-${number}-panel-${i}`, "aria-labelledby": `vx-${number}-tab-${i}`, class: "vx-panel" }, ...panels[name]));
  function select(chosen, focus = false) {
    heads.forEach((head, i) => {
      head.setAttribute("aria-selected", String(i === chosen));
      head.tabIndex = i === chosen ? 0 : -1;
      bodies[i].hidden = i !== chosen;
    });
    if (focus) heads[chosen].focus();
  }
  const list = html("div", { class: "vx-tabs", role: "tablist", "aria-label": label }, ...heads);
  list.addEventListener("keydown", (event) => {
    const at = heads.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: heads.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    select((to + heads.length) % heads.length, true);
  });
  select(0);
  return html("div", {}, list, ...bodies);
}

// A strip of bars about zero: { root, show(values) }.
export function barStrip(title, count, limit, classes = "vx-strip-bars") {
  const [width, height] = [400, 44];
  const bars = svg("path", { class: classes });
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "vx-plot vx-strip", role: "img", "aria-label": title, preserveAspectRatio: "none" });
  root.append(svg("line", { x1: 0, x2: width, y1: height / 2, y2: height / 2, class: "vx-axis" }), bars);
  const show = (values) => {
    const wide = width / count;
    let d = "";
    values.forEach((value, i) => {
      const tall = (Math.max(-limit, Math.min(limit, value)) / limit) * (height / 2 - 1);
      if (Math.abs(tall) > 0.2) d += `M${(i * wide).toFixed(1)},${height / 2}h${(0.78 * wide).toFixed(1)}v${(-tall).toFixed(1)}h${(-0.78 * wide).toFixed(1)}z`;
    });
    bars.setAttribute("d", d);
  };
  return { root, show };
}
