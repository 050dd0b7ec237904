from dataclasses import replace

import numpy as np
import pytest
import torch

from visage.nfgan import expression_study
from visage.nfgan.errors import ExpressionError
from visage.nfgan.expression_network import ExpressionNetworkConfig
from visage.nfgan.expression_study import (
    Division,
    Validated,
    cross_validated,
    neutral_faces,
    paired_margin,
)
from visage.nfgan.expression_training import RecognitionConfig
from visage.nfgan.folds import splits
from visage.nfgan.networks import Nfgan
from visage.nfgan.preprocessing import preprocess
from visage.nfgan.sittings import ExpressionFaces

CONFIG = RecognitionConfig(network=ExpressionNetworkConfig(classes=2, channels=(4, 4, 4)))
CONFIG = replace(CONFIG, training=replace(CONFIG.training, steps=2, batch_size=2))
GENERATOR = torch.Generator().manual_seed(0)


def faces():
    """Twelve pictures of four people; noise."""
    images = torch.randint(256, (12, 1, 64, 64), generator=GENERATOR).to(torch.uint8)
    neutral = torch.full((4, 1, 64, 64), 10) * torch.arange(1, 5).view(4, 1, 1, 1)
    return ExpressionFaces(
        images,
        torch.arange(12) % 2,
        torch.arange(12) // 3,
        ("sad", "glad"),
        neutral.to(torch.uint8),
        torch.arange(12),
    )


def validated(right, subjects):
    """Of a table of right (1) and wrong (0)."""
    right = torch.as_tensor(right)
    labels = torch.zeros(right.shape[1], dtype=torch.int64)
    return Validated(1 - right, labels, torch.as_tensor(subjects), ("a", "b"), torch.zeros(1, 1, 2))


def test_neutral_faces_of_each_arm():
    made = faces()
    assert neutral_faces(made, "none") is None
    own = neutral_faces(made, "true")
    assert torch.allclose(own[:, 0, 0, 0] * 255, 10 * (made.subjects + 1.0))
    other = neutral_faces(made, "other")
    assert not (other[:, 0, 0, 0] == own[:, 0, 0, 0]).any()
    generated = neutral_faces(made, "generated", Nfgan().eval())
    assert generated.shape == own.shape
    assert generated.min() >= 0
    assert generated.max() <= 1
    assert not torch.equal(generated[0], generated[1])
    with pytest.raises(ExpressionError, match="generator"):
        neutral_faces(made, "generated")
    with pytest.raises(ExpressionError, match="choose among"):
        neutral_faces(made, "mean")


def test_nobody_is_learned_from_and_tested(tmp_path, monkeypatch):
    """The networks of all folds say who they have learned from."""
    made, learned, tested = faces(), [], []
    monkeypatch.setattr(
        expression_study,
        "train_expressions",
        lambda data, config, folder: learned.append(data.subjects.unique().tolist()),
    )

    monkeypatch.setattr(expression_study, "still_near", lambda *_: torch.ones(2))

    def looked(network, crops):
        tested.append(len(crops))
        return torch.zeros(len(crops), dtype=torch.int64)

    monkeypatch.setattr(expression_study, "recognised", looked)
    found = cross_validated(made, None, "in_tuplet", Division(4, (0, 5)), CONFIG, tmp_path)
    assert found.seen.shape == (2, 12)
    assert (found.seen == 0).all()  # every face was looked at
    assert tested == [3] * 8
    assert all(len(people) == 3 for people in learned)
    # A fold of one person each: who is missing is everybody once, for each seed.
    for one in (learned[:4], learned[4:]):
        assert sorted(({0, 1, 2, 3} - set(people)).pop() for people in one) == [0, 1, 2, 3]


