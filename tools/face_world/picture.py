"""Plain shaded pictures of heads: for a detector to look at, and for people."""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from tools.face_world.crop import PARTS, Crop
from visage.faces.raster import barycentric, interpolate, visible_triangles

COLOURS = {
    "skin": (0.58, 0.42, 0.34),
    "neck": (0.56, 0.41, 0.33),
    "sockets": (0.45, 0.25, 0.22),
    "mouth": (0.25, 0.08, 0.08),
    "eyes": (0.80, 0.79, 0.77),
    "teeth": (0.80, 0.78, 0.70),
    "tongue": (0.50, 0.22, 0.20),
    "lashes": (0.06, 0.05, 0.04),
}
BACKGROUND = 0.45


@dataclass(frozen=True)
class View:
    """How a head is seen: a distant camera that turns about the vertical, then tilts."""

    yaw: float = 0.0  # radians; positive turns the face to the picture's right
    pitch: float = 0.0  # positive nods down
    roll: float = 0.0
    size: int = 256  # pixels
    field: float = 330.0  # mm across the picture, at the eyes
    centre: float = -15.0  # mm above the eyes
    distance: float = 1500.0  # mm
    light: tuple[float, float, float] = (0.35, 0.45, 0.8)


def triangles_of(quads: np.ndarray, quad_parts: np.ndarray) -> Tensor:
    """(F, 3) of everything but the hair."""
    drawn = quads[quad_parts != PARTS.index("hair")].astype(np.int64)
    return torch.from_numpy(drawn[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3))


def paint(kept: Crop, regions: dict[str, np.ndarray], pupils: np.ndarray) -> Tensor:
    """(V, 3) linear colours: lips, brows and irises, so that it looks like a face."""
    colours = np.full((len(kept.points), 3), 0.5)
    for part, colour in COLOURS.items():
        colours[kept.vertices(part)] = colour

    def over(weight, colour):
        colours[:] = colours * (1 - weight[:, None]) + weight[:, None] * np.array(colour)

    over(0.7 * regions["lips"], (0.45, 0.17, 0.16))
    over(np.clip(1.2 * regions["brows"], 0, 0.9), (0.08, 0.05, 0.04))
    for pupil in pupils:
        away = np.linalg.norm(kept.points - kept.points[pupil].mean(0), axis=1)
        eye = np.isin(np.arange(len(colours)), kept.vertices("eyes"))
        over(eye * (away < 6.0), (0.05, 0.04, 0.03))
        over(eye * (away > 6.0) * (away < 7.5), (0.18, 0.12, 0.08))
    return torch.from_numpy(colours).float()


def project(heads: Tensor, view: View) -> Tensor:
    """(B, V, 3) mm to pixels and depth."""
    cy, sy = np.cos(view.yaw), np.sin(view.yaw)
    cp, sp = np.cos(view.pitch), np.sin(view.pitch)
    cr, sr = np.cos(view.roll), np.sin(view.roll)
    turn = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]]) @ (
        np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
        @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    )
    seen = heads.double() @ torch.from_numpy(turn).T
    depth = view.distance - seen[..., 2]
    scale = view.size / view.field * view.distance / depth
    middle = (view.size - 1) / 2
    x = middle + seen[..., 0] * scale
    y = middle - (seen[..., 1] - view.centre) * scale
    return torch.stack([x, y, depth], -1)


def vertex_normals(heads: Tensor, triangles: Tensor) -> Tensor:
    """(B, V, 3) area-weighted unit normals."""
    a, b, c = (heads[:, triangles[:, k]] for k in range(3))
    face = torch.linalg.cross(b - a, c - a)
    normals = torch.zeros_like(heads)
    for k in range(3):
        normals.index_add_(1, triangles[:, k], face)
    return torch.nn.functional.normalize(normals, dim=-1)


def draw(heads: Tensor, triangles: Tensor, colours: Tensor, view: View) -> tuple[Tensor, Tensor]:
    """Pictures (B, 3, S, S) in [0, 1], sRGB-encoded, and where the vertices are (B, V, 3)."""
    points = project(heads, view)
    fine = points.clone()  # twice as fine, then averaged
    fine[..., :2] = 2 * points[..., :2] + 0.5
    ids = visible_triangles(fine, triangles, 2 * view.size, 2 * view.size, perspective=True)
    weights = barycentric(fine, triangles, ids, perspective=True)
    # Normals in the camera's frame, from pixels that are not yet distorted by perspective.
    flat = points.clone()
    flat[..., :2] = points[..., :2] * points[..., 2:] / view.distance * view.field / view.size
    normals = vertex_normals(flat * flat.new_tensor([1, -1, -1]), triangles)
    light = torch.nn.functional.normalize(normals.new_tensor(view.light), dim=0)
    bright = 0.34 + 0.10 * normals[..., 1:2] + 0.66 * (normals @ light).clamp(min=0)[..., None]
    values = torch.cat([colours.to(bright) * bright, torch.ones_like(bright)], -1)
    seen = interpolate(values, triangles, ids, weights)
    image = seen[:, :3] + (1 - seen[:, 3:]) * BACKGROUND
    image = torch.nn.functional.avg_pool2d(image, 2).clamp(0, 1) ** (1 / 2.2)
    return image.float(), points


def sheet(images: list[Tensor], columns: int, labels: list[str] | None = None) -> Image.Image:
    """A contact sheet of pictures (3, S, S)."""
    height, width = images[0].shape[1:]
    rows = -(-len(images) // columns)
    whole = Image.new("RGB", (columns * width, rows * height))
    for i, image in enumerate(images):
        pixels = (255 * image).round().byte().permute(1, 2, 0).numpy()
        tile = Image.fromarray(pixels)
        if labels:
            ImageDraw.Draw(tile).text((4, 4), labels[i], fill=(255, 255, 0))
        whole.paste(tile, (i % columns * width, i // columns * height))
    return whole
