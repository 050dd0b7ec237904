"""The pages of the reproduction: every figure and table of the papers beside what was measured.

`tools.stage` puts what is made here in place of the lines ``% reproduction: <what>`` of the pages
``book/reproduction.md`` and ``book/reproduction/*.md``. Everything comes from ``results/`` and from
the manifests (`tools.manifests`); nothing is typed.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path

from tools.book import Book
from tools.keys import digest
from tools.manifests import Beside, Item, Manifest, Own, read_manifests, read_own
from visage.explore.tables import amount
from visage.files import written_whole
from visage.ledger import Result, Row, list_results, read, results_folder

_MARK = re.compile(r"^% reproduction: (\w+)$", re.MULTILINE)
_THUMBNAIL = (128, 96)  # pixels: twice what a tile shows, for dense screens
_SHARE = 0.4  # of a sheet's width, that a tile shows
_STATIC = "_static/reproduction"
_NETWORK = "M6 24h12m6 0h12m6 0h12M18 14h6v20h-6zM36 9h6v30h-6zM54 17h4v14h-4z"
_GRID = "M12 12h40v26h-40zM12 20h40M12 29h40M25 12v26M38 12v26"
_SAYS_NONE = re.compile(r"\bno number|without numbers|(?:has|shows) pictures|pictures only")
_SHOWN_ROWS = 6  # of an entry for which the manifest names none


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


def reproduction_files(book: Book, pages: Mapping[str, bytes]) -> dict[str, bytes]:
    """The pages that have marks, with what belongs there, and the pictures that they show.

    Args:
        book: the book.
        pages: staged files by name, e.g. ``book/reproduction.md``.

    Returns:
        Names and contents of what has to be staged in addition, or instead.
    """
    marked = {
        name: text
        for name, content in pages.items()
        if name.startswith("book/reproduction") and name.endswith(".md")
        if _MARK.search(text := content.decode())
    }
    if not marked:
        return {}
    ledger = Ledger(book)
    sections = _sections(ledger)
    files = {
        name: _MARK.sub(lambda mark: sections[mark[1]], text).encode()
        for name, text in marked.items()
    }
    for id, picture in ledger.pictures.items():
        files[f"book/{_STATIC}/{picture.name}"] = picture.source.read_bytes()
        files[f"book/{_STATIC}/small/{_slug(id)}.webp"] = picture.tile.read_bytes()
    return files


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


def _sections(ledger: Ledger) -> dict[str, str]:
    sections = {
        "summary": _summary(ledger),
        "own": "\n\n".join(_of_no_paper(ledger, id) for id in ledger.of_no_paper),
        "open": _open(ledger),
    }
    for manifest in ledger.manifests:
        sections[manifest.part] = _paper(ledger, manifest)
    return sections


def _summary(ledger: Ledger) -> str:
    """The counts, and one tile for each figure and table of each paper."""
    manifests, results = ledger.manifests, ledger.results.values()
    rows = [row for result in results for row in result.rows]
    judged = [good for row in rows if (good := as_good(row)) is not None]
    items = [item for manifest in manifests for item in manifest.items]
    count = {status: sum(item.status == status for item in items) for status in _MARKS}
    good = f"{sum(judged)} of {len(judged)}"
    counts = [
        (f"{len(items)}", f"figures and tables of {len(manifests)} papers"),
        (f"{count['reproduced']}", "reproduced"),
        (f"{count['in part']}", "in part"),
        (f"{count['built']}", "drawings, built"),
        (f"{count['not reproduced']}", "not reproduced"),
        (f"{len(results)}", "entries of the ledger"),
        (f"{len(rows):,}", "measured numbers"),
        (good, "published values reached or passed"),
    ]
    cells = "".join(f"<div><dd>{number}</dd><dt>{what}</dt></div>" for number, what in counts)
    tiles = "".join(
        f'<h3><a href="reproduction/{manifest.part}.html">{escape(manifest.name)}</a></h3>'
        + _tiles(ledger, manifest, f"reproduction/{manifest.part}.html", "")
        for manifest in manifests
    )
    return (
        f'<dl class="rep-counts">{cells}</dl>\n\n{_legend()}{tiles}\n\n'
        f"Of the {len(judged)} numbers that have a published value and a direction in which they "
        f"get better, {sum(judged)} are as good here or better. {_CAUTION}\n"
    )


_CAUTION = (
    "Read that as a count and not as a score: faces, recognisers and units are other than the "
    "papers', the rivals in the same tables are counted too, and each entry says in its protocol "
    "what may be compared."
)
_MARKS = {"reproduced": "yes", "in part": "part", "built": "built", "not reproduced": "no"}


def _legend() -> str:
    marks = "".join(
        f'<span class="rep-status rep-{mark}">{status}</span>' for status, mark in _MARKS.items()
    )
    return f'<p class="rep-legend">{marks}</p>'


def _tiles(ledger: Ledger, manifest: Manifest, page: str, up: str) -> str:
    tiles = []
    for item in manifest.items:
        ids = [id for id in item.entries if id in ledger.pictures]
        source = f"{up}{_STATIC}/small/{_slug(ids[0])}.webp" if ids else ""
        picture = (
            f'<img src="{source}" alt="" width="64" height="48" loading="lazy">'
            if ids
            else _drawn(item)
        )
        label = f"{item.name}: {item.title}, {item.status}"
        short = f"{item.kind[0].upper()}{item.number}"
        tiles.append(
            f'<a class="rep-{_MARKS[item.status]}" href="{page}#{_anchor(manifest, item)}" '
            f'title="{escape(label)}" aria-label="{escape(label)}">{picture}<b>{short}</b></a>'
        )
    return f'<nav class="rep-tiles" aria-label="{escape(manifest.name)}">{"".join(tiles)}</nav>'


def _drawn(item: Item) -> str:
    """What stands in a tile without a picture: a table, a network, or nothing."""
    path = _GRID if item.kind == "table" else _NETWORK if item.status == "built" else ""
    return f'<svg viewBox="0 0 64 48" aria-hidden="true"><path d="{path}"/></svg>'


def _paper(ledger: Ledger, manifest: Manifest) -> str:
    """A paper's page: its figures, its tables, and what was measured beside them."""
    total = len(manifest.items)
    words = {
        "reproduced": ("is reproduced", "are reproduced"),
        "in part": ("in part", "in part"),
        "built": ("is a drawing of what is built here", "are drawings of what is built here"),
        "not reproduced": ("is left out", "are left out"),
    }
    counted = [(manifest.count(status), *two) for status, two in words.items()]
    kinds = [f"{number} {one if number == 1 else more}" for number, one, more in counted if number]
    told = f"Of {total} figures and tables, {', '.join(kinds[:-1])} and {kinds[-1]}."
    parts = [told, _tiles(ledger, manifest, "", "../")]
    shown: set[str] = set()
    for item in manifest.items:
        parts.append(_item(ledger, manifest, item, shown))
    others = [id for id in manifest.beside if id not in shown]
    if others:
        parts.append("## Beside the figures")
        parts += [_beside(ledger, id, manifest.beside[id], manifest.rows) for id in others]
    return "\n\n".join(parts) + "\n"


