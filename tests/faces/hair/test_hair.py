import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from visage.faces.hair import Hair, HairError, carry, grow, sample_hair, with_skin
from visage.faces.hair import growing as hair_module
from visage.faces.hair.colour import melanin_colour, strand_colours
from visage.faces.hair.growth import grow as grow_style
from visage.faces.hair.rooted import Rooted, bind_along
from visage.faces.hair.scalp import head_of, inside_hairline, skull_map
from visage.faces.hair.styles import STYLES
from visage.faces.shape import MorphableModel

COUNT = 300


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


@pytest.fixture(scope="module")
def head(model):
    return head_of(model)


@pytest.fixture(scope="module")
def people(model):
    identity = model.sample_identity(3, torch.Generator().manual_seed(5))
    return model.vertices(identity)


def grown(model, head, name, seed=0, count=COUNT):
    return grow_style(head, STYLES[name], model.regions["ears"].numpy(), count, seed)


def rooted(model, head, name):
    roots, points, openness, fineness = grown(model, head, name)
    return roots, Rooted(points, openness, fineness, *bind_along(head, roots, points))


@pytest.mark.parametrize("name", STYLES)
def test_every_style_grows_outside_of_the_head(model, head, name):
    roots, points, openness, fineness = grown(model, head, name)
    assert 0.5 * COUNT < len(points) <= 3 * COUNT
    assert np.isfinite(points).all()
    np.testing.assert_allclose(points[:, 0], roots.points, atol=1e-4)
    assert (openness > 0).all()
    assert (openness <= 1).all()
    assert (fineness > 0).all()
    assert (fineness <= 1.5).all()
    # Away from ears and neck, whose surfaces fold, the nearest vertex's plane is the skin.
    tips = points[:, 1:].reshape(-1, 3)
    tips = tips[tips[:, 1] > 20]
    far, near = cKDTree(head.vertices[head.outside]).query(tips)
    vertices = head.outside[near]
    height = ((tips - head.vertices[vertices]) * head.normals[vertices]).sum(1)
    assert np.quantile(height[far < 12], 0.001) > -1.5


