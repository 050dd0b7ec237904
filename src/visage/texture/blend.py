"""What a blend of people says of each place of a texture, beside its correlations.

Textures are registered: a place means the same on every face. A Gram matrix forgets where features
are (Saito et al. 2017, section 7); how strong detail is here, how light the skin is and how far
single texels go, the people who are blended still know.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from visage.texture.database import TextureDatabase
from visage.texture.errors import SynthesisError
from visage.texture.long_waves import held
from visage.texture.low_frequency import SIZE as LOW_SIZE
from visage.texture.window import face_region, resized

_MOST = (
    0.02  # strength: brows have outlines to grow from, and grain as strong as they would break them
)
_NEGLIGIBLE = 0.02  # of the largest weight, with which a person is left out: there are hundreds
_NEAR = 0.02  # of the side: how far from its place on others a thing may be
_BEYOND = 1.25  # times as far as any of the people's detail goes, that of another may go
_NOISE = 0.004  # of luminance, that detail may always have: one step of 256


@dataclass(frozen=True, eq=False)
class Blend:
    """Luminance of a blend of people, place by place: four (1, 1, S, S)."""

    strength: Tensor  # standard deviation of detail; not more than what skin has
    tone: Tensor  # mean luminance
    darkest: Tensor  # detail (what `visage.texture.long_waves.held` leaves) is not below
    brightest: Tensor  # nor above

    @classmethod
    @torch.no_grad()
    def of(cls, database: TextureDatabase, weights: Tensor) -> Blend:
        """A blend of a database's people.

        A blend of people with stubble has it on the jaw and not on the forehead. Their details
        themselves do not blend, their variances do: σ² = Σ w_k σ_k².

        Args:
            database: of K people.
            weights: (K,), of the blend; negative ones count as none.

        Raises:
            SynthesisError: there are not K weights, or none is positive.
        """
        if weights.shape != (len(database),) or not float(weights.max()) > 0:
            raise SynthesisError(
                f"weights are {tuple(weights.shape)}; expected ({len(database)},), some above 0"
            )
        size = database.size
        shares = weights.clamp_min(0) / weights.clamp_min(0).sum()
        chosen = (shares > _NEGLIGIBLE * shares.max()).nonzero()[:, 0].tolist()
        region = face_region(size)
        variance, tone, lowest, highest = torch.zeros(4, 1, 1, size, size)
        for index in chosen:
            luminance = database.luminance([index])
            variance += shares[index] * _variance(luminance)
            tone += shares[index] * luminance
            detail = held(torch.zeros_like(luminance), luminance, region) * region
            lowest, highest = torch.minimum(lowest, detail), torch.maximum(highest, detail)
        return cls(
            strength=variance.sqrt().clamp(max=_MOST),
            tone=tone / shares[chosen].sum(),
            darkest=-_farthest(-lowest),
            brightest=_farthest(highest),
        )

    def resized(self, size: int) -> Blend:
        """The same for textures of another size."""
        return Blend(*(resized(one, size) for one in vars(self).values()))


def _variance(luminance: Tensor) -> Tensor:
    """Local variance of what the low-frequency albedo does not hold."""
    size = luminance.shape[-1]
    coarse = min(LOW_SIZE, size)
    detail = luminance - resized(resized(luminance, coarse), size)
    return resized(resized(detail.square(), max(coarse // 2, 1)), size).clamp_min(0)


def _farthest(detail: Tensor) -> Tensor:
    reach = max(1, round(_NEAR * detail.shape[-1]))
    return _BEYOND * max_pool2d(detail, 2 * reach + 1, 1, reach) + _NOISE
