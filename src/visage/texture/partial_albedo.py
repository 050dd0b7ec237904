"""The partial high-frequency albedo (Saito et al. 2017, section 3): what a photograph shows of one.

The texels of the face window are looked up in the photograph; those that the head, a hand or the
picture's border hides, that are seen at a grazing angle, or whose pixels are burnt out, are not
visible. What is left is freed of its shading: by the fitted light, by what of it the head hides
from itself, by a smooth rest of which the low-frequency albedo knows nothing, and of highlights.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from visage.faces.camera import Camera
from visage.faces.harmonics import shade
from visage.faces.light import Light
from visage.faces.reflectance import decode_srgb, encode_srgb
from visage.texture.errors import TextureError
from visage.texture.head_surface import blurred
from visage.texture.specular import specular_part, without_specular
from visage.texture.transfer import hidden_transfer, shadowed
from visage.texture.unwrapping import Unwrapping, model_of, unwrap
from visage.texture.window import TexelMap, face_region, resized

__all__ = ["PartialAlbedo", "PartialAlbedoConfig", "PartialAlbedoError", "partial_albedo"]

_LEAST = 1e-4  # linear light
_SKIN = (0.45, 0.28, 0.20)  # linear albedo, about: what the light between nose and cheek meets


class PartialAlbedoError(TextureError):
    """Pictures, faces, masks or textures that do not fit together."""


@dataclass(frozen=True)
class PartialAlbedoConfig:
    """How a photograph becomes a partial albedo; lengths are shares of the window's side.

    Chosen on validation people.
    """

    grazing: float = 0.3  # least cosine to the viewer: 72 degrees, where a pixel is 1 mm or more
    frank: float = 0.7  # cosine from which a texel is as sure as can be
    burnt: float = 0.985  # sRGB, from which a channel may have been more
    black: float = 0.02  # sRGB, below which all channels are noise
    dim: float = 0.12  # of the mean shading, below which little but ambient light arrives
    covered: float = 0.5  # of the mask, from which a pixel is skin
    margin: float = 0.006  # by which visible parts shrink: a border's pixels mix two things
    shadows: bool = True  # whether the head hides light from itself
    specular: bool = True  # whether highlights are reduced
    slack: float = 0.06  # see `visage.texture.specular.specular_part`
    even: float = 0.05  # standard deviation of the smooth rest of shading; 0 leaves the rest


DEFAULT = PartialAlbedoConfig()


@dataclass(frozen=True, eq=False)
class PartialAlbedo:
    """What photographs show of the albedo of B faces."""

    texture: Tensor  # (B, 3, S, S), sRGB-encoded albedo in [0, 1]; 0.5 where it is not visible
    visible: Tensor  # (B, 1, S, S), 1 on what of the face is to be believed, else 0
    confidence: Tensor  # (B, 1, S, S) in [0, 1], less towards borders and at grazing angles

    def __len__(self) -> int:
        """Faces."""
        return len(self.texture)


@torch.no_grad()
def partial_albedo(
    image: Tensor,
    vertices: Tensor,
    camera: Camera,
    light: Tensor | Light,
    size: int = 512,
    mask: Tensor | None = None,
    low_frequency: Tensor | None = None,
    config: PartialAlbedoConfig = DEFAULT,
) -> PartialAlbedo:
    """Extract the partial high-frequency albedo of photographs.

    Args:
        image: (B, 3, H, W), sRGB, in [0, 1].
        vertices: (B, V, 3), mm, head frame, of the fitted faces, at either level of subdivision.
        camera: B cameras, that took the images.
        light: (B, 9, 3), radiance in harmonics of order 2, view frame; or lights.
        size: S, texels of the window's side.
        mask: (B, 1, H, W) in [0, 1], how surely a pixel is skin of the face, as
            `visage.texture.segmentation.segment` gives it; None hides nothing.
        low_frequency: (B, 3, ·, ·), sRGB-encoded I(α_al) of the faces, of any size: what the
            texture's gain, and its lowest frequencies, agree with. None leaves brightness as the
            light explains it.
        config: how.

    Returns:
        PartialAlbedo. A face of which nothing is visible has an empty mask.

    Raises:
        PartialAlbedoError: a shape does not fit.
        UnwrappingError: vertices or cameras do not fit.
    """
    light = light.coefficients() if isinstance(light, Light) else light
    _check(image, vertices, camera, light, mask, low_frequency)
    seen = unwrap(vertices, camera, size)
    pixels = seen.look_up(decode_srgb(image)).clamp(min=0)
    albedo_known = low_frequency is not None
    expected = None
    if albedo_known:
        expected = decode_srgb(resized(low_frequency.to(pixels), size))
    shading = _shading(seen, vertices, camera, light, expected, config)
    visible = _visible(image, seen, shading, mask, config)
    linear = pixels / shading
    if albedo_known:
        linear = _agreeing(linear, expected, visible)
        if config.even:
            linear = _evened(linear, expected, visible, config.even * size)
    if config.specular:
        linear = _matt(linear, expected, visible, config)
        if albedo_known:
            linear = _agreeing(linear, expected, visible)
    shown = visible.bool()
    texture = torch.where(shown, encode_srgb(linear).clamp(0, 1), 0.5)
    return PartialAlbedo(texture, visible, _confidence(seen, visible, config))


def _shading(
    seen: Unwrapping,
    vertices: Tensor,
    camera: Camera,
    light: Tensor,
    expected: Tensor | None,
    config: PartialAlbedoConfig,
) -> Tensor:
    """Light that arrives at texels (B, 3, S, S), at least a little."""
    size = seen.normals.shape[-1]
    shading = shade(seen.normals, light)
    if config.shadows:
        model = model_of(vertices)
        hidden = hidden_transfer(model, vertices, camera.rotation())
        texels = TexelMap.load(size, model)
        skin = light.new_tensor([_SKIN]).expand(len(light), -1)
        if expected is not None:
            skin = expected.mean((2, 3))
        shading = shadowed(shading, texels.interpolate(hidden), light, skin)
    return shading.clamp(min=0.02 * float(shading.mean().clamp(min=_LEAST)))


def _visible(
    image: Tensor,
    seen: Unwrapping,
    shading: Tensor,
    mask: Tensor | None,
    config: PartialAlbedoConfig,
) -> Tensor:
    """(B, 1, S, S), 1 where a texel's pixels show the face's skin, and show it well."""
    size = seen.seen.shape[-1]
    region = face_region(size).to(image)
    spoilt = (image.amax(1, keepdim=True) > config.burnt) | (
        image.amax(1, keepdim=True) < config.black
    )
    # Bicubic look-up reaches two pixels far.
    hidden = max_pool2d(spoilt.to(image), 3, 1, 1)
    if mask is not None:
        hidden = torch.maximum(hidden, (mask.to(image) < config.covered).to(image))
    visible = region * seen.seen * (seen.cosine > config.grazing)
    visible = visible * (seen.look_up(hidden, mode="bilinear") < 0.5)
    bright = shading.mean(1, keepdim=True)
    mean = (bright * visible).sum((2, 3), keepdim=True) / visible.sum((2, 3), keepdim=True).clamp(
        min=1
    )
    visible = visible * (bright > config.dim * mean)
    # What the region ends is no border of what is seen.
    gone = region * (1 - visible)
    reach = round(config.margin * size)
    if reach:
        gone = max_pool2d(gone, 2 * reach + 1, 1, reach)
    return region * (1 - gone)


def _agreeing(linear: Tensor, expected: Tensor, visible: Tensor) -> Tensor:
    """Linear albedo with, in each channel, the same median over what is expected: 1."""
    gains = []
    for found, known, shown in zip(linear, expected, visible[:, 0].bool(), strict=True):
        if not shown.any():
            gains.append(found.new_ones(3))
            continue
        ratio = known[:, shown].clamp(min=_LEAST) / found[:, shown].clamp(min=_LEAST)
        gains.append(ratio.median(1).values)
    return linear * torch.stack(gains)[:, :, None, None]


def _evened(linear: Tensor, expected: Tensor, visible: Tensor, reach: float) -> Tensor:
    """Divide out what, smoothly, differs from the low-frequency albedo."""
    ratio = (linear.clamp(min=_LEAST) / expected.clamp(min=_LEAST)).log() * visible
    rest = blurred(ratio, reach) / blurred(visible, reach).clamp(min=1e-3)
    return linear * (-rest).exp()


def _matt(
    linear: Tensor, expected: Tensor | None, visible: Tensor, config: PartialAlbedoConfig
) -> Tensor:
    """Albedo without the peak of S. Shading has been divided out: what shines has become white."""
    if expected is None:
        mean = (linear * visible).sum((2, 3), keepdim=True)
        mean = mean / visible.sum((2, 3), keepdim=True).clamp(min=1)
        expected = mean.clamp(min=_LEAST).expand_as(linear)
    white = linear.new_ones(len(linear), 3)
    peak = specular_part(linear, visible, white, expected, slack=config.slack,
                         reach=0.004 * linear.shape[-1])  # fmt: skip
    return without_specular(linear, peak, white)


def _confidence(seen: Unwrapping, visible: Tensor, config: PartialAlbedoConfig) -> Tensor:
    span = (seen.cosine - config.grazing) / (config.frank - config.grazing)
    frank = span.clamp(0, 1)
    reach = 0.01 * visible.shape[-1]
    inner = (2 * blurred(visible, reach) - 1).clamp(0, 1)
    return visible * frank * frank * (3 - 2 * frank) * inner


def _check(image, vertices, camera, light, mask, low_frequency) -> None:
    batch = len(vertices)
    picture = (batch, 3, camera.height, camera.width)
    if tuple(image.shape) != picture:
        raise PartialAlbedoError(f"images are {tuple(image.shape)}; expected {picture}")
    if tuple(light.shape) != (batch, 9, 3):
        raise PartialAlbedoError(f"light is {tuple(light.shape)}; expected {(batch, 9, 3)}")
    if mask is not None and tuple(mask.shape) != (batch, 1, *picture[2:]):
        raise PartialAlbedoError(
            f"the mask is {tuple(mask.shape)}; expected {(batch, 1, *picture[2:])}"
        )
    if low_frequency is not None and low_frequency.shape[:2] != (batch, 3):
        raise PartialAlbedoError(
            f"low-frequency albedo is {tuple(low_frequency.shape)}; expected ({batch}, 3, S, S)"
        )
