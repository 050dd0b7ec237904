"""Networks for the page: ONNX with eight-bit weights, run by onnxruntime-web without a server."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from visage.files import written_whole
from visage.recognition.encoder import Encoder

# Smaller tensors (biases, scales) cost nothing and would lose accuracy.
_SMALLEST_QUANTISED = 2048


def export_encoder(encoder: Encoder, path: Path) -> None:
    """Write an encoder as ONNX: `chips` (B, 3, S, S) in [0, 1] to `embedding` (B, D).

    Weights are stored in eight bits with one scale per output channel and restored to float32 when
    the runtime loads the graph; arithmetic is float32.

    Args:
        encoder: its `forward` is traced: `embed` without the checks of the input's values.
        path: the file to write; its folder must exist.
    """
    size = encoder.crop.size
    export_batches(encoder, [torch.zeros(2, 3, size, size)], path, ["chips"], ["embedding"])


def export_locator(locator: nn.Module, path: Path) -> None:
    """Write the locator as ONNX: `crops` (B, 3, 96, 96) to `points` (B, 5, 2) and `logit` (B,).

    Args:
        locator: `visage.recognition.locator.Locator`, or a module with the same inputs and outputs.
        path: the file to write; its folder must exist.
    """
    export_batches(locator, [torch.zeros(2, 3, 96, 96)], path, ["crops"], ["points", "logit"])


def export_face_network(network: nn.Module, path: Path) -> None:
    """Write a network of part I as ONNX: `embeddings` (B, dim) to `faces` (B, 3, S, S) in [0, 1].

    Args:
        network: `visage.inversion.networks.FaceNetwork`.
        path: the file to write; its folder must exist.
    """
    example = torch.zeros(2, network.config.dim)
    export_batches(network, [example], path, ["embeddings"], ["faces"])


def export_decoder(decoder: nn.Module, path: Path) -> None:
    """Write a decoder of part II as ONNX: `features` (B, F) to `textures` and `landmarks`.

    The warp is left to the page: a linear system of 87 unknowns is solved for each face.

    Args:
        decoder: `visage.normalization.decoder.Decoder`.
        path: the file to write; its folder must exist.
    """
    example = torch.zeros(2, decoder.config.features)
    export_batches(_Unwarped(decoder), [example], path, ["features"], ["textures", "landmarks"])


class _Unwarped(nn.Module):
    """(B, F) to (B, 3, S, S) and (B, 68, 2)."""

    def __init__(self, decoder: nn.Module):
        super().__init__()
        self.decoder = decoder

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        return self.decoder.parts(features)


def export_batches(
    module: nn.Module,
    examples: Sequence[Tensor],
    path: Path,
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> None:
    """Write a module as ONNX, with eight-bit weights.

    Args:
        module: takes tensors (B, ...) and gives one or several of them.
        examples: one of each input, B at least 2 and the same; any B will do in the page.
        path: the file to write; its folder must exist.
        inputs: names, one an example.
        outputs: names, one a result.
    """
    batch = torch.export.Dim("batch", min=1, max=4096)
    with _quiet():
        program = torch.onnx.export(
            module.eval(),
            tuple(examples),
            dynamo=True,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=tuple({0: batch} for _ in examples),
            verbose=False,
        )
    model = quantise_weights(program.model_proto)
    onnx.checker.check_model(model)
    with written_whole(path) as partial:
        partial.write_bytes(model.SerializeToString())


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to ourselves what the exporter says of its own insides and of a missing torchvision."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.filterwarnings("ignore", ".*axis name: batch", UserWarning)
            yield
    finally:
        logger.setLevel(level)


def quantise_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store each large weight of a graph as int8 with one scale per output channel.

    w ≈ s_c · q with q in {−127, …, 127} and s_c = max|w_c| / 127: symmetric, so that zero stays
    zero. A DequantizeLinear node stands where the weight stood; runtimes fold it at load.

    Args:
        model: any ONNX model, opset 13 or newer. Weights are 2-D or more; channels come first.

    Returns:
        A new model with the same inputs and outputs.
    """
    quantised = onnx.ModelProto()
    quantised.CopyFrom(model)
    graph = quantised.graph
    kept, nodes = [], []
    for tensor in graph.initializer:
        weight = numpy_helper.to_array(tensor)
        if weight.dtype != np.float32 or weight.ndim < 2 or weight.size < _SMALLEST_QUANTISED:
            kept.append(tensor)
            continue
        largest = np.abs(weight).reshape(len(weight), -1).max(axis=1)
        scale = (np.where(largest > 0, largest, 1) / 127).astype(np.float32)
        levels = np.rint(weight / scale.reshape(-1, *[1] * (weight.ndim - 1))).astype(np.int8)
        names = [f"{tensor.name}_int8", f"{tensor.name}_scale"]
        kept += [numpy_helper.from_array(a, n) for a, n in zip((levels, scale), names, strict=True)]
        nodes.append(helper.make_node("DequantizeLinear", names, [tensor.name], axis=0))
    nodes += graph.node
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    return quantised
