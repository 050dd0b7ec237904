"""Explorer: the λs of the shading loss, over a grid of outcomes that were computed before."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping

import anywidget
import numpy as np
import torch
import traitlets
from PIL import Image
from torch import Tensor

from visage.explore.javascript import bundle, stylesheet
from visage.explore.shading_grid import (
    FIDELITIES,
    FOLDER,
    SHEET,
    SMOOTHNESSES,
    STARTS,
    STEP,
    TILE,
    ShadedPeople,
    ShadingGrid,
    shaded_people,
    shading_grid,
)
from visage.faces.reflectance import encode_srgb
from visage.geometry.fine_loss import FineLossWeights, FineUnits

COARSE_STEP = 0.005
"""mm of the coarse surface that the page tells apart."""


class ShadingWeightsExplorer(anywidget.AnyWidget):
    """Weigh shading, fidelity and smoothness; see the surface, and the picture that it explains.

    The page blends between outcomes of `tools/build_shading_grid.py`, and draws; no kernel.

    Args:
        people: whose faces they are.
        grid: the outcomes.
        sheet: a data URL of the grid's offsets, as `visage.explore.shading_grid` tracks them.
    """

    _esm = bundle("shading_weights.js")
    _css = stylesheet("explorer.css", "inversion_explorer.css", "geometry_explorers.css")

    people = traitlets.List(traitlets.Dict()).tag(sync=True)  # name, light, pitch, terms
    starts = traitlets.List(traitlets.Unicode(), list(STARTS)).tag(sync=True)  # in turn
    fidelities = traitlets.List(traitlets.Float(), list(FIDELITIES)).tag(sync=True)
    smoothnesses = traitlets.List(traitlets.Float(), list(SMOOTHNESSES)).tag(sync=True)
    tile = traitlets.List(traitlets.Int(), list(TILE)).tag(sync=True)
    steps = traitlets.List(traitlets.Float(), [STEP, COARSE_STEP]).tag(sync=True)
    units = traitlets.List(traitlets.Float()).tag(sync=True)  # of white, of a millimetre
    paper = traitlets.List(traitlets.Float()).tag(sync=True)  # the three weights
    sheet = traitlets.Unicode().tag(sync=True)
    grounds = traitlets.Unicode().tag(sync=True)  # a row a person: see `ground_tiles`
    values = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        people: ShadedPeople,
        grid: ShadingGrid,
        sheet: str,
        values: Mapping[str, object] | None = None,
    ):
        paper, units = FineLossWeights(), FineUnits()
        super().__init__(
            people=[
                {
                    "name": name,
                    "light": [round(float(value), 5) for value in people.recovered.light[number]],
                    "pitch": float(1 / people.scale[number]),
                    "terms": {
                        key: [_plain(value) for value in terms[number].flatten()]
                        for key, terms in grid.terms.items()
                    },
                }
                for number, name in enumerate(people.names)
            ],
            units=[units.white, units.millimetre],
            paper=[paper.shading, paper.fidelity, paper.smoothness],
            sheet=sheet,
            grounds=_url(ground_tiles(people)),
            values=dict(values or {}),
        )

    @classmethod
    def standard(cls) -> ShadingWeightsExplorer:
        """The explorer of the book.

        Raises:
            ExplorerDataError: the grid or the faces are missing.
            CheckpointError: the textures are missing.
        """
        grid = shading_grid()
        data = base64.b64encode((FOLDER / SHEET).read_bytes()).decode()
        return cls(shaded_people(), grid, f"data:image/webp;base64,{data}")


def ground_tiles(people: ShadedPeople) -> np.ndarray:
    """What every outcome of a person shares, (P · 176, 2 · 136, 3) bytes.

    Left: the coarse surface in 16 bits of `COARSE_STEP` (red, green; 0 is none), and in steps of
    `STEP` from -128 of them how much nearer the truth is (blue). Right: the recovered albedo and
    the grey picture, both as sRGB, and the mask.
    """
    inside = people.mask > 0
    depth = people.coarse
    farthest = depth.masked_fill(~inside, -torch.inf).amax((1, 2, 3), keepdim=True)
    steps = 1 + ((farthest - depth) / COARSE_STEP).round().clamp(0, 65_534)
    steps = steps.long().masked_fill(~inside, 0)
    relief = ((people.coarse - people.truth) / STEP + 128).round().clamp(0, 255)
    albedo, picture = (
        (255 * encode_srgb(one.clamp(0, 1))).round()
        for one in (people.recovered.albedo, people.linear)
    )
    left = torch.cat([steps // 256, steps % 256, relief.long()], 1)
    right = torch.cat([albedo, picture, 255 * people.mask], 1).long()
    return torch.cat([left, right], 3).permute(0, 2, 3, 1).flatten(0, 1).to(torch.uint8).numpy()


def _plain(value: Tensor) -> float | None:
    """A number as JSON has it."""
    return float(f"{float(value):.4g}") if value.isfinite() else None


def _url(pixels: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", lossless=True, quality=60, method=4, exact=True)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
