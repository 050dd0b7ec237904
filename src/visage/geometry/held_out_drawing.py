"""How held-out people are drawn, found by a detector, and measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from visage.faces.camera import Camera, WeakPerspective
from visage.faces.expressions import sample_expressions
from visage.faces.light import LIGHT_KINDS
from visage.faces.population import SPLITS, People, people, seed_of
from visage.faces.portraits import Detail, portray
from visage.faces.scene import Render, render
from visage.faces.shape import MorphableModel
from visage.faces.shots import EVERYDAY, ShotRanges, Shots, shots
from visage.faces.surface import SurfaceMaps
from visage.geometry.detail import wrinkled
from visage.geometry.face_window import BOX_SIDE, FaceWindow
from visage.geometry.grey import grey
from visage.geometry.relief_depth import detailed_depth
from visage.geometry.representation import CENTRE, pose_numbers
from visage.photos.landmarks import FaceBox, detect_faces, find_landmarks

SEED = 0
"""Of the world that all people of this part live in."""

LIGHTS = {kind.name: kind for kind in LIGHT_KINDS}
"""Kinds of light by name."""

_SHOT = 41  # of a person: other parts draw the first ones, and 77
_YAW = 45.0
_FINER = 1.6  # pixels of the picture for one of the window: more than a window needs
_TOGETHER = 10
_FOLLOWS = 36.0  # mm a radian of yaw that dlib's box follows the nose
_FARTHEST = 0.8  # radians up to which it does
_LOWER = (17.0, 41.0)  # mm that it lies below the face's centre, and mm a radian of pitch

SETTING = repr((SEED, _SHOT, _YAW, _FINER, _FOLLOWS, _FARTHEST, _LOWER, EVERYDAY))
"""What pictures depend on beside their sittings and the world's own code."""


@dataclass(frozen=True)
class Sitting:
    """What is asked of one picture; what is None is drawn as in everyday photographs."""

    person: int
    yaw: float | None = None  # degrees, positive to the picture's right; within 45 if None
    expression: str | None = None  # of `visage.faces.expressions.EXPRESSIONS`
    strength: float | None = None  # of the expression, 0 to 1
    light: str | None = None  # of `LIGHTS`
    perspective: bool = False  # from 0.7 to 3 m; else from infinitely far


@torch.no_grad()
def draw_sittings(
    model: MorphableModel, split: str, sittings: Sequence[Sitting], size: int
) -> dict[str, Tensor]:
    """Take pictures, let dlib find the faces, and measure what lies under the windows' pixels.

    Args:
        model: best at subdivision 1.
        split: of `visage.faces.population.SPLITS`.
        sittings: N of them.
        size: pixels of the windows.

    Returns:
        faces (N, 1, S, S), depth (N, 1, S, S) mm, mask (N, 1, S, S) uint8, numbers (N, 138),
        landmarks (N, 68, 2) and found (N,) uint8, as in `visage.geometry.held_out.HeldOut`.
    """
    groups: dict[tuple, list[int]] = {}
    for place, sitting in enumerate(sittings):
        groups.setdefault((sitting.light, sitting.perspective), []).append(place)
    order, parts = [], []
    for places in groups.values():
        for start in range(0, len(places), _TOGETHER):
            some = places[start : start + _TOGETHER]
            order += some
            parts.append(_draw(model, split, [sittings[place] for place in some], size))
    back = torch.tensor(order).argsort()
    return {name: torch.cat([part[name] for part in parts])[back] for name in parts[0]}


def _draw(
    model: MorphableModel, split: str, sittings: list[Sitting], size: int
) -> dict[str, Tensor]:
    persons = people(model, SEED, [sitting.person for sitting in sittings], split=split)
    taken = _shots(model, split, persons, sittings, round(_FINER * size))
    fine = size > 250
    detail = Detail(texture=1024 if fine else 512, strands=8000 if fine else 3000, supersample=2)
    maps = wrinkled(model, persons, taken, detail.texture)
    picture = render(model, portray(model, persons, taken, detail, maps=maps), supersample=2)
    boxes = [_detected(*pair) for pair in zip(picture.image, picture.landmarks, strict=True)]
    weak = _from_far(taken.camera)
    average = _average_boxes(weak)
    window = FaceWindow.of_boxes([box or other for box, other in zip(boxes, average, strict=True)])
    faces = window.cut(grey(picture.image), size)
    depth, mask = _measured(model, taken.camera, picture, maps, window, size)
    pose = pose_numbers(window.camera_inside(weak, size))
    return {
        "faces": faces,
        "depth": depth,
        "mask": mask.to(torch.uint8),
        "numbers": torch.cat([persons.identity, taken.expression, pose], 1),
        "landmarks": landmarks_in(faces),
        "found": torch.tensor([box is not None for box in boxes]).to(torch.uint8),
    }


