"""Faces quilted from patches of other faces: the baseline in the manner of visio-lization.

Mohammed, Prince and Kautz (2009) draw a face in two steps: a global linear model gives what is
smooth, and a field of patches from a library of registered faces, each taken from its own place
on the face, gives the rest. The patches are laid and cut as in image quilting (Efros and Freeman
2001). Here the linear model is the low-frequency albedo, and the library is the database of
textures::

    quilter = Quilter.of(TextureDatabase.load(256))
    texture = quilter.quilt(low_frequency, seed=0).texture
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from visage.texture import compiled_quilting
from visage.texture.errors import QuiltingError

CELLS = 64
"""Cells along a window's side: patches are made of whole cells, and compared by cells' means."""

_TOGETHER = 16  # textures read at once


class TextureLibrary(Protocol):
    """Registered textures, such as `visage.texture.database.TextureDatabase`."""

    def __len__(self) -> int: ...

    def textures(self, indices: Tensor) -> Tensor:
        """(b, 3, S, S) in [0, 1]."""


@dataclass(frozen=True)
class QuiltingConfig:
    """How patches are chosen. Lengths are in cells, a 64th of the window's side each.

    The two papers give no numbers for faces of this size; these were chosen by eye on
    validation people.
    """

    patch: int = 4  # a sixteenth of the window: an eye's corner, half a lip
    overlap: int = 1  # a quarter of a patch, for seams to wind; Efros and Freeman take a sixth
    people: int = 48  # of the library, nearest in tone over the whole face: bounds memory and time
    reach: int = 2  # texels by which a patch may move to fit: faces are registered, texels are not
    likeness: float = 0.5  # weight of a patch's distance from the low-frequency albedo
    tolerance: float = 0.1  # Efros and Freeman: any patch within 0.1 of the best may be taken
    tone: int | None = 4  # differences of tone broader than this follow the albedo; None: none do


@dataclass(frozen=True, eq=False)
class Quilt:
    """What was laid."""

    texture: Tensor  # (1, 3, S, S) in [0, 1]
    people: Tensor  # (N,) indices into the library, of each patch
    corners: Tensor  # (N, 2) row and column of each patch, texels
    shifts: Tensor  # (N, 2) texels down and right from there, where the patch was taken


@dataclass(frozen=True, eq=False)
class Quilter:
    """A library that is ready to be quilted from.

    Attributes:
        library: of K textures.
        cells: (K, 3, 64, 64), their means over cells.
        config: of the quilts.
    """

    library: TextureLibrary
    cells: Tensor
    config: QuiltingConfig

    @classmethod
    def of(cls, library: TextureLibrary, config: QuiltingConfig | None = None) -> Quilter:
        """Read a library once.

        Raises:
            QuiltingError: the library is empty, or its textures have no whole cells, or the
                settings make no sense.
        """
        config = config or QuiltingConfig()
        _check_config(config)
        if not len(library):
            raise QuiltingError("the library is empty; give at least one texture")
        size = library.textures(torch.tensor([0])).shape[-1]
        if size % CELLS:
            raise QuiltingError(f"textures of {size} texels; give a multiple of {CELLS}")
        indices = torch.arange(len(library)).split(_TOGETHER)
        cells = [avg_pool2d(library.textures(some), size // CELLS) for some in indices]
        return cls(library, torch.cat(cells), config)

    def quilt(self, low_frequency: Tensor, seed: int, region: Tensor | None = None) -> Quilt:
        """Lay a face of patches over a low-frequency albedo.

        A candidate for a place costs the mean squared difference from what already lies under its
        overlap, plus `likeness` times that of its cells' means from the low-frequency albedo's.

        Args:
            low_frequency: (1, 3, S, S) in [0, 1], of the library's size.
            seed: of the choice among patches that fit about as well.
            region: (1, 1, S, S), nonzero where a face is wanted; elsewhere the low-frequency
                albedo stays. All by default.

        Raises:
            QuiltingError: the low-frequency albedo is not one texture of the library's size, or
                the region does not go with it.
        """
        size = self.library.textures(torch.tensor([0])).shape[-1]
        region = _checked(low_frequency, region, size)
        config, cell = self.config, size // CELLS
        tone = avg_pool2d(low_frequency.cpu().float(), cell)
        wanted = avg_pool2d(region, cell)
        corners = _corners(config, wanted)
        if not len(corners):
            raise QuiltingError("the region is empty; there is nothing to quilt")

        apart = ((self.cells - tone) ** 2 * wanted).mean(1, keepdim=True)
        people = apart.sum((1, 2, 3)).argsort()[: config.people]
        likeness = avg_pool2d(((self.cells[people] - tone) ** 2).mean(1, keepdim=True),
                              config.patch, 1)  # fmt: skip
        likeness = likeness[:, 0, corners[:, 0], corners[:, 1]] * config.likeness
        textures = self._in_tone(people, tone)
        draws = np.random.default_rng(seed).random(len(corners))
        canvas = np.ascontiguousarray(low_frequency[0].cpu().float().permute(1, 2, 0).numpy())
        chosen = np.empty((len(corners), 3), np.int64)
        compiled_quilting.quilt(
            textures, likeness.numpy(), likeness.argsort(0).numpy(), (corners * cell).numpy(),
            config.patch * cell, config.overlap * cell, config.reach, config.tolerance, draws,
            canvas, chosen,
        )  # fmt: skip
        laid = torch.from_numpy(canvas).permute(2, 0, 1)[None].clamp(0, 1)
        texture = torch.where(region > 0, laid, low_frequency.cpu().float())
        taken = torch.from_numpy(chosen)
        return Quilt(
            texture.to(low_frequency.device), people[taken[:, 0]], corners * cell, taken[:, 1:]
        )

    def _in_tone(self, people: Tensor, tone: Tensor) -> np.ndarray:
        """(P, S, S, 3) textures of people, with differences in broad tone taken out."""
        parts = []
        for some in people.split(_TOGETHER):
            textures = self.library.textures(some)
            if self.config.tone is not None:
                broad = _blurred(tone - self.cells[some], self.config.tone)
                textures = textures + interpolate(broad, textures.shape[-2:], mode="bicubic")
            parts.append(textures.permute(0, 2, 3, 1).contiguous().numpy())
        return np.concatenate(parts)


def minimum_cut(errors: Tensor) -> Tensor:
    """The seam of Efros and Freeman (2001): the cheapest path from the first row to the last.

    Args:
        errors: (L, W), what it costs to cut at a texel.

    Returns:
        (L,) int64 columns; from row to row they differ by at most one.

    Raises:
        QuiltingError: errors is not a non-empty matrix.

    >>> minimum_cut(torch.tensor([[9.0, 1.0, 9.0], [1.0, 9.0, 9.0], [9.0, 1.0, 9.0]]))
    tensor([1, 0, 1])
    """
    if errors.ndim != 2 or not errors.numel():
        raise QuiltingError(f"errors of shape {tuple(errors.shape)}; give (L, W), not empty")
    path = np.empty(len(errors), np.int64)
    compiled_quilting.cut(errors.detach().cpu().double().numpy(), path)
    return torch.from_numpy(path).to(errors.device)


def _corners(config: QuiltingConfig, wanted: Tensor) -> Tensor:
    """(N, 2) rows and columns of patches, in cells, in reading order, where any is wanted."""
    step, last = config.patch - config.overlap, CELLS - config.patch
    along = torch.tensor(sorted({*range(0, last, step), last}))
    corners = torch.cartesian_prod(along, along)
    covered = avg_pool2d(wanted, config.patch, 1)[0, 0]
    return corners[covered[corners[:, 0], corners[:, 1]] > 0]


def _blurred(cells: Tensor, side: int) -> Tensor:
    """Two box filters after each other, about `side` cells broad, edges repeated."""
    for _ in range(2):
        before = side // 2
        grown = pad(cells, (before, side - 1 - before) * 2, mode="replicate")
        cells = avg_pool2d(grown, side, 1)
        # An even box sits half a cell off: the second goes the other way.
        cells = cells.flip(-1, -2)
    return cells


def _checked(low_frequency: Tensor, region: Tensor | None, size: int) -> Tensor:
    if low_frequency.shape != (1, 3, size, size):
        raise QuiltingError(
            f"a low-frequency albedo of shape {tuple(low_frequency.shape)}; "
            f"give (1, 3, {size}, {size}), as large as the library's textures"
        )
    if region is None:
        return torch.ones(1, 1, size, size)
    if region.shape != (1, 1, size, size):
        raise QuiltingError(f"a region of shape {tuple(region.shape)}; give (1, 1, {size}, {size})")
    return (region.cpu() > 0).float()


def _check_config(config: QuiltingConfig) -> None:
    if not 0 < config.overlap < config.patch <= CELLS:
        raise QuiltingError(
            f"an overlap of {config.overlap} and patches of {config.patch} cells; "
            f"give 0 < overlap < patch <= {CELLS}"
        )
    if config.people < 1 or config.reach < 0 or config.tolerance < 0 or config.likeness < 0:
        raise QuiltingError(
            "people must be at least 1, and reach, tolerance and likeness not negative"
        )
    if config.tone is not None and not 1 <= config.tone <= CELLS:
        raise QuiltingError(f"tone is {config.tone} cells; give 1 to {CELLS}, or None")
