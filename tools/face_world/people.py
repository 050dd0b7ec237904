"""People who could exist: targets mixed at random, within the measures of adult heads.

A person is drawn in three steps. Sex, age, ancestry, build and weight mix MakeHuman's macro
targets, which were sculpted as whole people. Local targets (a wider nose, a lower brow …) are
added with small normal weights. Then the head is measured as an anthropometrist would, and drawn
again if a measure, or a ratio of two, lies outside what surveys of adults find: sums of local
targets know nothing of bones, and their tails make cone skulls and jaws wider than cheeks.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tools.face_world.crop import Crop
from tools.face_world.source import Source, Target
from visage.faces.labels import draw_labels

FOLDERS = (
    "head", "forehead", "eyebrows", "eyes", "nose", "cheek", "mouth", "chin", "ears", "neck",
    "asym",
)  # fmt: skip
OPPOSITES = (
    ("decr", "incr"), ("down", "up"), ("in", "out"), ("backward", "forward"), ("concave", "convex"),
    ("compress", "uncompress"),
)  # fmt: skip
# Standard deviation of a local weight. The skull gets less than the features: its targets are the
# strongest, and wrong skulls are what one sees first.
SPREAD = {
    "head": 0.15, "forehead": 0.20, "eyebrows": 0.30, "eyes": 0.24, "nose": 0.26, "cheek": 0.26,
    "mouth": 0.26, "chin": 0.22, "ears": 0.30, "neck": 0.15,
}  # fmt: skip
# These reshape the whole skull with a weight that cannot be negative: small, or all heads taper.
STRONG = {
    "head-diamond": 0.03, "head-triangular": 0.05, "head-oval": 0.08, "head-round": 0.08,
    "head-invertedtriangular": 0.10, "head-rectangular": 0.10, "head-square": 0.10,
    "forehead-scale-vert-incr": 0.12, "forehead-nubian-incr": 0.12, "chin-height-incr": 0.18,
}  # fmt: skip
# MakeHuman's sculptures have eyes closer together, noses flatter and wings wider than surveys find.
CENTRES = {
    "l-eye-trans-out": 0.35, "r-eye-trans-out": 0.35, "nose-scale-depth-incr": 0.35,
    "nose-nostrils-width-incr": -0.20,
}  # fmt: skip
# What comes with weight above 0.5, beyond the macro targets, which hardly touch the face.
WITH_WEIGHT = {
    "head-fat-incr": 1.0, "l-cheek-volume-incr": 0.8, "r-cheek-volume-incr": 0.8,
    "neck-double-incr": 1.0, "measure-neck-circ-incr": 0.6,
}  # fmt: skip
# Left and right of a pair agree in most, not in all.
SIDES_AGREE = 0.96
ASYMMETRY = (0.08, 0.30)  # how often an asymmetric target is used, and its standard deviation
# No human ear; and moving the whole head, which is the camera's task.
UNUSED = re.compile(r"ear-shape-(pointed|triangle)|head-trans|neck-trans|head-age|asymm-")
AGES = {"child": 10.0, "young": 25.0, "old": 90.0}  # years of MakeHuman's sculptures


@dataclass(frozen=True)
class Person:
    """What a head was made from; the labels of the semantic directions."""

    sex: float  # as `visage.faces.labels` describes them
    age: float
    muscle: float
    weight: float
    ancestry: tuple[float, float, float]  # African, Asian, European
    local: dict[str, float]  # -1 to 1, or 0 to 1 where there is no opposite


class Sculptor:
    """Makes heads from persons: the kept vertices of the base mesh and their targets."""

    def __init__(self, source: Source, kept: Crop, vertices: int):
        place = np.full(vertices, -1)
        place[kept.kept] = np.arange(len(kept.kept))
        self.points = kept.points
        self.macro = {
            name: _dense(source.target(f"mpfb2/targets/macrodetails/{name}"), place)
            for name in source.names("mpfb2/targets/macrodetails")
            if "-baby" not in name
        }
        self.local = {
            name: _dense(source.target(f"mpfb2/targets/{folder}/{name}"), place)
            for folder in FOLDERS
            for name in source.names(f"mpfb2/targets/{folder}")
            if not UNUSED.search(name)
        }
        self.folder = {
            name: folder for folder in FOLDERS for name in source.names(f"mpfb2/targets/{folder}")
        }
        self.axes = _axes(self.local)

    def head(self, person: Person) -> np.ndarray:
        """(V, 3) mm, in the base mesh's frame."""
        points = self.points.copy()
        for name, weight in _macro_weights(person):
            if weight > 0 and name in self.macro:
                index, offset = self.macro[name]
                points[index] += weight * offset
        for axis, weight in person.local.items():
            name = self.axes[axis][int(weight > 0)]
            if name and weight:
                index, offset = self.local[name]
                points[index] += abs(weight) * offset
        return points

    def draw(self, random: np.random.Generator) -> Person:
        """Draw a person; whether such a head can be is for `measures` to say."""
        sex, age, muscle, weight, *ancestry = draw_labels(1, random)[0].tolist()
        local: dict[str, float] = {}
        shared: dict[str, float] = {}
        for axis, (low, _) in self.axes.items():
            folder = self.folder[axis]
            if folder == "asym":
                often, spread = ASYMMETRY
                value = random.normal(0, spread) * (random.random() < often)
            else:
                value = random.normal()
                side = re.match(r"[lr]-", axis)
                if side:
                    common = shared.setdefault(axis[2:], random.normal())
                    value = SIDES_AGREE * common + np.sqrt(1 - SIDES_AGREE**2) * value
                value = (
                    CENTRES.get(axis, 0)
                    + WITH_WEIGHT.get(axis, 0) * (weight - 0.5)
                    + value * STRONG.get(axis, SPREAD[folder])
                )
            local[axis] = float(np.clip(value if low else abs(value), -1, 1))
        return Person(sex, age, muscle, weight, tuple(ancestry), local)


