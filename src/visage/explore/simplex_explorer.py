"""Explorer: three faces' weights, set by hand, and the texture with the blended correlations."""

from __future__ import annotations

import torch
from torch import Tensor

from visage.explore.javascript import bundle, stylesheet
from visage.explore.sheet_explorer import SheetExplorer

SHEET, TOOL = "simplex", "build_texture_simplex"

STEPS = 3
"""Of the lattice of computed textures, along a side of the simplex."""

BEYOND = 1
"""Steps that the lattice reaches over the simplex: weights down to -1/3."""


class SimplexExplorer(SheetExplorer):
    """Drag a point in the triangle of three faces; see pictures blended, and correlations blended.

    Every dot of the lattice is a texture that `tools/build_texture_simplex.py` synthesised (eq. 3)
    from blended Gram matrices; between dots the page blends. No kernel.

    Args:
        told: of the sheet: tile, steps, beyond, names, columns, and what was measured.
        sheet: a data URL of the luminances; row 0 the three faces, then the lattice.
        colours: a data URL of the three low-frequency albedos side by side.
        values: what to begin with: weights (3), at (x, y in texels).
    """

    _esm = bundle("simplex.js")
    _css = stylesheet("explorer.css", "inversion_explorer.css", "texture_explorers.css")

    sheet_name, sheet_tool = SHEET, TOOL


def lattice_weights(steps: int = STEPS, beyond: int = BEYOND) -> Tensor:
    """Weights (N, 3) of the computed textures, in the order of the sheet.

    Rows of equal first weight, from the largest on; in a row, from the largest second weight on.

    >>> lattice_weights(1, 0).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    >>> lattice_weights().shape
    torch.Size([28, 3])
    """
    side = steps + 3 * beyond
    places = [(i, j, side - i - j) for i in range(side, -1, -1) for j in range(side - i, -1, -1)]
    return (torch.tensor(places, dtype=torch.float32) - beyond) / steps
