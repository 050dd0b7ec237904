"""The zip of the site is the same each time, and opens from any static server, offline."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from contextlib import contextmanager

import pytest

from tools.book import BookError
from tools.browser import NoBrowserError, find_chromium, open_browser, visit
from tools.offline import NAME, make_zip

# A page like the book's: a script that the page names, a module that it imports, data it fetches.
FILES = {
    "index.html": '<!doctype html><link rel="icon" href="_static/dot.png"><h1>Tiny</h1>'
    '<a href="part/one.html">One</a>',
    "part/one.html": '<!doctype html><html data-content_root="../">'
    '<link rel="icon" href="../_static/dot.png"><p id="said"></p>'
    '<script type="module">import {read} from "../_static/read.mjs";'
    "const root = document.documentElement.dataset.content_root;"
    'document.querySelector("#said").textContent = await read(root);</script>',
    "_static/read.mjs": "export const read = async root =>\n"
    '  (await (await fetch(root + "_static/data.bin")).arrayBuffer()).byteLength + " bytes";',
    "_static/data.bin": "x" * 1000,
    "_static/dot.png": "not much of a picture",
    ".buildinfo": "of this build only",
}


@pytest.fixture
def built(tiny_book):
    for name, text in FILES.items():
        path = tiny_book.html / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tiny_book


def test_the_same_site_makes_the_same_zip(built):
    first = make_zip(built).read_bytes()
    for path in built.html.rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    assert make_zip(built).read_bytes() == first
    (built.html / "_static/data.bin").write_text("other")
    assert make_zip(built).read_bytes() != first


def test_it_holds_the_site_below_one_folder(built):
    with zipfile.ZipFile(make_zip(built)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert names[0] == f"{NAME}/README.txt"
        assert "python3 -m http.server" in archive.read(names[0]).decode()
        assert set(names[1:]) == {f"{NAME}/{name}" for name in FILES if name != ".buildinfo"}
        assert names[1:] == sorted(names[1:])
        assert all(entry.external_attr >> 16 == 0o100644 for entry in archive.infolist())
        assert archive.read(f"{NAME}/_static/data.bin") == b"x" * 1000


def test_without_a_site_it_says_what_to_do(tiny_book):
    with pytest.raises(BookError, match="make book"):
        make_zip(tiny_book)
    assert not list(tiny_book.build.glob("*.zip"))


@contextmanager
def plain_server(folder):
    """`python -m http.server`, as the note in the zip tells a reader to start it."""
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    server = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        line = server.stdout.readline().decode()  # Serving HTTP on 127.0.0.1 port 40000 (…
        yield f"http://127.0.0.1:{line.split('port ')[1].split()[0]}"
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def test_unpacked_it_opens_at_the_root_and_in_a_folder(built, tmp_path):
    try:
        find_chromium()
    except NoBrowserError as error:
        pytest.skip(str(error))
    unpacked = tmp_path / "anywhere"
    with zipfile.ZipFile(make_zip(built)) as archive:
        archive.extractall(unpacked)
    with open_browser() as browser:
        for root, folder in ((unpacked / NAME, ""), (unpacked, f"/{NAME}")):
            with plain_server(root) as address, visit(browser, f"{address}{folder}/") as seen:
                seen.page.get_by_text("One").click()
                seen.page.get_by_text("1000 bytes").wait_for(timeout=20_000)
                assert (seen.outside, seen.failed, seen.errors) == ([], [], [])
