"""Textured heads in files."""

import numpy as np
import pytest
import torch
import trimesh

from visage.faces.reflectance import encode_srgb
from visage.faces.shape import MorphableModel
from visage.faces.surface import SurfaceMaps
from visage.texture.errors import RenderError
from visage.texture.export_texture import normal_map, read_head, write_head
from visage.texture.head_mesh import seamed_mesh
from visage.texture.head_surface import WINDOW_MM
from visage.texture.textured_head import TexturedHead
from visage.texture.window import SIDE, crop


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


@pytest.fixture(scope="module")
def head():
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 6, 8, 8, generator=generator)
    maps = torch.nn.functional.interpolate(coarse, size=(128, 128), mode="bicubic").clamp(0.05, 1)
    return TexturedHead(
        torch.randn(1, 80, generator=generator),
        torch.zeros(1, 52),
        SurfaceMaps(*maps.split([3, 1, 1, 1], 1)),
    )


def test_a_head_comes_back(model, head, tmp_path):
    path = write_head(model, head, tmp_path / "head.glb")
    found, cut = read_head(path), seamed_mesh(model)
    assert torch.equal(found.triangles, cut.triangles)
    places = cut.places(model.vertices(head.identity)[0])
    torch.testing.assert_close(found.vertices, places, atol=1e-3, rtol=0)
    torch.testing.assert_close(found.uv, cut.uv, atol=1e-6, rtol=0)
    wanted = encode_srgb(head.maps.albedo)
    assert (found.albedo - wanted).abs().mean() < 0.01  # JPEG
    assert (found.albedo.flip(2) - wanted).abs().mean() > 0.05


def test_the_file_is_in_metres_with_gloss_and_relief(model, head, tmp_path):
    path = write_head(model, head, tmp_path / "head.glb")
    mesh = trimesh.load(path, force="mesh", process=False)
    tall = seamed_mesh(model).places(model.vertices(head.identity)[0])[:, 1]
    assert np.ptp(np.asarray(mesh.vertices)[:, 1]) == pytest.approx(
        float(np.ptp(tall)) / 1000, rel=1e-4
    )
    material = mesh.visual.material
    gloss = np.asarray(material.metallicRoughnessTexture.convert("RGB"))
    rough = head.maps.roughness[0, 0].numpy() * 255
    assert np.abs(gloss[..., 1] - rough).mean() < 4
    assert material.metallicFactor == 0
    assert material.normalTexture is not None
    smooth = write_head(model, head, tmp_path / "smooth.glb", relief=False)
    assert trimesh.load(smooth, force="mesh").visual.material.normalTexture is None


def test_what_was_seen_stays_known(model, head, tmp_path):
    assert read_head(write_head(model, head, tmp_path / "plain.glb")).seen is None
    visible = torch.zeros(1, 1, 48, 48)
    visible[..., :24] = 1
    seen = read_head(write_head(model, head, tmp_path / "half.glb", visible=visible)).seen
    assert seen.shape == (1, 1, 128, 128)
    window = crop(seen)
    assert window[..., :22].min() > 0.9
    assert window[..., 26:].max() < 0.1
    assert seen[..., :10, :].max() < 0.1  # the scalp is nobody's photograph


def test_normals_lean_away_from_what_rises():
    step = WINDOW_MM / SIDE / 64  # mm a texel
    slope = torch.arange(64.0).expand(1, 1, 64, 64) * step  # 45 degrees up along u
    found = normal_map(slope)[0, :, 30, 30]
    torch.testing.assert_close(found, torch.tensor([-(0.5**0.5), 0, 0.5**0.5]))
    down = normal_map(slope.mT)[0, :, 30, 30]  # rises along v, which points down
    torch.testing.assert_close(down, torch.tensor([0, 0.5**0.5, 0.5**0.5]))


def test_what_cannot_be_written(model, head, tmp_path):
    with pytest.raises(RenderError, match=r"head\.obj does not end in \.glb"):
        write_head(model, head, tmp_path / "head.obj")
    with pytest.raises(RenderError, match="there are 2 heads"):
        write_head(model, head[[0, 0]], tmp_path / "head.glb")
    assert not list(tmp_path.iterdir())
    trimesh.creation.box().export(tmp_path / "box.glb")
    with pytest.raises(RenderError, match="no mesh with a texture"):
        read_head(tmp_path / "box.glb")
