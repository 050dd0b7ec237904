"""Figures 2 and 4: what CoarseNet is fed back, and how it corrects itself."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor

from visage.faces.directions import dot
from visage.geometry.coarse import ITERATIONS
from visage.geometry.depth_error import depth_errors, summarised
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.feedback import Feedback, feedback
from visage.geometry.held_out import HeldOut, held_out_faces
from visage.geometry.pipeline import coarse_looks
from visage.geometry.representation import FaceNumbers
from visage.geometry.study import networks, part_result
from visage.geometry.surface_pictures import grey_picture, normal_picture
from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row
from visage.sheet import sheet

_COUNT = {"fast": 4, "full": 200}
_LONGER = 8  # iterations, to see where it ends
_SHOWN = 6


@dataclass(frozen=True, eq=False)
class StepErrors:
    """How far B answers are from the truth."""

    depth: Tensor  # (B,) mm, mean absolute, the median taken out
    pncc: Tensor  # (B,) mm on the mean face, between what both say a pixel shows
    normals: Tensor  # (B,) degrees
    overlap: Tensor  # (B,) intersection over union of the masks


@torch.no_grad()
def step_errors(faces: HeldOut, numbers: FaceNumbers) -> StepErrors:
    """Compare answers with the truth, on the pixels that both have."""
    mesh = FaceMesh.load()
    found, true = (feedback(mesh, some, faces.size) for some in (numbers, faces.numbers))
    both = (found.mask > 0) & (true.mask > 0)
    count = both.sum((1, 2, 3)).clamp(min=1)
    extent = (mesh.mean.amax(0) - mesh.mean.amin(0)).view(1, 3, 1, 1)
    place = ((found.pncc - true.pncc) * extent).norm(dim=1, keepdim=True)
    turned = dot(found.normals, true.normals).clamp(-1, 1).acos().rad2deg()
    either = (found.mask > 0) | (true.mask > 0)
    pixels = both & faces.mask & faces.depth.isfinite()
    return StepErrors(
        summarised(depth_errors(found.depth, faces.depth, pixels)).mean,
        (place * both).sum((1, 2, 3)) / count,
        (turned * both).sum((1, 2, 3)) / count,
        count / either.sum((1, 2, 3)),
    )


def reproduce_fig2(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Feedback channels, and how near they are to those of the truth."""
    start = time.perf_counter()
    faces = held_out_faces(_COUNT[profile])
    last = coarse_looks(networks(profile).coarse, faces.faces).last
    rows = []
    for name, numbers in {"": last, "_of_mean_face": FaceNumbers.zeros(len(faces))}.items():
        found = step_errors(faces, numbers)
        rows += [
            mean_row(f"pncc_error{name}", found.pncc, "mm", "lower"),
            mean_row(f"normal_error{name}", found.normals, "degrees", "lower"),
            mean_row(f"mask_overlap{name}", found.overlap, "fraction", "higher"),
        ]
    result = part_result(
        "geometry/fig2",
        "PNCC says which point of a face each pixel shows, and the normal map adds local shape.",
        f"{len(faces)} held-out people in detected windows, as in table 1. The last answer of "
        "CoarseNet as PNCC and normals, against those of the true numbers, over the pixels that "
        "both cover: pncc_error is the distance on the mean face between the two points that a "
        "pixel is said to show; mask_overlap, intersection over union. Rows _of_mean_face: where "
        "the iteration starts. The paper has no number.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    shown = faces[:_SHOWN]
    seen = feedback(FaceMesh.load(), last[:_SHOWN], faces.size)
    true = feedback(FaceMesh.load(), shown.numbers, faces.size)
    pictures = [
        grey_picture(shown.faces), grey_picture(shown.faces, seen.mask), *_maps(seen), *_maps(true),
    ]  # fmt: skip
    names = ["picture", "masked", "PNCC", "normals", "true PNCC", "true normals"]
    return result, sheet(pictures, names)


def _maps(seen: Feedback) -> list[Tensor]:
    return [seen.pncc, normal_picture(seen.normals, seen.mask)]


def reproduce_fig4(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Progress through the iterations, within the detector's window."""
    start = time.perf_counter()
    faces = held_out_faces(_COUNT[profile])
    fit = coarse_looks(
        networks(profile).coarse, faces.faces, _LONGER, looks=1, mirrored=False
    ).first
    rows = []
    for step, numbers in enumerate(fit.steps):
        found = step_errors(faces, numbers)
        rows.append(mean_row(f"mean_mm/{step}", found.depth, "mm", "lower"))
        rows.append(mean_row(f"pncc_error/{step}", found.pncc, "mm", "lower"))
        rows.append(mean_row(f"mask_overlap/{step}", found.overlap, "fraction", "higher"))
        if step:
            rows.append(mean_row(f"change_mm/{step}", fit.change[step - 1], "mm", None))
    rows.append(Row("iterations", 4, ITERATIONS, "", None, None))
    result = part_result(
        "geometry/fig4",
        "Starting from a centred mean face, CoarseNet corrects its answer from iteration to "
        "iteration until convergence; the mask is refined with it.",
        f"{len(faces)} held-out people in detected windows, as in table 1; {_LONGER} iterations "
        "in the detector's window, without a second look. mean_mm/k: depth error of the coarse "
        "surface after k iterations, where answer and truth both have the face; 0 is the mean "
        "face in the middle. change_mm/k: how far iteration k moved the vertices. The paper shows "
        "pictures and uses 4 iterations.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, _progress(faces, fit.steps[: ITERATIONS + 1])


def _progress(faces: HeldOut, steps: tuple[FaceNumbers, ...]) -> Figure:
    """Two faces, each with three rows: masked picture, PNCC, normals; then the truth's."""
    worst = faces.yaw[:_SHOWN].abs().argsort(descending=True)[:2]  # the turned move most
    rows, names = [], []
    for face in worst.tolist():
        one = faces[face : face + 1]
        seen = [feedback(FaceMesh.load(), step[face : face + 1], faces.size)
                for step in (*steps, faces.numbers)]  # fmt: skip
        rows.append(torch.cat([grey_picture(one.faces, some.mask) for some in seen]))
        rows.append(torch.cat([some.pncc for some in seen]))
        rows.append(torch.cat([normal_picture(some.normals, some.mask) for some in seen]))
        names += ["masked", "PNCC", "normals"]
    columns = [*(f"iteration {k}" for k in range(len(steps))), "truth"]
    return sheet(rows, names, columns=columns)


EXPERIMENTS: dict[str, Experiment] = {
    "geometry/fig2": reproduce_fig2,
    "geometry/fig4": reproduce_fig4,
}
