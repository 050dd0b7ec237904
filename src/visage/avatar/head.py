"""The head of an avatar: whose shape it has, and what lies on its surface.

Three answers meet here. Part IV's CoarseNet knows what whole heads look like, and is some
millimetres off in the face. Part V's fit is nearest in the face, but nothing in a photograph tells
it of the skull, and with a photograph unlike the synthetic ones it bends a head far beyond what
people have, to bring its features to their pixels. That is right for the texture, which is taken
from those pixels; the head is a weighted mean of both answers' coefficients, of one and the same
mesh, with as much of CoarseNet's as makes it likely. What FineNet adds to CoarseNet lies on it as
relief. `visage.avatar.reproduce` measures all of them against true vertices.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from visage.avatar.relief import fine_relief
from visage.faces.shape import MorphableModel
from visage.geometry.reconstruct import DetailedFace
from visage.texture.infer import InferredTexture
from visage.texture.textured_head import TexturedHead
from visage.texture.window import paste

COARSE_SHARE = 0.35
"""Of CoarseNet's coefficients in the head's, at least. On validation people it takes a tenth off
the error of part V's head and leaves that of the face, as a fit with a firmer prior would; starting
the fit from CoarseNet's numbers changes nothing beyond chance."""

LIKELY = 0.8
"""Root mean square of a likely head's identity, in standard deviations. People have 1; a mean of
two estimates that lean to the mean head has 0.5 to 0.6 on validation people."""


def coarse_share(fit: Tensor, coarse: Tensor) -> float:
    """The least share of CoarseNet's identity with which a head is likely.

    Args:
        fit: (1, 80), part V's identity, standard deviations.
        coarse: (1, 80), CoarseNet's.

    >>> coarse_share(torch.zeros(1, 80), torch.zeros(1, 80)) == COARSE_SHARE
    True
    >>> round(coarse_share(torch.full((1, 80), 4.0), torch.zeros(1, 80)), 2)
    0.8
    """
    shares = torch.linspace(COARSE_SHARE, 1, 131, dtype=torch.float64)
    sizes = torch.lerp(fit.double(), coarse.double(), shares[:, None]).square().mean(1).sqrt()
    likely = (sizes <= LIKELY + 1e-6).nonzero()
    return float(shares[likely[0, 0]]) if len(likely) else 1.0


def head_shape(fit: tuple[Tensor, Tensor], coarse: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Identity (1, 80) and expression (1, 52) of a head, from part V's and part IV's."""
    share = coarse_share(fit[0], coarse[0])
    identity, expression = (
        torch.lerp(ours, theirs, share) for ours, theirs in zip(fit, coarse, strict=True)
    )
    return identity, expression.clamp(0, 1)


def detailed_head(found: InferredTexture, face: DetailedFace) -> TexturedHead:
    """A head with part V's skin and part IV's relief, and the photograph's expression.

    Args:
        found: the texture and its fit.
        face: of the same photograph.
    """
    numbers, fit = face.numbers, found.fit
    identity, expression = head_shape(
        (fit.identity, fit.expression), (numbers.identity, numbers.expression)
    )
    head = TexturedHead.of(found.texture, identity, expression)
    wrinkles = fine_relief(fine_model(), face, found.texture.shape[-1])
    height = head.maps.height + paste(torch.zeros_like(head.maps.height), wrinkles)
    return replace(head, maps=replace(head.maps, height=height))


def at_rest(head: TexturedHead) -> TexturedHead:
    """The same head without an expression: its lips are closed, for it has no teeth to show."""
    return replace(head, expression=torch.zeros_like(head.expression))


@lru_cache(maxsize=1)
def fine_model() -> MorphableModel:
    """The model after one subdivision: smooth to look at."""
    return MorphableModel.load(1)
