import copy
from dataclasses import replace

import dlib
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from visage import ledger
from visage.photos.landmarks import model_file
from visage.recognition.dlib_format import DlibFormatError, Plain, read_network
from visage.recognition.dlib_resnet import WEIGHTS, DlibResNet, add_prev
from visage.recognition.encoder import EncoderInputError


@pytest.fixture(scope="module")
def network():
    return read_network(model_file(WEIGHTS))


def as_chips(pictures):
    return torch.from_numpy(np.asarray(pictures)).permute(0, 3, 1, 2) / 255


def descriptors_of_dlib(pictures):
    model = dlib.face_recognition_model_v1(str(model_file(WEIGHTS)))
    return np.array(model.compute_face_descriptor(list(pictures)))


def test_agrees_with_dlib(encoder, jittered_bytes):
    ours = encoder.embed(as_chips(jittered_bytes)).numpy()
    assert np.abs(ours - descriptors_of_dlib(jittered_bytes)).max() < 1e-5


def test_agrees_with_dlib_on_noise(encoder):
    noise = np.random.default_rng(0).integers(0, 256, (4, 150, 150, 3), dtype=np.uint8)
    ours = encoder.embed(as_chips(noise)).numpy()
    assert np.abs(ours - descriptors_of_dlib(noise)).max() < 1e-5


def test_jittered_copies_stay_within_the_threshold(encoder, jittered_bytes):
    embeddings = encoder.embed(as_chips(jittered_bytes))
    assert encoder.distance(embeddings[:1], embeddings[1:]).max() < encoder.threshold


def test_add_prev_pads_with_zeros():
    generator = torch.Generator().manual_seed(0)
    for shape_a, shape_b in [
        ((2, 3, 3, 3), (2, 2, 4, 4)),
        ((1, 2, 5, 1), (1, 4, 2, 3)),
        ((1, 2, 2, 2), (1, 2, 2, 2)),
    ]:
        a, b = (torch.rand(s, generator=generator) for s in (shape_a, shape_b))
        expected = torch.zeros([max(m, n) for m, n in zip(shape_a, shape_b, strict=True)])
        for part in (a, b):
            for index in np.ndindex(*part.shape):
                expected[index] += part[index]
        torch.testing.assert_close(add_prev(a, b), expected, rtol=0, atol=0)


def test_folding_equals_convolution_then_affine(encoder, network, astronaut_chip):
    conv, affine = network.layers[:2]
    x = (255 * astronaut_chip - torch.tensor(network.mean).view(1, 3, 1, 1)) / 256
    plain = F.conv2d(x, torch.tensor(conv.weight), torch.tensor(conv.bias), stride=2)
    gamma, beta = (torch.tensor(v).view(1, -1, 1, 1) for v in (affine.gamma, affine.beta))
    torch.testing.assert_close(encoder.stem(x), gamma * plain + beta, rtol=1e-4, atol=1e-4)


def test_features_compose(encoder, astronaut_chip):
    features = encoder.features(astronaut_chip, reversed(encoder.feature_names))
    assert tuple(features) == encoder.feature_names
    x = features["stem"]
    for number, block in enumerate(encoder.blocks, 1):
        x = block(x)
        assert torch.equal(x, features[f"block_{number}"])
    assert torch.equal(x.mean((2, 3)), features["pooled"])
    assert torch.equal(encoder.fc(features["pooled"]), features["embedding"])
    assert torch.equal(features["embedding"], encoder.embed(astronaut_chip))


def test_features_have_the_stated_shapes(encoder, astronaut_chip):
    shapes = {
        name: tuple(value.shape[1:])
        for name, value in encoder.features(astronaut_chip, encoder.feature_names).items()
    }
    assert shapes["stem"] == shapes["block_3"] == (32, 35, 35)
    assert shapes["block_4"] == shapes["block_7"] == (64, 17, 17)
    assert shapes["block_8"] == shapes["block_10"] == (128, 8, 8)
    assert shapes["block_11"] == shapes["block_13"] == (256, 4, 4)
    assert shapes["block_14"] == (256, 2, 2)
    assert shapes["pooled"] == (256,)
    assert shapes["embedding"] == (encoder.dim,)


def test_no_more_is_computed_than_is_asked_for(encoder, astronaut_chip):
    ran = []
    handles = [
        block.register_forward_hook(lambda *_, number=number: ran.append(number))
        for number, block in enumerate(encoder.blocks, 1)
    ]
    encoder.features(astronaut_chip, ["block_2", "stem"])
    for handle in handles:
        handle.remove()
    assert ran == [1, 2]


