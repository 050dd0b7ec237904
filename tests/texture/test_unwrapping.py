import pytest
import torch

from visage.faces.camera import Perspective, WeakPerspective
from visage.faces.shape import MorphableModel
from visage.texture.unwrapping import UnwrappingError, model_of, unwrap
from visage.texture.window import TexelMap, face_region

PIXELS, SIZE = 160, 64


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


def camera(yaw=0.0, pixels=PIXELS, shift=0.0):
    angles = torch.tensor([[0.0, yaw, 0.0]])
    weak = WeakPerspective(angles, torch.tensor([[shift, 0.0]]), pixels, pixels,
                           scale=torch.tensor([pixels / 230.0]))  # fmt: skip
    return weak.at_distance(torch.tensor([1500.0]))


def test_texels_lie_where_the_camera_sees_them(model):
    view, seen = camera(0.3), unwrap(model.mean[None], camera(0.3), SIZE)
    texels = TexelMap.load(SIZE, model)
    places = texels.interpolate(model.mean[None])
    for y, x in [(20, 20), (32, 40), (45, 30)]:
        expected = view.project(places[:, :, y, x][None])[0, 0, :2]
        assert torch.allclose(seen.points[0, :, y, x], expected, atol=1e-3)
    assert torch.allclose(seen.normals.norm(dim=1)[texels.covered[0]], torch.ones(()), atol=1e-4)


def test_a_face_from_the_front_is_seen_and_one_from_behind_is_not(model):
    region = face_region(SIZE).bool()
    front = unwrap(model.mean[None], camera(), SIZE).seen & region
    assert front.sum() > 0.75 * region.sum()
    behind = unwrap(model.mean[None], camera(torch.pi), SIZE).seen & region
    assert behind.sum() < 0.01 * region.sum()


def test_a_turned_face_hides_its_far_side(model):
    region = face_region(SIZE).bool()[0, 0]
    left, right = torch.zeros_like(region), torch.zeros_like(region)
    left[:, : SIZE // 2], right[:, SIZE // 2 :] = True, True
    seen = unwrap(model.mean[None], camera(0.8), SIZE).seen[0, 0]
    # Positive yaw looks to the picture's right: the person's right cheek, left in the picture.
    near, far = (float((seen & region & half).sum()) for half in (left, right))
    assert near > 2 * far
    mirrored = unwrap(model.mean[None], camera(-0.8), SIZE).seen[0, 0]
    assert ((mirrored.flip(1) & region) != (seen & region)).float().mean() < 0.02


def test_what_is_outside_of_the_picture_is_not_seen(model):
    whole = unwrap(model.mean[None], camera(), SIZE).seen.sum()
    beside = unwrap(model.mean[None], camera(shift=110.0), SIZE).seen.sum()
    assert beside < 0.75 * whole


def test_look_up_returns_what_was_painted(model):
    # A picture that shows at each pixel where it is.
    place = torch.arange(PIXELS, dtype=torch.float32)
    picture = torch.stack([place[None].expand(PIXELS, -1), place[:, None].expand(-1, PIXELS)])[None]
    seen = unwrap(model.mean[None], camera(0.2), SIZE)
    found = seen.look_up(picture)
    assert (found - seen.points)[seen.seen.expand_as(found)].abs().max() < 0.5


def test_texels_of_many_pixels_are_means(model):
    large = 1024
    seen = unwrap(model.mean[None], camera(pixels=large), SIZE)
    assert float(seen.pixels) > 3
    noise = torch.rand(1, 1, large, large, generator=torch.Generator().manual_seed(0))
    spread = seen.look_up(noise)[seen.seen].std()
    assert spread < 0.4 * noise.std()


def test_both_levels_of_the_mesh_agree(model):
    fine = MorphableModel.load(1)
    coarse = unwrap(model.mean[None], camera(0.4), SIZE)
    smooth = unwrap(fine.mean[None], camera(0.4), SIZE)
    region = (face_region(SIZE) > 0) & coarse.seen & smooth.seen
    apart = (coarse.points - smooth.points).norm(dim=1, keepdim=True)[region]
    assert apart.median() < 0.5
    assert ((coarse.seen != smooth.seen) & (face_region(SIZE) > 0)).float().mean() < 0.04


def test_bad_input_is_refused(model):
    with pytest.raises(UnwrappingError, match="face model"):
        model_of(torch.zeros(1, 7, 3))
    with pytest.raises(UnwrappingError, match="give as many"):
        unwrap(model.mean[None].expand(2, -1, -1), camera(), SIZE)
    seen = unwrap(model.mean[None], camera(), SIZE)
    with pytest.raises(UnwrappingError, match="pictures are"):
        seen.look_up(torch.zeros(1, 3, 64, 64))
    assert isinstance(camera(), Perspective)
