"""The head with known answers: every control in chromium, and its numbers against Python's."""

import io
import json
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from PIL import Image

from tools.browser import visit as visiting
from tools.serve import served
from visage.explore.face_basis import BUDGET
from visage.explore.face_explorer import BASIS, FaceExplorer, asset_bytes, still_picture
from visage.explore.face_people import people
from visage.explore.face_scene import face_camera, preset_light
from visage.explore.javascript import bundle
from visage.faces.buffers import draw_buffers
from visage.faces.expressions import EXPRESSIONS
from visage.faces.light import Light, sample_lights
from visage.faces.reflectance import SKIN_SCATTER, reflect
from visage.faces.shading import interreflected
from visage.faces.shape import MorphableModel

PAGE = """<!doctype html><html {root}><meta charset="utf-8"><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body {{ margin: 8px }}{dark}{css}</style><body><div id="widget"></div>
<script type="module">
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
document.documentElement.dataset.theme = dark ? "dark" : "light";
import widget from "./widget.js";
const state = window.state = {state};
const listeners = [];
const model = {{
  get: (key) => state[key],
  set: (key, value) => {{ state[key] = value; }},
  on: (_, listener) => listeners.push(listener),
  save_changes: () => {{ window.saved = (window.saved ?? 0) + 1; }},
  send: async (content) => {{
    const file = await (await fetch("./_static/assets/" + content.name)).arrayBuffer();
    listeners.forEach((listener) => listener({{ id: content.id }}, [new DataView(file)]));
  }},
}};
window.cleanup = widget.render({{ model, el: document.getElementById("widget") }});
</script>"""
# The book's own colours, which the site's theme brings.
DARK = """html[data-theme="dark"] { background: #14181e; --pst-color-text-base: #ced6dd;
  --pst-color-text-muted: #9ca4af; --pst-color-border: #48566b; --pst-color-surface: #29313d;
  --pst-color-background: #14181e; --pst-color-primary: #3fb1c5; }"""
STILL = '.vx-head[data-still="true"]'
TIMEOUT = 90_000


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


@pytest.fixture(scope="module")
def folder(site, tmp_path_factory):
    """The widget on a page of its own, as the book and as a notebook show it."""
    folder = tmp_path_factory.mktemp("face")
    assets = folder / "_static" / "assets"
    assets.mkdir(parents=True)
    built = site / "_static" / "assets" / BASIS
    (assets / BASIS).write_bytes(built.read_bytes() if built.is_file() else asset_bytes(BASIS))
    (folder / "widget.js").write_text(bundle("face_explorer.js"))
    state = {"still": still_picture()}
    for name, root in (("book", 'data-content_root="./"'), ("notebook", "")):
        page = PAGE.format(root=root, dark=DARK, css=FaceExplorer._css, state=json.dumps(state))
        (folder / f"{name}.html").write_text(page)
    return folder


@pytest.fixture
def open_face(browser, folder):
    @contextmanager
    def opened(name="book", **options):
        options = {"width": 760, **options}
        with (
            served(folder) as address,
            visiting(browser, f"{address}/{name}.html", **options) as visit,
        ):
            visit.page.wait_for_selector(STILL, timeout=TIMEOUT)
            yield visit
            assert not visit.errors
            assert not visit.outside
            assert not visit.failed

    return opened


def tab(page, name):
    page.get_by_role("tab", name=name, exact=True).click()


def settled(page):
    """Wait until the picture and the numbers have followed."""
    page.wait_for_timeout(60)
    page.wait_for_selector(STILL, timeout=TIMEOUT)
    page.wait_for_timeout(250)


def slide(page, key, value):
    page.locator(f'.vx input[data-key="{key}"]').evaluate(
        "(e, value) => { e.value = value; e.dispatchEvent(new Event('input', {bubbles: true})); }",
        value,
    )
    settled(page)


def choose(page, value):
    page.locator(f'.vx-button[data-value="{value}"]').first.click()
    settled(page)


def pixels(page):
    picture = Image.open(io.BytesIO(page.locator(".vx-head").screenshot()))
    return np.asarray(picture.convert("RGB"), dtype=float) / 255


def trait(page, name):
    return page.evaluate("name => window.state[name]", name)


def test_the_page_s_own_files_stay_small(folder):
    basis = (folder / "_static" / "assets" / BASIS).stat().st_size
    assert basis < BUDGET["basis"]
    rest = sum((folder / name).stat().st_size for name in ("book.html", "widget.js"))
    assert basis + rest < BUDGET["page"]


