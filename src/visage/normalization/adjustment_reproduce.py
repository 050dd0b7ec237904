"""Figure 14: exposure and white balance by the normalized face, beside what knows no faces."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import torch
from matplotlib.figure import Figure
from torch import Tensor

from visage.faces.reflectance import decode_srgb
from visage.faces.shape import MorphableModel
from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row, measured_result
from visage.normalization.applications_study import (
    Photographs,
    cast,
    draw_casts,
    draw_photographs,
    normalized,
    shipped_decoder,
)
from visage.normalization.colour_correction import correct_colours, face_colour
from visage.normalization.frame import normal_crop
from visage.normalization.normal_people import draw_normal_people
from visage.normalization.white_balance import grey_world, shades_of_grey
from visage.photos.alignment import align
from visage.photos.landmarks import find_face
from visage.photos.lfw import LFWNotFoundError, open_lfw, split
from visage.photos.reading import PhotoError
from visage.sheet import sheet

_CROP = 224
_DARKEST = 1e-3  # linear
_LUMINANCE = (0.2126, 0.7152, 0.0722)
_SHOTS = 4
_LFW_SHOTS = 4

NAMES = {
    "nothing": "input",
    "grey_world": "grey world",
    "shades_of_grey": "shades of grey",
    "true_face": "by true face",
    "decoder": "by decoder",
}


def angular_errors(images: Tensor, truth: Tensor, face: Tensor) -> Tensor:
    """Mean angle (B,), degrees, between linear colours over the faces' pixels (B, H, W)."""
    found, wanted = decode_srgb(images).double(), decode_srgb(truth).double()
    # From the chord: an arc cosine loses half of its digits where the angle is small.
    a, b = (x / x.norm(dim=1, keepdim=True).clamp(min=_DARKEST) for x in (found, wanted))
    chord = (a - b).norm(dim=1).clamp(max=2)
    return _over(torch.rad2deg(2 * torch.asin(chord / 2)), face)


def exposure_errors(images: Tensor, truth: Tensor, face: Tensor) -> Tensor:
    """Mean absolute difference of luminance (B,), stops, over the faces' pixels (B, H, W)."""
    weights = images.new_tensor(_LUMINANCE)[:, None, None]
    found, wanted = ((decode_srgb(x) * weights).sum(1).clamp(min=_DARKEST) for x in (images, truth))
    return _over((found / wanted).log2().abs(), face)


def mean_colours(images: Tensor, face: Tensor) -> Tensor:
    """Mean colour (B, 3), sRGB, over the faces' pixels (B, H, W)."""
    share = face[:, None].to(images)
    return (images * share).sum((2, 3)) / share.sum((2, 3)).clamp(min=1)


def spreads(colours: Tensor, person: Tensor) -> Tensor:
    """How far (P,) a person's photographs (N,) are from their mean colour, levels of 255, rms.

    Args:
        colours: (N, 3), sRGB.
        person: (N,) int64.
    """
    found = []
    for who in person.unique():
        own = colours[person == who]
        found.append((own - own.mean(0)).square().sum(1).mean().sqrt())
    return 255 * torch.stack(found)


def _over(values: Tensor, face: Tensor) -> Tensor:
    share = face.to(values)
    return (values * share).sum((1, 2)) / share.sum((1, 2)).clamp(min=1)


def corrected(photos: Tensor, landmarks: Tensor, faces: Tensor) -> Tensor:
    """Eq. 13 of photographs (B, 3, H, W) by their normalized faces (B, 3, S, S)."""
    aligned = torch.cat(
        [align(photo[None], points[None], normal_crop(_CROP), padding="border")
         for photo, points in zip(photos, landmarks, strict=True)]
    )  # fmt: skip
    means = (face_colour(pictures.clamp(0, 1)).clamp(0, 1) for pictures in (aligned, faces))
    return correct_colours(photos, *means)


