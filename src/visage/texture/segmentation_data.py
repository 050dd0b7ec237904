"""Rendered people to learn segmentation from, drawn once and kept.

Random people, expressions, poses and lights, with hair, beards, glasses and clothes; beside each
picture stands what of it is the skin of the face. A picture takes longer to draw than a step takes
to learn from it, so each is kept in the cache folder (83 kB) and seen again in another crop, with
other things in the way (`visage.texture.occluders`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d
from tqdm.auto import tqdm

from visage.faces.camera import Camera
from visage.faces.hair import grow
from visage.faces.hair.strands import draw_strands
from visage.faces.hair.traits import SHAVEN
from visage.faces.population import SPLITS, People, people, seed_of
from visage.faces.portraits import Detail, portray
from visage.faces.scene import Render, Scene, render
from visage.faces.shape import MorphableModel
from visage.faces.shots import EVERYDAY, Shots, shots
from visage.faces.skin import skin_maps
from visage.faces.visibility import z_buffer
from visage.files import opened_array
from visage.photos.downloads import cache_folder
from visage.texture.errors import TextureError
from visage.texture.window import face_region, sample

SEED = 0
"""Of the world that all people of this part live in."""

KEPT_SIZE = 144
"""Pixels of a kept picture, which shows a little more than a chip round the face."""

EACH = 3
"""Pictures of a person."""

PEOPLE = {"train": 400, "validation": 40, "test": 60}

TRAITS = ("glasses", "beard", "hair")
"""What may hide a rendered person's face."""

_RANGES = replace(EVERYDAY, yaw=50.0, pitch=18.0, roll=8.0, width=(255.0, 280.0))
_DETAIL = Detail(texture=256, strands=1000)
_TOGETHER = 8  # people drawn at once
_REGION = 512  # texels in which the face's border is looked up
_OPAQUE = 0.35  # cover of strands, over 3 by 3 pixels, from which skin counts as hidden
_HAIRY = 0.04  # share of the face that strands hide, from which hair is a trait


class SegmentationDataError(TextureError):
    """Pictures that cannot be drawn."""


