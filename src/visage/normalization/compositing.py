"""Pasting a morphed face onto an original background by its gradients (Cole et al. 2017, sec. 5.2).

A morph is good inside the face, where landmarks are; hair and background are two people's at once.
Eq. 3 keeps the morph's gradients inside, the background's outside, and the morph's colours inside:

    D To = M D Tf + (1 − M) D Tb   and   M To = M Tf,   in the least-squares sense,

with D the differences to the right and down, and M the convex hull of the mean landmarks, softened.
The normal equations are a screened Poisson equation,

    (DᵀD + M²) To = Dᵀ(M D Tf + (1 − M) D Tb) + M² Tf.

Were Tf the background itself, To = Tb would solve them. The difference of the two is shorter:

    To = Tb + (DᵀD + M²)⁻¹ (DᵀM D + M²) (Tf − Tb).

All textures have their landmarks in the same place, so that M is the same for all: the matrix is
factored once, and a picture costs one sweep forth and back through its triangles.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from scipy.sparse import csc_array, diags_array, eye_array, kron, vstack
from scipy.sparse.linalg import splu
from scipy.spatial import ConvexHull, QhullError
from torch import Tensor
from torch.nn.functional import avg_pool2d

from visage.normalization.errors import NormalizationError

SOFTENING = 0.03
"""Standard deviation of the mask's blur, in sides of the picture. The paper does not give it: this
is an eighth of the distance between the eyes, about as wide as the shading at a jaw's edge."""

_BACKDROP_EDGE = 0.1  # a pixel that differs so much from the backdrop shows none of it
_SEEN = 1e-4  # of the mask: below, a pixel's colour is not constrained


class CompositingError(NormalizationError):
    """Pictures or a mask that cannot be put together."""


def blending_mask(mean: Tensor, size: int, softening: float = SOFTENING) -> Tensor:
    """M: the convex hull of the mean landmarks, softened by a Gaussian blur.

    Args:
        mean: (n, 2), pixels, n at least 3 points that are not on one line.
        size: of the square picture, pixels.
        softening: standard deviation of the blur, in sides; 0 for none.

    Returns:
        (size, size) float32 in [0, 1].

    Raises:
        CompositingError: the landmarks have no area.

    >>> square = torch.tensor([[2.0, 2.0], [5.0, 2.0], [5.0, 5.0], [2.0, 5.0]])
    >>> blending_mask(square, 8, softening=0).sum()
    tensor(16.)
    """
    try:
        hull = ConvexHull(mean.detach().double().cpu().numpy())
    except (QhullError, ValueError) as error:
        raise CompositingError("the landmarks have no area; give points around a face") from error
    places = np.stack(np.meshgrid(np.arange(size), np.arange(size), indexing="xy"), -1)
    beyond = places.reshape(-1, 2) @ hull.equations[:, :2].T + hull.equations[:, 2]
    inside = (beyond.max(1) <= 1e-6).reshape(size, size).astype(np.float64)
    softened = gaussian_filter(inside, softening * size) if softening > 0 else inside
    return torch.from_numpy(softened).float().clamp(0, 1)


