from dataclasses import replace

import pytest
import torch

from visage.inversion.colour import colour_statistics
from visage.inversion.errors import InversionError
from visage.inversion.objective import ObjectiveConfig, References
from visage.inversion.pixels import FourierPixels, PlainPixels, logit
from visage.inversion.reconstruct import reconstruct
from visage.inversion.reconstruction_config import ReconstructionConfig
from visage.photos.jitter import Jitter

CONFIG = ReconstructionConfig(
    objective=ObjectiveConfig(guide_layers=("low",), tv_weight=1e-4, guide_weight=0.01),
    steps=25,
    levels=2,
)
WAYS = {
    "adam": {},
    "sgd": {"optimiser": "sgd", "learning_rate": 0.5},
    "momentum": {"optimiser": "sgd", "learning_rate": 0.1, "momentum": 0.9},
    "laplacian": {"optimiser": "sgd", "learning_rate": 0.01, "gradient": "laplacian"},
    "rms": {"optimiser": "sgd", "learning_rate": 0.01, "gradient": "rms"},
    "noise": {"start": "noise"},
    "jitter": {"jitter": Jitter(shift=1.0)},
}


@pytest.fixture
def targets(tiny, pictures):
    return tiny.embed(pictures[1:4])


@pytest.fixture
def references(pictures):
    return References(guide=pictures[:1])


@pytest.mark.parametrize("way", WAYS)
def test_it_comes_nearer(tiny, targets, references, way):
    found = reconstruct(tiny, targets, replace(CONFIG, **WAYS[way]), references)
    assert found.images.shape == (3, 3, 16, 16)
    assert found.images.min() >= 0
    assert found.images.max() <= 1
    assert (
        tiny.distance(tiny.embed(found.images), targets) < 0.5 * found.losses["distance"][0]
    ).all()
    assert not found.diverged.any()


def test_losses_are_kept_by_term_and_step(tiny, targets, references):
    found = reconstruct(tiny, targets, CONFIG, references)
    losses = found.losses
    assert set(losses) == {"embedding", "guide", "tv", "total", "distance"}
    assert all(value.shape == (25, 3) for value in losses.values())
    assert torch.allclose(losses["total"], losses["embedding"] + losses["guide"] + losses["tv"])
    assert torch.allclose(losses["distance"].square(), losses["embedding"])
    assert losses["guide"][0].abs().max() < 1e-20


@pytest.mark.parametrize("way", WAYS)
def test_an_image_is_the_same_alone_and_in_a_batch(tiny, targets, references, way):
    config = replace(CONFIG, **WAYS[way])
    together = reconstruct(tiny, targets, config, references, seeds=[4, 5, 6])
    alone = reconstruct(tiny, targets[1:2], config, references, seeds=[5])
    assert torch.allclose(together.images[1], alone.images[0], atol=1e-9)
    assert torch.allclose(together.losses["total"][:, 1:2], alone.losses["total"], atol=1e-9)


def test_a_guide_for_each_image_is_the_same_as_one_by_one(tiny, targets, pictures):
    guides = pictures[4:7]
    together = reconstruct(tiny, targets, CONFIG, References(guide=guides))
    alone = reconstruct(tiny, targets[2:], CONFIG, References(guide=guides[2:]))
    assert torch.allclose(together.images[2], alone.images[0], atol=1e-9)


def test_seeds_make_noise_and_jitter(tiny, targets, references):
    target = targets[:1].expand(3, -1)
    config = replace(CONFIG, start="noise", jitter=Jitter(shift=1.0))
    a, b, c = reconstruct(tiny, target, config, references, seeds=[1, 1, 2]).images
    assert torch.allclose(a, b, atol=1e-9)
    assert not torch.allclose(a, c, atol=1e-3)


class Stop(KeyboardInterrupt):
    pass