def test_growth_follows_its_seed(model, head):
    first, again, other = (grown(model, head, "crop", seed)[1] for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_the_hairline_is_where_hairlines_are(head):
    inside = np.array([[0.0, 107, -16], [70, 50, 0], [-70, 50, 0], [0, 20, -83], [67, 20, 36]])
    outside = np.array([[0.0, 50, 101], [35, 0, 90], [0, -60, 114], [0, -90, -53], [50, -60, 60]])
    assert (inside_hairline(inside) > 0).all()
    assert (inside_hairline(outside) < 0).all()
    place = np.array([[20.0, 80, 80]])
    assert inside_hairline(place, height=12) < inside_hairline(place) - 8
    mirrored = inside * [-1, 1, 1]
    np.testing.assert_allclose(inside_hairline(mirrored), inside_hairline(inside), atol=1.0)


def test_the_map_of_the_skull_keeps_lengths_near_the_crown():
    a = np.array([[0.0, 119.0, -2.0]])
    step = np.array([3.0, 0.0, 0.0])
    gap = skull_map(a + step) - skull_map(a - step)
    assert np.linalg.norm(gap) == pytest.approx(6.0, rel=0.06)


def test_hair_thins_out_towards_the_hairline(model, head):
    roots, _, _, fineness = grown(model, head, "crop", count=4000)
    depth = inside_hairline(roots.points)
    at_edge, further_in = ((depth > a) & (depth < a + 4) for a in (0, 12))
    assert at_edge.sum() < 0.6 * further_in.sum()
    assert fineness[at_edge].mean() < 0.8 * fineness[further_in].mean()


def test_no_hair_on_ears_or_face(model, head):
    roots, *_ = grown(model, head, "crop", count=3000)
    ears, lips = (model.regions[name].numpy() for name in ("ears", "lips"))
    assert ((ears[roots.corners] * roots.weights).sum(1) < 0.3).all()
    assert lips[roots.corners].max() == 0
    front = roots.points[(np.abs(roots.points[:, 0]) < 40) & (roots.points[:, 2] > 60)]
    assert front[:, 1].min() > 55


def test_bald_heads_keep_a_wreath(model, head):
    roots, *_ = grown(model, head, "horseshoe", count=2000)
    top = (roots.points[:, 1] > 85) & (np.abs(roots.points[:, 0]) < 30)
    assert top.mean() < 0.03
    assert ((np.abs(roots.points[:, 0]) > 60) & (roots.points[:, 1] < 60)).sum() > 200


@pytest.mark.parametrize("name", ["crop", "long_wavy"])
def test_roots_stay_on_moved_heads(model, head, people, name):
    roots, bound = rooted(model, head, name)
    for points, vertices in zip(carry([bound], model.mean, people), people, strict=True):
        corners = vertices.numpy()[roots.corners]
        skin = (corners * roots.weights[..., None]).sum(1)
        assert np.abs(points[0][:, 0].numpy() - skin).max() < 0.01


def test_carrying_to_the_mean_head_moves_nothing(model, head):
    _, bound = rooted(model, head, "shoulder")
    (points,) = carry([bound], model.mean, model.mean[None])[0]
    np.testing.assert_array_equal(points.numpy(), bound.points)


def test_carrying_follows_a_shift_everywhere(model, head):
    _, bound = rooted(model, head, "shoulder")
    shift = torch.tensor([3.0, -2.0, 5.0])
    (points,) = carry([bound], model.mean, (model.mean + shift)[None])[0]
    torch.testing.assert_close(points - torch.from_numpy(bound.points), shift.expand_as(points),
                               atol=1e-3, rtol=0)  # fmt: skip


def test_neighbours_are_carried_alike(model, head, people):
    _, bound = rooted(model, head, "long_straight")
    ((points,),) = carry([bound], model.mean, people[:1])
    moved = points.numpy() - bound.points
    tips = bound.points[:, -1]
    near = cKDTree(tips).query(tips, k=2)
    close = near[0][:, 1] < 5
    gap = np.linalg.norm(moved[close, -1] - moved[near[1][close, 1], -1], axis=1)
    assert np.quantile(gap, 0.95) < 2.0


def test_a_person_grows(model, people):
    hair = Hair(style="crop", beard="stubble", seed=2)
    strands = grow(model, hair, people[0], count=500)
    assert strands.points.isfinite().all()
    assert len(strands) > 700  # brows, lashes and stubble too
    again = grow(model, hair, people[:1], count=500)
    assert torch.equal(strands.points, again.points)
    assert torch.equal(strands.colour, again.colour)
    other = grow(model, hair, people[1], count=500)
    assert not torch.equal(strands.points, other.points)
    bald = grow(model, Hair(style="bald"), people[0], count=500)
    assert 0 < len(bald) < len(strands) - 450
    assert len(grow(model, hair, people[0], count=0)) < len(strands)


def test_variants_of_a_style_differ(model):
    first, second = (hair_module._scalp(model, "crop", variant) for variant in (0, 1))
    assert first.points.shape != second.points.shape or (first.points != second.points).any()


def test_hair_that_does_not_exist_is_refused(model):
    with pytest.raises(HairError, match="style"):
        grow(model, Hair(style="mullet"), model.mean)
    with pytest.raises(HairError, match="beard"):
        grow(model, Hair(style="bald", beard="soul patch"), model.mean)
    with pytest.raises(HairError, match="vertices"):
        grow(model, Hair(style="bald"), model.mean[:100])
    with pytest.raises(HairError, match="one"):
        grow(model, Hair(style="bald"), model.mean.expand(2, -1, -1))
    with pytest.raises(HairError, match="-1"):
        grow(model, Hair(style="bald"), model.mean, count=-1)


def labels(count, **given):
    values = {"sex": 0.0, "age": 30.0, "african": 0.0, "asian": 0.0, "european": 1.0} | given
    return {name: torch.full((count,), float(value)) for name, value in values.items()}


def test_a_person_depends_on_own_labels_and_seed_only():
    seeds = torch.arange(20)
    mixed = labels(20)
    mixed["sex"] = torch.linspace(0, 1, 20)
    everybody = sample_hair(mixed, seeds)
    alone = sample_hair({name: value[7:8] for name, value in mixed.items()}, seeds[7:8])
    assert alone[0] == everybody[7]
    assert len(set(everybody)) == 20
    assert sample_hair(labels(1), torch.zeros(0, dtype=torch.int64)) == []


def test_hair_follows_age_and_sex():
    seeds = torch.arange(300)
    young, old = (sample_hair(labels(1, age=age), seeds) for age in (22, 76))
    assert np.mean([one.greyness for one in young]) < 0.02
    assert np.mean([one.greyness for one in old]) > 0.3
    men, women = (sample_hair(labels(1, sex=sex, age=55), seeds) for sex in (1, 0))
    lost = {"bald", "receding", "horseshoe"}
    assert np.mean([one.style in lost for one in men]) > 0.25
    assert not any(one.style in lost for one in women)
    assert np.mean([one.beard != "none" for one in men]) > 0.4
    assert all(one.beard == "none" for one in women)


def test_people_turn_grey_as_a_survey_found():
    """27 % of the hairs between 45 and 65, dyed or not (Panhard et al. 2012); hardly any at 30."""
    seeds = torch.arange(400)
    given = labels(400)
    given["sex"] = torch.tensor([0.0, 1.0]).repeat(200)
    given["african"], given["asian"], given["european"] = torch.full((3, 400), 1 / 3)
    given["age"] = torch.linspace(45, 65, 400)
    greyness = [one.greyness for one in sample_hair(given, seeds)]
    assert 0.17 < np.mean(greyness) < 0.33
    given["age"] = torch.full((400,), 30.0)
    assert np.mean([one.greyness for one in sample_hair(given, seeds)]) < 0.04


def test_brows_turn_grey_later_than_the_scalp(model):
    """Half grey hair leaves brows as they were; brows below white hair stay far darker."""

    def colours(greyness):
        hair = Hair(style="crop", eumelanin=2.0, greyness=greyness, seed=3)
        found = {name: value.mean() for name, _, value in hair_module._groups(model, hair)}
        return found["scalp"], found["brows"]

    (black, brow), (grey, greying), (white, old) = (colours(share) for share in (0.0, 0.5, 0.95))
    assert grey > 5 * black
    assert greying < brow + 0.2 * (grey - black)
    assert brow < old < 0.3 * white


def test_dark_skin_has_no_fair_hair():
    fair = sample_hair(labels(1), torch.arange(3))
    kept, between, black = with_skin(fair, torch.tensor([0.3, 0.55, 0.9]))
    assert kept == fair[0]
    assert between.eumelanin == pytest.approx(max(0.9, fair[1].eumelanin))
    assert black.eumelanin == pytest.approx(max(1.8, fair[2].eumelanin))
    assert black.greyness == fair[2].greyness


def test_hair_varies_with_the_shares():
    seeds = torch.arange(300)
    fair = sample_hair(labels(1), seeds)
    dark = sample_hair(labels(1, european=0, african=1), seeds)
    assert np.median([one.eumelanin for one in fair]) < 0.5
    assert np.median([one.eumelanin for one in dark]) > 1.5
    coily = {"afro", "coils"}
    assert np.mean([one.style in coily for one in dark]) > 0.4
    assert not any(one.style in coily for one in fair if one.style not in ("coils",))
    assert any(one.pheomelanin > 0.2 for one in fair)
    assert len({one.style for one in fair}) > 6


def test_missing_labels_are_named():
    with pytest.raises(HairError, match="asian"):
        sample_hair({"sex": torch.zeros(1)}, torch.zeros(1, dtype=torch.int64))
    with pytest.raises(HairError, match="seeds"):
        sample_hair(labels(3), torch.zeros(2, dtype=torch.int64))


def test_more_pigment_is_darker():
    black, brown, blond = (melanin_colour(amount, 0.05) for amount in (3.0, 0.4, 0.05))
    assert (black < brown).all()
    assert (brown < blond).all()
    red = melanin_colour(0.05, 0.5)
    assert red[0] > 3 * red[2]


def test_grey_hair_is_as_grey_as_asked():
    black, grey, white = (strand_colours(2000, 3.0, 0.05, g, seed=1) for g in (0.0, 0.4, 1.0))
    assert (black < 0.1).all()
    mix = 0.6 * black.mean() + 0.4 * white.mean()
    assert grey.mean() == pytest.approx(mix, rel=0.05)
    single = strand_colours(2000, 3.0, 0.05, 0.4, seed=1, bundle=1.0)
    assert single.std() > 1.5 * grey.std()
