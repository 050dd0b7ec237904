"""What the explorers over a sheet of computed syntheses have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

import anywidget
import traitlets

from visage.explore.texture_sheets import sheet_urls, sheet_words


class SheetExplorer(anywidget.AnyWidget):
    """Shows one sheet of `visage.explore.texture_sheets`; a subclass says which, and how.

    Args:
        told: of the sheet, in words and numbers.
        sheet: a data URL of the luminances.
        colours: a data URL of the low-frequency albedos.
        values: what to begin with.
    """

    sheet_name: ClassVar[str]  # of its files
    sheet_tool: ClassVar[str]  # the module below `tools` that makes them

    told = traitlets.Dict().tag(sync=True)
    sheet = traitlets.Unicode().tag(sync=True)
    colours = traitlets.Unicode().tag(sync=True)
    values = traitlets.Dict().tag(sync=True)

    def __init__(
        self, told: dict, sheet: str, colours: str, values: Mapping[str, object] | None = None
    ):
        super().__init__(told=told, sheet=sheet, colours=colours, values=dict(values or {}))

    @classmethod
    def standard(cls) -> Self:
        """The explorer of the book.

        Raises:
            ExplorerDataError: its sheet is missing.
        """
        told = sheet_words(cls.sheet_name, cls.sheet_tool)
        return cls(told, *sheet_urls(cls.sheet_name))
