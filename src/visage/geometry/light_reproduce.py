"""Figure 6: light and albedo from one picture, next to the truth."""

from __future__ import annotations

import time

import torch
from matplotlib.figure import Figure
from torch import Tensor

from visage.faces.reflectance import encode_srgb
from visage.geometry.detail import DetailedFaces
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.kept_detail import detailed_faces
from visage.geometry.light_and_albedo import Recovered, RecoveryConfig
from visage.geometry.light_errors import DIRECTED, LightErrors, explain_faces, light_errors
from visage.geometry.photographs import PhotographedFaces, astronaut, lfw_faces
from visage.geometry.pipeline import FINE_MESH, coarse_looks
from visage.geometry.representation import FaceNumbers
from visage.geometry.study import networks, part_result
from visage.geometry.texture_space import TextureSpace
from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row
from visage.sheet import sheet

_FACES = {"fast": 2, "full": 100}
_SHOWN, _PHOTOS = 5, 3
_TOGETHER = 20
_NAMES = ("picture", "albedo in light", "albedo", "true albedo", "shading")
_AVERAGE = RecoveryConfig(albedo_prior=1e6)
"""Nothing moves the albedo off the average face: eq. 11 alone."""


def reproduce_fig6(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Explain pictures of people whose light and albedo are known."""
    start = time.perf_counter()
    count = _FACES[profile]
    faces = detailed_faces("test", count, progress=False).rows(slice(0, count))
    estimated = coarse_numbers(faces.faces, profile)
    rows = [
        *light_rows(faces, estimated, ""),
        *light_rows(faces, faces.truth, "/true_shape"),
        *light_rows(faces, faces.truth, "/average_albedo", _AVERAGE),
    ]
    result = part_result(
        "geometry/fig6",
        "The lighting can be recovered with the average facial albedo and the coarse depth map, "
        "and the albedo then in a subspace of ten textures.",
        f"{count} test people, one picture of 200 pixels each, all lights, with hair, beards and "
        "glasses, on uncovered skin. Least squares of eqs. 11 and 12 in linear light on the skin "
        "of CoarseNet's face; rows /true_shape: of the true numbers' face; rows /average_albedo: "
        "of the true face, with the average albedo. light_angle: degrees between the first-order "
        "direction of the found light and of the true one (key light without shadows and ambient "
        f"light), median over lights whose direction is {DIRECTED:g} of their mean or more. "
        "shading_error and albedo_error: root mean square differences, relative, after the best "
        "common factor (no picture tells bright light from fair skin), means over faces. "
        "explained: share of the variance of the picture's intensity. The paper shows pictures "
        "and no number.",
        profile=profile,
        seed=seed,
        start=start,
        rows=rows,
    )
    shown = slice(0, _SHOWN)
    return result, light_figure(faces[shown], estimated[shown], _photographs(profile), profile)


def coarse_numbers(faces: Tensor, profile: Profile) -> FaceNumbers:
    """CoarseNet's numbers of faces (B, 1, S, S)."""
    looks = [coarse_looks(networks(profile).coarse, some).last for some in faces.split(_TOGETHER)]
    return FaceNumbers.of(torch.cat([numbers.numbers for numbers in looks]))


def light_rows(
    faces: DetailedFaces, numbers: FaceNumbers, tail: str, config: RecoveryConfig | None = None
) -> list[Row]:
    """Errors of light and albedo found on the faces that the numbers have."""
    mesh = FaceMesh.load(FINE_MESH)
    space, parts = TextureSpace.load(mesh), []
    for start in range(0, len(faces), _TOGETHER):
        some = slice(start, start + _TOGETHER)
        found, normals, skin = explain_faces(faces[some], numbers[some], mesh, space, config)
        parts.append(light_errors(found, faces[some], normals, skin))
    errors = LightErrors(
        *(torch.cat([getattr(part, name) for part in parts])
          for name in ("angle", "shading", "albedo", "explained"))
    )  # fmt: skip
    angle = errors.angle[errors.angle.isfinite()]
    median = float(angle.median()) if len(angle) else 0.0
    return [
        Row(f"light_angle{tail}", None, median, "degrees", "lower", len(angle)),
        mean_row(f"shading_error{tail}", errors.shading, "fraction", "lower"),
        mean_row(f"albedo_error{tail}", errors.albedo, "fraction", "lower"),
        mean_row(f"explained{tail}", errors.explained, "fraction", "higher"),
    ]


def _photographs(profile: Profile) -> PhotographedFaces:
    """The astronaut, and people of LFW where they are."""
    first, others = astronaut(), lfw_faces(_PHOTOS - 1) if profile == "full" else None
    if others is None:
        return first
    return PhotographedFaces(
        first.names + others.names,
        torch.cat([first.faces, others.faces]),
        torch.cat([first.landmarks, others.landmarks]),
    )


def light_figure(
    faces: DetailedFaces, numbers: FaceNumbers, photos: PhotographedFaces, profile: Profile
) -> Figure:
    """Pictures, and what explains them; photographs have no true albedo."""
    mesh = FaceMesh.load(FINE_MESH)
    space = TextureSpace.load(mesh)
    found, _, skin = explain_faces(faces, numbers, mesh, space)
    of_photos, photo_skin = _explained_photos(photos, mesh, space, profile)
    true = encode_srgb(faces.albedo * _alike(found.albedo, faces.albedo, skin)).masked_fill(
        faces.mask == 0, 1.0
    )
    rows = [
        torch.cat([faces.faces, photos.faces]),
        torch.cat([_shown(found.picture, skin), _shown(of_photos.picture, photo_skin)]),
        torch.cat([_shown(found.albedo, skin), _shown(of_photos.albedo, photo_skin)]),
        torch.cat([true, torch.ones_like(photos.faces)]),
        torch.cat([_lit(found, skin), _lit(of_photos, photo_skin)]),
    ]
    return sheet([row.clamp(0, 1).expand(-1, 3, -1, -1) for row in rows], _NAMES)


def _explained_photos(
    photos: PhotographedFaces, mesh: FaceMesh, space: TextureSpace, profile: Profile
) -> tuple[Recovered, Tensor]:
    nothing = torch.zeros_like(photos.faces)
    count = len(photos)
    unknown = DetailedFaces(
        photos.faces, nothing, nothing, nothing, nothing, nothing, torch.zeros(count, 138),
        torch.zeros(count, 9), torch.zeros(count),
    )  # fmt: skip
    found, _, skin = explain_faces(unknown, coarse_numbers(photos.faces, profile), mesh, space)
    return found, skin


def _shown(linear: Tensor, mask: Tensor) -> Tensor:
    return encode_srgb(linear).masked_fill(mask == 0, 1.0)


def _lit(found: Recovered, mask: Tensor) -> Tensor:
    """Shading, each face's brightest twentieth light grey."""
    inside = found.shading.masked_fill(mask == 0, torch.nan).flatten(1)
    most = 1.4 * inside.nanquantile(0.95, dim=1)[:, None, None, None].clamp(min=1e-3)
    return _shown(found.shading / most, mask)


def _alike(found: Tensor, true: Tensor, mask: Tensor) -> Tensor:
    """The factor (B, 1, 1, 1) that makes true albedo as bright as what was found."""
    total = (true * mask).sum((1, 2, 3), keepdim=True).clamp(min=1e-6)
    return (found * mask).sum((1, 2, 3), keepdim=True) / total


EXPERIMENTS: dict[str, Experiment] = {"geometry/fig6": reproduce_fig6}
