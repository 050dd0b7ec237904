"""The library's pages: docstrings as they are written here, links to source and to the chapters.

Our docstrings are plain text with single backticks, in Google's sections. Sphinx reads them as
reStructuredText, in which a formula such as |x| or a name such as S_x has another meaning. So what
is no code is escaped, and what stands in backticks becomes a link where the library has such a
name, and code where not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.domains.python import PyObject
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from tools.symbols import Symbols, field_comments

_CODE = re.compile(r"(?P<before>\w?)(?P<ticks>`{1,2})(?P<code>[^`\n]+)(?P=ticks)(?P<after>\w?)")
_NAME = re.compile(r"[A-Za-z_][\w.]*$")
_RAISES = re.compile(r"^(:raises )([A-Za-z_][\w.]*)(:.*)$")
_ROLE = re.compile(r":[\w:]+:$")


@dataclass
class _Api:
    """What the handlers know; one a process, read when the configuration is."""

    symbols: Symbols
    places: dict[str, list[list[str]]] = field(default_factory=dict)
    described: set[str] = field(default_factory=set)
    address: str = ""


_API = _Api(Symbols(Path()))


def setup(app: Sphinx) -> dict[str, object]:
    """Connect to Sphinx, where the stage holds a reference."""
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.napoleon")
    app.connect("config-inited", _read)
    app.connect("autodoc-process-docstring", _as_restructured_text, priority=400)
    app.connect("autodoc-process-docstring", _with_full_names, priority=600)
    app.connect("autodoc-skip-member", _skip)
    app.connect("missing-reference", _complain)
    app.setup_extension("sphinx.ext.linkcode")
    for kind in PyObject.doc_field_types:
        if kind.name == "variable":
            kind.label = "Attributes"
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}


def _read(app: Sphinx, config: Config) -> None:
    config.linkcode_resolve = _source
    root = Path(app.srcdir)
    kept = root / "_reference" / "places.json"
    if not kept.is_file():
        return
    _API.places = json.loads(kept.read_text("utf-8"))
    _API.symbols = Symbols(root.parent / "src" / "visage")
    _API.address = config.html_theme_options.get("repository_url", "").rstrip("/")
    pages = "\n".join(path.read_text("utf-8") for path in sorted(root.glob("api/*.rst")))
    modules = set(re.findall(r"^\.\. automodule:: (\S+)", pages, re.MULTILINE))
    _API.described = {
        one.name
        for one in _API.symbols.table.values()
        if one.module in modules and one.public and (one.summary or one.kind == "module")
    }


def _as_restructured_text(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Escape what is text, and make links of names; before napoleon reads the sections."""
    symbol = _API.symbols.table.get(name)
    module = symbol.module if symbol else name
    lines[:] = escape(lines, lambda text: _target(text, module, name))
    if what == "class" and "Attributes:" not in lines:
        comments = field_comments(_API.symbols.files[module], name.rpartition(".")[2])
        if comments:
            lines += ["", "Attributes:"]
            lines += [f"    {key}: {escape([why], _no_target)[0]}" for key, why in comments.items()]
            lines.append("")
    spoken_of = _API.places.get(name)
    if spoken_of:
        lines += ["", f"*In the book:* {'; '.join(map(_place, spoken_of[:6]))}.", ""]


def escape(lines: list[str], target: Callable[[str], str | None]) -> list[str]:
    """Docstring lines in which nothing but sections and doctests has a meaning.

    Args:
        lines: of a docstring.
        target: full name of what a name in backticks means, or None.
    """
    result = []
    doctest = False
    literal: int | None = None  # indentation of the line that ended in ::
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if literal is not None and line.strip() and indent <= literal:
            literal = None
        doctest = bool(line.strip()) and (doctest or line.lstrip().startswith(">>>"))
        if doctest or literal is not None:
            result.append(line)
            continue
        if line.rstrip().endswith("::"):
            literal = indent
        result.append(_escaped_line(line, target))
    return result


