"""Photographs made worse on purpose: blur, bad light, grain, misplacement, things in the way.

The explorers apply the same operations in the browser (`explore/js/image.js`); a test holds the two
together. In the sense of Hendrycks and Dietterich (2019), these are *corruptions*: changes of the
picture that leave the person as they were.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from visage.photos.alignment import DLIB_CHIP, align, pixel_to_grid
from visage.photos.landmarks import find_face

Occluder = Literal["sunglasses", "mask", "patch"]

# Half a chip of picture on every side: room to shift, turn and zoom without running out of pixels.
_MARGIN = DLIB_CHIP.size // 2
SURROUNDINGS = replace(
    DLIB_CHIP,
    name="surroundings_300",
    size=DLIB_CHIP.size + 2 * _MARGIN,
    template=tuple((x + _MARGIN, y + _MARGIN) for x, y in DLIB_CHIP.template),
)
"""The recogniser's chip with a margin of half a chip all round: what `corrupt` starts from."""

# sRGB-encoded: what light an occluder reflects would depend on the lamp, which nobody knows.
_COLOURS = {
    "sunglasses": (0.05, 0.05, 0.06),
    "mask": (0.62, 0.74, 0.82),
    "patch": (0.5, 0.5, 0.5),
}


@dataclass(frozen=True)
class Corruption:
    """What happens to a face on its way into the recogniser's chip.

    Attributes:
        blur: standard deviation of a Gaussian blur, in chip pixels.
        exposure: stops; light is multiplied by 2^exposure and clips at white.
        noise: standard deviation of independent Gaussian grain, in units of sRGB-encoded [0, 1].
        rotation: radians, clockwise on the screen.
        zoom: factor on the face's size.
        shift_x: pixels to the image's right.
        shift_y: pixels down.
        occluder: what stands in front of the face.
        cover: its extent, 0 (nothing) to 1.
        mirror: swaps left and right before anything but the geometry.
    """

    blur: float = 0.0
    exposure: float = 0.0
    noise: float = 0.0
    rotation: float = 0.0
    zoom: float = 1.0
    shift_x: float = 0.0
    shift_y: float = 0.0
    occluder: Occluder = "sunglasses"
    cover: float = 0.0
    mirror: bool = False

    def __post_init__(self) -> None:
        """Refuse values that have no meaning."""
        if self.blur < 0 or self.noise < 0:
            raise ValueError(f"blur and noise must not be negative; got {self.blur}, {self.noise}.")
        if self.zoom <= 0:
            raise ValueError(f"zoom must be positive; got {self.zoom}.")
        if not 0 <= self.cover <= 1:
            raise ValueError(f"cover must be in [0, 1]; got {self.cover}.")
        if self.occluder not in _COLOURS:
            raise ValueError(f"occluder must be one of {sorted(_COLOURS)}; got {self.occluder!r}.")


def surroundings(image: Tensor, *, which: str | int = "only") -> Tensor:
    """Cut out a face with room around it, in the frame of the recogniser's chip.

    Args:
        image: (1, 3, H, W) in [0, 1].
        which: which face, as in `find_face`.

    Returns:
        (1, 3, 300, 300): the middle 150 by 150 pixels are the chip.

    Raises:
        PhotoError: there is no face, it is too small, or there are several.
    """
    return align(image, find_face(image, which=which).landmarks, SURROUNDINGS)


def corrupt(
    source: Tensor, corruption: Corruption, *, generator: torch.Generator | None = None
) -> Tensor:
    """Cut the recogniser's chip out of a face with its surroundings, after a corruption.

    The order is that of a scene, its lamp, its lens and its sensor: geometry, occluder, exposure,
    blur, grain. Differentiable in `source`.

    Args:
        source: (B, 3, H, W) in [0, 1], the chip's frame with a margin: its centre is the chip's
            centre and its scale the chip's scale (`surroundings` makes one).
        corruption: what to do; `Corruption()` cuts out the plain chip.
        generator: source of the grain; needed where `corruption.noise` is positive.

    Returns:
        (B, 3, 150, 150) in [0, 1].

    Raises:
        ValueError: the source is not (B, 3, H, W), or grain is asked for without a generator.

    >>> corrupt(torch.rand(1, 3, 300, 300), Corruption(blur=2.0, rotation=0.3)).shape
    torch.Size([1, 3, 150, 150])
    """
    if source.ndim != 4 or source.shape[1] != 3:
        raise ValueError(f"source must be (B, 3, H, W); got {tuple(source.shape)}.")
    chip = _place(source, corruption)
    if corruption.mirror:
        chip = chip.flip(-1)
    chip = occlude(chip, corruption.occluder, corruption.cover)
    chip = gaussian_blur(expose(chip, corruption.exposure), corruption.blur)
    if corruption.noise > 0:
        if generator is None:
            raise ValueError("grain is random: pass generator=torch.Generator().manual_seed(...).")
        grain = torch.randn(chip.shape, generator=generator, dtype=chip.dtype).to(chip.device)
        chip = (chip + corruption.noise * grain).clamp(0, 1)
    return chip


