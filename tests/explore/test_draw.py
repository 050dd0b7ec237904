import json

import pytest
import skimage
import torch

from visage import ledger
from visage.explore import draw
from visage.photos.corruption import Corruption
from visage.photos.landmarks import Face, FaceBox, find_face
from visage.photos.reading import open_photo
from visage.recognition.encoder import load_encoder


def test_histograms_come_from_the_ledger_s_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("VISAGE_RESULTS", str(tmp_path))
    with pytest.raises(FileNotFoundError):
        draw.read_histograms("recognition/lfw")
    path = ledger.results_folder() / "recognition" / "lfw.histograms.json"
    path.parent.mkdir(parents=True)
    path.write_text(
        json.dumps({"plain": {"edges": [0, 1], "same": [3], "different": [4], "more": 1}})
    )
    assert draw.read_histograms("recognition/lfw") == {
        "edges": [0, 1],
        "same": [3],
        "different": [4],
    }
    assert ledger.list_results() == []  # data beside a result is no result


def test_sweeps_put_the_swept_field_on_the_axis():
    corruptions = {
        "turn (degrees)": [Corruption(rotation=v) for v in (-0.5, 0.0, 0.5)],
        "blur (px)": [Corruption(blur=v) for v in (0.0, 1.0)],
    }
    curves = {
        "turn (degrees)": torch.tensor([0.3, 0.0, 0.4]),
        "blur (px)": torch.tensor([0.0, 0.2]),
    }
    figure = draw.sweeps(corruptions, curves, 0.6)
    first, second = (axes.get_lines()[0].get_xydata() for axes in figure.axes)
    assert first[:, 0].tolist() == pytest.approx([-28.6479, 0, 28.6479], abs=1e-3)
    assert second[:, 0].tolist() == [0, 1]


def test_histogram_bars_are_shares():
    figure = draw.distance_histograms(
        {"edges": [0, 1, 2], "same": [3, 1], "different": [0, 8]}, 0.6
    )
    heights = [patch.get_data().values.tolist() for patch in figure.axes[0].patches]
    assert heights == [[0.75, 0.25], [0, 1]]


def test_pipeline_draws_box_points_and_bars():
    face = Face(FaceBox(10, 20, 50, 70, 1.0), torch.rand(1, 68, 2) * 60)
    figure = draw.pipeline(
        torch.rand(1, 3, 80, 90), face, torch.rand(1, 3, 150, 150), torch.randn(1, 128)
    )
    photo, chip, embedding = figure.axes
    assert (photo.patches[0].get_width(), photo.patches[0].get_height()) == (40, 50)
    assert len(photo.collections[0].get_offsets()) == 68
    assert "150×150" in chip.get_title()
    assert len(embedding.patches) == 128


def test_first_look_draws_what_the_library_finds():
    photo = open_photo(skimage.data.astronaut())
    figure = draw.first_look(photo, load_encoder())
    box = find_face(photo).box
    assert figure.axes[0].patches[0].get_x() == box.left
    assert len(figure.axes[2].patches) == 128


def test_gradient_map_is_the_norm_over_channels():
    pull = torch.zeros(1, 3, 8, 8)
    pull[0, :, 2, 3] = torch.tensor([3.0, 4.0, 12.0])
    figure = draw.gradient(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8), pull)
    shown = figure.axes[2].get_images()[0].get_array()
    assert shown[2, 3] == pytest.approx(13)
    assert shown.sum() == pytest.approx(13)


def test_small_charts_hold_their_numbers():
    figure = draw.avalanche(["a", "b"], [0.5, 0.4], [0.1, 0.2], 0.6)
    widths = [[bar.get_width() for bar in axes.patches] for axes in figure.axes]
    assert widths == [[0.5, 0.4], [0.1, 0.2]]
    line = draw.quantisation([1, 2], [0.5, 0.25], 0.6).axes[0].get_lines()[0]
    assert line.get_xydata().tolist() == [[1, 0.5], [2, 0.25]]
