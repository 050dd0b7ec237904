"""What of the base mesh is kept, its texture atlas, and where things are on it."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from scipy.ndimage import map_coordinates
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from tools.face_world.source import Mesh, Source, Target

# The body's texture islands, recognised by how many vertices each has in the pinned base mesh.
ISLANDS = {3185: "skin", 3999: "torso", 308: "sockets", 418: "mouth"}
HELPERS = {
    "eyes": ("helper-l-eye", "helper-r-eye"),
    "teeth": ("helper-upper-teeth", "helper-lower-teeth"),
    "tongue": ("helper-tongue",),
    "lashes": (
        "helper-l-eyelashes-1",
        "helper-l-eyelashes-2",
        "helper-r-eyelashes-1",
        "helper-r-eyelashes-2",
    ),
    "hair": ("helper-hair",),
}
PARTS = ("skin", "neck", "sockets", "mouth", "eyes", "teeth", "tongue", "lashes", "hair")
# Below the eyes and beside the midline: shoulders wide enough for a head that turns in the frame.
CHEST_CUT = 228.0  # mm
SHOULDER_CUT = 240.0  # mm

# Where each chart goes in the atlas: left, top, width, height. The face's own island is turned
# upright and takes the whole width; the rest shares what is left below it.
MARGIN = 0.003
CHARTS = {
    "skin": (0.0, 0.0, 1.0, 0.54),
    "neck": (0.0, 0.54, 0.44, 0.46),
    "mouth": (0.44, 0.54, 0.24, 0.24),
    "left eye": (0.68, 0.54, 0.16, 0.16),
    "right eye": (0.84, 0.54, 0.16, 0.16),
    "left socket": (0.68, 0.70, 0.12, 0.16),
    "right socket": (0.80, 0.70, 0.12, 0.16),
    "tongue": (0.92, 0.70, 0.08, 0.16),
    "teeth": (0.44, 0.78, 0.24, 0.22),
    "left lashes": (0.68, 0.86, 0.16, 0.14),
    "right lashes": (0.84, 0.86, 0.16, 0.14),
    # The hair is drawn with its own strands, never with this atlas.
    "hair": (0.0, 0.0, 0.0, 0.0),
}
# mm that the edges of the lips move up (they overlap then), and the teeth back.
UPPER_LIP, LOWER_LIP, TEETH_BACK = -0.6, 1.0, 2.5
TEETH_NARROWER = 0.92
# So that an open mouth shows the upper teeth, and is not filled by the tongue.
UPPER_TEETH_DOWN, TONGUE_BACK, TONGUE_FLATTER = 1.0, 5.0, 0.7
MASKS = ("lips", "eyelids", "ears", "face")
MASK_SIZE = 1024


@dataclass(frozen=True)
class Crop:
    """The kept mesh, in the head's frame."""

    kept: np.ndarray  # (V,) vertices of the base mesh, part after part
    points: np.ndarray  # (V, 3) mm
    quads: np.ndarray  # (Q, 4), part after part, counter-clockwise from outside
    quad_parts: np.ndarray  # (Q,) into PARTS
    uv: np.ndarray  # (U, 2) in the atlas, u right, v down
    uv_quads: np.ndarray  # (Q, 4) into uv
    source_uv: np.ndarray  # (U, 2) in the files' own layout, v up

    def vertices(self, *parts: str) -> np.ndarray:
        """Vertices that the quads of some parts touch."""
        return np.unique(self.quads[np.isin(self.quad_parts, [PARTS.index(p) for p in parts])])


