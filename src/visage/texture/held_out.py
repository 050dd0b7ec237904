"""Photographs of held-out people whose textures are known: what the method is measured on.

The paper compares with captures of a Light Stage and with photographs. Here people of a split whom
nothing has learned from are photographed by the world's renderer: 512 pixels that the head fills,
perspective, the relief of their skin, a soft light of a room, window, studio or overcast sky, and
hair that hides what it hides. They are shaven, to the stubble that their textures have: what is
under a beard can be nobody's truth. Their brows are painted into their textures and grow on no
strands, so that the truth has them.

Everything is drawn once, and kept in the cache folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor
from tqdm.auto import tqdm

from visage.faces.camera import Perspective
from visage.faces.hair.traits import SHAVEN
from visage.faces.light import LIGHT_KINDS, Light
from visage.faces.population import SPLITS, People, people, seed_of
from visage.faces.portraits import Detail, portray
from visage.faces.scene import render
from visage.faces.shape import MorphableModel
from visage.faces.shots import EVERYDAY, Shots, shots
from visage.files import written_whole
from visage.photos.downloads import cache_folder
from visage.texture.database import TextureDatabase
from visage.texture.errors import HeldOutError
from visage.texture.skins import SEED, face_atlases

PEOPLE = 50
"""As many as the truth is measured on."""

PIXELS = 512
"""Of a photograph's side."""

SOFT_LIGHTS = ("room", "overcast", "window", "studio")
"""Kinds of light whose shading second-order harmonics explain but for soft shadows."""

RANGES = replace(
    EVERYDAY,
    yaw=0.0,
    pitch=5.0,
    roll=3.0,
    width=(225.0, 255.0),  # mm: the head, not the shoulders
    shift=0.02,
    distance=(800.0, 2500.0),
    expressions={"neutral": 3.0, "happiness": 1.0},  # a portrait's
    intensity=(0.2, 0.5),
    lights=tuple(kind for kind in LIGHT_KINDS if kind.name in SOFT_LIGHTS),
)
"""What photographs are drawn from; their yaw is asked for."""

_SHOT = 51  # of a person: other parts draw the first ones, 41 and 77
_SHAKE = 3.0  # degrees of yaw round what is asked for
_ATLAS = 2048  # texels: the pixels of a photograph show less than one
_DETAIL = Detail(texture=_ATLAS, strands=12000, supersample=2)
_CENTRE = (0.0, -8.0, 50.0)  # mm, head frame, what the photographer centres

SETTING = repr((SEED, _SHOT, "shaven", _SHAKE, _DETAIL, _CENTRE, RANGES))
"""What photographs depend on beside who is there and the world's own code."""


@dataclass(frozen=True, eq=False)
class HeldOutViews:
    """B photographs of B people, and everything about them."""

    split: str
    indices: tuple[int, ...]  # B, of the people
    image: Tensor  # (B, 3, P, P), sRGB, in [0, 1]
    seen: Tensor  # (B, 1, P, P), share of a pixel that shows the bare head, not hair or clothes
    identity: Tensor  # (B, 80), standard deviations
    expression: Tensor  # (B, 52)
    landmarks: Tensor  # (B, 68, 2), pixels, true
    camera: Perspective
    light: Light

    def __len__(self) -> int:
        """B."""
        return len(self.image)

    def __getitem__(self, index: slice | Sequence[int]) -> HeldOutViews:
        """Some of the photographs; a slice, or numbers."""
        chosen = torch.arange(len(self))[index if isinstance(index, slice) else list(index)]
        parts = {name: getattr(self, name)[chosen] for name in _PICTURED}
        return replace(
            self,
            indices=tuple(self.indices[i] for i in chosen.tolist()),
            camera=_some(self.camera, chosen),
            light=self.light[chosen],
            **parts,
        )

    def vertices(self, model: MorphableModel) -> Tensor:
        """(B, V, 3) mm, head frame, of the model at either level of subdivision."""
        return model.vertices(self.identity, self.expression)

    def textures(self, size: int) -> Tensor:
        """True textures (B, 3, size, size), made as the database's are.

        A small texture is the mean of a large one. Painted small, it would lack the pores that a
        photograph's pixels are means of, too.
        """
        count = max(self.indices) + 1
        return TextureDatabase.load(size, count, self.split).textures(self.indices)


_PICTURED = ("image", "seen", "identity", "expression", "landmarks")
_CAMERA = ("angles", "translation", "focal", "distance")


