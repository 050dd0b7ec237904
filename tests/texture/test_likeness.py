"""Heads with textures before a recogniser."""

import torch

from visage.faces.shape import MorphableModel
from visage.texture.likeness import face_chips, identity_distances, recogniser


class _MeanColour:
    """A recogniser that knows people by their mean colour."""

    threshold = 0.1

    def embed(self, chips):
        return chips.mean((2, 3))

    def distance(self, a, b):
        return (a - b).norm(dim=-1)


def _textures():
    grey = torch.full((2, 3, 64, 64), 0.55)
    grey[1] = torch.tensor([0.75, 0.55, 0.45])[:, None, None]
    return grey


def test_chips_show_faces_of_their_texture():
    identity = torch.zeros(2, 80)
    chips = face_chips(_textures(), identity)
    assert chips.shape == (2, 3, 150, 150)
    middle = chips[:, :, 60:110, 50:100].mean((2, 3))
    assert float(middle[1, 0] - middle[1, 2]) > float(middle[0, 0] - middle[0, 2]) + 0.1


def test_distances_are_of_each_to_each():
    chips = torch.rand(3, 3, 150, 150, generator=torch.Generator().manual_seed(0))
    chips[1] = 0.9
    table = identity_distances(chips[:2], chips, _MeanColour())
    assert table.shape == (2, 3)
    assert table[0, 0] == 0
    assert table[1, 1] == 0
    assert float(table[1, 0]) > 0.3


def test_the_recogniser_knows_a_face_by_its_shape():
    """One texture on two heads is two people; two textures of like tone on one head are one."""
    model = MorphableModel.load()
    identity = model.sample_identity(2, torch.Generator().manual_seed(3))
    texture = _textures()[:1].expand(2, -1, -1, -1)
    noise = 0.02 * torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    chips = face_chips(texture, identity)
    again = face_chips(texture[:1] + noise, identity[:1])
    table = identity_distances(again, chips)
    assert float(table[0, 0]) < recogniser().threshold
    assert float(table[0, 0]) < float(table[0, 1])
