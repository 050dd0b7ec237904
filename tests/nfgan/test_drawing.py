"""Faces as they came, and as they should come out."""

from dataclasses import replace

import pytest
import torch

from visage.faces.camera import WeakPerspective
from visage.faces.population import people
from visage.faces.shape import MorphableModel
from visage.faces.shots import EVERYDAY
from visage.nfgan.drawing import (
    ShotPlan,
    draw_inputs,
    draw_plainly,
    draw_targets,
    even_light,
    hidden_right,
    near,
)
from visage.nfgan.errors import NfganError

SIDEWAYS = replace(EVERYDAY, yaw=45.0)
PLAN = ShotPlan((3, 3, 4), (0, 1, 0), ("anger", "neutral", "surprise"), (0.8, 0.0, 1.0))


def test_a_picture_depends_on_its_own_numbers_only():
    whole, yaw = draw_inputs("train", PLAN, SIDEWAYS)
    alone, its_yaw = draw_inputs("train", ShotPlan((4,), (0,), ("surprise",), (1.0,)), SIDEWAYS)
    assert whole.shape == (3, 1, 64, 64)
    assert yaw.shape == (3,)
    assert torch.allclose(whole[2:], alone, atol=1e-3)
    assert torch.equal(yaw[2:], its_yaw)
    assert whole.amin() >= 0
    assert whole.amax() <= 1


def test_targets_are_alike_on_both_sides_and_of_one_kind():
    """Even light, a plain background, no pose: mirrored, a target is nearly itself."""
    targets = draw_targets("train", range(3))
    plan = ShotPlan((0, 1, 2), (0,) * 3, ("neutral",) * 3, (0.0,) * 3)
    inputs, _ = draw_inputs("train", plan, SIDEWAYS)
    asymmetry = (targets - targets.flip(-1)).abs().mean((1, 2, 3))
    assert asymmetry.max() < (inputs - inputs.flip(-1)).abs().mean((1, 2, 3)).mean() / 2


def test_targets_do_not_depend_on_who_else_is_drawn():
    assert torch.allclose(draw_targets("train", [7, 2])[1:], draw_targets("train", [2]), atol=1e-3)


def test_glasses_are_taken_off():
    """Where somebody wears glasses, the target differs from the plain picture by nothing worn."""
    model = MorphableModel.load()
    worn = people(model, 0, range(12), split="train").glasses.worn
    wearer = int(worn.nonzero()[0, 0])
    plan = ShotPlan((wearer,), (0,), ("neutral",), (0.0,))
    still = replace(EVERYDAY, yaw=0.0, pitch=0.0, roll=0.0)
    plain, yaw = draw_plainly("train", plan, still)
    dressed, _ = draw_inputs("train", plan, still)
    eyes = (slice(None), slice(None), slice(16, 32), slice(8, 56))
    target = draw_targets("train", [wearer])
    assert float(yaw) == 0
    assert (plain - target)[eyes].abs().mean() < (dressed - target)[eyes].abs().mean() / 2


def test_positive_yaw_hides_the_pictures_right():
    """The rule that mirroring follows: the far eye is the nearer one to the nose."""
    model = MorphableModel.load()
    corners = model.mean[None, model.landmarks]
    camera = WeakPerspective(
        torch.tensor([[0.0, 0.6, 0.0]]), torch.zeros(1, 2), 64, 64, scale=torch.tensor([0.2])
    )
    x = camera.project(corners)[0, :, 0]
    assert x[45] - x[30] < (x[30] - x[36]) / 2


def test_hidden_right_mirrors_by_the_sign_of_yaw():
    faces = torch.rand(3, 1, 4, 4)
    mirrored = hidden_right(faces, torch.tensor([0.3, -0.3, 0.0]))
    assert torch.equal(mirrored[[0, 2]], faces[[0, 2]])
    assert torch.equal(mirrored[1], faces[1].flip(-1))


def test_even_light_has_no_side_and_exposes_dark_skin_longer():
    persons = people(MorphableModel.load(), 0, range(8))
    light = even_light(persons.skin)
    assert (light.key_direction[:, 0] == 0).all()
    darkest, fairest = persons.skin.melanin.argmax(), persons.skin.melanin.argmin()
    assert light.key_colour[darkest, 0] > light.key_colour[fairest, 0]


def test_near_keeps_what_is_not_distance():
    assert near(SIDEWAYS).yaw == 45
    assert near(SIDEWAYS).lights == SIDEWAYS.lights
    assert near(SIDEWAYS).width < SIDEWAYS.width


def test_a_plan_of_unequal_lists_is_refused():
    with pytest.raises(NfganError, match="as many"):
        ShotPlan((1, 2), (0, 1), ("anger",), (0.5, 0.5))


def test_splits_hold_other_people():
    one, other = (draw_targets(split, [1]) for split in ("train", "test"))
    assert (one - other).abs().mean() > 0.01
