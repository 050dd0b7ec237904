import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from visage.inversion.errors import InversionError
from visage.inversion.gaussian_activations import (
    gather_statistics,
    gaussian_energy,
    gaussian_regulariser,
    statistics_of,
)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("sizes", [[10], [1, 9], [3, 3, 4], [1] * 10])
def test_batches_of_any_size_give_the_same_statistics(sizes):
    values = drawn(10, 2, 3) + 1000
    first, *rest = values.split(sizes)
    statistics = statistics_of(first)
    for batch in rest:
        statistics = statistics.updated(batch)
    assert statistics.count == 10
    assert np.allclose(statistics.mean, values.numpy().mean(0))
    assert np.allclose(statistics.variance, values.numpy().var(0))


def test_a_large_mean_does_not_spoil_the_variance():
    values = (drawn(64, 3) + 3000).float()
    statistics = statistics_of(values[:1])
    for value in values[1:]:
        statistics = statistics.updated(value[None])
    exact = values.double().var(0, correction=0)
    assert torch.allclose(statistics.variance.double(), exact, rtol=1e-2)


def test_gathering_runs_the_encoder_batch_by_batch(tiny, pictures):
    found = gather_statistics(tiny, pictures.split(3), ["low", "high"])
    assert tiny.calls == 4
    low = tiny.features(pictures, ["low"])["low"]
    assert torch.allclose(found["low"].mean, low.mean(0))
    assert torch.allclose(found["low"].variance, low.var(0, correction=0))
    assert found["high"].count == 10


def test_equation_5_is_what_a_loop_sums():
    statistics = statistics_of(drawn(20, 4) * torch.tensor([0.0, 0.1, 1.0, 3.0]))
    a, nu = drawn(2, 4, seed=1), 0.05
    sigma = statistics.variance.sqrt().tolist()
    expected = [
        sum(
            nu * (a[i, n].item() - statistics.mean[n].item()) ** 2 * max(sigma) ** 2
            / (sigma[n] ** 2 + nu * max(sigma) ** 2)
            for n in range(4)
        )
        for i in range(2)
    ]  # fmt: skip
    found = gaussian_regulariser({"x": a}, {"x": statistics}, nu)
    assert found.tolist() == pytest.approx(expected)


def test_equation_5_tends_to_equation_4_for_a_small_nu():
    statistics = statistics_of(drawn(20, 4) * torch.tensor([0.5, 1.0, 2.0, 3.0]))
    a, nu = drawn(2, 4, seed=1), 1e-9
    scale = 2 * nu * statistics.variance.max()
    found = gaussian_regulariser({"x": a}, {"x": statistics}, nu)
    assert torch.allclose(found, scale * gaussian_energy(a, statistics), rtol=1e-6)


def test_equation_4_does_not_feel_the_unit_of_a_node():
    values, a, units = drawn(20, 4), drawn(2, 4, seed=1), torch.tensor([0.1, 1.0, 5.0, 100.0])
    plain = gaussian_energy(a, statistics_of(values))
    assert torch.allclose(plain, gaussian_energy(a * units, statistics_of(values * units)))


def test_a_node_that_never_varied_counts_as_its_square():
    statistics = statistics_of(torch.zeros(5, 3, dtype=torch.float64))
    a = drawn(2, 3)
    found = gaussian_regulariser({"x": a}, {"x": statistics})
    assert torch.allclose(found, a.square().sum(1))


def test_derivatives():
    statistics = {"x": statistics_of(drawn(20, 2, 3)), "y": statistics_of(drawn(20, 4))}
    x, y = drawn(2, 2, 3, seed=1).requires_grad_(), drawn(2, 4, seed=2).requires_grad_()
    assert gradcheck(lambda x, y: gaussian_regulariser({"x": x, "y": y}, statistics), (x, y))
    assert gradcheck(lambda x: gaussian_energy(x, statistics["x"]), x)


def test_bad_input(tiny):
    statistics = {"x": statistics_of(drawn(5, 3))}
    with pytest.raises(InversionError, match="same layers"):
        gaussian_regulariser({"y": drawn(2, 3)}, statistics)
    with pytest.raises(InversionError, match="same size"):
        gaussian_regulariser({"x": drawn(2, 4)}, statistics)
    with pytest.raises(InversionError, match="nu"):
        gaussian_regulariser({"x": drawn(2, 3)}, statistics, nu=0)
    with pytest.raises(InversionError, match="no picture"):
        gather_statistics(tiny, [], ["low"])
    with pytest.raises(InversionError, match="expected"):
        statistics["x"].updated(drawn(2, 4))
