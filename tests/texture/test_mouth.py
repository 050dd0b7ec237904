"""Where open mouths show no skin."""

import pytest
import torch

from visage.texture.errors import TextureError
from visage.texture.mouth import mouth_inside


def face(parted):
    """Landmarks (1, 68, 2) of a mouth 40 pixels wide round (50, 60), its lips so far apart."""
    points = torch.zeros(1, 68, 2)
    outer = torch.linspace(0, 2 * torch.pi, 13)[:-1]
    points[0, 48:60, 0] = 50 - 20 * outer.cos()
    points[0, 48:60, 1] = 60 - 9 * outer.sin()
    across = torch.tensor([-14.0, -7, 0, 7, 14, 7, 0, -7])
    down = torch.tensor([0, -0.8, -1, -0.8, 0, 0.8, 1, 0.8]) * parted / 2
    points[0, 60:68, 0], points[0, 60:68, 1] = 50 + across, 60 + down
    return points


def test_an_open_mouth_is_found_where_it_is():
    found = mouth_inside(face(12), 100, 100)[0, 0]
    assert found.shape == (100, 100)
    assert float(found[60, 50]) == 1
    rows, columns = found.nonzero().T
    assert int(rows.min()) >= 52
    assert int(rows.max()) <= 68
    assert int(columns.min()) >= 33
    assert int(columns.max()) <= 67


def test_it_is_the_polygon_and_a_little_more():
    found = mouth_inside(face(12), 100, 100)[0, 0]
    area = 0.5 * 12 * (2 * 0.8 * 7 + 1.8 * 7)  # of the upper and the lower half together
    assert area < float(found.sum()) < 3 * area


def test_a_shut_mouth_has_no_inside():
    assert float(mouth_inside(face(1.5), 100, 100).sum()) == 0


def test_faces_are_looked_at_one_by_one():
    both = mouth_inside(torch.cat([face(1.0), face(10)]), 80, 90)
    assert both.shape == (2, 1, 80, 90)
    assert float(both[0].sum()) == 0
    assert float(both[1].sum()) > 50


def test_refuses_other_landmarks():
    with pytest.raises(TextureError, match="68"):
        mouth_inside(torch.zeros(1, 5, 2), 10, 10)
