import pytest
import torch

from visage.photos.lfw import LFWNotFoundError
from visage.recognition import picture_pairs
from visage.recognition.examples import Examples
from visage.recognition.picture_pairs import DEVELOPMENT, judged_pairs, lfw_pairs


@pytest.fixture
def album(monkeypatch):
    """70 people with two photographs each, one with a single one, in no order."""
    names = [f"person_{n:02}/{k}" for k in (2, 1) for n in reversed(range(70))] + ["single/1"]
    faces = Examples(
        tuple(names), torch.arange(len(names)).view(-1, 1, 1, 1), torch.eye(len(names))
    )
    monkeypatch.setattr(picture_pairs, "open_lfw", lambda: None)
    monkeypatch.setattr(picture_pairs, "lfw_examples", lambda *_, **__: faces)
    return faces


def test_pairs_are_of_one_person_in_order(album):
    first, second = lfw_pairs(None)
    assert len(first.names) == len(second.names) == 70
    people = [name.split("/")[0] for name in first.names]
    assert people == sorted(people)
    assert people == [name.split("/")[0] for name in second.names]
    assert {name.split("/")[1] for name in first.names} == {"1"}
    row = first.names.index("person_07/1")
    assert album.names[first.chips[row].item()] == "person_07/1"
    assert len(lfw_pairs(None, 3)[0].names) == 3


def test_those_who_chose_the_settings_are_not_judged(album):
    chosen = set(lfw_pairs(None)[0].names[:DEVELOPMENT])
    first, _ = judged_pairs(None)
    assert not chosen & set(first.names)
    assert len(first.names) == 70 - DEVELOPMENT
    assert len(judged_pairs(None, 4)[1].names) == 4


def test_lfw_that_is_not_there_is_said(monkeypatch):
    def absent():
        raise LFWNotFoundError("there is no LFW in this test")

    monkeypatch.setattr(picture_pairs, "open_lfw", absent)
    with pytest.raises(LFWNotFoundError, match="no LFW"):
        lfw_pairs(None)
