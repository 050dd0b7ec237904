"""Where the pages speak of the library: code that they show, names that they use or write out.

A page is read as text, line by line, so that the same reading serves notebooks and plain pages, and
the links that are put into a page stand where the index says that they do.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

from tools.book import BookError
from tools.symbols import Symbol, Symbols

How = Literal["shown", "named", "used"]
_FENCE = re.compile(r"^\s*(?P<fence>`{3,}|:{3,}|\${2})\s*(\{(?P<name>[\w:-]+)\})?(?P<rest>.*)$")
SPAN = re.compile(r"(?<![`\w}\[])`(?P<text>[^`\n]+)`(?!`)")
_DOTTED = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(?=$|\()")
_HEADING = re.compile(r"^(?P<marks>#{1,4}) +(?P<title>.+?)\s*$")
_LABEL = re.compile(r"^\((?P<label>[\w:-]+)\)=\s*$")
_PROSE = {"note", "tip", "hint", "important", "warning", "margin", "dropdown", "admonition"}
_PROSE |= {"exercise", "solution", "exercise-start", "solution-start", "div", "seealso"}


@dataclass(frozen=True)
class Mention:
    """One place where a page speaks of a name.

    Attributes:
        name: the symbol's, in full.
        page: below ``book/``, without suffix.
        label: what a reference to the section is made with.
        section: its title; that of the page where no section has begun.
        how: code that the page includes, a name in its prose, or one that its code imports.
    """

    name: str
    page: str
    label: str
    section: str
    how: How


@dataclass(frozen=True)
class Line:
    """A line of a page, and what it is in."""

    text: str
    kind: Literal["prose", "fence", "code", "option", "other"]
    directive: str = ""
    argument: str = ""


def read_lines(text: str) -> Iterator[Line]:
    r"""Every line, with the innermost directive that it is in.

    >>> [line.kind for line in read_lines("a\n```python\nx = 1\n```\nb")]
    ['prose', 'fence', 'code', 'fence', 'prose']
    """
    inside: list[tuple[str, str, str]] = []  # fence, directive, argument
    options = False
    for text_line in text.split("\n"):
        fence, name, argument = inside[-1] if inside else ("", "", "")
        opened = _FENCE.match(text_line)
        stripped = text_line.strip()
        if inside and stripped.startswith(fence) and not stripped.strip(fence[0]):
            inside.pop()
            yield Line(text_line, "fence", "", "")
        elif inside and fence == "$$":
            closes = stripped.startswith("$$")
            if closes:
                inside.pop()
            yield Line(text_line, "fence" if closes else "other")
        elif opened and not (inside and _is_code(name)) and not _one_line(opened):
            its_name = opened["name"] or ("" if opened["fence"] == "$$" else "code")
            inside.append((opened["fence"], its_name, opened["rest"].strip()))
            options = True
            yield Line(text_line, "fence", its_name, opened["rest"].strip())
        elif inside and options and re.match(r"^\s*:[\w-]+:", text_line):
            yield Line(text_line, "option", name, argument)
        else:
            options = False
            if not inside or name in _PROSE or name.startswith("grid"):
                kind = "prose"
            else:
                kind = "code" if _is_code(name) else "other"
            yield Line(text_line, kind, name, argument)


def _is_code(directive: str) -> bool:
    return directive.startswith("code")


def _one_line(opened: re.Match) -> bool:
    """A formula that opens and closes on one line."""
    return opened["fence"] == "$$" and "$$" in opened["rest"]


@dataclass
class Sections:
    """The headings of one page as they come, each with a label.

    Attributes:
        page: below ``book/``, without suffix.
        title: of the page, once its first heading has been read.
    """

    page: str
    title: str = ""
    section: str = ""
    label: str = ""
    _waiting: str = ""
    _taken: set[str] = field(default_factory=set)

    def read(self, line: Line) -> str | None:
        """Take a line in; the label that the page must be given before it, if one is missing."""
        if line.kind != "prose":
            return None
        written = _LABEL.match(line.text)
        heading = _HEADING.match(line.text)
        if written:
            self._waiting = written["label"]
        elif heading and line.directive == "":
            missing = not self._waiting
            self.section = plain_title(heading["title"])
            self.label = self._waiting or self._made(self.section)
            self._waiting = ""
            self.title = self.title or self.section
            return self.label if missing else None
        elif line.text.strip():
            self._waiting = ""
        return None

    def _made(self, title: str) -> str:
        slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
        label = base = f"at-{self.page.replace('/', '-').replace('_', '-')}-{slug}"
        count = 1
        while label in self._taken:
            count += 1
            label = f"{base}-{count}"
        self._taken.add(label)
        return label


def plain_title(title: str) -> str:
    """A heading without markup.

    >>> plain_title("{term}`Chips <chip>` and $n_z$, `here`")
    'Chips and n_z, here'
    """
    title = re.sub(r"\{[\w:-]+\}`([^`<]+?)(\s*<[^>]*>)?`", r"\1", title)
    return title.replace("`", "").replace("$", "").replace("*", "").replace("\\", "")


def mentions(page: str, text: str, symbols: Symbols) -> list[Mention]:
    """Every name of the library in a page, in order.

    Args:
        page: below ``book/``, without suffix.
        text: its source.
        symbols: the library's.

    Raises:
        BookError: the page includes code that the library does not have.
    """
    sections = Sections(page)
    known = known_names(text, symbols)
    found: list[Mention] = []

    def add(symbol: Symbol, how: How) -> None:
        title = sections.section or page
        found.append(Mention(symbol.name, page, sections.label, title, how))

    code: list[str] = []
    for line in read_lines(text):
        sections.read(line)
        if line.kind == "code":
            code.append(line.text)
            continue
        if code:
            for symbol in used(parsed("\n".join(code)), symbols, known):
                add(symbol, "used")
            code = []
        if line.kind == "option" and line.directive == "literalinclude":
            shown = included(page, line, symbols)
            if shown:
                add(shown, "shown")
        elif line.kind == "prose" and not _HEADING.match(line.text):
            for span in SPAN.finditer(line.text):
                symbol = named(span["text"], symbols, known)
                if symbol:
                    add(symbol, "named")
    return found


def included(page: str, line: Line, symbols: Symbols) -> Symbol | None:
    """The symbol that a ``:pyobject:`` line of a literalinclude names; None for other options.

    Raises:
        BookError: there is no such file or name in the library.
    """
    option = re.match(r"^\s*:pyobject:\s*(\S+)", line.text)
    if not option:
        return None
    folder = PurePosixPath("book", page).parent
    path: list[str] = []
    for part in (folder / line.argument).parts:
        if part == "..":
            path.pop()
        else:
            path.append(part)
    module = ".".join(path).removeprefix("src.").removesuffix(".py").removesuffix(".__init__")
    symbol = symbols.table.get(f"{module}.{option[1]}")
    if symbol is None:
        raise BookError(f"book/{page}.md includes {option[1]} of {module}, which has no such name.")
    return symbol


def parsed(code: str) -> ast.Module:
    """The code's syntax, without the lines that only a notebook understands."""
    lines = code.split("\n")
    kept = [line for line in lines if not re.match(r"^\s*[%!]|^:\w+:", line)]
    try:
        return ast.parse("\n".join(kept))
    except SyntaxError:
        return ast.parse("")


