"""The quizzes: one right answer, links that lead somewhere, a form that JavaScript understands."""

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from docutils.nodes import make_id

from tools.book import REPOSITORY, Book
from visage.explore.quiz import (
    FOLDER,
    PARTS,
    SITE,
    Question,
    QuizError,
    QuizExplorer,
    load_quiz,
    marked,
    quiz_form,
    quiz_page,
)

each_part = pytest.mark.parametrize("part", PARTS)
TWO = re.compile(r"\*two\*", re.IGNORECASE)


def places(page: Path) -> set[str]:
    """What a link to a page may name after its #: headings and labels, as docutils makes them."""
    lines = page.read_text(encoding="utf-8").splitlines()
    headings = {make_id(line.lstrip("# ")) for line in lines if re.match(r"#+ ", line)}
    return headings | {line[1:-2] for line in lines if re.fullmatch(r"\([\w-]+\)=", line)}


def form_of(part):
    return BeautifulSoup(quiz_form(load_quiz(part)), "html.parser")


def test_every_part_has_its_quiz_and_its_page():
    assert {path.stem for path in FOLDER.glob("*.json")} == set(PARTS)
    pages = {page.relative_to(REPOSITORY).as_posix() for page in Book().pages}
    for part in PARTS:
        assert f"book/{part}/quiz.md" in pages
        text = (REPOSITORY / "book" / part / "quiz.md").read_text(encoding="utf-8")
        assert f"```{{quiz}} {part}\n" in text


@each_part
def test_five_questions_with_one_right_answer_unless_two_are_asked_for(part):
    quiz = load_quiz(part)
    assert len(quiz.questions) == 5
    for question in quiz.questions:
        wanted = 2 if TWO.search(question.ask) else 1
        assert len(question.right) == wanted, question.ask
        assert len(question.answers) == 4
        assert question.ask.endswith("?")
        assert len(question.why) > 60


def test_the_right_answer_is_not_always_at_one_place_nor_always_the_longest():
    single = [q for part in PARTS for q in load_quiz(part).questions if len(q.right) == 1]
    at = [q.right[0] for q in single]
    assert max(at.count(place) for place in range(4)) < len(single) / 2
    longest = [max(range(4), key=lambda k, q=q: len(q.answers[k])) == q.right[0] for q in single]
    assert sum(longest) < 0.75 * len(single)


@each_part
def test_answers_lead_to_a_section_of_the_book(part):
    pages = {page.relative_to(REPOSITORY / "book").with_suffix("").as_posix(): page
             for page in Book().pages}  # fmt: skip
    for question in load_quiz(part).questions:
        page, _, anchor = question.see.partition("#")
        assert page in pages, question.see
        assert anchor in places(pages[page]), question.see
        assert make_id(question.section) == anchor, "the link says another heading"


@each_part
def test_the_form_says_all_of_the_quiz(part):
    quiz, form = load_quiz(part), form_of(part)
    fields = form.find_all("fieldset")
    assert len(fields) == len(quiz.questions)
    names = set()
    for question, field in zip(quiz.questions, fields, strict=True):
        inputs = field.find_all("input")
        assert [k for k, one in enumerate(inputs) if one.has_attr("data-right")] == list(
            question.right
        )
        assert {one["type"] for one in inputs} == {
            "radio" if len(question.right) == 1 else "checkbox"
        }
        assert all(one.find_parent("label") for one in inputs), "an answer without a label"
        names |= {one["name"] for one in inputs}
        assert field.find("legend") is not None
        # Without JavaScript the answer unfolds, and says which one is right.
        why = field.find("details")
        for k in question.right:
            assert BeautifulSoup(marked(question.answers[k]), "html.parser").text in why.text
        assert why.find("a")["href"].startswith(SITE)
    assert len(names) == len(fields), "two questions share their radio buttons"


def test_links_of_a_page_are_its_own():
    html = quiz_page("inversion", lambda place: f"../{place.replace('#', '.html#')}")
    assert SITE not in BeautifulSoup(html, "html.parser").find("form").decode()
    assert 'href="../inversion/one_pass.html#the-network"' in html
    assert "export default" not in html, "a script of a page exports nothing"
    assert "enliven(form)" in html


def test_notebooks_link_to_the_published_book():
    assert Book().config["html"]["baseurl"] == SITE


def test_the_widget_holds_the_form():
    widget = QuizExplorer("geometry")
    assert widget.form == quiz_form(load_quiz("geometry"))
    with pytest.raises(QuizError, match="choose among start, inversion"):
        QuizExplorer("algebra")


@pytest.mark.parametrize(
    ("answers", "right"),
    [(("a",), (0,)), (("a", "a"), (0,)), (("a", "b"), ()), (("a", "b"), (2,)),
     (("a", "b"), (1, 1))],
)  # fmt: skip
def test_a_question_without_an_answer_is_refused(answers, right):
    with pytest.raises(QuizError):
        Question("Which?", answers, right, "Because.", "a#b", "B")


def test_marks_become_html_and_nothing_else_does():
    assert marked("a *b* `c<d>` e_{f} <b>") == (
        "a <em>b</em> <code>c&lt;d&gt;</code> e<sub>f</sub> &lt;b&gt;"
    )


def test_the_page_counts_as_it_should(run_js):
    script = (
        'import { isRight, scoreWords } from "./quiz.js";\n'
        "console.log(JSON.stringify({ right: given.pairs.map(([a, b]) => isRight(a, b)),"
        " words: given.results.map(scoreWords) }));"
    )
    pairs = [(["1"], ["1"]), (["1"], ["2"]), (["0", "3"], ["3", "0"]), (["0"], ["0", "3"]),
             (["0", "1", "3"], ["0", "3"])]  # fmt: skip
    results = [[None] * 5, [True, None, False, None, None], [True] * 5, [False] * 5]
    found = run_js(script, {"pairs": pairs, "results": results})
    assert found["right"] == [True, False, True, False, False]
    assert found["words"][0] == "5 questions."
    assert found["words"][1] == "1 of 5 right, 3 to go."
    assert found["words"][2] == "5 of 5 right. All right."
    assert found["words"][3].startswith("0 of 5 right.")
