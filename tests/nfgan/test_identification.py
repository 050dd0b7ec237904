"""Thresholds and rank-1 identification."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from visage.nfgan.identification import (
    IdentificationError,
    equal_error_threshold,
    pair_distances,
    rank_one,
    threshold_at,
)
from visage.recognition.verification import equal_error_rate


def _people(seed: int, people: int = 12, each: int = 4, spread: float = 1.0):
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(people, 3, generator=generator)
    person = torch.arange(people).repeat_interleave(each)
    noise = spread * torch.randn(len(person), 3, generator=generator)
    return centres[person] + noise, person


def test_pairs_are_all_pairs_once():
    embeddings, person = _people(0, 3, 2)
    distances, same = pair_distances(embeddings, person)
    expected = [
        (float((embeddings[i] - embeddings[j]).norm()), bool(person[i] == person[j]))
        for i in range(6)
        for j in range(i + 1, 6)
    ]
    assert len(distances) == 15
    assert np.allclose(distances, [distance for distance, _ in expected], atol=1e-5)
    assert same.tolist() == [one for _, one in expected]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.1, 3))
def test_as_many_false_accepts_as_rejects(seed, spread):
    embeddings, person = _people(seed, spread=spread)
    found = equal_error_threshold(embeddings, person)
    distances, same = pair_distances(embeddings, person)
    assert abs(found.falsely - (1 - found.accepted)) <= 1.5 / same.sum()
    assert abs(found.falsely - equal_error_rate(distances, same)) <= 1.5 / same.sum()


def test_rates_of_a_threshold():
    distances, same = np.array([0.1, 0.5, 0.3, 0.9]), np.array([True, True, False, False])
    found = threshold_at(0.4, distances, same)
    assert (found.accepted, found.falsely) == (0.5, 0.5)
    assert threshold_at(0.1, distances, same).accepted == 0  # below, not at


def test_rank_one_is_the_nearest():
    embeddings, person = _people(3)
    gallery, owners = _people(4, each=1)
    naive = []
    for probe, who in zip(embeddings, person, strict=True):
        distances = [float((probe - face).norm()) for face in gallery]
        naive.append(bool(owners[int(np.argmin(distances))] == who))
    assert rank_one(embeddings, person, gallery, owners).tolist() == naive
    assert rank_one(gallery, owners, gallery, owners).all()


def test_a_face_like_everybody_is_within_but_not_found():
    """What rank one adds to a threshold."""
    gallery = torch.eye(5) * 0.2
    mean = gallery.mean(0, keepdim=True).expand(5, -1)
    assert ((mean - gallery).norm(dim=1) < 0.6).all()
    found = rank_one(mean, torch.arange(5), gallery, torch.arange(5))
    assert found.float().mean() <= 0.2


def test_impossible_requests():
    with pytest.raises(IdentificationError, match="two people"):
        equal_error_threshold(torch.rand(3, 2), torch.zeros(3))
    with pytest.raises(IdentificationError, match="two people"):
        equal_error_threshold(torch.rand(3, 2), torch.arange(3))
    with pytest.raises(IdentificationError, match="lacks"):
        rank_one(torch.rand(1, 2), torch.tensor([7]), torch.rand(2, 2), torch.arange(2))
    with pytest.raises(IdentificationError, match="lacks"):
        rank_one(torch.rand(1, 2), torch.tensor([0]), torch.rand(0, 2), torch.arange(0))
