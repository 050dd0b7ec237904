"""Journeys from a photograph to a head: `python -m tools.build_journey`.

Writes ``journey.json`` and four pictures in ``src/visage/explore/journey``: NASA's astronaut and
people who do not exist, through `visage.avatar.build.build_avatar` at its default size. About a
minute each once the database's skins are painted.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import skimage
import torch

from visage.avatar.build import AvatarConfig, build_avatar
from visage.explore.journey_avatar import journey_of
from visage.explore.journey_sheets import Journey, journey_sheets
from visage.recognition.encoder import load_encoder
from visage.texture.held_out import held_out_views


@dataclass(frozen=True)
class Sitting:
    """One person who does not exist, one photograph."""

    person: int  # of the test split
    yaw: float  # degrees, to one side or the other
    name: str
    about: str


ASTRONAUT = "The astronaut", "NASA’s portrait of Eileen Collins, in the public domain."
SITTINGS = (
    Sitting(2, 25.0, "Nobody, turned", "Does not exist, and is turned by about 25 degrees."),
    Sitting(4, 0.0, "Nobody, ahead", "Does not exist, and looks into the camera."),
    Sitting(11, 25.0, "Nobody, old", "Does not exist, is old, and is turned by about 25 degrees."),
)


def journeys(config: AvatarConfig) -> Iterator[Journey]:
    """Everybody's."""
    yield journey_of(build_avatar(skimage.data.astronaut(), config), *ASTRONAUT)
    for one in SITTINGS:
        view = held_out_views(1, yaw=one.yaw, first=one.person)
        yield journey_of(build_avatar(view.image, config), one.name, one.about, view)


def main() -> None:
    """Build, and write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texels", type=int, default=AvatarConfig().texels)
    parser.add_argument("--people", type=int, default=AvatarConfig().people)
    parser.add_argument("--iterations", type=int, default=AvatarConfig().iterations)
    torch.set_num_threads(1)
    config = AvatarConfig(**vars(parser.parse_args()))
    sheets = journey_sheets(list(journeys(config)), load_encoder().threshold)
    print(f"{sheets.write():,} bytes")


if __name__ == "__main__":
    main()
