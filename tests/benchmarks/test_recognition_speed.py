"""Run with ``pytest tests/benchmarks/test_recognition_speed.py --benchmark-enable``.

One thread for both, the same 16 chips, no jitter; the ledger's recognition/parity has the ratio.
"""

import dlib
import pytest
import torch

from visage.photos.landmarks import model_file
from visage.recognition.dlib_resnet import WEIGHTS
from visage.recognition.encoder import load_encoder
from visage.recognition.parity_reproduce import parity_chips

pytestmark = pytest.mark.benchmark(group="recognition, 16 chips")


@pytest.fixture(scope="module")
def chips():
    return parity_chips(16)


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("dlib_resnet")


def test_dlib(benchmark, chips):
    model = dlib.face_recognition_model_v1(str(model_file(WEIGHTS)))
    pictures = [
        chip.mul(255).round().to(torch.uint8).permute(1, 2, 0).numpy().copy() for chip in chips
    ]
    assert len(benchmark(model.compute_face_descriptor, pictures)) == 16


def test_torch(benchmark, chips, encoder):
    assert benchmark(encoder.embed, chips).shape == (16, 128)


def test_torch_with_gradient(benchmark, chips, encoder):
    def run():
        leaf = chips.clone().requires_grad_()
        return torch.autograd.grad(encoder.embed(leaf).sum(), leaf)[0]

    assert benchmark(run).shape == chips.shape


def test_loading(benchmark):
    assert benchmark(load_encoder, "dlib_resnet").dim == 128
