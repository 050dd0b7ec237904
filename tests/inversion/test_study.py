import pytest
import torch

from visage.inversion.errors import InversionError
from visage.inversion.examples import Examples
from visage.inversion.sheet import sheet
from visage.inversion.study import chosen_examples, mean_row


def test_some_examples_in_order():
    names = ("a/1", "b/1", "c/1")
    examples = Examples(names, torch.arange(3).view(3, 1, 1, 1), torch.eye(3))
    some = chosen_examples(examples, [2, 0])
    assert some.names == ("c/1", "a/1")
    assert some.chips.flatten().tolist() == [2, 0]
    assert torch.equal(some.embeddings, torch.eye(3)[[2, 0]])


def test_a_row_of_a_mean():
    row = mean_row("x", torch.tensor([1.0, 2.0]), "mm", "lower", paper=3.0)
    assert (row.ours, row.n, row.paper) == (1.5, 2, 3.0)


def test_a_sheet_has_a_panel_for_every_picture():
    rows = [torch.rand(4, 3, 6, 6), torch.rand(2, 3, 6, 6)]
    figure = sheet(rows, ["up", "down"], columns=list("abcd"), captions=[[], ["1", "2"]])
    assert len(figure.axes) == 8
    assert sum(len(axes.images) for axes in figure.axes) == 6
    assert figure.axes[4].get_ylabel() == "down"
    assert figure.axes[5].get_xlabel() == "2"
    with pytest.raises(InversionError, match="names"):
        sheet(rows, ["one"])
    with pytest.raises(InversionError):
        sheet([], [])
