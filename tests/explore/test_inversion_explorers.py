"""What the explorers of part I hold and answer, and that the page's arithmetic is Python's."""

import base64
import io
import json

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from visage.explore.inversion_data import ExplorerDataError, inversion_file, inversion_json
from visage.explore.inversion_grid_explorer import InversionGridExplorer
from visage.explore.inversion_network_explorer import InversionNetworkExplorer
from visage.explore.onnx_export import export_face_network
from visage.inversion.networks import FaceNetwork, NetworkConfig
from visage.recognition.encoder import load_encoder

BLEND = """
import { rung, corners, blendTiles, blendTerm } from "./inversion_blend.js";
const say = (value) => console.log(JSON.stringify(value));
"""
EMBEDDING = """
import { asked, distance, normals, oneBit } from "./inversion_embedding.js";
const say = (value) => console.log(JSON.stringify(value));
"""
CONTROLS = """
import { brief, weightScale } from "./inversion_controls.js";
const say = (value) => console.log(JSON.stringify(value));
"""


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    made = FaceNetwork(NetworkConfig(filters=50, base=5)).eval().requires_grad_(False)
    made.deconvolutions[-1].weight.mul_(3)  # untrained it paints grey, which would hide errors
    made.input.centre.copy_(0.1 * torch.randn(128))
    made.input.spread.fill_(0.05)
    return made


@pytest.fixture(scope="module")
def encoder():
    return load_encoder()


def answering(widget):
    widget.sent = []
    widget.send = lambda content, buffers=None: widget.sent.append((content, buffers))

    def ask(content, *buffers):
        widget._answer(widget, content, [memoryview(buffer) for buffer in buffers])
        return widget.sent[-1]

    return ask


# The tracked grid.


def test_every_cell_has_its_terms_and_its_tile():
    grid = inversion_json("grid.json")
    cells = len(grid["ways"]) * len(grid["guide_weights"]) * len(grid["tv_weights"])
    with Image.open(inversion_file("grid.webp")) as picture:
        width, height = picture.size
    tile = grid["tile"]
    assert width == len(grid["tv_weights"]) * tile
    rows = len(grid["people"]) * len(grid["ways"]) * len(grid["guide_weights"]) + 1
    assert height == rows * tile
    for person in grid["people"]:
        assert set(person["terms"]) == {"embedding", "guide", "tv"}
        for values in person["terms"].values():
            assert len(values) == cells
            assert min(values) >= 0
    assert grid["guide_weights"][0] == grid["tv_weights"][0] == 0
    assert inversion_file("grid.webp").stat().st_size <= 1_000_000


def test_weights_do_what_the_chapter_says():
    grid = inversion_json("grid.json")
    shape = len(grid["ways"]), len(grid["guide_weights"]), len(grid["tv_weights"])
    for person in grid["people"]:
        found = {name: np.reshape(values, shape) for name, values in person["terms"].items()}
        assert (found["embedding"][0, 0, 0] ** 0.5) < 0.05  # alone, it is met
        assert (found["guide"][:, -1, 0] < found["guide"][:, 0, 0] / 20).all()
        assert (found["tv"][:, 0, -1] < found["tv"][:, 0, 0] / 100).all()
        assert (found["embedding"][:, -1, -1] > found["embedding"][:, 0, 0]).all()


def test_the_true_faces_and_the_guide_are_what_the_numbers_are_of(encoder):
    """The last tiles of the sprite, against an evaluation of the same pictures."""
    grid = inversion_json("grid.json")
    with Image.open(inversion_file("grid.webp")) as picture:
        pixels = np.asarray(picture.convert("RGB"), dtype=np.float32) / 255
    tile, count = grid["tile"], len(grid["people"])
    last = pixels[-tile:].reshape(tile, -1, tile, 3).transpose(1, 3, 0, 2)
    embedded = encoder.embed(torch.from_numpy(last[: count + 1].copy()))
    for p, person in enumerate(grid["people"]):
        # Neither is the target itself, but each side of this triangle is known.
        reach = person["true"]["embedding"] ** 0.5 + person["of_guide"]["embedding"] ** 0.5
        gap = encoder.distance(embedded[p], embedded[count])
        assert gap <= reach + 0.05
        assert person["of_guide"]["guide"] < 1e-6
        assert person["true"]["embedding"] < person["of_guide"]["embedding"]


