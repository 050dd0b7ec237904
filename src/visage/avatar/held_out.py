"""Avatars of people whose heads are known: how near each stage comes to the truth."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm.auto import tqdm

from visage.avatar.build import Avatar, AvatarConfig, build_avatar
from visage.faces.shape import MorphableModel
from visage.photos.reading import PhotoError
from visage.texture.fit_errors import head_errors
from visage.texture.held_out import HeldOutViews

ANSWERS = ("head", "fit", "coarse", "mean")
"""Whose shape is measured: the avatar's, part V's fit, part IV's CoarseNet, the mean head."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Avatars of photographs in which a face was found."""

    avatars: tuple[Avatar, ...]
    rows: tuple[int, ...]  # of the photographs, one each
    missed: int  # photographs in which none was found
    errors: dict[str, dict[str, Tensor]]  # mm (N,), by `ANSWERS` and `head` or `face`

    def distances(self, name: str) -> Tensor:
        """(N,) identity distances of a stage's picture, or of `nfgan` or `front` beside one."""
        found = []
        for avatar in self.avatars:
            looks = {stage.name: stage.distance for stage in avatar.stages}
            looks |= {stage.also.name: stage.also.distance for stage in avatar.stages if stage.also}
            found.append(looks[name])
        return torch.tensor(found)

    def seconds(self) -> Tensor:
        """(N,) that the stages of each took."""
        return torch.tensor([avatar.seconds for avatar in self.avatars])


def measure(views: HeldOutViews, config: AvatarConfig) -> Measured:
    """Make an avatar of each photograph.

    Args:
        views: B photographs and all about them.
        config: how.
    """
    avatars, rows = [], []
    for row in tqdm(range(len(views)), desc="avatars", unit="face", leave=False, disable=None):
        try:
            avatars.append(build_avatar(views.image[row : row + 1], config, progress=False))
        except PhotoError:  # dlib sees no face
            continue
        rows.append(row)
    model = _model()
    true = views[rows].vertices(model)
    errors = {name: head_errors(model, found, true) for name, found in _answers(avatars).items()}
    return Measured(tuple(avatars), tuple(rows), len(views) - len(rows), errors)


def _answers(avatars: list[Avatar]) -> dict[str, Tensor]:
    """Vertices (N, V, 3) mm, head frame, by `ANSWERS`."""
    model = _model()

    def placed(identity: list[Tensor], expression: list[Tensor]) -> Tensor:
        return model.vertices(torch.cat(identity), torch.cat(expression))

    heads, fits = [a.posed for a in avatars], [a.fit for a in avatars]
    coarse = [a.surface.numbers for a in avatars]
    found = {
        name: placed([one.identity for one in some], [one.expression for one in some])
        for name, some in zip(ANSWERS, (heads, fits, coarse), strict=False)
    }
    return found | {"mean": model.mean.expand_as(found["head"])}


def _model() -> MorphableModel:
    return MorphableModel.load()
