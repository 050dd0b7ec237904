import pytest
import torch

from visage.texture.errors import GramError
from visage.texture.inner_products import Comparison


@pytest.fixture
def whole():
    columns = torch.rand(2, 9, 5, generator=torch.Generator().manual_seed(0)).double()
    query = torch.rand(2, 9, generator=torch.Generator().manual_seed(1)).double()
    return Comparison(
        ("fine", "coarse"),
        columns.mT @ columns,
        torch.einsum("ldk,ld->lk", columns, query),
        query.square().sum(1),
        torch.tensor([1.0, 0.5]),
    )


def test_among(whole):
    some = whole.among([4, 1])
    assert some.layers == whole.layers
    assert torch.equal(some.rights, whole.rights[:, [4, 1]])
    for a, k in enumerate([4, 1]):
        for b, j in enumerate([4, 1]):
            assert torch.equal(some.normals[:, a, b], whole.normals[:, k, j])
    assert torch.equal(some.squares, whole.squares)
    assert torch.equal(some.seen, whole.seen)


def test_of_first(whole):
    assert torch.equal(whole.of_first(2).normals, whole.normals[:, :2, :2])
    assert torch.equal(whole.of_first(5).rights, whole.rights)


@pytest.mark.parametrize("wrong", [[], [5], [-1]])
def test_bad_input(whole, wrong):
    with pytest.raises(GramError, match="of 5; choose some"):
        whole.among(wrong)


def test_one_more_layer(whole):
    rows, query = torch.eye(5)[:, :3], torch.tensor([1.0, 2.0, 3.0])
    more = whole.with_layer("extra", rows, query, 0.25)
    assert more.layers == ("fine", "coarse", "extra")
    torch.testing.assert_close(more.normals[2], (rows @ rows.T).double())
    torch.testing.assert_close(more.rights[2], (rows @ query).double())
    assert more.squares.tolist()[2] == 14
    assert more.seen.tolist() == [1.0, 0.5, 0.25]
    assert torch.equal(more.normals[:2], whole.normals)


@pytest.mark.parametrize("rows", [torch.ones(4, 3), torch.ones(5, 2), torch.ones(5)])
def test_a_layer_of_other_people_is_refused(whole, rows):
    with pytest.raises(GramError, match="rows are"):
        whole.with_layer("extra", rows, torch.ones(3))
