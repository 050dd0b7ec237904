"""The glossary: short entries in order, that the chapters lead to and the library does not need."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from tools.book import REPOSITORY, Book

PAGE = (REPOSITORY / "book" / "glossary.md").read_text(encoding="utf-8")
BODY = PAGE.partition(":::{glossary}\n")[2].rpartition("\n:::")[0]
ENTRIES = [block.split("\n  ", 1) for block in re.split(r"\n\n", BODY)]
TERMS = {name for names, _ in ENTRIES for name in names.split("\n")}
ROLE = re.compile(r"\{term\}`(?:[^`<]*<)?([^`<>]+)>?`")
PARTS = ("start", "faces", "inversion", "normalization", "nfgan", "geometry", "texture", "avatar")


def used(text: str) -> set[str]:
    return {name.strip() for name in ROLE.findall(text)}


def test_entries_are_in_order_and_short():
    names = [names.partition("\n")[0].lower() for names, _ in ENTRIES]
    assert len(names) > 100
    assert all(a < b for a, b in pairwise(names)), [p for p in pairwise(names) if p[0] >= p[1]]
    assert len(TERMS) == sum(len(names.split("\n")) for names, _ in ENTRIES), "a term twice"
    for name, text in ENTRIES:
        assert "\n" not in text, name
        assert text.endswith("."), name
        assert len(re.findall(r"[.:](?= [A-Z*]|$)", text)) <= 4, name
        assert len(text) < 320, name


def test_every_link_leads_to_a_term():
    for page in Book().pages:
        missing = used(page.read_text(encoding="utf-8")) - TERMS
        assert not missing, page


@pytest.mark.parametrize("part", PARTS)
def test_each_part_leads_to_the_glossary(part):
    texts = [p.read_text(encoding="utf-8") for p in Book().pages if p.parent.name == part]
    assert texts
    assert len(set().union(*map(used, texts))) >= 4


def test_a_role_is_read_with_and_without_a_target():
    assert used("{term}`mesh` and {term}`meshes <mesh>`, {ref}`x`") == {"mesh"}
