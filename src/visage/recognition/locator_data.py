"""What the locator learns from: photographs, dlib's points on them, and crops drawn at random.

The labels are dlib's own (`visage.photos.landmarks`): its detector's boxes and the five points of
its public-domain predictor. They are computed once and kept in the user's cache folder.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import skimage.data
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from visage.photos.alignment import (
    apply_transform,
    crop_transform,
    invert_transform,
    similarity_transform,
    warp_similarity,
)
from visage.photos.downloads import cache_folder
from visage.photos.landmarks import detect_faces, find_five_points
from visage.photos.lfw import LFW
from visage.photos.reading import open_photo
from visage.recognition.locator import LOCATOR_CROP, MIRRORED, SIZE, square_transform

Photograph = tuple[str, int]
"""A person of LFW and the number of the photograph."""

FACELESS_TRAINING = ("coffee", "rocket", "camera", "brick", "grass", "gravel", "hubble_deep_field")
FACELESS_TRAINING += ("page", "text", "coins", "motorcycle_left", "retina")
FACELESS_TEST = ("chelsea", "clock_motion", "moon", "motorcycle_right", "ihc")
"""Pictures in the scikit-image package; ``chelsea`` is a cat."""


@dataclass(frozen=True)
class Label:
    """What dlib says about one photograph."""

    boxes: tuple[tuple[float, float, float, float], ...]  # left, top, right, bottom
    points: tuple[tuple[tuple[float, float], ...], ...]  # five (x, y) for each box


@dataclass(frozen=True)
class CropSettings:
    """How training crops differ from well-placed ones."""

    negative: float = 0.35  # share of crops without a face
    faceless: float = 0.35  # of those, share from scikit-image's pictures
    spoilt: float = 0.4  # of those, share of faces that are turned, far away or in pieces
    careful: float = 0.5  # share of faces framed nearly right, as later refinements see them
    shift: float = 0.3  # largest shift either way, in widths of the face
    scale: float = 1.6  # largest factor either way
    roll: float = math.radians(30)  # largest turn either way
    careful_by: float = 0.25  # the same three for the careful ones, as a fraction


def labels_file() -> Path:
    """Where labels are kept: beside the downloads."""
    return cache_folder() / "lfw_five_points.jsonl"


def label_photographs(
    photographs: Iterable[Photograph], lfw: LFW, file: Path | None = None
) -> dict[Photograph, Label]:
    """Boxes and five points of photographs, from the cache where they are known.

    About 40 ms a photograph of 250 pixels; a stopped run goes on where it was.

    Args:
        photographs: which ones.
        lfw: the data set, opened.
        file: of the cache, `labels_file()` if None.
    """
    file = file or labels_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    known: dict[Photograph, Label] = {}
    if file.exists():
        for line in file.read_text("utf-8").splitlines():
            try:
                name, i, boxes, points = json.loads(line)
            except ValueError:
                continue  # a line that was cut short is computed again
            known[name, i] = Label(_tuples(boxes), _tuples(points))
    wanted = list(photographs)
    missing = [photograph for photograph in wanted if photograph not in known]
    with file.open("a", encoding="utf-8") as cache:
        for name, i in tqdm(missing, desc="dlib's points", unit="photo", disable=not missing):
            image = lfw.image(name, i)
            boxes = detect_faces(image)
            points = [find_five_points(image, box)[0].tolist() for box in boxes]
            edges = [(box.left, box.top, box.right, box.bottom) for box in boxes]
            # The leading newline keeps a line whole after one that was cut short.
            cache.write("\n" + json.dumps([name, i, edges, points]))
            cache.flush()
            known[name, i] = Label(_tuples(edges), _tuples(points))
    return {photograph: known[photograph] for photograph in wanted}


def central_face(label: Label, width: int, height: int) -> int | None:
    """Which face is LFW's subject: the most central; None where that is doubtful.

    Doubtful are a photograph without a box near its centre, and points that no similarity of the
    mean face fits to within 0.15 of the distance between the eyes.
    """

    def off_centre(k: int) -> float:
        left, top, right, bottom = label.boxes[k]
        return math.hypot((left + right - width) / width, (top + bottom - height) / height)

    if not label.boxes:
        return None
    k = min(range(len(label.boxes)), key=off_centre)
    points = torch.tensor([label.points[k]])
    template = torch.tensor([LOCATOR_CROP.template])
    misfit = apply_transform(similarity_transform(template, points), template) - points
    apart = (points[0, 0] - points[0, 2]).norm()
    return k if off_centre(k) < 0.35 and misfit.norm(dim=-1).mean() < 0.15 * apart else None


class FaceCrops:
    """Random crops with and without a face, as a stream for `visage.training`.

    Args:
        seed: item i depends on (seed, i) only.
        lfw: the data set, opened.
        labels: of the photographs to draw from; the doubtful ones are left out.
        settings: how the crops are drawn.
        faceless: names of scikit-image's pictures to draw from too.
    """

    def __init__(
        self,
        seed: int,
        lfw: LFW,
        labels: dict[Photograph, Label],
        settings: CropSettings | None = None,
        faceless: Sequence[str] = FACELESS_TRAINING,
    ):
        self.seed, self.lfw, self.labels = seed, lfw, labels
        self.settings = settings or CropSettings()
        self.subjects = {
            photograph: face
            for photograph, label in labels.items()
            if (face := central_face(label, 250, 250)) is not None
        }
        if not self.subjects:
            raise ValueError("no photograph has a face to learn from")
        self.photographs = list(self.subjects)
        faces = [labels[photograph].points[face] for photograph, face in self.subjects.items()]
        self.points = torch.tensor(faces)
        self.squares = framing_squares(self.points)
        self.faceless = [faceless_picture(name) for name in faceless]
        self._decoded: dict[Photograph, Tensor] = {}

    def batch(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """Crops (B, 3, 96, 96), points (B, 5, 2) in their pixels, is_face (B,)."""
        drawn = [self._draw(np.random.default_rng([self.seed, i])) for i in indices]
        to_crop = square_transforms(np.stack([d.square for d in drawn]))
        crops = torch.empty(len(drawn), 3, SIZE, SIZE)
        # LFW's photographs have one size and are cut in one go, scikit-image's one by one.
        in_lfw = [k for k, d in enumerate(drawn) if d.picture is None]
        if in_lfw:
            photos = torch.cat([self._photo(self.photographs[drawn[k].number]) for k in in_lfw])
            crops[in_lfw] = warp_similarity(photos, to_crop[in_lfw], SIZE)
        for k, d in enumerate(drawn):
            if d.picture is not None:
                crops[k] = warp_similarity(self.faceless[d.picture], to_crop[k : k + 1], SIZE)[0]
            if d.tiles is not None:
                crops[k] = rearrange(crops[k], d.tiles)
        points = apply_transform(to_crop, self.points[[d.number for d in drawn]])
        appearances = [d.appearance for d in drawn]
        crops, points = mirror(crops, points, [a.mirrored for a in appearances])
        return {
            "crops": weather(crops, appearances),
            "points": points,
            "is_face": torch.tensor([float(d.is_face) for d in drawn]),
        }

    def _draw(self, random: np.random.Generator) -> _Drawn:
        settings, picture, tiles = self.settings, None, None
        is_face = random.random() >= settings.negative
        number = int(random.integers(len(self.photographs)))
        kind = random.random()
        if is_face:
            careful = random.random() < settings.careful
            amount = settings.careful_by if careful else 1.0
            square = perturb(self.squares[number], random, amount, settings)
        elif kind < settings.spoilt:
            square = perturb(self.squares[number], random, 0.5, settings)
            square, tiles = spoil(square, random)
        elif kind < settings.spoilt + settings.faceless and self.faceless:
            picture = int(random.integers(len(self.faceless)))
            square = faceless_square(*self.faceless[picture].shape[:1:-1], (), random)
        else:
            boxes = self.labels[self.photographs[number]].boxes
            square = faceless_square(250, 250, boxes, random)
        return _Drawn(number, picture, square, tiles, is_face, Appearance.draw(random))

    def _photo(self, photograph: Photograph) -> Tensor:
        # Decoding takes as long as everything else: kept as bytes, about 1 GB for 5,600 of them.
        if photograph not in self._decoded:
            image = self.lfw.image(*photograph)
            self._decoded[photograph] = (image * 255).round().to(torch.uint8)
        return self._decoded[photograph].float() / 255


class _Drawn(NamedTuple):
    """What decides one crop."""

    number: int  # of the photograph
    picture: int | None  # of scikit-image's pictures, where the crop is from one
    square: np.ndarray
    tiles: np.ndarray | None  # in which order the crop's tiles are put together again
    is_face: bool
    appearance: Appearance


def framing_squares(points: Tensor) -> np.ndarray:
    """Well-placed squares for five points (N, 5, 2): rows of centre x, y, side (pixels), roll."""
    to_photo = invert_transform(crop_transform(points, LOCATOR_CROP))
    centres = apply_transform(to_photo, torch.full((1, 1, 2), (SIZE - 1) / 2))[:, 0]
    sides = SIZE * torch.linalg.det(to_photo[..., :2]).abs().sqrt()
    rolls = torch.atan2(to_photo[:, 1, 0], to_photo[:, 0, 0])
    return torch.cat([centres, sides[:, None], rolls[:, None]], 1).double().numpy()


def square_transforms(squares: np.ndarray) -> Tensor:
    """Similarities (N, 2, 3) to the crops of squares (N, 4)."""
    columns = torch.tensor(squares, dtype=torch.float32)
    return square_transform(columns[:, :2], columns[:, 2], columns[:, 3])


def perturb(
    square: np.ndarray, random: np.random.Generator, amount: float, settings: CropSettings
) -> np.ndarray:
    """Frame a face wrongly: draw a square (4,) near a well-placed one."""
    x, y, side, roll = square
    face = side / 2  # a well-placed crop is twice as wide as the face
    dx, dy = random.uniform(-1, 1, 2) * settings.shift * amount * face
    factor = settings.scale ** (random.uniform(-1, 1) * amount)
    turn = random.uniform(-1, 1) * settings.roll * amount
    return np.array([x + dx, y + dy, side * factor, roll + turn])


def spoil(square: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray | None]:
    """Make a well-placed square (4,) one without an upright face of the right size.

    Returns:
        The square, turned by a quarter at least or far too large, or as it is, and then the order
        in which to put 2 by 2 or 3 by 3 tiles together again.
    """
    x, y, side, roll = square
    kind = random.integers(3)
    if kind == 0:
        return np.array([x, y, side, roll + random.uniform(0.5, 1.5) * math.pi]), None
    if kind == 1:
        return np.array([x, y, side * random.uniform(2.5, 5), roll]), None
    count = int(random.integers(2, 4)) ** 2
    # Another order than it was, with no tile where it belongs: a random cycle.
    cycle = random.permutation(count)
    order = np.empty(count, dtype=int)
    order[cycle] = np.roll(cycle, 1)
    return square, order


def rearrange(crop: Tensor, order: np.ndarray) -> Tensor:
    """Put the n by n tiles of a crop (C, S, S) together in another order (n * n,).

    >>> rearrange(torch.arange(4.0).view(1, 2, 2), np.array([3, 2, 1, 0]))
    tensor([[[3., 2.],
             [1., 0.]]])
    """
    n = math.isqrt(len(order))
    tiles = crop.unflatten(-1, (n, -1)).unflatten(-3, (n, -1)).permute(1, 3, 0, 2, 4).flatten(0, 1)
    tiles = tiles[torch.from_numpy(order)].unflatten(0, (n, n))
    return tiles.permute(2, 0, 3, 1, 4).flatten(-2).flatten(-3, -2)


def faceless_square(
    width: int,
    height: int,
    boxes: Sequence[tuple[float, float, float, float]],
    random: np.random.Generator,
) -> np.ndarray:
    """Draw a square (4,) that shares less than a tenth with each box; turned, but upright here."""
    while True:
        side = min(width, height) * math.exp(random.uniform(math.log(0.15), 0))
        left, top = random.uniform(0, width - side), random.uniform(0, height - side)
        if all(overlap((left, top, left + side, top + side), box) < 0.1 for box in boxes):
            return np.array([left + side / 2, top + side / 2, side, random.uniform(-0.5, 0.5)])


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes (left, top, right, bottom).

    >>> overlap((0, 0, 2, 2), (1, 0, 3, 2))
    0.3333333333333333
    """
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return shared / (areas - shared)


