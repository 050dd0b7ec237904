"""Explorer: one photograph through all five parts, each stage beside its input, and the head."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

import anywidget
import numpy as np
import torch
import traitlets
from torch import Tensor

from visage.explore.face_basis import pack
from visage.explore.javascript import bundle, stylesheet
from visage.explore.journey_sheets import Journey, JourneySheets, journey_sheets
from visage.explore.turning_head_explorer import PARTS, STEP, drawn_vertices, head_arrays
from visage.faces.fitting.shape_errors import aligned, vertex_errors
from visage.faces.shape import MorphableModel

MOST_ERROR = 6.0
"""mm at the end of the scale that the error is painted in."""

_ERROR_STEP = 0.05  # mm of a stored level
_UNKNOWN = 255  # the level of what was not compared
_PARTS = (*PARTS, "mouth", "teeth", "tongue")  # people smile


class JourneyExplorer(anywidget.AnyWidget):
    """Walk along the stages from a photograph to a head, and turn the head.

    Each stage stands beside what it was given, with its distance from the photograph in the
    recogniser's eyes. Of synthetic people the truth can be laid beside the head, or the error
    painted on it. No kernel is needed; without WebGL 2 the head is painted point by point.

    Args:
        sheets: of the people.
        values: what to begin with: person, stage, look, truth, error, split, yaw, nod, lampRight,
            lampUp, spinning.
    """

    _esm = bundle("journey.js")
    _css = stylesheet("explorer.css", "inversion_explorer.css", "geometry_explorers.css",
                      "texture_explorers.css", "journey.css")  # fmt: skip

    told = traitlets.Dict().tag(sync=True)
    steps = traitlets.Unicode().tag(sync=True)
    sheet = traitlets.Unicode().tag(sync=True)
    colours = traitlets.Unicode().tag(sync=True)
    atlases = traitlets.Unicode().tag(sync=True)
    mesh = traitlets.Unicode().tag(sync=True)  # base64
    values = traitlets.Dict().tag(sync=True)

    def __init__(self, sheets: JourneySheets, values: Mapping[str, object] | None = None):
        told, mesh = journey_heads(sheets.words)
        super().__init__(
            told=told,
            steps=sheets.url("steps"),
            sheet=sheets.url("skins"),
            colours=sheets.url("colours"),
            atlases=sheets.url("atlases"),
            mesh=base64.b64encode(mesh).decode(),
            values=dict(values or {}),
        )

    @classmethod
    def standard(cls) -> JourneyExplorer:
        """The explorer of the book.

        Raises:
            ExplorerDataError: what it shows is missing.
        """
        return cls(JourneySheets.read())

    @classmethod
    def of(cls, journeys: Sequence[Journey], threshold: float) -> JourneyExplorer:
        """An explorer of other journeys, say of the reader's own photograph.

        Args:
            journeys: at least one.
            threshold: of the recogniser.
        """
        return cls(journey_sheets(journeys, threshold))


def journey_heads(words: dict, model: MorphableModel | None = None) -> tuple[dict, bytes]:
    """What the page needs beside pictures.

    Args:
        words: of `JourneySheets`.
        model: the subdivided one if None.

    Returns:
        The words, with rows of the file in place of coefficients: of each person `coarse`, `head`
        and `truth` (or None) are heads, `coarse_errors` and `head_errors` (or None) rows of
        errors, whose means are `coarse_mm` and `head_mm`. And the file of
        `visage.explore.face_basis.pack`: what `head_arrays` makes, and `errors` (E, N) uint8, from
        the true vertices after the best similarity, in steps of `error_step`; 255 off the face.
    """
    model = model or MorphableModel.load(1)
    heads, errors, people = [], [], []
    for person in words["people"]:
        person = dict(person, file=_plain(person["name"]))
        shapes = {name: person[name] for name in ("coarse", "head", "truth")}
        at = {name: _vertices(model, one) for name, one in shapes.items() if one is not None}
        for name in shapes:
            person[name] = None
            if name in at:
                person[name] = len(heads)
                heads.append(at[name])
        for name in ("coarse", "head"):
            person[f"{name}_errors"] = person[f"{name}_mm"] = None
            if "truth" in at:
                apart = face_errors(model, at[name], at["truth"])
                person[f"{name}_errors"] = len(errors)
                person[f"{name}_mm"] = round(float(apart.nanmean()), 2)
                errors.append(apart)
        people.append(person)
    used = drawn_vertices(model, _PARTS)
    levels = [_levels(one[0, used]) for one in errors]
    arrays = {
        **head_arrays(torch.cat(heads), model, _PARTS),
        "errors": np.stack(levels) if levels else np.zeros((0, len(used)), np.uint8),
    }
    header = {"step": STEP, "error_step": _ERROR_STEP, "error_rows": len(errors)}
    return {**words, "people": people, "most_error": MOST_ERROR}, pack(header, arrays)


def face_errors(model: MorphableModel, found: Tensor, true: Tensor) -> Tensor:
    """Distances (B, V) of vertices from the true ones, mm, after the best similarity of the face.

    Args:
        model: whose vertices they are.
        found: (B, V, 3) mm.
        true: likewise.

    Returns:
        NaN off the front of the face.
    """
    face = model.regions["face"] > 0.5
    apart = torch.full(found.shape[:2], torch.nan)
    moved = aligned(found[:, face], true[:, face], scale=True)
    apart[:, face] = vertex_errors(moved, true[:, face])
    return apart


def _vertices(model: MorphableModel, shape: dict) -> Tensor:
    identity, expression = (torch.tensor([shape[key]]) for key in ("identity", "expression"))
    return model.vertices(identity, expression)


def _levels(apart: Tensor) -> np.ndarray:
    levels = (apart / _ERROR_STEP).round().clamp(max=_UNKNOWN - 1)
    return levels.nan_to_num(_UNKNOWN).to(torch.uint8).numpy()


def _plain(name: str) -> str:
    """A name that every file system takes.

    >>> _plain("NASA's astronaut")
    'nasa_s_astronaut'
    """
    words = "".join(c if c.isalnum() else " " for c in name.lower()).split()
    return "_".join(words) or "head"
