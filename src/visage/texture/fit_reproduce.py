"""How long a model fit takes and how far it is from the truth: ``visage reproduce texture/fit``."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor
from tqdm.auto import tqdm

from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row, threads
from visage.photos.landmarks import find_face
from visage.photos.reading import PhotoError
from visage.texture.fit_errors import colour_errors, head_errors, placing_errors, true_albedo
from visage.texture.fit_figure import fit_figure
from visage.texture.fit_first_order import FirstOrderConfig, descend, finest_energy
from visage.texture.fit_pyramid import pyramid
from visage.texture.fit_solver import Solver
from visage.texture.fit_surface import shipped_surface
from visage.texture.fit_terms import Energy
from visage.texture.fit_unknowns import FitUnknowns, start_from_landmarks
from visage.texture.held_out import HeldOutViews, held_out_views
from visage.texture.model_fit import DEFAULT, FitConfig, ModelFit, fit_model
from visage.texture.segmentation import segment
from visage.texture.study import part_result

YAWS = (0.0, 45.0)
"""Degrees."""

_PEOPLE = {"fast": 1, "full": 20}
_RACED = {"fast": 1, "full": 4}  # people a yaw whose fits the baseline is timed against
_STEPS = {"fast": (20, 0, 0), "full": (600, 300, 100)}  # of the baseline, at most
_THREADS = 2
_BRIEF = FitConfig(steps=(4, 2, 1), pixels=(500, 500, 500))  # to see that everything runs
_EQUAL = 1.05  # times the fit's energy counts as equal
_SHOWN = 6  # pictures in the figure: of half as many people, from both sides
_UNITS = {"head": "mm", "face": "mm", "placing": "mm", "pose": "degrees", "albedo": "sRGB",
          "pattern": "sRGB", "light": "fraction", "shading": "fraction"}  # fmt: skip
_NAMES = {
    "head": "vertex_error_mm", "face": "face_vertex_error_mm", "placing": "placing_error_mm",
    "pose": "pose_error", "albedo": "albedo_error", "pattern": "albedo_pattern_error",
    "light": "light_error", "shading": "shading_error",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class FittedViews:
    """Photographs from one side in which a face was found, and their fits."""

    views: HeldOutViews
    landmarks: Tensor  # (B, 68, 2), dlib's
    mask: Tensor  # (B, 1, P, P)
    fit: ModelFit
    seconds: Tensor  # (B,)
    missed: int


def reproduce_fit(
    profile: Profile, seed: int, *, split: str = "test"
) -> tuple[Result, Figure | None]:
    """Fit held-out people, from the front and from the side; full: 20, fast: 1."""
    start = time.perf_counter()
    config = DEFAULT if profile == "full" else _BRIEF
    with threads(_THREADS):
        fitted = {yaw: fitted_views(_PEOPLE[profile], split, yaw, config) for yaw in YAWS}
        raced = [_race(one, profile, config) for one in fitted.values()]
    found = {yaw: _errors(one) for yaw, one in fitted.items()}
    result = part_result(
        "texture/fit",
        "The optimization converges within 30, 10, and 3 Gauss-Newton steps, from the coarsest "
        "level of an image pyramid to the finest.",
        _protocol(profile, split, config, fitted),
        profile=profile, seed=seed, start=start,
        rows=[*_time_rows(fitted, raced), *_error_rows(found)],
    )  # fmt: skip
    return result, _figure(fitted, found)


def fitted_views(count: int, split: str, yaw: float, config: FitConfig = DEFAULT) -> FittedViews:
    """Fit the photographs of people from one side, one by one.

    Args:
        count: people.
        split: of `visage.faces.population.SPLITS`.
        yaw: degrees.
        config: how.
    """
    views = held_out_views(count, split, yaw=yaw)
    kept, landmarks, masks, fits, seconds = [], [], [], [], []
    for index in tqdm(range(count), desc=f"fitting at {yaw:g}°", unit="face", leave=False):
        image = views.image[index : index + 1]
        try:
            points = find_face(image, which="largest").landmarks
        except PhotoError:
            continue
        mask = segment(image, points)
        if not fits:
            fit_model(image, points, mask, _BRIEF)  # to warm up
        began = time.perf_counter()
        fits.append(fit_model(image, points, mask, config))
        seconds.append(time.perf_counter() - began)
        kept.append(index)
        landmarks.append(points)
        masks.append(mask)
    return FittedViews(
        views[kept], torch.cat(landmarks), torch.cat(masks), ModelFit.joined(fits),
        torch.tensor(seconds), count - len(kept),
    )  # fmt: skip


@dataclass(frozen=True)
class _Race:
    solver: float  # seconds
    baseline: float  # seconds, to equal energy, or to its end
    reached: bool


def _race(fitted: FittedViews, profile: Profile, config: FitConfig) -> list[_Race]:
    """Time both solvers on the same energy, from the same start."""
    surface, races = shipped_surface(), []
    count = min(_RACED[profile], len(fitted.views))
    for index in tqdm(range(count), desc="first order", unit="face", leave=False):
        landmarks = fitted.landmarks[index]
        levels = pyramid(
            fitted.views.image[index], fitted.mask[index], len(config.steps), config.blur
        )
        start = _start(surface, landmarks, levels[-1].size)
        scale = float(start.camera.focal / start.camera.distance)
        energy = Energy(surface, landmarks, config, config.landmark_unit * scale)
        began = time.perf_counter()
        with torch.no_grad():
            found, _ = Solver(energy, levels).run(start)
        spent = time.perf_counter() - began
        target = _EQUAL * finest_energy(energy, levels, found)
        went = descend(energy, levels, start, FirstOrderConfig(steps=_STEPS[profile]), target)
        races.append(_Race(spent, went.seconds, went.reached))
    return races


def _start(surface, landmarks: Tensor, size: tuple[int, int]) -> FitUnknowns:
    usual = surface.priors.expression.mean
    return start_from_landmarks(
        surface.model, landmarks[None], *size, usual, surface.basis.shape[2]
    )


def _errors(fitted: FittedViews) -> dict[str, Tensor]:
    """All errors (B,), and those of the mean head, by name."""
    model, views, fit = shipped_surface().model, fitted.views, fitted.fit
    true = views.vertices(model)
    albedo = true_albedo(model, views.split, views.indices)
    mean = head_errors(model, model.mean.expand_as(true), true)
    return (
        head_errors(model, fit.vertices(model), true)
        | placing_errors(model, fit, true, views.camera)
        | colour_errors(model, fit, true, views.camera, albedo, views.light)
        | {f"mean_{name}": values for name, values in mean.items()}
    )


def _time_rows(fitted: dict[float, FittedViews], raced: list[list[_Race]]) -> list[Row]:
    races = [race for some in raced for race in some]
    ratios = torch.tensor([race.baseline / race.solver for race in races])
    reached = torch.tensor([float(race.reached) for race in races])
    seconds = torch.cat([one.seconds for one in fitted.values()])
    missed = sum(one.missed for one in fitted.values())
    return [
        mean_row("seconds", seconds, "s", "lower"),
        Row("longest_seconds", None, float(seconds.max()), "s", "lower", len(seconds)),
        Row("time_ratio_to_first_order", None, float(ratios.median()), "", "higher", len(ratios)),
        mean_row("first_order_seconds", torch.tensor([race.baseline for race in races]), "s", None),
        mean_row("first_order_reached", reached, "fraction", None),
        Row("missed", None, missed, "", "lower", len(seconds) + missed),
    ]


def _error_rows(found: dict[float, dict[str, Tensor]]) -> list[Row]:
    rows = []
    for name, title in _NAMES.items():
        every = torch.cat([errors[name] for errors in found.values()])
        rows.append(mean_row(title, every, _UNITS[name], "lower"))
        rows += [
            mean_row(f"{title}/{yaw:g}", errors[name], _UNITS[name], "lower")
            for yaw, errors in found.items()
        ]
    for name in ("head", "face"):
        every = torch.cat([errors[f"mean_{name}"] for errors in found.values()])
        rows.append(mean_row(f"mean_face_{_NAMES[name]}", every, "mm", None))
    return rows


def _protocol(
    profile: Profile, split: str, config: FitConfig, fitted: dict[float, FittedViews]
) -> str:
    count, size = _PEOPLE[profile], next(iter(fitted.values())).views.image.shape[-1]
    return (
        f"{count} synthetic {split} people, photographed from the front and at 45 degrees, "
        f"{size} pixels, perspective, soft lights, hair; landmarks by dlib (pictures in which it "
        "finds no face are missed), the mask by this part's segmentation network. "
        f"{_THREADS} threads. seconds: the fit alone, from landmarks and mask, one picture at a "
        f"time. {config.steps} steps at most on three levels, at most {config.pixels} pixels. "
        f"time_ratio_to_first_order: median over {_RACED[profile]} people a yaw of the time that "
        "Adam needs, through the same energy and levels and from the same start, until the finest "
        f"level's energy is within {_EQUAL - 1:.0%} of the fit's, over the fit's time; where it "
        f"never is (first_order_reached), its {sum(_STEPS[profile])} steps' time counts. "
        "vertex_error_mm: mean over the drawn head in its own frame, nothing aligned; "
        "face_vertex_error_mm: the front, after a similarity; placing: in the picture, in mm at "
        "the head; albedo: mean difference of encoded albedo over the face's vertices; light: "
        "root mean square difference of the shading of the true face by order 2 of the true light, "
        "relative; pattern and shading: the same without the common factor that no picture tells. "
        "The paper reports no error of its fit."
    )


def _figure(fitted: dict[float, FittedViews], found: dict[float, dict[str, Tensor]]) -> Figure:
    pictures, masks, fits, captions = [], [], [], []
    for number in range(_SHOWN):
        yaw = YAWS[number % len(YAWS)]
        one, index = fitted[yaw], number // len(YAWS)
        if index >= len(one.views):
            continue
        pictures.append(one.views.image[index])
        masks.append(one.mask[index])
        fits.append(one.fit[index : index + 1])
        captions.append(f"{float(found[yaw]['head'][index]):.1f} mm")
    return fit_figure(torch.stack(pictures), torch.stack(masks), ModelFit.joined(fits), captions)


EXPERIMENTS: dict[str, Experiment] = {"texture/fit": reproduce_fit}
