from dataclasses import replace

import numpy as np
import pytest
import torch

from visage.faces.shape import MorphableModel
from visage.faces.skin import sample_skin, skin_maps
from visage.faces.skin.eyes import PUPILS, eye_channels, limbus
from visage.faces.skin.layout import texels

SIZE = 512


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


@pytest.fixture(scope="module")
def skin():
    labels = {"sex": 0.5, "age": 30.0, "african": 0.3, "asian": 0.3, "european": 0.4}
    drawn = sample_skin({k: torch.full((3,), v) for k, v in labels.items()}, torch.arange(3))
    return replace(
        drawn,
        iris_melanin=torch.tensor([0.0, 0.5, 1.0]),
        iris_yellow=torch.zeros(3),
        pupil=torch.tensor([0.0, 0.5, 1.0]),
    )


@pytest.fixture(scope="module")
def eyes(model):
    """Flat indices of the eyes' texels, and where they are, mm."""
    found = texels(model, SIZE)
    kept = found.parts == model.part_names.index("eyes")
    return torch.from_numpy(found.index[kept]).long(), found.positions[kept].astype(np.float64)


@pytest.fixture(scope="module")
def colours(model, skin, eyes):
    return skin_maps(model, skin, SIZE).albedo.flatten(2)[:, :, eyes[0]]  # (3, 3, N)


def radius(model, places):
    """Distance (N,) from the axis of the nearer eye; 99 behind its middle."""
    found = np.full(len(places), 99.0)
    for number in (0, 1):
        middle, axis, _ = limbus(model, number)
        offset = places - middle
        across = np.linalg.norm(offset - (offset @ axis)[:, None] * axis, axis=1)
        side = (places[:, 0] > 0) == (number == 0)
        found = np.where(side & (offset @ axis > 0), across, found)
    return torch.from_numpy(found)


def test_the_limbus_is_where_the_ring_of_vertices_is(model):
    for number in (0, 1):
        middle, axis, size = limbus(model, number)
        assert np.sign(middle[0]) == (1 if number == 0 else -1)
        assert axis[2] > 0.95
        assert 5 < size < 6.5
        ring = model.mean[model.irises[number]].double().numpy()
        inside = radius(model, ring)
        assert (inside - size).abs().max() < 0.5


def test_the_pupil_is_dark_and_the_white_is_light(model, eyes, colours):
    r = radius(model, eyes[1])
    for person in colours:
        pupil, white = person[:, r < 1.0].mean(1), person[:, (r > 7) & (r < 9)].mean(1)
        assert (pupil < 0.03).all()
        assert (white > 0.2).all()
        assert white.max() < 1.7 * white.min()


def test_the_iris_is_round(model):
    """Its border is as far from the axis in every direction, to a fraction of a millimetre."""
    found = texels(model, 1024)
    places = found.positions.astype(np.float64)
    r = radius(model, places).numpy()
    channels = eye_channels(model, found)
    covered = channels["iris_0"] + channels["pupil_0"]
    middle, _, _ = limbus(model, 0)
    angle = np.arctan2(places[:, 1] - middle[1], places[:, 0] - middle[0])
    border = (covered > 0.25) & (covered < 0.75) & (places[:, 0] > 0)
    for sector in np.linspace(-np.pi, np.pi, 9)[:-1]:
        near = border & (np.abs(np.angle(np.exp(1j * (angle - sector)))) < 0.4)
        assert abs(r[near].mean() - 5.8) < 0.25


def test_the_vertices_of_the_pupil_are_on_a_dark_texel(model, skin):
    """Sampled at the texture coordinates of the ring's vertices' mean, as a renderer would."""
    albedo = skin_maps(model, skin, SIZE).albedo
    corners = {}
    for triangle, uv in zip(model.triangles.tolist(), model.uv_triangles.tolist(), strict=True):
        corners.update(zip(triangle, uv, strict=True))
    for ring in model.pupils:
        middle = model.uv[[corners[v] for v in ring.tolist()]].mean(0)
        grid = (2 * middle - 1).view(1, 1, 1, 2).expand(3, 1, 1, 2)
        seen = torch.nn.functional.grid_sample(albedo, grid, align_corners=False)
        assert (seen < 0.05).all()


def test_irises_have_their_colours(model, eyes, colours):
    r = radius(model, eyes[1])
    ring = (r > 3.2) & (r < 4.6)
    blue, brown, dark = (person[:, ring].mean(1) for person in colours)
    assert blue[2] > blue[0]
    assert brown[0] > 1.5 * brown[2]
    assert dark.sum() < 0.5 * brown.sum()


def test_pupils_have_their_widths(model):
    found = texels(model, 1024)
    r = radius(model, found.positions.astype(np.float64)).numpy()
    channels = eye_channels(model, found)
    for number, size in enumerate(PUPILS):
        hole = channels[f"pupil_{number}"]
        assert (hole[r < size - 0.35] > 0.9).all()
        assert (hole[r > size + 0.35] < 0.1).all()


def test_channels_are_on_the_eyes_only(model):
    found = texels(model, 128)
    elsewhere = found.parts != model.part_names.index("eyes")
    channels = eye_channels(model, found)
    assert {"sclera", "iris_0", "pupil_2", "veins_0", "nasal"} < set(channels)
    for value in channels.values():
        assert value.dtype == np.float32
        assert not value[elsewhere].any()
    assert channels["sclera"][~elsewhere].all()


def test_the_pink_corner_is_towards_the_nose_on_both_sides(model):
    found = texels(model, SIZE)
    channels = eye_channels(model, found)
    for sign in (1, -1):
        side = sign * found.positions[:, 0] > 0
        middle = np.abs(found.positions[side & (channels["iris_0"] > 0.5), 0]).mean()
        assert np.abs(found.positions[side & (channels["nasal"] > 0.5), 0]).max() < middle
        assert np.abs(found.positions[side & (channels["temporal"] > 0.5), 0]).min() > middle


def test_eyes_differ_from_left_to_right(model, eyes, colours):
    """Fibres and veins are not mirrored."""
    _, places = eyes
    left = np.flatnonzero((places[:, 0] > 0) & (places[:, 2] > 90))
    right = [np.argmin(((places - places[n] * [-1, 1, 1]) ** 2).sum(1)) for n in left]
    difference = (colours[0][:, left] - colours[0][:, right]).abs().mean()
    assert difference > 0.002
