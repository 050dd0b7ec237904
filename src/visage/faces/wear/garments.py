"""What people wear: the cut of a collar, colours, a pattern, and who wears which."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor


class GarmentError(ValueError):
    """Garments whose parameters cannot be used."""


@dataclass(frozen=True, eq=False)
class Garment:
    """B garments; each number is (B,) unless it says otherwise.

    The collar is a strip that lies along the neckline, rolled over at its upper edge: a ribbed band
    (crew, V, scoop), a tube up the neck (turtleneck), or a leaf turned down (shirt, hood).

    Raises:
        GarmentError: a shape does not fit, or a value is not finite.
    """

    drop: Tensor  # mm that the neckline falls at the front; 0 is a crew neck
    vee: Tensor  # 0 for a round neckline to 1 for a V
    wide: Tensor  # mm that the neckline falls at the sides
    stand: Tensor  # mm that the collar stands up the neck
    leaf: Tensor  # mm, length of the band, or of the leaf turned down
    points: Tensor  # 0 for a leaf all round to 1 for a shirt's, open in front with two tips
    bulk: Tensor  # mm that the leaf stands off: 0 to 3 for a shirt, 20 for a hood
    thickness: Tensor  # mm of the collar's roll
    ribs: Tensor  # mm of relief of a knitted band
    placket: Tensor  # 0 or 1: buttons down the front
    seams: Tensor  # mm, depth of the seams of the sleeves
    folds: Tensor  # strength, 0 for none, 1 for a cotton shirt
    chest: Tensor  # mm that the chest stands forward of the ribs
    colour: Tensor  # (B, 3), linear
    second: Tensor  # (B, 3), linear, of stripes and contrast collars
    contrast: Tensor  # 0 to 1, how much of the second colour the collar has
    stripes: Tensor  # 0 to 1, strength
    period: Tensor  # mm, of the stripes
    upright: Tensor  # 0 for stripes across to 1 for stripes down
    heather: Tensor  # 0 to 1, of mixed yarn
    roughness: Tensor  # as `visage.faces.reflectance.ggx` takes it
    specular: Tensor  # factor of the specular part
    seed: Tensor  # (B,) int64, of the folds and the yarn

    def __post_init__(self):
        batch = len(self.drop)
        for field in fields(self):
            value = getattr(self, field.name)
            shape = (batch, 3) if field.name in ("colour", "second") else (batch,)
            if tuple(value.shape) != shape:
                raise GarmentError(f"{field.name} is {tuple(value.shape)}; expected {shape}")
            if not value.isfinite().all():
                raise GarmentError(f"{field.name} holds NaN or infinity; check how it was computed")
        if self.seed.dtype != torch.int64:
            raise GarmentError(f"seed is {self.seed.dtype}; give int64")

    def __len__(self) -> int:
        """Garments in the batch."""
        return len(self.drop)

    def __getitem__(self, index: slice | Tensor) -> "Garment":
        """Some of the garments; a slice, or a tensor of indices."""
        return Garment(*(getattr(self, field.name)[index] for field in fields(self)))

    def to(self, target: torch.device | str) -> "Garment":
        """The same garments on another device."""
        return Garment(*(getattr(self, field.name).to(target) for field in fields(self)))


_COLOURS = np.array([
    # Linear; whites and blacks of cloth are never 1 and 0.
    (0.78, 0.77, 0.74), (0.62, 0.61, 0.58), (0.012, 0.012, 0.014), (0.03, 0.03, 0.033),
    (0.10, 0.10, 0.105), (0.26, 0.26, 0.265), (0.012, 0.02, 0.06), (0.03, 0.06, 0.15),
    (0.09, 0.15, 0.29), (0.30, 0.42, 0.60), (0.15, 0.012, 0.022), (0.36, 0.03, 0.028),
    (0.04, 0.075, 0.035), (0.075, 0.08, 0.035), (0.02, 0.11, 0.10), (0.55, 0.44, 0.30),
    (0.26, 0.15, 0.075), (0.09, 0.05, 0.028), (0.60, 0.36, 0.05), (0.60, 0.33, 0.34),
    (0.30, 0.21, 0.42), (0.42, 0.52, 0.40),
])  # fmt: skip
_SHARES = np.array([11, 5, 9, 8, 7, 7, 9, 7, 5, 5, 4, 3, 3, 4, 2, 4, 2, 2, 1.5, 2, 1, 2])

_KINDS = ("crew", "vee", "scoop", "turtleneck", "shirt", "hood", "sweater")
_KIND_SHARES = {
    # By the label of sex: 0 female, 1 male. By judgement of street photographs.
    0: np.array([0.26, 0.16, 0.15, 0.10, 0.13, 0.08, 0.12]),
    1: np.array([0.34, 0.10, 0.01, 0.04, 0.25, 0.12, 0.14]),
}


def sample_garments(labels: Mapping[str, Tensor], seeds: Tensor) -> Garment:
    """Dress people.

    Args:
        labels: (B,) each, as `MorphableModel.read` gives them; sex, age and weight are used.
        seeds: (B,) int64; row i depends on its labels and `seeds[i]` only.

    Returns:
        Garment, float32, on the CPU.

    Raises:
        GarmentError: a label is missing, or the seeds are not (B,) int64.
    """
    if seeds.ndim != 1 or seeds.dtype != torch.int64:
        raise GarmentError(f"seeds are {tuple(seeds.shape)} {seeds.dtype}; expected (B,) int64")
    for name in ("sex", "age", "weight"):
        if name not in labels or labels[name].shape != seeds.shape:
            raise GarmentError(f"the labels need {name!r}, ({len(seeds)},), one a seed")
    rows = [
        _draw(int(seed), *(float(labels[name][i]) for name in ("sex", "age", "weight")))
        for i, seed in enumerate(seeds.tolist())
    ]
    columns = {field.name: [row[field.name] for row in rows] for field in fields(Garment)}
    seed = torch.tensor(columns.pop("seed"), dtype=torch.int64).reshape(-1)
    floats = {name: torch.tensor(np.array(rows), dtype=torch.float32)
              for name, rows in columns.items()}  # fmt: skip
    if not rows:
        floats = {n: torch.zeros(0, 3) if n in ("colour", "second") else torch.zeros(0)
                  for n in floats}  # fmt: skip
    return Garment(**floats, seed=seed)


def _draw(seed: int, sex: float, age: float, weight: float) -> dict:
    random = np.random.default_rng([seed & (2**63 - 1), 71])
    between = random.uniform
    share = float(np.clip(sex, 0, 1))
    shares = (1 - share) * _KIND_SHARES[0] + share * _KIND_SHARES[1]
    kind = _KINDS[random.choice(len(_KINDS), p=shares / shares.sum())]
    first, second = random.choice(len(_COLOURS), 2, replace=False, p=_SHARES / _SHARES.sum())
    jitter = np.exp(random.normal(0, 0.12, (2, 1)) + random.normal(0, 0.06, (2, 3)))
    colour, other = (_COLOURS[[first, second]] * jitter).clip(0.008, 0.82)
    striped = random.random() < (0.30 if kind in ("shirt", "sweater", "crew") else 0.12)
    heather = between(0.3, 1) if random.random() < 0.35 else 0.0
    contrast = float(kind in ("crew", "vee") and random.random() < 0.12)
    row = {
        "drop": between(2, 16), "vee": 0.0, "wide": between(0, 12), "stand": between(-2, 6),
        "leaf": between(15, 24), "points": 0.0, "bulk": between(0, 0.8),
        "thickness": between(1.6, 2.4), "ribs": between(0.25, 0.45), "placket": 0.0,
        "seams": between(0.5, 1.0), "folds": between(0.6, 1.3),
        # About a third of a woman's bust; the cloth bridges it.
        "chest": max(0.0, 6 + 26 * (1 - share) + 22 * (weight - 0.5) + random.normal(0, 4)),
        "colour": colour, "second": other, "contrast": contrast,
        "stripes": between(0.5, 1) if striped else 0.0, "period": between(14, 42),
        "upright": 0.0, "heather": heather, "roughness": between(0.75, 0.95),
        "specular": between(0.1, 0.35), "seed": seed,
    }  # fmt: skip
    row |= _CUTS[kind](between, random)
    if kind == "shirt" and striped:
        row |= {"period": between(7, 14), "upright": 1.0, "heather": 0.0}
    return row


def _vee(between, random) -> dict:
    return {"drop": between(24, 42), "vee": between(0.8, 1), "wide": between(2, 14),
            "leaf": between(10, 20)}  # fmt: skip


def _scoop(between, random) -> dict:
    return {"drop": between(22, 40), "wide": between(14, 34), "leaf": between(7, 13),
            "ribs": 0.0, "thickness": between(1.4, 1.8), "folds": between(0.4, 0.9)}  # fmt: skip


def _turtleneck(between, random) -> dict:
    return {"drop": between(-4, 2), "wide": 0.0, "stand": between(24, 44),
            "leaf": between(28, 48), "bulk": between(1, 3), "thickness": between(2.6, 4.5),
            "ribs": between(0.3, 0.6), "folds": between(0.4, 0.9), "seams": 0.4}  # fmt: skip


def _shirt(between, random) -> dict:
    return {"drop": between(24, 62), "vee": between(0.8, 1), "wide": between(-2, 3),
            "stand": between(16, 26), "leaf": between(44, 54), "points": 1.0,
            "bulk": between(1.5, 3.5), "thickness": between(2.0, 2.8), "ribs": 0.0,
            "placket": 1.0, "folds": between(0.8, 1.4),
            "roughness": between(0.65, 0.8)}  # fmt: skip


def _hood(between, random) -> dict:
    return {"drop": between(14, 34), "vee": between(0.3, 0.7), "wide": between(4, 12),
            "stand": between(8, 18), "leaf": between(62, 84), "points": 0.0,
            "bulk": between(13, 20), "thickness": between(5, 8), "ribs": 0.0,
            "folds": between(0.7, 1.2), "seams": between(1, 1.5)}  # fmt: skip


def _sweater(between, random) -> dict:
    return {"thickness": between(3, 5), "leaf": between(22, 32), "ribs": between(0.5, 0.8),
            "drop": between(0, 10), "folds": between(0.5, 1.0), "roughness": 0.95,
            "heather": between(0.2, 1)}  # fmt: skip


def _crew(between, random) -> dict:
    return {}


_CUTS = {"crew": _crew, "vee": _vee, "scoop": _scoop, "turtleneck": _turtleneck,
         "shirt": _shirt, "hood": _hood, "sweater": _sweater}  # fmt: skip
