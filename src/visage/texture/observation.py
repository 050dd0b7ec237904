"""What a photograph shows of a texture, with its geometry known or found.

The measurements take both: with the true shape, camera and light they measure the analysis and the
synthesis, and with fitted ones the whole method.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from visage.faces.shape import MorphableModel
from visage.texture.held_out import HeldOutViews
from visage.texture.infer import InferenceConfig, look
from visage.texture.low_frequency import LowFrequencyAlbedo
from visage.texture.partial_albedo import partial_albedo
from visage.texture.window import face_region, resized

_PIXELS = 0.8  # of a photograph's side and of a window's: 240 mm are in one, 192 in the other
_ALL = 0.999


@dataclass(frozen=True, eq=False)
class Observation:
    """One texture as far as it is visible, and its low frequencies everywhere."""

    texture: Tensor  # (1, 3, S, S), partial albedo, sRGB-encoded; 0.5 where it is not visible
    visible: Tensor  # (1, 1, S, S), 1 on what of the face is visible, else 0
    low_frequency: Tensor  # (1, 3, S, S), I(α_al)
    pixels: float = 1.0  # of the photograph, that a texel is wide

    @property
    def size(self) -> int:
        """S."""
        return self.texture.shape[-1]


@torch.no_grad()
def observe_truly(views: HeldOutViews, row: int, size: int) -> Observation:
    """What one photograph shows, given the true fit: all that section 3 looks for is known.

    Shape, pose, camera, light and what hides the skin are the true ones, and the low-frequency
    albedo is what its model says of the true texture.

    Args:
        views: photographs.
        row: which of them.
        size: S, texels.
    """
    one, albedo, model = views[[row]], LowFrequencyAlbedo.load(), _model()
    smooth = albedo.texture(albedo.fit(one.textures(size), face_region(size)), size)
    finer = looks(one.image, size)
    found = partial_albedo(
        one.image, one.vertices(model), one.camera, one.light, finer * size, one.seen, smooth
    )
    seen = averaged(found.texture, found.visible, finer)
    return Observation(*seen, smooth, finer * float(found.pixels))


@torch.no_grad()
def observe(image: Tensor, size: int) -> Observation:
    """What one photograph shows, from the photograph alone.

    Args:
        image: (1, 3, H, W), sRGB, in [0, 1].
        size: S, texels.

    Raises:
        visage.photos.reading.PhotoError: no face is found.
        visage.texture.errors.TextureError: hardly anything of the face is seen.
    """
    finer = looks(image, size)
    sight = look(image, InferenceConfig(size=finer * size))
    seen = averaged(sight.partial.texture, sight.visible, finer)
    smooth = resized(sight.low_frequency, size)
    return Observation(*seen, smooth, finer * float(sight.partial.pixels))


def looks(image: Tensor, size: int) -> int:
    """How often, each way, a texel is looked up in a photograph (B, 3, H, W) that its head fills.

    As often as it has pixels there: one look would take the grain between texels for grain of
    texels, as any picture that is reduced without means.

    >>> looks(torch.zeros(1, 3, 512, 512), 192), looks(torch.zeros(1, 3, 512, 512), 512)
    (2, 1)
    """
    return max(1, round(_PIXELS * image.shape[-1] / size))


def averaged(texture: Tensor, visible: Tensor, factor: int) -> tuple[Tensor, Tensor]:
    """Means of so many by so many texels, and where all of them are visible.

    Args:
        texture: (B, 3, F S, F S).
        visible: (B, 1, F S, F S), 0 or 1.
        factor: F.

    Returns:
        (B, 3, S, S), 0.5 where it is not visible, and (B, 1, S, S).
    """
    shown = (avg_pool2d(visible, factor) > _ALL).to(visible)
    return torch.where(shown > 0, avg_pool2d(texture, factor), 0.5), shown


@lru_cache(maxsize=1)
def _model() -> MorphableModel:
    return MorphableModel.load(1)
