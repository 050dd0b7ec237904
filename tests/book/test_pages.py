"""Each page opens with something to look at, and each chapter leads on to others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.bands import BANDS, band_files
from tools.book import REPOSITORY, Book
from tools.numbers import paragraphs
from visage.ledger import list_results

BOOK = Book()
WORDS_ABOVE = 200  # of text at most before the first picture: a phone's first screen and a half
PICTURE = re.compile(
    r"```\{(?:image|figure|raw\} html|quiz|paper-map)|% reproduction: |\{\{ run_times \}\}"
    r"|```\{code-cell\}(?:(?!```)[\s\S])*?"
    r"(?:figure\(|figure_of\(|show\(|Explorer|_viewer|Viewer|plt\.|explorer\(\)|image_grid\()"
)


def name_of(page: Path) -> str:
    return page.relative_to(REPOSITORY / "book").with_suffix("").as_posix()


@pytest.mark.parametrize("page", BOOK.pages, ids=name_of)
def test_a_page_opens_with_a_picture_or_an_explorer(page):
    if name_of(page) in BANDS:
        return
    text = page.read_text(encoding="utf-8")
    found = PICTURE.search(text)
    assert found, f"{name_of(page)} has no picture; give it one, or a band in tools/bands.yaml"
    words = sum(len(one.text.split()) for one in paragraphs(text[: found.start()] + "\n"))
    assert words <= WORDS_ABOVE, f"{words} words stand above the first picture"


def test_bands_are_put_under_titles_of_pages_that_need_one():
    pages = {
        f"book/{page}.md": (REPOSITORY / f"book/{page}.md").read_bytes()
        for page in BANDS
        if (REPOSITORY / f"book/{page}.md").is_file()
    }
    files = band_files(pages)
    assert {entry["entry"] for entry in BANDS.values()} <= set(list_results())
    for name, before in pages.items():
        after = files[name].decode()
        assert after.count('<figure class="band">') == 1
        (source,) = re.findall(r'<img src="(?:\.\./)*([^"]+)"', after)
        assert files[f"book/{source}"]
        title = re.search(r"^# .*$", before.decode(), re.MULTILINE)[0]
        assert f'{title}\n\n<figure class="band">' in after


def test_a_page_with_a_picture_of_its_own_gets_no_band():
    for page in BANDS:
        source = REPOSITORY / f"book/{page}.md"
        assert not PICTURE.search(source.read_text(encoding="utf-8")), page


def test_pages_without_a_band_are_left_alone():
    assert band_files({"book/other.md": b"# Other\n"}) == {}


@pytest.mark.parametrize("page", [one.source for one in BOOK.chapters], ids=name_of)
def test_a_chapter_leads_to_another(page):
    text = page.read_text(encoding="utf-8")
    own = set(re.findall(r"^\(([\w-]+)\)=", text, re.MULTILINE))
    targets = re.findall(r"\{ref\}`(?:[^`<]*<)?([\w-]+)>?`", text)
    assert set(targets) - own, f"{name_of(page)} has no link to another page"
