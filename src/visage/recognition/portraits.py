"""The person that each photograph of LFW is about, embedded, and remembered between runs.

LFW puts the person it names at the centre of each photograph. `find_portrait` never gives up on
one: where the detector sees nothing there, it goes on with more thorough searches, and says which
one succeeded. `embed_portraits` keeps what it computes in one file a configuration, so that an
interrupted run goes on where it stopped and a repeated one takes seconds.
"""

import functools
import hashlib
import inspect
import json
import math
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import dlib
import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from visage.photos.alignment import Crop, align
from visage.photos.downloads import cache_folder
from visage.photos.landmarks import FaceBox, detect_faces, find_landmarks, model_file
from visage.photos.lfw import LFW
from visage.recognition.encoder import Encoder

Photo = tuple[str, int]

# Where the deep-funneled release puts the face, in pixels: the median of the detector's boxes.
FRAME = FaceBox(left=67.0, top=80.0, right=175.0, bottom=187.0, score=0.0)
# Boxes farther from there are of bystanders: half of a face's width.
NEAR = 55.0
FIRST = "hog"


@dataclass(frozen=True)
class Portrait:
    """A person of LFW: box, landmarks (1, 68, 2), and the name of the search that found them."""

    box: FaceBox
    landmarks: Tensor
    found_by: str


def find_portrait(image: Tensor) -> Portrait:
    """Find the person at the centre of a photograph of LFW, by one search after the other.

    ``hog`` is the detector as `visage.photos.landmarks.detect_faces` runs it, ``hog_enlarged`` the
    same at twice the resolution, ``mmod`` dlib's convolutional detector, ``hog_unsure`` the first
    with detections down to a score of -1, and ``frame`` the place where LFW says the face is.

    Args:
        image: (1, 3, 250, 250), in [0, 1].
    """
    found = ((name, _nearest(search(image))) for name, search in SEARCHES.items())
    name, box = next((name, box) for name, box in found if box is not None)
    return Portrait(box, find_landmarks(image, box), name)


def _nearest(boxes: list[FaceBox]) -> FaceBox | None:
    """The box nearest to where LFW puts the person, unless it is a bystander's."""
    near = [box for box in boxes if _distance(box) <= NEAR]
    return min(near, key=_distance) if near else None


def _distance(box: FaceBox) -> float:
    """Pixels between the centres of a box and of `FRAME`."""
    x = (box.left + box.right) - (FRAME.left + FRAME.right)
    y = (box.top + box.bottom) - (FRAME.top + FRAME.bottom)
    return math.hypot(x, y) / 2


