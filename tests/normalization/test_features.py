import pytest
import torch
import torch.nn.functional as F
from torch import nn

from visage.normalization.features import FeaturesError, IdentityFeatures, load_features
from visage.normalization.vgg_face import VGGFace, VGGFaceError


@pytest.fixture(scope="module")
def chips():
    return torch.rand(3, 3, 150, 150, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ["dlib_resnet", "light_cnn"])
def test_features_do_not_know_left_from_right(name, chips):
    features = load_features(name)
    found = features(chips)
    assert found.shape == (3, features.dim)
    assert torch.allclose(found, features(chips.flip(-1)), atol=1e-5)
    assert (found[0] - found[1]).abs().max() > 1e-4


def test_dlibs_embedding_is_a_linear_map_of_them(chips):
    features = load_features("dlib_resnet")
    encoder = features.encoder
    wanted = (encoder.embed(chips) + encoder.embed(chips.flip(-1))) / 2
    assert torch.allclose(features.embedding(features(chips)), wanted, atol=1e-5)


def test_eight_bits_and_batches_make_no_difference(chips, monkeypatch):
    features = load_features("dlib_resnet")
    stored = (255 * chips).round().to(torch.uint8)
    whole = features.of(stored)
    monkeypatch.setattr("visage.normalization.features._TOGETHER", 2)
    assert torch.allclose(features.of(stored.float() / 255), whole, atol=1e-5)
    assert features.of(stored[:0]).shape == (0, 256)


def test_unknown_recognisers():
    class Stranger(nn.Module):
        name = "stranger"

    with pytest.raises(FeaturesError, match="stranger"):
        IdentityFeatures(Stranger())
    with pytest.raises(FeaturesError, match="there are no features"):
        load_features("stranger")
    with pytest.raises(FeaturesError, match="from_file"):
        load_features("vgg_face")


@pytest.fixture(scope="module")
def vgg_file(tmp_path_factory):
    """A file of VGG-Face's shapes, small numbers: 0.6 GB of real weights are not to be had."""
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in VGGFace().state_dict().items()}
    torch.manual_seed(0)
    # One number for the large matrices, expanded: the file stays small.
    state = {
        key: torch.full((1,) * len(shape), 1e-3).expand(shape)
        if key.startswith("fc")
        else 0.05 * torch.randn(shape)
        for key, shape in shapes.items()
    }
    path = tmp_path_factory.mktemp("vgg") / "vgg.pt"
    torch.save(state | {"fc8.weight": torch.zeros(2, 2)}, path)
    return path, state


def test_vgg_face_from_a_file(vgg_file):
    path, state = vgg_file
    network = VGGFace.from_file(path)
    features = IdentityFeatures(network)
    chip = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    found = features(chip)
    assert found.shape == (1, 4096)
    assert torch.equal(features.embedding(found), found)
    # Written out by hand from the paper's table.
    x = 255 * chip - network.mean
    for group, count in enumerate((2, 2, 3, 3, 3), 1):
        for number in range(1, count + 1):
            name = f"conv{group}_{number}"
            x = F.relu(F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1))
        x = F.max_pool2d(x, 2, 2)
    for name in ("fc6", "fc7"):
        x = F.relu(F.linear(x.flatten(1), state[f"{name}.weight"], state[f"{name}.bias"]))
    assert torch.allclose(found, x, rtol=1e-4, atol=1e-4)


def test_caffes_channels_are_the_other_way_round(vgg_file):
    network = VGGFace.from_file(vgg_file[0], blue_first=True)
    chip = torch.rand(1, 3, 224, 224)
    turned = VGGFace.from_file(vgg_file[0])
    turned.conv1_1.weight = nn.Parameter(network.conv1_1.weight.flip(1), requires_grad=False)
    assert torch.allclose(network.embed(chip), turned.embed(chip), rtol=1e-4, atol=1e-4)


def test_files_that_are_not_vgg_face(tmp_path):
    with pytest.raises(VGGFaceError, match="cannot be read"):
        VGGFace.from_file(tmp_path / "missing.pt")
    torch.save({"conv1_1.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "part.pt")
    with pytest.raises(VGGFaceError, match="does not hold VGG-Face"):
        VGGFace.from_file(tmp_path / "part.pt")
