import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from visage.explore.onnx_export import export_encoder, export_locator, quantise_weights
from visage.recognition.encoder import load_encoder
from visage.recognition.locator import Locator


def run(path, **inputs):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {name: value.numpy() for name, value in inputs.items()})


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "encoder.onnx"
    encoder = load_encoder()
    export_encoder(encoder, path)
    return encoder, path


def test_encoder_in_the_page_is_nearly_the_encoder(exported):
    encoder, path = exported
    chips = torch.rand(3, 3, 150, 150, generator=torch.Generator().manual_seed(0))
    for batch in (chips, chips[:1]):
        (embedding,) = run(path, chips=batch)
        moved = encoder.distance(torch.from_numpy(embedding), encoder.embed(batch))
        assert moved.max() < 0.05  # threshold about 0.6


def test_download_stays_small(exported):
    assert exported[1].stat().st_size < 6.5e6
    assert [path.name for path in exported[1].parent.iterdir()] == ["encoder.onnx"]


def test_locator_in_the_page_is_nearly_the_locator(tmp_path):
    torch.manual_seed(0)
    locator = Locator().eval()
    with torch.no_grad():  # its last layer starts at zero, which would hide every error
        locator.head[-1].weight.normal_(std=0.05)
    path = tmp_path / "locator.onnx"
    export_locator(locator, path)
    crops = torch.rand(5, 3, 96, 96)
    points, logit = run(path, crops=crops)
    expected_points, expected_logit = locator(crops)
    np.testing.assert_allclose(points, expected_points.detach(), atol=0.1)
    np.testing.assert_allclose(logit, expected_logit.detach(), atol=0.02)


def linear_model(weight):
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["w", "x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [weight.shape[1], 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [weight.shape[0], 1])],
        [numpy_helper.from_array(weight, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def test_rounding_stays_within_half_a_level_per_channel():
    rng = np.random.default_rng(0)
    weight = (rng.normal(size=(40, 60)) * np.logspace(-3, 2, 40)[:, None]).astype(np.float32)
    weight[7] = 0  # a dead channel has no scale of its own
    model = quantise_weights(linear_model(weight))
    onnx.checker.check_model(model, full_check=True)
    tensors = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    restored = tensors["w_int8"].astype(np.float32) * tensors["w_scale"][:, None]
    limit = np.abs(weight).max(axis=1, keepdims=True) / 127 / 2
    assert (np.abs(restored - weight) <= limit * (1 + 1e-5)).all()
    assert (restored[7] == 0).all()


def test_small_weights_are_left_alone():
    weight = np.ones((4, 4), dtype=np.float32)
    model = linear_model(weight)
    assert quantise_weights(model) == model
