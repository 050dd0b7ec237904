"""Figures 4, 5 and 16: blends of correlations, and the weights that make them."""

from __future__ import annotations

import time
from dataclasses import replace

import torch
from matplotlib.figure import Figure
from torch import Tensor

from visage.ledger import Experiment, Profile, Result, Row
from visage.sheet import sheet
from visage.texture.analysis import METHODS as BLENDS
from visage.texture.gram import grams
from visage.texture.held_out import held_out_views
from visage.texture.low_frequency import LowFrequencyAlbedo
from visage.texture.measures import band_energies, relative_distance
from visage.texture.methods import Bench, infer
from visage.texture.observation import Observation, observe_truly
from visage.texture.study import finite_mean, joined, part_result, scores, shown
from visage.texture.synthesis import SynthesisConfig
from visage.texture.window import face_region
from visage.texture.yiq import luminance

COUNTS = (4, 16, 64, 256)
"""People of which figure 4 blends the correlations; the paper's go from 4 to 256, too."""

NOISE = (0.0, 0.04, 0.08)
"""Standard deviations of noise in figure 5, of luminance in [0, 1]."""

_FIG16 = ("pca", "quilting", "closest", "unconstrained", "convex")  # in the paper's order
_COLUMNS = {"pca": "PCA", "convex": "convex"}
_BOUNDS = (0.5, 2.0)  # of the true energy, beyond which detail is an artefact, or lost


def _bench(profile: Profile, size: int, iterations: int) -> Bench:
    if profile == "fast":
        return Bench.load(128, 8, SynthesisConfig(iterations=3))
    return Bench.load(size, COUNTS[-1], SynthesisConfig(iterations=iterations))


