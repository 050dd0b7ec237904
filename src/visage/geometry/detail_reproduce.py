"""Fine geometry against the truth, and figure 11: FineNet at twice the size it was trained on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import interpolate

from visage.checkpoints import list_checkpoints
from visage.geometry.detail import DetailedFaces
from visage.geometry.detail_error import DetailErrors, compared, detail_errors
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.fine_network import FineNet, load_fine_net
from visage.geometry.kept_detail import SETS, detailed_faces
from visage.geometry.pipeline import FINE_MESH, coarse_looks
from visage.geometry.rendering_layer import DepthMap, render_depth
from visage.geometry.representation import FaceNumbers
from visage.geometry.study import networks, part_result
from visage.geometry.surface_normals import normals_of_depth
from visage.geometry.template_shading import posed_template, reconstruct_template
from visage.geometry.texture_space import TextureSpace
from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row
from visage.sheet import sheet

_FEW = 3
_TOGETHER = 12
_OLD = 50.0  # years
_LAMP = (-0.62, 0.45, 0.64)  # from the left and above: across most wrinkles
_LARGE = 400

Refined = Callable[[DetailedFaces, DepthMap, FaceNumbers], Tensor]
"""Faces, the coarse depth and the coarse numbers, to a depth map (B, 1, H, W)."""


def refined_by(network: FineNet) -> Refined:
    """FineNet as a method."""

    def refine(some: DetailedFaces, coarse: DepthMap, numbers: FaceNumbers) -> Tensor:
        scale = numbers.camera(some.faces.shape[-1]).scale
        return network(some.faces, coarse.depth, coarse.mask, scale)

    return refine


def _coarse_alone(some: DetailedFaces, coarse: DepthMap, numbers: FaceNumbers) -> Tensor:
    return coarse.depth


def _template(some: DetailedFaces, coarse: DepthMap, numbers: FaceNumbers) -> Tensor:
    """Shape from shading on the mean face at rest, in CoarseNet's pose."""
    size, mesh = some.faces.shape[-1], FaceMesh.load(FINE_MESH)
    drawn, albedo = posed_template(mesh, numbers, TextureSpace.load(mesh), size)
    scale = numbers.camera(size).scale
    parts = [some.faces, drawn.depth, drawn.mask, scale, albedo]
    return torch.cat(
        [reconstruct_template(*(part[i : i + 1] for part in parts)) for i in range(len(some))]
    )


@torch.no_grad()
def measured(
    methods: dict[str, Refined],
    people: DetailedFaces,
    numbers: FaceNumbers,
) -> dict[str, DetailErrors]:
    """Errors of methods on the pixels for which all vouch.

    Args:
        methods: by name.
        people: and their truth.
        numbers: what the methods start from.
    """
    found = {name: [] for name in methods}
    for start in range(0, len(people), _TOGETHER):
        chosen = slice(start, start + _TOGETHER)
        some, given = people[chosen], numbers[chosen]
        size = some.faces.shape[-1]
        coarse, scale = (
            render_depth(FaceMesh.load(FINE_MESH), given, size),
            given.camera(size).scale,
        )
        depths = {name: method(some, coarse, given) for name, method in methods.items()}
        mask = coarse.mask * some.mask
        pixels = compared(list(depths.values()), some.depth, mask, scale)
        for name, depth in depths.items():
            found[name].append(
                detail_errors(depth, some.depth, some.relief, pixels, some.seen, scale)
            )
    return {name: DetailErrors.joined(parts) for name, parts in found.items()}


