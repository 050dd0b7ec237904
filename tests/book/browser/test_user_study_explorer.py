"""The user studies in chromium: a whole round of each, by mouse, by keyboard and on a phone."""

import csv
import io
import json

import numpy as np
import pytest
import torch

from tests.book.browser.explorer_page import fits, pixels, write_notebook
from tools.browser import visit as visiting
from tools.serve import served
from visage.explore.user_study_explorer import UserStudyExplorer
from visage.texture.study_answers import COLUMNS, read_answers
from visage.texture.study_stimuli import Stimuli, load_stimuli, write_stimuli
from visage.texture.user_study import TRUTH, trials_a, trials_b

TIMEOUT = 30_000
DARK = {"text-base": "#ced6dd", "text-muted": "#9ca4af", "border": "#48566b", "surface": "#29313d",
        "background": "#14181e", "primary": "#3fb1c5"}  # fmt: skip
"""The book's own colours at night, as its theme names them."""

STYLES = ("explorer.css", "user_study.css")
MAKERS_A, MAKERS_B = ("pca", "convex"), ("convex", TRUTH, "pca")
NAMES = {TRUTH: "the true skin", "pca": "Eigenfaces", "convex": "Our method"}
PEOPLE, SEED = 4, 11


def level(maker, person, pose=0):
    """The grey that a picture has all over."""
    return 0.1 + 0.2 * (TRUTH, "pca", "convex").index(maker) + 0.03 * person + 0.015 * pose


def grey(values, height, width):
    values = torch.tensor(values)
    return values[..., None, None, None].expand(*values.shape, 3, height, width).contiguous()


@pytest.fixture(scope="module")
def explorer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stimuli")
    halves = {
        name: grey([level(name, p) for p in range(PEOPLE)], 48, 24) for name in (TRUTH, *MAKERS_A)
    }
    faces = {
        name: grey([[level(name, p, r) for r in range(2)] for p in range(3)], 40, 32)
        for name in MAKERS_B
    }
    reference = grey([0.8 + 0.03 * p for p in range(PEOPLE)], 48, 24)
    write_stimuli(Stimuli(reference, halves, faces, NAMES), folder, quality=100)
    return UserStudyExplorer(folder, seed=SEED)


@pytest.fixture
def study(browser, explorer, tmp_path):
    state = {name: getattr(explorer, name) for name in ("halves", "faces", "words", "seed")}
    write_notebook(tmp_path, "user_study.js", STYLES, state | {"answers": []}, "")
    with served(tmp_path) as address:

        def opened(**options):
            return visiting(browser, f"{address}/index.html", **options)

        yield opened


def ready(page):
    page.wait_for_selector(".vx-study[data-ready]", timeout=TIMEOUT)
    return page


def begin(page, which="a"):
    page.locator(f'.vx-study .vx-button[data-value="{which}"]').click()
    page.locator('[data-key="begin"]').click()
    asked(page, 0)


def asked(page, number):
    page.wait_for_selector(
        f'.vx-study[data-state="asking"][data-trial="{number}"]', timeout=TIMEOUT
    )


def over(page):
    page.wait_for_selector('.vx-study[data-state="done"]', timeout=TIMEOUT)


def shown(page, side):
    return pixels(page, f'.vx-study-stage canvas[data-side="{side}"]').mean()


def kept(page):
    return json.loads(page.evaluate("localStorage.getItem('visage-user-study')"))["answers"]


def test_a_round_of_study_a_by_mouse(study):
    with study() as visit:
        page = ready(visit.page)
        begin(page)
        trials = trials_a(PEOPLE, MAKERS_A, SEED)
        texts = set()
        for number, trial in enumerate(trials):
            asked(page, number)
            assert shown(page, 0) == pytest.approx(0.8 + 0.03 * trial.person, abs=0.012)
            assert shown(page, 1) == pytest.approx(level(trial.right, trial.person), abs=0.012)
            stage = page.locator(".vx-study-stage")
            markup = stage.evaluate("e => e.outerHTML")
            assert not any(word in markup for word in (*NAMES, *NAMES.values()))
            texts.add(stage.inner_text().replace(f"Question {number + 1} ", ""))
            page.locator(f'[data-key="{("first", "second")[number % 2]}"]').click()
        over(page)
        # Whatever is asked, the words are the same.
        assert len(texts) == 1
        answers = kept(page)
        assert [a["right"] for a in answers] == [t.right for t in trials]
        assert [a["choice"] for a in answers] == ["real", "made"] * 2
        assert [a["trial"] for a in answers] == list(range(PEOPLE))
        assert all(a["seed"] == SEED and a["left"] == TRUTH for a in answers)
        assert all(0 < a["seconds"] < 60 for a in answers)
        assert page.locator(".vx-seen").count() == PEOPLE
        assert page.locator(".vx-tally tbody tr").count() == 3
        assert not visit.errors
        assert not visit.outside


