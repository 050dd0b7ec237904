"""Narrow channels of the skin's textures: lips, lids, teeth, and what only large ones resolve."""

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import cKDTree

from visage.faces.shape import MorphableModel
from visage.faces.skin.compiled import cells
from visage.faces.skin.fields import noise_field, soft_step, spread_over
from visage.faces.skin.layout import Texels

_MOTTLED = (2.2, 2.4, 1.2, 1.3)  # wavelengths, mm
MOTTLES = len(_MOTTLED)

# Widths of the crowns in mm, from the middle: about those of Wheeler's Dental Anatomy.
_UPPER_CROWNS = (8.6, 6.6, 7.6, 7.0, 6.8, 10.0, 9.0)
_LOWER_CROWNS = (5.3, 5.7, 6.8, 7.0, 7.1, 11.0, 10.0)


def edge_channels(model: MorphableModel, texels: Texels) -> dict[str, np.ndarray]:
    """Lips and lids (N,) by name.

    lips: the vermilion, with a border of about 1 mm. lip_seam: where the lips meet. lip_folds:
    relief of the lips' upright lines. upper_lash and lower_lash: along the lids' edges. margin: the
    wet rim inside of them.
    """
    p, skin = texels.positions, texels.parts == model.part_names.index("skin")
    found = {}
    blurred = gaussian_filter(model.masks["lips"].cpu().numpy(), 1.1)
    border = np.zeros(len(p), np.float32)
    near = skin & (np.abs(p[:, 0]) < 35) & (p[:, 1] > -95) & (p[:, 1] < -45) & (p[:, 2] > 70)
    y, x = np.divmod(texels.index[near], texels.size)
    wobble = 0.9 * noise_field(p[near], 4.0, 300) + 0.5 * noise_field(p[near], 1.6, 301)
    scale = 1024 / texels.size
    at = [(y + 0.5) * scale - 0.5 + wobble, (x + 0.5) * scale - 0.5]
    border[near] = map_coordinates(blurred, at, order=1)
    found["lips"] = np.clip(border, 0, 1)
    upright = np.column_stack([p[near][:, 0] / 1.35, p[near][:, 1] / 9, p[near][:, 2] / 9])
    folds = np.zeros(len(p), np.float32)
    folds[near] = noise_field(upright, 1.0, 302) + 0.5 * noise_field(upright * 2.2, 1.0, 303)
    found["lip_folds"] = folds * found["lips"]
    found["lip_seam"] = _along(
        p, near | _part(model, texels, "mouth"), _shared(model, "mouth"), 1.5
    )

    # The strips of the lashes begin on the lids: what is near their texels is at the lashes' roots.
    lids = skin & (np.abs(p[:, 1]) < 25) & (p[:, 2] > 75)
    for name, width in (("upper_lash", 0.9), ("lower_lash", 0.75)):
        strip = texels.regions[:, model.region_names.index(f"{name}es")] > 0.5
        found[name] = _along(p, lids, p[strip & _part(model, texels, "lashes")], width)
    socket = _part(model, texels, "sockets")
    found["margin"] = _along(p, socket, _shared(model, "sockets"), 1.6)
    return found


def fine_channels(model: MorphableModel, texels: Texels) -> dict[str, np.ndarray]:
    """What a texel of about 1 mm begins to show (N,), each with mean about 0.

    pores_a and pores_b: relief of two sets of pores. lines: criss-cross between them. grain:
    unevenness. mottle_...: of blood and melanin. vessels: red threads beside the nose.
    """
    p = texels.positions
    rows = np.flatnonzero(_part(model, texels, "skin") & (p[:, 2] > -20) & (p[:, 1] < 95))
    places = p[rows]
    wide = np.exp(-0.5 * ((places[:, 0] / 34) ** 2 + ((places[:, 1] + 24) / 30) ** 2))
    lips = texels.regions[rows, model.region_names.index("lips")]
    beside = (0.45 + 0.9 * wide) * (1 - lips)
    found = {}
    for name, spacing, seed in (("pores_a", 1.25, 400), ("pores_b", 0.95, 401)):
        nearest, second = np.empty((2, len(rows)), np.float32)
        cells(places, spacing, seed, nearest, second)
        pore = -np.exp(-((nearest / (0.26 * spacing)) ** 2))
        found[name] = beside * (pore - pore.mean())
        ridge = second - nearest
        furrow = -np.exp(-((ridge / 0.13) ** 2))
        found[f"lines_{name[-1]}"] = (1 - 0.5 * wide) * (1 - lips) * (furrow - furrow.mean())
    found["grain"] = noise_field(places, 0.8, 402) * (1 - lips)
    for number, wavelength in enumerate(_MOTTLED):
        found[f"mottle_{number}"] = noise_field(places, wavelength, 410 + number)
    wound = noise_field(places, 4.0, 420) + 0.6 * noise_field(places, 1.7, 421)
    thread = np.exp(-((wound / 0.10) ** 2)) * np.clip(noise_field(places, 7.0, 422) - 0.2, 0, 1)
    at = np.exp(-0.5 * (((np.abs(places[:, 0]) - 17) / 9) ** 2 + ((places[:, 1] + 36) / 9) ** 2))
    found["vessels"] = thread * at
    dots, _ = np.empty((2, len(rows)), np.float32)
    cells(places, 0.9, 430, dots, _)
    follicle = np.exp(-((dots / 0.24) ** 2))
    regions = dict(zip(model.region_names, texels.regions[rows].T, strict=True))
    found["beard_dots"] = (follicle - follicle.mean()) * regions["beard"] * (1 - lips)
    found["scalp_dots"] = (follicle - follicle.mean()) * regions["scalp"]
    return {name: spread_over(value, rows, len(p)) for name, value in found.items()}


