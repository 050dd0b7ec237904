"""An avatar as the journey's explorer shows it."""

from __future__ import annotations

import torch

from visage.avatar.build import Avatar
from visage.avatar.head import fine_model
from visage.avatar.relief import fine_relief
from visage.avatar.stages import Look, Stage
from visage.explore.journey_sheets import TILE_SIZE, Journey, JourneyStage, Shape, Skin
from visage.faces.reflectance import encode_srgb
from visage.faces.surface import SurfaceMaps
from visage.texture.held_out import HeldOutViews
from visage.texture.skins import face_atlases
from visage.texture.window import crop

_TRUE_ATLAS = 1024  # texels of a true skin: four are one of the explorer's


@torch.no_grad()
def journey_of(avatar: Avatar, name: str, about: str, view: HeldOutViews | None = None) -> Journey:
    """Everything that the explorer shows of one avatar.

    Args:
        avatar: of a photograph.
        name: of whom it shows.
        about: a sentence on the photograph.
        view: the synthetic photograph (one), whose truth is known; None for a real one.
    """
    numbers, head = avatar.surface.numbers, avatar.head
    rest = head.expression[0]  # so that all of them are as the head is
    return Journey(
        name=name,
        about=about,
        stages=_stages(avatar),
        embedding=avatar.embedding[0],
        coarse=Shape(numbers.identity[0], rest),
        head=Shape(head.identity[0], rest),
        skin=_skin(head.maps),
        visible=avatar.texture.visible[0],
        relief=fine_relief(fine_model(), avatar.surface, TILE_SIZE)[0],
        truth=None if view is None else (Shape(view.identity[0], rest), _true_skin(view)),
    )


def _stages(avatar: Avatar) -> tuple[JourneyStage, ...]:
    """The stages, and behind each its second picture, where it has one."""
    found = []
    for stage in avatar.stages:
        found.append(_shown(stage))
        if stage.also is not None:
            found.append(_shown(stage.also))
    return tuple(found)


def _shown(look: Stage | Look) -> JourneyStage:
    own = look.name in ("photograph", "embedding")  # what the others are compared with
    return JourneyStage(look.name, look.picture[0], None if own else look.distance)


def _true_skin(view: HeldOutViews) -> Skin:
    return _skin(face_atlases(view.split, view.indices, _TRUE_ATLAS))


def _skin(maps: SurfaceMaps) -> Skin:
    albedo = encode_srgb(maps.albedo.clamp(0, 1))
    return Skin(crop(albedo, TILE_SIZE)[0], albedo[0])
