"""Synthetic pictures as a detector and a recogniser that were trained on photographs see them.

For the experiments on the synthetic world, which stand above the library: this module knows
`visage.recognition`, and nothing in `visage.faces` but the experiments knows this module.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from visage.faces.dataset import SyntheticFaces
from visage.faces.portraits import Detail
from visage.faces.shots import EVERYDAY
from visage.photos.alignment import DLIB_CHIP, align
from visage.photos.landmarks import FaceBox, detect_faces, find_landmarks
from visage.recognition.encoder import Encoder

SIZE = 256
WITHIN_30 = replace(EVERYDAY, yaw=30.0)
"""Shots within 30 degrees, which is what dlib's detector was made for; all else as it is."""

_DETAIL = Detail(texture=512, strands=5000, supersample=2)
_INNER = slice(17, 68)
_OUTER_EYES = (36, 45)


@dataclass(frozen=True)
class Observed:
    """What was seen of N pictures."""

    person: np.ndarray  # (N,) int
    found: np.ndarray  # (N,) bool, whether the detector saw the face
    error: np.ndarray  # (N,) inner landmarks, mean over 51, by the outer-eye distance; NaN unseen
    contour: np.ndarray  # (N,) the same of landmarks 0 to 16
    embeddings: np.ndarray | None  # (N, D); by the model's own landmarks where nothing was seen


def pictures(people: int, shots_each: int, seed: int, split: str) -> SyntheticFaces:
    """The pictures that the experiments are made on, 256 pixels a side."""
    return SyntheticFaces(
        people,
        shots_each,
        size=SIZE,
        seed=seed,
        split=split,
        answers=("landmarks",),
        ranges=WITHIN_30,
        detail=_DETAIL,
    )


def observe(
    faces: SyntheticFaces, encoder: Encoder | None = None, *, workers: int = 0, name: str = ""
) -> Observed:
    """Detect, place landmarks and embed.

    Args:
        faces: as `pictures` gives them.
        encoder: None does without embeddings.
        workers: processes that draw the pictures.
        name: of the progress bar.
    """
    rows = []
    for item in tqdm(_batches(faces, workers), total=-(-len(faces) // 16), desc=name):
        for image, truth, person in zip(
            item["image"], item["landmarks"], item["person"], strict=True
        ):
            rows.append((int(person), *_see(image[None], truth[None], encoder)))
    person, found, error, contour, embeddings = zip(*rows, strict=True)
    return Observed(
        np.array(person),
        np.array(found),
        np.array(error),
        np.array(contour),
        None if encoder is None else torch.cat(embeddings).numpy(),
    )


def _batches(faces: SyntheticFaces, workers: int) -> Iterator[dict[str, Tensor]]:
    return iter(DataLoader(faces, batch_size=16, num_workers=workers))


@torch.no_grad()
def _see(image: Tensor, truth: Tensor, encoder: Encoder | None):
    boxes = [box for box in detect_faces(image) if _is_of(box, truth[0])]
    error = contour = float("nan")
    landmarks = truth
    if boxes:
        landmarks = find_landmarks(image, max(boxes, key=lambda box: box.score))
        apart = (landmarks - truth)[0].norm(dim=1) / _eye_distance(truth[0])
        error, contour = float(apart[_INNER].mean()), float(apart[:17].mean())
    embedded = None if encoder is None else encoder.embed(align(image, landmarks, DLIB_CHIP))
    return bool(boxes), error, contour, embedded


def _eye_distance(landmarks: Tensor) -> Tensor:
    left, right = _OUTER_EYES
    return (landmarks[left] - landmarks[right]).norm()


def _is_of(box: FaceBox, landmarks: Tensor) -> bool:
    """Whether the box is around these landmarks (68, 2): it overlaps theirs by a third at least."""
    low, high = landmarks.amin(0), landmarks.amax(0)
    corner = torch.tensor([box.left, box.top]), torch.tensor([box.right, box.bottom])
    common = (torch.minimum(high, corner[1]) - torch.maximum(low, corner[0])).clamp(min=0).prod()
    both = (high - low).prod() + (corner[1] - corner[0]).prod() - common
    return bool(common > both / 3)
