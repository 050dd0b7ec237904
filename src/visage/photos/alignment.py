"""One similarity alignment, and the crops of a face that each paper needs.

Conventions. A point is (x, y) in pixels, x to the right and y down, and the centre of the top-left
pixel is (0, 0): an image that is W wide covers x from -0.5 to W - 0.5. A transform is a (B, 2, 3)
matrix [sR | t] that maps points of a photograph to points of a crop. `pixel_to_grid` is the one
place where pixels become the coordinates of `torch.nn.functional.grid_sample`. Everything here is
differentiable with respect to the image, the landmarks and the transform.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from visage.photos.reading import PhotoError

Padding = Literal["zeros", "border"]


class DegeneratePointsError(PhotoError):
    """Points that do not determine a similarity: coincident, mirrored or not finite."""


# Average positions of landmarks 17 to 67, in units of the face's width from brow to brow, as
# published in dlib (dlib/image_transforms/interpolation.h, Boost Software License). Symmetric
# about x = 0.490127.
_MEAN_FACE_X = (
    0.000213256, 0.0752622, 0.18113, 0.29077, 0.393397, 0.586856, 0.689483, 0.799124, 0.904991,
    0.98004, 0.490127, 0.490127, 0.490127, 0.490127, 0.36688, 0.426036, 0.490127, 0.554217,
    0.613373, 0.121737, 0.187122, 0.265825, 0.334606, 0.260918, 0.182743, 0.645647, 0.714428,
    0.793132, 0.858516, 0.79751, 0.719335, 0.254149, 0.340985, 0.428858, 0.490127, 0.551395,
    0.639268, 0.726104, 0.642159, 0.556721, 0.490127, 0.423532, 0.338094, 0.290379, 0.428096,
    0.490127, 0.552157, 0.689874, 0.553364, 0.490127, 0.42689,
)  # fmt: skip
_MEAN_FACE_Y = (
    0.106454, 0.038915, 0.0187482, 0.0344891, 0.0773906, 0.0773906, 0.0344891, 0.0187482, 0.038915,
    0.106454, 0.203352, 0.307009, 0.409805, 0.515625, 0.587326, 0.609345, 0.628106, 0.609345,
    0.587326, 0.216423, 0.178758, 0.179852, 0.231733, 0.245099, 0.244077, 0.231733, 0.179852,
    0.178758, 0.216423, 0.244077, 0.245099, 0.780233, 0.745405, 0.727388, 0.742578, 0.727388,
    0.745405, 0.780233, 0.864805, 0.902192, 0.909281, 0.902192, 0.864805, 0.784792, 0.778746,
    0.785343, 0.778746, 0.784792, 0.824182, 0.831803, 0.824182,
)  # fmt: skip
MEAN_FACE = {17 + i: xy for i, xy in enumerate(zip(_MEAN_FACE_X, _MEAN_FACE_Y, strict=True))}
_MEAN_FACE_MIDLINE = 0.490127

# The same for dlib's five points: right eye of the picture (outer, inner corner), left eye of the
# picture (outer, inner corner), base of the nose.
_MEAN_FIVE = (
    (0.8595674595992, 0.2134981538014),
    (0.6460604764104, 0.2289674387677),
    (0.1205750620789, 0.2137274526848),
    (0.3340850613712, 0.2290642403242),
    (0.4901123135679, 0.6277975316475),
)

# dlib aligns by the nose, the eyes and the upper lip: brows and lower lip move with expression.
_DLIB_ANCHORS = tuple((i,) for i in (*range(27, 55), *range(60, 65)))
# The inner face of Xiong and De la Torre's 49 points: 17 to 67 without the inner mouth corners.
_INNER_FACE = tuple((i,) for i in range(17, 68) if i not in (60, 64))
_EYES = (tuple(range(36, 42)), tuple(range(42, 48)))


@dataclass(frozen=True)
class Crop:
    """Where a face's landmarks come to lie in a square picture.

    An anchor is the mean of a group of landmarks. The similarity is fitted as dlib fits it: from
    the template to the anchors, so that squared distances count in the photograph's pixels.
    """

    name: str
    size: int  # pixels, both sides
    channels: int  # 3 for sRGB, 1 for Rec. 601 luma
    anchors: tuple[tuple[int, ...], ...]  # K groups of landmark indices
    template: tuple[tuple[float, float], ...]  # K positions (x, y) in the crop's pixels
    landmarks: int = 68  # how many landmarks the indices refer to; 5 for dlib's five points
    keeps_roll: bool = False  # True: scale and shift only, the head stays tilted in the picture

    def __post_init__(self):
        if len(self.anchors) != len(self.template) or len(self.anchors) < 2:
            raise ValueError(
                f"crop {self.name!r} has {len(self.anchors)} anchors and {len(self.template)} "
                "template points; give as many of one as of the other, and two at least"
            )


def _on_template(points, size: int, padding: float, centre: float = _MEAN_FACE_MIDLINE):
    """Place mean-face points in a crop that adds `padding` face widths on each side.

    dlib measures a chip from its edge, we from the centre of its first pixel: hence the half.
    """
    shift = centre - _MEAN_FACE_MIDLINE
    scale = size / (1 + 2 * padding)
    return tuple(
        ((padding + x + shift) * scale - 0.5, (padding + y) * scale - 0.5) for x, y in points
    )


def _mean_face(anchors) -> list[tuple[float, float]]:
    return [MEAN_FACE[i] for (i,) in anchors]


DLIB_CHIP = Crop(
    name="dlib_chip_150",
    size=150,
    channels=3,
    anchors=_DLIB_ANCHORS,
    template=_on_template(_mean_face(_DLIB_ANCHORS), 150, 0.25),
)
"""The 150-pixel chip of dlib's recogniser (padding 0.25), anchored as dlib anchors 68 landmarks.