def test_what_was_said_is_kept(tmp_path, monkeypatch):
    made, division = faces(), Division(2, (0,))
    first = cross_validated(made, None, "in_tuplet", division, CONFIG, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    with_neutral = neutral_faces(made, "true")
    cross_validated(made, with_neutral, "in_tuplet", division, CONFIG, tmp_path)
    assert len(list(tmp_path.iterdir())) == 4  # other pictures, other networks
    cross_validated(made, with_neutral, "beside", division, CONFIG, tmp_path)
    assert len(list(tmp_path.iterdir())) == 6

    def refuse(*arguments):
        raise AssertionError("trained again")

    monkeypatch.setattr(expression_study, "train_expressions", refuse)
    again = cross_validated(made, None, "in_tuplet", division, CONFIG, tmp_path)
    assert torch.equal(first.seen, again.seen)
    assert first.near.shape == (1, 2, 2)
    assert torch.allclose(first.near, again.near, equal_nan=True)
    with pytest.raises(AssertionError, match="again"):
        cross_validated(made, None, "in_tuplet", division, replace(CONFIG, gap=3.0), tmp_path)


def test_neutral_faces_go_where_they_should(tmp_path, monkeypatch):
    made, given = faces(), []

    def remember(data, config, folder):
        given.append((data, config))

    monkeypatch.setattr(expression_study, "train_expressions", remember)
    monkeypatch.setattr(
        expression_study,
        "recognised",
        lambda network, crops: given.append(crops) or torch.zeros(len(crops), dtype=torch.int64),
    )
    monkeypatch.setattr(expression_study, "still_near", lambda *_: torch.ones(2))
    neutral = made.images.flip(0).float() / 255
    plain = preprocess(made.images.float() / 255, training=True)
    wanted = preprocess(neutral, training=True)
    one = Division(2, (0,))
    learned = next(splits(made.subjects, 2, 0))[0]
    cross_validated(made, neutral, "in_tuplet", one, CONFIG, tmp_path)
    (data, config), crops = given[:2]
    assert config.network.inputs == 1
    assert torch.equal(data.neutral, wanted[learned])
    assert torch.equal(data.crops, plain[learned])
    assert crops.shape[1] == 1
    given.clear()
    cross_validated(made, neutral, "beside", one, CONFIG, tmp_path)
    (data, config), crops = given[:2]
    assert config.network.inputs == 2
    assert data.neutral is None
    assert torch.equal(data.crops, torch.cat([plain, wanted], 2)[learned])
    assert crops.shape[1] == 2


def test_confusion_by_a_naive_loop():
    labels = torch.tensor([0, 0, 1, 2])
    seen = torch.tensor([[0, 1, 1, 0], [0, 0, 1, 1]])
    found = Validated(seen, labels, torch.arange(4), ("a", "b", "c", "d"), None).confusion()
    naive = np.zeros((4, 4))
    for row in seen.tolist():
        for label, said in zip(labels.tolist(), row, strict=True):
            naive[label, said] += 1
    for row in naive:
        row /= max(row.sum(), 1)
    assert np.allclose(found, naive)


def test_margin_is_the_difference_of_accuracies():
    random = np.random.default_rng(0)
    after, before = random.integers(2, size=(2, 3, 40))
    people = np.arange(40) // 4
    found = paired_margin([(validated(after, people), validated(before, people))])
    assert found.mean == pytest.approx((after - before).mean())
    assert found.low < found.mean < found.high
    twice = paired_margin([(validated(after, people), validated(before, people))] * 2)
    assert twice.mean == pytest.approx(found.mean)
    assert twice.high - twice.low < found.high - found.low


def test_interval_is_as_wide_as_theory_says():
    """One seed, one picture a person: the standard error of a mean of ±1 and 0."""
    random = np.random.default_rng(1)
    after, before = random.integers(2, size=(2, 1, 400))
    people = np.arange(400)
    found = paired_margin([(validated(after, people), validated(before, people))])
    wanted = 2 * 1.96 * (after - before).std() / 20
    assert found.high - found.low == pytest.approx(wanted, rel=0.05)


def test_pictures_of_a_person_are_not_independent():
    random = np.random.default_rng(2)
    after, before = random.integers(2, size=(2, 1, 50)).repeat(8, 2)
    one = [
        paired_margin([(validated(after, people), validated(before, people))])
        for people in (np.arange(400) // 8, np.arange(400))
    ]
    assert one[0].high - one[0].low > 2 * (one[1].high - one[1].low)


def test_margins_need_the_same_faces():
    a, b = validated([[1, 0]], [0, 1]), validated([[1, 0, 1]], [0, 1, 2])
    with pytest.raises(ExpressionError, match="same faces"):
        paired_margin([(a, b)])
    assert paired_margin([(a, a)]) == expression_study.Margin(0, 0, 0)
