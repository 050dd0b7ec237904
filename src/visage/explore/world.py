"""The figures of the chapter on the synthetic world."""

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate, pad

from visage import ledger
from visage.explore.style import MUTED, ORANGE, Shown
from visage.faces.camera import WeakPerspective
from visage.faces.expressions import EXPRESSIONS, sample_expressions
from visage.faces.light import LIGHT_KINDS, seeded_lights
from visage.faces.population import people, seed_of
from visage.faces.portraits import Detail, portray
from visage.faces.recognition_reproduce import separation_figure
from visage.faces.reflectance import encode_srgb
from visage.faces.scene import Render, Scene, render
from visage.faces.shape import MorphableModel
from visage.faces.shots import EVERYDAY, Shots, shots
from visage.faces.skin import tone_table

LIGHT_NAMES = tuple(kind.name for kind in LIGHT_KINDS)
SPLIT = "test"
_STUDIO = tuple(kind for kind in LIGHT_KINDS if kind.name == "studio")
_GAP, _LINE = 4, 22  # pixels between tiles, and for a label
_PORTRAIT = 285.0  # mm across


def contact_sheet(
    images: Tensor, columns: int, labels: Sequence[str] | None = None, width: float = 7.6
) -> Figure:
    """Pictures side by side.

    Args:
        images: (N, 3, H, W) in [0, 1].
        columns: in a row.
        labels: N, below the pictures.
        width: of the figure, inches.
    """
    count, _, high, wide = images.shape
    rows = -(-count // columns)
    line = _LINE if labels else _GAP
    sheet = np.zeros((rows * (high + line), columns * (wide + _GAP) - _GAP, 4))
    corners = []
    for index, image in enumerate(images.permute(0, 2, 3, 1).numpy()):
        top, left = index // columns * (high + line), index % columns * (wide + _GAP)
        sheet[top : top + high, left : left + wide] = np.dstack([image, np.ones((high, wide))])
        corners.append((left + wide / 2, top + high + 2))
    height = width * sheet.shape[0] / sheet.shape[1]
    figure = plt.figure(figsize=(width, height), layout="none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(sheet, interpolation="none")
    axes.set_axis_off()
    for (x, y), label in zip(corners, labels or (), strict=False):
        axes.text(x, y, label, ha="center", va="top", fontsize=8.5, color=MUTED)
    return figure


def everyday(model: MorphableModel, count: int, size: int) -> Tensor:
    """The first people of the test split, one everyday picture each (N, 3, size, size)."""
    found = []
    for start in range(0, count, 8):
        persons = people(model, 0, range(start, min(start + 8, count)), split=SPLIT)
        seeds = torch.tensor([seed_of(0, index, 9) for index in range(start, start + len(persons))])
        found.append(_drawn(model, persons, shots(model, persons, seeds, size)))
    return torch.cat(found)


def directions(model: MorphableModel, names: Sequence[str]) -> Tensor:
    """The mean head along directions of identity, five steps each, in grey."""
    steps = torch.linspace(-2, 2, 5)
    identity = torch.cat([steps[:, None] * model.directions[name] for name in names])
    count = len(identity)
    seeds = torch.full((count,), 3)
    scene = Scene(
        identity,
        torch.zeros(count, len(model.expression_names)),
        _camera(count, 150, yaw=0.45),
        seeded_lights(seeds, _STUDIO),
        background=torch.ones(count, 3, 150, 150),
    )
    return render(model, scene, supersample=2).image


def lights(model: MorphableModel, size: int, person: int = 3) -> Tensor:
    """One person in each kind of light (10, 3, size, size)."""
    kinds = len(LIGHT_KINDS)
    taken = _posed(model, person, torch.zeros(kinds, 3), size)
    several = [seeded_lights(torch.tensor([5]), (kind,)) for kind in LIGHT_KINDS]
    light = type(several[0])(
        *(
            torch.cat([getattr(one, name) for one in several])
            for name in ("ambient", "key_direction", "key_colour", "key_radius")
        )
    )
    persons = people(model, 0, [person] * kinds, split=SPLIT)
    return _drawn(model, persons, replace(taken, light=light))


def expressions(model: MorphableModel, person: int, size: int) -> Tensor:
    """One person's expressions at full intensity, in the order of `EXPRESSIONS`."""
    count = len(EXPRESSIONS)
    taken = _posed(model, person, torch.zeros(count, 3), size, tuple(EXPRESSIONS))
    return _drawn(model, people(model, 0, [person] * count, split=SPLIT), taken)


def poses(model: MorphableModel, person: int, size: int) -> Tensor:
    """One person turned by -60 to 60 degrees, and nodding from -30 to 30."""
    angles = torch.zeros(10, 3)
    angles[:5, 1] = torch.deg2rad(torch.linspace(-60, 60, 5))
    angles[5:, 0] = torch.deg2rad(torch.linspace(-30, 30, 5))
    persons = people(model, 0, [person] * 10, split=SPLIT)
    return _drawn(model, persons, _posed(model, person, angles, size))


def answers(picture: Render) -> Figure:
    """A picture and what is known of it."""
    image = picture.image[0].permute(1, 2, 0).numpy()
    inside = picture.mask[0, 0].bool()
    depth = picture.depth[0, 0].masked_fill(~inside, torch.nan).numpy()

    def clear(values: Tensor) -> np.ndarray:
        return torch.cat([values[0], picture.mask[0]]).permute(1, 2, 0).clamp(0, 1).numpy()

    figure, axes = plt.subplots(2, 3, figsize=(7.6, 5.2))
    for axis in axes.flat:
        axis.set_axis_off()
    tiles = {
        "picture": image,
        "landmarks": 0.55 * image + 0.45,
        "depth": depth,
        "normals": clear((picture.normals + 1) / 2),
        "place on the mean head": clear(picture.pncc),
        "albedo": clear(encode_srgb(picture.albedo)),
    }
    for axis, (name, tile) in zip(axes.flat, tiles.items(), strict=True):
        axis.imshow(tile, cmap="viridis_r", interpolation="none")
        axis.set_title(name, fontsize=9.5)
    points = picture.landmarks[0]
    axes[0, 1].scatter(points[:, 0], points[:, 1], s=4, color=ORANGE, linewidths=0)
    return figure


def tone_chart() -> Figure:
    """Skin of every tone."""
    tones = encode_srgb(tone_table(12, 6)).clamp(0, 1).numpy()  # (melanin, haemoglobin, 3)
    figure, axes = plt.subplots(figsize=(6.4, 2.4))
    axes.imshow(tones.transpose(1, 0, 2), origin="lower", interpolation="nearest", aspect="auto")
    axes.set(xlabel="melanin →", ylabel="haemoglobin →", xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    return figure


def separation() -> Figure:
    """Distances between synthetic people's pictures, above those between photographs."""
    path = ledger.results_folder() / "faces" / "separation.histograms.json"
    return separation_figure(json.loads(path.read_text(encoding="utf-8")))


def figure_of(result: str, *, alt: str, caption: str) -> Shown:
    """The figure that an experiment keeps beside its ledger entry.

    Raises:
        LedgerError: the experiment has not been run, or has no figure.
    """
    found = ledger.read(result)
    if found.figure is None:
        raise ledger.LedgerError(f"{result} has no figure; run its experiment again")
    path = ledger.results_folder() / Path(result).parent / found.figure
    packed = io.BytesIO()
    Image.open(path).save(packed, "WEBP", quality=90, method=6)
    data = base64.b64encode(packed.getvalue()).decode()
    picture = f'<img src="data:image/webp;base64,{data}" alt="" style="width:100%">'
    return Shown(picture, caption, alt)


def _posed(
    model: MorphableModel, person: int, angles: Tensor, size: int, names: Sequence[str] = ()
) -> Shots:
    """Shots of one person in studio light, at angles (N, 3)."""
    count = len(angles)
    persons = people(model, 0, [person] * count, split=SPLIT)
    taken = shots(model, persons, torch.full((count,), 12), size, EVERYDAY)
    names = tuple(names) or ("neutral",) * count
    level = torch.tensor([float(name != "neutral") for name in names])
    actions = sample_expressions(model, names, level, persons.seeds, taken.seeds)
    camera = _camera(count, size, angles=angles).at_distance(torch.full((count,), 1200.0))
    light = seeded_lights(torch.full((count,), 3), _STUDIO)
    return replace(
        taken, camera=camera, light=light, expression=actions, names=names, intensity=level
    )


def _camera(
    count: int, size: int, *, yaw: float = 0.0, angles: Tensor | None = None
) -> WeakPerspective:
    if angles is None:
        angles = torch.tensor([0.0, yaw, 0.0]).expand(count, 3)
    scale = torch.full((count,), size / _PORTRAIT)
    return WeakPerspective(
        angles, torch.tensor([0.0, 14.0]).expand(count, 2), size, size, scale=scale
    )


def _drawn(model: MorphableModel, persons, taken: Shots) -> Tensor:
    # Finer than the size asks for: screens show two dots where a page has one pixel.
    scene = portray(model, persons, taken, Detail.of(2 * taken.camera.height))
    return render(model, scene, supersample=2).image


def round_face(pictures: Sequence[Tensor], landmarks: Tensor, size: int = 240) -> Tensor:
    """The same square round a face out of several pictures, (N, 3, size, size).

    Args:
        pictures: (1, 3, H, W) each, of one size.
        landmarks: (1, 68, 2), pixels of them.
        size: of the result.
    """
    low, high = landmarks[0].amin(0), landmarks[0].amax(0)
    x, y = ((low + high) / 2).round().int().tolist()
    half = int(0.85 * (high - low).max().item())
    padded = [pad(picture, (half,) * 4, mode="replicate") for picture in pictures]
    cut = [picture[..., y : y + 2 * half, x : x + 2 * half] for picture in padded]
    return interpolate(torch.cat(cut), (size, size), mode="bilinear")
