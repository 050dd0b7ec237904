"""Explorer: the terms of the inversion's loss, traded against each other."""

from __future__ import annotations

from collections.abc import Mapping

import anywidget
import traitlets

from visage.explore.inversion_data import inversion_file, inversion_json
from visage.explore.javascript import bundle, stylesheet

PICTURE = "grid.webp"


class InversionGridExplorer(anywidget.AnyWidget):
    """Sliders for the weights of eq. 1, and at once the face that minimises what they make.

    The faces were computed beforehand, under a grid of weights; between them, pictures are blended
    and terms interpolated. In the built book the page loads the picture of all of them from the
    book's own files; in Jupyter and on Colab the kernel sends it.

    Args:
        grid: `inversion/grid.json` beside this file: for each of the people and under each pair
            of weights the three terms, unweighted.
        picture: the WebP that it belongs to.
    """

    _esm = bundle("inversion_grid.js")
    _css = stylesheet("explorer.css", "inversion_explorer.css")

    grid = traitlets.Dict().tag(sync=True)
    values = traitlets.Dict().tag(sync=True)  # person, embedding, guide, tv: as the reader set them

    def __init__(self, grid: Mapping[str, object], picture: bytes):
        self._picture = picture
        shown = {name: value for name, value in grid.items() if name != "provenance"}
        super().__init__(grid=shown)
        self.on_msg(self._answer)

    @classmethod
    def standard(cls) -> InversionGridExplorer:
        """The explorer of the book's three people.

        Raises:
            ExplorerDataError: the tracked files are missing.
        """
        return cls(inversion_json("grid.json"), inversion_file(PICTURE).read_bytes())

    def _answer(self, _widget: object, content: dict, _buffers: list[memoryview]) -> None:
        """Send the page the file that the built book would have."""
        reply, name = {"id": content.get("id")}, content.get("name")
        if content.get("kind") != "asset" or name != PICTURE:
            self.send({**reply, "error": f"the notebook has no file {name!r}"})
            return
        self.send(reply, [self._picture])
