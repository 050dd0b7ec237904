"""Explorer: the user studies of Saito et al. (2017), to be taken part in."""

from __future__ import annotations

import base64
from pathlib import Path

import anywidget
import traitlets

from visage.explore.javascript import bundle, stylesheet
from visage.texture.study_answers import Answer, answer_of
from visage.texture.study_stimuli import FACES, FOLDER, HALVES, read_words


class UserStudyExplorer(anywidget.AnyWidget):
    """Studies A and B, a question at a time; the answers stay in the reader's browser.

    All is done in the page; a notebook's kernel sees the answers too, as `rated`.

    Args:
        folder: with the sheets that `visage.texture.study_stimuli.write_stimuli` wrote.
        seed: of the first round, the next ones follow; negative draws one for each round.

    Raises:
        visage.texture.errors.StudyError: the sheets are missing.
    """

    _esm = bundle("user_study.js")
    _css = stylesheet("explorer.css", "user_study.css")

    halves = traitlets.Unicode().tag(sync=True)  # data URL: a row a person
    faces = traitlets.Unicode().tag(sync=True)  # data URL: a row a person and pose
    words = traitlets.Dict().tag(sync=True)  # what the sheets hold
    seed = traitlets.Int(-1).tag(sync=True)
    answers = traitlets.List(traitlets.Dict()).tag(sync=True)  # as the page keeps them

    def __init__(self, folder: Path = FOLDER, seed: int = -1):
        words = read_words(folder)
        words.pop("note", None)
        super().__init__(
            halves=_url(folder / HALVES), faces=_url(folder / FACES), words=words, seed=seed
        )

    @property
    def rated(self) -> list[Answer]:
        """What the reader has answered so far, ready for `visage.texture.study_analysis`."""
        return [answer_of(one) for one in self.answers]


def _url(path: Path) -> str:
    return "data:image/webp;base64," + base64.b64encode(path.read_bytes()).decode()
