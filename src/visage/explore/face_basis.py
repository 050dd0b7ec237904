"""The morphable model for the page: one compressed file with a small header.

The file is gzip; inside are a length (uint32), a header in JSON of that length, and arrays, each at
a multiple of four bytes. The header says of each array its name, type, shape and place.

Shape is rounded to steps of 2.5 µm at one standard deviation and stored as int16, one mode after
another, for one half of the head: every mode is symmetric or antisymmetric about x = 0. Neighbours
in the mesh differ little, so differences between them are stored, low bytes apart from high bytes,
which halves what gzip leaves. A head with all 80 modes comes out within 0.05 mm of Python's.
"""

import gzip
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from visage.explore.face_detail import (
    HAEMOGLOBIN,
    MELANIN,
    RELIEF,
    SIZE,
    WRINKLES,
    detail_arrays,
)
from visage.explore.face_hair import TUFTS, hair_arrays
from visage.explore.face_people import LOOKS, START, STYLES, people
from visage.explore.face_scene import LIGHTS, VIEW
from visage.faces.expressions import EXPRESSIONS
from visage.faces.reflectance import encode_srgb
from visage.faces.shape import MorphableModel
from visage.faces.skin.tone import skin_colour, tone_table

BUDGET = {"basis": 3_000_000, "page": 6_000_000}
"""Bytes that a reader's browser may be asked to load: of this file, and of all that is the page's
own."""

STEP = 0.0025  # mm of a stored level, at one standard deviation or at full strength
REGIONS = ("lips", "ears", "nose", "cheeks", "scalp", "beard", "lids", "torso")
"""Regions that the page's skin follows, as the vertices' first eight bytes."""


def export_face(path: Path, texture: int = SIZE) -> None:
    """Write the model, the people, lights and expressions that the explorer offers.

    Args:
        path: the file to write; its folder must exist.
        texture: texels on a side of the skin's pictures.
    """
    model = MorphableModel.load()
    arrays = {
        **shape_arrays(model),
        **surface_arrays(model),
        **label_arrays(model),
        **people(model),
    }
    arrays |= detail_arrays(model, texture) | hair_arrays(model)
    arrays["tones"] = encode_tones(tone_table(32, 32))
    painted = skin_colour(torch.tensor(MELANIN), torch.tensor(HAEMOGLOBIN))
    header = {
        "step": STEP,
        "view": VIEW,
        "expressions": {name: dict(actions) for name, actions in EXPRESSIONS.items()},
        "lights": LIGHTS,
        "actions": model.expression_names,
        "labels": model.direction_names,
        "parts": {n: [3 * s.start, 3 * s.stop] for n, s in model.part_triangles.items()},
        "eyes": eyes(model),
        "regions": REGIONS,
        "tufts": {name: asdict(tuft) for name, tuft in TUFTS.items()},
        "hair_styles": STYLES,
        "looks": LOOKS,
        "start": START,
        "painted": {"tone": painted.tolist(), "relief": RELIEF, "wrinkles": WRINKLES},
    }
    path.write_bytes(pack(header, arrays))


