"""The built site as one file to take along: ``python -m tools.offline``; `make zip` calls this.

Unpacked, it opens from any static server, at the root or in a folder below it, without a network.
A browser refuses to load scripts and networks from bare files, hence the server; the zip says how.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

from tools.book import Book, BookError
from tools.lock import WAITING, locked
from visage.files import written_whole

NAME = "visage-book"
NOTE = """\
Visage, the book, to read without a network.

In the folder that holds this file, with any Python 3:

    python3 -m http.server 8000 --bind 127.0.0.1

Then open http://127.0.0.1:8000/ in a browser. Any other static server will do. Opened as bare
files, the pages show their text and pictures, but browsers keep the explorers from loading.
"""
# Sphinx's own notes on a build; no page asks for them.
LEFT_OUT = {".buildinfo", ".buildinfo.bak"}
# Squeezing these again costs time and saves nothing.
PACKED = {".png", ".jpg", ".webp", ".woff", ".woff2", ".gz", ".zip"}
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can name: the same site, the same zip


def site_files(site: Path) -> list[Path]:
    """The files of a built site that belong into the zip, sorted."""
    return sorted(path for path in site.rglob("*") if path.is_file() and path.name not in LEFT_OUT)


def make_zip(book: Book) -> Path:
    """Pack the built site.

    Returns:
        ``_build/visage-book.zip``; it appears whole.

    Raises:
        BookError: the site is not built.
    """
    if not (book.html / "index.html").is_file():
        raise BookError("There is no built book yet; `make book` makes it.")
    with locked(book.build / "build.lock", WAITING):
        return pack(book.html, book.build / f"{NAME}.zip")


def pack(site: Path, target: Path) -> Path:
    """Put a site into a zip, below one folder, with a note on how to open it."""
    with written_whole(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        _put(archive, "README.txt", NOTE.encode())
        for path in site_files(site):
            _put(archive, path.relative_to(site).as_posix(), path.read_bytes())
    return target


def _put(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(f"{NAME}/{name}", EPOCH)
    entry.create_system = 3  # Unix, wherever it is made
    entry.external_attr = 0o100644 << 16
    packed = Path(name).suffix.lower() in PACKED
    entry.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
    archive.writestr(entry, content, compresslevel=9)


def main() -> int:
    try:
        path = make_zip(Book())
    except BookError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"The book to take along: {path} ({path.stat().st_size / 2**20:.0f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
