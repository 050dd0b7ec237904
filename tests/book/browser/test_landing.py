"""The landing page in chromium: alive at once, small, and to be had with the keyboard alone."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.book.browser.explorer_page import NO_WEBGL, fits, painted, slide
from visage.explore.landing_explorer import BUDGET

PAGE, EXPLORER = "index.html", ".vx-landing"
STAGES = ("numbers", "face", "normal", "shape", "skin", "avatar")


def ready(page):
    page.wait_for_function(
        "(which) => document.querySelector(which)?.dataset.ready === 'true'",
        arg=EXPLORER, timeout=60_000,
    )  # fmt: skip
    return painted(page)


def shown(page):
    """What the screen shows of the stage, (H, W, 3) in [0, 1], whatever draws it."""
    stage = painted(page).locator(f"{EXPLORER} .vx-landing-stage")
    picture = Image.open(io.BytesIO(stage.screenshot(timeout=60_000))).convert("RGB")
    return np.asarray(picture, dtype=float) / 255


def apart(one, other):
    return float(abs(one - other).mean())


def test_it_is_alive_without_a_click_and_small(open_page):
    with open_page(PAGE) as visit:
        page = ready(visit.page)
        head = shown(page)
        assert head.std() > 0.1, "nothing is drawn"
        loaded = page.evaluate(
            "performance.getEntriesByType('resource').filter(({name}) => name.includes('landing'))"
            ".map(({decodedBodySize}) => decodedBodySize)"
        )
        assert len(loaded) >= 2
        assert 50_000 < sum(loaded) < BUDGET
        assert not visit.outside
        assert not visit.errors


def test_every_stage_shows_something_else_and_links_to_its_part(open_page):
    with open_page(PAGE) as visit:
        page = ready(visit.page)
        titles, links = set(), set()
        for stage in STAGES:
            page.locator(f'{EXPLORER} [role=tab][data-stage="{stage}"]').click()
            painted(page)
            assert page.locator(EXPLORER).get_attribute("data-stage") == stage
            titles.add(page.locator(f"{EXPLORER} .vx-title").inner_text())
            for link in page.locator(f"{EXPLORER} .vx-links a").all():
                links.add(link.evaluate("e => e.href"))
        assert len(titles) == len(STAGES)
        assert len(links) == 7
        for link in links:
            assert page.request.get(link).ok, link
        page.locator(f'{EXPLORER} [data-stage="numbers"]').click()
        assert page.locator(f"{EXPLORER} .vx-ring line").count() == 128
        page.locator(f'{EXPLORER} [data-stage="face"]').click()
        assert page.locator(f"{EXPLORER} .vx-pair img").count() == 2
        assert not visit.errors


@pytest.mark.parametrize("stage", ["shape", "skin", "avatar"])
def test_turn_and_lamp_change_the_picture(open_page, stage):
    with open_page(PAGE) as visit:
        page = ready(visit.page)
        page.locator(f'{EXPLORER} [data-stage="{stage}"]').first.click()
        first = shown(page)
        slide(page, f'{EXPLORER} input[data-key="yaw"]', -30, rest=0)
        turned = shown(page)
        assert apart(first, turned) > 0.01
        slide(page, f'{EXPLORER} input[data-key="lampRight"]', -60, rest=0)
        assert apart(turned, shown(page)) > 0.004
        if stage == "skin":
            before = shown(page)
            slide(page, f'{EXPLORER} input[data-key="split"]', 0, rest=0)
            assert apart(before, shown(page)) > 0.002
        assert not visit.errors


def test_the_keyboard_alone_drives_it(open_page):
    with open_page(PAGE) as visit:
        page = ready(visit.page)
        page.locator(f"{EXPLORER} [role=tab][aria-selected=true]").focus()
        for wanted in ("numbers", "face"):  # it goes round
            page.keyboard.press("ArrowRight")
            assert page.locator(EXPLORER).get_attribute("data-stage") == wanted
        page.keyboard.press("End")
        assert page.evaluate("document.activeElement.dataset.stage") == "avatar"
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.dataset.part") == "stage"
        first = shown(page)
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
        assert apart(first, shown(page)) > 0.003
        second = shown(page)
        page.keyboard.press("Shift+ArrowLeft")
        page.keyboard.press("Shift+ArrowLeft")
        assert apart(second, shown(page)) > 0.002


def test_the_head_and_the_lamp_can_be_dragged(open_page):
    with open_page(PAGE) as visit:
        page = ready(visit.page)
        stage = page.locator(f"{EXPLORER} .vx-grip")
        stage.scroll_into_view_if_needed()
        box, lamp = stage.bounding_box(), page.locator(".vx-lamp-grip").bounding_box()
        value = lambda key: float(page.locator(f'input[data-key="{key}"]').input_value())  # noqa: E731
        before = value("yaw")
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + box["height"] / 2, steps=3)
        page.mouse.up()
        assert value("yaw") < before - 15
        page.mouse.move(lamp["x"] + lamp["width"] / 2, lamp["y"] + lamp["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + box["height"] / 2, steps=3)
        page.mouse.up()
        assert value("lampRight") == pytest.approx(-53, abs=3)


def test_nothing_moves_for_who_wants_rest_and_it_turns_when_asked(open_page):
    with open_page(PAGE) as visit:  # the window prefers reduced motion
        page = ready(visit.page)
        still = page.locator(EXPLORER).get_attribute("data-shown")
        page.wait_for_timeout(400)
        assert page.locator(EXPLORER).get_attribute("data-shown") == still
        page.locator(f'{EXPLORER} [data-key="spin"]').click()
        page.wait_for_function(
            "(old) => document.querySelector('.vx-landing').dataset.shown !== old", arg=still
        )


def test_without_webgl_a_picture_stands_there(open_page):
    with open_page("how_to_read.html") as visit:
        visit.page.add_init_script(NO_WEBGL)
        visit.page.goto(visit.page.url.replace("how_to_read", "index"))
        page = ready(visit.page)
        assert page.locator(f"{EXPLORER} .vx-still").is_visible()
        assert "no WebGL 2" in page.locator(f"{EXPLORER} .vx-status").inner_text()
        page.locator(f'{EXPLORER} [data-stage="shape"]').first.click()
        assert shown(page).std() > 0.05, "the surface is painted without a card"


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_fits(open_page, screenshots, width, dark):
    with open_page(PAGE, width=width, dark=dark) as visit:
        page = ready(visit.page)
        theme = "dark" if dark else "light"
        for stage in STAGES:
            page.locator(f'{EXPLORER} [data-stage="{stage}"]').first.click()
            painted(page)
            assert fits(page, EXPLORER, width)
            page.locator(EXPLORER).screenshot(
                path=screenshots / f"landing-{stage}-{width}-{theme}.png"
            )
        arrangement = page.locator(".paper-map svg").evaluate_all(
            "all => all.filter((one) => getComputedStyle(one).display !== 'none')"
            ".map((one) => one.getAttribute('class'))"
        )
        assert arrangement == ["map-wide" if width > 680 else "map-tall"]
