"""Time the tests and the book as a new user meets them, and record it: `make measure`.

Everything that was built is removed first, so this takes as long as a fresh clone does after its
packages are installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from urllib.parse import urlsplit

from tools.book import REPOSITORY, Book
from tools.browser import open_browser, visit
from tools.serve import served
from visage.ledger import Result, Row, current_revision, describe_device, record

PROTOCOL = (
    "In a working copy with its packages installed and nothing built: `make test` (all tests, "
    "chapters executed by papermill, fast profile), then `make book` (JavaScript, exports and "
    "pages; the chapters are executed already), then `make book` again with nothing changed. Then "
    "every page of the site is opened and scrolled through in chromium, in a wide and a narrow "
    "window, and every request to another host is counted and refused."
)


def timed(*command: str) -> float:
    """Seconds that a command takes; it must succeed."""
    start = time.perf_counter()
    subprocess.run(command, cwd=REPOSITORY, check=True, stdin=subprocess.DEVNULL)
    return time.perf_counter() - start


def count_outside_requests(book: Book) -> tuple[int, int]:
    """Requests to other hosts over all pages and both widths, and the number of pages."""
    pages = [
        path.relative_to(book.html).as_posix()
        for path in sorted(book.html.rglob("*.html"))
        if not path.relative_to(book.html).parts[0].startswith("_")
    ]
    outside = []
    with served(book.html) as address, open_browser() as browser:
        for page in pages:
            for width in (1280, 390):
                with visit(browser, f"{address}/{page}", width=width) as seen:
                    seen.scroll_through()
                    outside += seen.outside
    for url in outside:
        print(f"outside request: {urlsplit(url).hostname}", file=sys.stderr)
    return len(outside), len(pages)


def main() -> int:
    book = Book()
    start = time.perf_counter()
    shutil.rmtree(book.build, ignore_errors=True)
    test = timed("make", "test")
    built = timed("make", "book")
    unchanged = timed("make", "book")
    outside, pages = count_outside_requests(book)
    result = Result(
        id="book/build",
        paper=None,
        claim="The book is built and tested with two commands, and its pages ask no other host.",
        protocol=PROTOCOL,
        profile="fast",
        seed=0,
        device=f"{describe_device()}, {os.cpu_count()} cores",
        seconds=round(time.perf_counter() - start, 1),
        revision=current_revision(),
        figure=None,
        rows=(
            Row("test_seconds", None, round(test, 1), "s", "lower", 1),
            Row("book_seconds", None, round(built, 1), "s", "lower", 1),
            Row("noop_seconds", None, round(unchanged, 2), "s", "lower", 1),
            Row("outside_requests", None, outside, "", "lower", pages),
        ),
    )
    print(record(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
