"""What the decoder's explorer holds and answers, and that the page's warp is the library's."""

import json
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import torch

from visage.explore.normalized_face_explorer import NormalizedFaceExplorer
from visage.explore.onnx_export import export_decoder
from visage.normalization.decoder import Decoder, DecoderConfig, Normal
from visage.normalization.warp import warp

WARP = """
import { warpFace } from "./face_warp.js";
const say = (value) => console.log(JSON.stringify(value));
"""
SIZE = 48
CONFIG = DecoderConfig(features=6, code=8, size=SIZE, channels=16, least_channels=4, hidden=12)


@pytest.fixture(scope="module")
def decoder():
    torch.manual_seed(0)
    normal = Normal(6 + 36 * torch.rand(68, 2), torch.rand(3, SIZE, SIZE), torch.randn(30, 6))
    made = Decoder(CONFIG, normal).eval().requires_grad_(False)
    made.landmarks[-1].weight.mul_(20)  # untrained it moves nothing, which would hide errors
    made.texture.network.rgb.weight.mul_(20)
    return made


def test_the_page_warps_as_the_library_does(run_js):
    generator = torch.Generator().manual_seed(3)
    mean = 6 + 36 * torch.rand(68, 2, generator=generator)
    moved = mean + torch.randn(68, 2, generator=generator)
    picture = torch.rand(1, 3, SIZE, SIZE, generator=generator)
    found = run_js(
        WARP + "const { mean, moved, picture, size } = given;\n"
        "say(Array.from(warpFace({ width: size, height: size, data: Float32Array.from(picture) },"
        " mean, moved).data));",
        {"mean": mean.tolist(), "moved": moved.tolist(), "picture": picture.flatten().tolist(),
         "size": SIZE},
    )  # fmt: skip
    wanted = warp(picture, mean[None], moved[None])
    assert np.abs(np.array(found) - wanted.flatten().numpy()).max() < 2e-3


def test_landmarks_on_one_spot_are_refused(run_js):
    said = run_js(
        WARP + "const flat = { width: 8, height: 8, data: new Float32Array(192) };\n"
        "try { warpFace(flat, given, given); } catch (e) { say(e.message); }",
        [[3.0, 3.0], [3.0, 3.0], [5.0, 2.0]],
    )
    assert "same spot" in said


def test_features_walk_and_step(run_js):
    script = (
        'import { wantedFeatures } from "./normalized_face.js";\n'
        "console.log(JSON.stringify(Array.from(wantedFeatures(given.state, given.directions))));"
    )
    directions = [{"vector": [1.0, 0.0], "spread": 2.0}, {"vector": [0.6, 0.8], "spread": 0.5}]
    state = {"a": [1.0, 1.0], "b": [3.0, 5.0], "walk": 0.25, "steps": [1.5, -1.0]}
    found = run_js(script, {"state": state, "directions": directions})
    assert np.allclose(found, [1.5 + 3.0 - 0.3, 2.0 - 0.4])


def test_the_exported_decoder_is_the_decoder(decoder, tmp_path):
    path = tmp_path / "decoder.onnx"
    export_decoder(decoder, path)
    features = torch.randn(3, 6)
    session = onnxruntime.InferenceSession(str(path))
    found = dict(zip(["textures", "landmarks"], session.run(None, {"features": features.numpy()}),
                     strict=True))  # fmt: skip
    textures, landmarks = decoder.parts(features)
    assert np.abs(found["textures"] - textures.numpy()).max() < 0.03
    assert np.abs(found["landmarks"] - landmarks.numpy()).max() < 0.2


def explorer(decoder):
    people = [{"name": f"Person {n}", "features": torch.randn(6).tolist(), "face": "data:,"}
              for n in range(2)]  # fmt: skip
    directions = [{"name": "the first", "vector": [1.0] + [0.0] * 5, "spread": 1.0}]
    return NormalizedFaceExplorer(people, directions, decoder)


def test_the_widget_knows_the_decoder(decoder):
    widget = explorer(decoder)
    assert widget.size == SIZE
    assert np.allclose(widget.mean, decoder.mean, atol=1e-3)
    assert widget.still.startswith("data:image/jpeg;base64,")
    json.dumps(widget.get_state(["people", "directions", "mean"]))


def test_the_kernel_answers_with_texture_and_landmarks(decoder):
    widget = explorer(decoder)
    sent = SimpleNamespace()
    widget.send = lambda content, buffers=None: vars(sent).update(content=content, buffers=buffers)
    features = torch.randn(6)
    widget._answer(widget, {"kind": "decode", "id": 4}, [memoryview(features.numpy().tobytes())])
    texture, landmarks = (np.frombuffer(part, dtype=np.float32) for part in sent.buffers)
    wanted = decoder(features[None])
    assert sent.content == {"id": 4}
    assert np.allclose(texture.reshape(3, SIZE, SIZE), wanted.texture[0], atol=1e-6)
    assert np.allclose(landmarks.reshape(68, 2), wanted.landmarks[0], atol=1e-4)
