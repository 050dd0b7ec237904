"""The explorers of Part IV in chromium: lamp, head, keys, with WebGL and without."""

import base64
import io
import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image

from tests.book.browser import explorer_page
from tests.book.browser.explorer_page import (
    NO_WEBGL,
    answered,
    fits,
    painted,
    pixels,
    slide,
    write_notebook,
)
from tools.browser import visit as visiting
from tools.serve import served
from visage.explore.geometry_faces import shown_faces
from visage.explore.mesh_viewer import MeshViewer
from visage.explore.relief_explorer import ReliefExplorer
from visage.explore.relief_faces import true_face
from visage.explore.shading_grid import FIDELITIES, SMOOTHNESSES
from visage.geometry.export import surface_of_numbers
from visage.geometry.face_mesh import FaceMesh

COARSE = "geometry/coarse_geometry.html"
MIDDLE = "geometry/a_depth_map_with_gradients.html"
FINE = "geometry/wrinkles_from_shading.html"
RELIEF = ".vx-relief:not(.vx-weights):not(.vx-mesh)"
TIMEOUT = 60_000
STYLES = ("explorer.css", "inversion_explorer.css", "geometry_explorers.css")


def shown(page, explorer):
    return answered(page, explorer, "shown")


def surface(page, explorer):
    """What is on the stage, as the reader sees it, (H, W, 3) in [0, 1]."""
    shot = page.locator(f"{explorer} .vx-surface").screenshot()
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), dtype=float) / 255


def drag(page, explorer, path, *, modifier=None):
    explorer_page.drag(page.locator(f"{explorer} .vx-surface"), path, modifier=modifier)


def press(page, explorer, value):
    page.locator(f'{explorer} .vx-button[data-value="{value}"]').first.click()
    painted(page)


def set_to(page, explorer, key, value):
    slide(page, f'{explorer} input[data-key="{key}"]', value, rest=0)
    painted(page)


def value_of(page, explorer, key):
    return float(page.locator(f'{explorer} input[data-key="{key}"]').input_value())


@pytest.fixture(scope="module")
def state():
    """A relief explorer of two people, of the truth, small."""
    people = shown_faces()
    faces = [true_face(people[[number]], 200) for number in (1, 3)]
    widget = ReliefExplorer(faces, {"surface": "true"})
    return {"faces": widget.faces, "values": widget.values}


@pytest.fixture
def open_relief(browser, tmp_path, state):
    """The relief explorer as a notebook shows it; `webgl=False` for a browser that has none."""

    def opened(check, *, webgl=True, width=900):
        write_notebook(tmp_path, "relief.js", STYLES, state, "")
        script = tmp_path / "index.html"
        if not webgl:
            text = script.read_text().replace("<body>", f"<body><script>{NO_WEBGL}</script>")
            script.write_text(text)
        with served(tmp_path) as address, visiting(browser, f"{address}/index.html",
                                                   width=width) as visit:  # fmt: skip
            page = shown(visit.page, RELIEF)
            check(page)
            assert not visit.errors
            assert not visit.outside

    return opened


def test_the_stage_of_the_chapter_draws_a_face(open_page):
    with open_page(FINE) as visit:
        page = shown(visit.page, RELIEF)
        seen = surface(page, RELIEF)
        assert seen.std() > 0.08
        assert not visit.errors
        assert not visit.outside
        assert not visit.failed


def test_the_lamp_follows_the_pointer_and_the_face_follows_the_lamp(open_relief):
    def check(page):
        drag(page, RELIEF, [(0.9, 0.5)])
        right = surface(page, RELIEF)
        assert value_of(page, RELIEF, "lampRight") > 40
        drag(page, RELIEF, [(0.5, 0.5), (0.1, 0.5)])
        left = surface(page, RELIEF)
        assert value_of(page, RELIEF, "lampRight") < -40
        middle = slice(150, 280)
        half = left.shape[1] // 2
        lit = [s[middle, half - 80 : half + 80].mean((0, 2)) for s in (left, right)]
        # The side of the lamp is the lighter one.
        assert lit[0][:80].mean() > lit[0][80:].mean() + 0.02
        assert lit[1][80:].mean() > lit[1][:80].mean() + 0.02

    open_relief(check)


