import pytest
import torch

from visage.normalization.baselines import FullyConnectedTexture, PlainDecoder, parameter_count
from visage.normalization.decoder import (
    Decoder,
    DecoderConfig,
    DecoderError,
    Normal,
    TextureCNN,
    decode,
)
from visage.normalization.warp import warp

SMALL = DecoderConfig(features=6, code=8, size=32, channels=16, least_channels=4, hidden=12)


def normal(config=SMALL, count=20):
    generator = torch.Generator().manual_seed(1)
    size = config.size
    grid = torch.rand(68, 2, generator=generator) * (size - 8) + 4
    return Normal(
        grid,
        torch.rand(3, size, size, generator=generator),
        3 + 2 * torch.randn(count, config.features, generator=generator),
    )


@pytest.fixture
def decoder():
    torch.manual_seed(0)
    return Decoder(SMALL, normal()).eval()


def test_the_papers_shape_at_224():
    config = DecoderConfig(features=1024, size=224)
    assert config.base == 14
    assert config.widths() == [256, 128, 64, 32, 32]
    network = TextureCNN(config)
    assert network.fc.out_features == 14 * 14 * 256
    assert all(layer.kernel_size == (5, 5) for layer in network.doublings)
    assert all(layer.stride == (2, 2) for layer in network.doublings)
    with torch.no_grad():
        assert network(torch.zeros(1, config.code)).shape == (1, 3, 224, 224)


def test_half_the_size_has_the_same_maps_from_seven_pixels():
    network = TextureCNN(DecoderConfig())
    assert network.fc.out_features == 7 * 7 * 256
    assert 2 * parameter_count(Decoder()) < 6e6  # bytes in float16; a checkpoint has 8 MB at most


def test_an_untrained_decoder_draws_the_mean_face(decoder):
    known = normal()
    with torch.no_grad():
        found = decoder(known.features.mean(0, keepdim=True))
    assert found.image.shape == found.texture.shape == (1, 3, 32, 32)
    assert (found.texture[0] - known.texture).abs().mean() < 0.05
    assert (found.landmarks[0] - known.landmarks).abs().max() < 1.0


def test_the_image_is_the_texture_with_its_landmarks_moved(decoder):
    found = decoder(normal().features[:3])
    wanted = warp(found.texture, decoder.mean[None], found.landmarks)
    assert torch.equal(found.image, wanted)


def test_features_are_standardised(decoder):
    known = normal().features
    code = (known - decoder.code.centre) / decoder.code.spread
    assert torch.allclose(code.mean(0), torch.zeros(6), atol=1e-5)
    assert torch.allclose(code.std(0), torch.ones(6), atol=1e-5)


def test_gradients_reach_everything_through_the_warp(decoder):
    found = decoder(normal().features[:2])
    found.image.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in decoder.parameters())
    assert decoder.landmarks[-1].weight.grad.abs().max() > 0


def test_only_some_are_rendered_where_only_some_are_seen(decoder):
    features = normal().features[:4]
    some = decoder(features, rendered=2)
    assert some.image.shape[0] == 2
    assert torch.allclose(some.image, decoder(features).image[:2], atol=1e-6)
    assert len(decoder(features, rendered=0).image) == 0
    assert len(some.texture) == len(some.landmarks) == 4


def test_many_are_decoded_some_at_a_time(decoder):
    features = normal().features
    assert torch.allclose(decode(decoder, features, 7).image, decoder(features).image, atol=1e-5)


def test_the_linear_texture_has_as_many_weights_as_the_cnn():
    for config in (SMALL, DecoderConfig()):
        linear, cnn = FullyConnectedTexture(config), TextureCNN(config)
        assert 0.7 < parameter_count(linear) / parameter_count(cnn) <= 1.01 or linear.rank == 1
    # It is linear: twice the code, twice the offset.
    linear = FullyConnectedTexture(SMALL)
    code = torch.randn(1, SMALL.code)
    once, twice = linear(code) - linear.up.bias.view(3, 32, 32), linear(2 * code)
    assert torch.allclose(twice - linear.up.bias.view(3, 32, 32), 2 * once, atol=1e-5)


def test_the_plain_decoder_has_the_same_cnn_and_no_landmarks():
    plain = PlainDecoder(SMALL, normal())
    full = Decoder(SMALL, normal())
    assert parameter_count(plain.texture) == parameter_count(full.texture)
    found = plain(normal().features[:2], rendered=1)
    assert torch.equal(found.landmarks, plain.mean.expand(2, -1, -1))
    assert torch.equal(found.image, found.texture[:1])


def test_weights_load_into_a_decoder_that_knows_no_faces(decoder):
    other = Decoder(SMALL)
    other.load_state_dict(decoder.state_dict())
    features = normal().features[:2]
    assert torch.equal(other.eval()(features).image, decoder(features).image)


def test_bad_input(decoder):
    with pytest.raises(DecoderError, match="multiple of 16"):
        DecoderConfig(size=100)
    with pytest.raises(DecoderError, match="code is at least 1"):
        DecoderConfig(code=0)
    with pytest.raises(DecoderError, match="expected"):
        decoder(torch.zeros(1, 7))
