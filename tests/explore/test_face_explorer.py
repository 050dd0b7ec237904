"""The head in the page is Python's head: shapes, labels, light and cameras, compared in node."""

import base64
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from visage.explore.assets import ASSETS
from visage.explore.face_basis import export_face, pack
from visage.explore.face_explorer import BASIS, FaceExplorer, asset_bytes, still_picture
from visage.explore.face_people import people
from visage.explore.face_scene import LIGHTS, face_camera, preset_light
from visage.faces.shape import MorphableModel

PROLOGUE = """
import * as model from "./face_model.js";
import { makeLight, lightCoefficients } from "./face_light.js";
const { readLabels, isPlausible, rotationMatrix } = model;
const face = await model.openFace(fs.readFileSync(given.path));
const head = model.makeHead(face);
const list = (array) => Array.from(array);
const say = (value) => console.log(JSON.stringify(value));
"""


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


@pytest.fixture(scope="module")
def basis(tmp_path_factory):
    path = tmp_path_factory.mktemp("basis") / BASIS
    export_face(path, texture=64)
    return path


@pytest.fixture
def run_face(run_js, basis):
    def run(script, **given):
        return run_js(PROLOGUE + script, {"path": str(basis), **given})

    return run


def drawn(vertices, model):
    """Vertices (V, 3) that triangles use."""
    return vertices[model.triangles.unique()]


def test_vertices_are_python_s_to_a_twentieth_of_a_millimetre(run_face, model):
    identity = model.sample_identity(6, torch.Generator().manual_seed(1))
    expression = torch.rand(6, 52, generator=torch.Generator().manual_seed(2))
    script = """
    say(given.identity.map((identity, i) => {
      head.identity.set(identity);
      head.expression.set(given.expression[i]);
      head.update();
      const distance = model.distanceFromMean(face, head.positions);
      return { positions: list(head.positions), normals: list(head.normals), distance };
    }));
    """
    found = run_face(script, identity=identity.tolist(), expression=expression.tolist())
    expected = model.vertices(identity, expression)
    normals = model.normals(expected)
    used = model.triangles.unique()
    skin = model.triangles[model.part_triangles["skin"]].unique()
    for i, one in enumerate(found):
        positions = torch.tensor(one["positions"]).view(-1, 3)
        error = (positions - expected[i][: len(positions)])[used].norm(dim=1)
        assert error.max() < 0.05
        turned = (torch.tensor(one["normals"]).view(-1, 3) * normals[i][: len(positions)]).sum(1)
        assert turned[used].mean() > 0.9999
        away = (expected[i] - model.mean)[skin].square().sum(1).mean().sqrt().item()
        assert one["distance"] == pytest.approx(away, abs=0.02)


def test_the_mean_head_comes_back_after_a_change(run_face, model):
    script = """
    head.identity.fill(1); head.expression.fill(0.5); head.update();
    head.identity.fill(0); head.expression.fill(0); head.update();
    say({ positions: list(head.positions), mean: list(face.mean) });
    """
    found = run_face(script)
    assert found["positions"] == found["mean"]
    mean = torch.tensor(found["mean"]).view(-1, 3)
    torch.testing.assert_close(drawn(mean, model), drawn(model.mean, model), atol=0.02, rtol=0)


def test_labels_read_and_set_as_in_python(run_face, model):
    identity = model.sample_identity(3, torch.Generator().manual_seed(4))
    script = """
    say(given.identity.map((one) => {
      const changed = model.setLabel(face, Float32Array.from(one), "age", 70);
      const wild = isPlausible(face, one.map((a) => 3 * a));
      const moved = readLabels(face, changed).age;
      const [labels, plausible] = [readLabels(face, one), isPlausible(face, one)];
      return { labels, plausible, wild, moved, changed: list(changed) };
    }));
    """
    found = run_face(script, identity=identity.tolist())
    labels = model.read(identity)
    for i, one in enumerate(found):
        for name, values in labels.items():
            assert one["labels"][name] == pytest.approx(values[i].item(), rel=1e-4, abs=1e-4)
        assert one["plausible"] is True
        assert one["wild"] is bool(model.plausible(3 * identity[i : i + 1]))
        assert one["moved"] == pytest.approx(70, abs=1e-3)
        step = torch.tensor(one["changed"]) - identity[i]
        cosine = torch.cosine_similarity(step, model.directions["age"], dim=0).abs()
        assert cosine > 0.9999


