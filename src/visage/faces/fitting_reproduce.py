"""How far a fit is from the truth: ``visage reproduce faces/fitting``.

Stands above the library, as all experiments: it knows the detector of `visage.photos`.
"""

import itertools
import math
import time
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor
from tqdm.auto import tqdm

from visage.faces.fitting import Cascade, Fit, FittingConfig, FittingPriors, fit_faces
from visage.faces.fitting.figure import figure
from visage.faces.fitting.landmarks import LandmarkStatistics
from visage.faces.fitting.measures import (
    SAMPLES,
    Heads,
    depth_errors,
    front_known,
    over,
    seen_vertices,
)
from visage.faces.fitting.regression import guess_faces
from visage.faces.fitting.shape_errors import vertex_errors
from visage.faces.fitting.study import WEAK, Portraits, draw_portraits
from visage.faces.fitting.unknowns import pose_of_mean
from visage.faces.shape import MorphableModel
from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import measured_result
from visage.photos.landmarks import detect_faces, find_landmarks

_TOGETHER = 10
_SHOWN = 4
_EXACT = 0.25  # mm², of landmarks that are the model's own
FULL = FittingConfig()
LANDMARKS_ONLY = FittingConfig(pixel_weights=(), blur=(), steps=())


def detected_portraits(
    model: MorphableModel, seed: int, count: int, split: str
) -> tuple[Portraits, Tensor, int]:
    """The first people of a split whose faces dlib finds.

    Returns:
        portraits: of `count` people.
        landmarks: (count, 68, 2), dlib's.
        missed: how many were passed over.
    """
    found, landmarks, missed = [], [], 0
    for portrait in tqdm(_one_by_one(model, seed, split), total=count, desc=split, unit="face"):
        points = _landmarks(portrait)
        if points is None:
            missed += 1
            continue
        found.append(portrait)
        landmarks.append(points)
        if len(found) == count:
            break
    return Portraits.joined(found), torch.cat(landmarks), missed


def _one_by_one(model: MorphableModel, seed: int, split: str) -> Iterator[Portraits]:
    for start in itertools.count(0, _TOGETHER):
        some = draw_portraits(model, seed, range(start, start + _TOGETHER), split=split)
        yield from (some[i : i + 1] for i in range(_TOGETHER))


def _landmarks(portrait: Portraits) -> Tensor | None:
    """Landmarks (1, 68, 2) by dlib, in the box round the face's middle."""
    x, y = portrait.landmarks[0, 17:].mean(0).tolist()
    boxes = [box for box in detect_faces(portrait.image)
             if box.left < x < box.right and box.top < y < box.bottom]  # fmt: skip
    if not boxes:
        return None
    return find_landmarks(portrait.image, max(boxes, key=lambda box: box.score))


def fit_all(
    portraits: Portraits, landmarks: Tensor, model: MorphableModel, priors: FittingPriors,
    config: FittingConfig, cascade: Cascade | None = None,
) -> tuple[Fit, float]:  # fmt: skip
    """Fit to all pictures; the second value is seconds a picture."""
    start, found = time.perf_counter(), []
    for i in tqdm(range(0, len(portraits), _TOGETHER), desc="fitting", unit="batch"):
        chosen = slice(i, i + _TOGETHER)
        found.append(fit_faces(portraits.image[chosen], landmarks[chosen], model, priors, config,
                               cascade))  # fmt: skip
    seconds = (time.perf_counter() - start) / len(portraits)
    camera = replace(
        found[0].camera,
        **{name: torch.cat([getattr(fit.camera, name) for fit in found])
           for name in ("angles", "translation", "scale")},
    )  # fmt: skip
    light = type(found[0].light)(
        *(torch.cat([getattr(fit.light, name) for fit in found])
          for name in ("ambient", "key_direction", "key_colour", "key_radius"))
    )  # fmt: skip
    parts = {name: torch.cat([getattr(fit, name) for fit in found])
             for name in ("identity", "expression", "albedo", "history")}  # fmt: skip
    return Fit(camera=camera, light=light, **parts), seconds


