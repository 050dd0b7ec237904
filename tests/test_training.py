import json
import math
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from visage.runs import TrainingError
from visage.training import (
    Recipe,
    TrainingConfig,
    TrainingConfigError,
    TrainingDivergedError,
    learning_rate,
    train,
)

CONFIG = TrainingConfig(
    steps=24, batch_size=8, learning_rate=0.01, warmup=5, ema=0.9, seed=3,
    checkpoint_every=10, log_every=4,
)  # fmt: skip


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch):
    monkeypatch.setenv("LT_ACCELERATOR", "cpu")
    monkeypatch.setenv("LT_DEVICES", "1")


class Lines:
    """Points of a noisy line; `at[i]` is called when item i is asked for."""

    def __init__(self, seed, at=None):
        self.seed, self.at = seed, at or {}

    def batch(self, indices):
        return torch.stack([self.item(i) for i in indices])

    def item(self, index):
        self.at.get(index, lambda: None)()
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + index)
        x = torch.rand(1, generator=generator)
        return torch.cat([x, 3 * x + 1 + 0.1 * torch.randn(1, generator=generator)])


def line_loss(model, batch, generator):
    jitter = 0.01 * torch.randn(len(batch), 1, generator=generator, device=batch.device)
    error = model(batch[:, :1] + jitter) - batch[:, 1:]
    square = error.square().mean()
    return square, {"absolute": error.abs().mean()}


def line_model():
    return nn.Sequential(nn.Linear(1, 16), nn.Dropout(0.1), nn.ReLU(), nn.Linear(16, 1))


def recipe(at=None, loss=line_loss):
    return Recipe(
        name="line",
        summary="Fits a line.",
        config=CONFIG,
        build_model=line_model,
        build_stream=lambda seed: Lines(seed, at),
        loss=loss,
        card=None,
    )


def curve(folder):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


def weights(trained):
    return {name: tensor.clone() for name, tensor in trained.model.state_dict().items()}


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


def interrupt():
    raise KeyboardInterrupt


def test_training_learns_and_logs(tmp_path):
    config = replace(CONFIG, steps=400, ema=0.0, learning_rate=0.03)
    trained = train(recipe(), config, tmp_path)
    x = torch.linspace(0, 1, 5)[:, None]
    torch.testing.assert_close(trained.model(x), 3 * x + 1, rtol=0, atol=0.3)
    assert not trained.model.training
    logged = curve(tmp_path)
    assert [line["step"] for line in logged] == [*range(0, 400, 4), 399]
    assert set(logged[0]) == {"step", "loss", "absolute", "gradient", "learning_rate"}
    assert logged[-1]["loss"] < 0.1 * logged[0]["loss"]


@pytest.mark.parametrize("killed_in_step", [1, 10, 13, 23])
def test_a_killed_run_resumes_to_the_same_curve_bit_for_bit(tmp_path, killed_in_step):
    whole = train(recipe(), CONFIG, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(recipe(at={killed_in_step * 8 + 3: interrupt}), CONFIG, tmp_path / "killed")
    resumed = train(recipe(), CONFIG, tmp_path / "killed")
    assert_same(weights(whole), weights(resumed))
    assert curve(tmp_path / "whole") == curve(tmp_path / "killed")
    ends = [torch.load(tmp_path / name / "last.ckpt") for name in ("whole", "killed")]
    for end in ends:
        del end["seconds"]
    assert str(ends[0]) == str(ends[1])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_request_lets_the_step_finish_and_saves(tmp_path, number):
    whole = train(recipe(), CONFIG, tmp_path / "whole")
    before = signal.getsignal(number)
    stopped = recipe(at={13 * 8: lambda: signal.raise_signal(number)})
    with pytest.raises(KeyboardInterrupt, match="after step 14; the same command resumes"):
        train(stopped, CONFIG, tmp_path / "stopped")
    assert signal.getsignal(number) == before
    assert torch.load(tmp_path / "stopped" / "last.ckpt")["step"] == 14
    resumed = train(recipe(), CONFIG, tmp_path / "stopped")
    assert_same(weights(whole), weights(resumed))
    assert curve(tmp_path / "whole") == curve(tmp_path / "stopped")


def test_a_second_request_stops_at_once(tmp_path):
    def twice():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match="at once"):
        train(recipe(at={13 * 8: twice}), CONFIG, tmp_path)
    assert torch.load(tmp_path / "last.ckpt")["step"] == 10


def test_the_global_generator_is_left_alone(tmp_path):
    before = torch.random.get_rng_state()
    train(recipe(), CONFIG, tmp_path)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.skipif(
    multiprocessing.get_start_method() != "fork", reason="the test's recipe cannot be pickled"
)
def test_worker_processes_do_not_change_the_curve(tmp_path):
    alone = train(recipe(), CONFIG, tmp_path / "alone")
    helped = train(recipe(), replace(CONFIG, workers=2), tmp_path / "helped")
    assert_same(weights(alone), weights(helped))


def test_a_finished_run_is_returned_as_it_is(tmp_path):
    first = train(recipe(), CONFIG, tmp_path)
    log = (tmp_path / "log.jsonl").read_bytes()
    again = train(recipe(at=dict.fromkeys(range(1000), interrupt)), CONFIG, tmp_path)
    assert_same(weights(first), weights(again))
    assert again.seconds == first.seconds
    assert (tmp_path / "log.jsonl").read_bytes() == log


