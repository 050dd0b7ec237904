"""The explorers of Part V in chromium: α under the loupe, the simplex by hand, the turning head."""

import io
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from tests.book.browser.explorer_page import NO_WEBGL, answered, drag, fits, painted, pixels, slide

WHAT = "texture/what_skin_is_made_of.html"
BLEND = "texture/a_convex_blend.html"
MISSING = "texture/the_missing_half.html"
ALPHA, SIMPLEX, TURNING = ".vx-alpha", ".vx-simplex", ".vx-turning"
TIMEOUT = 60_000


def shown(page, explorer):
    return answered(page, explorer, "shown")


def set_to(page, explorer, key, value):
    slide(page, f'{explorer} input[data-key="{key}"]', value, rest=0)
    painted(page)


def value_of(page, explorer, key):
    return float(page.locator(f'{explorer} input[data-key="{key}"]').input_value())


def told(page, explorer, name):
    return page.locator(explorer).get_attribute(f"data-{name}")


def loupe(page, explorer, key):
    return pixels(page, f'{explorer} canvas[data-loupe="{key}"]')


def head(page):
    """What is on the stage, as the reader sees it, (H, W, 3) in [0, 1]."""
    shot = page.locator(f"{TURNING} .vx-turned").screenshot()
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), dtype=float) / 255


def forehead(picture):
    """Forehead and brows of a head that looks ahead: where no edge of its shape is."""
    height, width = picture.shape[:2]
    return picture[height // 5 : height * 2 // 5, width // 3 : width * 2 // 3]


def fine(picture):
    """Standard deviation of what is finer than a few pixels."""
    grey = picture.mean(2)
    around = (grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]) / 4
    return (grey[1:-1, 1:-1] - around).std()


def without_fault(visit):
    assert not visit.errors
    assert not visit.outside
    assert not visit.failed


def turning(visit):
    """The page with the head standing still, from the front."""
    page = shown(visit.page, TURNING)
    if "Stop" in page.locator(f'{TURNING} [data-key="spin"]').inner_text():
        page.locator(f'{TURNING} [data-key="spin"]').click()
    set_to(page, TURNING, "yaw", 0)
    return page


def press(page, explorer, group, value):
    page.locator(f'{explorer} [aria-label="{group}"] .vx-button[data-value="{value}"]').click()
    painted(page)


def test_alpha_makes_detail_and_none_leaves_the_start(open_page):
    with open_page(WHAT) as visit:
        page = shown(visit.page, ALPHA)
        most = page.locator(f'{ALPHA} input[data-key="alpha"]').get_attribute("max")
        set_to(page, ALPHA, "alpha", most)
        made, low = loupe(page, ALPHA, "made"), loupe(page, ALPHA, "low")
        assert fine(made) > 1.2 * fine(low)
        words = page.locator(f"{ALPHA} .vx-explain").inner_text()
        set_to(page, ALPHA, "alpha", 0)
        assert np.abs(loupe(page, ALPHA, "made") - low).max() < 0.01
        assert page.locator(f"{ALPHA} .vx-explain").inner_text() != words
        without_fault(visit)


def test_each_number_of_layers_is_another_texture(open_page):
    with open_page(WHAT) as visit:
        page = shown(visit.page, ALPHA)
        most = int(page.locator(f'{ALPHA} input[data-key="layers"]').get_attribute("max"))
        seen = []
        for count in range(1, most + 1):
            set_to(page, ALPHA, "layers", count)
            assert told(page, ALPHA, "shown").split()[1] == str(count)
            seen.append(pixels(page, f'{ALPHA} canvas[data-part="texture"]'))
        changes = [np.abs(a - b).mean() for a, b in pairwise(seen)]
        assert min(changes) > 1e-4
        without_fault(visit)


def test_the_loupe_follows_pointer_and_keys_and_exaggerates(open_page):
    with open_page(WHAT) as visit:
        page = shown(visit.page, ALPHA)
        canvas = page.locator(f'{ALPHA} canvas[data-part="texture"]')
        first = loupe(page, ALPHA, "truth")
        drag(canvas, [(0.5, 0.3), (0.5, 0.75)])
        second = loupe(page, ALPHA, "truth")
        assert np.abs(second - first).mean() > 0.005
        canvas.focus()
        page.keyboard.press("ArrowUp")
        painted(page)
        third = loupe(page, ALPHA, "truth")
        assert np.abs(third - second).mean() > 0.002
        set_to(page, ALPHA, "gain", 4)
        assert fine(loupe(page, ALPHA, "truth")) > 2 * fine(third)
        without_fault(visit)


def test_the_point_is_dragged_and_the_sliders_follow(open_page):
    with open_page(BLEND) as visit:
        page = shown(visit.page, SIMPLEX)
        plot = page.locator(f"{SIMPLEX} .vx-simplex-plot")
        before = loupe(page, SIMPLEX, "made")
        drag(plot, [(0.5, 0.6), (0.5, 0.3)])
        weights = [float(w) for w in told(page, SIMPLEX, "weights").split()]
        assert weights[0] > 0.8
        assert sum(weights) == pytest.approx(1, abs=0.01)
        assert value_of(page, SIMPLEX, "weight0") == pytest.approx(weights[0], abs=0.011)
        assert np.abs(loupe(page, SIMPLEX, "made") - before).mean() > 0.002
        without_fault(visit)


