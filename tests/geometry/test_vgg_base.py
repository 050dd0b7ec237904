"""The truncated VGG-Face: layers as published, weights from a file, refusals."""

import pytest
import torch
from torch import nn

from visage.geometry.errors import FineNetError
from visage.geometry.hypercolumn import Hypercolumn
from visage.geometry.vgg_base import MEAN, VGGBase, vgg_face_base

# Parkhi et al. (2015), table 3, up to the third maximum.
PUBLISHED = {
    "conv1_1": (64, 3), "conv1_2": (64, 64), "conv2_1": (128, 64), "conv2_2": (128, 128),
    "conv3_1": (256, 128), "conv3_2": (256, 256), "conv3_3": (256, 256),
}  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Random weights under the published names, with one layer more."""
    generator = torch.Generator().manual_seed(0)
    state = {"fc8.weight": torch.zeros(2, 2)}
    for name, (out, into) in PUBLISHED.items():
        state[f"{name}.weight"] = 0.05 * torch.randn(out, into, 3, 3, generator=generator)
        state[f"{name}.bias"] = torch.randn(out, generator=generator)
    path = tmp_path_factory.mktemp("weights") / "vgg_face.pth"
    torch.save(state, path)
    return path


def test_the_layers_are_the_published_ones():
    found = {n: m for n, m in VGGBase(3).named_modules() if isinstance(m, nn.Conv2d)}
    assert {n: (m.out_channels, m.in_channels) for n, m in found.items()} == PUBLISHED
    assert all(m.kernel_size == (3, 3) and m.padding == (1, 1) for m in found.values())


def test_maps_halve_twice():
    maps = VGGBase(5, 0.25)(torch.zeros(2, 5, 16, 24))
    assert [tuple(m.shape) for m in maps] == [(2, 16, 16, 24), (2, 32, 8, 12), (2, 64, 4, 6)]


def test_its_reach_is_as_stated():
    base = VGGBase(1, 0.0625).double()
    picture = torch.rand(1, 1, 64, 64, dtype=torch.float64, requires_grad=True)
    base(picture)[2][0, :, 8, 8].sum().backward()
    rows = picture.grad[0, 0].abs().sum(1).nonzero()[:, 0]
    assert 32 - int(rows.min()) <= base.reach
    assert int(rows.max()) - 35 <= base.reach


@pytest.mark.parametrize("blue_first", [False, True])
def test_a_grey_picture_passes_the_published_weights_as_three_equal_colours(file, blue_first):
    """Inside of the picture; at its border the published network pads with the mean colour."""
    state = torch.load(file, weights_only=True)
    published = nn.Conv2d(3, 64, 3, padding=1)
    published.load_state_dict({k: state[f"conv1_1.{k}"] for k in ("weight", "bias")})
    grey = torch.rand(1, 1, 9, 9)
    mean = torch.tensor(MEAN[::-1] if blue_first else MEAN).view(1, 3, 1, 1)
    expected = published(255 * grey.expand(-1, 3, -1, -1) - mean)
    base = vgg_face_base(file, 5, blue_first=blue_first)
    rest = torch.rand(1, 4, 9, 9)  # has no weight yet
    found = base.conv1_1(torch.cat([grey, rest], 1))
    inside = (..., slice(1, -1), slice(1, -1))
    assert torch.allclose(found[inside], expected[inside], atol=1e-3)
    assert torch.equal(base.conv3_3.weight, state["conv3_3.weight"])


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FineNetError, match="cannot be read"):
        vgg_face_base(tmp_path / "none.pth", 5)
    torch.save({"conv1_1.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(FineNetError, match=r"conv1_1\.weight"):
        vgg_face_base(tmp_path / "other.pth", 5)
    with pytest.raises(FineNetError, match="width"):
        VGGBase(1, 0.001)


def test_hypercolumns_bring_every_map_to_full_size():
    columns = Hypercolumn((2, 3, 4))
    maps = torch.rand(1, 2, 8, 12), torch.rand(1, 3, 4, 6), torch.rand(1, 4, 2, 3)
    assert columns(maps).shape == (1, columns.channels, 8, 12) == (1, 9, 8, 12)
    steps = [[(m.kernel_size, m.stride) for m in up] for up in columns.upward]
    assert steps == [[], [((2, 2), (2, 2))], [((2, 2), (2, 2))] * 2]


def test_up_convolutions_begin_by_repeating():
    """On average over random kernels; a chequerboard would show as a bias."""
    torch.manual_seed(0)
    columns = Hypercolumn((1, 64))
    flat = torch.full((1, 64, 3, 3), 2.0)
    found = columns((torch.zeros(1, 1, 6, 6), flat))[:, 1:]
    assert (found.mean(1) - 2).abs().max() < 0.3
