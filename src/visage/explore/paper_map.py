"""The map of the five papers: who hands what to whom, drawn as SVG in the page's own colours.

One list of boxes and arrows, two arrangements: wide for a desk, tall for a telephone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Literal

Side = Literal["left", "right", "top", "bottom"]
Layout = Literal["wide", "tall"]


@dataclass(frozen=True)
class Box:
    """A part of the book."""

    part: str
    title: str
    paper: str  # or what stands in its place
    page: str  # where a click leads


@dataclass(frozen=True)
class Arrow:
    """What one part hands to another."""

    start: str
    end: str
    what: tuple[str, ...]  # lines


BOXES = {
    "who": Box("Start", "Who is this?", "a photo to 128 numbers", "start/who_is_this"),
    "world": Box(
        "Start", "Faces without people", "every answer known", "faces/faces_without_people"
    ),
    "I": Box(
        "Part I",
        "Inversion",
        "Zhmoginov, Sandler 2016",
        "inversion/an_embedding_is_not_a_hash",
    ),
    "II": Box(
        "Part II", "Normalized faces", "Cole et al. 2017", "normalization/a_warp_with_gradients"
    ),
    "III": Box("Part III", "A perceptron GAN", "Liu et al. 2018", "nfgan/five_losses"),
    "IV": Box("Part IV", "Shape", "Richardson et al. 2017", "geometry/coarse_geometry"),
    "V": Box("Part V", "Texture", "Saito et al. 2017", "texture/what_skin_is_made_of"),
    "avatar": Box(
        "The whole road",
        "An avatar",
        "all five, one photograph",
        "avatar/from_a_photograph_to_an_avatar",
    ),
}

ARROWS = (
    Arrow("who", "I", ("the", "embedding")),
    Arrow("I", "II", ("an honest", "loss")),
    Arrow("II", "III", ("the same", "goal")),
    Arrow("world", "IV", ("heads with", "answers")),
    Arrow("IV", "V", ("light, to be", "divided out")),
    Arrow("II", "V", ("a head fitted", "to a picture")),
    Arrow("who", "world", ("a judge who", "knows people")),
    Arrow("III", "avatar", ("a face", "at rest")),
    Arrow("V", "avatar", ("a whole", "skin")),
)

TITLE = "The five papers and how they lean on each other"
DESCRIPTION = (
    "Upper row: a recogniser turns a photograph into an embedding; Part I inverts it; Part II "
    "draws a face at rest from the recogniser's features and takes from Part I a loss that is not "
    "fooled; Part III has the same goal with five losses. Lower row: the synthetic world, which "
    "the recogniser has judged, gives heads with known answers to all parts; Part IV recovers "
    "shape and light; Part V divides the light out and completes the skin, on a head fitted as in "
    "Part II. All of it ends in an avatar."
)


@dataclass(frozen=True)
class _Arrangement:
    width: int
    height: int
    box: tuple[int, int]  # width and height of a box
    places: Mapping[str, tuple[int, int]]  # left and top
    ways: Mapping[tuple[str, str], tuple[Side, Side]]  # where an arrow leaves and arrives
    type: tuple[float, float, float, float]  # sizes: part, title, paper, arrow


_WIDE = _Arrangement(
    1064, 346, (206, 106),
    {"who": (2, 8), "I": (286, 8), "II": (571, 8), "III": (856, 8),
     "world": (2, 232), "IV": (286, 232), "V": (571, 232), "avatar": (856, 232)},
    {("who", "I"): ("right", "left"), ("I", "II"): ("right", "left"),
     ("II", "III"): ("right", "left"), ("world", "IV"): ("right", "left"),
     ("IV", "V"): ("right", "left"), ("II", "V"): ("bottom", "top"),
     ("who", "world"): ("bottom", "top"), ("III", "avatar"): ("bottom", "top"),
     ("V", "avatar"): ("right", "left")},
    (13, 16, 13.5, 13),
)  # fmt: skip

_TALL = _Arrangement(
    384, 688, (150, 88),
    {"who": (2, 2), "I": (2, 150), "II": (2, 298), "III": (2, 446),
     "world": (232, 2), "IV": (232, 150), "V": (232, 298), "avatar": (2, 594)},
    {("who", "I"): ("bottom", "top"), ("I", "II"): ("bottom", "top"),
     ("II", "III"): ("bottom", "top"), ("world", "IV"): ("bottom", "top"),
     ("IV", "V"): ("bottom", "top"), ("II", "V"): ("right", "left"),
     ("who", "world"): ("right", "left"), ("III", "avatar"): ("bottom", "top"),
     ("V", "avatar"): ("bottom", "right")},
    (11.5, 12, 11, 11.5),
)  # fmt: skip

_ROOM = 60  # for words over an arrow that lies
_OUT = {"left": (-1, 0), "right": (1, 0), "top": (0, -1), "bottom": (0, 1)}

_STYLE = """
.paper-map { margin: 1.6rem 0 2rem; font-family: var(--visage-sans, system-ui, sans-serif); }
.paper-map svg { display: block; width: 100%; height: auto; }
.paper-map .map-tall { display: none; max-width: 26rem; margin: 0 auto; }
@media (max-width: 680px) { .paper-map .map-wide { display: none; } .paper-map .map-tall { display: block; } }
.paper-map rect { fill: var(--pst-color-surface, #f5f6f8); stroke: var(--pst-color-border, #c9ced6); stroke-width: 1.5; }
.paper-map .map-start rect { stroke-dasharray: 5 4; }
.paper-map .map-end rect { stroke: var(--pst-color-primary, #0b6e8f); stroke-width: 2.5; }
.paper-map a { text-decoration: none; }
.paper-map a:hover rect, .paper-map a:focus-visible rect { stroke: var(--pst-color-secondary, #b84f00); stroke-width: 2.5; }
.paper-map a:focus-visible { outline: none; }
.paper-map text { fill: var(--pst-color-text-base, #1f2328); }
.paper-map .map-part { fill: var(--pst-color-primary, #0b6e8f); font-weight: 650; }
.paper-map .map-title { font-weight: 650; }
.paper-map .map-paper, .paper-map .map-what { fill: var(--pst-color-text-muted, #59636e); }
.paper-map .map-what { paint-order: stroke; stroke: var(--pst-color-background, #fff); stroke-width: 5px; stroke-linejoin: round; }
.paper-map path { fill: none; stroke: var(--pst-color-text-muted, #59636e); stroke-width: 1.8; }
.paper-map .map-tip { fill: var(--pst-color-text-muted, #59636e); stroke: none; }
.paper-map figcaption { margin-top: 0.6rem; }
"""  # noqa: E501


def paper_map(address: Callable[[str], str]) -> str:
    """The map as HTML: both arrangements, of which the page shows one.

    Args:
        address: of a page of the book.
    """
    drawn = "".join(map_svg(layout, address) for layout in ("wide", "tall"))
    return f'<style>{_STYLE}</style><div class="paper-map">{drawn}</div>'


def map_svg(layout: Layout, address: Callable[[str], str]) -> str:
    """One arrangement.

    Args:
        layout: wide or tall.
        address: of a page of the book.
    """
    plan = {"wide": _WIDE, "tall": _TALL}[layout]
    arrows = "".join(_arrow(plan, arrow) for arrow in ARROWS)
    boxes = "".join(_box(plan, key, address) for key in BOXES)
    return (
        f'<svg class="map-{layout}" viewBox="0 0 {plan.width} {plan.height}" role="group" '
        f'aria-labelledby="map-{layout}-title map-{layout}-desc" '
        f'xmlns="http://www.w3.org/2000/svg"><title id="map-{layout}-title">{TITLE}</title>'
        f'<desc id="map-{layout}-desc">{DESCRIPTION}</desc>{arrows}{boxes}</svg>'
    )


def _box(plan: _Arrangement, key: str, address: Callable[[str], str]) -> str:
    box, (x, y), (wide, high) = BOXES[key], plan.places[key], plan.box
    kind = {"who": "map-start", "world": "map-start", "avatar": "map-end"}.get(key, "map-paper-box")
    part, title, paper, _ = plan.type
    middle = x + wide / 2
    lines = (("part", part, 0.27), ("title", title, 0.54), ("paper", paper, 0.79))
    words = "".join(
        f'<text class="map-{name}" x="{middle:g}" y="{y + share * high:.1f}" '
        f'font-size="{size}" text-anchor="middle">{escape(getattr(box, name))}</text>'
        for name, size, share in lines
    )
    return (
        f'<a class="{kind}" href="{escape(address(box.page))}">'
        f'<rect x="{x}" y="{y}" width="{wide}" height="{high}" rx="10"/>{words}</a>'
    )


def _arrow(plan: _Arrangement, arrow: Arrow) -> str:
    leaves, arrives = plan.ways[arrow.start, arrow.end]
    (x0, y0), (x1, y1) = _at(plan, arrow.start, leaves), _at(plan, arrow.end, arrives)
    (u0, v0), (u1, v1) = _OUT[leaves], _OUT[arrives]
    turns = abs(u0) != abs(u1)
    wide, high = (abs(b - a) * (0.9 if turns else 0.5) for a, b in ((x0, x1), (y0, y1)))
    bent = f"{x0 + u0 * wide:g},{y0 + v0 * high:g} {x1 + u1 * wide:g},{y1 + v1 * high:g}"
    across = f"l{9 * u1 - 5 * v1:g},{9 * v1 - 5 * u1:g}l{10 * v1:g},{10 * u1:g}z"
    lines = f'<path d="M{x0:g},{y0:g}C{bent} {x1:g},{y1:g}"/>'
    lines += f'<path class="map-tip" d="M{x1:g},{y1:g}{across}"/>'
    if v0 == 0 and abs(x1 - x0) < _ROOM:
        return lines  # the description has the words
    middle = x0 - 68 if turns else (x0 + x1) / 2  # a bend hugs the side where it begins
    return lines + _words(plan, arrow, middle, (y0 + y1) / 2, beside=v0 != 0)


def _words(plan: _Arrangement, arrow: Arrow, x: float, y: float, beside: bool) -> str:
    """Words over an arrow that lies, or beside one that stands, about its middle."""
    size = plan.type[3]
    top = y - 0.2 * size if beside else y - 1.75 * size
    anchor, left = ("start", x + 9) if beside else ("middle", x)
    return "".join(
        f'<text class="map-what" x="{left:g}" y="{top + 1.15 * size * k:.1f}" font-size="{size}" '
        f'text-anchor="{anchor}">{escape(line)}</text>'
        for k, line in enumerate(arrow.what)
    )


def _at(plan: _Arrangement, key: str, side: Side) -> tuple[float, float]:
    (x, y), (wide, high) = plan.places[key], plan.box
    return {
        "left": (x, y + high / 2),
        "right": (x + wide, y + high / 2),
        "top": (x + wide / 2, y),
        "bottom": (x + wide / 2, y + high),
    }[side]
