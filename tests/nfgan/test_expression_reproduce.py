import pytest
import torch

from visage.nfgan import expression_reproduce, neutrality_reproduce
from visage.nfgan.expression_classifier import NAMES, ExpressionClassifier
from visage.nfgan.expression_reproduce import reproduce_fig6, reproduce_table4, study
from visage.nfgan.networks import Nfgan
from visage.nfgan.neutrality_reproduce import reproduce_neutrality
from visage.nfgan.pairs import Pairs
from visage.nfgan.sittings import ExpressionFaces

GENERATOR = torch.Generator().manual_seed(0)


def noise(*shape):
    return torch.randint(256, shape, generator=GENERATOR).to(torch.uint8)


def few_faces(*arguments):
    """Three people with each expression; noise."""
    rows = torch.arange(24)
    return ExpressionFaces(
        noise(24, 1, 64, 64), rows % 8, rows // 8, NAMES, noise(3, 1, 64, 64), rows
    )


@pytest.fixture
def made_up(monkeypatch, tmp_path):
    """Noise for faces, and networks that have not learned anything."""
    study.cache_clear()
    monkeypatch.setattr(expression_reproduce, "generator", lambda: Nfgan().eval())
    monkeypatch.setattr(expression_reproduce, "expressive_faces", few_faces)
    monkeypatch.setattr(expression_reproduce, "cache_folder", lambda: tmp_path)
    yield
    study.cache_clear()


def test_table4(made_up):
    result = reproduce_table4("fast", 0)
    rows = {row.name: row for row in result.rows}
    for tail in ("", "_ck_plus", "_mmi"):
        gained = (
            rows[f"synthetic_with_generated{tail}"].ours - rows[f"synthetic_baseline{tail}"].ours
        )
        assert rows[f"margin{tail}"].ours == pytest.approx(gained)
        low, high = (rows[f"margin_ci_{end}{tail}"].ours for end in ("low", "high"))
        assert low <= rows[f"margin{tail}"].ours <= high
    # The paper's numbers stand where the paper has them, and are no share of the mean of both.
    assert rows["synthetic_with_generated_ck_plus"].paper == 0.9749
    assert rows["synthetic_with_generated_mmi"].paper == 0.8026
    assert rows["synthetic_with_generated"].paper is None
    assert "not CK+ and not MMI" in result.protocol


def test_fig6(made_up):
    result, figure = reproduce_fig6("fast", 0)
    assert len(result.rows) == 2 * len(NAMES)
    assert all(0 <= row.ours <= 1 for row in result.rows)
    assert len(figure.axes) == 2


def test_neutrality(monkeypatch):
    rows = torch.arange(16)
    faces = Pairs(
        inputs=noise(16, 1, 64, 64), targets=noise(2, 1, 64, 64), person=rows // 8,
        flipped=rows % 2 == 0, expression=rows % 8, intensity=(rows % 8).float() / 8,
        yaw=torch.zeros(16),
    )  # fmt: skip
    judge = ExpressionClassifier().eval()
    monkeypatch.setattr(neutrality_reproduce, "people_of", lambda split, profile: faces)
    monkeypatch.setattr(neutrality_reproduce, "load_nfgan", lambda: Nfgan().eval())
    monkeypatch.setattr(neutrality_reproduce, "load_expression_classifier", lambda: judge)
    judge.network.classify.bias.data = 100 * torch.eye(8)[NAMES.index("neutral")]
    result, figure = reproduce_neutrality("fast", 0)
    found = {row.name: row for row in result.rows}
    assert found["read_as_neutral"].ours == 1
    assert found["read_as_neutral"].n == 16
    assert found["read_as_neutral_targets"].n == 2
    assert found["read_as_neutral_inputs_at_rest"].n == 2
    assert found["read_as_neutral_inputs_with_expression"].n == 14
    assert found["at_rest_at_even_odds"].ours == 1
    assert found["read_as_sadness"].ours == 0
    assert len(figure.axes) == 3 * 8
