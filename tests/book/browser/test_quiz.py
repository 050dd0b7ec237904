"""The quizzes in chromium: choose, check, learn why; with a mouse, keys, or without JavaScript."""

import pytest

from tests.book.browser.explorer_page import fits, painted, write_notebook
from tools.serve import served
from visage.explore.quiz import PARTS, STYLES, load_quiz, quiz_form

FORM = "form.vx-quiz"


def opened(page):
    page.locator(f"{FORM}[data-ready=true]").wait_for(timeout=30_000)
    return page


def answer(page, number, chosen):
    field = page.locator(f'{FORM} [data-question="{number}"]')
    for k in chosen:
        field.locator("input").nth(k).check()
    field.get_by_role("button", name="Check").click()
    painted(page)
    return field


@pytest.mark.parametrize("part", PARTS)
def test_right_answers_are_right_and_explained(open_page, part):
    with open_page(f"{part}/quiz.html") as visit:
        page = opened(visit.page)
        for number, question in enumerate(load_quiz(part).questions, 1):
            field = page.locator(f'{FORM} [data-question="{number}"]')
            assert not field.locator(".vx-quiz-why").is_visible(), "the answer is given away"
            assert not field.get_by_role("button", name="Check").is_enabled()
            answer(page, number, question.right)
            assert field.get_attribute("data-result") == "right"
            assert field.locator(".vx-quiz-why").is_visible()
            link = field.locator(".vx-quiz-why a")
            address, _, anchor = link.evaluate("e => e.href").partition("#")
            reply = page.request.get(address)
            assert reply.ok
            assert f'id="{anchor}"' in reply.text()
        assert page.locator(".vx-quiz-score").inner_text() == "5 of 5 right. All right."
        assert not visit.errors
        assert not visit.outside


def test_a_wrong_answer_says_which_is_right_and_may_be_tried_again(open_page):
    with open_page("inversion/quiz.html") as visit:
        page = opened(visit.page)
        question = load_quiz("inversion").questions[0]
        wrong = next(k for k in range(4) if k not in question.right)
        field = answer(page, 1, [wrong])
        assert field.get_attribute("data-result") == "wrong"
        marks = [one.get_attribute("data-mark") for one in field.locator("label").all()]
        assert marks[wrong] == "wrong"
        assert marks[question.right[0]] == "right"
        assert "0 of 5 right, 4 to go" in page.locator(".vx-quiz-score").inner_text()
        field.locator("input").nth(question.right[0]).check()
        assert field.get_attribute("data-result") == ""
        answer(page, 1, question.right)
        assert "1 of 5 right" in page.locator(".vx-quiz-score").inner_text()
        page.get_by_role("button", name="Begin again").click()
        painted(page)
        assert page.locator(".vx-quiz-score").inner_text() == "5 questions."
        assert page.locator(f"{FORM} input:checked").count() == 0


def test_two_answers_are_wanted_where_two_are_right(open_page):
    with open_page("start/quiz.html") as visit:
        page = opened(visit.page)
        right = load_quiz("start").questions[4].right
        field = answer(page, 5, right[:1])
        assert field.get_attribute("data-result") == "wrong", "half is not the whole"
        field.locator("input").nth(right[1]).check()
        answer(page, 5, right)
        assert field.get_attribute("data-result") == "right"


def test_keys_are_enough(open_page):
    with open_page("nfgan/quiz.html") as visit:
        page = opened(visit.page)
        right = load_quiz("nfgan").questions[0].right[0]
        page.locator(f'{FORM} [data-question="1"] input').first.focus()
        page.keyboard.press("Space")
        for _ in range(right):
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        painted(page)
        assert page.locator('[data-question="1"]').get_attribute("data-result") == "right"
        assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
        page.keyboard.press("Tab")  # the link to the section
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.name") == "nfgan-2"


def test_without_javascript_the_answer_unfolds(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/texture/quiz.html")
    first = page.locator(f'{FORM} [data-question="1"]')
    assert not first.locator("button").is_visible()
    first.locator("summary").click()
    question = load_quiz("texture").questions[0]
    assert first.locator(".vx-quiz-right").inner_text() == question.answers[question.right[0]]
    context.close()


def test_a_notebook_shows_the_same_form(browser, tmp_path):
    state = {"part": "geometry", "form": quiz_form(load_quiz("geometry"))}
    write_notebook(tmp_path, "quiz.js", STYLES, state, "")
    with served(tmp_path) as address:
        page = browser.new_page()
        page.goto(f"{address}/index.html")
        opened(page)
        answer(page, 1, load_quiz("geometry").questions[0].right)
        assert "1 of 5 right" in page.locator(".vx-quiz-score").inner_text()
        page.close()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_fits(open_page, screenshots, width, dark):
    with open_page("geometry/quiz.html", width=width, dark=dark) as visit:
        page = opened(visit.page)
        answer(page, 1, load_quiz("geometry").questions[0].right)
        answer(page, 2, [0])
        assert fits(page, FORM, width)
        name = f"quiz-{width}-{'dark' if dark else 'light'}.png"
        page.screenshot(path=screenshots / name, full_page=True)