def test_a_person_is_python_s_person(open_face, model):
    drawn = torch.from_numpy(people(model)["people"] / 4096).float()
    skin = model.triangles[model.part_triangles["skin"]].unique()
    with open_face() as visit:
        page = visit.page
        for number in (1, 17, 200):
            page.locator(".vx-number").fill(str(number))
            page.keyboard.press("Enter")
            settled(page)
            identity = torch.tensor(trait(page, "identity"))
            torch.testing.assert_close(identity, drawn[number - 1], atol=1e-4, rtol=0)
            away = (model.vertices(identity[None]) - model.mean)[0, skin]
            distance = float(page.get_attribute(".vx-answer", "data-distance"))
            expected = away.square().sum(1).mean().sqrt().item()
            assert distance == pytest.approx(expected, abs=0.02)
        before = trait(page, "identity")
        page.get_by_role("button", name="New person").click()
        settled(page)
        assert trait(page, "identity") != before
        page.get_by_role("button", name="Mean head").click()
        settled(page)
        assert float(page.get_attribute(".vx-answer", "data-distance")) == 0


SLIDERS = {
    "Person": {"strength": 1.7, "age": 70, "jaw_width": 137, "mode-0": 2.5},
    "Expression": {"jawOpen": 0.8, "mouthSmileLeft": 0.9, "eyeBlinkRight": 1, "other": 1},
    "Pose": {"yaw": 40, "pitch": -20, "roll": 15, "zoom": 2},
    "Light": {"azimuth": 80, "elevation": 70, "radius": 40, "key": 2, "fill": 2},
    "Looks": {"haemoglobin": 0.9, "freckles": 1, "age": 1, "iris": 0, "hair": 0.1, "melanin": 0.9},
}
TRAITS = {
    "Person": "identity",
    "Expression": "expression",
    "Pose": "pose",
    "Light": "light",
    "Looks": "skin",
}


@pytest.mark.parametrize("name", SLIDERS)
def test_every_slider_changes_the_picture_and_its_trait(open_face, name):
    with open_face(width=560) as visit:
        page = visit.page
        tab(page, name)
        panel = page.locator(".vx-panel:not([hidden])")
        picture, state = pixels(page), trait(page, TRAITS[name])
        for key, value in SLIDERS[name].items():
            slider = panel.locator(f'input[data-key="{key}"]')
            assert slider.is_visible()
            slider.evaluate(
                "(e, v) => { e.value = v; e.dispatchEvent(new Event('input')); }", value
            )
            settled(page)
            now, told = pixels(page), trait(page, TRAITS[name])
            assert np.abs(now - picture).max() > 0.02, key
            assert told != state or key == "zoom", key
            picture, state = now, told
        assert page.evaluate("window.saved") > 0


def test_expressions_and_views_and_lights_differ(open_face, model):
    with open_face(width=560) as visit:
        page = visit.page
        tab(page, "Expression")
        choose(page, "surprise")
        expression = model.expression_weights(trait(page, "expression"))
        torch.testing.assert_close(
            expression, model.expression_weights(EXPRESSIONS["surprise"]), atol=1e-6, rtol=0
        )
        for group, values in (
            ("Looks", ("none", "curly")),
            ("Light", ("sun", "back")),
            ("Pose", ("albedo", "normals", "depth", "pncc", "uv", "wireframe")),
        ):
            tab(page, group)
            seen = [pixels(page)]
            for value in values:
                choose(page, value)
                seen.append(pixels(page))
            for i, one in enumerate(seen):
                assert all(np.abs(one - other).mean() > 0.003 for other in seen[:i]), values


def test_landmarks_lie_where_python_projects_them(open_face, model):
    with open_face() as visit:
        page = visit.page
        page.get_by_label("68 landmarks").check()
        tab(page, "Expression")
        choose(page, "happiness")
        tab(page, "Pose")
        slide(page, "yaw", 25)
        slide(page, "pitch", 10)
        circles = "nodes => nodes.map(n => [+n.getAttribute('cx'), +n.getAttribute('cy')])"
        found = torch.tensor(page.eval_on_selector_all(".vx-landmark", circles))
        pose = torch.tensor([trait(page, "pose")])
        identity = torch.tensor([trait(page, "identity")])
        expression = model.expression_weights(trait(page, "expression"))
        size = page.locator(".vx-stage").evaluate("e => e.clientWidth")
    vertices = model.vertices(identity, expression)
    corners = vertices[:, model.landmark_vertices(pose[:, 1])[0]]
    expected = face_camera(pose, size).project(corners)[0, :, :2]
    torch.testing.assert_close(found, expected, atol=0.1, rtol=0)


