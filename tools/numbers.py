"""Measured numbers in the prose of a page, and where each may come from.

A number is taken for a measured one where it has a decimal point, is a percentage, or stands before
a unit. It may stay if it is (a) in the ledger, at the precision in which it is written, in an entry
that the page names; (b) a constant of the page's code or of the modules that it shows; or (c)
quoted, with a citation beside it: then it has to be in ``tools/papers/quoted.yaml``.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.manifests import FOLDER, read_manifests, read_yaml
from visage.ledger import Result, Row

_MEASURED = ("mm", "cm", "ms", "s", "second", "seconds", "dB", "MB", "minutes", "years")

_UNITS = (
    "mm|cm|px|pixels?|texels?|ms|milliseconds?|s|seconds?|minutes?|min|hours?|degrees?|°|dB"
    "|kB|MB|GB|kilobytes?|megabytes?|stops|years"
)
_NUMBER = re.compile(
    r"(?<![\w.,/^])(?P<sign>[−-])?(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    rf"(?:(?P<percent>\s?%|\sper\scent\b|\spercent\b)|(?:[\s-]|(?=°))(?P<unit>{_UNITS})(?![\w/]))?(?![\w]|\.\d)"
)
_UNIT_OF = {
    **dict.fromkeys(("pixel", "pixels"), "px"),
    **dict.fromkeys(("second", "seconds"), "s"),
    **dict.fromkeys(("millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("minute", "minutes"), "min"),
    **dict.fromkeys(("megabyte", "megabytes"), "MB"),
    "°": "degrees",
}
_FENCE = re.compile(r"^(`{3,}|~{3,}|:{3,})\s*(\{[\w:-]+\}|[\w+-]*)")
_IN_NAMES = re.compile(r"(?<![a-zA-Z.\d])\d+(?:\.\d+)?(?:e-?\d+)?")
_PROSE_DIRECTIVES = (
    *("admonition", "note", "tip", "warning", "important", "seealso", "margin", "epigraph"),
    *("exercise", "solution-start", "solution-end", "dropdown", "figure", "glossary", "list-table"),
    *("div", "grid", "grid-item-card", "card", "card-footer"),
)
# Numbers that name a place or a version are none of ours.
_NAMES = re.compile(
    r"\d+ ?% intervals?|\b(?:[Ss]ections?|[Ee]quations?|[Ee]qs?\.|[Ff]igures?|[Tt]ables?"
    r"|[Aa]ppendix|[Cc]hapters?|[Pp]ython|[Vv]ersions?|CC[ -]BY|licen[cs]e|torch)"
    r"[\s-](?:\d+(?:\.\d+)*(?:,? (?:and|to|or) )?)+"
)


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of prose, or a sentence in a cell of code that the page shows.

    Attributes:
        line: of the source, from 1.
        text: without code, formulas and addresses.
        cites: keys of the bibliography that it cites.
        section: how many headings stand before it.
    """

    line: int
    text: str
    cites: frozenset[str]
    section: int = 0


@dataclass(frozen=True)
class Number:
    """A number as it is written.

    Attributes:
        text: as written, with its unit.
        value: what it says; percentages as written.
        digits: behind the point.
        percent: whether it is a percentage.
        unit: the unit, or nothing.
    """

    text: str
    value: float
    digits: int
    percent: bool
    unit: str

    @property
    def measured(self) -> bool:
        """Whether it reads like something that was measured."""
        return bool(self.digits or self.percent or self.unit)

    @property
    def significant(self) -> int:
        """How many digits it has, from the first that is not 0."""
        written = re.findall(r"\d[\d,.]*", self.text)[0]
        return len(re.sub(r"[,.]", "", written).lstrip("0"))

    def says(self, value: float) -> bool:
        """Whether a value, rounded as this number is, is this number."""
        scale = 100.0 if self.percent else 1.0
        return abs(round(value * scale, self.digits) - self.value) < 10**-self.digits / 1e3


def paragraphs(source: str) -> Iterator[Paragraph]:
    """The prose of a MyST page, and the sentences in its cells of code."""
    for block in _blocks(source):
        if block.is_code:
            yield from _sentences(block)
            continue
        cites = {
            key.strip()
            for keys in re.findall(r"\{cite[\w:]*\}`([^`]+)`", block.text)
            for key in keys.split(",")
        }
        yield Paragraph(block.line, _plain(block.text), frozenset(cites), block.section)