class Compositor:
    """Eq. 3 for one mask, factored.

    At 112 pixels the factors take 0.1 s to compute and 8 MB to keep.

    Args:
        mask: (H, W) in [0, 1], M; somewhere above 0, or the colours would be free.
        colour_weight: of the third equation against the other two; the paper gives all alike 1.

    Raises:
        CompositingError: the mask is not a picture in [0, 1], or is 0 everywhere.
    """

    def __init__(self, mask: Tensor, colour_weight: float = 1.0):
        if mask.ndim != 2 or not bool(((mask >= 0) & (mask <= 1)).all()):
            raise CompositingError(f"the mask is {tuple(mask.shape)}; expected (H, W) in [0, 1]")
        if not float(mask.max()) > _SEEN or not colour_weight > 0:
            raise CompositingError("no pixel's colour is given: mask or weight is 0")
        self.mask = mask.detach().cpu().float()
        weights = self.mask.double().numpy()
        differences = difference_operator(*mask.shape)
        # A difference lies between two pixels, and so does its share of the mask.
        between = abs(differences) @ weights.ravel() / 2
        colours = diags_array(colour_weight * weights.ravel() ** 2)
        matrix = csc_array(differences.T @ differences + colours)
        self._right = csc_array(differences.T @ diags_array(between) @ differences + colours)
        self._factors = splu(
            matrix,
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )

    def __call__(self, face: Tensor, background: Tensor) -> Tensor:
        """Paste faces onto backgrounds.

        Args:
            face: (B, C, H, W), Tf.
            background: (B or 1, C, H, W), Tb.

        Returns:
            (B, C, H, W), To, on the CPU in float32; values may leave [0, 1] a little. Equal to the
            background where both pictures are the same.

        Raises:
            CompositingError: the shapes do not fit, or a value is not finite.
        """
        if (
            face.ndim != 4
            or face.shape[-2:] != self.mask.shape
            or background.shape[1:] != face.shape[1:]
            or background.shape[0] not in (1, face.shape[0])
        ):
            raise CompositingError(
                f"face is {tuple(face.shape)}, background {tuple(background.shape)}; expected "
                f"(B, C, {self.mask.shape[0]}, {self.mask.shape[1]}) of both"
            )
        difference = (face - background).detach().cpu().double()
        if not difference.isfinite().all():
            raise CompositingError("pictures hold NaN or infinity")
        columns = difference.flatten(2).flatten(0, 1).numpy().T
        solved = self._factors.solve(self._right @ columns).T
        change = torch.from_numpy(np.ascontiguousarray(solved)).view(face.shape).float()
        return background.detach().cpu().float() + change


def keep_backdrop(composed: Tensor, background: Tensor, mask: Tensor, backdrop: float) -> Tensor:
    """Leave a plain backdrop as it was (beyond the paper).

    Eq. 3 asks nothing of colours outside the face, so that a darker face darkens everything around
    it. That becomes hair and neck, and hardly shows in a photograph's background; before a plain
    wall it is a glow around the head.

    Args:
        composed: (B, 3, H, W), To.
        background: (B, 3, H, W), Tb, of people before a backdrop of one grey.
        mask: (H, W), M.
        backdrop: its value, in [0, 1].

    Returns:
        (B, 3, H, W), the background where it shows nothing but the backdrop, else the composition;
        in between along the outline.
    """
    shows = ((background - backdrop).abs().amax(1, keepdim=True) / _BACKDROP_EDGE).clamp(max=1)
    # Begin inside the outline: its pixels are part backdrop, and would shine on lightened hair.
    inside = (2 * avg_pool2d(shows, 3, 1, 1, count_include_pad=False) - 1).clamp(min=0)
    return torch.lerp(background, composed, torch.maximum(inside, mask))


def equation_residual(composed: Tensor, face: Tensor, background: Tensor, mask: Tensor) -> Tensor:
    """How far composed pictures are from solving eq. 3: root mean square over its equations.

    Args:
        composed: (B, C, H, W), To.
        face: (B, C, H, W), Tf.
        background: (B, C, H, W), Tb.
        mask: (H, W), M.

    Returns:
        (B,). `Compositor` makes it as small as it can be.
    """
    left = [(mask * (composed - face)).flatten(1)]
    for axis, size in ((-1, mask.shape[-1] - 1), (-2, mask.shape[-2] - 1)):
        share = (mask.narrow(axis, 0, size) + mask.narrow(axis, 1, size)) / 2
        wanted = share * face.diff(dim=axis) + (1 - share) * background.diff(dim=axis)
        left.append((composed.diff(dim=axis) - wanted).flatten(1))
    return torch.cat(left, 1).square().mean(1).sqrt()


def difference_operator(height: int, width: int) -> csc_array:
    """D: differences to the right, then down, of a picture's pixels row by row.

    Returns:
        (height (width − 1) + (height − 1) width, height · width), sparse.

    >>> difference_operator(1, 3).toarray()
    array([[-1.,  1.,  0.],
           [ 0., -1.,  1.]])
    """

    def along(count: int):
        ones = np.ones(max(count - 1, 0))
        return diags_array([-ones, ones], offsets=[0, 1], shape=(count - 1, count))

    right = kron(eye_array(height), along(width))
    down = kron(along(height), eye_array(width))
    return csc_array(vstack([right, down]))
