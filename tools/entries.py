"""An entry of the ledger on a page: claim, picture, numbers, verdicts, protocol and command."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape

from tools.evidence import STATIC, Ledger, Picture, as_good, holds
from tools.manifests import Manifest, Own
from visage.explore.tables import amount
from visage.ledger import Result, Row

_SAYS_NONE = re.compile(r"\bno number|without numbers|(?:has|shows) pictures|pictures only")
_SHOWN_ROWS = 6  # of an entry for which the manifest names none


def entry_markdown(ledger: Ledger, id: str, known: Manifest | Own, command: str = "") -> str:
    """What the ledger holds of an experiment, in Markdown.

    Args:
        ledger: all results.
        id: of the entry; it may not be recorded yet.
        known: which rows to show first, and which claims to compare.
        command: what repeats it, where that is not `visage reproduce`.
    """
    command = command or f"visage reproduce {id} --profile full"
    if id not in ledger.results:
        return f"Not recorded yet: `{command}`."
    result = ledger.results[id]
    claim = "The claim" if result.paper else "What was asked"
    blocks = [f"**{claim}.** {_plain(result.claim)}"]
    published = any(row.paper is not None for row in result.rows)
    if _SAYS_NONE.search(result.protocol) and not published and "no number" not in result.claim:
        blocks[0] += " The paper gives no number."
    if id in ledger.pictures:
        blocks.append(_shown(ledger.pictures[id], f"Measured for {id}: {result.claim}"))
    by_name = {row.name: row for row in result.rows}
    names = known.rows.get(id, {})
    some = {name: label for name, label in names.items() if name in by_name}
    some = some or {row.name: _words(row.name) for row in result.rows[:_SHOWN_ROWS]}
    blocks.append(_table((label, by_name[name]) for name, label in some.items()))
    blocks += _claims(result, known.claims.get(id, {}) if isinstance(known, Manifest) else {})
    blocks.append(f'<p class="rep-command"><code>{escape(command)}</code></p>')
    return "\n\n".join([*blocks, _details(ledger, result)])


def _claims(result: Result, compared: Mapping[str, str]) -> list[str]:
    """Which of the paper's claims come out true, as a list; nothing where none is compared."""
    lines = []
    for words, claim in compared.items():
        true = holds(claim, result.rows)
        if true is not None:
            mark, verdict = ("good", "Holds") if true else ("bad", "Does not hold")
            lines.append(f'<li><b class="rep-{mark}">{verdict}:</b> {escape(words)}.</li>')
    return [f'<ul class="rep-claims">{"".join(lines)}</ul>'] if lines else []


def _shown(picture: Picture, alt: str) -> str:
    source = f"../{STATIC}/{picture.name}"
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
