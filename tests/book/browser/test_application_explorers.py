"""The explorers of appendices B and C: every control in chromium, and pixels against Python's."""

import numpy as np
import pytest
import torch

from tests.book.browser.explorer_page import (
    SENDS_FILES,
    answered,
    fits,
    pixels,
    slide,
    write_notebook,
)
from tools.browser import visit as visiting
from tools.serve import served
from visage.explore.avatar_explorer import AVATARS, AvatarExplorer, standard_avatars
from visage.explore.colour_explorer import ColourExplorer, lamp_gains
from visage.normalization.applications_study import cast
from visage.normalization.avatar import draw_avatars, fine_model
from visage.normalization.colour_correction import correct_colours, face_colour
from visage.normalization.white_balance import grey_world

CHAPTER = "normalization/what_a_normal_face_is_good_for.html"


def ready(visit, kind):
    return answered(visit.page, kind)


@pytest.fixture(scope="module")
def avatars():
    return standard_avatars()[1]


def drawn(avatars, person, yaw, colours, size, lit):
    angles = torch.tensor([[0.0, np.radians(yaw), 0.0]], dtype=torch.float32)
    vertices = avatars.vertices[person : person + 1]
    image = draw_avatars(
        fine_model(), vertices, colours[person : person + 1], angles, size, lit=lit
    )
    return image[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize(
    ("person", "yaw", "show", "lit"),
    [(0, 0, "blend", True), (1, 35, "blend", False), (2, -60, "projected", False),
     (1, 20, "basis", True)],
)  # fmt: skip
def test_the_page_draws_what_the_library_draws(open_page, avatars, person, yaw, show, lit):
    texture = avatars.texture
    colours = {"blend": texture.colours, "projected": texture.projected, "basis": texture.explained}
    with open_page(CHAPTER) as visit:
        page = ready(visit, ".vx-avatar")
        page.locator(".vx-avatar .vx-portraits input").nth(person).check()
        page.locator(f'.vx-avatar .vx-button[data-value="{show}"]').click()
        page.locator('.vx-avatar input[data-key="lit"]').set_checked(lit)
        slide(page, '.vx-application input[data-key="yaw"]', yaw, 150)
        shown = pixels(page, ".vx-avatar .vx-head")
        expected = drawn(avatars, person, yaw, colours[show], len(shown), float(lit))
        # Edges are smoothed otherwise, and what lies behind the lips is left out.
        assert np.abs(shown - expected).mean() < 0.012
        assert np.abs(shown - expected).max(2).mean() < 0.03
        assert not visit.errors
        assert not visit.outside
        assert not visit.failed


def test_heads_turn_by_mouse_and_keyboard(open_page):
    with open_page(CHAPTER) as visit:
        page = ready(visit, ".vx-avatar")
        head = page.locator(".vx-avatar .vx-head")
        head.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(100)
        assert float(head.get_attribute("data-yaw")) == pytest.approx(5)
        box = head.bounding_box()
        page.mouse.move(box["x"] + 200, box["y"] + 200)
        page.mouse.down()
        page.mouse.move(box["x"] + 100, box["y"] + 200)
        page.mouse.up()
        page.wait_for_timeout(100)
        assert float(head.get_attribute("data-yaw")) < 0
        still = float(head.get_attribute("data-yaw"))
        spin = page.get_by_role("button", name="Spin")  # readers who want less motion ask for it
        spin.click()
        page.wait_for_timeout(600)
        assert float(head.get_attribute("data-yaw")) != still
        page.get_by_role("button", name="Stop").click()
        for name in ("Confidence (eq. 9)", "Shape alone"):
            page.get_by_role("button", name=name).click()
            assert page.locator('.vx-avatar input[data-key="lit"]').is_disabled()
        assert not visit.errors


def test_casts_and_corrections_are_the_library_s(open_page):
    with open_page(CHAPTER) as visit:
        page = ready(visit, ".vx-colour")
        page.locator(".vx-colour .vx-portraits input").nth(1).check()
        slide(page, '.vx-application input[data-key="stops"]', -0.8, 150)
        slide(page, '.vx-application input[data-key="mireds"]', 336, 150)
        slide(page, '.vx-application input[data-key="green"]', 0.1, 150)
        before = torch.from_numpy(pixels(page, '[data-face="truth"]')).float()
        before = before.permute(2, 0, 1)[None]
        gains = lamp_gains()[16:17] * 2**-0.8 * torch.tensor([[1.0, 1.1, 1.0]])
        lit = cast(before, gains)
        shown = {name: pixels(page, f'[data-face="{name}"]') for name in ("input", "ours", "grey")}
        target = torch.tensor(ColourExplorer.standard().targets[1:2])
        ours = correct_colours(lit, face_colour(lit), target)
        for name, image in (("input", lit), ("ours", ours), ("grey", grey_world(lit))):
            expected = image[0].permute(1, 2, 0).numpy()
            assert np.abs(shown[name] - expected).mean() < 0.004, name
        angles = {name: float(page.get_attribute(f'[data-face="{name}"]', "data-angle"))
                  for name in shown}  # fmt: skip
        assert angles["ours"] < angles["input"]
        page.get_by_role("button", name="No cast").click()
        page.wait_for_timeout(150)
        assert np.abs(pixels(page, '[data-face="input"]')
                      - pixels(page, '[data-face="truth"]')).mean() < 0.004  # fmt: skip
        assert not visit.errors
        assert not visit.outside
        assert not visit.failed


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
def test_the_explorers_fit_the_window(open_page, width, dark, screenshots):
    with open_page(CHAPTER, width=width, dark=dark) as visit:
        for kind in (".vx-avatar", ".vx-colour"):
            page = ready(visit, kind)
            assert fits(page, kind, width)
            name = f"application{kind[3:]}-{width}-{'dark' if dark else 'light'}.png"
            page.locator(kind).screenshot(path=screenshots / name)


# In a notebook.


def test_in_a_notebook_the_kernel_sends_the_heads(browser, tmp_path, avatars):
    explorer = AvatarExplorer.standard()
    (tmp_path / AVATARS).write_bytes(explorer._heads)
    state = {"portraits": explorer.portraits, "still": explorer.still,
             "values": {"person": 2, "yaw": 25, "spinning": False}}  # fmt: skip
    styles = ("explorer.css", "application_explorers.css")
    write_notebook(tmp_path, "avatar_explorer.js", styles, state, SENDS_FILES)
    with served(tmp_path) as address, visiting(browser, f"{address}/index.html") as visit:
        page = ready(visit, ".vx-avatar")
        shown = pixels(page, ".vx-avatar .vx-head")
        expected = drawn(avatars, 2, 25, avatars.texture.colours, len(shown), 1.0)
        assert np.abs(shown - expected).mean() < 0.012
        assert not visit.errors