def imports(tree: ast.Module, package: str) -> Iterator[tuple[str, str]]:
    """The names that code gives to what it imports of the package: (name there, full name)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == package:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def known_names(text: str, symbols: Symbols) -> dict[str, str]:
    """What the whole page's code imports: name there to full name."""
    found = {}
    code: list[str] = []
    for line in [*read_lines(text), Line("", "fence")]:
        if line.kind == "code":
            code.append(line.text)
        elif code:
            found.update(imports(parsed("\n".join(code)), symbols.folder.name))
            code = []
    return found


def used(tree: ast.Module, symbols: Symbols, known: Mapping[str, str]) -> list[Symbol]:
    """What code imports, and what it takes from modules that the page has imported."""
    names = [full for _, full in imports(tree, symbols.folder.name)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names.append(f"{known.get(node.value.id, '')}.{node.attr}")
    found = (symbols.resolve(name) for name in names)
    return [symbol for symbol in dict.fromkeys(found) if symbol]


def named(span: str, symbols: Symbols, known: Mapping[str, str]) -> Symbol | None:
    """The symbol that a piece of code in a sentence means, if it means one.

    A name that the page imports is that one. Otherwise it has to be spelt in full, or to be a
    capitalised or compound name that the library has once.
    """
    match = _DOTTED.match(span)
    if not match:
        return None
    head, _, tail = match[0].partition(".")
    package = symbols.folder.name
    if head == package:
        return symbols.resolve(match[0])
    if head in known:
        return symbols.resolve(f"{known[head]}.{tail}" if tail else known[head])
    if head.islower() and "_" not in head:
        return None  # a word
    candidates = symbols.by_short_name.get(match[0]) or symbols.by_short_name.get(head, ())
    return candidates[0] if len(candidates) == 1 else None