def test_the_running_mean_is_what_is_kept(tmp_path):
    config = replace(CONFIG, steps=6, ema=0.5, checkpoint_every=1)
    states = []

    def remember(model, batch, generator):
        states.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        return line_loss(model, batch, generator)

    trained = train(recipe(loss=remember), config, tmp_path)
    states.append(torch.load(tmp_path / "last.ckpt")["model"])
    mean = states[0]
    for step, state in enumerate(states[1:]):
        decay = min(0.5, (1 + step) / (10 + step))
        mean = {name: decay * mean[name] + (1 - decay) * state[name] for name in mean}
    for name, tensor in weights(trained).items():
        torch.testing.assert_close(tensor, mean[name])


def diverge_at(step):
    count = iter(range(1000))

    def loss(model, batch, generator):
        value, terms = line_loss(model, batch, generator)
        return value * (math.nan if next(count) == step else 1.0), terms

    return loss


def test_divergence_names_the_step_and_spares_the_checkpoint(tmp_path):
    with pytest.raises(TrainingDivergedError, match=r"at step 12: loss nan.*last\.ckpt") as error:
        train(recipe(loss=diverge_at(12)), CONFIG, tmp_path)
    assert "\n" not in str(error.value)
    saved = torch.load(tmp_path / "last.ckpt")
    assert saved["step"] == 10
    assert all(tensor.isfinite().all() for tensor in saved["model"].values())


def test_a_gradient_that_is_not_finite_spoils_no_weights(tmp_path):
    def loss(model, batch, generator):
        value, terms = line_loss(model, batch, generator)
        # The root's slope at 0 is infinite, and 0 times infinity is not a number.
        return value + 0 * (value - value).sqrt(), terms

    with pytest.raises(TrainingDivergedError, match=r"gradient norm nan.*is none"):
        train(recipe(loss=loss), CONFIG, tmp_path)


def test_another_run_in_the_folder_is_not_continued(tmp_path):
    train(recipe(), CONFIG, tmp_path)
    with pytest.raises(TrainingError, match=r"seed was 3 and is now 4\. Give this run another"):
        train(recipe(), replace(CONFIG, seed=4), tmp_path)
    with pytest.raises(TrainingError, match="it trains 'line'"):
        train(replace(recipe(), name="circle"), CONFIG, tmp_path)
    train(recipe(), replace(CONFIG, log_every=1, checkpoint_every=5), tmp_path)


def test_a_damaged_checkpoint_is_named(tmp_path):
    train(recipe(), CONFIG, tmp_path)
    checkpoint = tmp_path / "last.ckpt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:500])
    with pytest.raises(TrainingError, match=r"last\.ckpt cannot be read .* delete it"):
        train(recipe(), CONFIG, tmp_path)


def test_the_learning_rate_rises_and_falls():
    rates = [learning_rate(step, CONFIG) for step in range(CONFIG.steps + 1)]
    assert rates[:5] == pytest.approx([0.002, 0.004, 0.006, 0.008, 0.01])
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[-1] == pytest.approx(0.01 * 0.01)


def test_biases_and_norms_do_not_decay(tmp_path):
    class Still(nn.Module):
        def __init__(self):
            super().__init__()
            self.matrix, self.bias = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2))

        def forward(self, batch):
            return (self.matrix.sum() + self.bias.sum()) * 0

    still = replace(
        recipe(), build_model=Still, loss=lambda model, batch, generator: (model(batch), {})
    )
    config = replace(CONFIG, ema=0.0, weight_decay=0.1)
    trained = train(still, config, tmp_path)
    assert torch.equal(trained.model.bias, torch.ones(2))
    expected = math.prod(1 - 0.1 * learning_rate(step, config) for step in range(config.steps))
    torch.testing.assert_close(trained.model.matrix, torch.full((2, 2), expected))


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"batch_size": 0}, {"learning_rate": -1.0}, {"ema": 1.0}, {"seed": -1}]
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(TrainingConfigError, match=next(iter(wrong))):
        replace(CONFIG, **wrong)


SCRIPT = """
import sys
from pathlib import Path
import torch
from torch import nn
from visage.training import Recipe, TrainingConfig, train

class Lines:
    def batch(self, indices):
        x = torch.tensor([[i * 0.37 % 1] for i in indices])
        return torch.cat([x, 3 * x + 1], 1)

class Line(nn.Module):
    # A part that is not used, a part that is called by itself, statistics of the batch.
    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Linear(1, 8), nn.BatchNorm1d(8), nn.Tanh())
        self.last, self.unused = nn.Linear(8, 1), nn.Linear(8, 1)

    def answer(self, x):
        return self.last(self.first(x))

def loss(model, batch, generator):
    middle = model.first(batch[:, :1]).square().mean()
    return (model.answer(batch[:, :1]) - batch[:, 1:]).square().mean() + 0.1 * middle, {}

build = Line

config = TrainingConfig(steps=12, batch_size=8, learning_rate=0.01, log_every=1)
recipe = Recipe("line", "", config, build, lambda seed: Lines(), loss, None)
if __name__ == "__main__":
    trained = train(recipe, folder=Path(sys.argv[1]))
    (Path(sys.argv[1]) / f"rank{trained.rank}").touch()
"""


def test_two_processes_follow_the_curve_of_one(tmp_path):
    pytest.importorskip("click", reason="fabric's own command line needs click")
    script = tmp_path / "lines.py"
    script.write_text(SCRIPT)
    train(runpy.run_path(str(script))["recipe"], folder=tmp_path / "one")
    launcher = [sys.executable, "-m", "lightning_fabric.cli"]
    options = ["--accelerator=cpu", "--devices=2", "--strategy=ddp"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LT_")}
    done = subprocess.run(
        [*launcher, *options, script, tmp_path / "two"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "two").glob("rank*")) == ["rank0", "rank1"]
    one, two = curve(tmp_path / "one"), curve(tmp_path / "two")
    assert [line["step"] for line in two] == list(range(12))
    for a, b in zip(one, two, strict=True):
        assert b == pytest.approx(a, rel=1e-4)
