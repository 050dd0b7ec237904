"""The losses of Liu et al. (2018) that compare: perceptual, identity and pixel, and all weights.

Each is a pure function of tensors that returns one value a face. The other two of the five are in
`visage.nfgan.symmetry` and `visage.nfgan.adversarial`; `visage.nfgan.algorithm` says which network
learns from which.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

from torch import Tensor

from visage.nfgan.errors import LossError

TERMS = ("perceptual", "symmetry", "adversarial", "identity", "pixel")
"""The five, in the order in which a subset is named by its letters `LETTERS`."""

LETTERS = "psaix"


@dataclass(frozen=True)
class LossWeights:
    """How much each of the five losses counts; 0 leaves one out, and is not computed.

    The defaults are the paper's (section 5.2). They belong to its perceptual network, VGG-Face,
    whose maps are hundreds of times larger than those of dlib's network: `visage.nfgan.train` says
    what had to change.
    """

    perceptual: float = 1.0  # eq. 2, to which the others are relative
    identity: float = 3e-3  # λ1, eq. 6
    pixel: float = 1e-3  # λ2, eq. 7
    symmetry: float = 0.3  # λ3, eq. 3
    adversarial: float = 0.1  # η, eq. 5
    symmetry_space: Literal["pixel", "laplacian"] = "pixel"  # section 4.2 argues for the second

    def __post_init__(self) -> None:
        for name in TERMS:
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise LossError(f"the weight {name} is a number of at least 0, not {value}")
        if self.symmetry_space not in ("pixel", "laplacian"):
            raise LossError(
                f"symmetry_space is 'pixel' or 'laplacian', not {self.symmetry_space!r}"
            )

    def only(self, letters: str) -> LossWeights:
        """The same weights, of some of the losses alone.

        Args:
            letters: of `LETTERS`: p(erceptual), s(ymmetry), a(dversarial), i(dentity), pi(x)el.

        Raises:
            LossError: another letter, a letter twice, or none.

        >>> LossWeights().only("px")
        LossWeights(perceptual=1.0, identity=0.0, pixel=0.001, symmetry=0.0, adversarial=0.0, \
symmetry_space='pixel')
        """
        if not letters or set(letters) - set(LETTERS) or len(set(letters)) < len(letters):
            raise LossError(f"a subset is named by letters of {LETTERS!r}, each once: {letters!r}")
        kept = {TERMS[LETTERS.index(letter)] for letter in letters}
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return LossWeights(
            **{name: 0.0 if name in TERMS and name not in kept else values[name] for name in values}
        )


def perceptual_loss(generated: Tensor, target: Tensor) -> Tensor:
    """Feature-space perceptual loss of Liu et al. (2018), eq. 2.

    L_feat = 1/(W H) Σ_n Σ_m ‖φ_nm(x̃) − φ_nm(y)‖², the norm over channels. Algorithm 1 writes 1/2
    in front of it, which the equation has not; this is the equation.

    Args:
        generated: (B, C, H, W), maps of the generated faces (`visage.nfgan.perceptual`).
        target: (B, C, H, W), of the targets y.

    Returns:
        (B,).

    Raises:
        LossError: the shapes differ or are not four-dimensional.

    >>> import torch
    >>> perceptual_loss(torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2))
    tensor([3.])
    """
    _check_pair(generated, target, 4)
    return (generated - target).square().sum(1).mean((1, 2))


def identity_loss(generated: Sequence[Tensor], inputs: Sequence[Tensor]) -> Tensor:
    """Identity-preserving loss of Liu et al. (2018), eq. 6.

    L_id = Σ_l 1/(W_l H_l) Σ_n Σ_m |φ_lnm(x̃) − φ_lnm(x)| over the last two layers of a face
    verification network, |·| summed over channels. It compares with the input x, not with the
    target.

    Args:
        generated: of each layer (B, C, H, W), or (B, C) where W = H = 1, of the generated faces.
        inputs: the same layers of the input faces.

    Returns:
        (B,).

    Raises:
        LossError: there are no layers, or their shapes differ.

    >>> import torch
    >>> maps, embedding = torch.zeros(1, 2, 4, 4), torch.zeros(1, 3)
    >>> identity_loss([maps, embedding], [maps + 0.5, embedding - 1])
    tensor([4.])
    """
    if not generated or len(generated) != len(inputs):
        raise LossError(f"{len(generated)} layers and {len(inputs)} are given; give as many, not 0")
    total = 0
    for ours, theirs in zip(generated, inputs, strict=True):
        _check_pair(ours, theirs, ours.ndim)
        places = ours[0, 0].numel()  # 1 for a vector
        total = total + (ours - theirs).abs().flatten(1).sum(1) / places
    return total


def pixel_loss(generated: Tensor, target: Tensor) -> Tensor:
    """Pixel-wise L1 loss of Liu et al. (2018), eq. 7: 1/(W H) Σ_n Σ_m |x̃_nm − y_nm|.

    Args:
        generated: (B, 1, H, W), in [0, 1].
        target: (B, 1, H, W).

    Returns:
        (B,).

    Raises:
        LossError: the shapes differ or are not four-dimensional.

    >>> import torch
    >>> pixel_loss(torch.zeros(1, 1, 2, 2), torch.eye(2)[None, None])
    tensor([0.5000])
    """
    _check_pair(generated, target, 4)
    return (generated - target).abs().mean((1, 2, 3))


def _check_pair(a: Tensor, b: Tensor, dimensions: int) -> None:
    if a.shape != b.shape or a.ndim != dimensions or a.ndim not in (2, 4):
        raise LossError(
            f"a loss compares two tensors of the same shape, not {tuple(a.shape)} and "
            f"{tuple(b.shape)}"
        )