def pack(header: Mapping[str, object], arrays: Mapping[str, np.ndarray]) -> bytes:
    """Join a header and arrays into the compressed file; the same input gives the same bytes.

    Arrays of int16 are stored as differences along their last axis.

    >>> len(gzip.decompress(pack({}, {"a": np.zeros(3, np.uint8)}))) % 4
    0
    """
    places, blocks, offset = [], [], 0
    for name, array in arrays.items():
        block = _bytes(array)
        kind = {"name": name, "type": array.dtype.name, "shape": array.shape, "offset": offset}
        places.append(kind)
        blocks.append(block + bytes(-len(block) % 4))
        offset += len(blocks[-1])
    text = json.dumps({**header, "arrays": places}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    whole = np.uint32(len(text)).tobytes() + text + b"".join(blocks)
    return gzip.compress(whole, compresslevel=9, mtime=0)


def _bytes(array: np.ndarray) -> bytes:
    if array.dtype != np.int16:
        return np.ascontiguousarray(array).tobytes()
    # Differences wrap around at 16 bits, here and in the page. Small ones of either sign get small
    # numbers (zigzag), so that the high bytes are nearly all zero.
    steps = np.diff(array, axis=-1, prepend=np.int16(0)).astype(np.int16)
    folded = ((steps << 1) ^ (steps >> 15)).astype(np.uint16)
    return (folded & 255).astype(np.uint8).tobytes() + (folded >> 8).astype(np.uint8).tobytes()


def shape_arrays(model: MorphableModel) -> dict[str, np.ndarray]:
    """Mean, identity modes and facial actions, each in steps of `STEP`.

    Returns:
        `half` (H,) uint16: vertices with x ≥ 0 that triangles use; `mirror` (H,): their images;
        `signs` (80,) int8: 1 for a symmetric mode; `mean` (3, H) and `identity` (80, 3, H) int16
        (the mean in steps of ten times `STEP`);
        `action_starts` (53,) uint32, `action_vertices` (N,) uint16 and `action_offsets` (3, N)
        int16: what each facial action moves.
    """
    mirror = model.mirror.numpy()
    vertices = np.arange(len(mirror))
    used = np.isin(vertices, model.triangles.numpy())
    half = vertices[used & ((model.mean[:, 0].numpy() > 0) | (mirror == vertices))]
    basis = (model.identity_basis * model.identity_std[:, None, None]).numpy()
    flipped = basis[:, mirror] * np.array([-1, 1, 1], np.float32)
    symmetric = np.abs(flipped - basis).max((1, 2)) < np.abs(flipped + basis).max((1, 2))
    actions = model.expression_basis.numpy()
    moved = (np.abs(actions).max(2) > STEP) & used
    action, vertex = np.nonzero(moved)
    return {
        "half": half.astype(np.uint16),
        "mirror": mirror[half].astype(np.uint16),
        "signs": np.where(symmetric, 1, -1).astype(np.int8),
        "mean": _levels(model.mean.numpy()[half].T, 10 * STEP),
        "identity": _levels(basis[:, half].transpose(0, 2, 1), STEP),
        "action_starts": np.searchsorted(action, np.arange(len(actions) + 1)).astype(np.uint32),
        "action_vertices": vertex.astype(np.uint16),
        "action_offsets": _levels(actions[action, vertex].T, STEP),
    }


def _levels(values: np.ndarray, step: float) -> np.ndarray:
    levels = np.rint(values / step)
    if np.abs(levels).max() > np.iinfo(np.int16).max:
        raise ValueError(f"{np.abs(values).max():.1f} mm do not fit 16 bits in steps of {step} mm")
    return levels.astype(np.int16)


def surface_arrays(model: MorphableModel) -> dict[str, np.ndarray]:
    """What the graphics card draws: corners that share place, texture and part, and what they are.

    Returns:
        `corner_vertices` (C,) uint16; `corner_uv` (2, C) uint16, 65535 is 1;
        `corner_regions` (C, 8) uint8, `REGIONS`; `corner_occlusion` (C,) uint8, share of the
        surroundings that it sees; `corner_parts` (C,) uint8; `triangles` (F, 3) uint16 of corners;
        `landmarks` (68,) uint16 and `contour` (A, 17) uint16, vertices; `contour_yaws` (A,);
        `lash_tips` (C,) uint8: 0 at a lash's root, 255 at its tip.
    """
    part = np.zeros(len(model.triangles), np.int64)
    for index, place in enumerate(model.part_triangles.values()):
        part[place] = index
    keys = np.stack([model.triangles, model.uv_triangles, part[:, None].repeat(3, 1)], 2)
    corners, triangles = np.unique(keys.reshape(-1, 3), axis=0, return_inverse=True)
    vertex, texture, part = corners.T
    regions = np.stack([model.regions[name][vertex] for name in REGIONS], 1)
    return {
        "corner_vertices": vertex.astype(np.uint16),
        "corner_uv": np.rint(model.uv.numpy()[texture].T * 65535).astype(np.uint16),
        "corner_regions": _bytes_of(regions),
        "corner_occlusion": _bytes_of(model.occlusion[vertex].numpy()),
        "corner_parts": part.astype(np.uint8),
        "lash_tips": _bytes_of(_lash_tips(model)[vertex]),
        "triangles": triangles.reshape(-1, 3).astype(np.uint16),
        "landmarks": model.landmarks.numpy().astype(np.uint16),
        "contour": model._contour.numpy().astype(np.uint16),
        "contour_yaws": model._contour_yaws.numpy().astype(np.float32),
    }


def _bytes_of(shares: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8)


def _lash_tips(model: MorphableModel) -> np.ndarray:
    """(V,) how far along a lash: distance from the skin, 1 for the farthest of each strip."""
    tips = np.zeros(len(model.mean), np.float32)
    lashes = model.parts["lashes"]
    skin = model.mean[torch.cat([model.parts["skin"], model.parts["sockets"]])]
    away = torch.cdist(model.mean[lashes], skin).amin(1)
    for name in ("upper_lashes", "lower_lashes"):
        for side in (model.mean[lashes, 0] > 0, model.mean[lashes, 0] < 0):
            strip = side & (model.regions[name][lashes] > 0.5)
            tips[lashes[strip]] = (away[strip] / away[strip].max()).numpy()
    return tips


def label_arrays(model: MorphableModel) -> dict[str, np.ndarray]:
    """How labels and identities belong together.

    Returns:
        float32: `directions` (L, 80), `readings` (L, 81) with the constant last, and
        `reading_limits` (L, 2), outside of which nobody is plausible.
    """
    return {
        "directions": model._directions.numpy(),
        "readings": model._readings.numpy(),
        "reading_limits": model._reading_limits.numpy().astype(np.float32),
    }


def encode_tones(table: Tensor) -> np.ndarray:
    """(M, H, 3) linear to sRGB bytes (M, H, 4), as the graphics card reads them."""
    colours = torch.nn.functional.pad(encode_srgb(table).clamp(0, 1), (0, 1), value=1.0)
    return (colours * 255).round().byte().numpy()


def eyes(model: MorphableModel) -> dict[str, object]:
    """Vertices of each eyeball, and where iris and pupil are in the texture: (u, v) and radii."""
    found = {"vertices": [], "centre": []}
    place = model.part_triangles["eyes"]
    triangles, uv_triangles = model.triangles[place], model.uv_triangles[place]
    uv = {int(v): int(u) for v, u in zip(triangles.flatten(), uv_triangles.flatten(), strict=True)}
    radii = {}
    for side, sign in enumerate((1, -1)):
        ball = triangles.unique()
        found["vertices"].append(ball[sign * model.mean[ball, 0] > 0].tolist())
        for name in ("irises", "pupils"):
            ring = model.uv[[uv[int(v)] for v in getattr(model, name)[side]]]
            radii[name] = float((ring - ring.mean(0)).norm(dim=1).mean())
        found["centre"].append(ring.mean(0).tolist())
    return {**found, "iris": radii["irises"], "pupil": radii["pupils"]}