def _escaped_line(line: str, target: Callable[[str], str | None]) -> str:
    pieces = []
    end = 0
    for match in _CODE.finditer(line):
        before = line[end : match.start()] + match["before"]
        code = match["code"]
        if _ROLE.search(before):  # it is reStructuredText already
            pieces += [before, match["ticks"], code, match["ticks"], match["after"]]
        else:
            meant = target(code) if len(match["ticks"]) == 1 else None
            shown = f":py:obj:`{code} <{meant}>`" if meant else f"``{code}``"
            pieces += [_escaped_text(before), "\\ " if match["before"] else "", shown]
            pieces += ["\\ " if match["after"] else "", match["after"]]
        end = match.end()
    return "".join(pieces) + _escaped_text(line[end:])


def _escaped_text(text: str) -> str:
    bullet = re.match(r"^\s*\* ", text)
    start = bullet[0] if bullet else ""
    text = re.sub(r"([\\*|`])", r"\\\1", text[len(start) :])
    return start + re.sub(r"(?<=\w)_(?!\w)", r"\\_", text)


def _no_target(text: str) -> None:
    return None


def _target(text: str, module: str, name: str) -> str | None:
    """What a name in a docstring of `name` means: its own member, a neighbour, an import."""
    text = text.removesuffix("()")
    if not _NAME.match(text):
        return None
    symbols = _API.symbols
    for above in (name, name.rpartition(".")[0], module):
        found = symbols.resolve(f"{above}.{text}")
        # A field of a class resolves to the class, which is where we are already.
        if found and found.name in _API.described and found.name not in (name, above):
            return found.name
    found = symbols.resolve(text) if text.startswith("visage.") else None
    return found.name if found and found.name in _API.described else None


def _with_full_names(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Say which of several errors of one name is raised; after napoleon has made the fields.

    Of an attribute's text napoleon takes what stands before a colon for its type; it goes back.
    """
    if what in ("attribute", "data", "property"):
        for line in [line for line in lines if line.startswith(":type: ")]:
            lines.remove(line)
            lines[0] = f"{line.removeprefix(':type: ')}: {lines[0]}"
    symbol = _API.symbols.table.get(name)
    module = symbol.module if symbol else name
    for index, line in enumerate(lines):
        raised = _RAISES.match(line)
        if not raised:
            continue
        package = _API.symbols.package(module)
        for place in (module, f"{package}.errors"):  # it may be raised by what this one calls
            found = _API.symbols.resolve(f"{place}.{raised[2]}")
            if found and found.name in _API.described:
                lines[index] = f"{raised[1]}~{found.name}{raised[3]}"
                break


def _place(place: list[str]) -> str:
    label, title, section, _ = place
    text = title if section == title else f"{title}, {section}"
    return f":ref:`{re.sub(r'([`<>])', r'', text)} <{label}>`"


def _source(domain: str, info: dict[str, str]) -> str | None:
    """Where the source of an entry stands."""
    symbol = _API.symbols.table.get(f"{info['module']}.{info['fullname']}")
    if domain != "py" or symbol is None:
        return None
    path = _API.symbols.files[symbol.module].relative_to(_API.symbols.folder.parent.parent)
    return f"{_API.address}/blob/main/{path.as_posix()}#L{symbol.first}-L{symbol.last}"


def _skip(app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object) -> bool:
    """Leave out the fields of named tuples: their class describes them."""
    return skip or type(obj).__name__ == "_tuplegetter"


def _complain(
    app: Sphinx, env: BuildEnvironment, node: nodes.Element, contnode: nodes.Element
) -> None:
    """A link to a name of the library that has no entry is an error of ours."""
    if node.get("reftype") == "obj" and node["reftarget"].startswith("visage."):
        message = "there is no entry for %s"
        logging.getLogger(__name__).warning(message, node["reftarget"], location=node)
