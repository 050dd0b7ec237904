"""Tables 1 to 3 read off the built networks, shapes, and who is refused."""

import pytest
import torch
from torch import nn

from visage.nfgan.errors import NetworkError, NfganError
from visage.nfgan.networks import (
    SHIPPED,
    Decoder,
    Discriminator,
    Encoder,
    Nfgan,
    NfganConfig,
    normalized,
)

# Kernel, stride, filters and batch normalisation of tables 1 to 3, as printed.
TABLE_1 = [(3, 2, 32, False), (3, 2, 64, True), (3, 2, 128, True), (3, 2, 256, True)]
TABLE_2 = [(3, 2, 512, True), (3, 2, 256, True), (3, 2, 128, True), (3, 2, 64, True)]
TABLE_3 = [(3, 2, 64, False), (3, 2, 128, True), (3, 2, 256, True), (3, 2, 512, True)]


def rows(stages):
    found = []
    for stage in stages:
        layer = stage[0]
        normalised = any(isinstance(part, nn.BatchNorm2d) for part in stage)
        found.append((layer.kernel_size[0], layer.stride[0], layer.out_channels, normalised))
    return found


def faces(count=2, seed=0):
    return torch.rand(count, 1, 64, 64, generator=torch.Generator().manual_seed(seed))


def sides(network, batch):
    """Sides of the maps after every stage."""
    seen = []
    hooks = [
        s.register_forward_hook(lambda *a: seen.append(a[2].shape[-1])) for s in network.stages
    ]
    network(batch)
    for hook in hooks:
        hook.remove()
    return seen


def test_the_encoder_is_table_1():
    encoder = Encoder()
    assert rows(encoder.stages) == TABLE_1
    assert encoder.fc1.out_features == encoder.norm.num_features == 512
    assert encoder.fc2.out_features == 256
    assert sides(encoder, faces()) == [32, 16, 8, 4]
    assert encoder(faces()).shape == (2, 256)


def test_the_decoder_is_table_2_from_maps_of_2_by_2():
    decoder = Decoder()
    assert rows(decoder.stages) == TABLE_2
    last = decoder.last
    assert (last.kernel_size[0], last.stride[0], last.out_channels) == (3, 2, 1)
    assert decoder.stages[0][0].in_channels == 64  # 256 = 64 · 2 · 2: no layer before FConv1
    latent = torch.randn(2, 256)
    assert sides(decoder, latent) == [4, 8, 16, 32]
    found = decoder(latent)
    assert found.shape == (2, 1, 64, 64)
    assert 0 <= found.min() < found.max() <= 1


def test_the_discriminator_is_table_3_and_ends_in_a_map():
    discriminator = Discriminator()
    assert rows(discriminator.stages) == TABLE_3
    last = discriminator.last
    assert (last.kernel_size[0], last.stride[0], last.out_channels) == (3, 1, 1)
    assert sides(discriminator, faces()) == [32, 16, 8, 4]
    assert discriminator(faces()).shape == (2, 1, 4, 4)
    discriminator.eval()
    wanted = torch.sigmoid(discriminator(faces())).flatten(1).mean(1)
    assert torch.allclose(discriminator.probability(faces()), wanted)
    assert discriminator.config.alpha == 0.3


def test_the_leak_is_the_settings():
    straight = Discriminator(NfganConfig(width=0.1, alpha=0.0)).eval()
    leaky = Discriminator(NfganConfig(width=0.1, alpha=0.3)).eval()
    leaky.load_state_dict(straight.state_dict())
    assert not torch.allclose(straight(faces()), leaky(faces()))


def test_an_untrained_decoder_draws_no_chequerboard():
    torch.manual_seed(0)
    images = Decoder(NfganConfig(width=0.25))(torch.randn(16, 256))
    # What alternates from pixel to pixel, against everything else.
    inner = images[..., 2:-2, 2:-2] - images[..., 2:-2, 2:-2].mean((2, 3), keepdim=True)
    y, x = torch.meshgrid(torch.arange(60), torch.arange(60), indexing="ij")
    alternating = (inner * (-1.0) ** (y + x)).mean((2, 3)).square().mean()
    assert alternating < 1e-3 * inner.square().mean()


def test_the_whole_generates():
    torch.manual_seed(0)
    network = Nfgan(NfganConfig(width=0.25)).eval()
    found = network(faces(3))
    assert found.faces.shape == (3, 1, 64, 64)
    assert torch.equal(found.latent, network.encoder(faces(3)))
    assert torch.allclose(found.faces, network.decoder(found.latent))
    bytes_ = (255 * faces(3)).round().to(torch.uint8)
    some = normalized(network, bytes_, together=2)
    assert torch.allclose(some, network(bytes_.float() / 255).faces, atol=1e-5)
    assert normalized(network, bytes_[:0]).shape == (0, 1, 64, 64)


def test_weights_follow_from_the_seed():
    made = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        made.append(Nfgan(NfganConfig(width=0.1)).state_dict())
    first, same, other = ([*state.values()] for state in made)
    assert all(torch.equal(a, b) for a, b in zip(first, same, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_the_shipped_networks_fit_their_file():
    network = Nfgan(SHIPPED)
    assert rows(network.encoder.stages) == TABLE_1
    assert rows(network.decoder.stages) == TABLE_2
    assert sum(tensor.numel() for tensor in network.state_dict().values()) < 5_000_000


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"width": 0.0}, "width"),
        ({"discriminator_width": -1.0}, "discriminator_width"),
        ({"latent": 30}, "latent"),
        ({"alpha": 1.0}, "alpha"),
    ],
)
def test_settings_that_are_no_network_are_refused(settings, word):
    with pytest.raises(NetworkError, match=word):
        NfganConfig(**settings)


def test_other_shapes_are_refused():
    network = Nfgan(NfganConfig(width=0.1)).eval()
    with pytest.raises(NfganError, match="64"):
        network(torch.zeros(1, 3, 64, 64))
    with pytest.raises(NfganError, match="64"):
        network.discriminator(torch.zeros(1, 1, 32, 32))
    with pytest.raises(NetworkError, match="256"):
        network.decoder(torch.zeros(1, 128))
