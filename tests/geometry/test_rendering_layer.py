"""Equations 5 to 7 against loops and finite differences; what is hidden, what is outside."""

import copy
import math

import pytest
import torch

from visage.faces.camera import CameraError, Perspective, WeakPerspective
from visage.faces.visibility import RasterError
from visage.geometry.errors import RenderingError
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.feedback import feedback
from visage.geometry.rendering_layer import depth_of_mesh, render_depth, skin_mask
from visage.geometry.representation import FaceNumbers

SIZE = 24


@pytest.fixture(scope="module")
def mesh():
    return FaceMesh.load()


@pytest.fixture(scope="module")
def exact(mesh):
    return copy.deepcopy(mesh).double()


def camera(batch=1, size=SIZE, dtype=torch.float64, scale=1.0):
    zeros = torch.zeros(batch, 3, dtype=dtype)
    return WeakPerspective(zeros, zeros[:, :2], size, size, scale=scale + 0 * zeros[:, 0])


def two_triangles():
    """One large triangle, and one before it that covers its middle. Depth is minus z."""
    far = [[-9.13, -8.41, -3.0], [9.37, -7.19, -1.0], [0.61, 10.03, -2.0]]
    near = [[-3.11, -3.57, 2.0], [4.43, -2.23, 3.0], [0.67, 4.09, 2.5]]
    return torch.tensor([far + near], dtype=torch.float64), torch.tensor([[0, 1, 2], [3, 4, 5]])


def random_numbers(batch, seed=0, size=0.7):
    generator = torch.Generator().manual_seed(seed)
    numbers = size * torch.randn(batch, 138, generator=generator, dtype=torch.float64)
    numbers[:, 80:132] = numbers[:, 80:132].abs() * 0.3
    return numbers


def solved_depth(corners, x, y):
    """Depth where the ray through the pixel (x, y) meets the plane of corners (3, 3) in pixels."""
    ones = torch.ones(3, 1, dtype=corners.dtype)
    weights = torch.linalg.solve(
        torch.cat([corners[:, :2], ones], 1).T, torch.tensor([x, y, 1.0], dtype=corners.dtype)
    )
    return weights, weights @ corners[:, 2]


def test_depth_is_equation_6_at_every_pixel():
    vertices, triangles = two_triangles()
    drawn = depth_of_mesh(vertices, camera(), triangles)
    points = camera().project(vertices)[0]
    assert 0 < drawn.mask.mean() < 1
    for y in range(SIZE):
        for x in range(SIZE):
            found = []
            for triangle in triangles:
                weights, depth = solved_depth(points[triangle], float(x), float(y))
                if (weights > 0).all():  # no pixel lies on an edge
                    found.append(depth)
            nearest = min(found) if found else torch.tensor(math.inf).double()
            assert torch.isclose(drawn.depth[0, 0, y, x], nearest)
            assert bool(drawn.mask[0, 0, y, x]) == bool(found)


def test_projection_is_equation_5(exact):
    numbers = FaceNumbers.of(random_numbers(1))
    seen = numbers.camera(50)
    shape = torch.cat([numbers.identity, numbers.expression], 1)[0]
    heads = exact.mean + sum(a * mode for a, mode in zip(shape, exact.modes, strict=True))
    moved = heads @ seen.rotation()[0].T
    drawn = render_depth(exact, numbers, 50)
    y, x = (drawn.mask[0, 0] > 0).nonzero()[200].tolist()
    corners = moved[exact.triangles[drawn.ids[0, y, x].long()]]
    across = 24.5 + seen.scale * (corners[:, 0] + seen.translation[0, 0])
    down = 24.5 - seen.scale * (corners[:, 1] + seen.translation[0, 1])
    wanted = solved_depth(torch.stack([across, down, -corners[:, 2]], 1), float(x), float(y))[1]
    assert torch.isclose(drawn.depth[0, 0, y, x], wanted)


