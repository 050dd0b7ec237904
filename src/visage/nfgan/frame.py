"""The frame of this part: 64 grey pixels a side, upright, the midline in the middle.

Liu et al. (2018), section 5.1, cut faces "to a size of 64x64" by their landmarks and do not state
the margin. Here it is that of dlib's chip, so that a recogniser sees what it was made for, but with
the face's midline exactly on the picture's: the symmetry loss compares column n with column
W - n + 1.
"""

from __future__ import annotations

from torch import Tensor

from visage.nfgan.errors import NfganError
from visage.photos.alignment import DLIB_CHIP, Crop, align, warp_similarity

SIZE = 64
"""Pixels, both sides (section 5.2)."""

_CHIP = DLIB_CHIP.size
_SCALE = _CHIP / SIZE
_DLIB_SHIFT = (0.490127 - 0.5) * _CHIP / 1.5  # chip pixels from the picture's middle to dlib's
_CENTRED = tuple(
    ((x - _DLIB_SHIFT + 0.5) / _SCALE - 0.5, (y + 0.5) / _SCALE - 0.5)
    for x, y in DLIB_CHIP.template
)

FACE_CROP = Crop("nfgan_64", SIZE, 1, DLIB_CHIP.anchors, _CENTRED)
"""dlib's chip in 64 pixels, moved by 0.4 pixels so that mirroring the picture mirrors the face.

The same frame as `visage.photos.alignment.GREY_CROP`, placed by dlib's anchors (nose, eyes and
upper lip) alone: brows, chin and lower lip move with the expression, and would move the face.
"""


def aligned(image: Tensor, landmarks: Tensor) -> Tensor:
    """Cut faces out of pictures, without aliasing.

    Args:
        image: (B, 3, H, W), sRGB-encoded, or (B, 1, H, W), in [0, 1].
        landmarks: (B, 68, 2), (x, y) pixels.

    Returns:
        (B, 1, 64, 64), Rec. 601 luma. What lies outside of the picture repeats its edge.

    Raises:
        DegeneratePointsError: the landmarks coincide or are not finite.
        ValueError: the shapes do not fit.
    """
    return align(image, landmarks, FACE_CROP, padding="border")


def to_chips(faces: Tensor) -> Tensor:
    """Enlarge faces to what dlib's recogniser takes: grey repeated, dlib's own place for the nose.

    Args:
        faces: (B, 1, 64, 64), in [0, 1].

    Returns:
        (B, 3, 150, 150), bilinear, differentiable.

    Raises:
        NfganError: the shape does not fit.

    >>> import torch
    >>> to_chips(torch.full((1, 1, 64, 64), 0.5)).shape
    torch.Size([1, 3, 150, 150])
    """
    check_faces(faces)
    shift = (_SCALE - 1) / 2
    matrix = faces.new_tensor([[_SCALE, 0, shift + _DLIB_SHIFT], [0, _SCALE, shift]])
    chips = warp_similarity(faces, matrix.expand(len(faces), 2, 3), _CHIP, padding="border")
    return chips.expand(-1, 3, -1, -1)


def check_faces(faces: Tensor, name: str = "faces") -> Tensor:
    """The same tensor, if it is a batch of this part's faces (B, 1, 64, 64).

    Raises:
        NfganError: the shape does not fit.
    """
    if faces.ndim != 4 or tuple(faces.shape[1:]) != (1, SIZE, SIZE):
        raise NfganError(
            f"{name} are {tuple(faces.shape)}; expected (B, 1, {SIZE}, {SIZE}) grey pictures, "
            "as visage.nfgan.frame.aligned cuts them"
        )
    return faces
