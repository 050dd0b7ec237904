"""Run every published chapter as Colab would: ``python -m tools.colab``.

The environment is Colab's in what matters to the book: Python 3.12, packages that are older than
the pinned ones, ipywidgets 7, an importable `google.colab`, the working folder /content. The torch
is older still: the oldest that pyproject.toml admits. Nothing of the book is installed; the first
cell of each notebook, as it stands, clones the branch `notebooks` and installs what is lacking. Its
address leads to a copy of that branch on this disk.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pooch

from tools.book import PUBLISHED_BRANCH, Book, BookError
from tools.published import (
    Outcome,
    add_kernel,
    conclude,
    outer_environment,
    publish_branch,
    run_published,
)

PYTHON = "3.12"
CONTENT = Path("/content")
# About what Colab had in the autumn of 2025, but for torch (2.8 there).
PACKAGES = {
    "torch": "2.4.1",
    "numpy": "2.0.2",
    "scipy": "1.16.3",
    "numba": "0.60.0",
    "pillow": "11.3.0",
    "scikit-image": "0.25.2",
    "matplotlib": "3.10.0",
    "requests": "2.32.4",
    "tqdm": "4.67.1",
    "ipykernel": "6.17.1",
    "ipywidgets": "7.7.1",
}
# What anywidget asks of Colab's own package; without it no explorer would show.
OUTPUT_MODULE = '''"""Stands in for the module that lets the widgets of other packages run."""

import types

_widgets = types.SimpleNamespace(_installed_url=None)


def enable_custom_widget_manager(url: str = "https://example.org/manager.js") -> None:
    """From here on, outputs name the widget manager that the page would load."""
    _widgets._installed_url = url
'''
START = "import google.colab\nimport google.colab.output\n"


def make_environment(folder: Path, python: str) -> Path:
    """The environment before a notebook is opened.

    It is kept, and what a run uses is a copy that shares its files: pip replaces files, it does not
    write into them.

    Returns:
        The copy's interpreter.

    Raises:
        BookError: there is no such Python, or the packages could not be installed.
    """
    kept, used = folder / "kept", folder / "environment"
    stamp = folder / "kept.json"
    key = {"packages": PACKAGES, "python": python, "output": OUTPUT_MODULE}
    if not (stamp.is_file() and json.loads(stamp.read_text()) == key and kept.is_dir()):
        stamp.unlink(missing_ok=True)
        print(f"Making Colab's environment in {folder} (about 6 GB)")
        make_venv(kept, python)
        pins = [f"{name}=={version}" for name, version in PACKAGES.items()]
        pip_install(kept / "bin" / "python", *pins)
        add_google_colab(kept / "bin" / "python")
        stamp.write_text(json.dumps(key))
    shutil.rmtree(used, ignore_errors=True)
    shutil.copytree(kept, used, symlinks=True, copy_function=os.link)
    return used / "bin" / "python"


def make_venv(folder: Path, python: str) -> None:
    """A virtual environment, anew.

    Raises:
        BookError: the interpreter is not there, or has no venv.
    """
    shutil.rmtree(folder, ignore_errors=True)
    command = [python, "-m", "venv", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True, env=outer_environment())
    except (OSError, subprocess.CalledProcessError) as error:
        raise BookError(
            f"{python} could not make an environment ({error}); name another with --python."
        ) from None


def pip_install(interpreter: Path, *words: str) -> None:
    """Install packages into an environment.

    Raises:
        BookError: pip could not; the message has its last lines.
    """
    command = [str(interpreter), "-m", "pip", "install", "--quiet", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=outer_environment())
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise BookError(f"pip could not install what was asked for.\n{last}")


def add_google_colab(interpreter: Path) -> None:
    """Put a stand-in for `google.colab` among an environment's packages."""
    program = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.run(
        [str(interpreter), "-c", program], capture_output=True, text=True, check=True
    ).stdout.strip()
    package = Path(packages) / "google" / "colab"  # `google` has no __init__: others share it
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text('"""Stands in for Colab."""\n')
    (package / "output.py").write_text(OUTPUT_MODULE)


