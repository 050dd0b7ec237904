"""Build the face world's asset from CC0 assets: `python -m tools.build_face_world`.

Takes a few minutes on one core, and gives the same bytes each time on the same versions of numpy
and its linear algebra. `--check` builds again and compares with the file that stands.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # sums in one order, whatever the machine
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import hashlib
import json
import tempfile
from pathlib import Path

import numpy as np
import torch

from tools.face_world import modes as m
from tools.face_world.archive import write_archive
from tools.face_world.crop import PARTS, Crop, atlas_masks, close_mouth, crop
from tools.face_world.measures import Measures
from tools.face_world.people import Sculptor
from tools.face_world.picture import View, draw, paint, sheet, triangles_of
from tools.face_world.places import moved
from tools.face_world.regions import regions
from tools.face_world.source import Source, fetch_wheel
from tools.face_world.voting import YAWS, vote
from visage.faces.occlusion import ambient_occlusion
from visage.faces.shape import MorphableModel
from visage.photos.downloads import cache_folder

ASSET = Path(__file__).resolve().parents[1] / "src/visage/faces/assets/face_world.npz"
MODES = 80
UNITS = "faceunits01/targets/faceunits"
CANDIDATE_REGION = 0.02  # landmarks lie on the face's mask


def build(
    source: Source, *, people: int, held_out: int, voters: int, seed: int
) -> tuple[dict[str, np.ndarray], dict]:
    """The asset's arrays, and numbers about them."""
    mesh = source.mesh()
    kept = close_mouth(crop(mesh), source.target(f"{UNITS}/jawOpen", zipped=False))
    masks = atlas_masks(source, kept)
    region = regions(source, mesh, kept, masks)
    mirror = _mirror(source, kept)
    measures = Measures(kept, region["lips"], region["ears"])
    weights = m.vertex_weights(kept, region["ears"])

    sculptor = Sculptor(source, kept, len(mesh.points))
    sample = m.sample_people(sculptor, measures, people + held_out, seed)
    heads = _aligned(sample.heads, kept, weights, people)
    model = m.principal_modes(heads[:people], weights, mirror, MODES)
    scores = model.scores(heads, weights)
    used = {name: values[:people] for name, values in sample.labels.items()}
    unused = {name: values[people:] for name, values in sample.labels.items()}
    direction = m.directions(scores[:people], used, scores[people:], unused)

    pupils, irises = _eye_rings(kept)
    elected = vote(
        torch.from_numpy(heads[people : people + voters]).double(),
        triangles_of(kept.quads, kept.quad_parts),
        paint(kept, region, pupils),
        np.flatnonzero((region["face"] > CANDIDATE_REGION) | _outline(kept, region)),
        mirror,
        seed,
    )
    arrays = {
        **_mesh_arrays(kept, model),
        **_unit_arrays(source, kept, len(mesh.points)),
        **_direction_arrays(direction),
        "landmarks": elected.landmarks.astype(np.uint16),
        "contour": elected.contour.astype(np.uint16),
        "contour_yaws": np.radians(YAWS).astype(np.float32),
        "pupils": pupils.astype(np.uint16),
        "irises": irises.astype(np.uint16),
        "mirror": mirror.astype(np.uint16),
        "region_names": np.array(sorted(region)),
        "regions": np.stack([np.round(255 * region[k]) for k in sorted(region)]).astype(np.uint8),
        "mask_names": np.array(sorted(masks)),
        "masks": np.stack([masks[k] for k in sorted(masks)]),
        "occlusion": np.full(len(kept.points), 255, np.uint8),
    }
    arrays["landmarks"] = moved(
        elected.landmarks, arrays["mean"], kept.vertices("skin"), mirror
    ).astype(np.uint16)
    seen = ambient_occlusion(MorphableModel(arrays)).numpy()
    arrays["occlusion"] = np.round(255 * seen).astype(np.uint8)
    numbers = {
        "vertices": len(kept.points),
        "vertices_by_part": {part: len(kept.vertices(part)) for part in PARTS},
        "quads": len(kept.quads),
        "people": people,
        "held_out_people": held_out,
        "accepted": (people + held_out) / sample.drawn,
        "drawn_from_modes_within_limits": _share_within(arrays, measures, seed),
        **_errors(model, heads[people:], scores[people:], kept),
        "reading_r2": dict(zip(direction.names, direction.r2.round(3).tolist(), strict=True)),
        "landmark_views": elected.views,
        "landmark_detected": elected.detected,
        "landmark_inner_error": elected.inner_error,
        "landmark_contour_error": elected.contour_error,
    }
    return arrays, numbers


