"""Distances, neighbours and random morphs."""

import pytest
import torch

from visage.normalization.errors import NormalizationError
from visage.normalization.morphs import (
    Morphs,
    MorphSettings,
    draw_morphs,
    face_distances,
    nearest_neighbours,
)


@pytest.fixture(scope="module")
def some():
    generator = torch.Generator().manual_seed(0)
    landmarks = 56 + 10 * torch.randn(7, 68, 2, generator=generator)
    return landmarks, torch.rand(7, 3, 8, 8, generator=generator)


def test_distances_are_equation_2(some):
    landmarks, textures = some
    found = face_distances(landmarks, textures, MorphSettings(landmark_weight=3, size=8))
    for a in range(7):
        for b in range(7):
            shape = (landmarks[a] - landmarks[b]).norm()
            colour = (textures[a] - textures[b]).norm()
            assert found[a, b] == pytest.approx(float(3 * shape + colour), rel=1e-4, abs=1e-4)


def test_distances_hardly_depend_on_the_size(some):
    landmarks, textures = some
    twice = textures.repeat_interleave(2, 2).repeat_interleave(2, 3)
    small = face_distances(landmarks, textures)
    large = face_distances(2 * landmarks, twice)
    assert torch.allclose(small, large, rtol=1e-4, atol=1e-2)


def test_neighbours_are_the_nearest_and_never_oneself(some):
    distances = face_distances(*some)
    found = nearest_neighbours(distances, 3)
    for face, neighbours in enumerate(found.tolist()):
        others = sorted((float(distances[face, b]), b) for b in range(7) if b != face)
        assert neighbours == [b for _, b in others[:3]]
    assert nearest_neighbours(distances, 200).shape == (7, 6)


def test_a_twin_is_a_neighbour_and_oneself_is_not():
    found = nearest_neighbours(torch.zeros(2, 2), 1)
    assert found.tolist() == [[1], [0]]


def test_morph_depends_on_its_number_only():
    neighbours = torch.tensor([[1, 2], [0, 2], [1, 0]])
    many = draw_morphs(neighbours, 5, range(40))
    one = draw_morphs(neighbours, 5, [33])
    for name in ("first", "second", "shape", "texture"):
        assert getattr(many, name)[33] == getattr(one, name)[0]
    assert many.first.tolist() == [i % 3 for i in range(40)]
    other = draw_morphs(neighbours, 6, range(40))
    assert not torch.equal(many.shape, other.shape)


def test_shares_are_uniform_and_independent():
    morphs = draw_morphs(torch.tensor([[1], [0]]), 0, range(4000))
    for share in (morphs.shape, morphs.texture):
        assert ((share >= 0) & (share <= 1)).all()
        assert share.mean() == pytest.approx(0.5, abs=0.02)
        assert share.std() == pytest.approx(12**-0.5, abs=0.02)
    assert torch.corrcoef(torch.stack([morphs.shape, morphs.texture]))[0, 1].abs() < 0.05


def test_all_neighbours_are_drawn():
    neighbours = torch.arange(1, 11)[None].expand(11, -1)
    assert set(draw_morphs(neighbours, 0, range(400)).second.tolist()) == set(range(1, 11))


def test_ends_are_the_two_faces(some):
    landmarks, textures = some
    ends = Morphs(
        torch.tensor([0, 0]), torch.tensor([1, 1]), torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0])
    )
    assert torch.allclose(ends.landmarks(landmarks), landmarks[:2])
    assert torch.allclose(ends.textures(textures), textures[[1, 0]])


def test_refuses_what_is_no_set_of_faces(some):
    landmarks, textures = some
    with pytest.raises(NormalizationError, match="as many"):
        face_distances(landmarks[:3], textures)
    with pytest.raises(NormalizationError, match="two faces"):
        nearest_neighbours(torch.zeros(1, 1), 5)
    with pytest.raises(NormalizationError, match="at least 1"):
        MorphSettings(neighbours=0)
