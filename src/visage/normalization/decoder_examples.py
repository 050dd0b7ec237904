"""What a decoder learns from: features of pictures, and the normal face that belongs to each.

Some of the examples are the paper's: features of a normal face itself, averaged or morphed, and
that face. The rest goes beyond it. Raw photographs, each with the averaged face of that person:
recognisers are not as indifferent to pose and light as the paper hopes of FaceNet, and a decoder
that has never met what is left of them draws it into the face. And raw photographs of people of
whom there is no normal face: of these only the identity loss speaks, which needs none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from visage.files import written_whole
from visage.normalization.albums import find_all
from visage.normalization.decoder import Normal
from visage.normalization.faces import NormalFaces, stored
from visage.normalization.features import FeaturesError, IdentityFeatures, load_features
from visage.normalization.frame import eye_distance, normal_crop
from visage.normalization.losses import chip_similarity, chips_of
from visage.normalization.training_data import WildChips
from visage.normalization.training_set import (
    MOST_AVERAGED,
    lfw_album,
    lfw_training_set,
    photographs,
    synthetic_training_set,
)
from visage.photos.alignment import DLIB_CHIP
from visage.photos.downloads import cache_folder
from visage.photos.lfw import open_lfw

_TOGETHER = 64
_HELD_OUT = 16  # one person in so many

STEADINESS = 0.75
"""Of `steady_part`. Chosen on development people: at 1 faces stay more alike from photograph to
photograph, and come less near to each."""

_BACKDROP = 0.55  # sRGB
_OVAL = (1.55, 1.95)  # half axes of what is kept of a photograph, in distances between the eyes
_LOWER = 0.2  # its centre below the eyes, likewise
_SOFT = 0.35  # over which it fades, likewise

# dlib's 68 landmarks, as they are called in a mirror.
_MIRRORED = (
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
    *range(45, 41, -1), 47, 46, *range(39, 35, -1), 41, 40,
    *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1),
)  # fmt: skip


def mirrored_landmarks(landmarks: Tensor, size: int) -> Tensor:
    """Landmarks (..., 68, 2) of a picture ``size`` pixels wide, in its mirror image.

    >>> points = torch.rand(1, 68, 2)
    >>> twice = mirrored_landmarks(mirrored_landmarks(points, 9), 9)
    >>> torch.allclose(twice, points, atol=1e-5)
    True
    """
    other = landmarks[..., list(_MIRRORED), :]
    return torch.stack([size - 1 - other[..., 0], other[..., 1]], -1)


def is_held_out(person: str) -> bool:
    """Whether a training person is kept for development: settings are chosen on these alone."""
    digest = hashlib.sha256(f"development/{person}".encode()).hexdigest()
    return int(digest[:8], 16) % _HELD_OUT == 0


def steady_part(features: Tensor, people: Tensor, share: float = 1.0) -> Tensor | None:
    """What of features to believe, as a matrix: I + share (Σ_b (Σ_b + Σ_w)⁻¹ − I).

    With people's means distributed as N(μ, Σ_b) and photographs about them as N(0, Σ_w), the mean
    to expect of a person whose one photograph has features F is μ + Σ_b (Σ_b + Σ_w)⁻¹ (F − μ).

    Args:
        features: (N, F), of photographs.
        people: (N,), whole numbers; equal ones are one person.
        share: 0 believes everything, 1 is the expectation.

    Returns:
        (F, F), None if nobody has two photographs.
    """
    number, people = int(people.max()) + 1 if len(people) else 0, people.long()
    counts = torch.bincount(people, minlength=number)
    several = counts[people] > 1
    if not several.any():
        return None
    features = features.double()
    sums = features.new_zeros(number, features.shape[1]).index_add_(0, people, features)
    means = sums / counts.clamp(min=1)[:, None]
    apart = (features - means[people])[several]
    within = apart.mT @ apart / (several.sum() - (counts > 1).sum())
    total = torch.cov(features.mT)
    values, vectors = torch.linalg.eigh(total - within)
    between = vectors @ (values.clamp(min=0)[:, None] * vectors.mT)
    ridge = 1e-6 * total.trace() / len(total) * torch.eye(len(total), dtype=total.dtype)
    expectation = torch.linalg.solve(between + within + ridge, between).mT
    return torch.eye(len(total)) + share * (expectation.float() - torch.eye(len(total)))


@dataclass(frozen=True, eq=False)
class DecoderExamples:
    """Normal faces, features of them, and features of other photographs of the same people.

    Attributes:
        people: (N,) names; a morph has the name of the face that it began with.
        images: (N, 3, S, S) uint8.
        textures: (N, 3, S, S) uint8, with all landmarks at `mean`.
        landmarks: (N, 68, 2), pixels.
        mean: (68, 2), likewise.
        bases: the first so many are averaged faces, the rest are morphs.
        features: (N, F), of the faces.
        photo_features: (P, F), of raw photographs.
        photo_rows: (P,), which of the averaged faces is their person's.
        other_people: (Q,) names of people of whom no normal face could be made.
        other_features: (Q, F), of raw photographs of them.
    """

    people: tuple[str, ...]
    images: Tensor
    textures: Tensor
    landmarks: Tensor
    mean: Tensor
    bases: int
    features: Tensor
    photo_features: Tensor
    photo_rows: Tensor
    other_people: tuple[str, ...]
    other_features: Tensor

    def normal(self, *, plain: bool = False) -> Normal:
        """What a decoder is begun with; ``plain`` for the mean picture instead of texture."""
        pictures = (self.images if plain else self.textures)[: self.bases]
        return Normal(
            self.mean,
            pictures.float().mean(0) / 255,
            torch.cat([self.features, self.photo_features]),
            self._steady(),
        )

    def _steady(self) -> Tensor | None:
        """See `steady_part`; of all raw photographs. None where nobody has two of them."""
        known = [self.people[row] for row in self.photo_rows.tolist()]
        people = np.unique([*known, *self.other_people], return_inverse=True)[1]
        kept = ~np.array([is_held_out(name) for name in [*known, *self.other_people]], dtype=bool)
        features = torch.cat([self.photo_features, self.other_features])[kept]
        return steady_part(features, torch.from_numpy(people[kept]), STEADINESS)


def collected_examples(
    base: NormalFaces,
    morphs: NormalFaces,
    mean: Tensor,
    photos: WildChips,
    features: IdentityFeatures,
    *,
    others: WildChips | None = None,
    oval: bool = False,
    folder: Path | None = None,
) -> DecoderExamples:
    """Look at everything once with a recogniser, and remember what it saw.

    Args:
        base: averaged faces, one a person.
        morphs: of them; may be none.
        mean: (68, 2), the textures' landmarks.
        photos: raw photographs, whose rows are those of `base`.
        features: of the recogniser.
        others: raw photographs of people who are not in `base`.
        oval: puts an even grey behind heads. No recogniser says what is behind one, and a decoder
            that is asked for it draws the mean of many backgrounds, other ones from photograph to
            photograph. The paper thinks of removing them by hand.
        folder: of the cache, `cache_folder()` if None.

    Raises:
        FeaturesError: the recogniser looks at another crop than dlib's, in which photographs are
            kept.
    """
    if features.encoder.crop != DLIB_CHIP:
        raise FeaturesError(
            f"{features.encoder.name} looks at the crop {features.encoder.crop.name}; raw "
            f"photographs are kept as {DLIB_CHIP.name}."
        )
    sets = [some for some in (base, morphs) if len(some)]
    images = torch.cat([some.images for some in sets])
    similarity = chip_similarity(mean, DLIB_CHIP)

    def chips(rows: Tensor) -> Tensor:
        return chips_of(images[rows].float() / 255, similarity, DLIB_CHIP.size)

    textures = torch.cat([_textures(some, mean) for some in sets])
    shown = images
    if oval:
        shown, textures = in_oval(images), in_oval(textures)
    return DecoderExamples(
        people=tuple(name for some in sets for name in some.people),
        images=shown,
        textures=textures,
        landmarks=torch.cat([some.landmarks for some in sets]),
        mean=mean,
        bases=len(base),
        features=_remembered(features, images, chips, folder),
        photo_features=_remembered(features, photos.chips, photos.chips.__getitem__, folder),
        photo_rows=photos.rows,
        other_people=() if others is None else others.people,
        other_features=(
            torch.zeros(0, features.dim)
            if others is None
            else _remembered(features, others.chips, others.chips.__getitem__, folder)
        ),
    )


def in_oval(faces: Tensor) -> Tensor:
    """Faces (N, 3, S, S), uint8 in the normal crop, before an even grey outside a soft oval."""
    size = faces.shape[-1]
    unit = eye_distance(size)
    (left, height), (right, _) = normal_crop(size).template
    y, x = torch.meshgrid(*2 * [torch.arange(size, dtype=torch.float32)], indexing="ij")
    across = (x - (left + right) / 2) / (_OVAL[0] * unit)
    down = (y - height - _LOWER * unit) / (_OVAL[1] * unit)
    # Distance from the oval's edge, about, in distances between the eyes.
    outside = (torch.hypot(across, down) - 1) * sum(_OVAL) / 2
    alpha = (0.5 - outside / _SOFT).clamp(0, 1)
    alpha = alpha * alpha * (3 - 2 * alpha)
    kept = []
    for some in faces.split(_TOGETHER):
        blended = some.float() * alpha + 255 * _BACKDROP * (1 - alpha)
        kept.append(blended.round().to(torch.uint8))
    return torch.cat(kept)


def _textures(faces: NormalFaces, mean: Tensor) -> Tensor:
    """Of all faces, (N, 3, S, S) uint8; as floats they would fill the memory."""
    if faces.aligned is not None and torch.equal(mean, faces.mean):
        return faces.aligned
    rows = torch.arange(len(faces)).split(_TOGETHER)
    return torch.cat([stored(faces.textures(mean, some)) for some in rows])


def _remembered(features: IdentityFeatures, pictures: Tensor, chips, folder: Path | None) -> Tensor:
    """Features of all pictures (N, ...); ``chips`` cuts those of some rows."""
    folder = (folder or cache_folder()) / "normalization" / "features"
    digest = hashlib.sha256(pictures.numpy().tobytes())
    # The first is looked at again: where the recogniser has changed, so may the rest.
    probe = features.of(chips(torch.arange(min(1, len(pictures))))).round(decimals=3).tolist()
    digest.update(f"{features.encoder.name} {probe}".encode())
    path = folder / f"{digest.hexdigest()[:20]}.safetensors"
    if not path.exists():
        rows = torch.arange(len(pictures)).split(_TOGETHER)
        found = torch.cat([features.of(chips(some)) for some in rows])
        with written_whole(path) as temporary:
            safetensors.torch.save_file({"features": found}, temporary)
    return safetensors.torch.load_file(path)["features"]


@dataclass(frozen=True)
class Mixture:
    """Of what a batch is made."""

    photos: float = 0.4  # share of raw photographs with an averaged face; the paper has none
    others: float = 0.2  # share of those without one, where there are any; nor these
    morphed: bool = True  # False leaves the morphs out (fig. 9)
    mirrored: float = 0.5  # how often a face is mirrored: features know no left and right
    plain: bool = False  # pictures in place of textures, for the decoder without landmarks


class ExampleStream:
    """Examples for `visage.training`, without people who are held out.

    Args:
        seed: item i depends on (seed, i) only.
        examples: to draw from.
        mixture: of what, how often.
    """

    def __init__(self, seed: int, examples: DecoderExamples, mixture: Mixture | None = None):
        self.seed, self.examples, self.mixture = seed, examples, mixture or Mixture()
        kept = ~torch.tensor([is_held_out(name) for name in examples.people])
        rows = torch.arange(len(kept))
        self.faces = rows[kept & ((rows < examples.bases) | self.mixture.morphed)]
        # The face of somebody with a single photograph is that photograph, its light included.
        several = torch.bincount(examples.photo_rows, minlength=len(kept)) > 1
        usable = (kept & several)[examples.photo_rows]
        self.photos = torch.arange(len(examples.photo_rows))[usable]
        self.others = torch.tensor(
            [row for row, name in enumerate(examples.other_people) if not is_held_out(name)],
            dtype=torch.int64,
        )

    def batch(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """Features (B, F), texture (B, 3, S, S), landmarks (B, 68, 2), known (B,) and item (B,).

        Those whose face is not known come first, where the identity loss looks.
        """
        drawn = [self._draw(np.random.default_rng([self.seed, i])) for i in indices]
        drawn.sort(key=lambda one: one[1] is not None)
        features, rows, flips = zip(*drawn, strict=True)
        known = torch.tensor([row is not None for row in rows])
        rows, flips = torch.tensor([row or 0 for row in rows]), torch.tensor(flips)
        all_pictures = self.examples.images if self.mixture.plain else self.examples.textures
        picture, landmarks = all_pictures[rows].float() / 255, self.examples.landmarks[rows]
        size = picture.shape[-1]
        return {
            "features": torch.stack(features),
            "texture": torch.where(flips[:, None, None, None], picture.flip(-1), picture),
            "landmarks": torch.where(
                flips[:, None, None], mirrored_landmarks(landmarks, size), landmarks
            ),
            "known": known,
            "item": torch.tensor(list(indices)),
        }

    def _draw(self, random: np.random.Generator) -> tuple[Tensor, int | None, bool]:
        """Features, the row of the face to make of them, None where nobody knows, and mirrored."""
        kind, flip = random.random(), random.random() < self.mixture.mirrored
        if kind < self.mixture.others and len(self.others):
            other = self.others[random.integers(len(self.others))]
            return self.examples.other_features[other], None, bool(flip)
        if kind >= 1 - self.mixture.photos and len(self.photos):
            photo = self.photos[random.integers(len(self.photos))]
            row = int(self.examples.photo_rows[photo])
            return self.examples.photo_features[photo], row, bool(flip)
        row = int(self.faces[random.integers(len(self.faces))])
        return self.examples.features[row], row, bool(flip)


@lru_cache(maxsize=2)
def world_examples(world: str, recogniser: str = "dlib_resnet") -> DecoderExamples:
    """The examples of a shipped decoder; minutes from the cache, hours without it.

    Args:
        world: "synthetic" or "lfw".
        recogniser: of `visage.normalization.features.LAYERS`.

    Raises:
        LFWNotFoundError: the photographs are not there.
    """
    recognised = load_features(recogniser)
    if world == "synthetic":
        data, others = synthetic_training_set(), None
    else:
        data = lfw_training_set(open_lfw())
        others = lfw_others(data.base.people)
    return collected_examples(
        data.base,
        data.morphs,
        data.mean,
        data.photos,
        recognised,
        others=others,
        oval=world == "lfw",
    )


def lfw_others(known: Sequence[str], most: int = 2, *, folder: Path | None = None) -> WildChips:
    """Photographs of LFW's training people of whom no normal face could be made, remembered.

    Args:
        known: the people who have a normal face.
        most: photographs of one person at most.
        folder: of the cache, `cache_folder()` if None.
    """
    album = lfw_album(open_lfw())
    found = find_all(album, most=MOST_AVERAGED, folder=folder)
    names = sorted({name for name, _ in found.photos} - set(known))
    digest = hashlib.sha256("\n".join([str(most), *names]).encode()).hexdigest()[:16]
    path = (folder or cache_folder()) / "normalization" / f"others-{digest}.safetensors"
    if not path.exists():
        made = photographs(album, found, names, most)
        with written_whole(path) as temporary:
            safetensors.torch.save_file({"chips": made.chips, "rows": made.rows}, temporary)
    tensors = safetensors.torch.load_file(path)
    people = tuple(names[row] for row in tensors["rows"].tolist())
    return WildChips(people, tensors["chips"], tensors["rows"])
