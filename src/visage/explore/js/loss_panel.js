// The five losses as rows that are controls and gauges at once, what the sum is made of, and how terms trade.
import { html, svg } from "./plots.js";
import { brief } from "./inversion_controls.js";

export const STEPS = 24; // places of a slider; place 0 is off

// Places of a slider and weights: 0 is off, 1 to STEPS go from low to high in equal ratios.
export function steppedScale(low, high) {
  return {
    at: (place) => (place <= 0 ? 0 : low * (high / low) ** ((place - 1) / (STEPS - 1))),
    place: (weight) => (weight <= 0 ? 0 : Math.min(STEPS, Math.max(1, 1 + (STEPS - 1) * (Math.log(weight / low) / Math.log(high / low))))),
  };
}

const logShare = (value, [low, high]) => Math.min(1, Math.max(0, Math.log(Math.max(value, low) / low) / Math.log(high / low)));

// A weight as people say it: 0.003, 1.2, off.
export const weightWords = (weight) => (weight > 0 ? brief(weight) : "off");

// One loss: name, slider, weight, and its value as a bar with a tick where the reference weights bring it.
function lossRow({ key, name, what, low, high, range }, number, onInput) {
  const scale = steppedScale(low, high);
  const input = html("input", { type: "range", min: 0, max: STEPS, step: "any", "data-key": key, "aria-label": `Weight of the ${name.toLowerCase()} loss` });
  input.addEventListener("keydown", (event) => { // "any" has no step for the arrow keys
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    input.value = Math.min(STEPS, Math.max(0, Math.round(Number(input.value)) + by));
    input.dispatchEvent(new Event("input", { bubbles: true }));
  });
  const place = () => (Number(input.value) < 0.5 ? 0 : Math.max(1, Number(input.value))); // no weights between off and the least
  input.addEventListener("input", () => onInput(scale.at(place())));
  const [weight, value, times] = [html("output", {}), html("b", {}), html("span", { class: "vx-times" })];
  const [bar, tick] = [html("i", {}), html("s", {})];
  const root = html("div", { class: `vx-loss vx-term-${number}`, "data-term": key },
    html("div", { class: "vx-loss-name" }, html("strong", {}, name), html("span", {}, what)),
    input, weight,
    html("div", { class: "vx-gauge", "aria-hidden": "true" }, bar, tick),
    html("div", { class: "vx-loss-value" }, value, times));
  return {
    root,
    show(now) {
      if (scale.at(place()) !== now) input.value = scale.place(now);
      weight.textContent = weightWords(now);
      input.setAttribute("aria-valuetext", weight.textContent);
      root.classList.toggle("vx-off", !(now > 0));
    },
    gauge(raw, reference) {
      value.textContent = Number.isFinite(raw) ? brief(raw) : "–";
      root.dataset.value = Number.isFinite(raw) ? raw.toPrecision(5) : "";
      bar.style.width = `${(100 * (Number.isFinite(raw) ? logShare(raw, range) : 0)).toFixed(1)}%`;
      const known = Number.isFinite(reference);
      tick.hidden = !known;
      if (known) tick.style.left = `${(100 * logShare(reference, range)).toFixed(1)}%`;
      times.textContent = known && Number.isFinite(raw) ? ratioWords(raw / reference) : "";
    },
  };
}

// "×1.4" against the reference weights; "=" where it is the same to two digits.
export function ratioWords(ratio) {
  if (!Number.isFinite(ratio)) return "";
  if (Math.abs(ratio - 1) < 0.005) return "unchanged";
  return `${ratio > 1 ? "▲" : "▼"} ×${ratio.toPrecision(2)}`;
}

// All rows: { root, show(weights), gauge(values, references) }.
export function lossPanel(terms, onInput) {
  const rows = terms.map((term, i) => lossRow(term, i, (weight) => onInput(i, weight)));
  return {
    root: html("div", { class: "vx-losses", role: "group", "aria-label": "Weights of the five losses" }, ...rows.map((row) => row.root)),
    show: (weights) => rows.forEach((row, i) => row.show(weights[i])),
    gauge: (values, references) => rows.forEach((row, i) => row.gauge(values[i], references?.[i])),
  };
}

