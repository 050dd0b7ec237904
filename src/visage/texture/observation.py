"""What a photograph shows of a texture, with its geometry known or found.

The measurements take both: with the true shape, camera and light they measure the analysis and the
synthesis, and with fitted ones the whole method.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from visage.faces.shape import MorphableModel
from visage.texture.held_out import HeldOutViews
from visage.texture.infer import InferenceConfig, look
from visage.texture.low_frequency import LowFrequencyAlbedo
from visage.texture.partial_albedo import partial_albedo
from visage.texture.window import face_region


@dataclass(frozen=True, eq=False)
class Observation:
    """One texture as far as it is visible, and its low frequencies everywhere."""

    texture: Tensor  # (1, 3, S, S), partial albedo, sRGB-encoded; 0.5 where it is not visible
    visible: Tensor  # (1, 1, S, S), 1 on what of the face is visible, else 0
    low_frequency: Tensor  # (1, 3, S, S), I(α_al)

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
    found = partial_albedo(
        one.image, one.vertices(model), one.camera, one.light, size, one.seen, smooth
    )
    return Observation(found.texture, found.visible, smooth)


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
    sight = look(image, InferenceConfig(size=size))
    return Observation(sight.partial.texture, sight.visible, sight.low_frequency)


@lru_cache(maxsize=1)
def _model() -> MorphableModel:
    return MorphableModel.load(1)
