"""Quizzes: five questions a part, in Jupyter as a widget and in the book's pages as a form.

The questions lie in ``quiz/<part>.json``. One function writes the form, for both; without
JavaScript it is still a quiz: choose, then unfold the answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path

import anywidget
import traitlets

from visage.explore.javascript import bundle, stylesheet

FOLDER = Path(__file__).parent / "quiz"
PARTS = ("start", "inversion", "normalization", "nfgan", "geometry", "texture")
"""That have a quiz, in the book's order."""

SITE = "https://visage-book.github.io/visage/"
"""Where the links of a quiz lead from a notebook, which has no pages beside it."""

STYLES = ("explorer.css", "quiz.css")


class QuizError(ValueError):
    """A quiz that there is not, or whose questions have no answer."""


@dataclass(frozen=True)
class Question:
    """One question.

    Raises:
        QuizError: there are fewer than two answers, two are alike, or the right ones are not among
            them.
    """

    ask: str
    answers: tuple[str, ...]
    right: tuple[int, ...]  # of the answers; more than one where the question says so
    why: str
    see: str  # page of the book and place in it: "inversion/one_pass#the-network"
    section: str  # that place's heading

    def __post_init__(self):
        if len(set(self.answers)) != len(self.answers) or len(self.answers) < 2:
            raise QuizError(f"{self.ask!r} needs two answers or more, all different")
        places = set(range(len(self.answers)))
        if not self.right or len(set(self.right)) < len(self.right) or set(self.right) - places:
            raise QuizError(f"{self.ask!r} has right answers {self.right} among {len(places)}")


@dataclass(frozen=True)
class Quiz:
    """The questions of a part."""

    part: str  # of `PARTS`
    title: str
    lead: str
    questions: tuple[Question, ...]


@lru_cache(maxsize=len(PARTS))
def load_quiz(part: str) -> Quiz:
    """The quiz of a part.

    Raises:
        QuizError: there is none of that name; the message lists those that there are.

    >>> load_quiz("inversion").title
    'Part I'
    """
    if part not in PARTS:
        raise QuizError(f"there is no quiz {part!r}; choose among {', '.join(PARTS)}")
    told = json.loads((FOLDER / f"{part}.json").read_text(encoding="utf-8"))
    questions = tuple(
        Question(one["ask"], tuple(one["answers"]), tuple(one["right"]), one["why"], one["see"],
                 one["section"])
        for one in told["questions"]
    )  # fmt: skip
    return Quiz(part, told["title"], told["lead"], questions)


def marked(text: str) -> str:
    """HTML of a line with ``*stress*``, ```code``` and ``_{subscripts}``.

    >>> marked("*n*_{z} < 1")
    '<em>n</em><sub>z</sub> &lt; 1'
    """
    text = escape(text, quote=False)
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    text = re.sub(r"\*([^*]+)\*", r"<em>\1</em>", text)
    return re.sub(r"_\{([^}]+)\}", r"<sub>\1</sub>", text)


def quiz_form(quiz: Quiz, address: Callable[[str], str] | None = None) -> str:
    """The quiz as HTML, to be brought to life by ``quiz.js``.

    Args:
        quiz: to write.
        address: of a place in the book such as "inversion/one_pass#the-network"; that of the
            published book if None.
    """
    address = address or published
    rows = "".join(_question(quiz, number, address) for number in range(len(quiz.questions)))
    count = len(quiz.questions)
    dots = "".join(f'<li class="vx-quiz-dot"><span>{k + 1}</span></li>' for k in range(count))
    return (
        f'<form class="vx vx-quiz" data-quiz="{quiz.part}" aria-label="Quiz, {escape(quiz.title)}">'
        f'<div class="vx-quiz-head"><ol class="vx-quiz-dots" aria-hidden="true">{dots}</ol>'
        f'<p class="vx-quiz-score" role="status">{count} questions.</p></div>'
        f'{rows}<p class="vx-quiz-end"><button type="reset" class="vx-button" hidden>'
        "Begin again</button></p></form>"
    )


def published(place: str) -> str:
    """The address of a place in the published book.

    >>> published("inversion/one_pass#the-network")
    'https://visage-book.github.io/visage/inversion/one_pass.html#the-network'
    """
    page, _, anchor = place.partition("#")
    return f"{SITE}{page}.html#{anchor}"


def _question(quiz: Quiz, number: int, address: Callable[[str], str]) -> str:
    question, name = quiz.questions[number], f"{quiz.part}-{number + 1}"
    kind = "radio" if len(question.right) == 1 else "checkbox"
    options = "".join(
        f'<label class="vx-quiz-answer"><input type="{kind}" name="{name}" value="{k}"'
        f"{' data-right' if k in question.right else ''}>"
        f"<span>{marked(answer)}</span></label>"
        for k, answer in enumerate(question.answers)
    )
    right = " ".join(marked(question.answers[k]) for k in question.right)
    return (
        f'<fieldset class="vx-quiz-question" data-question="{number + 1}">'
        f'<legend><span class="vx-quiz-number">{number + 1}</span> {marked(question.ask)}</legend>'
        f"{options}"
        '<p class="vx-row"><button type="submit" class="vx-button" hidden>Check</button>'
        '<span class="vx-quiz-verdict" role="status"></span></p>'
        f'<details class="vx-quiz-why"><summary>Answer</summary>'
        f'<p class="vx-quiz-right">{right}</p><p>{marked(question.why)} '
        f'<a href="{escape(address(question.see))}">{marked(question.section)}</a></p>'
        "</details></fieldset>"
    )


def quiz_page(part: str, address: Callable[[str], str]) -> str:
    """All that a page of the book needs for a quiz: style, form and script."""
    script = bundle("quiz.js").replace("export default { render };", _START)
    return (
        f"<style>{stylesheet(*STYLES)}</style>{quiz_form(load_quiz(part), address)}"
        f'<script type="module">{script}</script>'
    )


_START = 'for (const form of document.querySelectorAll("form.vx-quiz")) enliven(form);'


class QuizExplorer(anywidget.AnyWidget):
    """A part's quiz in a notebook; needs no kernel once it is shown.

    Args:
        part: of `PARTS`.

    Raises:
        QuizError: there is none of that name.
    """

    _esm = bundle("quiz.js")
    _css = stylesheet(*STYLES)

    part = traitlets.Unicode().tag(sync=True)
    form = traitlets.Unicode().tag(sync=True)

    def __init__(self, part: str):
        super().__init__(part=part, form=quiz_form(load_quiz(part)))
