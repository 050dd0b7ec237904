"""How the pictures of the user studies are made."""

import pytest
import torch

from visage.faces.camera import rotation_matrix
from visage.faces.reflectance import decode_srgb, encode_srgb
from visage.faces.shape import MorphableModel
from visage.faces.surface import SurfaceMaps
from visage.texture.errors import StudyError
from visage.texture.held_out import HeldOutViews
from visage.texture.study_drawing import (
    composited,
    face_crops,
    random_turns,
    turned_heads,
    without_detail,
)
from visage.texture.textured_head import (
    TexturedHead,
    diffuse_light,
    portrait_camera,
    render_textured,
)

SIZE, ATLAS = 64, 256


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


def surface(level):
    one = torch.ones(1, 1, ATLAS, ATLAS)
    return SurfaceMaps(level * one.expand(-1, 3, -1, -1), 0.6 * one, 0 * one, 0 * one)


def flat(level, count=1):
    return encode_srgb(torch.full((count, 3, 64, 64), level))


@pytest.fixture(scope="module")
def view(model):
    """A photograph of a grey head, whose left half hair hides."""
    camera, light = portrait_camera(SIZE), diffuse_light()
    head = TexturedHead(torch.zeros(1, 80), torch.zeros(1, 52), surface(0.3))
    seen = torch.ones(1, 1, SIZE, SIZE)
    seen[..., : SIZE // 2] = 0
    corners = model.landmark_vertices(camera.angles[:, 1])[0]
    landmarks = camera.project(model.vertices(head.identity)[:, corners])[..., :2]
    image = render_textured(model, head, camera, light)
    return HeldOutViews("test", (0,), image, seen, head.identity, head.expression, landmarks,
                        camera, light)  # fmt: skip


def test_skin_that_is_seen_gets_the_new_texture_s_light(model, view):
    true = surface(0.3)
    same, dark = composited(model, view, true, torch.cat([flat(0.3), flat(0.15)]))
    torch.testing.assert_close(same, view.image[0], atol=0.02, rtol=0)
    cheek = (slice(None), SIZE // 2 + 5, SIZE // 2 + 6)
    ratio = decode_srgb(dark)[cheek] / decode_srgb(view.image[0])[cheek]
    torch.testing.assert_close(ratio, torch.full((3,), 0.5), atol=0.06, rtol=0)
    # What hides the other half stays as it is.
    torch.testing.assert_close(dark[..., : SIZE // 2], view.image[0, ..., : SIZE // 2],
                               atol=1e-4, rtol=0)  # fmt: skip
    with pytest.raises(StudyError, match="there are 2 photographs"):
        composited(model, view[[0, 0]], true, flat(0.3))


def drawn_face(roll):
    """A dark dot at each landmark of a face that is rolled, in a bright picture."""
    points = torch.zeros(68, 2)
    points[27], points[8] = torch.tensor([0.0, -20.0]), torch.tensor([0.0, 20.0])
    points[36], points[45] = torch.tensor([-12.0, -18.0]), torch.tensor([12.0, -18.0])
    turn = rotation_matrix(torch.tensor([0.0, 0.0, -roll]))[:2, :2]
    points = points @ turn.mT + 48
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    image = torch.ones(1, 3, 96, 96)
    for point in points[[27, 8, 36, 45]]:
        image = image - 0.8 * (-((x - point[0]) ** 2 + (y - point[1]) ** 2) / 8).exp()
    return image, points[None]


@pytest.mark.parametrize("roll", [0.0, 0.4, -0.7])
def test_faces_are_cut_out_upright_and_centred(roll):
    image, landmarks = drawn_face(roll)
    crop = face_crops(image, landmarks, (78, 60))[0, 0]
    dark = (1 - crop).clamp(min=0)
    columns, rows = dark.sum(0), dark.sum(1)
    torch.testing.assert_close(columns, columns.flip(0), atol=0.6, rtol=0)
    # Nose root and chin are 60 rows apart, as 1.3 of them are in the crop.
    middle = dark[:, 29:31].sum(1)
    root, chin = int(middle[:39].argmax()), 39 + int(middle[39:].argmax())
    assert chin - root == pytest.approx(60, abs=2)
    assert rows.argmax() < 30  # eyes and nose root


def test_crops_need_landmarks():
    with pytest.raises(StudyError, match=r"expected \(2, 68, 2\)"):
        face_crops(torch.zeros(2, 3, 8, 8), torch.zeros(1, 68, 2))


def test_blur_takes_pores_and_leaves_faces():
    generator = torch.Generator().manual_seed(0)
    pores = torch.rand(1, 3, 48, 48, generator=generator)
    face = torch.linspace(0, 1, 48).expand(1, 3, 48, 48)
    assert without_detail(pores).std() < 0.3 * pores.std()
    torch.testing.assert_close(without_detail(face), face, atol=0.03, rtol=0)


def test_heads_turn_as_asked(model):
    angles = [(-20.0, 0.0), (20.0, 0.0)]
    left, right = turned_heads(model, flat(0.3), torch.zeros(1, 80), surface(0.3), angles, (60, 48))
    assert left.shape == (3, 60, 48)
    torch.testing.assert_close(left, right.flip(2), atol=0.15, rtol=0)
    assert (left - right).abs().mean() > 0.01
    turns = random_turns(40, 3)
    assert turns == random_turns(40, 3) != random_turns(40, 4)
    yaws, pitches = zip(*turns, strict=True)
    assert max(map(abs, yaws)) <= 25
    assert max(map(abs, pitches)) <= 6
    assert min(yaws) < -10
    assert max(yaws) > 10
