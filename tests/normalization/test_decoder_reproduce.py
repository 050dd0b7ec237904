"""Every experiment with decoders runs, on a few faces, and names the rows looked for."""

from types import SimpleNamespace

import pytest
import torch

from visage.normalization import (
    ablation_reproduce,
    robustness_reproduce,
    study,
    truth_reproduce,
)
from visage.normalization.baselines import PlainDecoder
from visage.normalization.decoder import Decoder, DecoderConfig, Normal
from visage.normalization.decoder_examples import DecoderExamples
from visage.normalization.errors import NormalizationError
from visage.normalization.faces import NormalFaces
from visage.normalization.measured_people import first_rows
from visage.normalization.study import Trial, recogniser
from visage.normalization.training_data import TestSet, WildChips
from visage.photos.alignment import DLIB_CHIP, align
from visage.photos.lfw import LFWNotFoundError
from visage.recognition.chips import chip_landmarks
from visage.recognition.examples import Examples

SIZE = 32
PEOPLE, EACH = 40, 4


def smooth(count, size, seed):
    noise = torch.rand(count, 3, 10, 10, generator=torch.Generator().manual_seed(seed))
    wide = torch.nn.functional.interpolate(noise, (size, size), mode="bicubic")
    return (255 * wide.clamp(0, 1)).to(torch.uint8)


@pytest.fixture(scope="module")
def world():
    """Smooth coloured pictures that stand in for people, four of each, and untrained decoders."""
    chips = smooth(PEOPLE * EACH, 150, 0)
    rows = torch.arange(PEOPLE).repeat_interleave(EACH)
    names = tuple(f"synthetic-test/{n}" for n in range(PEOPLE))
    generator = torch.Generator().manual_seed(1)
    shape = chip_landmarks(chips[:1].float() / 255)[0] * SIZE / 150
    landmarks = shape + 0.2 * torch.randn(PEOPLE, 68, 2, generator=generator)
    faces = NormalFaces(names, smooth(PEOPLE, SIZE, 2), landmarks)
    photos = WildChips(tuple(names[row] for row in rows.tolist()), chips, rows)
    test = TestSet(names, photos, faces)

    def trial(kind=None, world=None, profile=None):
        features = recogniser("light_cnn" if kind == "light_cnn" else "dlib_resnet")
        torch.manual_seed(0)
        normal = Normal(shape, faces.pictures().mean(0), features.of(chips[:8]))
        config = DecoderConfig(features.dim, 8, SIZE, 16, 4, 12)
        network = PlainDecoder if kind == "plain" else Decoder
        return Trial(features, network(config, normal).eval().requires_grad_(False))

    trials = {kind: trial(kind) for kind in ("short", "plain", "light_cnn")}
    return SimpleNamespace(
        test=test,
        compared=lambda kind, world, profile: trials.get(kind, trials["short"]),
        shipped=lambda world: trials["short"],
    )


@pytest.fixture
def few(world, monkeypatch):
    for module in (ablation_reproduce, robustness_reproduce, truth_reproduce):
        for name, value in (
            ("people_of_test_side", lambda *_: world.test),
            ("worlds", lambda: ["lfw", "synthetic"]),
            ("compared", world.compared),
            ("shipped", world.shipped),
        ):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, value)
    return world


def rows(result):
    return {row.name: row.ours for row in result.rows}


def test_figure_9_compares_three_decoders(few):
    result, figure = ablation_reproduce.reproduce_fig9("fast", 0)
    found = rows(result)
    for name in ("cnn", "no_morphs", "fully_connected"):
        assert {f"image_mae_{name}", f"ssim_{name}", f"landmark_error_px_{name}"} <= found.keys()
    assert len(figure.axes) == 5 * 8
    assert result.id == "normalization/fig9"


def test_figure_10_asks_no_landmarks_of_a_plain_cnn(few):
    result, _ = ablation_reproduce.reproduce_fig10("fast", 0)
    found = rows(result)
    assert "sharpness_plain" in found
    assert "landmark_error_px_plain" not in found


def test_figures_11_and_12_have_the_rows_looked_for(few):
    result, _ = ablation_reproduce.reproduce_fig11("fast", 0)
    assert "mean_distance_with_synthetic" in rows(result)
    result, figure = ablation_reproduce.reproduce_fig12("fast", 0)
    found = rows(result)
    for name in ("mean_distance", "within_threshold"):
        for kind in ("with", "without"):
            assert {f"{name}_{kind}", f"{name}_{kind}_synthetic"} <= found.keys()
    assert found["threshold"] == pytest.approx(0.632)
    assert {row.name: row.paper for row in result.rows}["mean_distance_with"] == 0.42
    assert len(figure.axes) == 2


