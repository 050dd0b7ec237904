"""The record of the user studies says what it is."""

import pytest

from visage.texture.simulated_raters import REAL_CALLED_REAL
from visage.texture.study_stimuli import load_stimuli
from visage.texture.user_study import PEOPLE_A, TRUTH
from visage.texture.user_study_reproduce import EXPERIMENTS


@pytest.fixture(scope="module")
def found():
    return EXPERIMENTS["texture/userstudy"]("fast", 0)


def test_numbers_of_raters_who_do_not_exist_say_so(found):
    result, _ = found
    rows = {row.name: row for row in result.rows}
    assert rows["raters_who_are_people"].ours == 0
    for name, row in rows.items():
        if row.unit == "fraction" and name != "analysis_error":
            assert name.startswith("simulated/")
            assert 0 <= row.ours <= 1
    assert rows[f"simulated/called_real/{TRUTH}"].paper == REAL_CALLED_REAL
    assert "Nobody has rated anything here" in result.protocol


def test_the_analysis_finds_what_the_raters_were_made_to_say(found):
    rows = {row.name: row for row in found[0].rows}
    assert rows["analysis_error"].ours < 0.3  # two or three answers a half in this profile
    assert rows["simulated/prefer/truth_over_worst"].ours == pytest.approx(0.74, abs=0.15)
    assert rows["trials/a"].ours == PEOPLE_A


def test_the_figure_has_a_box_a_maker(found):
    labels = [label.get_text().replace("\n", " ") for label in found[1].axes[0].get_xticklabels()]
    names = load_stimuli().names
    assert labels == [names[name] for name in (TRUTH, *load_stimuli().makers_a)]