def _aligned(heads: np.ndarray, kept: Crop, weights: np.ndarray, people: int) -> np.ndarray:
    """Heads moved and turned onto the mean of the first `people`, by the skin and the eyes."""
    chosen = weights * np.isin(np.arange(len(weights)), kept.vertices("skin", "eyes"))
    reference = kept.points
    for _ in range(3):
        aligned = m.align(heads, chosen, reference)
        reference = aligned[:people].mean(0, dtype=np.float64)
    return aligned


def _mesh_arrays(kept: Crop, model: m.Modes) -> dict[str, np.ndarray]:
    # x = 0 is the midline by symmetry; y = 0 the eyes' height; z = 0 stays the ear canals' depth.
    eyes = model.mean[kept.vertices("eyes"), 1].mean()
    return {
        "mean": (model.mean - [0, eyes, 0]).astype(np.float32),
        "quads": kept.quads.astype(np.uint16),
        "quad_parts": kept.quad_parts.astype(np.uint8),
        "part_names": np.array(PARTS),
        "uv": kept.uv.astype(np.float32),
        "uv_quads": kept.uv_quads.astype(np.uint16),
        # Scaled to millimetres: unit vectors would lose digits in float16.
        "identity": (model.basis * model.std[:, None, None]).astype(np.float16),
    }


def _direction_arrays(direction: m.Directions) -> dict[str, np.ndarray]:
    return {
        "direction_names": np.array(direction.names),
        # Rounded: last digits differ from one machine's linear algebra to another's.
        "directions": direction.change.round(4).astype(np.float32),
        "whole_mean": direction.whole_mean.astype(np.float32),
        "whole_std": direction.whole_std.astype(np.float32),
        "residual": direction.residual.astype(np.float16),
        "readings": direction.read.round(4).astype(np.float32),
        "reading_limits": direction.limits.astype(np.float32),
    }


def _share_within(arrays: dict[str, np.ndarray], measures: Measures, seed: int) -> float:
    """Which share of 500 people drawn from the modes passes the anthropometrist, too."""
    model = MorphableModel(arrays)
    identity = model.sample_identity(500, torch.Generator().manual_seed(seed))
    heads = model.vertices(identity).double().numpy()
    return float(np.mean([measures.plausible(head) for head in heads]))


def _mirror(source: Source, kept: Crop) -> np.ndarray:
    """(V,) each vertex's mirror image, as MakeHuman's own table has it."""
    rows = [
        line.split()
        for line in source.read("mpfb2/mesh_metadata/hm08.mirror").decode().splitlines()
    ]
    table = {int(a): int(b) for a, b, *_ in rows}
    place = {old: new for new, old in enumerate(kept.kept)}
    return np.array([place[table[old]] for old in kept.kept])


def _eye_rings(kept: Crop) -> tuple[np.ndarray, np.ndarray]:
    """(2, 8) each: the rings of vertices round the pupil and the iris, left eye first.

    The eyeball is a grid of rings of eight; the two foremost are the pupil's and the iris's.
    """
    eyes = kept.vertices("eyes")
    sides = [eyes[side * kept.points[eyes, 0] > 0] for side in (1, -1)]
    foremost = np.stack([eye[np.argsort(-kept.points[eye, 2])[:16]] for eye in sides])
    return foremost[:, :8], foremost[:, 8:]


def _outline(kept: Crop, region: dict[str, np.ndarray]) -> np.ndarray:
    """Skin along the jaw up to the ears, and below it: where the outline's landmarks lie."""
    _, y, z = kept.points.T
    skin = np.isin(np.arange(len(y)), kept.vertices("skin"))
    return skin & (y < 25) & (y > -118) & (z > -5) & (region["ears"] < 0.05)


