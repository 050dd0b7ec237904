from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F

from visage.texture.backbones import (
    BACKBONES,
    Backbone,
    check_luminance,
    load_backbone,
    pool,
)
from visage.texture.errors import BackboneError


@pytest.fixture(scope="module")
def random():
    return load_backbone("random_vgg19", width=0.1)


@pytest.fixture(scope="module")
def recogniser():
    return load_backbone("recogniser")


@pytest.fixture
def luminance():
    return torch.rand(2, 1, 64, 48, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ["random", "recogniser"])
def test_is_a_backbone(name, request, luminance):
    backbone = request.getfixturevalue(name)
    assert isinstance(backbone, Backbone)
    assert backbone.name in BACKBONES
    assert set(backbone.gram_layers) | set(backbone.feature_layers) <= set(backbone.layers)
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    found = backbone.features(luminance, reversed(backbone.layers[:4]))
    assert tuple(found) == backbone.layers[:4]
    for features in found.values():
        assert features.shape[0] == 2
        assert features.min() >= 0  # rectified
        assert features.isfinite().all()


@pytest.mark.parametrize("name", ["random", "recogniser"])
def test_scales_are_halved_one_after_the_other(name, request):
    backbone = request.getfixturevalue(name)
    found = backbone.features(torch.full((1, 1, 128, 128), 0.5), backbone.layers)
    sizes = [features.shape[-1] for features in found.values()]
    assert sizes[0] == 128
    for fine, coarse in pairwise(sizes):
        assert coarse == fine or abs(coarse - fine / 2) <= 2


@pytest.mark.parametrize("name", ["random", "recogniser"])
def test_each_texel_of_the_first_layer_counts(name, request, luminance):
    backbone = request.getfixturevalue(name)
    luminance.requires_grad_()
    (first,) = backbone.features(luminance, backbone.layers[:1]).values()
    (gradient,) = torch.autograd.grad(first.square().sum(), luminance)
    assert (gradient != 0).float().mean() > 0.99


def test_no_deeper_than_needed(random, luminance):
    deep = random.groups[1][0].weight.clone()
    try:
        random.groups[1][0].weight.data.fill_(torch.nan)
        found = random.features(luminance, ["relu1_2"])
    finally:
        random.groups[1][0].weight.data.copy_(deep)
    assert found["relu1_2"].isfinite().all()


def test_gradients():
    backbone = load_backbone("random_vgg19", width=0.05).double()
    generator = torch.Generator().manual_seed(3)
    luminance = torch.rand(1, 1, 6, 6, dtype=torch.float64, generator=generator).requires_grad_()
    layers = ["relu1_1", "relu2_1"]
    assert torch.autograd.gradcheck(
        lambda y: tuple(backbone.features(y, layers).values()), (luminance,)
    )


def test_strided_stem_is_the_trained_one(luminance):
    """Away from the border, where our padding ends, conv1 is the recogniser's own."""
    dense, strided = (load_backbone("recogniser", dense=dense) for dense in (True, False))
    network = strided.network
    colour = luminance.expand(-1, 3, -1, -1)
    expected = F.relu(network.stem((255 * colour - network.mean) / 256))
    found = strided.features(luminance, ["conv1"])["conv1"]
    # Ours begins three texels before the first; the trained windows begin at 0, 2, 4 ...
    inner = dense.features(luminance, ["conv1"])["conv1"][:, :, 3:-3:2, 3:-3:2]
    torch.testing.assert_close(inner, expected, atol=1e-4, rtol=1e-4)
    assert found.shape[-2:] == (32, 24)
    assert dense.key != strided.key


def test_pooling():
    x = torch.arange(16.0).view(1, 1, 4, 4)
    assert pool(x, "average").flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert pool(x, "max").flatten().tolist() == [5, 7, 13, 15]
    assert load_backbone("recogniser", pooling="max").key != load_backbone("recogniser").key


class TestBadInput:
    def test_name(self):
        with pytest.raises(BackboneError, match=r"no backbone 'resnet'; choose one of vgg19"):
            load_backbone("resnet")

    def test_pooling(self):
        with pytest.raises(BackboneError, match="choose 'average' or 'max'"):
            load_backbone(pooling="median")

    @pytest.mark.parametrize("layers", [["relu9_1"], "relu1_1", ["relu1_1", "conv1"]])
    def test_layers(self, random, luminance, layers):
        with pytest.raises(BackboneError, match="expected a list of some of relu1_1, relu1_2"):
            random.features(luminance, layers)

    @pytest.mark.parametrize(
        "wrong",
        [torch.zeros(1, 3, 8, 8), torch.zeros(1, 8, 8), torch.zeros(1, 1, 8, 8, dtype=torch.uint8)],
    )
    def test_luminance(self, random, wrong):
        with pytest.raises(BackboneError, match=r"\(B, 1, H, W\)"):
            random.features(wrong, ["relu1_1"])
        with pytest.raises(BackboneError):
            check_luminance(wrong)

    @pytest.mark.parametrize("name", ["random", "recogniser"])
    def test_too_small(self, name, request):
        backbone = request.getfixturevalue(name)
        with pytest.raises(BackboneError, match="too small for"):
            backbone.features(torch.rand(1, 1, 6, 6), backbone.layers[-1:])

    def test_recogniser_file(self, tmp_path):
        with pytest.raises(BackboneError, match="recogniser cannot be read"):
            load_backbone("recogniser", weights=tmp_path / "nothing.dat")
