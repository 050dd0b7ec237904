"""General inpainting of textures: what the paper's inference of unseen skin is compared with.

Neither method knows anything of faces: "patch_match" copies (`visage.texture.patch_completion`),
"biharmonic" bends a smooth sheet over the hole (scikit-image's `inpaint_biharmonic`, after Damelin
and Hoang 2018).
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from skimage.restoration import inpaint_biharmonic
from torch import Tensor

from visage.texture.errors import InpaintingError
from visage.texture.patch_completion import CompletionConfig, complete

Method = Literal["patch_match", "biharmonic"]

METHODS: tuple[Method, ...] = get_args(Method)


def inpaint(
    texture: Tensor,
    visible: Tensor,
    method: Method = "patch_match",
    *,
    region: Tensor | None = None,
    seed: int = 0,
    config: CompletionConfig | None = None,
) -> Tensor:
    """Fill the texels that are not visible from those that are.

    Args:
        texture: (B, 3, S, S) in [0, 1].
        visible: (B, 1, S, S), nonzero where the texture was seen.
        method: one of `METHODS`.
        region: (1 or B, 1, S, S), nonzero where the face is. What the texture holds outside of it,
            such as the low-frequency albedo, stays and is what the filling must join; nothing is
            copied from there. All by default.
        seed: of PatchMatch; picture i takes seed + i.
        config: of PatchMatch.

    Returns:
        (B, 3, S, S), unchanged where visible or outside of the region.

    Raises:
        InpaintingError: shapes do not fit, or nothing of a texture is visible.
        visage.texture.errors.PatchMatchError: less than a patch is visible.
    """
    region = _checked(texture, visible, method, region)
    filled = []
    for i in range(len(texture)):
        one, seen, face = texture[i : i + 1], visible[i : i + 1] > 0, region[i : i + 1] > 0
        if method == "patch_match":
            filled.append(complete(one, seen | ~face, face, config, seed + i).picture.clamp(0, 1))
        else:
            filled.append(biharmonic(one, seen | ~face))
    return torch.cat(filled) if filled else texture


def biharmonic(texture: Tensor, known: Tensor) -> Tensor:
    """Fill a texture so that its bilaplacian vanishes where it is not known.

    Args:
        texture: (1, 3, S, S) in [0, 1].
        known: (1, 1, S, S) bool.

    >>> ramp = torch.linspace(0, 1, 9).expand(1, 3, 9, 9)
    >>> known = torch.ones(1, 1, 9, 9, dtype=torch.bool)
    >>> known[..., 3:6, 3:6] = False
    >>> (biharmonic(ramp * known, known) - ramp).abs().max() < 1e-5
    tensor(True)
    """
    plain = torch.where(known, texture, 0.0)[0].permute(1, 2, 0).double().cpu().numpy()
    smooth = inpaint_biharmonic(plain, ~known[0, 0].cpu().numpy(), channel_axis=-1)
    filled = torch.from_numpy(smooth).permute(2, 0, 1)[None].to(texture).clamp(0, 1)
    return torch.where(known, texture, filled)


def _checked(texture: Tensor, visible: Tensor, method: str, region: Tensor | None) -> Tensor:
    if method not in METHODS:
        raise InpaintingError(f"no method {method!r}; give one of {', '.join(METHODS)}")
    if texture.ndim != 4 or texture.shape[1] != 3:
        raise InpaintingError(f"textures of shape {tuple(texture.shape)}; give (B, 3, S, S)")
    plane = (len(texture), 1, *texture.shape[-2:])
    if visible.shape != plane:
        raise InpaintingError(f"visible has shape {tuple(visible.shape)}; give {plane}")
    if region is None:
        region = torch.ones_like(visible)
    if region.shape not in (plane, (1, *plane[1:])):
        raise InpaintingError(f"the region has shape {tuple(region.shape)}; give {plane}")
    region = region.expand(plane)
    if len(texture) and not ((visible > 0) & (region > 0)).flatten(1).any(1).all():
        raise InpaintingError("nothing of a texture is visible; there is nothing to fill it from")
    return region
