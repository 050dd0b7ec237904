"""Relief of cloth: creases from shoulders and armpits, soft waves, seams, a placket's buttons."""

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from visage.faces.wear.compiled_folds import fold
from visage.faces.wear.garments import Garment

_CREASES = 22
_WAVES = 5


def relief(points: Tensor, garment: Garment, sides: Tensor) -> Tensor:
    """Millimetres by which cloth stands out of its rest surface.

    A crease is a ridge with a shallow valley beside it, along a bent line that fades at both ends.
    Most start where cloth hangs from the body: at the shoulders (downwards, towards the middle) and
    at the armpits (upwards and inwards). Soft upright waves grow towards the hem.

    Args:
        points: (B, R, N, 3) mm, on the rest surface.
        garment: B garments.
        sides: (N,), 1 on the front, 0 on the back.

    Returns:
        (B, R, N) mm, without derivatives.
    """
    drawn = [_drawn(seed) for seed in garment.seed.tolist()]
    folds = np.stack(drawn) if drawn else np.zeros((0, _CREASES + _WAVES, 8), np.float32)
    height = np.zeros(points.shape[:3], np.float32)
    place = points.detach().to("cpu", torch.float32).contiguous().numpy()
    creases, waves = folds[:, :_CREASES], folds[:, _CREASES:, :4]
    fold(place, creases, waves.copy(), sides.float().cpu().contiguous().numpy(), height)
    return 1.5 * torch.from_numpy(height).to(points) * garment.folds[:, None, None]


def construction(points: Tensor, garment: Garment, sides: Tensor) -> tuple[Tensor, Tensor]:
    """Seams of the sleeves, the placket and its buttons.

    Args:
        points: (B, R, N, 3) mm, on the rest surface.
        garment: B garments.
        sides: (N,), 1 on the front, 0 on the back.

    Returns:
        height: (B, R, N) mm.
        shade: (B, R, N), factor of the albedo: the dark of stitches and edges.
    """
    shape = (-1, *[1] * (points.ndim - 2))
    x, y, _ = points.unbind(-1)
    x = x + torch.zeros_like(y)
    sleeve = (x.abs() - 186 - 0.05 * (y + 200)) / 2.6
    stitched = (-sleeve.square()).exp()
    height = -garment.seams.view(shape) * stitched
    # The sleeve's cloth lies a little higher than the seam's other side.
    height = height + 0.5 * garment.seams.view(shape) * torch.sigmoid(3 * sleeve)
    shade = 1 - 0.22 * stitched * (garment.seams.view(shape) > 0)

    placket = garment.placket.view(shape) * (sides > 0.5)
    flat = torch.sigmoid((15 - (x + 1).abs()) / 0.8)
    edge = (-((((x + 1).abs() - 14.5) / 1.3).square())).exp()
    height = height + placket * 0.9 * flat
    shade = shade * (1 - 0.15 * placket * edge)
    down = (y + 40 * 10) % 82 - 41
    away = torch.hypot(x + 1, down)
    button = torch.sigmoid((5.6 - away) / 0.6)
    holes = (-((torch.hypot((x + 1).abs() - 1.3, down.abs() - 1.3) / 0.8).square())).exp()
    height = height + placket * button * (1.6 - holes)
    rim = (-(((away - 5.8) / 0.9).square())).exp()
    return height, shade * (1 - placket * (0.35 * rim + 0.4 * holes))


def yarn(columns: int, rows: int, seed: int) -> np.ndarray:
    """(rows, columns) grain of mixed yarn about 0: specks, longer across than down."""
    random = np.random.default_rng([seed & (2**63 - 1), 73])
    grain = random.standard_normal((rows, columns)).astype(np.float32)
    grain = (grain + np.roll(grain, 1, 1) + np.roll(grain, -1, 1)) / math.sqrt(3)
    return grain


@lru_cache(maxsize=4096)
def _drawn(seed: int) -> np.ndarray:
    """(creases + waves, 8) parameters of one garment's folds."""
    random = np.random.default_rng([seed & (2**63 - 1), 72])
    between = random.uniform
    rows = []
    for k in range(_CREASES):
        sign, front = random.choice([-1, 1]), float(random.random() < 0.62)
        if k < 8:  # from an armpit up and inwards, or across the upper arm
            place = sign * between(140, 176), between(-285, -215)
            angle = sign * -between(0.25, 1.15)
            length, width, height = between(32, 75), between(3.5, 7.5), between(0.8, 2.6)
        elif k < 15:  # hanging from the shoulder
            place = sign * between(25, 150), between(-260, -200)
            angle = math.pi / 2 + sign * between(-0.15, 0.5)
            length, width, height = between(45, 110), between(6, 13), between(0.7, 2.4)
        elif k < 19:  # on the sleeve
            place = sign * between(190, 235), between(-300, -200)
            angle = sign * between(-0.9, -0.2)
            length, width, height = between(25, 55), between(4, 9), between(0.8, 2.2)
        else:  # small ones below the collar
            place = sign * between(20, 95), between(-215, -165)
            angle = math.pi / 2 - sign * between(0.4, 1.1)
            length, width, height = between(20, 45), between(3, 6), between(0.5, 1.3)
        rows.append([*place, angle, length, width, height, between(-1.6, 1.6), front])
    for _ in range(_WAVES):
        rows.append([between(0.02, 0.075), between(0, 6.3), between(-0.3, 0.3),
                     between(0.4, 1.3), 0, 0, 0, 0])  # fmt: skip
    return np.array(rows, np.float32)
