"""How near the partial albedo comes to the truth, step by step."""

from __future__ import annotations

import time
from dataclasses import replace

import torch
from matplotlib.figure import Figure
from torch import Tensor

from visage.faces.reflectance import decode_srgb, encode_srgb
from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row
from visage.sheet import sheet
from visage.texture.held_out import HeldOutViews, held_out_views
from visage.texture.infer import InferenceConfig, albedo_of
from visage.texture.model_fit import FitConfig, ModelFit, fit_model
from visage.texture.partial_albedo import PartialAlbedo, PartialAlbedoConfig
from visage.texture.segmentation import segment
from visage.texture.study import part_result
from visage.texture.window import face_region, resized

_PEOPLE = {"fast": 1, "full": 12}
_SIZE = {"fast": 128, "full": 256}  # texels
_YAWS = (0.0, 45.0)
_SHOWN = 6  # people in the figure

_BARE = PartialAlbedoConfig(relight=False, specular=False, even=0.0)
STEPS = {
    "picture": _BARE,
    "shading": replace(_BARE, relight=True),
    "evened": PartialAlbedoConfig(specular=False),
    "matt": PartialAlbedoConfig(),
}
"""What is done to the texels, each with all that is done before it."""


def reproduce_albedo(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Error of the partial albedo after each step, from the front and from the side."""
    start = time.perf_counter()
    count, size = _PEOPLE[profile], _SIZE[profile]
    rows, pictures = [], []
    for yaw in _YAWS:
        views = held_out_views(count, "test", yaw=yaw, progress=False)
        found = [_stepped(views[[row]], size) for row in range(count)]
        truth = views.textures(size)
        side = f"{yaw:.0f}"
        for step in STEPS:
            errors = torch.stack(
                [error_after_gain(found[k][step], truth[k : k + 1]) for k in range(count)]
            )
            rows.append(mean_row(f"error/{step}/{side}", 255 * errors, "levels", "lower"))
        share = torch.stack([one["matt"].visible.sum() for one in found]) / face_region(size).sum()
        rows.append(mean_row(f"visible/{side}", share, "fraction", None))
        pictures += _pictures(views, truth, found, size)
    result = part_result(
        "texture/albedo",
        "Shading is factored out of the photograph, which leaves a partial high-frequency albedo.",
        f"{count} test people, photographs of 512 pixels, at a yaw of 0 and 45 degrees; model fit "
        f"from true landmarks, the shipped segmentation, textures of {size} texels. Mean absolute "
        "difference from the true albedo over visible texels, sRGB levels of 255, after one gain "
        "a channel: how bright skin is and how bright the light, a fit cannot tell apart. picture: "
        "as photographed; shading: divided by the fitted second-order light, found again with all "
        "texels; evened: freed of what, smoothly, the low-frequency albedo cannot explain; matt: "
        "and of the peak in S of SUV. The paper gives no number.",
        profile=profile, seed=seed, start=start,
        rows=[*_headline(rows), *rows],
    )  # fmt: skip
    return result, sheet([row for row, _ in pictures], [name for _, name in pictures])


def _stepped(view: HeldOutViews, size: int) -> dict[str, PartialAlbedo]:
    mask = segment(view.image, view.landmarks)
    fit = fit_model(view.image, view.landmarks, mask, FitConfig(detector=False))
    return {
        step: albedo_of(
            view.image,
            _unlit(fit) if step == "picture" else fit,
            mask,
            InferenceConfig(size=size, partial=config),
        )[0]
        for step, config in STEPS.items()
    }


def _unlit(fit: ModelFit) -> ModelFit:
    """The fit under a white sky, which shades nothing."""
    light = torch.zeros_like(fit.light)
    light[:, 0] = 2 * torch.pi**0.5
    return replace(fit, light=light)


def error_after_gain(found: PartialAlbedo, truth: Tensor) -> Tensor:
    """Mean absolute sRGB difference (,) over visible texels, once medians agree.

    Args:
        found: of one face.
        truth: (1, 3, S, S), sRGB-encoded.
    """
    shown = found.visible[0, 0].bool()
    linear, known = (decode_srgb(part[0][:, shown]) for part in (found.texture, truth))
    gain = (known.clamp(min=1e-4) / linear.clamp(min=1e-4)).median(1, keepdim=True).values
    away = encode_srgb(gain * linear).clamp(0, 1) - truth[0][:, shown]
    return away.abs().mean()


def _headline(rows: list[Row]) -> list[Row]:
    """The last step's error as a share of the picture's, over both views."""
    value = {row.name: row.ours for row in rows}
    sides = [f"{yaw:.0f}" for yaw in _YAWS]
    last, first = (sum(value[f"error/{step}/{side}"] for side in sides)
                   for step in ("matt", "picture"))  # fmt: skip
    return [Row("error_ratio", None, last / first, "fraction", "lower", rows[0].n)]


def _pictures(
    views: HeldOutViews, truth: Tensor, found: list[dict[str, PartialAlbedo]], size: int
) -> list[tuple[Tensor, str]]:
    few = slice(0, _SHOWN)
    steps = {
        step: torch.cat([one[step].texture for one in found[few]]) for step in ("picture", "matt")
    }
    rows = {"photograph": resized(views.image[few], size), "as seen": steps["picture"]}
    rows |= {"partial albedo": steps["matt"], "truth": truth[few]}
    return [(pictures, name) for name, pictures in rows.items()]


EXPERIMENTS: dict[str, Experiment] = {"texture/albedo": reproduce_albedo}
