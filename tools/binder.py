"""Run every published chapter as Binder would: ``python -m tools.binder``.

These are repo2docker's steps for a repository with `binder/runtime.txt` and `binder/postBuild`, in
a virtual environment in place of a container: the branch `notebooks` is checked out as the home
folder, the Python that runtime.txt names gets the Jupyter that Binder serves, postBuild runs there
as it is written, and then each notebook runs in its own folder.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pooch

from tools.book import Book, BookError
from tools.colab import installed, make_venv, pip_install
from tools.published import (
    Outcome,
    add_kernel,
    conclude,
    outer_environment,
    publish_branch,
    run_published,
)

# What repo2docker puts into every image before it looks at the repository.
SERVED = ("jupyterlab==4.*", "notebook==7.*", "ipywidgets==8.*", "jupyterhub==5.*")
# In place of uv, on a machine that does not reach the index of PyTorch's own builds.
PLAIN_UV = """\
#!/bin/sh
for word; do
    shift
    case $word in --torch-backend=*) ;; *) set -- "$@" "$word" ;; esac
done
exec "$VISAGE_UV" "$@"
"""


def runtime(branch: Path) -> str:
    """The interpreter that `binder/runtime.txt` asks for, e.g. ``python3.11``.

    Raises:
        BookError: the file does not say ``python-3.x``, the one form that Binder takes.
    """
    word = (branch / "binder" / "runtime.txt").read_text(encoding="utf-8").strip()
    language, _, version = word.partition("-")
    if language != "python" or not version.startswith("3."):
        raise BookError(f"binder/runtime.txt says {word!r}; Binder wants python-3.x.")
    return f"python{version}"


def post_build(home: Path, environment: Path, plain_torch: bool) -> None:
    """Run `binder/postBuild` with an environment's programs first on the path.

    Args:
        home: the checked out branch; the script starts there.
        environment: of `make_venv`.
        plain_torch: take the torch of the package index, where PyTorch's own cannot be reached.

    Raises:
        BookError: it failed; the message has its last lines.
    """
    programs = environment / "bin"
    path = [str(programs), os.environ.get("PATH", os.defpath)]
    variables = {
        "UV_PYTHON": str(programs / "python"),  # `--system` alone would pass over a venv
        "UV_LINK_MODE": "copy",
        "HOME": str(home),
    }
    if plain_torch:
        pip_install(programs / "python", "uv")
        wrapper = environment / "plain" / "uv"
        wrapper.parent.mkdir(exist_ok=True)
        wrapper.write_text(PLAIN_UV)
        wrapper.chmod(0o755)
        path.insert(0, str(wrapper.parent))
        variables["VISAGE_UV"] = str(programs / "uv")
    script = home / "binder" / "postBuild"
    script.chmod(0o755)
    done = subprocess.run(
        [str(script)],
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=outer_environment({**variables, "PATH": os.pathsep.join(path)}),
    )
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        raise BookError(f"binder/postBuild failed ({done.returncode}).\n{last}")


def check_served(home: Path, environment: Path) -> None:
    """What Binder opens for the reader still works beside the pinned packages.

    Packages that are installed without what they ask for may go on asking.

    Raises:
        BookError: other packages contradict each other, or JupyterLab does not start.
    """
    python = str(environment / "bin" / "python")
    lines = (home / "requirements-no-deps.txt").read_text(encoding="utf-8").splitlines()
    alone = tuple(line.partition("==")[0] for line in lines if "==" in line)
    checked = subprocess.run([python, "-m", "pip", "check"], capture_output=True, text=True)
    complaints = [line for line in checked.stdout.splitlines() if not line.startswith(alone)]
    if checked.returncode and complaints:
        raise BookError("Packages contradict each other after binder/postBuild:\n" + checked.stdout)
    started = subprocess.run(
        [python, "-m", "jupyter", "lab", "--version"], capture_output=True, text=True
    )
    if started.returncode:
        raise BookError(f"JupyterLab does not start after binder/postBuild:\n{started.stderr}")


def run_as_binder(
    book: Book,
    folder: Path,
    python: str | None = None,
    names: list[str] | None = None,
    plain_torch: bool = False,
) -> tuple[list[Outcome], dict[str, str]]:
    """Build as repo2docker does and run the chapters one after the other.

    Args:
        book: built.
        folder: where everything goes.
        python: the interpreter; the one that runtime.txt names by default.
        names: of the chapters; all by default.
        plain_torch: as `post_build` has it.

    Returns:
        How each chapter went, and the environment's packages.

    Raises:
        BookError: the notebooks are not built, or a step of the build failed.
    """
    branch = publish_branch(book, folder / "branch")
    home, environment = folder / "home", folder / "environment"
    shutil.rmtree(home, ignore_errors=True)
    clone = ["git", "clone", "--quiet", branch.as_uri(), str(home)]
    subprocess.run(clone, check=True, env=outer_environment())
    make_venv(environment, python or runtime(home))
    pip_install(environment / "bin" / "python", *SERVED)
    post_build(home, environment, plain_torch)
    check_served(home, environment)
    shutil.rmtree(folder / "cache", ignore_errors=True)
    jupyter = add_kernel(
        folder, environment / "bin" / "python", {"VISAGE_CACHE": str(folder / "cache")}
    )
    outcomes = run_published(
        home,
        names or [chapter.name for chapter in book.chapters],
        folder,
        jupyter,
        cwd=lambda name: (home / name).parent,
    )
    return outcomes, installed(environment / "bin" / "python")


def protocol(versions: dict[str, str], plain_torch: bool) -> str:
    """What was done, in words."""
    torch = (
        "with the torch of the package index instead of PyTorch's own"
        if plain_torch
        else "as it is"
    )
    return (
        "repo2docker's steps in a virtual environment: the branch `notebooks` as the home folder, "
        "the Python of binder/runtime.txt, Jupyter as Binder serves it, binder/postBuild "
        f"({torch}), `pip check`, then each published notebook as it is, in its own folder, with "
        f"PROFILE fast and an empty cache. torch {versions['torch']}. The container, its memory "
        "limit and the hub are not part of this."
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the published notebooks as Binder would.")
    parser.add_argument("--folder", type=Path, default=Path(pooch.os_cache("visage-binder")))
    parser.add_argument("--python", help="an interpreter, in place of the one of runtime.txt")
    parser.add_argument(
        "--plain-torch",
        action="store_true",
        help="for a machine that PyTorch's own index is closed to",
    )
    parser.add_argument("names", nargs="*", help="chapters; all of them, and recorded, by default")
    options = parser.parse_args()

    def run():
        outcomes, versions = run_as_binder(
            Book(), options.folder.absolute(), options.python, options.names, options.plain_torch
        )
        return outcomes, protocol(versions, options.plain_torch)

    claim = "Every chapter runs from its Binder button, with the pinned packages."
    return conclude(run, "book/binder", claim, recorded=not options.names)


if __name__ == "__main__":
    sys.exit(main())
