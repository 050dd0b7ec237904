import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from visage.recognition.encoder import Encoder, EncoderInputError
from visage.recognition.light_cnn import (
    DIM,
    SIZE,
    LightCNN,
    LightCNNEncoder,
    max_feature_map,
    seen_faces,
    standardised,
)


@pytest.fixture(scope="module")
def untrained():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LightCNNEncoder(LightCNN())


def noise(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.integers(0, 99))
def test_max_feature_map_is_the_naive_loop(batch, maps, side, seed):
    given_maps = noise(batch, 2 * maps, side, side, seed=seed)
    expected = torch.empty(batch, maps, side, side)
    for b in range(batch):
        for k in range(maps):
            for y in range(side):
                for x in range(side):
                    one, other = given_maps[b, k, y, x], given_maps[b, k + maps, y, x]
                    expected[b, k, y, x] = one if one > other else other
    assert torch.equal(max_feature_map(given_maps), expected)


def test_max_feature_map_passes_the_gradient_to_the_winner():
    maps = torch.tensor([[1.0, 5.0, 2.0, 3.0]], requires_grad=True)
    max_feature_map(maps).sum().backward()
    assert maps.grad.tolist() == [[0, 1, 1, 0]]


def test_max_feature_map_refuses_an_odd_number():
    with pytest.raises(ValueError, match="3 maps"):
        max_feature_map(torch.zeros(1, 3))


def test_standardised_faces_have_no_exposure_and_no_contrast():
    face = noise(2, 1, 8, 8)
    assert torch.allclose(standardised(face), standardised(0.4 * face + 0.3), atol=5e-2)
    assert standardised(face).mean((1, 2, 3)).abs().max() < 1e-6
    assert standardised(face).std((1, 2, 3)) == pytest.approx([1, 1], abs=0.02)
    assert torch.equal(standardised(torch.full((1, 1, 4, 4), 0.5)), torch.zeros(1, 1, 4, 4))


def test_seen_faces_mirror_with_the_chip():
    chips = noise(2, 3, 150, 150)
    seen = seen_faces(chips)
    assert seen.shape == (2, 1, SIZE, SIZE)
    assert torch.allclose(seen_faces(chips.flip(-1)), seen.flip(-1), atol=1e-5)


def test_it_is_an_encoder(untrained):
    chips = noise(2, 3, 150, 150)
    assert isinstance(untrained, Encoder)
    embedded = untrained.embed(chips)
    assert embedded.shape == (2, DIM)
    assert embedded.norm(dim=1) == pytest.approx([1, 1], abs=1e-5)
    assert torch.equal(embedded, untrained.embed(chips))
    assert untrained.distance(embedded[0], embedded[0]) == pytest.approx(0, abs=1e-5)
    assert untrained.distance(embedded[0], -3 * embedded[0]) == pytest.approx(2, abs=1e-5)


def test_each_stage_halves_the_side(untrained):
    found = untrained.features(noise(1, 3, 150, 150), untrained.feature_names)
    assert list(found) == list(untrained.feature_names)
    shapes = [tuple(found[f"stage{k}"].shape[1:]) for k in (1, 2, 3, 4)]
    assert shapes == [(24, 32, 32), (48, 16, 16), (96, 8, 8), (128, 4, 4)]


def test_a_batch_does_not_change_its_members(untrained):
    chips = noise(3, 3, 150, 150)
    alone = torch.cat([untrained.embed(chip) for chip in chips.split(1)])
    assert torch.allclose(untrained.embed(chips), alone, atol=1e-5)


def test_the_gradient_reaches_the_pixels(untrained):
    chip = noise(1, 3, 150, 150).requires_grad_()
    target = untrained.embed(noise(1, 3, 150, 150, seed=1))
    untrained.distance(untrained.embed(chip), target).sum().backward()
    assert chip.grad[..., 5:-5, 5:-5].abs().sum() > 0
    assert chip.grad[..., :4, :].abs().sum() == 0  # outside of what it sees
    assert all(parameter.grad is None for parameter in untrained.parameters())


@pytest.mark.parametrize(
    "chips", [torch.zeros(1, 3, 64, 64), torch.full((1, 3, 150, 150), 200.0), torch.zeros(1)]
)
def test_what_is_no_chip_is_refused(untrained, chips):
    with pytest.raises(EncoderInputError):
        untrained.embed(chips)
