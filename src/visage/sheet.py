"""Sheets of pictures, for the figures of experiments."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

_INCH = 1.05  # a side of a picture


class SheetError(ValueError):
    """Nothing to show, or names that do not fit the pictures."""


def sheet(
    rows: Sequence[Tensor],
    names: Sequence[str],
    *,
    columns: Sequence[str] = (),
    captions: Sequence[Sequence[str]] = (),
) -> Figure:
    """Rows of pictures, each row with its name.

    Args:
        rows: R batches (C, 3, S, S) in [0, 1].
        names: R, of the rows.
        columns: C, over the first row, or none.
        captions: R times C texts under the pictures, or none.

    Raises:
        SheetError: there is nothing to show, or as many names as rows are missing.
    """
    if not rows or len(rows) != len(names):
        raise SheetError(f"{len(rows)} rows and {len(names)} names; give as many, one at least")
    count = max(len(row) for row in rows)
    below = 0.2 if captions else 0.04
    figure = Figure(figsize=(_INCH * count + 0.9, (_INCH + below) * len(rows) + 0.3),
                    layout="constrained")  # fmt: skip
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)
    axes = figure.subplots(len(rows), count, squeeze=False)
    for r, row in enumerate(rows):
        for c in range(count):
            _blank(axes[r, c])
            if c < len(row):
                axes[r, c].imshow(row[c].detach().permute(1, 2, 0).clamp(0, 1).numpy())
            if captions and c < len(captions[r]):
                axes[r, c].set_xlabel(captions[r][c], fontsize=7, labelpad=2)
        axes[r, 0].set_ylabel(names[r], fontsize=8)
    for c, name in enumerate(columns):
        axes[0, c].set_title(name, fontsize=8)
    return figure


def _blank(panel: Axes) -> None:
    panel.set(xticks=[], yticks=[])
    panel.spines[:].set_visible(False)
    panel.grid(False)