def teeth_channels(model: MorphableModel, texels: Texels) -> dict[str, np.ndarray]:
    """Teeth (N,) by name.

    tooth is 1 on all of them; then gum, gap (between two teeth), edge (the translucent end), and
    back_teeth and back_gum (in the dark).
    """
    rows = np.flatnonzero(_part(model, texels, "teeth"))
    p = texels.positions[rows]
    regions = dict(zip(model.region_names, texels.regions[rows].T, strict=True))
    upper = regions["upper_teeth"] > 0.5
    around = _arc(p[:, 0], p[:, 2])
    found = {"tooth": np.ones(len(p))}
    for jaw, widths in ((upper, _UPPER_CROWNS), (~upper, _LOWER_CROWNS)):
        borders = np.r_[0, np.cumsum(widths)]
        off = np.abs(np.abs(around)[:, None] - borders[None]).min(1)
        found["gap"] = np.where(jaw, np.exp(-((off / 0.42) ** 2)), found.get("gap", 0))
    height = np.zeros(len(p))
    for jaw, sign in ((upper, 1), (~upper, -1)):
        if jaw.any():
            y = sign * p[jaw, 1]
            height[jaw] = (y - y.min()) / max(
                np.ptp(y), 1e-6
            )  # 0 at the biting edge, 1 at the root
    found["gum"] = soft_step(height + 0.10 * np.cos(around * 0.8), 0.62, 0.74)
    found["edge"] = soft_step(-height, -0.18, 0.0)
    back = soft_step(-p[:, 2], -88, -62)
    found["gap"] = found["gap"] * (1 - found["gum"]) * (1 - back)
    found["back_teeth"], found["back_gum"] = back * (1 - found["gum"]), back * found["gum"]
    return {name: spread_over(value, rows, len(texels.index)) for name, value in found.items()}


def _arc(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Way along the arch of teeth from its middle, mm: about a half ellipse."""
    angle = np.linspace(0, np.pi / 2, 200)
    across, deep, front = 27.0, 46.0, 95.0
    curve = np.column_stack([across * np.sin(angle), front - deep * (1 - np.cos(angle))])
    way = np.r_[0, np.linalg.norm(np.diff(curve, axis=0), axis=1).cumsum()]
    return np.sign(x) * way[cKDTree(curve).query(np.column_stack([np.abs(x), z]))[1]]


def _along(p: np.ndarray, where: np.ndarray, edge: np.ndarray, width: float) -> np.ndarray:
    """exp(-(d/width)²) of the distance d mm to points (E, 3), where asked for."""
    distance, _ = cKDTree(edge).query(p[where], distance_upper_bound=3 * width)
    return spread_over(np.exp(-((np.minimum(distance, 9 * width) / width) ** 2)), where, len(p))


def _shared(model: MorphableModel, part: str) -> np.ndarray:
    """Points (E, 3), dense, of the edges that the skin shares with another part."""
    owned = model.parts["skin"][(model.parts["skin"][:, None] == model.parts[part]).any(1)]
    inside = np.zeros(len(model.mean), bool)
    inside[owned.cpu().numpy()] = True
    triangles = model.triangles[model.part_triangles[part]].cpu().numpy()
    pairs = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    pairs = pairs[inside[pairs].all(1)]
    mean = model.mean.cpu().numpy()
    steps = np.linspace(0, 1, 6)[:, None, None]
    return ((1 - steps) * mean[pairs[:, 0]] + steps * mean[pairs[:, 1]]).reshape(-1, 3)


def _part(model: MorphableModel, texels: Texels, name: str) -> np.ndarray:
    return texels.parts == model.part_names.index(name)