def _place(source: Tensor, corruption: Corruption) -> Tensor:
    """Sample the chip's pixels from the source by the inverse of zoom · rotation, then shift."""
    size = DLIB_CHIP.size
    height, width = source.shape[-2:]
    axis = torch.arange(size, dtype=source.dtype, device=source.device) - (size - 1) / 2
    y, x = torch.meshgrid(axis - corruption.shift_y, axis - corruption.shift_x, indexing="ij")
    cos, sin = math.cos(corruption.rotation), math.sin(corruption.rotation)
    points = torch.stack((x * cos + y * sin, y * cos - x * sin), dim=-1) / corruption.zoom
    centre = torch.tensor([(width - 1) / 2, (height - 1) / 2]).to(points)
    grid = pixel_to_grid(points + centre, height, width).expand(source.shape[0], -1, -1, -1)
    return F.grid_sample(source, grid, mode="bilinear", padding_mode="border", align_corners=False)


def expose(images: Tensor, stops: float) -> Tensor:
    """Multiply the light by 2^stops, in linear light, and clip at white.

    Args:
        images: (B, C, H, W), sRGB-encoded in [0, 1].
        stops: 0 changes nothing; −1 halves the light.

    Returns:
        (B, C, H, W), sRGB-encoded in [0, 1].

    >>> expose(torch.full((1, 3, 1, 1), 0.5), -1.0)[0, 0]
    tensor([[0.3608]])
    """
    if stops == 0:
        return images
    bright = ((images.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    linear = torch.where(images <= 0.04045, images / 12.92, bright)
    light = (linear * 2**stops).clamp(max=1)
    encoded = 1.055 * light.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(light <= 0.0031308, 12.92 * light, encoded)


def gaussian_blur(images: Tensor, sigma: float) -> Tensor:
    """Blur with a Gaussian, taps out to four standard deviations, the border repeated.

    Args:
        images: (B, C, H, W).
        sigma: standard deviation in pixels; 0 changes nothing.

    Returns:
        (B, C, H, W).
    """
    if sigma == 0:
        return images
    radius = math.ceil(4 * sigma)
    offsets = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
    taps = torch.exp(-(offsets**2) / (2 * sigma**2))
    taps = (taps / taps.sum()).expand(images.shape[1], 1, 1, -1)
    channels = images.shape[1]
    rows = F.pad(images, (radius, radius, 0, 0), mode="replicate")
    rows = F.conv2d(rows, taps, groups=channels)
    columns = F.pad(rows, (0, 0, radius, radius), mode="replicate")
    return F.conv2d(columns, taps.transpose(-1, -2), groups=channels)


def occlude(chips: Tensor, occluder: Occluder, cover: float) -> Tensor:
    """Put something in front of a face in the recogniser's 150-pixel chip.

    Args:
        chips: (B, 3, 150, 150) in [0, 1].
        occluder: "sunglasses" (two lenses and a bridge), "mask" (from the chin up to the eyes) or
            "patch" (a grey square that grows from the nose).
        cover: 0 leaves the face as it is, 1 is the largest extent.

    Returns:
        (B, 3, 150, 150); edges are anti-aliased over one pixel.
    """
    if cover == 0:
        return chips
    axis = torch.arange(DLIB_CHIP.size, dtype=chips.dtype, device=chips.device)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    alpha = (0.5 - _distance(x, y, occluder, cover)).clamp(0, 1)
    colour = torch.tensor(_COLOURS[occluder]).to(chips).view(1, 3, 1, 1)
    return chips + alpha * (colour - chips)


def _distance(x: Tensor, y: Tensor, occluder: Occluder, cover: float) -> Tensor:
    """Signed distance in pixels to the occluder's edge, negative inside."""
    if occluder == "mask":
        return 150 - 78 * cover + 0.004 * (x - 74) ** 2 - y
    if occluder == "patch":
        return torch.maximum((x - 74).abs(), (y - 76).abs()) - 60 * cover
    lenses = [
        (torch.hypot((x - cx) / (25 * cover), (y - 49) / (17 * cover)) - 1) * 17 * cover
        for cx in (47.7, 100.3)
    ]
    bridge = torch.maximum((x - 74).abs() - 28, (y - 45).abs() - 3 * cover)
    return torch.minimum(torch.minimum(*lenses), bridge)
