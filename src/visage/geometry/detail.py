"""Pictures of people with true wrinkles: what FineNet learns from and is measured on.

Each picture stands beside the true depth at its pixels, wrinkles and pores included
(`visage.geometry.relief_depth`), and the true numbers. A CoarseNet's answer is imitated by moving
the numbers (`coarse_like`), so that both networks can be trained side by side.

Pictures are drawn once and kept in the cache folder: `python -m visage.geometry.detail` draws all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import Tensor
from tqdm.auto import tqdm

from visage.faces.backgrounds import backgrounds
from visage.faces.population import SPLITS, People, people, seed_of
from visage.faces.portraits import Detail, portray
from visage.faces.scene import Scene, render
from visage.faces.shape import MorphableModel
from visage.faces.shots import EVERYDAY, Shots, shots
from visage.faces.skin import skin_maps
from visage.faces.surface import SurfaceMaps
from visage.files import written_whole
from visage.geometry.errors import DetailError
from visage.geometry.grey import grey
from visage.geometry.random_relief import ReliefRanges, with_random_relief
from visage.geometry.relief_depth import detailed_depth
from visage.geometry.representation import SIZE, FaceNumbers, pose_numbers
from visage.photos.downloads import cache_folder

SEED = 0
"""Of the world that all people of this part live in."""

SETS = {"train": (800, 3), "validation": (48, 1), "test": (144, 1)}
"""People that are drawn, and views of each."""

_SHOT = 77  # of a person: others draw the first ones
_TOGETHER = 6  # people drawn at once
_SHARD = 24  # people in a file
_STRANDS = 600  # of scalp hair, which the mask hides but for its edge
_RANGES = replace(EVERYDAY, yaw=40.0, pitch=15.0, roll=8.0, distance=None)
_MOVED = 0.6  # of a pose number: how unlike the windows round detected faces are
_DEEPER = 0.5  # by so much of the full depth the strongest expression deepens wrinkles

# As integers on disk: of a hundredth of a millimetre, of a thousandth, of 255.
_MM, _FINE, _NOWHERE = 100.0, 1000.0, -32768


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
        seeds = [seed_of(SEED, SPLITS.index(split), index, _SHOT + view) for index in indices]
        taken = _in_window(shots(model, persons, torch.tensor(seeds), size, _RANGES), size)
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
    deeper = persons.skin.wrinkles + _DEEPER * taken.intensity * (0.3 + persons.skin.wrinkles)
    return skin_maps(model, replace(persons.skin, wrinkles=deeper.clamp(max=1)), size)


def _in_window(taken: Shots, size: int) -> Shots:
    """The same shots through windows round the face, not quite in their middle."""
    drawn = [np.random.default_rng([seed, 19]).standard_normal(3) for seed in taken.seeds.tolist()]
    moved = _MOVED * torch.from_numpy(np.stack(drawn)).float()
    pose = torch.cat([pose_numbers(taken.camera)[:, :3], moved], 1)
    nothing = [torch.zeros(len(pose), width) for width in (80, 52)]
    return replace(taken, camera=FaceNumbers(*nothing, pose).camera(size))


def detailed_faces(
    split: str,
    count: int | None = None,
    size: int = SIZE,
    *,
    views: int | None = None,
    folder: Path | None = None,
    progress: bool = True,
) -> KeptDetail:
    """The first people of a split; those that no cache holds are drawn first.

    About 4 pictures a second on one core at 200 pixels. Those of the split "train" have random
    relief. A stopped call goes on at its last 24 people.

    Args:
        split: of `visage.faces.population.SPLITS`.
        count: people; as many as `SETS` says if None.
        size: pixels.
        views: of each; as many as `SETS` says if None.
        folder: of the cache, `cache_folder()` if None.
        progress: whether to show it.

    Raises:
        DetailError: there is no such split, or the count is below 1.
    """
    if split not in SPLITS:
        raise DetailError(f"no split {split!r}; choose among {', '.join(SPLITS)}")
    count = SETS[split][0] if count is None else count
    views = SETS[split][1] if views is None else views
    if count < 1 or views < 1:
        raise DetailError(f"{count} people from {views} sides; give at least 1 of both")
    folder = (folder or cache_folder()) / "geometry" / f"detail-{_edition()}"
    starts = range(0, count, _SHARD)
    hidden = None if progress else True
    parts = []
    for start in tqdm(starts, desc=f"{split} detail", unit="shard", disable=hidden, leave=False):
        stop = min(start + _SHARD, count)
        parts.append(_shard(folder, split, range(start, stop), size, views))
    return KeptDetail({name: torch.cat([part[name] for part in parts]) for name in parts[0]})


@dataclass(frozen=True, eq=False)
class KeptDetail:
    """N drawn faces, as integers."""

    stored: dict[str, Tensor]

    def __len__(self) -> int:
        """N."""
        return len(self.stored["faces"])

    def rows(self, indices: Sequence[int] | slice) -> DetailedFaces:
        """Some of the faces, as they were drawn but for the last digits."""
        some = {name: value[indices] for name, value in self.stored.items()}
        nowhere = some["depth"] == _NOWHERE
        found = {name: some[name].float() / 255 for name in ("faces", "seen", "albedo")}
        return DetailedFaces(
            **found,
            depth=(some["depth"].float() / _MM).masked_fill(nowhere, torch.inf),
            relief=some["relief"].float() / _FINE,
            mask=some["mask"].float(),
            **{name: some[name] for name in ("numbers", "light", "age")},
        )


def _shard(folder: Path, split: str, indices: range, size: int, views: int) -> dict[str, Tensor]:
    stem = f"{split}-{size}-by{views}-{indices.start:05d}"
    path = folder / f"{stem}-{indices.start + _SHARD:05d}.safetensors"
    if not path.exists():  # a part of the shard is a file of its own, unless all of it is there
        path = folder / f"{stem}-{indices.stop:05d}.safetensors"
    found = kept(path, lambda: _drawn(split, indices, size, views))
    return {name: value[: len(indices) * views] for name, value in found.items()}


def kept(path: Path, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """Tensors from a file, which is made if it is not there."""
    if not path.exists():
        made = make()
        with written_whole(path) as temporary:
            safetensors.torch.save_file(made, temporary)
    return safetensors.torch.load_file(path)


def _drawn(split: str, indices: range, size: int, views: int) -> dict[str, Tensor]:
    """Person after person, all views of each."""
    blocks = []
    for start in range(0, len(indices), _TOGETHER):
        some = indices[start : start + _TOGETHER]
        drawn = draw_detailed(split, some, size, views=views, random_relief=split == "train")
        order = torch.arange(len(drawn)).view(views, len(some)).T.flatten()
        blocks.append(_stored(drawn[order]))
    return {name: torch.cat([block[name] for block in blocks]) for name in blocks[0]}


def _stored(drawn: DetailedFaces) -> dict[str, Tensor]:
    def bytes_of(values: Tensor) -> Tensor:
        return (255 * values.clamp(0, 1)).round().to(torch.uint8)

    hundredths = (_MM * drawn.depth).round().nan_to_num(posinf=_NOWHERE).clamp(-32768, 32767)
    return {
        **{name: bytes_of(getattr(drawn, name)) for name in ("faces", "seen", "albedo")},
        "depth": hundredths.to(torch.int16),
        "relief": (_FINE * drawn.relief).round().clamp(-32767, 32767).to(torch.int16),
        "mask": drawn.mask.to(torch.uint8),
        **{name: getattr(drawn, name).contiguous() for name in ("numbers", "light", "age")},
    }


@lru_cache(maxsize=1)
def _edition() -> str:
    """Changes when pictures do: one is drawn again, and looked at coarsely."""
    probe = draw_detailed("train", [0], 64, random_relief=True)
    seen = torch.nn.functional.adaptive_avg_pool2d(probe.faces, 8).mul(50).round()
    plan = repr((SEED, _SHOT, _RANGES, _MOVED, _DEEPER, ReliefRanges(), seen.tolist()))
    return hashlib.sha256(plan.encode()).hexdigest()[:12]


@lru_cache(maxsize=1)
def _model() -> MorphableModel:
    return MorphableModel.load(1)


def main() -> None:
    """Draw all of them."""
    for split in SETS:
        print(f"{split}: {len(detailed_faces(split))} faces")


if __name__ == "__main__":
    main()