def test_normals_and_codes_are_those_of_the_renderer(open_face, model):
    with open_face() as visit:
        page = visit.page
        tab(page, "Looks")
        choose(page, "none")
        tab(page, "Pose")
        slide(page, "yaw", -30)
        shown = {}
        for view in ("normals", "pncc"):
            choose(page, view)
            shown[view] = torch.from_numpy(pixels(page)).permute(2, 0, 1).float()
        pose = torch.tensor([trait(page, "pose")])
        identity = torch.tensor([trait(page, "identity")])
    size = shown["normals"].shape[-1]
    vertices = model.vertices(identity)
    drawn = draw_buffers(model, face_camera(pose, size), vertices, model.normals(vertices))
    expected = {"normals": 0.5 + 0.5 * drawn.normals[0], "pncc": drawn.pncc[0]}
    # Well inside of the outline, and not under the ball in the corner or the corners' rounding.
    inside = -torch.nn.functional.max_pool2d(-drawn.mask, 9, 1, 4)[0, 0] > 0
    inside[int(0.72 * size) :] = False
    assert inside.float().mean() > 0.1
    for view, picture in expected.items():
        error = (shown[view] - picture).abs().amax(0)[inside]
        assert error.median() < 0.006, view
        assert error.quantile(0.95) < 0.05, view


def test_the_keyboard_alone_is_enough(open_face):
    with open_face() as visit:
        page = visit.page
        page.locator(".vx-head").focus()
        for key in ("ArrowRight", "ArrowRight", "ArrowUp", "Shift+ArrowLeft"):
            page.keyboard.press(key)
        settled(page)
        assert np.degrees(trait(page, "pose")).round(3).tolist() == [-5, 10, 5]
        page.keyboard.press("Home")
        settled(page)
        assert trait(page, "pose") == [0, 0, 0]
        page.get_by_role("tab", name="Person").focus()
        page.keyboard.press("ArrowRight")
        assert page.get_by_role("tab", name="Expression").get_attribute("aria-selected") == "true"
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        settled(page)
        assert trait(page, "expression")


def test_hands_turn_the_head_and_carry_the_light(open_face):
    with open_face() as visit:
        page = visit.page
        box = page.locator(".vx-head").bounding_box()
        side = box["width"]
        page.mouse.move(box["x"] + side / 2, box["y"] + side / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.75 * side, box["y"] + side / 2, steps=4)
        page.mouse.up()
        settled(page)
        assert trait(page, "pose")[1] > 0.4
        ball = (box["x"] + 0.18 * side, box["y"] + side * (1 - 0.13))
        page.mouse.move(*ball)
        page.mouse.down()
        page.mouse.up()
        settled(page)
        assert trait(page, "light")["key_direction"][0] > 0.3


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360], ids=["desktop", "phone"])
def test_it_fits_the_window(open_face, width, dark, screenshots):
    with open_face(width=width, dark=dark) as visit:
        page = visit.page
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        name = f"face-explorer-{width}-{'dark' if dark else 'light'}.png"
        page.locator(".vx").screenshot(path=screenshots / name)


def test_in_a_notebook_the_kernel_sends_the_head(open_face):
    with open_face("notebook") as visit:
        assert len(trait(visit.page, "identity")) == 80
        assert visit.page.evaluate("window.saved") > 0


def test_it_gives_back_what_it_took(open_face):
    with open_face() as visit:
        page = visit.page
        assert page.evaluate(
            "() => { const gl = document.querySelector('.vx-head').getContext('webgl2');"
            " window.cleanup(); return gl.isContextLost(); }"
        )
        frames = page.get_attribute(".vx-head", "data-frames")
        page.set_viewport_size({"width": 900, "height": 700})
        page.wait_for_timeout(400)
        assert page.get_attribute(".vx-head", "data-frames") == frames


def test_without_webgl_a_picture_and_a_sentence_stay(browser, folder):
    blind = "HTMLCanvasElement.prototype.getContext = () => null;"
    with served(folder) as address:
        page = browser.new_page()
        page.add_init_script(blind)
        page.goto(f"{address}/book.html")
        page.wait_for_selector(".vx-status.vx-wrong", timeout=TIMEOUT)
        assert "WebGL 2" in page.inner_text(".vx-status")
        assert page.locator(".vx-still").is_visible()
        assert page.locator(".vx-still").evaluate("e => e.naturalWidth") == 512
        page.close()