def test_backward_with_fixed_barycentrics_is_equation_7():
    vertices, triangles = two_triangles()
    vertices.requires_grad_()
    drawn = depth_of_mesh(vertices, camera(), triangles)
    upstream = torch.randn(drawn.depth.shape, generator=torch.Generator().manual_seed(1)).double()
    drawn.depth.backward(upstream)
    wanted = torch.zeros_like(vertices)
    for y in range(SIZE):
        for x in range(SIZE):
            triangle = int(drawn.ids[0, y, x])
            if triangle >= 0:
                for corner, weight in zip(triangles[triangle], drawn.weights[0, y, x], strict=True):
                    wanted[0, corner, 2] -= weight * upstream[0, 0, y, x]  # depth is minus z
    assert torch.allclose(vertices.grad, wanted)


def test_through_the_barycentrics_a_sideways_step_is_minus_the_slope_times_a_lift():
    vertices, triangles = two_triangles()
    vertices.requires_grad_()
    drawn = depth_of_mesh(vertices, camera(), triangles, through_barycentrics=True)
    y, x = (drawn.ids[0] == 1).nonzero()[7].tolist()
    drawn.depth[0, 0, y, x].backward()
    a, b, c = vertices.detach()[0, 3:]
    normal = torch.linalg.cross(b - a, c - a)
    slope = -normal[:2] / normal[2]  # of z over x and y
    lift = vertices.grad[0, 3:, 2]
    assert torch.allclose(vertices.grad[0, 3:, :2], -slope * lift[:, None])


