"""The decoder's explorer in chromium: every control, and the page's faces against Python's."""

import numpy as np
import pytest
import torch

from tests.book.browser import explorer_page
from tools.browser import visit as visiting
from tools.serve import served
from visage.explore.normalized_face_explorer import WORLD, people_and_directions
from visage.normalization.decoder import load_decoder

PAGE = "normalization/faces_from_features.html"


def pixels(page, part):
    return explorer_page.pixels(page, f'canvas[data-part="{part}"]')


def settled(page):
    return explorer_page.settled(page, "canvas[data-part=face]")


def ready(visit):
    visit.page.locator(".vx-normalized").scroll_into_view_if_needed()
    return settled(visit.page)


def slide(page, key, place):
    explorer_page.slide(page, f'.vx-normalized input[data-key="{key}"]', place, 0)
    settled(page)


def choose(page, label, number):
    page.locator(f'.vx-normalized .vx-portraits[data-label="{label}"] input').nth(number).check()
    settled(page)


@pytest.fixture(scope="module")
def known():
    return people_and_directions()


@pytest.fixture(scope="module")
def decoder():
    return load_decoder(WORLD)


def shown(decoded, part):
    return getattr(decoded, part)[0].permute(1, 2, 0).numpy()


def test_the_page_decodes_and_warps_as_the_library_does(open_page, decoder, known):
    people = torch.tensor([person["features"] for person in known["people"]])
    direction = known["directions"][1]
    step = 1.5 * direction["spread"] * torch.tensor(direction["vector"])
    with open_page(PAGE) as visit:
        page = ready(visit)
        choose(page, "From", 2)
        choose(page, "To", 5)
        slide(page, "walk", 0.3)
        slide(page, "direction-1", 1.5)
        wanted = decoder((torch.lerp(people[2], people[5], 0.3) + step)[None])
        for part, canvas in (("image", "face"), ("texture", "texture")):
            assert shown(wanted, part).std() > 0.05
            assert np.abs(pixels(page, canvas) - shown(wanted, part)).mean() < 0.01
        assert pixels(page, "landmarks").std() > 0.01
        assert not visit.errors
        assert not visit.outside
        assert not visit.failed


def test_controls_move_the_face_and_reset_brings_it_back(open_page, known):
    with open_page(PAGE) as visit:
        page = ready(visit)
        plain = pixels(page, "face")
        for number in range(len(known["directions"])):
            slide(page, f"direction-{number}", 2.5)
            assert np.abs(pixels(page, "face") - plain).mean() > 0.002
            page.get_by_role("button", name="Reset the directions").click()
            settled(page)
            assert (pixels(page, "face") == plain).all()
        page.locator('.vx-normalized input[data-key="walk"]').focus()
        page.keyboard.press("End")
        settled(page)
        assert np.abs(pixels(page, "face") - plain).mean() > 0.005
        assert not visit.errors


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
def test_the_explorer_fits_the_window(open_page, width, dark, screenshots):
    with open_page(PAGE, width=width, dark=dark) as visit:
        page = ready(visit)
        assert explorer_page.fits(page, ".vx-normalized", width)
        name = f"normalized-face-{width}-{'dark' if dark else 'light'}.png"
        page.locator(".vx-normalized").screenshot(path=screenshots / name)


LATE = """
    await new Promise((done) => setTimeout(done, 20));
    const level = new Float32Array(buffers[0])[0];
    const texture = new Float32Array(3 * state.size * state.size).fill(level);
    const landmarks = Float32Array.from(state.mean.flat());
    reply(content.id, ...[texture, landmarks].map((values) => new DataView(values.buffer)));
"""
"""A kernel that answers late: a texture of one colour, and the mean landmarks."""


def test_in_a_notebook_the_kernel_decodes(browser, tmp_path):
    generator = torch.Generator().manual_seed(0)
    mean = (4 + 40 * torch.rand(68, 2, generator=generator)).tolist()
    people = [{"name": f"Person {n}", "features": [0.25 + 0.5 * n, 0.0], "face": "data:,"}
              for n in range(2)]  # fmt: skip
    directions = [{"name": "brighter", "vector": [1.0, 0.0], "spread": 0.1}]
    state = {"people": people, "directions": directions, "mean": mean, "size": 48,
             "network": "none.onnx", "still": "data:,", "values": {}}  # fmt: skip
    styles = ("explorer.css", "inversion_explorer.css")
    explorer_page.write_notebook(tmp_path, "normalized_face.js", styles, state, LATE)
    with served(tmp_path) as address, visiting(browser, f"{address}/index.html") as visit:
        page = ready(visit)
        assert np.abs(pixels(page, "face") - 0.25).max() < 0.01
        slide(page, "walk", 0.5)
        slide(page, "direction-0", 2)
        assert np.abs(pixels(page, "face") - 0.7).max() < 0.01
        assert not visit.errors
