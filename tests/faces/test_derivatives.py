import pytest
import torch
from torch.autograd import forward_ad

from visage.faces.derivatives import is_constant


def test_plain_numbers_are_constant():
    assert is_constant()
    assert is_constant(torch.zeros(2), None)


def test_what_requires_a_gradient_is_not_unless_gradients_are_off():
    wanted = torch.zeros(2, requires_grad=True)
    assert not is_constant(torch.zeros(2), wanted)
    assert not is_constant(2 * wanted)
    assert is_constant(wanted.detach())
    with torch.no_grad():
        assert is_constant(wanted)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_what_carries_a_forward_derivative_is_not():
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(torch.zeros(2), torch.ones(2))
        assert not is_constant(dual)
        with torch.no_grad():
            assert not is_constant(dual)


@pytest.mark.parametrize(
    "tensor", [torch.zeros(2, dtype=torch.float64), torch.zeros(2, device="meta")]
)
def test_other_types_and_devices_are_torchs(tensor):
    assert not is_constant(torch.zeros(2), tensor)