def _mmod(image: Tensor) -> list[FaceBox]:
    """Boxes of dlib's convolutional detector: better on turned heads, 20 times slower on a CPU."""
    pixels = (image[0] * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    found = [(face.rect, float(face.confidence)) for face in _mmod_model()(pixels, 0)]
    return [FaceBox(r.left(), r.top(), r.right(), r.bottom(), score) for r, score in found]


@functools.cache
def _mmod_model() -> dlib.cnn_face_detection_model_v1:
    return dlib.cnn_face_detection_model_v1(str(model_file("mmod_human_face_detector.dat")))


SEARCHES: dict[str, Callable[[Tensor], list[FaceBox]]] = {
    FIRST: detect_faces,
    "hog_enlarged": functools.partial(detect_faces, upsample=2),
    "mmod": _mmod,
    "hog_unsure": functools.partial(detect_faces, threshold=-1.0),
    "frame": lambda image: [FRAME],
}


@dataclass(frozen=True)
class Setting:
    """How the embeddings of one face's chips become the vector that is compared."""

    scales: tuple[float, ...] = (1.0,)  # the face's size in the chip; 1 is the encoder's own crop
    mirrored: bool = False  # also the chips' mirror images
    unit: bool = False  # divide the mean by its norm, so that directions are compared


def scaled(crop: Crop, scale: float) -> Crop:
    """A crop in which the face is larger by ``scale``, about the crop's centre."""
    centre = (crop.size - 1) / 2
    template = tuple(
        (centre + scale * (x - centre), centre + scale * (y - centre)) for x, y in crop.template
    )
    return replace(crop, name=f"{crop.name}_x{scale:g}", template=template)


def combine(embeddings: np.ndarray, scales: Sequence[float], setting: Setting) -> np.ndarray:
    """Reduce embeddings (N, S, 2, D) at ``scales``, plain and mirrored, to (N, D) as set."""
    chosen = [list(scales).index(scale) for scale in setting.scales]
    views = embeddings[:, chosen][:, :, : 2 if setting.mirrored else 1].astype(np.float64)
    mean = views.mean(axis=(1, 2))
    return mean / np.linalg.norm(mean, axis=1, keepdims=True) if setting.unit else mean


@dataclass(frozen=True)
class Embedded:
    """Photographs with where their person was found and the embeddings (N, S, 2, D)."""

    photos: list[Photo]
    boxes: np.ndarray  # (N, 4)
    found_by: list[str]
    embeddings: np.ndarray


def embed_portraits(
    data: LFW,
    encoder: Encoder,
    photos: Iterable[Photo],
    scales: Sequence[float],
    *,
    batch: int = 16,
) -> Embedded:
    """Find and embed the person of each photograph, at each scale, plain and mirrored.

    Args:
        data: the data set.
        encoder: any `Encoder`.
        photos: (name, number); each is computed once.
        scales: see `Setting`.
        batch: photographs between two writes, and chips in one call of the encoder.

    Returns:
        The photographs sorted, with their embeddings.
    """
    photos = sorted(set(photos))
    with _Memory(_memory_file(data, encoder, scales)) as memory:
        missing = [photo for photo in photos if photo not in memory]
        with tqdm(total=len(missing), desc="LFW", unit="photo", disable=not missing) as bar:
            for start in range(0, len(missing), batch):
                some = missing[start : start + batch]
                memory.add(some, *_embed(data, encoder, some, scales))
                bar.update(len(some))
        rows = [memory[photo] for photo in photos]
    return Embedded(
        photos,
        boxes=np.array([box for box, _, _ in rows]),
        found_by=[found_by for _, found_by, _ in rows],
        embeddings=np.stack([embedding for _, _, embedding in rows]),
    )


def _embed(data: LFW, encoder: Encoder, photos: Sequence[Photo], scales: Sequence[float]):
    images = [data.image(*photo) for photo in photos]
    portraits = [find_portrait(image) for image in images]
    image = torch.cat(images)
    points = torch.cat([portrait.landmarks for portrait in portraits])
    with torch.inference_mode():
        views = []
        for scale in scales:
            chips = align(image, points, scaled(encoder.crop, scale))
            views.append(torch.stack([encoder.embed(chips), encoder.embed(chips.flip(-1))], 1))
        return portraits, torch.stack(views, 1).numpy()


def _memory_file(data: LFW, encoder: Encoder, scales: Sequence[float]) -> Path:
    """A file name that changes with the data, this module, and what the networks answer.

    Two photographs go through the whole chain as a probe: an edit of the detector, the landmarks,
    the alignment or the encoder that matters shows there, and a new comment does not.
    """
    probe = [(name, numbers[0]) for name, numbers in list(data.people().items())[:2]]
    portraits, embeddings = _embed(data, encoder, probe, scales)
    places = [np.round(astuple(portrait.box), 2).tolist() for portrait in portraits]
    answers = [places, np.round(embeddings, 3).tolist()]
    source = inspect.getsource(inspect.getmodule(find_portrait))
    key = json.dumps([str(data.source), len(data), list(scales), answers, source])
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return cache_folder() / "lfw-embeddings" / f"{encoder.name}-{digest}.sqlite"


class _Memory:
    """What was computed for each photograph, in a database that survives an interruption."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.database = sqlite3.connect(path)
        with self.database:
            self.database.execute(
                "create table if not exists portraits "
                "(photo text primary key, place text, shape text, embedding blob)"
            )
        self.known = {key for (key,) in self.database.execute("select photo from portraits")}

    def __enter__(self) -> "_Memory":
        return self

    def __exit__(self, *_) -> None:
        self.database.close()

    def __contains__(self, photo: Photo) -> bool:
        return _key(photo) in self.known

    def __getitem__(self, photo: Photo) -> tuple[list[float], str, np.ndarray]:
        query = "select place, shape, embedding from portraits where photo = ?"
        place, shape, embedding = self.database.execute(query, (_key(photo),)).fetchone()
        box, found_by = json.loads(place)
        return box, found_by, np.frombuffer(embedding, "<f4").reshape(json.loads(shape))

    def add(self, photos: Sequence[Photo], portraits: Sequence[Portrait], embeddings) -> None:
        """Write all of them or, when interrupted, none."""
        rows = [
            (
                _key(photo),
                json.dumps([astuple(portrait.box)[:4], portrait.found_by]),
                json.dumps(embedding.shape),
                embedding.astype("<f4").tobytes(),
            )
            for photo, portrait, embedding in zip(photos, portraits, embeddings, strict=True)
        ]
        with self.database:
            self.database.executemany("insert or replace into portraits values (?, ?, ?, ?)", rows)
        self.known.update(row[0] for row in rows)


def _key(photo: Photo) -> str:
    return f"{photo[0]}_{photo[1]:04d}"
