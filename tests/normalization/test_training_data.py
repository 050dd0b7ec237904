"""Training sets of made-up faces: what they hold, and that they are made once."""

import pytest
import torch

from visage.normalization import training_data
from visage.normalization.faces import NormalFaces, stored
from visage.normalization.morphing import FaceMorpher
from visage.normalization.training_data import (
    Amounts,
    TrainingSetError,
    WildChips,
    in_blocks,
    training_set,
)
from visage.photos.alignment import MEAN_FACE

SIZE = 32
AMOUNTS = Amounts(size=SIZE, morphs=7, photographs=1, seed=3)


@pytest.fixture(scope="module")
def base():
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(4, 3, 5, 5, generator=generator)
    images = torch.nn.functional.interpolate(coarse, (SIZE, SIZE), mode="bilinear")
    inner = torch.tensor([MEAN_FACE[i] for i in range(17, 68)])
    angle = torch.linspace(0.2, 2.94, 17)
    jaw = torch.stack([0.5 - 0.55 * angle.cos(), 0.3 + 0.8 * angle.sin()], 1)
    mean = torch.cat([jaw, inner]) * 16 + 8
    landmarks = mean + 0.3 * torch.randn(4, 68, 2, generator=generator)
    return NormalFaces(("a", "b", "c", "d"), stored(images), landmarks)


def photos(base: NormalFaces) -> WildChips:
    chips = torch.full((4, 3, 150, 150), 9, dtype=torch.uint8)
    return WildChips(base.people, chips, torch.arange(4))


def test_holds_faces_morphs_and_photographs(base, tmp_path):
    made = training_set("tiny", base, lambda: photos(base), AMOUNTS, folder=tmp_path)
    assert torch.allclose(made.mean, base.landmarks.mean(0), atol=1e-5)
    assert made.base.people == base.people
    assert torch.equal(made.base.aligned, stored(base.textures(made.mean)))
    assert made.morphs.people == ("a", "b", "c", "d", "a", "b", "c")
    drawn = FaceMorpher(base).draw(3, [5])
    assert torch.equal(made.morphs.images[5], stored(drawn.images)[0])
    assert torch.equal(made.morphs.aligned[5], stored(drawn.textures)[0])
    assert torch.allclose(made.morphs.landmarks[5], drawn.landmarks[0], atol=1e-5)
    assert made.photos.people == base.people
    assert made.photos.rows.tolist() == [0, 1, 2, 3]


def test_is_made_once(base, tmp_path, monkeypatch):
    first = training_set("tiny", base, lambda: photos(base), AMOUNTS, folder=tmp_path)

    def refuse(*_, **__):
        raise AssertionError("made again")

    monkeypatch.setattr(FaceMorpher, "draw", refuse)
    again = training_set("tiny", base, refuse, AMOUNTS, folder=tmp_path)
    assert torch.equal(again.morphs.images, first.morphs.images)
    assert again.photos.people == first.photos.people
    other = Amounts(size=SIZE, morphs=7, photographs=1, seed=4)
    with pytest.raises(AssertionError, match="made again"):
        training_set("tiny", base, refuse, other, folder=tmp_path)
    turned = NormalFaces(base.people, base.images.flip(-1), base.landmarks)
    with pytest.raises(AssertionError, match="made again"):
        training_set("tiny", turned, refuse, AMOUNTS, folder=tmp_path)


def test_a_stopped_run_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(training_data, "_BLOCK", 2)
    asked = []

    def make(indices):
        asked.extend(indices)
        if 4 in indices and len(asked) < 8:
            raise KeyboardInterrupt
        return {"numbers": torch.tensor(list(indices))}

    path = tmp_path / "set" / "numbers.safetensors"
    with pytest.raises(KeyboardInterrupt):
        in_blocks(path, 5, make)
    assert not path.exists()
    asked[:] = [0] * 8
    assert in_blocks(path, 5, make)["numbers"].tolist() == [0, 1, 2, 3, 4]
    assert asked[8:] == [4]
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_refuses(base, tmp_path):
    with pytest.raises(TrainingSetError, match="two or more"):
        training_set("tiny", base[:1], lambda: photos(base), AMOUNTS, folder=tmp_path)
    with pytest.raises(TrainingSetError, match="two or more of 112"):
        training_set("tiny", base, lambda: photos(base), Amounts(), folder=tmp_path)
    with pytest.raises(TrainingSetError, match="as many of each"):
        WildChips(("a",), torch.zeros(2, 3, 150, 150), torch.zeros(2))
