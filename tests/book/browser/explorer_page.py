"""What checks of explorers do to a page: move a slider, read a canvas, stand in for a kernel."""

import base64
import io
import json

import numpy as np
from PIL import Image

from visage.explore.javascript import bundle, stylesheet

TIMEOUT = 90_000  # ms that an explorer may take to load

NOTEBOOK = """<!doctype html><html><meta charset="utf-8"><link rel="icon" href="data:,">
<style>{css}</style><body><div id="widget"></div>
<script type="module">
import widget from "./widget.js";
const state = {state};
const listeners = [];
const reply = (id, ...views) => listeners.forEach((listener) => listener({{ id }}, views));
const model = {{
  get: (key) => state[key],
  set: (key, value) => {{ state[key] = value; }},
  on: (_, listener) => listeners.push(listener),
  send: async (content, _, buffers) => {{ {kernel} }},
}};
widget.render({{ model, el: document.getElementById("widget") }});
</script>"""

SENDS_FILES = """
    const file = await fetch("./" + content.name);
    reply(content.id, new DataView(await file.arrayBuffer()));
"""
"""A kernel that answers with the file that is asked for."""


NO_WEBGL = """
    const before = HTMLCanvasElement.prototype.getContext;
    HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
      return kind === "webgl2" ? null : before.call(this, kind, ...more);
    };
"""
"""Lets a page believe that its browser cannot draw with WebGL 2."""


def painted(page):
    """Wait until everything that was asked for is on the screen."""
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() =>"
        " setTimeout(done, 30))))"
    )
    return page


def answered(page, explorer, mark="ready"):
    """Scroll to an explorer, which starts to load then, and wait until it bears a mark."""
    page.locator(explorer).wait_for(state="attached", timeout=TIMEOUT)
    page.locator(explorer).scroll_into_view_if_needed()
    page.wait_for_selector(f"{explorer}[data-{mark}]", state="attached", timeout=TIMEOUT)
    return painted(page)


def settled(page, canvas):
    """Wait until the networks have answered to what was asked of a canvas last."""
    page.wait_for_timeout(80)
    page.wait_for_function(
        "(which) => { const d = document.querySelector(which).dataset;"
        " return d.settled !== undefined && d.settled === d.wanted; }",
        arg=canvas,
        timeout=TIMEOUT,
    )
    return page


def drag(element, path, *, modifier=None):
    """Press at the first place (shares of its sides), go over the others, let go."""
    page, box = element.page, element.bounding_box()
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in path]
    if modifier:
        page.keyboard.down(modifier)
    page.mouse.move(*at[0])
    page.mouse.down()
    for place in at[1:]:
        page.mouse.move(*place, steps=3)
    page.mouse.up()
    if modifier:
        page.keyboard.up(modifier)
    painted(page)


def slide(page, selector, place, rest=120):
    """Put a slider somewhere, and let the picture settle for `rest` milliseconds."""
    page.locator(selector).evaluate(
        "(e, value) => { e.value = value; e.dispatchEvent(new Event('input', {bubbles: true})); }",
        place,
    )
    page.wait_for_timeout(rest)


def pixels(page, selector):
    """A canvas as (H, W, 3) in [0, 1], whatever its size on the screen."""
    url = page.locator(selector).evaluate("e => e.toDataURL()")
    data = base64.b64decode(url.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=float) / 255


def fits(page, selector, width):
    """Whether neither the explorer nor the page scrolls sideways."""
    inside = page.locator(selector).evaluate("e => e.scrollWidth <= e.clientWidth")
    return inside and page.evaluate("document.documentElement.scrollWidth") <= width


def write_notebook(folder, script, styles, state, kernel):
    """A page that shows a widget as a notebook does.

    Args:
        folder: to write it to; it becomes `index.html`.
        script: of the explorer.
        styles: its style sheets.
        state: what the Python side knows.
        kernel: JavaScript that answers `content` (and `buffers`) with `reply(content.id, ...)`.
    """
    (folder / "widget.js").write_text(bundle(script))
    page = NOTEBOOK.format(css=stylesheet(*styles), state=json.dumps(state), kernel=kernel)
    (folder / "index.html").write_text(page)
