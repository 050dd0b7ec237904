"""Which files of the library does a piece of code depend on? Found by reading, not by running.

The answer may be too large, never too small: imports inside functions count, and so does a string
that spells a module's name, for `importlib.import_module` and tables of lazily imported parts.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path


@dataclass(frozen=True)
class Library:
    """A package's source folder.

    Attributes:
        folder: e.g. ``src/visage``; its name is the package's name.
    """

    folder: Path

    @cached_property
    def modules(self) -> dict[str, Path]:
        """Dotted name to file, of every module in the package."""
        found = {}
        for path in sorted(self.folder.rglob("*.py")):
            parts = list(path.relative_to(self.folder.parent).with_suffix("").parts)
            if parts[-1] == "__init__":
                parts.pop()
            found[".".join(parts)] = path
        return found

    def closure(self, sources: Iterable[str]) -> set[Path]:
        """Every file that the sources can reach.

        Args:
            sources: Python code, e.g. a chapter's cells. Code that cannot be parsed, such as a
                shell command, is taken to reach the whole package.

        Returns:
            Modules that are imported, directly or through others, with the packages above them, and
            all other files in the folders of those packages (JavaScript, tables, meshes).
        """
        reached: set[str] = set()
        waiting = [name for source in sources for name in self._imported(source, package="")]
        while waiting:
            name = waiting.pop()
            if name in reached:
                continue
            reached.add(name)
            path = self.modules[name]
            package = name if path.name == "__init__.py" else name.rpartition(".")[0]
            waiting += self._imported(path.read_text(encoding="utf-8"), package)
        files = {self.modules[name] for name in reached}
        for package in {path.parent for path in files}:
            files |= _data_files(package)
        return files

    def _imported(self, source: str, package: str) -> list[str]:
        """Modules of this library that a source names, and the packages above them."""
        names = _named(source, package, self.folder.name)
        if names is None:
            return list(self.modules)
        return [name for name in names if name in self.modules]


@cache  # each chapter and each asset asks again about the same files
def _named(source: str, package: str, library: str) -> frozenset[str] | None:
    """What a source names that may be a module, and what is above it; None if it is no Python."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = _absolute(node, package)
            names |= {start} | {f"{start}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names |= set(re.findall(rf"\b{library}(?:\.\w+)+", node.value))
    return frozenset(
        ".".join(parts[:n])
        for parts in (name.split(".") for name in names)
        for n in range(1, len(parts) + 1)
    )


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The module that ``from … import`` names, relative ones resolved against the package."""
    if not node.level:
        return node.module or ""
    above = package.split(".")
    above = above[: len(above) - node.level + 1]
    return ".".join([*above, node.module] if node.module else above)


def _data_files(folder: Path) -> set[Path]:
    """Files that are no Python, in a folder and those below it that are no packages."""
    found = set()
    for path in folder.iterdir():
        if path.is_dir():
            if path.name != "__pycache__" and not (path / "__init__.py").exists():
                found |= _data_files(path)
        elif path.suffix not in (".py", ".pyc"):
            found.add(path)
    return found
