import numpy as np
import pytest
import torch
import torch.nn.functional as F

from visage.recognition.chips import chip_landmarks
from visage.recognition.high_dimensional_lbp import describe
from visage.recognition.joint_bayesian import JointBayesian
from visage.recognition.judge import (
    JUDGES,
    Judge,
    JudgeInputError,
    Looks,
    fit_weights,
    pair_scores,
    threshold_at,
)
from visage.recognition.lbp_recogniser import (
    DIM,
    KEPT,
    PATCH,
    PATCHES,
    LBPRecogniser,
    principal_components,
)
from visage.recognition.light_cnn import LightCNN, LightCNNEncoder


def draw(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def patterns():
    """A recogniser with random maps: its arithmetic needs no people."""
    recogniser = LBPRecogniser()
    for number, (name, buffer) in enumerate(recogniser.named_buffers()):
        buffer.copy_(draw(*buffer.shape, seed=number) * (1.0 if name == "ratio" else 0.02))
    return recogniser


@pytest.fixture(scope="module")
def judge(patterns):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = LightCNN()
    return Judge(LightCNNEncoder(network), patterns, (2.0, 0.5))


@pytest.fixture(scope="module")
def looks():
    return Looks(F.normalize(draw(6, 256) - 0.5), draw(6, DIM, seed=1) - 0.5)


def test_patterns_are_compressed_patch_by_patch(patterns):
    chips, landmarks = draw(1, 3, 150, 150), 150 * draw(1, 68, 2, seed=1)
    described = describe(chips, landmarks).view(PATCHES, PATCH)
    compressed = []
    for patch in range(PATCHES):
        basis = patterns.patch_bases[patch * KEPT : (patch + 1) * KEPT]
        mean = patterns.patch_means[patch * PATCH : (patch + 1) * PATCH]
        compressed.append(basis @ (described[patch] - mean))
    expected = patterns.projection @ torch.cat(compressed) - patterns.offset
    assert torch.allclose(patterns.embed(chips, landmarks)[0], expected, rtol=1e-3, atol=1e-3)


def test_patterns_are_scored_by_joint_bayesian(patterns, looks):
    model = JointBayesian(torch.zeros(DIM), torch.eye(DIM), patterns.ratio)
    scores = patterns.score(looks.patterns, looks.patterns)
    one_by_one = model.score(looks.patterns[1], looks.patterns[4])
    assert float(scores[1, 4]) == pytest.approx(float(one_by_one), abs=1e-4)


def test_principal_components_are_those_of_a_singular_value_decomposition():
    values = draw(30, 5) @ torch.diag(torch.tensor([5.0, 4, 3, 2, 1]))
    values -= values.mean(0)
    found = principal_components(values, 3)
    _, _, directions = torch.linalg.svd(values, full_matrices=False)
    assert (found * directions[:3]).sum(1).abs() == pytest.approx([1, 1, 1], abs=1e-4)
    with pytest.raises(ValueError, match="6 components"):
        principal_components(values, 6)


def test_looks_are_the_same_for_bytes_and_numbers(judge):
    chips = (255 * draw(3, 3, 150, 150)).to(torch.uint8)
    landmarks = 150 * draw(3, 68, 2, seed=1)
    whole = judge.look(chips, landmarks)
    parts = judge.look(chips.float() / 255, landmarks, batch=2)
    assert torch.allclose(whole.light_cnn, parts.light_cnn, atol=1e-5)
    assert torch.allclose(whole.patterns, parts.patterns, atol=1e-4)
    assert whole.light_cnn.norm(dim=1) == pytest.approx([1, 1, 1], abs=1e-5)


def test_a_mirror_image_looks_the_same_to_the_network(judge):
    chips, landmarks = draw(1, 3, 150, 150), 150 * draw(1, 68, 2, seed=1)
    plain, mirrored = judge.look(chips, landmarks), judge.look(chips.flip(-1), landmarks)
    assert torch.allclose(plain.light_cnn, mirrored.light_cnn, atol=1e-5)


def test_landmarks_are_found_where_none_are_given(judge):
    chips = draw(1, 3, 150, 150)
    landmarks = chip_landmarks(chips)
    assert landmarks.shape == (1, 68, 2)
    assert torch.equal(judge.look(chips).patterns, judge.look(chips, landmarks).patterns)
    elsewhere = judge.look(chips, torch.full((1, 68, 2), 75.0))
    assert not torch.allclose(elsewhere.patterns, judge.look(chips).patterns, atol=1e-2)


def test_both_is_the_weighted_sum(judge, looks):
    network, patterns, both = (judge.scores(looks, looks[:2], by) for by in JUDGES)
    assert both.shape == (6, 2)
    assert torch.allclose(both, 2.0 * network + 0.5 * patterns, atol=1e-4)
    assert torch.allclose(network, looks.light_cnn @ looks.light_cnn[:2].mT)
    with pytest.raises(JudgeInputError, match="light_cnn, patterns, both"):
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