def faceless_picture(name: str) -> Tensor:
    """One of scikit-image's pictures, shrunk to 250 pixels on its shorter side: (1, 3, H, W)."""
    file = next(Path(skimage.data.__file__).parent.glob(f"{name}.*"))
    photo = open_photo(file)
    scale = min(1.0, 250 / min(photo.shape[-2:]))
    return F.interpolate(photo, scale_factor=scale, mode="bilinear", antialias=True)


def mirror(crops: Tensor, points: Tensor, which: Sequence[bool]) -> tuple[Tensor, Tensor]:
    """Mirror some crops (B, 3, S, S) and their points (B, 5, 2), left eye becoming right."""
    mirrored = torch.tensor(which)
    flipped = points[:, MIRRORED, :] * points.new_tensor([-1, 1])
    flipped = flipped + points.new_tensor([crops.shape[-1] - 1, 0])
    return (
        torch.where(mirrored[:, None, None, None], crops.flip(-1), crops),
        torch.where(mirrored[:, None, None], flipped, points),
    )


@dataclass(frozen=True)
class Appearance:
    """What light, camera and file do to one crop."""

    mirrored: bool
    hidden: tuple[float, float, float, float] | None  # a rectangle, in crop pixels
    colour: np.ndarray  # (3,), of that rectangle
    gain: np.ndarray  # (3,), a factor for each channel
    lift: float  # added
    contrast: float  # about the mean
    gamma: float
    grey: bool
    blur: float  # standard deviation in pixels; 0 for none
    noise: np.ndarray | None  # (3, S, S)
    quality: float  # step of the quantised block spectrum in grey levels / 255; 0 for none

    @classmethod
    def draw(cls, random: np.random.Generator) -> Appearance:
        """Draw one; each kind of harm comes to a part of the crops only."""

        def often(share: float) -> bool:
            return random.random() < share

        x, y = random.uniform(0, SIZE, 2)
        half = random.uniform(4, 16, 2)
        colour = random.uniform(0, 1, 3)
        return cls(
            mirrored=often(0.5),
            hidden=(x - half[0], y - half[1], x + half[0], y + half[1]) if often(0.2) else None,
            colour=colour if often(0.5) else np.repeat(colour[:1], 3),
            gain=np.exp(random.uniform(-0.35, 0.35) + random.uniform(-0.12, 0.12, 3)),
            lift=random.uniform(-0.1, 0.1),
            contrast=math.exp(random.uniform(-0.5, 0.4)),
            gamma=math.exp(random.uniform(-0.5, 0.5)),
            grey=often(0.12),
            blur=random.uniform(0.3, 1.8) if often(0.3) else 0.0,
            noise=random.uniform(0.005, 0.06)
            * random.standard_normal((3, SIZE, SIZE), dtype=np.float32)
            if often(0.3)
            else None,
            quality=random.uniform(0.02, 0.15) if often(0.3) else 0.0,
        )


