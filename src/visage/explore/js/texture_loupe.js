// One large texture with a frame on it, and loupes that show what is in the frame, of several textures side by side.
import { html } from "./plots.js";

// tile: [height, width]; side: texels that a loupe shows; panes: {key: name}; moved([x, y]): the frame's middle, texels.
// shapes: { root: the large picture, loupes: the panes, show(key, bytes), frame([x, y]) }. The pane `main` is large, too.
export function textureLoupe({ tile: [high, wide], side, panes, main, label, moved }) {
  const canvas = html("canvas", { width: wide, height: high, class: "vx-texture", tabindex: 0, role: "img", "aria-label": `${label} Arrow keys move the loupe.`, "data-part": "texture" });
  const mark = html("span", { class: "vx-frame", "aria-hidden": "true" });
  const stage = html("div", { class: "vx-texture-stage" }, canvas, mark);
  const shown = new Map(Object.keys(panes).map((key) => [key, { canvas: html("canvas", { width: side, height: side, role: "img", "aria-label": `Loupe: ${panes[key]}.`, "data-loupe": key }), bytes: null }]));
  const loupes = html("div", { class: "vx-loupes" }, ...[...shown].map(([key, one]) => html("figure", { class: "vx-face" }, one.canvas, html("figcaption", {}, panes[key]))));
  const limit = ([x, y]) => [[x, wide], [y, high]].map(([v, size]) => Math.max(side / 2, Math.min(size - side / 2, v)));
  let at = limit([wide / 2, high / 2]);

  const aim = (event) => {
    const box = canvas.getBoundingClientRect();
    moved(limit([((event.clientX - box.left) / box.width) * wide, ((event.clientY - box.top) / box.height) * high]));
  };
  let held = false;
  canvas.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture?.(event.pointerId);
    held = true;
    aim(event);
  });
  canvas.addEventListener("pointermove", (event) => { if (held) aim(event); });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { held = false; });
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!by) return;
    event.preventDefault();
    moved(limit([at[0] + (by[0] * side) / 4, at[1] + (by[1] * side) / 4]));
  });

  function look() {
    const [left, top] = at.map((v) => Math.round(v - side / 2));
    Object.assign(mark.style, { left: `${(100 * left) / wide}%`, top: `${(100 * top) / high}%`, width: `${(100 * side) / wide}%`, height: `${(100 * side) / high}%` });
    for (const { canvas: one, bytes } of shown.values()) {
      if (bytes) one.getContext("2d").putImageData(new ImageData(bytes, wide, high), -left, -top, left, top, side, side);
    }
  }

  return {
    root: stage, loupes,
    show(key, bytes) {
      if (shown.has(key)) shown.get(key).bytes = bytes;
      if (key === main) canvas.getContext("2d").putImageData(new ImageData(bytes, wide, high), 0, 0);
    },
    frame(place) { at = limit(place); look(); },
  };
}
