import sys
from importlib.util import find_spec

import pytest
import torch

from visage.recognition.encoder import Encoder, EncoderInputError
from visage.recognition.facenet import FACENET_CROP, FaceNet, FaceNetError, architecture

pytestmark = pytest.mark.skipif(
    find_spec("facenet_pytorch") is None, reason="facenet-pytorch is not installed"
)


@pytest.fixture(scope="module")
def untrained():
    torch.manual_seed(0)
    network = architecture().eval()
    # Statistics of an untrained network are constants; random ones make a wrong order visible.
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network


@pytest.fixture(scope="module")
def weight_file(untrained, tmp_path_factory):
    """A file as facenet-pytorch publishes it, with the classifier of the training set."""
    path = tmp_path_factory.mktemp("weights") / "untrained.pt"
    logits = {"logits.weight": torch.zeros(10, 512), "logits.bias": torch.zeros(10)}
    torch.save({**untrained.state_dict(), **logits}, path)
    return path


@pytest.fixture(scope="module")
def facenet(weight_file):
    return FaceNet.from_file(weight_file, "casia_webface")


@pytest.fixture(scope="module")
def chips():
    return torch.rand(2, 3, 160, 160, generator=torch.Generator().manual_seed(1))


def test_equals_the_installed_network(facenet, untrained, chips):
    standardised = (chips * 255 - 127.5) / 128
    with torch.no_grad():
        torch.testing.assert_close(facenet.embed(chips), untrained(standardised))


def test_is_an_encoder(facenet, chips):
    assert isinstance(facenet, Encoder)
    assert facenet.name == "facenet_casia_webface"
    assert facenet.crop is FACENET_CROP
    assert not facenet.training
    assert not any(parameter.requires_grad for parameter in facenet.parameters())
    embeddings = facenet.embed(chips)
    assert embeddings.shape == (2, facenet.dim)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2))


def test_features_have_the_stated_shapes_and_order(facenet, chips):
    features = facenet.features(chips, reversed(facenet.feature_names))
    assert tuple(features) == facenet.feature_names
    shapes = {name: tuple(value.shape[1:]) for name, value in features.items()}
    assert shapes["stem"] == shapes["repeat_1"] == (256, 17, 17)
    assert shapes["mixed_6a"] == shapes["repeat_2"] == (896, 8, 8)
    assert shapes["mixed_7a"] == shapes["repeat_3"] == shapes["block8"] == (1792, 3, 3)
    assert shapes["pooled"] == (1792,)
    assert torch.equal(features["pooled"], features["block8"].mean((2, 3)))
    assert torch.equal(features["embedding"], facenet.embed(chips))


def test_gradients_reach_all_but_the_last_rows_and_columns(facenet, chips):
    chips = chips[:1].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(facenet.embed(chips)[:, :8].sum(), chips)
    assert gradient.isfinite().all()
    assert gradient[..., 157:, :].abs().max() == gradient[..., 157:].abs().max() == 0
    assert (gradient[..., :157, :157] != 0).any(1).all()


def test_distance_is_of_directions(facenet):
    a, b = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 0.5], [1.0, 0.0]])
    torch.testing.assert_close(facenet.distance(a, b), torch.tensor([2**0.5, 0.0]))


def test_wrong_chips_are_refused(facenet):
    with pytest.raises(EncoderInputError, match=r"expected a tensor \(B, 3, 160, 160\)"):
        facenet.embed(torch.zeros(1, 3, 150, 150))


def test_importing_it_leaves_the_package_name_alone():
    assert "facenet_pytorch" not in sys.modules
    assert "torchvision" not in sys.modules


def test_wrong_weight_files_are_refused(tmp_path, untrained):
    good = untrained.state_dict()
    (tmp_path / "text.pt").write_bytes(b"no tensors")
    (tmp_path / "empty.pt").write_bytes(b"")
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save({k: v for k, v in good.items() if k != "last_bn.bias"}, tmp_path / "part.pt")
    torch.save({**good, "last_linear.weight": torch.zeros(128, 1792)}, tmp_path / "shape.pt")
    for name, sentence in {
        "text.pt": r"it is no file of torch\.save",
        "empty.pt": r"it is no file of torch\.save",
        "missing.pt": "No such file",
        "other.pt": "does not hold the weights of an Inception-ResNet-v1",
        "list.pt": "does not hold the weights of an Inception-ResNet-v1",
        "part.pt": "'last_bn.bias' is missing",
        "shape.pt": "'last_linear.weight' is missing, unknown or of another shape",
    }.items():
        with pytest.raises(FaceNetError, match=sentence):
            FaceNet.from_file(tmp_path / name)


def test_a_truncated_weight_file_is_refused(tmp_path, weight_file):
    (tmp_path / "half.pt").write_bytes(weight_file.read_bytes()[:1_000_000])
    with pytest.raises(FaceNetError, match=r"it is no file of torch\.save"):
        FaceNet.from_file(tmp_path / "half.pt")


def test_an_unknown_training_set_is_refused(weight_file):
    with pytest.raises(FaceNetError, match="choose one of vggface2, casia_webface"):
        FaceNet.from_file(weight_file, "imagenet")
