"""Explorer: α and the number of layers over computed syntheses of one texture, with a loupe."""

from __future__ import annotations

from visage.explore.javascript import bundle, stylesheet
from visage.explore.sheet_explorer import SheetExplorer

SHEET, TOOL = "alpha", "build_texture_alpha"

ALPHAS = (0.01, 0.1, 1.0, 2000.0)
"""Weights of the correlations beside features' 1 (eq. 3); the paper takes 2000."""


class AlphaLayersExplorer(SheetExplorer):
    """Choose α and the layers of eq. 3; look at the synthesised texture through a loupe.

    The page shows textures that `tools/build_texture_alpha.py` synthesised; no kernel.

    Args:
        told: of the sheet: tile, alphas, layers, bands, energies (a row an α, a column a number of
            layers, shares of the truth's), low (the same of the start).
        sheet: a data URL of the luminances; a row an α, then a row with the truth.
        colours: a data URL of the low-frequency albedo.
        values: what to begin with: alpha (0 is none, then one each), layers, gain, at.
    """

    _esm = bundle("alpha_layers.js")
    _css = stylesheet("explorer.css", "inversion_explorer.css", "texture_explorers.css")

    sheet_name, sheet_tool = SHEET, TOOL