def reproduce_fitting(profile: Profile, seed: int) -> tuple[Result, object]:
    """Fit held-out people with what is shipped; full: 50, fast: 6."""
    start = time.perf_counter()
    count = 50 if profile == "full" else 6
    model, priors, cascade = MorphableModel.load(), FittingPriors.load(), Cascade.load()
    heads = Heads.of(model)
    people, detected, missed = detected_portraits(model, seed, count, "test")
    fit, seconds = fit_all(people, detected, model, priors, FULL, cascade)
    shown = figure(model, people[:_SHOWN], _first(fit, _SHOWN), priors)
    result = measured_result(
        id="faces/fitting",
        paper=None,
        claim="We set out to find a head from one picture to within 2 mm a vertex.",
        protocol=_protocol(count, missed),
        profile=profile,
        seed=seed,
        start=start,
        rows=(
            *_shape_rows(model, heads, people, fit),
            *_other_rows(model, people, fit, seconds, missed),
            *_guesses(model, heads, people, detected, cascade),
            *_bounds(model, heads, people, detected, priors, seed),
        ),
    )
    return result, shown


def _protocol(count: int, missed: int) -> str:
    return (
        f"The first {count} test people whose faces dlib finds ({missed} passed over), one picture "
        "of 256 pixels each (2 x 2 samples a pixel), weak perspective, yaw within "
        f"{WEAK.yaw:g}, pitch within {WEAK.pitch:g} and roll within {WEAK.roll:g} degrees, "
        "all kinds of light, all expressions, hair, beards, glasses, "
        "clothes and backgrounds as the world draws them. The fit sees the picture and dlib's 68 "
        "landmarks, and knows what it learned from training people, identities disjoint: linear "
        "regressions from gradients and colours to shape and pose (checkpoint face_cascade, "
        "supervised descent, not a network), and priors (checkpoint face_fitting: albedo, "
        "detector, what light leaves unexplained, errors of the cascade). mean_vertex_error: "
        "mean distance over all drawn vertices of the expressive "
        "head (skin, neck, eyes, teeth, tongue, lashes) in the head's own frame, in true mm, with "
        "nothing aligned; size, which weak perspective does not show, counts as an error. "
        "mean_face rows: the mean face at rest, measured likewise. rigid and similarity: after the "
        "best motion (and scale) over the vertices measured; face: the front of the skin, without "
        "ears, scalp and neck; neutral: both at rest; seen and hidden: vertices in the bare head's "
        "picture, or not. depth_error: over the face's pixels, each picture's mean difference "
        "taken out; the mean face is posed by the model's own landmarks. "
        "Configuration chosen on validation people, though fast runs showed six of the test "
        "people before the last choices. cascade rows: the regressions alone. without_cascade: "
        "dlib's landmarks, pixels and priors, no regressions; landmarks_only stops before the "
        "pixels; true_landmarks has the model's own landmarks, pixels and no regressions. bound: "
        "front_known is the best linear guess of resting heads from the front of the "
        "face, known to 0.3 mm but for its size: the rest is at the back."
    )


def _shape_rows(
    model: MorphableModel, heads: Heads, people: Portraits, fit: Fit
) -> tuple[Row, ...]:
    truth = model.vertices(people.identity, people.expression)
    found, mean = fit.vertices(model), model.mean.expand_as(truth)
    rows = [
        _row("mean_vertex_error", over(heads.drawn, found, truth)),
        _row("mean_face_vertex_error", over(heads.drawn, mean, truth)),
    ]
    for name, region in (("head", heads.drawn), ("face", heads.face)):
        for how, scale in (("", None), ("_rigid", False), ("_similarity", True)):
            if name == "head" and scale is None:
                continue
            for whose, points in (("", found), ("mean_face_", mean)):
                rows.append(_row(f"{whose}{name}{how}_error", over(region, points, truth, scale)))
    rest = model.vertices(people.identity), model.vertices(fit.identity)
    rows += [
        _row("neutral_error", over(heads.drawn, rest[1], rest[0])),
        _row("mean_face_neutral_error", over(heads.drawn, mean, rest[0])),
    ]
    seen = seen_vertices(model, people)[:, heads.drawn]
    apart = vertex_errors(found[:, heads.drawn], truth[:, heads.drawn])
    return (
        *rows,
        _row("seen_error", (apart * seen).sum(1) / seen.sum(1)),
        _row("hidden_error", (apart * ~seen).sum(1) / (~seen).sum(1)),
    )


