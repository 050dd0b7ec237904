"""How the pictures of the user studies are made.

Study A puts made textures back into the photograph that they were made from, with its own light
and shade, as the paper does; study B renders whole heads in light from everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from visage.faces.reflectance import decode_srgb, encode_srgb
from visage.faces.shape import MorphableModel
from visage.faces.surface import SurfaceMaps
from visage.texture.errors import StudyError
from visage.texture.head_surface import blurred
from visage.texture.held_out import HeldOutViews
from visage.texture.textured_head import (
    TexturedHead,
    diffuse_light,
    portrait_camera,
    render_textured,
)

HALF_SIZE = (288, 240)
"""Height and width of study A's faces, both halves together: brows to chin at the photograph's own
sharpness."""

FACE_SIZE = (240, 200)
"""Height and width of study B's faces."""

_KERNEL = 5  # pixels: the blur that "removes all the facial details" (appendix II)
_TIMES = 3  # so often: once leaves some of ours
_TALL = 1.3  # of the crop, where nose root to chin is 1
_MIDDLE = 0.42  # of the crop, the share of the way from nose root to chin
_SHADE = 0.004  # linear: in the dark, ratios of renderings mean nothing
_DIFFUSE = 1.6  # shading of white in study B
_CLOSE = 185.0  # mm that study B's faces are wide
_TURNED, _NODDED = 25.0, 6.0  # degrees, most, of study B's heads


def without_detail(photographs: Tensor) -> Tensor:
    """What study A's methods are given: photographs (B, 3, H, W), blurred until pores are gone.

    A Gaussian kernel of 5 pixels, of the standard deviation that such kernels usually have (1.1).
    """
    for _ in range(_TIMES):
        photographs = blurred(photographs, 0.3 * ((_KERNEL - 1) / 2 - 1) + 0.8)
    return photographs


@torch.no_grad()
def composited(
    model: MorphableModel, view: HeldOutViews, true: SurfaceMaps, textures: Tensor
) -> Tensor:
    """One photograph as it would be with other skins on the face.

    Where skin is seen, its light is multiplied by what a rendering with the new texture sends over
    what one with the true texture sends; hair, clothes, and shadows of hair stay.

    Args:
        model: at level 1.
        view: one.
        true: of that person.
        textures: (M, 3, S, S), of the face window.

    Returns:
        (M, 3, H, W), sRGB.

    Raises:
        StudyError: there is not exactly one view.
    """
    if len(view) != 1:
        raise StudyError(f"there are {len(view)} photographs; give one at a time")

    def sent(head: TexturedHead) -> Tensor:
        return decode_srgb(render_textured(model, head, view.camera, view.light)) + _SHADE

    before = sent(TexturedHead(view.identity, view.expression, true))
    found = []
    for texture in textures.split(1):
        head = TexturedHead.of(texture, view.identity, view.expression, true, bump=None)
        change = 1 + view.seen * (sent(head) / before - 1)
        found.append(encode_srgb((decode_srgb(view.image) * change).clamp(0, 1)).clamp(0, 1))
    return torch.cat(found)


def face_crops(images: Tensor, landmarks: Tensor, size: tuple[int, int] = HALF_SIZE) -> Tensor:
    """Cut faces out, upright, their middle line in the middle of the crop.

    Args:
        images: (B, 3, H, W).
        landmarks: (B, 68, 2), pixels.
        size: height and width of the crops.

    Returns:
        (B, 3, height, width).

    Raises:
        StudyError: there are not as many landmarks.
    """
    if landmarks.shape != (len(images), 68, 2):
        raise StudyError(f"landmarks are {tuple(landmarks.shape)}; expected ({len(images)}, 68, 2)")
    height, width = size
    root, chin = landmarks[:, 27], landmarks[:, 8]
    down = (chin - root) * (_TALL / height)  # pixels of the image for one of the crop
    right = torch.stack([down[:, 1], -down[:, 0]], 1)
    middle = root + _MIDDLE * (chin - root)
    y = torch.arange(height, dtype=images.dtype) - (height - 1) / 2
    x = torch.arange(width, dtype=images.dtype) - (width - 1) / 2
    places = (
        middle[:, None, None]
        + x[None, None, :, None] * right[:, None, None]
        + y[None, :, None, None] * down[:, None, None]
    )
    sides = places.new_tensor([images.shape[3], images.shape[2]])
    grid = (2 * places + 1) / sides - 1
    cut = grid_sample(images, grid, mode="bicubic", padding_mode="border", align_corners=False)
    return cut.clamp(0, 1)


@torch.no_grad()
def turned_heads(
    model: MorphableModel,
    texture: Tensor,
    identity: Tensor,
    true: SurfaceMaps,
    angles: Sequence[tuple[float, float]],
    size: tuple[int, int] = FACE_SIZE,
) -> Tensor:
    """Study B's faces of one person: (R, 3, height, width), in light from everywhere.

    Args:
        model: at level 1.
        texture: (1, 3, S, S).
        identity: (1, K).
        true: surface of the rest of the head.
        angles: R yaws and pitches, degrees.
        size: height and width.
    """
    head = TexturedHead.of(texture, identity, around=true)
    light = diffuse_light(level=_DIFFUSE)
    cameras = (portrait_camera(size, (yaw,), pitch, shown=_CLOSE) for yaw, pitch in angles)
    return torch.cat([render_textured(model, head, one, light) for one in cameras])


def random_turns(poses: int, seed: int) -> list[tuple[float, float]]:
    """Yaws and pitches, degrees, of so many poses: "randomly perturbed head rotations".

    >>> len(random_turns(2, 0))
    2
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = 2 * torch.rand(poses, 2, generator=generator) - 1
    return [(float(yaw) * _TURNED, float(pitch) * _NODDED) for yaw, pitch in drawn]
