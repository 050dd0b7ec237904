import pytest
import torch

from visage.faces.wear import Lenses, Wear, WearError


def thing(corners, batch=2, colour=0.5):
    return Wear(
        torch.zeros(batch, corners, 3),
        torch.tensor([[0, 1, 2]]),
        torch.full((batch, corners, 3), colour),
        torch.zeros(batch, corners, 1),
        torch.zeros(batch, corners, 1),
    )


def test_joined_things_keep_their_triangles():
    both = Wear.joined([thing(3, colour=0.1), thing(4, colour=0.9), thing(3)])
    assert both.triangles.tolist() == [[0, 1, 2], [3, 4, 5], [7, 8, 9]]
    assert both.vertices.shape == (2, 10, 3)
    assert both.albedo[0, both.triangles[1], 0].tolist() == pytest.approx([0.9] * 3)


def test_some_of_the_people():
    assert len(thing(3)[torch.tensor([0, 0, 1])]) == 3
    lenses = Lenses(torch.zeros(2, 3, 3), torch.tensor([[0, 1, 2]]), torch.ones(2, 3))
    assert len(lenses[1:]) == 1


def test_shapes_must_fit():
    with pytest.raises(WearError, match="albedo"):
        Wear(
            torch.zeros(2, 3, 3),
            torch.tensor([[0, 1, 2]]),
            torch.zeros(2, 4, 3),
            torch.zeros(2, 3, 1),
            torch.zeros(2, 3, 1),
        )
