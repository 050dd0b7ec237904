"""Principal modes of many people, and what their labels look like in them."""

from dataclasses import dataclass

import numpy as np
from tqdm.auto import tqdm

from tools.face_world.crop import Crop
from tools.face_world.measures import LIMITS, Measures
from tools.face_world.people import Person, Sculptor
from visage.faces.labels import WHOLE_LABELS

# What a millimetre counts in the modes: the face is what matters, ears have many vertices.
WEIGHTS = {"skin": 1.0, "neck": 0.15, "hair": 0.0, "mouth": 0.3, "sockets": 0.3}
EAR_WEIGHT = 0.5
RIDGE = 5.0

# Labels that are sums of the sampler's local weights: name -> axes.
LOCAL_LABELS = {
    "eye_size": ("l-eye-scale-incr", "r-eye-scale-incr"),
    "eye_slant": ("l-eye-corner2-up", "r-eye-corner2-up"),
    "brow_height": ("eyebrows-trans-up",),
    "nose_width": ("nose-scale-horiz-incr", "nose-width3-incr", "nose-nostrils-width-incr"),
    "nose_tip": ("nose-point-up",),
    "cheek_fullness": ("l-cheek-volume-incr", "r-cheek-volume-incr"),
    "chin_projection": ("chin-prominent-incr",),
    "ear_protrusion": ("l-ear-wing-incr", "r-ear-wing-incr"),
}
# Labels that are measures of the head: name -> measure.
MEASURED_LABELS = {
    "nose_length": "nose length",
    "nose_projection": "nose protrusion",
    "mouth_width": "mouth breadth",
    "lip_fullness": "lip height",
    "chin_height": "lip to chin",
    "jaw_width": "jaw breadth",
    "head_width": "head breadth",
    "head_length": "head length",
    "face_length": "face length",
    "forehead_height": "vertex height",
    "eye_distance": "pupils",
    "ear_size": "ear height",
}


@dataclass(frozen=True)
class People:
    """A sample of heads and their labels."""

    heads: np.ndarray  # (N, V, 3) mm, rigidly aligned
    labels: dict[str, np.ndarray]  # (N,) each
    drawn: int  # how many were drawn to accept N


def sample_people(sculptor: Sculptor, measures: Measures, count: int, seed: int) -> People:
    """Draw plausible people; their heads are not aligned yet."""
    random = np.random.default_rng(seed)
    heads, labels, drawn = [], [], 0
    for _ in tqdm(range(count), desc="people"):
        while True:
            drawn += 1
            person = sculptor.draw(random)
            head = sculptor.head(person)
            if measures.plausible(head):
                break
        heads.append(head.astype(np.float32))
        labels.append(_labels(person, measures(head)))
    stacked = {name: np.array([row[name] for row in labels]) for name in labels[0]}
    return People(np.stack(heads), stacked, drawn)


def _labels(person: Person, measured: dict[str, float]) -> dict[str, float]:
    whole = (person.sex, person.age, person.muscle, person.weight, *person.ancestry)
    return {
        **dict(zip(WHOLE_LABELS, whole, strict=True)),
        **{
            name: sum(person.local[axis] for axis in axes) / len(axes)
            for name, axes in LOCAL_LABELS.items()
        },
        **{name: measured[measure] for name, measure in MEASURED_LABELS.items()},
    }


