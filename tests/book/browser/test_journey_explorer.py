"""The journey's explorer in chromium: every control, keys alone, with WebGL and without."""

import io
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from tests.book.browser.explorer_page import NO_WEBGL, answered, drag, fits, painted, slide
from visage.explore.journey_sheets import STAGES

PAGE = "avatar/from_a_photograph_to_an_avatar.html"
JOURNEY = ".vx-journey"
TIMEOUT = 90_000


def ready(page):
    return answered(page, JOURNEY)


def still(page):
    """The explorer with the head standing, from the front."""
    page = ready(page)
    spin = page.locator(f'{JOURNEY} [data-key="spin"]')
    if spin.is_enabled() and "Stop" in spin.inner_text():
        spin.click()
    set_to(page, "yaw", 0)
    return page


def shot(page, part):
    seen = page.locator(f'{JOURNEY} canvas[data-part="{part}"]').screenshot()
    return np.asarray(Image.open(io.BytesIO(seen)).convert("RGB"), dtype=float) / 255


def set_to(page, key, value):
    slide(page, f'{JOURNEY} input[data-key="{key}"]', value, rest=0)
    painted(page)


def value_of(page, key):
    return float(page.locator(f'{JOURNEY} input[data-key="{key}"]').input_value())


def press(page, value):
    page.locator(f'{JOURNEY} .vx-button[data-value="{value}"]').click()
    painted(page)


def check(page, key, on=True):
    page.locator(f'{JOURNEY} input[data-key="{key}"]').set_checked(on)
    painted(page)


def told(page):
    """Person, stage, look, truth, error and line, as the explorer says them."""
    return page.locator(JOURNEY).get_attribute("data-shown").split()


def somebody_synthetic(page):
    """Choose the first person whose truth is known."""
    people = page.locator(f"{JOURNEY} .vx-portraits input")
    for number in range(people.count()):
        people.nth(number).check()
        painted(page)
        if page.locator(f'{JOURNEY} input[data-key="truth"]').is_enabled():
            return number
    pytest.fail("nobody's truth is known")


def without_fault(visit):
    assert not visit.errors
    assert not visit.outside
    assert not visit.failed


def test_each_stage_stands_beside_its_input_with_its_distance(open_page):
    with open_page(PAGE) as visit:
        page = still(visit.page)
        pictures, words = [], []
        for stage in STAGES[:-1]:
            page.locator(f'{JOURNEY} input[data-stage="{stage}"]').check()
            painted(page)
            assert told(page)[1] == stage
            pictures.append(shot(page, "output"))
            words.append(page.locator(f"{JOURNEY} .vx-journey-words").inner_text())
            inputs = page.locator(f"{JOURNEY} canvas[data-input]")
            assert (inputs.count() == 0) == (stage == "photograph")
            verdict = page.locator(f"{JOURNEY} .vx-verdict").inner_text()
            number = page.locator(
                f'{JOURNEY} .vx-step:has(input[data-stage="{stage}"]) .vx-step-number'
            ).inner_text()
            assert verdict.startswith(number or "What all")
            assert "different" not in verdict
        assert len(set(words)) == len(words)
        for one, other in pairwise(pictures):
            assert one.shape != other.shape or np.abs(one - other).mean() > 0.002
        assert pictures[0].std() > 0.05
        without_fault(visit)


def test_back_and_next_walk_to_the_ends(open_page):
    with open_page(PAGE) as visit:
        page = still(visit.page)
        back, onward = (page.locator(f'{JOURNEY} [data-key="{key}"]') for key in ("back", "next"))
        assert onward.is_disabled()
        seen = [told(page)[1]]
        while back.is_enabled():
            back.click()
            painted(page)
            seen.append(told(page)[1])
        assert seen == list(STAGES[::-1])
        onward.click()
        painted(page)
        assert told(page)[1] == STAGES[1]
        without_fault(visit)


