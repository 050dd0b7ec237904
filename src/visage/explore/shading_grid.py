"""What FineNet's criterion wants by itself: a tracked grid of depth maps, one for each weighting.

`tools/build_shading_grid.py` descends eq. 14 over the depth of every pixel, for some people and for
weights on a grid; no network is asked. It begins with two coarse surfaces of each: the true one
without its wrinkles, as if CoarseNet were perfect, so that whatever is wrong with the outcome is
the criterion's doing; and one that is about as wrong as a CoarseNet's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from visage.explore.geometry_faces import ShownFaces, resized, shown_faces
from visage.explore.inversion_data import ExplorerDataError
from visage.faces.reflectance import decode_srgb
from visage.geometry.detail import coarse_like
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.fine_loss import explain
from visage.geometry.light_and_albedo import Recovered
from visage.geometry.pipeline import FINE_MESH
from visage.geometry.rendering_layer import render_depth, skin_mask
from visage.geometry.representation import SIZE, FaceNumbers
from visage.geometry.texture_space import TextureSpace

FOLDER = Path(__file__).parent / "geometry"
SHEET, WORDS = "shading.webp", "shading.json"

PEOPLE = (1, 4)
"""Of the shown faces."""

STARTS = ("the true surface, smoothed", "one as wrong as CoarseNet’s")

FIDELITIES = (0.0, 5e-3, 5e-2, 0.5, 5.0, 50.0)
SMOOTHNESSES = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Weights relative to that of shading; (5e-3, 1) is the paper's."""

SEED = 1

TILE = (176, 136)
"""Rows and columns of a face in its picture of 200 pixels."""

STEP = 0.025
"""mm that a grey level of the sheet is."""


@dataclass(frozen=True, eq=False)
class ShadedPeople:
    """P faces cut to `TILE`, and what explains their pictures; all constants to the criterion.

    Each of `PEOPLE` comes once for each of `STARTS`, one after the other.
    """

    names: tuple[str, ...]
    linear: Tensor  # (P, 1, 176, 136), the grey picture, linear light
    coarse: Tensor  # (P, 1, 176, 136) mm, the surface that is begun with; 0 outside
    truth: Tensor  # (P, 1, 176, 136) mm, with wrinkles, as far away in the median; 0 outside
    relief: Tensor  # (P, 1, 176, 136) mm that the wrinkles are nearer
    mask: Tensor  # (P, 1, 176, 136), 1 where skin is seen
    recovered: Recovered  # light and albedo
    scale: Tensor  # (P,) pixels a millimetre

    def __len__(self) -> int:
        """P."""
        return len(self.names)


@torch.no_grad()
def shaded_people(chosen: tuple[int, ...] = PEOPLE) -> ShadedPeople:
    """Faces with their light and albedo recovered (eqs. 11 and 12).

    Raises:
        ExplorerDataError: the faces are missing.
        CheckpointError: the textures are missing.
    """
    people: ShownFaces = shown_faces()[[number for number in chosen for _ in STARTS]]
    moved = coarse_like(people.numbers, torch.Generator().manual_seed(SEED)).numbers
    as_found = torch.arange(len(people)) % len(STARTS) == 1
    numbers = FaceNumbers.of(torch.where(as_found[:, None], moved, people.numbers.numbers))
    mesh = FaceMesh.load()
    drawn, smooth = render_depth(mesh, numbers), render_depth(FaceMesh.load(FINE_MESH), numbers)
    truth, true_mask = people.depth()
    mask = skin_mask(mesh, drawn.ids) * smooth.mask * true_mask
    linear = decode_srgb(people.grey())
    mean, modes = TextureSpace.load(mesh).drawn(drawn.ids, drawn.weights)
    scale = numbers.camera().scale
    found = explain(linear, smooth.depth, mean, modes, mask, scale)
    outside = mask <= 0
    apart = (smooth.depth - truth).masked_fill(outside, torch.nan)
    truth = truth + apart.flatten(1).nanmedian(1).values.view(-1, 1, 1, 1)
    coarse, truth = (depth.masked_fill(outside, 0) for depth in (smooth.depth, truth))
    relief = resized(people.relief, SIZE).masked_fill(outside, 0)
    cuts = [_window(one) for one in mask]

    def cut(pictures: Tensor) -> Tensor:
        pairs = zip(pictures, cuts, strict=True)
        return torch.stack([one[:, rows, columns] for one, (rows, columns) in pairs])

    recovered = Recovered(found.light, found.weights, cut(found.albedo), cut(found.shading))
    parts = map(cut, (linear, coarse, truth, relief, mask))
    return ShadedPeople(people.names, *parts, recovered, scale)


def _window(mask: Tensor) -> tuple[slice, slice]:
    """A tile round the mask (1, H, W)."""
    found = []
    for dim, size in zip((1, 2), TILE, strict=True):
        places = mask.amax(3 - dim).flatten().nonzero().flatten()
        first = int(places[0] + places[-1] + 1 - size) // 2
        first = min(max(first, 0), mask.shape[dim] - size)
        found.append(slice(first, first + size))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class ShadingGrid:
    """Outcomes for every pair of weights."""

    offsets: Tensor  # (P, F, S, 176, 136) mm that the surface came nearer than the coarse one
    terms: dict[str, Tensor]  # (P, F, S) each: shading, fidelity, smoothness, ratio, recovered


def write_grid(grid: ShadingGrid) -> None:
    """Track the outcomes: a row a person and fidelity, a column a smoothness."""
    levels = (grid.offsets / STEP + 128).round().clamp(0, 255).to(torch.uint8)
    sheet = levels.permute(0, 1, 3, 2, 4).flatten(3).flatten(0, 2).contiguous()
    FOLDER.mkdir(exist_ok=True)
    picture = Image.fromarray(sheet.numpy()).convert("RGB")
    picture.save(FOLDER / SHEET, lossless=True, quality=80, method=5)
    words = {name: _rounded(values) for name, values in grid.terms.items()}
    (FOLDER / WORDS).write_text(json.dumps(words) + "\n", encoding="utf-8")


def shading_grid() -> ShadingGrid:
    """The tracked outcomes.

    Raises:
        ExplorerDataError: they are not there.
    """
    missing = [name for name in (SHEET, WORDS) if not (FOLDER / name).is_file()]
    if missing:
        raise ExplorerDataError(
            f"src/visage/explore/geometry/{missing[0]} is missing; check it out again, or make it "
            "in a working copy with python -m tools.build_shading_grid."
        )
    sheet = torch.from_numpy(np.asarray(Image.open(FOLDER / SHEET).convert("L")).copy())
    rows, columns = TILE
    cells = sheet.view(-1, len(FIDELITIES), rows, len(SMOOTHNESSES), columns).transpose(2, 3)
    words = json.loads((FOLDER / WORDS).read_text(encoding="utf-8"))
    terms = {name: torch.tensor(values) for name, values in words.items()}
    return ShadingGrid(STEP * (cells.float() - 128), terms)


def _rounded(values: Tensor) -> list:
    if values.ndim:
        return [_rounded(one) for one in values]
    return float(f"{float(values):.4g}")
