import pytest
import torch

from visage.inversion import expected_face as module
from visage.inversion.errors import InversionError
from visage.inversion.expected_face import (
    ExpectedFace,
    PictureStream,
    expected_face_loss,
)
from visage.inversion.guides import mean_guide
from visage.inversion.laplacian_pyramid import collapse, laplacian_pyramid, pyramid_distance
from visage.inversion.networks import NetworkConfig
from visage.inversion.spectrum import mean_band_energy
from visage.recognition.examples import Examples

SHAPE = NetworkConfig(dim=6, size=64, filters=4, base=4, doublings=4)


@pytest.fixture
def some(generator):
    coarse = torch.rand(8, 3, 8, 8, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (64, 64), mode="bilinear")
    chips = (255 * smooth).round().to(torch.uint8)
    embeddings = torch.randn(8, 6, generator=generator)
    return Examples(tuple(f"synthetic-train/{n}" for n in range(8)), chips, embeddings)


def test_pyramid_distance_sums_the_bands(generator):
    p, q = (torch.rand(2, 3, 32, 32, generator=generator) for _ in range(2))
    bands = zip(laplacian_pyramid(p, 3), laplacian_pyramid(q, 3), strict=True)
    slow = torch.stack(
        [torch.stack([(a[i] - b[i]).abs().mean() for i in (0, 1)]) for a, b in bands]
    )
    torch.testing.assert_close(pyramid_distance(p, q, 3), slow.sum(0))
    assert pyramid_distance(p, p, 3).tolist() == [0, 0]
    with pytest.raises(InversionError, match="one size"):
        pyramid_distance(p, q[:1], 3)


def test_a_blur_costs_more_than_by_pixels(generator):
    sharp = torch.rand(1, 3, 32, 32, generator=generator)
    bands = laplacian_pyramid(sharp, 3)
    blurred = collapse([torch.zeros_like(bands[0]), *bands[1:]])
    assert pyramid_distance(blurred, sharp, 3) > 0.99 * bands[0].abs().mean()


def test_the_stream_mirrors_half_and_depends_on_seed_and_index_only(some):
    stream = PictureStream(1, some)
    embeddings, chips = stream.batch(range(60))
    again, same = stream.batch([7])
    assert torch.equal(embeddings[7], again[0])
    assert torch.equal(chips[7], same[0])
    flipped = 0
    for embedding, chip in zip(embeddings, chips, strict=True):
        row = int((some.embeddings == embedding).all(1).nonzero())
        assert torch.equal(chip, some.chips[row]) or torch.equal(chip, some.chips[row].flip(-1))
        flipped += not torch.equal(chip, some.chips[row])
    assert 15 < flipped < 45
    assert not torch.equal(PictureStream(2, some).batch(range(9))[0], embeddings[:9])


def test_what_is_remembered_is_what_examples_have(some):
    network = ExpectedFace(SHAPE)
    network.remember(some)
    known = network.references()
    torch.testing.assert_close(known.guide, mean_guide(some.pictures()))
    torch.testing.assert_close(known.bands, mean_band_energy(some.pictures(), 4, by_colour=True))
    pixels = some.chips.float().transpose(0, 1).flatten(1) / 255
    torch.testing.assert_close(known.colours.mean, pixels.mean(1), atol=1e-4, rtol=0)
    torch.testing.assert_close(
        known.colours.covariance, torch.cov(pixels, correction=0), atol=1e-4, rtol=0
    )
    own = network.references(some.embeddings[:3])
    assert own.guide.shape == (3, 3, 64, 64)
    image = some.chips[:1].float() / 255
    back = network.pixels().decode(network.pixels().encode(image))
    torch.testing.assert_close(back, image.clamp(0.01, 0.99), atol=1e-3, rtol=0)


def test_it_learns_what_pictures_have_in_common(some):
    torch.manual_seed(0)
    network = ExpectedFace(SHAPE)
    network.remember(some)
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    batch = (some.embeddings, some.chips)
    generator = torch.Generator()
    before = expected_face_loss(network, batch, generator)[0].item()
    for _ in range(60):
        optimiser.zero_grad()
        loss, _ = expected_face_loss(network, batch, generator)
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.93 * before


def test_the_shipped_one_guides(monkeypatch):
    network = module.load_expected_face()
    guide = network.references(torch.stack([network.input.centre] * 2)).guide
    assert guide.shape == (2, 3, 150, 150)
    # The mean embedding's face is much like the mean face.
    assert (guide - network.mean_face).abs().mean() < 0.12
    assert (network.bands > 0).all()
    assert not any(parameter.requires_grad for parameter in network.parameters())
