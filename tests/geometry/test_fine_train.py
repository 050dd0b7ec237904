"""The stream repeats itself, both criteria have derivatives, and a recipe runs."""

from dataclasses import replace

import pytest
import torch

from visage.geometry.face_mesh import FaceMesh
from visage.geometry.fine_inputs import LIT, PLAIN, fine_inputs
from visage.geometry.fine_network import FineNet
from visage.geometry.fine_stream import FineData, FineStream, softened
from visage.geometry.fine_train import (
    RECIPES,
    SUPERVISED,
    TRAINING,
    UNSUPERVISED,
    fine_recipe,
    measure,
)
from visage.geometry.kept_detail import KeptDetail
from visage.geometry.rendering_layer import render_depth
from visage.geometry.representation import FaceNumbers
from visage.training import train

SIZE = 48


def kept_faces(count=3):
    """Smooth faces without wrinkles, shaded from the left: quick to draw."""
    generator = torch.Generator().manual_seed(0)
    numbers = FaceNumbers.zeros(count).numbers + 0.3 * torch.randn(count, 138, generator=generator)
    numbers[:, 80:132] = 0
    drawn = render_depth(FaceMesh.load(1), FaceNumbers.of(numbers), SIZE)
    depth = drawn.depth.nan_to_num(posinf=-327.68)
    shade = (128 + 80 * torch.rand(count, 1, SIZE, SIZE, generator=generator)) * drawn.mask
    return KeptDetail(
        {
            "faces": shade.to(torch.uint8),
            "seen": (255 * drawn.mask).to(torch.uint8),
            "albedo": (100 * drawn.mask).to(torch.uint8),
            "depth": (100 * depth).round().to(torch.int16),
            "relief": torch.zeros(count, 1, SIZE, SIZE, dtype=torch.int16),
            "mask": drawn.mask.to(torch.uint8),
            "numbers": numbers,
            "light": torch.zeros(count, 9),
            "age": torch.full((count,), 40.0),
        }
    )


@pytest.fixture(scope="module")
def kept():
    return kept_faces()


@pytest.fixture(scope="module")
def batch(kept):
    return FineStream(1, kept, FineData(crop=40)).batch([0, 1])


def test_items_depend_on_the_seed_and_the_index_only(kept):
    stream = FineStream(1, kept, FineData(crop=40), textures=False)
    both, alone = stream.batch([4, 9]), stream.batch([9])
    for name in both:  # matrix products of one row and of two may differ in their last digits
        torch.testing.assert_close(both[name][1:], alone[name], atol=1e-3, rtol=0)
    other = FineStream(2, kept, FineData(crop=40), textures=False).batch([9])
    assert not torch.equal(other["faces"], alone["faces"])


def test_what_counts_is_known_on_both_surfaces(batch):
    counts = batch["weight"] > 0
    assert counts.any()
    assert batch["coarse"][counts].isfinite().all()
    assert batch["truth"][counts].isfinite().all()
    assert (batch["mask"][counts] == 1).all()
    assert batch["modes"].shape == (2, 10, 40, 40)


def test_given_estimates_are_approached_from_the_truth(kept):
    """With all of the way to the estimates, items start from them; with none, from the truth."""
    estimates = kept.stored["numbers"] + 0.2
    for share, expected in ((0.0, kept.stored["numbers"]), (1.0, estimates)):
        data = FineData(crop=40, estimated=(share, share))
        stream = FineStream(1, kept, data, estimates=estimates, textures=False)
        found = stream._coarse(kept.stored["numbers"][:1], 0, 5)
        assert torch.allclose(found, expected[:1], atol=1e-6)


@pytest.mark.parametrize("criterion", [SUPERVISED, UNSUPERVISED])
def test_a_step_along_the_gradient_lowers_the_criterion(batch, criterion):
    torch.manual_seed(0)
    network, criterion = FineNet().eval(), replace(criterion, mixed=False)
    torch.nn.init.normal_(network.regressor[-1].weight, std=0.02)
    loss, terms = criterion(network, batch, torch.Generator())
    parameters = [p for p in network.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    length = sum(g.square().sum() for g in gradients if g is not None).sqrt()
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                parameter -= 2e-3 * gradient / length
    after, _ = criterion(network, batch, torch.Generator())
    assert after < loss
    assert all(term.isfinite() for term in terms.values())


def test_a_face_without_change_scores_one(kept):
    found = measure(FineNet().eval(), kept, None)
    assert found["high_frequency_error_ratio"] == pytest.approx(1)
    assert found["normal_error_deg"] == pytest.approx(found["coarse_normal_error_deg"])


def test_the_true_depth_scores_zero(kept):
    def perfect(faces, depth, mask, scale):
        return kept.rows(slice(0, len(faces))).depth.where(mask > 0, depth)

    found = measure(perfect, kept, None)
    assert found["high_frequency_error_ratio"] < 0.05


def test_inputs_are_zero_off_the_face_and_tell_the_light_by_its_side():
    numbers = FaceNumbers.zeros(1)
    drawn = render_depth(FaceMesh.load(1), numbers, SIZE)
    scale = numbers.camera(SIZE).scale
    across = torch.linspace(0.2, 0.8, SIZE).expand(1, 1, SIZE, SIZE)
    plain = fine_inputs(across, drawn.depth, drawn.mask, scale, lit=False)
    lit = fine_inputs(across, drawn.depth, drawn.mask, scale)
    assert plain.shape[1] == PLAIN
    assert lit.shape[1] == LIT
    assert torch.equal(lit[:, :PLAIN], plain)
    outside = (drawn.mask == 0).expand(-1, LIT, -1, -1)
    assert (lit[outside] == 0).all()
    # Brighter towards the right: what is brighter than explained turns to the right.
    inside = drawn.mask[0, 0] > 0
    assert (lit[0, 5] * lit[0, 6])[inside].sum() > 0


def test_softening_keeps_flat_pictures_and_the_mean():
    flat = torch.full((1, 9, 9), 0.4)
    assert torch.allclose(softened(flat, 1.0), flat)
    dot = torch.zeros(1, 21, 21)
    dot[0, 10, 10] = 1
    blurred = softened(dot, 1.0)
    assert float(blurred.sum()) == pytest.approx(1, abs=1e-5)
    assert float(blurred.max()) == pytest.approx(1 / (2 * torch.pi), abs=0.01)
    assert softened(dot, 0.1) is dot


def test_a_recipe_trains_and_goes_on_where_it_stopped(kept, tmp_path):
    config = replace(TRAINING, steps=3, batch_size=2, warmup=1, checkpoint_every=1, log_every=1)
    recipe = fine_recipe(
        "fine_trial", "a trial", SUPERVISED, config, FineData(crop=32), lambda split: kept,
        lambda split: None,
    )  # fmt: skip
    whole = train(recipe, folder=tmp_path / "whole").model
    again = train(recipe, folder=tmp_path / "whole").model
    other = train(recipe, folder=tmp_path / "other").model
    for first, second, third in zip(
        *(m.state_dict().values() for m in (whole, again, other)), strict=True
    ):
        assert torch.equal(first, second)
        assert torch.equal(first, third)


def test_recipes_are_named_after_themselves():
    assert {"fine_net", "fine_net_unsupervised"} == set(RECIPES)
    assert all(recipe.name == name for name, recipe in RECIPES.items())
