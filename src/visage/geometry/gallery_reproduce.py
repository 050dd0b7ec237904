"""Figure 10: reconstructions by several methods from two viewpoints; and photographs, measured."""

from __future__ import annotations

import math
import time

import torch
from matplotlib.figure import Figure
from torch import Tensor

from visage.faces.fitting.priors import FittingPriors
from visage.faces.shape import MorphableModel
from visage.geometry.coarse import reconstruct_coarse
from visage.geometry.confidence import CONFIDENCE
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.held_out import HeldOut, held_out_faces
from visage.geometry.held_out_drawing import Sitting
from visage.geometry.landmark_fit import MEAN_FACE, fit_landmarks
from visage.geometry.methods import Estimate, estimates
from visage.geometry.photographs import PhotographedFaces, astronaut, lfw_faces
from visage.geometry.pipeline import reconstruct_windows
from visage.geometry.representation import FaceNumbers
from visage.geometry.study import networks, part_result, single_pass
from visage.geometry.surface_normals import depth_laplacian, normals_of_depth
from visage.geometry.surface_pictures import clay_picture, grey_picture, side_picture
from visage.geometry.table_reproduce import NAMES, compared
from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row
from visage.sheet import sheet

METHODS = ("ours", "template_sfs", "landmark_3dmm", "single_pass")
"""The paper's four."""

_SHOWN, _PHOTOGRAPHS = {"fast": 2, "full": 5}, {"fast": 3, "full": 200}
_SIDE = math.radians(40)
_EYES = (slice(36, 42), slice(42, 48))


