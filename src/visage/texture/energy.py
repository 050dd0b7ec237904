"""What a synthesised texture is judged by: eq. 3 of Saito et al. (2017), and its gradient.

    E(I) = Σ_{l in L_F} ‖F^l(I) - F̂^l‖²_F / ‖F̂^l‖²_F  +  α Σ_{l in L_G} ‖G^l(I) - Ĝ^l‖²_F / ‖Ĝ^l‖²_F

The paper sums plain Frobenius norms, whose sizes depend on the network's scale and on how many
texels a layer has, so that its α = 2000 belongs to VGG-19 at one resolution. Divided by the norms
of their targets, all layers count alike, and α reads off by itself: a correlation matrix that is
wrong by 1 / √α of itself, 2 % at 2000, costs as much as features that are wrong altogether.

Gradients of the norms are written by hand, as the paper derives them; the network's own are
autograd's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from visage.texture.backbones import Backbone
from visage.texture.errors import SynthesisError
from visage.texture.gram import Grams, gram, mask_out


def frobenius_gradient(x: Tensor, target: Tensor) -> Tensor:
    """∂‖X - A‖²_F / ∂X = 2 (X - A) (Saito et al. 2017, section 5).

    >>> frobenius_gradient(torch.tensor([3.0]), torch.tensor([1.0]))
    tensor([4.])
    """
    return 2 * (x - target)


def gram_gradient(features: Tensor, upstream: Tensor) -> Tensor:
    """Of a function of G(X) = X Xᵀ / M with respect to X: (D + Dᵀ) X / M.

    For a symmetric D, as ∂‖G - Ĝ‖²/∂G is, that is the paper's ∂G/∂X = (2 / n) X (section 5), with
    D from the left.

    Args:
        features: X (B, C, h, w), with M = h w.
        upstream: D (B, C, C), the function's gradient with respect to G.

    Returns:
        (B, C, h, w).

    >>> gram_gradient(torch.ones(1, 1, 1, 2), torch.ones(1, 1, 1)).tolist()
    [[[[1.0, 1.0]]]]
    """
    flat = features.flatten(2)
    return ((upstream + upstream.mT) @ flat / flat.shape[2]).view_as(features)


@dataclass(frozen=True, eq=False)
class Energy:
    """Eq. 3 as a function of a texture's luminance.

    Raises:
        SynthesisError: targets are not finite, not of one texture, or of unknown layers.
    """

    backbone: Backbone
    grams: Grams  # Ĝ, (1, C, C) by layer of L_G
    features: Mapping[str, Tensor]  # F̂, (1, C, h, w) by layer of L_F; may be empty
    region: Tensor  # (1, 1, S, S), 1 on the texels that are synthesised; the rest is 0.5
    alpha: float  # of the correlations

    def __post_init__(self):
        if not self.grams and not self.features:
            raise SynthesisError("there is nothing to match; give correlations or features")
        for name, target in {**self.features, **self.grams}.items():
            if name not in self.backbone.layers:
                raise SynthesisError(
                    f"{self.backbone.name} has no layer {name!r}; targets come from another network"
                )
            if len(target) != 1 or not target.isfinite().all():
                raise SynthesisError(
                    f"the target of {name} is {tuple(target.shape)}; expected (1, ...), all finite"
                )

    def __call__(self, luminance: Tensor) -> tuple[float, Tensor, dict[str, float]]:
        """Value, gradient and terms.

        Args:
            luminance: (1, 1, S, S).

        Returns:
            value: E.
            gradient: (1, 1, S, S), zero outside of the region.
            terms: relative squared error by layer, ``gram_<layer>`` and ``feature_<layer>``, before
                α.

        Raises:
            SynthesisError: a target does not fit the texture's size.
        """
        free = luminance.detach().requires_grad_(True)
        with torch.enable_grad():
            seen = mask_out(free, self.region)
            found = self.backbone.features(seen, {*self.grams, *self.features})
        terms, value = {}, 0.0
        upstream: dict[str, Tensor] = {}
        with torch.no_grad():
            for name, target in self.grams.items():
                error, gradient = self._gram_term(name, found[name], target)
                terms[f"gram_{name}"] = error
                value += self.alpha * error
                upstream[name] = self.alpha * gradient
            for name, target in self.features.items():
                error, gradient = self._feature_term(name, found[name], target)
                terms[f"feature_{name}"] = error
                value += error
                upstream[name] = upstream[name] + gradient if name in upstream else gradient
        names = list(upstream)
        pushed = [upstream[name] for name in names]
        (gradient,) = torch.autograd.grad([found[name] for name in names], [free], pushed)
        return value, gradient, terms

    def _gram_term(self, name: str, features: Tensor, target: Tensor) -> tuple[float, Tensor]:
        """‖G - Ĝ‖² / ‖Ĝ‖² and its gradient with respect to the features."""
        now = gram(features)
        _check(name, now, target)
        scale = 1 / float(target.square().sum().clamp_min(1e-30))
        error = float((now - target).square().sum()) * scale
        return error, gram_gradient(features, scale * frobenius_gradient(now, target))

    def _feature_term(self, name: str, features: Tensor, target: Tensor) -> tuple[float, Tensor]:
        """‖F - F̂‖² / ‖F̂‖² and its gradient with respect to the features."""
        _check(name, features, target)
        scale = 1 / float(target.square().sum().clamp_min(1e-30))
        error = float((features - target).square().sum()) * scale
        return error, scale * frobenius_gradient(features, target)


def _check(name: str, now: Tensor, target: Tensor) -> None:
    if now.shape != target.shape:
        raise SynthesisError(
            f"the target of {name} is {tuple(target.shape)}, the texture's {tuple(now.shape)}; "
            "both must come from the same network, features from the same size, too"
        )
