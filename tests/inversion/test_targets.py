import pytest
import torch

from visage.inversion.errors import InversionError
from visage.inversion.targets import TargetStream


def test_targets_depend_on_seed_and_index_only():
    stream = TargetStream(1, torch.eye(6))
    both = stream.batch([3, 4])
    assert torch.equal(both[1], stream.batch([4])[0])
    assert not torch.equal(both, TargetStream(2, torch.eye(6)).batch([3, 4]))


def test_mixed_targets_lie_between_two_people():
    pure = TargetStream(0, torch.eye(6), mixed=0).batch(range(50))
    assert ((pure == 0) | (pure == 1)).all()
    between = TargetStream(0, torch.eye(6), mixed=1).batch(range(50))
    assert torch.allclose(between.sum(1), torch.ones(50))
    assert ((between > 0).sum(1) <= 2).all()
    assert ((between > 0.01).sum(1) == 2).float().mean() > 0.6
    with pytest.raises(InversionError, match="mixed"):
        TargetStream(0, torch.eye(6), mixed=2)
