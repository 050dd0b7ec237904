"""A head to turn: a fitted shape with the colours of its vertices, drawn from any side.

What is fitted is skin, eyes and neck. The picture's hair is not: the paper's model has none, and
ours would have to guess its back. So an avatar is bald, in the colour that the basis gives a
scalp, with the brows and the stubble that lie inside the landmarks.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from visage.faces.buffers import drawn_triangles
from visage.faces.camera import Perspective, WeakPerspective
from visage.faces.directions import unit
from visage.faces.harmonics import disc_light, shade
from visage.faces.raster import barycentric, interpolate, visible_triangles
from visage.faces.reflectance import decode_srgb, encode_srgb
from visage.faces.shape import MorphableModel
from visage.normalization.colour_basis import ColourBasis
from visage.normalization.model_fitting import FittedShape, ModelFitting, fit_shape
from visage.normalization.texture_fitting import FittedTexture, TextureFitting, fit_texture

__all__ = [
    "Avatars",
    "draw_avatars",
    "fine_model",
    "head_camera",
    "make_avatars",
    "spin",
    "studio_light",
]

_DISTANCE = 1200.0  # mm
_WIDTH = 300.0  # mm at the head that a picture shows
_CENTRE = (0.0, -28.0)  # mm, what is in the middle of it
_PAPER = 0.96  # sRGB, behind the head


@dataclass(frozen=True, eq=False)
class Avatars:
    """B heads with colours."""

    shape: FittedShape
    texture: FittedTexture
    vertices: Tensor  # (B, V, 3), mm, head frame

    def __len__(self) -> int:
        """B."""
        return len(self.vertices)


def make_avatars(
    images: Tensor,
    landmarks: Tensor,
    *,
    model: MorphableModel | None = None,
    shape: ModelFitting | None = None,
    texture: TextureFitting | None = None,
) -> Avatars:
    """Fit heads to normalized faces: shape by appendix B.2, colours by B.3.

    Args:
        images: (B, 3, H, W), sRGB.
        landmarks: (B, 68, 2), pixels, as the decoder gives them or a detector finds them.
        model: to fit; the subdivided one, whose vertices are 2 mm apart, if None.
        shape: how to fit the shape.
        texture: how to fit the colours.

    Raises:
        LandmarkFitError: the landmarks are not those of frontal faces.
        TextureFitError: the images do not fit the landmarks.
    """
    model = model or fine_model()
    fitted = fit_shape(model, landmarks, tuple(images.shape[2:]), shape)
    vertices = model.vertices(fitted.identity)
    basis = ColourBasis.standard(model.subdivision)
    colours = fit_texture(model, images, vertices, fitted.camera, landmarks, basis, texture)
    return Avatars(fitted, colours, vertices)


@lru_cache(maxsize=1)
def fine_model() -> MorphableModel:
    """The model after one subdivision."""
    return MorphableModel.load(1)


def spin(frames: int, widest: float = math.radians(50)) -> Tensor:
    """Angles (frames, 3), radians, of a head that turns to both sides and comes back.

    The first frame is frontal, and the last one leads on to the first.

    >>> spin(4, 1.0)[:, 1]
    tensor([ 0.0000e+00,  1.0000e+00, -8.7423e-08, -1.0000e+00])
    """
    turn = torch.arange(frames) * (2 * math.pi / frames)
    yaw = widest * turn.sin()
    return torch.stack([torch.zeros(frames), yaw, torch.zeros(frames)], 1)


@torch.no_grad()
def draw_avatars(
    model: MorphableModel,
    vertices: Tensor,
    colours: Tensor,
    angles: Tensor,
    size: int = 256,
    *,
    lit: float = 0.0,
    supersample: int = 2,
) -> Tensor:
    """Draw heads with vertex colours.

    Args:
        model: whose vertices they are.
        vertices: (B, V, 3), mm, head frame.
        colours: (B, V, 3), sRGB.
        angles: (B, 3), pitch, yaw and roll, radians.
        size: of the square pictures, pixels.
        lit: 0 shows the colours as they are, in the even light of the normalized picture; 1 lights
            them from the upper left, so that the shape shows; between, a mixture.
        supersample: pixels are means of so many by so many.

    Returns:
        (B, 3, size, size), sRGB, on nearly white.
    """
    fine = size * supersample
    camera = head_camera(angles, fine)
    points, triangles = camera.project(vertices), drawn_triangles(model)
    ids = visible_triangles(points, triangles, fine, fine, perspective=True)
    weights = barycentric(points, triangles, ids, perspective=True)
    normals = camera.turn(model.normals(vertices))
    drawn = interpolate(torch.cat([colours, normals], 2), triangles, ids, weights)
    colour, normals = drawn.split(3, 1)
    linear = decode_srgb(colour.clamp(0, 1))
    if lit:
        light = shade(unit(normals), studio_light(len(vertices)))
        linear = linear * torch.lerp(torch.ones_like(light), light, lit)
    paper = decode_srgb(torch.tensor(_PAPER))
    linear = torch.where(ids[:, None] < 0, paper, linear).clamp(max=1)
    return encode_srgb(torch.nn.functional.avg_pool2d(linear, supersample)).clamp(0, 1)


def head_camera(angles: Tensor, size: int) -> Perspective:
    """The camera that sees heads turned by angles (B, 3) in the middle of `size` pixels."""
    shift = -torch.tensor(_CENTRE).expand(len(angles), 2)
    scale = torch.full((len(angles),), size / _WIDTH)
    camera = WeakPerspective(angles, shift, size, size, scale=scale)
    return camera.at_distance(torch.full((len(angles),), _DISTANCE))


def studio_light(count: int) -> Tensor:
    """Harmonics (count, 9, 3) of a wide lamp at the upper left and a weaker light all round."""
    where = unit(torch.tensor([[-0.5, 0.6, 0.7]]), dim=1)
    lamp = disc_light(where, torch.full((1, 3), 0.75), torch.tensor([0.6]))
    lamp[:, 0] += 0.38 * math.sqrt(4 * math.pi)
    return lamp.expand(count, -1, -1)
