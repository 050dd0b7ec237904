"""What a face's surface is made of, as textures over the model's UV atlas."""

from dataclasses import dataclass, fields
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from visage.faces import compiled_surface
from visage.faces.derivatives import is_constant


class SurfaceError(ValueError):
    """Textures that do not belong together."""


@dataclass(frozen=True, eq=False)
class SurfaceMaps:
    """Textures of B faces, R texels on a side.

    Row 0 is v = 0, as `MorphableModel.uv` counts: sample them at 2 uv - 1 with
    `torch.nn.functional.grid_sample` and `align_corners=False`.

    Raises:
        SurfaceError: a shape does not fit.
    """

    albedo: Tensor  # (B, 3, R, R), linear, in [0, 1]
    roughness: Tensor  # (B, 1, R, R), as `visage.faces.reflectance.ggx` takes it
    specular: Tensor  # (B, 1, R, R), factor of the specular part; 0 is matt, 1 is skin
    height: Tensor  # (B, 1, R, R), mm of relief along the normal: pores, wrinkles; mean about 0

    def __post_init__(self):
        batch, size = len(self.albedo), self.albedo.shape[-1]
        for field in fields(self):
            value, channels = getattr(self, field.name), 3 if field.name == "albedo" else 1
            if tuple(value.shape) != (batch, channels, size, size):
                raise SurfaceError(
                    f"{field.name} is {tuple(value.shape)}; expected "
                    f"{(batch, channels, size, size)}, as the albedo has it"
                )

    def __len__(self) -> int:
        """Faces in the batch."""
        return len(self.albedo)

    @property
    def size(self) -> int:
        """R, texels on a side."""
        return self.albedo.shape[-1]

    def __getitem__(self, index: slice | Tensor) -> "SurfaceMaps":
        """Some of the faces; a slice, or a tensor of indices."""
        return SurfaceMaps(*(getattr(self, field.name)[index] for field in fields(self)))

    def to(self, target: torch.device | torch.dtype | str) -> "SurfaceMaps":
        """The same textures on another device, or in another type."""
        return SurfaceMaps(*(getattr(self, field.name).to(target) for field in fields(self)))

    @cached_property
    def stacked(self) -> Tensor:
        """(B, 6, R, R): albedo, roughness, specular and height, to be sampled at once."""
        return torch.cat([getattr(self, field.name) for field in fields(self)], 1)

    def seen(self, uv: Tensor, ids: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Look the textures up between their texels.

        Args:
            uv: (B, 2, H, W), texture coordinates.
            ids: (B, H, W) int32, negative at the background.

        Returns:
            Albedo (B, 3, H, W), roughness, specular and height (B, 1, H, W); any numbers at the
            background. Differentiable in the textures and in `uv`.

        Raises:
            SurfaceError: a shape does not fit.
        """
        if len(uv) != len(self) or uv.shape != (len(ids), 2, *ids.shape[1:]):
            raise SurfaceError(
                f"texture coordinates are {tuple(uv.shape)}, ids {tuple(ids.shape)}; expected "
                f"({len(self)}, 2, H, W) and ({len(self)}, H, W)"
            )
        maps = [getattr(self, field.name) for field in fields(self)]
        if not is_constant(uv, *maps) or self.size < 2:
            grid = (2 * uv - 1).permute(0, 2, 3, 1)
            drawn = grid_sample(self.stacked, grid, padding_mode="border", align_corners=False)
            return drawn.split([3, 1, 1, 1], 1)
        size = uv.shape[2:]
        pictures = [torch.zeros(*texture.shape[:2], *size) for texture in maps]
        compiled_surface.sample(
            uv.detach().contiguous().numpy(),
            ids.contiguous().numpy(),
            tuple(texture.detach().contiguous().numpy() for texture in maps),
            tuple(picture.numpy() for picture in pictures),
        )
        return tuple(pictures)