@pytest.mark.parametrize("way", ["adam", "momentum", "jitter"])
def test_a_stopped_run_goes_on_exactly(tiny, targets, references, way, tmp_path):
    config, path = replace(CONFIG, **WAYS[way]), tmp_path / "state.pt"
    whole = reconstruct(tiny, targets, config, references)

    def stop(step, images, terms):
        if step == 11:
            raise Stop

    with pytest.raises(Stop):
        reconstruct(tiny, targets, config, references, callback=stop, keep_at=path)
    seen = []
    resumed = reconstruct(
        tiny, targets, config, references, callback=lambda s, *_: seen.append(s), keep_at=path
    )
    assert seen == list(range(11, 25))
    assert torch.equal(resumed.images, whole.images)
    assert all(torch.equal(resumed.losses[name], whole.losses[name]) for name in whole.losses)
    assert torch.equal(resumed.best_step, whole.best_step)
    # A finished run is read, not run.
    again = reconstruct(tiny, targets, config, references, callback=stop, keep_at=path)
    assert torch.equal(again.images, whole.images)


def test_a_state_of_another_problem_is_refused(tiny, targets, references, tmp_path):
    path = tmp_path / "state.pt"
    reconstruct(tiny, targets, CONFIG, references, keep_at=path)
    with pytest.raises(InversionError, match="other targets or with other settings"):
        reconstruct(tiny, targets.flip(0), CONFIG, references, keep_at=path)
    with pytest.raises(InversionError, match="other targets or with other settings"):
        reconstruct(tiny, targets, replace(CONFIG, steps=30), references, keep_at=path)
    path.write_bytes(b"not a state")
    with pytest.raises(InversionError, match="no saved reconstruction"):
        reconstruct(tiny, targets, CONFIG, references, keep_at=path)


def test_the_callback_sees_every_step(tiny, targets, references):
    seen = []
    found = reconstruct(tiny, targets, CONFIG, references, callback=lambda *step: seen.append(step))
    steps, images, terms = zip(*seen, strict=True)
    assert steps == tuple(range(25))
    assert torch.allclose(images[0], references.guide.expand(3, -1, -1, -1))
    totals = torch.stack([term["total"] for term in terms])
    assert torch.equal(totals, found.losses["total"])
    assert not images[0].requires_grad


def test_total_variation_decays(tiny, targets, references):
    still = replace(CONFIG, learning_rate=1e-12, tv_final=0.01)
    tv = reconstruct(tiny, targets, still, references).losses["tv"]
    assert torch.allclose(tv[-1] / tv[0], torch.tensor(0.01).double())


def test_the_best_step_is_judged_with_the_last_weight(tiny, targets, references):
    # The weight falls a thousandfold; were it not taken out, the last step would always be best.
    objective = replace(CONFIG.objective, tv_weight=1.0)
    config = replace(CONFIG, objective=objective, tv_final=1e-3, learning_rate=0.3, keep="best")
    found = reconstruct(tiny, targets, config, references)
    losses = found.losses
    weights = torch.logspace(0, -3, 25, dtype=torch.float64)[:, None]
    scores = losses["total"] - losses["tv"] + losses["tv"] / weights * 1e-3
    assert torch.equal(found.best_step, scores.argmin(0))
    best = tiny.distance(tiny.embed(found.images), targets)
    assert torch.allclose(best, losses["distance"].gather(0, found.best_step[None])[0])


def test_a_run_that_explodes_says_so_and_keeps_its_best(tiny, targets, references):
    config = replace(CONFIG, optimiser="sgd", learning_rate=1e4, explosion=10.0)
    found = reconstruct(tiny, targets, config, references, pixels=PlainPixels(clamp=False))
    assert found.diverged.all()
    assert len(found.losses["total"]) < 25
    assert torch.allclose(found.images, references.guide.expand(3, -1, -1, -1))


def test_one_image_that_diverges_leaves_the_others_alone(tiny, targets, references):
    class Fragile(type(tiny)):
        def features(self, chips, names):
            found = super().features(chips, names)
            # The picture of target 1 breaks the network as soon as it has moved.
            if len(chips) == 3 and not torch.allclose(chips[1], references.guide[0]):
                broken = torch.tensor([1.0, torch.nan, 1.0]).double()
                found["embedding"] = found["embedding"] * broken[:, None]
            return found

    found = reconstruct(Fragile(), targets, CONFIG, references)
    calm = reconstruct(tiny, targets, CONFIG, references)
    assert found.diverged.tolist() == [False, True, False]
    assert torch.allclose(found.images[1], references.guide[0])
    assert torch.allclose(found.images[[0, 2]], calm.images[[0, 2]])


