import json

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from visage import ledger
from visage.explore import world
from visage.faces.camera import WeakPerspective
from visage.faces.light import seeded_lights
from visage.faces.scene import Scene, render
from visage.faces.shape import MorphableModel


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_a_sheet_has_all_pictures_in_reading_order():
    colours = torch.linspace(0.1, 0.9, 5)
    images = colours.view(5, 1, 1, 1).expand(5, 3, 10, 12)
    figure = world.contact_sheet(images, columns=2, labels=list("abcde"))
    sheet = figure.axes[0].images[0].get_array()
    assert sheet.shape[0] == 3 * (10 + world._LINE)
    assert sheet[5, 6, 0] == pytest.approx(0.1)
    assert sheet[5, 6 + 12 + world._GAP, 0] == pytest.approx(0.3)
    assert sheet[-world._LINE - 5, 6, 0] == pytest.approx(0.9)
    assert sheet[-5, -5, 3] == 0
    assert [text.get_text() for text in figure.axes[0].texts] == list("abcde")


def test_people_are_the_first_and_the_same(model):
    few = world.everyday(model, count=1, size=32)
    more = world.everyday(model, count=2, size=32)
    assert more.shape == (2, 3, 32, 32)
    torch.testing.assert_close(few, more[:1], atol=2e-3, rtol=0)


def test_directions_change_from_left_to_right(model):
    row = world.directions(model, ["weight"])
    assert row.shape == (5, 3, 150, 150)
    apart = (row - row[2]).abs().mean((1, 2, 3))
    assert apart[0] > apart[1] > 0
    assert apart[4] > apart[3] > 0


def test_answers_has_six_pictures(model):
    camera = WeakPerspective(
        torch.zeros(1, 3), torch.zeros(1, 2), 40, 40, scale=torch.tensor([0.13])
    )
    scene = Scene(torch.zeros(1, 80), torch.zeros(1, 52), camera, seeded_lights(torch.tensor([1])))
    figure = world.answers(render(model, scene))
    assert [len(axis.images) for axis in figure.axes] == [1] * 6


def test_tones_darken_to_the_right():
    pixels = world.tone_chart().axes[0].images[0].get_array()
    assert pixels[0, 0].mean() > pixels[0, -1].mean() + 0.3


def test_a_ledger_figure_is_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(ledger, "results_folder", lambda: tmp_path)
    (tmp_path / "faces").mkdir()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "faces" / "x.png")
    entry = {
        "id": "faces/x", "paper": None, "claim": "c", "protocol": "p", "profile": "fast", "seed": 0,
        "device": "d", "seconds": 1.0, "revision": "r", "figure": "x.png",
        "rows": [{"name": "a", "paper": None, "ours": 1.0, "unit": "", "better": None, "n": 1}],
    }  # fmt: skip
    path = tmp_path / "faces" / "x.json"
    path.write_text(json.dumps(entry))
    shown = world.figure_of("faces/x", alt="black", caption="look")
    assert "data:image/webp;base64," in shown._repr_html_()
    path.write_text(json.dumps(entry | {"figure": None}))
    with pytest.raises(ledger.LedgerError, match="no figure"):
        world.figure_of("faces/x", alt="black", caption="look")


def test_a_face_is_cut_out_of_the_middle_of_its_landmarks():
    landmarks = torch.tensor([[[40.0, 50.0], [60.0, 70.0]]])
    dot = torch.zeros(1, 3, 100, 100)
    dot[..., 58:63, 48:53] = 1  # round the middle
    cut = world.round_face([dot, 1 - dot], landmarks, size=34)
    assert cut.shape == (2, 3, 34, 34)
    assert cut[0, 0, 17, 17] == 1
    assert cut[0, 0, 2, 2] == 0
    torch.testing.assert_close(cut[1], 1 - cut[0])
    edge = world.round_face([dot], landmarks - 45, size=20)  # beyond the picture: its edge goes on
    assert edge.isfinite().all()
