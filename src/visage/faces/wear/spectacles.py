"""What people wear on their noses: the parameters of glasses, and who wears which."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor


class GlassesError(ValueError):
    """Glasses whose parameters cannot be used."""


@dataclass(frozen=True, eq=False)
class GlassesParameters:
    """B pairs of glasses; each (B,) unless it says otherwise. A row that is not worn is NaN drawn.

    Raises:
        GlassesError: a shape does not fit, or a value is not finite.
    """

    worn: Tensor  # bool
    width: Tensor  # of the front, as a share of the face's width at the temples; about 1
    height: Tensor  # of a lens, as a share of its width: 0.6 to 1
    square: Tensor  # exponent of the outline: 2 is an ellipse, 5 nearly a rectangle
    drop: Tensor  # 0 to 1, of an aviator's drop
    lift: Tensor  # 0 to 1, of a cat's eye: the upper outer corners rise
    taper: Tensor  # 0 to 1, how much narrower the lens is below
    rim: Tensor  # mm, width of the rim as seen from the front: 1 for wire, 5 for acetate
    depth: Tensor  # mm, thickness of the rim from front to back
    temple: Tensor  # mm, height of the temples
    pads: Tensor  # mm, radius of the nose pads; 0 for a moulded bridge
    colour: Tensor  # (B, 3), linear, of the frame
    fade: Tensor  # 0 to 1, how much clearer the lower half of the frame is
    mottle: Tensor  # 0 to 1, of tortoiseshell
    roughness: Tensor  # as `visage.faces.reflectance.ggx` takes it
    specular: Tensor  # factor of the specular part; metal is above 1
    tint: Tensor  # (B, 3), share of the light that the lens lets through
    seed: Tensor  # (B,) int64, of the tortoiseshell

    def __post_init__(self):
        batch = len(self.worn)
        for field in fields(self):
            value = getattr(self, field.name)
            shape = (batch, 3) if field.name in ("colour", "tint") else (batch,)
            if tuple(value.shape) != shape:
                raise GlassesError(f"{field.name} is {tuple(value.shape)}; expected {shape}")
            if not value.isfinite().all():
                raise GlassesError(f"{field.name} holds NaN or infinity; check how it was computed")
        if self.worn.dtype != torch.bool or self.seed.dtype != torch.int64:
            raise GlassesError(f"worn is {self.worn.dtype}, seed {self.seed.dtype}; "
                               "give bool and int64")  # fmt: skip

    def __len__(self) -> int:
        """Rows in the batch."""
        return len(self.worn)

    def __getitem__(self, index: slice | Tensor) -> "GlassesParameters":
        """Some of the rows; a slice, or a tensor of indices."""
        return GlassesParameters(*(getattr(self, field.name)[index] for field in fields(self)))

    def to(self, target: torch.device | str) -> "GlassesParameters":
        """The same glasses on another device."""
        return GlassesParameters(*(getattr(self, field.name).to(target) for field in fields(self)))


# name: share, height/width, exponent, drop, lift, taper
_SHAPES = {
    "round": (0.18, (0.92, 1.0), (2.0, 2.3), (0, 0.1), (0, 0), (0, 0.05)),
    "panto": (0.22, (0.82, 0.92), (2.3, 2.8), (0, 0.2), (0.05, 0.2), (0.12, 0.25)),
    "rectangle": (0.25, (0.58, 0.7), (3.6, 5.5), (0, 0.1), (0, 0.1), (0.02, 0.12)),
    "wayfarer": (0.20, (0.72, 0.82), (3.0, 4.2), (0, 0.1), (0.12, 0.3), (0.15, 0.28)),
    "aviator": (0.07, (0.82, 0.92), (2.4, 2.9), (0.6, 1.0), (0, 0), (0.1, 0.2)),
    "cat": (0.08, (0.66, 0.78), (2.6, 3.2), (0, 0.1), (0.5, 0.9), (0.15, 0.25)),
}
_ACETATES = np.array([(0.012, 0.012, 0.013), (0.05, 0.022, 0.01), (0.02, 0.03, 0.07),
                      (0.16, 0.07, 0.03), (0.09, 0.012, 0.02), (0.10, 0.10, 0.105),
                      (0.42, 0.38, 0.34)])  # fmt: skip
_METALS = np.array([(0.05, 0.05, 0.055), (0.38, 0.38, 0.39), (0.46, 0.33, 0.14),
                    (0.42, 0.27, 0.20), (0.14, 0.12, 0.11)])  # fmt: skip


def sample_glasses(labels: Mapping[str, Tensor], seeds: Tensor) -> GlassesParameters:
    """Decide who wears glasses, and which. About one in five does, more when older.

    Args:
        labels: (B,) each, as `MorphableModel.read` gives them; sex and age are used.
        seeds: (B,) int64; row i depends on its labels and `seeds[i]` only.

    Returns:
        GlassesParameters, float32, on the CPU.

    Raises:
        GlassesError: a label is missing, or the seeds are not (B,) int64.
    """
    if seeds.ndim != 1 or seeds.dtype != torch.int64:
        raise GlassesError(f"seeds are {tuple(seeds.shape)} {seeds.dtype}; expected (B,) int64")
    for name in ("sex", "age"):
        if name not in labels or labels[name].shape != seeds.shape:
            raise GlassesError(f"the labels need {name!r}, ({len(seeds)},), one a seed")
    rows = [_draw(int(seed), float(labels["sex"][i]), float(labels["age"][i]))
            for i, seed in enumerate(seeds.tolist())]  # fmt: skip
    shapes = {"colour": (-1, 3), "tint": (-1, 3)}
    types = {"worn": torch.bool, "seed": torch.int64}
    return GlassesParameters(**{
        field.name: torch.tensor(
            np.array([row[field.name] for row in rows]), dtype=types.get(field.name, torch.float32)
        ).reshape(shapes.get(field.name, (-1,)))
        for field in fields(GlassesParameters)
    })  # fmt: skip


def _draw(seed: int, sex: float, age: float) -> dict:
    random = np.random.default_rng([seed & (2**63 - 1), 81])
    between = random.uniform
    worn = random.random() < 0.12 + 0.18 * np.clip((age - 25) / 45, 0, 1)
    shares = np.array([shape[0] for shape in _SHAPES.values()])
    shares[-1] *= 2 * (1 - np.clip(sex, 0, 1))
    kind = random.choice(len(shares), p=shares / shares.sum())
    _, height, square, drop, lift, taper = list(_SHAPES.values())[kind]
    metal = random.random() < (0.9 if kind == 4 else 0.4)
    rimless = metal and random.random() < 0.15
    palette = _METALS if metal else _ACETATES
    jitter = random.normal(0, 0.1) + random.normal(0, 0.03 if metal else 0.12, 3)
    colour = palette[random.integers(len(palette))] * np.exp(jitter)
    mottled = not metal and random.random() < 0.3
    tint = 0.96 - 0.02 * random.random(3)
    if random.random() < 0.06:
        tint = tint * np.array([0.82, 0.78, 0.70]) ** between(0.5, 1.6)
    return {
        "worn": worn, "width": between(0.96, 1.04), "height": between(*height),
        "square": between(*square), "drop": between(*drop), "lift": between(*lift),
        "taper": between(*taper),
        "rim": between(0.5, 0.7) if rimless else between(1.1, 1.7) if metal else between(2.4, 5.0),
        "depth": between(0.9, 1.2) if rimless else between(1.4, 2.2) if metal else between(3, 4.2),
        "temple": between(1.6, 3) if metal else between(4, 7),
        "pads": between(3.6, 4.4) if metal else 0.0,
        "colour": np.array([0.22, 0.12, 0.045]) if mottled else colour.clip(0.008, 0.8),
        "fade": between(0.4, 0.9) if not metal and random.random() < 0.12 else 0.0,
        "mottle": between(0.7, 1) if mottled else 0.0,
        "roughness": between(0.22, 0.35) if metal else between(0.14, 0.3),
        "specular": between(3, 6) if metal else between(1, 1.5),
        "tint": tint, "seed": seed,
    }  # fmt: skip
