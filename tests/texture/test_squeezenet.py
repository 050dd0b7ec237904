import numpy as np
import pytest
import torch
import torch.nn.functional as F

from visage.texture.backbones import Backbone, load_backbone
from visage.texture.errors import BackboneError
from visage.texture.squeezenet import MEAN, SqueezeNet, _shapes


@pytest.fixture(scope="module")
def arrays():
    generator = np.random.default_rng(0)
    return {
        name: (0.1 * generator.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype("f4")
        for name, shape in _shapes().items()
    } | {"conv10_w": np.zeros((10, 512, 1, 1), "f4")}


@pytest.fixture(scope="module")
def file(arrays, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "squeezenet.npz"
    np.savez(path, **arrays)
    return path


@pytest.fixture
def luminance():
    return torch.rand(2, 1, 40, 56, generator=torch.Generator().manual_seed(1))


def test_is_a_backbone(file):
    network = load_backbone("squeezenet", weights=file)
    assert isinstance(network, Backbone)
    assert network.name == "squeezenet"
    assert not any(tensor.requires_grad for tensor in network.state_dict().values())


def test_twenty_five_convolutions(arrays):
    """All but the classifier's."""
    assert len(_shapes()) == 50
    assert sum(arrays[name].size for name in _shapes()) == 735_424


@pytest.mark.parametrize("pooling", ["average", "max"])
@pytest.mark.parametrize("dense", [True, False])
def test_naive(arrays, file, luminance, pooling, dense):
    network = SqueezeNet.from_file(file, pooling, dense=dense)
    found = network.features(luminance, network.layers)
    weights = {name: torch.tensor(values) for name, values in arrays.items()}

    def convolve(x, name, **options):
        return F.conv2d(x, weights[f"{name}_w"], weights[f"{name}_b"], **options).relu()

    def halve(x):
        return F.max_pool2d(x, 3, 2) if pooling == "max" else F.avg_pool2d(x, 3, 2)

    bgr = 255 * luminance.expand(-1, 3, -1, -1) - torch.tensor(MEAN).view(3, 1, 1)
    x = convolve(bgr, "conv1", padding=3, stride=1 if dense else 2)
    torch.testing.assert_close(found["conv1"], x)
    for number in range(2, 10):
        x = halve(x) if number in (2, 5, 9) else x
        squeezed = convolve(x, f"fire{number}_squeeze1x1")
        one = convolve(squeezed, f"fire{number}_expand1x1")
        three = convolve(squeezed, f"fire{number}_expand3x3", padding=1)
        x = torch.cat((one, three), 1)
        torch.testing.assert_close(found[f"fire{number}"], x)


def test_keys_differ(file):
    keys = {
        SqueezeNet.from_file(file, pooling, dense=dense).key
        for pooling in ("average", "max")
        for dense in (True, False)
    }
    assert len(keys) == 4


class TestBadInput:
    def test_no_file(self):
        with pytest.raises(BackboneError, match="squeezenet needs weights"):
            load_backbone("squeezenet")

    def test_wrong_files(self, arrays, tmp_path):
        with pytest.raises(BackboneError, match="cannot be read as an npz"):
            load_backbone("squeezenet", weights=tmp_path / "missing.npz")
        (tmp_path / "text.npz").write_text("no weights")
        with pytest.raises(BackboneError, match="cannot be read as an npz"):
            load_backbone("squeezenet", weights=tmp_path / "text.npz")
        (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 no zip")
        with pytest.raises(BackboneError, match="cannot be read as an npz"):
            load_backbone("squeezenet", weights=tmp_path / "broken.npz")
        np.save(tmp_path / "array.npy", np.zeros(3))
        with pytest.raises(BackboneError, match="cannot be read as an npz"):
            load_backbone("squeezenet", weights=tmp_path / "array.npy")
        np.savez(tmp_path / "short.npz", **{**arrays, "fire3_expand1x1_b": np.zeros(3)})
        with pytest.raises(BackboneError, match=r"'fire3_expand1x1_b' is missing or not \(64,\)"):
            load_backbone("squeezenet", weights=tmp_path / "short.npz")

    def test_too_small(self, file):
        network = load_backbone("squeezenet", weights=file, dense=False)
        with pytest.raises(BackboneError, match="too small for squeezenet"):
            network.features(torch.rand(1, 1, 6, 6), ["fire9"])
