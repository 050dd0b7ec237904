"""FineNet's wrinkles on the head's own surface.

Part IV says how far the detailed surface lies before the coarse one, in a window of the
photograph; part V needs it on the texture atlas. Both use one mesh, so each texel knows where it is
in the window, on the face that part IV found. What is broad is left out: there the head has its
own shape, which is part V's.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from visage.faces.shape import MorphableModel
from visage.geometry.reconstruct import DetailedFace
from visage.texture.head_surface import WINDOW_MM, blurred
from visage.texture.window import TexelMap, feather

_BROAD = 6.0  # mm, standard deviation: what is broader belongs to the head's shape
_BEHIND = 3.0  # mm behind what is seen there, from which a texel counts as hidden
_OBLIQUE = (0.25, 0.55)  # cosine to the view, over which detail fades in
_MOST = 1.2  # mm up or down: deeper is a misplaced outline, not a wrinkle


@torch.no_grad()
def fine_relief(model: MorphableModel, face: DetailedFace, size: int) -> Tensor:
    """Height above the coarse surface at the texels of the face window.

    Args:
        model: at either level of subdivision.
        face: as part IV found it.
        size: S, texels.

    Returns:
        (1, 1, S, S) mm, outwards; 0 where the photograph does not show the face.
    """
    camera = face.numbers.camera(face.depth.shape[-1])
    vertices = model.vertices(face.numbers.identity, face.numbers.expression)
    normals = camera.turn(model.normals(vertices))
    texels = TexelMap.load(size, model)
    at = texels.interpolate(torch.cat([camera.project(vertices), normals], 2))
    points, depth, towards = at[:, :2], at[:, 2:3], at[:, 5:6]
    ahead, known, behind = _looked_up(face, points).split(1, 1)
    t = ((towards - _OBLIQUE[0]) / (_OBLIQUE[1] - _OBLIQUE[0])).clamp(0, 1)
    seen = (depth < behind + _BEHIND) & texels.skin & (known > 0.99)
    share = t * t * (3 - 2 * t) * seen
    sigma = _BROAD / WINDOW_MM * size
    # The mean of what is known nearby, so that nothing steps at the outline.
    broad = blurred(ahead * share, sigma) / blurred(share, sigma).clamp(min=1e-3)
    height = (ahead - broad) * towards.clamp(min=0)
    share = blurred(share, sigma / 4) * share * feather(size)
    return share * _MOST * (height / _MOST).tanh()


def _looked_up(face: DetailedFace, points: Tensor) -> Tensor:
    """(1, 3, S, S): mm ahead of the coarse surface, whether there is one, its depth."""
    mask = face.mask > 0
    ahead = torch.where(mask, face.coarse - face.depth, 0.0)
    behind = torch.where(mask, face.coarse, -torch.inf).nan_to_num(neginf=-1e3)
    planes = torch.cat([ahead, mask.float(), behind], 1)
    grid = ((2 * points + 1) / mask.shape[-1] - 1).permute(0, 2, 3, 1)
    return grid_sample(planes, grid, align_corners=False, padding_mode="zeros")
