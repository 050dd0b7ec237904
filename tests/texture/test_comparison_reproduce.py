"""Figures 11 and 17 with stand-ins for photographs and for our method."""

from dataclasses import dataclass

import pytest
import torch

from visage.texture import inpainting_reproduce, quilting_reproduce
from visage.texture.backbones import load_backbone
from visage.texture.database import TextureDatabase
from visage.texture.observation import Observation
from visage.texture.quilting import Quilter
from visage.texture.quilting_reproduce import Plan, cut_out, within
from visage.texture.window import face_region

SIZE, PEOPLE = 64, 2


def smooth(count, cells, seed):
    generator = torch.Generator().manual_seed(seed)
    coarse = 0.3 + 0.4 * torch.rand(count, 3, cells, cells, generator=generator)
    return torch.nn.functional.interpolate(coarse, (SIZE, SIZE), mode="bilinear")


TRUE = smooth(PEOPLE, 40, 0)


@dataclass(frozen=True)
class Views:
    identity: torch.Tensor

    def __len__(self):
        return PEOPLE

    def textures(self, size):
        assert size == SIZE
        return TRUE


@dataclass(frozen=True)
class Bench:
    judge: object
    quilter: Quilter


def observe(views, row, size):
    """The left 60% are visible."""
    visible = face_region(size).clone()
    visible[..., int(0.6 * size) :] = 0
    true = TRUE[row : row + 1]
    low = torch.nn.functional.avg_pool2d(true, 9, 1, 4)
    return Observation(torch.where(visible > 0, true, 0.5), visible, low)


def infer(seen, bench, methods, seed):
    """Our method finds the truth; the others find its low frequencies."""
    row = int((seen.texture[0, :, 30, 20] != TRUE[0, :, 30, 20]).any())
    return {
        name: TRUE[row : row + 1] if name == "convex" else seen.low_frequency for name in methods
    }


@pytest.fixture(scope="module", params=[quilting_reproduce, inpainting_reproduce])
def result(request):
    module = request.param
    bench = Bench(load_backbone(), Quilter.of(TextureDatabase.of(smooth(3, 40, 1))))
    stand_ins = {
        "held_out_views": lambda *args, **options: Views(torch.zeros(PEOPLE, 80)),
        "observe_truly": observe,
        "infer": infer,
        "face_chips": lambda textures, identity: textures,
        "identity_distances": lambda a, b: (a[:, None] - b).flatten(2).norm(dim=2),
    }
    plans = {"fast": Plan(PEOPLE, 64, SIZE, 3, 1, None)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plan, "bench", lambda plan: bench)
        patch.setattr(module, "PLANS", plans)
        for name, stand_in in stand_ins.items():
            patch.setattr(quilting_reproduce, name, stand_in)
        (reproduce,) = module.EXPERIMENTS.values()
        return reproduce("fast", 0)


def test_the_truth_has_no_distance_from_itself(result):
    rows = {row.name: row for row in result[0].rows}
    assert rows["gram_distance/convex"].ours == pytest.approx(0, abs=1e-5)
    assert rows["ssim/convex"].ours == pytest.approx(1, abs=1e-4)
    assert rows["high_band_energy_ratio/convex"].ours == pytest.approx(1, abs=1e-4)
    assert rows["gram_distance/pca"].ours > 0.05
    assert rows["high_band_energy_ratio/pca"].ours < 0.5
    assert all(row.n == PEOPLE for row in result[0].rows)


def test_the_finer_comparison_is_of_fewer_people():
    plan = Plan(12, 512, 192, 256, 80, (3, 512, 100))
    assert plan.finer() == Plan(3, 512, 512, 256, 100, None)
    assert plan.finer().finer() == plan.finer()


def test_a_figure_has_a_panel_for_each_picture(result):
    whole, figure = result
    columns, rows = 4 if whole.id == "texture/fig11" else 6, 2 * PEOPLE
    assert len(figure.axes) == columns * rows
    assert [axes.get_title() for axes in figure.axes[:columns]][-2:] == ["ours", "truth"]


def test_a_texture_fades_into_what_is_around():
    made, around = torch.ones(1, 3, SIZE, SIZE), torch.zeros(1, 3, SIZE, SIZE)
    shown = within(made, around)
    assert shown[..., 0, :].max() == 0
    assert shown[..., SIZE // 2, SIZE // 3].min() == 1


def test_a_cut_out_is_enlarged():
    square = cut_out(TRUE, (0.5, 0.25), 0.25)
    assert square.shape == (PEOPLE, 3, 256, 256)
    middle = torch.nn.functional.avg_pool2d(TRUE, 16)[:, :, 2, 1]
    assert torch.allclose(square.mean((2, 3)), middle, atol=0.01)
