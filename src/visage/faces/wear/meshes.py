"""What a person wears, as meshes to draw over the head."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


class WearError(ValueError):
    """Meshes that do not belong together."""


@dataclass(frozen=True, eq=False)
class Wear:
    """Clothes and frames of B people, opaque, coloured by vertex.

    Who does not wear a thing has NaN for its vertices; triangles that touch them are not drawn.

    Raises:
        WearError: a shape does not fit.
    """

    vertices: Tensor  # (B, N, 3), mm, head frame
    triangles: Tensor  # (F, 3), counter-clockwise from outside
    albedo: Tensor  # (B, N, 3), linear
    roughness: Tensor  # (B, N, 1)
    specular: Tensor  # (B, N, 1)

    def __post_init__(self):
        count = tuple(self.vertices.shape[:2])
        for name, width in (("vertices", 3), ("albedo", 3), ("roughness", 1), ("specular", 1)):
            shape = tuple(getattr(self, name).shape)
            if shape != (*count, width):
                raise WearError(f"{name} is {shape}; expected {(*count, width)}")

    def __len__(self) -> int:
        """People in the batch."""
        return len(self.vertices)

    @classmethod
    def joined(cls, parts: Sequence["Wear"]) -> "Wear":
        """Wear several things at once."""
        starts = torch.tensor([0, *(part.vertices.shape[1] for part in parts)]).cumsum(0)
        return cls(
            torch.cat([part.vertices for part in parts], 1),
            torch.cat(
                [part.triangles + int(s) for part, s in zip(parts, starts[:-1], strict=True)]
            ),
            *(
                torch.cat([getattr(part, name) for part in parts], 1)
                for name in ("albedo", "roughness", "specular")
            ),
        )

    def __getitem__(self, index: slice | Tensor) -> "Wear":
        """Some of the people; a slice, or a tensor of indices."""
        return Wear(
            self.vertices[index],
            self.triangles,
            self.albedo[index],
            self.roughness[index],
            self.specular[index],
        )


@dataclass(frozen=True, eq=False)
class Lenses:
    """Lenses of B people's glasses; NaN vertices, as in `Wear`, for people without."""

    vertices: Tensor  # (B, N, 3), mm, head frame
    triangles: Tensor  # (F, 3)
    transmittance: Tensor  # (B, 3), share of linear light that passes

    def __len__(self) -> int:
        """People in the batch."""
        return len(self.vertices)

    def __getitem__(self, index: slice | Tensor) -> "Lenses":
        """Some of the people; a slice, or a tensor of indices."""
        return Lenses(self.vertices[index], self.triangles, self.transmittance[index])
