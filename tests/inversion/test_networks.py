import math

import pytest
import torch
import torch.nn.functional as F

from visage.inversion.errors import InversionError
from visage.inversion.laplacian_pyramid import expand
from visage.inversion.networks import (
    FaceNetwork,
    GuidedFaceNetwork,
    NetworkConfig,
    interpolate_smoothly,
    parameter_count,
)
from visage.inversion.spectrum import band_energy

PAPER = NetworkConfig(size=224)
SMALL = NetworkConfig(dim=6, size=28, filters=5, guide_filters=4, base=4, doublings=3)


def built(kind, config, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return kind(config)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_shape_of_section_4_1():
    network = built(FaceNetwork, PAPER)
    with torch.no_grad():
        x = network.input(drawn(2, 128))
        shapes = [tuple(x.shape[1:])]
        for layer in network.deconvolutions:
            x = layer(x)
            shapes.append(tuple(x.shape[1:]))
        images = network(drawn(2, 128))
    assert shapes == [(16, 8, 8), (16, 16, 16), (16, 32, 32), (16, 64, 64), (16, 128, 128),
                      (3, 256, 256)]  # fmt: skip
    assert images.shape == (2, 3, 224, 224)


@pytest.mark.parametrize("filters", [4, 16, 50])
def test_parameters_of_section_4_1(filters):
    network = FaceNetwork(NetworkConfig(filters=filters))
    connected = (128 + 1) * 64 * filters
    between = 4 * (25 * filters + 1) * filters
    assert parameter_count(network) == connected + between + 25 * filters * 3 + 3


def test_parameters_of_section_4_2():
    network = GuidedFaceNetwork(NetworkConfig(filters=10, guide_filters=7))
    connected = (128 + 1) * 64 * 10
    branch = (25 * 3 + 1) * 7 + 4 * (25 * 7 + 1) * 7
    deconvolutions = 5 * (25 * 17 * 10 + 10)
    assert parameter_count(network) == connected + branch + deconvolutions + (25 * 13 + 1) * 3


def test_the_guide_joins_at_every_size(monkeypatch):
    network = built(GuidedFaceNetwork, NetworkConfig(size=224, filters=6, guide_filters=5))
    seen = []
    for layer in [*network.deconvolutions, network.output]:
        layer.register_forward_hook(lambda _, inputs, out: seen.append(tuple(inputs[0].shape[1:])))
    with torch.no_grad():
        images = network(drawn(2, 128), torch.rand(1, 3, 224, 224))
    assert seen == [(11, 8, 8), (11, 16, 16), (11, 32, 32), (11, 64, 64), (11, 128, 128),
                    (9, 256, 256)]  # fmt: skip
    assert images.shape == (2, 3, 224, 224)


def test_deconvolutions_start_as_smooth_interpolation():
    layer = torch.nn.ConvTranspose2d(1, 1, 5, stride=2, padding=2, output_padding=1)
    interpolate_smoothly(layer)
    image = drawn(1, 1, 6, 7)
    with torch.no_grad():
        found = layer(image) / (layer.weight[0, 0, 2, 2] / (6 / 8) ** 2)
    # The pyramid's expansion, which has its own tests, differs at the edge only.
    assert torch.allclose(found[..., 2:-2, 2:-2], expand(image, 12, 14)[..., 2:-2, 2:-2], atol=1e-5)


def test_connections_between_filters_are_xaviers():
    layer = torch.nn.ConvTranspose2d(60, 40, 5, stride=2, padding=2, output_padding=1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        interpolate_smoothly(layer)
    between = layer.weight.detach()[:, :, 2, 2] / (6 / 8) ** 2
    assert between.std().item() == pytest.approx(math.sqrt(2 / 100), rel=0.05)
    assert abs(between.mean().item()) < 0.01


@pytest.mark.parametrize("seed", range(4))
def test_an_untrained_picture_is_grey_and_smooth(seed):
    network = built(FaceNetwork, NetworkConfig(), seed)
    with torch.no_grad():
        images = network(drawn(4, 128, seed=seed))
    assert torch.allclose(images[:, :1].expand_as(images), images, atol=1e-6)
    assert (images - 0.5).abs().max() < 0.25
    assert images.std() > 2e-3
    energy = band_energy(images, 4)
    assert (energy[:, 0] < 1e-2 * energy[:, 3]).all()


def test_an_untrained_guided_network_shows_the_guide():
    network = built(GuidedFaceNetwork, SMALL)
    guide = F.interpolate(0.1 + 0.8 * torch.rand(3, 3, 4, 4), (28, 28), mode="bilinear")
    with torch.no_grad():
        images = network(drawn(3, 6), guide)
    assert (images - guide).abs().mean() < 0.1
    likeness = torch.corrcoef(torch.stack([images.flatten(), guide.flatten()]))[0, 1]
    assert likeness > 0.8


@pytest.mark.parametrize("kind", [FaceNetwork, GuidedFaceNetwork])
def test_gradients_reach_every_weight(kind):
    network = built(kind, SMALL)
    guides = (torch.rand(8, 3, 28, 28),) if kind is GuidedFaceNetwork else ()
    images = network(drawn(8, 6), *guides)
    (images - 0.3).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("kind", [FaceNetwork, GuidedFaceNetwork])
def test_a_network_can_learn_two_pictures(kind):
    network = built(kind, SMALL)
    embeddings = drawn(2, 6)
    guides = (torch.full((1, 3, 28, 28), 0.5),) if kind is GuidedFaceNetwork else ()
    pictures = F.interpolate(
        torch.rand(2, 3, 3, 3, generator=torch.Generator().manual_seed(1)),
        (28, 28),
        mode="bilinear",
    )
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    losses = []
    for _ in range(60):
        loss = (network(embeddings, *guides) - pictures).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_standardising_takes_out_what_embeddings_share():
    network = built(FaceNetwork, SMALL)
    embeddings = 100 + 0.1 * drawn(50, 6)
    network.input.standardise(embeddings)
    inputs = (embeddings - network.input.centre) / network.input.spread
    assert inputs.mean(0).abs().max() < 1e-3
    assert inputs.square().mean().item() == pytest.approx(1, rel=1e-3)
    assert {"input.centre", "input.spread"} <= network.state_dict().keys()


def test_bad_input():
    with pytest.raises(InversionError, match="fewer than the picture's 300"):
        NetworkConfig(size=300)
    with pytest.raises(InversionError, match="filters"):
        NetworkConfig(filters=0)
    with pytest.raises(InversionError, match="guide is"):
        GuidedFaceNetwork(SMALL)(drawn(2, 6), torch.rand(2, 3, 28, 27))