def test_arrow_keys_move_the_lamp_and_with_shift_the_head(open_relief):
    def check(page):
        canvas = page.locator(f"{RELIEF} .vx-surface")
        canvas.focus()
        before = [value_of(page, RELIEF, key) for key in ("lampRight", "lampUp", "turn", "nod")]
        plain = surface(page, RELIEF)
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("Shift+ArrowDown")
        painted(page)
        after = [value_of(page, RELIEF, key) for key in ("lampRight", "lampUp", "turn", "nod")]
        assert [b - a for a, b in zip(before, after, strict=True)] == [5, 5, 5, 5]
        assert np.abs(surface(page, RELIEF) - plain).mean() > 0.005
        page.locator(f'{RELIEF} button[data-key="front"]').click()
        painted(page)
        assert value_of(page, RELIEF, "turn") == value_of(page, RELIEF, "nod") == 0

    open_relief(check)


def test_the_head_turns_within_its_limits(open_relief):
    def check(page):
        press(page, RELIEF, "head")
        drag(page, RELIEF, [(0.5, 0.5), (0.7, 0.5)])
        assert value_of(page, RELIEF, "turn") == pytest.approx(18, abs=2)
        drag(page, RELIEF, [(0.1, 0.5), (0.95, 0.5)])
        assert value_of(page, RELIEF, "turn") == 45

    open_relief(check)


def test_every_look_and_surface_is_another_picture(open_relief):
    def check(page):
        pictures = {}
        for look in ("clay", "skin", "normals", "depth", "photograph"):
            press(page, RELIEF, look)
            pictures[look] = surface(page, RELIEF)
        names = list(pictures)
        for one, other in pairwise(names):
            assert np.abs(pictures[one] - pictures[other]).mean() > 0.02, (one, other)
        press(page, RELIEF, "clay")
        fine = surface(page, RELIEF)
        press(page, RELIEF, "coarse")
        coarse = surface(page, RELIEF)
        assert page.locator(f'{RELIEF} input[data-key="detail"]').is_disabled()
        press(page, RELIEF, "true")
        set_to(page, RELIEF, "detail", 4)
        deeper = surface(page, RELIEF)
        assert 0.0005 < np.abs(fine - coarse).mean() < np.abs(deeper - coarse).mean()
        set_to(page, RELIEF, "detail", 0)
        assert np.abs(surface(page, RELIEF) - coarse).mean() < 1e-3
        page.locator(f"{RELIEF} .vx-portraits input").nth(1).check()
        page.wait_for_function(
            "(which) => document.querySelector(which).dataset.shown.startsWith('1 ')", arg=RELIEF
        )
        painted(page)
        assert np.abs(surface(page, RELIEF) - coarse).mean() > 0.02

    open_relief(check)


def test_without_webgl_the_page_paints_the_same_face(open_relief):
    found = {}

    def keep(kind):
        def check(page):
            canvas = page.locator(f"{RELIEF} .vx-surface")
            assert canvas.get_attribute("data-drawn-by") == kind
            found[kind] = surface(page, RELIEF)
            if kind == "canvas":
                assert "no WebGL 2" in page.locator(f"{RELIEF} .vx-status").inner_text()
                set_to(page, RELIEF, "turn", 20)
                assert np.abs(surface(page, RELIEF) - found[kind]).mean() > 0.01

        return check

    open_relief(keep("webgl"))
    open_relief(keep("canvas"), webgl=False)
    # The canvas has one point where the card has several pixels, so that edges differ.
    one, other = found["webgl"], found["canvas"]
    assert np.abs(one - other).mean() < 0.05
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.95


def test_the_page_s_errors_are_written_beside_the_surface(open_relief, state):
    def check(page):
        told = json.loads(page.locator(f"{RELIEF} .vx-apart").get_attribute("data-apart"))
        millimetres, degrees = told["coarse"]
        assert 0.005 < millimetres < 0.2  # wrinkles
        assert 0.1 < degrees < 5

    open_relief(check)


def test_coarsenet_s_steps_are_those_of_the_sheet(open_page):
    with open_page(COARSE) as visit:
        visit.page.locator(".vx-steps").wait_for(state="attached", timeout=60_000)
        page = shown(visit.page, ".vx-steps")
        first = pixels(page, '.vx-steps canvas[data-part="normals"]')
        errors = []
        for step in range(5):
            slide(page, '.vx-steps input[data-key="step"]', step)
            errors.append(float(page.locator(".vx-steps").get_attribute("data-error")))
        assert errors[-1] < errors[0]
        last = pixels(page, '.vx-steps canvas[data-part="normals"]')
        assert np.abs(last - first).mean() > 0.01
        page.locator('.vx-steps [data-key="play"]').click()
        page.wait_for_function(
            "document.querySelector('.vx-steps input[data-key=step]').value === '6'",
            timeout=TIMEOUT,
        )
        page.locator(".vx-steps .vx-portraits input").nth(2).check()
        press(page, ".vx-steps", "1")
        assert page.locator(".vx-steps").get_attribute("data-shown") == "2 1 6"
        assert not visit.errors
        assert not visit.outside
        assert not visit.failed


