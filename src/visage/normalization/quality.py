"""Which photographs show a face as the decoder shall make it (Cole et al. 2017, section 6.1).

The paper left this to a cloud service: "remove monochrome and blurry images, faces with high
emotion score or eyeglasses, and tilt or pan angles beyond 5 degrees". Here each criterion is
measured. Sharpness, colour and the light on the eyes are sums over pixels; pose, expression and
glasses are linear read-outs (`visage.normalization.read_outs`) that learned from people about whom
all is known.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from visage.normalization.errors import NormalizationError
from visage.normalization.frame import normal_crop
from visage.normalization.read_outs import ReadOuts
from visage.photos.alignment import COLE_CROP, DLIB_CHIP, align, to_grey
from visage.recognition.encoder import Encoder

MEASURED_AT = 160
"""Pixels a side of the crop in which pixels are judged: its eyes are 39 apart, as on most of LFW's
photographs, so that neither enlarging nor shrinking decides."""

# The face from brows to chin, in sides of the crop: where it lies in nearly every photograph.
_FACE_TOP, _FACE_BOTTOM, _FACE_LEFT, _FACE_RIGHT = 0.33, 0.75, 0.31, 0.69
_EYES_Y, _CHEEKS_Y = 94.5, 124.5  # pixels of the 224-pixel crop
_BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
_REACH = 6  # pixels, of both blurs together


def sharpness(pictures: Tensor) -> Tensor:
    """How much of the fine detail is left: contrast of the finest band over that of the next.

    Both are bands of a Laplacian pyramid without subsampling (binomial blurs of 1 and 2 pixels'
    standard deviation), over the face. What is blurred loses the finest band first; how
    contrasty a face or its light is cancels.

    Args:
        pictures: (B, 3, S, S) in [0, 1], `normal_crop` of `MEASURED_AT`.

    Returns:
        (B,), about 0.45 to 0.7 for sharp photographs; noise has more than 1.
    """
    grey = to_grey(_face(_checked(pictures), margin=_REACH))
    fine = _blurred(grey, 1)
    coarse = _blurred(fine, 2)
    inner = slice(_REACH, -_REACH)
    first, second = (
        band[..., inner, inner].flatten(1).std(1) for band in (grey - fine, fine - coarse)
    )
    return first / second.clamp(min=1e-6)


def colourfulness(pictures: Tensor) -> Tensor:
    """How much colour a photograph has beside its brightness, in grey levels of 255.

    The root mean square, over the face, of what a linear function of brightness does not explain
    of red minus green and of blue minus green. Grey photographs have nothing, toned ones (sepia)
    next to nothing, because their colours are a function of brightness.

    Args:
        pictures: (B, 3, S, S) in [0, 1], `normal_crop` of `MEASURED_AT`.

    Returns:
        (B,), grey levels.
    """
    red, green, blue = _face(_checked(pictures)).flatten(2).unbind(1)
    bright = (red + green + blue) / 3
    bright = bright - bright.mean(1, keepdim=True)
    left = 0.0
    for chroma in (red - green, blue - green):
        chroma = chroma - chroma.mean(1, keepdim=True)
        slope = (chroma * bright).sum(1) / bright.square().sum(1).clamp(min=1e-9)
        left = left + (chroma - slope[:, None] * bright).square().mean(1)
    return 255 * (left / 2).sqrt()


def eye_light(pictures: Tensor) -> Tensor:
    """How light the surroundings of the eyes are, as a share of the cheeks' brightness.

    Sunglasses and the shade of a cap darken them; spectacles with clear lenses do not.

    Args:
        pictures: (B, 3, S, S) in [0, 1], `normal_crop` of `MEASURED_AT`.

    Returns:
        (B,), about 0.6 to 0.9 of a bare face, below 0.5 behind dark lenses.
    """
    grey = to_grey(_checked(pictures))
    eyes, cheeks = (
        torch.cat([_box(grey, x, y, *half) for x, _ in COLE_CROP.template], 1).mean(1)
        for y, half in ((_EYES_Y, (17, 11)), (_CHEEKS_Y, (12, 9)))
    )
    return eyes / cheeks.clamp(min=1e-3)


@dataclass(frozen=True, eq=False)
class Measures:
    """What is known of N photographs; (N,) each."""

    sharpness: Tensor  # see `sharpness`
    colourfulness: Tensor  # grey levels
    yaw: Tensor  # degrees, to the picture's right
    pitch: Tensor  # degrees, downwards
    smile: Tensor  # 0 at rest, 1 a full smile (the mean of mouthSmileLeft and -Right)
    opening: Tensor  # 0 closed, 1 wide open (jawOpen)
    glasses: Tensor  # 0 without, 1 with
    eye_light: Tensor  # share of the cheeks' brightness

    def __len__(self) -> int:
        return len(self.yaw)

    def __getitem__(self, rows) -> Measures:
        """Some of the photographs."""
        return Measures(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True)
class Quality:
    """What a photograph must be like to be learned from; the defaults are LFW's."""

    # LFW has few blurred photographs: 2 % are below. One blurred by a pixel and a half has 0.38.
    least_sharpness: float = 0.44
    least_colour: float = 3.5  # grey levels; grey and toned photographs have less than 1
    # Degrees of yaw and pitch. The paper keeps 5 of its 2.6 million photographs; of LFW's 8
    # thousand that leaves 300 people, most with one.
    most_turn: float = 12.0
    most_smile: float = 0.35  # lips may curve; from about 0.5 on teeth show
    most_opening: float = 0.15  # lips may part
    # The read-out says 0.6 of the median photograph: recognisers see synthetic people and
    # photographs a little apart. About a fifth of LFW's people wear glasses.
    most_glasses: float = 0.75
    least_eye_light: float = 0.55  # dark lenses have 0.2 to 0.5, the shade of a cap 0.4 to 0.6

    def keeps(self, measures: Measures) -> dict[str, Tensor]:
        """Which photographs (N,) meet each criterion, by its name."""
        return {
            "blur": measures.sharpness >= self.least_sharpness,
            "monochrome": measures.colourfulness >= self.least_colour,
            "frontal": torch.maximum(measures.yaw.abs(), measures.pitch.abs()) <= self.most_turn,
            "neutral": (measures.smile <= self.most_smile)
            & (measures.opening <= self.most_opening),
            "glasses": measures.glasses <= self.most_glasses,
            "dark_eyes": measures.eye_light >= self.least_eye_light,
        }

    def keeps_all(self, measures: Measures) -> Tensor:
        """Which photographs (N,) meet all criteria."""
        return torch.stack(list(self.keeps(measures).values())).all(0)


