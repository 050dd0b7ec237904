// Small SVG plots in the page's own colours: they follow light and dark because they use its CSS variables.

const NS = "http://www.w3.org/2000/svg";

export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(NS, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

export function html(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)},${y.toFixed(1)}`).join("");

// An axis box: scale x in [x0, x1] and y in [y0, y1] to pixels, with ticks below and a label.
export function axes({ width, height, x, y, ticks, label, title, margin = { left: 12, right: 12, top: 18, bottom: 38 } }) {
  const px = (v) => margin.left + ((v - x[0]) / (x[1] - x[0])) * (width - margin.left - margin.right);
  const py = (v) => height - margin.bottom - ((v - y[0]) / (y[1] - y[0])) * (height - margin.top - margin.bottom);
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title, class: "vx-plot" });
  const base = height - margin.bottom;
  root.append(svg("line", { x1: margin.left, x2: width - margin.right, y1: base, y2: base, class: "vx-axis" }));
  for (const tick of ticks) {
    const value = typeof tick === "number" ? tick : tick.value;
    const text = typeof tick === "number" ? String(tick) : tick.text;
    root.append(
      svg("line", { x1: px(value), x2: px(value), y1: base, y2: base + 4, class: "vx-axis" }),
      svg("text", { x: px(value), y: base + 17, "text-anchor": "middle", class: "vx-tick" }, text),
    );
  }
  root.append(svg("text", { x: (margin.left + width - margin.right) / 2, y: height - 4, "text-anchor": "middle", class: "vx-label" }, label));
  return { root, px, py, base };
}

// Two overlaid histograms (each scaled to its own total), a threshold and a marker that `move(d)` sets.
export function distancePlot({ edges, same, different, threshold }) {
  const sum = (counts) => counts.reduce((s, c) => s + c, 0);
  const [totalSame, totalDifferent] = [sum(same), sum(different)];
  const shares = [same.map((c) => c / totalSame), different.map((c) => c / totalDifferent)];
  const top = Math.max(...shares[0], ...shares[1]);
  const { root, px, py, base } = axes({
    width: 440, height: 180, x: [0, 1.2], y: [0, top * 1.12], ticks: [0, 0.2, 0.4, 0.6, 0.8, 1, 1.2],
    label: "distance between two embeddings",
    title: "Distances of photograph pairs of the same person and of different people, the threshold, and the present distance.",
  });
  shares.forEach((share, i) => {
    const outline = [[px(edges[0]), base]];
    share.forEach((s, k) => outline.push([px(edges[k]), py(s)], [px(edges[k + 1]), py(s)]));
    outline.push([px(edges[share.length]), base]);
    root.append(svg("path", { d: path(outline) + "Z", class: i ? "vx-different" : "vx-same" }));
  });
  const peak = (share) => { const k = share.indexOf(Math.max(...share)); return (edges[k] + edges[k + 1]) / 2; };
  root.append(
    svg("text", { x: px(peak(shares[0])), y: 12, "text-anchor": "middle", class: "vx-tick vx-same-text" }, "same person"),
    svg("text", { x: px(peak(shares[1])), y: 12, "text-anchor": "middle", class: "vx-tick vx-different-text" }, "different people"),
    svg("line", { x1: px(threshold), x2: px(threshold), y1: 20, y2: base, class: "vx-threshold" }),
  );
  const marker = svg("g", { class: "vx-marker", visibility: "hidden" });
  marker.append(svg("line", { x1: 0, x2: 0, y1: 22, y2: base }), svg("circle", { cx: 0, cy: base, r: 6 }));
  root.append(marker);
  const tail = (counts, keep) => sum(counts.filter((_, k) => keep((edges[k] + edges[k + 1]) / 2)));
  return {
    root,
    move(d) {
      marker.setAttribute("visibility", "visible");
      marker.setAttribute("transform", `translate(${px(Math.min(1.2, d)).toFixed(1)},0)`);
    },
    // Which share of genuine pairs lies as far apart or farther, and which share of impostor pairs as near or nearer.
    shares: (d) => [tail(same, (m) => m >= d) / totalSame, tail(different, (m) => m <= d) / totalDifferent],
  };
}

// The distance along the slider that was moved last.
export function sweepPlot({ range, name, unit, points, now, threshold }) {
  const middle = (range[0] + range[1]) / 2;
  const format = (v) => `${Number(v.toFixed(2))}`;
  const { root, px, py } = axes({
    width: 440, height: 150, x: range, y: [0, 1.1], ticks: [range[0], middle, range[1]].map((v) => ({ value: v, text: format(v) })),
    label: unit ? `${name} (${unit})` : name, title: `Distance from the reference as ${name} changes.`,
  });
  root.append(
    svg("line", { x1: px(range[0]), x2: px(range[1]), y1: py(threshold), y2: py(threshold), class: "vx-threshold" }),
    svg("text", { x: px(range[0]), y: py(threshold) - 5, class: "vx-tick" }, `threshold ${threshold.toFixed(2)}`),
    svg("path", { d: points.length ? path(points.map(([v, d]) => [px(v), py(Math.min(1.1, d))])) : "", class: "vx-curve" }),
  );
  if (now) root.append(svg("circle", { cx: px(now[0]), cy: py(Math.min(1.1, now[1])), r: 6, class: "vx-dot" }));
  return root;
}

// The 128 numbers of two embeddings: bars for one, dots for the other.
export function embeddingPlot(reference, probe) {
  const [width, height] = [440, 90];
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", class: "vx-plot", "aria-label": "The 128 numbers of both embeddings." });
  const top = Math.max(...[...reference, ...probe].map(Math.abs), 0.1);
  const y = (v) => height / 2 - (Math.max(-top, Math.min(top, v)) / top) * (height / 2 - 6);
  const step = (width - 24) / reference.length;
  root.append(svg("line", { x1: 12, x2: width - 12, y1: height / 2, y2: height / 2, class: "vx-axis" }));
  reference.forEach((v, i) => {
    const x = 12 + (i + 0.5) * step;
    root.append(
      svg("line", { x1: x, x2: x, y1: y(0), y2: y(v), class: "vx-bar" }),
      svg("circle", { cx: x, cy: y(probe[i]), r: 1.6, class: "vx-probe" }),
    );
  });
  return root;
}