The same picture as `dlib.get_face_chip(image, shape, size=150, padding=0.25)`, but for two things
that dlib does by the way: it cuts off fractions of a grey level, and its corner arithmetic changes
the scale by (150 s - 1) / (149 s), where s pixels of the photograph make one of the chip. That is
nothing at s = 1, and 0.16 pixels at the chip's edge at s = 0.76 (a face 90 pixels wide).
"""

DLIB_CHIP_FIVE = Crop(
    name="dlib_chip_150_five",
    size=150,
    channels=3,
    anchors=((0,), (1,), (2,), (3,), (4,)),
    template=_on_template(_MEAN_FIVE, 150, 0.25),
    landmarks=5,
)
"""The same chip from dlib's five points (see `visage.photos.landmarks.find_five_points`)."""

COLE_CROP = Crop(
    name="cole_224",
    size=224,
    channels=3,
    anchors=_EYES,
    template=((84.0, 91.5), (139.0, 91.5)),
)
"""The 224-pixel crop of Cole et al. (2017), section 6.1: no roll, 55 pixels between the eyes.

An eye's centre is the mean of its six landmarks. The paper does not say where the eyes lie; here
their midpoint is at (111.5, 91.5), on the vertical midline and 20 pixels above the centre, so that
an average face has about as much room above the hairline as below the chin.
"""

GREY_CROP = Crop(
    name="grey_64",
    size=64,
    channels=1,
    anchors=_INNER_FACE,
    template=_on_template(_mean_face(_INNER_FACE), 64, 0.25, centre=0.5),
)
"""The 64-pixel grey crop of Liu et al. (2018), section 5.1: roll removed by 49 landmarks.

The paper uses the 49 points of Xiong and De la Torre and does not state the margin. Here the mean
face lies with its midline exactly on the crop's, so that mirroring the crop mirrors the face (the
paper's symmetry loss needs that), with 0.25 of its width on each side: brows to chin.
"""

SQUARE_CROP = Crop(
    name="square_200",
    size=200,
    channels=3,
    anchors=_INNER_FACE,
    template=tuple((x, y + 12.0) for x, y in _on_template(_mean_face(_INNER_FACE), 200, 0.45, 0.5)),
    keeps_roll=True,
)
"""The 200-pixel square of Richardson et al. (2017), section 3.4: the head as a detector frames it.

The paper asks for "a standard face detector" only, and its network estimates all three angles of
the head, so the crop scales and shifts but does not turn. The mean face has 0.45 of its width on
each side and lies 12 pixels lower than that frame puts it, so that forehead and chin are inside.
"""

CROPS: dict[str, Crop] = {
    crop.name: crop for crop in (DLIB_CHIP, DLIB_CHIP_FIVE, COLE_CROP, GREY_CROP, SQUARE_CROP)
}


