import math
from dataclasses import replace

import pytest
import torch

from visage.faces.buffers import drawn_triangles, mean_coordinates
from visage.faces.camera import Perspective, WeakPerspective
from visage.faces.light import Light, sample_lights
from visage.faces.reflectance import decode_srgb
from visage.faces.scene import GREY, Scene, SceneError, render
from visage.faces.shape import FaceShapeError, MorphableModel
from visage.faces.surface import SurfaceMaps
from visage.faces.wear import Lenses, Wear


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


def camera(batch=1, size=48, yaw=0.0, width=280.0, dtype=torch.float32):
    angles = torch.zeros(batch, 3, dtype=dtype)
    angles[:, 1] = yaw
    scale = torch.full((batch,), size / width, dtype=dtype)
    return WeakPerspective(angles, torch.zeros(batch, 2, dtype=dtype), size, size, scale=scale)


def white_room(batch=1, dtype=torch.float32):
    """Light of radiance 1 from all sides, and no key light."""
    ambient = torch.zeros(batch, 9, 3, dtype=dtype)
    ambient[:, 0] = math.sqrt(4 * math.pi)
    ahead = torch.tensor([[0.0, 0, 1]], dtype=dtype).expand(batch, 3)
    return Light(ambient, ahead, torch.zeros_like(ahead), torch.full((batch,), 0.1, dtype=dtype))


def flat_maps(batch=1, albedo=0.5, size=8, dtype=torch.float32):
    one = torch.ones(batch, 1, size, size, dtype=dtype)
    return SurfaceMaps(albedo * one.expand(-1, 3, -1, -1), 0.4 * one, 0 * one, 0 * one)


def scene(batch=1, **parts):
    still = {
        "identity": torch.zeros(batch, 80),
        "expression": torch.zeros(batch, 52),
        "camera": camera(batch),
        "light": white_room(batch),
    }
    return Scene(**still | parts)


def test_answers_agree_with_each_other(model):
    picture = render(model, scene(2, camera=camera(2, yaw=0.4)))
    inside = picture.mask[:, 0] > 0
    assert 0.2 < inside.float().mean() < 0.7
    assert torch.equal(picture.depth[:, 0].isfinite(), inside)
    assert torch.equal(picture.ids >= 0, inside)
    lengths = picture.normals.norm(dim=1)
    torch.testing.assert_close(lengths[inside], torch.ones_like(lengths[inside]))
    for name in ("normals", "pncc", "uv", "albedo"):
        assert not getattr(picture, name).permute(0, 2, 3, 1)[~inside].any(), name
    torch.testing.assert_close(picture.seen, picture.mask)


def test_depth_is_that_of_the_nearest_surface(model):
    """The tip of the nose is where its vertex is projected, at its depth."""
    size = 192
    picture = render(model, scene(camera=camera(size=size, width=200.0)))
    tip = picture.landmarks[0, 30]
    x, y = tip.round().long().tolist()
    nose = model.mean[model.landmarks[30]]
    assert float(picture.depth[0, 0, y, x]) == pytest.approx(-float(nose[2]), abs=1.0)
    assert int(picture.depth[0, 0].argmin()) // size == pytest.approx(y, abs=8)


def test_pncc_and_uv_name_the_place_on_the_head(model):
    picture = render(model, scene(camera=camera(size=192, width=200.0)))
    x, y = picture.landmarks[0, 30].round().long().tolist()
    expected = mean_coordinates(model)[model.landmarks[30]]
    torch.testing.assert_close(picture.pncc[0, :, y, x], expected, atol=0.02, rtol=0)
    triangle = int(picture.ids[0, y, x])
    corners = model.uv[model.uv_triangles[triangle]]
    assert (picture.uv[0, :, y, x] >= corners.amin(0) - 1e-5).all()
    assert (picture.uv[0, :, y, x] <= corners.amax(0) + 1e-5).all()


def test_white_room_shows_albedo_times_what_is_seen(model):
    """Radiance 1 all round: an open surface sends back its albedo."""
    albedo = 0.5
    picture = render(model, scene(maps=flat_maps(albedo=albedo)))
    linear = decode_srgb(picture.image)
    inside = picture.mask.expand_as(linear) > 0
    assert linear[inside].max() < albedo + 0.02
    assert linear[inside].quantile(0.9) > albedo - 0.05
    torch.testing.assert_close(picture.albedo[inside], torch.full_like(linear[inside], albedo))
    torch.testing.assert_close(linear[~inside], torch.full_like(linear[~inside], GREY))


