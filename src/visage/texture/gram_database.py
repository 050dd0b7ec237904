"""Gram matrices of a whole database: complete ones, kept on disk, and masked ones, compared.

Saito et al. (2017, section 4) compute each query's masked correlations anew, because every picture
hides something else; that is the 75 seconds of section 6. Here they pass by once, in batches, and
only their inner products stay. Matrices are packed to triangles (`visage.texture.gram.packed`): of
six layers at a quarter of VGG-19's width a texture takes 22 kB for the whole face and 132 kB by
region, of VGG-19 itself 1.2 MB.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from visage.files import written_whole
from visage.photos.downloads import cache_folder
from visage.texture.backbones import Backbone
from visage.texture.database import TextureDatabase
from visage.texture.errors import GramError
from visage.texture.gram import Grams, grams, packed, unpacked
from visage.texture.inner_products import Comparison
from visage.texture.window import face_region, resized

IN_MEMORY = 256 * 2**20
"""Bytes of masked matrices that are held in memory; more go to a temporary file."""

_SHARP = 0.95  # pixels a texel, from which nothing is lost that counts
_COLUMNS = 1 << 14  # of matrices that are multiplied at a time, in float64: 32 MB for 256 textures


def coarsened(textures: Tensor, pixels: float) -> Tensor:
    """Textures as a photograph shows them whose pixels are wider than texels.

    Args:
        textures: (B, C, S, S).
        pixels: that a texel is wide; from 0.95 on nothing changes.

    Returns:
        (B, C, S, S), made smaller by that factor and as large again.

    Raises:
        GramError: pixels are not positive.
    """
    size = textures.shape[-1]
    small = _kept_texels(size, pixels)
    return textures if small is None else resized(resized(textures, small), size)


def _kept_texels(size: int, pixels: float) -> int | None:
    """How many texels a side a photograph tells apart; None where it tells all."""
    if not pixels > 0:
        raise GramError(f"a texel is {pixels} pixels wide; give a positive number")
    return None if pixels >= _SHARP else max(1, round(size * pixels))


@dataclass(frozen=True, eq=False)
class GramDatabase:
    """Complete Gram matrices of K textures, and the means to compare masked ones."""

    backbone: Backbone
    database: TextureDatabase
    layers: tuple[str, ...]
    sizes: tuple[int, ...]  # numbers of a packed matrix, by layer
    kept: np.ndarray  # (K, sum of sizes) float32, packed; may be a memory map
    region: Tensor  # (1, 1, S, S), the face: the rest is masked out of complete textures, too

    @classmethod
    def of(
        cls,
        backbone: Backbone,
        database: TextureDatabase,
        layers: Sequence[str] | None = None,
        *,
        region: Tensor | None = None,
        folder: Path | None = None,
        progress: bool = True,
    ) -> GramDatabase:
        """Compute the complete matrices, or read them from the cache.

        Args:
            backbone: whose features.
            database: of textures.
            layers: of the backbone; its ``gram_layers`` if None.
            region: (1, 1, S, S), 1 where there is skin; the face's if None.
            folder: of the cache, ``visage.photos.downloads.cache_folder()`` if None.
            progress: whether to show it.

        Raises:
            GramError: the region has another size than the textures.
            BackboneError: a layer is unknown, or textures are too small for it.
        """
        chosen = set(backbone.gram_layers if layers is None else layers)
        names = tuple(layer for layer in backbone.layers if layer in chosen) or tuple(chosen)
        region = face_region(database.size) if region is None else region
        first = grams(backbone, database.luminance([0]), region, names)
        sizes = tuple(packed(matrix).shape[1] for matrix in first.values())
        shell = cls(backbone, database, names, sizes, np.zeros((0, sum(sizes)), "f4"), region)
        path = (folder or cache_folder()) / "texture" / f"grams-{shell._fingerprint()}.npy"
        if not path.exists():
            with shell._room(path.parent) as rows, written_whole(path) as temporary:
                shell._fill(rows, region, "correlations", progress)
                with temporary.open("wb") as file:
                    np.save(file, rows)
        return cls(backbone, database, names, sizes, np.load(path, mmap_mode="r"), region)

    def __len__(self) -> int:
        """K."""
        return len(self.database)

    def full(self, weights: Tensor) -> Grams:
        """Blends of complete matrices, Ĝ = Σ w_k G(I_k).

        Args:
            weights: (K,), of any sign and sum.

        Returns:
            (1, C, C) float32 by layer.

        Raises:
            GramError: there are not K weights.
        """
        if weights.shape != (len(self),):
            raise GramError(f"weights are {tuple(weights.shape)}; expected ({len(self)},)")
        used = weights.nonzero()[:, 0].tolist()
        blend = np.zeros(self.kept.shape[1])
        for index in used:
            blend += float(weights[index]) * self.kept[index]
        return self._unpacked(torch.from_numpy(blend).float()[None])

    def complete(self, indices: Sequence[int]) -> Grams:
        """Complete matrices of some textures, (B, C, C) float32 by layer."""
        return self._unpacked(torch.from_numpy(np.array(self.kept[list(indices)])))

    @torch.no_grad()
    def compare(
        self, luminance: Tensor, visible: Tensor, *, pixels: float = 1.0, progress: bool = True
    ) -> Comparison:
        """Mask the whole database as the query is, and compare.

        Args:
            luminance: (1, 1, S, S) of the query, in [0, 1]; anything where it is not visible.
            visible: (1, 1, S, S), 1 where it is. What is outside of the region is not.
            pixels: of the photograph, that a texel is wide. Below 1 the picture cannot show the
                finest detail, and the database is made as coarse, as it is masked alike (see
                `coarsened`); 1 compares as the paper does.
            progress: whether to show it.

        Returns:
            Inner products by layer. All blocks are multiplied in float64: nothing is projected or
            sampled.

        Raises:
            GramError: the query has another size than the textures, nothing of it is visible, or
                pixels are none.
        """
        expected = (1, 1, self.database.size, self.database.size)
        if luminance.shape != expected or visible.shape != expected:
            raise GramError(
                f"luminance is {tuple(luminance.shape)} and visible {tuple(visible.shape)}; "
                f"expected both {expected}, as the database's textures"
            )
        visible = visible.to(self.region) * self.region
        if not (visible > 0).any():
            raise GramError("nothing of the face is visible; check the mask and the model's fit")
        query = self._packed(grams(self.backbone, luminance, visible, self.layers))[0].double()
        if torch.equal(visible, self.region) and _kept_texels(self.database.size, pixels) is None:
            return self._products(self.kept, query)  # nothing is masked that was not before
        with self._room(None) as rows:
            self._fill(rows, visible, "masked correlations", progress, pixels)
            return self._products(rows, query)

    @torch.no_grad()
    def _fill(
        self, rows: np.ndarray, visible: Tensor, title: str, progress: bool, pixels: float = 1.0
    ) -> None:
        """Packed matrices of all textures, masked, into (K, sum of sizes) float32."""
        hidden = None if progress else True
        for k in tqdm(range(len(self)), desc=title, unit="face", disable=hidden, leave=False):
            seen = coarsened(self.database.luminance([k]).to(visible), pixels)
            found = grams(self.backbone, seen, visible, self.layers)
            rows[k] = self._packed(found)[0].cpu().numpy()

    @contextmanager
    def _room(self, folder: Path | None) -> Iterator[np.ndarray]:
        """An empty array for all packed matrices, in memory or in a file that is gone later."""
        shape = (len(self), sum(self.sizes))
        if 4 * shape[0] * shape[1] <= IN_MEMORY:
            yield np.empty(shape, np.float32)
            return
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            yield np.memmap(file, np.float32, "w+", shape=shape)

    def _products(self, rows: np.ndarray, query: Tensor) -> Comparison:
        normals, rights, squares, start = [], [], [], 0
        for size in self.sizes:
            normal = torch.zeros(len(rows), len(rows), dtype=torch.float64)
            right = torch.zeros(len(rows), dtype=torch.float64)
            for left in range(start, start + size, _COLUMNS):
                columns = slice(left, min(left + _COLUMNS, start + size))
                block = torch.from_numpy(rows[:, columns].astype(np.float64))
                normal += block @ block.mT
                right += block @ query[columns].cpu()
            normals.append(normal)
            rights.append(right)
            squares.append(query[start : start + size].square().sum().cpu())
            start += size
        normal = torch.stack(normals)
        masked = normal.diagonal(dim1=1, dim2=2).mean(1)
        seen = (masked / self._mean_squares().clamp_min(1e-300)).sqrt().clamp(0, 1)
        return Comparison(self.layers, normal, torch.stack(rights), torch.stack(squares), seen)

    def _mean_squares(self) -> Tensor:
        """Mean ‖G_k‖² of complete matrices, (L,) float64."""
        mean = torch.from_numpy(np.square(self.kept, dtype=np.float64).mean(0))
        return torch.stack([part.sum() for part in mean.split(self.sizes)])

    def _packed(self, found: Grams) -> Tensor:
        return torch.cat([packed(found[layer]) for layer in self.layers], 1)

    def _unpacked(self, rows: Tensor) -> Grams:
        parts = rows.split(self.sizes, 1)
        return {layer: unpacked(part) for layer, part in zip(self.layers, parts, strict=True)}

    def _fingerprint(self) -> str:
        """Of all that the complete matrices depend on: textures, filters, layers, region."""
        digest = hashlib.sha256(repr((self.backbone.key, self.layers, len(self))).encode())
        for name, values in self.backbone.state_dict().items():
            digest.update(name.encode() + values.cpu().numpy().tobytes())
        digest.update(self.region.numpy().tobytes())
        # Some rows across a face tell it from any other; whole textures are 200 MB.
        kept = self.database.kept
        digest.update(repr((self.database.size, kept.shape)).encode())
        digest.update(np.ascontiguousarray(kept[:, :, :: max(1, kept.shape[2] // 4)]).tobytes())
        return digest.hexdigest()[:16]