def pixel_to_grid(points: Tensor, height: int, width: int) -> Tensor:
    """Convert pixels to `grid_sample` coordinates with `align_corners=False`.

    There -1 and 1 are the outer edges of the image, so that the centre of pixel i of n lies at
    (2i + 1)/n - 1.

    Args:
        points: (..., 2), (x, y) pixels.
        height: of the image that is sampled.
        width: of the image that is sampled.

    Returns:
        (..., 2), (x, y) in [-1, 1] inside the image.

    >>> pixel_to_grid(torch.tensor([[0.0, 0.0], [3.0, 1.0]]), height=2, width=4)
    tensor([[-0.7500, -0.5000],
            [ 0.7500,  0.5000]])
    """
    size = points.new_tensor([width, height])
    return (2 * points + 1) / size - 1


def grid_to_pixel(grid: Tensor, height: int, width: int) -> Tensor:
    """Invert `pixel_to_grid`: (..., 2) coordinates in [-1, 1] to (x, y) pixels."""
    size = grid.new_tensor([width, height])
    return ((grid + 1) * size - 1) / 2


def similarity_transform(source: Tensor, target: Tensor, *, rotation: bool = True) -> Tensor:
    """Least-squares similarity (Umeyama 1991, in the plane, without reflection).

    Minimises Σₙ ‖s R xₙ + t - yₙ‖² over scale s > 0, rotation R and shift t. In the plane, with
    points as complex numbers and means removed, s·e^{iθ} = Σ yₙ x̄ₙ / Σ |xₙ|². Solved in float64.

    Args:
        source: (B, N, 2) points x, N at least 2.
        target: (B, N, 2) or (1, N, 2) points y.
        rotation: False gives the same scale and the same shift of the mean, with R = 1.

    Returns:
        (B, 2, 3) matrices [sR | t], in the dtype of `source`.

    Raises:
        DegeneratePointsError: points coincide, are not finite, or allow no orientation.
        ValueError: the shapes do not fit.

    >>> square = torch.tensor([[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]])
    >>> quarter_turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    >>> similarity_transform(square, 2 * square @ quarter_turn.T + 3)
    tensor([[[ 0., -2.,  3.],
             [ 2.,  0.,  3.]]])
    """
    if source.ndim != 3 or source.shape[-1] != 2 or source.shape[1] < 2:
        raise ValueError(f"source is {_shape(source)}; expected (B, N, 2) points with N at least 2")
    if (
        target.ndim != 3
        or target.shape[0] not in (1, source.shape[0])
        or target.shape[1:] != source.shape[1:]
    ):
        raise ValueError(
            f"target is {_shape(target)}; expected as many points as in {_shape(source)}"
        )
    x, y = source.double(), target.to(source.device).double()
    if not (x.isfinite().all() and y.isfinite().all()):
        raise DegeneratePointsError("some points are not finite; check the landmarks")
    x_mean, y_mean = x.mean(1, keepdim=True), y.mean(1, keepdim=True)
    dx, dy = x - x_mean, y - y_mean
    source_spread = dx.square().sum((1, 2))
    target_spread = dy.square().sum((1, 2))
    for spread, mean in ((source_spread, x_mean), (target_spread, y_mean)):
        if (spread <= 1e-12 * (1 + mean.square().sum((1, 2)))).any():
            raise DegeneratePointsError("some points coincide; check the landmarks")
    cosine = (dx * dy).sum((1, 2)) / source_spread  # s cos θ
    sine = (dx[..., 0] * dy[..., 1] - dx[..., 1] * dy[..., 0]).sum(1) / source_spread  # s sin θ
    scale_squared = cosine.square() + sine.square()
    if (scale_squared * source_spread <= 1e-12 * target_spread).any():
        raise DegeneratePointsError(
            "the points fit no similarity better than a single point; one set mirrors the other"
        )
    if not rotation:
        cosine, sine = scale_squared.sqrt(), torch.zeros_like(sine)
    linear = torch.stack([cosine, -sine, sine, cosine], -1).view(-1, 2, 2)
    shift = y_mean.mT - linear @ x_mean.mT
    return torch.cat([linear, shift], -1).to(source.dtype)


def apply_transform(transform: Tensor, points: Tensor) -> Tensor:
    """Move points (B, N, 2) by transforms (B, 2, 3); either batch may be 1. Returns (B, N, 2)."""
    return points @ transform[..., :2].mT + transform[..., 2].unsqueeze(-2)


