"""The explorers of Part III in chromium: every control, and the page's numbers against Python's."""

import numpy as np
import pytest
import torch

from tests.book.browser.explorer_page import fits, pixels, settled, slide, write_notebook
from tools.browser import visit as visiting
from tools.serve import served
from visage.explore import nfgan_faces
from visage.explore.discriminator_explorer import forgeries
from visage.explore.five_losses_explorer import PRESETS, load_judge, weights_of
from visage.explore.nfgan_faces import pack_faces, shown_people
from visage.nfgan.family import load_family
from visage.nfgan.losses import TERMS
from visage.nfgan.measures import laplacian_energy
from visage.nfgan.networks import load_nfgan

LOSSES, GAME = "nfgan/five_losses.html", "nfgan/the_discriminators_view.html"
TIMEOUT = 60_000
STYLES = ("explorer.css", "nfgan_explorer.css")


def canvas(explorer, part):
    return f'{explorer} canvas[data-part="{part}"]'


def losses(visit):
    visit.page.locator(".vx-five").scroll_into_view_if_needed()
    return settled(visit.page, canvas(".vx-five", "outcome"))


def game(visit):
    visit.page.locator(".vx-judge").scroll_into_view_if_needed()
    return settled(visit.page, canvas(".vx-judge", "face"))


def walk(visit):
    visit.page.locator(".vx-traversal").scroll_into_view_if_needed()
    return settled(visit.page, canvas(".vx-traversal", "face"))


def face(page, explorer, part):
    return pixels(page, f'{explorer} canvas[data-part="{part}"]')[..., 0]


def values_of(page):
    """The five losses as the page says them, by name."""
    return {
        name: float(page.locator(f'.vx-loss[data-term="{name}"]').get_attribute("data-value"))
        for name in TERMS
    }


def preset(page, name):
    page.locator(".vx-five").get_by_role("button", name=name, exact=True).click()
    settled(page, canvas(".vx-five", "outcome"))


@pytest.fixture(scope="module")
def people():
    return shown_people()


@pytest.mark.parametrize("number", [0, 1], ids=["all", "pixels"])
def test_the_page_generates_and_judges_as_the_library_does(open_page, people, number):
    family, judge, chosen = load_family(), load_judge(), PRESETS[number]
    weights = torch.tensor([weights_of(chosen.letters, family)])
    one = slice(2, 3)
    wanted = family(people.inputs[one], weights)
    losses_wanted = judge(people.inputs[one], wanted, people.targets[one])[0]
    with open_page(LOSSES) as visit:
        page = losses(visit)
        page.locator(".vx-five .vx-portraits input").nth(2).check()
        settled(page, canvas(".vx-five", "outcome"))
        preset(page, chosen.name)
        assert wanted.std() > 0.03
        assert np.abs(face(page, ".vx-five", "outcome") - wanted[0, 0].numpy()).mean() < 0.01
        for name, value in zip(TERMS, losses_wanted.tolist(), strict=True):
            assert values_of(page)[name] == pytest.approx(value, rel=0.15, abs=0.01)
        sharp = float(page.locator(".vx-sharp").get_attribute("data-value"))
        wanted_sharp = laplacian_energy(wanted) / laplacian_energy(people.targets[one])
        assert sharp == pytest.approx(float(wanted_sharp), rel=0.15, abs=0.02)
        assert not visit.errors
        assert not visit.outside
        assert not visit.failed


