"""A viewer for meshes in the page: what `visage.geometry.export` writes, turned, lit, to take."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import anywidget
import traitlets

from visage.explore.javascript import bundle, stylesheet
from visage.geometry.export import FaceSurface, write_surface


class MeshViewer(anywidget.AnyWidget):
    """Meshes, one at a time; the page reads the very GLB files that it offers to take away.

    Needs WebGL 2 and no kernel.

    Args:
        surfaces: by name, at least one.
        values: what to begin with: file, look, wire, lampRight, lampUp, turn, nod (degrees).
    """

    _esm = bundle("mesh_viewer.js")
    _css = stylesheet("explorer.css", "inversion_explorer.css", "geometry_explorers.css")

    files = traitlets.List(traitlets.Dict()).tag(sync=True)  # name, file, glb (base64)
    values = traitlets.Dict().tag(sync=True)

    def __init__(
        self, surfaces: Mapping[str, FaceSurface], values: Mapping[str, object] | None = None
    ):
        if not surfaces:
            raise ValueError("there is no surface to show; give at least one")
        super().__init__(
            files=[
                {"name": name, "file": f"{_plain(name)}.glb", "glb": glb_text(surface)}
                for name, surface in surfaces.items()
            ],
            values=dict(values or {}),
        )


def glb_text(surface: FaceSurface) -> str:
    """A surface as a GLB file, in base64."""
    with TemporaryDirectory() as folder:
        path = write_surface(surface, Path(folder) / "face.glb")
        return base64.b64encode(path.read_bytes()).decode()


def _plain(name: str) -> str:
    """A name that every file system takes.

    >>> _plain("FineNet, 400 px")
    'finenet_400_px'
    """
    words = "".join(c if c.isalnum() else " " for c in name.lower()).split()
    return "_".join(words) or "face"
