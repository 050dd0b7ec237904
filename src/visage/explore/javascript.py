"""The explorers' JavaScript: ES modules in `js/`, joined into the one module that anywidget takes.

The files stay ordinary modules, so that node can test them one by one. A page loads one string a
widget: joining is a matter of dropping the imports between our own files, whose names are unique.
"""

import re
from pathlib import Path

_FOLDER = Path(__file__).parent / "js"
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w.]+)";\n', re.MULTILINE)


def bundle(name: str) -> str:
    """Join a module of `js/` and everything that it imports from there into one ES module.

    Args:
        name: file name, for example "embedding_explorer.js".

    Returns:
        JavaScript source. Imported modules come first, each once; their `export` is dropped.

    Raises:
        FileNotFoundError: no such module.
    """
    ordered: list[str] = []
    _collect(name, ordered)
    parts = []
    for module in ordered:
        source = _IMPORT.sub("", (_FOLDER / module).read_text(encoding="utf-8"))
        if module != name:
            source = re.sub(r"^export ", "", source, flags=re.MULTILINE)
        parts.append(f"// {module}\n{source}")
    return "\n".join(parts)


def stylesheet(*names: str) -> str:
    """Return the explorers' CSS: the common one, or the files of `js/` that are named, joined."""
    names = names or ("explorer.css",)
    return "".join((_FOLDER / name).read_text(encoding="utf-8") for name in names)


def _collect(name: str, ordered: list[str]) -> None:
    """Append `name` after its imports, depth first."""
    source = (_FOLDER / name).read_text(encoding="utf-8")
    for imported in _IMPORT.findall(source):
        if imported not in ordered:
            _collect(imported, ordered)
    if name not in ordered:
        ordered.append(name)
