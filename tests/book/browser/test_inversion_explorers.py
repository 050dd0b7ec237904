"""The explorers of part I: every control in chromium, and the page's numbers against Python's."""

import numpy as np
import pytest
import torch
from PIL import Image

from tests.book.browser.explorer_page import answered, fits, pixels, settled, slide, write_notebook
from tools.browser import visit as visiting
from tools.serve import served
from visage.explore.inversion_data import inversion_file, inversion_json
from visage.inversion.feedforward_reproduce import load_network
from visage.recognition.encoder import load_encoder

GRID = "inversion/an_embedding_is_not_a_hash.html"
NETWORK = "inversion/one_pass.html"
PAINTED = ".vx-painted"
TIMEOUT = 60_000


# Trade the terms.


@pytest.fixture(scope="module")
def grid():
    return inversion_json("grid.json")


@pytest.fixture(scope="module")
def tile(grid):
    """The computed picture of a person, way, guide and TV rung, (S, S, 3) in [0, 1]."""
    with Image.open(inversion_file("grid.webp")) as picture:
        sheet = np.asarray(picture.convert("RGB"), dtype=float) / 255
    ways, size = len(grid["ways"]), grid["tile"]

    def of(person, way, row, column):
        top = ((person * ways + way) * len(grid["guide_weights"]) + row) * size
        return sheet[top : top + size, column * size : (column + 1) * size]

    return of


def ready(visit):
    return answered(visit.page, ".vx-inversion")


def term(grid, name, person, way, row, column):
    shape = len(grid["ways"]), len(grid["guide_weights"]), len(grid["tv_weights"])
    return np.reshape(grid["people"][person]["terms"][name], shape)[way, row, column]


def distance(page):
    return float(page.get_attribute(".vx-inversion .vx-verdict", "data-distance"))


def choose(page, label, number):
    page.locator(f'.vx-inversion .vx-portraits[data-label="{label}"] input').nth(number).check()
    page.wait_for_timeout(120)


def test_knots_show_what_was_computed(open_page, grid, tile):
    last = len(grid["guide_weights"]) - 1, len(grid["tv_weights"]) - 1
    with open_page(GRID) as visit:
        page = ready(visit)
        for person, way in ((0, 0), (2, len(grid["ways"]) - 1)):
            choose(page, "Whose embedding", person)
            if len(grid["ways"]) > 1:
                page.locator(f'.vx-button[data-value="{grid["ways"][way]}"]').click()
            for row, column in ((0, 0), (2, 1), last, (last[0], 0), (0, last[1])):
                page.locator(f'[data-knot="{row},{column}"]').dispatch_event("click")
                page.wait_for_timeout(120)
                shown = pixels(page, '[data-face="result"]')
                # Two decoders of one WebP.
                assert np.abs(shown - tile(person, way, row, column)).mean() < 0.01
                expected = term(grid, "embedding", person, way, row, column) ** 0.5
                assert distance(page) == pytest.approx(expected, abs=2e-3)
        assert not visit.errors
        assert not visit.outside
        assert not visit.failed


def test_pictures_blend_between_knots(open_page, grid, tile):
    with open_page(GRID) as visit:
        page = ready(visit)
        page.get_by_role("button", name="Embedding alone").click()
        first, second = grid["tv_weights"][:2]
        assert first == 0
        assert second == 1e-4  # place 1 of the slider, and place 0.5 is its half
        slide(page, '.vx-inversion input[data-key="tv"]', 0.5)
        way = len(grid["ways"]) - 1  # which the page begins with
        half = (tile(0, way, 0, 0) + tile(0, way, 0, 1)) / 2
        assert np.abs(pixels(page, '[data-face="result"]') - half).mean() < 0.012
        both = [term(grid, "embedding", 0, way, 0, column) for column in (0, 1)]
        assert distance(page) == pytest.approx((both[0] * both[1]) ** 0.25, abs=2e-3)


