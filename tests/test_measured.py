import time

import pytest
import torch

from visage.ledger import current_revision, describe_device
from visage.measured import mean_row, measured_result, threads


def test_a_row_of_a_mean():
    row = mean_row("x", torch.tensor([1.0, 2.0]), "mm", "lower", paper=3.0)
    assert (row.ours, row.n, row.paper) == (1.5, 2, 3.0)


def test_a_mean_is_taken_in_double_precision():
    values = torch.full((3,), 0.1)
    assert abs(mean_row("x", values, "", None).ours - float(values[0])) < 1e-12


def test_a_result_ends_when_it_is_made():
    rows = [mean_row("x", torch.ones(2), "", None)]
    found = measured_result(
        "faces/speed", "Fast.", "Twice.", paper=None, profile="fast", seed=3,
        start=time.perf_counter() - 5, rows=iter(rows),
    )  # fmt: skip
    assert 5 <= found.seconds < 60
    assert (found.device, found.revision) == (describe_device(), current_revision())
    assert found.rows == tuple(rows)
    assert found.figure is None


@pytest.mark.parametrize("fails", [False, True])
def test_threads_are_as_many_as_before(fails):
    before = torch.get_num_threads()
    try:
        with threads(before + 1):
            assert torch.get_num_threads() == before + 1
            assert not fails or 1 / 0
    except ZeroDivisionError:
        assert fails
    assert torch.get_num_threads() == before
