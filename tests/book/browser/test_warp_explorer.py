"""The warp's explorer in chromium: every control, and the page's picture against Python's."""

import numpy as np
import pytest

from tests.book.browser import explorer_page

PAGE = "normalization/a_warp_with_gradients.html"
REST = 600  # ms after which the picture has settled


def ready(visit):
    explorer_page.answered(visit.page, ".vx-warp").wait_for_timeout(REST)
    return visit.page


def pixels(page):
    return explorer_page.pixels(page, ".vx-warp canvas >> nth=0")


def slide(page, key, place):
    explorer_page.slide(page, f'.vx-warp input[data-key="{key}"]', place, REST)


def farthest(page):
    return float(page.locator(".vx-warp canvas").first.get_attribute("data-farthest"))


def press(page, selector):
    page.locator(f".vx-warp {selector}").click()
    page.wait_for_timeout(REST)


def test_sliders_and_reset(open_page):
    with open_page(PAGE) as visit:
        page = ready(visit)
        page.get_by_role("button", name="Reset").click()
        page.wait_for_timeout(REST)
        plain = pixels(page)
        assert farthest(page) == 0
        slide(page, "exaggerate", 1)
        assert farthest(page) > 2
        assert np.abs(pixels(page) - plain).mean() > 0.01
        slide(page, "exaggerate", 0)
        slide(page, "towards", 1)
        assert farthest(page) > 2
        page.get_by_role("button", name="Reset").click()
        page.wait_for_timeout(REST)
        assert np.abs(pixels(page) - plain).max() < 0.01
        assert not visit.errors
        assert not visit.outside
        assert not visit.failed


def test_drag_and_keys_move_a_landmark(open_page):
    with open_page(PAGE) as visit:
        page = ready(visit)
        page.get_by_role("button", name="Reset").click()
        page.wait_for_timeout(REST)
        page.locator('.vx-warp [data-landmark="30"]').focus()
        for _ in range(4):
            page.keyboard.press("ArrowRight")
        page.wait_for_timeout(REST)
        assert farthest(page) == pytest.approx(4, abs=0.01)
        page.keyboard.press("Delete")
        page.wait_for_timeout(REST)
        assert farthest(page) == 0
        page.keyboard.press("PageDown")
        focused = page.evaluate("document.activeElement.dataset.landmark")
        assert focused == "31"
        box = page.locator('.vx-warp [data-landmark="8"] .vx-warp-hit').bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 20, y + 10, steps=5)
        page.mouse.up()
        page.wait_for_timeout(REST)
        assert farthest(page) > 5


def test_switches_change_the_picture(open_page):
    with open_page(PAGE) as visit:
        page = ready(visit)
        slide(page, "exaggerate", 2)
        before = pixels(page)
        press(page, '[data-value="2"]')
        thin = pixels(page)
        assert np.abs(thin - before).mean() > 0.002
        press(page, '[data-toggle="boundary"]')
        assert np.abs(pixels(page) - thin).mean() > 0.002
        press(page, '[data-value="arrows"]')
        press(page, '[data-toggle="dots"]')
        assert not visit.errors


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
def test_it_fits_the_window(open_page, width, dark, screenshots):
    with open_page(PAGE, width=width, dark=dark) as visit:
        page = ready(visit)
        assert explorer_page.fits(page, ".vx-warp", width)
        name = f"warp-{width}-{'dark' if dark else 'light'}.png"
        page.locator(".vx-warp").screenshot(path=screenshots / name)
