"""Heads with inferred textures: `python -m tools.build_texture_heads`.

Writes ``heads.webp``, ``heads_colour.webp``, ``heads_atlas.webp``, ``heads_photo.webp`` and
``heads.json`` in ``src/visage/explore/texture``: photographs of people who do not exist, and all
that `visage.texture.infer.infer_texture` makes of them, beside the truth. Some minutes of one core
once the database of 256 people is there; what is finished is kept below ``_build``.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from tools.texture_tiles import kept
from visage.explore.texture_sheets import TextureSheet, face_box, write_picture, write_sheet
from visage.explore.turning_head_explorer import ATLASES, PHOTOS, SHEET, atlas_box
from visage.faces.reflectance import encode_srgb
from visage.texture.head_surface import head_maps
from visage.texture.held_out import held_out_views
from visage.texture.infer import InferenceConfig, default_database, infer_texture
from visage.texture.window import resized
from visage.texture.yiq import luminance

SIZE = 512
STEPS = 150
ATLAS = 384  # texels of the whole head, of which the face is not looked at
PHOTO = 320  # pixels
QUALITY = 88


@dataclass(frozen=True)
class Sitting:
    """One person, one photograph."""

    person: int  # of the test split
    yaw: float  # degrees, to one side or the other
    name: str


SITTINGS = (
    Sitting(2, 45.0, "Turned by 45 degrees"),
    Sitting(0, 20.0, "Turned a little"),
)


def inferred(sitting: Sitting, config: InferenceConfig, *, true_mask: bool) -> Tensor:
    """All there is of one person, in one tensor to be kept: see `parts_of`."""
    view = held_out_views(1, yaw=sitting.yaw, first=sitting.person)
    database = default_database(config)
    found = infer_texture(
        view.image, config, database=database, mask=view.seen if true_mask else None
    )
    size = config.size
    planes = [found.texture, found.low_frequency, found.partial, view.textures(size)]
    photo = resized(view.image, PHOTO)
    numbers = [found.visible, photo, found.fit.identity]
    return torch.cat([one.flatten() for one in (*planes, *numbers)])


def parts_of(flat: Tensor, size: int) -> list[Tensor]:
    """Texture, low frequencies, partial albedo, truth, visible texels, photograph, identity."""
    shapes = [(3, size, size)] * 4 + [(1, size, size), (3, PHOTO, PHOTO), (80,)]
    counts = [torch.Size(shape).numel() for shape in shapes]
    pieces = zip(flat.split(counts), shapes, strict=True)
    return [piece.view(1, *shape) for piece, shape in pieces]


def main() -> None:
    """Infer, and write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=SIZE, help="texels of the window")
    parser.add_argument("--people", type=int, default=InferenceConfig().people, help="to blend")
    parser.add_argument("--steps", type=int, default=STEPS, help="of L-BFGS")
    parser.add_argument("--true-mask", action="store_true", help="do not ask the segmentation")
    given = parser.parse_args()
    torch.set_num_threads(1)
    config = InferenceConfig(size=given.size, people=given.people)
    config = replace(config, synthesis=replace(config.synthesis, iterations=given.steps))
    plan = (config, given.true_mask)
    flat = [
        kept((one, plan), lambda s=one: inferred(s, config, true_mask=given.true_mask))
        for one in SITTINGS
    ]
    rows = zip(*(parts_of(one, given.size) for one in flat), strict=True)
    made, low, seen, truth, visible, photos, identity = map(torch.cat, rows)
    cut = (..., *face_box(given.size))
    tiles = torch.stack([luminance(one)[:, 0] for one in (made, seen, truth)], 1)
    colours = torch.stack([low, visible.expand_as(low)], 1).flatten(0, 1)
    words = {
        "people": [{"name": one.name} for one in SITTINGS],
        "box": atlas_box(given.size),
        "identity": identity,
    }
    size = write_sheet(SHEET, TextureSheet(tiles[cut], colours[cut], words), QUALITY)
    atlas = encode_srgb(head_maps(low, bump=None).albedo.clamp(0, 1))
    atlas = interpolate(atlas, size=(ATLAS, ATLAS), mode="area")
    size += write_picture(ATLASES, torch.cat(tuple(atlas), 2), 84)
    size += write_picture(PHOTOS, torch.cat(tuple(photos), 2), 86)
    print(f"{size:,} bytes")


if __name__ == "__main__":
    main()
