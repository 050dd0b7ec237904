"""Every experiment of this part runs, on a few people and steps, and names the rows looked for."""

from types import SimpleNamespace

import pytest
import torch

from visage.inversion import (
    feedforward_reproduce,
    iterative_reproduce,
    judge_reproduce,
    leaks_reproduce,
    transfer_reproduce,
)
from visage.inversion.colour import ColourStatistics
from visage.inversion.study import Study
from visage.photos.lfw import LFWNotFoundError
from visage.recognition.examples import Examples

PEOPLE = 40


@pytest.fixture(scope="module")
def somebody():
    """Smooth coloured chips that stand in for people, with their embeddings."""
    study = Study.standard()
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(PEOPLE, 3, 10, 10, generator=generator)
    faces = torch.nn.functional.interpolate(noise, (150, 150), mode="bicubic").clamp(0, 1)
    faces = 0.5 * faces + 0.5 * study.known.mean_face
    chips = (255 * faces).round().to(torch.uint8)
    names = tuple(f"synthetic-test/{n}" for n in range(PEOPLE))
    return Examples(names, chips, study.embed(chips.float() / 255))


@pytest.fixture
def few(somebody, monkeypatch):
    """Two people and two steps everywhere, without photographs."""

    def examples(encoder, side, count):
        return somebody.chosen([n % PEOPLE for n in range(count)])

    def absent(*_):
        raise LFWNotFoundError("there is no LFW in this test")

    for module in (iterative_reproduce, transfer_reproduce, feedforward_reproduce):
        monkeypatch.setattr(module, "synthetic_examples", examples)
    monkeypatch.setattr(iterative_reproduce, "_sizes", lambda profile: (2, 2))
    monkeypatch.setattr(iterative_reproduce, "_SHOWN", 2)
    monkeypatch.setattr(iterative_reproduce, "_TRAINING_PEOPLE", 20)
    monkeypatch.setattr(iterative_reproduce, "_SCALES", (1.0, 8.0))
    monkeypatch.setattr(iterative_reproduce, "_TV_WEIGHTS", (0.1, 1e-4))
    monkeypatch.setattr(feedforward_reproduce, "lfw_pairs", absent)
    monkeypatch.setattr(judge_reproduce, "judged_pairs", absent)
    iterative_reproduce._people.cache_clear()
    iterative_reproduce._tv_sweep.cache_clear()
    iterative_reproduce.two_guides.cache_clear()
    yield SimpleNamespace(examples=examples)
    iterative_reproduce._people.cache_clear()
    iterative_reproduce._tv_sweep.cache_clear()
    iterative_reproduce.two_guides.cache_clear()


def rows(result):
    return {row.name: row.ours for row in result.rows}


def test_figure_1_has_its_columns(few):
    result, figure = iterative_reproduce.reproduce_fig1("fast", 0)
    found = rows(result)
    assert {f"distance_{column}" for column in "cdefg"} <= found.keys()
    assert {f"found_{column}" for column in "cdefg"} <= found.keys()
    assert len(figure.axes) == 7 * 2
    # Noise has more of the finest band than what starts at a mean face.
    assert found["finest_band_c"] > found["finest_band_f"]


def test_figure_2_chooses_a_guide(few):
    result, _ = iterative_reproduce.reproduce_fig2("fast", 0)
    found = rows(result)
    assert 0 <= found["chosen_own_sex"] <= 1
    assert min(found["distance_own_sex"], found["distance_other_sex"]) > 0


def test_figures_6_and_7_share_their_descents(few):
    first, curves = iterative_reproduce.reproduce_fig6("fast", 0)
    second, _ = iterative_reproduce.reproduce_fig7("fast", 0)
    assert len(curves.axes[0].lines) == 2
    assert "distance_tv_0.1" in rows(first)
    assert rows(second)["contrast_tv_0.1"] > 0


def test_adjusted_images_have_the_colour_and_contrast_of_photographs(generator):
    usual = ColourStatistics(torch.tensor([0.5, 0.4, 0.4]), 0.01 * torch.eye(3))
    images = 0.2 + 0.01 * torch.randn(2, 3, 20, 20, generator=generator)
    found = iterative_reproduce.adjusted(images, usual)
    torch.testing.assert_close(found.mean((2, 3)), usual.mean.expand(2, 3), atol=0.01, rtol=0)
    torch.testing.assert_close(found.std((2, 3)), torch.full((2, 3), 0.1), atol=0.01, rtol=0)
    flat = iterative_reproduce.adjusted(torch.full((1, 3, 4, 4), 0.5), usual)
    assert torch.isfinite(flat).all()


def test_figure_8_measures_lengths(few):
    result, _ = iterative_reproduce.reproduce_fig8("fast", 0)
    found = rows(result)
    assert found["difference_from_dot_dot"] == 0
    assert {"length_ratio_1", "length_ratio_8", "length_ratio_dot"} <= found.keys()


def test_leaks_reads_what_an_embedding_holds(few, monkeypatch, somebody):
    model = leaks_reproduce.MorphableModel.load()
    generator = torch.Generator().manual_seed(1)
    mixing = torch.randn(80, 128, generator=generator)

    def examples(encoder, side, count):
        persons = leaks_reproduce.people(model, 0, range(count), split=side)
        return Examples(("x",) * count, somebody.chips[:1], persons.identity @ mixing)

    monkeypatch.setattr(leaks_reproduce, "synthetic_examples", examples)
    found = rows(leaks_reproduce.reproduce_leaks("fast", 0))
    # Sex and age are directions of identity, so that such embeddings hold them.
    assert found["male_auc"] > 0.8
    assert found["age_r2"] > 0.2
    assert abs(found["male_auc_shuffled"] - 0.5) < 0.3


def test_table_1_and_figure_9_have_every_number_of_filters(few):
    found = rows(feedforward_reproduce.reproduce_table1("fast", 0))
    for filters in feedforward_reproduce.FILTERS:
        assert f"normalized_dot_{filters}" in found
        assert found[f"loss_{filters}"] > 0
    result, figure = feedforward_reproduce.reproduce_fig9("fast", 0)
    assert "identified_50" in rows(result)
    assert len(figure.axes) == 8 * (1 + len(feedforward_reproduce.FILTERS))


def test_losses_are_means_over_moves(few, somebody):
    study = Study.standard()
    images = somebody.chips[:2].float() / 255
    both = feedforward_reproduce.losses(study, images, somebody.embeddings[:2])
    alone = feedforward_reproduce.losses(study, images[1:], somebody.embeddings[1:2])
    torch.testing.assert_close(both[1:], alone, rtol=1e-3, atol=1e-4)


def test_defences_trade_recognition(few, somebody):
    study = Study.standard()
    made = judge_reproduce.defences(study, 0)
    assert {"none", "bits_8", "bits_1", "rotation"} <= made.keys()
    for name, defence in made.items():
        stored = defence.stored(somebody.embeddings)
        assert stored.shape == somebody.embeddings.shape, name
        assert torch.isfinite(defence.guessed(stored)).all(), name


def test_faces_drawn_for_nobody_are_faces(few):
    drawn = transfer_reproduce.drawn_face(Study.standard().encoder.crop)
    assert drawn.shape == (1, 3, 150, 150)
    assert 0.1 < drawn.mean() < 0.9
    assert drawn.std() > 0.05
