import torch

from visage.inversion.examples import Examples
from visage.inversion.study import chosen_examples


def test_some_examples_in_order():
    names = ("a/1", "b/1", "c/1")
    examples = Examples(names, torch.arange(3).view(3, 1, 1, 1), torch.eye(3))
    some = chosen_examples(examples, [2, 0])
    assert some.names == ("c/1", "a/1")
    assert some.chips.flatten().tolist() == [2, 0]
    assert torch.equal(some.embeddings, torch.eye(3)[[2, 0]])
