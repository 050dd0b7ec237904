"""A short film of a person who does not exist: a head that turns and talks, cut to chips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from visage.faces.light import LIGHT_KINDS
from visage.faces.population import people, seed_of
from visage.faces.portraits import Detail, portray
from visage.faces.scene import render
from visage.faces.shape import MorphableModel
from visage.faces.shots import ShotRanges, shots
from visage.faces.skin import skin_maps
from visage.inversion.errors import InversionError
from visage.inversion.targets import TargetStream
from visage.photos.alignment import Crop, align

FRAMES = 70
"""As many as the clip of section 5.2 has."""

_SIZE = 224  # pixels a side that are drawn: a face in it is as large as a chip's
_ROOM = tuple(kind for kind in LIGHT_KINDS if kind.name == "room")
_STILL = ShotRanges(yaw=0, pitch=0, roll=0, width=(300, 300), shift=0, distance=None,
                    expressions={"neutral": 1.0}, lights=_ROOM)  # fmt: skip
_TURN = (math.radians(5), math.radians(20), math.radians(3))  # pitch, yaw, roll, either way
_SYLLABLES = 6  # of a film, whatever its length
_BLINKS = 2
_TOGETHER = 10


def talking_head(
    person: int, crop: Crop, *, frames: int = FRAMES, seed: int = 0, split: str = "test"
) -> Tensor:
    """Draw a film: the head turns from side to side once, nods twice, speaks, smiles and blinks.

    Args:
        person: number of the person in the split.
        crop: that chips are cut by, with the true landmarks.
        frames: F, how many.
        seed: of the world.
        split: of `visage.faces.population.SPLITS`.

    Returns:
        (F, 3, S, S) in [0, 1].

    Raises:
        InversionError: fewer than two frames.
    """
    if frames < 2:
        raise InversionError(f"a film has two frames at least, not {frames}.")
    model = MorphableModel.load()
    someone = people(model, seed, [person], split=split)
    detail = Detail(texture=512, strands=5000, supersample=2)
    maps = skin_maps(model, someone.skin, detail.texture)
    angles, actions = head_motion(model, frames)
    chips = []
    for rows in torch.arange(frames).split(_TOGETHER):
        same = torch.zeros(len(rows), dtype=torch.long)
        shot = seed_of(seed, person)  # the same light and background in every frame
        taken = shots(model, someone[same], torch.full((len(rows),), shot), _SIZE, _STILL)
        camera = replace(taken.camera, angles=angles[rows])
        taken = replace(taken, camera=camera, expression=actions[rows])
        scene = portray(model, someone[same], taken, detail, maps=maps[same])
        picture = render(model, scene, supersample=detail.supersample)
        chips.append(align(picture.image, picture.landmarks, crop, padding="border"))
    return torch.cat(chips)


class FilmStream:
    """Target embeddings, each with a frame to wear it, for `visage.training` (section 5.2).

    "Random embedding vectors and 70 frames of a short video clip treated as a set of independent
    guiding images."

    Args:
        seed: item i depends on (seed, i) only.
        embeddings: (N, dim), of people to learn from.
        frames: (F, 3, S, S).
    """

    def __init__(self, seed: int, embeddings: Tensor, frames: Tensor):
        self.targets, self.frames, self.seed = TargetStream(seed, embeddings), frames, seed

    def batch(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Embeddings (B, dim) and guides (B, 3, S, S)."""
        drawn = [
            np.random.default_rng([self.seed, i, 1]).integers(len(self.frames)) for i in indices
        ]
        return self.targets.batch(indices), self.frames[torch.tensor(drawn)]


def head_motion(model: MorphableModel, frames: int) -> tuple[Tensor, Tensor]:
    """How the head of `talking_head` moves.

    Args:
        model: whose facial actions are moved.
        frames: F.

    Returns:
        angles: (F, 3), pitch, yaw and roll in radians.
        actions: (F, 52), in [0, 1].
    """
    time = torch.linspace(0, 1, frames, dtype=torch.float64)
    cycle = 2 * math.pi * time
    pitch, yaw, roll = _TURN
    turned = (pitch * torch.sin(2 * cycle), yaw * torch.sin(cycle), roll * torch.cos(cycle))
    actions = torch.zeros(frames, len(model.expression_names), dtype=torch.float64)

    def act(names: tuple[str, ...], strength: Tensor) -> None:
        for name in names:
            actions[:, model.expression_names.index(name)] = strength.clamp(0, 1)

    speech = torch.sin(math.pi * _SYLLABLES * time).abs()
    act(("jawOpen",), 0.35 * speech)
    act(("mouthFunnel",), 0.4 * speech * torch.sin(3 * cycle).clamp(min=0))
    act(("mouthSmileLeft", "mouthSmileRight"), 0.6 * torch.sin(cycle - 1).clamp(min=0))
    act(("browInnerUp",), 0.5 * torch.sin(2 * cycle).clamp(min=0))
    near = (time[:, None] - (torch.arange(_BLINKS) + 0.5) / _BLINKS).abs().amin(1)
    act(("eyeBlinkLeft", "eyeBlinkRight"), 0.9 * torch.exp(-((near / 0.02) ** 2)))
    return torch.stack(turned, 1).float(), actions.float()
