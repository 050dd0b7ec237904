"""Spots of the skin: where freckles and moles can be, and how a person draws theirs."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from visage.faces.shape import MorphableModel
from visage.faces.skin.compiled import HAEMOGLOBIN, HEIGHT, MELANIN, OUTPUTS
from visage.faces.skin.parameters import Skin

FRECKLES, MOLES = 24000, 12000
"""Places that are drawn once for everybody, and that each person chooses from."""

FULL = 2000
"""Freckles of somebody who is full of them."""

_MOST_AGE_SPOTS = 60


@dataclass(frozen=True, eq=False)
class Places:
    """Random places of the skin, P of them."""

    uv: np.ndarray  # (P, 2) texture coordinates
    spread: np.ndarray  # (P, 3) uu, uv, vv: what a round spot of 1 mm² variance has in the texture


@lru_cache(maxsize=4)
def freckle_places(model: MorphableModel) -> Places:
    """Where freckles come: where the sun shines, on nose and cheeks most."""

    def density(p: np.ndarray) -> np.ndarray:
        x, y, z = np.abs(p[:, 0]), p[:, 1], p[:, 2]
        nose = np.exp(-0.5 * ((x / 16) ** 2 + ((y + 22) / 16) ** 2))
        cheek = np.exp(-0.5 * (((x - 34) / 17) ** 2 + ((y + 22) / 13) ** 2))
        forehead = 0.4 * np.exp(-0.5 * ((x / 40) ** 2 + ((y - 45) / 18) ** 2))
        rest = 0.12 * (y > -125)
        lips = np.exp(-0.5 * ((x / 20) ** 2 + ((y + 68) / 7) ** 2))
        return (nose + cheek + forehead + rest) * (1 - 0.9 * lips) * (z > 20)

    return _places(model, density, FRECKLES, 1)


@lru_cache(maxsize=4)
def mole_places(model: MorphableModel) -> Places:
    """Where moles come: anywhere on face, ears and neck."""

    def density(p: np.ndarray) -> np.ndarray:
        eyes = np.exp(-0.5 * (((np.abs(p[:, 0]) - 31) / 15) ** 2 + (p[:, 1] / 8) ** 2))
        lips = np.exp(-0.5 * ((p[:, 0] / 20) ** 2 + ((p[:, 1] + 68) / 8) ** 2))
        return (1 - eyes) * (1 - lips) * (p[:, 2] > -10) * (p[:, 1] < 75)

    return _places(model, density, MOLES, 2)


def draw_spots(
    model: MorphableModel, skin: Skin, person: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A person's spots: freckles, age spots and moles.

    Returns:
        Where (S, 2), spread (S, 3), amount (S, 9) and sharpness (S,), as
        `compiled_skin.add_spots` takes them.
    """
    freckled, strength = float(skin.freckles[person]), float(skin.freckle_strength[person])
    old = max(float(skin.age[person]) - 45, 0) / 40
    moles = round(float(skin.moles[person]))
    few, many = round(_MOST_AGE_SPOTS * min(old, 1) * random.uniform(0.2, 1)), FULL * freckled
    groups = [
        _group(freckle_places(model), random, round(many), (0.45, 0.36), (0.2, 1.3)),
        _group(freckle_places(model), random, few, (1.6, 0.45), (0.7, 4.0)),
        _group(mole_places(model), random, moles, (0.75, 0.40), (0.35, 2.2)),
    ]
    count = [len(group[0]) for group in groups]
    amount = np.zeros((sum(count), OUTPUTS), np.float32)
    sharpness = np.repeat(np.array([1.3, 1.6, 2.2], np.float32), count)
    freckles, spots, moles = np.split(amount, np.cumsum(count)[:-1])
    freckles[:, MELANIN] = strength * (0.08 + 0.42 * random.random(count[0]) ** 1.7)
    freckles[:, HAEMOGLOBIN] = 0.25 * freckles[:, MELANIN]
    spots[:, MELANIN] = random.uniform(0.04, 0.16, count[1])
    # Moles are brown on light skin and nearly black on dark; big ones stand out.
    dark = random.uniform(0.30, 0.62, count[2]) * (1 - 0.5 * float(skin.melanin[person]))
    moles[:, MELANIN], moles[:, HAEMOGLOBIN] = dark, 0.10
    radius = groups[2][2]
    moles[:, HEIGHT] = np.where(random.random(count[2]) < 0.3, 0.35 * radius, 0.03)
    where, spread = (np.concatenate([group[k] for group in groups]) for k in (0, 1))
    return where, spread, amount, sharpness


def _group(
    places: Places,
    random: np.random.Generator,
    count: int,
    lognormal: tuple[float, float],
    limits: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places (S, 2), spreads (S, 3) and radii (S,), mm, of spots that are nearly round."""
    which = random.integers(0, len(places.uv), count)
    radius = np.clip(random.lognormal(np.log(lognormal[0]), lognormal[1], count), *limits)
    spread = places.spread[which] * (radius**2)[:, None].astype(np.float32)
    # Longer one way than the other, along the texture's axes: cheap, and enough to look grown.
    long = random.uniform(0.75, 1.33, count).astype(np.float32)
    spread = spread * np.stack([long, np.ones_like(long), 1 / long], 1)
    return places.uv[which], spread, radius


def _places(model: MorphableModel, density, count: int, seed: int) -> Places:
    random = np.random.default_rng(seed)
    rows = np.r_[tuple(model.part_triangles[name] for name in ("skin", "neck"))]
    corners = model.mean.cpu().double().numpy()[model.triangles.cpu().numpy()[rows]]
    uv = model.uv.cpu().double().numpy()[model.uv_triangles.cpu().numpy()[rows]]
    edges = corners[:, 1:] - corners[:, :1]  # (F, 2, 3)
    area = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1)
    share = area * density(corners.mean(1))
    chosen = np.searchsorted((share / share.sum()).cumsum(), random.random(count))
    chosen = np.minimum(chosen, len(rows) - 1)

    a, b = np.sqrt(random.random(count)), random.random(count)
    weights = np.stack([1 - a, a * (1 - b), a * b], 1)[:, :, None]
    # A step s on the surface moves by D G^-1 E s in the texture: E are the edges, G = E E^T, and D
    # the edges in the texture.
    moved = (uv[:, 1:] - uv[:, :1])[chosen].transpose(0, 2, 1)  # (P, 2, 2)
    inverse = np.linalg.inv(edges @ edges.transpose(0, 2, 1))[chosen]
    spread = moved @ inverse @ moved.transpose(0, 2, 1)
    return Places(
        (weights * uv[chosen]).sum(1).astype(np.float32),
        spread[:, [0, 0, 1], [0, 1, 1]].astype(np.float32),
    )
