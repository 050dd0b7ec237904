"""How much of an invented texture is a copy of what was visible."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from visage.texture.errors import MeasureError
from visage.texture.patch_match import PatchPair

_RADIUS, _SWEEPS = 3, 5
_STEP = 0.5 / 255  # half a byte's: even smooth skin differs by more, a copy by less


def copied_share(made: Tensor, visible: Tensor, region: Tensor) -> Tensor:
    """Share of the invented patches that occur in the visible part, to within half a byte's step.

    A patch of 7 x 7 texels counts as copied if PatchMatch finds a visible one whose luminance
    differs by less than 1/510, root mean square. Real skin nowhere repeats itself so closely, but
    for patches that are almost flat.

    Args:
        made: (B, 1, S, S), luminance, with the visible part in its place.
        visible: (B, 1, S, S), nonzero where it was seen.
        region: (1 or B, 1, S, S), nonzero where the face is.

    Returns:
        (B,); NaN where nothing was invented.

    Raises:
        MeasureError: the shapes do not fit.
        visage.texture.errors.PatchMatchError: no patch is visible.
    """
    if made.ndim != 4 or made.shape[1] != 1 or visible.shape != made.shape:
        raise MeasureError(
            f"luminance is {tuple(made.shape)} and visible {tuple(visible.shape)}; "
            "expected (B, 1, S, S) both"
        )
    region = region.expand(made.shape)
    shares = []
    for one, seen, face in zip(made, visible[:, 0] > 0, region[:, 0] > 0, strict=True):
        invented = face & ~seen
        pair = PatchPair.of(one, one, _RADIUS, wanted=invented, counted=invented,
                            usable=face & seen)  # fmt: skip
        generator = np.random.default_rng(0)
        field = pair.random_field(generator)
        costs = pair.costs(field)
        pair.improve(field, costs, _SWEEPS, generator)
        texels = _texels(invented)
        shares.append(float(np.mean(costs < texels * _STEP**2)) if len(costs) else torch.nan)
    return torch.tensor(shares)


def _texels(counted: Tensor) -> np.ndarray:
    """How many counted texels the patch round each counted one has, in reading order."""
    side = 2 * _RADIUS + 1
    total = torch.nn.functional.avg_pool2d(counted[None].float(), side, 1, _RADIUS)[0] * side**2
    return total[counted].numpy()