def weather(crops: Tensor, appearances: Sequence[Appearance]) -> Tensor:
    """Change crops (B, 3, S, S) as light, camera and file would; each by its own appearance."""

    def column(values) -> Tensor:
        return torch.tensor(np.array(values), dtype=crops.dtype).view(len(crops), -1, 1, 1)

    crops = crops.clone()
    for crop, a in zip(crops, appearances, strict=True):
        if a.hidden:
            left, top, right, bottom = (max(0, round(edge)) for edge in a.hidden)
            crop[:, top:bottom, left:right] = torch.tensor(a.colour, dtype=crop.dtype)[
                :, None, None
            ]
    crops = crops * column([a.gain for a in appearances])
    mean = crops.mean((1, 2, 3), keepdim=True)
    crops = (crops - mean) * column([a.contrast for a in appearances]) + mean
    crops = crops + column([a.lift for a in appearances])
    crops = crops.clamp(1e-4, 1) ** column([a.gamma for a in appearances])
    grey = column([a.grey for a in appearances])
    crops = torch.lerp(crops, crops.mean(1, keepdim=True).expand_as(crops), grey)
    for i, a in enumerate(appearances):
        if a.blur:
            crops[i : i + 1] = blur(crops[i : i + 1], a.blur)
        if a.noise is not None:
            crops[i] += torch.from_numpy(a.noise)
        if a.quality:
            crops[i : i + 1] = quantise_blocks(crops[i : i + 1], a.quality)
    return crops.clamp(0, 1)