def invert_transform(transform: Tensor) -> Tensor:
    """Invert affine transforms (B, 2, 3).

    Raises:
        DegeneratePointsError: a transform is not finite or has no inverse.
    """
    linear, shift = transform[..., :2].double(), transform[..., 2:].double()
    a, b, c, d = linear.flatten(-2).unbind(-1)
    determinant = a * d - b * c
    size = linear.square().sum((-1, -2))
    if not (transform.isfinite().all() and (determinant.abs() > 1e-12 * size).all()):
        raise DegeneratePointsError("a transform is not finite or squeezes the plane to a line")
    adjugate = torch.stack([d, -b, -c, a], -1).view_as(linear)
    inverse = adjugate / determinant[..., None, None]
    return torch.cat([inverse, -inverse @ shift], -1).to(transform.dtype)


def warp_similarity(
    image: Tensor, transform: Tensor, size: int | tuple[int, int], *, padding: Padding = "zeros"
) -> Tensor:
    """Resample a photograph into a crop, without aliasing where the crop is smaller.

    Where the crop enlarges, plain bilinear sampling. Where it shrinks by f > 1, each crop pixel is
    the mean of n × n bilinear samples, n = ⌈f⌉, spread evenly over its footprint and turned with
    it. Their spread adds the variance (f² - 1)/12 that separates a box of f pixels from the box of
    one that a pixel already is: nothing is added at f = 1, and at f = 2, 3 or 4 on the pixel grid
    the result is the exact mean over f × f pixels. From f = 4 on, the photograph is first averaged
    over blocks of ⌊f/2⌋ pixels, which leaves the variance the same and bounds the cost.

    Args:
        image: (B, C, H, W).
        transform: (B, 2, 3), photograph to crop. For a general affine map f is the geometric mean.
        size: of the crop; a number for a square, or (height, width).
        padding: what lies outside the photograph: "zeros" is black, "border" repeats its edge.

    Returns:
        (B, C, height, width), in the dtype of `image`.

    >>> photo = torch.arange(16.0).view(1, 1, 4, 4)
    >>> half = torch.tensor([[[0.5, 0.0, -0.25], [0.0, 0.5, -0.25]]])
    >>> warp_similarity(photo, half, 2)
    tensor([[[[ 2.5000,  4.5000],
              [10.5000, 12.5000]]]])
    """
    if image.ndim != 4 or 0 in image.shape:
        raise ValueError(f"image is {_shape(image)}; expected a batch (B, C, H, W)")
    if transform.shape != (image.shape[0], 2, 3):
        raise ValueError(f"transform is {_shape(transform)}; expected {(image.shape[0], 2, 3)}")
    height, width = (size, size) if isinstance(size, int) else size
    to_photo = invert_transform(transform.to(image.dtype))
    shrink = torch.linalg.det(to_photo[..., :2].double()).abs().sqrt()
    # The photographs of a batch seldom need different filters; each kind is warped in one call.
    kinds = [_filter_sizes(f) for f in shrink.tolist()]
    crops: dict[int, Tensor] = {}
    for kind in sorted(set(kinds)):
        rows = [i for i, other in enumerate(kinds) if other == kind]
        warped = _warp(image[rows], to_photo[rows], shrink[rows], kind, (height, width), padding)
        crops.update(zip(rows, warped, strict=True))
    return torch.stack([crops[i] for i in range(len(kinds))])


def _filter_sizes(shrink: float) -> tuple[int, int]:
    """How many pixels to average first, and how many samples a side of a crop pixel to take."""
    block = max(1, math.floor(shrink / 2 + 1e-6))
    # Below 1 % the filter would be invisible, and its width has no bounded derivative at f = 1.
    return block, max(1, math.ceil(shrink / block - 0.01))