def test_a_corner_is_that_face_and_beyond_it_is_no_face(open_page):
    with open_page(BLEND) as visit:
        page = shown(visit.page, SIMPLEX)
        page.locator(f"{SIMPLEX} button", has_text="One face").click()
        painted(page)
        assert "Inside" in page.locator(f"{SIMPLEX} .vx-verdict").inner_text()
        one = loupe(page, SIMPLEX, "0")
        assert np.abs(loupe(page, SIMPLEX, "pixels") - one).max() < 0.02
        page.locator(f"{SIMPLEX} button", has_text="Beyond").click()
        painted(page)
        assert "Outside" in page.locator(f"{SIMPLEX} .vx-verdict").inner_text()
        assert "negative eigenvalue" in page.locator(f"{SIMPLEX} .vx-explain").inner_text()
        plot = page.locator(f"{SIMPLEX} .vx-simplex-plot")
        plot.focus()
        weights = told(page, SIMPLEX, "weights")
        page.keyboard.press("ArrowDown")
        painted(page)
        assert told(page, SIMPLEX, "weights") != weights
        set_to(page, SIMPLEX, "weight2", 1)
        assert value_of(page, SIMPLEX, "weight2") == pytest.approx(1, abs=0.01)
        without_fault(visit)


def test_the_mean_of_pictures_is_smoother_than_the_pictures(open_page):
    with open_page(BLEND) as visit:
        page = shown(visit.page, SIMPLEX)
        page.locator(f"{SIMPLEX} button", has_text="All three").click()
        painted(page)
        each = [fine(loupe(page, SIMPLEX, str(k))) for k in range(3)]
        assert fine(loupe(page, SIMPLEX, "pixels")) < np.mean(each)
        without_fault(visit)


def test_the_head_has_another_texture_at_each_side_of_the_line(open_page):
    with open_page(MISSING) as visit:
        page = turning(visit)
        press(page, TURNING, "Left of the line", "low")
        press(page, TURNING, "Right of the line", "truth")
        both = head(page)
        set_to(page, TURNING, "split", 0)
        right = head(page)
        set_to(page, TURNING, "split", 1)
        left = head(page)
        middle = both.shape[1] // 2
        assert np.abs(both[:, : middle - 8] - left[:, : middle - 8]).mean() < 0.01
        assert np.abs(both[:, middle + 8 :] - right[:, middle + 8 :]).mean() < 0.02
        # Names of what is shown stand in the corners, and lids and nose have edges of their own.
        assert fine(forehead(right)) > 1.5 * fine(forehead(left))
        assert told(page, TURNING, "shown").split()[1:3] == ["low", "truth"]
        without_fault(visit)


def test_the_head_turns_by_pointer_keys_and_by_itself(open_page):
    with open_page(MISSING) as visit:
        page = turning(visit)
        still = head(page)
        drag(page.locator(f"{TURNING} .vx-turned"), [(0.3, 0.5), (0.5, 0.5)])
        assert value_of(page, TURNING, "yaw") == pytest.approx(30, abs=3)
        assert np.abs(head(page) - still).mean() > 0.01
        page.locator(f"{TURNING} .vx-turned").focus()
        page.keyboard.press("ArrowLeft")
        painted(page)
        assert value_of(page, TURNING, "yaw") == pytest.approx(25, abs=3)
        page.keyboard.press("Shift+ArrowRight")
        painted(page)
        assert value_of(page, TURNING, "split") == pytest.approx(0.55, abs=0.011)
        page.locator(f'{TURNING} [data-key="spin"]').click()
        page.wait_for_function(
            "(from) => Math.abs(document.querySelector('.vx-turned').dataset.yaw - from) > 2",
            arg=value_of(page, TURNING, "yaw"),
            timeout=TIMEOUT,
        )
        without_fault(visit)


def test_what_was_invented_can_be_painted(open_page):
    with open_page(MISSING) as visit:
        page = turning(visit)
        before = head(page)
        page.locator(f'{TURNING} input[data-key="tint"]').check()
        painted(page)
        change = head(page) - before
        # Orange: more red than blue.
        assert (change[..., 0] - change[..., 2]).mean() > 0.005
        page.locator(f"{TURNING} .vx-portraits input").nth(1).check()
        painted(page)
        assert told(page, TURNING, "shown").startswith("1 ")
        without_fault(visit)


def test_without_webgl_the_head_says_so(open_page):
    with open_page("glossary.html") as visit:
        visit.page.add_init_script(NO_WEBGL)
        address = visit.page.url.replace("glossary.html", MISSING)
        visit.page.goto(address)
        status = visit.page.locator(f"{TURNING} .vx-status")
        status.wait_for(state="attached", timeout=TIMEOUT)
        visit.page.locator(TURNING).scroll_into_view_if_needed()
        visit.page.wait_for_function(
            "document.querySelector('.vx-turning .vx-status').textContent.includes('no WebGL 2')",
            timeout=TIMEOUT,
        )


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
@pytest.mark.parametrize(
    ("name", "selector"),
    [(WHAT, ALPHA), (BLEND, SIMPLEX), (MISSING, TURNING)],
    ids=["alpha", "simplex", "turning"],
)
def test_explorers_fit_the_window(open_page, name, selector, width, dark, screenshots):
    with open_page(name, width=width, dark=dark) as visit:
        page = shown(visit.page, selector)
        assert fits(page, selector, width)
        theme = "dark" if dark else "light"
        page.locator(selector).screenshot(
            path=screenshots / f"texture-{selector[4:]}-{width}-{theme}.png"
        )