def crop(mesh: Mesh) -> Crop:
    """Keep the head, what is in it, the neck and the shoulders."""
    eyes = mesh.points[np.unique(np.concatenate([mesh.quads[g] for g in HELPERS["eyes"]])[..., 0])]
    ears = _ear_canals(mesh)
    # Head frame: x = 0 is the midline, y = 0 the eyes' height, z = 0 the ear canals' depth.
    origin = np.array([0.0, eyes[:, 1].mean(), ears[:, 2].mean()])
    points = mesh.points - origin
    pieces = _islands(mesh)
    torso = points[pieces.pop("torso")[..., 0]]
    near = (torso[..., 1] > -CHEST_CUT) & (np.abs(torso[..., 0]) < SHOULDER_CUT)
    pieces["neck"] = _islands(mesh)["torso"][near.all(1)]
    for part, groups in HELPERS.items():
        pieces[part] = np.concatenate([mesh.quads[group] for group in groups])
    corners = np.concatenate([pieces[part] for part in PARTS])
    quad_parts = np.repeat(np.arange(len(PARTS)), [len(pieces[part]) for part in PARTS])
    kept, quads = _renumber(corners[..., 0])
    kept_uv, uv_quads = _renumber(corners[..., 1])
    fold = ~np.isin(np.arange(len(kept)), quads[quad_parts == PARTS.index("skin")])
    fold &= np.isin(np.arange(len(kept)), quads[quad_parts == PARTS.index("mouth")])
    points[kept[fold]] = _lowered_fold(points[kept[fold]])
    source_uv = mesh.uv[kept_uv]
    uv = _atlas(source_uv, uv_quads, quad_parts, points[kept], quads)
    return Crop(kept, points[kept], quads, quad_parts, uv, uv_quads, source_uv)


def _lowered_fold(points: np.ndarray) -> np.ndarray:
    """Lower the fold between upper lip and gum, and set it back.

    The sculptures carry it up beside the nose, a few millimetres below the skin; in one person in
    ten it then came out of the cheek. Behind closed or open lips nobody sees its top.
    """
    _, y, z = points.T
    front = np.clip((z - 75) / 17, 0, 1)
    high = np.clip((y + 62) / 10, 0, 1)
    fresh = points.copy()
    fresh[:, 1] -= front * 0.75 * np.maximum(y + 54, 0)
    fresh[:, 2] -= front * high * 6
    return fresh


