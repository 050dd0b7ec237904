"""Build the book: ``python -m tools.site [--profile fast|full]``; `make book` calls this."""

from __future__ import annotations

import argparse
import errno
import json
import os
import shutil
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools.assets import make_assets
from tools.book import Book, BookError
from tools.children import stop_on_termination
from tools.execute import execute_all
from tools.keys import digest, environment
from tools.lock import WAITING, locked
from tools.stage import LINKED, stage
from tools.vendor import vendor
from visage.files import written_whole


def build(book: Book) -> Path:
    """Execute what needs it, stage, and build the HTML unless all that it is made of is the same.

    Returns:
        The site's first page.

    Raises:
        BookError: a chapter failed, or Sphinx warned. The site of an earlier build stays.
    """
    stop = threading.Event()
    with locked(book.build / "build.lock", WAITING):
        with ThreadPoolExecutor(1) as other:  # npm and the exports wait for networks and disks
            static = other.submit(_static, book, stop)
            try:
                runs = execute_all(book)
                static.result()
            except BaseException:
                stop.set()
                raise
        source = stage(book, runs)
        build_html(book, source)
    return book.html / "index.html"


def build_html(book: Book, source: Path) -> None:
    """Run Sphinx on the stage, warnings being errors, and put the site in place when it is whole.

    Sphinx always starts afresh: it repeats no warning about a page that it does not read again, so
    that after a failure an incremental build would pass.
    """
    stamp = book.build / "html.json"
    key = _site_key(book)
    if stamp.is_file() and book.html.is_dir() and json.loads(stamp.read_text()) == key:
        return
    stamp.unlink(missing_ok=True)
    work = book.build / "sphinx"
    shutil.rmtree(work, ignore_errors=True)
    print("Building the pages")
    status = _sphinx(source, work)
    if status:
        raise BookError("The pages have warnings; each of them is printed above.")
    for notebook in book.published.rglob("*.ipynb"):  # what the download button gives
        name = notebook.relative_to(book.published / "book")
        shutil.copy(notebook, work / "html" / "_sources" / name)
    shutil.rmtree(book.html, ignore_errors=True)
    os.replace(work / "html", book.html)
    with written_whole(stamp) as temporary:
        temporary.write_text(json.dumps(key), encoding="utf-8")


def _static(book: Book, stop: threading.Event) -> None:
    vendor(book, stop)
    make_assets(book, stop)


def _sphinx(source: Path, work: Path) -> int:
    """Sphinx's status: 0 when there was neither an error nor a warning.

    The configuration is Jupyter Book's. Its own way to start Sphinx is not taken, because that
    loads every script below a folder `_static` on every page.

    Raises:
        BookError: Sphinx gave up.
    """
    from jupyter_book.config import get_final_config  # slow to import
    from sphinx.application import Sphinx
    from sphinx.errors import SphinxError
    from sphinx.util.console import nocolor
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    if not sys.stderr.isatty():
        nocolor()
    config, _ = get_final_config(
        user_yaml=source / "_config.yml",
        cli_config={"latex_individualpages": False},
        raise_on_invalid=True,
    )
    try:
        with patch_docutils(), docutils_namespace():
            app = Sphinx(
                srcdir=source,
                confdir=None,
                outdir=work / "html",
                doctreedir=work / "doctrees",
                buildername="html",
                confoverrides=config,
                status=None,
                warning=sys.stderr,
                freshenv=True,
                warningiserror=True,
                keep_going=True,
            )
            app.build()
    except SphinxError as error:
        raise BookError(f"Sphinx gave up: {error}") from error
    return app.statuscode


def _site_key(book: Book) -> dict[str, object]:
    """Everything that the site is made of: the staged files, what they may include, versions."""
    root = book.build / "stage"
    files = [path for path in sorted((root / "book").rglob("*")) if path.is_file()]
    for name in LINKED:
        files += [
            path
            for path in sorted((book.root / name).rglob("*"))
            if path.is_file() and path.suffix != ".pyc"
        ]
    made = sorted((book.build / "static").rglob("*"))
    return {
        "files": digest("".join(digest(path.read_bytes()) + str(path) for path in files).encode()),
        "static": [[str(path), path.stat().st_mtime_ns, path.stat().st_size] for path in made],
        "tools": digest(Path(__file__).read_bytes()),
        **environment(),
    }


def make(book: Book) -> int:
    """Build, say how it went, and give the exit status. SIGTERM stops it as Ctrl-C does."""
    stop_on_termination()
    start = time.perf_counter()
    try:
        page = build(book)
    except KeyboardInterrupt:
        print("\nStopped. What was finished is kept; nothing is half-written.", file=sys.stderr)
        return 130
    except (BookError, OSError) as error:
        if _disk_is_full(book, error):
            print(f"\nThe book was not built: the disk of {book.build} is full.", file=sys.stderr)
            print("Make room and start again; what was finished is kept.", file=sys.stderr)
            return 1
        if not isinstance(error, BookError):
            raise
        print(f"\nThe book was not built.\n\n{error}", file=sys.stderr)
        return 1
    print(f"The book is built ({book.profile}, {time.perf_counter() - start:.1f} s): {page}")
    print("Read it with `make serve`.")
    return 0


def _disk_is_full(book: Book, error: Exception) -> bool:
    """Whether that is the error: by its number, by what a process or Sphinx said, or by a look."""
    full = (errno.ENOSPC, errno.EDQUOT)
    if getattr(error, "errno", None) in full:
        return True
    said = any(os.strerror(number).lower() in str(error).lower() for number in full)
    return said or (book.build.is_dir() and shutil.disk_usage(book.build).free < 2**16)


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the book.")
    parser.add_argument("--profile", choices=("fast", "full"), default="fast")
    return make(Book(profile=parser.parse_args().profile))


if __name__ == "__main__":
    sys.exit(main())
