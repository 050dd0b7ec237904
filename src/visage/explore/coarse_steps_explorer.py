"""Explorer: CoarseNet's iterations as a slider: what it is shown, and how wrong its answer is."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import anywidget
import torch
import traitlets
from PIL import Image
from torch import Tensor

from visage.explore.geometry_faces import ShownFaces, resized, shown_faces
from visage.explore.javascript import bundle, stylesheet
from visage.geometry.coarse import reconstruct_coarse
from visage.geometry.coarse_network import CoarseNet, load_coarse_net
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.face_window import FaceWindow
from visage.geometry.feedback import Feedback, feedback
from visage.geometry.grey import grey
from visage.geometry.representation import SIZE, WIDTH, FaceNumbers, pose_numbers

ITERATIONS = 6
"""Two more than the paper's, to see whether it stays where it is."""

FARTHEST = 8.0
"""mm of depth error that has the full colour."""

_NEAR, _FAR, _BESIDE = (0.0, 0.447, 0.698), (0.835, 0.369, 0.0), (0.5, 0.5, 0.5)
_TILE = 136

CHOSEN = (0, 1, 4, 5, 6)
"""Of the shown faces."""


@dataclass(frozen=True)
class Placing:
    """How a window round a face is placed, relative to the right one."""

    name: str
    shift: tuple[float, float] = (0.0, 0.0)  # mm, to the right and down
    growth: float = 1.0  # of the window's side


PLACINGS = (
    Placing("as a detector may place it"),
    Placing("too far right and too large", (10.0, -4.0), 1.15),
)


@dataclass(frozen=True, eq=False)
class Course:
    """One face from step to step, T = 1 + iterations."""

    seen: Feedback  # of T steps
    faces: Tensor  # (T, 1, 200, 200), masked as the network has it
    depth_error: Tensor  # (T, 1, 200, 200) mm, signed, median removed; NaN where it is not known
    error: Tensor  # (T,) mm, mean absolute depth error
    turned: Tensor  # (T,) degrees, between the true rotation and this one
    change: Tensor  # (T,) mm that the step moved the vertices, NaN at first


class CoarseStepsExplorer(anywidget.AnyWidget):
    """Step through the iterations: masked picture, PNCC, normals, and the error of the depth.

    Args:
        names: of the people.
        placings: of the windows.
        courses: by person and placing.
    """

    _esm = bundle("coarse_steps.js")
    _css = stylesheet("explorer.css", "inversion_explorer.css", "geometry_explorers.css")

    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    placings = traitlets.List(traitlets.Unicode()).tag(sync=True)
    steps = traitlets.Int().tag(sync=True)
    tile = traitlets.Int(_TILE).tag(sync=True)
    farthest = traitlets.Float(FARTHEST).tag(sync=True)
    numbers = traitlets.List().tag(sync=True)  # [person][placing] error, turned, change
    sheet = traitlets.Unicode().tag(sync=True)  # a row a course; four tiles a step
    values = traitlets.Dict().tag(sync=True)  # person, placing, step

    def __init__(
        self,
        names: Sequence[str],
        placings: Sequence[str],
        courses: Sequence[Sequence[Course]],
        values: Mapping[str, object] | None = None,
    ):
        super().__init__(
            names=list(names),
            placings=list(placings),
            steps=len(courses[0][0].error),
            numbers=[[_numbers(course) for course in row] for row in courses],
            sheet=_sheet([course for row in courses for course in row]),
            values=dict(values or {}),
        )

    @classmethod
    def standard(cls) -> CoarseStepsExplorer:
        """The explorer of the book: test people, and the shipped CoarseNet.

        Raises:
            CheckpointError: the network is missing.
            ExplorerDataError: the people are missing.
        """
        network, people = load_coarse_net(), shown_faces()[list(CHOSEN)]
        placed = [coarse_courses(network, people, placing) for placing in PLACINGS]
        names = [placing.name for placing in PLACINGS]
        return cls(people.names, names, list(zip(*placed, strict=True)))