def test_weights_lead_to_the_surfaces_of_the_grid(open_page):
    with open_page(FINE) as visit:
        page = shown(visit.page, ".vx-weights")
        marks = {}
        for f, s in ((0, 0), (len(FIDELITIES) - 1, 1), (1, len(SMOOTHNESSES) - 1)):
            page.locator(f'.vx-weights rect[data-knot="{f},{s}"]').click()
            painted(page)
            place = page.locator(".vx-weights").get_attribute("data-shown").split()[1:]
            cell, share = max((one.split(":") for one in place), key=lambda one: float(one[1]))
            assert (int(cell), float(share)) == (
                f * len(SMOOTHNESSES) + s,
                pytest.approx(1, abs=0.02),
            )
            marks[f, s] = pixels(page, '.vx-weights canvas[data-part="explained"]')
        values = list(marks.values())
        assert np.abs(values[0] - values[1]).mean() > 0.002
        assert np.abs(values[0] - values[2]).mean() > 0.002
        ratio = page.locator(".vx-weights .vx-verdict").get_attribute("data-ratio")
        for key in ("shading", "fidelity", "smoothness"):
            page.locator(f'.vx-weights input[data-key="{key}"]').focus()
            page.keyboard.press("ArrowLeft")
        painted(page)
        assert page.locator(".vx-weights .vx-verdict").get_attribute("data-ratio") != ratio
        press(page, ".vx-weights", "1")
        assert page.locator(".vx-weights").get_attribute("data-shown").startswith("1 ")
        assert not visit.errors
        assert not visit.outside
        assert not visit.failed


def test_the_mesh_is_drawn_and_can_be_taken_away(open_page, browser, tmp_path):
    people = shown_faces()[[1]]
    made = surface_of_numbers(FaceMesh.load(), people.numbers, people.photos)
    widget = MeshViewer({"one": made})
    write_notebook(tmp_path, "mesh_viewer.js", STYLES, {"files": widget.files, "values": {}}, "")
    with served(tmp_path) as address, visiting(browser, f"{address}/index.html") as visit:
        page = shown(visit.page, ".vx-mesh")
        plain = surface(page, ".vx-mesh")
        assert plain.std() > 0.08
        page.locator('.vx-mesh input[data-key="wire"]').check()
        painted(page)
        assert np.abs(surface(page, ".vx-mesh") - plain).mean() > 0.005
        assert f"{len(made.vertices):,} vertices" in page.locator(".vx-mesh").inner_text()
        with page.expect_download() as waiting:
            page.locator('.vx-mesh [data-key="take"]').click()
        taken = waiting.value
        assert taken.suggested_filename == "one.glb"
        with open(taken.path(), "rb") as file:
            assert file.read() == base64.b64decode(widget.files[0]["glb"])
        assert not visit.errors
    with open_page(MIDDLE) as visit:
        page = shown(visit.page, ".vx-mesh")
        first = surface(page, ".vx-mesh")
        press(page, ".vx-mesh", "1")
        assert np.abs(surface(page, ".vx-mesh") - first).mean() > 0.01
        assert not visit.errors
        assert not visit.outside
        assert not visit.failed


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
@pytest.mark.parametrize(
    ("name", "selector"),
    [(COARSE, ".vx-steps"), (MIDDLE, ".vx-mesh"), (FINE, RELIEF), (FINE, ".vx-weights")],
    ids=["steps", "mesh", "relief", "weights"],
)
def test_explorers_fit_the_window(open_page, name, selector, width, dark, screenshots):
    with open_page(name, width=width, dark=dark) as visit:
        visit.page.locator(selector).first.wait_for(state="attached", timeout=60_000)
        page = shown(visit.page, selector)
        assert fits(page, selector, width)
        theme = "dark" if dark else "light"
        page.locator(selector).screenshot(
            path=screenshots / f"geometry-{selector.split('.')[1][:10]}-{width}-{theme}.png"
        )


def test_the_truth_has_wrinkles_that_the_page_can_show(state):
    """What the pictures above compare differs by more than their tolerance."""
    people = shown_faces()[[1]]
    coarse, mask = people.coarse_depth()
    fine, _ = people.depth()
    assert (coarse - fine)[mask > 0].abs().max() > 0.3
    assert torch.isfinite(fine[mask > 0]).all()
    assert state["faces"][0]["surfaces"][1]["key"] == "true"