def test_grid_explorer_sends_its_picture_and_nothing_else():
    explorer = InversionGridExplorer.standard()
    ask = answering(explorer)
    content, buffers = ask({"id": 3, "kind": "asset", "name": "grid.webp"})
    assert content == {"id": 3}
    assert Image.open(io.BytesIO(buffers[0])).format == "WEBP"
    content, _ = ask({"id": 4, "kind": "asset", "name": "../secret"})
    assert content["id"] == 4
    assert "secret" in content["error"]
    assert "provenance" not in explorer.grid
    assert len(json.dumps(explorer.grid)) < 60_000


def test_a_missing_file_is_named_with_the_command_that_makes_it():
    with pytest.raises(ExplorerDataError, match=r"missing\.json.*build_inversion_grid"):
        inversion_json("missing.json")


# The network.


@pytest.fixture
def explorer(network, encoder):
    return InversionNetworkExplorer(inversion_json("people.json")["people"], network, encoder)


def test_people_are_their_faces(explorer, encoder):
    for person in explorer.people:
        _, _, data = person["face"].partition(",")
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
        chip = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 255
        apart = [
            encoder.distance(encoder.embed(chip)[0], torch.tensor(other["embedding"])).item()
            for other in explorer.people
        ]
        assert np.argmin(apart) == explorer.people.index(person)
        assert min(apart) < 0.3


def test_kernel_paints_what_the_network_paints(explorer, network):
    ask = answering(explorer)
    wanted = torch.tensor(explorer.people[2]["embedding"])
    content, buffers = ask({"id": 1, "kind": "paint"}, wanted.numpy().tobytes())
    assert content == {"id": 1}
    painted = torch.frombuffer(bytearray(buffers[0]), dtype=torch.uint8).view(3, 150, 150)
    expected = network(wanted[None])[0]
    torch.testing.assert_close(painted / 255, expected, atol=0.5 / 255 + 1e-6, rtol=0)


def test_kernel_answers_with_the_encoder_s_own_embedding(explorer, encoder):
    ask = answering(explorer)
    chip = torch.rand(1, 3, 150, 150, generator=torch.Generator().manual_seed(5))
    content, buffers = ask({"id": 2, "kind": "embed"}, chip.numpy().tobytes())
    assert content == {"id": 2}
    answered = torch.frombuffer(bytearray(buffers[0]), dtype=torch.float32)
    torch.testing.assert_close(answered, encoder.embed(chip)[0])


def test_network_in_the_page_is_nearly_the_network(network, tmp_path):
    path = tmp_path / "network.onnx"
    export_face_network(network, path)
    assert path.stat().st_size < 600_000
    generator = torch.Generator().manual_seed(2)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for count in (3, 1):
        embeddings = network.input.centre + 0.05 * torch.randn(count, 128, generator=generator)
        (faces,) = session.run(None, {"embeddings": embeddings.numpy()})
        expected = network(embeddings).numpy()
        assert faces.shape == expected.shape
        assert expected.std() > 0.05
        assert np.abs(faces - expected).mean() < 1 / 255
        assert np.abs(faces - expected).max() < 5 / 255


# The page's arithmetic.

RUNGS = [0, 0.01, 0.03, 0.1, 1]


def test_places_on_the_rungs(run_js):
    ratios = [0, 0.002, 0.01, 0.02, 0.03, 0.07, 0.1, 0.5, 1, 30]
    script = "say(given.ratios.map((ratio) => rung(ratio, given.rungs)));"
    found = run_js(BLEND + script, {"ratios": ratios, "rungs": RUNGS})
    between = 1 + np.interp(np.log(ratios[2:]), np.log(RUNGS[1:]), np.arange(4))
    np.testing.assert_allclose(found, [0, 0.2, *between], atol=1e-12)