def _renumber(quads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Old indices in the order of their first use, and the quads in new indices."""
    old, first, inverse = np.unique(quads, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return old[order], rank[inverse].reshape(quads.shape)


def close_mouth(kept: Crop, jaw_open: Target) -> Crop:
    """Let the lips meet, set the teeth back behind them, and lay the tongue down.

    The sculptures' lips stand a millimetre apart with the teeth right behind, which draws a white
    line along every closed mouth. What goes down when the jaw opens is the lower lip.
    """
    place = {old: new for new, old in enumerate(kept.kept)}
    drop = np.zeros(len(kept.points))
    for old, (_, down, _) in zip(jaw_open.index, jaw_open.offset, strict=True):
        if old in place:
            drop[place[old]] = down
    edge = np.intersect1d(kept.vertices("skin"), kept.vertices("mouth"))
    lips = np.union1d(kept.vertices("skin"), kept.vertices("mouth"))
    lower = drop < 0.5 * drop[edge].min()
    points = kept.points.copy()
    for side, shift in ((lower, LOWER_LIP), (~lower, UPPER_LIP)):
        seam = kept.points[edge[side[edge]]]
        moved = lips[side[lips]]
        away = cKDTree(seam).query(kept.points[moved])[0]
        middle = np.clip((23 - np.abs(kept.points[moved, 0])) / 5, 0, 1)
        points[moved, 1] += shift * middle * np.exp(-((away / 2.5) ** 2))
    teeth = kept.vertices("teeth")
    points[teeth] = points[teeth] * [TEETH_NARROWER, 1, 1] - [0, 0, TEETH_BACK]
    points[teeth[drop[teeth] > 0.5 * drop[teeth].min()], 1] -= UPPER_TEETH_DOWN
    tongue = kept.vertices("tongue")
    floor = points[tongue, 1].min()
    points[tongue] = np.c_[
        points[tongue, 0],
        floor + TONGUE_FLATTER * (points[tongue, 1] - floor),
        points[tongue, 2] - TONGUE_BACK,
    ]
    return replace(kept, points=points)


def _islands(mesh: Mesh) -> dict[str, np.ndarray]:
    """Quads of the body's texture islands that are in `ISLANDS`; both eye sockets together."""
    body = mesh.quads["body"]
    edges = np.concatenate([body[:, [i, (i + 1) % 4], 1] for i in range(4)])
    graph = sp.coo_matrix((np.ones(len(edges)), edges.T), shape=(len(mesh.uv),) * 2)
    label = connected_components(graph)[1][body[:, 0, 1]]
    found: dict[str, list[np.ndarray]] = {}
    for island in range(label.max() + 1):
        quads = body[label == island]
        name = ISLANDS.get(len(np.unique(quads[..., 0])))
        if name:
            found.setdefault(name, []).append(quads)
    return {name: np.concatenate(quads) for name, quads in found.items()}


def _ear_canals(mesh: Mesh) -> np.ndarray:
    """(2, 3) roughly the ear canals: the mean of the skin's vertices most to the side, by ear."""
    head = mesh.points[np.unique(_islands(mesh)["skin"][..., 0])]
    return np.stack([head[side * head[:, 0] > 78].mean(0) for side in (1, -1)])


def _atlas(uv, uv_quads, quad_parts, points, quads) -> np.ndarray:
    """Move each island to its chart, without stretching it."""
    fresh = np.zeros_like(uv)
    side = points[quads].mean(1)[:, 0] > 0
    for name, rectangle in CHARTS.items():
        words = name.split()
        part = {"eye": "eyes", "socket": "sockets"}.get(words[-1], words[-1])
        chosen = quad_parts == PARTS.index(part)
        if len(words) == 2:
            chosen &= side == (words[0] == "left")
        index = np.unique(uv_quads[chosen])
        # The face's island lies on its side: its v runs to the right, its u down.
        island = uv[index][:, ::-1] if name == "skin" else uv[index] * [1, -1]
        low, high = island.min(0), island.max(0)
        corner, size = np.array(rectangle[:2]), np.array(rectangle[2:])
        scale = ((size - 2 * MARGIN) / (high - low)).min()
        centred = (island - (low + high) / 2) * scale
        fresh[index] = corner + size / 2 + centred if size.any() else 0
    return fresh


def atlas_masks(source: Source, kept: Crop) -> dict[str, np.ndarray]:
    """The files' masks (lips, eyelids, ears, face) resampled to the atlas: (S, S) uint8 each.

    Only the face's own island is covered, which is where the masks are.
    """
    skin = np.unique(kept.uv_quads[kept.quad_parts == 0])
    a = np.c_[kept.uv[skin], np.ones(len(skin))]
    to_source = np.linalg.lstsq(a, kept.source_uv[skin], rcond=None)[0]  # exact: it is affine
    centres = (np.arange(MASK_SIZE) + 0.5) / MASK_SIZE
    v, u = np.meshgrid(centres, centres, indexing="ij")
    at = np.stack([u, v, np.ones_like(u)], -1) @ to_source  # (S, S, 2)
    inside = v < CHARTS["skin"][3]
    masks = {}
    for name in MASKS:
        image = source.mask(name)
        pixel = [(1 - at[..., 1]) * len(image) - 0.5, at[..., 0] * len(image) - 0.5]
        values = map_coordinates(image, pixel, order=1, mode="nearest") * inside
        values[values < 0.05] = 0  # what JPEG left in the black
        masks[name] = np.round(255 * values).astype(np.uint8)
    return masks


def sample_mask(mask: np.ndarray, kept: Crop) -> np.ndarray:
    """(V,) an atlas mask in [0, 1] at the vertices; the mean where a vertex lies on a seam."""
    pixel = kept.uv[:, ::-1].T * len(mask) - 0.5
    at_uv = map_coordinates(mask / 255.0, pixel, order=1, mode="nearest")
    total, count = np.zeros(len(kept.points)), np.zeros(len(kept.points))
    skin = kept.quad_parts == 0
    np.add.at(total, kept.quads[skin], at_uv[kept.uv_quads[skin]])
    np.add.at(count, kept.quads[skin], 1)
    return total / np.maximum(count, 1)
