"""The ledger as the pages of the reproduction see it: results, pictures, what they say."""

from __future__ import annotations

import ast
import io
import operator
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tools.book import Book, BookError
from tools.keys import digest
from tools.manifests import Manifest, Own, read_manifests, read_own
from visage.files import written_whole
from visage.ledger import Result, Row, list_results, read, results_folder

if TYPE_CHECKING:
    from PIL.Image import Image as Raster

STATIC = "_static/reproduction"
"""Where the pictures are, below the site's root."""
_THUMBNAIL = (128, 96)  # pixels: twice what a tile shows, for dense screens
_SHARE = 0.4  # of a sheet's width, that a tile shows
_SIGNS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_COMPARISON = re.compile(r"(\S+) (<=?|>=?) (?:([\d.]+) \* )?(\S+)")


@dataclass(frozen=True)
class Picture:
    """A figure of the ledger.

    Attributes:
        name: on the page.
        source: the file.
        tile: a file with the middle of it, small.
        width: in pixels.
        height: likewise.
    """

    name: str
    source: Path
    tile: Path
    width: int
    height: int


@dataclass(frozen=True)
class Ledger:
    """All standing results, and what is around them.

    Attributes:
        book: whose chapters are looked through for ids.
        manifests: the papers.
        own: what is known of other entries.
    """

    book: Book
    manifests: tuple[Manifest, ...] = field(default_factory=read_manifests)
    own: Own = field(default_factory=read_own)

    @cached_property
    def results(self) -> dict[str, Result]:
        """By id; files that hold no result are not among them."""
        return {id: read(id) for id in list_results()}

    @cached_property
    def pictures(self) -> dict[str, Picture]:
        """The figures of those results that have one, by id."""
        folder = self.book.build / "thumbnails"
        return {
            id: _picture(id, results_folder() / Path(id).parent / result.figure, folder)
            for id, result in self.results.items()
            if result.figure
        }

    @cached_property
    def chapters(self) -> dict[str, list[str]]:
        """Id of an entry to the chapters whose text names it, below book/."""
        found = defaultdict(list)
        for chapter in self.book.chapters:
            text = chapter.source.read_text(encoding="utf-8")
            for id in dict.fromkeys(re.findall(r"""["'`]([a-z]+/[a-z0-9_]+)["'`]""", text)):
                found[id].append(chapter.name.removeprefix("book/"))
        return dict(found)

    @cached_property
    def dates(self) -> dict[str, str]:
        """Revision, of twelve digits, to the day of its commit; empty without git's history."""
        command = ["git", "-C", str(self.book.root), "log", "--format=%h %cs", "--abbrev=12"]
        try:
            said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        except (OSError, subprocess.SubprocessError):
            return {}
        return dict(line.split() for line in said.stdout.splitlines())

    @cached_property
    def of_no_paper(self) -> list[str]:
        """Ids that no manifest names, and those that `own.yaml` announces."""
        named = {id for manifest in self.manifests for id in manifest.entries}
        announced = [id for id in self.own.entries if id in self.results]
        rest = [id for id in self.results if id not in named]
        return list(dict.fromkeys([*announced, *rest]))


def registered_experiments(root: Path) -> set[str]:
    """Ids of the experiments that `visage reproduce` knows, read without importing anything."""
    ids = set()
    for path in root.glob("src/visage/*/*reproduce.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
            if any(isinstance(one, ast.Name) and one.id == "EXPERIMENTS" for one in targets):
                ids |= {key.value for key in node.value.keys}
    return ids


def as_good(row: Row) -> bool | None:
    """Whether ours is as good as the paper's or better; None where nothing can be compared.

    >>> as_good(Row("a", paper=0.5, ours=0.4, unit="mm", better="lower", n=1))
    True
    """
    if row.paper is None or row.better is None:
        return None
    return row.ours <= row.paper if row.better == "lower" else row.ours >= row.paper


def holds(claim: str, rows: Iterable[Row]) -> bool | None:
    """Whether a comparison of rows comes out true; None where a row is not there.

    >>> rows = [Row("a", None, 1.0, "", None, 1), Row("b", None, 1.5, "", None, 1)]
    >>> holds("a < b", rows), holds("a >= 0.9 * b", rows), holds("a < c", rows)
    (True, False, None)
    """
    found = _COMPARISON.fullmatch(claim)
    if not found:
        raise BookError(f"The claim {claim!r} is no comparison of rows, such as 'a < 0.9 * b'.")
    left, sign, factor, right = found.groups()
    values = {row.name: row.ours for row in rows}
    if re.fullmatch(r"[\d.]+", right):
        values[right] = float(right)
    if left not in values or right not in values:
        return None
    return _SIGNS[sign](values[left], float(factor or 1) * values[right])


def _picture(id: str, path: Path, folder: Path) -> Picture:
    """A figure with its tile, which is kept under the hash of what it is made of."""
    content = path.read_bytes()
    key = digest(content + repr((_THUMBNAIL, _SHARE)).encode())
    kept = next(iter(folder.glob(f"{key}_*.webp")), None)
    if kept is None:
        from PIL import Image, ImageOps  # only where a picture is new: a build of nothing is quick

        whole = Image.open(io.BytesIO(content)).convert("RGB")
        kept = folder / f"{key}_{whole.width}_{whole.height}.webp"
        with written_whole(kept) as temporary:
            part = whole.crop(_middle(whole.width, whole.height))
            part = part if _is_sheet(path) and not _is_blank(part) else whole
            tile = ImageOps.fit(part, _THUMBNAIL, Image.Resampling.LANCZOS)
            tile.save(temporary, "webp", quality=70)
    width, height = kept.stem.split("_")[1:]
    return Picture(f"{slug(id)}{path.suffix}", path, kept, int(width), int(height))


def _is_sheet(path: Path) -> bool:
    """Sheets of pictures are recorded as WebP; a plot, as PNG, is shown whole."""
    return path.suffix == ".webp"


def _is_blank(part: Raster) -> bool:
    """Whether a part is mostly white paper, as in a plot."""
    return sum(part.convert("L").histogram()[250:]) > 0.7 * part.width * part.height


def _middle(width: int, height: int) -> tuple[int, int, int, int]:
    """A box in the middle of a sheet: a few of its pictures say more than all of them, tiny."""
    wide = width * _SHARE
    high = min(height * 0.8, wide * _THUMBNAIL[1] / _THUMBNAIL[0])
    left, top = (width - wide) / 2, (height - high) / 2
    return round(left), round(top), round(left + wide), round(top + high)


def slug(id: str) -> str:
    return id.replace("/", "-").replace("_", "-")
