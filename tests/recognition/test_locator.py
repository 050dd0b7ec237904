import itertools
import math

import numpy as np
import pytest
import skimage.data
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from visage.photos.alignment import apply_transform, invert_transform, similarity_transform
from visage.photos.landmarks import detect_faces, find_five_points
from visage.recognition.locator import (
    EYE_DISTANCE,
    LOCATOR_CROP,
    MIRRORED,
    SIZE,
    Locator,
    box_transform,
    face_loss,
    load_locator,
    locate,
    points_loss,
    square_transform,
)

TEMPLATE = torch.tensor([LOCATOR_CROP.template])
HEIGHT, WIDTH = 200, 240


def coordinate_image():
    """Red is x / WIDTH and green y / HEIGHT, so that a crop tells where it was cut."""
    y, x = torch.meshgrid(torch.arange(HEIGHT) / HEIGHT, torch.arange(WIDTH) / WIDTH, indexing="ij")
    return torch.stack([x, y, torch.ones_like(x)])[None]


class Oracle(nn.Module):
    """Knows where the face is; answers a share of the way from the mean face to the truth."""

    def __init__(self, points, share=1.0):
        super().__init__()
        self.points, self.share, self.calls = points, share, 0

    def forward(self, crops):
        self.calls += 1
        at = torch.tensor([[20.0, 20], [70, 20], [20, 70], [70, 70]])
        colours = crops[:, :2, at[:, 1].long(), at[:, 0].long()].mT  # (B, 4, 2)
        in_photo = colours * torch.tensor([WIDTH, HEIGHT])
        to_crop = similarity_transform(in_photo, at[None].expand(len(crops), -1, -1))
        truth = apply_transform(to_crop, self.points)
        return TEMPLATE + self.share * (truth - TEMPLATE), torch.full((len(crops),), 3.0)


def tilted_face(roll, scale=1.0, shift=(90.0, 80.0)):
    """Five points of a face with its mean-face eyes `scale * EYE_DISTANCE` apart: (1, 5, 2)."""
    turn = torch.tensor([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])
    return scale * (TEMPLATE - TEMPLATE.mean(1)) @ turn.T + torch.tensor(shift)


def test_shapes_and_size():
    network = Locator().eval()
    points, logits = network(torch.rand(3, 3, SIZE, SIZE, generator=torch.manual_seed(0)))
    assert points.shape == (3, 5, 2)
    assert logits.shape == (3,)
    assert sum(parameter.numel() for parameter in network.parameters()) < 300_000
    torch.testing.assert_close(points, TEMPLATE.expand(3, -1, -1))


