"""What the tools share that make Part V's tracked syntheses: whom they show, and what is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import safetensors.torch
import torch
from torch import Tensor

from tools.book import Book
from visage.files import written_whole
from visage.texture.backbones import Backbone, load_backbone
from visage.texture.low_frequency import LowFrequencyAlbedo
from visage.texture.regional import Regional
from visage.texture.skins import face_textures


def kept(plan: object, make: Callable[[], Tensor]) -> Tensor:
    """What `make` returns, from ``_build/texture`` if this plan was made before.

    Args:
        plan: what the result depends on; its `repr` is the key.
        make: computes it.
    """
    name = hashlib.sha256(repr(plan).encode()).hexdigest()[:20]
    path = Book().root / "_build" / "texture" / f"{name}.safetensors"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        found = make().detach().contiguous()
        with written_whole(path) as temporary:
            safetensors.torch.save_file({"kept": found}, temporary)
    return safetensors.torch.load_file(path)["kept"]


def skins(split: str, people: tuple[int, ...], size: int) -> tuple[Tensor, Tensor]:
    """Textures of people and what the linear model makes of them, (B, 3, S, S) each."""
    parts = [kept(("skin", split, person, size), lambda p=person: face_textures(split, [p], size))
             for person in people]  # fmt: skip
    textures = torch.cat(parts)
    linear = LowFrequencyAlbedo.load()
    return textures, linear.texture(linear.fit(textures), size)


def describer() -> Backbone:
    """The network whose correlations `visage.texture.infer` takes, region by region."""
    return Regional(load_backbone())
