"""Run with ``pytest tests/benchmarks/test_inversion_speed.py --benchmark-enable``.

One thread, dlib's recogniser, three steps each. `ms_per_image_step`, of the best round, stands in
the saved JSON (``--benchmark-json``) and is printed with ``-s``.
"""

import pytest
import torch

from visage.inversion.networks import FaceNetwork, NetworkConfig
from visage.inversion.objective import ObjectiveConfig, References
from visage.inversion.reconstruct import reconstruct
from visage.inversion.reconstruction_config import ReconstructionConfig
from visage.photos.jitter import Jitter
from visage.recognition.encoder import load_encoder

STEPS = 3
LAYERS = ObjectiveConfig().guide_layers


@pytest.fixture(scope="module")
def encoder():
    return load_encoder()


@pytest.fixture
def one_core():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def problem(encoder, batch):
    generator = torch.Generator().manual_seed(0)
    chips = torch.rand(batch + 1, 3, 150, 150, generator=generator)
    with torch.no_grad():
        return encoder.embed(chips[1:]), chips[:1]


def naive(encoder, targets, guide):
    """As one writes it first: one image after the other, one network pass a term."""
    config, images = ObjectiveConfig(), []
    for target in targets:
        image = guide.clone().requires_grad_()
        optimizer = torch.optim.Adam([image], 0.02)
        for _ in range(STEPS):
            loss = (encoder.embed(image)[0] - target).square().sum()
            of_guide = encoder.features(guide, LAYERS)
            for name, found in encoder.features(image, LAYERS).items():
                apart = (found - of_guide[name]).square().sum()
                loss = loss + config.guide_weight * apart / of_guide[name].square().sum()
            across, down = image - image.roll(1, -1), image - image.roll(1, -2)
            loss = loss + config.tv_weight * (across.square().sum() + down.square().sum())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            image.data.clamp_(0, 1)
        images.append(image.detach())
    return torch.cat(images)


def report(benchmark, batch, steps):
    if benchmark.stats is None:
        return
    milliseconds = 1000 * benchmark.stats.stats.min / batch / steps
    benchmark.extra_info["ms_per_image_step"] = milliseconds
    print(f"\n{milliseconds:.2f} ms per image and step")


@pytest.mark.parametrize("batch", [4])
def test_a_loop_over_images(benchmark, one_core, encoder, batch):
    targets, guide = problem(encoder, batch)
    benchmark.pedantic(naive, (encoder, targets, guide), rounds=3)
    report(benchmark, batch, STEPS)


@pytest.mark.parametrize("layout", [True, False], ids=["channels_last", "channels_first"])
@pytest.mark.parametrize("batch", [1, 4, 16])
def test_reconstructing_together(benchmark, one_core, encoder, batch, layout):
    targets, guide = problem(encoder, batch)
    config = ReconstructionConfig(steps=STEPS, channels_last=layout, tv_final=1.0)
    arguments = (encoder, targets, config, References(guide=guide))
    benchmark.pedantic(reconstruct, arguments, rounds=3, warmup_rounds=1)
    report(benchmark, batch, STEPS)


def test_reconstructing_in_half_precision(benchmark, one_core, encoder):
    targets, guide = problem(encoder, 16)
    objective = ObjectiveConfig(precision="bfloat16")
    config = ReconstructionConfig(objective=objective, steps=STEPS)
    arguments = (encoder, targets, config, References(guide=guide))
    benchmark.pedantic(reconstruct, arguments, rounds=3, warmup_rounds=1)
    report(benchmark, 16, STEPS)


def test_reconstructing_with_jitter(benchmark, one_core, encoder):
    targets, guide = problem(encoder, 16)
    config = ReconstructionConfig(steps=STEPS, jitter=Jitter())
    arguments = (encoder, targets, config, References(guide=guide))
    benchmark.pedantic(reconstruct, arguments, rounds=3, warmup_rounds=1)
    report(benchmark, 16, STEPS)


def test_the_feed_forward_network(benchmark, one_core):
    network = FaceNetwork(NetworkConfig()).eval()
    with torch.no_grad():
        benchmark(network, torch.randn(16, 128, generator=torch.Generator().manual_seed(0)))
    report(benchmark, 16, 1)


def test_batched_and_naive_steps_agree(one_core, encoder):
    targets, guide = problem(encoder, 2)
    config = ReconstructionConfig(
        steps=STEPS, tv_final=1.0, final_learning_rate=1.0, gradient="plain"
    )
    found = reconstruct(encoder, targets, config, References(guide=guide)).images
    # Adam divides by a gradient's size, so that rounding decides where there is hardly any.
    apart = (found - naive(encoder, targets, guide)).abs()
    assert apart.mean() < 1e-3