def blur(images: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of images (B, C, H, W) by sigma pixels, with repeated edges."""
    reach = max(1, math.ceil(2.5 * sigma))
    offsets = torch.arange(-reach, reach + 1, dtype=images.dtype)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1)
    planes = F.pad(images.flatten(0, 1)[:, None], [reach] * 4, mode="replicate")
    return F.conv2d(F.conv2d(planes, kernel), kernel.mT).view_as(images)


def quantise_blocks(images: Tensor, step: float) -> Tensor:
    """Round the cosine spectrum of 8 by 8 blocks, coarser for finer detail, as JPEG does.

    Args:
        images: (B, C, H, W), H and W multiples of 8.
        step: of the coarsest pattern, in units of the image; the finest is rounded to 4 steps.
    """
    k = torch.arange(8, dtype=images.dtype)
    basis = torch.cos(math.pi * (2 * k[None, :] + 1) * k[:, None] / 16) / 2
    basis[0] /= math.sqrt(2)
    steps = step * (1 + 3 * (k[:, None] + k[None, :]) / 14)
    blocks = images.unflatten(-1, (-1, 8)).unflatten(-3, (-1, 8)).transpose(-2, -3)
    spectrum = basis @ blocks @ basis.T
    blocks = basis.T @ ((spectrum / steps).round() * steps) @ basis
    return blocks.transpose(-2, -3).flatten(-4, -3).flatten(-2, -1)


def _tuples(nested):
    return tuple(map(_tuples, nested)) if isinstance(nested, list | tuple) else nested