@dataclass(frozen=True, eq=False)
class KeptPeople:
    """N pictures and what of them is skin, on disk."""

    pictures: np.ndarray  # (N, 4, 144, 144) uint8: sRGB, and 255 on the skin of the face
    landmarks: np.ndarray  # (N, 68, 2) float32, pixels
    traits: np.ndarray  # (N, 3) bool, of `TRAITS`

    def __len__(self) -> int:
        """N."""
        return len(self.pictures)

    def rows(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Pictures with skin as fourth channel (B, 4, 144, 144) in [0, 1], landmarks (B, 68, 2)."""
        chosen = np.asarray(indices)
        pictures = torch.from_numpy(self.pictures[chosen]).float() / 255
        return pictures, torch.from_numpy(self.landmarks[chosen])


def kept_people(
    split: str, count: int | None = None, *, folder: Path | None = None, progress: bool = True
) -> KeptPeople:
    """The pictures of the first people of a split; those that are not there are drawn first.

    About 20 pictures a second on one core.

    Args:
        split: of `visage.faces.population.SPLITS`.
        count: people; all of `PEOPLE` if None.
        folder: of the cache, `cache_folder()` if None.
        progress: whether to show it.

    Raises:
        SegmentationDataError: there is no such split, or the count is below 1.
    """
    if split not in SPLITS:
        raise SegmentationDataError(f"no split {split!r}; choose among {', '.join(SPLITS)}")
    count = PEOPLE[split] if count is None else count
    if count < 1:
        raise SegmentationDataError(f"{count} people; give at least 1")
    folder = (folder or cache_folder()) / "texture" / f"segmentation-{_edition()}"
    folder.mkdir(parents=True, exist_ok=True)
    # Room for all, so that a longer call goes on where a shorter one ended; disks keep it sparse.
    room = max(count, PEOPLE[split]) * EACH
    side = KEPT_SIZE
    pictures = opened_array(folder / f"{split}-pictures.npy", np.uint8, (room, 4, side, side))
    landmarks = opened_array(folder / f"{split}-landmarks.npy", np.float32, (room, 68, 2))
    traits = opened_array(folder / f"{split}-traits.npy", np.bool_, (room, len(TRAITS)))
    drawn = opened_array(folder / f"{split}-drawn.npy", np.bool_, (room,))
    groups = [range(s, min(s + _TOGETHER, count)) for s in range(0, count, _TOGETHER)]
    groups = [group for group in groups if not drawn[_rows(group)].all()]
    hidden = None if progress else True
    for group in tqdm(groups, desc=f"{split} people", unit="group", disable=hidden, leave=False):
        rows = _rows(group)
        pictures[rows], landmarks[rows], traits[rows] = _draw(split, group)
        drawn[rows] = True
    return KeptPeople(*(kept[: count * EACH] for kept in (pictures, landmarks, traits)))


@torch.no_grad()
def _draw(split: str, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    model = _model()
    persons = people(model, SEED, indices, split=split)
    maps = skin_maps(model, persons.skin, _DETAIL.texture)
    drawn = []
    for shot in range(EACH):
        seeds = [seed_of(SEED, SPLITS.index(split), index, shot) for index in indices]
        taken = shots(model, persons, torch.tensor(seeds), KEPT_SIZE, _RANGES)
        scene = portray(model, persons, taken, _DETAIL, maps=maps)
        picture = render(model, scene)
        skin, bristly = visible_skin(model, persons, taken, scene, picture)
        traits = torch.stack([persons.glasses.worn, _bearded(persons), bristly > _HAIRY], 1)
        drawn.append((torch.cat([picture.image, skin], 1), picture.landmarks, traits))
    pictures, landmarks, traits = (
        torch.stack(part, 1).flatten(0, 1) for part in zip(*drawn, strict=True)
    )
    return (pictures * 255).round().byte().numpy(), landmarks.numpy(), traits.numpy()


def visible_skin(
    model: MorphableModel, persons: People, taken: Shots, scene: Scene, picture: Render
) -> tuple[Tensor, Tensor]:
    """What of rendered pictures is the skin of the face.

    Brows, lashes and what is painted into the skin count as skin; strands of scalp and beard,
    frames and lenses, clothes, eyes and the inside of the mouth do not.

    Args:
        model: that was drawn.
        persons: B people.
        taken: B shots of them.
        scene: that `portray` made of both.
        picture: that `render` made of the scene.

    Returns:
        The mask (B, 1, H, W), 0 or 1, and (B,) the share of the seen face that strands hide.
    """
    places = picture.uv.flatten(2).mT  # (B, H·W, 2)
    face = sample(face_region(_REGION).expand(len(places), -1, -1, -1), places)
    face = (face > 0.5).view_as(picture.mask) & (picture.mask > 0)
    depth = picture.depth[:, 0]
    hairs = [
        # Without brows: thinned to nothing.
        grow(model, replace(hair, brow_density=0.0), head, count=_DETAIL.strands)
        for hair, head in zip(persons.hair, picture.vertices, strict=True)
    ]
    cover = draw_strands(hairs, taken.camera, taken.light, depth).alpha
    # Smoothly: the border of a beard is not at its single hairs.
    hidden = avg_pool2d(cover, 3, 1, 1, count_include_pad=False) > _OPAQUE
    skin = face & ~hidden
    for worn in (scene.wear, scene.lenses):
        if worn is not None:
            skin &= ~_before(worn.vertices, worn.triangles, taken.camera, depth)
    bristly = (face & hidden).sum((1, 2, 3)) / face.sum((1, 2, 3)).clamp(min=1)
    return skin.float(), bristly


def _before(vertices: Tensor, triangles: Tensor, camera: Camera, depth: Tensor) -> Tensor:
    """(B, 1, H, W) bool, where a mesh lies before what is at `depth` (B, H, W)."""
    size = camera.height, camera.width
    near = z_buffer(camera.project(vertices), triangles, *size, perspective=camera.perspective)[1]
    return (near < depth)[:, None]


def _bearded(persons: People) -> Tensor:
    return torch.tensor([hair.beard != SHAVEN for hair in persons.hair])


def _rows(people: range) -> slice:
    return slice(people.start * EACH, people.stop * EACH)


def _edition() -> str:
    """What the pictures depend on beside the world's own code."""
    plan = repr((SEED, KEPT_SIZE, EACH, _RANGES, _DETAIL, _TOGETHER, _REGION, _OPAQUE, _HAIRY))
    return hashlib.sha256(plan.encode()).hexdigest()[:12]


@lru_cache(maxsize=1)
def _model() -> MorphableModel:
    return MorphableModel.load()
