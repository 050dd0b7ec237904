"""The landing page's face: `python -m tools.build_landing`.

Writes ``src/visage/explore/landing``: one photograph of somebody who does not exist, and what the
shipped networks make of it, part by part. Some minutes of one core once the database of Part V is
there; what is finished is kept below ``_build``.
"""

from __future__ import annotations

import argparse
import base64
import json
from dataclasses import dataclass, replace

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from tools.build_texture_heads import SITTINGS, Sitting, inferred, parts_of
from tools.texture_tiles import kept
from visage.explore.landing_explorer import FOLDER, HEAD, WORDS
from visage.explore.relief_explorer import ReliefFace, packed
from visage.explore.texture_sheets import COLOUR_SIDE, face_box
from visage.explore.turning_head_explorer import atlas_box, pack_heads
from visage.faces.reflectance import encode_srgb
from visage.faces.shape import MorphableModel
from visage.files import written_whole
from visage.geometry.reconstruct import reconstruct
from visage.inversion.judge_reproduce import robust_images
from visage.inversion.study import Study
from visage.nfgan.frame import aligned, to_chips
from visage.nfgan.networks import load_nfgan
from visage.normalization.normalize import normalize
from visage.photos.alignment import align
from visage.photos.landmarks import find_face
from visage.texture.head_surface import head_maps
from visage.texture.held_out import held_out_views
from visage.texture.infer import InferenceConfig
from visage.texture.likeness import face_chips
from visage.texture.textured_head import (
    TexturedHead,
    new_light,
    portrait_camera,
    render_textured,
)
from visage.texture.window import crop
from visage.texture.yiq import luminance

SIZE = 512  # texels of the window
STEPS = 150  # of L-BFGS
DESCENT = 200  # steps of the inversion
ATLAS = 1024  # texels of the whole head: an iris has 24
PHOTO, STILL = 320, 512  # pixels
SURFACE = 200  # pixels of the recovered surface


@dataclass(frozen=True, eq=False)
class Faces:
    """Pictures of one person, (1, C, H, W) each, and how far from the photograph's embedding."""

    photo: Tensor
    chip: Tensor
    expected: Tensor
    face: Tensor
    normal: Tensor
    rest: Tensor
    embedding: Tensor  # (1, 128)
    distances: dict[str, float]
    threshold: float


def faces_of(photo: Tensor, sitting: Sitting) -> Faces:
    """What parts I to III make of a photograph."""
    study = Study.standard()
    encoder = study.encoder
    landmarks = find_face(photo).landmarks
    chip = align(photo, landmarks, encoder.crop, padding="border").clamp(0, 1)
    embedding = encoder.embed(chip).detach()
    face = kept(
        ("landing", sitting, DESCENT),
        lambda: robust_images(study, embedding, DESCENT, seed=0),
    )
    expected = study.known.references(embedding).guide.detach()
    normal = normalize(photo).image.detach()
    rest = load_nfgan()(aligned(photo, landmarks)).faces.detach()
    chips = {
        "expected": expected,
        "face": face,
        "normal": _chip(normal, encoder.crop),
        "rest": to_chips(rest),
    }
    distances = {
        name: float(encoder.distance(encoder.embed(one), embedding)) for name, one in chips.items()
    }
    return Faces(photo, chip, expected, face, normal, rest, embedding, distances, encoder.threshold)


def _chip(face: Tensor, crop: object) -> Tensor:
    """A picture of a face alone, aligned for the recogniser."""
    wide = torch.nn.functional.pad(face, (40, 40, 40, 40), mode="replicate")
    large = interpolate(wide, scale_factor=2, mode="bilinear")
    return align(large, find_face(large).landmarks, crop).clamp(0, 1)


def write_picture(name: str, picture: Tensor, quality: int = 86, side: int | None = None) -> int:
    """Track a picture (1, C, H, W); its bytes."""
    if side is not None:
        picture = interpolate(picture, size=(side, side), mode="area")
    pixels = (255 * picture[0].clamp(0, 1)).round().byte().permute(1, 2, 0)
    image = Image.fromarray(pixels.expand(-1, -1, 3).contiguous().numpy())
    with written_whole(FOLDER / f"{name}.webp") as temporary:
        image.save(temporary, "WEBP", quality=quality, method=6)
    return (FOLDER / f"{name}.webp").stat().st_size