def test_sliders_move_the_face_and_the_plot_follows(open_page):
    with open_page(LOSSES) as visit:
        page = losses(visit)
        plain = face(page, ".vx-five", "outcome")
        for name in ("perceptual", "adversarial", "pixel"):
            preset(page, "All five")
            slide(page, f'.vx-five input[data-key="{name}"]', 0)
            settled(page, canvas(".vx-five", "outcome"))
            assert np.abs(face(page, ".vx-five", "outcome") - plain).mean() > 1e-4
            assert page.locator(f'.vx-loss[data-term="{name}"] output').inner_text() == "off"
        page.wait_for_function(
            "document.querySelector('.vx-trade-box').dataset.traced === 'pixel'", timeout=TIMEOUT
        )
        assert page.locator(".vx-trade-lines .vx-term-line").count() == len(TERMS)
        preset(page, "All five")
        assert np.abs(face(page, ".vx-five", "outcome") - plain).max() < 1e-6
        page.locator('.vx-five input[data-key="symmetry"]').focus()
        page.keyboard.press("ArrowRight")
        settled(page, canvas(".vx-five", "outcome"))
        assert "Weights of your own" in page.locator(".vx-preset-words").inner_text()
        assert not visit.errors


def test_the_discriminator_in_the_page_is_the_library_s(open_page, people):
    network = load_nfgan()
    with open_page(GAME) as visit:
        page = game(visit)
        page.locator(".vx-judge .vx-portraits input").nth(4).check()
        settled(page, canvas(".vx-judge", "face"))
        logits = network.discriminator(people.targets[4:5])
        patches = page.locator('.vx-judge canvas[data-part="patches"]').get_attribute(
            "data-patches"
        )
        found = torch.tensor([float(p) for p in patches.split(",")])
        torch.testing.assert_close(found, logits.sigmoid().flatten(), atol=0.08, rtol=0)
        score = float(page.locator(".vx-judge .vx-verdict").get_attribute("data-score"))
        assert score == pytest.approx(float(found.mean()), abs=0.001)
        made = next(iter(forgeries(network, people.inputs).values()))
        page.locator('.vx-judge button[data-value="made-0"]').click()
        settled(page, canvas(".vx-judge", "face"))
        assert np.abs(face(page, ".vx-judge", "face") - made[4, 0].numpy()).mean() < 0.01
        assert not visit.errors
        assert not visit.outside
        assert not visit.failed


def test_every_edit_changes_the_face_and_start_again_undoes_it(open_page):
    with open_page(GAME) as visit:
        page = game(visit)
        plain = face(page, ".vx-judge", "face")

        def changed():
            settled(page, canvas(".vx-judge", "face"))
            return np.abs(face(page, ".vx-judge", "face") - plain).mean()

        edits = {"blur": 2, "brightness": 0.2, "contrast": 1.6, "noise": 0.1, "shift": 3}
        for key, value in edits.items():
            slide(page, f'.vx-judge input[data-key="{key}"]', value)
            assert changed() > 0.002, key
            page.locator('.vx-judge button[data-key="reset"]').click()
            assert changed() == 0
        for part in ("mouth", "eyes", "nose"):
            page.locator(f'.vx-judge button[data-key="{part}"]').click()
            assert changed() > 0.0005, part
            page.locator('.vx-judge button[data-key="reset"]').click()
        page.locator('.vx-judge button[data-value="left"]').click()
        assert changed() > 0.001
        now = face(page, ".vx-judge", "face")
        assert (now == now[:, ::-1]).all()
        page.locator('.vx-judge button[data-key="reset"]').click()
        assert changed() == 0
        page.locator(".vx-easel").click(position={"x": 100, "y": 120})
        assert changed() > 0.0005
        page.locator('.vx-judge button[data-key="undo"]').click()
        assert changed() == 0
        page.locator(".vx-easel").focus()
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Space")
        assert changed() > 0.0005
        page.locator('.vx-judge button[data-value="hangs"]').click()
        page.wait_for_function(
            "document.querySelector('.vx-judge canvas[data-part=heat]').dataset.changes",
            timeout=TIMEOUT,
        )
        assert not visit.errors


def test_a_round_is_counted_for_both(open_page):
    with open_page(GAME) as visit:
        page = game(visit)
        page.get_by_role("tab", name="Guess against it").click()
        tally = page.locator(".vx-tally")
        for asked in (1, 2):
            page.locator('.vx-guess[data-side="0"]').click()
            page.wait_for_function(
                f"document.querySelector('.vx-tally').dataset.its.endsWith('/{asked}')",
                timeout=TIMEOUT,
            )
            right, of = tally.get_attribute("data-yours").split("/")
            assert int(right) <= int(of) == asked
            page.keyboard.press("Enter")  # the button for the next pair has the focus
        page.locator('.vx-judge select[data-key="forger"]').select_option("1")
        assert tally.get_attribute("data-yours") == "0/0"
        assert not visit.errors