def test_everybody_has_another_face(open_page):
    with open_page(PAGE) as visit:
        page = still(visit.page)
        seen, people = [], page.locator(f"{JOURNEY} .vx-portraits input")
        assert people.count() >= 3
        for number in range(people.count()):
            people.nth(number).check()
            painted(page)
            assert told(page)[0] == str(number)
            seen.append(shot(page, "head"))
        for one, other in pairwise(seen):
            assert np.abs(one - other).mean() > 0.01
        without_fault(visit)


def test_coarse_fine_and_textured_are_three_heads(open_page):
    with open_page(PAGE) as visit:
        page = still(visit.page)
        set_to(page, "lampRight", 70)
        seen = {}
        for look in ("coarse", "fine", "textured"):
            press(page, look)
            assert told(page)[2] == look
            seen[look] = shot(page, "head")
        # Folds change little, skin changes much.
        assert np.abs(seen["fine"] - seen["coarse"]).mean() > 0.0005
        assert np.abs(seen["textured"] - seen["fine"]).mean() > 0.03
        clay = seen["coarse"][..., 0] - seen["coarse"][..., 2]
        assert np.abs(seen["textured"][..., 0] - seen["textured"][..., 2]).mean() > clay.mean()
        without_fault(visit)


def test_the_truth_lies_right_of_the_line(open_page):
    with open_page(PAGE) as visit:
        page = still(visit.page)
        somebody_synthetic(page)
        made = shot(page, "head")
        check(page, "truth")
        assert told(page)[3] == "true"
        set_to(page, "split", 0)
        truth = shot(page, "head")
        assert np.abs(truth - made).mean() > 0.005
        set_to(page, "split", 0.5)
        both = shot(page, "head")
        middle = both.shape[1] // 2
        # The names in the corners and the line itself lie over the canvas.
        top = slice(0, int(0.85 * len(both)))
        assert np.abs(both[top, : middle - 8] - made[top, : middle - 8]).mean() < 0.01
        assert np.abs(both[top, middle + 8 :] - truth[top, middle + 8 :]).mean() < 0.01
        canvas = page.locator(f"{JOURNEY} .vx-turned")
        drag(canvas, [(0.5, 0.5), (0.8, 0.5)])
        assert value_of(page, "split") == pytest.approx(0.8, abs=0.02)
        without_fault(visit)


def test_the_error_is_painted_and_said(open_page):
    with open_page(PAGE) as visit:
        page = still(visit.page)
        somebody_synthetic(page)
        legend = page.locator(f"{JOURNEY} .vx-error-legend")
        assert legend.is_hidden()
        plain = shot(page, "head")
        check(page, "error")
        painted_head = shot(page, "head")
        assert legend.is_visible()
        assert np.abs(painted_head - plain).mean() > 0.02
        facts = page.locator(f"{JOURNEY} .vx-journey-controls")
        assert "mm off" in facts.inner_text()
        textured = facts.inner_text()
        press(page, "coarse")
        assert facts.inner_text() != textured  # another part's answer
        assert np.abs(shot(page, "head") - painted_head).mean() > 0.002
        page.locator(f"{JOURNEY} .vx-portraits input").first.check()
        painted(page)
        assert told(page)[3:5] == ["false", "false"]
        assert "not known" in facts.inner_text()
        for key in ("truth", "error", "split"):
            assert page.locator(f'{JOURNEY} input[data-key="{key}"]').is_disabled()
        without_fault(visit)


def test_the_head_turns_by_pointer_sliders_and_by_itself(open_page):
    with open_page(PAGE) as visit:
        page = still(visit.page)
        before = shot(page, "head")
        drag(page.locator(f"{JOURNEY} .vx-turned"), [(0.3, 0.5), (0.5, 0.5)])
        assert value_of(page, "yaw") == pytest.approx(30, abs=3)
        assert np.abs(shot(page, "head") - before).mean() > 0.01
        for key, value in (("nod", 20), ("lampRight", -70), ("lampUp", 60)):
            last = shot(page, "head")
            set_to(page, key, value)
            assert np.abs(shot(page, "head") - last).mean() > 0.002, key
        page.locator(f'{JOURNEY} [data-key="spin"]').click()
        page.wait_for_function(
            "(from) => Math.abs(document.querySelector('.vx-journey .vx-turned').dataset.yaw - from) > 2",  # noqa: E501
            arg=value_of(page, "yaw"),
            timeout=TIMEOUT,
        )
        without_fault(visit)


