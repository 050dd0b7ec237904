import numpy as np
import pytest
import torch

from visage.recognition.chips import Chips
from visage.recognition.light_cnn import SIZE, seen_faces
from visage.recognition.light_cnn_data import (
    Changes,
    TrainingFaces,
    changed,
    photographs,
    side_of,
    training_people,
)

STILL = Changes(
    roll=0, scale=0, shift=0, gamma=0, ramp=0, noise=0, blurred=0, covered=0
)  # fmt: skip


def chips_of(people):
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(len(people), 3, 15, 15, generator=generator)
    fine = torch.nn.functional.interpolate(coarse, (150, 150), mode="bilinear")
    pixels = (255 * fine).to(torch.uint8)
    return Chips(np.array(people), pixels, torch.zeros(len(people), 68, 2))


PEOPLE = ["A"] * 4 + ["B"] + ["C"] * 16 + ["D"] + ["synthetic-0-train/0"] * 3


@pytest.fixture(scope="module")
def stream():
    return TrainingFaces(3, chips_of(PEOPLE))


class Album:
    def people(self):
        return {f"P_{i}": list(range(1, 2 + i % 3)) for i in range(300)}


def test_nobody_is_on_two_sides():
    sides = {name: side_of(name) for name in Album().people()}
    counts = {side: list(sides.values()).count(side) for side in ("train", "development", "test")}
    assert sum(counts.values()) == 300
    assert 190 < counts["train"] < 240
    assert 10 < counts["development"] < 45
    found = {
        side: {name for s in (False, True) for name, _ in photographs(Album(), side, single=s)}
        for side in counts
    }
    assert all(sides[name] == side for side, names in found.items() for name in names)
    assert sum(map(len, found.values())) == 300


def test_photographs_of_people_with_one_and_with_several():
    several = photographs(Album(), "train", single=False)
    assert {number for _, number in several} == {1, 2, 3}
    assert all(number == 1 for _, number in photographs(Album(), "train", single=True))


def test_training_people_are_those_of_the_training_side():
    names = training_people(Album())
    real = [name for name in names if not name.startswith("synthetic-")]
    assert real == sorted(name for name in Album().people() if side_of(name) == "train")
    assert "synthetic-0-train/0" in names


def test_items_depend_on_seed_and_index_only(stream):
    together = stream.batch([5, 9, 2])
    for row, index in enumerate((5, 9, 2)):
        alone = stream.batch([index])
        assert torch.allclose(alone["faces"][0], together["faces"][row], atol=1e-5)
        assert alone["people"][0] == together["people"][row]
    other = TrainingFaces(4, chips_of(PEOPLE)).batch([5])
    assert not torch.allclose(other["faces"][0], together["faces"][0], atol=1e-2)


def test_people_are_drawn_by_their_shares(stream):
    # sqrt 4 : sqrt 16 of 0.55; one photograph each of 0.2; the synthetic person the rest.
    expected = [0.55 / 3, 0.1, 0.55 * 2 / 3, 0.1, 0.25]
    assert stream.chances == pytest.approx(np.array(expected))
    drawn = np.searchsorted(stream.cumulated, np.random.default_rng(0).uniform(size=20000))
    assert np.bincount(drawn) / 20000 == pytest.approx(np.array(expected), abs=0.02)


def test_labels_are_whose_chip_it_is(stream):
    still = TrainingFaces(0, chips_of(PEOPLE), STILL)
    batch = still.batch(range(12))
    faces = seen_faces(chips_of(PEOPLE).chips.float() / 255)
    faces = torch.cat([faces, faces.flip(-1)])
    nearest = (batch["faces"][:, None] - faces).square().mean((2, 3, 4)).argmin(1)
    owners = still.labels[nearest.numpy() % len(PEOPLE)]
    assert batch["people"].tolist() == owners.tolist()


def test_an_unchanged_face_is_what_the_network_sees_or_its_mirror_image():
    chips = chips_of(["A"] * 4).chips.float() / 255
    draws = [np.random.default_rng(i) for i in range(4)]
    grey = (chips * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1, keepdim=True)
    found, seen = changed(grey, draws, STILL), seen_faces(chips)
    errors = torch.stack([(found - s).abs().mean((1, 2, 3)) for s in (seen, seen.flip(-1))])
    assert errors.amin(0).max() < 0.02
    assert errors.amax(0).min() > 0.1


def test_changes_are_moderate(stream):
    faces = stream.batch(range(40))["faces"]
    assert faces.shape == (40, 1, SIZE, SIZE)
    assert faces.isfinite().all()
    assert faces.abs().max() < 8
    covered = [(face == 0).float().mean() for face in faces]
    assert 5 < sum(share > 0.02 for share in covered) < 35
    assert max(covered) < 0.45**2 + 0.01
