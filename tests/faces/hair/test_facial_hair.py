import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from visage.faces.hair import carry
from visage.faces.hair.beards import BEARDS
from visage.faces.hair.facial import beard, brows, lashes, on_front
from visage.faces.hair.scalp import head_of
from visage.faces.shape import MorphableModel


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


@pytest.fixture(scope="module")
def head(model):
    return head_of(model)


def make_brows(head, **given):
    shape = {"count": 400, "thickness": 1.0, "arch": 0.0, "lift": 0.0, "width": 0.15, "seed": 1}
    return brows(head, **(shape | given))


def make_lashes(model, head, **given):
    return lashes(model, head, **({"length": 9.0, "count": 60, "width": 0.1, "seed": 1} | given))


def moved(model, rooted, **weights):
    expression = model.expression_weights(weights)
    vertices = model.vertices(torch.zeros(1, 80), expression)
    return carry([rooted], model.mean, vertices)[0][0].numpy() - rooted.points


def skin_gap(head, points):
    return cKDTree(head.vertices[head.outside]).query(points)[0]


def test_brows_lie_above_the_eyes(model, head):
    hairs = make_brows(head)
    root = hairs.points[:, 0]
    assert len(hairs) == 400
    assert (root[:, 0] > 0).mean() == pytest.approx(0.5, abs=0.01)
    assert np.abs(root[:, 0]).min() > 5
    assert np.abs(root[:, 0]).max() < 64
    assert (root[:, 1] > 8).all()
    assert (root[:, 1] < 32).all()
    length = np.linalg.norm(np.diff(hairs.points, axis=1), axis=2).sum(1)
    assert 3 < np.median(length) < 11


def test_brow_hairs_shade_each_other(model, head):
    """Least light at the roots, and less than at lashes, which stand alone."""
    openness = make_brows(head).openness
    assert (np.diff(openness, axis=1) > 0).all()
    assert openness.max() < make_lashes(model, head).openness.min()


def test_brow_hairs_sweep_outwards(head):
    hairs = make_brows(head)
    root, tip = hairs.points[:, 0], hairs.points[:, -1]
    outer = np.abs(root[:, 0]) > 30
    inner = np.abs(root[:, 0]) < 15
    away = (tip - root) * np.stack([np.sign(root[:, 0]), 0 * root[:, 0] + 1, root[:, 0]], 1)
    assert (away[outer, 0] > 0).mean() > 0.95
    assert away[inner, 1].mean() > 2 * away[outer, 1].mean()


def test_thicker_arched_and_lifted_brows(head):
    def spread(hairs):
        root = hairs.points[:, 0]
        middle = (np.abs(root[:, 0]) > 22) & (np.abs(root[:, 0]) < 32)
        return root[middle, 1].std(), root[:, 1].mean()

    thin, base = spread(make_brows(head))
    thick, _ = spread(make_brows(head, thickness=1.5))
    assert thick > 1.3 * thin
    assert spread(make_brows(head, lift=2.0))[1] == pytest.approx(base + 2, abs=0.5)
    assert spread(make_brows(head, arch=3.0))[1] > base + 0.5


def test_brows_follow_the_brows(model, head):
    hairs = make_brows(head)
    assert moved(model, hairs, browInnerUp=1.0)[..., 1].max() > 2
    down = moved(model, hairs, browDownLeft=1.0, browDownRight=1.0)
    assert down[..., 1].min() < -1.5


def test_lashes_grow_from_the_lids(model, head):
    hairs = make_lashes(model, head)
    root, tip = hairs.points[:, 0], hairs.points[:, -1]
    assert len(hairs) == 2 * (60 + 40)
    assert np.quantile(skin_gap(head, root), 0.9) < 2.5
    upper = root[:, 1] > -2.5
    assert (tip[:, 2] > root[:, 2]).mean() > 0.95
    assert (tip - root)[upper, 1].mean() > 1.0
    assert (tip - root)[root[:, 1] < -5.0, 1].mean() < -0.5
    length = np.linalg.norm(np.diff(hairs.points, axis=1), axis=2).sum(1)
    assert 6 < length.max() < 14


def test_upper_lashes_follow_a_blink(model, head):
    hairs = make_lashes(model, head)
    shift = moved(model, hairs, eyeBlinkLeft=1.0)
    left = hairs.points[:, 0, 0] > 0
    upper = hairs.points[:, 0, 1] > -0.5
    assert shift[left & upper][:, 0, 1].mean() < -3
    assert shift[left & upper][:, -1, 1].mean() < -4
    assert np.abs(shift[~left]).max() < 0.5


@pytest.mark.parametrize("style", BEARDS)
def test_beards_keep_off_the_lips(model, head, style):
    hairs = beard(model, head, style, scale=1.0, density=0.4, seed=3)
    assert len(hairs) > 100
    assert np.isfinite(hairs.points).all()
    lips = head.vertices[model.regions["lips"].numpy() > 0.5]
    root = hairs.points[:, 0]
    assert cKDTree(lips).query(root)[0].min() > 0.5
    assert skin_gap(head, root).max() < 10
    assert root[:, 1].max() < -10


def test_beards_grow_where_their_names_say(model, head):
    def roots(style):
        return beard(model, head, style, scale=1.0, density=0.4, seed=3).points[:, 0]

    assert (roots("moustache")[:, 1] > -80).all()
    assert np.abs(roots("goatee")[:, 0]).max() < 40
    assert np.abs(roots("full_beard")[:, 0]).max() > 55


def test_longer_beards_are_longer(model, head):
    short, long = (
        beard(model, head, "full_beard", scale=scale, density=0.2, seed=3).points
        for scale in (0.7, 1.5)
    )
    lengths = [np.linalg.norm(np.diff(p, axis=1), axis=2).sum(1).mean() for p in (short, long)]
    assert lengths[1] > 1.7 * lengths[0]


def test_beards_follow_the_jaw(model, head):
    hairs = beard(model, head, "goatee", scale=1.0, density=0.3, seed=3)
    shift = moved(model, hairs, jawOpen=1.0)
    chin = hairs.points[:, 0, 1] < -90
    assert shift[chin, :, 1].mean() < -8


def test_facial_hair_follows_its_seed(model, head):
    for make in (lambda seed: make_brows(head, seed=seed),
                 lambda seed: make_lashes(model, head, seed=seed),
                 lambda seed: beard(model, head, "goatee", scale=1.0, density=0.2, seed=seed),
                 ):  # fmt: skip
        first, again, other = make(1).points, make(1).points, make(2).points
        assert np.array_equal(first, again)
        assert first.shape != other.shape or not np.array_equal(first, other)


def test_places_on_the_front_of_the_face(head):
    places = np.array([[0.0, 50.0], [20.0, 22.0], [-30.0, -40.0]])
    found = on_front(head, places)
    np.testing.assert_allclose(found.points[:, :2], places, atol=0.5)
    assert (found.points[:, 2] > 60).all()
    np.testing.assert_allclose(found.weights.sum(1), 1)
