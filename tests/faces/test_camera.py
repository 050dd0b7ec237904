import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from visage.faces.camera import (
    NEAR,
    CameraError,
    Perspective,
    WeakPerspective,
    euler_angles,
    rotation_matrix,
)

radians = st.floats(-math.pi, math.pi)


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


def weak(batch=2, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    angles = torch.rand(batch, 3, generator=generator, dtype=dtype) - 0.5
    translation = torch.randn(batch, 2, generator=generator, dtype=dtype) * 5
    scale = 0.4 + torch.rand(batch, generator=generator, dtype=dtype)
    return WeakPerspective(angles, translation, 120, 100, scale=scale)


def near(batch=2, dtype=torch.float64):
    return weak(batch, dtype).at_distance(torch.full((batch,), 700.0, dtype=dtype))


CAMERAS = pytest.mark.parametrize("make", [weak, near], ids=["weak", "perspective"])


def vertices(batch=2, count=5):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, count, 3, generator=generator, dtype=torch.float64) * 80


@pytest.mark.parametrize(
    ("angles", "moved", "where"),
    [
        ((0.3, 0, 0), (0, 0, 1), lambda p: p[1] < 0),  # pitch: the nose goes down
        ((0, 0.3, 0), (0, 0, 1), lambda p: p[0] > 0),  # yaw: the nose goes to the right
        ((0, 0, 0.3), (1, 0, 0), lambda p: p[1] > 0),  # roll: the right ear goes up
    ],
)
def test_signs(angles, moved, where):
    assert where(rotation_matrix(double(*angles)) @ double(*moved))


def about(axis, angle):
    """Rodrigues' formula, from the cross-product matrix of an axis."""
    x, y, z = axis
    k = double([0, -z, y], [z, 0, -x], [-y, x, 0])
    return torch.matrix_exp(angle * k)


@given(radians, radians, radians)
def test_order_of_the_angles(pitch, yaw, roll):
    expected = about((0, 0, 1), roll) @ about((0, 1, 0), yaw) @ about((1, 0, 0), pitch)
    assert torch.allclose(rotation_matrix(double(pitch, yaw, roll)), expected)


@given(radians, st.one_of(radians, st.sampled_from([math.pi / 2, -math.pi / 2])), radians)
def test_angles_from_a_rotation(pitch, yaw, roll):
    """Whatever the angles, those found turn in the same way; also where they are not unique."""
    rotation = rotation_matrix(double(pitch, yaw, roll))
    found = euler_angles(rotation)
    assert found[1].abs() <= math.pi / 2 + 1e-12
    assert torch.allclose(rotation_matrix(found), rotation, atol=1e-7)


def test_roll_turns_the_picture_and_nothing_else():
    camera = weak(1)
    rolled = WeakPerspective(
        camera.angles + double(0, 0, 0.4), camera.translation * 0, 120, 100, scale=camera.scale
    )
    still = WeakPerspective(camera.angles, camera.translation * 0, 120, 100, scale=camera.scale)
    middle = double(49.5, 59.5, 0)
    picture = (still.project(vertices(1)) - middle) * double(1, -1, 1)
    turned = (rolled.project(vertices(1)) - middle) * double(1, -1, 1)
    assert torch.allclose(turned, picture @ about((0, 0, 1), 0.4).T)


def test_weak_perspective_is_equation_2():
    """p = f [R | t] P, vertex by vertex."""
    camera, heads = weak(), vertices()
    found = camera.project(heads)
    for b in range(2):
        extrinsic = torch.cat(
            [
                rotation_matrix(camera.angles[b]),
                torch.cat([camera.translation[b], double(0)])[:, None],
            ],
            1,
        )
        intrinsic = camera.scale[b] * double([1, 0, 0], [0, 1, 0])
        for v in range(heads.shape[1]):
            x, y = intrinsic @ extrinsic @ torch.cat([heads[b, v], double(1)])
            assert torch.allclose(found[b, v, :2], torch.stack([49.5 + x, 59.5 - y]))


def test_perspective_is_a_pinhole():
    """The ray from the pinhole through the pixel meets the vertex."""
    camera, heads = near(), vertices()
    found, space = camera.project(heads), camera.view(heads)
    ray = torch.stack(
        [found[..., 0] - 49.5, 59.5 - found[..., 1], -camera.focal[:, None].expand(2, 5)], -1
    )
    assert torch.allclose(torch.linalg.cross(ray, space), torch.zeros(1).double(), atol=1e-9)
    assert torch.allclose(found[..., 2], -space[..., 2])


def test_far_away_perspective_is_weak():
    camera, heads = weak(), vertices()
    expected = camera.project(heads)[..., :2]
    errors = [
        (camera.at_distance(double(d, d)).project(heads)[..., :2] - expected).abs().max()
        for d in (1e3, 1e5, 1e7)
    ]
    assert errors[0] > 1
    assert errors[1] < errors[0] / 50
    assert errors[2] < 1e-2


