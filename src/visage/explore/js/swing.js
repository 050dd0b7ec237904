// Heads that turn: by themselves, from side to side, and by hand. Shared by the explorers that show one.

// Draws once a frame when it is asked to, while the stage is on the screen; and every frame while `swings()`, after `turn(yaw)`.
export function makeSwing(stage, { to, seconds, swings, turn, draw, ready }) {
  let [frame, last, phase, visible, gone] = [0, 0, 0, true, false];
  const refresh = () => { if (!gone && visible && ready()) frame ||= requestAnimationFrame(tick); };
  function tick(now) {
    frame = 0;
    if (gone) return;
    const on = swings();
    if (on) {
      phase += Math.min(0.1, (now - (last || now)) / 1000) / seconds; // a page that slept does not jump
      turn(to * Math.sin(2 * Math.PI * phase));
    }
    last = on ? now : 0;
    draw();
    if (on) refresh();
  }
  const watch = new IntersectionObserver((entries) => { visible = entries.at(-1).isIntersecting; last = 0; refresh(); });
  const resize = new ResizeObserver(refresh);
  watch.observe(stage);
  resize.observe(stage);
  return {
    refresh,
    from: (yaw) => { phase = Math.asin(Math.max(-1, Math.min(1, yaw / to))) / (2 * Math.PI); },
    stop: () => { gone = true; cancelAnimationFrame(frame); watch.disconnect(); resize.disconnect(); },
  };
}

// Dragging and arrow keys turn a head: `turn({ yaw, nod })` in degrees. `holds(at)` names what else a press takes hold of,
// and `drag(held, at)` moves it, `at` being the place in the canvas from 0 to 1; with Shift, arrows call `shifted(right, down)`.
export function turnByHand(canvas, { state, turn, holds, drag, shifted, across = 150, along = 100 }) {
  let from = null;
  const place = (event) => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return { x: (event.clientX - left) / width, y: (event.clientY - top) / height, width, height };
  };
  canvas.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture?.(event.pointerId);
    const at = place(event);
    from = { ...at, held: holds(at), yaw: state.yaw, nod: state.nod };
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!from) return;
    const at = place(event);
    if (from.held) drag(from.held, at);
    else turn({ yaw: from.yaw + across * (at.x - from.x), nod: from.nod + (along * (at.y - from.y) * at.height) / at.width });
  });
  for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => { from = null; });
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: [-5, 0], ArrowRight: [5, 0], ArrowUp: [0, -5], ArrowDown: [0, 5] }[event.key];
    if (!by) return;
    event.preventDefault();
    if (event.shiftKey) shifted(...by);
    else turn({ yaw: state.yaw + by[0], nod: state.nod + by[1] });
  });
}
