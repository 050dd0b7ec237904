"""The explorer of the first chapter: every control answers, in the page alone and with a kernel."""

import io
import json

import pytest
import skimage
import torch
from PIL import Image

from tools.browser import visit as visiting
from tools.serve import served
from visage.explore.javascript import bundle, stylesheet
from visage.photos.corruption import Corruption, corrupt, surroundings
from visage.photos.reading import open_photo
from visage.recognition.encoder import load_encoder

PAGE = "start/who_is_this.html"
VERDICT = ".vx-verdict[data-distance]"
EXTREMES = {
    "blur": 6,
    "exposure": 2,
    "rotation": 45,
    "zoom": 0.7,
    "shift_x": 25,
    "shift_y": -20,
    "cover": 0.9,
}


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def ready(visit):
    """Scroll to the explorer, which starts to load, and wait for its first answer."""
    visit.page.locator(".vx").scroll_into_view_if_needed()
    visit.page.wait_for_selector(VERDICT, timeout=60_000)
    return visit.page


def distance(page):
    return float(page.get_attribute(VERDICT, "data-distance"))


def move(page, key, value):
    """Move a slider; return the distance once the whole curve of that slider is drawn."""
    slider = page.locator(f'.vx input[data-key="{key}"]')
    slider.evaluate(
        "(e, value) => { e.value = value; e.dispatchEvent(new Event('input', {bubbles: true})); }",
        value,
    )
    page.wait_for_selector(f'.vx [data-traced="{key}"]', timeout=60_000)
    return distance(page)


@pytest.fixture(scope="module")
def expected():
    """The same distances as the library computes them."""
    encoder = load_encoder()
    source = surroundings(open_photo(skimage.data.astronaut()))
    plain = encoder.embed(corrupt(source, Corruption()))

    def distance(key, value):
        if key == "rotation":
            value = torch.pi * value / 180
        return encoder.distance(
            plain, encoder.embed(corrupt(source, Corruption(**{key: value})))
        ).item()

    return distance


@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
def test_every_slider_moves_the_distance_as_the_library_says(
    open_page, expected, width, screenshots
):
    with open_page(PAGE, width=width) as visit:
        page = ready(visit)
        assert distance(page) == 0
        for key, value in EXTREMES.items():
            # The picture travels as JPEG and the weights in eight bits.
            assert move(page, key, value) == pytest.approx(expected(key, value), abs=0.06), key
            page.get_by_role("button", name="Reset").click()
            page.wait_for_selector('.vx-verdict[data-distance="0.0000"]', timeout=60_000)
        move(page, "cover", 0.6)
        page.locator(".vx").screenshot(path=screenshots / f"explorer-{width}.png")
        assert not visit.errors
        assert not visit.outside


def test_other_controls(open_page):
    with open_page(PAGE) as visit:
        page = ready(visit)
        page.get_by_role("button", name="Mirror").click()
        page.wait_for_function(f"+document.querySelector('{VERDICT}').dataset.distance > 0.05")
        page.get_by_role("button", name="Reset").click()
        page.wait_for_selector('.vx-verdict[data-distance="0.0000"]')
        assert move(page, "noise", 0.3) > 0.1
        page.get_by_role("button", name="Reset").click()
        seen = {move(page, "cover", 0.7)}
        for occluder in ("mask", "patch"):
            before = distance(page)
            page.locator(".vx select").select_option(occluder)
            page.wait_for_function(
                f"+document.querySelector('{VERDICT}').dataset.distance != {before}"
            )
            seen.add(distance(page))
        assert len(seen) == 3
        assert not visit.errors


def test_the_keyboard_alone_is_enough(open_page):
    with open_page(PAGE) as visit:
        page = ready(visit)
        page.locator('.vx input[data-key="shift_y"]').focus()
        for _ in range(5):
            page.keyboard.press("ArrowRight")
        page.wait_for_selector('.vx [data-traced="shift_y"]', timeout=60_000)
        assert distance(page) > 0.05
        assert page.locator('.vx input[data-key="shift_y"]').input_value() == "5"


