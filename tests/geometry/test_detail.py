"""True relief moves the surface along its normal; people are drawn alike again."""

import pytest
import torch

from visage.faces.camera import WeakPerspective
from visage.faces.surface import SurfaceMaps
from visage.geometry import detail
from visage.geometry.detail import CoarseErrors, coarse_like, draw_detailed
from visage.geometry.errors import DetailError
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.random_relief import ReliefRanges, random_relief, with_random_relief
from visage.geometry.relief_depth import detailed_depth, face_triangles
from visage.geometry.rendering_layer import render_depth
from visage.geometry.representation import FaceNumbers


@pytest.fixture(scope="module")
def model():
    return detail._model()


@pytest.fixture(scope="module")
def drawn():
    return draw_detailed("validation", [3], 64)


def flat_maps(height):
    one = torch.ones(1, 1, 64, 64)
    return SurfaceMaps(one.expand(-1, 3, -1, -1), one, one, height * one)


def seen_from(yaw, size=120, distance=None):
    angles = torch.tensor([[0.0, yaw, 0.0]])
    camera = WeakPerspective(angles, torch.zeros(1, 2), size, size, scale=torch.tensor([0.5]))
    return camera if distance is None else camera.at_distance(torch.tensor([distance]))


@pytest.mark.parametrize("yaw", [0.0, 0.5])
def test_a_raised_skin_is_the_mesh_with_moved_vertices(model, yaw):
    """Half a millimetre everywhere: each vertex moves by as much along its normal."""
    camera, vertices = seen_from(yaw), model.vertices(torch.zeros(1, 80))
    found = detailed_depth(model, camera, vertices, flat_maps(0.5))
    moved = vertices + 0.5 * model.normals(vertices)
    truth = detailed_depth(model, camera, moved, flat_maps(0.0))
    face = (found.face * truth.face) > 0
    difference = (found.depth - truth.depth)[face].abs()
    assert difference.median() < 0.01
    assert difference.quantile(0.9) < 0.08
    assert (found.smooth - truth.depth)[face].median() > 0.5


def test_perspective_raises_towards_the_camera(model):
    vertices = model.vertices(torch.zeros(1, 80))
    camera = seen_from(0.3, distance=600.0)
    found = detailed_depth(model, camera, vertices, flat_maps(0.5))
    moved = vertices + 0.5 * model.normals(vertices)
    truth = detailed_depth(model, camera, moved, flat_maps(0.0))
    face = (found.face * truth.face) > 0
    assert (found.depth - truth.depth)[face].abs().median() < 0.02


def test_a_groove_is_deeper_and_nothing_is_off_the_head(model):
    vertices = model.vertices(torch.zeros(1, 80))
    found = detailed_depth(model, seen_from(0.0), vertices, flat_maps(-0.3))
    face = found.face > 0
    assert (found.depth > found.smooth)[face].float().mean() > 0.99
    assert (found.relief[~found.smooth.isfinite()] == 0).float().mean() > 0.95
    assert found.depth[..., 0, 0].isinf().all()


def test_the_face_is_that_of_the_face_mesh(model):
    assert int(face_triangles(model).sum()) == len(FaceMesh.load(1).triangles)


def test_what_is_drawn_fits_together(drawn):
    size = drawn.faces.shape[-1]
    face = drawn.mask > 0
    assert drawn.depth[face].isfinite().all()
    assert (drawn.seen <= drawn.mask).all()
    assert 0.05 < drawn.mask.mean() < 0.7
    assert drawn.numbers.shape == (1, 138)
    centre = drawn.truth.camera(size)
    assert torch.allclose(centre.scale, drawn.scale)
    assert drawn.light.shape == (1, 9)
    assert drawn.light[0, 0] > 0


def test_the_true_numbers_draw_the_true_surface(drawn):
    again = render_depth(FaceMesh.load(1), drawn.truth, drawn.faces.shape[-1])
    both = (again.mask * drawn.mask) > 0
    assert ((again.mask > 0) == (drawn.mask > 0)).float().mean() > 0.99
    error = (again.depth - drawn.depth - drawn.relief)[both].abs()
    assert error.median() < 0.01


def test_people_are_drawn_alike_again_and_each_by_themselves(drawn):
    both = draw_detailed("validation", [2, 3], 64)
    assert torch.allclose(both[1:].faces, drawn.faces, atol=2e-3)
    assert torch.equal(both[1:].numbers, drawn.numbers)


def test_imitated_errors_are_about_as_large_as_asked():
    truth = FaceNumbers.of(torch.full((400, 138), 0.5))
    errors = CoarseErrors(identity=0.4, expression=0.05, pose=0.1)
    found = coarse_like(truth, torch.Generator().manual_seed(0), errors)
    spreads = [(a - b).square().mean().sqrt() for a, b in (
        (found.identity, truth.identity), (found.expression, truth.expression),
        (found.pose, truth.pose))]  # fmt: skip
    # Sizes are uniform in (0, 2): their mean square is 4/3.
    for spread, asked in zip(spreads, (0.4, 0.05, 0.1), strict=True):
        assert float(spread) == pytest.approx(asked * (4 / 3) ** 0.5, rel=0.1)
    again = coarse_like(truth, torch.Generator().manual_seed(0), errors)
    assert torch.equal(found.numbers, again.numbers)


def test_random_relief_is_smooth_repeatable_and_not_everybody_s():
    ranges = ReliefRanges(share=1.0)
    one, same, other = (random_relief(seed, 256, ranges) for seed in (4, 4, 5))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert 0.02 < one.std() < 1
    assert one.diff(dim=2).abs().max() < 1.0
    some = torch.stack([random_relief(s, 32, ReliefRanges()).abs().max() > 0 for s in range(60)])
    assert 0.4 < some.float().mean() < 0.8
    maps = with_random_relief(flat_maps(0.1), [4], ranges)
    assert torch.allclose(maps.height - 0.1, random_relief(4, 64, ranges)[None], atol=1e-6)


def test_who_is_refused():
    with pytest.raises(DetailError, match="split"):
        draw_detailed("everybody", [0])
