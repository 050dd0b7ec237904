import torch

from visage.faces.raster import barycentric, visible_triangles
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.feedback import feedback
from visage.geometry.representation import FaceNumbers


def some_faces(count=2):
    generator = torch.Generator().manual_seed(0)
    scale = torch.cat([torch.ones(80), 0.1 * torch.ones(52), torch.ones(6)])
    return FaceNumbers.of(scale * torch.randn(count, 138, generator=generator))


def test_pncc_is_the_place_on_the_mean_face_that_a_pixel_shows():
    mesh, numbers = FaceMesh.load(), some_faces(1)
    seen = feedback(mesh, numbers, 64)
    points = numbers.camera(64).project(numbers.vertices(mesh))
    ids = visible_triangles(points, mesh.triangles, 64, 64)
    weights = barycentric(points, mesh.triangles, ids)
    for y, x in ((30, 30), (40, 25), (20, 36)):
        corners = mesh.triangles[int(ids[0, y, x])]
        expected = weights[0, y, x] @ mesh.coordinates[corners]
        assert torch.allclose(seen.pncc[0, :, y, x], expected, atol=1e-5)


def test_normals_are_unit_vectors_that_face_the_viewer():
    seen = feedback(FaceMesh.load(), some_faces(), 64)
    inside = seen.mask[:, 0] > 0
    length = seen.normals.norm(dim=1)
    assert torch.allclose(length[inside], torch.ones(1), atol=1e-4)
    assert (length[~inside] == 0).all()
    assert float((seen.normals[:, 2][inside] > -0.2).float().mean()) > 0.99


def test_depth_is_nearest_at_the_nose_and_infinite_outside():
    seen = feedback(FaceMesh.load(), FaceNumbers.zeros(1), 100)
    mask = seen.mask[0, 0] > 0
    assert seen.depth[0, 0][~mask].isinf().all()
    nearest = int(seen.depth[0, 0].argmin())
    assert abs(nearest % 100 - 49.5) < 3
    assert 45 < nearest // 100 < 70


def test_the_mask_is_where_something_is_painted():
    seen = feedback(FaceMesh.load(), some_faces(), 64)
    assert torch.equal(seen.mask[:, 0] > 0, seen.normals.norm(dim=1) > 0)
    assert seen.channels.shape == (2, 6, 64, 64)


def test_a_face_outside_of_the_picture_has_an_empty_mask():
    numbers = FaceNumbers.zeros(1)
    numbers.pose[0, 3] = 100.0
    seen = feedback(FaceMesh.load(), numbers, 32)
    assert float(seen.mask.sum()) == 0
    assert len(seen) == 1
