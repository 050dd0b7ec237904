// Controls and plots of the two explorers of part I, of plain inputs, so that the keyboard works.
import { html, svg } from "./plots.js";

// One of several pictures: { root, show(number) }. Radio buttons: arrow keys go from one to the next.
export function portraits(label, people, onChoose) {
  const group = `vx-${Math.random().toString(36).slice(2, 8)}`; // several explorers may share a page
  const inputs = people.map((_, i) => html("input", { type: "radio", name: group, value: i, onchange: () => onChoose(i) }));
  const options = people.map(({ name, face }, i) => {
    const picture = face instanceof Element ? face : html("img", { src: face, alt: "" });
    return html("label", { class: "vx-portrait", title: name }, inputs[i], picture, html("span", { class: "vx-hidden" }, name));
  });
  const root = html("fieldset", { class: `vx-portraits${people.length < 6 ? " vx-few" : ""}`, "data-label": label }, html("legend", {}, label), html("div", {}, ...options));
  return { root, show: (number) => inputs.forEach((input, i) => { input.checked = i === number; }) };
}

// A weight from 0 over `low` (place 1) in decades to `high`: places and weights, for a slider.
export function weightScale(low, high) {
  const top = 1 + Math.log10(high / low);
  return {
    top,
    at: (place) => (place <= 1 ? place * low : low * 10 ** (place - 1)),
    place: (weight) => (weight <= low ? weight / low : 1 + Math.log10(weight / low)),
  };
}

// Two digits that count: 0.0032, 0.15, 12, 4300.
export function brief(value) {
  if (Math.abs(value) < 5e-6) return "0";
  if (value >= 100) return Math.round(value).toLocaleString("en").replaceAll(",", "\u202f");
  return Number(value.toPrecision(2)).toFixed(Math.max(0, 1 - Math.floor(Math.log10(value)))).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}

// Rows of a name, the raw value, the weight and the product, the latter two with bars: { root, show(rows) }.
export function termTable(rows) {
  const cells = rows.map(({ name, what }) => {
    const bar = () => html("i", { "aria-hidden": "true" });
    const made = { raw: html("b", {}), rawBar: bar(), weight: html("td", { class: "vx-times" }), product: html("b", {}), productBar: bar() };
    made.row = html("tr", {}, html("th", { scope: "row" }, name, html("span", {}, what)), html("td", {}, made.raw, made.rawBar), made.weight, html("td", {}, made.product, made.productBar));
    return made;
  });
  const head = html("tr", {}, ...["Term", "by itself", "weight", "in the loss"].map((text) => html("th", { scope: "col" }, text)));
  const root = html("table", { class: "vx-terms" }, html("thead", {}, head), html("tbody", {}, ...cells.map((c) => c.row)));
  const show = (values) => {
    const total = values.reduce((sum, { raw, weight }) => sum + raw * weight, 0);
    values.forEach(({ raw, weight, range }, i) => {
      const product = raw * weight;
      const share = Math.log(Math.max(raw, range[0]) / range[0]) / Math.log(range[1] / range[0]);
      cells[i].raw.textContent = brief(raw);
      cells[i].weight.textContent = weight ? `× ${brief(weight)}` : "off";
      cells[i].product.textContent = weight ? brief(product) : "–";
      cells[i].rawBar.style.setProperty("--share", Math.min(1, Math.max(0, share)).toFixed(3));
      cells[i].productBar.style.setProperty("--share", (total ? product / total : 0).toFixed(3));
    });
  };
  return { root, show };
}

