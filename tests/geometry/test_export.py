"""Files come back as they were written, in all three formats, from meshes and from depth maps."""

import json
import struct

import pytest
import torch

from visage.geometry.errors import ExportError
from visage.geometry.export import (
    FORMATS,
    FaceSurface,
    read_surface,
    surface_of_depth,
    surface_of_numbers,
    write_surface,
)
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.feedback import feedback
from visage.geometry.representation import FaceNumbers


def _numbers() -> FaceNumbers:
    generator = torch.Generator().manual_seed(3)
    pose = torch.tensor([[0.5, 0.8, -0.3, 0.2, 0.1, 0.4]])
    return FaceNumbers(
        torch.randn(1, 80, generator=generator),
        0.2 * torch.rand(1, 52, generator=generator),
        pose,
    )


def _image(size: int, channels: int) -> torch.Tensor:
    right = torch.linspace(0, 1, size).expand(size, size)
    return torch.stack([right, right.T, 0.5 * right])[None, :channels]


def _flat(batch: int, there: float = 1.0, scale: float = 1.0) -> FaceSurface:
    return surface_of_depth(torch.zeros(batch, 1, 3, 3), torch.full((batch, 1, 3, 3), there), scale)


@pytest.mark.parametrize("kind", FORMATS)
def test_round_trip_of_the_mesh(kind, tmp_path):
    surface = surface_of_numbers(FaceMesh.load(), _numbers(), _image(50, 3))
    back = read_surface(write_surface(surface, tmp_path / f"face{kind}"))
    assert torch.equal(back.triangles, surface.triangles)
    torch.testing.assert_close(back.vertices, surface.vertices, atol=2e-4, rtol=0)
    torch.testing.assert_close(back.colours, surface.colours, atol=1.01 / 255, rtol=0)


@pytest.mark.parametrize("kind", FORMATS)
def test_round_trip_of_a_depth_map(kind, tmp_path):
    seen = feedback(FaceMesh.load(), _numbers(), 60)
    scale = _numbers().camera(60).scale
    surface = surface_of_depth(seen.depth, seen.mask, scale, _image(60, 1))
    back = read_surface(write_surface(surface, tmp_path / f"Depth{kind.upper()}"))
    assert torch.equal(back.triangles, surface.triangles)
    torch.testing.assert_close(back.vertices, surface.vertices, atol=2e-4, rtol=0)
    assert back.colours.std(1).max() == 0  # grey


def test_a_file_without_colours_has_none(tmp_path):
    surface = _flat(1)
    for kind in FORMATS:
        assert read_surface(write_surface(surface, tmp_path / f"flat{kind}")).colours is None


def test_depth_map_and_mesh_are_one_surface():
    """Points of the depth map lie on the mesh: compared through the mesh's own depth."""
    numbers, size = _numbers(), 80
    seen = feedback(FaceMesh.load(), numbers, size)
    camera = numbers.camera(size)
    surface = surface_of_depth(seen.depth, seen.mask, camera.scale)
    x, y, z = surface.vertices.unbind(1)
    column = (x * camera.scale + (size - 1) / 2).round().long()
    row = ((size - 1) / 2 - y * camera.scale).round().long()
    torch.testing.assert_close(-seen.depth[0, 0, row, column], z)
    whole = surface_of_numbers(FaceMesh.load(), numbers)
    assert whole.vertices[:, 2].amax() - z.amax() < 1.5  # the nose's tip lies between pixels
    assert bool((surface.vertices[:, :2].amax(0) <= whole.vertices[:, :2].amax(0)).all())


def test_triangles_face_the_viewer():
    seen = feedback(FaceMesh.load(), _numbers(), 60)
    surface = surface_of_depth(seen.depth, seen.mask, _numbers().camera(60).scale)
    a, b, c = surface.vertices[surface.triangles].unbind(1)
    assert bool((torch.linalg.cross(b - a, c - a)[:, 2] > 0).all())


def test_jumps_are_not_bridged():
    depth = torch.zeros(1, 1, 4, 6)
    depth[..., 3:] = 50
    surface = surface_of_depth(depth, torch.ones_like(depth), 1.0)
    assert len(surface.triangles) == 2 * 3 * (2 + 2)
    spread = surface.vertices[:, 2][surface.triangles]
    assert float((spread.amax(1) - spread.amin(1)).max()) == 0


def test_holes_stay_holes():
    mask = torch.ones(1, 1, 5, 5)
    mask[..., 2, 2] = 0
    depth = torch.zeros(1, 1, 5, 5).masked_fill(mask == 0, torch.inf)
    surface = surface_of_depth(depth, mask, 1.0)
    assert len(surface.vertices) == 24
    assert len(surface.triangles) == 2 * 16 - 6


def test_a_glb_is_in_metres_with_normals_and_colours(tmp_path):
    surface = surface_of_numbers(FaceMesh.load(), _numbers(), _image(50, 1))
    content = write_surface(surface, tmp_path / "a.glb").read_bytes()
    assert content[:4] == b"glTF"
    length = struct.unpack("<I", content[12:16])[0]
    header = json.loads(content[20 : 20 + length])
    primitive = header["meshes"][0]["primitives"][0]["attributes"]
    assert {"POSITION", "NORMAL", "COLOR_0"} <= set(primitive)
    high = header["accessors"][primitive["POSITION"]]["max"]
    assert high == pytest.approx((surface.vertices.amax(0) / 1000).tolist(), abs=1e-5)


def test_nothing_half_written(tmp_path, monkeypatch):
    surface = _flat(1)
    path = tmp_path / "face.obj"
    path.write_text("before")
    monkeypatch.setattr("visage.geometry.export._WRITERS", {".obj": lambda mesh: 1 / 0})
    with pytest.raises(ZeroDivisionError):
        write_surface(surface, path)
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["face.obj"]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: _flat(1, 0.0), "nothing"),
        (lambda: _flat(2), "expected"),
        (lambda: _flat(1, scale=0.0), "scale"),
        (lambda: surface_of_numbers(FaceMesh.load(), FaceNumbers.zeros(2)), "one at a time"),
        (lambda: FaceSurface(torch.zeros(2, 3), torch.tensor([[0, 1, 2]])), "not among"),
        (lambda: FaceSurface(torch.full((3, 3), torch.nan), torch.tensor([[0, 1, 2]])), "NaN"),
        (
            lambda: FaceSurface(torch.zeros(3, 3), torch.tensor([[0, 1, 2]]), torch.zeros(2, 3)),
            "colours",
        ),
        (lambda: write_surface(_flat(1), "face.stl"), "does not end in"),
    ],
)  # fmt: skip
def test_refuses(call, says):
    with pytest.raises(ExportError, match=says):
        call()
