"""The faces that Part IV's explorers show: `python -m tools.build_geometry_faces`.

Writes ``faces.webp``, ``relief.png`` and ``faces.json`` in ``src/visage/explore/geometry``:
pictures of synthetic test people as CoarseNet's window shows them, the relief of their wrinkles,
and their true numbers. Takes some minutes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from visage.explore.geometry_faces import LARGE, ShownFaces, write_sheet
from visage.faces.expressions import EXPRESSIONS, sample_expressions
from visage.faces.light import LIGHT_KINDS, seeded_lights
from visage.faces.population import people
from visage.faces.portraits import Detail, portray
from visage.faces.scene import render
from visage.faces.shape import MorphableModel
from visage.faces.shots import EVERYDAY, shots
from visage.faces.skin import skin_maps
from visage.geometry.relief_depth import detailed_depth
from visage.geometry.representation import FaceNumbers

SPLIT = "test"


@dataclass(frozen=True)
class Sitting:
    """One person, one picture."""

    person: int  # of the test split
    expression: str
    intensity: float
    pose: tuple[float, float, float]  # pitch, yaw and roll, degrees
    shift: tuple[float, float]  # mm that the window misses the face's centre by
    light: int  # seed
    name: str


SITTINGS = (
    Sitting(89, "happiness", 0.75, (-3, 14, 2), (3, -4), 4, "A smile, old skin"),
    Sitting(11, "surprise", 0.7, (4, -22, -3), (-4, 2), 9, "Surprise"),
    Sitting(23, "neutral", 0.0, (2, 28, 0), (2, 3), 12, "At rest, turned"),
    Sitting(67, "anger", 0.8, (-4, 3, 1), (0, -3), 2, "Anger, from the front"),
    Sitting(79, "disgust", 0.7, (0, -12, 4), (5, 0), 21, "Disgust"),
    Sitting(3, "happiness", 0.6, (3, 40, -2), (-6, 4), 6, "Young, turned far"),
    Sitting(46, "neutral", 0.0, (-2, -8, 0), (2, 2), 15, "Glasses and a moustache"),
    Sitting(56, "fear", 0.6, (5, 18, -4), (-3, -5), 17, "Fear, dark skin"),
)


def drawn(model: MorphableModel, sitting: Sitting) -> tuple[Tensor, Tensor, FaceNumbers]:
    """The picture (1, 3, 400, 400), the relief (1, 1, 400, 400), mm, and the numbers."""
    person = people(model, 0, [sitting.person], split=SPLIT)
    seed = torch.tensor([sitting.light])
    taken = shots(model, person, seed, LARGE, replace(EVERYDAY, distance=None))
    actions = sample_expressions(
        model, (sitting.expression,), torch.tensor([sitting.intensity]), person.seeds, seed
    )
    pose = torch.deg2rad(torch.tensor([sitting.pose]))
    zero = FaceNumbers.zeros(1)
    # Turns and shifts in the numbers' own units: what one of them does says how large it is.
    per = torch.stack([FaceNumbers(zero.identity, zero.expression, unit[None]).camera().angles[0]
                       for unit in torch.eye(6)[:3]]).diagonal()  # fmt: skip
    shift = torch.tensor([sitting.shift]) / 8.0
    numbers = FaceNumbers(
        person.identity, actions, torch.cat([pose / per, shift, torch.zeros(1, 1)], 1)
    )
    light = seeded_lights(seed, LIGHT_KINDS)
    gain = taken.light.ambient.abs().sum() / light.ambient.abs().sum()
    light = replace(light, ambient=light.ambient * gain, key_colour=light.key_colour * gain)
    taken = replace(taken, camera=numbers.camera(LARGE), expression=actions, light=light)
    maps = skin_maps(model, person.skin, 1024)
    scene = portray(model, person, taken, Detail.of(LARGE), maps=maps)
    picture = render(model, scene, supersample=2)
    vertices = model.vertices(person.identity, actions)
    relief = detailed_depth(model, taken.camera, vertices, maps).relief
    return picture.image, relief, numbers


def main() -> None:
    """Write the three files."""
    assert all(sitting.expression in EXPRESSIONS for sitting in SITTINGS)
    model = MorphableModel.load(1)
    photos, relief, numbers = zip(*(drawn(model, one) for one in SITTINGS), strict=True)
    write_sheet(
        ShownFaces(
            tuple(one.name for one in SITTINGS),
            torch.cat(photos),
            torch.cat(relief),
            FaceNumbers.of(torch.cat([one.numbers for one in numbers])),
        )
    )
    print(f"{len(SITTINGS)} faces, relief up to {max(float(r.abs().max()) for r in relief):.2f} mm")


if __name__ == "__main__":
    main()
