"""Synthetic people as they look once they are normalized, with everything known about them.

Frontal, at rest, without glasses, evenly lit, in the paper's crop, as seen by the camera of
10 degrees that appendix B fits with: what the decoder is asked for, and the truth that
its applications are measured against.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from visage.faces.camera import Perspective
from visage.faces.fitting.study import vertex_colours
from visage.faces.hair import grow
from visage.faces.light import Light
from visage.faces.population import People, people
from visage.faces.portraits import Detail, dress
from visage.faces.scene import Scene, render
from visage.faces.shape import MorphableModel
from visage.faces.skin import skin_maps
from visage.normalization.colour_basis import evenly_lit
from visage.normalization.frame import normal_crop
from visage.normalization.texture_fitting import project_colours, seen_from

__all__ = ["NormalPeople", "draw_normal_people", "even_light", "normal_camera"]

FIELD = 10.0  # degrees across the picture, as in appendix B.2
_DETAIL = Detail(texture=512, strands=5000, supersample=2)
_TOGETHER = 10
_BACKDROP = 0.5  # linear
_BARE = 0.9  # of a pixel


@dataclass(frozen=True, eq=False)
class NormalPeople:
    """N people, one picture each."""

    image: Tensor  # (N, 3, S, S), sRGB
    landmarks: Tensor  # (N, 68, 2), pixels, the model's
    identity: Tensor  # (N, 80), standard deviations
    vertices: Tensor  # (N, V, 3), mm, head frame
    colours: Tensor  # (N, V, 3), sRGB, what the skin sends to the camera at each vertex
    bare: Tensor  # (N, V) bool: the picture shows this vertex's skin, without hair or cloth
    camera: Perspective

    def __len__(self) -> int:
        """N."""
        return len(self.image)


def even_light(count: int) -> Light:
    """The same white light from everywhere: what faces anywhere and sees it all is shaded by 1."""
    ambient = torch.zeros(count, 9, 3)
    ambient[:, 0] = math.sqrt(4 * math.pi)
    direction = torch.tensor([[0.0, 0.0, 1.0]]).expand(count, 3)
    return Light(ambient, direction, torch.zeros(count, 3), torch.full((count,), 0.1))


def normal_camera(model: MorphableModel, vertices: Tensor, size: int) -> Perspective:
    """The camera that sees heads (B, V, 3) in the normalized crop, `size` pixels a side.

    The centres of the eyes come to lie where `normal_crop` has them, but that a face which is not
    quite symmetric is not turned.
    """
    crop, centre = normal_crop(size), (size - 1) / 2
    (left, height), (right, _) = crop.template
    eyes = [vertices[:, model.landmarks[list(group)]].mean(1) for group in crop.anchors]
    middle = (eyes[0] + eyes[1]) / 2
    scale = (right - left) / (eyes[1] - eyes[0])[:, 0]  # pixels a mm, at the eyes
    focal = torch.full_like(scale, size / 2 / math.tan(math.radians(FIELD) / 2))
    across, above = (left + right) / 2 - centre, centre - height
    shift = torch.stack([across / scale - middle[:, 0], above / scale - middle[:, 1]], 1)
    return Perspective(
        torch.zeros(len(vertices), 3), shift, size, size, focal, focal / scale + middle[:, 2]
    )


@torch.no_grad()
def draw_normal_people(
    model: MorphableModel,
    seed: int,
    indices: Sequence[int],
    *,
    split: str = "test",
    size: int = 224,
    detail: Detail = _DETAIL,
) -> NormalPeople:
    """Take the normalized picture of each person.

    Args:
        model: at rest; its level of subdivision is that of the known vertices and colours.
        seed: of the world.
        indices: of the people.
        split: of `visage.faces.population.SPLITS`.
        size: of the square pictures, pixels.
        detail: how finely people are made.
    """
    drawn = [
        _draw(model, people(model, seed, indices[i : i + _TOGETHER], split=split), size, detail)
        for i in range(0, len(indices), _TOGETHER)
    ]
    camera = replace(
        drawn[0].camera,
        **{
            name: torch.cat([getattr(one.camera, name) for one in drawn])
            for name in ("angles", "translation", "focal", "distance")
        },
    )
    rest = {
        field.name: torch.cat([getattr(one, field.name) for one in drawn])
        for field in fields(NormalPeople)
        if field.name != "camera"
    }
    return NormalPeople(camera=camera, **rest)


def _draw(model: MorphableModel, persons: People, size: int, detail: Detail) -> NormalPeople:
    count = len(persons)
    persons = replace(
        persons, glasses=replace(persons.glasses, worn=torch.zeros(count, dtype=torch.bool))
    )
    vertices = model.vertices(persons.identity)
    camera = normal_camera(model, vertices, size)
    maps = skin_maps(model, persons.skin, detail.texture)
    scene = Scene(
        persons.identity,
        torch.zeros(count, len(model.expression_names)),
        camera,
        even_light(count),
        maps=maps,
        strands=[
            grow(model, hair, head, count=detail.strands)
            for hair, head in zip(persons.hair, vertices, strict=True)
        ],
        wear=dress(model, persons)[0],
        background=torch.full((count, 3, size, size), _BACKDROP),
    )
    picture = render(model, scene, supersample=detail.supersample)
    points = camera.project(vertices)
    bare = project_colours(picture.seen, points[..., :2])[..., 0] > _BARE
    return NormalPeople(
        image=picture.image,
        landmarks=picture.landmarks,
        identity=persons.identity,
        vertices=vertices,
        colours=evenly_lit(vertex_colours(model, maps.albedo), model.occlusion),
        bare=bare & seen_from(model, vertices, camera),
        camera=camera,
    )
