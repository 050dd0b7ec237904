"""What an eye is painted with: sclera with veins, iris with fibres, and the pupil.

Everything is drawn in the eye's own polar coordinates, the distance from the axis through the
iris's middle and the angle round it, so that rings are round whatever the atlas does to them.
"""

import numpy as np

from visage.faces.shape import MorphableModel
from visage.faces.skin.fields import noise_field, soft_step
from visage.faces.skin.layout import Texels

PUPILS = (1.5, 1.9, 2.3)
"""Radii of pupils, mm, one of which a person has; 2 to 4 mm across in a lit room."""

FIBRES, VEINS = 4, 3
"""Independent patterns of fibres and of veins; people differ by their weights."""

_COLLARETTE = 0.42  # where the iris's inner zone ends, of the way from the axis to the limbus


def eye_channels(model: MorphableModel, texels: Texels) -> dict[str, np.ndarray]:
    """Channels (N,) of both eyes by name, zero elsewhere.

    sclera is 1 on all of the eye. For each of `PUPILS`, by its number: pupil_<n>, the iris round
    it, iris_<n>, and what shades that (inner_<n>, limbal_<n>, fibre_<k>_<n>, ...), all multiplied
    by it.
    """
    rows = np.flatnonzero(texels.parts == model.part_names.index("eyes"))
    places = texels.positions[rows].astype(np.float64)
    names, values = None, None
    for number in (0, 1):
        side = np.flatnonzero((places[:, 0] > 0) == (number == 0))
        one = _one_eye(model, number, places[side])
        if values is None:
            names = list(one)
            values = np.zeros((len(names), len(texels.index)), np.float32)
        values[:, rows[side]] = np.stack(list(one.values()))
    return dict(zip(names, values, strict=True))


def limbus(model: MorphableModel, number: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Middle (3,) of an eyeball, the direction (3,) it looks, and the radius of its iris, mm.

    Args:
        model: whose mean head it is.
        number: 0 for the person's left eye, 1 for the right.
    """
    mean = model.mean.cpu().double().numpy()
    ring = mean[model.irises[number].cpu().numpy()]
    ball = mean[model.parts["eyes"].cpu().numpy()]
    ball = ball[(ball[:, 0] > 0) == (number == 0)]
    middle = (ball.min(0) + ball.max(0)) / 2
    axis = ring.mean(0) - middle
    axis /= np.linalg.norm(axis)
    offset = ring - middle
    radius = np.linalg.norm(offset - (offset @ axis)[:, None] * axis, axis=1).mean()
    return middle, axis, float(radius)


def _one_eye(model: MorphableModel, number: int, places: np.ndarray) -> dict[str, np.ndarray]:
    middle, axis, limit = limbus(model, number)
    offset = places - middle
    ahead = offset @ axis
    across = offset - ahead[:, None] * axis
    radius, front = np.linalg.norm(across, axis=1), ahead > 0
    outward = 1 if number == 0 else -1  # x of the temple's side
    angle = np.arctan2(across[:, 1], outward * across[:, 0])
    radius = np.where(front, radius, 99.0)
    # The coloured disc of an adult is 11.7 mm across; the ring of vertices is a little wider.
    limit = min(limit, 5.9)
    round_ = np.column_stack([np.cos(angle), np.sin(angle), np.full(len(angle), number * 3.7)])

    iris, share = soft_step(limit + 0.45 - radius, 0, 1.1), radius / limit
    shades = {"iris": np.ones(len(places)), "limbal": soft_step(share, 0.74, 0.99)}
    edge = _COLLARETTE + 0.035 * noise_field(round_ * 4, 1.0, 11)
    shades["inner"] = soft_step(edge + 0.06 - share, 0, 0.16)
    shades["collarette"] = np.exp(-(((share - edge) / 0.05) ** 2))
    kept = 1 - 0.6 * soft_step(share, 0.85, 1)
    for fibre in range(FIBRES):
        # Spokes: fast round the iris, slow along it; they sway.
        sway = 0.10 * noise_field(np.column_stack([round_[:, :2] * 2, 3 * share]), 1.0, 20 + fibre)
        turned = angle + sway
        spokes = np.column_stack([9 * np.cos(turned), 9 * np.sin(turned), 1.1 * share + 9 * number])
        fine = 0.65 * noise_field(spokes, 1.0, 30 + fibre) + 0.35 * noise_field(
            2.1 * spokes, 1.0, 40 + fibre
        )
        shades[f"fibre_{fibre}"] = fine * kept
    crypts = np.column_stack([5 * np.cos(angle), 5 * np.sin(angle), 3.2 * share + 5 * number])
    shades["crypts"] = soft_step(noise_field(crypts, 1.0, 51), 0.7, 1.5) * soft_step(
        share, 0.4, 0.55
    )
    above = soft_step(across[:, 1], 0.5, 6.5)  # what lies in the shade of the upper lid
    shades["shaded"] = above
    shades["sector"] = soft_step(noise_field(round_ * 0.9, 1.0, 61), -0.1, 0.8)

    found = {"sclera": np.ones(len(places))}
    for which, size in enumerate(PUPILS):
        hole = soft_step(size + 0.04 * noise_field(round_ * 2, 1.0, 7) + 0.22 - radius, 0, 0.45)
        found[f"pupil_{which}"] = hole
        for name, shade in shades.items():
            found[f"{name}_{which}"] = iris * (1 - hole) * shade
    white = 1 - iris
    found["around"] = white * np.exp(-(((radius - limit) / 1.3).clip(0) ** 2)) * front
    nasal = np.where(front, -outward * across[:, 0], -99)
    found["nasal"] = white * soft_step(nasal, 6.5, 11.5)
    found["temporal"] = white * soft_step(-nasal, 8.5, 13) * front
    found["lid_shade"] = white * front * above
    for vein in range(VEINS):
        found[f"veins_{vein}"] = white * _veins(places, angle, radius, limit, vein + 5 * number)
    return {name: np.asarray(value, np.float32) for name, value in found.items()}


def _veins(places, angle, radius, limit: float, seed: int) -> np.ndarray:
    """Thin winding lines from the corners towards the iris: where smooth noise is near zero."""
    wound = noise_field(places, 5.0, 70 + seed) + 0.45 * noise_field(places, 1.9, 80 + seed)
    # Across the gaze rather than round it: a slow change with the angle makes lines radial.
    level = np.sin(6 * angle + 0.9 * wound + seed) + 0.2 * wound
    line = np.exp(-((level / 0.2) ** 2)) * soft_step(noise_field(places, 6.0, 90 + seed), -0.2, 0.6)
    return line * soft_step(radius - limit, 0.6, 5.0) * (radius < 90)