def test_the_origin_is_in_the_middle():
    zero = torch.zeros(1, 3)
    camera = WeakPerspective(zero, zero[:, :2], 11, 21, scale=torch.ones(1))
    for one in (camera, camera.at_distance(torch.tensor([300.0]))):
        assert one.project(torch.zeros(1, 1, 3))[0, 0, :2].tolist() == [10, 5]


@CAMERAS
def test_unproject(make):
    camera, heads = make(), vertices()
    assert torch.allclose(camera.unproject(camera.project(heads)), camera.view(heads))


@CAMERAS
def test_magnified_covers_the_same_picture(make):
    """Pixel (x, y) becomes a block of k by k pixels, whose middle is k x + (k - 1)/2."""
    camera, heads = make(), vertices()
    big = camera.magnified(3)
    assert (big.height, big.width) == (360, 300)
    small = camera.project(heads)
    assert torch.allclose(big.project(heads)[..., :2], 3 * small[..., :2] + 1)


@CAMERAS
def test_towards_viewer(make):
    camera = make()
    positions = camera.view(vertices(2, 6)).mT.unflatten(2, (2, 3))
    towards = camera.towards_viewer(positions).expand_as(positions)
    assert torch.allclose(towards.norm(dim=1), torch.ones(1).double())
    if camera.perspective:
        assert torch.allclose(torch.linalg.cross(towards, positions, dim=1), double(0), atol=1e-9)
    assert (towards[:, 2] > 0.9).all()


@CAMERAS
def test_gradients(make):
    camera = make()
    names = ["focal", "distance"] if camera.perspective else ["scale"]
    fields = [camera.angles, camera.translation, *(getattr(camera, name) for name in names)]

    def project(heads, angles, translation, *rest):
        rest = dict(zip(names, rest, strict=True))
        return type(camera)(angles, translation, 120, 100, **rest).project(heads)

    leaves = [leaf.clone().requires_grad_() for leaf in (vertices(), *fields)]
    assert gradcheck(project, leaves)


def test_behind_the_camera():
    """No pixel, and no derivative, not even a NaN."""
    camera = near(1)
    heads = vertices(1, 3)
    heads[0, 0] = camera.rotation()[0].T @ double(0, 0, 800)
    heads.requires_grad_()
    points = camera.project(heads)
    assert points[0, 0, :2].isnan().all()
    assert points[0, 0, 2] < NEAR
    points[:, 1:].sum().backward()
    assert heads.grad.isfinite().all()
    assert (heads.grad[0, 0] == 0).all()


@CAMERAS
@settings(deadline=None, max_examples=10)
@given(st.integers(0, 3), st.integers(0, 4))
def test_batches(make, batch, count):
    camera = make(batch)
    heads = vertices(1, count)
    assert camera.project(heads).shape == (batch, count, 3)
    assert torch.equal(camera.project(heads), camera.project(heads.expand(batch, -1, -1)))
    assert make(1).project(vertices(3)).shape == (3, 5, 3)


ANGLES, SHIFT, ONE = torch.zeros(2, 3), torch.zeros(2, 2), torch.ones(2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: WeakPerspective(ANGLES[0], SHIFT, 8, 8, scale=ONE), r"angles is \(3,\)"),
        (lambda: WeakPerspective(ANGLES, ANGLES, 8, 8, scale=ONE), r"expected \(B, 2\) with B = 2"),
        (lambda: WeakPerspective(ANGLES, SHIFT, 8, 8, scale=ONE[:1]), r"expected \(B,\)"),
        (lambda: WeakPerspective(ANGLES, SHIFT, 8, 0, scale=ONE), "the picture is 8×0"),
        (lambda: WeakPerspective(ANGLES * torch.nan, SHIFT, 8, 8, scale=ONE), "angles holds NaN"),
        (lambda: WeakPerspective(ANGLES, SHIFT / 0, 8, 8, scale=ONE), "translation holds NaN"),
        (lambda: WeakPerspective(ANGLES, SHIFT, 8, 8, scale=-ONE), "scale is -1; .* more than 0"),
        (
            lambda: Perspective(ANGLES, SHIFT, 8, 8, focal=0 * ONE, distance=ONE * 9),
            "focal is 0; expected more than 0",
        ),
        (
            lambda: Perspective(ANGLES, SHIFT, 8, 8, focal=ONE, distance=ONE),
            "distance is 1; expected more than 1",
        ),
        (lambda: weak().project(torch.zeros(2, 4)), r"vertices are \(2, 4\)"),
        (lambda: weak().project(torch.zeros(3, 4, 3).double()), "3 sets of vertices for 2 cameras"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(CameraError, match=message):
        call()
