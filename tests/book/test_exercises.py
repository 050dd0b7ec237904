"""Which exercises are tested: counted by reading the chapters."""

from __future__ import annotations

import re

import pytest

from tests.book.conftest import chapter_text
from tools.book import Book
from tools.exercises import Exercise, chapter_exercises, exercises

EXERCISE = """
```{exercise} Add
:label: exercise-add

How much is one and one?
```

````{solution-start} exercise-add
:class: dropdown
````

Two.

```{code-cell} ipython3
CODE
```

````{solution-end}
````

```{code-cell} ipython3
assert 1 + 1 == 2  # belongs to no solution
```
"""


@pytest.mark.parametrize(
    ("code", "tested"),
    [
        ("assert 1 + 1 == 2", True),
        ("for one in (1, 1):\n    assert one == 1", True),
        ("torch.testing.assert_close(one, other)", True),
        ("%matplotlib inline\nassert True", True),
        ("print(1 + 1)", False),
        ("# assert 1 + 1 == 2", False),
        ('if PROFILE == "full":\n    assert 1 + 1 == 2', False),
        ("def check():\n    assert 1 + 1 == 3", False),
        (":tags: [skip-execution]\n\nassert 1 + 1 == 2", False),
    ],
)
def test_a_solution_is_tested_if_it_certainly_asserts(tiny_book, code, tested):
    chapter = tiny_book.chapters[0]
    text = chapter_text("One", "x = 1") + EXERCISE.replace("CODE", code)
    chapter.source.write_text(text, encoding="utf-8")
    assert chapter_exercises(tiny_book, chapter) == [Exercise("exercise-add", tested)]


def test_an_exercise_without_a_solution_counts_as_untested(tiny_book):
    chapter = tiny_book.chapters[1]
    text = (
        chapter_text("Two", "assert True") + "\n```{exercise} Why\n:label: exercise-why\n\n?\n```\n"
    )
    chapter.source.write_text(text, encoding="utf-8")
    assert exercises(tiny_book) == [Exercise("exercise-why", False)]


def test_running_the_book_tests_every_exercise():
    book = Book()
    found = exercises(book)
    texts = [page.read_text(encoding="utf-8") for page in book.pages]
    written = sum(len(re.findall(r"^`+{exercise(-start)?}", text, re.MULTILINE)) for text in texts)
    assert len(found) == written > 50
    assert [one.label for one in found if not one.tested] == []
    assert len({one.label for one in found}) == len(found)
