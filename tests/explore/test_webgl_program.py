"""Programs compile, or say in the driver's words why not; a lost context is no error."""

import pytest

CARD = """
import { compileProgram, uniformPlaces } from "./webgl_program.js";
const { broken, lost } = given;
const calls = { bound: [], deleted: 0 };
const gl = {
  VERTEX_SHADER: 1, FRAGMENT_SHADER: 2, COMPILE_STATUS: 3, LINK_STATUS: 4, ACTIVE_UNIFORMS: 5,
  createProgram: () => ({}), createShader: (kind) => ({ kind }),
  shaderSource: (shader, source) => { shader.source = source; }, compileShader() {},
  getShaderParameter: (shader) => !lost && shader.source !== broken,
  getShaderInfoLog: (shader) => `cannot read ${shader.source}`,
  attachShader() {}, deleteShader() { calls.deleted++; },
  bindAttribLocation: (_, place, name) => calls.bound.push([place, name]), linkProgram() {},
  getProgramParameter: (_, what) => (lost ? null : what === 5 ? 2 : broken !== "link"),
  getProgramInfoLog: () => "cannot link", isContextLost: () => lost,
  getActiveUniform: (_, i) => ({ name: ["uTurn", "uTones[0]"][i] }),
  getUniformLocation: (_, name) => `at ${name}`,
};
let said = null, places = null;
try {
  places = uniformPlaces(gl, compileProgram(gl, "vertex", "fragment", ["aPoint", "aNormal"]));
} catch (error) { said = error.message; }
console.log(JSON.stringify({ said, places, ...calls }));
"""


def test_attributes_have_their_places_and_uniforms_their_names(run_js):
    found = run_js(CARD, {"broken": None, "lost": False})
    assert found["said"] is None
    assert found["places"] == {"uTurn": "at uTurn", "uTones": "at uTones[0]"}
    assert found["bound"] == [[0, "aPoint"], [1, "aNormal"]]
    assert found["deleted"] == 2


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("vertex", "cannot read vertex"),
        ("fragment", "cannot read fragment"),
        ("link", "cannot link"),
    ],
)
def test_a_wrong_source_is_told_in_the_drivers_words(run_js, broken, said):
    assert run_js(CARD, {"broken": broken, "lost": False})["said"] == said


def test_a_lost_context_is_no_error(run_js):
    found = run_js(CARD, {"broken": None, "lost": True})
    assert found["said"] is None
    assert found["places"] == {}
