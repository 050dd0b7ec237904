import math

import pytest
import torch

from visage.photos.jitter import Jitter, JitterError, moved

STILL = {"shift": 0, "scale": 0, "rotation": 0, "mirror": 0}


def ramp(size=9):
    return torch.arange(size * size, dtype=torch.float64).view(1, 1, size, size)


def similarity(angle=0.0, factor=1.0, dx=0.0, dy=0.0, flip=1.0):
    c, s = factor * math.cos(angle), factor * math.sin(angle)
    return torch.tensor([[[flip * c, -s, dx], [flip * s, c, dy]]], dtype=torch.float64)


def test_whole_pixels_quarter_turns_and_mirrors_are_exact():
    image = ramp()
    assert torch.allclose(moved(image, similarity(dx=2))[..., :-2], image[..., 2:])
    assert torch.allclose(moved(image, similarity(dy=1))[..., :-1, :], image[..., 1:, :])
    assert torch.allclose(moved(image, similarity(flip=-1)), image.flip(-1))
    # One input step to the right and one down for a quarter turn from x to y.
    assert torch.allclose(moved(image, similarity(math.pi / 2)), image.rot90(1, (-2, -1)))


def test_the_edge_is_repeated():
    shifted = moved(ramp(4), similarity(dx=2))
    assert (shifted[..., -3:] == shifted[..., -1:]).all()


def test_one_image_serves_many_moves_and_one_move_many_images():
    moves = torch.cat([similarity(dx=1), similarity(dy=1)])
    both = moved(ramp(), moves)
    assert torch.equal(both[1:], moved(ramp(), moves[1:]))
    images = torch.cat([ramp(), 2 * ramp()])
    assert torch.equal(moved(images, moves[:1])[1:], moved(images[1:], moves[:1]))


def test_draws_depend_on_seed_and_step_only():
    jitter = Jitter()
    assert torch.equal(jitter.draw(3, 5), jitter.draws([1, 3], 5)[1])
    assert not torch.equal(jitter.draw(3, 5), jitter.draw(3, 6))
    assert not torch.equal(jitter.draw(3, 5), jitter.draw(4, 5))


def test_draws_fill_the_ranges_and_stay_inside():
    jitter = Jitter(shift=6, scale=0.06, rotation=math.radians(5), mirror=0.5)
    draws = torch.stack([jitter.draw(0, step) for step in range(2000)])
    flips = torch.linalg.det(draws[:, :, :2]).sign()
    factors = torch.linalg.det(draws[:, :, :2]).abs().sqrt()
    angles = torch.atan2(-draws[:, 0, 1], draws[:, 1, 1]).rad2deg()
    for values, largest in ((draws[:, 0, 2], 6), (draws[:, 1, 2], 6), (angles, 5),
                            (1 / factors - 1, 0.06)):  # fmt: skip
        assert 0.95 * largest < values.abs().max() <= largest + 1e-9
        assert abs(values.mean()) < 0.1 * largest
    assert 0.45 < (flips < 0).double().mean() < 0.55


def test_no_jitter_leaves_images_alone():
    still = Jitter(**STILL)
    assert torch.allclose(moved(ramp(), still.draws([0], 0)), ramp())


def test_gradients_reach_the_image():
    image = ramp(3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: moved(x, similarity(0.1, 0.95, 0.3, -0.2)), image)


@pytest.mark.parametrize("wrong", [{"shift": -1}, {"scale": 1.0}, {"mirror": 1.5},
                                   {"rotation": math.nan}])  # fmt: skip
def test_bad_input(wrong):
    with pytest.raises(JitterError):
        Jitter(**wrong)
