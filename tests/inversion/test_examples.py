import pytest
import torch

from visage.inversion import examples
from visage.inversion.errors import InversionError
from visage.inversion.examples import TargetStream, lfw_examples, synthetic_examples
from visage.photos.alignment import DLIB_CHIP
from visage.photos.lfw import open_lfw, split
from visage.recognition.encoder import embed_mirrored, load_encoder


def test_targets_depend_on_seed_and_index_only():
    stream = TargetStream(1, torch.eye(6))
    both = stream.batch([3, 4])
    assert torch.equal(both[1], stream.batch([4])[0])
    assert not torch.equal(both, TargetStream(2, torch.eye(6)).batch([3, 4]))


def test_mixed_targets_lie_between_two_people():
    pure = TargetStream(0, torch.eye(6), mixed=0).batch(range(50))
    assert ((pure == 0) | (pure == 1)).all()
    between = TargetStream(0, torch.eye(6), mixed=1).batch(range(50))
    assert torch.allclose(between.sum(1), torch.ones(50))
    assert ((between > 0).sum(1) <= 2).all()
    assert ((between > 0.01).sum(1) == 2).float().mean() > 0.6
    with pytest.raises(InversionError, match="mixed"):
        TargetStream(0, torch.eye(6), mixed=2)


class NoiseFaces:
    """As SyntheticFaces, with noise for faces: the real ones take seconds."""

    drawn = 0

    def __init__(self, count, *, size, split, answers):
        self.size = size

    def __getitems__(self, indices):
        NoiseFaces.drawn += len(indices)
        landmarks = torch.zeros(68, 2)
        for (number,), place in zip(DLIB_CHIP.anchors, DLIB_CHIP.template, strict=True):
            landmarks[number] = torch.tensor(place) + 20
        return [
            {
                "image": torch.rand(
                    3, self.size, self.size, generator=torch.Generator().manual_seed(i)
                ),
                "landmarks": landmarks,
            }
            for i in indices
        ]


def test_synthetic_examples_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(examples, "SyntheticFaces", NoiseFaces)
    encoder = load_encoder()
    first = synthetic_examples(encoder, "test", 2, folder=tmp_path)
    files = list((tmp_path / "inversion").iterdir())
    drawn = NoiseFaces.drawn
    again = synthetic_examples(encoder, "test", 2, folder=tmp_path)
    assert first.chips.shape == (2, 3, 150, 150)
    assert torch.equal(first.embeddings, again.embeddings)
    assert files == list((tmp_path / "inversion").iterdir())
    assert NoiseFaces.drawn == drawn + 1  # the probe
    # Whole pixels apart, so that the chip is a piece of the picture.
    picture = NoiseFaces(2, size=224, split="test", answers=()).__getitems__([1])[0]["image"]
    assert (first.chips[1] / 255 - picture[:, 20:170, 20:170]).abs().max() < 0.01
    chips = first.chips.float() / 255
    assert torch.allclose(first.embeddings, embed_mirrored(encoder, chips), atol=1e-5)
    picture = next(first.pictures())
    assert 0 <= picture.min() < picture.max() <= 1
    assert len((first + again).names) == 4
    with pytest.raises(InversionError, match="no lfw example"):
        lfw_examples(encoder, EmptyLFW(), "train", 4, folder=tmp_path)


class EmptyLFW:
    def people(self):
        return {}


@pytest.mark.lfw
def test_lfw_examples_are_of_one_side(tmp_path):
    try:
        lfw = open_lfw()
    except ValueError:
        pytest.skip("LFW is not here")
    found = lfw_examples(load_encoder(), lfw, "test", 3, folder=tmp_path)
    assert len(found.embeddings) == 3
    assert {split(name.split("/")[0]) for name in found.names} == {"test"}
