"""Figures 6 and 7: random morphs, and averages of one person's pictures."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor

from visage.faces.dataset import SyntheticFaces
from visage.faces.population import people
from visage.faces.shape import MorphableModel
from visage.faces.shots import ShotRanges
from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row, measured_result
from visage.normalization.albums import find_all
from visage.normalization.averaging import average_people
from visage.normalization.compositing import blending_mask, equation_residual
from visage.normalization.faces import NormalFaces, stored
from visage.normalization.filtering import measure_all
from visage.normalization.frame import lip_gap, mean_landmarks, normal_crop, part_lips
from visage.normalization.morphing import FaceMorpher
from visage.normalization.read_outs import load_read_outs
from visage.normalization.training_set import (
    LFW_QUALITY,
    MOST_AVERAGED,
    SYNTHETIC_AMOUNTS,
    SYNTHETIC_PEOPLE,
    lfw_album,
    lfw_training_set,
    synthetic_faces,
)
from visage.photos.alignment import DLIB_CHIP, align, apply_transform, crop_transform, to_grey
from visage.photos.landmarks import detect_faces
from visage.photos.lfw import LFWNotFoundError, open_lfw
from visage.recognition.chips import synthetic_name
from visage.recognition.encoder import Encoder, embed_mirrored, load_encoder
from visage.sheet import sheet

_PAPER = "cole2017synthesizing"
_SHOWN, _COLUMNS = 4, 6  # of figure 6: faces, and morphs of each
_PEOPLE_SHOWN, _PICTURES_SHOWN = 3, 4  # of figure 7
_SITTING = ShotRanges(
    yaw=8, pitch=5, width=(275, 300), shift=0.03, expressions={"neutral": 1.0}
)  # what the filter would leave of everyday pictures


def reproduce_fig6(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Morphs of synthetic faces, shown; of LFW's, measured where there are photographs."""
    start, full = time.perf_counter(), profile == "full"
    size = SYNTHETIC_AMOUNTS.size
    base = synthetic_faces(SYNTHETIC_PEOPLE if full else 24, "train", size)
    count, encoder = 200 if full else 6, load_encoder()
    rows = morph_rows(FaceMorpher(base), seed, count, encoder, "")
    try:
        photographs = lfw_training_set(open_lfw()).base if full else None
    except LFWNotFoundError:
        photographs = None
    if photographs is not None:
        rows += morph_rows(FaceMorpher(photographs), seed, count, encoder, "_lfw")
    figure = morph_sheet(FaceMorpher(base), seed)
    result = measured_result(
        "normalization/fig6",
        "Random morphs with similar faces, composited onto the first face's picture, look like "
        "photographs of new people.",
        f"{count} morphs of {len(base)} synthetic training people (rows _lfw: of LFW's averaged "
        f"faces) at {size} pixels. distance: of dlib's embeddings of a morph to each parent, and "
        "of the parents; novel: morphs that are nearer to no parent than the recogniser's "
        "threshold for one person. face_found: dlib's detector sees a face. residual: root mean "
        "square of what eq. 3 leaves, in grey levels, of the solution and of simply blending the "
        "two pictures by the mask. neighbour and stranger: eq. 2, the mean over the 200 nearest "
        "and over all others. solve_ms: eq. 3, one core; morph_ms: with both warps.",
        paper=_PAPER, profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, figure


def morph_rows(
    morpher: FaceMorpher, seed: int, count: int, encoder: Encoder, suffix: str
) -> list[Row]:
    """What morphs are like: how new, how seamless, how fast."""
    began = time.process_time()
    made = morpher.draw(seed, range(count))
    morph_ms = 1000 * (time.process_time() - began) / count
    faces, background = made.morphs.textures(morpher.textures), morpher.textures[made.morphs.first]
    began = time.process_time()
    solved = morpher.compositor(faces, background)
    solve_ms = 1000 * (time.process_time() - began) / count
    mask = morpher.compositor.mask
    blended = background + mask * (faces - background)
    residuals = [equation_residual(x, faces, background, mask) * 255 for x in (solved, blended)]
    morphs = embed_faces(encoder, made.images, made.landmarks)
    parents = [
        embed_faces(encoder, morpher.base.pictures(rows), morpher.base.landmarks[rows])
        for rows in (made.morphs.first, made.morphs.second)
    ]
    apart = [encoder.distance(morphs, parent) for parent in parents]
    novel = (torch.minimum(*apart) > encoder.threshold).float()
    found = torch.tensor([float(bool(detect_faces(_framed(one)))) for one in made.images])
    near = morpher.distances.gather(1, morpher.neighbours).mean(1)
    all_others = morpher.distances.sum(1) / (len(near) - 1)
    return [
        mean_row(f"distance_to_first{suffix}", apart[0], "", None),
        mean_row(f"distance_to_second{suffix}", apart[1], "", None),
        mean_row(f"distance_of_parents{suffix}", encoder.distance(*parents), "", None),
        mean_row(f"novel{suffix}", novel, "fraction", None),
        mean_row(f"face_found{suffix}", found, "fraction", "higher"),
        mean_row(f"residual{suffix}", residuals[0], "grey levels", "lower"),
        mean_row(f"residual_blended{suffix}", residuals[1], "grey levels", "lower"),
        mean_row(f"neighbour{suffix}", near, "", None),
        mean_row(f"stranger{suffix}", all_others, "", None),
        Row(f"solve_ms{suffix}", None, solve_ms, "ms", "lower", count),
        Row(f"morph_ms{suffix}", None, morph_ms, "ms", "lower", count),
    ]


def morph_sheet(morpher: FaceMorpher, seed: int) -> Figure:
    """Faces and their morphs; the last row is the one above it without compositing."""
    count = len(morpher.base)
    chosen = [(7 * k) % count for k in range(_SHOWN)]
    rows = []
    for face in chosen:
        numbers = [face + count * k for k in range(_COLUMNS)]
        rows.append(torch.cat([morpher.base.pictures([face]), morpher.draw(seed, numbers).images]))
    bare = morpher.draw(seed, numbers, composited=False).images
    rows.append(torch.cat([morpher.base.pictures([chosen[-1]]), bare]))
    names = [f"face {letter}" for letter in "ABCDEFGH"[:_SHOWN]] + ["not composited"]
    return sheet(rows, names, columns=["normal face", *["morph"] * _COLUMNS])


def embed_faces(encoder: Encoder, images: Tensor, landmarks: Tensor) -> Tensor:
    """Embeddings (B, dim) of normalized faces (B, 3, S, S), each with its mirror image's."""
    with torch.inference_mode():
        chips = align(images, landmarks, DLIB_CHIP, padding="border")
        return torch.cat([embed_mirrored(encoder, some) for some in chips.split(32)])


def _framed(image: Tensor) -> Tensor:
    """A face twice as large, with what the detector wants to see around it."""
    return torch.nn.functional.interpolate(image[None], scale_factor=2, mode="bilinear")


@dataclass(frozen=True, eq=False)
class Sittings:
    """K pictures of each of P people: (P, K, 3, S, S) in [0, 1] and (P, K, 68, 2)."""

    people: tuple[str, ...]
    images: Tensor
    landmarks: Tensor

    def averages(self, chosen: slice) -> NormalFaces:
        """The average of the chosen pictures of each person."""
        images, landmarks = self.images[:, chosen], self.landmarks[:, chosen]
        names = [name for name in self.people for _ in range(images.shape[1])]
        return average_people(names, stored(images.flatten(0, 1)), landmarks.flatten(0, 1))


def synthetic_sittings(count: int, each: int, size: int) -> Sittings:
    """Neutral pictures within 8 degrees of frontal, in all lights, of people without glasses."""
    model = MorphableModel.load()
    worn = people(model, 0, range(2 * count + 8), split="test").glasses.worn.tolist()
    chosen = [i for i, glasses in enumerate(worn) if not glasses][:count]
    faces = SyntheticFaces(
        len(worn), each, size=2 * size, split="test", answers=("landmarks",), ranges=_SITTING
    )
    items = faces.__getitems__([i * each + k for i in chosen for k in range(each)])
    images, landmarks = (torch.stack([i[name] for i in items]) for name in ("image", "landmarks"))
    return _sittings([synthetic_name("test", i) for i in chosen], images, landmarks, each, size)


def lfw_sittings(count: int, each: int, size: int) -> Sittings:
    """The first good photographs of people who have enough of them."""
    album = lfw_album(open_lfw())
    found = find_all(album, most=MOST_AVERAGED)
    measures = measure_all(album, found, load_read_outs(), load_encoder())
    rows: dict[str, list[int]] = {}
    for row in LFW_QUALITY.keeps_all(measures).nonzero()[:, 0].tolist():
        rows.setdefault(found.photos[row][0], []).append(row)
    chosen = {name: some[:each] for name, some in rows.items() if len(some) >= each}
    names = list(chosen)[:count]
    places = [row for name in names for row in chosen[name]]
    images = torch.cat([album.image(*found.photos[row]) for row in places])
    return _sittings(names, images, found.landmarks[places], each, size)


def _sittings(names, images: Tensor, landmarks: Tensor, each: int, size: int) -> Sittings:
    crop = normal_crop(size)
    aligned = align(images, landmarks, crop, padding="border")
    placed = part_lips(apply_transform(crop_transform(landmarks, crop), landmarks), lip_gap(size))
    shape = (len(names), each)
    return Sittings(tuple(names), aligned.unflatten(0, shape), placed.unflatten(0, shape))


def reproduce_fig7(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Pictures of synthetic people and their averages, shown; of LFW's too, measured."""
    start, full = time.perf_counter(), profile == "full"
    size, each = SYNTHETIC_AMOUNTS.size, 2 * _PICTURES_SHOWN
    encoder = load_encoder()
    sittings = synthetic_sittings(40 if full else _PEOPLE_SHOWN, each, size)
    rows = average_rows(sittings, encoder, "")
    try:
        photographs = lfw_sittings(40, each, size) if full else None
    except LFWNotFoundError:
        photographs = None
    if photographs is not None and len(photographs.people) > 1:
        rows += average_rows(photographs, encoder, "_lfw")
    result = measured_result(
        "normalization/fig7",
        "The average of a person's pictures, warped to their mean landmarks, is evenly lit and "
        "still detailed.",
        f"{each} neutral pictures of each of {len(sittings.people)} synthetic test people, within "
        "8 degrees of frontal, in all kinds of light (rows _lfw: photographs of LFW's training "
        f"people who have {each} that pass the filter). Each number is of single pictures, and of "
        f"averages of {each // 2}. colour: how far the mean colours of two of one person lie "
        "apart; sides: how much one side of the face is brighter; both in grey levels, over the "
        "face's convex hull with landmarks at the mean. distance: of dlib's embedding to that of "
        f"the other {each // 2} pictures' average. detail: mean gradient, grey levels a pixel. "
        "Nothing of this was random but the world.",
        paper=_PAPER, profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, sitting_sheet(sittings)


def average_rows(sittings: Sittings, encoder: Encoder, suffix: str) -> list[Row]:
    """Light, detail and likeness before and after averaging."""
    half = sittings.images.shape[1] // 2
    mean = mean_landmarks(sittings.landmarks.flatten(0, 1))
    mask = blending_mask(mean, sittings.images.shape[-1], softening=0)
    one, other = sittings.averages(slice(0, half)), sittings.averages(slice(half, 2 * half))
    target = embed_faces(encoder, other.pictures(), other.landmarks)
    rows = []
    for name, first, second in (
        ("single", sittings.averages(slice(0, 1)), sittings.averages(slice(half, half + 1))),
        ("averaged", one, other),
    ):
        light = [face_light(faces.textures(mean), mask) for faces in (first, second)]
        embedded = embed_faces(encoder, first.pictures(), first.landmarks)
        sides = torch.cat([each.sides.abs() for each in light])
        detail = torch.cat([each.detail for each in light])
        apart = (light[0].colour - light[1].colour).norm(dim=1)
        rows += [
            mean_row(f"colour_{name}{suffix}", apart, "grey levels", "lower"),
            mean_row(f"sides_{name}{suffix}", sides, "grey levels", "lower"),
            mean_row(f"distance_{name}{suffix}", encoder.distance(embedded, target), "", "lower"),
            mean_row(f"detail_{name}{suffix}", detail, "grey levels", "higher"),
        ]
    return rows


class FaceLight(NamedTuple):
    """The light on B faces, in grey levels."""

    colour: Tensor  # (B, 3), the mean
    sides: Tensor  # (B,), the picture's right half minus its left half, brightness
    detail: Tensor  # (B,), mean gradient of the brightness


def face_light(textures: Tensor, mask: Tensor) -> FaceLight:
    """Measure aligned faces (B, 3, S, S) where the mask (S, S) is 1."""
    levels, grey = 255 * textures, 255 * to_grey(textures)[:, 0]
    right = mask * (torch.arange(mask.shape[1]) >= mask.shape[1] / 2)
    left = mask - right
    means = [(grey * part).sum((1, 2)) / part.sum() for part in (left, right)]
    gradient = torch.hypot(grey.diff(dim=1)[..., :-1], grey.diff(dim=2)[:, :-1])
    inner = mask[:-1, :-1]
    return FaceLight(
        (levels * mask).sum((2, 3)) / mask.sum(),
        means[1] - means[0],
        (gradient * inner).sum((1, 2)) / inner.sum(),
    )


def sitting_sheet(sittings: Sittings) -> Figure:
    """Some pictures of each person, and the average of all."""
    averages = sittings.averages(slice(None)).pictures()
    rows = [
        torch.cat([sittings.images[i, :_PICTURES_SHOWN], averages[i : i + 1]])
        for i in range(min(_PEOPLE_SHOWN, len(averages)))
    ]
    columns = [*["one picture"] * _PICTURES_SHOWN, f"average of {sittings.images.shape[1]}"]
    return sheet(rows, [f"person {letter}" for letter in "ABC"[: len(rows)]], columns=columns)


EXPERIMENTS: dict[str, Experiment] = {
    "normalization/fig6": reproduce_fig6,
    "normalization/fig7": reproduce_fig7,
}