def _methods(photos: Photographs, inputs: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """What each makes of the inputs; truth is the normalized face of each person."""
    found = {
        "nothing": inputs,
        "grey_world": grey_world(inputs),
        "shades_of_grey": shades_of_grey(inputs),
        "true_face": corrected(inputs, photos.landmarks, truth[photos.person]),
    }
    decoder = shipped_decoder()
    if decoder is not None:
        faces = normalized(decoder, inputs, photos.landmarks).image
        found["decoder"] = corrected(inputs, photos.landmarks, faces)
    return found


def reproduce_fig14(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Casts of known size on photographs of people who do not exist, and what undoes them."""
    start, count = time.perf_counter(), (20 if profile == "full" else 2)
    model = MorphableModel.load()
    photos = draw_photographs(model, 0, range(count), _SHOTS)
    truth = draw_normal_people(model, 0, range(count), size=_CROP).image
    inputs = cast(photos.image, draw_casts(len(photos), torch.Generator().manual_seed(seed)))
    methods = _methods(photos, inputs, truth)
    rows: list[Row] = []
    for name, images in methods.items():
        angles = angular_errors(images, photos.image, photos.face)
        exposures = exposure_errors(images, photos.image, photos.face)
        spread = spreads(mean_colours(images, photos.face), photos.person)
        rows += [
            mean_row(f"angular_error_{name}", angles, "degrees", "lower"),
            mean_row(f"exposure_error_{name}", exposures, "stops", "lower"),
            mean_row(f"spread_{name}", spread, "levels", "lower"),
        ]
    before = spreads(mean_colours(photos.image, photos.face), photos.person)
    rows.append(mean_row("spread_before_the_cast", before, "levels", None))
    rows += _photographed(60 if profile == "full" else 3)
    result = measured_result(
        "normalization/fig14",
        "The face's colour is enough to correct exposure and white balance; a method that does not "
        "look at the face is limited in what it adjusts, and less consistent over photographs of "
        "one person (no number is given).",
        f"{count} synthetic test people, {_SHOTS} well-lit everyday pictures each, under a cast of "
        "known size: up to 1.5 stops and 2,500 to 12,500 kelvin, in linear light, clipped. "
        "angular_error and exposure_error: pixel by pixel of the face's skin, against the picture "
        "before the cast. spread: rms distance of a photograph's mean face colour from the mean "
        "over the person's photographs, in levels of 255. true_face corrects by the person's true "
        "normalized face, an upper bound; decoder by the shipped synthetic decoder's. Grey world "
        "and shades of grey stand for the paper's Barron (2015). Rows _lfw: photographs of LFW's "
        f"test people, {_LFW_SHOTS} each, as they are, with the decoder of photographs.",
        paper="cole2017synthesizing", profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, _figure(photos, methods)


def _figure(photos: Photographs, methods: Mapping[str, Tensor], people: int = 2) -> Figure:
    """The paper's arrangement: photographs of some people, a row a method."""
    shown = torch.nonzero(photos.person < people)[:, 0]
    rows = {"before the cast": photos.image[shown]}
    order = ("nothing", "decoder", "true_face", "shades_of_grey", "grey_world")
    rows |= {NAMES[name]: methods[name][shown] for name in order if name in methods}
    return sheet(list(rows.values()), list(rows))


# Real photographs, where they are: no truth, but the same person should have the same colour.


def _photographed(count: int) -> list[Row]:
    decoder = shipped_decoder("lfw")
    if decoder is None:
        return []
    try:
        images, landmarks, person = _lfw_photographs(count)
    except LFWNotFoundError:
        return []
    size = images.shape[-1]
    axis = torch.arange(float(size))
    inside = torch.stack([_near_the_nose(points, axis) for points in landmarks])
    faces = normalized(decoder, images, landmarks).image
    methods: dict[str, Callable[[], Tensor]] = {
        "nothing": lambda: images,
        "grey_world": lambda: grey_world(images),
        "shades_of_grey": lambda: shades_of_grey(images),
        "decoder": lambda: corrected(images, landmarks, faces),
    }
    return [
        mean_row(
            f"spread_{name}_lfw", spreads(mean_colours(make(), inside), person), "levels", "lower"
        )
        for name, make in methods.items()
    ]


def _near_the_nose(points: Tensor, axis: Tensor) -> Tensor:
    """(S, S) bool: pixels of the cheeks and the nose, a circle round the nose's tip."""
    radius = 0.6 * (points[42:48].mean(0) - points[36:42].mean(0)).norm()
    x, y = points[30]
    return (axis[None] - x).square() + (axis[:, None] - y).square() < radius.square()


def _lfw_photographs(count: int) -> tuple[Tensor, Tensor, Tensor]:
    lfw = open_lfw()
    images, landmarks, person = [], [], []
    there = sorted(lfw.people().items())
    wanted = [one for one in there if split(one[0]) == "test" and len(one[1]) >= _LFW_SHOTS]
    for who, (name, numbers) in enumerate(wanted[:count]):
        for number in sorted(numbers)[:_LFW_SHOTS]:
            image = lfw.image(name, number)
            try:
                points = find_face(image, which="central").landmarks
            except PhotoError:
                continue
            images.append(image)
            landmarks.append(points)
            person.append(who)
    return torch.cat(images), torch.cat(landmarks), torch.tensor(person)


EXPERIMENTS: dict[str, Experiment] = {"normalization/fig14": reproduce_fig14}