def align(heads: np.ndarray, weights: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Move and turn each head (N, V, 3) onto the reference (V, 3), without scaling (Kabsch)."""
    w = (weights / weights.sum())[:, None]
    middle = (w * reference).sum(0)
    aligned = np.empty_like(heads)
    for i, head in enumerate(heads):
        centre = (w * head).sum(0)
        u, _, vt = np.linalg.svd((w * (head - centre)).T @ (reference - middle))
        turn = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt
        aligned[i] = (head - centre) @ turn + middle
    return aligned


@dataclass(frozen=True)
class Modes:
    """S = mean + Σ zₖ stdₖ basisₖ, with z of zero mean and unit variance."""

    mean: np.ndarray  # (V, 3) mm
    basis: np.ndarray  # (K, V, 3), each of norm 1
    std: np.ndarray  # (K,) mm, falling

    def scores(self, heads: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(N, K) least-squares coordinates of heads, in standard deviations."""
        root = np.sqrt(weights)[:, None]
        a = (root * self.basis * self.std[:, None, None]).reshape(len(self.basis), -1)
        b = (root * (heads - self.mean)).reshape(len(heads), -1)
        return np.linalg.solve(a @ a.T, a @ b.T).T


def vertex_weights(kept: Crop, ears: np.ndarray) -> np.ndarray:
    """(V,) what a vertex counts in the modes; see `WEIGHTS`. Unnamed parts count 0.5."""
    weights = np.full(len(kept.points), 0.5)
    for part, weight in WEIGHTS.items():
        weights[kept.vertices(part)] = weight
    weights[kept.vertices("skin")] = 1.0  # after the parts that share its edge
    return weights * (1 - (1 - EAR_WEIGHT) * ears)


def principal_modes(heads, weights, mirror, count: int) -> Modes:
    """Weighted principal components of heads and their mirror images together.

    With the mirror images the mean is symmetric, and every mode is either symmetric or
    antisymmetric, so the two kinds are found apart: no mode mixes them by chance.
    """
    flip = np.array([-1.0, 1.0, 1.0])
    mean = heads.mean(0, dtype=np.float64)
    mean = (mean + mean[mirror] * flip) / 2
    root = np.sqrt(weights)[:, None]
    found = []
    for sign in (1, -1):
        moved = heads - mean
        moved = (moved + sign * moved[:, mirror] * flip) / 2
        flat = (root * moved).reshape(len(heads), -1)
        values, vectors = np.linalg.eigh(flat @ flat.T / len(heads))
        for k in range(1, count + 1):
            # Scores of unit variance; regressing on them gives the mode at every vertex, also
            # at those that counted little.
            score = vectors[:, -k] * np.sqrt(len(heads))
            mode = np.tensordot(score, moved, 1) / len(heads)
            mode *= np.sign(mode.flat[np.abs(mode).argmax()])
            found.append((values[-k], mode))
    found.sort(key=lambda pair: -pair[0])
    modes = np.stack([mode for _, mode in found[:count]])
    std = np.linalg.norm(modes.reshape(count, -1), axis=1)
    return Modes(mean, modes / std[:, None, None], std)


@dataclass(frozen=True)
class Directions:
    """Labels and identities: one row a label, those of the whole person first."""

    names: list[str]
    whole_mean: np.ndarray  # (7,) of the labels of the whole person
    whole_std: np.ndarray  # (7,)
    residual: np.ndarray  # (K, K) lower triangular: root of the covariance that these leave
    change: np.ndarray  # (D, K) change of identity per standard deviation of the label
    read: np.ndarray  # (D, K + 1) weights and constant that read the label off an identity
    limits: (
        np.ndarray
    )  # (D, 2) between which the people's own readings lie, two in a thousand apart
    r2: np.ndarray  # (D,) of reading, on people who were not used


def directions(scores, labels, held_scores, held_labels) -> Directions:
    """Ridge regressions in both directions.

    `change` regresses identity on labels: first on what made the whole person (sex, age, ...), then
    what is left on the features, so that sex keeps the longer chin that comes with it, and a longer
    chin is one at the same sex. `read` regresses each label on identity, and is tested on others.
    """
    names = list(labels)
    y = np.stack([labels[name] for name in names], 1)
    z = (y - y.mean(0)) / y.std(0)
    whole = np.isin(names, WHOLE_LABELS)
    change = np.zeros((len(names), scores.shape[1]))
    rest = scores - scores.mean(0)
    # Ancestry sums to one; the ridge shares what cannot be told apart.
    change[whole] = _ridge(z[:, whole], rest)
    rest = rest - z[:, whole] @ change[whole]
    residual = np.linalg.cholesky(np.cov(rest.T) + 1e-9 * np.eye(rest.shape[1]))
    feature = z[:, ~whole] - z[:, whole] @ _ridge(z[:, whole], z[:, ~whole])
    change[~whole] = _ridge(feature / feature.std(0), rest)
    a = np.c_[scores, np.ones(len(scores))]
    penalty = np.r_[np.full(scores.shape[1], RIDGE), 0]
    read = np.linalg.solve(a.T @ a + np.diag(penalty), a.T @ y).T
    seen = a @ read.T
    margin = 0.1 * seen.std(0)
    low, high = np.percentile(seen, [0.1, 99.9], axis=0)
    limits = np.stack([low - margin, high + margin], 1)
    for name, measure in MEASURED_LABELS.items():
        if name in labels:
            limits[names.index(name)] = np.clip(limits[names.index(name)], *LIMITS[measure])
    held = np.stack([held_labels[name] for name in names], 1)
    error = held - np.c_[held_scores, np.ones(len(held_scores))] @ read.T
    r2 = 1 - (error**2).mean(0) / held.var(0)
    whole_mean, whole_std = y[:, whole].mean(0), y[:, whole].std(0)
    return Directions(names, whole_mean, whole_std, residual, change, read, limits, r2)


def _ridge(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ y)
