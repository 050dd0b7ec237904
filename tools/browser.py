"""Open built pages in the system's chromium, cut off from other hosts, and note what happens."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Route, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HEIGHTS = {1280: 900, 390: 844}
PATIENCE = 120_000  # ms for a page to load; a busy machine is slow


class NoBrowserError(RuntimeError):
    """No chromium was found; the message says where it was looked for."""


@dataclass
class Visit:
    """One page in one window.

    Attributes:
        page: the playwright page; scripts of a test can click in it.
        outside: addresses on other hosts that were asked for. None of them was reached.
        errors: exceptions and console errors.
        failed: addresses on the site itself that gave no file.
    """

    page: Page
    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def settle(self) -> None:
        """Wait until nothing has been loaded for half a second."""
        self.page.wait_for_load_state("networkidle", timeout=PATIENCE)

    def scroll_through(self) -> None:
        """Show every part of the page once, as a reader would, and go back to its top."""
        height = self.page.evaluate("document.documentElement.scrollHeight")
        for top in range(0, height, 600):
            self.page.evaluate("top => window.scrollTo({top, behavior: 'instant'})", top)
            self.page.wait_for_timeout(30)
        self.page.evaluate("window.scrollTo({top: 0, behavior: 'instant'})")
        self.settle()


def page_names(site: Path) -> list[str]:
    """Every page of a built site, relative to its root."""
    found = (path.relative_to(site) for path in sorted(site.rglob("*.html")))
    return [path.as_posix() for path in found if not path.parts[0].startswith("_")]


def find_chromium() -> str:
    """Path of the browser: VISAGE_CHROMIUM, or the first of the usual names.

    Raises:
        NoBrowserError: there is none.
    """
    names = [os.environ["VISAGE_CHROMIUM"]] if "VISAGE_CHROMIUM" in os.environ else PROGRAMS
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    raise NoBrowserError(
        f"There is no chromium here (looked for {', '.join(names)}); install Debian's package "
        "chromium, or name a browser with VISAGE_CHROMIUM."
    )


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start chromium, headless, for the time of a block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def visit(
    browser: Browser, address: str, *, width: int = 1280, dark: bool = False, script: str = ""
) -> Iterator[Visit]:
    """Open a page in a fresh window and wait until it has settled.

    Args:
        browser: from `open_browser`.
        address: on 127.0.0.1.
        width: of the window in CSS pixels; 390 is a telephone.
        dark: whether the reader's system prefers dark pages.
        script: JavaScript that runs before the page's own.
    """
    context = browser.new_context(
        viewport={"width": width, "height": HEIGHTS.get(width, 900)},
        color_scheme="dark" if dark else "light",
        has_touch=width < 600,
        reduced_motion="reduce",
    )
    if script:
        context.add_init_script(script)
    page = context.new_page()
    seen = Visit(page)

    def only_here(route: Route) -> None:
        if urlsplit(route.request.url).hostname in ("127.0.0.1", None):
            route.continue_()
        else:
            seen.outside.append(route.request.url)
            route.abort()

    context.route("**/*", only_here)
    page.on("pageerror", lambda error: seen.errors.append(f"exception: {error}"))
    page.on("console", lambda said: seen.errors.append(said.text) if said.type == "error" else None)
    page.on(
        "response", lambda r: seen.failed.append(f"{r.status} {r.url}") if r.status > 399 else None
    )
    try:
        page.goto(address, timeout=PATIENCE)
        seen.settle()
        yield seen
    finally:
        context.close()