def _warp(image, to_photo, shrink, kind, size, padding):
    """Warp photographs that need the same filter; see `warp_similarity`."""
    block, n = kind
    if block > 1:
        image = _average_blocks(image, block, padding)
        linear, shift = to_photo[..., :2], to_photo[..., 2:]
        to_photo = torch.cat([linear / block, (shift + 0.5) / block - 0.5], -1)
    offsets = torch.arange(n, device=image.device, dtype=torch.float64) - (n - 1) / 2
    if n > 1:
        relative = shrink / block
        spacing = torch.sqrt((relative.square() - 1) / (n * n - 1)) / relative
        offsets = offsets * spacing[:, None]  # (B, n), in crop pixels
    else:
        offsets = offsets.expand(len(shrink), 1)
    rows, columns = (
        (torch.arange(count, device=image.device)[None, :, None] + offsets[:, None]).flatten(1)
        for count in size
    )  # (B, count * n)
    # The grid is a sum of a row's part and a column's part, so it is written only once.
    across = columns.to(image)[:, None, :, None] * to_photo[:, None, None, :, 0]
    down = rows.to(image)[:, :, None, None] * to_photo[:, None, None, :, 1]
    points = across + (down + to_photo[:, None, None, :, 2])  # (B, rows, columns, 2)
    grid = pixel_to_grid(points, *image.shape[-2:])
    samples = F.grid_sample(image, grid, mode="bilinear", padding_mode=padding, align_corners=False)
    return F.avg_pool2d(samples, n) if n > 1 else samples


def _average_blocks(image: Tensor, block: int, padding: Padding) -> Tensor:
    """Mean over blocks of pixels; the last ones are completed as `padding` says."""
    missing = (0, -image.shape[-1] % block, 0, -image.shape[-2] % block)
    mode = "replicate" if padding == "border" else "constant"
    return F.avg_pool2d(F.pad(image, missing, mode=mode), block)


def to_grey(image: Tensor) -> Tensor:
    """Rec. 601 luma of sRGB-encoded values: (B, 3, H, W) to (B, 1, H, W); grey passes unchanged.

    >>> to_grey(torch.ones(1, 3, 1, 1))
    tensor([[[[1.]]]])
    """
    if image.shape[-3] == 1:
        return image
    if image.shape[-3] != 3:
        raise ValueError(f"image has {image.shape[-3]} channels; expected 3 (sRGB) or 1 (grey)")
    weights = image.new_tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    return (image * weights).sum(-3, keepdim=True)


def crop_transform(landmarks: Tensor, crop: Crop) -> Tensor:
    """Similarity that takes a photograph to a crop.

    Args:
        landmarks: (B, 68, 2), or (B, 5, 2) for a crop of dlib's five points; (x, y) pixels.
        crop: one of `CROPS`, or your own.

    Returns:
        (B, 2, 3); `apply_transform` moves landmarks into the crop with it.

    Raises:
        DegeneratePointsError: the landmarks coincide or are not finite.
    """
    if landmarks.ndim != 3 or landmarks.shape[1:] != (crop.landmarks, 2):
        raise ValueError(
            f"landmarks are {_shape(landmarks)}; the crop {crop.name!r} expects "
            f"(B, {crop.landmarks}, 2) pixels (x, y)"
        )
    anchors = torch.stack([landmarks[:, list(group)].mean(1) for group in crop.anchors], 1)
    template = torch.tensor([crop.template], dtype=torch.float64, device=landmarks.device)
    template = template.to(landmarks.dtype).expand_as(anchors)
    return invert_transform(similarity_transform(template, anchors, rotation=not crop.keeps_roll))


def align(image: Tensor, landmarks: Tensor, crop: Crop, *, padding: Padding = "zeros") -> Tensor:
    """Cut a face out of a photograph, as the crop frames it.

    Args:
        image: (B, 3, H, W), or (B, 1, H, W) for a grey crop, sRGB-encoded, in [0, 1].
        landmarks: (B, 68, 2), or as many as the crop refers to; (x, y) pixels of `image`.
        crop: one of `CROPS`, or your own.
        padding: what lies outside the photograph: "zeros" is black, as dlib has it.

    Returns:
        (B, crop.channels, crop.size, crop.size). Grey is Rec. 601 luma.

    Raises:
        DegeneratePointsError: the landmarks coincide or are not finite.
        ValueError: the shapes do not fit.
    """
    if image.ndim != 4 or image.shape[1] not in (1, 3) or image.shape[1] < crop.channels:
        raise ValueError(f"image is {_shape(image)}; the crop expects (B, {crop.channels}, H, W)")
    if len(landmarks) != len(image):
        raise ValueError(
            f"{len(image)} images and {len(landmarks)} sets of landmarks; give as many"
        )
    if crop.channels == 1:
        image = to_grey(image)
    return warp_similarity(image, crop_transform(landmarks, crop), crop.size, padding=padding)


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)
