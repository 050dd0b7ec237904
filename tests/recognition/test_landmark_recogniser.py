import numpy as np
import pytest
import torch

from visage.recognition import landmark_recogniser as module
from visage.recognition.chips import Chips
from visage.recognition.high_dimensional_lbp import describe_patterns
from visage.recognition.joint_bayesian import JointBayesian
from visage.recognition.landmark_patches import PATCHES
from visage.recognition.landmark_recogniser import (
    DIM,
    KEPT,
    LandmarkRecogniser,
    as_shipped,
    compress,
    fit_landmark_recogniser,
    principal_components,
)
from visage.recognition.oriented_gradients import describe_gradients


def draw(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def recogniser():
    """Random maps: the arithmetic needs no people."""
    found = LandmarkRecogniser()
    for number, (name, buffer) in enumerate(found.named_buffers()):
        buffer.copy_(draw(*buffer.shape, seed=number) * (1.0 if name == "ratio" else 0.02))
    return found


def test_faces_are_compressed_patch_by_patch(recogniser):
    chips, landmarks = draw(1, 3, 150, 150), 150 * draw(1, 68, 2, seed=1)
    compressed = []
    for describe, bases, kept in (
        (describe_patterns, recogniser.pattern_bases, KEPT["patterns"]),
        (describe_gradients, recogniser.gradient_bases, KEPT["gradients"]),
    ):
        described = describe(chips, landmarks).view(PATCHES, -1)
        for patch in range(PATCHES):
            compressed.append(bases[patch * kept : (patch + 1) * kept] @ described[patch])
    expected = recogniser.projection @ torch.cat(compressed) - recogniser.offset
    assert torch.allclose(recogniser.embed(chips, landmarks)[0], expected, rtol=1e-3, atol=1e-3)


def test_faces_are_scored_by_joint_bayesian(recogniser):
    coordinates = draw(4, DIM) - 0.5
    model = JointBayesian(torch.zeros(DIM), torch.eye(DIM), recogniser.ratio)
    scores = recogniser.score(coordinates, coordinates[:3])
    assert scores.shape == (4, 3)
    one_by_one = model.score(coordinates[3], coordinates[1])
    assert float(scores[3, 1]) == pytest.approx(float(one_by_one), abs=1e-4)


def test_principal_components_are_those_of_a_singular_value_decomposition():
    values = draw(30, 5) @ torch.diag(torch.tensor([5.0, 4, 3, 2, 1]))
    values -= values.mean(0)
    found = principal_components(values, 3)
    _, _, directions = torch.linalg.svd(values, full_matrices=False)
    assert (found * directions[:3]).sum(1).abs() == pytest.approx([1, 1, 1], abs=1e-4)
    with pytest.raises(ValueError, match="6 components"):
        principal_components(values, 6)


def test_shipped_weights_stay_as_they_are():
    once = as_shipped(draw(4, 7) - 0.5)
    assert torch.allclose(as_shipped(once), once, atol=1e-7)


def test_a_fit_separates_people_whom_it_has_not_seen(monkeypatch):
    """In a small world: 2 patches of 6 numbers, in which people differ in 3 directions."""
    monkeypatch.setattr(module, "PATCHES", 2)
    monkeypatch.setattr(module, "PATTERNS", 6)
    monkeypatch.setattr(module, "GRADIENTS", 6)
    monkeypatch.setattr(module, "KEPT", {"patterns": 4, "gradients": 4})
    monkeypatch.setattr(module, "COMPONENTS", 8)
    monkeypatch.setattr(module, "DIM", 3)
    random = np.random.default_rng(0)
    mixing = random.normal(size=(3, 24))
    own = np.repeat(random.normal(size=(60, 3)), 4, axis=0) @ mixing
    faces = torch.from_numpy(own + 0.3 * random.normal(size=own.shape)).float()
    # The chips carry their descriptors, which "describe" only reads.
    monkeypatch.setattr(
        module, "describe_patterns", lambda c, _: 255 * c[..., :12].view(-1, 1, 2, 6)
    )
    monkeypatch.setattr(
        module, "describe_gradients", lambda c, _: 255 * c[..., 12:].view(-1, 1, 2, 6)
    )
    people = np.repeat(np.arange(60), 4)
    half = people < 40
    chips = Chips(people, faces.view(-1, 1, 1, 24), torch.zeros(len(faces), 68, 2))
    fitted = fit_landmark_recogniser(chips[half], torch.from_numpy(people[half]))
    seen = fitted.embed(faces[~half].view(-1, 1, 1, 24) / 255, chips.landmarks[~half])
    scores = fitted.score(seen, seen)
    same = torch.from_numpy(people[~half][:, None] == people[~half])
    assert scores[same].quantile(0.1) > scores[~same].quantile(0.9)
    assert (
        fitted.embed(faces[half].view(-1, 1, 1, 24) / 255, chips.landmarks[half])
        .mean(0)
        .abs()
        .max()
        < 0.02
    )


def test_compression_is_a_product_for_each_patch():
    described, bases = draw(2, 3, 5), draw(6, 5, seed=1)
    found = compress(described, bases)
    assert found.shape == (2, 6)
    for row in range(6):
        expected = described[:, row // 2] @ bases[row]
        assert torch.allclose(found[:, row], expected)
