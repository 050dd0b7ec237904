"""Fifth convolutions: dlib's against the recogniser itself, VGG-Face's against a loop of layers."""

import pytest
import torch
import torch.nn.functional as F

from visage.nfgan.errors import NfganError, PerceptualError
from visage.nfgan.frame import to_chips
from visage.nfgan.perceptual import (
    VGG_LAYERS,
    DlibPerceptual,
    VggPerceptual,
    load_perceptual,
)
from visage.recognition.dlib_resnet import DlibResNet


def faces(count=2):
    return torch.rand(count, 1, 64, 64, generator=torch.Generator().manual_seed(0))


def test_maps_are_the_recognisers_after_five_convolutions():
    recogniser = DlibResNet.from_file()
    network = DlibPerceptual(recogniser)
    found = network(faces())
    wanted = recogniser.features(to_chips(faces()), ["block_2"])["block_2"]
    assert found.shape == (2, 32, 35, 35)
    assert torch.allclose(found, wanted, atol=2e-4)
    assert network.name == "dlib_conv5"


def test_pixels_get_a_gradient_and_weights_do_not():
    network = load_perceptual()
    given = faces(1).requires_grad_()
    network(given).square().sum().backward()
    assert (given.grad.abs() > 0).float().mean() > 0.9
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert load_perceptual() is network
    with pytest.raises(NfganError, match="64"):
        network(torch.zeros(1, 3, 64, 64))


@pytest.fixture(scope="module")
def vgg_file(tmp_path_factory):
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, (inputs, outputs) in VGG_LAYERS.items():
        state[f"{name}.weight"] = 0.02 * torch.randn(outputs, inputs, 3, 3, generator=generator)
        state[f"{name}.bias"] = torch.zeros(outputs)
    state["fc8.weight"] = torch.zeros(3, 3)
    path = tmp_path_factory.mktemp("vgg") / "vgg.pth"
    torch.save(state, path)
    return path, state


def test_vgg_face_is_read_from_the_readers_file(vgg_file):
    path, state = vgg_file
    network = VggPerceptual.from_file(path)
    x = F.interpolate(faces(1), (224, 224), mode="bilinear", align_corners=False)
    x = 255 * x.repeat(1, 3, 1, 1) - torch.tensor([129.186, 104.762, 93.594]).view(1, 3, 1, 1)
    for name in ("conv1_1", "conv1_2", "pool", "conv2_1", "conv2_2", "pool", "conv3_1"):
        if name == "pool":
            x = F.max_pool2d(x, 2)
        else:
            x = F.relu(F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1))
    found = network(faces(1))
    assert found.shape == (1, 256, 56, 56)
    assert torch.allclose(found, x, atol=1e-3)
    other = VggPerceptual.from_file(path, blue_first=True)
    assert not torch.allclose(other(faces(1)), found)


def test_other_files_are_refused(tmp_path, vgg_file):
    with pytest.raises(PerceptualError, match=r"none\.pth"):
        VggPerceptual.from_file(tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("no network")
    with pytest.raises(PerceptualError, match="text"):
        VggPerceptual.from_file(tmp_path / "text.pth")
    lacking = {k: v for k, v in vgg_file[1].items() if k != "conv3_1.weight"}
    torch.save(lacking, tmp_path / "lacking.pth")
    with pytest.raises(PerceptualError, match=r"conv3_1\.weight"):
        VggPerceptual.from_file(tmp_path / "lacking.pth")
