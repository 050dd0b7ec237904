"""Draw how people's skin, eyes and teeth look."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from visage.faces.skin.parameters import COLOURS, Skin, SkinError

_NEEDED = ("sex", "age", "african", "asian", "european")

# Mean and spread of the index of melanin where one share is 1: from about ITA 52° to 20°, 50° to
# 0° and 0° to -60°. Ranges measured within any population overlap widely (Del Bino et al. 2013).
_TONES = {"european": (0.17, 0.10), "asian": (0.27, 0.12), "african": (0.67, 0.14)}

# Linear colours of hair from black to fair, and grey; what stubble and scalp are tinted with.
_HAIR = np.array(
    [(0.010, 0.008, 0.007), (0.030, 0.018, 0.011), (0.085, 0.048, 0.025), (0.24, 0.16, 0.085)]
)
_GREY = np.array([0.26, 0.25, 0.24])
_LIPSTICKS = np.array(
    [(0.42, 0.03, 0.04), (0.30, 0.02, 0.05), (0.48, 0.13, 0.13), (0.45, 0.16, 0.20),
     (0.22, 0.03, 0.04), (0.50, 0.10, 0.07), (0.36, 0.16, 0.12)]
)  # fmt: skip
_EYE_SHADOWS = np.array(
    [(0.13, 0.075, 0.05), (0.05, 0.04, 0.04), (0.28, 0.16, 0.13), (0.10, 0.06, 0.11),
     (0.05, 0.08, 0.13), (0.30, 0.21, 0.10)]
)  # fmt: skip


def sample_skin(labels: Mapping[str, Tensor], seeds: Tensor) -> Skin:
    """Draw the skin of B people to whom labels of shape are known.

    Tone is drawn widely within each of the shares, and for one person in eight without regard to
    them. Freckles are mostly for fair skin, light eyes too; lines and age spots come with age,
    make-up mostly towards sex 0, and the shadow of a beard towards sex 1.

    Args:
        labels: (B,) by name, as `MorphableModel.read` gives them; sex, age, african, asian and
            european are used.
        seeds: (B,) int64, none negative. Row i depends on its labels and its seed.

    Returns:
        Skin, float32, on the CPU. Change it with `dataclasses.replace`.

    Raises:
        SkinError: a label is missing, not finite, or of another length than the seeds.
    """
    if missing := [name for name in _NEEDED if name not in labels]:
        raise SkinError(f"labels lack {', '.join(missing)}; give what `MorphableModel.read` gives")
    if seeds.ndim != 1 or seeds.dtype != torch.int64 or (seeds < 0).any():
        raise SkinError("seeds are not (B,) int64, none negative")
    for name in _NEEDED:
        if labels[name].shape != seeds.shape or not labels[name].isfinite().all():
            raise SkinError(f"label {name} is not finite, or not one for each seed")
    columns = [labels[name].detach().double().cpu().tolist() for name in _NEEDED]
    rows = [_person(int(seed), *row) for seed, *row in zip(seeds.tolist(), *columns, strict=True)]
    return Skin(**{name: _column([row[name] for row in rows], name) for name in _names()})


def _names() -> tuple[str, ...]:
    return tuple(Skin.__dataclass_fields__)


def _column(values: list, name: str) -> Tensor:
    if name == "pattern":
        return torch.tensor(values, dtype=torch.int64)
    shape = (-1, 3) if name in COLOURS else (-1,)
    return torch.tensor(np.array(values), dtype=torch.float32).reshape(shape)


def _person(
    seed: int, sex: float, age: float, african: float, asian: float, european: float
) -> dict[str, float | np.ndarray | int]:
    """One person's parameters by name."""
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 7])))
    sex, age = min(max(sex, 0.0), 1.0), min(max(age, 16.0), 95.0)
    shares = np.clip([european, asian, african], 0.0, None) + 1e-6
    shares = shares / shares.sum()
    years = max(age - 25, 0) / 55  # 0 at 25, 1 at 80

    def near(middle: float, spread: float) -> float:
        return float(np.clip(random.normal(middle, spread), 0, 1))

    def chance(probability: float) -> bool:
        return bool(random.random() < probability)

    middles, spreads = np.array(list(_TONES.values())).T
    tone = random.normal(shares @ middles, shares @ spreads)
    tone = random.uniform(0.02, 0.95) if chance(0.12) else tone
    melanin = float(np.clip(tone, 0.02, 0.96))
    fair = float(np.clip(1 - melanin / 0.3, 0, 1))

    hair, hair_colour = _hair(random, shares, fair, age)
    # Brown is dominant: light eyes need light skin, and even then many are brown.
    light_eyes = chance(0.02 + 0.74 * fair * shares[0])
    light = 0.5 * random.beta(1.3, 2.6) + 0.35 * (1 - fair)
    iris = light if light_eyes else near(0.74 + 0.18 * (1 - shares[0]), 0.12)

    beard = sex > 0.5 and chance(0.75)
    make_up = chance(0.62 * (1 - sex) ** 1.5)
    look = random.integers(len(_LIPSTICKS)), random.integers(len(_EYE_SHADOWS))
    return {
        "melanin": melanin,
        "haemoglobin": near(0.40 + 0.03 * sex, 0.07),
        "carotene": near(0.30 + 0.25 * shares[1], 0.15),
        "redness": near(0.36 + 0.16 * fair + 0.08 * sex + 0.08 * years, 0.16),
        "lip_redness": near(0.45 - 0.15 * years, 0.17),
        "lip_contrast": near(0.5, 0.2),
        "under_eye": near(0.30 + 0.18 * years, 0.18),
        "freckles": random.beta(0.9, 1.6) if chance(0.06 + 0.5 * fair**1.5) else 0.0,
        "freckle_strength": near(0.45, 0.2),
        "moles": float(min(random.poisson(random.gamma(1.6, 2.0)), 40)),
        "mottling": near(0.42 + 0.12 * years, 0.14),
        "age": age,
        "wrinkles": near(0.85 * years**1.1, 0.06 + 0.08 * years),
        "pores": near(0.36 + 0.12 * sex, 0.17),
        "oiliness": near(0.45 - 0.12 * years, 0.2),
        "stubble": random.beta(1.3, 1.8) * (0.55 + 0.45 * hair) if beard else 0.0,
        "stubble_colour": hair_colour * 0.8 + np.array([0.0, 0.002, 0.004]),
        "scalp": near(0.75, 0.12),
        "scalp_colour": hair_colour * 0.7,  # roots lie in each other's shade
        "brows": near(0.5, 0.18),
        "iris_melanin": iris,
        "iris_yellow": random.beta(0.7, 1.0),
        "iris_ring": near(0.5 - 0.25 * years, 0.2),
        "iris_contrast": near(0.55, 0.2),
        "pupil": random.random(),
        "sclera_yellow": near(0.18 + 0.25 * years + 0.2 * melanin, 0.12),
        "sclera_red": near(0.22 + 0.15 * years, 0.13),
        "teeth": near(0.30 + 0.3 * years, 0.17),
        "lipstick": random.uniform(0.25, 1.0) if make_up and chance(0.75) else 0.0,
        "lipstick_colour": _LIPSTICKS[look[0]] * (1 - 0.35 * melanin),
        "eye_shadow": random.beta(1.5, 2.5) if make_up and chance(0.55) else 0.0,
        "eye_shadow_colour": _EYE_SHADOWS[look[1]] * (1.1 - 0.6 * melanin),
        "blush": random.uniform(0.1, 0.7) if make_up and chance(0.6) else 0.0,
        "eyeliner": random.beta(2, 1.5) if make_up and chance(0.7) else 0.0,
        "pattern": int(random.integers(2**62)),
    }


def _hair(random, shares: np.ndarray, fair: float, age: float) -> tuple[float, np.ndarray]:
    """How dark the hair is, in [0, 1], and its colour."""
    lightness = random.beta(1.4, 1.5) * 3 * shares[0] * (0.35 + 0.65 * fair)
    lightness += abs(random.normal(0, 0.18))
    stop = min(int(lightness), len(_HAIR) - 2)
    part = min(lightness - stop, 1.0)
    colour = (1 - part) * _HAIR[stop] + part * _HAIR[stop + 1]
    grey = 1 / (1 + math.exp(-(age - 58 + 8 * random.normal()) / 6))
    colour = colour + 0.9 * grey * (_GREY - colour)
    return 1 - min(lightness / 3, 1), colour