def _unit_arrays(source: Source, kept: Crop, vertices: int) -> dict[str, np.ndarray]:
    """The action units, sparse: where each starts, its vertices, its offsets in mm."""
    names = source.names(UNITS)
    place = np.full(vertices, -1)
    place[kept.kept] = np.arange(len(kept.kept))
    starts, index, offset = [0], [], []
    for name in names:
        target = source.target(f"{UNITS}/{name}", zipped=False)
        at = place[target.index]
        moves = (at >= 0) & (np.abs(target.offset).max(1) > 0)
        order = np.argsort(at[moves])
        index.append(at[moves][order])
        offset.append(target.offset[moves][order])
        starts.append(starts[-1] + len(order))
    return {
        "expression_names": np.array(names),
        "expression_starts": np.array(starts, np.uint32),
        "expression_index": np.concatenate(index).astype(np.uint16),
        "expression_offset": np.concatenate(offset).astype(np.float16),
    }


def _errors(model: m.Modes, heads: np.ndarray, scores: np.ndarray, kept: Crop) -> dict:
    """How well the modes give back people who were not used, on the skin."""
    skin = kept.vertices("skin")
    back = model.mean + np.tensordot(scores * model.std, model.basis, 1)
    error = np.linalg.norm(heads - back, axis=-1)[:, skin]
    plain = np.linalg.norm(heads - model.mean, axis=-1)[:, skin]
    kept_share = 1 - (error**2).sum() / (plain**2).sum()
    return {
        "held_out_error_mm": float(error.mean()),
        "held_out_error_p95_mm": float(np.percentile(error, 95)),
        "held_out_variance_kept": float(kept_share),
        "mean_head_error_mm": float(plain.mean()),
    }


def draw_sheets(arrays: dict[str, np.ndarray], folder: Path) -> None:
    """Contact sheets of people drawn from the modes, and of each mode, to look at."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = Crop(
        kept=np.arange(len(arrays["mean"])), points=arrays["mean"].astype(float),
        quads=arrays["quads"].astype(int), quad_parts=arrays["quad_parts"],
        uv=arrays["uv"], uv_quads=arrays["uv_quads"].astype(int), source_uv=arrays["uv"],
    )  # fmt: skip
    region = dict(zip(arrays["region_names"].tolist(), arrays["regions"] / 255, strict=True))
    colours = paint(kept, region, arrays["pupils"].astype(int))
    model = MorphableModel(arrays)
    people = model.sample_identity(24, torch.Generator().manual_seed(7))

    def picture(z, **view):
        head = model.vertices(z[None]).double()
        return draw(head, model.triangles, colours, View(size=192, **view))[0][0]

    tiles = [picture(z, yaw=yaw) for z in people for yaw in (0.0, 0.6, 1.4)]
    sheet(tiles, 12).save(folder / "people.png")
    unit = torch.eye(MODES)
    tiles = [picture(s * 2.5 * unit[k], yaw=0.4) for k in range(20) for s in (-1, 1)]
    labels = [f"{s}2.5 mode {k}" for k in range(20) for s in "-+"]
    sheet(tiles, 10, labels).save(folder / "modes.png")
    rows = model.directions.items()
    tiles = [picture(s * 2 * row, yaw=0.3) for _, row in rows for s in (-1, 1)]
    labels = [f"{s}2 {name}" for name, _ in rows for s in "-+"]
    sheet(tiles, 10, labels).save(folder / "directions.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=2400)
    parser.add_argument("--held-out", type=int, default=300)
    parser.add_argument("--voters", type=int, default=80)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    source = Source(fetch_wheel(cache_folder() / "face_world"))
    arrays, numbers = build(
        source,
        people=chosen.people,
        held_out=chosen.held_out,
        voters=chosen.voters,
        seed=chosen.seed,
    )
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / ASSET.name
        write_archive(fresh, arrays)
        digest = hashlib.sha256(fresh.read_bytes()).hexdigest()
    print(json.dumps({**numbers, "sha256": digest}, indent=1))
    if chosen.check:
        standing = hashlib.sha256(ASSET.read_bytes()).hexdigest()
        if standing != digest:
            raise SystemExit(f"{ASSET} has sha256 {standing}; a fresh build has {digest}.")
    else:
        write_archive(ASSET, arrays)
    if chosen.sheets:
        draw_sheets(arrays, chosen.sheets)


if __name__ == "__main__":
    main()