def reproduce_fig4(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Textures from evenly blended correlations of ever more people."""
    start, bench = time.perf_counter(), _bench(profile, 256, 150)
    albedo = bench.database.textures()
    region, rows, pictures = face_region(bench.size), [], []
    counts = [count for count in COUNTS if count <= len(bench.database)] or [len(bench.database)]
    parts = band_energies(bench.database.luminance(), region)
    for count in counts:
        weights = torch.zeros(len(bench.database))
        weights[:count] = 1 / count
        target = bench.grams.full(weights)
        # It starts from the mean colour of those people, without any detail.
        smooth = _smoothed(albedo[:count].mean(0, keepdim=True))
        seen = Observation(smooth, region, smooth)
        made = bench.synthesised(seen, weights)
        energy = band_energies(luminance(made), region)[0] / parts[:count].mean(0)
        rows += [
            Row(f"{band}/{count}", None, float(value), "", None, count)
            for band, value in zip(("high", "middle", "low"), energy, strict=True)
        ]
        rows.append(Row(f"gram_error/{count}", None, _missed(bench, made, target), "", "lower",
                        count))  # fmt: skip
        pictures.append(shown(made))
    result = part_result(
        "texture/fig4",
        "Feature correlations of 4 to 256 people, linearly blended, still give realistic skin.",
        f"Correlations of the first {', '.join(map(str, counts))} training people, in equal parts; "
        f"textures of {bench.size} texels, {bench.synthesis.iterations} steps from those people's "
        "mean colours without detail. high, middle, low: energy of each band (waves "
        "below about 5 texels, to 25, longer) over the mean energy of the same people's "
        "textures: 1 where a blend has as much detail as a person. gram_error: relative distance "
        "of what was reached from the blend, mean over layers. The paper shows pictures only.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    names = [f"{count} people" for count in counts]
    blended = torch.cat(pictures)
    return result, sheet([blended, _closer(blended)], ["blend", "closer"], columns=names)


def _missed(bench: Bench, made: Tensor, target: dict[str, Tensor]) -> float:
    region = face_region(bench.size)
    return float(relative_distance(grams(bench.backbone, luminance(made), region), target)[0])


def _smoothed(textures: Tensor) -> Tensor:
    """As much of textures as the low-frequency albedo holds."""
    albedo, size = LowFrequencyAlbedo.load(), textures.shape[-1]
    return albedo.texture(albedo.fit(textures, face_region(size)), size)


def _closer(pictures: Tensor) -> Tensor:
    """A quarter of the pictures' area: an eye, a cheek and half of the nose."""
    side = pictures.shape[-1]
    top, left, width = round(0.30 * side), round(0.08 * side), side // 2
    return pictures[:, :, top : top + width, left : left + width]


def reproduce_fig5(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Weights on the simplex and without constraints, from ever noisier input."""
    start, full = time.perf_counter(), profile == "full"
    bench = _bench(profile, 192, 80)
    count, levels = (5, NOISE) if full else (1, NOISE[-1:])
    views = held_out_views(count, "test", 512 if full else 256, relief=False)
    true, rows, pictures = views.textures(bench.size), [], []
    for level in levels:
        found: dict[str, list] = {name: [] for name in BLENDS}
        for row in range(count):
            clean = observe_truly(views, row, bench.size)
            seen = noisy(clean, level, seed + row)
            made = infer(seen, bench, BLENDS)
            for name in BLENDS:
                found[name].append(scores(made[name], true[row : row + 1], seen, bench.judge))
            if row == 0:
                few = [seen.texture, *(made[name] for name in ("unconstrained", "convex"))]
                pictures.append(torch.cat([shown(one) for one in (*few, true[:1])]))
        for name, several in found.items():
            values = joined(several)
            tail = f"{name}/noise_{level:g}"
            rows += [finite_mean(f"{band}/{tail}", values[band]) for band in ("high", "middle")]
            rows.append(finite_mean(f"gram/{tail}", values["gram"], "lower"))
            rows.append(_artefacts(f"artefacts/{tail}", values["high"]))
    result = part_result(
        "texture/fig5",
        "Without the convex constraints artefacts appear where the observed region is of poor "
        "quality; with them they do not.",
        f"{count} synthetic test people from the front, given the true fit; normal noise of so "
        "much standard deviation is added to the luminance of the visible partial albedo. high, "
        "middle: band energies over the true texture's; gram: distance of correlations from the "
        "true texture's on the face; artefacts: share of textures whose high energy is below half "
        f"of or above twice the truth. {bench.size} texels, {len(bench.database)} people, "
        f"{bench.synthesis.iterations} steps.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    names = [f"noise {level:g}" for level in levels]
    return result, sheet(pictures, names, columns=("input", "unconstrained", "convex", "truth"))


def noisy(seen: Observation, level: float, seed: int) -> Observation:
    """With normal noise of a standard deviation in the luminance of what is visible."""
    generator = torch.Generator().manual_seed(seed)
    noise = level * torch.randn(seen.visible.shape, generator=generator)
    texture = (seen.texture + noise * seen.visible).clamp(0, 1)
    return replace(seen, texture=texture)


def _artefacts(name: str, high: Tensor) -> Row:
    outside = (high < _BOUNDS[0]) | (high > _BOUNDS[1])
    return finite_mean(name, outside.float(), "lower", "fraction")


def reproduce_fig16(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Five methods on the same people, seen from the side."""
    start, full = time.perf_counter(), profile == "full"
    bench = _bench(profile, 256, 100)
    count, drawn = (8, 3) if full else (1, 1)
    views = held_out_views(count, "test", 512 if full else 256, 45.0, relief=False)
    true, pictures = views.textures(bench.size), []
    found: dict[str, list] = {name: [] for name in _FIG16}
    for row in range(count):
        seen = observe_truly(views, row, bench.size)
        made = infer(seen, bench, _FIG16, seed=seed + row)
        for name in _FIG16:
            found[name].append(scores(made[name], true[row : row + 1], seen, bench.judge))
        if row < drawn:
            few = [seen.texture, *(made[name] for name in _FIG16), true[row : row + 1]]
            whole = torch.cat([shown(one) for one in few])
            pictures += [whole, _closer(whole)]
    rows = []
    for name, several in found.items():
        values = joined(several)
        rows += [finite_mean(f"{band}/{name}", values[band]) for band in ("high", "middle", "low")]
        rows += [
            finite_mean(f"{measure}/{name}", values[measure], "lower")
            for measure in ("gram", "gram_invented")
        ]
    result = part_result(
        "texture/fig16",
        "Only convex combinations give mesoscopic detail; PCA and visio-lization are smoother and "
        "less like the person.",
        f"{count} synthetic test people at 45 degrees, given the true fit; {bench.size} texels, "
        f"{len(bench.database)} people, {bench.synthesis.iterations} steps. high, middle, low: "
        "band energies over the true texture's on the face; gram, gram_invented: distance of "
        "correlations from the true texture's, on the face and on what is not visible.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    columns = ("visible", *(_COLUMNS.get(name, name) for name in _FIG16), "truth")
    names = [text for index in views.indices[:drawn] for text in (f"person {index}", "closer")]
    return result, sheet(pictures, names, columns=columns)


EXPERIMENTS: dict[str, Experiment] = {
    "texture/fig4": reproduce_fig4,
    "texture/fig5": reproduce_fig5,
    "texture/fig16": reproduce_fig16,
}
"""What this module measures."""
