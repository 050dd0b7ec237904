"""Subject-independent folds."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from visage.nfgan.folds import FoldError, splits, subject_folds

SUBJECTS = st.lists(st.integers(-5, 30), min_size=1, max_size=80)


@settings(max_examples=60, deadline=None)
@given(SUBJECTS, st.integers(2, 10), st.integers(0, 99))
def test_strict_balanced_and_whole(subjects, folds, seed):
    subjects = torch.tensor(subjects)
    people, counts = subjects.unique(return_counts=True)
    if folds > len(people):
        with pytest.raises(FoldError):
            subject_folds(subjects, folds, seed)
        return
    part = subject_folds(subjects, folds, seed)
    for person in people:
        assert part[subjects == person].unique().numel() == 1
    sizes = torch.bincount(part, minlength=folds)
    assert sizes.min() > 0
    assert sizes.max() - sizes.min() <= counts.max()


def test_every_row_is_tested_once_by_strangers():
    subjects = torch.arange(31).repeat_interleave(20)[torch.randperm(620)]
    tested = []
    for train, test in splits(subjects, 10):
        assert not set(subjects[train].tolist()) & set(subjects[test].tolist())
        assert len(train) + len(test) == 620
        tested += test.tolist()
    assert sorted(tested) == list(range(620))


def test_the_seed_decides():
    subjects = torch.arange(40)
    assert torch.equal(subject_folds(subjects, 8, 1), subject_folds(subjects, 8, 1))
    assert not torch.equal(subject_folds(subjects, 8, 1), subject_folds(subjects, 8, 2))


def test_order_of_pictures_does_not_matter():
    subjects = torch.tensor([4, 4, 1, 9, 9, 9, 2, 2])
    order = torch.tensor([3, 0, 7, 1, 5, 2, 6, 4])
    assert torch.equal(subject_folds(subjects[order], 3), subject_folds(subjects, 3)[order])


@pytest.mark.parametrize(
    ("subjects", "folds"), [(torch.arange(3), 1), (torch.arange(3), 4), (torch.zeros(2, 2), 2)]
)
def test_impossible_folds(subjects, folds):
    with pytest.raises(FoldError):
        subject_folds(subjects, folds)
