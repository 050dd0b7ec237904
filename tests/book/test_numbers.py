"""No page shows a measured number that is not in the ledger, in its code, or quoted."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tools.book import REPOSITORY, Book
from tools.manifests import FOLDER, read_manifests
from tools.numbers import (
    Paragraph,
    constants,
    numbers,
    paragraphs,
    read_quoted,
    settings,
    sources,
    unfounded,
)
from visage.ledger import Result, Row, list_results, read

BOOK = Book()
ALLOWED: dict[str, dict[str, str]] = yaml.safe_load(
    (Path(__file__).parent / "numbers_allowed.yaml").read_text(encoding="utf-8")
)
LEDGER = {id: read(id) for id in list_results()}
MOST_ALLOWED = 30  # the list is a last resort


def name_of(page: Path) -> str:
    return page.relative_to(REPOSITORY / "book").with_suffix("").as_posix()


@pytest.mark.parametrize("page", BOOK.pages, ids=name_of)
def test_measured_numbers_come_from_somewhere(page):
    allowed = ALLOWED.get(name_of(page), {})
    strange = [
        f"{page.relative_to(REPOSITORY)}:{line}: {number.text}"
        for line, number in unfounded(REPOSITORY, page, LEDGER)
        if number.text not in allowed
    ]
    assert not strange, (
        "These numbers are in no entry of the ledger that the page names, in none of its code, and "
        "in no quotation of tools/papers/quoted.yaml. Read them from the ledger, or say them in "
        "words: " + ", ".join(strange)
    )


def test_what_is_allowed_is_needed_and_has_a_reason():
    assert sum(map(len, ALLOWED.values())) <= MOST_ALLOWED
    pages = {name_of(page): page for page in BOOK.pages}
    for name, entries in ALLOWED.items():
        found = {number.text for _, number in unfounded(REPOSITORY, pages[name], LEDGER)}
        assert set(entries) <= found, f"{name}: {set(entries) - found} need no leave"
        assert all(len(reason.split()) >= 3 for reason in entries.values())


def test_quotations_stand_in_the_papers():
    """Where the papers' texts are: a folder, named by VISAGE_PAPERS, of one text each."""
    folder = os.environ.get("VISAGE_PAPERS")
    if not folder:
        pytest.skip("VISAGE_PAPERS names no folder with the papers' texts")
    texts = [path.read_text(encoding="utf-8") for path in Path(folder).glob("*.txt")]
    ours = {manifest.key for manifest in read_manifests()}
    for key, quoted in read_quoted().items():
        for written in quoted if key in ours else ():
            (number,) = re.findall(r"[\d.,]*\d", written)
            pattern = rf"(?<![\d.]){re.escape(number)}(?![\d]|\.\d)"
            assert any(re.search(pattern, text) for text in texts), f"{key} has no {written}"


def test_quotations_are_cited_somewhere():
    cited = {
        key for page in BOOK.pages for one in paragraphs(page.read_text()) for key in one.cites
    }
    assert set(read_quoted()) <= cited


PAGE = """\
---
kernelspec: {{name: python3}}
---

# A page

The error is {number}, says this page, and `7.77 mm` is code, and so is $7.77$.

```{{code-cell}} ipython3
:tags: [hide-input]

CROP = 12.5
print("never seen")
```

## Measured

The entry is `part/one`.

```{{code-cell}} ipython3
table("part/one", caption="In this table the error is {caption} of what it was.")
```

```{{math}}
7.77 mm
```

````{{exercise}} A title
:label: seven-7.77

A box has {boxed}.
````
"""


def made(
    tmp_path: Path, number: str = "words", caption: str = "a share", boxed: str = "words"
) -> list[str]:
    """What is found on a page with these numbers."""
    page = tmp_path / "book" / "part" / "page.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(PAGE.format(number=number, caption=caption, boxed=boxed), encoding="utf-8")
    rows = (
        Row("error", paper=3.22, ours=2.9557, unit="mm", better="lower", n=5),
        Row("share", paper=None, ours=0.9731, unit="fraction", better=None, n=5),
        Row("distance/at_40", paper=None, ours=0.4312, unit="", better=None, n=5),
    )
    result = replace(read("inversion/fig1"), id="part/one", rows=rows)
    return [number.text for _, number in unfounded(tmp_path, page, {"part/one": result})]


def test_a_page_without_numbers_is_fine(tmp_path):
    assert made(tmp_path) == []


@pytest.mark.parametrize("number", ["2.96 mm", "3.22 mm", "0.431", "12.5", "40 degrees", "97.3%"])
def test_numbers_of_the_ledger_and_of_code_may_stay(tmp_path, number):
    assert made(tmp_path, number=number) == []


