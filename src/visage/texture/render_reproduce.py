"""Figure 7: shape, linear model and synthesised texture of photographed people, in new light."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import interpolate

from visage.faces.camera import Camera, Perspective
from visage.faces.light import Light
from visage.faces.scene import Scene, render
from visage.faces.shape import MorphableModel
from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row
from visage.sheet import sheet
from visage.texture.held_out import HeldOutViews, held_out_views
from visage.texture.infer import InferenceConfig, look
from visage.texture.measures import band_energy_ratio
from visage.texture.methods import Bench, infer
from visage.texture.mitsuba_render import Tracing, has_mitsuba, render_with_mitsuba
from visage.texture.observation import Observation
from visage.texture.study import part_result
from visage.texture.synthesis import SynthesisConfig
from visage.texture.textured_head import (
    NEW_LIGHTS,
    TexturedHead,
    new_light,
    portrait_camera,
    render_clay,
    render_textured,
)
from visage.texture.window import face_region, sample
from visage.texture.yiq import luminance

METHODS = ("pca", "convex")
"""What is rendered beside the truth."""

_YAWS = (-25.0, 25.0, 0.0, -35.0)  # degrees, of the rows in turn
_FACE = 0.95  # of a pixel, from which it counts as face: no rims


@dataclass(frozen=True)
class Plan:
    """How much is done."""

    views: int  # photographs, one of each person
    size: int  # texels
    people: int  # in the database
    iterations: int  # of a synthesis
    pixels: int  # of a rendering
    level: int  # subdivisions of the mesh
    traced: int  # heads that Mitsuba renders, where it is
    samples: int  # a pixel, of Mitsuba's


PLANS = {"fast": Plan(1, 64, 4, 5, 96, 0, 0, 8), "full": Plan(3, 256, 256, 150, 384, 1, 2, 96)}


@dataclass(frozen=True, eq=False)
class Found:
    """One person, from a photograph."""

    photograph: Tensor  # (1, 3, H, W)
    heads: dict[str, TexturedHead]  # by method, and "truth", on the shape that was found


def reproduce_fig7(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Whole inferences from photographs, and renderings of what comes out."""
    start, plan = time.perf_counter(), PLANS[profile]
    bench = Bench.load(plan.size, plan.people, SynthesisConfig(iterations=plan.iterations))
    views = held_out_views(plan.views)
    people = [_found(views[[row]], bench, plan, seed) for row in range(len(views))]
    model = MorphableModel.load(plan.level)
    shown = [_shown(model, person, row, plan) for row, person in enumerate(people)]
    traced = _traced(people, model, plan)
    result = part_result(
        "texture/fig7",
        "Renderings of the synthesised texture show skin's details, which those of a linear model "
        "lack.",
        f"{len(views)} synthetic test people, a frontal photograph each; shape, camera, light, "
        f"mask and texture of {plan.size} texels are all inferred from it ({plan.people} training "
        f"people, {plan.iterations} iterations). Bald heads of the inferred shape in new light, "
        f"{plan.pixels} pixels, by our renderer, with relief from each texture"
        + (f"; ours also by Mitsuba, {plan.samples} paths a pixel" if traced else "")
        + ". high_band_in_picture: energy of the finest band of the rendered face's luminance, "
        "where that of the rendering with the true texture is 1. The paper uses Arnold, with "
        "scattering below the skin, and gives no numbers.",
        profile=profile, seed=seed, start=start, rows=_measured(shown, traced),
    )  # fmt: skip
    return result, _figure(people, shown, traced)


@dataclass(frozen=True, eq=False)
class _Shown:
    """One person's renderings."""

    light: str
    clay: Tensor  # (1, 3, P, P)
    pictures: dict[str, Tensor]  # by method, and "truth", (1, 3, P, P)
    face: Tensor  # (1, 1, P, P), where they are compared
    seconds: float  # a picture