@pytest.mark.parametrize("place", [(0, 0), (1.25, 0.5), (2, 3), (1.999, 2.001), (2.5, 3)])
def test_blending_is_bilinear(run_js, place):
    rows, columns, rng = 4, 4, np.random.default_rng(0)
    tiles = rng.integers(0, 256, (rows * columns, 8))
    values = np.exp(rng.normal(size=rows * columns))
    script = """
    const cells = corners(...given.place, given.rows, given.columns);
    const out = new Uint8ClampedArray(8);
    const pixels = Array.from(blendTiles(given.tiles, cells, out));
    say({ cells, pixels, term: blendTerm(given.values, cells) });
    """
    given = {"place": place, "rows": rows, "columns": columns}
    found = run_js(BLEND + script, {**given, "tiles": tiles.tolist(), "values": values.tolist()})
    # Tent functions over the whole grid: the naive reading of "bilinear".
    tent = [np.clip(1 - np.abs(np.arange(4) - at), 0, 1) for at in place]
    share = np.outer(*tent).ravel()
    np.testing.assert_allclose(found["pixels"], share @ tiles, atol=0.501)
    assert found["term"] == pytest.approx(np.exp(share @ np.log(values)))
    assert sum(weight for _, weight in found["cells"]) == pytest.approx(1)
    assert all(0 <= cell < 16 for cell, _ in found["cells"])


def test_weights_of_the_sliders(run_js):
    script = """
    const scale = weightScale(0.01, 1);
    const at = given.map(scale.at);
    say({ top: scale.top, at, back: at.map(scale.place) });
    """
    places = [0, 0.5, 1, 1.5, 2, 3]
    found = run_js(CONTROLS + script, places)
    assert found["top"] == pytest.approx(3)
    np.testing.assert_allclose(found["at"], [0, 0.005, 0.01, 0.01 * 10**0.5, 0.1, 1])
    np.testing.assert_allclose(found["back"], places, atol=1e-12)


def test_numbers_are_brief(run_js):
    values = [0, 1e-9, 0.00032, 0.1, 0.123, 1, 2.54, 10, 47.8, 4321]
    said = ["0", "0", "0.00032", "0.1", "0.12", "1", "2.5", "10", "48", "4\u202f321"]
    assert run_js(CONTROLS + "say(given.map(brief));", values) == said


@pytest.mark.parametrize("bits", [False, True])
def test_embeddings_that_are_asked_for(run_js, bits):
    rng = np.random.default_rng(1)
    a, b, centre, deviates = rng.normal(size=(4, 128))
    state = {"walk": 0.3, "scale": 1.7, "noise": 0.4, "bits": bits}
    given = {**state, "a": a.tolist(), "b": b.tolist()}
    known = {"centre": centre.tolist(), "spread": 0.06, "deviates": deviates.tolist()}
    script = "say(Array.from(asked(given.given, given.known)));"
    found = np.array(run_js(EMBEDDING + script, {"given": given, "known": known}))
    expected = centre + 1.7 * (0.7 * a + 0.3 * b - centre) + 0.4 * 0.06 * deviates
    if bits:
        away = expected - centre
        expected = centre + np.sign(away) * np.abs(away).mean()
        # No other size of the signs is nearer.
        for size in (0.9, 1.1):
            other = centre + np.sign(away) * np.abs(away).mean() * size
            assert np.linalg.norm(away - (expected - centre)) < np.linalg.norm(
                away - (other - centre)
            )
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_noise_repeats_by_seed_and_is_normal(run_js):
    script = "say([1, 1, 2].map((seed) => Array.from(normals(4000, seed))));"
    first, again, other = (np.array(values) for values in run_js(EMBEDDING + script, {}))
    assert (first == again).all()
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.06
    assert abs(first.mean()) < 0.06
    assert abs(first.std() - 1) < 0.04
