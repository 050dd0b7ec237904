"""What the repository says about itself agrees, and no machine that it was made on is in it."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from tools.book import REPOSITORY, Book

# Spelt in pieces, or this file would be the first to name them.
REGISTRIES = ["pypi" + ".org", "files.python" + "hosted", "download.pytorch" + ".org"]
REGISTRIES += ["registry." + "npmjs", "registry." + "yarnpkg", "conda." + "anaconda"]
OF_THIS_MACHINE = ["/wo" + "rk/", "/ro" + "ot/", "/opt/" + "pypi", "/ho" + "me/", "/Us" + "ers/"]
DATA_FOLDER = "../sha" + "red"


def tracked() -> list[Path]:
    """Files that git knows; a copy without git is looked through as it lies."""
    try:
        said = subprocess.run(
            ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True, text=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this copy of the project has no git")
    paths = (REPOSITORY / name for name in said.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]


def texts() -> dict[str, str]:
    found = {}
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content:
            found[path.relative_to(REPOSITORY).as_posix()] = content.decode("utf-8")
    return found


def test_no_file_names_a_registry_or_a_path_of_some_machine():
    guilty = [
        f"{name}: {word}"
        for name, text in texts().items()
        for word in REGISTRIES + OF_THIS_MACHINE
        if word in text
    ]
    assert not guilty
    assert [name for name, text in texts().items() if DATA_FOLDER in text] in ([".ci/run"], [])


def test_the_tree_stays_small_and_holds_sources_only():
    sizes = {path: path.stat().st_size for path in tracked()}
    assert sum(sizes.values()) < 45 * 2**20
    assert [str(path) for path, size in sizes.items() if size > 8 * 2**20] == []
    assert [str(path) for path in sizes if path.suffix == ".ipynb"] == []


def test_everybody_agrees_on_the_address():
    address = Book().repository_url
    pattern = re.compile(r"https://github\.com/visage-book/[\w.-]+")
    for name, text in texts().items():
        for found in pattern.findall(text):
            assert found.removesuffix(".git").rstrip(".") == address, name
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert citation["repository-code"] == address
    config = Book().config
    assert (
        config["html"]["baseurl"] == config["sphinx"]["config"]["ogp_site_url"] == citation["url"]
    )


def test_version_and_licences_agree():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    import visage

    assert citation["version"] == project["version"] == visage.__version__
    assert citation["license"] == project["license"] == "Apache-2.0"
    assert "Apache License" in (REPOSITORY / "LICENSE").read_text()
    assert "creativecommons.org/licenses/by/4.0" in (REPOSITORY / "LICENSE-BOOK").read_text()
    assert "CC BY 4.0" in Book().config["html"]["extra_footer"]


def test_an_installed_package_has_its_data():
    tool = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]
    declared = tool["setuptools"]["package-data"]
    source = REPOSITORY / "src"
    kept = {
        path
        for package, patterns in declared.items()
        for pattern in patterns
        for path in (source / package.replace(".", "/")).glob(pattern)
    }
    there = {path for path in tracked() if source in path.parents and path.suffix != ".py"}
    assert there - kept == set()


def test_requirements_are_exact_and_need_no_torchvision():
    lines = (REPOSITORY / "requirements.txt").read_text().splitlines()
    pins = [line.partition("#")[0].strip() for line in lines]
    pins = [pin for pin in pins if pin]
    assert all(re.match(r"[\w.-]+==[\w.]+(; .+)?$", pin) for pin in pins)
    names = [pin.partition("==")[0].lower().replace("_", "-") for pin in pins]
    assert len(names) == len(set(names))
    assert not {"torchvision", "facenet-pytorch"} & set(names)
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted = [re.match(r"[\w-]+", dependency)[0].lower() for dependency in project["dependencies"]]
    assert set(wanted) <= set(names), "the library needs a package that is not pinned"


def test_the_lock_file_pins_and_has_no_addresses():
    folder = REPOSITORY / "tools" / "javascript"
    manifest = json.loads((folder / "package.json").read_text())
    text = (folder / "package-lock.json").read_text()
    packages = json.loads(text)["packages"]
    assert "http" not in text
    for name, version in manifest["dependencies"].items():
        entry = packages[f"node_modules/{name}"]
        assert entry["version"] == version
        assert entry["integrity"].startswith("sha512-")


def test_binder_and_workflows_install_what_make_installs():
    post_build = (REPOSITORY / "binder" / "postBuild").read_text()
    for words in (
        "--torch-backend=cpu -r requirements.txt",
        "--no-deps -r requirements-no-deps.txt",
    ):
        assert words in post_build
    cpu = yaml.safe_load((REPOSITORY / ".github/workflows/cpu.yml").read_text())
    versions = cpu["jobs"]["everything"]["strategy"]["matrix"]["python"]
    assert versions == ["3.11", "3.12", "3.13"]


def test_makefile_says_what_it_can_do():
    said = subprocess.run(
        ["make", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    for target in ("book", "test", "serve", "lint", "clean", "reproduce", "check-site"):
        assert f"make {target} " in said.stdout


def test_an_old_python_is_refused_with_a_sentence(tmp_path):
    (tmp_path / "tools").mkdir()
    for name in (
        "tools/environment.sh",
        "requirements.txt",
        "requirements-no-deps.txt",
        "pyproject.toml",
    ):
        (tmp_path / name).write_text((REPOSITORY / name).read_text())
    old = tmp_path / "python3.9"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    said = subprocess.run(
        ["sh", "tools/environment.sh"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHON": str(old)},
        capture_output=True,
        text=True,
    )
    assert said.returncode == 1
    assert "Visage needs Python 3.11 or newer" in said.stderr
    assert not (tmp_path / ".venv").exists()
