"""The one look of every figure: colours that every eye can tell apart, on light and on dark.

Figures are SVG inside the page. Ink and grid are written as the page's own CSS variables, so that a
figure follows the reader's switch between light and dark; outside the book they fall back to ink on
white. Call `use_style()` once a chapter and end a figure with `show(figure, ...)`.
"""

import base64
import io
import re
from dataclasses import dataclass
from html import escape

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

# Okabe and Ito (2008), "Color universal design": safe with every common colour blindness.
BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"
SKY, YELLOW, PURPLE = "#56b4e9", "#e69f00", "#cc79a7"
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, YELLOW, SKY)

# Stand-ins that no drawing would use by itself; `show` swaps them for the page's variables.
INK, MUTED, GRID = "#010203", "#040506", "#070809"
_VARIABLES = {
    INK: "var(--pst-color-text-base, #1f2328)",
    MUTED: "var(--pst-color-text-muted, #59636e)",
    GRID: "var(--pst-color-border, #d5d9df)",
}


_LARGE = 60_000  # bytes


def use_style() -> None:
    """Make the book's look matplotlib's default for this process."""
    mpl.rcParams.update(
        {
            "figure.figsize": (7.2, 3.2),
            "figure.facecolor": "none",
            "figure.constrained_layout.use": True,
            "axes.facecolor": "none",
            "axes.edgecolor": MUTED,
            "axes.labelcolor": INK,
            "axes.titlecolor": INK,
            "axes.titlesize": 10.5,
            "axes.labelsize": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.prop_cycle": mpl.cycler(color=PALETTE),
            "grid.color": GRID,
            "grid.linewidth": 0.7,
            "text.color": INK,
            "xtick.color": MUTED,
            "ytick.color": MUTED,
            "xtick.labelcolor": MUTED,
            "ytick.labelcolor": MUTED,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "legend.frameon": False,
            "legend.fontsize": 9,
            "lines.linewidth": 1.8,
            "font.family": "sans-serif",
            "font.size": 10,
            "image.interpolation": "nearest",
            "svg.fonttype": "none",
            "svg.hashsalt": "visage",
        }
    )


@dataclass(frozen=True)
class Shown:
    """A figure as the page shows it: inline SVG, a caption, and words for who cannot see it."""

    svg: str
    caption: str
    alt: str

    def _repr_html_(self) -> str:
        caption = f"<figcaption>{self.caption}</figcaption>" if self.caption else ""
        return (
            f'<figure class="visage-figure"><div role="img" aria-label="{escape(self.alt)}">'
            f"{self.svg}</div>{caption}</figure>"
        )

    def __repr__(self) -> str:
        """Return the words: what a terminal or a screen reader gets."""
        return f"Figure: {self.alt}"


def show(figure: Figure, *, alt: str, caption: str = "") -> Shown:
    """Turn a matplotlib figure into one that follows the page's light and dark.

    Args:
        figure: the figure; it is closed, so a notebook does not show it twice.
        alt: what is to be seen, in words, for readers who cannot see it.
        caption: what to look at; HTML is allowed.

    Returns:
        An object that notebooks display as inline SVG.

    Raises:
        ValueError: `alt` is empty.
    """
    if not alt.strip():
        raise ValueError("a figure needs alt text: say in words what is to be seen.")
    buffer = io.StringIO()
    # No date: the same figure gives the same bytes.
    figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    plt.close(figure)
    return Shown(_lighter(_themed(buffer.getvalue())), caption, alt)


def _lighter(svg: str) -> str:
    """Write a figure's large pictures as WebP: a tenth of the bytes, and no loss that one sees."""

    def smaller(found: re.Match) -> str:
        png = base64.b64decode(found[1])
        if len(png) < _LARGE:
            return found[0]
        packed = io.BytesIO()
        Image.open(io.BytesIO(png)).save(packed, "WEBP", quality=90, method=6)
        return "data:image/webp;base64," + base64.b64encode(packed.getvalue()).decode()

    return re.sub(r"data:image/png;base64,([A-Za-z0-9+/=\s]+)", smaller, svg)


def _themed(svg: str) -> str:
    """Drop the XML prologue, let the page scale the picture, and put variables for stand-ins."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    head, rest = svg.split(">", 1)
    width = re.search(r'width="([\d.]+)pt"', head)
    head = re.sub(r' (width|height)="[\d.]+pt"', "", head)
    if width:
        # Points to CSS pixels: small figures stay small, wide ones shrink to the column.
        head += f' style="width:100%;max-width:{float(width[1]) * 4 / 3:.0f}px;height:auto"'
    svg = head + ">" + rest
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    return svg