def held_out_views(
    count: int = PEOPLE,
    split: str = "test",
    size: int = PIXELS,
    yaw: float = 0.0,
    *,
    relief: bool = True,
    first: int = 0,
    folder: Path | None = None,
    progress: bool = True,
) -> HeldOutViews:
    """One photograph of each of some people, all turned by about the same angle.

    A person's light, distance and expression are the same at every yaw. About 5 seconds each.

    Args:
        count: people.
        split: of `visage.faces.population.SPLITS`.
        size: P, pixels of a photograph's side.
        yaw: degrees, to within 3; people of even numbers look to the picture's right, others to
            its left.
        relief: whether wrinkles and pores have depth, and shade themselves; else they are painted
            on, and what a photograph shows of them is their albedo.
        first: the number of the first of them.
        folder: of the cache, `cache_folder()` if None.
        progress: whether to show it.

    Raises:
        HeldOutError: there is no such split, or the count is below 1.
    """
    if split not in SPLITS:
        raise HeldOutError(f"no split {split!r}; choose among {', '.join(SPLITS)}")
    if count < 1:
        raise HeldOutError(f"{count} people are asked for; give at least one")
    folder = (folder or cache_folder()) / "texture" / "held_out"
    numbers = range(first, first + count)
    shown = tqdm(numbers, desc=f"{split} at {yaw:g}°", unit="photo", leave=False,
                 disable=None if progress else True)  # fmt: skip
    parts = [_kept(folder, split, person, size, float(yaw), relief) for person in shown]
    stored = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    camera = {name: stored.pop(f"camera_{name}") for name in _CAMERA}
    light = {field.name: stored.pop(f"light_{field.name}") for field in fields(Light)}
    for name in ("image", "seen"):
        stored[name] = stored[name].float() / 255
    return HeldOutViews(
        split,
        tuple(numbers),
        **stored,
        camera=Perspective(height=size, width=size, **camera),
        light=Light(**light),
    )


def _kept(
    folder: Path, split: str, person: int, size: int, yaw: float, relief: bool
) -> dict[str, Tensor]:
    key = hashlib.sha256(repr((size, yaw, relief, SETTING)).encode()).hexdigest()[:12]
    path = folder / f"{split}{person:05d}-{key}.safetensors"
    if not path.exists():
        taken = photograph(split, person, size, yaw, relief)
        with written_whole(path) as temporary:
            safetensors.torch.save_file(taken, temporary)
    return safetensors.torch.load_file(path)


@torch.no_grad()
def photograph(split: str, person: int, size: int, yaw: float, relief: bool) -> dict[str, Tensor]:
    """Take one photograph, and note what `HeldOutViews` holds of it, pictures as bytes."""
    model = _model()
    who = _plain(people(model, SEED, [person], split=split))
    seed = seed_of(SEED, SPLITS.index(split), person, _SHOT)
    taken = shots(model, who, torch.tensor([seed]), size, RANGES)
    side = yaw if person % 2 == 0 else -yaw
    taken = _turned(taken, side, seed)
    maps = face_atlases(split, [person], _ATLAS)
    if not relief:
        maps = replace(maps, height=torch.zeros_like(maps.height))
    picture = render(model, portray(model, who, taken, _DETAIL, maps=maps),
                     supersample=_DETAIL.supersample)  # fmt: skip
    camera, light = taken.camera, taken.light
    pictures = {"image": picture.image, "seen": picture.seen}
    found = {name: (255 * value.clamp(0, 1)).round().to(torch.uint8)
             for name, value in pictures.items()}  # fmt: skip
    found |= {"identity": who.identity, "expression": taken.expression}
    found |= {"landmarks": picture.landmarks}
    found |= {f"camera_{name}": getattr(camera, name) for name in _CAMERA}
    found |= {f"light_{field.name}": getattr(light, field.name) for field in fields(Light)}
    return {name: value.contiguous() for name, value in found.items()}


def _plain(who: People) -> People:
    """Shaven, without glasses, and without the brows that the texture has."""
    hair = tuple(replace(one, brow_density=0.0, beard=SHAVEN) for one in who.hair)
    glasses = replace(who.glasses, worn=torch.zeros_like(who.glasses.worn))
    return replace(who, hair=hair, glasses=glasses)


def _turned(taken: Shots, yaw: float, seed: int) -> Shots:
    """The shot from another side; the face's centre stays where it is."""
    camera = taken.camera
    shake = torch.rand(1, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    angles = camera.angles.clone()
    angles[:, 1] = torch.deg2rad(yaw + _SHAKE * shake)
    centre = angles.new_tensor(_CENTRE)
    before = camera.rotation() @ centre
    turned = replace(camera, angles=angles)
    moved = (before - turned.rotation() @ centre)[:, :2]
    return replace(taken, camera=replace(turned, translation=camera.translation + moved))


def _some(camera: Perspective, chosen: Tensor) -> Perspective:
    return replace(camera, **{name: getattr(camera, name)[chosen] for name in _CAMERA})


@lru_cache(maxsize=1)
def _model() -> MorphableModel:
    return MorphableModel.load(1)
