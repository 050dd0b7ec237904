import numpy as np
import pytest
import torch

from visage.nfgan.errors import ExpressionError, TupletError
from visage.nfgan.expression_tuplets import (
    ExpressionCrops,
    TupletConfig,
    TupletStream,
    draw_tuplet,
)

LABELS = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 0, 2])
SUBJECTS = torch.tensor([0, 0, 0, 1, 1, 2, 2, 3, 3, 4])


def crops(neutral=False):
    """Each picture shows its own number, in three versions."""
    numbers = torch.arange(10.0)[:, None] + torch.tensor([0.0, 0.1, 0.2])
    faces = numbers[:, :, None, None, None].expand(-1, -1, 1, 60, 60)
    return ExpressionCrops(faces, LABELS, SUBJECTS, faces + 100 if neutral else None)


def draw(query, positives=3, negatives=3, seed=0):
    random = np.random.default_rng(seed)
    return draw_tuplet(LABELS, SUBJECTS, query, TupletConfig(positives, negatives), random)


@pytest.mark.parametrize("query", range(10))
def test_tuplets_hold_what_they_should(query):
    for seed in range(5):
        rows = draw(query, seed=seed)
        assert rows[0] == query
        positives, negatives = rows[1:3], rows[3:]
        assert all(LABELS[row] == LABELS[query] for row in positives)
        assert all(SUBJECTS[row] != SUBJECTS[query] for row in positives)
        assert all(LABELS[row] != LABELS[query] for row in negatives)
        # The query's own other expressions come first, all of them.
        own = {n for n in range(10)
               if SUBJECTS[n] == SUBJECTS[query] and LABELS[n] != LABELS[query]}  # fmt: skip
        assert set(negatives[: len(own)]) == own
        assert len(set(negatives)) == len(negatives)


def test_few_faces_are_taken_several_times():
    labels, subjects = torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1])
    random = np.random.default_rng(0)
    rows = draw_tuplet(labels, subjects, 0, TupletConfig(3, 4), random)
    assert rows[:3] == [0, 0, 0]
    assert len(rows) == 7
    assert set(rows[3:]) == {1, 2}
    with pytest.raises(TupletError, match="same expression"):
        draw_tuplet(torch.zeros(3), subjects, 0, TupletConfig(), random)


def test_every_face_is_asked_about_once_a_round():
    stream = TupletStream(0, crops(), TupletConfig(2, 2))
    for first in (0, 10):
        faces = stream.batch(range(first, first + 10))["faces"]
        assert sorted(faces[:, 0, 0, 0, 0].floor().tolist()) == list(range(10))
    rounds = [stream.batch(range(n, n + 10))["faces"][:, 0].floor() for n in (0, 10)]
    assert not torch.equal(*rounds)


def test_an_item_depends_on_seed_and_number_only():
    stream, other = (TupletStream(seed, crops(), TupletConfig()) for seed in (3, 4))
    several, alone = stream.batch([5, 9, 2]), stream.batch([9])
    assert torch.equal(several["faces"][1:2], alone["faces"])
    assert not torch.equal(other.batch([9])["faces"], alone["faces"])


def test_neutral_faces_change_nothing_else_and_match_the_query():
    without, with_them = (TupletStream(1, crops(n), TupletConfig()) for n in (False, True))
    plain, more = without.batch(range(6)), with_them.batch(range(6))
    assert torch.equal(plain["faces"], more["faces"])
    assert torch.equal(plain["labels"], more["labels"])
    assert "neutral" not in plain
    # The same picture in the same version: 100 more, everywhere.
    assert torch.equal(more["neutral"], more["faces"][:, 0] + 100)
    assert torch.equal(more["labels"][:, 0], LABELS[more["faces"][:, 0, 0, 0, 0].long()])


def test_rows_of_crops():
    some = crops(neutral=True)[LABELS == 1]
    assert len(some) == 3
    assert some.subjects.tolist() == [0, 1, 3]
    assert torch.equal(some.neutral, some.crops + 100)


def test_bad_input():
    good = crops()
    with pytest.raises(ExpressionError, match="expected"):
        ExpressionCrops(good.crops, LABELS[1:], SUBJECTS)
    with pytest.raises(ExpressionError, match="expected"):
        ExpressionCrops(good.crops[:, 0], LABELS, SUBJECTS)
    with pytest.raises(ExpressionError, match="one for each crop"):
        ExpressionCrops(good.crops, LABELS, SUBJECTS, good.crops[1:])
    with pytest.raises(TupletError, match="1 or more"):
        TupletConfig(positives=0)
    with pytest.raises(TupletError, match="1 or more"):
        TupletConfig(negatives=0)
