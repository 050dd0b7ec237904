import pytest
import torch

from visage.recognition.encoder import (
    ENCODERS,
    Encoder,
    UnknownEncoderError,
    collect_features,
    embed_mirrored,
    load_encoder,
)


def test_the_default_is_an_encoder(encoder):
    assert isinstance(encoder, Encoder)
    assert encoder.name == "dlib_resnet"
    assert encoder.crop.size == 150


def test_an_unknown_name_lists_the_known():
    with pytest.raises(UnknownEncoderError) as caught:
        load_encoder("arcface")
    assert "'arcface'" in str(caught.value)
    assert all(name in str(caught.value) for name in ENCODERS)


def test_mirrored_embedding_is_the_mean_and_ignores_mirroring(encoder, astronaut_chip):
    both = encoder.embed(torch.cat([astronaut_chip, astronaut_chip.flip(-1)]))
    mirrored = embed_mirrored(encoder, astronaut_chip)
    torch.testing.assert_close(mirrored, both.mean(0, keepdim=True), rtol=0, atol=1e-6)
    torch.testing.assert_close(
        embed_mirrored(encoder, astronaut_chip.flip(-1)), mirrored, rtol=0, atol=1e-6
    )


def test_collecting_stops_at_the_last_wanted_stage():
    def stages():
        yield "first", torch.zeros(1)
        yield "second", torch.ones(1)
        raise AssertionError("computed more than was asked for")

    found = collect_features(stages(), ["second"], ("first", "second", "third"))
    assert list(found) == ["second"]
    assert collect_features(stages(), [], ("first",)) == {}
