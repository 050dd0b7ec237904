"""The basic expressions, as graded combinations of facial actions.

Which actions make an expression is the emotion prototypes of the Facial Action Coding System
(Ekman, Friesen and Hager 2002, table 10-2), in the names of the model's 52 actions. People differ:
everybody has habits of their own, stronger and weaker actions and a side that leads, and uses them
in every expression.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from visage.faces.shape import MorphableModel

__all__ = ["EXPRESSIONS", "ExpressionError", "sample_expressions"]


class ExpressionError(ValueError):
    """An expression that is not among the basic ones, or an intensity out of range."""


def _both(**weights: float) -> dict[str, float]:
    return {f"{name}{side}": weight for name, weight in weights.items() for side in _SIDES}


_SIDES = ("Left", "Right")

EXPRESSIONS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "neutral": {},
        # 6 + 12, with the lips parted by a broad smile (25).
        "happiness": {"jawOpen": 0.12}
        | _both(
            mouthSmile=0.8, cheekSquint=0.7, eyeSquint=0.3, mouthUpperUp=0.35, mouthLowerDown=0.2
        ),
        # 1 + 4 + 15 (+ 17)
        "sadness": {"browInnerUp": 0.8, "mouthShrugLower": 0.3}
        | _both(browDown=0.25, mouthFrown=0.75, eyeSquint=0.2, eyeLookDown=0.2),
        # 1 + 2 + 5 + 26
        "surprise": {"browInnerUp": 0.8, "jawOpen": 0.45, "mouthFunnel": 0.12}
        | _both(browOuterUp=0.8, eyeWide=0.75),
        # 1 + 2 + 4 + 5 + 7 + 20 + 25
        "fear": {"browInnerUp": 0.85, "jawOpen": 0.18}
        | _both(browOuterUp=0.3, browDown=0.3, eyeWide=0.8, mouthStretch=0.75, mouthLowerDown=0.35),
        # 9 + 10 + 17, with the eyes narrowed
        "disgust": {"mouthShrugLower": 0.35, "jawOpen": 0.04}
        | _both(noseSneer=0.9, mouthUpperUp=0.5, browDown=0.5, eyeSquint=0.5, mouthFrown=0.25),
        # 4 + 5 + 7 + 23 (+ 24)
        "anger": {"mouthShrugUpper": 0.1, "jawForward": 0.15}
        | _both(browDown=0.95, eyeSquint=0.45, eyeWide=0.25, mouthPress=0.7, noseSneer=0.25),
        # 14 (+ 12) on one side only
        "contempt": {"mouthDimpleLeft": 0.8, "mouthSmileLeft": 0.4, "cheekSquintLeft": 0.2},
    }
)
"""Facial actions at full intensity, by expression: the seven of Ekman, and none."""

_HABIT = 0.22  # spread of the logarithm of a person's strength of an action
_SIDE = 0.06  # the same, of each side by itself
_LEAD = 0.12  # the same, of one side against the other, in all actions alike
_MOMENT = 0.10  # the same, from one time to the next
_GAZE = 0.12  # spread of where the eyes look, about the camera
# Of eyeWide, at rest: the sculptures' lids hang a millimetre lower than people's, whose eyes are
# about 9 to 11 mm open; those of old sculptures most.
_AWAKE = 0.2
_PEAK = 1.0  # an action's full strength, beyond which the model was not made


def sample_expressions(
    model: MorphableModel, names: list[str], intensity: Tensor, people: Tensor, moments: Tensor
) -> Tensor:
    """Draw how people make expressions.

    Args:
        model: whose facial actions they are.
        names: B of `EXPRESSIONS`.
        intensity: (B,) in [0, 1]; 0 is nearly neutral, 1 the prototype.
        people: (B,) int64, a person's seed: the same habits each time.
        moments: (B,) int64, a picture's seed: gaze, lids, and small variations.

    Returns:
        (B, 52) in [0, 1]; row i depends on the i-th of each argument only.

    Raises:
        ExpressionError: a name is not known, or an intensity is out of range.

    >>> one = torch.ones(1)
    >>> drawn = sample_expressions(
    ...     MorphableModel.load(), ["surprise"], one, one.long(), one.long()
    ... )
    >>> drawn.shape
    torch.Size([1, 52])
    """
    if unknown := set(names) - set(EXPRESSIONS):
        raise ExpressionError(f"no expression {unknown}; choose among {', '.join(EXPRESSIONS)}")
    if not ((intensity >= 0) & (intensity <= 1)).all():
        raise ExpressionError(f"intensities are {intensity.tolist()}; give numbers from 0 to 1")
    place = {name: index for index, name in enumerate(model.expression_names)}
    rows = [
        _draw(place, name, level, person, moment)
        for name, level, person, moment in zip(
            names, intensity.tolist(), people.tolist(), moments.tolist(), strict=True
        )
    ]
    drawn = np.stack(rows) if rows else np.zeros((0, len(place)))
    return torch.from_numpy(drawn.clip(0, _PEAK)).to(model.mean)


def _unsided(action: str) -> str:
    return action.removesuffix("Left").removesuffix("Right")


def _draw(
    place: Mapping[str, int], name: str, level: float, person: int, moment: int
) -> np.ndarray:
    habits, now = np.random.default_rng([person, 1]), np.random.default_rng([moment, 2])
    strength = habits.normal(0, _SIDE, len(place))
    pairs = sorted({_unsided(action) for action in place})
    both = dict(zip(pairs, habits.normal(0, _HABIT, len(pairs)), strict=True))
    strength = np.exp(strength + [both[_unsided(action)] for action in place])
    lead = habits.normal(0, _LEAD)
    strength *= np.exp(now.normal(0, _MOMENT, len(place)))
    mirrored = name == "contempt" and habits.random() < 0.5
    weights = np.zeros(len(place))
    for action, weight in EXPRESSIONS[name].items():
        if mirrored:
            action = action.replace("Left", "Right")
        side = lead * (action.endswith("Left") - action.endswith("Right"))
        weights[place[action]] = level * weight * strength[place[action]] * np.exp(side)
    # Both lids and both eyes move together, whatever the expression.
    across, up = now.normal(0, _GAZE, 2)
    inward, outward = max(across, 0), max(-across, 0)
    glance = {
        "eyeLookInLeft": inward,
        "eyeLookOutRight": inward,
        "eyeLookOutLeft": outward,
        "eyeLookInRight": outward,
    }
    glance |= _both(eyeLookUp=max(up, 0), eyeLookDown=max(-up, 0))
    # Lids at rest differ between people. What an expression does to them begins there, and
    # widening ends where the expression has it.
    rest = habits.normal(-_AWAKE, 0.06) + now.normal(0, 0.02)
    wide = min(weights[place[f"eyeWide{side}"]] for side in _SIDES)
    glance |= _both(eyeBlink=0 if wide else max(rest, 0), eyeWide=max(-rest - wide, 0))
    for action, weight in glance.items():
        weights[place[action]] += weight
    return weights