def test_only_ratios_of_the_weights_matter(open_page):
    cells = "document.querySelector('[data-face=result]').dataset.cells"
    with open_page(GRID) as visit:
        page = ready(visit)
        page.get_by_role("button", name="+ guide").click()
        page.wait_for_timeout(120)
        before = page.evaluate(cells)
        slide(page, '.vx-inversion input[data-key="embedding"]', -0.5)
        assert page.evaluate(cells) != before
        # The guide's 0.1 was at place 2, and all are divided by the same number.
        slide(page, '.vx-inversion input[data-key="guide"]', 1.5)
        slide(page, '.vx-inversion input[data-key="tv"]', 1.5)
        after = page.evaluate(cells)
        shares = [{int(k): float(v) for k, v in (c.split(":") for c in said.split())}
                  for said in (before, after)]  # fmt: skip
        for cell in shares[0].keys() | shares[1].keys():
            assert shares[0].get(cell, 0) == pytest.approx(shares[1].get(cell, 0), abs=0.01)


def test_the_keyboard_alone_is_enough(open_page):
    with open_page(GRID) as visit:
        page = ready(visit)
        before = distance(page)
        page.locator('.vx-inversion input[data-key="guide"]').focus()
        page.keyboard.press("Home")
        page.wait_for_timeout(120)
        assert page.locator('input[data-key="guide"]').get_attribute("aria-valuetext") == "off"
        assert distance(page) != before
        page.locator(".vx-portraits input").first.focus()
        page.keyboard.press("ArrowRight")
        assert page.locator(".vx-portraits input").nth(1).is_checked()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
def test_the_grid_fits_the_window(open_page, width, dark, screenshots):
    with open_page(GRID, width=width, dark=dark) as visit:
        page = ready(visit)
        assert fits(page, ".vx-inversion", width)
        name = f"inversion-grid-{width}-{'dark' if dark else 'light'}.png"
        page.locator(".vx-inversion").screenshot(path=screenshots / name)


# Walk between people.


@pytest.fixture(scope="module")
def network():
    return load_network(50)


@pytest.fixture(scope="module")
def embeddings():
    people = inversion_json("people.json")["people"]
    return torch.tensor([person["embedding"] for person in people])


def painting(visit):
    visit.page.locator(".vx-inversion").scroll_into_view_if_needed()
    return settled(visit.page, PAINTED)


def bars(page):
    found = page.locator(".vx-distances").evaluate("e => ({...e.dataset})")
    return {name: float(value) for name, value in found.items()}


def test_the_page_paints_what_the_library_paints(open_page, network, embeddings):
    with open_page(NETWORK) as visit:
        page = painting(visit)
        choose(page, "From", 2)
        choose(page, "To", 5)
        slide(page, '.vx-inversion input[data-key="walk"]', 0.3)
        slide(page, '.vx-inversion input[data-key="scale"]', 1.6)
        settled(page, PAINTED)
        mixed = torch.lerp(embeddings[2], embeddings[5], 0.3)
        wanted = network.input.centre + 1.6 * (mixed - network.input.centre)
        expected = network(wanted[None])[0].permute(1, 2, 0).numpy()
        shown = pixels(page, ".vx-painted")
        assert expected.std() > 0.05
        assert np.abs(shown - expected).mean() < 0.01
        found = bars(page)
        assert found["askeda"] == pytest.approx((wanted - embeddings[2]).norm().item(), abs=2e-3)
        assert found["askedb"] == pytest.approx((wanted - embeddings[5]).norm().item(), abs=2e-3)
        page.get_by_role("button", name="Mirror").click()
        settled(page, PAINTED)
        assert np.abs(pixels(page, ".vx-painted") - expected[:, ::-1]).mean() < 0.01
        assert not visit.errors
        assert not visit.outside
        assert not visit.failed


def test_the_recogniser_is_asked_on_demand_and_agrees_with_the_library(open_page, embeddings):
    with open_page(NETWORK) as visit:
        page = painting(visit)
        requests = []
        page.on("request", lambda request: requests.append(request.url.rsplit("/", 1)[-1]))
        assert "facea" not in bars(page)
        page.get_by_role("button", name="Ask the recogniser").click()
        page.wait_for_selector(".vx-distances[data-facea]", timeout=TIMEOUT)
        assert requests == ["dlib_resnet.onnx"]
        slide(page, '.vx-inversion input[data-key="walk"]', 0.5)
        settled(page, PAINTED)
        shown = torch.from_numpy(pixels(page, ".vx-painted")).float().permute(2, 0, 1)[None]
        face, found = load_encoder().embed(shown)[0], bars(page)
        mixed = (embeddings[0] + embeddings[1]) / 2
        for name, other in (("asked", mixed), ("a", embeddings[0]), ("b", embeddings[1])):
            expected = (face - other).norm().item()
            assert found[f"face{name}"] == pytest.approx(expected, abs=0.05), name


