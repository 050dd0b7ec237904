"""What the library calls its things: modules, functions, classes, methods and named values.

Found by reading the files, not by importing them, so that a build which has nothing to do stays
quick and needs no package that only one experiment uses.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from tools.imports import _absolute

Kind = Literal["module", "function", "class", "method", "value"]


@dataclass(frozen=True)
class Symbol:
    """One name of the library.

    Attributes:
        name: in full, e.g. ``visage.faces.shape.MorphableModel.load``.
        module: the part of the name that is a module's.
        kind: what it is.
        summary: the first line of its docstring, or nothing.
        first: its first line in the file, decorators included; 1 for a module.
        last: its last line.
    """

    name: str
    module: str
    kind: Kind
    summary: str
    first: int
    last: int

    @property
    def short(self) -> str:
        """The name inside its module; a module's own last part."""
        if self.kind == "module":
            return self.name.rpartition(".")[2]
        return self.name.removeprefix(f"{self.module}.")

    @property
    def public(self) -> bool:
        """Whether no part of the name begins with an underscore."""
        return not any(part.startswith("_") for part in self.name.split("."))


@dataclass(frozen=True)
class Symbols:
    """Every name in a package.

    Attributes:
        folder: the package's, e.g. ``src/visage``.
    """

    folder: Path

    @cached_property
    def files(self) -> dict[str, Path]:
        """Module to file."""
        found = {}
        for path in sorted(self.folder.rglob("*.py")):
            parts = path.relative_to(self.folder.parent).with_suffix("").parts
            found[".".join(part for part in parts if part != "__init__")] = path
        return found

    def package(self, module: str) -> str:
        """The package that a module stands in; a package stands in itself."""
        inside = self.files[module].name != "__init__.py"
        return module.rpartition(".")[0] if inside else module

    @cached_property
    def trees(self) -> dict[str, ast.Module]:
        """Module to its syntax."""
        return {name: ast.parse(path.read_bytes()) for name, path in self.files.items()}

    @cached_property
    def table(self) -> dict[str, Symbol]:
        """Full name to symbol, module by module, each in the order of its file."""
        found = {}
        for module, tree in self.trees.items():
            found[module] = Symbol(module, module, "module", summary(tree), 1, 1)
            for symbol in _inside(tree, module, module, "function"):
                found.setdefault(symbol.name, symbol)
        return found

    @cached_property
    def imported(self) -> dict[str, str]:
        """Names that a module only passes on, to where they come from."""
        found = {}
        for module, tree in self.trees.items():
            package = self.package(module)
            for node in tree.body:
                if isinstance(node, ast.ImportFrom):
                    for alias in node.names:
                        here = f"{module}.{alias.asname or alias.name}"
                        found[here] = f"{_absolute(node, package)}.{alias.name}"
        return found

    @cached_property
    def by_short_name(self) -> dict[str, list[Symbol]]:
        """Name inside its module to all public functions, classes and methods of that name."""
        found: dict[str, list[Symbol]] = {}
        for symbol in self.table.values():
            if symbol.kind in ("function", "class", "method") and symbol.public:
                found.setdefault(symbol.short, []).append(symbol)
        return found

    def resolve(self, dotted: str) -> Symbol | None:
        """The symbol that a full name means, through imports; None when there is none.

        An attribute that has no entry of its own, such as a field of a dataclass, is its class.
        """
        for _ in range(5):  # a name that is passed on may be passed on again
            if dotted in self.table:
                return self.table[dotted]
            head, tail = dotted, ""
            while head and head not in self.imported:
                head, _, last = head.rpartition(".")
                tail = f".{last}{tail}"
            if not head:
                break
            dotted = self.imported[head] + tail
        owner = self.table.get(dotted.rpartition(".")[0])
        return owner if owner and owner.kind == "class" else None


def summary(node: ast.Module | ast.ClassDef | ast.FunctionDef) -> str:
    """The first line of a docstring."""
    text = ast.get_docstring(node) or ""
    return text.partition("\n")[0].strip()


def field_comments(path: Path, name: str) -> dict[str, str]:
    """What a class says of its fields in comments behind them: field to comment.

    Args:
        path: of the module.
        name: of a class at its top.
    """
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    fields = {
        field.end_lineno: field.target.id
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == name
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }
    if not fields:
        return {}
    found = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and token.start[0] in fields:
            found[fields[token.start[0]]] = token.string.lstrip("# ").strip()
    return found


def _inside(
    node: ast.Module | ast.ClassDef, module: str, above: str, kind: Kind
) -> Iterator[Symbol]:
    following = [*node.body, None][1:]
    for child, after in zip(node.body, following, strict=True):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            is_class = isinstance(child, ast.ClassDef)
            first = min([child.lineno, *(one.lineno for one in child.decorator_list)])
            name = f"{above}.{child.name}"
            its_kind = "class" if is_class else kind
            yield Symbol(name, module, its_kind, summary(child), first, child.end_lineno)
            if is_class:
                yield from _inside(child, module, name, "method")
        elif isinstance(child, ast.Assign | ast.AnnAssign) and above == module:
            targets = child.targets if isinstance(child, ast.Assign) else [child.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    name = f"{above}.{target.id}"
                    about = _string(after).partition("\n")[0]
                    yield Symbol(name, module, "value", about, child.lineno, child.end_lineno)


def _string(node: ast.stmt | None) -> str:
    """A statement that is nothing but a string: what a value's description looks like."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return node.value.value if isinstance(node.value.value, str) else ""
    return ""
