"""Which visible texels are to be believed: those that are well inside of what is seen."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt, label
from torch import Tensor
from torch.nn.functional import avg_pool2d

_ISLAND = 0.004  # of the face, below which a visible part is left out


def shrunk(visible: Tensor, region: Tensor, margin: float, sliver: float) -> Tensor:
    """What is visible and farther than a margin, texels, from what of the face is not.

    What is narrower than a sliver is left out, and so are islands. Holes of single texels, where
    the mesh folds, are closed first. The region's own border is no border of what is seen.

    Args:
        visible: (B, 1, S, S), 0 or 1.
        region: (1, 1, S, S), 1 on the face.
        margin: texels.
        sliver: texels.

    Returns:
        (B, 1, S, S), 0 or 1; 0 outside of the region.
    """
    known = avg_pool2d(region, 5, 1, 2)
    steady = avg_pool2d(visible * region, 5, 1, 2) > 0.5 * known
    rows = []
    for seen, inside in zip(steady[:, 0], region.expand_as(visible)[:, 0] > 0, strict=True):
        kept = (seen | ~inside).cpu().numpy()
        depth = distance_transform_edt(kept)
        core = depth > sliver / 2
        wide = core.any() & (distance_transform_edt(~core) < sliver / 2 + 0.5)
        deep = (depth > margin + 0.5) & wide & inside.cpu().numpy()
        rows.append(torch.from_numpy(_without_islands(deep, _ISLAND * float(inside.sum()))))
    return torch.stack(rows)[:, None].to(visible)


def _without_islands(mask: np.ndarray, least: float) -> np.ndarray:
    """A mask (S, S) without its connected parts of fewer texels: slivers behind a nose."""
    parts, _ = label(mask)
    return mask & (np.bincount(parts.ravel()) >= least)[parts]
