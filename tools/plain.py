"""MyST to plain Markdown, for the notebooks that Colab and Jupyter open: they know no directives.

The pages are built from MyST itself; this is only for readers who run a chapter. Included code
becomes code, admonitions and exercises become quotations, citations become author and year.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from nbformat import NotebookNode
from pybtex.database import parse_file

_OPEN = re.compile(r"^(?P<fence>`{3,}|:{3,})\{(?P<name>[\w:-]+)\}[ \t]*(?P<argument>.*)$")
_OPTION = re.compile(r"^:(?P<key>[\w-]+):[ \t]*(?P<value>.*)$")
_ROLE = re.compile(r"\{(?P<name>[\w:+-]+)\}`(?P<text>[^`]+)`")
_TITLES = {
    "note": "Note",
    "tip": "Tip",
    "hint": "Hint",
    "important": "Important",
    "warning": "Warning",
    "caution": "Caution",
    "danger": "Danger",
    "seealso": "See also",
    "exercise": "Exercise",
    "solution": "Solution",
    "margin": "Aside",
    "dropdown": "More",
    "admonition": "Note",
}
_DROPPED = {"toctree", "tableofcontents", "contents", "raw", "button-link"}


@dataclass(frozen=True)
class _Directive:
    """A directive as it stands in the text."""

    name: str
    argument: str
    options: Mapping[str, str]
    body: list[str]
    page: Path


def plain_markdown(notebook: NotebookNode, page: Path) -> NotebookNode:
    """A copy of a notebook whose Markdown cells hold no MyST.

    Args:
        notebook: the chapter.
        page: its source, which relative paths start from.
    """
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = convert(cell.source, page)
    return notebook


def convert(text: str, page: Path) -> str:
    r"""Plain Markdown for a piece of MyST.

    >>> print(convert(":::{note}\nRead {term}`chip` first.\n:::", Path("book/x.md")))
    > **Note.** Read chip first.
    """
    return "\n".join(_convert_lines(text.split("\n"), page)).strip("\n")


def _convert_lines(lines: list[str], page: Path) -> list[str]:
    result: list[str] = []
    position = 0
    while position < len(lines):
        line = lines[position]
        opened = _OPEN.match(line)
        if opened:
            end = _closing(lines, position, opened["fence"])
            result += _render(_parse(opened, lines[position + 1 : end], page))
            position = end + 1
            continue
        if line.startswith("```"):  # ordinary code stays as it is
            end = _closing(lines, position, "```")
            result += lines[position : end + 1]
            position = end + 1
            continue
        if not re.match(r"^(\([\w:-]+\)=|%( .*)?)$", line):  # labels and comments
            named = re.match(r"^\$\$ \(([\w:-]+)\)$", line)
            if named:  # its name as its number, so that the text can speak of it
                result += [rf"\tag{{{named[1]}}}", "$$"]
                position += 1
                continue
            result.append(_ROLE.sub(lambda role: _role(role, page), line))
        position += 1
    return result


def _closing(lines: list[str], start: int, fence: str) -> int:
    """Index of the line that closes the fence opened at `start`."""
    for position in range(start + 1, len(lines)):
        stripped = lines[position].strip()
        if stripped.startswith(fence) and not stripped.strip(fence[0]):
            return position
    return len(lines)


def _parse(opened: re.Match, body: list[str], page: Path) -> _Directive:
    options = {}
    while body and (option := _OPTION.match(body[0])):
        options[option["key"]] = option["value"]
        body = body[1:]
    return _Directive(opened["name"], opened["argument"].strip(), options, body, page)


def _render(directive: _Directive) -> list[str]:
    name = directive.name
    if name.endswith("-end"):
        return []
    if name.startswith(("exercise", "solution")):
        name = name.split("-")[0]  # exercise-start and the like
    if name in _DROPPED:
        return []
    if name == "bibliography":
        return ["The references stand at the foot of the rendered page."]
    if name == "math":
        return ["$$", *directive.body, "$$"]
    if name in ("figure", "image"):
        return _figure(directive)
    if name == "literalinclude":
        return _included(directive)
    if name.startswith("code"):
        return [f"```{directive.argument}", *directive.body, "```"]
    body = _convert_lines(directive.body, directive.page)
    if name in _TITLES:
        named = directive.argument and name in ("admonition", "dropdown", "margin")
        title = directive.argument if named else _TITLES[name]
        while body and not body[0].strip():
            body = body[1:]
        first, *others = body or [""]
        return [f"> **{title}.** {first}".rstrip(), *(f"> {line}".rstrip() for line in others)]
    return body


def _figure(directive: _Directive) -> list[str]:
    caption = " ".join(_convert_lines(directive.body, directive.page)).strip()
    alt = directive.options.get("alt", caption)
    return [f"![{alt}]({directive.argument})", *(["", f"*{caption}*"] if caption else [])]


def _included(directive: _Directive) -> list[str]:
    """The code that `literalinclude` names: a whole file, or one function or class of it."""
    text = (directive.page.parent / directive.argument).read_text(encoding="utf-8")
    lines = text.split("\n")
    wanted = directive.options.get("pyobject")
    if wanted:
        start, end = _symbol(ast.parse(text), wanted)
        lines = lines[start - 1 : end]
    return [f"```{directive.options.get('language', 'python')}", *lines, "```"]


def _symbol(tree: ast.AST, dotted: str) -> tuple[int, int]:
    """First and last line of a function or class, decorators included."""
    node = tree
    for part in dotted.split("."):
        node = next(child for child in node.body if getattr(child, "name", None) == part)
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
    return first, node.end_lineno


def _role(role: re.Match, page: Path) -> str:
    name, text = role["name"], role["text"]
    if name == "bibliography":
        return ["The references stand at the foot of the rendered page."]
    if name == "math":
        return f"${text}$"
    if name.startswith("cite"):
        cited = [_citation(key.strip(), page) for key in text.split(",")]
        return ", ".join(cited) if name.endswith(":t") else f"({'; '.join(cited)})"
    shown = re.sub(r"\s*<[^>]*>$", "", text)
    if name == "eq":
        return f"equation ({shown})"
    if name.startswith("py:"):
        return f"`{shown.rpartition('.')[2] if shown.startswith('~') else shown}`"
    return shown


def _citation(key: str, page: Path) -> str:
    """Authors and year, e.g. ``Cole et al. 2017``; the key itself when it is unknown."""
    entry = _bibliography(page)(key)
    if entry is None:
        return key
    names = [" ".join(person.last_names) for person in entry.persons.get("author", [])]
    if len(names) > 2:
        names = [f"{names[0]} et al."]
    return f"{' and '.join(names)} {entry.fields.get('year', '')}".strip()


def _bibliography(page: Path) -> Callable:
    for folder in page.resolve().parents:
        if (folder / "references.bib").is_file():
            return _entries(folder / "references.bib").get
    return {}.get


@cache
def _entries(path: Path) -> Mapping:
    return parse_file(str(path)).entries