def _item(ledger: Ledger, manifest: Manifest, item: Item, shown: set[str]) -> str:
    """A figure or table; an entry that an earlier one has shown is only pointed to."""
    anchor = _anchor(manifest, item)
    lines = [f"({anchor})=\n## {item.name}: {item.title}"]
    read_in = _read_in(ledger, item.entries, item.chapter)
    code = f"Built in `{item.code}`. " if item.code else ""
    lines.append(f"[{item.status}]{{.rep-status .rep-{_MARKS[item.status]}}} {code}{read_in}")
    lines.append(f"**In the paper.** {item.shows}")
    if item.because:
        label = "What is missing" if item.status in ("in part", "not reproduced") else "Note"
        lines.append(f"**{label}.** {item.because.strip()}")
    for id in item.entries:
        if id in shown:
            first = next(one for one in manifest.items if id in one.entries)
            lines.append(f"The entry `{id}` stands under {{ref}}`{_anchor(manifest, first)}`.")
            continue
        shown.add(id)
        lines.append(_entry(ledger, id, manifest.rows.get(id, {})))
    return "\n\n".join(lines)


def _beside(ledger: Ledger, id: str, beside: Beside, rows: Mapping[str, Mapping[str, str]]) -> str:
    shows = [beside.shows] if beside.shows else []
    heading = f"(rep-{_slug(id)})=\n### {beside.title}"
    entry = _entry(ledger, id, rows.get(id, {}), beside.command)
    return "\n\n".join([heading, *shows, _read_in(ledger, [id]), entry])


def _of_no_paper(ledger: Ledger, id: str) -> str:
    plain = Beside(id.partition("/")[2].replace("_", " ").capitalize())
    beside = ledger.own.entries.get(id, plain)
    heading = f"(rep-{_slug(id)})=\n## {beside.title}"
    entry = _entry(ledger, id, ledger.own.rows.get(id, {}), beside.command)
    return "\n\n".join([heading, _read_in(ledger, [id]), entry])


def _open(ledger: Ledger) -> str:
    """Experiments that have not been recorded."""
    missing = sorted(registered_experiments(ledger.book.root) - ledger.results.keys())
    if not missing:
        return "Every experiment that the library knows is recorded."
    names = ", ".join(f"`{id}`" for id in missing)
    return f"The library knows {len(missing)} more that are not recorded yet: {names}."


def _read_in(ledger: Ledger, ids: Iterable[str], chapter: str = "") -> str:
    chapters = [chapter] if chapter else []
    chapters += [name for id in ids for name in ledger.chapters.get(id, [])]
    links = [f"[](/{name})" for name in dict.fromkeys(chapters)]
    return f"Read about it in {' and '.join(links)}." if links else ""


