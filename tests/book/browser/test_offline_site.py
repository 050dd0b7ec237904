"""The book's own zip, unpacked in a folder below a server's root: the explorers find their data."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tools.browser import visit
from tools.offline import NAME, pack
from tools.serve import served


@pytest.fixture(scope="module")
def unpacked(site, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("offline")
    with zipfile.ZipFile(pack(site, folder / "book.zip")) as archive:
        archive.extractall(folder / "below")
    return folder


def explorer_pages(site: Path) -> list[str]:
    """The landing page, and in each folder the first page that has an explorer."""
    chosen = {".": "index.html"}
    for path in sorted(site.rglob("*.html")):
        name = path.relative_to(site)
        hidden = name.parts[0].startswith("_")
        if not hidden and '"_esm"' in path.read_text(encoding="utf-8"):
            chosen.setdefault(name.parent.as_posix(), name.as_posix())
    return list(chosen.values())


def test_every_part_opens_from_the_zip(site, browser, unpacked):
    trouble = []
    with served(unpacked) as address:
        for name in explorer_pages(site):
            with visit(browser, f"{address}/below/{NAME}/{name}") as seen:
                seen.scroll_through()
                trouble += [f"{name}: {what}" for what in seen.outside + seen.failed + seen.errors]
    assert not trouble