def test_the_way_is_walked_as_the_library_walks_it(open_page, people):
    network = load_nfgan()
    faces, start = network(people.inputs[1:2])
    end = network.encoder(faces)
    other = network.encoder(people.inputs[5:6])
    with open_page(LOSSES) as visit:
        page = walk(visit)
        page.locator('.vx-traversal .vx-portraits[data-label="From"] input').nth(1).check()
        for goal, code, place in (("own", end, 0.5), ("other", other, 0.5), ("other", other, -1)):
            if goal == "other":
                label = '.vx-traversal .vx-portraits[data-label="To another’s"] input'
                page.locator(label).nth(5).check()
            slide(page, '.vx-traversal input[data-key="place"]', place)
            settled(page, canvas(".vx-traversal", "face"))
            wanted = network.decoder(torch.lerp(start, code, place))[0, 0]
            assert np.abs(face(page, ".vx-traversal", "face") - wanted.numpy()).mean() < 0.02
        assert not visit.errors


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
@pytest.mark.parametrize(
    ("name", "selector", "ready"),
    [(LOSSES, ".vx-five", losses), (LOSSES, ".vx-traversal", walk), (GAME, ".vx-judge", game)],
    ids=["losses", "walk", "game"],
)
def test_explorers_fit_the_window(open_page, name, selector, ready, width, dark, screenshots):
    with open_page(name, width=width, dark=dark) as visit:
        page = ready(visit)
        page.wait_for_timeout(1500)  # the plots
        assert fits(page, selector, width)
        theme = "dark" if dark else "light"
        page.locator(selector).screenshot(
            path=screenshots / f"nfgan{selector.removeprefix('.vx')}-{width}-{theme}.png"
        )
        if selector == ".vx-judge":
            page.get_by_role("tab", name="Guess against it").click()
            assert fits(page, selector, width)
            page.locator(selector).screenshot(path=screenshots / f"nfgan-guess-{width}-{theme}.png")


ANSWERS = {
    "five_losses.js": """
      if (content.kind === "generate") {
        const weights = new Float32Array(buffers[1]);
        const faces = new Float32Array(buffers[0]).fill(weights[0] / 20);
        reply(content.id, new DataView(faces.buffer));
      } else reply(content.id, new DataView(Float32Array.of(5, 4, 3, 2, 1).buffer));
    """,
    "gan_game.js": """
      const count = new Float32Array(buffers[0]).length / 4096;
      reply(content.id, new DataView(new Float32Array(16 * count).fill(2).buffer));
    """,
    "traversal.js": """
      const given = new Float32Array(buffers[0]);
      const count = content.kind === "encode" ? given.length / 4096 : given.length / 2;
      const made = content.kind === "encode"
        ? Float32Array.from({ length: 2 * count }, (_, i) => given[Math.floor(i / 2) * 4096])
        : Float32Array.from({ length: 4096 * count }, (_, i) => given[2 * Math.floor(i / 4096)]);
      reply(content.id, new DataView(made.buffer));
    """,
}
"""Kernels: a face of one level by the first weight; logits of 2; a code of a face's first pixel."""


def in_notebook(browser, folder, script, state, check):
    write_notebook(folder, script, STYLES, {"values": {}, **state}, ANSWERS[script])
    with served(folder) as address, visiting(browser, f"{address}/index.html") as visit:
        check(visit)
        assert not visit.errors


