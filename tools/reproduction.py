"""The pages of the reproduction: every figure and table of the papers beside what was measured.

`tools.stage` puts what is made here in place of the lines ``% reproduction: <what>`` of the pages
``book/reproduction.md`` and ``book/reproduction/*.md``. Everything comes from ``results/`` and from
the manifests (`tools.manifests`); nothing is typed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from tools.book import Book
from tools.entries import entry_markdown
from tools.evidence import STATIC, Ledger, as_good, holds, registered_experiments, slug
from tools.manifests import Beside, Item, Manifest

_MARK = re.compile(r"^% reproduction: (\w+)$", re.MULTILINE)
_NETWORK = "M6 24h12m6 0h12m6 0h12M18 14h6v20h-6zM36 9h6v30h-6zM54 17h4v14h-4z"
_GRID = "M12 12h40v26h-40zM12 20h40M12 29h40M25 12v26M38 12v26"


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
        files[f"book/{STATIC}/{picture.name}"] = picture.source.read_bytes()
        files[f"book/{STATIC}/small/{slug(id)}.webp"] = picture.tile.read_bytes()
    return files


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
    claims = [
        true
        for manifest in manifests
        for id, compared in manifest.claims.items()
        if id in ledger.results
        for claim in compared.values()
        if (true := holds(claim, ledger.results[id].rows)) is not None
    ]
    good = f"{sum(judged)} of {len(judged)}"
    counts = [
        (f"{len(items)}", f"figures and tables of {len(manifests)} papers"),
        (f"{count['reproduced']}", "reproduced"),
        (f"{count['in part']}", "in part"),
        (f"{count['built']}", "drawings, built"),
        (f"{count['not reproduced']}", "not reproduced"),
        (f"{len(rows):,}", f"numbers in {len(results)} entries of the ledger"),
        (f"{sum(claims)} of {len(claims)}", "claims hold that a comparison can decide"),
        (good, "published values reached or passed"),
    ]
    cells = "".join(f"<div><dd>{number}</dd><dt>{what}</dt></div>" for number, what in counts)
    tiles = "".join(
        f'<h2 class="rep-paper"><a href="reproduction/{manifest.part}.html">'
        f"{escape(manifest.name)}</a></h2>"
        + _tiles(ledger, manifest, f"reproduction/{manifest.part}.html", "")
        for manifest in manifests
    )
    return (
        f'<dl class="rep-counts">{cells}</dl>\n\n{_legend()}{tiles}\n\n'
        f"Of the {len(judged)} numbers that have a published value and a direction in which they "
        f"get better, {sum(judged)} are as good here or better. Of the claims, nearly "
        f"all the papers' own, {len(claims)} can be put as a comparison of our numbers; "
        f"{sum(claims)} of these hold. "
        f"{_CAUTION}\n"
    )


_CAUTION = (
    "Read both as counts and not as scores: faces, recognisers and units are other than the "
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
        source = f"{up}{STATIC}/small/{slug(ids[0])}.webp" if ids else ""
        picture = (
            f'<img src="{source}" alt="" width="64" height="48" loading="lazy">'
            if ids
            else _drawn(item)
        )
        label = f"{item.name}: {item.title}, {item.status}"
        short = f"{item.kind[0].upper()}{item.number}"
        tiles.append(
            f'<a class="rep-{_MARKS[item.status]}" href="{page}#{_anchor(manifest, item)}" '
            f'title="{escape(label)}" aria-label="{short}, {escape(label)}">'
            f"{picture}<b>{short}</b></a>"
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
        parts += [_beside(ledger, id, manifest) for id in others]
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
        lines.append(entry_markdown(ledger, id, manifest))
    return "\n\n".join(lines)


def _beside(ledger: Ledger, id: str, manifest: Manifest) -> str:
    beside = manifest.beside[id]
    shows = [beside.shows] if beside.shows else []
    heading = f"(rep-{slug(id)})=\n### {beside.title}"
    entry = entry_markdown(ledger, id, manifest, beside.command)
    return "\n\n".join([heading, *shows, _read_in(ledger, [id]), entry])


def _of_no_paper(ledger: Ledger, id: str) -> str:
    plain = Beside(id.partition("/")[2].replace("_", " ").capitalize())
    beside = ledger.own.entries.get(id, plain)
    heading = f"(rep-{slug(id)})=\n## {beside.title}"
    entry = entry_markdown(ledger, id, ledger.own, beside.command)
    return "\n\n".join([heading, _read_in(ledger, [id]), entry])


def _open(ledger: Ledger) -> str:
    """Experiments that have not been recorded."""
    missing = sorted(registered_experiments(ledger.book.root) - ledger.results.keys())
    if not missing:
        return "Every experiment that the library knows is recorded."
    names = ", ".join(f"`{id}`" for id in missing)
    return f"Known to the library, and not recorded yet: {names}."


def _read_in(ledger: Ledger, ids: Iterable[str], chapter: str = "") -> str:
    chapters = [chapter] if chapter else []
    chapters += [name for id in ids for name in ledger.chapters.get(id, [])]
    links = [f"[](/{name})" for name in dict.fromkeys(chapters)]
    return f"Read about it in {' and '.join(links)}." if links else ""


def _anchor(manifest: Manifest, item: Item) -> str:
    return f"rep-{manifest.part}-{item.kind}-{item.number}"


def pages_named(manifests: Sequence[Manifest]) -> list[str]:
    """Names of the pages that the table of contents has to hold, without suffix."""
    pages = [f"book/reproduction/{manifest.part}" for manifest in manifests]
    return ["book/reproduction", *pages, "book/reproduction/own"]