def test_a_round_of_study_b_by_keyboard_and_its_table(study, tmp_path):
    with study() as visit:
        page = ready(visit.page)
        page.locator('.vx-study .vx-button[data-value="b"]').focus()
        page.keyboard.press("Enter")
        page.locator('[data-key="begin"]').focus()
        page.keyboard.press("Enter")
        trials = trials_b(3, 2, MAKERS_B, SEED)
        for number, trial in enumerate(trials):
            asked(page, number)
            for side, maker in enumerate((trial.left, trial.right)):
                wanted = level(maker, trial.person, trial.pose)
                assert shown(page, side) == pytest.approx(wanted, abs=0.012)
            page.keyboard.press("ArrowLeft" if number % 3 else "ArrowRight")
            page.keyboard.press("ArrowLeft")  # nothing is asked: not counted
        over(page)
        with page.expect_download() as waiting:
            page.locator('[data-key="csv"]').click()
        path = tmp_path / "answers.csv"
        waiting.value.save_as(path)
        answers = read_answers(path)
        assert [(a.left, a.right, a.person, a.pose) for a in answers] == [
            (t.left, t.right, t.person, t.pose) for t in trials
        ]
        wanted = ["left" if n % 3 else "right" for n in range(len(trials))]
        assert [a.choice for a in answers] == wanted
        assert next(csv.reader(io.StringIO(path.read_text()))) == list(COLUMNS)
        assert len({a.rater for a in answers}) == 1
        assert not visit.errors


def test_answers_outlive_the_page_until_they_are_forgotten(study):
    with study() as visit:
        page = ready(visit.page)
        begin(page)
        page.locator('[data-key="first"]').click()
        asked(page, 1)
        page.locator('[data-key="stop"]').click()
        assert page.locator(".vx-study-stage").is_hidden()
        page.reload()
        ready(page)
        assert len(kept(page)) == 1
        assert page.locator('[data-key="begin"]').inner_text() == "Another round"
        page.locator('[data-key="forget"]').click()
        assert kept(page) == []
        assert page.locator('[data-key="csv"]').is_hidden()
        assert not visit.errors


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
def test_the_studies_fit_the_window(study, width, dark, screenshots):
    with study(width=width, dark=dark) as visit:
        page = ready(visit.page)
        if dark:
            page.evaluate(
                "(colours) => { const root = document.documentElement; root.dataset.theme = 'dark';"
                " for (const [name, value] of Object.entries(colours))"
                " root.style.setProperty(`--pst-color-${name}`, value);"
                " document.body.style.background = colours.background; }",
                DARK,
            )
        assert fits(page, ".vx-study", width)
        for which, count in (("a", PEOPLE), ("b", 9)):
            begin(page, which)
            assert fits(page, ".vx-study", width)
            box = page.locator(".vx-answers-row").bounding_box()
            assert box["height"] >= 44
            for number in range(count):
                asked(page, number)
                page.locator('[data-key="first"]').click()
            over(page)
            assert fits(page, ".vx-study", width)
            name = f"user-study-{which}-{width}-{'dark' if dark else 'light'}.png"
            page.locator(".vx-study").screenshot(path=screenshots / name)


def test_the_shipped_studies_show_the_right_faces(browser, tmp_path, screenshots):
    explorer, stimuli = UserStudyExplorer(seed=3), load_stimuli()
    first = trials_a(stimuli.people_a, stimuli.makers_a, 3)[0]
    pair = trials_b(stimuli.people_b, stimuli.poses, stimuli.makers_b, 4)[0]
    wanted = {
        "a": (stimuli.reference[first.person], stimuli.halves[first.right][first.person]),
        "b": [stimuli.faces[name][pair.person, pair.pose] for name in (pair.left, pair.right)],
    }
    state = {name: getattr(explorer, name) for name in ("halves", "faces", "words", "seed")}
    write_notebook(tmp_path, "user_study.js", STYLES, state | {"answers": []}, "")
    with served(tmp_path) as address, visiting(browser, f"{address}/index.html") as visit:
        page = ready(visit.page)
        for which, pictures in wanted.items():
            begin(page, which)
            for side, picture in enumerate(pictures):
                found = pixels(page, f'.vx-study-stage canvas[data-side="{side}"]')
                assert found.std() > 0.05
                assert np.abs(found - picture.permute(1, 2, 0).numpy()).mean() < 0.02
            page.locator(".vx-study").screenshot(path=screenshots / f"user-study-faces-{which}.png")
            page.locator('[data-key="stop"]').click()
        assert not visit.errors


def test_the_chapter_has_the_studies(open_page):
    with open_page("texture/the_missing_half.html") as visit:
        page = visit.page
        page.locator(".vx-study").scroll_into_view_if_needed()
        ready(page)
        begin(page, "b")
        page.locator('[data-key="second"]').click()
        asked(page, 1)
        assert [answer["choice"] for answer in kept(page)] == ["right"]
        assert not visit.errors
        assert not visit.outside
        assert not visit.failed
