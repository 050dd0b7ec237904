import math

import pytest
import torch

from visage.recognition.margin_softmax import margin_softmax


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_it_is_the_naive_loop():
    embeddings, prototypes, people = draw(5, 3), draw(4, 3, seed=1), torch.tensor([0, 1, 3, 3, 2])
    total = 0.0
    for x, y in zip(embeddings, people.tolist(), strict=True):
        cosines = [float(x @ p / (x.norm() * p.norm())) for p in prototypes]
        own = math.exp(8 * (cosines[y] - 0.3))
        others = sum(math.exp(8 * c) for j, c in enumerate(cosines) if j != y)
        total -= math.log(own / (own + others))
    found = margin_softmax(embeddings, prototypes, people, scale=8.0, margin=0.3)
    assert float(found) == pytest.approx(total / 5)


def test_lengths_do_not_matter_and_a_margin_costs():
    embeddings, prototypes, people = draw(5, 3), draw(4, 3, seed=1), torch.tensor([0, 1, 3, 3, 2])
    plain = margin_softmax(embeddings, prototypes, people, 8.0, 0.0)
    assert torch.allclose(plain, margin_softmax(7 * embeddings, 0.1 * prototypes, people, 8.0, 0.0))
    assert plain < margin_softmax(embeddings, prototypes, people, 8.0, 0.3)


def test_gradients():
    people = torch.tensor([0, 2])
    inputs = (draw(2, 3).requires_grad_(), draw(3, 3, seed=1).requires_grad_())
    assert torch.autograd.gradcheck(lambda e, p: margin_softmax(e, p, people, 4.0, 0.2), inputs)


@pytest.mark.parametrize(("scale", "margin"), [(0.0, 0.1), (8.0, -0.1)])
def test_a_scale_of_nothing_is_refused(scale, margin):
    with pytest.raises(ValueError, match="expected > 0"):
        margin_softmax(torch.eye(2), torch.eye(2), torch.tensor([0, 1]), scale, margin)
