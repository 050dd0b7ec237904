import pytest
import torch
from torch.utils.data import DataLoader

from visage.faces.dataset import SyntheticFaces
from visage.faces.population import PopulationError, people
from visage.faces.shape import MorphableModel

SIZE = 48
EVERYTHING = (
    *("mask", "seen", "depth", "normals", "pncc", "uv", "albedo", "landmarks"),
    *("identity", "actions", "angles", "light"),
)


def make(people_count=4, shots_each=3, **changes):
    return SyntheticFaces(people_count, shots_each, **{"size": SIZE, **changes})


def same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], atol=2e-3, rtol=1e-4)


def test_an_item_has_what_it_says():
    faces = make(answers=EVERYTHING)
    item = faces[5]
    shapes = {name: tuple(value.shape) for name, value in item.items()}
    assert shapes == {
        "image": (3, SIZE, SIZE),
        "person": (),
        "expression": (),
        "intensity": (),
        "mask": (1, SIZE, SIZE),
        "seen": (1, SIZE, SIZE),
        "depth": (1, SIZE, SIZE),
        "normals": (3, SIZE, SIZE),
        "pncc": (3, SIZE, SIZE),
        "uv": (2, SIZE, SIZE),
        "albedo": (3, SIZE, SIZE),
        "landmarks": (68, 2),
        "identity": (80,),
        "actions": (52,),
        "angles": (3,),
        "light": (9, 3),
    }
    assert item["image"].min() >= 0
    assert item["image"].max() <= 1
    assert int(item["person"]) == 1


def test_an_item_depends_on_its_number_only():
    faces = make()
    together = faces.__getitems__([0, 7, 3, 11])
    for item, index in zip(together, (0, 7, 3, 11), strict=True):
        same(item, make(people_count=9)[index])


def test_the_people_are_those_of_the_population():
    item = make(seed=4, split="validation", answers=("identity",))[7]
    person = people(MorphableModel.load(), 4, [2], split="validation")
    torch.testing.assert_close(item["identity"], person.identity[0])


def test_shots_of_a_person_differ_and_splits_too():
    faces = make()
    assert (faces[0]["image"] - faces[1]["image"]).abs().mean() > 0.02
    other = make(split="test")[0]
    assert (faces[0]["image"] - other["image"]).abs().mean() > 0.02


def test_workers_draw_the_same():
    faces = make()
    alone = next(iter(DataLoader(faces, batch_size=4)))
    helped = next(iter(DataLoader(faces, batch_size=4, num_workers=1)))
    same(alone, helped)


def test_counting_from_the_end_and_beyond():
    faces = make()
    same(faces[-1], faces[11])
    for index in (12, -13):
        with pytest.raises(IndexError):
            faces[index]
    assert faces.__getitems__([]) == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"people_count": 0}, "0 people"),
        ({"shots_each": 0}, "0 shots"),
        ({"split": "all"}, "all"),
        ({"answers": ("depth", "soul")}, "soul"),
    ],
)
def test_bad_arguments(wrong, says):
    with pytest.raises(PopulationError, match=says):
        make(**wrong)
