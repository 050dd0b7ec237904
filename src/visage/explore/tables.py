"""Ledger entries as tables, so that nobody types a measured number into a page."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from visage import ledger


@dataclass(frozen=True)
class Markup:
    """HTML for the page and plain words for a terminal."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        """Return the plain words."""
        return self.text


def result_table(result: ledger.Result, names: Mapping[str, str] | None = None) -> Markup:
    """Set a ledger entry as a table: what was measured, the published value, ours, unit and n.

    Args:
        result: from `ledger.read`.
        names: which rows to show, in this order, and what to call each; all of them if None.

    Raises:
        KeyError: the entry has no row of a name.
    """
    by_name = {row.name: row for row in result.rows}
    names = names or {name: name.replace("_", " ") for name in by_name}
    published = any(by_name[name].paper is not None for name in names)
    rows, lines = [], [f"{result.id}: {result.claim}"]
    for name, label in names.items():
        row = by_name[name]
        paper = "" if row.paper is None else amount(row.paper, row.unit)
        ours = amount(row.ours, row.unit)
        n = "" if row.n is None else f"{row.n:,}"
        cells = (label, *([paper] if published else []), ours, n)
        rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
        lines.append(f"  {label}: {ours}" + (f" (published: {paper})" if paper else ""))
    titles = ("measured", *(["published"] if published else []), "ours", "n")
    header = "".join(f"<th>{title}</th>" for title in titles)
    html = (
        '<div class="visage-result"><table class="table"><thead><tr>'
        f"{header}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        f"<p>Repeat it: <code>visage reproduce {escape(result.id)}</code>. "
        f"{escape(_when(result))}.</p></div>"
    )
    return Markup(html, "\n".join(lines))


def grid_table(
    result: ledger.Result, rows: Mapping[str, str], columns: Mapping[str, str]
) -> Markup:
    """Set a ledger entry's rows as a grid: the entry `<column>_<row>` in each cell.

    Args:
        result: from `ledger.read`.
        rows: ends of names, and what to call each; those of which nothing is known are left out.
        columns: beginnings of names, and what to call each.
    """
    by_name = {row.name: row for row in result.rows}
    body, lines = [], [f"{result.id}: {result.claim}"]
    for tail, label in rows.items():
        found = [by_name.get(f"{head}_{tail}") for head in columns]
        if not any(found):
            continue
        cells = ["" if row is None else amount(row.ours, row.unit) for row in found]
        body.append(
            f'<tr><th scope="row">{escape(label)}</th>'
            + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
            + "</tr>"
        )
        lines.append(f"  {label}: " + ", ".join(cells))
    header = "".join(f'<th scope="col">{escape(title)}</th>' for title in ("", *columns.values()))
    html = (
        '<div class="visage-result"><table class="table"><thead><tr>'
        f"{header}</tr></thead><tbody>{''.join(body)}</tbody></table>"
        f"<p>Repeat it: <code>visage reproduce {escape(result.id)}</code>. "
        f"{escape(_when(result))}.</p></div>"
    )
    return Markup(html, "\n".join(lines))


def _when(result: ledger.Result) -> str:
    seconds = f"{result.seconds:.0f} s"
    return f"Profile {result.profile}, seed {result.seed}, {seconds} on {result.device}"


def protocol(result: ledger.Result) -> Markup:
    """Say how a ledger entry was measured, in its own words."""
    text = f"{result.claim} {result.protocol}"
    return Markup(f'<blockquote class="visage-protocol"><p>{escape(text)}</p></blockquote>', text)


def amount(value: float, unit: str) -> str:
    """A number with its unit; fractions as per cent."""
    if unit == "fraction":
        return f"{100 * value:.2f}%"
    return f"{_number(value)} {unit}".rstrip()


def _number(value: float) -> str:
    """Four significant digits, no exponent where a reader can do without."""
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value)}"
    return f"{value:.2e}" if abs(value) < 1e-3 else f"{value:.4g}"