def landmarks_in(windows: Tensor) -> Tensor:
    """Dlib's 68 landmarks (B, 68, 2), pixels of windows (B, 1, S, S) round detected faces."""
    size = windows.shape[-1]
    one = FaceWindow(torch.full((1, 2), (size - 1) / 2), torch.tensor([float(size)])).box(size)
    return torch.cat([find_landmarks(face[None].expand(-1, 3, -1, -1), one) for face in windows])


def _shots(
    model: MorphableModel, split: str, persons: People, sittings: list[Sitting], size: int
) -> Shots:
    first = sittings[0]  # all of a group have its light and its kind of camera
    lights = LIGHT_KINDS if first.light is None else (LIGHTS[first.light],)
    distance = EVERYDAY.distance if first.perspective else None
    ranges = replace(EVERYDAY, yaw=_YAW, distance=distance, lights=lights)
    place = SPLITS.index(split)
    seeds = torch.tensor([seed_of(SEED, place, sitting.person, _SHOT) for sitting in sittings])
    taken = shots(model, persons, seeds, size, ranges)
    return _turned(_expressive(model, persons, taken, sittings, ranges), sittings)


def _expressive(
    model: MorphableModel, persons: People, taken: Shots, sittings: list[Sitting],
    ranges: ShotRanges,
) -> Shots:  # fmt: skip
    names = tuple(
        sitting.expression or name for sitting, name in zip(sittings, taken.names, strict=True)
    )
    if names == taken.names and all(sitting.strength is None for sitting in sittings):
        return taken
    middle = sum(ranges.intensity) / 2
    strengths = [
        (middle if sitting.expression else level) if sitting.strength is None else sitting.strength
        for sitting, level in zip(sittings, taken.intensity.tolist(), strict=True)
    ]
    level = torch.tensor(strengths)
    expression = sample_expressions(model, list(names), level, persons.seeds, taken.seeds)
    return replace(taken, expression=expression, names=names, intensity=level)


def _turned(taken: Shots, sittings: list[Sitting]) -> Shots:
    """The shots with the yaws that are asked for; the face's centre stays where it is."""
    camera = taken.camera
    angles = camera.angles.clone()
    for row, sitting in enumerate(sittings):
        if sitting.yaw is not None:
            angles[row, 1] = torch.tensor(sitting.yaw).deg2rad()
    centre = angles.new_tensor(CENTRE)
    before = camera.rotation() @ centre
    turned = replace(camera, angles=angles)
    moved = (before - turned.rotation() @ centre)[:, :2]
    return replace(taken, camera=replace(turned, translation=camera.translation + moved))


def _detected(image: Tensor, landmarks: Tensor) -> FaceBox | None:
    """The detector's box round the face whose landmarks (68, 2) these are."""
    x, y = landmarks[17:].mean(0).tolist()
    boxes = [
        box
        for box in detect_faces(image[None])
        if box.left < x < box.right and box.top < y < box.bottom
    ]
    return max(boxes, key=lambda box: box.score) if boxes else None


def _average_boxes(camera: WeakPerspective) -> list[FaceBox]:
    """Where dlib's boxes are on average, by faces' sizes and poses: measured on training people."""
    centre = camera.project(camera.angles.new_tensor(CENTRE).expand(len(camera), 1, 3))[:, 0, :2]
    pitch, yaw, _ = camera.angles.unbind(1)
    right = _FOLLOWS * yaw.clamp(-_FARTHEST, _FARTHEST)
    middle = centre + camera.scale[:, None] * torch.stack([right, _LOWER[0] + _LOWER[1] * pitch], 1)
    half = BOX_SIDE * camera.scale[:, None] / 2
    edges = torch.cat([middle - half, middle + half], 1).tolist()
    return [FaceBox(*edge, score=0.0) for edge in edges]


def _from_far(camera: Camera) -> WeakPerspective:
    """The weak perspective that sees the head's origin as large."""
    if isinstance(camera, WeakPerspective):
        return camera
    scale = camera.focal / camera.distance
    return WeakPerspective(
        camera.angles, camera.translation, camera.height, camera.width, scale=scale
    )


def _measured(
    model: MorphableModel, camera: Camera, picture: Render, maps: SurfaceMaps, window: FaceWindow,
    size: int,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """True depth (B, 1, S, S) and the face's mask, at the windows' pixels."""
    if isinstance(camera, WeakPerspective):
        inside = window.camera_inside(camera, size)
        found = detailed_depth(model, inside, picture.vertices, maps)
        return found.depth, found.face
    # A window is no perspective camera: its axis would not meet the picture's. The truth is looked
    # up in a finer picture, as deep as the head's origin is at zero.
    fine = camera.magnified(2)
    found = detailed_depth(model, fine, picture.vertices, maps)
    depth = found.depth - camera.distance[:, None, None, None]
    grid = window.grid(picture.image, size)
    sampled = [
        grid_sample(values, grid, mode="nearest", align_corners=False)
        for values in (depth, found.face)
    ]
    return sampled[0].masked_fill(sampled[1] == 0, torch.inf), sampled[1]
