"""The symmetry loss of Liu et al. (2018), section 4.2, and the flip that makes it useful.

A turned head hides one side of itself. If that side is always the picture's right one, a network
can learn to fill it in from the left; so inputs are mirrored where it is not, and their targets
with them. Light seldom falls alike on both halves of a face, but edges lie alike: the paper argues
for a comparison "on the Laplacian space" and gives no formula. Ours is eq. 3 of the image's
discrete Laplacian.
"""

from __future__ import annotations

import torch
from torch import Tensor

from visage.nfgan.errors import SymmetryError

_NOSE, _JAW = 30, (0, 16)


def symmetry_loss(images: Tensor) -> Tensor:
    """Symmetry loss of Liu et al. (2018), eq. 3.

    L_sym = 1/(H W/2) Σ_{n=1}^{W/2} Σ_{m=1}^{H} |x̃_{n,m} − x̃_{W−(n−1),m}|: column n against the one
    as far from the other edge.

    Args:
        images: (B, C, H, W), W even; the mean over channels.

    Returns:
        (B,), in the images' unit.

    Raises:
        SymmetryError: the width is odd, or images is not 4-D.

    >>> symmetry_loss(torch.tensor([0.0, 0.5, 0.5, 1.0]).view(1, 1, 1, 4))
    tensor([0.5000])
    """
    if images.ndim != 4 or images.shape[-1] % 2:
        raise SymmetryError(
            f"images are {tuple(images.shape)}; expected (B, C, H, W) with an even width"
        )
    left, right = images.chunk(2, dim=-1)
    return (left - right.flip(-1)).abs().mean((1, 2, 3))


def laplacian(images: Tensor) -> Tensor:
    """The five-point discrete Laplacian: four neighbours minus four times the pixel.

    Args:
        images: (B, C, H, W), H and W at least 3.

    Returns:
        (B, C, H − 2, W − 2), without the border, which lacks neighbours.

    Raises:
        SymmetryError: the images are smaller than that.

    >>> ramp = torch.arange(5.0).expand(1, 1, 4, 5)
    >>> laplacian(ramp).abs().max()  # a linear change of light leaves no trace
    tensor(0.)
    """
    if images.ndim != 4 or min(images.shape[-2:]) < 3:
        raise SymmetryError(f"images are {tuple(images.shape)}; expected (B, C, H, W) of 3 or more")
    middle = images[..., 1:-1, 1:-1]
    beside = images[..., 1:-1, :-2] + images[..., 1:-1, 2:]
    above = images[..., :-2, 1:-1] + images[..., 2:, 1:-1]
    return beside + above - 4 * middle


def laplacian_symmetry_loss(images: Tensor) -> Tensor:
    """Eq. 3 on the Laplacian of the images: light that changes slowly over a face does not count.

    Args:
        images: (B, C, H, W), W even.

    Returns:
        (B,), in the images' unit; the Laplacian of sharp images is about as large as they are.

    Raises:
        SymmetryError: as `symmetry_loss`.

    >>> sidelit = torch.linspace(0.0, 1.0, 6).expand(1, 1, 6, 6)
    >>> bool(laplacian_symmetry_loss(sidelit) < 1e-6), bool(symmetry_loss(sidelit) > 0.5)
    (True, True)
    """
    return symmetry_loss(laplacian(images))


def hidden_right(landmarks: Tensor) -> Tensor:
    """Whether a face hides more of itself on the picture's right than on its left.

    The tip of the nose is nearer to the contour of the side that turns away.

    Args:
        landmarks: (B, 68, 2), (x, y) pixels.

    Returns:
        (B,) bool.

    Raises:
        SymmetryError: the shape is another.
    """
    if landmarks.ndim != 3 or landmarks.shape[1:] != (68, 2):
        raise SymmetryError(f"landmarks are {tuple(landmarks.shape)}; expected (B, 68, 2)")
    nose = landmarks[:, _NOSE]
    left, right = ((landmarks[:, jaw] - nose).norm(dim=-1) for jaw in _JAW)
    return right < left


def flip_to_left(faces: Tensor, yaw: Tensor) -> tuple[Tensor, Tensor]:
    """Mirror faces so that what is seen best lies on the left, and what is hidden on the right.

    Positive yaw looks towards the picture's right and hides that side; those faces, and frontal
    ones, stay. Mirror a target, or a generated face before it is shown, by the same flags.

    Args:
        faces: (B, C, H, W).
        yaw: (B,), radians, as in `visage.faces.camera`; of photographs, anything that is negative
            where the picture's left is hidden (`hidden_right`).

    Returns:
        The faces, and which were mirrored, (B,) bool.

    Raises:
        SymmetryError: there are not as many angles as faces.

    >>> faces = torch.tensor([0.0, 1.0]).expand(2, 1, 1, 2)
    >>> left, flipped = flip_to_left(faces, torch.tensor([0.3, -0.3]))
    >>> left.view(2, 2).tolist(), flipped.tolist()
    ([[0.0, 1.0], [1.0, 0.0]], [False, True])
    """
    if faces.ndim != 4 or yaw.shape != faces.shape[:1]:
        raise SymmetryError(
            f"faces are {tuple(faces.shape)} and yaw {tuple(yaw.shape)}; expected (B, C, H, W) "
            "and (B,)"
        )
    flipped = yaw < 0
    return mirror(faces, flipped), flipped


def mirror(faces: Tensor, flipped: Tensor) -> Tensor:
    """Mirror those of faces (B, C, H, W) that are flagged, (B,) bool; twice is not at all."""
    return torch.where(flipped[:, None, None, None], faces.flip(-1), faces)


def symmetry_error(images: Tensor, space: str = "pixel") -> Tensor:
    """The loss in one of the two spaces by its name, "pixel" or "laplacian": (B,).

    Raises:
        SymmetryError: there is no such space.
    """
    if space not in ("pixel", "laplacian"):
        raise SymmetryError(f"a symmetry space is 'pixel' or 'laplacian', not {space!r}")
    return symmetry_loss(images) if space == "pixel" else laplacian_symmetry_loss(images)