def reproduce_detail(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """High frequencies, normals and wrinkles, with FineNet and without."""
    start = time.perf_counter()
    people = _people(profile)
    both = networks(profile)
    methods = {"ours": refined_by(both.fine), "coarse": _coarse_alone, "template_sfs": _template}
    if profile == "full" and "fine_net_unsupervised" in list_checkpoints():
        methods["unsupervised"] = refined_by(load_fine_net("fine_net_unsupervised"))
    numbers = _estimated(people, profile)
    found = measured(methods, people, numbers)
    rows = _headline(found)
    for name, errors in found.items():
        rows += _rows(name, errors, found["coarse"])
    old = people.age >= _OLD
    if bool(old.any()):
        rows += _headline({n: _some(e, old) for n, e in found.items()}, "_over_50")
    known = {name: methods[name] for name in ("ours", "coarse")}
    rows += _headline(measured(known, people, people.truth), "_true_numbers")
    result = part_result(
        "geometry/detail",
        "FineNet adds the wrinkles that a model of 138 numbers cannot have.",
        f"{len(people)} synthetic test people with true wrinkles, 200 pixels, yaw to 40 degrees, "
        "all expressions and lights, in windows moved at random; CoarseNet's numbers. High "
        "frequencies: depth error minus its Gaussian mean of 5 mm around, over pixels of bare skin "
        "away from outlines, for which all methods vouch; mean absolute value, mean over people. "
        "covered: the same under brows, beards and glasses, where the truth is the skin below. "
        "wrinkle_energy_recovered: by how much the mean squared high-frequency error falls where "
        "the relief's own high frequencies exceed 0.04 mm, against CoarseNet; wrinkle_depth: what "
        "was found there, projected on the true relief (1: as deep as it is). template_sfs: "
        "Kemelmacher-Shlizerman and Basri (2011) on the mean face in CoarseNet's pose. "
        "unsupervised: FineNet by the paper's criterion alone. true_numbers: coarse depth from the "
        "true numbers, so that only wrinkles are missing.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, _shown(people, numbers, methods)


def reproduce_fig11(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """The same faces at 200 and at 400 pixels."""
    start = time.perf_counter()
    count = 24 if profile == "full" else 2
    small, large = (
        detailed_faces("test", count, size, progress=False).rows(slice(None))
        for size in (_LARGE // 2, _LARGE)
    )
    numbers = _estimated(small, profile)
    network = networks(profile).fine
    twice = refined_by(network)

    def enlarged(some: DetailedFaces, coarse: DepthMap, given: FaceNumbers) -> Tensor:
        """FineNet at 200 pixels; what it adds, enlarged, on the coarse depth at 400."""
        half = render_depth(FaceMesh.load(FINE_MESH), given, small.faces.shape[-1])
        rows = [int((small.numbers == one).all(1).nonzero()[0, 0]) for one in some.numbers]
        fine = twice(small[torch.tensor(rows)], half, given)
        added = (fine - half.depth).masked_fill(half.mask <= 0, 0)
        added = interpolate(added, scale_factor=2, mode="bilinear", align_corners=False)
        return coarse.depth + added

    methods = {"coarse": _coarse_alone, "fine_200": enlarged, "fine_400": twice}
    found = measured(methods, large, numbers)
    rows = [row for name, errors in found.items() for row in _rows(name, errors, found["coarse"])]
    result = part_result(
        "geometry/fig11",
        "FineNet, trained at 200 pixels alone, scales up to pictures of 400.",
        f"{len(large)} synthetic test people drawn at 400 pixels and at 200; one CoarseNet answer, "
        "at 200. fine_400: FineNet on the large picture; fine_200: FineNet on the small one, and "
        "what it adds enlarged. Truth at 400 pixels; errors as in geometry/detail.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    order = large.age.argsort(descending=True)[: 4 if profile == "full" else 2]
    return result, _shown(large[order], numbers[order], methods)


def _people(profile: Profile) -> DetailedFaces:
    count = SETS["test"][0] if profile == "full" else _FEW
    return detailed_faces("test", count, progress=False).rows(slice(None))


def _estimated(people: DetailedFaces, profile: Profile) -> FaceNumbers:
    """CoarseNet's numbers; in a fast run, where nothing is trained, the true ones, moved."""
    if profile == "fast":
        return FaceNumbers.of(people.numbers + 0.1)
    parts = [
        coarse_looks(networks(profile).coarse, part).last.numbers
        for part in people.faces.split(_TOGETHER)
    ]
    return FaceNumbers.of(torch.cat(parts))


def _headline(found: dict[str, DetailErrors], tail: str = "") -> list[Row]:
    ours, coarse = found["ours"], found["coarse"]
    count = int(ours.high_frequency.isfinite().sum())
    depth = _share(ours.carved, ours.energy)
    values = {
        "high_frequency_error_ratio": _share(ours.high_frequency, coarse.high_frequency),
        "normal_error_deg": float(ours.normals.nanmean()),
        "coarse_normal_error_deg": float(coarse.normals.nanmean()),
        "wrinkle_energy_recovered": 1 - _share(ours.wrinkles, coarse.wrinkles),
        "wrinkle_depth": depth,
        "covered_error_ratio": _share(ours.covered, coarse.covered),
    }
    units = {name: "degrees" if name.endswith("deg") else "fraction" for name in values}
    better = {name: "higher" if name.startswith("wrinkle") else "lower" for name in values}
    return [
        Row(f"{name}{tail}", None, value, units[name], better[name], count)
        for name, value in values.items()
        if math.isfinite(value)  # of a few people nobody may have anything covered
    ]


def _rows(name: str, errors: DetailErrors, coarse: DetailErrors) -> list[Row]:
    count = int(errors.high_frequency.isfinite().sum())
    known = errors.high_frequency.isfinite()
    recovered = 1 - _share(errors.wrinkles, coarse.wrinkles)
    return [
        mean_row(f"high_frequency_mm/{name}", errors.high_frequency[known], "mm", "lower"),
        mean_row(f"normals_deg/{name}", errors.normals[known], "degrees", "lower"),
        Row(f"wrinkle_energy_recovered/{name}", None, recovered, "fraction", "higher", count),
        Row(
            f"wrinkle_depth/{name}", None, _share(errors.carved, errors.energy), "fraction",
            "higher", count,
        ),
    ]  # fmt: skip


def _share(a: Tensor, b: Tensor) -> float:
    """Ratio of the means over faces that have pixels."""
    return float(a.nanmean() / b.nanmean().clamp(min=1e-12))


def _some(errors: DetailErrors, which: Tensor) -> DetailErrors:
    return DetailErrors(*(value[which] for value in vars(errors).values()))


@torch.no_grad()
def _shown(people: DetailedFaces, numbers: FaceNumbers, methods: dict[str, Refined]) -> Figure:
    """The oldest people: the picture, and every surface under one lamp."""
    order = people.age.argsort(descending=True)[:7]
    some, given = people[order], numbers[order]
    size = some.faces.shape[-1]
    coarse, scale = render_depth(FaceMesh.load(FINE_MESH), given, size), given.camera(size).scale
    rows = {"picture": some.faces}
    for name, method in methods.items():
        depth = method(some, coarse, given)
        rows[name.replace("_", " ")] = relit(depth, coarse.mask * depth.isfinite(), scale)
    rows["truth"] = relit(some.depth, some.mask, some.scale)
    order = ["picture", "coarse", *(name for name in rows if name not in ("picture", "coarse"))]
    return sheet([rows[name].expand(-1, 3, -1, -1) for name in order], order)


def relit(depth: Tensor, mask: Tensor, scale: Tensor) -> Tensor:
    """A matt surface under a lamp from the left and above (B, 1, H, W), white off the face."""
    lamp = depth.new_tensor(_LAMP)
    lamp = (lamp / lamp.norm()).view(1, 3, 1, 1)
    lit = (normals_of_depth(depth, mask, scale) * lamp).sum(1, keepdim=True)
    return torch.where(mask > 0, 0.06 + 0.94 * lit.clamp(0, 1), 1.0)


EXPERIMENTS: dict[str, Experiment] = {
    "geometry/detail": reproduce_detail,
    "geometry/fig11": reproduce_fig11,
}