LIGHTING_PAGE = """<!doctype html><link rel="icon" href="data:,"><script type="module">
import { LIGHTING } from "./face_lighting.js";
window.shade = ({ rows, light }) => {
  const canvas = document.createElement("canvas");
  const gl = canvas.getContext("webgl2");
  gl.getExtension("EXT_color_buffer_float");
  const add = (kind, source) => {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw gl.getShaderInfoLog(shader);
    gl.attachShader(program, shader);
  };
  const program = gl.createProgram();
  add(gl.VERTEX_SHADER, `#version 300 es
    void main() {
      gl_Position = vec4(gl_VertexID == 1 ? 3 : -1, gl_VertexID == 2 ? 3 : -1, 0, 1);
    }`);
  add(gl.FRAGMENT_SHADER, `#version 300 es
    precision highp float;
    uniform sampler2D uRows;
    out vec4 colour;
    ${LIGHTING}
    vec4 row(int k) { return texelFetch(uRows, ivec2(k, int(gl_FragCoord.x)), 0); }
    void main() {
      vec4 a = row(0), n = row(1), v = row(2), s = row(3);
      colour = vec4(reflectLight(a.rgb, n.xyz, v.xyz, a.w, n.w, v.w, s.x, s.y), 1);
    }`);
  gl.linkProgram(program);
  gl.useProgram(program);
  const table = (width, height, data) => {
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA32F, width, height, 0, gl.RGBA, gl.FLOAT, data);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    return texture;
  };
  const target = table(rows.length, 1, null);
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, target, 0);
  table(4, rows.length, Float32Array.from(rows.flat()));
  const place = (name) => gl.getUniformLocation(program, name);
  gl.uniform3fv(place("uAmbient"), light.ambient.flat());
  gl.uniform3fv(place("uKeyDirection"), light.key_direction);
  gl.uniform3fv(place("uKeyColour"), light.key_colour);
  gl.uniform1f(place("uKeyRadius"), light.key_radius);
  gl.viewport(0, 0, rows.length, 1);
  gl.drawArrays(gl.TRIANGLES, 0, 3);
  const found = new Float32Array(4 * rows.length);
  gl.readPixels(0, 0, rows.length, 1, gl.RGBA, gl.FLOAT, found);
  return Array.from(found);
};
window.ready = true;
</script>"""


def test_the_shader_s_light_is_reflectance_py(browser, tmp_path):
    source = bundle("face_lighting.js")
    (tmp_path / "face_lighting.js").write_text(source)
    (tmp_path / "index.html").write_text(LIGHTING_PAGE)
    generator = torch.Generator().manual_seed(8)
    count = 400

    def random(*shape):
        return torch.rand(*shape, generator=generator)

    def directions():
        return torch.nn.functional.normalize(random(count, 3) * 2 - 1, dim=1)

    albedo, normals, viewer = random(count, 3), directions(), directions()
    visible, occlusion, rough, specular, skin = random(5, count)
    rough = 0.08 + 0.9 * rough
    zero = torch.zeros(count)
    rows = torch.stack(
        [
            torch.cat([albedo, visible[:, None]], 1),
            torch.cat([normals, occlusion[:, None]], 1),
            torch.cat([viewer, rough[:, None]], 1),
            torch.stack([specular, skin, zero, zero], 1),
        ],
        1,
    )

    def picture(values):
        return values.T.reshape(1, -1, 1, count)

    lights = [preset_light("studio"), *(sample_lights(1, generator) for _ in range(2))]
    with served(tmp_path) as address, visiting(browser, f"{address}/index.html") as visit:
        visit.page.wait_for_function("window.ready")
        for light in lights:
            assert isinstance(light, Light)
            given = {
                name: getattr(light, name)[0].tolist()
                for name in ("ambient", "key_direction", "key_colour", "key_radius")
            }
            found = visit.page.evaluate(
                "given => window.shade(given)",
                {"rows": rows.flatten(1).tolist(), "light": given},
            )
            bleed = picture(skin[:, None]) * torch.tensor([0.5, 0.12, 0.0]).view(1, 3, 1, 1)
            seen = picture(visible[:, None])
            expected = reflect(
                picture(albedo),
                picture(normals),
                picture(viewer),
                light,
                key_visibility=seen + bleed * seen * (1 - seen),
                ambient_visibility=interreflected(picture(occlusion[:, None]), picture(albedo)),
                roughness=picture(rough[:, None]),
                specular=picture(specular[:, None]),
                scatter=picture(skin[:, None]) * torch.tensor(SKIN_SCATTER).view(1, 3, 1, 1),
            )
            shown = torch.tensor(found).view(count, 4)[:, :3]
            torch.testing.assert_close(shown, expected[0, :, 0].T, atol=2e-4, rtol=2e-3)
        assert not visit.errors
