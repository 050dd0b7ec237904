import io

import pytest
import skimage
import torch
from PIL import Image

from visage.explore.normalize_photo import NormalizePhoto
from visage.normalization.decoder import Decoder, DecoderConfig, Normal


@pytest.fixture(scope="module")
def decoder():
    torch.manual_seed(0)
    config = DecoderConfig(features=256, code=8, size=32, channels=16, least_channels=4)
    normal = Normal(4 + 24 * torch.rand(68, 2), torch.rand(3, 32, 32), torch.randn(20, 256))
    return Decoder(config, normal).eval()


def encoded(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def test_a_photograph_is_shown_in_three_ways(decoder):
    widget = NormalizePhoto(decoder)
    widget._chosen({"new": [{"content": memoryview(encoded(skimage.data.astronaut()))}]})
    assert len(widget.pictures.children) == 3
    sizes = [Image.open(io.BytesIO(one.value)).size for one in widget.pictures.children]
    assert sizes == [(32, 32)] * 3


def test_no_face_is_said_and_not_shown(decoder):
    widget = NormalizePhoto(decoder)
    widget.show(encoded(skimage.data.coins()))
    assert "face" in widget.said.value
    assert widget.pictures.children == ()
