import pytest
import torch

from visage.nfgan.errors import TupletError
from visage.nfgan.tuplet import (
    AdaptiveThreshold,
    joint_loss,
    reference,
    squared_distances,
    tuplet_cluster_loss,
)

GENERATOR = torch.Generator().manual_seed(0)


def draw(*shape):
    return torch.randn(shape, dtype=torch.float64, generator=GENERATOR)


def naive_loss(positives, negatives, threshold, gap):
    """One tuplet, number by number, as the formula has it."""
    size = len(positives[0])
    centre = [sum(x[d] for x in positives) / len(positives) for d in range(size)]

    def distance(x):
        return sum((x[d] - centre[d]) ** 2 for d in range(size))

    near = [max(0.0, distance(x) - threshold(x, centre) + gap / 2) for x in positives]
    far = [max(0.0, threshold(x, centre) + gap / 2 - distance(x)) for x in negatives]
    total = 0.0
    for terms in (near, far):
        broken = [term for term in terms if term > 0]
        total += sum(broken) / len(broken) if broken else 0.0
    return total


@pytest.mark.parametrize(("threshold", "gap"), [(1.0, 1.0), (6.0, 2.0), (0.5, 0.1)])
def test_loss_by_a_naive_loop(threshold, gap):
    positives, negatives = draw(5, 4, 3), draw(5, 6, 3) + 0.5
    found = tuplet_cluster_loss(positives, negatives, threshold, gap)
    wanted = [
        naive_loss(p, n, lambda x, c: threshold, gap)
        for p, n in zip(positives.tolist(), negatives.tolist(), strict=True)
    ]
    assert torch.allclose(found, torch.tensor(wanted, dtype=torch.float64))
    assert (found > 0).any()


def filled(features):
    """An adaptive threshold that has learned something."""
    threshold = AdaptiveThreshold(features, 2.0).double()
    for parameter in threshold.parameters():
        parameter.data += 0.3 * draw(*parameter.shape)
    return threshold


def test_adaptive_threshold_by_a_naive_loop():
    threshold, positives, negatives = filled(3), draw(4, 3, 3), draw(4, 5, 3)
    own = (threshold.own + threshold.own.T).detach() / 2
    cross = (threshold.cross + threshold.cross.T).detach() / 2

    def naive(x, c):
        value = threshold.offset.item()
        for i in range(3):
            value += threshold.slope[i].item() * (x[i] + c[i])
            for j in range(3):
                value += own[i, j].item() * (x[i] * x[j] + c[i] * c[j]) / 2
                value += cross[i, j].item() * x[i] * c[j]
        return value

    found = tuplet_cluster_loss(positives, negatives, threshold, 2.0)
    wanted = [
        naive_loss(p, n, naive, 2.0)
        for p, n in zip(positives.tolist(), negatives.tolist(), strict=True)
    ]
    assert torch.allclose(found, torch.tensor(wanted, dtype=torch.float64))


def test_threshold_does_not_care_which_of_two_comes_first():
    threshold, a, b = filled(4), draw(6, 4), draw(6, 4)
    assert torch.allclose(threshold(a[:, None], b), threshold(b[:, None], a))
    fresh = AdaptiveThreshold(4, 2.5)
    assert torch.equal(fresh(torch.randn(2, 3, 4), torch.randn(2, 4)), torch.full((2, 3), 2.5))


def test_absent_negatives_count_for_nothing():
    positives, negatives = draw(3, 2, 4), draw(3, 5, 4)
    present = torch.tensor([[1, 1, 0, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]]).bool()
    found = tuplet_cluster_loss(positives, negatives, 20.0, present=present)
    assert torch.allclose(found[:1], tuplet_cluster_loss(positives[:1], negatives[:1, :2], 20.0))
    assert torch.allclose(found[1:2], tuplet_cluster_loss(positives[1:2], negatives[1:2, :0], 20.0))
    assert torch.allclose(found[2:], tuplet_cluster_loss(positives[2:], negatives[2:], 20.0))


def test_well_separated_tuplets_cost_nothing():
    positives = 0.01 * draw(2, 3, 4).requires_grad_()
    loss = tuplet_cluster_loss(positives, 10 + draw(2, 3, 4), 1.0, 1.0)
    assert loss.tolist() == [0, 0]
    loss.sum().backward()  # a mean over no examples must not make NaN of it


def test_a_turned_and_moved_space_gives_the_same_loss():
    positives, negatives = draw(3, 3, 4), draw(3, 3, 4)
    turn, shift = torch.linalg.qr(draw(4, 4))[0], draw(4)
    moved = tuplet_cluster_loss(positives @ turn + shift, negatives @ turn + shift)
    assert torch.allclose(moved, tuplet_cluster_loss(positives, negatives))


def test_gradients():
    threshold = filled(3)
    points = (draw(2, 3, 3).requires_grad_(), draw(2, 4, 3).requires_grad_())
    assert torch.autograd.gradcheck(lambda p, n: tuplet_cluster_loss(p, n, threshold), points)
    assert torch.autograd.gradcheck(lambda p, n: tuplet_cluster_loss(p, n, 3.0), points)
    # All positives move the centre, and with it the price of the negatives.
    centre = reference(points[0])
    pulled = torch.autograd.grad(squared_distances(points[1], centre).sum(), points[0])[0]
    assert (pulled.abs() > 0).all()


def test_descending_the_loss_takes_expressions_apart():
    features = draw(4, 6, 2).requires_grad_()
    optimizer = torch.optim.Adam([features], lr=0.05)
    for _ in range(200):
        loss = tuplet_cluster_loss(features[:, :3], features[:, 3:], 2.0, 2.0).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    distances = squared_distances(features, reference(features[:, :3]))
    assert (distances[:, :3] < 1.01).all()
    assert (distances[:, 3:] > 2.99).all()


def test_joint_loss_leaves_out_what_has_no_class():
    logits, labels, tuplets = draw(3, 5), torch.tensor([2, -1, 4]), draw(4).square()
    log = logits.log_softmax(1)
    wanted = -(log[0, 2] + log[2, 4]) / 2 + 0.5 * tuplets.mean()
    assert torch.allclose(joint_loss(logits, labels, tuplets, 0.5), wanted)
    with pytest.raises(TupletError, match="balance"):
        joint_loss(logits, labels, tuplets, -1)


def test_bad_input():
    good = torch.zeros(2, 3, 4)
    for positives, negatives in [
        (good, torch.zeros(2, 3, 5)),
        (good, torch.zeros(1, 3, 4)),
        (good[:, :0], good),
        (good[0], good),
    ]:
        with pytest.raises(TupletError, match="expected"):
            tuplet_cluster_loss(positives, negatives)
    with pytest.raises(TupletError, match="present"):
        tuplet_cluster_loss(good, good, present=torch.ones(2, 4).bool())
    with pytest.raises(TupletError, match="present"):
        tuplet_cluster_loss(good, good, present=torch.ones(2, 3))
    with pytest.raises(TupletError, match="gap"):
        tuplet_cluster_loss(good, good, gap=0)