// What the weighted sum is made of, as one bar: { root, show(weights, values) }.
export function sumBar(terms) {
  const parts = terms.map((_, i) => html("i", { class: `vx-term-${i}` }));
  const words = html("p", { class: "vx-small" });
  const bar = html("div", { class: "vx-sum", role: "img" }, ...parts);
  const show = (weights, values) => {
    const products = values.map((v, i) => (weights[i] > 0 && Number.isFinite(v) ? weights[i] * v : 0));
    const total = products.reduce((sum, v) => sum + v, 0);
    products.forEach((v, i) => { parts[i].style.flexGrow = total ? v / total : 0; });
    const largest = products.indexOf(Math.max(...products));
    words.textContent = total
      ? `Weight times value, added up: ${brief(total)}, of which ${Math.round((100 * products[largest]) / total)}% is the ${terms[largest].name.toLowerCase()} loss.`
      : "Nothing is asked for: all weights are off.";
    bar.setAttribute("aria-label", terms.map(({ name }, i) => `${name} ${total ? Math.round((100 * products[i]) / total) : 0}%`).join(", "));
  };
  return { root: html("div", { class: "vx-sum-box" }, bar, words), show };
}

const polyline = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)},${y.toFixed(1)}`).join("");

// How all five terms change along one slider, each in times of its value under the reference weights: a log scale.
export function tradePlotOf(terms, { swept, points, references, now }) {
  const [width, height, left, right, top, bottom] = [440, 218, 38, 96, 8, 40];
  const limit = Math.max(2, ...points.flatMap(({ values }) => values.map((v, i) => {
    const ratio = v / references[i];
    return ratio > 0 && Number.isFinite(ratio) ? Math.max(ratio, 1 / ratio) : 1;
  })));
  const reach = Math.log(Math.min(limit, 64) * 1.08);
  const px = (place) => left + (place / STEPS) * (width - left - right);
  const py = (ratio) => top + (height - top - bottom) * (0.5 - Math.max(-1, Math.min(1, Math.log(ratio) / reach)) / 2);
  const { name, low, high } = terms[swept];
  const scale = steppedScale(low, high);
  const words = `All five losses along the weight of the ${name.toLowerCase()} loss, in times of their values under the first weighting.`;
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", class: "vx-plot vx-trade-lines", "aria-label": words });
  const base = height - bottom;
  root.append(svg("path", { class: "vx-axis", d: `M${left},${top}V${base}H${width - right}`, fill: "none" }));
  for (const [place, text] of [[0, "off"], [1, brief(low)], [1 + (STEPS - 1) / 2, brief(scale.at(1 + (STEPS - 1) / 2))], [STEPS, brief(high)]]) {
    if (place === 1) continue; // would lie on "off"
    root.append(svg("line", { class: "vx-axis", x1: px(place), x2: px(place), y1: base, y2: base + 4 }), svg("text", { x: px(place), y: base + 17, "text-anchor": "middle" }, text));
  }
  const half = Math.exp(reach / 1.25);
  const steps = [1 / half, 1, half].map((v) => (v === 1 ? 1 : Number(v.toPrecision(v > 10 ? 2 : 1))));
  for (const ratio of steps) {
    root.append(
      svg("line", { class: ratio === 1 ? "vx-threshold" : "vx-axis", x1: left, x2: width - right, y1: py(ratio), y2: py(ratio) }),
      svg("text", { x: left - 6, y: py(ratio) + 4, "text-anchor": "end" }, `×${brief(ratio)}`));
  }
  root.append(svg("text", { x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" }, `weight of the ${name.toLowerCase()} loss`));
  const ends = [];
  terms.forEach((term, i) => {
    const at = points.filter(({ values }) => values[i] > 0).map(({ place, values }) => [px(place), py(values[i] / references[i])]);
    if (!at.length) return;
    root.append(svg("path", { class: `vx-term-line vx-term-${i}`, d: polyline(at) }));
    ends.push({ i, y: at.at(-1)[1], x: at.at(-1)[0], name: term.name });
    if (now.values[i] > 0) root.append(svg("circle", { class: `vx-term-dot vx-term-${i}`, cx: px(now.place), cy: py(now.values[i] / references[i]), r: 4.5 }));
  });
  // Names at the ends of their lines, pushed apart.
  ends.sort((a, b) => a.y - b.y);
  ends.forEach((end, k) => { end.at = Math.max(end.y, k ? ends[k - 1].at + 15 : top + 6); });
  for (let over = (ends.at(-1)?.at ?? 0) - base, k = ends.length - 1; over > 0 && k >= 0; k--) {
    ends[k].at = Math.min(ends[k].at, k === ends.length - 1 ? base : ends[k + 1].at - 15);
  }
  for (const { i, at, name: said } of ends) root.append(svg("text", { class: `vx-term-name vx-term-${i}`, x: width - right + 8, y: at + 4 }, said.toLowerCase()));
  return root;
}