def test_background_is_where_the_head_is_not(model):
    background = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    picture = render(model, scene(background=background))
    outside = picture.mask.expand_as(background) == 0
    torch.testing.assert_close(decode_srgb(picture.image)[outside], background[outside])


def test_supersampling_smooths_the_outline_and_nothing_else(model):
    background = torch.full((1, 3, 48, 48), 0.8)
    one = render(model, scene(background=background))
    four = render(model, scene(background=background), supersample=4)
    changed = (one.image - four.image).abs().amax(1)
    assert changed.max() > 0.1
    assert (changed > 0.05).float().mean() < 0.15
    assert torch.equal(one.depth, four.depth)
    partly = (four.seen > 0) & (four.seen < 1)
    assert 0.01 < partly.float().mean() < 0.15


def test_what_is_worn_hides_the_head_but_not_its_answers(model):
    corners = torch.tensor([[-60.0, -40, 150], [60, -40, 150], [0, 70, 150]])[None]
    triangle = torch.tensor([[0, 1, 2]])
    red = torch.tensor([1.0, 0, 0]).expand(1, 3, 3)
    one = torch.ones(1, 3, 1)
    bare = render(model, scene())
    mask = render(model, scene(wear=Wear(corners, triangle, red, one * 0.5, one * 0)))
    hidden = (mask.seen < mask.mask)[0, 0]
    assert hidden.float().mean() > 0.05
    assert mask.image[0, 0][hidden].min() > 0.8
    assert mask.image[0, 1][hidden].max() < 0.2
    torch.testing.assert_close(mask.depth, bare.depth)
    torch.testing.assert_close(mask.image[0, :, ~hidden], bare.image[0, :, ~hidden])


def test_who_wears_nothing_has_nan(model):
    nothing = torch.full((1, 3, 3), torch.nan)
    triangle, one = torch.tensor([[0, 1, 2]]), torch.ones(1, 3, 1)
    wear = Wear(nothing, triangle, one.expand(-1, -1, 3), one, one)
    lenses = Lenses(nothing, triangle, torch.ones(1, 3))
    light = sample_lights(1, torch.Generator().manual_seed(0))
    bare = render(model, scene(light=light))
    worn = render(model, scene(light=light, wear=wear, lenses=lenses))
    torch.testing.assert_close(worn.image, bare.image)


def test_lenses_dim_what_is_behind(model):
    corners = torch.tensor([[-60.0, -40, 150], [60, -40, 150], [0, 70, 150]])[None]
    lenses = Lenses(corners, torch.tensor([[0, 1, 2]]), torch.tensor([[0.5, 0.25, 1.0]]))
    bare = decode_srgb(render(model, scene()).image)
    dimmed = decode_srgb(render(model, scene(lenses=lenses)).image)
    changed = (dimmed - bare).abs().amax(1)[0] > 0.02
    assert changed.float().mean() > 0.05
    glow = 0.04  # what the lens mirrors of a white room
    for channel, share in enumerate((0.5, 0.25)):
        expected = share * bare[0, channel][changed] + glow
        torch.testing.assert_close(dimmed[0, channel][changed], expected, atol=0.03, rtol=0)


def test_perspective_enlarges_the_nose(model):
    far = render(model, scene(camera=camera(size=96)))
    distance = torch.tensor([350.0])
    near = render(model, scene(camera=camera(size=96).at_distance(distance)))

    def share(picture):
        nose = picture.landmarks[0, 31] - picture.landmarks[0, 35]
        jaw = picture.landmarks[0, 3] - picture.landmarks[0, 13]
        return float(nose.norm() / jaw.norm())

    assert share(near) > 1.1 * share(far)


def test_behind_the_camera_there_is_nothing(model):
    behind = Perspective(
        torch.zeros(1, 3), torch.zeros(1, 2), 32, 32,
        focal=torch.tensor([60.0]), distance=torch.tensor([2.0]),
    )  # fmt: skip
    away = camera(size=32)
    away = WeakPerspective(away.angles, torch.full((1, 2), 1e4), 32, 32, scale=away.scale)
    picture = render(model, scene(camera=away))
    assert not picture.mask.any()
    assert picture.image.isfinite().all()
    inside = render(model, scene(camera=behind))
    assert inside.image.isfinite().all()


