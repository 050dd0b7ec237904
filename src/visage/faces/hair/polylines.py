"""Strands of hair as polylines with a width and a colour."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

TIP = 0.3
"""Width of a strand's tip, as a share of its root's."""


class StrandError(ValueError):
    """Strands that do not fit together, or do not fit the camera, the light or the picture."""


@dataclass(frozen=True, eq=False)
class Strands:
    """The strands of one face: S polylines with N points in all, from root to tip.

    Strands are in random order within a group (such as the scalp), so that every k-th of them is a
    fair sample.

    Raises:
        StrandError: a shape or a type does not fit, or `starts` does not rise from 0 to N.
    """

    points: Tensor  # (N, 3) float32, mm, head frame
    starts: Tensor  # (S + 1,) int64; strand s is points[starts[s] : starts[s + 1]]
    width: Tensor  # (S,) float32, mm at the root; tapers to `TIP` of it
    colour: Tensor  # (S, 3) float32, linear: what a thick tuft of such strands reflects
    openness: Tensor  # (N,) float32, in [0, 1], share of the light from outside that reaches here

    def __post_init__(self):
        count = len(self.starts) - 1
        shapes = {
            "points": (len(self.points), 3),
            "starts": (max(count, 0) + 1,),
            "width": (count,),
            "colour": (count, 3),
            "openness": (len(self.points),),
        }
        for name, shape in shapes.items():
            value = getattr(self, name)
            if tuple(value.shape) != shape:
                raise StrandError(f"{name} is {tuple(value.shape)}; expected {shape}")
            wanted = torch.int64 if name == "starts" else torch.float32
            if value.dtype != wanted:
                raise StrandError(f"{name} is {value.dtype}; convert it to {wanted}")
        if self.starts[0] != 0 or self.starts[-1] != len(self.points):
            raise StrandError(f"starts go from {self.starts[0]} to {self.starts[-1]}, not 0 to N")
        if (self.starts.diff() < 0).any():
            raise StrandError("starts fall; give the first point of each strand, in order")

    def __len__(self) -> int:
        """Strands."""
        return len(self.width)

    @classmethod
    def none(cls) -> "Strands":
        """No strand at all."""
        empty = torch.zeros(0, 3)
        return cls(empty, torch.zeros(1, dtype=torch.int64), empty[:, 0], empty, empty[:, 0])

    @classmethod
    def even(
        cls, points: Tensor, width: Tensor, colour: Tensor, openness: Tensor | None = None
    ) -> "Strands":
        """Strands of equally many points: (S, K, 3), widths (S,), colours (S, 3), openness (S, K).

        >>> len(Strands.even(torch.zeros(5, 4, 3), torch.ones(5), torch.ones(5, 3)))
        5
        """
        count, each = points.shape[:2]
        if openness is None:
            openness = points.new_ones(count, each)
        starts = torch.arange(count + 1, device=points.device) * each
        return cls(points.reshape(-1, 3), starts, width, colour, openness.reshape(-1))

    @classmethod
    def joined(cls, groups: Sequence["Strands"]) -> "Strands":
        """All strands of several groups, group after group."""
        if not groups:
            return cls.none()
        ends = np.cumsum([0] + [len(group.points) for group in groups])
        starts = [group.starts[:-1] + int(end) for group, end in zip(groups, ends, strict=False)]
        parts = {
            field.name: torch.cat([getattr(group, field.name) for group in groups])
            for field in fields(cls)
            if field.name != "starts"
        }
        last = groups[0].starts.new_tensor([int(ends[-1])])
        return cls(starts=torch.cat([*starts, last]), **parts)

    def thinned(self, count: int) -> "Strands":
        """A fair sample of at most `count` strands, each wider, so that as much is covered.

        Raises:
            StrandError: count is negative.
        """
        if count < 0:
            raise StrandError(f"{count} strands are asked for; give 0 or more")
        if count >= len(self):
            return self
        if count == 0:
            return Strands.none().to(self.points.device)
        device = self.points.device
        chosen = torch.arange(count, device=device) * len(self) // count
        return self.chosen(chosen, len(self) / count)

    def chosen(self, index: Tensor, wider: float = 1.0) -> "Strands":
        """Some strands by index (K,), `wider` times as wide."""
        lengths = self.starts.diff()[index]
        starts = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
        place = torch.arange(int(starts[-1]), device=starts.device)
        place = place + torch.repeat_interleave(self.starts[index] - starts[:-1], lengths)
        return Strands(
            self.points[place],
            starts,
            self.width[index] * wider,
            self.colour[index],
            self.openness[place],
        )

    def to(self, device: torch.device | str) -> "Strands":
        """The same strands on another device."""
        return Strands(*(getattr(self, field.name).to(device) for field in fields(self)))

    def moved(self, points: Tensor) -> "Strands":
        """The same strands with other points (N, 3)."""
        return replace(self, points=points)