def test_fourier_pixels_come_nearer_too(tiny, targets, references, pictures):
    pixels = FourierPixels(colour_statistics([pictures], logit))
    config = replace(CONFIG, learning_rate=0.05)
    found = reconstruct(tiny, targets, config, references, pixels=pixels)
    assert (found.losses["distance"][-1] < 0.5 * found.losses["distance"][0]).all()
    alone = reconstruct(tiny, targets[:1], config, references, pixels=pixels)
    assert torch.allclose(found.images[0], alone.images[0], atol=1e-9)


def test_an_explicit_start_is_where_it_starts(tiny, targets, references, pictures):
    images = []
    reconstruct(
        tiny, targets, replace(CONFIG, steps=1), references, start=pictures[5:8],
        callback=lambda step, image, terms: images.append(image),
    )  # fmt: skip
    assert torch.allclose(images[0], pictures[5:8])


def test_both_memory_layouts_agree(tiny, targets, references):
    last, first = (
        reconstruct(tiny, targets, replace(CONFIG, channels_last=layout), references).images
        for layout in (True, False)
    )
    assert torch.allclose(last, first, atol=1e-9)


def blocks(chip):
    """A picture in squares of 15 pixels."""
    coarse = torch.nn.functional.avg_pool2d(chip, 15, 15)
    return coarse.repeat_interleave(15, 2).repeat_interleave(15, 3)


def test_the_recogniser_itself(encoder_and_chip):
    encoder, chip = encoder_and_chip
    target = encoder.embed(chip)
    config = ReconstructionConfig(steps=6, learning_rate=0.05)
    found = reconstruct(encoder, target, config, References(guide=blocks(chip)))
    assert found.losses["distance"][-1] < 0.9 * found.losses["distance"][0]


def test_half_precision_reaches_about_the_same(encoder_and_chip):
    encoder, chip = encoder_and_chip
    objective = ObjectiveConfig(precision="bfloat16")
    config = ReconstructionConfig(steps=6, learning_rate=0.05)
    references = References(guide=blocks(chip))
    target = encoder.embed(chip)
    half, full = (
        reconstruct(encoder, target, replace(config, objective=kind), references)
        for kind in (objective, config.objective)
    )
    assert half.images.dtype == torch.float32
    assert half.losses["distance"][-1] < 0.9 * half.losses["distance"][0]
    distances = [found.losses["distance"] for found in (half, full)]
    assert torch.allclose(distances[0][0], distances[1][0], rtol=0.02)
    assert torch.allclose(distances[0][-1], distances[1][-1], rtol=0.3)
    assert not torch.equal(half.images, full.images)


@pytest.fixture(scope="module")
def encoder_and_chip():
    from visage.recognition.encoder import load_encoder

    y, x = torch.meshgrid(torch.linspace(-1, 1, 150), torch.linspace(-1, 1, 150), indexing="ij")
    oval = (1 - (x / 0.7) ** 2 - (y / 0.9) ** 2).clamp(0, 1)
    return load_encoder(), (0.3 + 0.4 * oval).expand(1, 3, -1, -1).contiguous()


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"learning_rate": -1}, {"tv_final": 0},
                                   {"start": "middle"}, {"optimiser": "lbfgs"},
                                   {"gradient": "sign"}, {"keep": "first"}])  # fmt: skip
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(InversionError, match=next(iter(wrong))):
        ReconstructionConfig(**wrong)


def test_bad_input(tiny, targets, references):
    with pytest.raises(InversionError, match="2 seeds for 3"):
        reconstruct(tiny, targets, CONFIG, references, seeds=[1, 2])
    with pytest.raises(InversionError, match="start is"):
        reconstruct(tiny, targets, CONFIG, references, start=torch.rand(2, 3, 16, 16))
    without = replace(CONFIG, objective=ObjectiveConfig(guide_weight=0))
    with pytest.raises(InversionError, match="no guide to start from"):
        reconstruct(tiny, targets, without)
