"""Fixtures for checks of the built site in chromium: `make check-site` names it in VISAGE_SITE.

A page's own script, say an explorer's, is a test in this folder that takes `open_page`:

    def test_the_slider_moves_the_distance(open_page):
        with open_page("start/who_is_this.html") as visit:
            visit.page.locator("input[type=range]").first.fill("3")
            ...
            assert not visit.errors
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path

import pytest

from tools.book import REPOSITORY
from tools.browser import open_browser, page_names, visit
from tools.serve import served

SITE = REPOSITORY / os.environ["VISAGE_SITE"] if "VISAGE_SITE" in os.environ else None
SCREENSHOTS = REPOSITORY / "_build" / "screenshots"


def pytest_generate_tests(metafunc):
    pages = [] if SITE is None else page_names(SITE)
    if "page_name" in metafunc.fixturenames:
        metafunc.parametrize("page_name", pages)
    if "page_look" in metafunc.fixturenames:
        looks = [look for name in pages for look in page_looks(name)]
        names = [f"{name}-{width}-{'dark' if dark else 'light'}" for name, width, dark in looks]
        metafunc.parametrize("page_look", looks, ids=names)
    if "explorer_page" in metafunc.fixturenames:
        metafunc.parametrize("explorer_page", [name for name in pages if has_explorer(SITE / name)])


def page_looks(name: str) -> list[tuple[str, int, bool]]:
    """Windows in which a page is looked at: page, width, and whether it is dark.

    The reference of the library is many pages of one make: two windows each are enough.
    """
    wide, narrow = 1280, 390
    if name.startswith("api/"):
        return [(name, wide, False), (name, narrow, True)]
    return [(name, width, dark) for width in (wide, narrow) for dark in (False, True)]


def has_explorer(page: Path) -> bool:
    """Whether a page has an explorer: a widget of ours, or markup that says so."""
    text = page.read_text(encoding="utf-8")
    return any(sign in text for sign in ('"_esm"', "data-explorer=", '<form class="vx'))


@pytest.fixture(scope="session")
def site() -> Path:
    if SITE is None:
        pytest.skip("needs the built site: run `make book`, then `make check-site`")
    assert (SITE / "index.html").is_file(), f"{SITE} holds no built book; run `make book`"
    return SITE


@pytest.fixture(scope="session")
def address(site):
    with served(site) as address:
        yield address


@pytest.fixture(scope="session")
def browser(site):
    with open_browser() as browser:
        yield browser


@pytest.fixture
def open_page(browser, address):
    """Opens a page of the site: `with open_page("index.html", width=390, dark=True) as visit`."""

    @contextmanager
    def opened(name: str, *, width: int = 1280, dark: bool = False, script: str = ""):
        page = f"{address}/{name}"
        with visit(browser, page, width=width, dark=dark, script=script) as seen:
            yield seen

    return opened


@pytest.fixture(scope="session")
def screenshots() -> Path:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return SCREENSHOTS