def kernel_environment(folder: Path, address: str, branch: Path) -> dict[str, str]:
    """What makes a kernel one of Colab's: `google.colab` imported, and git led to our branch."""
    start = folder / "ipython" / "profile_default" / "startup" / "00-colab.py"
    start.parent.mkdir(parents=True, exist_ok=True)
    start.write_text(START)
    return {
        "IPYTHONDIR": str(folder / "ipython"),
        "VISAGE_CACHE": str(folder / "cache"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{branch.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": address,
    }


def run_as_colab(
    book: Book, folder: Path, python: str, names: list[str] | None = None
) -> tuple[list[Outcome], dict[str, str]]:
    """Make the environment, run the chapters one after the other in one machine's life.

    Args:
        book: built.
        folder: where the environment is kept, and the executed notebooks go.
        python: the interpreter that the environment is made with.
        names: of the chapters; all by default.

    Returns:
        How each chapter went, and the environment's packages at the end.

    Raises:
        BookError: the notebooks are not built, the environment cannot be made, or /content cannot
            be used.
    """
    branch = publish_branch(book, folder / "branch")
    interpreter = make_environment(folder, python)
    shutil.rmtree(folder / "cache", ignore_errors=True)
    jupyter = add_kernel(
        folder, interpreter, kernel_environment(folder, book.repository_url, branch)
    )
    clone = take_content() / book.repository_url.rpartition("/")[2]
    try:
        outcomes = run_published(
            branch,
            names or [chapter.name for chapter in book.chapters],
            folder,
            jupyter,
            cwd=lambda name: CONTENT,
        )
    finally:
        shutil.rmtree(clone, ignore_errors=True)
    return outcomes, installed(interpreter)


def take_content() -> Path:
    """Colab's working folder, made if need be; it must be empty.

    Raises:
        BookError: it cannot be made or written, or holds something.
    """
    with contextlib.suppress(OSError):  # the next line says what to do
        CONTENT.mkdir(exist_ok=True)
    if not os.access(CONTENT, os.W_OK):
        raise BookError(f'{CONTENT} cannot be written; once: sudo install -d -o "$USER" {CONTENT}')
    held = sorted(path.name for path in CONTENT.iterdir())
    if held:
        raise BookError(f"{CONTENT} is Colab's, and must be empty; it holds {', '.join(held)}.")
    return CONTENT


def installed(interpreter: Path) -> dict[str, str]:
    """Version of each package of an environment, by lower-case name."""
    command = [str(interpreter), "-m", "pip", "list", "--format", "json"]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    return {entry["name"].lower(): entry["version"] for entry in json.loads(said.stdout)}


def protocol(versions: dict[str, str]) -> str:
    """What was done, in words, with the versions that really ran."""
    names = ["torch", "numpy", "scipy", "numba", "scikit-image", "matplotlib", "ipywidgets"]
    told = ", ".join(f"{name} {versions[name]}" for name in names)
    return (
        f"A fresh environment with Python {PYTHON} and Colab's older packages, a stand-in for "
        "google.colab, nothing of the book. Each published notebook as it is, one after the other, "
        "each in a fresh kernel that starts in /content, with PROFILE fast and an empty cache; its "
        f"first cell clones the branch `{PUBLISHED_BRANCH}` (from a copy on disk) and installs the "
        f"book with the loose ranges of pyproject.toml. Versions then: {told}. On Linux, with the "
        "CUDA build of torch and no GPU. Colab's own image, its front end and its network are not "
        "part of this."
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the published notebooks as Colab would.")
    parser.add_argument("--folder", type=Path, default=Path(pooch.os_cache("visage-colab")))
    parser.add_argument("--python", default=f"python{PYTHON}", help="an interpreter, to start with")
    parser.add_argument("names", nargs="*", help="chapters; all of them, and recorded, by default")
    options = parser.parse_args()

    def run():
        outcomes, versions = run_as_colab(
            Book(), options.folder.absolute(), options.python, options.names
        )
        return outcomes, protocol(versions)

    claim = "Every chapter runs from its Colab button, with the packages that Colab has."
    return conclude(run, "book/colab", claim, recorded=not options.names)


if __name__ == "__main__":
    sys.exit(main())
