import pytest
import torch

from visage.faces.shape import MorphableModel
from visage.geometry.errors import RepresentationError
from visage.geometry.face_mesh import FaceMesh


@pytest.fixture(scope="module")
def numbers():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 80, generator=generator), torch.rand(2, 52, generator=generator)


def test_vertices_are_the_models(numbers):
    model, mesh = MorphableModel.load(), FaceMesh.load()
    whole = model.vertices(*numbers)[:, mesh.chosen]
    assert torch.allclose(mesh.vertices(*numbers), whole, atol=1e-4)


def test_rest_is_no_expression(numbers):
    mesh, identity = FaceMesh.load(), numbers[0]
    assert torch.equal(mesh.vertices(identity), mesh.vertices(identity, torch.zeros(2, 52)))


def test_triangles_are_the_models_where_the_face_is():
    model, mesh = MorphableModel.load(), FaceMesh.load()
    corners = mesh.chosen[mesh.triangles]
    known = {tuple(row) for row in model.triangles.tolist()}
    assert all(tuple(row) in known for row in corners.tolist())
    face = model.regions["face"] > 0.5
    assert face[corners[mesh.skin]].all()
    assert 0.3 < float(mesh.skin.float().mean()) < 0.9


def test_coordinates_fill_the_unit_cube():
    coordinates = FaceMesh.load().coordinates
    assert coordinates.amin(0).tolist() == [0, 0, 0]
    assert coordinates.amax(0).tolist() == [1, 1, 1]


def test_gram_is_the_mean_of_the_modes_products():
    mesh = FaceMesh.load()
    for i, j in ((0, 0), (3, 100), (90, 91)):
        product = (mesh.modes[i] * mesh.modes[j]).sum(1).mean()
        assert float(mesh.gram[i, j]) == pytest.approx(float(product), abs=1e-4)


def test_coefficients_of_another_width_are_refused():
    with pytest.raises(RepresentationError, match=r"\(B, 80\)"):
        FaceMesh.load().vertices(torch.zeros(1, 81), torch.zeros(1, 52))
