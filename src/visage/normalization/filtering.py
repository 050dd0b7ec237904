"""Measuring an album's photographs once, and choosing those that are good enough."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor
from tqdm.auto import tqdm

from visage.files import written_whole
from visage.normalization.albums import Album, Found
from visage.normalization.quality import Measures, measure
from visage.normalization.read_outs import ReadOuts
from visage.photos.downloads import cache_folder
from visage.recognition.encoder import Encoder

_BLOCK = 64
_TOGETHER = 16
_NAMES = tuple(field.name for field in fields(Measures))


def measure_all(
    album: Album,
    found: Found,
    read_outs: ReadOuts,
    encoder: Encoder,
    *,
    folder: Path | None = None,
) -> Measures:
    """The measures of photographs in which a face was found, remembered in blocks.

    Args:
        album: whose photographs.
        found: by `visage.normalization.albums.find_all`.
        read_outs: of pose, expression and glasses.
        encoder: whose embeddings the read-outs learned from.
        folder: of the cache, `cache_folder()` if None.
    """
    folder = (folder or cache_folder()) / "normalization" / "measures"
    known = hashlib.sha256(repr((encoder.name, _NAMES)).encode())
    for weights in read_outs.state_dict().values():
        known.update(weights.numpy().tobytes())
    rows = []
    for start in tqdm(
        range(0, len(found), _BLOCK), desc="measures", unit="block", disable=None, leave=False
    ):
        some = slice(start, start + _BLOCK)
        points = found.landmarks[some]
        key = known.copy()
        key.update(repr((album.name, found.photos[some])).encode() + points.numpy().tobytes())
        path = folder / f"{key.hexdigest()[:20]}.safetensors"
        if not path.exists():
            table = _measured(album, found.photos[some], points, read_outs, encoder)
            with written_whole(path) as temporary:
                safetensors.torch.save_file({"measures": table}, temporary)
        rows.append(safetensors.torch.load_file(path)["measures"])
    table = torch.cat([torch.zeros(0, len(_NAMES)), *rows])
    return Measures(*table.unbind(1))


def _measured(album, photos, points: Tensor, read_outs: ReadOuts, encoder: Encoder) -> Tensor:
    """(B, M), a column a measure; photographs of one size are measured together."""
    images = [album.image(*photo) for photo in photos]
    table = torch.zeros(len(images), len(_NAMES))
    for shape in {image.shape for image in images}:
        rows = [row for row, image in enumerate(images) if image.shape == shape]
        for some in torch.tensor(rows).split(_TOGETHER):
            batch = torch.cat([images[row] for row in some.tolist()])
            found = measure(batch, points[some], read_outs, encoder)
            table[some] = torch.stack([getattr(found, name) for name in _NAMES], 1)
    return table
