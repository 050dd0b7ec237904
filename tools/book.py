"""The book as a folder: its pages, its chapters, and where what is made of them goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import yaml

Profile = Literal["fast", "full"]
REPOSITORY = Path(__file__).resolve().parent.parent
PUBLISHED_BRANCH = "notebooks"


class BookError(Exception):
    """The book cannot be built as it is; the message says where and why."""


@dataclass(frozen=True)
class Chapter:
    """A page that is executed: a MyST Markdown notebook.

    Attributes:
        name: path below the repository without suffix, e.g. ``book/start/who_is_this``.
        source: the Markdown file.
    """

    name: str
    source: Path


@dataclass(frozen=True)
class Book:
    """Where everything is.

    Attributes:
        root: the repository.
        profile: ``fast`` (two CPU cores, no network) or ``full`` (what is published).
        package: name of the library below ``src`` that the chapters import.
    """

    root: Path = REPOSITORY
    profile: Profile = "fast"
    package: str = "visage"

    @property
    def build(self) -> Path:
        """Everything that is made; nothing in it is tracked."""
        return self.root / "_build"

    @property
    def executed(self) -> Path:
        """Executed notebooks and their stamps, one folder a profile: neither undoes the other."""
        return self.build / "executed" / self.profile

    @property
    def html(self) -> Path:
        """The built site."""
        return self.build / "html"

    @property
    def published(self) -> Path:
        """Notebooks as the `notebooks` branch carries them."""
        return self.build / "notebooks"

    @cached_property
    def config(self) -> dict:
        """`_config.yml`."""
        return yaml.safe_load((self.root / "_config.yml").read_text(encoding="utf-8"))

    @cached_property
    def toc(self) -> dict:
        """`_toc.yml`."""
        return yaml.safe_load((self.root / "_toc.yml").read_text(encoding="utf-8"))

    @property
    def repository_url(self) -> str:
        """The one place that says where the book is published is `_config.yml`."""
        return self.config["repository"]["url"].rstrip("/")

    @cached_property
    def pages(self) -> tuple[Path, ...]:
        """Sources of all pages in the table of contents, in its order.

        Raises:
            BookError: the table of contents names a page that does not exist, or one twice.
        """
        pages: list[Path] = []
        for name in _files(self.toc):
            source = self.root / f"{name}.md"
            if source in pages:
                raise BookError(f"_toc.yml names {name} twice.")
            if not source.is_file():
                raise BookError(f"_toc.yml names {name}, but there is no {name}.md.")
            pages.append(source)
        return tuple(pages)

    @cached_property
    def chapters(self) -> tuple[Chapter, ...]:
        """The pages that are notebooks, in the order of the table of contents."""
        return tuple(
            Chapter(page.relative_to(self.root).with_suffix("").as_posix(), page)
            for page in self.pages
            if _is_notebook(page)
        )

    def chapter(self, name: str) -> Chapter:
        """The chapter of that name.

        Raises:
            BookError: there is none; the message lists those that there are.
        """
        for chapter in self.chapters:
            if chapter.name == name:
                return chapter
        names = ", ".join(chapter.name for chapter in self.chapters)
        raise BookError(f"No chapter is called {name}; there are {names}.")


def _files(entry: dict | list) -> Iterator[str]:
    """The ``root`` and ``file`` entries of a table of contents, depth first."""
    if isinstance(entry, list):
        for item in entry:
            yield from _files(item)
        return
    for key, value in entry.items():
        if key in ("root", "file"):
            yield value
        elif isinstance(value, list):
            yield from _files(value)


def _is_notebook(page: Path) -> bool:
    """Whether the page's front matter names a kernel."""
    text = page.read_text(encoding="utf-8")
    if not text.startswith("---\n"):
        return False
    front, _, _ = text[4:].partition("\n---\n")
    return "kernelspec" in (yaml.safe_load(front) or {})
