"""The partial high-frequency albedo (Saito et al. 2017, section 3): what a photograph shows of one.

The texels of the face window are looked up in the photograph; those that the head, a hand or the
picture's border hides, that are seen at a grazing angle, or whose pixels are burnt out, are not
visible. What is left is freed of its shading: of the fitted light's, of a smooth rest that the
low-frequency albedo cannot explain, and of highlights.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from visage.faces.camera import Camera
from visage.faces.light import Light
from visage.faces.reflectance import decode_srgb, encode_srgb
from visage.texture.deshading import (
    agreeing,
    evened,
    own_low_frequency,
    relit,
    shading_basis,
    shading_of,
)
from visage.texture.errors import TextureError
from visage.texture.head_surface import blurred
from visage.texture.specular import specular_part, to_suv, without_specular
from visage.texture.unwrapping import Unwrapping, unwrap
from visage.texture.visible_texels import shrunk
from visage.texture.window import face_region, resized
from visage.texture.yiq import luminance

__all__ = ["PartialAlbedo", "PartialAlbedoConfig", "PartialAlbedoError", "partial_albedo"]

_LEAST = 1e-4  # linear light


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
    covered: float = (
        0.8  # of the mask, from which a pixel is skin: hair and ears are no loss to skin
    )
    margin: float = 0.01  # by which visible parts shrink: a border's pixels mix two things
    sliver: float = 0.03  # narrower visible parts, between strands or behind a fold, are left out
    pale: float = 1.7  # times the expected albedo, from which it is light that was not found
    shadows: bool = (
        False  # whether the head hides light from itself: right with the true light, and
    )
    # no gain with a fitted one, which has explained shadows by its harmonics already
    bounced: float = 0.35  # of the light that the head hides, what the hiding skin sends on
    relight: bool = True  # whether the light is found again, with all texels
    relight_prior: float = 1e-3  # how firmly the fit's light is kept
    specular: bool = True  # whether highlights are reduced
    glossy: float = 0.3  # of S, above which a highlight leaves nothing of the skin's own colour
    slack: float = 0.03  # see `visage.texture.specular.specular_part`
    prior: float = 300.0  # how firmly low frequencies are usual people's: texels of a photograph
    # err together, by their shading, so that thousands of them tell as much as forty
    even: float = 0.04  # standard deviation of the smooth rest of shading; 0 leaves the rest


DEFAULT = PartialAlbedoConfig()


@dataclass(frozen=True, eq=False)
class PartialAlbedo:
    """What photographs show of the albedo of B faces."""

    texture: Tensor  # (B, 3, S, S), sRGB-encoded albedo in [0, 1]; 0.5 where it is not visible
    visible: Tensor  # (B, 1, S, S), 1 on what of the face is to be believed, else 0
    confidence: Tensor  # (B, 1, S, S) in [0, 1], less towards borders and at grazing angles
    pixels: Tensor  # (B,), of the photographs, that a texel which faces the camera is wide

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
    basis = shading_basis(seen.normals)
    shading = shading_of(basis, light)
    visible = _visible(image, seen, shading, mask, config)
    if albedo_known and config.relight:
        light = relit(pixels, expected, basis, light, visible * seen.cosine, config.relight_prior)
        shading = shading_of(basis, light)
    linear = pixels / shading
    if albedo_known:
        linear = agreeing(linear, expected, visible)
        visible = visible * (luminance(linear) < config.pale * luminance(expected))
        expected = own_low_frequency(linear, expected, visible, config.prior)
    if config.even and albedo_known:
        linear = evened(linear, expected, visible, config.even * size)
    if config.specular:
        linear, visible = _matt(linear, expected, visible, config)
        if albedo_known:
            linear = agreeing(linear, expected, visible)
    shown = visible.bool()
    texture = torch.where(shown, encode_srgb(linear).clamp(0, 1), 0.5)
    return PartialAlbedo(texture, visible, _confidence(seen, visible, config), seen.pixels)


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
    return region * shrunk(visible, region, config.margin * size, config.sliver * size)


def _matt(
    linear: Tensor, expected: Tensor | None, visible: Tensor, config: PartialAlbedoConfig
) -> tuple[Tensor, Tensor]:
    """Albedo without the peak of S, and what is still to be believed.

    Shading has been divided out: what shines has become white.
    """
    if expected is None:
        mean = (linear * visible).sum((2, 3), keepdim=True)
        mean = mean / visible.sum((2, 3), keepdim=True).clamp(min=1)
        expected = mean.clamp(min=_LEAST).expand_as(linear)
    white = linear.new_ones(len(linear), 3)
    peak = specular_part(linear, visible, white, expected, slack=config.slack,
                         reach=0.004 * linear.shape[-1])  # fmt: skip
    whole = to_suv(linear, white)[:, :1]
    return without_specular(linear, peak, white), visible * (peak <= config.glossy * whole)


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
