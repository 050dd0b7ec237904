"""Input-target pairs, and the cache that keeps them."""

import pytest
import safetensors.torch
import torch

from visage.faces.expressions import EXPRESSIONS
from visage.nfgan import pairs as module
from visage.nfgan.drawing import draw_inputs, draw_targets
from visage.nfgan.errors import NfganError
from visage.nfgan.pairs import expression_plan, pairs, shown, stored


def _fake(monkeypatch):
    """Draw people as flat pictures of their number: the cache is what is looked at."""
    drawn = []

    def inputs(split, plan, ranges):
        drawn.extend(sorted(set(plan.people)))
        flat = torch.tensor(plan.people)[:, None, None, None] / 255
        ramp = torch.linspace(0, 0.1, 64).expand(len(plan), 1, 64, 64)
        yaw = torch.tensor(plan.shots) - 0.5
        return flat + ramp, yaw

    def targets(split, numbers):
        ramp = torch.linspace(0, 0.1, 64).expand(len(numbers), 1, 64, 64)
        return torch.tensor(list(numbers))[:, None, None, None] / 255 + ramp

    monkeypatch.setattr(module, "draw_inputs", inputs)
    monkeypatch.setattr(module, "draw_targets", targets)
    monkeypatch.setattr(module, "edition", lambda: "test")
    return drawn


def test_each_person_once_and_then_from_the_cache(monkeypatch, tmp_path):
    drawn = _fake(monkeypatch)
    found = pairs("train", 7, 3, folder=tmp_path, progress=False)
    assert len(found) == 21
    assert len(found.targets) == 7
    assert drawn == list(range(7))
    again = pairs("train", 7, 3, folder=tmp_path, progress=False)
    assert drawn == list(range(7))
    assert torch.equal(found.inputs, again.inputs)
    assert found.person.tolist() == [person for person in range(7) for _ in range(3)]


def test_a_few_people_come_from_the_file_of_many(monkeypatch, tmp_path):
    drawn = _fake(monkeypatch)
    many = pairs("train", 120, 2, folder=tmp_path, progress=False)
    assert drawn == list(range(120))
    few = pairs("train", 60, 2, folder=tmp_path, progress=False)
    assert len(drawn) == 120
    assert torch.equal(few.inputs, many.inputs[:120])
    assert torch.equal(few.targets, many.targets[:60])
    assert torch.equal(few.yaw, many.yaw[:120])


def test_a_stopped_call_goes_on(monkeypatch, tmp_path):
    drawn = _fake(monkeypatch)
    pairs("train", 50, 1, folder=tmp_path, progress=False)
    pairs("train", 100, 1, folder=tmp_path, progress=False)
    assert drawn == list(range(100))


def test_inputs_are_mirrored_and_their_targets_with_them(monkeypatch, tmp_path):
    _fake(monkeypatch)
    found = pairs("train", 2, 2, folder=tmp_path, progress=False)
    assert found.flipped.tolist() == [True, False, True, False]  # yaw -0.5, 0.5, ...
    targets = found.targets_of(slice(0, 4))
    # A ramp that rises to the right falls in a mirrored picture.
    rises = [picture[0, 0, -1] > picture[0, 0, 0] for picture in (*found.inputs, *targets)]
    assert rises == [False, True] * 4
    chosen = found.targets_of(torch.tensor([2, 1]))
    assert torch.equal(chosen, targets[[2, 1]])


@pytest.mark.parametrize("each", [5, 8, 19])
def test_everybody_makes_every_expression(each):
    plan = expression_plan("test", [3, 4], each)
    assert plan.people == (3,) * each + (4,) * each
    assert plan.shots == tuple(range(each)) * 2
    names = tuple(EXPRESSIONS)
    for start in range(0, each - each % 8, 8):
        assert set(plan.expressions[start : start + 8]) == set(names)
    levels = dict(zip(plan.expressions, plan.intensities, strict=True))
    assert all((level == 0) == (name == "neutral") for name, level in levels.items())
    if each == 8:
        assert plan.expressions[:8] != plan.expressions[8:]


def test_the_order_of_a_person_is_theirs():
    alone = expression_plan("test", [4], 8)
    both = expression_plan("test", [3, 4], 8)
    assert both.expressions[8:] == alone.expressions
    assert expression_plan("train", [4], 8).expressions != alone.expressions


def test_pictures_are_those_that_are_drawn(tmp_path):
    found = pairs("validation", 1, 2, folder=tmp_path, progress=False)
    plan = expression_plan("validation", [0], 2)
    inputs, yaw = draw_inputs("validation", plan, module._RANGES)
    assert torch.equal(found.yaw, yaw)
    expected = stored(inputs)
    mirrored = torch.where(found.flipped[:, None, None, None], expected.flip(-1), expected)
    assert torch.equal(found.inputs, mirrored)
    assert torch.equal(found.targets, stored(draw_targets("validation", [0])))
    assert [tuple(EXPRESSIONS)[place] for place in found.expression] == list(plan.expressions)


def test_a_file_is_whole_or_absent(tmp_path):
    path = tmp_path / "some" / "file.safetensors"

    def fails():
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError):
        module.kept(path, fails)
    assert not path.exists()
    made = module.kept(path, lambda: {"a": torch.ones(2)})
    assert torch.equal(made["a"], torch.ones(2))
    safetensors.torch.save_file({"a": torch.zeros(2)}, path)
    assert torch.equal(module.kept(path, fails)["a"], torch.zeros(2))


def test_storing_rounds_to_the_next_level():
    faces = torch.rand(50, generator=torch.Generator().manual_seed(0))
    assert (shown(stored(faces)) - faces).abs().max() <= 0.5 / 255 + 1e-6
    assert stored(torch.tensor([-1.0, 2.0])).tolist() == [0, 255]


@pytest.mark.parametrize("arguments", [("none", 2, 2), ("train", 0, 2), ("train", 2, 0)])
def test_bad_requests(arguments):
    with pytest.raises(NfganError):
        pairs(*arguments)
