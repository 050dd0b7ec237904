"""The explorers of appendices B and C: their data, and the page's arithmetic against Python's."""

import base64
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from visage.explore import avatar_explorer
from visage.explore.avatar_explorer import AVATARS, AvatarExplorer, pack_avatars, view_numbers
from visage.explore.colour_explorer import SIZE, ColourExplorer, lamp_gains
from visage.faces.harmonics import shade
from visage.faces.shape import MorphableModel
from visage.normalization.adjustment_reproduce import angular_errors, exposure_errors
from visage.normalization.applications_study import cast
from visage.normalization.avatar import Avatars, head_camera, studio_light
from visage.normalization.colour_correction import (
    correct_colours,
    face_colour,
    piecewise_shift,
)
from visage.normalization.texture_fitting import FittedTexture
from visage.normalization.white_balance import grey_world

COLOURS = """
import * as colour from "./colour_correction.js";
const say = (value) => console.log(JSON.stringify(value));
const data = Float32Array.from(given.data ?? []);
const picture = { width: given.size, height: given.size, data };
"""
HEADS = """
import { unpackFace } from "./face_model.js";
import { avatarHeads } from "./avatar_view.js";
const file = await unpackFace(fs.readFileSync(given.path));
const heads = avatarHeads(file);
"""


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


@pytest.fixture(scope="module")
def avatars(model):
    """Two heads with colours of chance: nothing needs to be fitted to be shown."""
    generator = torch.Generator().manual_seed(0)
    vertices = model.vertices(model.sample_identity(2, generator))
    projected, explained = torch.rand(2, 2, len(model.mean), 3, generator=generator)
    trust = torch.rand(2, len(model.mean), generator=generator)
    blended = torch.lerp(explained, projected, trust[..., None])
    texture = FittedTexture(projected, trust, torch.zeros(2, 30), explained, blended)
    return Avatars(None, texture, vertices)


@pytest.fixture(scope="module")
def packed(model, avatars):
    return pack_avatars(model, avatars)


def asked(explorer, content):
    sent = []
    explorer.send = lambda content, buffers=None: sent.append((content, buffers))
    explorer._answer(explorer, content, [])
    return sent[0]


# Heads.


def test_heads_come_out_of_the_file_as_they_went_in(model, avatars, packed, run_js, tmp_path):
    (tmp_path / AVATARS).write_bytes(packed)
    script = """
    const [first, second] = heads;
    const parts = ["positions", "projected", "explained", "normals"];
    const found = Object.fromEntries(parts.map((name) => [name, Array.from(second[name])]));
    const triangles = Array.from(file.arrays.triangles.slice(0, 300));
    console.log(JSON.stringify({ count: heads.length, triangles, ...found }));
    """
    found = run_js(HEADS + script, {"path": str(tmp_path / AVATARS)})
    assert found["count"] == 2
    parts = ("skin", "neck", "sockets", "eyes")
    triangles = torch.cat([model.triangles[model.part_triangles[part]] for part in parts])
    used = triangles.unique()
    vertices = avatars.vertices[1, used].numpy()
    np.testing.assert_allclose(np.reshape(found["positions"], (-1, 3)), vertices, atol=0.006)
    projected = np.reshape(found["projected"], (-1, 4)) / 255
    np.testing.assert_allclose(projected[:, :3], avatars.texture.projected[1, used], atol=0.003)
    np.testing.assert_allclose(projected[:, 3], avatars.texture.confidence[1, used], atol=0.003)
    explained = np.reshape(found["explained"], (-1, 3)) / 255
    np.testing.assert_allclose(explained, avatars.texture.explained[1, used], atol=0.003)
    assert used[found["triangles"]].tolist() == triangles.flatten()[:300].tolist()
    nose = int((used == model.landmarks[30]).nonzero())
    assert np.reshape(found["normals"], (-1, 3))[nose, 2] > 0.5


def test_the_page_looks_and_lights_as_the_library_does():
    numbers = view_numbers()
    distance, focal, _, up = numbers["camera"]
    camera = head_camera(torch.zeros(1, 3), 200)
    point = torch.tensor([[[30.0, -50.0, 40.0]]])
    x, y, depth = camera.project(point)[0, 0].tolist()
    scale = focal / (distance - 40)
    assert depth == pytest.approx(distance - 40)
    assert (x + 0.5) / 100 - 1 == pytest.approx(scale * 30, abs=1e-5)
    assert 1 - (y + 0.5) / 100 == pytest.approx(scale * (-50 + up), abs=1e-5)
    normal = torch.nn.functional.normalize(torch.tensor([0.4, -0.3, 0.8]), dim=0)
    x, y, z = normal.tolist()
    terms = [1, y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y]
    expected = shade(normal.view(1, 3, 1, 1), studio_light(1))[0, 0].item()
    assert np.dot(terms, numbers["harmonics"]) == pytest.approx(expected, abs=1e-5)


