// What a walk through an explorer asks of its page: which controls are there, and whether what they change has changed.
(() => {
  const CONTROLS = "input:not([type=hidden]), select, textarea, button, a[download], summary, [role=slider], [tabindex='0']";
  const DRAWN = "canvas, svg, svg g, svg rect, svg circle, svg path, svg polygon";
  // A control's own words, marks and pictures are its echo and no answer.
  const ECHO = "button, select, output, legend, label:has(input), [role=tab]";
  const HANDS = /grab|move|crosshair|resize/;
  const SCRATCH = document.createElement("canvas");
  const pen = SCRATCH.getContext("2d", { willReadFrequently: true });

  const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
  const mix = (hash, value) => Math.imul(hash ^ value, 0x01000193) >>> 0;
  function words(hash, text) {
    const step = Math.max(1, Math.floor(text.length / 600)); // pictures are addresses of a megabyte
    hash = mix(hash, text.length);
    for (let i = 0; i < text.length; i += step) hash = mix(hash, text.charCodeAt(i));
    return hash;
  }
  function picture(hash, canvas) {
    const [width, height] = [canvas.width, canvas.height].map((side) => Math.min(512, side));
    if (!width || !height) return hash;
    Object.assign(SCRATCH, { width, height });
    pen.drawImage(canvas, 0, 0, width, height);
    for (const value of new Uint32Array(pen.getImageData(0, 0, width, height).data.buffer)) hash = mix(hash, value);
    return hash;
  }
  const visible = (element) => element.checkVisibility() && element.getClientRects().length > 0;

  const boxless = (element) => getComputedStyle(element).display === "contents"; // its children are shown

  // A number for all that the explorer shows, apart from its controls' echoes and the control in hand.
  function fingerprint(root, control = null) {
    let hash = 0x811c9dc5;
    function visit(node) {
      if (node.nodeType === Node.TEXT_NODE) { hash = words(hash, node.nodeValue); return; }
      if (node.nodeType !== Node.ELEMENT_NODE || node.matches(ECHO) || !(visible(node) || boxless(node))) return;
      if (node instanceof HTMLCanvasElement) { hash = picture(mix(hash, 1), node); return; }
      if (node === control) return;
      hash = words(hash, node.tagName);
      if (node !== root) for (const { name, value } of node.attributes) if (!/^(data-|aria-|tabindex|title|id|name|value|href)/.test(name)) hash = words(hash, value);
      node.childNodes.forEach(visit);
    }
    visit(root);
    return hash;
  }

  // Waits until nothing has changed for a while: the fingerprint, or null if something always changes.
  async function rest(root, control, calm = 300, most = 30_000) {
    const end = performance.now() + most;
    let [before, since] = [fingerprint(root, control), performance.now()];
    while (performance.now() < end) {
      await sleep(60);
      const now = fingerprint(root, control);
      if (now !== before) [before, since] = [now, performance.now()];
      else if (performance.now() - since > calm) return now;
    }
    return null;
  }

  // Waits for a change: true as soon as there is one.
  async function changed(root, control, before, most) {
    const end = performance.now() + most;
    do {
      await sleep(20);
      if (fingerprint(root, control) !== before) return true;
    } while (performance.now() < end);
    return false;
  }

  function kindOf(element) {
    if (element instanceof HTMLInputElement) return element.type;
    if (element instanceof HTMLAnchorElement) return "download";
    if (element instanceof HTMLTextAreaElement) return "text";
    const tag = element.tagName.toLowerCase();
    if (tag === "select" || tag === "summary") return tag;
    if (tag === "button") return element.getAttribute("role") === "tab" ? "tab" : "button";
    if (HANDS.test(getComputedStyle(element).cursor)) return "drag";
    return getComputedStyle(element).cursor === "pointer" && element instanceof SVGElement ? "mark" : "keys";
  }

  function nameOf(element) {
    const label = element.closest("label")?.cloneNode(true);
    label?.querySelectorAll("output, select").forEach((echo) => echo.remove());
    const named = element.getAttribute("aria-label") || label?.textContent || element.textContent || element.title || element.getAttribute("class") || element.tagName;
    return named.trim().replace(/\s+/g, " ").slice(0, 60);
  }

  // What a hand can do something with on a picture: the outermost elements that offer it, two of a kind.
  function drawnControls(root) {
    const found = [...root.querySelectorAll(DRAWN)].filter((element) => {
      const { cursor, pointerEvents } = getComputedStyle(element);
      const parent = getComputedStyle(element.parentElement).cursor;
      return pointerEvents !== "none" && (HANDS.test(cursor) || (cursor === "pointer" && element instanceof SVGElement)) && cursor !== parent && !element.closest("label, button");
    });
    const seen = new Map();
    return found.filter((element) => {
      const key = `${element.tagName} ${element.getAttribute("class")}`;
      seen.set(key, (seen.get(key) ?? 0) + 1);
      return seen.get(key) <= 2;
    });
  }

  // Every control that can be seen: {id, kind, name, key, disabled, chosen, group}.
  let count = 0;
  function controls(root) {
    const all = new Set([...root.querySelectorAll(CONTROLS), ...drawnControls(root)]);
    const ordered = [...all].sort((a, b) => (a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1));
    const names = new Map();
    return ordered.filter(visible).map((element) => {
      element.dataset.walk ??= String(++count);
      const [kind, name] = [kindOf(element), nameOf(element)];
      const key = element.dataset.key ?? element.dataset.value ?? element.dataset.toggle ?? "";
      const group = element.closest("[role=group], [role=radiogroup], [role=tablist], fieldset")?.getAttribute("aria-label") ?? element.closest("fieldset")?.querySelector("legend")?.textContent ?? "";
      const same = [kind, group, key || name.replace(/[−-]?\d[\d.,]*/g, "0")].join(" | ");
      names.set(same, (names.get(same) ?? 0) + 1);
      return {
        id: element.dataset.walk, kind, name, key, group, sign: `${same} | ${names.get(same)}`,
        disabled: element.disabled === true || element.getAttribute("aria-disabled") === "true",
        chosen: element.checked === true || element.getAttribute("aria-pressed") === "true" || element.getAttribute("aria-selected") === "true",
      };
    });
  }

  // Puts every slider and switch of numbers away from where it rests, as a reader who plays does.
  function stir(root) {
    for (const input of root.querySelectorAll("input[type=range], input[type=number]")) {
      if (input.disabled || !visible(input)) continue;
      const [low, high] = [Number(input.min || 0), Number(input.max || 100)];
      const step = Number(input.step) || 1;
      const to = low + 0.72 * (high - low);
      input.value = low + step * Math.round((to - low) / step);
      input.dispatchEvent(new Event("input", { bubbles: true }));
      input.dispatchEvent(new Event("change", { bubbles: true }));
    }
  }

  // A place in the window where a mark can be hit, for neighbours may lie over its middle; null if there is none.
  function pointOn(element) {
    const box = element.getBoundingClientRect();
    const shares = [0.5, 0.3, 0.7, 0.15, 0.85];
    for (const u of shares) for (const v of shares) {
      const [x, y] = [box.left + u * box.width, box.top + v * box.height];
      if (element.contains(document.elementFromPoint(x, y))) return [x, y];
    }
    return null;
  }

  // How an element, and what may stand for it, is drawn: it must differ while it has the focus.
  function look(element) {
    const others = [element, element.nextElementSibling, element.closest("label"), ...(element instanceof SVGElement ? element.querySelectorAll("*") : [])];
    return others.filter(Boolean).map((other) => {
      const style = getComputedStyle(other);
      return [style.outline, style.boxShadow, style.stroke, style.strokeWidth, style.borderColor, style.backgroundColor].join();
    }).join(";");
  }

  // Whether Tab should come to a control by itself: of a group that arrows walk through, one is enough.
  function reachedAs(element) {
    if (element instanceof HTMLInputElement && element.type === "radio") return `radio ${element.name}`;
    const roving = element.closest("[role=tablist], svg[role=group]");
    if (roving && roving !== element) return `one of ${(roving.dataset.walkList ??= String(++count))}`;
    return `control ${element.dataset.walk}`;
  }

  // Elements that can have the focus, before and after the explorer.
  function fence(root) {
    return ["beforebegin", "afterend"].map((place) => {
      const post = document.createElement("span");
      post.tabIndex = 0;
      root.insertAdjacentElement(place, post);
      return post;
    });
  }

  // Where the focus is: "outside", or the control's id, what reaching it reaches, and how it looks.
  function focused(root) {
    const element = document.activeElement;
    if (!root.contains(element)) return null;
    element.dataset.walk ??= String(++count);
    return { id: element.dataset.walk, as: reachedAs(element), name: `${element.tagName.toLowerCase()} “${nameOf(element)}”`, look: look(element) };
  }

  const lookOf = (root, id) => { const element = root.querySelector(`[data-walk="${id}"]`); return element && look(element); };
  const wanted = (root) => controls(root).filter(({ disabled, kind }) => !disabled && kind !== "mark").map(({ id, kind, name }) => ({ name: `${kind} “${name}”`, as: reachedAs(root.querySelector(`[data-walk="${id}"]`)) }));

  window.walk = { fingerprint, rest, changed, controls, stir, pointOn, fence, focused, lookOf, wanted };
})();
