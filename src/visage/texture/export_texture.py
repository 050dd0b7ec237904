"""Textured heads in files: GLB for every viewer, with the skin's colour, gloss and relief.

In memory a head is in millimetres, x to the picture's right, y up, z out of the face; glTF's unit
is the metre, so the file holds thousandths.

What a photograph showed and what was invented stays known: the red channel of the file's roughness
picture, which glTF has no use for, is 1 where skin was seen.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import trimesh
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad

from visage.faces.reflectance import encode_srgb
from visage.faces.shape import MorphableModel
from visage.faces.surface import SurfaceMaps
from visage.files import written_whole
from visage.texture.errors import RenderError
from visage.texture.head_mesh import seamed_mesh
from visage.texture.head_surface import WINDOW_MM
from visage.texture.textured_head import TexturedHead
from visage.texture.window import SIDE, paste

_METRES = 1e-3
_SEEN, _WHERE = "seen", "red channel of the roughness texture: 1 was seen, 0 is invented"
_QUALITY = 92  # of the JPEG pictures inside; the one with the mask is PNG, for its edges


@dataclass(frozen=True, eq=False)
class HeadFile:
    """What a GLB of a head holds."""

    vertices: Tensor  # (N, 3) mm
    triangles: Tensor  # (F, 3) int64
    uv: Tensor  # (N, 2) in [0, 1], v down
    albedo: Tensor  # (1, 3, R, R), sRGB, in [0, 1]
    seen: Tensor | None  # (1, 1, R, R), 1 where a photograph showed it; None: nobody said


def write_head(
    model: MorphableModel,
    head: TexturedHead,
    path: str | Path,
    *,
    visible: Tensor | None = None,
    relief: bool = True,
) -> Path:
    """Write a head as GLB; it appears whole or not at all.

    Args:
        model: at the level of subdivision that the file shall have.
        head: one.
        path: ends in .glb.
        visible: (1, 1, S, S) of the face window, 1 where the texture was seen and not invented;
            all outside of the window was invented.
        relief: whether to write the maps' height too, as a normal map.

    Raises:
        RenderError: the name ends otherwise, or there is not exactly one head.
    """
    path = Path(path)
    if path.suffix.lower() != ".glb":
        raise RenderError(f"{path.name} does not end in .glb, the one kind that holds textures")
    if len(head) != 1:
        raise RenderError(f"there are {len(head)} heads; write one at a time")
    cut = seamed_mesh(model)
    vertices = model.vertices(head.identity, head.expression)[0].detach()
    up = torch.stack([cut.uv[:, 0], 1 - cut.uv[:, 1]], 1)  # trimesh counts v from below
    mesh = trimesh.Trimesh(
        cut.places(vertices).double().numpy() * _METRES,
        cut.triangles.numpy(),
        vertex_normals=cut.normals(vertices, model).double().numpy(),
        visual=trimesh.visual.TextureVisuals(
            uv=up.double().numpy(), material=_material(head.maps, visible, relief)
        ),
        metadata={} if visible is None else {_SEEN: _WHERE},
        process=False,
    )
    content = trimesh.exchange.gltf.export_glb(mesh.scene(), include_normals=True)
    with written_whole(path) as temporary:
        temporary.write_bytes(content)
    return path


def read_head(path: str | Path) -> HeadFile:
    """Read back what `write_head` wrote.

    Raises:
        RenderError: the file holds no textured mesh.
    """
    mesh = trimesh.load(Path(path), force="mesh", process=False, maintain_order=True)
    picture = getattr(getattr(mesh.visual, "material", None), "baseColorTexture", None)
    if not len(getattr(mesh, "faces", ())) or picture is None:
        raise RenderError(f"{path} holds no mesh with a texture")
    uv = torch.from_numpy(np.array(mesh.visual.uv)).float()
    gloss = mesh.visual.material.metallicRoughnessTexture
    seen = _pixels(gloss)[:, :1] if _SEEN in mesh.metadata and gloss is not None else None
    return HeadFile(
        torch.from_numpy(np.array(mesh.vertices) / _METRES).float(),
        torch.from_numpy(np.array(mesh.faces)).long(),
        torch.stack([uv[:, 0], 1 - uv[:, 1]], 1),
        _pixels(picture),
        seen,
    )


def _material(
    maps: SurfaceMaps, visible: Tensor | None, relief: bool
) -> trimesh.visual.material.PBRMaterial:
    none = torch.zeros_like(maps.roughness)
    seen = none if visible is None else paste(none, visible)
    # glTF's roughness is in the green channel of three.
    gloss = torch.cat([seen, maps.roughness.clamp(0, 1), none], 1)
    return trimesh.visual.material.PBRMaterial(
        name="skin",
        baseColorTexture=_picture(encode_srgb(maps.albedo)),
        metallicRoughnessTexture=_picture(gloss, "PNG"),
        metallicFactor=0.0,
        roughnessFactor=1.0,
        normalTexture=_picture(normal_map(maps.height) / 2 + 0.5) if relief else None,
    )


def normal_map(height: Tensor) -> Tensor:
    """Normals in the frame of the texture: x along u, y against v, z outwards.

    Args:
        height: (B, 1, R, R), mm, of atlases; texels are taken to be as large everywhere as they
            are on a cheek.

    Returns:
        (B, 3, R, R), unit vectors.

    >>> normal_map(torch.zeros(1, 1, 4, 4))[0, :, 0, 0]
    tensor([-0., 0., 1.])
    """
    step = 2 * WINDOW_MM / SIDE / height.shape[-1]  # mm between a texel's two neighbours
    wide = pad(height, (1, 1, 1, 1), mode="replicate")
    along_u = (wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]) / step
    along_v = (wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1]) / step
    normals = torch.cat([-along_u, along_v, torch.ones_like(height)], 1)
    return normals / normals.norm(dim=1, keepdim=True)


def _pixels(picture: Image.Image) -> Tensor:
    """(1, 3, R, R) in [0, 1]."""
    return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)[None].float() / 255


def _picture(values: Tensor, kind: str = "JPEG") -> Image.Image:
    pixels = (255 * values[0].detach().clamp(0, 1)).round().to(torch.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy()).save(
        buffer, kind, quality=_QUALITY, subsampling=0
    )
    # As a file of that kind, which the writer keeps as it is.
    return Image.open(buffer)
