import importlib.util
import json
import re
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from torch import nn

from visage import checkpoints
from visage.checkpoints import Card, CheckpointError

CARD = Card(
    task="Tells one thing from another.",
    data="Numbers drawn at random.",
    data_licence="None needed.",
    licence="Apache-2.0",
    command="visage train toy",
    revision="0123456789ab",
    seed=0,
    device="CPU",
    seconds=1.5,
    metrics={"accuracy": 0.9},
    intended_use="Tests.",
    must_not_be_used_for="Anything else.",
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("VISAGE_CHECKPOINTS", str(tmp_path))
    return tmp_path


def toy(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2))


@pytest.mark.parametrize(
    ("storage", "step"), [("float32", 0.0), ("float16", 2**-11), ("int8", 1 / 254)]
)
def test_weights_come_back_as_float32_within_the_storage_precision(storage, step):
    tensors = toy().state_dict()
    checkpoints.save_checkpoint("toy", tensors, CARD, storage=storage)
    loaded, card = checkpoints.load_checkpoint("toy")
    assert card.storage == storage
    assert card.parameters == sum(tensor.numel() for tensor in tensors.values())
    assert replace(card, storage="float16", parameters=0, sha256="") == CARD
    assert list(loaded) == sorted(tensors)
    for key, tensor in tensors.items():
        assert loaded[key].dtype == tensor.dtype
        if tensor.ndim < 2:
            assert torch.equal(loaded[key], tensor)
        else:
            assert (loaded[key] - tensor).abs().max() <= step * tensor.abs().max() * (1 + 1e-5)


@given(
    arrays(
        "float32",
        array_shapes(min_dims=2, max_dims=4, max_side=5),
        elements=st.floats(-1e6, 1e6, width=32, allow_subnormal=False),
    )
)
def test_no_weight_moves_by_more_than_half_a_step(array):
    weights = torch.from_numpy(array)
    steps, scales = checkpoints.quantise(weights)
    assert steps.dtype == torch.int8
    for channel in range(len(array)):
        largest = max(abs(float(weight)) for weight in array[channel].ravel())
        for step, weight in zip(
            steps[channel].ravel().tolist(), array[channel].ravel().tolist(), strict=True
        ):
            assert abs(step * scales[channel].item() - weight) <= largest / 254 * (1 + 1e-4) + 1e-37


def test_int8_keeps_channels_of_different_size_apart():
    weights = torch.tensor([[1000.0, -500.0], [0.001, 0.0005]])
    checkpoints.save_checkpoint("toy", {"w": weights}, CARD, storage="int8")
    loaded, _ = checkpoints.load_checkpoint("toy")
    torch.testing.assert_close(loaded["w"], weights, rtol=0.01, atol=0)


def test_saving_twice_gives_the_same_bytes(folder):
    first = checkpoints.save_checkpoint("toy", toy().state_dict(), CARD).read_bytes()
    card = (folder / "toy.json").read_bytes()
    again = checkpoints.save_checkpoint("toy", toy().state_dict(), CARD).read_bytes()
    assert again == first
    assert (folder / "toy.json").read_bytes() == card
    assert sorted(path.name for path in folder.iterdir()) == ["toy.json", "toy.safetensors"]


def test_a_module_takes_the_weights():
    source, target = toy(seed=0), toy(seed=1)
    checkpoints.save_checkpoint("toy", source.state_dict(), CARD, storage="float32")
    card = checkpoints.load_into(target, "toy")
    images = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(source.eval()(images), target.eval()(images))
    assert card.metrics == {"accuracy": 0.9}


def test_a_module_that_does_not_fit_is_left_alone():
    checkpoints.save_checkpoint("toy", toy().state_dict(), CARD)
    module = nn.Linear(16, 2)
    before = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    with pytest.raises(CheckpointError, match=r"it lacks weight; it lacks bias; .* and \d+ more\."):
        checkpoints.load_into(module, "toy")
    assert all(torch.equal(before[key], tensor) for key, tensor in module.state_dict().items())


def test_shapes_that_differ_are_named():
    checkpoints.save_checkpoint("toy", nn.Linear(3, 4).state_dict(), CARD)
    with pytest.raises(CheckpointError) as error:
        checkpoints.load_into(nn.Linear(2, 4), "toy")
    assert "weight is (4, 3) in the file and (4, 2) here" in str(error.value)


def test_an_unknown_name_is_answered_with_the_known_ones():
    checkpoints.save_checkpoint("toy", toy().state_dict(), CARD)
    with pytest.raises(CheckpointError, match="no checkpoint 'joy'; there are: toy"):
        checkpoints.load_checkpoint("joy")
    with pytest.raises(CheckpointError, match="lower-case letters"):
        checkpoints.load_checkpoint("../toy")


def test_a_changed_file_is_not_trusted(folder):
    path = checkpoints.save_checkpoint("toy", toy().state_dict(), CARD)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"sha256 differs.*visage train toy"):
        checkpoints.load_checkpoint("toy")


def spoil(change):
    def write(path):
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return write


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "has no card"),
        (lambda path: path.write_text("{"), "is not JSON"),
        (lambda path: path.write_text("[]"), "is not a JSON object"),
        (spoil(lambda card: card.pop("licence")), "lacks licence"),
        (spoil(lambda card: card.update(mood="good")), "has the unknown mood"),
        (spoil(lambda card: card.update(task="")), "task is a text"),
    ],
)
def test_a_spoiled_card_is_named(folder, damage, words):
    checkpoints.save_checkpoint("toy", toy().state_dict(), CARD)
    damage(folder / "toy.json")
    with pytest.raises(CheckpointError, match=words):
        checkpoints.load_checkpoint("toy")


@pytest.mark.parametrize(
    ("tensors", "storage", "words"),
    [
        ({"w": torch.tensor([[float("nan")]])}, "float16", "not finite"),
        ({"w": torch.tensor([[1e6]])}, "float16", "too large for float16"),
        ({"w": torch.zeros(1100, 2000)}, "float32", "more than 8,000,000"),
        ({"w": torch.zeros(1)}, "float8", "not 'float8'"),
    ],
)
def test_what_cannot_be_shipped_is_refused(folder, tensors, storage, words):
    with pytest.raises(CheckpointError, match=words):
        checkpoints.save_checkpoint("toy", tensors, CARD, storage=storage)
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"metrics": {"accuracy": float("nan")}}, "accuracy is a finite number"),
        ({"metrics": 0.9}, "named numbers"),
        ({"seed": "0"}, "seed is a whole number"),
        ({"must_not_be_used_for": ""}, "must_not_be_used_for is a text"),
    ],
)
def test_a_wrong_card_is_refused(change, words):
    with pytest.raises(CheckpointError, match=words):
        replace(CARD, **change)


def test_without_a_folder_the_error_says_what_to_set(monkeypatch):
    monkeypatch.delenv("VISAGE_CHECKPOINTS")
    monkeypatch.setattr(checkpoints, "repository", lambda: None)
    with pytest.raises(CheckpointError, match="VISAGE_CHECKPOINTS"):
        checkpoints.list_checkpoints()


def test_every_shipped_checkpoint_loads(monkeypatch):
    monkeypatch.delenv("VISAGE_CHECKPOINTS")
    for name in checkpoints.list_checkpoints():
        tensors, card = checkpoints.load_checkpoint(name)
        assert tensors
        module = re.fullmatch(r"python -m (visage\.[a-z_.]+)", card.command)
        if module:
            assert importlib.util.find_spec(module[1]), name
        else:
            assert card.command.startswith("visage train "), name