def _row(name: str, values: Tensor, unit: str = "mm") -> Row:
    return Row(name, None, float(values.mean()), unit, "lower", len(values))


def _other_rows(
    model: MorphableModel, people: Portraits, fit: Fit, seconds: float, missed: int
) -> tuple[Row, ...]:
    count = len(people)
    height, width = people.image.shape[2:]
    posed = pose_of_mean(model, people.landmarks, height, width)
    mean = model.mean.expand(count, -1, -1)
    towards = (fit.light.key_direction * people.light.key_direction).sum(1).clamp(-1, 1)
    size = (fit.camera.scale / people.camera.scale).log().abs()
    turn = (fit.camera.rotation() @ people.camera.rotation().mT).diagonal(dim1=1, dim2=2).sum(1)
    turn = ((turn - 1) / 2).clamp(-1, 1).acos()
    return (
        _row("depth_error", depth_errors(model, fit.vertices(model), fit.camera, people)),
        _row("mean_face_depth_error", depth_errors(model, mean, posed, people)),
        Row("seconds_per_fit", None, seconds, "s", "lower", count),
        _row("pose_error", turn * 180 / math.pi, "degrees"),
        _row("size_error", size, "fraction"),
        _row("expression_error", (fit.expression - people.expression).abs().mean(1), "strength"),
        Row("key_light_error_median", None, float(towards.acos().median()) * 180 / math.pi,
            "degrees", "lower", count),
        Row("missed", None, missed, "", "lower", count + missed),
    )  # fmt: skip


def _bounds(
    model: MorphableModel, heads: Heads, people: Portraits, detected: Tensor,
    priors: FittingPriors, seed: int,
) -> tuple[Row, ...]:  # fmt: skip
    truth = model.vertices(people.identity, people.expression)
    exact = LandmarkStatistics(torch.zeros(68, 2), _EXACT * torch.eye(136))
    informed = replace(priors, landmarks=exact)
    variants = {
        "without_cascade": fit_all(people, detected, model, priors, FULL),
        "landmarks_only": fit_all(people, detected, model, priors, LANDMARKS_ONLY),
        "true_landmarks": fit_all(people, people.landmarks, model, informed, FULL),
    }
    rows = []
    for name, (fit, _) in variants.items():
        found = fit.vertices(model)
        rows += [
            _row(f"{name}_error", over(heads.drawn, found, truth)),
            _row(f"{name}_face_similarity_error", over(heads.face, found, truth, True)),
        ]
    known = front_known(model, heads, seed)
    return (*rows, Row("front_known_error", None, known, "mm", "lower", SAMPLES // 6))


def _guesses(
    model: MorphableModel, heads: Heads, people: Portraits, detected: Tensor, cascade: Cascade
) -> tuple[Row, ...]:
    truth = model.vertices(people.identity, people.expression)
    shape = guess_faces(cascade, model, people.image, detected).shape
    modes = len(model.identity_basis)
    found = model.vertices(shape[:, :modes], shape[:, modes:])
    return (
        _row("cascade_error", over(heads.drawn, found, truth)),
        _row("cascade_face_similarity_error", over(heads.face, found, truth, True)),
    )


def _first(fit: Fit, count: int) -> Fit:
    names = ("angles", "translation", "scale")
    camera = replace(fit.camera, **{name: getattr(fit.camera, name)[:count] for name in names})
    return Fit(fit.identity[:count], fit.expression[:count], camera, fit.light[:count],
               fit.albedo[:count], fit.history[:count])  # fmt: skip


EXPERIMENTS: dict[str, Experiment] = {"faces/fitting": reproduce_fitting}
