import pytest
import torch

from visage.avatar.head import COARSE_SHARE, LIKELY, at_rest, coarse_share, head_shape


def numbers(level):
    return torch.full((1, 80), level), torch.full((1, 52), level)


def test_a_likely_head_is_between_both_answers():
    identity, expression = head_shape(numbers(0.0), numbers(1.0))
    torch.testing.assert_close(identity, torch.full((1, 80), COARSE_SHARE))
    torch.testing.assert_close(expression, torch.full((1, 52), COARSE_SHARE))


@pytest.mark.parametrize("level", [0.5, 2.0, 3.0, 9.0])
def test_an_unlikely_fit_gives_way_to_coarse_net(level):
    """Found by search: no smaller share gives a likely root mean square."""
    generator = torch.Generator().manual_seed(0)
    fit = level * torch.randn(1, 80, generator=generator)
    coarse = 0.4 * torch.randn(1, 80, generator=generator)
    share = coarse_share(fit, coarse)
    blended = torch.lerp(fit, coarse, share).square().mean().sqrt()
    assert blended <= LIKELY + 1e-3
    if share > COARSE_SHARE:
        assert torch.lerp(fit, coarse, share - 0.01).square().mean().sqrt() > LIKELY


def test_two_unlikely_answers_leave_coarse_nets():
    assert coarse_share(torch.full((1, 80), 9.0), torch.full((1, 80), 2.0)) == 1


def test_expressions_stay_in_their_range():
    _, expression = head_shape(numbers(-1.0), numbers(-1.0))
    assert not expression.any()


def test_a_head_at_rest_has_the_same_skin(avatar):
    rest = at_rest(avatar.posed)
    assert not rest.expression.any()
    assert avatar.posed.expression.any()
    assert torch.equal(rest.identity, avatar.head.identity)
    assert rest.maps is avatar.posed.maps