def _entry(ledger: Ledger, id: str, names: Mapping[str, str], command: str = "") -> str:
    """What the ledger holds of an experiment: claim, picture, numbers, protocol, command."""
    command = command or f"visage reproduce {id} --profile full"
    if id not in ledger.results:
        return f"Not recorded yet: `{command}`."
    result = ledger.results[id]
    claim = "The claim" if result.paper else "What was asked"
    blocks = [f"**{claim}.** {_plain(result.claim)}"]
    if _SAYS_NONE.search(result.protocol) and "no number" not in result.claim:
        blocks[0] += " The paper gives no number."
    if id in ledger.pictures:
        blocks.append(_shown(ledger.pictures[id], f"Measured for {id}: {result.claim}"))
    by_name = {row.name: row for row in result.rows}
    some = {name: label for name, label in names.items() if name in by_name}
    some = some or {row.name: _words(row.name) for row in result.rows[:_SHOWN_ROWS]}
    blocks.append(_table((label, by_name[name]) for name, label in some.items()))
    blocks.append(f'<p class="rep-command"><code>{escape(command)}</code></p>')
    return "\n\n".join([*blocks, _details(ledger, result)])


def _shown(picture: Picture, alt: str) -> str:
    source = f"../{_STATIC}/{picture.name}"
    return (
        f'<a class="rep-picture" href="{source}"><img src="{source}" alt="{escape(alt)}" '
        f'width="{picture.width}" height="{picture.height}" loading="lazy"></a>'
    )


def _details(ledger: Ledger, result: Result) -> str:
    """The protocol, where and when, and all rows, folded."""
    day = ledger.dates.get(result.revision.partition("-")[0])
    facts = [
        f"entry {result.id}",
        f"profile {result.profile}",
        f"seed {result.seed}",
        f"{result.seconds:,.0f} s on {result.device}",
        f"revision {result.revision}" + (f" of {day}" if day else ""),
    ]
    rows = _table((_words(row.name), row) for row in result.rows)
    count = len(result.rows)
    what = f"all {count} numbers" if count > 1 else "the number"
    return (
        f'<details class="rep-details"><summary>Protocol and {what}</summary>\n'
        f"<p>{escape(result.protocol)}</p>\n<p>{escape('; '.join(facts))}.</p>\n{rows}\n</details>"
    )


def _table(rows: Iterable[tuple[str, Row]]) -> str:
    """Rows under their labels; without a column for the paper where it has no number."""
    rows = list(rows)
    published = any(row.paper is not None for _, row in rows)
    titles = ("measured", *(["paper"] if published else []), "ours", "n")
    head = "".join(f"<th>{title}</th>" for title in titles)
    body = "".join(_row(label, row, published) for label, row in rows)
    return f'<table class="rep-rows"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _row(label: str, row: Row, published: bool) -> str:
    paper = "" if row.paper is None else amount(row.paper, row.unit)
    good = as_good(row)
    ours = escape(amount(row.ours, row.unit)) + ("" if good is None else _verdict(row, good))
    n = "" if row.n is None else f"{row.n:,}"
    cells = (escape(label), *([escape(paper)] if published else []), ours, n)
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _verdict(row: Row, good: bool) -> str:
    word = "as good" if row.ours == row.paper else "better" if good else "worse"
    return f' <span class="rep-{"good" if good else "bad"}">{word}</span>'


def _words(name: str) -> str:
    """A row's name, with places where a line may break."""
    return name.replace("_", " ").replace("/", " / ")


def _plain(text: str) -> str:
    """Prose from the ledger as Markdown that means itself."""
    return re.sub(r"([\\`*_{}\[\]<>$|#])", r"\\\1", text)


def _anchor(manifest: Manifest, item: Item) -> str:
    return f"rep-{manifest.part}-{item.kind}-{item.number}"


def _slug(id: str) -> str:
    return id.replace("/", "-").replace("_", "-")


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
            part = whole.crop(_middle(whole.width, whole.height)) if _is_sheet(path) else whole
            tile = ImageOps.fit(part, _THUMBNAIL, Image.Resampling.LANCZOS)
            tile.save(temporary, "webp", quality=70)
    width, height = kept.stem.split("_")[1:]
    return Picture(f"{_slug(id)}{path.suffix}", path, kept, int(width), int(height))


def _is_sheet(path: Path) -> bool:
    """Sheets of pictures are recorded as WebP; a plot, as PNG, is shown whole."""
    return path.suffix == ".webp"


def _middle(width: int, height: int) -> tuple[int, int, int, int]:
    """A box in the middle of a sheet: a few of its pictures say more than all of them, tiny."""
    wide = width * _SHARE
    high = min(height * 0.8, wide * _THUMBNAIL[1] / _THUMBNAIL[0])
    left, top = (width - wide) / 2, (height - high) / 2
    return round(left), round(top), round(left + wide), round(top + high)


def pages_named(manifests: Sequence[Manifest]) -> list[str]:
    """Names of the pages that the table of contents has to hold, without suffix."""
    pages = [f"book/reproduction/{manifest.part}" for manifest in manifests]
    return ["book/reproduction", *pages, "book/reproduction/own"]