PAPER_TURN = 5.0
"""Degrees, section 6.1."""


@torch.no_grad()
def measure(images: Tensor, landmarks: Tensor, read_outs: ReadOuts, encoder: Encoder) -> Measures:
    """Measure photographs.

    Args:
        images: (B, 3, H, W) in [0, 1].
        landmarks: (B, 68, 2), dlib's, pixels of the images.
        read_outs: from `visage.normalization.read_outs.load_read_outs`.
        encoder: whose embeddings the read-outs learned from.
    """
    pictures = align(images, landmarks, normal_crop(MEASURED_AT), padding="border")
    embeddings = encoder.embed(align(images, landmarks, DLIB_CHIP))
    read = read_outs(landmarks, embeddings)
    return Measures(
        sharpness(pictures), colourfulness(pictures), **read, eye_light=eye_light(pictures)
    )


def _blurred(grey: Tensor, step: int) -> Tensor:
    """Binomial blur with holes: taps `step` pixels apart."""
    taps = grey.new_tensor(_BINOMIAL)
    padded = F.pad(grey, (2 * step,) * 4, mode="replicate")
    across = F.conv2d(padded, taps.view(1, 1, 1, -1), dilation=step)
    return F.conv2d(across, taps.view(1, 1, -1, 1), dilation=step)


def _face(pictures: Tensor, margin: int = 0) -> Tensor:
    """The face's rectangle with `margin` pixels around it, (B, C, h, w)."""
    side = pictures.shape[-1]
    rows = slice(round(_FACE_TOP * side) - margin, round(_FACE_BOTTOM * side) + margin)
    columns = slice(round(_FACE_LEFT * side) - margin, round(_FACE_RIGHT * side) + margin)
    return pictures[..., rows, columns]


def _box(grey: Tensor, x: float, y: float, across: float, down: float) -> Tensor:
    """Pixels (B, n) of a rectangle around a point of the 224-pixel crop, in its pixels."""
    scale = MEASURED_AT / COLE_CROP.size
    left, right = (round((x + 0.5 + side * across) * scale) for side in (-1, 1))
    top, bottom = (round((y + 0.5 + side * down) * scale) for side in (-1, 1))
    return grey[..., top:bottom, left:right].flatten(1)


def _checked(pictures: Tensor) -> Tensor:
    if pictures.ndim != 4 or pictures.shape[1:] != (3, MEASURED_AT, MEASURED_AT):
        raise NormalizationError(
            f"pictures are {tuple(pictures.shape)}; expected (B, 3, {MEASURED_AT}, {MEASURED_AT})"
        )
    return pictures
