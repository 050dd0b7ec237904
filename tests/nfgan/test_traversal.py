"""Walking from z to z̃, and a decoder that draws inputs again."""

import pytest
import torch

from visage.nfgan.errors import NfganError, TraversalError
from visage.nfgan.networks import Decoder, Nfgan, NfganConfig
from visage.nfgan.pairs import Pairs
from visage.nfgan.reconstruction import CodeStream, codes_of, reconstructing_decoder
from visage.nfgan.traversal import smoothness, traverse

SMALL = NfganConfig(width=0.125, latent=32)


@pytest.fixture(scope="module")
def network() -> Nfgan:
    torch.manual_seed(0)
    return Nfgan(SMALL).eval().requires_grad_(False)


def _faces(count: int) -> torch.Tensor:
    return torch.rand(count, 1, 64, 64, generator=torch.Generator().manual_seed(1))


def test_the_way_is_straight_and_begins_with_the_generated_face(network):
    faces = _faces(2)
    way = traverse(network, faces, 5)
    generated = network(faces)
    assert torch.equal(way.start, generated.latent)
    assert torch.allclose(way.frames[:, 0], generated.faces, atol=1e-6)
    assert torch.allclose(way.end, network.encoder(generated.faces), atol=1e-6)
    assert torch.allclose(way.frames[:, -1], network.decoder(way.end), atol=1e-6)
    middle = network.decoder((way.start + way.end) / 2)
    assert torch.allclose(way.frames[:, 2], middle, atol=1e-5)


def test_another_decoder_draws_the_same_way(network):
    torch.manual_seed(1)
    other = Decoder(NfganConfig(width=0.25, latent=32)).eval()
    way = traverse(network, _faces(1), 3, other)
    with torch.no_grad():
        assert torch.allclose(way.frames[:, 0], other(way.start), atol=1e-6)


def test_smoothness():
    frames = torch.tensor([0.0, 0.1, 0.4, 0.5])[None, :, None]
    assert smoothness(frames)[0] == pytest.approx(0.3 / (0.5 / 3))
    assert smoothness(torch.zeros(1, 4, 2)) == 1


def test_impossible_ways(network):
    with pytest.raises(TraversalError, match="at least 2"):
        traverse(network, _faces(1), 1)
    with pytest.raises(NfganError):
        traverse(network, torch.zeros(1, 3, 64, 64))
    with pytest.raises(TraversalError):
        smoothness(torch.zeros(3, 1, 4))


def _pairs(count: int) -> Pairs:
    inputs = (255 * _faces(count)).to(torch.uint8)
    one = torch.zeros(count, dtype=torch.int64)
    return Pairs(inputs, inputs[:1], one, one.bool(), one, one.float(), one.float())


def test_codes_and_inputs_belong_together(network):
    inputs = _pairs(5).inputs
    codes = codes_of(network, inputs)
    batch = CodeStream(0, inputs, codes).batch([3, 4, 5, 6])
    with torch.no_grad():
        expected = network.encoder(batch["inputs"])
    assert torch.allclose(batch["codes"], expected, atol=1e-5)
    alone = CodeStream(0, inputs, codes).batch([5])
    assert torch.equal(alone["codes"][0], batch["codes"][2])


def test_a_decoder_learns_to_repeat_its_input_and_is_remembered(network, tmp_path):
    pairs = _pairs(4)
    decoder = reconstructing_decoder(network, pairs, 25, folder=tmp_path)
    codes = codes_of(network, pairs.inputs)
    inputs = pairs.inputs.float() / 255
    torch.manual_seed(0)
    with torch.no_grad():
        error = (decoder(codes) - inputs).abs().mean()
        untrained = (Decoder(decoder.config).eval()(codes) - inputs).abs().mean()
    assert error < untrained
    again = reconstructing_decoder(network, pairs, 25, folder=tmp_path)
    assert torch.equal(again(codes), decoder(codes))
    assert len(list((tmp_path / "nfgan" / "runs").iterdir())) == 1
