"""Time the tests and the book as a new user meets them, and record it: `make measure`.

Everything that was built is removed first, so this takes as long as a fresh clone does after its
packages are installed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Locator, TimeoutError

from tools.book import REPOSITORY, Book
from tools.browser import open_browser, page_names, visit
from tools.exercises import exercises
from tools.serve import served
from visage.ledger import Row, record
from visage.measured import measured_result

PROTOCOL = (
    "In a working copy with its packages installed and nothing built: `make test` (all tests, "
    "chapters executed by papermill, fast profile), then `make book` (JavaScript, exports and "
    "pages; the chapters are executed already), then `make book` again with nothing changed. Then "
    "every page of the site is opened and scrolled through in chromium, in a wide and a narrow "
    "window, and every request to another host is counted and refused. In the wide window each "
    "explorer is waited for: it is alive once it has loaded its networks and pictures and says "
    "that it answers (n: explorers on the pages; that every control of theirs changes what is "
    "shown is what `make check-site` tests). Exercises are counted in the chapters' text: one is "
    "tested if its solution asserts something in a cell that `make test` runs, outside of any "
    "condition or definition (n: exercises)."
)
ALIVE = 90_000  # ms for an explorer to load what it needs


@dataclass(frozen=True)
class Seen:
    """What a reader of all pages met.

    Attributes:
        pages: how many there are.
        outside: addresses on other hosts that were asked for.
        explorers: how many there are on the pages.
        alive: how many of them answer.
    """

    pages: int
    outside: tuple[str, ...]
    explorers: int
    alive: int


def timed(*command: str) -> float:
    """Seconds that a command takes; it must succeed."""
    start = time.perf_counter()
    subprocess.run(command, cwd=REPOSITORY, check=True, stdin=subprocess.DEVNULL)
    return time.perf_counter() - start


def read_all_pages(site: Path) -> Seen:
    """Open every page of a built site in a wide and a narrow window, and scroll through it."""
    pages = page_names(site)
    outside: list[str] = []
    explorers = alive = 0
    with served(site) as address, open_browser() as browser:
        for page in pages:
            for width in (1280, 390):
                with visit(browser, f"{address}/{page}", width=width) as seen:
                    seen.scroll_through()
                    if width == 1280:
                        found = seen.page.locator(".vx").all()
                        explorers += len(found)
                        alive += sum(is_alive(explorer) for explorer in found)
                    outside += seen.outside
    for url in outside:
        print(f"outside request: {urlsplit(url).hostname}", file=sys.stderr)
    return Seen(len(pages), tuple(outside), explorers, alive)


def is_alive(explorer: Locator) -> bool:
    """Whether an explorer answers, after the time that its networks and pictures need."""
    explorer.scroll_into_view_if_needed()
    try:
        explorer.and_(explorer.page.locator("[data-ready]")).wait_for(timeout=ALIVE)
    except TimeoutError:
        return False
    return True


def main() -> int:
    book = Book()
    start = time.perf_counter()
    shutil.rmtree(book.build, ignore_errors=True)
    test = timed("make", "test")
    built = timed("make", "book")
    unchanged = timed("make", "book")
    seen = read_all_pages(book.html)
    asked = exercises(book)
    result = measured_result(
        "book/build",
        "The book is built and tested with two commands; its explorers answer, its exercises "
        "are tested, and its pages ask no other host.",
        PROTOCOL,
        paper=None,
        profile="fast",
        seed=0,
        start=start,
        rows=(
            Row("test_seconds", None, round(test, 1), "s", "lower", 1),
            Row("book_seconds", None, round(built, 1), "s", "lower", 1),
            Row("noop_seconds", None, round(unchanged, 2), "s", "lower", 1),
            Row("pages", None, seen.pages, "", None, None),
            Row("outside_requests", None, len(seen.outside), "", "lower", seen.pages),
            Row("explorers_alive", None, seen.alive, "", "higher", seen.explorers),
            Row(
                "exercises_tested", None, sum(one.tested for one in asked), "", "higher", len(asked)
            ),
        ),
    )
    print(record(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
