"""The published notebooks run as Binder would run them; the whole of it only where asked for.

`VISAGE_ELSEWHERE=1` asks for it: all pinned packages, and every chapter. It needs the built book.
`VISAGE_ELSEWHERE=plain-torch` does where PyTorch's own index cannot be reached.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tools import binder
from tools.book import REPOSITORY, BookError

POST_BUILD = """\
#!/bin/bash
set -e
test "$PWD" = "$HOME"
test "$(command -v python)" = "$UV_PYTHON"
pip install --quiet --no-deps -e .
"""


@pytest.fixture
def home(tmp_path) -> Path:
    (tmp_path / "home" / "binder").mkdir(parents=True)
    return tmp_path / "home"


def test_it_builds_and_runs_the_chapters(
    tracked_book, publish, borrowed, edit, monkeypatch, tmp_path
):
    (borrowed.parent / "pip").write_text('#!/bin/sh\nexec python -m pip "$@"\n')
    (borrowed.parent / "pip").chmod(0o755)
    folder = tracked_book.root / "binder"
    folder.mkdir()
    (folder / "postBuild").write_text(POST_BUILD)
    (folder / "runtime.txt").write_text("python-3.11\n")
    subprocess.run(["git", "add", "binder"], cwd=tracked_book.root, check=True)
    made, served = [], []
    monkeypatch.setattr(binder, "make_venv", lambda folder, python: made.append(python))
    monkeypatch.setattr(binder, "pip_install", lambda python, *words: served.extend(words))
    monkeypatch.setattr(binder, "check_served", lambda home, environment: None)
    work = tmp_path / "work"
    work.mkdir()
    (work / "environment").symlink_to(borrowed.parent.parent)
    code = "import os, tiny\nprint(shown(), os.getcwd(), tiny.__file__)"
    edit(tracked_book.root / "book/part/one.md", "print(shown(), PROFILE)", code)
    publish(tracked_book)

    outcomes, versions = binder.run_as_binder(tracked_book, work, names=["book/part/one"])

    assert made == ["python3.11"]
    assert "jupyterlab==4.*" in served
    assert [outcome.error for outcome in outcomes] == [""]
    assert versions["tiny"] == "1"
    said = (work / "executed/book/part/one.ipynb").read_text()
    home = work / "home"
    assert f"hello {home / 'book' / 'part'} {home / 'src' / 'tiny' / '__init__.py'}" in said


def test_a_post_build_that_fails_is_quoted(home, borrowed):
    (home / "binder" / "postBuild").write_text("#!/bin/sh\necho no such pin >&2\nexit 3\n")
    with pytest.raises(BookError, match=r"postBuild failed \(3\)\.\nno such pin"):
        binder.post_build(home, borrowed.parent.parent, plain_torch=False)


@pytest.mark.parametrize(("plain", "told"), [(False, " --torch-backend=cpu"), (True, "")])
def test_torch_may_come_from_the_package_index(home, borrowed, monkeypatch, plain, told):
    uv = borrowed.parent / "uv"
    uv.write_text('#!/bin/sh\necho "uv $*" >"$HOME/said"\n')
    uv.chmod(0o755)
    monkeypatch.setattr(binder, "pip_install", lambda *words: None)
    script = "#!/bin/sh\nuv pip install --system --torch-backend=cpu -r 'a file.txt'\n"
    (home / "binder" / "postBuild").write_text(script)
    binder.post_build(home, borrowed.parent.parent, plain_torch=plain)
    assert (home / "said").read_text() == f"uv pip install --system{told} -r a file.txt\n"


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("facenet-pytorch 2.6.0 has requirement torch<2.3.0", ""),
        ("facenet-pytorch 2 has ...\nnotebook 7 requires httpx", "notebook 7 requires httpx"),
    ],
)
def test_only_packages_without_dependencies_may_complain(home, borrowed, said, complaint):
    (home / "requirements-no-deps.txt").write_text("# about facenet\nfacenet-pytorch==2.6.0\n")
    borrowed.unlink()  # a link to this interpreter
    borrowed.write_text(f"#!/bin/sh\ncase $2 in pip) echo '{said}'; exit 1;; esac\n")
    borrowed.chmod(0o755)
    if not complaint:
        binder.check_served(home, borrowed.parent.parent)
        return
    with pytest.raises(BookError, match=complaint):
        binder.check_served(home, borrowed.parent.parent)


def test_the_runtime_is_one_that_the_book_is_tested_with(home):
    python = binder.runtime(REPOSITORY)
    cpu = yaml.safe_load((REPOSITORY / ".github/workflows/cpu.yml").read_text())
    assert (
        python.removeprefix("python") in cpu["jobs"]["everything"]["strategy"]["matrix"]["python"]
    )
    (home / "binder" / "runtime.txt").write_text("r-4.4\n")
    with pytest.raises(BookError, match=r"Binder wants python-3\.x"):
        binder.runtime(home)


def test_post_build_can_be_executed_as_it_is():
    script = REPOSITORY / "binder" / "postBuild"
    first = script.read_text().splitlines()[0]
    assert first.startswith("#!/")
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)


@pytest.mark.skipif(
    "VISAGE_ELSEWHERE" not in os.environ,
    reason="installs all pinned packages and runs every chapter: set VISAGE_ELSEWHERE=1",
)
def test_every_chapter_runs_as_on_binder():
    """Records `book/binder`, too."""
    plain = ["--plain-torch"] if os.environ["VISAGE_ELSEWHERE"] == "plain-torch" else []
    done = subprocess.run([sys.executable, "-m", "tools.binder", *plain], cwd=REPOSITORY)
    assert done.returncode == 0