def test_in_a_notebook_the_kernel_generates(browser, tmp_path, people):
    packed = pack_faces(people.inputs[:3])
    terms = [
        {"key": name, "name": name.capitalize(), "what": "", "low": 1, "high": 10, "range": [1, 9]}
        for name in TERMS
    ]
    presets = [{"name": "All five", "what": "", "weights": [4.0] * 5}]
    state = {"inputs": packed, "targets": packed, "terms": terms, "presets": presets}

    def check(visit):
        page = losses(visit)
        assert np.abs(face(page, ".vx-five", "outcome") - 0.2).max() < 0.01
        assert list(values_of(page).values()) == [5, 4, 3, 2, 1]
        slide(page, '.vx-five input[data-key="perceptual"]', 24)
        settled(page, canvas(".vx-five", "outcome"))
        assert np.abs(face(page, ".vx-five", "outcome") - 0.5).max() < 0.01

    in_notebook(browser, tmp_path, "five_losses.js", state | {"networks": ["a", "b"]}, check)


def test_networks_of_their_own_are_read_off_the_sheet(browser, tmp_path, people, monkeypatch):
    monkeypatch.setattr(nfgan_faces, "FOLDER", tmp_path / "sheet")
    values = {"psaix": torch.full((3, 5), 2.0), "x": torch.full((3, 5), 7.0)}
    made = {"psaix": people.inputs[:3], "x": people.targets[:3]}
    nfgan_faces.write_subsets(made, values)
    known = nfgan_faces.subset_faces()
    packed = pack_faces(people.inputs[:3])
    terms = [
        {"key": name, "name": name.capitalize(), "what": "", "low": 1, "high": 10, "range": [1, 9]}
        for name in TERMS
    ]
    presets = [
        {"name": "All five", "what": "", "weights": [4.0] * 5},
        {"name": "Pixels alone", "what": "", "weights": [0.0] * 4 + [4.0]},
    ]
    state = {"inputs": packed, "targets": packed, "terms": terms, "presets": presets,
             "networks": ["a", "b"], "letters": "psaix", "subsets": list(known.subsets),
             "subset_sheet": known.sheet}  # fmt: skip

    def check(visit):
        page = losses(visit)
        page.locator('.vx-five button[data-value="own"]').click()
        settled(page, canvas(".vx-five", "outcome"))
        for name, letters in (("All five", "psaix"), ("Pixels alone", "x")):
            preset(page, name)
            page.locator(".vx-five .vx-portraits input").nth(1).check()
            settled(page, canvas(".vx-five", "outcome"))
            wanted = made[letters][1, 0].numpy()
            assert np.abs(face(page, ".vx-five", "outcome") - wanted).mean() < 0.02
            assert set(values_of(page).values()) == {float(values[letters][0, 0])}
        slide(page, '.vx-five input[data-key="pixel"]', 0)
        settled(page, canvas(".vx-five", "outcome"))
        assert "No such network" in page.locator(".vx-preset-words").inner_text()

    in_notebook(browser, tmp_path, "five_losses.js", state, check)


def test_in_a_notebook_the_kernel_judges(browser, tmp_path, people):
    packed = pack_faces(people.targets[:3])
    state = {"real": packed, "forgers": [{"key": "made-0", "name": "made", "faces": packed}],
             "patches": [4, 4], "network": "none.onnx"}  # fmt: skip

    def check(visit):
        page = game(visit)
        score = float(page.locator(".vx-judge .vx-verdict").get_attribute("data-score"))
        assert score == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-4)

    in_notebook(browser, tmp_path, "gan_game.js", state, check)


def test_in_a_notebook_the_kernel_walks(browser, tmp_path):
    levels = torch.tensor([0.2, 0.6])[:, None, None, None].expand(2, 1, 64, 64)
    state = {"inputs": pack_faces(levels), "names": ["One", "Two"], "networks": ["a", "b"]}

    def check(visit):
        page = walk(visit)
        page.locator('.vx-traversal button[data-value="other"]').click()
        slide(page, '.vx-traversal input[data-key="place"]', 0.5)
        settled(page, canvas(".vx-traversal", "face"))
        assert np.abs(face(page, ".vx-traversal", "face") - 0.4).max() < 0.01

    in_notebook(browser, tmp_path, "traversal.js", state, check)