def _shown(model: MorphableModel, person: Found, row: int, plan: Plan) -> _Shown:
    camera, light = _setting(row, plan)
    began = time.perf_counter()
    pictures = {
        name: render_textured(model, head, camera, light) for name, head in person.heads.items()
    }
    seconds = (time.perf_counter() - began) / len(pictures)
    head = person.heads["truth"]
    clay, face = render_clay(model, head, camera, light), _face_pixels(model, head, camera)
    return _Shown(NEW_LIGHTS[row % len(NEW_LIGHTS)][0], clay, pictures, face, seconds)


def _measured(shown: list[_Shown], traced: _Traced | None) -> list[Row]:
    rows = []
    for name in METHODS:
        energies = [
            band_energy_ratio(
                luminance(one.pictures[name]), luminance(one.pictures["truth"]), one.face
            )
            for one in shown
        ]
        rows.append(mean_row(f"high_band_in_picture/{name}", torch.cat(energies)[:, 0], "", None))
    seconds = torch.tensor([one.seconds for one in shown])
    rows.append(mean_row("seconds_a_picture", seconds, "s", "lower"))
    if traced:
        count = len(traced.pictures)
        rows.append(Row("seconds_a_picture/mitsuba", None, traced.seconds, "s", "lower", count))
    return rows


def _figure(people: list[Found], shown: list[_Shown], traced: _Traced | None) -> Figure:
    columns = ["photograph", "shape", "linear model", "ours", "true skin"]
    rows = []
    for person, one in zip(people, shown, strict=True):
        photograph = interpolate(person.photograph, size=one.clay.shape[2:], mode="area")
        rows.append(torch.cat([photograph, one.clay, *one.pictures.values()]))
    if traced:
        columns.append("ours, path traced")
        for row, picture in enumerate(traced.pictures):
            rows[row] = torch.cat([rows[row], picture])
    return sheet(rows, [one.light for one in shown], columns=columns)


def _found(view: HeldOutViews, bench: Bench, plan: Plan, seed: int) -> Found:
    sight = look(view.image, InferenceConfig(size=plan.size))
    partial = sight.partial
    seen = Observation(partial.texture, sight.visible, sight.low_frequency, float(partial.pixels))
    textures = infer(seen, bench, METHODS, seed) | {"truth": view.textures(plan.size)}
    shape = sight.fit.identity, torch.zeros_like(view.expression)
    heads = {name: TexturedHead.of(texture, *shape) for name, texture in textures.items()}
    return Found(view.image, heads)


def _setting(row: int, plan: Plan) -> tuple[Perspective, Light]:
    kind, seed = NEW_LIGHTS[row % len(NEW_LIGHTS)]
    return portrait_camera(plan.pixels, (_YAWS[row % len(_YAWS)],)), new_light(kind, seed)


@torch.no_grad()
def _face_pixels(model: MorphableModel, head: TexturedHead, camera: Camera) -> Tensor:
    """(1, 1, H, W): 1 on pixels whose texels are the face's."""
    drawn = render(model, Scene(head.identity, head.expression, camera, new_light("room", 0)))
    region = face_region(256)
    share = sample(region, drawn.uv.flatten(2).mT).view_as(drawn.mask)
    inside = ((share > _FACE) & (drawn.mask > 0)).float()
    return inside if inside.any() else drawn.mask


@dataclass(frozen=True, eq=False)
class _Traced:
    pictures: list[Tensor]  # (1, 3, P, P) each, of the first people
    seconds: float  # a picture


def _traced(people: list[Found], model: MorphableModel, plan: Plan) -> _Traced | None:
    """The first people by Mitsuba, where it is installed."""
    if not plan.traced or not has_mitsuba():
        return None
    began, rows = time.perf_counter(), []
    for row, person in enumerate(people[: plan.traced]):
        camera, light = _setting(row, plan)
        tracing = Tracing(samples=plan.samples)
        rows.append(
            render_with_mitsuba(model, person.heads["convex"], camera, light, tracing=tracing)
        )
    return _Traced(rows, (time.perf_counter() - began) / len(rows))


EXPERIMENTS: dict[str, Experiment] = {"texture/fig7": reproduce_fig7}