def write_relief(photo: Tensor) -> dict:
    """Track Part IV's surface as a picture of 16 bits; what the page must know of it."""
    found = reconstruct(photo, size=SURFACE)
    face = ReliefFace(
        "landing",
        found.image[0],
        {"coarse": found.depth[0, 0]},  # one surface is enough: the detailed one
        found.scale,
        torch.zeros(4),
    )
    told = packed(face)
    (FOLDER / "relief.webp").write_bytes(base64.b64decode(told["maps"].partition(",")[2]))
    return {key: told[key] for key in ("width", "height", "pitch", "step")}


def write_head(flat: Tensor, size: int) -> tuple[dict, Tensor, Tensor]:
    """Track Part V's head; what the page must know, the texture and the identity."""
    made, low, seen, _, visible, _, identity = parts_of(flat, size)
    cut = (..., *face_box(size))
    # As it lies on the head: the hairline's shade, a stripe on a bald head, is left out.
    atlas = encode_srgb(head_maps(low, bump=None).albedo.clamp(0, 1))
    bare = encode_srgb(head_maps(made, bump=None).albedo.clamp(0, 1))
    tiles = [luminance(crop(bare, size)), luminance(seen), visible]
    tiles = torch.cat([one[cut] for one in tiles], -1)
    low = crop(atlas, size)
    write_picture("skin", tiles, 84)
    high, wide = tiles.shape[-2], tiles.shape[-1] // 3
    scale = COLOUR_SIDE / max(high, wide)
    small = interpolate(low[cut], size=(round(high * scale), round(wide * scale)), mode="area")
    write_picture("colour", small, 92)
    write_picture("atlas", atlas, 80, ATLAS)
    with written_whole(FOLDER / HEAD) as temporary:
        temporary.write_bytes(pack_heads(identity.view(1, -1), MorphableModel.load(0)))
    return {"tile": [high, wide], "box": atlas_box(size)}, made, identity.view(1, -1)


def write_still(texture: Tensor, identity: Tensor) -> None:
    """Track a picture of the head, for the time before it turns."""
    head = TexturedHead.of(texture, identity)
    camera = portrait_camera(STILL, (20.0,))
    picture = render_textured(MorphableModel.load(1), head, camera, new_light("studio", 3))
    write_picture("still", picture.clamp(0, 1), 82)


def main() -> None:
    """Make everything, and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--person", type=int, default=4, help="of the test split")
    parser.add_argument("--yaw", type=float, default=20.0, help="degrees")
    given = parser.parse_args()
    torch.set_num_threads(1)
    FOLDER.mkdir(exist_ok=True)
    known = {(one.person, one.yaw): one for one in SITTINGS}  # what is finished is not made again
    person = given.person, given.yaw
    sitting = known.get(person, Sitting(*person, "landing"))
    photo = held_out_views(1, yaw=sitting.yaw, first=sitting.person).image
    faces = faces_of(photo, sitting)
    write_picture("photo", faces.photo, 86, PHOTO)
    for name in ("chip", "expected", "face", "normal", "rest"):
        write_picture(name, getattr(faces, name), 88)
    told = {"relief": write_relief(photo) | {"yaw": sitting.yaw}}
    config = InferenceConfig(size=SIZE)
    config = replace(config, synthesis=replace(config.synthesis, iterations=STEPS))
    flat = kept((sitting, (config, False)), lambda: inferred(sitting, config, true_mask=False))
    head, texture, identity = write_head(flat, SIZE)
    encoder = Study.standard().encoder
    avatar = encoder.embed(face_chips(texture, identity))
    distances = {**faces.distances, "avatar": float(encoder.distance(avatar, faces.embedding))}
    write_still(texture, identity)
    told |= head | {
        "embedding": [round(value, 4) for value in faces.embedding[0].tolist()],
        "distances": {name: round(value, 3) for name, value in distances.items()},
        "threshold": faces.threshold,
    }
    (FOLDER / WORDS).write_text(json.dumps(told) + "\n", encoding="utf-8")
    size = sum(path.stat().st_size for path in FOLDER.iterdir())
    print(f"{size:,} bytes; distances {told['distances']}")


if __name__ == "__main__":
    main()
