"""A moulded template: known shapes, adjoints, borders, and what is refused."""

import numpy as np
import pytest
import torch

from visage.faces.reflectance import encode_srgb
from visage.geometry.errors import DepthError
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.light_and_albedo import shade
from visage.geometry.representation import FaceNumbers
from visage.geometry.surface_normals import normals_of_depth
from visage.geometry.template_shading import (
    TemplateShading,
    _Grid,
    mould,
    posed_template,
    reconstruct_template,
)
from visage.geometry.texture_space import TextureSpace

SIZE = 60
LIGHT = torch.tensor([[0.4, 0.5, 0.1, 0.3]])
SCALE = torch.ones(1)


def dome(radius=40.0):
    """A template: the front of a sphere, and its mask."""
    v, u = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    x, y = u - SIZE / 2 + 0.5, v - SIZE / 2 + 0.5
    depth = -(radius**2 - x**2 - y**2).clamp(min=1).sqrt()
    mask = ((x**2 + y**2) < 27**2).float()
    return depth[None, None], mask[None, None]


def ridge(height=1.5):
    """What the face has and the template has not, mm nearer."""
    u = torch.arange(SIZE).expand(SIZE, SIZE)
    return height * torch.exp(-(((u - 35.0) / 3.0) ** 2))[None, None]


def picture(depth, mask, albedo):
    shading = shade(normals_of_depth(depth, mask, SCALE), LIGHT)
    return encode_srgb((albedo * shading * mask).clamp(0, 1))


def error(found, true, mask):
    apart = (found - true)[mask > 0]
    return float((apart - apart.median()).abs().mean())


def test_a_picture_of_the_template_leaves_it_as_it_is():
    template, mask = dome()
    albedo = 0.4 * mask
    found = mould(picture(template, mask, albedo), template, mask, SCALE, albedo)
    assert error(found.depth, template, mask) < 0.15
    assert torch.allclose(found.albedo[mask > 0], albedo[mask > 0], atol=0.02)
    assert torch.cosine_similarity(found.light, LIGHT) > 0.98
    assert found.depth[mask == 0].isinf().all()
    assert found.albedo[mask == 0].abs().max() == 0


def test_a_ridge_is_moulded():
    template, mask = dome()
    true, albedo = template - ridge(), 0.4 * mask
    face = picture(true, mask, albedo)
    free = TemplateShading(smoothness=0.01, pull=1e-4)  # this picture holds nothing but shape
    found = reconstruct_template(face, template, mask, SCALE, albedo, free)
    inner = torch.nn.functional.avg_pool2d(mask, 9, 1, 4) > 0.99
    assert error(found, true, inner) < 0.6 * error(template, true, inner)


def test_what_the_albedo_tells_is_not_taken_for_shape():
    template, mask = dome()
    spot = 0.4 * mask
    spot[..., 25:35, 25:35] = 0.2
    face = picture(template, mask, spot)
    informed = error(reconstruct_template(face, template, mask, SCALE, spot), template, mask)
    fooled = error(reconstruct_template(face, template, mask, SCALE), template, mask)
    assert informed < 0.5 * fooled


def test_moves_are_differences_of_pixels_and_their_adjoints():
    random = np.random.default_rng(0)
    inside = torch.from_numpy(random.random((9, 7)) > 0.2)[None, None]
    grid = _Grid(inside, 1.5)
    e, f, g = random.standard_normal((3, 9, 7))
    u, v = grid.slopes(e)
    for y in range(9):
        for x in range(7):
            right = x < 6 and grid.inside[y, x] and grid.inside[y, x + 1]
            assert np.isclose(u[y, x], e[y, x + 1] - e[y, x] if right else 0)
    assert np.isclose((u * f + v * g).sum(), (e * grid.slopes_back(f, g)).sum())
    assert np.isclose((grid.rough(e) * f).sum(), (e * grid.rough_back(f)).sum())
    assert np.abs(grid.rough(np.ones_like(e) * grid.inside)).max() < 0.01


def test_a_posed_template_is_the_mean_face_at_rest():
    mesh = FaceMesh.load()
    numbers = torch.randn(1, 138, generator=torch.Generator().manual_seed(0))
    drawn, albedo = posed_template(mesh, FaceNumbers.of(numbers), TextureSpace.load(mesh), 50)
    numbers[:, :132] = 0
    other, _ = posed_template(mesh, FaceNumbers.of(numbers), TextureSpace.load(mesh), 50)
    assert torch.equal(drawn.ids, other.ids)
    assert albedo[drawn.mask > 0].mean() > 0.1


def test_dark_white_and_empty_pictures_are_answered():
    template, mask = dome()
    for value in (0.0, 1.0):
        face = torch.full_like(template, value)
        assert mould(face, template, mask, SCALE).depth[mask > 0].isfinite().all()
    nothing = mould(torch.zeros_like(template), template, 0 * mask, SCALE)
    assert nothing.depth.isinf().all()


def test_bad_input_is_refused():
    template, mask = dome()
    with pytest.raises(DepthError, match=r"\(1, 1, H, W\)"):
        mould(torch.zeros(2, 1, SIZE, SIZE), template, mask, SCALE)
    with pytest.raises(DepthError, match=r"\(1, 1, H, W\)"):
        mould(torch.zeros(1, 1, SIZE, SIZE - 1), template, mask, SCALE)
    with pytest.raises(DepthError, match="blur"):
        TemplateShading(blur=0.0)
