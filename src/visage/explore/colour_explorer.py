"""Explorer: a photograph under a cast, and what a face does for it."""

from __future__ import annotations

from functools import lru_cache

import anywidget
import torch
import traitlets
from torch import Tensor

from visage.explore.avatar_explorer import PEOPLE, data_url, standard_avatars
from visage.explore.javascript import bundle, stylesheet
from visage.faces.light import blackbody
from visage.faces.portraits import Detail
from visage.faces.shape import MorphableModel
from visage.normalization.applications_study import draw_photographs
from visage.normalization.colour_correction import face_colour
from visage.normalization.frame import normal_crop
from visage.photos.alignment import align

SIZE = 192
"""Pixels a side of the pictures that the page works on: the normalized crop, at this size."""

_KELVINS = 21  # of the table that the page interpolates
_MIREDS = (80.0, 400.0)
_DETAIL = Detail(texture=256, strands=3000, supersample=2)


class ColourExplorer(anywidget.AnyWidget):
    """Sliders for the light's colour and the exposure; eq. 13 and grey world answer in the page.

    Args:
        photographs: (N, 3, S, S), sRGB, aligned, well exposed and white.
        faces: (N, 3, T, T), the normalized faces of the same people.
    """

    _esm = bundle("colour_explorer.js")
    _css = stylesheet("explorer.css", "application_explorers.css")

    photographs = traitlets.List(traitlets.Unicode()).tag(sync=True)  # data URLs
    faces = traitlets.List(traitlets.Unicode()).tag(sync=True)
    targets = traitlets.List().tag(sync=True)  # m_N of each: Y, Cr, Cb
    lamps = traitlets.Dict().tag(sync=True)  # mireds from, to, and the gains of lamps between
    values = traitlets.Dict().tag(sync=True)  # person, stops, mireds, green

    def __init__(self, photographs: Tensor, faces: Tensor):
        super().__init__(
            photographs=[data_url(image, SIZE) for image in photographs],
            faces=[data_url(image, SIZE) for image in faces],
            targets=face_colour(faces).tolist(),
            lamps={"range": list(_MIREDS), "gains": lamp_gains().tolist()},
        )

    @classmethod
    def standard(cls) -> ColourExplorer:
        """The explorer of the book's three people."""
        return cls(*standard_pictures())


def lamp_gains() -> Tensor:
    """Gains (K, 3) on linear light when a lamp is taken for daylight, at even steps of mireds."""
    mireds = torch.linspace(*_MIREDS, _KELVINS)
    return blackbody(1e6 / mireds) / blackbody(torch.tensor([6500.0]))


@lru_cache(maxsize=1)
def standard_pictures() -> tuple[Tensor, Tensor]:
    """Photographs, aligned, and normalized faces of the book's three people."""
    photos = draw_photographs(MorphableModel.load(), 0, PEOPLE, 1, detail=_DETAIL)
    crop = normal_crop(SIZE)
    aligned = [align(image[None], points[None], crop, padding="border")
               for image, points in zip(photos.image, photos.landmarks, strict=True)]  # fmt: skip
    return torch.cat(aligned).clamp(0, 1), standard_avatars()[0].image