@pytest.mark.parametrize("zoom", [1.0, 1.8])
def test_landmarks_fall_on_python_s_pixels(run_face, model, zoom):
    identity = model.sample_identity(1, torch.Generator().manual_seed(5))
    poses = torch.tensor([[0.0, 0.0, 0.0], [0.2, 0.5, -0.1], [-0.3, -1.2, 0.4]])
    script = """
    head.identity.set(given.identity);
    head.update();
    const place = (v, turn) => model.projectVertex(face, head.positions, v, turn, 480, given.zoom);
    say(given.poses.map((pose) => {
      const turn = rotationMatrix(pose);
      return model.landmarkVertices(face, pose[1]).map((v) => place(v, turn));
    }));
    """
    found = run_face(script, identity=identity[0].tolist(), poses=poses.tolist(), zoom=zoom)
    vertices = model.vertices(identity)
    for pose, points in zip(poses, found, strict=True):
        camera = face_camera(pose[None], 480, zoom)
        corners = vertices[:, model.landmark_vertices(pose[None, 1])[0]]
        torch.testing.assert_close(
            torch.tensor(points)[None], camera.project(corners), atol=0.1, rtol=0
        )


@pytest.mark.parametrize("name", LIGHTS)
def test_lights_are_python_s(run_face, name):
    script = """
    const light = makeLight({ ...face.lights[given.name], key: 1, fill: 1 });
    say({ light, coefficients: lightCoefficients(light) });
    """
    found = run_face(script, name=name)
    light = preset_light(name)
    for field, value in found["light"].items():
        torch.testing.assert_close(
            torch.tensor(value).float(), getattr(light, field)[0], atol=1e-5, rtol=1e-5
        )
    torch.testing.assert_close(
        torch.tensor(found["coefficients"]), light.coefficients()[0], atol=1e-4, rtol=1e-4
    )


def test_people_are_plausible_and_varied(model):
    drawn_people = people(model)
    identity = torch.from_numpy(drawn_people["people"] / 4096).float()
    assert model.plausible(identity).float().mean() > 0.99
    melanin = drawn_people["people_looks"][:, 0] / 255
    assert melanin.min() < 0.2
    assert melanin.max() > 0.7
    again = people(model)
    assert all((again[name] == value).all() for name, value in drawn_people.items())


def test_packing_is_the_same_each_time_and_read_back(run_js, tmp_path):
    random = np.random.default_rng(0)
    arrays = {
        "levels": random.integers(-32768, 32767, (3, 50)).astype(np.int16),
        "odd": random.integers(0, 255, 7).astype(np.uint8),
        "real": random.normal(size=(2, 2)).astype(np.float32),
    }
    packed = pack({"word": "é"}, arrays)
    assert packed == pack({"word": "é"}, arrays)
    (tmp_path / "packed.bin").write_bytes(packed)
    script = """
    import { unpackFace } from "./face_model.js";
    const { header, arrays } = await unpackFace(fs.readFileSync(given));
    for (const name in arrays) arrays[name] = Array.from(arrays[name]);
    console.log(JSON.stringify({ word: header.word, arrays }));
    """
    found = run_js(script, str(tmp_path / "packed.bin"))
    assert found["word"] == "é"
    for name, array in arrays.items():
        assert found["arrays"][name] == array.flatten().tolist()


def test_the_kernel_sends_the_file_that_the_page_loads(basis, monkeypatch):
    assert BASIS in ASSETS
    monkeypatch.setitem(ASSETS, BASIS, lambda path: path.write_bytes(basis.read_bytes()))
    asset_bytes.cache_clear()
    widget = FaceExplorer(still="")
    sent = []
    widget.send = lambda content, buffers=None: sent.append((content, buffers))
    widget._answer(widget, {"id": 3, "kind": "asset", "name": BASIS}, [])
    assert sent[0] == ({"id": 3}, [basis.read_bytes()])
    widget._answer(widget, {"id": 4, "kind": "asset", "name": "/etc/passwd"}, [])
    assert sent[1][0]["id"] == 4
    assert "/etc/passwd" in sent[1][0]["error"]


def test_state_is_what_a_reader_can_use(model):
    widget = FaceExplorer(still="")
    state = widget.get_state()
    assert "export default" in state["_esm"]
    assert model.vertices(torch.tensor([state["identity"]])).shape == (1, 5842, 3)
    assert len(json.dumps({k: v for k, v in state.items() if k[0] != "_"})) < 4_000


def test_the_still_picture_shows_a_head():
    picture = still_picture(128)
    assert len(picture) < 60_000
    encoded = picture.removeprefix("data:image/jpeg;base64,")
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))), dtype=float) / 255
    assert pixels.shape == (128, 128, 3)
    assert pixels[38:88, 38:88].std() > 0.05
    assert pixels[:10, :10].std() < 0.05