def test_keys_alone_walk_and_turn(open_page):
    with open_page(PAGE) as visit:
        page = still(visit.page)
        page.locator(f'{JOURNEY} input[data-stage="{STAGES[-1]}"]').focus()
        page.keyboard.press("ArrowLeft")
        painted(page)
        assert told(page)[1] == STAGES[-2]
        page.keyboard.press("ArrowRight")
        painted(page)
        assert told(page)[1] == STAGES[-1]
        page.locator(f"{JOURNEY} .vx-portraits input").first.focus()
        page.keyboard.press("ArrowRight")
        painted(page)
        assert told(page)[0] == "1"
        check(page, "truth")
        page.locator(f"{JOURNEY} .vx-turned").focus()
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Shift+ArrowRight")
        painted(page)
        assert value_of(page, "yaw") == -5
        assert value_of(page, "nod") == 5
        assert value_of(page, "split") == pytest.approx(0.55, abs=0.011)
        page.locator(f'{JOURNEY} .vx-button[data-value="fine"]').focus()
        page.keyboard.press("Enter")
        painted(page)
        assert told(page)[2] == "fine"
        # Tab reaches every control: none is taken out of the order.
        assert page.locator(f'{JOURNEY} :is(input, button, canvas)[tabindex="-1"]').count() == 0
        without_fault(visit)


def test_the_head_can_be_taken_away(open_page):
    with open_page(PAGE) as visit:
        page = still(visit.page)
        with page.expect_download(timeout=TIMEOUT) as waiting:
            page.locator(f'{JOURNEY} [data-key="take"]').click()
        taken = waiting.value
        assert taken.suggested_filename.endswith(".glb")
        with open(taken.path(), "rb") as file:
            data = file.read()
        assert data[:4] == b"glTF"
        assert int.from_bytes(data[8:12], "little") == len(data) > 500_000
        assert "MB" in page.locator(f"{JOURNEY} .vx-status").inner_text()
        without_fault(visit)


def test_a_stage_leads_to_its_chapter(open_page):
    with open_page(PAGE) as visit:
        page = still(visit.page)
        page.locator(f'{JOURNEY} input[data-stage="coarse"]').check()
        painted(page)
        link = page.locator(f"{JOURNEY} .vx-journey-walk a")
        link.click()
        page.wait_for_url("**/geometry/coarse_geometry.html", timeout=TIMEOUT)
        without_fault(visit)


def test_without_webgl_the_head_is_painted(open_page):
    with open_page("glossary.html") as visit:
        visit.page.add_init_script(NO_WEBGL)
        visit.page.goto(visit.page.url.replace("glossary.html", PAGE))
        page = still(visit.page)
        assert page.locator(f"{JOURNEY} .vx-turned").get_attribute("data-drawn-by") == "canvas"
        assert "no WebGL 2" in page.locator(f"{JOURNEY} .vx-status").inner_text()
        somebody_synthetic(page)
        front = shot(page, "head")
        assert front.std() > 0.05
        press(page, "coarse")
        clay = shot(page, "head")
        assert np.abs(clay - front).mean() > 0.01
        set_to(page, "yaw", 30)
        assert np.abs(shot(page, "head") - clay).mean() > 0.01
        check(page, "truth")
        check(page, "error")
        assert np.abs(shot(page, "head") - clay).mean() > 0.01
        assert not visit.outside


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
def test_the_journey_fits_the_window(open_page, width, dark, screenshots):
    with open_page(PAGE, width=width, dark=dark) as visit:
        page = still(visit.page)
        theme = "dark" if dark else "light"
        for name in ("front", "fine"):
            page.locator(f'{JOURNEY} input[data-stage="{name}"]').check()
            painted(page)
            assert fits(page, JOURNEY, width)
            page.locator(JOURNEY).screenshot(
                path=screenshots / f"journey-{name}-{width}-{theme}.png"
            )
        without_fault(visit)