def test_the_kernel_sends_heads_and_nothing_else(packed):
    explorer = AvatarExplorer(["data:,"], "data:,", packed)
    content, buffers = asked(explorer, {"id": 3, "kind": "asset", "name": AVATARS})
    assert content == {"id": 3}
    assert buffers == [packed]
    content, _ = asked(explorer, {"id": 4, "kind": "asset", "name": "../secret"})
    assert "secret" in content["error"]


def test_the_book_s_explorer_is_of_the_standard_people(model, avatars, monkeypatch):
    class People:
        image = torch.rand(2, 3, 32, 32)

    monkeypatch.setattr(avatar_explorer, "standard_avatars", lambda: (People, avatars))
    monkeypatch.setattr(avatar_explorer, "fine_model", lambda: model)
    explorer = AvatarExplorer.standard()
    assert len(explorer.portraits) == 2
    still = explorer.still.partition(",")[2]
    assert len(still) > 1000


def test_a_file_is_small_enough_for_a_page(packed):
    assert len(packed) < 400_000  # of the mesh as it was sculpted, with colours that do not pack


# Colours.


@pytest.mark.parametrize("mean", [0.0, 0.2, 0.6, 1.0])
def test_equation_13_in_the_page(run_js, mean):
    values = np.linspace(0, 1, 11).tolist()
    script = "say(given.values.map((p) => colour.piecewiseShift(p, given.mean, 0.45)));"
    found = run_js(COLOURS + script, {"values": values, "mean": mean, "size": 1})
    expected = piecewise_shift(
        torch.tensor(values).view(1, 1, -1), torch.tensor([[mean]]), torch.tensor([[0.45]])
    )
    np.testing.assert_allclose(found, expected.flatten(), atol=1e-6)


@pytest.fixture(scope="module")
def picture():
    noise = torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(4))
    return torch.nn.functional.interpolate(noise, (40, 40), mode="bilinear")


def test_pictures_in_the_page(run_js, picture):
    gains, target = torch.tensor([[1.3, 0.8, 0.5]]), torch.tensor([[0.6, 0.55, 0.45]])
    script = """
    const lit = colour.castColours(picture, given.gains);
    const mean = colour.faceColour(lit);
    const ours = colour.correctColours(lit, mean, given.target);
    const made = Object.entries({ lit, ours, grey: colour.greyWorld(lit) });
    const pixels = Object.fromEntries(made.map(([name, { data }]) => [name, Array.from(data)]));
    say({ ...pixels, mean, errors: colour.colourErrors(lit, picture) });
    """
    given = {"size": 40, "data": picture.flatten().tolist(), "gains": gains[0].tolist(),
             "target": target[0].tolist()}  # fmt: skip
    found = run_js(COLOURS + script, given)
    lit = cast(picture, gains)
    np.testing.assert_allclose(found["lit"], lit.flatten(), atol=1e-5)
    np.testing.assert_allclose(found["mean"], face_colour(lit)[0], atol=1e-5)
    ours = correct_colours(lit, face_colour(lit), target)
    np.testing.assert_allclose(found["ours"], ours.flatten(), atol=1e-5)
    np.testing.assert_allclose(found["grey"], grey_world(lit).flatten(), atol=1e-5)
    box = torch.zeros(1, 40, 40, dtype=torch.bool)
    side = round(100 / 224 * 40)
    margin = (40 - side) // 2
    box[:, margin : 40 - margin, margin : 40 - margin] = True
    errors = found["errors"]
    assert errors["angle"] == pytest.approx(angular_errors(lit, picture, box).item(), abs=1e-3)
    assert errors["stops"] == pytest.approx(exposure_errors(lit, picture, box).item(), abs=1e-3)


def test_lamps_in_the_page(run_js):
    table = lamp_gains()
    lamps = {"range": [80.0, 400.0], "gains": table.tolist()}
    script = "say(given.at.map((mireds) => colour.lampGains(given.lamps, mireds)));"
    given = {"at": [80, 152, 400, 1000], "lamps": lamps, "size": 1}
    first, between, last, beyond = run_js(COLOURS + script, given)
    np.testing.assert_allclose(first, table[0], atol=1e-6)
    np.testing.assert_allclose(last, table[-1], atol=1e-6)
    np.testing.assert_allclose(beyond, table[-1], atol=1e-6)
    np.testing.assert_allclose(between, torch.lerp(table[4], table[5], 0.5), atol=1e-6)
    assert first[2] > first[0]  # the mountains' shade is blue
    assert last[0] > last[2]


def test_the_colour_explorer_carries_its_pictures():
    generator = torch.Generator().manual_seed(0)
    photos, faces = torch.rand(2, 3, 40, 40, generator=generator), torch.rand(2, 3, 64, 64)
    explorer = ColourExplorer(photos, faces)
    for url in (*explorer.photographs, *explorer.faces):
        head, _, data = url.partition(",")
        assert head == "data:image/jpeg;base64"
        assert Image.open(io.BytesIO(base64.b64decode(data))).size == (SIZE, SIZE)
    np.testing.assert_allclose(explorer.targets, face_colour(faces), atol=1e-6)
    json.dumps(explorer.lamps)