const line = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)},${y.toFixed(1)}`).join("");

// The grid as a sheet: distance from the embedding over distance from the guide, both logarithmic.
// sheet: rows of [x, y]; marks: {text, at: [x, y]}; `move({at, row, column})` sets the point and the curves through it.
export function tradePlot({ x, y, threshold, onChoose }) {
  const [width, height, left, right, top, bottom] = [370, 290, 50, 12, 12, 42];
  const scale = ([low, high], from, to) => (v) => from + (Math.log(Math.min(high, Math.max(low, v)) / low) / Math.log(high / low)) * (to - from);
  const [px, py] = [scale(x.range, left, width - right), scale(y.range, height - bottom, top)];
  const place = ([a, b]) => [px(a), py(b)];
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", class: "vx-plot vx-trade" });
  const base = height - bottom;
  root.append(svg("path", { class: "vx-axis", d: `M${left},${top}V${base}H${width - right}`, fill: "none" }));
  for (const tick of x.ticks) root.append(svg("line", { class: "vx-axis", x1: px(tick), x2: px(tick), y1: base, y2: base + 4 }), svg("text", { x: px(tick), y: base + 17, "text-anchor": "middle" }, brief(tick)));
  for (const tick of y.ticks) root.append(svg("line", { class: "vx-axis", x1: left - 4, x2: left, y1: py(tick), y2: py(tick) }), svg("text", { x: left - 7, y: py(tick) + 4, "text-anchor": "end" }, brief(tick)));
  root.append(
    svg("text", { x: (left + width - right) / 2, y: height - 5, "text-anchor": "middle" }, x.label),
    svg("text", { x: 11, y: (top + base) / 2, "text-anchor": "middle", transform: `rotate(-90 11 ${(top + base) / 2})` }, y.label),
    svg("line", { class: "vx-threshold", x1: left, x2: width - right, y1: py(threshold), y2: py(threshold) }),
    svg("text", { x: width - right, y: py(threshold) - 5, "text-anchor": "end" }, `threshold ${threshold.toFixed(1)}: above, somebody else`),
  );
  const mesh = svg("path", { class: "vx-mesh" });
  const along = [svg("path", { class: "vx-along-row" }), svg("path", { class: "vx-along-column" })];
  const [dots, marks] = [svg("g"), svg("g")];
  const now = svg("circle", { r: 7, class: "vx-now" });
  root.append(mesh, ...along, dots, marks, now);
  return {
    root,
    sheet(rows, known) {
      const columns = rows[0].map((_, c) => rows.map((row) => row[c]));
      mesh.setAttribute("d", [...rows, ...columns].map((points) => line(points.map(place))).join(""));
      dots.replaceChildren(...rows.flatMap((row, r) => row.map((at, c) => {
        const [cx, cy] = place(at);
        const hit = svg("g", { class: "vx-knot", "data-knot": `${r},${c}` }, svg("circle", { cx, cy, r: 10, fill: "transparent" }), svg("circle", { cx, cy, r: 2.6 }));
        hit.addEventListener("click", () => onChoose(r, c));
        return hit;
      })));
      marks.replaceChildren(...known.flatMap(({ text, at, plain }) => {
        const [cx, cy] = place(at);
        const after = cx < 0.7 * width;
        const said = svg("text", { x: after ? cx + 9 : cx - 9, y: cy + 4, "text-anchor": after ? "start" : "end" }, text);
        return plain ? [said] : [svg("path", { class: "vx-mark", d: `M${cx - 5},${cy}L${cx},${cy - 5}L${cx + 5},${cy}L${cx},${cy + 5}Z` }), said];
      }));
    },
    move({ at, row, column, words }) {
      const [cx, cy] = place(at);
      now.setAttribute("cx", cx.toFixed(1));
      now.setAttribute("cy", cy.toFixed(1));
      along[0].setAttribute("d", line(row.map(place)));
      along[1].setAttribute("d", line(column.map(place)));
      root.setAttribute("aria-label", words);
    },
  };
}

// Distances as bars on one scale with the threshold: rows {key, group, name}; show({key: distance or null}).
export function distanceBars({ rows, threshold, top }) {
  const [width, left, right, pitch, gap] = [380, 130, 40, 24, 22];
  const px = (v) => left + (Math.min(top, v) / top) * (width - left - right);
  const root = svg("svg", { role: "img", class: "vx-plot vx-distances" });
  let [at, group] = [16, null];
  const bars = new Map();
  const rule = (x, from, to, kind) => root.append(svg("line", { class: kind, x1: x, x2: x, y1: from, y2: to }));
  for (const [i, row] of rows.entries()) {
    if (row.group !== group) {
      root.append(svg("text", { x: 0, y: at + 4, class: "vx-group" }, row.group));
      at += gap;
      group = row.group;
    }
    const bar = svg("rect", { x: left, y: at - 7, height: 14, rx: 2, width: 0 });
    const value = svg("text", { y: at + 4.5, class: "vx-value" });
    root.append(svg("text", { x: left - 8, y: at + 4.5, "text-anchor": "end" }, row.name), bar);
    rule(left, at - pitch / 2, at + pitch / 2, "vx-axis");
    rule(px(threshold), at - pitch / 2, at + pitch / 2, "vx-threshold");
    root.append(value);
    bars.set(row.key, { bar, value, name: `${row.group}, ${row.name}` });
    at += pitch + (rows[i + 1]?.group === row.group ? 0 : 8);
  }
  root.setAttribute("viewBox", `0 0 ${width} ${at + 16}`);
  root.append(svg("text", { x: px(threshold), y: at + 4, "text-anchor": "middle" }, `threshold ${threshold.toFixed(1)}`), svg("text", { x: left, y: at + 4, "text-anchor": "middle" }, "0"));
  return {
    root,
    show(distances) {
      for (const [key, { bar, value }] of bars) {
        const d = distances[key];
        const known = Number.isFinite(d);
        bar.setAttribute("width", known ? Math.max(1, px(d) - left).toFixed(1) : 0);
        bar.setAttribute("class", d < threshold ? "vx-near" : "vx-far");
        value.setAttribute("x", (known ? px(d) : left) + 6);
        value.textContent = known ? d.toFixed(2) : "–";
      }
      root.setAttribute("aria-label", [...bars].map(([key, { name }]) => `${name}: ${Number.isFinite(distances[key]) ? distances[key].toFixed(2) : "not measured"}`).join("; "));
    },
  };
}