def test_the_last_three_rows_and_columns_get_no_gradient(encoder, astronaut_chip):
    chip = astronaut_chip.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(encoder.embed(chip).square().sum(), chip)
    assert gradient[..., 147:, :].abs().max() == 0
    assert gradient[..., :, 147:].abs().max() == 0
    assert (gradient[..., :147, :147] != 0).any(1).float().mean() > 0.99


def test_gradient_against_differences(encoder, astronaut_chip):
    exact = copy.deepcopy(encoder).double()
    # Dithered, because equal neighbours tie in the max-pool, where no derivative exists.
    dither = torch.rand(astronaut_chip.shape, generator=torch.Generator().manual_seed(0)) / 255
    chip = (astronaut_chip + dither).double()
    corner = chip[..., 70:73, 70:73].clone().requires_grad_()
    outside = F.pad(torch.zeros_like(corner), (70, 77, 70, 77), value=1.0)

    def embedding_of(values):
        return exact.embed(outside * chip + F.pad(values, (70, 77, 70, 77)))

    assert torch.autograd.gradcheck(embedding_of, corner, eps=1e-7, atol=1e-6, fast_mode=True)


def test_parameters_need_no_gradient_and_the_mode_is_evaluation(encoder):
    assert not encoder.training
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    assert sum(parameter.numel() for parameter in encoder.parameters()) == 5_607_488


def test_a_batch_equals_its_chips(encoder, jittered_bytes):
    chips = as_chips(jittered_bytes)
    one_by_one = torch.cat([encoder.embed(chip[None]) for chip in chips])
    torch.testing.assert_close(encoder.embed(chips), one_by_one, rtol=0, atol=1e-5)


def test_traced_network_equals_the_network(encoder, astronaut_chip):
    exported = torch.export.export(encoder, (astronaut_chip,)).module()
    torch.testing.assert_close(exported(astronaut_chip), encoder.embed(astronaut_chip))


@pytest.mark.parametrize(
    ("chips", "sentence"),
    [
        (torch.zeros(3, 150, 150), r"chips are \(3, 150, 150\), expected a tensor \(B, 3, 150"),
        (torch.zeros(1, 3, 160, 160), r"chips are \(1, 3, 160, 160\)"),
        (torch.zeros(1, 1, 150, 150), r"chips are \(1, 1, 150, 150\)"),
        (np.zeros((1, 3, 150, 150)), "chips are ndarray"),
        (torch.zeros(1, 3, 150, 150, dtype=torch.uint8), "chips are torch.uint8"),
        (torch.full((1, 3, 150, 150), torch.nan), "chips contain NaN or infinity"),
        (torch.full((1, 3, 150, 150), torch.inf), "chips contain NaN or infinity"),
        (torch.full((1, 3, 150, 150), 128.0), r"chips range from 128 to 128, expected \[0, 1\]"),
    ],
)
def test_bad_chips_give_one_sentence(encoder, chips, sentence):
    for call in (encoder.embed, lambda x: encoder.features(x, ["stem"])):
        with pytest.raises(EncoderInputError, match=sentence):
            call(chips)


def test_an_empty_batch_gives_an_empty_result(encoder):
    assert encoder.embed(torch.zeros(0, 3, 150, 150)).shape == (0, 128)


@pytest.mark.parametrize("names", [["block_15"], "stem", ["stem", "logits"]])
def test_unknown_features_are_refused(encoder, astronaut_chip, names):
    with pytest.raises(EncoderInputError, match="expected a list of some of stem, block_1"):
        encoder.features(astronaut_chip, names)


def test_a_truncated_file_is_refused(tmp_path):
    whole = model_file(WEIGHTS).read_bytes()
    path = tmp_path / WEIGHTS
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DlibFormatError, match="the file is truncated; fetch it again"):
        DlibResNet.from_file(path)


def test_another_network_is_refused(network):
    layers = list(network.layers)
    for change, sentence in [
        (replace(network, size=(160, 160)), "its images are 160×160"),
        (replace(network, layers=tuple(layers[:-1])), "107 layers instead of 108"),
        (replace(network, versions=network.versions[1:]), "its layers are connected otherwise"),
        (
            replace(network, layers=(layers[0], layers[1], Plain("add_prev"), *layers[3:])),
            "layer 2 is 'add_prev' instead of 'relu'",
        ),
    ]:
        with pytest.raises(DlibFormatError, match=sentence):
            DlibResNet(change, "file.dat")


def test_the_threshold_is_the_recorded_one(encoder, monkeypatch):
    monkeypatch.delenv("VISAGE_RESULTS", raising=False)
    recorded = ledger.value("recognition/lfw", "plain_threshold_accuracy")
    assert encoder.threshold == pytest.approx(recorded, abs=1e-3)
