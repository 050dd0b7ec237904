import pytest
import torch

from visage.faces.expressions import EXPRESSIONS, ExpressionError, sample_expressions
from visage.faces.shape import MorphableModel


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


def draw(model, names, level=1.0, people=None, moments=None):
    count = len(names)
    people = torch.arange(count) if people is None else torch.tensor(people)
    moments = torch.arange(count) + 100 if moments is None else torch.tensor(moments)
    return sample_expressions(model, names, torch.full((count,), float(level)), people, moments)


def test_there_are_the_seven_and_none():
    assert set(EXPRESSIONS) == {
        *("neutral", "happiness", "sadness", "surprise"),
        *("fear", "disgust", "anger", "contempt"),
    }


def test_each_is_made_of_actions_that_the_model_has(model):
    for actions in EXPRESSIONS.values():
        assert set(actions) <= set(model.expression_names)
        assert all(0 < weight <= 1 for weight in actions.values())


def test_rows_depend_on_their_own_seeds_only(model):
    names = ["happiness", "fear", "anger"]
    several = draw(model, names)
    alone = draw(model, ["fear"], people=[1], moments=[101])
    assert torch.equal(several[1:2], alone)


def test_weights_are_within_the_models_range(model):
    names = list(EXPRESSIONS) * 30
    drawn = draw(model, names)
    assert drawn.min() >= 0
    assert drawn.max() <= 1


def test_habits_stay_and_people_differ(model):
    """Two smiles of one person are nearer to each other than to another person's, on average."""
    people = torch.arange(40).repeat_interleave(2).tolist()
    drawn = draw(model, ["happiness"] * 80, 0.7, people=people)
    own = (drawn[::2] - drawn[1::2]).norm(dim=1).mean()
    other = (drawn[::2] - drawn[1::2].roll(1, 0)).norm(dim=1).mean()
    assert own < 0.8 * other


def test_intensity_grades(model):
    weak, strong = (draw(model, ["surprise"], level) for level in (0.3, 0.9))
    jaw = model.expression_names.index("jawOpen")
    torch.testing.assert_close(strong[0, jaw], 3 * weak[0, jaw])


def test_nothing_is_neutral_but_gaze_and_lids(model):
    drawn = draw(model, ["happiness", "neutral"], 0.0)
    for name, weight in zip(model.expression_names, drawn.T, strict=True):
        if not name.startswith(("eyeLook", "eyeBlink", "eyeWide")):
            assert not weight.any(), name


def test_eyes_are_open_at_rest(model):
    """Most people's lids are higher than the sculptures', and weak anger does not lower them."""
    wide = model.expression_names.index("eyeWideLeft")
    rest = draw(model, ["neutral"] * 60)[:, wide]
    assert (rest > 0.05).float().mean() > 0.9
    assert rest.std() > 0.04
    anger = draw(model, ["anger"] * 60, 0.3)[:, wide]
    assert (anger > rest - 1e-6).all()
    surprise = draw(model, ["surprise"] * 60)[:, wide]
    assert (surprise > rest + 0.2).all()


def test_contempt_is_on_one_side_and_either(model):
    left = model.expression_names.index("mouthDimpleLeft")
    right = model.expression_names.index("mouthDimpleRight")
    drawn = draw(model, ["contempt"] * 40)
    sides = (drawn[:, [left, right]] > 0).int()
    assert (sides.sum(1) == 1).all()
    assert 5 < sides[:, 0].sum() < 35


def test_expressions_differ_in_what_they_move(model):
    names = list(EXPRESSIONS)
    drawn = draw(model, names, people=[1] * len(names), moments=[2] * len(names))
    moved = model.vertices(torch.zeros(1, 1), drawn)
    apart = torch.cdist(moved.flatten(1), moved.flatten(1)) + 1e6 * torch.eye(len(names))
    assert apart.min() > 20  # mm, over all vertices


def test_bad_input(model):
    with pytest.raises(ExpressionError, match="joy"):
        draw(model, ["joy"])
    with pytest.raises(ExpressionError, match="from 0 to 1"):
        draw(model, ["anger"], 1.5)
    with pytest.raises(ExpressionError, match="from 0 to 1"):
        draw(model, ["anger"], float("nan"))


def test_nobody(model):
    assert draw(model, []).shape == (0, 52)
