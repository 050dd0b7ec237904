"""Whole heads of hair: who wears what, and how it follows any head.

A `Hair` says in a few numbers what hair, brows, lashes and beard one person has; `sample_hair`
draws it from a person's labels, and `grow` puts it on that person's head. Styles are grown once on
the mean head and kept in memory; what a person needs beside is to move them, which is quick.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from visage.faces.hair import facial as facial_hair
from visage.faces.hair import growth as hair_growth
from visage.faces.hair.beards import BEARDS
from visage.faces.hair.colour import strand_colours
from visage.faces.hair.polylines import Strands
from visage.faces.hair.rooted import Rooted, bind_along
from visage.faces.hair.sampling import sample_hair
from visage.faces.hair.scalp import head_of
from visage.faces.hair.styles import STYLES
from visage.faces.hair.traits import BALD, SHAVEN, Hair, HairError
from visage.faces.shape import MorphableModel

__all__ = [
    "MOST",
    "VARIANTS",
    "Hair",
    "HairError",
    "Strands",
    "brows_at_rest",
    "carry",
    "grow",
    "sample_hair",
]

MOST = 12000
"""Strands of the densest scalp, for pictures of 512 pixels; 2,000 do for 128."""

VARIANTS = 4
"""Ways in which each style is grown."""

_FACES = 3  # ways in which each brow, lash line and beard is grown
_WIDTH = 0.42  # mm; each strand stands for about eight hairs
_FEWEST = 0.3  # share of brows, lashes and beard that is kept in the smallest pictures
_BROW_GREY = 0.12  # share of the brows' hairs that are grey on a white head
_LASH_COLOUR = 1.5  # eumelanin that is added to a person's: lashes are darker than hair


def carry(groups: Sequence[Rooted], mean: Tensor, vertices: Tensor) -> list[list[Tensor]]:
    """Move strands from the mean head to others: rest + Σ w (vertices - mean).

    Args:
        groups: strands at rest, such as a scalp and a beard.
        mean: (V, 3) mm, the mean head's vertices.
        vertices: (B, V, 3) mm, head frame.

    Returns:
        For each of the B heads, the points (S, K, 3) float32 of each group, on the CPU.

    Raises:
        HairError: the shapes do not fit.
    """
    if vertices.ndim != 3 or vertices.shape[1:] != mean.shape:
        raise HairError(f"vertices are {tuple(vertices.shape)}; expected (B, {len(mean)}, 3)")
    moved = (vertices.detach() - mean).float().cpu().numpy()
    return [[torch.from_numpy(group.carried(one)) for group in groups] for one in moved]


def grow(model: MorphableModel, hair: Hair, vertices: Tensor, *, count: int = MOST) -> Strands:
    """All hair of one person: scalp, brows, lashes and beard.

    Args:
        model: whose vertices these are.
        hair: of the person.
        vertices: (V, 3) or (1, V, 3), mm, head frame, with identity and expression.
        count: strands on the scalp, up to three times as many if they are short; fewer, wider
            ones for small pictures.

    Returns:
        Strands, on the vertices' device.

    Raises:
        HairError: there is no such style, or the vertices are not the model's.
    """
    if count < 0:
        raise HairError(f"{count} strands are asked for; give 0 or more")
    vertices = vertices[None] if vertices.ndim == 2 else vertices
    if len(vertices) != 1:
        raise HairError(f"vertices of {len(vertices)} heads are given; expected one")
    groups = _groups(model, hair)
    share = min(max(count / MOST, _FEWEST), 1.0)
    limits = [
        int(count * _finer(one)) if name == "scalp" else int(share * len(one))
        for name, one, _ in groups
    ]
    kept = [one.thinned(limit) for (_, one, _), limit in zip(groups, limits, strict=True)]
    points = carry(kept, model.mean, vertices)[0]
    strands = [
        Strands.even(
            moved,
            torch.from_numpy(one.width),
            torch.from_numpy(_fewer(colour, len(one))),
            torch.from_numpy(one.openness),
        )
        for moved, one, (_, _, colour) in zip(points, kept, groups, strict=True)
    ]
    return Strands.joined(strands).to(vertices.device)


def brows_at_rest(model: MorphableModel, hair: Hair) -> Strands:
    """The brows alone, on the mean head: to be painted into a texture.

    Args:
        model: that they grow on.
        hair: of the person.
    """
    one, colour = next(group[1:] for group in _groups(model, hair) if group[0] == "brows")
    points, width, openness = map(torch.from_numpy, (one.points, one.width, one.openness))
    return Strands.even(points.float(), width, torch.from_numpy(colour), openness.float())


def _fewer(colour: np.ndarray, count: int) -> np.ndarray:
    """Colours (count, 3) of thinned strands: each stands for more, so that they differ less."""
    if count in (0, len(colour)):
        return colour[:count]
    mean = colour.mean(0)
    kept = colour[np.arange(count) * len(colour) // count]
    return mean + np.float32(np.sqrt(count / len(colour))) * (kept - mean)


def _finer(scalp: Rooted) -> float:
    """Factor of the number of strands: short hair has few points each, and needs more strands."""
    return min(max(20 / scalp.points.shape[1], 1.0), 3.0)


@lru_cache(maxsize=48)
def _groups(model: MorphableModel, hair: Hair) -> list[tuple[str, Rooted, np.ndarray]]:
    """Name, strands at rest and colours (S, 3) of each group that a person has."""
    if hair.style not in (BALD, *STYLES):
        raise HairError(f"there is no style {hair.style!r}; choose among {', '.join(STYLES)}")
    if hair.beard not in (SHAVEN, *BEARDS):
        raise HairError(f"there is no beard {hair.beard!r}; choose among {', '.join(BEARDS)}")
    own = (hair.eumelanin, hair.pheomelanin)
    groups = []
    if hair.style != BALD:
        scalp = _scalp(model, hair.style, hair.variant % VARIANTS)
        scalp = replace(scalp, width=scalp.width * np.float32(_WIDTH * hair.thickness))
        groups.append(("scalp", scalp, (*own, hair.greyness)))
    shape = (hair.brow_thickness, hair.brow_arch, hair.brow_lift)
    brows = _brows(model, *_rounded(shape, (0.2, 1.0, 1.0)), hair.seed % _FACES)
    dark = (1.3 * hair.eumelanin + 0.12, 0.7 * hair.pheomelanin)
    groups.append(
        ("brows", _part(brows, hair.brow_density / 1.5), (*dark, _brow_greyness(hair.greyness)))
    )
    lashes = _lashes(model, *_rounded((hair.lash_length,), (1.0,)), hair.seed % _FACES)
    groups.append(("lashes", lashes, (hair.eumelanin + _LASH_COLOUR, hair.pheomelanin, 0.0)))
    if hair.beard != SHAVEN:
        length = _rounded((hair.beard_length,), (0.25,))
        beard = _beard(model, hair.beard, *length, hair.seed % _FACES)
        pigments = (own[0] * 0.9, own[1] * 1.4, hair.greyness)
        groups.append(("beard", _part(beard, hair.beard_density / 1.5), pigments))
    return [
        (name, one, strand_colours(len(one), *pigments, seed=hair.seed + number, bundle=bundle))
        for number, (name, one, pigments) in enumerate(groups)
        for bundle in [8.0 if name == "scalp" else 2.0]
    ]


def _brow_greyness(scalp: float) -> float:
    """Share of grey hairs in the brows: they turn years after the scalp, and never all of them."""
    return _BROW_GREY * scalp**2


def _rounded(values: Sequence[float], steps: Sequence[float]) -> list[float]:
    """Nearest multiples of steps: people whose faces' hair is nearly alike share its growth."""
    return [step * round(value / step) for value, step in zip(values, steps, strict=True)]


