"""The user studies' page: its rounds, tables and tallies are the library's."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from visage.explore.user_study_explorer import UserStudyExplorer
from visage.texture.study_analysis import positive_rates, preferences
from visage.texture.study_answers import Answer, read_answers, write_answers
from visage.texture.study_stimuli import Stimuli, write_stimuli
from visage.texture.user_study import METHODS_A, METHODS_B, TRUTH, trials_a, trials_b

ROUND = "({study, person, pose, left, right}) => [study, person, pose, left, right]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Flat pictures whose grey says whose they are and who made them."""
    where = tmp_path_factory.mktemp("stimuli")

    def pictures(count, shape, level):
        levels = (level + 0.05 * torch.arange(count)).view(-1, 1, 1, 1)
        return levels.expand(-1, 3, *shape).contiguous()

    halves = {
        name: pictures(4, (24, 12), 0.2 * n) for n, name in enumerate((TRUTH, "pca", "convex"))
    }
    faces = {name: pictures(6, (20, 16), 0.25 * n).unflatten(0, (3, 2))
             for n, name in enumerate(METHODS_B)}  # fmt: skip
    names = {TRUTH: "true", "pca": "PCA", "convex": "ours"}
    write_stimuli(Stimuli(pictures(4, (24, 12), 0.8), halves, faces, names), where, note="grey")
    return where


def test_rounds_in_the_page_are_the_library_s(run_js):
    script = (
        'import { trialsA, trialsB } from "./study_trials.js";\n'
        f"const flat = {ROUND};\n"
        "console.log(JSON.stringify(given.seeds.map((seed) => ["
        "trialsA(11, given.a, seed).map(flat), trialsB(3, 2, given.b, seed).map(flat)])));"
    )
    seeds = [0, 1, 7, 123456, 2**32 - 1]
    found = run_js(script, {"seeds": seeds, "a": METHODS_A, "b": METHODS_B})
    for seed, (first, second) in zip(seeds, found, strict=True):
        for trials, wanted in (
            (first, trials_a(11, METHODS_A, seed)),
            (second, trials_b(3, 2, METHODS_B, seed)),
        ):
            assert [tuple(one) for one in trials] == [
                (t.study, t.person, t.pose, t.left, t.right) for t in wanted
            ]


ANSWERS = [
    Answer("a", 'a, "b"', 7, n, n % 3, 0, TRUTH, maker, choice, 1.25, "2026-01-02T03:04:05.678Z")
    for n, (maker, choice) in enumerate(
        [("pca", "real"), ("pca", "made"), (TRUTH, "real"), ("convex", "real")]
    )
] + [
    Answer("b", "me", 8, n, 0, 1, left, right, choice, 0.5, "")
    for n, (left, right, choice) in enumerate(
        [("pca", "convex", "left"), ("convex", "pca", "left"), (TRUTH, "convex", "right")]
    )
]


def test_the_page_s_table_is_read_back(run_js, tmp_path):
    script = (
        'import { answerTable } from "./study_trials.js";\n'
        "console.log(JSON.stringify(answerTable(given)));"
    )
    table = run_js(script, [vars(answer) for answer in ANSWERS])
    path = tmp_path / "page.csv"
    path.write_text(table)
    assert read_answers(path) == ANSWERS
    ours = write_answers(ANSWERS, tmp_path / "ours.csv").read_text()
    assert table.splitlines()[0] == ours.splitlines()[0]


def test_the_page_s_tallies_are_the_analysis(run_js):
    script = (
        'import { calledReal, chosenOver } from "./study_trials.js";\n'
        "console.log(JSON.stringify([calledReal(given.answers, given.a),"
        " chosenOver(given.answers, given.b)]));"
    )
    given = {
        "answers": [vars(answer) for answer in ANSWERS],
        "a": ["pca", "convex"],
        "b": METHODS_B,
    }
    called, chosen = run_js(script, given)
    rates = positive_rates(ANSWERS)
    assert [one["maker"] for one in called] == [TRUTH, "pca", "convex"]
    for one in called:
        assert one["asked"] == rates[one["maker"]].answers
        shares = [a.choice == "real" for a in ANSWERS if a.study == "a" and a.right == one["maker"]]
        assert one["real"] == sum(shares)
    by_pair = {(one["first"], one["second"]): one for one in chosen}
    assert by_pair["convex", TRUTH]["won"] == 1
    assert by_pair[TRUTH, "pca"]["asked"] == 0
    (ours,) = preferences(ANSWERS, [("convex", "pca")])
    pair = by_pair["convex", "pca"]
    assert (pair["won"], pair["asked"]) == (round(ours.share * ours.answers), ours.answers)


def test_the_widget_holds_the_sheets_and_no_more(folder):
    explorer = UserStudyExplorer(folder, seed=5)
    assert explorer.seed == 5
    assert "note" not in explorer.words
    sheet = Image.open(io.BytesIO(base64.b64decode(explorer.halves.partition(",")[2])))
    assert sheet.size == (12 * 4, 24 * 4)
    levels = np.asarray(sheet.convert("L"), dtype=float) / 255
    # Person 2: the reference, then who made the other half.
    assert np.allclose(levels[60, 6::12], [0.9, 0.1, 0.3, 0.5], atol=0.03)
    faces = Image.open(io.BytesIO(base64.b64decode(explorer.faces.partition(",")[2])))
    assert faces.size == (16 * 3, 20 * 6)


def test_a_notebook_sees_the_answers(folder):
    explorer = UserStudyExplorer(folder)
    assert explorer.rated == []
    explorer.answers = [vars(answer) for answer in ANSWERS]
    assert explorer.rated == ANSWERS
