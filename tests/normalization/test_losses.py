import math

import pytest
import torch

from visage.normalization.decoder import DecoderError
from visage.normalization.decoder_loss import LossConfig
from visage.normalization.errors import NormalizationError
from visage.normalization.losses import (
    chip_similarity,
    chips_of,
    identity_error,
    landmark_error,
    texture_error,
)
from visage.photos.alignment import DLIB_CHIP, align, apply_transform
from visage.photos.jitter import Jitter, moved

GENERATOR = torch.Generator().manual_seed(0)


def test_landmarks_count_in_pixels_of_224():
    true = torch.rand(2, 68, 2, generator=GENERATOR)
    predicted = true.clone()
    predicted[1, 3, 0] += 2.0
    wanted = torch.tensor([0.0, 4.0 / (68 * 2)])
    assert torch.allclose(landmark_error(predicted, true, 224), wanted, atol=1e-6)
    assert torch.allclose(landmark_error(predicted, true, 112), 4 * wanted, atol=1e-6)


def test_textures_by_a_naive_loop():
    a, b = torch.rand(2, 2, 3, 4, 5, generator=GENERATOR).unbind(0)
    naive = [
        sum(abs(float(x) - float(y)) for x, y in zip(p.flatten(), q.flatten(), strict=True)) / 60
        for p, q in zip(a, b, strict=True)
    ]
    assert torch.allclose(texture_error(a, b), torch.tensor(naive))


def test_identity_is_minus_the_cosine_of_what_differs_from_the_mean():
    a, b, centre = torch.randn(3, 2, 5, generator=GENERATOR).unbind(0)
    centre = centre[0]
    x, y = a - centre, b - centre
    wanted = -(x * y).sum(1) / (x.norm(dim=1) * y.norm(dim=1))
    assert torch.allclose(identity_error(a, b, centre), wanted, atol=1e-6)
    # In a narrow cone everybody is alike until the mean is taken out.
    cone = 10 + torch.randn(2, 5, generator=GENERATOR)
    assert identity_error(cone[:1], cone[1:]) < -0.95


@pytest.mark.parametrize("loss", [texture_error, identity_error])
def test_losses_refuse_other_shapes(loss):
    with pytest.raises(NormalizationError, match="same shape"):
        loss(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(NormalizationError, match="same shape"):
        landmark_error(torch.zeros(1, 68, 2), torch.zeros(1, 65, 2), 112)


def test_gradients():
    a = torch.randn(2, 4, dtype=torch.float64, generator=GENERATOR).requires_grad_()
    b = torch.randn(2, 4, dtype=torch.float64, generator=GENERATOR)
    assert torch.autograd.gradcheck(lambda x: identity_error(x, b, b.mean(0)), a)
    face = torch.rand(1, 3, 9, 9, dtype=torch.float64, generator=GENERATOR).requires_grad_()
    similarity = torch.tensor([[1.3, 0.1, -1.0], [-0.1, 1.3, 0.5]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: chips_of(x, similarity, 6), face)


def landmarks():
    points = torch.rand(1, 68, 2, generator=torch.Generator().manual_seed(2)) * 40
    template = torch.tensor(DLIB_CHIP.template)
    points[0, [i for (i,) in DLIB_CHIP.anchors]] = 20 + 0.4 * template
    return points


def test_chips_are_those_of_alignment_where_a_chip_is_larger():
    faces = torch.rand(2, 3, 96, 96, generator=GENERATOR)
    similarity = chip_similarity(landmarks()[0], DLIB_CHIP)
    mine = chips_of(faces, similarity, DLIB_CHIP.size)
    theirs = align(faces, landmarks().expand(2, -1, -1), DLIB_CHIP, padding="border")
    assert torch.allclose(mine, theirs, atol=1e-4)


def test_landmarks_go_where_the_chip_has_them():
    similarity = chip_similarity(landmarks()[0], DLIB_CHIP)
    placed = apply_transform(similarity[None], landmarks())[0]
    anchors = placed[[i for (i,) in DLIB_CHIP.anchors]]
    assert torch.allclose(anchors, torch.tensor(DLIB_CHIP.template), atol=1e-2)


def test_moves_are_those_of_jitter():
    faces = torch.rand(2, 3, 40, 40, generator=GENERATOR)
    still = torch.eye(2, 3)
    moves = Jitter(shift=3.0, rotation=math.radians(8)).draws([1, 2], 0)
    mine = chips_of(faces, still, 40, moves)
    assert torch.allclose(mine, moved(faces, moves), atol=1e-5)
    assert not torch.allclose(mine[0], chips_of(faces, still, 40)[0], atol=1e-2)


def test_identity_comes_in_late():
    config = LossConfig(identity_from=10, identity_full=20)
    weights = [config.identity_weight(item) for item in range(30)]
    assert weights[:10] == [0.0] * 10
    assert weights[20:] == [10.0] * 10
    assert sorted(weights) == weights
    assert LossConfig(identity=0.0).identity_weight(10**9) == 0
    with pytest.raises(DecoderError, match="begins before"):
        LossConfig(identity_from=2, identity_full=1)
    with pytest.raises(DecoderError, match="0 or more"):
        LossConfig(texture=-1)