def _part(group: Rooted, share: float) -> Rooted:
    """A share of the strands, as wide as they were."""
    kept = group.thinned(round(min(share, 1.0) * len(group)))
    return replace(kept, width=kept.width * np.float32(len(kept) / max(len(group), 1)))


# 3,000 people have 576 pairs of brows and 79 beards, of about 0.2 and 1 MB. All are kept: what a
# stream of people has grown it shall not grow again.
@lru_cache(maxsize=1024)
def _brows(model: MorphableModel, thickness: float, arch: float, lift: float, seed: int) -> Rooted:
    """Brows of the highest density."""
    shape = {"thickness": thickness, "arch": arch, "lift": lift}
    return facial_hair.brows(head_of(model), count=1400, width=0.16, seed=seed, **shape)


@lru_cache(maxsize=64)
def _lashes(model: MorphableModel, length: float, seed: int) -> Rooted:
    head = head_of(model)
    return facial_hair.lashes(model, head, length=length, count=90, width=0.13, seed=seed)


@lru_cache(maxsize=128)
def _beard(model: MorphableModel, style: str, length: float, seed: int) -> Rooted:
    """A beard of the highest density."""
    return facial_hair.beard(model, head_of(model), style, scale=length, density=1.5, seed=seed)


# Every style's variants: a stream of people that forgot some would grow them again and again.
@lru_cache(maxsize=len(STYLES) * VARIANTS)
def _scalp(model: MorphableModel, name: str, variant: int) -> Rooted:
    """A style grown on the mean head; every variant is cut and combed a little differently."""
    style = STYLES[name]
    random = np.random.default_rng(variant)
    if variant:
        longer = np.exp(0.12 * random.normal())
        style = replace(
            style,
            length=style.length * longer,
            sides=style.sides * longer,
            volume=style.volume * np.exp(0.12 * random.normal()),
            part_at=style.part_at * random.choice([-1, 1]) + random.normal(0, 3),
            height=style.height + random.normal(0, 2.5),
            recession=style.recession + abs(random.normal(0, 2.5)),
        )
    ears = model.regions["ears"].double().cpu().numpy()
    head = head_of(model)
    roots, points, openness, fineness = hair_growth.grow(head, style, ears, MOST, variant)
    return Rooted(points, openness, fineness, *bind_along(head, roots, points))