def choose(page, number, name, data):
    page.locator(".vx input[type=file]").nth(number).set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": data}
    )


def test_a_reader_s_photograph_is_found_without_a_server(open_page):
    astronaut = skimage.data.astronaut()
    with open_page(PAGE) as visit:
        page = ready(visit)
        requests = []
        page.on("request", lambda request: requests.append(request.url))
        choose(page, 1, "portrait.png", png(astronaut))
        page.wait_for_function(
            f"+document.querySelector('{VERDICT}').dataset.distance > 0", timeout=60_000
        )
        # Another alignment of the same photograph: near, and not the same.
        assert distance(page) < 0.25
        assert page.locator(".vx-name").all_inner_texts()[1] == "portrait.png"
        # The locator and nothing else was fetched; no request carried the picture away.
        assert [url.rsplit("/", 1)[-1] for url in requests if not url.startswith("blob:")] == [
            "locator.onnx"
        ]


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("cat.png", png(skimage.data.chelsea()), "No face"),
        ("notes.txt", b"no picture at all", "not a picture"),
    ],
)
def test_what_is_no_face_is_refused_in_words(open_page, name, data, words):
    with open_page(PAGE) as visit:
        page = ready(visit)
        choose(page, 1, name, data)
        page.wait_for_selector(".vx-status.vx-wrong", timeout=60_000)
        assert words in page.inner_text(".vx-status")
        assert distance(page) == 0


KERNEL_PAGE = """<!doctype html><html><meta charset="utf-8"><link rel="icon" href="data:,">
<style>{css}</style><body><div id="widget"></div>
<script type="module">
import widget from "./widget.js";
const state = {state};
const listeners = [];
const model = {{
  get: (key) => state[key],
  set: (key, value) => {{ state[key] = value; }},
  on: (_, listener) => listeners.push(listener),
  // A kernel that answers late: the embedding is the mean of each of 128 runs of pixels.
  send: (content, _, buffers) => setTimeout(() => {{
    const reply = (message, data = []) => listeners.forEach((listener) => listener(message, data));
    if (content.kind === "face")
      return reply({{ id: content.id, error: "there is no face in " + content.name }});
    const pixels = new Float32Array(buffers[0]);
    const step = Math.floor(pixels.length / 128);
    const means = Float32Array.from({{ length: 128 }}, (_, i) =>
      pixels.slice(i * step, (i + 1) * step).reduce((s, v) => s + v, 0) / step);
    reply({{ id: content.id }}, [new DataView(means.buffer)]);
  }}, 20),
}};
widget.render({{ model, el: document.getElementById("widget") }});
</script>"""


def test_in_a_notebook_the_kernel_answers(browser, tmp_path):
    from visage.explore.embedding_explorer import _data_url

    source = surroundings(open_photo(skimage.data.astronaut()))
    state = {
        "faces": [{"name": "somebody", "image": _data_url(source)}],
        "histograms": {"edges": [0, 0.6, 1.2], "same": [9, 1], "different": [1, 9]},
        "threshold": 0.6,
        "values": {},
    }
    (tmp_path / "widget.js").write_text(bundle("embedding_explorer.js"))
    page = KERNEL_PAGE.format(css=stylesheet(), state=json.dumps(state))
    (tmp_path / "index.html").write_text(page)
    with served(tmp_path) as address, visiting(browser, f"{address}/index.html") as visit:
        page = ready(visit)
        assert distance(page) == 0
        runs = (
            corrupt(source, Corruption(exposure=-2)).flatten(),
            corrupt(source, Corruption()).flatten(),
        )
        step = runs[0].numel() // 128
        dark, plain = (run[: 128 * step].view(128, step).mean(1) for run in runs)
        assert move(page, "exposure", -2) == pytest.approx((dark - plain).norm().item(), abs=0.02)
        choose(page, 0, "cat.png", b"...")
        page.wait_for_selector(".vx-status.vx-wrong")
        assert page.inner_text(".vx-status") == "there is no face in cat.png"
        assert not visit.errors
