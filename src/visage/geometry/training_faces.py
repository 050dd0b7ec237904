"""Faces to learn from (Richardson et al. 2017, section 3.2.2): drawn at random, and kept.

Random people, expressions, poses, textures, lights and backgrounds, with hair, beards,
glasses and clothes. A picture takes longer to draw than a step takes to learn from it, so that each
is kept in the cache folder, 21 kB, and seen again in another crop, mirrored, with other noise and
another feedback: what a step sees is new each time. `python -m visage.geometry.training_faces`
draws all of them, and goes on where it was stopped.
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
from tqdm.auto import tqdm

from visage.faces.camera import WeakPerspective
from visage.faces.population import SPLITS, people, seed_of
from visage.faces.portraits import Detail, portray
from visage.faces.scene import render
from visage.faces.shape import MorphableModel
from visage.faces.shots import EVERYDAY, shots
from visage.faces.skin import skin_maps
from visage.files import opened_array
from visage.geometry.errors import TrainingFacesError
from visage.geometry.grey import grey
from visage.photos.downloads import cache_folder

SEED = 0
"""Of the world that all people of this part live in."""

KEPT_SIZE = 144
"""Pixels of a kept picture, which shows a little more than a window round the face."""

EACH = 4
"""Pictures of a person."""

PEOPLE = {"train": 6000, "validation": 150}

_NEAR = replace(
    EVERYDAY, yaw=50.0, pitch=18.0, roll=12.0, width=(268.0, 282.0), shift=0.02, distance=None
)
_FAR = replace(_NEAR, yaw=85.0)
_FAR_SHOT = EACH - 1  # the last picture of a person may be a profile
_DETAIL = Detail(texture=256, strands=800)
_TOGETHER = 8  # people drawn at once
_ANSWERS = (132, 3, 2, 1)  # identity and expression, angles, translation, scale


@dataclass(frozen=True, eq=False)
class KeptFaces:
    """N pictures and their answers, on disk."""

    images: np.ndarray  # (N, 144, 144) uint8, grey
    answers: np.ndarray  # (N, 138): identity, expression, angles, translation, scale

    def __len__(self) -> int:
        """N."""
        return len(self.images)

    def rows(self, indices: Sequence[int]) -> tuple[Tensor, Tensor, WeakPerspective]:
        """Pictures (B, 1, 144, 144) in [0, 1], identity and expression (B, 132), and cameras."""
        chosen = np.asarray(indices)
        images = torch.from_numpy(self.images[chosen])[:, None].float() / 255
        shape, angles, translation, scale = torch.from_numpy(self.answers[chosen]).split(
            _ANSWERS, 1
        )
        camera = WeakPerspective(angles, translation, KEPT_SIZE, KEPT_SIZE, scale=scale[:, 0])
        return images, shape, camera


def kept_faces(
    split: str, count: int | None = None, *, folder: Path | None = None, progress: bool = True
) -> KeptFaces:
    """The pictures of the first people of a split; those that are not there are drawn first.

    About 40 pictures a second on one core.

    Args:
        split: of `visage.faces.population.SPLITS`.
        count: people; all of `PEOPLE` if None.
        folder: of the cache, `cache_folder()` if None.
        progress: whether to show it.

    Raises:
        TrainingFacesError: there is no such split, or the count is below 1.
    """
    if split not in SPLITS:
        raise TrainingFacesError(f"no split {split!r}; choose among {', '.join(SPLITS)}")
    count = PEOPLE.get(split, 0) if count is None else count
    if count < 1:
        raise TrainingFacesError(f"{count} people; give at least 1")
    folder = (folder or cache_folder()) / "geometry" / f"faces-{_edition()}"
    folder.mkdir(parents=True, exist_ok=True)
    # Room for all, so that a longer call goes on where a shorter one ended; disks keep it sparse.
    room = max(count, PEOPLE.get(split, 0)) * EACH
    images = opened_array(folder / f"{split}-images.npy", np.uint8, (room, KEPT_SIZE, KEPT_SIZE))
    answers = opened_array(folder / f"{split}-answers.npy", np.float32, (room, sum(_ANSWERS)))
    drawn = opened_array(folder / f"{split}-drawn.npy", np.bool_, (room,))
    starts = [
        s for s in range(0, count, _TOGETHER) if not drawn[s * EACH : (s + _TOGETHER) * EACH].all()
    ]
    hidden = None if progress else True
    for start in tqdm(starts, desc=f"{split} faces", unit="group", disable=hidden, leave=False):
        stop = min(start + _TOGETHER, room // EACH)
        rows = slice(start * EACH, stop * EACH)
        images[rows], answers[rows] = _draw(split, range(start, stop))
        drawn[rows] = True
    return KeptFaces(images[: count * EACH], answers[: count * EACH])


@torch.no_grad()
def _draw(split: str, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    model = _model()
    persons = people(model, SEED, indices, split=split)
    maps = skin_maps(model, persons.skin, _DETAIL.texture)
    pictures, answers = [], []
    for shot in range(EACH):
        seeds = [seed_of(SEED, SPLITS.index(split), index, shot) for index in indices]
        ranges = _FAR if shot == _FAR_SHOT else _NEAR
        taken = shots(model, persons, torch.tensor(seeds), KEPT_SIZE, ranges)
        scene = portray(model, persons, taken, _DETAIL, maps=maps)
        pictures.append(grey(render(model, scene).image)[:, 0])
        camera = taken.camera
        found = [persons.identity, taken.expression, camera.angles, camera.translation]
        answers.append(torch.cat([*found, camera.scale[:, None]], 1))
    images = (torch.stack(pictures, 1).flatten(0, 1) * 255).round().to(torch.uint8)
    return images.numpy(), torch.stack(answers, 1).flatten(0, 1).numpy()


def _edition() -> str:
    """What the pictures depend on beside the world's own code."""
    plan = repr((SEED, KEPT_SIZE, EACH, _NEAR, _FAR, _DETAIL, _TOGETHER))
    return hashlib.sha256(plan.encode()).hexdigest()[:12]


@lru_cache(maxsize=1)
def _model() -> MorphableModel:
    return MorphableModel.load()


if __name__ == "__main__":
    for name in PEOPLE:
        kept_faces(name)