def test_figure_8_measures_variance_of_everything(few, monkeypatch):
    shots = robustness_reproduce.Shots(
        torch.rand(4, 3, 150, 150), torch.rand(4, 3, SIZE, SIZE),
        few.test.faces.landmarks[:4], torch.zeros(4),
    )  # fmt: skip
    monkeypatch.setattr(robustness_reproduce, "difficult_shots", lambda *_: shots)
    result, figure = robustness_reproduce.reproduce_fig8("fast", 0)
    found = rows(result)
    name = "within_over_between_variance"
    for part in ("", "_light_cnn", "_landmarks", "_warped", "_input"):
        assert {f"{name}{part}", f"{name}{part}_synthetic"} <= found.keys()
    assert len(figure.axes) == 4 * 4


def test_difficult_shots_carry_glasses_in_both_crops():
    shots = robustness_reproduce.difficult_shots(0, 112, people=(0,))
    assert shots.chips.shape == (4, 3, 150, 150)
    assert shots.faces.shape == (4, 3, 112, 112)
    # The normal crop and the chip show one face: cut again, they agree where both are sharp.
    again = align(shots.faces, shots.landmarks, DLIB_CHIP)[..., 30:120, 30:120]
    assert (again - shots.chips[..., 30:120, 30:120]).abs().mean() < 0.03
    lens = shots.chips[1, :, 45:53, 40:55]
    assert lens.mean() < 0.12


def test_robustness_changes_what_it_says(few):
    result, figure = robustness_reproduce.reproduce_robustness("fast", 0)
    found = rows(result)
    assert found["moved_plain"] == 0
    assert found["same_plain"] == 1
    for kind in ("black_and_white", "painted", "sunglasses", "mask"):
        assert found[f"mae_{kind}"] > 0
    assert len(figure.axes) == 2 * 10


def test_truth_is_measured_on_synthetic_people(few):
    result, figure = truth_reproduce.reproduce_truth("fast", 0)
    found = rows(result)
    assert {"landmark_error_px", "texture_mae", "ssim", "foreign_first"} <= found.keys()
    assert len(figure.axes) == 3 * 8


class QuickJudge:
    """Compares small pictures; the real one looks for landmarks, which takes seconds."""

    def look(self, chips):
        chips = chips.float() / 255 if chips.dtype == torch.uint8 else chips
        return torch.nn.functional.adaptive_avg_pool2d(chips, 4).flatten(1)

    def scores(self, a, b, by="both"):
        return -torch.cdist(a, b)


def test_the_judge_sees_both_worlds(few, monkeypatch):
    chips = few.test.photos.chips.view(PEOPLE, EACH, 3, 150, 150)

    def pairs(*_):
        return [Examples(few.test.people, chips[:, k], torch.zeros(PEOPLE, 128)) for k in (0, 1)]

    def absent(*_):
        raise LFWNotFoundError("there is no LFW in this test")

    monkeypatch.setattr(truth_reproduce, "load_judge", QuickJudge)
    monkeypatch.setattr(truth_reproduce, "synthetic_pairs", pairs)
    monkeypatch.setattr(truth_reproduce, "judged_pairs", pairs)
    found = rows(truth_reproduce.reproduce_foreign_judge("fast", 0)[0])
    wanted = {f"{kind}_far_{rate}" for kind in ("type1", "type2", "real_pairs")
              for rate in ("1e-2", "1e-3")}  # fmt: skip
    assert wanted | {f"{name}_synthetic" for name in wanted} <= found.keys()
    assert {"type1_far_1e-3_light_cnn", "type1_far_1e-3_patches"} <= found.keys()
    monkeypatch.setattr(truth_reproduce, "judged_pairs", absent)
    assert "type1_far_1e-3" not in rows(truth_reproduce.reproduce_foreign_judge("fast", 0)[0])


def test_first_rows_take_people_with_enough_pictures(world):
    test = world.test
    assert first_rows(test, 2, 3).tolist() == [0, 1, 4, 5, 8, 9]
    assert len(first_rows(test, EACH)) == PEOPLE * EACH
    with pytest.raises(NormalizationError, match="none of"):
        first_rows(test, EACH + 1)


def test_what_is_compared_is_trained_where_it_has_not_been(monkeypatch, tmp_path):
    features = recogniser("dlib_resnet")
    generator = torch.Generator().manual_seed(0)
    shape = torch.rand(68, 2, generator=generator) * 80 + 16
    examples = DecoderExamples(
        people=tuple(f"p{n}" for n in range(20)),
        images=smooth(20, 112, 3),
        textures=smooth(20, 112, 4),
        landmarks=shape.expand(20, -1, -1) + 0.1 * torch.randn(20, 68, 2, generator=generator),
        mean=shape,
        bases=20,
        features=torch.randn(20, 256, generator=generator),
        photo_features=torch.randn(6, 256, generator=generator),
        photo_rows=torch.arange(6),
        other_people=(),
        other_features=torch.zeros(0, 256),
    )
    monkeypatch.setattr(study, "few_examples", lambda _: examples)
    monkeypatch.setattr(study, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(study, "_FAST_STEPS", 1)
    study.compared.cache_clear()
    trial = study.compared("fully_connected", "synthetic", "fast")
    assert trial.decoder.config.texture == "fully_connected"
    assert trial.features is features
    assert (tmp_path / "normalization/runs/normalization_synthetic_fully_connected_fast").is_dir()
    study.compared.cache_clear()