def test_what_is_done_to_the_embedding_shows(open_page):
    with open_page(NETWORK) as visit:
        page = painting(visit)
        plain = pixels(page, ".vx-painted")
        slide(page, '.vx-inversion input[data-key="noise"]', 1.5)
        settled(page, PAINTED)
        noisy, away = pixels(page, ".vx-painted"), bars(page)["askeda"]
        assert np.abs(noisy - plain).mean() > 0.005
        assert away > 0.1
        page.get_by_role("button", name="Other noise").click()
        settled(page, PAINTED)
        assert np.abs(pixels(page, ".vx-painted") - noisy).mean() > 0.005
        page.get_by_role("button", name="Reset").click()
        settled(page, PAINTED)
        assert (pixels(page, ".vx-painted") == plain).all()
        assert bars(page)["askeda"] == 0
        bits = page.get_by_role("button", name="1 bit a number")
        bits.focus()
        page.keyboard.press("Enter")
        settled(page, PAINTED)
        assert bits.get_attribute("aria-pressed") == "true"
        assert np.abs(pixels(page, ".vx-painted") - plain).mean() > 0.005
        page.locator('.vx-inversion input[data-key="walk"]').focus()
        page.keyboard.press("End")
        settled(page, PAINTED)
        assert bars(page)["askedb"] < bars(page)["askeda"]
        assert not visit.errors


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
def test_the_network_s_explorer_fits_the_window(open_page, width, dark, screenshots):
    with open_page(NETWORK, width=width, dark=dark) as visit:
        page = painting(visit)
        assert fits(page, ".vx-inversion", width)
        name = f"inversion-network-{width}-{'dark' if dark else 'light'}.png"
        page.locator(".vx-inversion").screenshot(path=screenshots / name)


# In a notebook.

LATE = """
    await new Promise((done) => setTimeout(done, 20));
    if (content.kind === "asset") {
      const file = await fetch("./" + content.name);
      return reply(content.id, new DataView(await file.arrayBuffer()));
    }
    const bytes = content.kind === "paint"
      ? new Uint8Array(3 * 150 * 150).fill(Math.round(255 * new Float32Array(buffers[0])[0]))
      : new Uint8Array(4 * 128);
    reply(content.id, new DataView(bytes.buffer));
"""
"""A kernel that answers late: paints one colour, and embeds everything as zero."""


def notebook(folder, script, state):
    write_notebook(folder, script, ("explorer.css", "inversion_explorer.css"), state, LATE)


def test_in_a_notebook_the_kernel_sends_the_pictures(browser, tmp_path, grid, tile):
    notebook(tmp_path, "inversion_grid.js", {"grid": grid, "values": {"way": "still"}})
    (tmp_path / "grid.webp").write_bytes(inversion_file("grid.webp").read_bytes())
    with served(tmp_path) as address, visiting(browser, f"{address}/index.html") as visit:
        page = ready(visit)
        page.locator('[data-knot="1,1"]').dispatch_event("click")
        page.wait_for_timeout(120)
        assert np.abs(pixels(page, '[data-face="result"]') - tile(0, 0, 1, 1)).mean() < 0.01
        assert not visit.errors


def test_in_a_notebook_the_kernel_paints_and_embeds(browser, tmp_path, embeddings):
    people = inversion_json("people.json")["people"]
    people[0] = {**people[0], "embedding": [0.6] + [0.0] * 127}
    state = {"people": people, "centre": [0.0] * 128, "spread": 0.05, "threshold": 0.6,
             "network": "none.onnx", "still": people[0]["face"], "values": {}}  # fmt: skip
    notebook(tmp_path, "inversion_network.js", state)
    with served(tmp_path) as address, visiting(browser, f"{address}/index.html") as visit:
        page = painting(visit)
        assert np.abs(pixels(page, ".vx-painted") - 0.6).max() < 0.01
        page.get_by_role("button", name="Ask the recogniser").click()
        page.wait_for_selector(".vx-distances[data-facea]", timeout=TIMEOUT)
        assert bars(page)["facea"] == pytest.approx(0.6, abs=1e-3)
        assert bars(page)["faceb"] == pytest.approx(embeddings[1].norm().item(), abs=1e-3)
        assert not visit.errors
