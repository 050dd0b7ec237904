"""Figures 6 and 7: random morphs, and averages of one person's pictures."""

from __future__ import annotations

import time

import torch
from matplotlib.figure import Figure
from torch import Tensor

from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row, measured_result
from visage.normalization.compositing import blending_mask, equation_residual
from visage.normalization.frame import mean_landmarks
from visage.normalization.morphing import FaceMorpher
from visage.normalization.sittings import Sittings, face_light, lfw_sittings, synthetic_sittings
from visage.normalization.training_set import (
    SYNTHETIC_AMOUNTS,
    SYNTHETIC_BACKDROP,
    SYNTHETIC_PEOPLE,
    lfw_training_set,
    synthetic_faces,
)
from visage.photos.alignment import DLIB_CHIP, align
from visage.photos.landmarks import detect_faces
from visage.photos.lfw import LFWNotFoundError, open_lfw
from visage.recognition.encoder import Encoder, embed_mirrored, load_encoder
from visage.sheet import sheet

_PAPER = "cole2017synthesizing"
_SHOWN, _COLUMNS = 4, 6  # of figure 6: faces, and morphs of each
_PEOPLE_SHOWN, _PICTURES_SHOWN = 3, 4  # of figure 7
_FEW = 4  # photographs of LFW's people: hardly anybody has eight that pass the filter


def reproduce_fig6(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Morphs of synthetic faces, shown; of LFW's, measured where there are photographs."""
    start, full = time.perf_counter(), profile == "full"
    size = SYNTHETIC_AMOUNTS.size
    base = synthetic_faces(SYNTHETIC_PEOPLE if full else 24, "train", size)
    count, encoder = 200 if full else 6, load_encoder()
    morpher = FaceMorpher(base, backdrop=SYNTHETIC_BACKDROP)
    rows = morph_rows(morpher, seed, count, encoder, "")
    try:
        photographs = lfw_training_set(open_lfw()).base if full else None
    except LFWNotFoundError:
        photographs = None
    if photographs is not None:
        rows += morph_rows(FaceMorpher(photographs), seed, count, encoder, "_lfw")
    figure = morph_sheet(morpher, seed)
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


def reproduce_fig7(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Pictures of synthetic people and their averages, shown; of LFW's too, measured."""
    start, full = time.perf_counter(), profile == "full"
    size, each = SYNTHETIC_AMOUNTS.size, 2 * _PICTURES_SHOWN
    encoder = load_encoder()
    sittings = synthetic_sittings(40 if full else _PEOPLE_SHOWN, each, size)
    rows = average_rows(sittings, encoder, "")
    try:
        photographs = lfw_sittings(open_lfw(), 40, _FEW, size) if full else None
    except LFWNotFoundError:
        photographs = None
    if photographs is not None and len(photographs.people) > 1:
        rows += average_rows(photographs, encoder, "_lfw")
    result = measured_result(
        "normalization/fig7",
        "The average of a person's pictures, warped to their mean landmarks, is evenly lit and "
        "still detailed.",
        f"{each} neutral pictures of each of {len(sittings.people)} synthetic test people, within "
        "8 degrees of frontal, in all kinds of light. Each number is of single pictures, and of "
        f"averages of {each // 2}. Rows _lfw: {_FEW} photographs that pass the filter of each of "
        f"LFW's training people who have as many, averages of {_FEW // 2}. colour: how far the "
        "mean colours of two of one person lie apart; sides: how much one side of the face is "
        "brighter; both in grey levels, over the face's convex hull with landmarks at the mean. "
        "distance: of dlib's embedding to that of the average of the other half of the pictures. "
        "detail: mean gradient, grey levels a pixel. Nothing of this is random but the world.",
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