def numbers(text: str) -> Iterator[Number]:
    """The measured numbers of a text.

    >>> [number.text for number in numbers("It takes 3 steps of 0.5, or 12 %, in 40 ms.")]
    ['0.5', '12 %', '40 ms']
    """
    for found in _NUMBER.finditer(_NAMES.sub(" ", text)):
        written = found["number"]
        _, _, fraction = written.partition(".")
        value = float(written.replace(",", "")) * (-1 if found["sign"] else 1)
        percent, unit = bool(found["percent"]), found["unit"] or ""
        number = Number(found[0].strip(), value, len(fraction), percent, unit)
        if number.measured:
            yield number


def constants(code: str) -> Iterator[float]:
    """The numbers that stand in a cell, also in names of rows such as ``tar_far_1e-2``.

    >>> sorted(constants("f(3, 0.5, 'tar_far_1e-2', 'a sentence of 7 words')"))
    [0.01, 0.5, 3.0]
    """
    tree = _parsed(code)
    yield from _values(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " not in node.value:
            yield from map(float, _IN_NAMES.findall(node.value))


@dataclass(frozen=True)
class _Block:
    line: int
    text: str
    is_code: bool
    section: int


def _blocks(source: str) -> Iterator[_Block]:
    """Paragraphs, titles of boxes, and cells of code, in their order."""
    lines = source.splitlines()
    start = lines.index("---", 1) + 1 if lines[:1] == ["---"] else 0
    kept: list[str] = []
    fences: list[tuple[str, str]] = []  # those that are open: how they close, and what they are
    first, section, formula = start + 1, 0, False
    for number, line in enumerate([*lines[start:], ""], start + 1):
        bare = line.strip()
        inside = fences[-1] if fences else ("", "div")
        if inside[1] not in _PROSE_DIRECTIVES and bare != inside[0]:
            kept.append(line)  # of code, whatever it says
            continue
        fence = _FENCE.match(bare)
        ends = not bare or fence or bare.startswith("$$") or re.match(r":[\w-]+:|%", line)
        if ends and kept and inside[1] in (*_PROSE_DIRECTIVES, "code-cell"):
            yield _Block(first, "\n".join(kept), inside[1] == "code-cell", section)
        if ends:
            kept, first = [], number + 1
        if fence and bare == inside[0]:
            fences.pop()
        elif fence:
            name = fence[2].strip("{}") or "code"
            fences.append((fence[1], name))
            if name in _PROSE_DIRECTIVES and name != "figure" and bare != fence[0]:
                yield _Block(number, bare.removeprefix(fence[0]).strip(), False, section)
        elif bare.startswith("$$"):
            formula ^= bare.count("$$") == 1
        elif not ends and not formula:
            section += line.startswith("#")
            kept.append(line)


def _plain(text: str) -> str:
    """Prose without code, formulas, roles, addresses and comments."""
    text = re.sub(r"(`+)(?:(?!\1).)+\1", " ` ", re.sub(r"\{[\w:]+\}`[^`]+`", " ", text), flags=re.S)
    text = re.sub(r"(?<!\\)\$[^$]+\$", " x ", text, flags=re.S)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    text = re.sub(r"https?://\S+|<[^>\n]+>|\{\{[^}]*\}\}|\{[.#][^}]*\}", " ", text)
    return re.sub(r"^\s*\d+\.\s", "", text, flags=re.M)


def _sentences(block: _Block) -> Iterator[Paragraph]:
    """Texts of at least four words that a cell shows: captions, labels of tables."""
    for node in ast.walk(_parsed(block.text)):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and len(node.value.split()) >= 4:
            yield Paragraph(block.line, _plain(node.value), frozenset(), block.section)


def _parsed(code: str) -> ast.Module:
    """A cell without its options; nothing where it is no Python, as a magic is."""
    body = "\n".join(line for line in code.splitlines() if not re.match(r":[\w-]+:", line))
    try:
        return ast.parse(body)
    except SyntaxError:
        return ast.Module([], [])


@dataclass(frozen=True)
class Sources:
    """What the numbers of a page may come from.

    Attributes:
        rows: of the ledger, by section: of the entries that it names; under -1, of all on the page.
        constants: of its cells of code.
        settings: of the modules that it imports from or shows.
        quoted: per key of the bibliography, the numbers that are quoted from there.
        paper: key of the paper that the page calls "the paper", or nothing.
    """

    rows: Mapping[int, tuple[Row, ...]]
    constants: frozenset[float]
    settings: frozenset[float]
    quoted: Mapping[str, frozenset[str]]
    paper: str = ""

    def of(self, number: Number, paragraph: Paragraph) -> str:
        """Where a number comes from, in a word; empty where nothing says so.

        Of one or two digits there is hardly a number that no row of a whole page has: for such it
        has to be an entry of the same section. What has been measured, in per cent or millimetres,
        is no setting.
        """
        keys = set(paragraph.cites)
        if self.paper and re.search(r"\bpaper\b", paragraph.text):
            keys.add(self.paper)
        if any(number.text in self.quoted.get(key, ()) for key in keys):
            return "quoted"
        section = -1 if number.significant > 2 else paragraph.section
        if any(_is_row(number, row) for row in self.rows.get(section, ())):
            return "ledger"
        held = self.constants
        if not number.percent and number.unit not in _MEASURED:
            held |= self.settings
        if any(_is_constant(number, value) for value in held):
            return "constant"
        return ""


def sources(root: Path, page: Path, ledger: Mapping[str, Result]) -> Sources:
    """What the numbers of a page may come from.

    Args:
        root: the repository.
        page: a source below ``book/``.
        ledger: all results by id.
    """
    source = page.read_text(encoding="utf-8")
    blocks = list(_blocks(source))
    named: dict[int, set[str]] = defaultdict(set)
    for block in blocks:
        ids = set(re.findall(r"""["'`]([a-z]+/[a-z0-9_]+)["'`]""", block.text)) & set(ledger)
        named[block.section] |= ids
        named[-1] |= ids
    rows = {
        section: tuple(row for id in sorted(ids) for row in ledger[id].rows)
        for section, ids in named.items()
    }
    code = [block.text for block in blocks if block.is_code]
    held = {value for text in code for value in constants(text)}
    names = [row.name for row in rows.get(-1, ())]  # such as mean_mm/90: how it was set up
    held |= {float(number) for name in names for number in _IN_NAMES.findall(name)}
    modules = [path.read_text(encoding="utf-8") for path in _modules(root, source, code)]
    known = {value for text in modules for value in settings(text)}
    keys = {manifest.part: manifest.key for manifest in read_manifests()}
    part = page.relative_to(root / "book").parts[0]
    return Sources(rows, frozenset(held), frozenset(known), read_quoted(), keys.get(part, ""))


def settings(module: str) -> Iterator[float]:
    """The numbers that a module holds by name: its constants, and fields of its dataclasses."""
    for node in ast.parse(module).body:
        if isinstance(node, ast.ClassDef):
            fields = [part for part in node.body if isinstance(part, ast.AnnAssign) and part.value]
            yield from (value for part in fields for value in _values(part.value))
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            yield from _values(node.value)


def read_quoted(folder: Path = FOLDER) -> dict[str, frozenset[str]]:
    """Numbers that are quoted, as they are written, per key of the bibliography."""
    content = read_yaml(folder / "quoted.yaml")
    return {key: frozenset(map(str, numbers)) for key, numbers in content.items()}


def unfounded(root: Path, page: Path, ledger: Mapping[str, Result]) -> list[tuple[int, Number]]:
    """Lines and measured numbers of a page that come from nowhere.

    Args:
        root: the repository.
        page: a source below its ``book/``.
        ledger: all results by id.
    """
    known = sources(root, page, ledger)
    return [
        (paragraph.line, number)
        for paragraph in paragraphs(page.read_text(encoding="utf-8"))
        for number in numbers(paragraph.text)
        if not known.of(number, paragraph)
    ]


def _is_row(number: Number, row: Row) -> bool:
    if number.percent:
        fits = row.unit == "fraction"
    elif number.unit:
        fits = _UNIT_OF.get(number.unit, number.unit) == _UNIT_OF.get(row.unit, row.unit)
    else:
        fits = row.unit not in ("fraction", "mm", "ms", "s", "px", "degrees")
    values = [row.ours] if row.paper is None else [row.ours, row.paper]
    return fits and any(number.says(value) for value in values)


def _is_constant(number: Number, value: float) -> bool:
    if number.percent and abs(value) >= 1:
        return False  # whatever is a share is held as one
    scale = 100.0 if number.percent else 1.0
    near = 1e-9 * max(1.0, abs(number.value))
    return abs(abs(value) * scale - abs(number.value)) < near


def _modules(root: Path, source: str, code: Iterable[str]) -> set[Path]:
    """Modules of the library that a page shows or imports from."""
    shown = re.findall(r"\{literalinclude\} (?:\.\./)*(src/\S+\.py)", source)
    found = {root / name for name in shown}
    for text in code:
        for name in re.findall(r"^\s*(?:from|import) (visage[\w.]*)", text, re.MULTILINE):
            found.add(root / "src" / f"{name.replace('.', '/')}.py")
    return {path for path in found if path.is_file()}


def _values(node: ast.AST) -> Iterator[float]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and type(part.value) in (int, float):
            yield float(part.value)
