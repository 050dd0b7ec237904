"""Whether a recogniser takes heads with two textures for one person."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from visage.faces.shape import MorphableModel
from visage.photos.alignment import DLIB_CHIP, align
from visage.recognition.encoder import Encoder, embed_mirrored, load_encoder
from visage.texture.textured_head import (
    TexturedHead,
    new_light,
    portrait_camera,
    render_textured,
)

_PIXELS = 224  # of a rendered head's side: its face is a chip's 150
_LIGHT = ("studio", 3)
_TOGETHER = 4


@torch.no_grad()
def face_chips(textures: Tensor, identity: Tensor, expression: Tensor | None = None) -> Tensor:
    """Frontal pictures of bald heads with textures, cut for a recogniser.

    All are in the same studio light, matt heads and glossy ones alike: nothing but the texture and
    the shape tells one from another.

    Args:
        textures: (B, 3, S, S), sRGB albedo of the window.
        identity: (B, 80), standard deviations.
        expression: (B, 52); None is at rest.

    Returns:
        (B, 3, 150, 150), in [0, 1], aligned by the heads' own landmarks.
    """
    model = _model()
    camera = portrait_camera(_PIXELS)
    corners = model.landmark_vertices(camera.angles[:, 1])
    chips = []
    for row in range(len(textures)):
        some = slice(row, row + 1)
        moved = None if expression is None else expression[some]
        heads = TexturedHead.of(textures[some], identity[some], moved, bump=None)
        picture = render_textured(model, heads, camera, new_light(*_LIGHT))
        vertices = model.vertices(heads.identity, heads.expression)
        landmarks = camera.project(vertices[:, corners[0]])[..., :2]
        chips.append(align(picture, landmarks, DLIB_CHIP, padding="border"))
    return torch.cat(chips).clamp(0, 1)


@torch.no_grad()
def identity_distances(made: Tensor, true: Tensor, encoder: Encoder | None = None) -> Tensor:
    """A recogniser's distances of chips.

    Args:
        made: (B, 3, 150, 150), of `face_chips`.
        true: (N, 3, 150, 150).
        encoder: the recogniser; dlib's if None, of whose `threshold` two chips of one person stay
            below.

    Returns:
        (B, N), each of one against each of the others.
    """
    encoder = encoder or recogniser()
    a, b = (
        torch.cat([embed_mirrored(encoder, some) for some in chips.split(_TOGETHER)])
        for chips in (made, true)
    )
    return encoder.distance(a[:, None], b[None])


@lru_cache(maxsize=1)
def recogniser() -> Encoder:
    """The recogniser that ships with the book's packages."""
    return load_encoder()


@lru_cache(maxsize=1)
def _model() -> MorphableModel:
    return MorphableModel.load()