@pytest.mark.parametrize(
    "number", ["2.97 mm", "2.96 px", "2.9 mm", "0.432", "96.3%", "12.6", "41 degrees", "5.5 s"]
)
def test_an_invented_number_is_found(tmp_path, number):
    assert made(tmp_path, number=number) == [number]
    assert made(tmp_path, boxed=number) == [number]
    assert made(tmp_path, caption=number) == [number]


def test_a_whole_percentage_needs_its_entry_in_the_same_section(tmp_path):
    assert made(tmp_path, caption="97%") == []
    assert made(tmp_path, number="97%") == ["97%"]


def test_a_changed_digit_in_a_chapter_is_found(tmp_path):
    """The chapters themselves, with one number wrong."""
    for folder in ("src", "tools"):
        (tmp_path / folder).symlink_to(REPOSITORY / folder)
    for name, right, wrong in (
        ("nfgan/recognition_by_generation", "97.49%", "97.94%"),
        ("start/who_is_this", "99.38%", "99.83%"),
        ("inversion/one_pass", "lies at 1.6 times", "lies at 1.7 times"),
    ):
        page = tmp_path / "book" / f"{name}.md"
        page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / "book" / f"{name}.md", page)
        before = {number.text for _, number in unfounded(tmp_path, page, LEDGER)}
        text = page.read_text(encoding="utf-8")
        assert right in text
        page.write_text(text.replace(right, wrong, 1), encoding="utf-8")
        after = {number.text for _, number in unfounded(tmp_path, page, LEDGER)}
        assert len(after - before) == 1, name


@pytest.mark.parametrize("page", [one.source for one in BOOK.chapters], ids=name_of)
def test_nothing_of_a_chapter_is_passed_over(page):
    """A number after every heading is seen, whatever stands around it."""
    text = page.read_text(encoding="utf-8")
    code = re.compile(r"^(`{3,}).*?^\1$", re.MULTILINE | re.DOTALL)
    shown = code.sub(lambda cell: "\n" * cell[0].count("\n"), text)
    headings = [index for index, line in enumerate(shown.splitlines()) if line.startswith("#")]
    lines = text.splitlines()
    for index in reversed(headings):
        lines.insert(index + 1, "\nIt took 123.456 s.\n")
    seen = [
        number.text for one in paragraphs("\n".join(lines)) for number in numbers(one.text)
    ].count("123.456 s")
    assert seen == len(headings) > 3


def test_what_is_a_measured_number():
    def found(text: str) -> list[str]:
        return [number.text for number in numbers(text)]

    assert found("From 0.5 to 3.25 mm, 12 % or 1,200 ms; −6 stops.") == [
        "0.5",
        "3.25 mm",
        "12 %",
        "1,200 ms",
        "−6 stops",
    ]
    assert found("Section 3.1, equation 2.4, Python 3.11, 80 modes, 2 by 2, in 2016.") == []
    assert found("Figures 1.2 and 1.3, the early 2000s, a 95% interval, CC BY 4.0") == []


def test_numbers_agree_at_their_own_precision():
    (number,) = numbers("0.43")
    assert number.says(0.4312)
    assert not number.says(0.4372)
    (share,) = numbers("97%")
    assert share.says(0.9731)
    assert not share.says(97.0)


def test_code_and_settings_hold_numbers():
    assert set(constants('x = f(0.25, "row_1e-3")\n')) == {0.25, 0.001}
    assert set(constants("%matplotlib inline 3.5")) == set()
    module = "A = 3.5\n\n\ndef f(x=7.0):\n    return 8.0\n\n\nclass C:\n    size: int = 224\n"
    assert set(settings(module)) == {3.5, 224.0}


def test_a_quotation_needs_its_paper_beside_it():
    known = sources(REPOSITORY, REPOSITORY / "book/texture/the_missing_half.md", LEDGER)
    bare = replace(known, rows={}, constants=frozenset(), settings=frozenset())
    (number,) = numbers("65.6%")
    assert bare.of(number, Paragraph(1, "In the paper 65.6% of them.", frozenset())) == "quoted"
    assert bare.of(number, Paragraph(1, "65.6%", frozenset({bare.paper}))) == "quoted"
    assert bare.of(number, Paragraph(1, "We measured 65.6%.", frozenset())) == ""


def test_every_list_of_this_test_is_read():
    assert set(ALLOWED) <= {name_of(page) for page in BOOK.pages}
    assert json.dumps(ALLOWED)
    assert isinstance(next(iter(LEDGER.values())), Result)
    assert (FOLDER / "quoted.yaml").is_file()
