import numpy as np
import pytest

from visage.texture.occluders import HAND, KINDS, OBJECT, Occluder, draw_occluder

SIDE = 64
SKIN = np.array([0.7, 0.5, 0.4])


def drawn(seed, kind, texture=None):
    texture = np.full((SIDE, SIDE, 3), 0.3) if texture is None else texture
    return draw_occluder(np.random.default_rng(seed), kind, SKIN, texture)


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_hides_a_part_of_the_picture(kind):
    for seed in range(12):
        layer = drawn(seed, kind)
        assert layer.alpha.shape == (SIDE, SIDE)
        assert layer.colour.shape == (SIDE, SIDE, 3)
        assert layer.alpha.min() == 0
        assert layer.alpha.max() <= 1
        assert ((layer.colour >= 0) & (layer.colour <= 1)).all()
    hidden = np.mean([drawn(seed, kind).alpha.mean() for seed in range(12)])
    assert 0.03 < hidden < 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_layers_follow_their_seed(kind):
    first, again, other = (drawn(seed, kind).alpha for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_hand_has_the_colour_of_the_face():
    # Bare or in a sleeve: over many, the most solid pixels are about the skin's, shaded.
    hues = []
    for seed in range(20):
        layer = drawn(seed, HAND, np.zeros((SIDE, SIDE, 3)))
        solid = layer.colour[layer.alpha > 0.9]
        solid = solid[solid.sum(1) > 0.3]
        if len(solid):
            hues.append(np.median(solid / solid.sum(1, keepdims=True), axis=0))
    expected = SKIN / SKIN.sum()
    assert np.abs(np.median(hues, axis=0) - expected).max() < 0.03


def test_objects_are_cut_from_another_picture_or_plain():
    striped = np.zeros((SIDE, SIDE, 3))
    striped[::2] = 1
    spreads = [drawn(seed, OBJECT, striped).colour.std() for seed in range(30)]
    assert max(spreads) > 0.3
    assert min(spreads) < 0.3


def test_over_mixes_by_alpha_and_shades_what_is_behind():
    alpha = np.zeros((SIDE, SIDE))
    alpha[20:40, 20:40] = 1
    layer = Occluder(alpha, np.full((SIDE, SIDE, 3), 0.9))
    picture = np.full((SIDE, SIDE, 3), 0.5)
    plain = layer.over(picture, 0.0, (0, 0))
    assert np.allclose(plain[30, 30], 0.9)
    assert np.allclose(plain[5, 5], 0.5)
    shaded = layer.over(picture, 0.6, (0, 6))
    assert np.allclose(shaded[30, 30], 0.9)
    assert shaded[30, 43, 0] < 0.35  # beside the edge, on the shadow's side
    assert shaded[30, 15, 0] > 0.45