def test_nobody_gives_an_empty_picture(model):
    picture = render(model, scene(0))
    assert picture.image.shape == (0, 3, 48, 48)
    assert picture.landmarks.shape == (0, 68, 2)


def test_lashes_are_not_a_surface(model):
    lashes = model.part_triangles["lashes"]
    assert len(drawn_triangles(model)) == lashes.start
    assert render(model, scene()).ids.max() < lashes.start


@pytest.mark.parametrize("name", ["identity", "expression"])
def test_nan_is_refused(name):
    width = {"identity": 80, "expression": 52}[name]
    with pytest.raises(SceneError, match=name):
        scene(**{name: torch.full((1, width), torch.nan)})


def test_parts_must_be_of_one_batch(model):
    with pytest.raises(SceneError, match="2 in camera"):
        scene(1, camera=camera(2))
    with pytest.raises(SceneError, match="background"):
        scene(1, background=torch.zeros(1, 3, 9, 9))
    with pytest.raises(SceneError, match="supersample"):
        render(model, scene(), supersample=0)
    with pytest.raises(FaceShapeError, match="expression"):
        render(model, scene(expression=torch.zeros(1, 3)))


def test_derivatives_of_the_picture(model):
    """In float64, inside of the outline; without the key light, whose shadows are constants."""
    double = MorphableModel.load().double()
    light = sample_lights(1, torch.Generator().manual_seed(2)).to(torch.float64)
    identity = torch.zeros(1, 3, dtype=torch.float64)
    albedo = torch.full((1, 3, 4, 4), 0.5, dtype=torch.float64)
    light = Light(light.ambient, light.key_direction, 0 * light.key_colour, light.key_radius)
    size = 16
    inside = render(double, _double(identity, albedo, light.ambient, light, size)).mask
    middle = torch.nn.functional.max_pool2d(1 - inside, 5, 1, 2) == 0

    def picture(identity, albedo, ambient):
        drawn = render(double, _double(identity, albedo, ambient, light, size))
        return drawn.image.masked_select(middle.expand_as(drawn.image)).mean(0, keepdim=True)

    leaves = [v.clone().requires_grad_() for v in (identity, albedo, light.ambient)]
    assert middle.sum() > 10
    assert torch.autograd.gradcheck(picture, leaves, eps=1e-6, atol=1e-4)


@pytest.mark.parametrize("perspective", [False, True], ids=["weak", "perspective"])
def test_the_picture_is_the_same_whether_derivatives_are_wanted_or_not(model, perspective):
    generator = torch.Generator().manual_seed(3)
    texture = torch.rand(2, 6, 64, 64, generator=generator).split([3, 1, 1, 1], 1)
    seen_from = camera(2, yaw=torch.tensor([0.5, -0.3]))
    if perspective:
        seen_from = seen_from.at_distance(torch.tensor([400.0, 900.0]))
    parts = scene(
        2,
        identity=model.sample_identity(2, generator),
        camera=seen_from,
        light=sample_lights(2, generator),
        maps=SurfaceMaps(*texture),
    )
    compiled = render(model, parts)
    wanted = render(model, replace(parts, identity=parts.identity.clone().requires_grad_()))
    assert wanted.image.requires_grad
    assert not compiled.image.requires_grad
    assert torch.equal(compiled.ids, wanted.ids)
    for name in ("image", "mask", "seen", "depth", "normals", "pncc", "uv", "albedo", "landmarks"):
        ours, theirs = getattr(compiled, name), getattr(wanted, name).detach()
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=2e-5, msg=name)


def _double(identity, albedo, ambient, light, size):
    one = torch.ones(1, 1, 4, 4, dtype=torch.float64)
    return Scene(
        identity,
        torch.zeros(1, 52, dtype=torch.float64),
        camera(size=size, yaw=0.2, dtype=torch.float64),
        Light(ambient, light.key_direction, light.key_colour, light.key_radius),
        SurfaceMaps(albedo, 0.4 * one, one, 0 * one),
    )


def test_teeth_are_seen_in_an_open_mouth(model):
    wide = model.expression_weights({"jawOpen": 0.6, "mouthUpperUpLeft": 1, "mouthUpperUpRight": 1})
    ids = render(model, scene(expression=wide, camera=camera(size=160, width=140.0))).ids
    where = model.part_triangles["teeth"]
    assert ((ids >= where.start) & (ids < where.stop)).sum() > 20