@pytest.mark.parametrize("shape", [(3, SIZE, SIZE), (1, 1, SIZE, SIZE), (1, 3, SIZE, SIZE + 1)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="expected"):
        Locator()(torch.zeros(shape))


def test_the_template_is_an_upright_face_in_dlibs_order():
    (right_outer, right_inner, left_outer, left_inner, nose) = LOCATOR_CROP.template
    assert left_outer[0] < left_inner[0] < nose[0] < right_inner[0] < right_outer[0]
    assert nose[1] > right_outer[1]
    assert pytest.approx(right_outer[0] - left_outer[0]) == EYE_DISTANCE
    mirrored = TEMPLATE[:, MIRRORED] * torch.tensor([-1, 1]) + torch.tensor([2 * nose[0], 0])
    torch.testing.assert_close(mirrored, TEMPLATE, atol=0.15, rtol=0)


@given(st.floats(20, 400), st.floats(20, 400), st.floats(10, 500), st.floats(-math.pi, math.pi))
def test_a_square_fills_the_crop(x, y, side, roll):
    to_crop = square_transform(torch.tensor([[x, y]]), torch.tensor([side]), torch.tensor([roll]))
    half, c, s = side / 2, math.cos(roll), math.sin(roll)
    corners = [(-half, -half), (half, -half), (half, half), (-half, half), (0, 0)]
    turned = torch.tensor([[[x + c * u - s * v, y + s * u + c * v] for u, v in corners]])
    expected = [(-0.5, -0.5), (95.5, -0.5), (95.5, 95.5), (-0.5, 95.5), (47.5, 47.5)]
    found = apply_transform(to_crop, turned)
    torch.testing.assert_close(found, torch.tensor([expected]), atol=0.02, rtol=0)


@pytest.mark.parametrize("roll", [0.0, 0.4, -0.5])
def test_one_look_of_an_oracle_finds_the_points(roll):
    truth = tilted_face(roll)
    found = locate(
        Oracle(truth), coordinate_image(), torch.tensor([[40.0, 30, 150, 140]]), refinements=1
    )
    torch.testing.assert_close(found.points, truth, atol=0.1, rtol=0)
    assert found.score.tolist() == [3.0]


def test_looking_again_helps_a_network_that_goes_half_of_the_way():
    truth = tilted_face(0.4, scale=0.8)
    errors = [
        (
            locate(
                Oracle(truth, share=0.5),
                coordinate_image(),
                torch.tensor([[70.0, 40, 140, 110]]),
                refinements=refinements,
            ).points
            - truth
        )
        .norm(dim=-1)
        .max()
        .item()
        for refinements in (1, 2, 3, 6)
    ]
    for before, after in itertools.pairwise(errors[:3]):
        assert after < 0.6 * before
    assert errors[-1] < 0.5


def test_it_stops_where_nothing_moves_any_more():
    oracle = Oracle(tilted_face(0.2))
    locate(oracle, coordinate_image(), torch.tensor([[40.0, 30, 150, 140]]), refinements=9)
    assert oracle.calls in (2, 3)


def test_a_batch_is_located_as_its_items_are():
    truths = torch.cat([tilted_face(0.3), tilted_face(-0.2, 0.7, (120.0, 100.0))])
    images = coordinate_image().repeat(2, 1, 1, 1)
    boxes = torch.tensor([[40.0, 30, 150, 140], [80, 60, 170, 150]])
    together = locate(Oracle(truths), images, boxes, refinements=2)
    for k in range(2):
        alone = locate(Oracle(truths[k : k + 1]), images[:1], boxes[k : k + 1], refinements=2)
        torch.testing.assert_close(together.points[k : k + 1], alone.points, atol=0.02, rtol=0)


@pytest.mark.parametrize(
    ("boxes", "refinements", "words"),
    [
        ([[10.0, 10, 10, 20]], 3, "has no area"),
        ([[float("nan"), 10, 20, 20]], 3, "has no area"),
        ([[10.0, 10, 20]], 3, "boxes are"),
        ([[10.0, 10, 20, 20]] * 2, 3, "boxes are"),
        ([[10.0, 10, 20, 20]], 0, "once at least"),
    ],
)
def test_impossible_boxes_are_refused(boxes, refinements, words):
    with pytest.raises(ValueError, match=words):
        locate(Locator(), coordinate_image(), torch.tensor(boxes), refinements=refinements)


def test_box_transform_leaves_a_margin():
    to_crop = box_transform(torch.tensor([[100.0, 50, 164, 100]]))
    corners = apply_transform(to_crop, torch.tensor([[[84.0, 27], [180, 123]]]))
    torch.testing.assert_close(corners, torch.tensor([[[-0.5, -0.5], [95.5, 95.5]]]))
    back = apply_transform(invert_transform(to_crop), corners)
    torch.testing.assert_close(back[0, 0], torch.tensor([84.0, 27.0]))


def test_points_loss_is_the_naive_sum():
    generator = torch.manual_seed(0)
    points = 20 * torch.rand(4, 5, 2, generator=generator)
    target = 20 * torch.rand(4, 5, 2, generator=generator)
    is_face = torch.tensor([1.0, 0.0, 1.0, 1.0])
    expected, beta = 0.0, 0.1
    for i in (0, 2, 3):
        for k in range(5):
            for axis in range(2):
                error = abs(points[i, k, axis] - target[i, k, axis]).item() / EYE_DISTANCE
                expected += error**2 / (2 * beta) if error < beta else error - beta / 2
    torch.testing.assert_close(
        points_loss(points, target, is_face, beta).item(), expected / 30, rtol=1e-5, atol=0
    )


def test_losses_have_the_gradients_of_their_values():
    generator = torch.manual_seed(0)
    points = torch.rand(2, 5, 2, generator=generator).double().requires_grad_()
    logits = torch.randn(3, generator=generator).double().requires_grad_()
    target, is_face = torch.zeros(2, 5, 2).double(), torch.tensor([1.0, 1.0]).double()
    assert torch.autograd.gradcheck(lambda p: points_loss(p, target, is_face), points)
    assert torch.autograd.gradcheck(
        lambda x: face_loss(x, torch.tensor([1.0, 0.0, 1.0]).double()), logits
    )


def test_crops_without_a_face_have_no_points():
    points = torch.zeros(2, 5, 2, requires_grad=True)
    points_loss(points, torch.ones(2, 5, 2), torch.zeros(2)).backward()
    assert points.grad.abs().max() == 0
    assert points_loss(points, torch.ones(2, 5, 2), torch.zeros(2)) == 0


@pytest.fixture(scope="module")
def astronaut():
    return torch.from_numpy(skimage.data.astronaut()).permute(2, 0, 1)[None] / 255


def test_the_shipped_network_agrees_with_dlib_on_the_astronaut(astronaut):
    (box,) = [face for face in detect_faces(astronaut) if face.score > 1]
    truth = find_five_points(astronaut, box)
    apart = (truth[0, 0] - truth[0, 2]).norm()
    network = load_locator()
    random = np.random.default_rng(0)
    side = box.right - box.left
    for _ in range(5):
        centre = np.array([box.left + box.right, box.top + box.bottom]) / 2
        centre += random.uniform(-0.25, 0.25, 2) * side
        half = 0.5 * side * 1.5 ** random.uniform(-1, 1)
        start = torch.tensor(np.array([[*(centre - half), *(centre + half)]])).float()
        found = locate(network, astronaut, start)
        assert ((found.points - truth).norm(dim=-1).mean() / apart) < 0.06
        assert found.score > 2


@pytest.mark.parametrize("name", ["coffee", "rocket"])
def test_the_shipped_network_sees_no_face_where_there_is_none(name):
    picture = torch.from_numpy(getattr(skimage.data, name)()).permute(2, 0, 1)[None] / 255
    height, width = picture.shape[-2:]
    box = torch.tensor([[width / 4, height / 4, width * 3 / 4, height * 3 / 4]])
    assert locate(load_locator(), picture, box, refinements=1).score < 0
