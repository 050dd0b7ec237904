"""Two processes on halves of a batch against one process on the whole of it."""

import socket

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from visage.data_parallel import (
    SynchronisedBatchNorm,
    average_gradients,
    fabric_of,
    synchronise_batch_norm,
)

WORLD = 2


def network(kind):
    torch.manual_seed(0)
    if kind == "plane":
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.SiLU(), nn.Conv2d(4, 2, 3))
    return nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5, momentum=None), nn.Linear(5, 2))


def items(kind):
    shape = (6, 3, 7, 6) if kind == "plane" else (6, 3)
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def height(answer):
    """A mean over items that no normalisation makes constant."""
    return (answer.flatten(1).cumsum(1).sin() * answer.flatten(1)).square().sum(1).mean()


def passes(model, values):
    """Twice by the batch's statistics, and once by the running ones."""
    first = height(model(values)) + height(model(values))
    return first + height(model.eval()(values))


def state(model):
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def share(rank, port, kind, answers):
    torch.distributed.init_process_group(
        "gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=WORLD
    )
    model = network(kind)
    synchronise_batch_norm(model)
    values = items(kind).chunk(WORLD)[rank].requires_grad_()
    loss = passes(model, values)
    loss.backward()
    gradients = [parameter.grad.clone() for parameter in model.parameters()]
    gradient, found = values.grad.clone(), state(model)
    # A look by the running statistics in between: torch's own layer would then go back through
    # statistics that it has changed since.
    held = height(model(values))
    (held + height(model.train()(values))).backward()
    answers[rank] = (loss.item(), gradient, gradients, found)
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module", params=["plane", "points"])
def both(request):
    kind = request.param
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    answers = torch.multiprocessing.Manager().dict()
    torch.multiprocessing.spawn(share, (port, kind, answers), nprocs=WORLD)
    model, values = network(kind), items(kind).requires_grad_()
    loss = passes(model, values)
    loss.backward()
    gradients = [parameter.grad for parameter in model.parameters()]
    return (loss.item(), values.grad, gradients, state(model)), [answers[0], answers[1]]


def test_halves_of_a_batch_give_the_loss_of_the_whole(both):
    one, parts = both
    assert sum(part[0] for part in parts) / WORLD == pytest.approx(one[0], rel=1e-5)


def test_gradients_go_through_the_shared_statistics(both):
    one, parts = both
    values = torch.cat([part[1] for part in parts]) / WORLD
    torch.testing.assert_close(values, one[1], rtol=1e-4, atol=1e-6)
    for whole, *halves in zip(one[2], *(part[2] for part in parts), strict=True):
        torch.testing.assert_close(sum(halves) / WORLD, whole, rtol=1e-4, atol=1e-6)


def test_running_statistics_are_those_of_the_whole_batch(both):
    one, parts = both
    for part in parts:
        assert list(part[3]) == list(one[3])
        for name, value in part[3].items():
            torch.testing.assert_close(value, one[3][name], rtol=1e-5, atol=1e-6)


def test_a_synchronised_layer_keeps_parameters_and_names():
    model = network("plane")
    kept = {name: id(value) for name, value in model.named_parameters()}
    names = list(model.state_dict())
    synchronise_batch_norm(model)
    assert isinstance(model[1], SynchronisedBatchNorm)
    assert {name: id(value) for name, value in model.named_parameters()} == kept
    assert list(model.state_dict()) == names


@pytest.mark.parametrize("training", [True, False])
def test_in_one_process_it_is_batch_normalisation(training):
    plain, other = network("plane").train(training), network("plane").train(training)
    synchronise_batch_norm(other)
    values = items("plane")
    torch.testing.assert_close(other(values), plain(values), rtol=0, atol=0)
    torch.testing.assert_close(state(other), state(plain), rtol=0, atol=0)
    assert all(layer.training is training for layer in other.modules())


def test_values_without_channels_are_refused():
    layer = SynchronisedBatchNorm.of(nn.BatchNorm1d(4))
    with pytest.raises(ValueError, match=r"values are \(4,\); expected \(B, C, \.\.\.\)"):
        layer(torch.zeros(4))


def test_a_norm_deep_inside_is_found():
    model = nn.Sequential(nn.ModuleDict({"a": nn.Sequential(nn.BatchNorm1d(2))}))
    synchronise_batch_norm(model)
    found = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    assert [type(m) for m in found] == [SynchronisedBatchNorm]


class TwoDevices:
    """What this process hears from another one that sent `theirs`."""

    world_size, device = 2, torch.device("cpu")

    def __init__(self, *theirs):
        self.theirs = list(theirs)

    def all_reduce(self, mine, reduce_op):
        total = mine + self.theirs.pop(0)
        return total / 2 if reduce_op == "mean" else total


def test_gradients_are_averaged_and_the_unused_stay_unused():
    here, both_have, nobody = (nn.Parameter(torch.zeros(2)) for _ in range(3))
    here.grad, both_have.grad = torch.tensor([2.0, 4.0]), torch.tensor([1.0, 1.0])
    other = TwoDevices(torch.tensor([0.0, 1.0, 0.0]), torch.tensor([0.0, 0.0, 3.0, 5.0]))
    average_gradients(other, [here, both_have, nobody])
    assert here.grad.tolist() == [1.0, 2.0]
    assert both_have.grad.tolist() == [2.0, 3.0]
    assert nobody.grad is None


def test_a_gradient_that_only_another_device_has_counts():
    elsewhere = nn.Parameter(torch.zeros(2))
    average_gradients(TwoDevices(torch.ones(1), torch.tensor([4.0, 6.0])), [elsewhere])
    assert elsewhere.grad.tolist() == [2.0, 3.0]


def test_one_device_is_left_alone(monkeypatch):
    monkeypatch.setenv("LT_ACCELERATOR", "cpu")
    monkeypatch.setenv("LT_DEVICES", "1")
    fabric, weight = fabric_of("32-true"), nn.Parameter(torch.zeros(1))
    weight.grad = given = torch.ones(1)
    average_gradients(fabric, [weight])
    assert weight.grad is given
