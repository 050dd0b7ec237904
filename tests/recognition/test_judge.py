import numpy as np
import pytest
import torch
import torch.nn.functional as F

from visage.recognition.chips import chip_landmarks
from visage.recognition.judge import (
    JUDGES,
    Judge,
    JudgeInputError,
    Looks,
    fit_weights,
    pair_scores,
    threshold_at,
)
from visage.recognition.landmark_recogniser import DIM, LandmarkRecogniser
from visage.recognition.light_cnn import LightCNN, LightCNNEncoder


def draw(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def patches():
    """A recogniser with random maps: its arithmetic needs no people."""
    recogniser = LandmarkRecogniser()
    for number, (name, buffer) in enumerate(recogniser.named_buffers()):
        buffer.copy_(draw(*buffer.shape, seed=number) * (1.0 if name == "ratio" else 0.02))
    return recogniser


@pytest.fixture(scope="module")
def judge(patches):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = LightCNN()
    return Judge(LightCNNEncoder(network), patches, (2.0, 0.5))


@pytest.fixture(scope="module")
def looks():
    return Looks(F.normalize(draw(6, 256) - 0.5), draw(6, DIM, seed=1) - 0.5)


def test_looks_are_the_same_for_bytes_and_numbers(judge):
    chips = (255 * draw(3, 3, 150, 150)).to(torch.uint8)
    landmarks = 150 * draw(3, 68, 2, seed=1)
    whole = judge.look(chips, landmarks)
    parts = judge.look(chips.float() / 255, landmarks, batch=2)
    assert torch.allclose(whole.light_cnn, parts.light_cnn, atol=1e-5)
    assert torch.allclose(whole.patches, parts.patches, atol=1e-4)
    assert whole.light_cnn.norm(dim=1) == pytest.approx([1, 1, 1], abs=1e-5)


def test_a_mirror_image_looks_the_same_to_the_network(judge):
    chips, landmarks = draw(1, 3, 150, 150), 150 * draw(1, 68, 2, seed=1)
    plain, mirrored = judge.look(chips, landmarks), judge.look(chips.flip(-1), landmarks)
    assert torch.allclose(plain.light_cnn, mirrored.light_cnn, atol=1e-5)


def test_landmarks_are_found_where_none_are_given(judge):
    chips = draw(1, 3, 150, 150)
    landmarks = chip_landmarks(chips)
    assert landmarks.shape == (1, 68, 2)
    assert torch.equal(judge.look(chips).patches, judge.look(chips, landmarks).patches)
    elsewhere = judge.look(chips, torch.full((1, 68, 2), 75.0))
    assert not torch.allclose(elsewhere.patches, judge.look(chips).patches, atol=1e-2)


def test_both_is_the_weighted_sum(judge, looks):
    network, patches, both = (judge.scores(looks, looks[:2], by) for by in JUDGES)
    assert both.shape == (6, 2)
    assert torch.allclose(both, 2.0 * network + 0.5 * patches, atol=1e-4)
    assert torch.allclose(network, looks.light_cnn @ looks.light_cnn[:2].mT)
    with pytest.raises(JudgeInputError, match="light_cnn, patches, both"):
        judge.scores(looks, looks, "dlib")


def test_pairs_are_split_by_person(judge, looks):
    people = np.array(["a", "b", "a", "c", "a", "b"])
    same, different = pair_scores(judge, looks, people, "both")
    table = judge.scores(looks, looks, "both")
    expected = [float(table[i, j]) for i, j in ((0, 2), (0, 4), (1, 5), (2, 4))]
    assert same.tolist() == pytest.approx(expected)
    assert len(different) == 15 - 4
    with pytest.raises(JudgeInputError, match="expected as many"):
        pair_scores(judge, looks, people[:5], "both")


@pytest.mark.parametrize("far", [0.01, 0.1, 0.5])
def test_a_threshold_accepts_its_share_and_no_more(far):
    impostors = draw(1000)
    accepted = int((impostors >= threshold_at(impostors, far)).sum())
    assert accepted == far * 1000
    tied = (impostors * 10).floor()
    assert float((tied >= threshold_at(tied, far)).float().mean()) <= far


def test_rates_that_cannot_be_measured_are_refused():
    with pytest.raises(JudgeInputError, match="1000 at least"):
        threshold_at(draw(999), 0.001)
    for far in (0.0, 1.0, float("nan")):
        with pytest.raises(JudgeInputError, match="expected in"):
            threshold_at(draw(999), far)


def test_weights_are_larger_for_the_better_recogniser():
    random = np.random.default_rng(0)
    same = tuple(torch.from_numpy(random.normal(gap, 1.0, 4000)) for gap in (2.0, 0.5))
    different = tuple(torch.from_numpy(random.normal(0.0, 1.0, 8000)) for _ in range(2))
    # For normal scores of unit variance the best weights are the gaps themselves.
    assert fit_weights(same, different) == pytest.approx((2.0, 0.5), abs=0.15)


def test_faces_are_needed(judge):
    with pytest.raises(JudgeInputError, match="expected one at"):
        judge.look(torch.zeros(0, 3, 150, 150))
    with pytest.raises(JudgeInputError, match="as many of both"):
        judge.look(torch.zeros(2, 3, 150, 150), torch.zeros(1, 68, 2))
