import math

import pytest
import torch

from visage.faces.relief import relief


def plane(size=8, tilt=0.0, step=0.5, dtype=torch.float64):
    """Normals, positions and surface coordinates of a plane turned about the picture's y."""
    index = torch.arange(size, dtype=dtype)
    x, y = (index * step).expand(size, size), (-index * step)[:, None].expand(size, size)
    along = torch.tensor([math.cos(tilt), 0, -math.sin(tilt)], dtype=dtype)
    positions = along[:, None, None] * (x / math.cos(tilt)) + y * torch.tensor(
        [0, 1, 0], dtype=dtype
    ).view(3, 1, 1)
    normal = torch.tensor([math.sin(tilt), 0, math.cos(tilt)], dtype=dtype)
    normals = normal[:, None, None].expand(3, size, size)
    return normals[None].contiguous(), positions[None].contiguous(), (x / math.cos(tilt), y)


@pytest.mark.parametrize("tilt", [0.0, 0.4, -0.9])
@pytest.mark.parametrize("slope", [(0.3, 0.0), (0.0, 0.5), (-0.2, 0.4)])
def test_a_ramp_on_a_tilted_plane(tilt, slope):
    normals, positions, (s, t) = plane(tilt=tilt)
    height = (slope[0] * s + slope[1] * t)[None, None]
    bent = relief(normals, positions, height)
    right = torch.tensor([math.cos(tilt), 0, -math.sin(tilt)], dtype=torch.float64)
    up = torch.tensor([0.0, 1, 0], dtype=torch.float64)
    expected = normals[0, :, 0, 0] - slope[0] * right - slope[1] * up
    expected = expected / expected.norm()
    torch.testing.assert_close(bent[0, :, 3, 4], expected)
    # The last row and column look back instead of ahead.
    torch.testing.assert_close(bent[0, :, -1, -1], expected)


def test_flat_height_changes_nothing():
    normals, positions, _ = plane(tilt=0.3)
    torch.testing.assert_close(relief(normals, positions, torch.ones(1, 1, 8, 8).double()), normals)


def test_background_stays_empty_and_does_not_leak():
    normals, positions, (s, _) = plane()
    normals, height = normals.clone(), (0.3 * s)[None, None].clone()
    normals[..., 5:] = 0
    height[..., 5:] = 1e6
    positions = positions.clone()
    positions[..., 5:] = 0
    bent = relief(normals, positions, height)
    assert not bent[..., 5:].any()
    torch.testing.assert_close(bent[0, 0, 2, 4], bent[0, 0, 2, 1])


def test_cliffs_are_limited():
    normals, positions, _ = plane()
    height = torch.zeros(1, 1, 8, 8).double()
    height[..., 4:] = 1e3
    bent = relief(normals, positions, height)
    assert bent.isfinite().all()
    assert bent[:, 2].min() > math.cos(math.atan(1.6))


def test_one_pixel_has_no_slope():
    z = torch.tensor([0.0, 0, 1]).view(1, 3, 1, 1)
    assert torch.equal(relief(z, torch.zeros(1, 3, 1, 1), torch.ones(1, 1, 1, 1)), z)


def test_derivatives():
    normals, positions, (s, t) = plane(size=4, tilt=0.3)
    height = (0.1 * s + 0.05 * (2 * t).sin())[None, None].requires_grad_()
    assert torch.autograd.gradcheck(lambda h: relief(normals, positions, h), height)
