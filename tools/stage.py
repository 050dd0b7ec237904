"""The folder that Sphinx reads: executed chapters as notebooks, pages, configuration, all derived.

The stage is ``_build/stage``, laid out like the repository, so that a page's relative paths to
``src/``, ``results/`` and ``checkpoints/`` hold there too. Its ``book`` folder is Sphinx's root:
``book/start/faces.md`` becomes ``start/faces.html``.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode

from tools.bands import band_files
from tools.book import Book, Chapter
from tools.cards import card_files, models_line
from tools.execute import Run, notebook_path
from tools.notebooks import for_readers, read_chapter, with_outputs
from tools.plain import plain_markdown
from tools.reference import LIBRARY_PAGE, Links, Reference
from tools.reproduction import reproduction_files
from visage.files import written_whole
from visage.ledger import current_revision

LINKED = ("src", "results", "checkpoints")
VERSIONS_SHOWN = [
    "torch",
    "numpy",
    "scipy",
    "scikit-image",
    "dlib-bin",
    "safetensors",
    "lightning-fabric",
    "matplotlib",
    "anywidget",
    "onnxruntime",
    "papermill",
    "jupyter-book",
    "sphinx",
]


def stage(book: Book, runs: Mapping[str, Run]) -> Path:
    """Bring the stage up to date, and the notebooks that are published.

    Args:
        book: the book.
        runs: the executions of all chapters, by name.

    Returns:
        The folder that Sphinx reads.
    """
    root = book.build / "stage"
    wanted: dict[str, bytes] = {}
    published: dict[str, bytes] = {}
    reference = Reference.make(book)
    for page in book.pages:
        name = page.relative_to(book.root).with_suffix("")
        links = reference.links(name.relative_to("book").as_posix())
        wanted[f"{name.as_posix()}.md"] = links.put(page.read_text(encoding="utf-8")).encode()
    for chapter in book.chapters:
        executed = nbformat.read(notebook_path(book, chapter), as_version=4)
        run = runs[chapter.name]
        read = read_chapter(book, chapter)
        notebook = with_outputs(read, executed, run.parameters)
        offered = for_readers(read, executed, run.parameters)
        del wanted[f"{chapter.name}.md"]
        published[f"{chapter.name}.ipynb"] = _text(plain_markdown(offered, chapter.source))
        _put_links(notebook, reference.links(chapter.name.removeprefix("book/")))
        notebook.cells.append(_run_line(book, chapter, run))
        wanted[f"{chapter.name}.ipynb"] = _text(notebook)
    wanted |= _other_files(book)
    generated = reference.files | card_files(book)
    wanted |= {name: text.encode() for name, text in generated.items()}
    wanted |= reproduction_files(book, wanted)
    wanted |= band_files(wanted)
    wanted["book/_config.yml"] = _yaml(sphinx_config(book, runs))
    wanted["book/_toc.yml"] = _yaml(_below_book(with_sections(book.toc, reference.pages)))
    _write_tree(root, wanted)
    _write_tree(book.published, published)
    (book.build / "static").mkdir(exist_ok=True)
    for name in LINKED:
        link = root / name
        if not link.is_symlink():
            link.symlink_to(os.path.relpath(book.root / name, root))
    return root / "book"


def sphinx_config(book: Book, runs: Mapping[str, Run]) -> dict:
    """`_config.yml` as Sphinx gets it: no execution, paths below book/, facts of this build."""
    config = _below_book(book.config)
    config["execute"] = {"execute_notebooks": "off"}
    sphinx = config.setdefault("sphinx", {}).setdefault("config", {})
    sphinx.setdefault("html_static_path", []).append("../../static")
    sphinx["myst_substitutions"] = {
        "requirements": f"[requirements.txt]({book.repository_url}/blob/main/requirements.txt)",
        "profile": book.profile,
        "run_times": run_times(book, runs),
        "versions": versions(),
    }
    return config


def with_sections(toc: object, pages: Sequence[str]) -> object:
    """The table of contents, with the generated pages below the one on the library."""
    if isinstance(toc, list):
        return [with_sections(item, pages) for item in toc]
    if not isinstance(toc, dict):
        return toc
    toc = {key: with_sections(value, pages) for key, value in toc.items()}
    if toc.get("file") == LIBRARY_PAGE:
        toc["sections"] = [{"file": page} for page in pages]
    return toc


def run_times(book: Book, runs: Mapping[str, Run]) -> str:
    """Bars, and a Markdown table, of what ran, how long, when, and on what."""
    seconds = [runs[chapter.name].seconds for chapter in book.chapters]
    longest = max(seconds, default=0) or 1
    bars = "".join(f'<i style="height: {100 * one / longest:.0f}%"></i>' for one in seconds)
    drawn = (
        '<div class="run-bars" role="img" aria-label="Seconds that each chapter took, in the order '
        f'of the table; the longest took {longest:.0f}.">{bars}</div>\n'
    )
    rows = [drawn, "| Chapter | Profile | Seconds | Executed | Device |", "|---|---|--:|---|---|"]
    for chapter in book.chapters:
        run = runs[chapter.name]
        link = f"[](/{chapter.name.removeprefix('book/')})"
        when = run.finished[:16].replace("T", " ")
        rows.append(
            f"| {link} | {run.parameters['PROFILE']} | {run.seconds:.1f} | {when} | {run.device} |"
        )
    return "\n".join(rows)


def versions() -> str:
    """A Markdown table of the versions that this build used."""
    rows = ["| What | Version |", "|---|---|", f"| visage | `{current_revision()}` |"]
    rows.append(f"| Python | {platform.python_version()} |")
    rows.append(f"| System | {platform.system()} {platform.machine()} |")
    rows += [f"| {name} | {metadata.version(name)} |" for name in VERSIONS_SHOWN]
    return "\n".join(rows)


def _put_links(notebook: NotebookNode, links: Links) -> None:
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = links.put(cell.source)


def _run_line(book: Book, chapter: Chapter, run: Run) -> NotebookNode:
    """The page's last line: the profile that really ran, and how long it took."""
    versions = run.key["packages"]
    status = book.root / "book" / "status.md"
    link = os.path.relpath(status, chapter.source.parent)
    more = f" [All run times]({link})" if status in book.pages else ""
    text = (
        f"Executed with the profile `{run.parameters['PROFILE']}` in {run.seconds:.0f} s on "
        f"{run.device}, Python {run.key['python']}, torch {versions.get('torch', 'absent')}.{more}"
        f"{models_line(chapter.name.removeprefix('book/'))}"
    )
    return nbformat.v4.new_markdown_cell(f":::{{div}} run-line\n{text}\n:::", id="run-line")