def reproduce_fig10(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Test people and the astronaut by four methods; landmarks of LFW's people."""
    start = time.perf_counter()
    faces = held_out_faces(_SHOWN[profile])
    found = estimates(faces, profile, METHODS)
    summary = compared(faces, found).summary
    rows = [mean_row(f"mean_mm/{name}", summary[name].mean, "mm", "lower") for name in METHODS]
    photos = astronaut()
    seen = _as_held_out(photos)
    on_photo = estimates(seen, profile, METHODS)
    rows += _roughness_rows(on_photo, seen)
    rows += _photo_rows(photos, "astronaut", profile)
    people = lfw_faces(_PHOTOGRAPHS[profile])
    if people is not None:
        rows += _photo_rows(people, "lfw", profile)
    result = part_result(
        "geometry/fig10",
        "Unlike the other methods, the proposed one is robust to pose and expression, and still "
        "captures subtle facial details.",
        f"The first {len(faces)} of table 1's people and NASA's portrait of an astronaut. "
        "landmark_error: mean distance between 49 landmarks that dlib's predictor (trained on "
        "photographs) places inside the face and those of the reconstruction, by the distance of "
        "the eyes' centres, after the model's mean differences from dlib's idea of them are taken "
        "out as measured on training people; "
        + ("no LFW here. " if people is None else f"{len(people)} people of LFW's test side, one "
           "photograph each, shown to no network in training. ")
        + "confidence: as `reconstruct` gives it. roughness: mean |Laplacian| of the astronaut's "
        "depth over the face, in mm a pixel², to be read beside the coarse surface's. The paper "
        "shows photographs in the wild, without numbers.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, _gallery(faces, found, seen, on_photo)


def _as_held_out(photos: PhotographedFaces) -> HeldOut:
    """Photographs as the methods take them; of the truth nothing is known."""
    count, none = len(photos), torch.full_like(photos.faces, torch.nan)
    nobody = tuple(Sitting(i) for i in range(count))
    return HeldOut(
        nobody, photos.faces, none, none > 0, FaceNumbers.zeros(count), photos.landmarks,
        torch.ones(count).bool(),
    )  # fmt: skip


def _roughness_rows(found: dict[str, Estimate], seen: HeldOut) -> list[Row]:
    rows = []
    for name, estimate in found.items():
        mask = estimate.mask.float()
        rough = depth_laplacian(estimate.depth, mask).abs() * mask
        mean = rough.sum((1, 2, 3)) / mask.sum((1, 2, 3))
        rows.append(mean_row(f"roughness_astronaut/{name}", mean, "mm/px²", None))
    return rows


def _photo_rows(photos: PhotographedFaces, where: str, profile: Profile) -> list[Row]:
    """Landmarks of ours and of the other methods that have any, and what ours says of itself."""
    found = [reconstruct_windows(networks(profile), part) for part in photos.faces.split(20)]
    ours = FaceNumbers.of(torch.cat([some.numbers.numbers for some in found]))
    single = [reconstruct_coarse(single_pass(profile), FaceMesh.load(), part, 1).last.numbers
              for part in photos.faces.split(20)]  # fmt: skip
    posed = fit_landmarks(MorphableModel.load(), photos.landmarks, photos.faces.shape[-1],
                          MEAN_FACE)  # fmt: skip
    numbers = {"ours": ours, "single_pass": FaceNumbers.of(torch.cat(single)), "mean_face": posed}
    confidence = torch.cat([CONFIDENCE(some.looks) for some in found])
    return [
        *(mean_row(f"landmark_error_{where}/{name}", landmark_errors(some, photos), "of eyes",
                   "lower") for name, some in numbers.items()),
        mean_row(f"confidence_{where}", confidence, "", None),
    ]  # fmt: skip


def landmark_errors(numbers: FaceNumbers, photos: PhotographedFaces) -> Tensor:
    """(N,) mean distance of inner landmarks from dlib's, by the distance of the eyes' centres."""
    size = photos.faces.shape[-1]
    places = landmarks_of(numbers, size)
    apart = (places - photos.landmarks)[:, 17:].norm(dim=2).mean(1)
    left, right = (photos.landmarks[:, eye].mean(1) for eye in _EYES)
    return apart / (left - right).norm(dim=1)


def landmarks_of(numbers: FaceNumbers, size: int) -> Tensor:
    """(N, 68, 2) pixels, where the model's landmarks are seen, as dlib would place them."""
    model = MorphableModel.load()
    camera = numbers.camera(size)
    vertices = model.vertices(numbers.identity, numbers.expression)
    chosen = model.landmark_vertices(camera.angles[:, 1])
    places = camera.project(vertices.gather(1, chosen[..., None].expand(-1, -1, 3)))[..., :2]
    # dlib's own idea of the points: mm in the frame of the upright face, y up.
    x, y = FittingPriors.load().landmarks.mean.unbind(1)
    cosine, sine = camera.angles[:, 2:].cos(), camera.angles[:, 2:].sin()
    offset = torch.stack([cosine * x - sine * y, -(sine * x + cosine * y)], 2)
    return places + offset * camera.scale[:, None, None]


def _gallery(
    faces: HeldOut, found: dict[str, Estimate], seen: HeldOut, on_photo: dict[str, Estimate]
) -> Figure:
    """A row of each person: the picture, then each method from the front and from the side."""
    rows, names = [], []
    for some, estimated, label in ((faces, found, "test person"), (seen, on_photo, "astronaut")):
        scale = fit_landmarks(MorphableModel.load(), some.landmarks, some.size, MEAN_FACE)
        scales = scale.camera(some.size).scale
        for person in range(len(some)):
            one = slice(person, person + 1)
            pictures = [grey_picture(some.faces[one])]
            for name in METHODS:
                depth, mask = estimated[name].depth[one], estimated[name].mask[one].float()
                normals = normals_of_depth(depth, mask, scales[one])
                pictures.append(clay_picture(normals, mask))
                pictures.append(side_picture(depth, mask, float(scales[person]), _SIDE, some.size))
            rows.append(torch.cat(pictures))
            names.append(label)
    columns = ["picture", *(text for name in METHODS for text in (NAMES[name], ""))]
    return sheet(rows, names, columns=columns)


EXPERIMENTS: dict[str, Experiment] = {"geometry/fig10": reproduce_fig10}
