"""FineNet: the shapes of the paper, any size, nothing off the face, slopes and not millimetres."""

import pytest
import torch
from torch import nn

from visage.geometry.errors import DepthError, FineNetError
from visage.geometry.fine_network import FineConfig, FineNet
from visage.geometry.vgg_base import VGGBase


def scene(height=24, width=20, seed=0, scale=1.0):
    """A bowl of a face, and a picture of noise."""
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij"
    )
    depth = (20 * (x**2 + y**2)).expand(1, 1, -1, -1).clone()
    mask = ((x**2 + y**2) < 0.9).float().expand(1, 1, -1, -1).clone()
    faces = torch.rand(1, 1, height, width, generator=generator)
    return faces, depth.masked_fill(mask == 0, torch.inf), mask, torch.tensor([scale])


def stirred(seed=0, **config):
    """A network that does something: its last layer is not zero."""
    torch.manual_seed(seed)
    network = FineNet(FineConfig(width=0.125, regressor=(12,), **config)).eval()
    nn.init.normal_(network.regressor[-1].weight, std=0.1)
    return network


def test_an_untrained_network_gives_the_coarse_depth_back():
    faces, depth, mask, scale = scene()
    assert torch.equal(FineNet().eval()(faces, depth, mask, scale), depth)


def test_the_paper_s_column_has_450_numbers():
    network = FineNet(FineConfig(width=1.0))
    assert network.regressor[0].in_channels == 450


@pytest.mark.parametrize("size", [(24, 20), (21, 23), (8, 8), (5, 40)])
def test_any_size_will_do(size):
    faces, depth, mask, scale = scene(*size)
    found = stirred()(faces, depth, mask, scale)
    assert found.shape == (1, 1, *size)
    assert found[mask > 0].isfinite().all()


def test_off_the_face_nothing_changes_and_nothing_counts():
    faces, depth, mask, scale = scene()
    network = stirred()
    found = network(faces, depth, mask, scale)
    assert torch.equal(found[mask == 0], depth[mask == 0])
    other = torch.where(mask > 0, faces, 1 - faces)
    anything = depth.masked_fill(mask == 0, torch.nan)
    again = network(other, anything, mask, scale)
    assert torch.equal(again[mask > 0], found[mask > 0])
    assert not torch.allclose(found[mask > 0], depth[mask > 0])


def test_the_origin_of_depth_and_the_exposure_do_not_matter():
    faces, depth, mask, scale = scene()
    network = stirred(lit=False)
    found = network(faces, depth, mask, scale)[mask > 0]
    moved = network(faces, depth + 300, mask, scale)[mask > 0] - 300
    assert (moved - found).abs().max() < 1e-3
    darker = network(0.5 * faces, depth, mask, scale)[mask > 0]
    assert (darker - found).abs().max() < 1e-4


@pytest.mark.parametrize("lit", [False, True])
def test_a_face_twice_as_large_in_millimetres_moves_twice_as_far(lit):
    """The same pixels and the same slopes: only the unit differs."""
    faces, depth, mask, scale = scene()
    network = stirred(lit=lit)
    inside = mask > 0
    once = (network(faces, depth, mask, scale) - depth)[inside]
    twice = (network(faces, 2 * depth, mask, scale / 2) - 2 * depth)[inside]
    assert (twice - 2 * once).abs().max() < 1e-4 * once.abs().max()


def test_faces_of_a_batch_do_not_mix():
    first, second = scene(seed=1), scene(seed=2, scale=0.7)
    network = stirred()
    both = network(*(torch.cat(pair) for pair in zip(first, second, strict=True)))
    assert torch.allclose(both[1:], network(*second), atol=1e-5)


def test_gradients_reach_every_weight_and_the_coarse_depth():
    faces, depth, mask, scale = scene()
    depth.requires_grad_()
    network = stirred().train()
    found = network(faces, depth, mask, scale)
    found[mask > 0].square().sum().backward()
    # What comes before a normalisation cannot move its mean: such biases have no gradient.
    still = {f"base.{name}.bias" for names in network.base.names for name in names}
    for name, parameter in network.named_parameters():
        assert name in still or parameter.grad.abs().sum() > 0, name
    assert depth.grad[mask > 0].isfinite().all()


def test_who_is_refused():
    faces, depth, mask, scale = scene()
    network = FineNet().eval()
    with pytest.raises(FineNetError, match="expected"):
        network(faces.expand(-1, 3, -1, -1), depth, mask, scale)
    with pytest.raises(FineNetError, match="scale"):
        network(faces, depth, mask, scale.expand(2))
    with pytest.raises(FineNetError, match="NaN"):
        network(faces * torch.nan, depth, mask, scale)
    with pytest.raises(DepthError, match="finite"):
        network(faces, depth, torch.ones_like(mask), scale)
    with pytest.raises(FineNetError, match="channels"):
        FineNet(base=VGGBase(3, 0.25))
