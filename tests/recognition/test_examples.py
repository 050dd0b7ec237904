import pytest
import torch

from visage.photos.alignment import DLIB_CHIP
from visage.photos.lfw import open_lfw, split
from visage.recognition import examples
from visage.recognition.encoder import embed_mirrored, load_encoder
from visage.recognition.examples import ExampleError, Examples, lfw_examples, synthetic_examples


def test_some_examples_in_order():
    names = ("a/1", "b/1", "c/1")
    examples = Examples(names, torch.arange(3).view(3, 1, 1, 1), torch.eye(3))
    some = examples.chosen([2, 0])
    assert some.names == ("c/1", "a/1")
    assert some.chips.flatten().tolist() == [2, 0]
    assert torch.equal(some.embeddings, torch.eye(3)[[2, 0]])


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
    files = list((tmp_path / "examples").iterdir())
    drawn = NoiseFaces.drawn
    again = synthetic_examples(encoder, "test", 2, folder=tmp_path)
    assert first.chips.shape == (2, 3, 150, 150)
    assert torch.equal(first.embeddings, again.embeddings)
    assert files == list((tmp_path / "examples").iterdir())
    assert NoiseFaces.drawn == drawn + 1  # the probe
    # Whole pixels apart, so that the chip is a piece of the picture.
    picture = NoiseFaces(2, size=224, split="test", answers=()).__getitems__([1])[0]["image"]
    assert (first.chips[1] / 255 - picture[:, 20:170, 20:170]).abs().max() < 0.01
    chips = first.chips.float() / 255
    assert torch.allclose(first.embeddings, embed_mirrored(encoder, chips), atol=1e-5)
    picture = next(first.pictures())
    assert 0 <= picture.min() < picture.max() <= 1
    assert len((first + again).names) == 4
    with pytest.raises(ExampleError, match="no lfw example"):
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
