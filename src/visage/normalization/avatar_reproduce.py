"""Figure 13: normalized faces mapped onto a 3-D head; and what the mapping is worth."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import skimage.data
import torch
from matplotlib.figure import Figure
from torch import Tensor

from visage.faces.fitting.measures import over
from visage.faces.shape import MorphableModel
from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row, measured_result
from visage.normalization.applications_study import draw_photographs, normalized, shipped_decoder
from visage.normalization.avatar import Avatars, draw_avatars, fine_model, make_avatars
from visage.normalization.colour_basis import ColourBasis
from visage.normalization.correspondence import JitteredCameras, find_correspondence
from visage.normalization.model_fitting import fit_shape
from visage.normalization.normal_people import NormalPeople, draw_normal_people
from visage.photos.landmarks import detect_faces, find_face, find_landmarks
from visage.photos.reading import open_photo
from visage.sheet import sheet

_PEOPLE = {"full": 50, "fast": 4}
_SIZE = 224
_PHOTO = 256
_SHOWN = 4
_YAWS = (-0.75, 0.0, 0.75)  # radians, of the figure's heads
_SIDE = 0.25  # confidence below which a vertex is known by the basis alone


@dataclass(frozen=True, eq=False)
class _Input:
    """Normalized faces, from one source or another."""

    images: Tensor  # (N, 3, S, S)
    landmarks: Tensor  # (N, 68, 2)
    rows: Tensor  # (N,) int64, which people they are of


def reproduce_fig13(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Fit people who do not exist, whose heads are known."""
    start, full = time.perf_counter(), profile == "full"
    count, model = _PEOPLE[profile], fine_model()
    people = draw_normal_people(model, 0, range(count), size=_SIZE)
    inputs = {"landmarks": _Input(people.image, people.landmarks, torch.arange(count)),
              "detected": _detected(people)}  # fmt: skip
    photos = _photographs(count)
    decoded = _decoded(photos)
    if decoded is not None:
        inputs["decoder"] = decoded
    make_avatars(people.image[:1], people.landmarks[:1], model=model)  # compile what is timed
    fits, rows = {}, []
    for name, given in inputs.items():
        began = time.perf_counter()
        fits[name] = make_avatars(given.images, given.landmarks, model=model)
        took = (time.perf_counter() - began) / len(given.rows)
        rows += _shape_rows(model, name, fits[name], people, given.rows)
        rows.append(Row(f"seconds_{name}", None, took, "s", "lower", len(given.rows)))
    rows += _mean_rows(model, people)
    for name in ("landmarks", "decoder"):
        if name in fits:
            rows += _colour_rows(model, name, fits[name], people, inputs[name].rows)
    rows += _correspondence_rows(people, 60 if full else 6, seed)
    result = measured_result(
        "normalization/fig13",
        "Normalized faces are easily fitted with a morphable model, which gives a textured, "
        "well-aligned 3-D head; its fidelity is limited by the model's range (no number is given).",
        f"{count} synthetic test people. landmarks: the true normalized picture and its true "
        "landmarks; detected: dlib's landmarks in it; decoder: picture and landmarks of the "
        "shipped synthetic decoder, from one everyday photograph. vertex_error: mean distance over "
        "the front of the face after a similarity that takes position and size out, which one "
        "picture does not show; mean_face is the model's mean. colour_error: mean absolute "
        "difference from the true colours in even light, in levels of 255, over bare skin of the "
        "face; visible where the confidence is above "
        f"{_SIDE}, side below; mean_colour is the basis' mean. The 68 landmarks are dlib's; the "
        "paper has 65.",
        paper="cole2017synthesizing", profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, _figure(model, people, fits, photos)


def _detected(people: NormalPeople) -> _Input:
    """Dlib's landmarks, in the pictures in which it sees a face."""
    landmarks, rows = [], []
    for row, image in enumerate(people.image):
        boxes = detect_faces(image[None])
        if boxes:
            best = max(boxes, key=lambda box: box.score)
            landmarks.append(find_landmarks(image[None], best))
            rows.append(row)
    rows = torch.tensor(rows)
    return _Input(people.image[rows], torch.cat(landmarks), rows)


def _photographs(count: int):
    """One everyday picture of each person, where there is a decoder to show it to."""
    if shipped_decoder() is None:
        return None
    return draw_photographs(MorphableModel.load(), 0, range(count), 1, _PHOTO)


def _decoded(photos) -> _Input | None:
    if photos is None:
        return None
    faces = normalized(shipped_decoder(), photos.image, photos.landmarks)
    return _Input(faces.image, faces.landmarks, photos.person)


def _face(model: MorphableModel) -> Tensor:
    """Vertices of the front of the face, without ears, scalp and neck."""
    return (model.regions["face"] > 0.5).nonzero()[:, 0]


def _shape_rows(
    model: MorphableModel, name: str, fits: Avatars, people: NormalPeople, rows: Tensor
) -> list[Row]:
    truth, face = people.vertices[rows], _face(model)
    return [
        mean_row(f"vertex_error_{name}", over(face, fits.vertices, truth, True), "mm", "lower"),
        mean_row(
            f"landmark_residual_{name}",
            (fits.shape.landmarks - _at_size(people, fits, rows)).norm(dim=2).mean(1),
            "px",
            None,
        ),
        mean_row(f"steps_{name}", fits.shape.steps.float(), "", None),
    ]


def _at_size(people: NormalPeople, fits: Avatars, rows: Tensor) -> Tensor:
    """The true landmarks in the pixels of the fitted pictures."""
    scale = fits.shape.camera.width / people.image.shape[-1]
    return (people.landmarks[rows] + 0.5) * scale - 0.5


def _mean_rows(model: MorphableModel, people: NormalPeople) -> list[Row]:
    mean = model.mean.expand_as(people.vertices)
    errors = over(_face(model), mean, people.vertices, True)
    return [mean_row("vertex_error_mean_face", errors, "mm", None)]


def _colour_rows(
    model: MorphableModel, name: str, fits: Avatars, people: NormalPeople, rows: Tensor
) -> list[Row]:
    texture, truth = fits.texture, people.colours[rows]
    region = torch.zeros(len(model.mean), dtype=torch.bool)
    region[_face(model)] = True
    visible = region & people.bare[rows] & (texture.confidence >= _SIDE)
    side = (region | (model.regions["ears"] > 0.5)) & (texture.confidence < _SIDE)
    mean = ColourBasis.standard(model.subdivision).mean.expand_as(truth)
    found = []
    for place, where in (("visible", visible), ("side", side)):
        for kind, colours in (("projected", texture.projected), ("basis", texture.explained),
                              ("blended", texture.colours), ("mean_colour", mean)):  # fmt: skip
            if kind == "mean_colour" and name != "landmarks":
                continue
            away = 255 * (colours - truth).abs().mean(2)
            errors = (away * where).sum(1) / where.sum(1).clamp(min=1)
            label = f"colour_error_{place}_{kind}" + ("" if name == "landmarks" else f"_{name}")
            found.append(mean_row(label, errors, "levels", "lower"))
    return found


def _correspondence_rows(people: NormalPeople, views: int, seed: int) -> list[Row]:
    """Appendix B.1 on the mesh as it was sculpted, where the model's own vertices were chosen."""
    model = MorphableModel.load()
    elected = find_correspondence(model, JitteredCameras(count=views), seed=seed)
    away = elected.distance_mm(model, model.landmarks)
    detected = _detected(people)
    truth, face = people.vertices[detected.rows, : len(model.mean)], _face(model)
    found = fit_shape(model, detected.landmarks, _SIZE, vertices=elected.vertices)
    errors = over(face, model.vertices(found.identity), truth, True)
    return [
        Row("landmarks_elected_alike", None, int((away == 0).sum()), "", "higher", 68),
        mean_row("landmarks_apart", away, "mm", "lower"),
        mean_row("landmarks_apart_inner", away[17:], "mm", "lower"),
        Row("views_with_a_face", None, elected.views, "", None, views),
        mean_row("vertex_error_detected_elected", errors, "mm", "lower"),
    ]


def _figure(model: MorphableModel, people: NormalPeople, fits, photos) -> Figure:
    """Photograph, normalized face, head from three sides; a row a person."""
    name = "decoder" if "decoder" in fits else "landmarks"
    avatars, shown = fits[name], min(_SHOWN, len(people))
    normal = people.image
    if photos is not None:
        normal = normalized(shipped_decoder(), photos.image, photos.landmarks).image
    heads = [_turned(model, avatars, row) for row in range(shown)]
    columns, rows = ["normalized", "left", "front", "right"], []
    for row in range(shown):
        pictures = [_resized(normal[row]), *heads[row]]
        if photos is not None:
            pictures = [_resized(photos.image[row]), *pictures]
        rows.append(torch.stack(pictures))
    if photos is not None:
        columns = ["photograph", *columns]
        rows.append(_astronaut(model))
    return sheet(rows, [""] * len(rows), columns=columns)


def _turned(model: MorphableModel, avatars: Avatars, row: int) -> Tensor:
    """One head from the figure's sides, (3, 3, S, S)."""
    angles = torch.tensor([[0.0, yaw, 0.0] for yaw in _YAWS])
    parts = (avatars.vertices[row], avatars.texture.colours[row])
    heads = [part.expand(len(angles), -1, -1) for part in parts]
    return draw_avatars(model, *heads, angles, _SIZE, lit=0.7)


def _astronaut(model: MorphableModel) -> Tensor:
    """A photograph that may be shown: NASA's portrait of Eileen Collins, in the public domain."""
    photo = open_photo(skimage.data.astronaut())
    landmarks = find_face(photo, which="largest").landmarks
    faces = normalized(shipped_decoder("lfw") or shipped_decoder(), photo, landmarks)
    avatars = make_avatars(faces.image, faces.landmarks, model=model)
    middle = landmarks[0].mean(0)
    half = math.ceil(1.1 * float((landmarks[0].amax(0) - landmarks[0].amin(0)).max()))
    x, y = (int(value) for value in middle)
    cut = photo[..., max(0, y - half) : y + half, max(0, x - half) : x + half]
    return torch.stack([_resized(cut[0]), _resized(faces.image[0]), *_turned(model, avatars, 0)])


def _resized(image: Tensor) -> Tensor:
    return torch.nn.functional.interpolate(
        image[None], (_SIZE, _SIZE), mode="bilinear", antialias=True
    )[0].clamp(0, 1)


EXPERIMENTS: dict[str, Experiment] = {"normalization/fig13": reproduce_fig13}
