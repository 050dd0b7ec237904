"""The ten modes of albedo: what is shipped, how it is drawn, how it is learned."""

import pytest
import torch

from visage.faces.scene import GREY, Scene, render
from visage.faces.shape import MorphableModel
from visage.geometry.errors import TextureError
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.rendering_layer import render_depth
from visage.geometry.representation import FaceNumbers
from visage.geometry.texture_learning import (
    even_camera,
    even_light,
    explained,
    learn_textures,
    sampled,
    vertex_areas,
)
from visage.geometry.texture_space import MODES, TextureSpace


@pytest.fixture(scope="module")
def mesh():
    return FaceMesh.load()


@pytest.fixture(scope="module")
def space(mesh):
    return TextureSpace.load(mesh)


def synthetic(mesh, count=30, rank=3, seed=0):
    """Albedos of people who differ in `rank` patterns only."""
    generator = torch.Generator().manual_seed(seed)
    patterns = 0.02 * torch.randn(rank, len(mesh.mean), generator=generator)
    weights = torch.randn(count, rank, generator=generator)
    return 0.3 + weights @ patterns


def test_what_is_shipped_is_skin_with_brows_and_lips(mesh, space):
    assert space.modes.shape == (MODES, len(mesh.mean))
    drawn = render_depth(mesh, FaceNumbers.zeros(1), 200)
    mean, modes = space.drawn(drawn.ids, drawn.weights)
    assert mean.shape == (1, 1, 200, 200)
    assert modes.shape == (1, MODES, 200, 200)
    assert mean[drawn.mask == 0].abs().max() == 0
    regions = MorphableModel.load().regions
    brows, lips = (
        space.mean[regions[name][mesh.chosen] > 0.9].mean() for name in ("brows", "lips")
    )
    forehead = (mesh.mean - torch.tensor([0.0, 50.0, 100.0])).norm(dim=1).argmin()
    skin = space.mean[forehead]
    assert 0.15 < skin < 0.4
    assert brows < 0.75 * skin
    assert lips < 0.9 * skin
    # The first mode is the tone of the skin, far before all others.
    strength = space.modes @ (space.modes * vertex_areas(mesh)).T
    assert strength[0, 0] > 5 * strength.diagonal()[1:].max()


def test_drawing_is_linear_in_the_weights(mesh, space):
    numbers = FaceNumbers.of(0.5 * torch.randn(2, 138, generator=torch.Generator().manual_seed(0)))
    drawn = render_depth(mesh, numbers, 60)
    mean, modes = space.drawn(drawn.ids, drawn.weights)
    weights = torch.randn(2, MODES, generator=torch.Generator().manual_seed(1))
    mixed = mean + (modes * weights[..., None, None]).sum(1, keepdim=True)
    vertices = space.albedo(weights)
    for image, y, x in [(0, 30, 30), (1, 40, 28)]:
        corners = mesh.triangles[drawn.ids[image, y, x].long()]
        wanted = (vertices[image, corners] * drawn.weights[image, y, x]).sum()
        assert torch.isclose(mixed[image, 0, y, x], wanted, atol=1e-5)


def test_the_subdivided_face_has_the_same_textures(mesh, space):
    fine = FaceMesh.load(1)
    finer = TextureSpace.load(fine)
    assert finer.modes.shape == (MODES, len(fine.mean))
    pictures = []
    for whose, textures in ((mesh, space), (fine, finer)):
        drawn = render_depth(whose, FaceNumbers.zeros(1), 100)
        pictures.append((textures.drawn(drawn.ids, drawn.weights)[0], drawn.mask))
    inside = (pictures[0][1] * pictures[1][1]) > 0
    apart = (pictures[0][0] - pictures[1][0])[inside].abs()
    assert apart.mean() < 0.004
    assert apart.quantile(0.99) < 0.05


def test_learning_finds_the_patterns_that_people_differ_in(mesh):
    albedos = synthetic(mesh)
    space = learn_textures(albedos, mesh, modes=3)
    assert torch.allclose(space.mean, albedos.mean(0), atol=1e-6)
    assert explained(space, albedos, mesh) > 0.9999
    assert 0.2 < explained(learn_textures(albedos, mesh, modes=1), albedos, mesh) < 0.9
    # Coefficients of the people learned from are uncorrelated, with standard deviation 1.
    area = vertex_areas(mesh)
    gram = (space.modes * area) @ space.modes.T
    scores = ((albedos - space.mean) * area) @ space.modes.T @ torch.linalg.inv(gram)
    assert torch.allclose(torch.cov(scores.T), torch.eye(3), atol=1e-3)
    assert (space.modes.sum(1) > 0).all()


def test_areas_are_the_mean_face_s(mesh):
    a, b, c = mesh.mean[mesh.triangles[:50]].unbind(1)
    total = torch.linalg.cross(b - a, c - a).norm(dim=1).sum() / 2
    part = FaceMesh.__new__(FaceMesh)
    torch.nn.Module.__init__(part)
    part.mean, part.triangles = mesh.mean, mesh.triangles[:50]
    assert torch.isclose(vertex_areas(part).sum(), total)


def test_a_grey_head_in_even_light_shows_its_albedo_and_its_hollows(mesh):
    model = MorphableModel.load()
    camera = even_camera(1, 0.4)
    scene = Scene(torch.zeros(1, 80), torch.zeros(1, 52), camera, even_light(1))
    seen, colour = sampled(mesh, model, render(model, scene), camera)
    assert 0.2 < (seen > 0).float().mean() < 0.9
    right, left = mesh.mean[:, 0] > 40, mesh.mean[:, 0] < -40
    assert seen[0, right].mean() < seen[0, left].mean()  # it looks to the right
    well = seen[0] > 0.3
    open_skin = well & (model.occlusion[mesh.chosen] > 0.95)
    assert (colour[0, open_skin] - GREY).abs().mean() < 0.01
    hollow = well & (model.occlusion[mesh.chosen] < 0.7)
    assert colour[0, hollow].mean() < 0.9 * GREY


def test_bad_input_is_refused(mesh, space):
    with pytest.raises(TextureError, match=r"\(B, 10\)"):
        space.albedo(torch.zeros(2, 3))
    with pytest.raises(TextureError, match=r"\(N,\) and \(K, N\)"):
        TextureSpace(space.mean, space.modes[:, 1:], mesh.triangles)
    with pytest.raises(TextureError, match="mesh"):
        TextureSpace(space.mean[:50], space.modes[:, :50], mesh.triangles)
    with pytest.raises(TextureError, match="this mesh"):
        learn_textures(torch.zeros(5, 7), mesh)
    with pytest.raises(TextureError, match="people"):
        learn_textures(synthetic(mesh, count=3), mesh, modes=3)
