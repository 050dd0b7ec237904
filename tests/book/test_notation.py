"""Each letter of the notation page stands where the page says that it does."""

from __future__ import annotations

import re

import pytest

from tools.book import REPOSITORY, Book

PAGE = (REPOSITORY / "book" / "notation.md").read_text(encoding="utf-8")
TEXTS = {
    page.relative_to(REPOSITORY / "book").as_posix(): page.read_text(encoding="utf-8")
    for page in Book().pages
    if page.name != "notation.md"
}
EQUATION = re.compile(r"\$\$\n(?P<body>.*?)\n\$\$ \((?P<label>[\w:-]+)\)", re.DOTALL)
EQUATIONS = {
    found["label"]: (name, found["body"])
    for name, text in TEXTS.items()
    for found in EQUATION.finditer(text)
}
CHAPTERS = {
    label: (name, "\n".join(re.findall(r"(?<!\$)\$([^$\n]+)\$(?!\$)", text)))
    for name, text in TEXTS.items()
    for label in re.findall(r"^\(([\w:-]+)\)=$", text, re.MULTILINE)
}
ENTRIES = re.findall(r"^(\$.+\$)\n: (.+)$", PAGE, re.MULTILINE)


def tokens(tex: str) -> list[str]:
    """Commands, letters, digits and marks, without what only sets them; a word label is one."""
    tex = re.sub(r"\\[,;!]", " ", tex)
    tex = re.sub(r"\\(?:text|mathrm)\s*\{([^}]*)\}", lambda m: f" @{m[1].replace(' ', '')} ", tex)
    return re.findall(r"@[\w-]+|\\[a-zA-Z]+|[A-Za-z0-9]|[^\s{}]", tex)


def stands(symbol: str, tex: str) -> bool:
    """Whether a symbol is in a formula, as a piece of it and not as a part of a command."""
    wanted, there = tokens(symbol), tokens(tex)
    starts = range(len(there) - len(wanted) + 1)
    return any(there[start : start + len(wanted)] == wanted for start in starts)


def symbols(term: str) -> list[str]:
    return [one.strip() for one in re.findall(r"\$([^$]+)\$", term)]


def references(body: str) -> list[tuple[str, str]]:
    """(chapter, mathematics) of each place that an entry leads to."""
    found = [EQUATIONS[label] for label in re.findall(r"\{eq\}`([^`]+)`", body)]
    return found + [CHAPTERS[label] for label in re.findall(r"\{ref\}`([^`]+)`", body)]


def test_the_page_has_entries():
    assert len(ENTRIES) > 35
    assert len(re.findall(r"^\$.*\n: ", PAGE, re.MULTILINE)) == len(ENTRIES)


@pytest.mark.parametrize(("term", "body"), ENTRIES)
def test_a_letter_stands_where_the_entry_says(term, body):
    places = references(body)
    for chapter, tex in places:
        assert any(stands(one, tex) for one in symbols(term)), f"{term} is not in {chapter}: {tex}"
    for one in symbols(term):
        assert any(stands(one, tex) for _, tex in places), f"nowhere is {one}"


def test_what_is_the_same_is_so_in_two_chapters_or_two_equations():
    same, _, several = PAGE.partition("## One letter, several things")
    for term, body in re.findall(r"^(\$.+\$)\n: (.+)$", same, re.MULTILINE):
        assert len(references(body)) >= 2, term
    for term, body in re.findall(r"^(\$.+\$)\n: (.+)$", several, re.MULTILINE):
        assert len({chapter for chapter, _ in references(body)}) >= 2, term


def test_what_is_searched_for_can_be_missed():
    assert stands("d", "d[F(p)]")
    assert not stands("d", r"\delta")
    assert stands(r"\alpha", r"\hat\alpha + 1")
    assert not stands(r"\tau", r"\lambda")
    assert stands("A_\\text{id}", r"[A_\text{id} | A_\text{exp}]")
    assert not stands(r"\beta", EQUATIONS["geometry-gmse"][1])
    assert not stands("w", EQUATIONS["inversion"][1])


def test_the_drawing_is_there_and_names_itself():
    drawing = (REPOSITORY / "book" / "_static" / "frames.svg").read_text(encoding="utf-8")
    assert 'role="img" aria-label="' in drawing
    assert not re.search(r"#[0-9a-fA-F]{3,6}\b", drawing), "a colour that knows no dark page"
