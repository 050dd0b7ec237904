import pytest
import torch

from visage.geometry.errors import GeometryError
from visage.geometry.grey import grey


def test_grey_of_a_grey_picture_in_colours_is_itself():
    picture = torch.rand(2, 1, 4, 5, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(grey(picture.expand(-1, 3, -1, -1)), picture)
    assert grey(picture) is picture


def test_green_is_brighter_than_blue():
    colours = torch.eye(3)[:, :, None, None]
    red, green, blue = grey(colours).flatten().tolist()
    assert green > red > blue > 0


def test_other_shapes_are_refused():
    with pytest.raises(GeometryError, match="3 or 1"):
        grey(torch.zeros(1, 4, 2, 2))
