import pytest
import torch

from visage.sheet import SheetError, sheet


def test_a_sheet_has_a_panel_for_every_picture():
    rows = [torch.rand(4, 3, 6, 6), torch.rand(2, 3, 6, 6)]
    figure = sheet(rows, ["up", "down"], columns=list("abcd"), captions=[[], ["1", "2"]])
    assert len(figure.axes) == 8
    assert sum(len(axes.images) for axes in figure.axes) == 6
    assert figure.axes[4].get_ylabel() == "down"
    assert figure.axes[5].get_xlabel() == "2"
    with pytest.raises(SheetError, match="names"):
        sheet(rows, ["one"])
    with pytest.raises(SheetError):
        sheet([], [])
