"""From a photograph to a face's detailed geometry, in one call."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from visage.geometry.confidence import CONFIDENCE
from visage.geometry.errors import ProfileError
from visage.geometry.export import FaceSurface, surface_of_depth, surface_of_numbers
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.face_window import FaceWindow
from visage.geometry.grey import grey
from visage.geometry.pipeline import FINE_MESH, Networks, reconstruct_windows
from visage.geometry.representation import SIZE, FaceNumbers
from visage.photos.landmarks import FaceBox, Which, detect_faces, find_box
from visage.photos.reading import PhotoSource, open_photo

FARTHEST = 85.0
"""Degrees of yaw up to which answers are given: no training face was turned farther."""

_QUICK = 512  # pixels of the longer side of the copy in which a face is looked for first
_CLEAR = 0.25  # detector's score


@dataclass(frozen=True, eq=False)
class DetailedFace:
    """One face, as it is seen in an upright square window of S pixels."""

    numbers: FaceNumbers  # CoarseNet's: shape, expression and pose
    image: Tensor  # (1, 3, S, S), sRGB, in [0, 1]: what the window shows
    coarse: Tensor  # (1, 1, S, S) mm, depth of the numbers; infinite off the face
    depth: Tensor  # (1, 1, S, S) mm, larger is farther, detailed; infinite off the face
    mask: Tensor  # (1, 1, S, S), 1 where the face is
    normals: Tensor  # (1, 3, S, S), unit vectors, view frame; zero off the face
    scale: float  # pixels a millimetre
    confidence: float  # probability that the mean depth error is below 3 mm
    expected_error: float  # mm, of depth
    window: FaceWindow  # where the face is in the photograph

    def mesh(self) -> FaceSurface:
        """The morphable model's surface, to be written by `visage.geometry.export`."""
        return surface_of_numbers(FaceMesh.load(FINE_MESH), self.numbers, self.image)

    def surface(self) -> FaceSurface:
        """The detailed surface, what the window shows of it."""
        return surface_of_depth(self.depth, self.mask, self.scale, self.image)


@torch.no_grad()
def reconstruct(
    photo: PhotoSource,
    networks: Networks | None = None,
    *,
    which: Which = "largest",
    box: FaceBox | None = None,
    size: int = SIZE,
    farthest: float = FARTHEST,
) -> DetailedFace:
    """Reconstruct a face: CoarseNet's shape and pose, and FineNet's detail.

    Args:
        photo: whatever `visage.photos.reading.open_photo` takes: a path, bytes, an array, a tensor,
            in colour or grey, with or without transparency.
        networks: the shipped ones if None.
        which: face, where there are several; see `visage.photos.landmarks.find_face`.
        box: of the face, where it is known; the detector is then not asked.
        size: pixels of the window; a multiple of 100. More show more detail where the photograph
            has it.
        farthest: degrees of yaw beyond which a face is refused.

    Returns:
        DetailedFace.

    Raises:
        visage.photos.reading.PhotoError: the photograph cannot be read, no face is seen, or it is
            less than 40 pixels wide (`NoFaceError`, `FaceTooSmallError`).
        ProfileError: the face is turned away farther.
        GeometryError: the size does not fit.
    """
    image = open_photo(photo)
    window = FaceWindow.of_box(box or find_quickly(image, which))
    cut = window.cut(image, size).clamp(0, 1)
    found = reconstruct_windows(networks or _shipped(), grey(cut))
    yaw = math.degrees(float(found.numbers.camera().angles[0, 1]))
    if not abs(yaw) <= farthest:
        raise ProfileError(
            f"the face is turned by {abs(yaw):.0f} degrees; beyond {farthest:g} there is too "
            "little of it to see, so use another photograph, or raise `farthest`"
        )
    return DetailedFace(
        numbers=found.numbers,
        image=cut,
        coarse=found.coarse.depth,
        depth=found.depth,
        mask=found.mask,
        normals=found.normals,
        scale=float(found.scale),
        confidence=float(CONFIDENCE(found.looks)),
        expected_error=float(CONFIDENCE.expected_error(found.looks)),
        window=window,
    )


def find_quickly(image: Tensor, which: Which) -> FaceBox:
    """The box of a photograph's face; a large one is found in a small copy, which is much faster.

    Args:
        image: (1, 3, H, W) in [0, 1].
        which: see `visage.photos.landmarks.find_face`; only "largest" can be found quickly.

    Raises:
        visage.photos.reading.PhotoError: as `visage.photos.landmarks.find_box`.
    """
    if which == "largest":
        copy, factor = image, min(1.0, _QUICK / max(image.shape[-2:]))
        if factor < 1:
            size = [max(1, round(side * factor)) for side in image.shape[-2:]]
            copy = F.interpolate(image, size, mode="bilinear", antialias=True)
            factor = size[1] / image.shape[-1]
        boxes = [box for box in detect_faces(copy, upsample=0) if box.score >= _CLEAR]
        if boxes:
            box = max(boxes, key=lambda box: box.side)
            edges = box.left, box.top, box.right, box.bottom
            return FaceBox(*((edge + 0.5) / factor - 0.5 for edge in edges), score=box.score)
    return find_box(image, which=which)


@lru_cache(maxsize=1)
def _shipped() -> Networks:
    return Networks.load()