def _dense(target: Target, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The part of a target that moves kept vertices."""
    index = place[target.index]
    return index[index >= 0], target.offset[index >= 0]


def _axes(names) -> dict[str, tuple[str | None, str]]:
    """Pair opposite targets: axis -> (target of negative weights or None, of positive weights).

    An axis is called as the target of its positive weights.
    """
    partner = {}
    for low, high in OPPOSITES:
        for name in names:
            opposite = f"{name.removesuffix(f'-{high}')}-{low}"
            if name.endswith(f"-{high}") and opposite in names:
                partner[name] = opposite
    lows = set(partner.values())
    return {name: (partner.get(name), name) for name in names if name not in lows}


def _between(value: float, low: str, middle: str, high: str, centre: float, ends) -> dict:
    """Linear weights of three sculptures."""
    if value <= centre:
        t = np.clip((centre - value) / (centre - ends[0]), 0, 1)
        return {low: t, middle: 1 - t, high: 0.0}
    t = np.clip((value - centre) / (ends[1] - centre), 0, 1)
    return {low: 0.0, middle: 1 - t, high: t}


def _macro_weights(person: Person) -> Iterator[tuple[str, float]]:
    """Names and weights of macro targets, multilinear as MakeHuman mixes them."""
    sexes = {"female": 1 - person.sex, "male": person.sex}
    ages = _between(
        person.age, "child", "young", "old", AGES["young"], (AGES["child"], AGES["old"])
    )
    levels = ("min", "average", "max")
    muscles = _between(person.muscle, *(f"{x}muscle" for x in levels), 0.5, (0, 1))
    weights = _between(person.weight, *(f"{x}weight" for x in levels), 0.5, (0, 1))
    ancestry = dict(zip(("african", "asian", "caucasian"), person.ancestry, strict=True))
    for sex, a in sexes.items():
        for age, b in ages.items():
            for people, c in ancestry.items():
                yield f"{people}-{sex}-{age}", a * b * c
            for muscle, c in muscles.items():
                for weight, d in weights.items():
                    yield f"universal-{sex}-{age}-{muscle}-{weight}", a * b * c * d