@torch.no_grad()
def coarse_courses(
    network: CoarseNet, people: ShownFaces, placing: Placing, iterations: int = ITERATIONS
) -> list[Course]:
    """Let CoarseNet find faces in windows that are placed in some way.

    Args:
        network: in evaluation mode.
        people: P faces.
        placing: of the windows.
        iterations: at most so many.

    Returns:
        P courses.
    """
    mesh = FaceMesh.load()
    large, count = people.photos.shape[-1], len(people)
    middle = torch.tensor([(large - 1) / 2] * 2)
    window = FaceWindow(
        (middle + torch.tensor(placing.shift) * (large / WIDTH)).expand(count, 2),
        torch.full((count,), placing.growth * large),
    )
    faces = window.cut(grey(people.photos), SIZE)
    camera = window.camera_inside(people.numbers.camera(large), SIZE)
    truth = replace(people.numbers, pose=pose_numbers(camera))
    fit = reconstruct_coarse(network, mesh, faces, iterations)
    # Where nothing moves any more, the iteration stops; the page goes on to its end.
    rest = iterations + 1 - len(fit.steps)
    steps = [*fit.steps, *[fit.last] * rest]
    change = torch.cat([fit.change, fit.change.new_zeros(rest, count)])
    return [
        _course(mesh, faces[[i]], truth[[i]], [step[[i]] for step in steps], change[:, i])
        for i in range(count)
    ]


def _course(
    mesh: FaceMesh,
    face: Tensor,
    truth: FaceNumbers,
    steps: Sequence[FaceNumbers],
    change: Tensor,
) -> Course:
    numbers = FaceNumbers.of(torch.cat([step.numbers for step in steps]))
    seen, known = feedback(mesh, numbers), feedback(mesh, truth)
    both = (seen.mask > 0) & (known.mask > 0)
    apart = torch.where(both, seen.depth - known.depth, torch.nan)
    middle = apart.flatten(1).nanmedian(1).values.view(-1, 1, 1, 1)
    apart = apart - middle
    turned = numbers.camera().rotation().mT @ truth.camera().rotation()
    cosine = (turned.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2
    return Course(
        seen,
        face * seen.mask,
        apart,
        apart.abs().flatten(1).nanmean(1),
        cosine.clamp(-1, 1).acos().rad2deg(),
        torch.cat([change.new_full((1,), torch.nan), change]),
    )


def _numbers(course: Course) -> dict[str, list[float | None]]:
    """What the page plots; null where there is nothing."""
    found = {"error": course.error, "turned": course.turned, "change": course.change}
    return {
        name: [None if value != value else round(value, 4) for value in values.tolist()]
        for name, values in found.items()
    }


def error_colours(depth_error: Tensor) -> Tensor:
    """Blue where a surface (B, 1, H, W) is too near, orange where it is too far, white between.

    Returns:
        (B, 3, H, W) in [0, 1]; grey where the error is not known.
    """
    share = (depth_error / FARTHEST).clamp(-1, 1)
    ends = torch.where(share < 0, *(share.new_tensor(c).view(1, 3, 1, 1) for c in (_NEAR, _FAR)))
    colours = 1 + share.abs() * (ends - 1)
    beside = share.new_tensor(_BESIDE).view(1, 3, 1, 1)
    return torch.where(share.isnan(), beside, colours)


def _tiles(course: Course) -> Tensor:
    """(T, 4, 3, tile, tile) in [0, 1]."""
    normals = torch.where(course.seen.mask > 0, 0.5 + 0.5 * course.seen.normals, 0)
    pictures = [
        course.faces.expand(-1, 3, -1, -1),
        course.seen.pncc,
        normals,
        error_colours(course.depth_error),
    ]
    return torch.stack([resized(one, _TILE) for one in pictures], 1)


def _sheet(courses: Sequence[Course]) -> str:
    """A data URL: a row a course, and in it the four tiles of each step after another."""
    rows = [_tiles(course).flatten(0, 1).permute(1, 2, 0, 3).flatten(2) for course in courses]
    pixels = (255 * torch.cat(rows, 1).clamp(0, 1)).round().to(torch.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy()).save(
        buffer, "WEBP", quality=82, method=3
    )
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
