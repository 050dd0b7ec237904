"""Pictures of people with true wrinkles: what FineNet learns from and is measured on.

Each picture stands beside the true depth at its pixels, wrinkles and pores included
(`visage.geometry.relief_depth`), and the true numbers. A CoarseNet's answer is imitated by moving
the numbers (`coarse_like`), so that both networks can be trained side by side. Drawn pictures are
kept by `visage.geometry.kept_detail`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from visage.faces.backgrounds import backgrounds
from visage.faces.population import SPLITS, People, people, seed_of
from visage.faces.portraits import Detail, portray
from visage.faces.scene import Scene, render
from visage.faces.shape import MorphableModel
from visage.faces.shots import EVERYDAY, Shots, shots
from visage.faces.skin import skin_maps
from visage.faces.surface import SurfaceMaps
from visage.geometry.errors import DetailError
from visage.geometry.grey import grey
from visage.geometry.random_relief import with_random_relief
from visage.geometry.relief_depth import detailed_depth
from visage.geometry.representation import SIZE, FaceNumbers, pose_numbers

SEED = 0
"""Of the world that all people of this part live in."""

SHOT = 77  # of a person: others draw the first ones
_STRANDS = 600  # of scalp hair, which the mask hides but for its edge
RANGES = replace(EVERYDAY, yaw=40.0, pitch=15.0, roll=8.0, distance=None)
MOVED = 0.6  # of a pose number: how unlike the windows round detected faces are
DEEPER = 0.5  # by so much of the full depth the strongest expression deepens wrinkles


@dataclass(frozen=True, eq=False)
class DetailedFaces:
    """B pictures of faces and their answers."""

    faces: Tensor  # (B, 1, H, W), grey, sRGB in [0, 1]
    depth: Tensor  # (B, 1, H, W) mm, true, with wrinkles; infinite where there is no head
    relief: Tensor  # (B, 1, H, W) mm by which wrinkles are nearer than the smooth surface
    mask: Tensor  # (B, 1, H, W), 1 where the face is, bare or covered
    seen: Tensor  # (B, 1, H, W), share of the pixel that shows it: not hair, glasses, background
    albedo: Tensor  # (B, 1, H, W), linear, grey
    numbers: Tensor  # (B, 138), true
    light: Tensor  # (B, 9), grey spherical harmonics, see `visage.faces.light.Light`
    age: Tensor  # (B,) years

    def __len__(self) -> int:
        """B."""
        return len(self.faces)

    def __getitem__(self, index: slice | Tensor) -> DetailedFaces:
        """Some of the faces."""
        return DetailedFaces(*(getattr(self, field.name)[index] for field in fields(self)))

    @property
    def truth(self) -> FaceNumbers:
        """The true numbers."""
        return FaceNumbers.of(self.numbers)

    @property
    def scale(self) -> Tensor:
        """(B,) pixels a millimetre."""
        return self.truth.camera(self.faces.shape[-1]).scale


@dataclass(frozen=True)
class CoarseErrors:
    """How far CoarseNet's numbers are from the truth: standard deviations."""

    identity: float = 0.45  # of 80 numbers that are standard deviations themselves
    expression: float = 0.05  # of 52 facial actions
    pose: float = 0.08  # of 6 pose numbers


COARSE_ERRORS = CoarseErrors()
"""About 2 mm and 2 degrees."""


def coarse_like(
    truth: FaceNumbers, generator: torch.Generator, errors: CoarseErrors = COARSE_ERRORS
) -> FaceNumbers:
    """Numbers about as far from the truth as CoarseNet's, whose errors differ in size face by face.

    Args:
        truth: of B faces.
        generator: on the CPU.
        errors: how far.
    """

    def moved(values: Tensor, spread: float) -> Tensor:
        size = 2 * torch.rand(len(values), 1, generator=generator)
        return values + spread * size * torch.randn(values.shape, generator=generator)

    return FaceNumbers(
        moved(truth.identity, errors.identity),
        moved(truth.expression, errors.expression).clamp(0, 1),
        moved(truth.pose, errors.pose),
    )


@torch.no_grad()
def draw_detailed(
    split: str,
    indices: Sequence[int],
    size: int = SIZE,
    *,
    views: int = 1,
    random_relief: bool = False,
) -> DetailedFaces:
    """Draw people of a split, each with one expression, from some sides and in as many lights.

    Args:
        split: of `visage.faces.population.SPLITS`.
        indices: of P people.
        size: pixels of the square pictures, which show the same at any size.
        views: of each person.
        random_relief: whether some have more relief than the world's people do.

    Returns:
        views times P faces: all people first, then all again from another side.

    Raises:
        DetailError: there is no such split.
    """
    if split not in SPLITS:
        raise DetailError(f"no split {split!r}; choose among {', '.join(SPLITS)}")
    model = _model()
    persons = people(model, SEED, indices, split=split)
    finish = Detail(texture=512 if size <= 256 else 1024, strands=_STRANDS, supersample=2)
    scene, drawn = None, []
    for view in range(views):
        seeds = [seed_of(SEED, SPLITS.index(split), index, SHOT + view) for index in indices]
        taken = _in_window(shots(model, persons, torch.tensor(seeds), size, RANGES), size)
        if scene is None:
            maps = wrinkled(model, persons, taken, finish.texture)
            maps = with_random_relief(maps, seeds) if random_relief else maps
            scene = portray(model, persons, taken, finish, maps=maps)
        else:  # growing hair takes longest, and it follows the expression
            behind = backgrounds(taken.seeds, size, size)
            scene = replace(scene, camera=taken.camera, light=taken.light, background=behind)
        drawn.append(_answered(model, scene, persons))
    return joined(drawn)


def _answered(model: MorphableModel, scene: Scene, persons: People) -> DetailedFaces:
    picture = render(model, scene, supersample=2)
    surface = detailed_depth(model, scene.camera, picture.vertices, scene.maps)
    return DetailedFaces(
        faces=grey(picture.image),
        depth=surface.depth,
        relief=surface.relief,
        mask=surface.face,
        seen=picture.seen * surface.face,
        albedo=grey(picture.albedo),
        numbers=torch.cat([scene.identity, scene.expression, pose_numbers(scene.camera)], 1),
        light=grey(scene.light.coefficients().mT[..., None])[:, 0, :, 0],
        age=persons.labels["age"],
    )


def joined(some: Sequence[DetailedFaces]) -> DetailedFaces:
    """Batches of faces as one."""
    return DetailedFaces(
        *(torch.cat([getattr(one, field.name) for one in some]) for field in fields(DetailedFaces))
    )


def wrinkled(model: MorphableModel, persons: People, taken: Shots, size: int) -> SurfaceMaps:
    """The textures of B people as they are at B shots: lines deepen with the expression."""
    deeper = persons.skin.wrinkles + DEEPER * taken.intensity * (0.3 + persons.skin.wrinkles)
    return skin_maps(model, replace(persons.skin, wrinkles=deeper.clamp(max=1)), size)


def _in_window(taken: Shots, size: int) -> Shots:
    """The same shots through windows round the face, not quite in their middle."""
    drawn = [np.random.default_rng([seed, 19]).standard_normal(3) for seed in taken.seeds.tolist()]
    moved = MOVED * torch.from_numpy(np.stack(drawn)).float()
    pose = torch.cat([pose_numbers(taken.camera)[:, :3], moved], 1)
    nothing = [torch.zeros(len(pose), width) for width in (80, 52)]
    return replace(taken, camera=FaceNumbers(*nothing, pose).camera(size))


@lru_cache(maxsize=1)
def _model() -> MorphableModel:
    return MorphableModel.load(1)
