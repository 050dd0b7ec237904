"""A band of a picture under the title of pages that have none of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from pathlib import Path

from tools.book import REPOSITORY
from tools.evidence import STATIC, slug
from tools.manifests import read_yaml
from visage.ledger import LedgerError, read, results_folder

BANDS: Mapping[str, Mapping] = read_yaml(REPOSITORY / "tools" / "bands.yaml")
"""By page below book/: entry of the ledger, caption, and the height that the band shows, in %."""

_TITLE = re.compile(r"^(# .*)$", re.MULTILINE)


def band_files(pages: Mapping[str, bytes]) -> dict[str, bytes]:
    """The pages that get a band, with it, and the pictures.

    Args:
        pages: staged files by name, e.g. ``book/glossary.md``.

    Returns:
        Names and contents of what has to be staged in addition, or instead.
    """
    files: dict[str, bytes] = {}
    for page, band in BANDS.items():
        name = f"book/{page}.md"
        picture = _picture(band["entry"])
        if name not in pages or picture is None:
            continue
        kept = f"{STATIC}/{slug(band['entry'])}{picture.suffix}"
        html = _band(f"{'../' * page.count('/')}{kept}", band["caption"], band["height"])
        before, title, after = _TITLE.split(pages[name].decode(), maxsplit=1)
        files[name] = f"{before}{title}\n\n{html}\n{after}".encode()
        files[f"book/{kept}"] = picture.read_bytes()
    return files


def _picture(entry: str) -> Path | None:
    """The figure of an entry; None where there is none yet."""
    try:
        figure = read(entry).figure
    except LedgerError:
        return None
    return results_folder() / Path(entry).parent / figure if figure else None


def _band(source: str, caption: str, height: int) -> str:
    alt = escape(caption.replace("`", ""))
    shown = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(caption))
    return (
        f'<figure class="band"><img src="{source}" alt="{alt}" '
        f'style="object-position: 50% {height}%"><figcaption>{shown}</figcaption></figure>'
    )