def _other_files(book: Book) -> dict[str, bytes]:
    """Everything else below book/: styles, scripts, pictures, the bibliography, extensions."""
    files = {}
    for path in (book.root / "book").rglob("*"):
        hidden = any(part.startswith(".") or part == "__pycache__" for part in path.parts)
        if path.is_file() and path.suffix not in (".md", ".ipynb") and not hidden:
            files[path.relative_to(book.root).as_posix()] = path.read_bytes()
    return files


def _below_book(value: object) -> object:
    """The same configuration, with every path below book/ made relative to that folder."""
    if isinstance(value, dict):
        return {key: _below_book(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_below_book(item) for item in value]
    if isinstance(value, str) and value.startswith("book/"):
        return value.removeprefix("book/")
    return value


def _text(notebook: NotebookNode) -> bytes:
    return nbformat.writes(notebook).encode()


def _yaml(value: object) -> bytes:
    # The order of the scripts in the configuration matters.
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True).encode()


def _write_tree(root: Path, files: Mapping[str, bytes]) -> None:
    """Make a folder hold exactly these files, apart from links; what is right is not touched."""
    for path in list(root.rglob("*")) if root.is_dir() else []:
        inside_link = any(parent.is_symlink() for parent in [path, *path.parents])
        if path.is_file() and not inside_link and path.relative_to(root).as_posix() not in files:
            path.unlink()
    for name, content in files.items():
        path = root / name
        if not path.is_file() or path.read_bytes() != content:
            with written_whole(path) as temporary:
                temporary.write_bytes(content)
