"""Explorer of the landing page: one photograph, and what each part of the book makes of it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path

import anywidget
import traitlets

from visage.explore.inversion_data import ExplorerDataError
from visage.explore.javascript import bundle, stylesheet
from visage.explore.quiz import SITE

FOLDER = Path(__file__).parent / "landing"
TOOL = "build_landing"
SCRIPT, STYLES = "landing.js", ("explorer.css", "texture_explorers.css", "landing.css")

PICTURES = (
    "photo",
    "chip",
    "expected",
    "face",
    "normal",
    "rest",
    "relief",
    "skin",
    "colour",
    "atlas",
)
"""What the page draws from: WebP files of `FOLDER`."""

STILL = "still"
"""What stands there until the head turns, and where it cannot."""

WORDS, HEAD = "landing.json", "head.bin"

BUDGET = 400_000
"""Bytes that the landing page may load for its explorer."""


class LandingExplorer(anywidget.AnyWidget):
    """Six stages of one face, from 128 numbers to a head that turns; needs no kernel.

    What is seen was made by the shipped networks with `tools/build_landing.py`. The head needs
    WebGL 2; where there is none, a picture of it stands in its place.

    Args:
        told: embedding, distances to it by stage, threshold, tile, box, relief (as
            `visage.explore.relief_explorer.packed` tells it).
        pictures: data URLs by the names of `PICTURES`, and of the still.
        mesh: the head, as `visage.explore.turning_head_explorer.pack_heads` makes it.
        values: what to begin with: stage, yaw, nod, lampRight, lampUp, split, spinning.
    """

    _esm = bundle(SCRIPT)
    _css = stylesheet(*STYLES)

    told = traitlets.Dict().tag(sync=True)
    pictures = traitlets.Dict().tag(sync=True)
    mesh = traitlets.Unicode().tag(sync=True)  # base64
    site = traitlets.Unicode(SITE).tag(sync=True)
    values = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        told: dict,
        pictures: Mapping[str, str],
        mesh: bytes,
        values: Mapping[str, object] | None = None,
    ):
        super().__init__(
            told=told,
            pictures=dict(pictures),
            mesh=base64.b64encode(mesh).decode(),
            values=dict(values or {}),
        )

    @classmethod
    def standard(cls) -> LandingExplorer:
        """The explorer of the book.

        Raises:
            ExplorerDataError: one of its files is missing.
        """
        names = (*PICTURES, STILL)
        return cls(
            json.loads(landing_file(WORDS).read_text(encoding="utf-8")),
            {name: _url(landing_file(f"{name}.webp")) for name in names},
            landing_file(HEAD).read_bytes(),
        )


def landing_file(name: str) -> Path:
    """A tracked file of the explorer.

    Raises:
        ExplorerDataError: it is missing.
    """
    path = FOLDER / name
    if not path.is_file():
        raise ExplorerDataError(
            f"src/visage/explore/landing/{name} is missing; check it out again, or make it in a "
            f"working copy with python -m tools.{TOOL}."
        )
    return path


def landing_module(still: str) -> str:
    """The explorer as one module that a page without notebook machinery loads.

    It draws into every element with ``data-explorer="landing"``.

    Args:
        still: address of the still, beside the module; it is not part of it.
    """
    widget = LandingExplorer.standard()
    state = {key: getattr(widget, key) for key in ("told", "pictures", "mesh", "site", "values")}
    state["pictures"] = {k: v for k, v in widget.pictures.items() if k != STILL}
    values, styles = json.dumps(state, separators=(",", ":")), json.dumps(_css())
    start = _START % {"state": values, "styles": styles, "still": json.dumps(still)}
    return bundle(SCRIPT).replace("export default { render };", start)


_START = """
const landingState = %(state)s;
landingState.pictures.still = new URL(%(still)s, import.meta.url).href;
document.head.append(html("style", {}, %(styles)s));
for (const el of document.querySelectorAll('[data-explorer="landing"]')) {
  const own = { ...landingState };
  render({ model: { get: (key) => own[key], set: (key, value) => { own[key] = value; } }, el });
}
"""


def _css() -> str:
    return re.sub(r"\n\s*", "\n", stylesheet(*STYLES))


def _url(path: Path) -> str:
    return "data:image/webp;base64," + base64.b64encode(path.read_bytes()).decode()