def test_gradcheck_of_lifts_with_fixed_barycentrics():
    vertices, triangles = two_triangles()

    def depth(lift):
        moved = torch.cat([vertices[..., :2], vertices[..., 2:] + lift], 2)
        drawn = depth_of_mesh(moved, camera(), triangles)
        return drawn.depth[drawn.mask > 0]

    lift = torch.zeros(1, 6, 1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(depth, (lift,))


def test_gradcheck_through_the_barycentrics():
    vertices, triangles = two_triangles()

    def depth(moved):
        drawn = depth_of_mesh(moved, camera(), triangles, through_barycentrics=True)
        return drawn.depth[drawn.mask > 0]

    assert torch.autograd.gradcheck(depth, (vertices.requires_grad_(),))


def test_gradcheck_through_a_perspective_camera():
    vertices, triangles = two_triangles()
    seen = camera()
    seen = Perspective(
        seen.angles, seen.translation, SIZE, SIZE,
        focal=torch.tensor([40.0]).double(), distance=torch.tensor([40.0]).double(),
    )  # fmt: skip

    def depth(moved):
        drawn = depth_of_mesh(moved, seen, triangles, through_barycentrics=True)
        return drawn.depth[drawn.mask > 0]

    assert torch.autograd.gradcheck(depth, (vertices.requires_grad_(),))


def test_numbers_have_the_derivatives_of_finite_differences(exact):
    numbers = random_numbers(1, seed=3)
    upstream = torch.rand(1, 1, 30, 30, generator=torch.Generator().manual_seed(2)).double()

    def energy(values, through):
        drawn = render_depth(exact, FaceNumbers.of(values), 30, through_barycentrics=through)
        return drawn.depth, drawn.ids

    def gradient(through):
        values = numbers.clone().requires_grad_()
        depth, ids = energy(values, through)
        kept = upstream * steady
        (depth.masked_fill(ids[:, None] < 0, 0) * kept).sum().backward()
        return values.grad[0]

    step, chosen = 1e-5, [0, 3, 80 + 17, 132, 133, 134, 135, 136, 137]
    pairs = []
    steady = torch.ones_like(upstream)
    for index in chosen:
        moved = [numbers.clone(), numbers.clone()]
        for sign, values in zip((1, -1), moved, strict=True):
            values[0, index] += sign * step
        ends = [energy(values, False) for values in moved]
        pairs.append(ends)
        steady = steady * (ends[0][1] == ends[1][1])[:, None]
    through, fixed = gradient(True), gradient(False)
    for index, ((up, ids), (down, _)) in zip(chosen, pairs, strict=True):
        change = (up - down).masked_fill((ids[:, None] < 0) | (steady == 0), 0)
        assert torch.isclose((change * upstream).sum() / (2 * step), through[index], rtol=1e-4)
    assert fixed[135:].abs().max() == 0  # shift and growth move nothing along the view
    assert through[135:].abs().min() > 0


def test_hidden_vertices_get_nothing():
    vertices, triangles = two_triangles()
    wide = torch.cat([vertices[:, :3], 2 * vertices[:, 3:] + 20], 1)  # one hides the other wholly
    wide = wide - torch.tensor([20.0, 20.0, 0.0]) * torch.tensor([0, 0, 0, 1, 1, 1])[:, None]
    wide = torch.cat([wide[:, :3] * 0.2, wide[:, 3:]], 1).requires_grad_()
    drawn = depth_of_mesh(wide, camera(), triangles, through_barycentrics=True)
    assert not (drawn.ids == 0).any()
    assert (drawn.ids == 1).any()
    drawn.depth[drawn.mask > 0].sum().backward()
    assert wide.grad[0, :3].abs().max() == 0
    assert wide.grad[0, 3:].abs().min() > 0


def test_the_layer_draws_what_the_feedback_shows(mesh):
    numbers = FaceNumbers.of(random_numbers(2).float())
    drawn, shown = render_depth(mesh, numbers, 60), feedback(mesh, numbers, 60)
    assert torch.equal(drawn.mask, shown.mask)
    inside = drawn.mask > 0
    assert torch.allclose(drawn.depth[inside], shown.depth[inside], atol=1e-4)
    assert drawn.depth[~inside].isinf().all()


def test_a_batch_is_its_faces(mesh):
    numbers = FaceNumbers.of(random_numbers(3).float())
    together = render_depth(mesh, numbers, 40)
    for i in range(3):
        alone = render_depth(mesh, numbers[i : i + 1], 40)
        assert torch.equal(together.ids[i : i + 1], alone.ids)
        inside = alone.mask > 0
        assert torch.allclose(together.depth[i : i + 1][inside], alone.depth[inside], atol=1e-4)
    assert len(together) == 3


def test_a_face_outside_of_the_picture_is_empty_and_has_no_gradient(mesh):
    numbers = torch.zeros(1, 138)
    numbers[0, 135] = 100  # 800 mm to the right
    numbers.requires_grad_()
    drawn = render_depth(mesh, FaceNumbers.of(numbers), 30, through_barycentrics=True)
    assert drawn.mask.sum() == 0
    assert drawn.depth.isinf().all()
    drawn.depth.masked_fill(drawn.mask == 0, 0).sum().backward()
    assert numbers.grad.abs().max() == 0


def test_skin_is_neither_eyes_nor_mouth(mesh):
    drawn = render_depth(mesh, FaceNumbers.zeros(1), 100)
    skin = skin_mask(mesh, drawn.ids)
    assert skin.shape == drawn.mask.shape
    assert (skin <= drawn.mask).all()
    share = float(skin.sum() / drawn.mask.sum())
    assert 0.9 < share < 1
    ids = torch.tensor([[[int(mesh.skin.nonzero()[0]), int((~mesh.skin).nonzero()[0]), -1]]])
    assert skin_mask(mesh, ids).flatten().tolist() == [1, 0, 0]


def test_bad_input_is_refused(mesh):
    vertices, triangles = two_triangles()
    with pytest.raises(RenderingError, match="NaN"):
        depth_of_mesh(vertices * torch.nan, camera(), triangles)
    with pytest.raises(RasterError, match="vertices"):
        depth_of_mesh(vertices[:, :4], camera(), triangles)
    with pytest.raises(CameraError, match="cameras"):
        depth_of_mesh(vertices.expand(2, -1, -1), camera(3), triangles)
    numbers = torch.zeros(1, 138)
    with pytest.raises(RenderingError, match="NaN"):
        render_depth(mesh, FaceNumbers.of(numbers.index_fill(1, torch.tensor(2), torch.nan)), 30)
