import numpy as np
import pytest
import torch

from visage import checkpoints
from visage.recognition.chips import Chips
from visage.recognition.encoder import load_encoder
from visage.recognition.judge import JUDGES, load_judge
from visage.recognition.light_cnn_reproduce import Measured, measure_encoder

MEASURED = Measured(
    same=torch.tensor([0.95, 0.5, 0.85, 0.1]), different=torch.arange(100.0) / 100 - 0.1
)


def test_rates_are_shares_of_pairs():
    assert MEASURED.threshold(0.1) == pytest.approx(0.795)
    assert MEASURED.tar(0.1) == 0.5
    # Of 400 comparisons: 100, 60, 95 (one of them is equal and counts half) and 20.5.
    wins = sum((s > MEASURED.different).sum() + 0.5 * (s == MEASURED.different).sum()
               for s in MEASURED.same)  # fmt: skip
    assert MEASURED.auc() == pytest.approx(float(wins) / 400)


class Brightness:
    """An encoder that knows people by how bright they are."""

    name = "brightness"

    def embed(self, chips):
        return chips.mean((2, 3))


def test_all_pairs_are_measured_by_distance():
    people = np.array(["a", "a", "b", "c"])
    levels = torch.tensor([10, 20, 100, 200], dtype=torch.uint8)
    chips = Chips(people, levels.view(4, 1, 1, 1).expand(4, 3, 8, 8), torch.zeros(4, 68, 2))
    measured = measure_encoder(Brightness(), chips)
    expected = -torch.tensor([10.0]) / 255 * 3**0.5
    assert torch.allclose(measured.same, expected, atol=1e-4)
    assert len(measured.different) == 5
    assert measured.auc() == 1


@pytest.fixture(scope="module")
def shipped():
    return load_judge()


def test_shipped_recognisers_do_not_say_whom_they_learned_from(shipped):
    tensors, card = checkpoints.load_checkpoint("light_cnn")
    assert set(tensors) == set(shipped.light_cnn.network.state_dict())
    assert card.command == "visage train light_cnn --ship"
    assert card.metrics["lfw_auc"] > 0.85
    assert checkpoints.read_card("landmark_recogniser").metrics["lfw_auc"] > 0.95
    assert min(shipped.weights) > 0


def test_the_network_is_an_encoder_by_name(astronaut_chip, shipped):
    encoder = load_encoder("light_cnn")
    assert torch.equal(encoder.embed(astronaut_chip), shipped.light_cnn.embed(astronaut_chip))


def test_a_moved_and_dimmed_face_is_still_the_same_person(astronaut_chip, shipped):
    dimmed = 0.7 * torch.roll(astronaut_chip, (1, -1), (2, 3)) ** 1.2
    stranger = astronaut_chip.flip(2)  # upside down
    looks = shipped.look(torch.cat([astronaut_chip, dimmed, stranger]))
    for by in JUDGES:
        same, other = shipped.scores(looks[:1], looks[1:], by)[0].tolist()
        assert same > other
