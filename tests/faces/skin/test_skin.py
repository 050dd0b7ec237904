from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from visage.faces.hair.traits import BALD, Hair
from visage.faces.shape import MorphableModel
from visage.faces.skin import (
    Skin,
    SkinError,
    sample_skin,
    skin_colour,
    skin_maps,
    tone_table,
    typology_angle,
)
from visage.faces.skin.compiled import add_spots, cells, enlarge, finish, near_curve, noise
from visage.faces.skin.layout import shrinking, texels
from visage.faces.skin.marks import freckle_places, mole_places
from visage.faces.skin.under_hair import skin_under
from visage.faces.skin.wrinkles import LINES, wrinkle_channels

SMALL = 128


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


@pytest.fixture(scope="module")
def skin(model):
    return drawn(5)


@pytest.fixture(scope="module")
def maps(model, skin):
    return skin_maps(model, skin, SMALL)


def labels(count, **given):
    usual = {"sex": 0.5, "age": 40.0, "african": 0.3, "asian": 0.3, "european": 0.4}
    return {name: torch.full((count,), given.get(name, value)) for name, value in usual.items()}


def drawn(count, first=0, **given):
    return sample_skin(labels(count, **given), torch.arange(first, first + count))


def lightness(albedo):
    """CIE L* (...) of linear sRGB (..., 3)."""
    return 116 * (albedo @ albedo.new_tensor([0.2126, 0.7152, 0.0722])) ** (1 / 3) - 16


def at_part(model, name, size=SMALL):
    """Flat indices of texels of a part, and where they are."""
    found = texels(model, size)
    kept = found.parts == model.part_names.index(name)
    return torch.from_numpy(found.index[kept]).long(), found.positions[kept]


def same(a, b):
    return all(torch.equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))


def test_more_melanin_is_darker_and_more_blood_is_redder():
    table = tone_table(20, 12)
    assert (table.diff(dim=0) < 0).all()
    assert (table[:-3].diff(dim=1)[..., 1] < 0).all()  # blood absorbs green most
    ratio = table[..., 0] / table[..., 1]
    assert (ratio[:16].diff(dim=1) > 0).all()


@pytest.mark.parametrize(
    ("melanin", "low", "high"),
    [(0.05, 48, 62), (0.3, 28, 48), (0.6, -30, 10), (0.85, -75, -40)],
)
def test_the_typology_angle_spans_what_is_measured(melanin, low, high):
    """Very light above 55°, dark below -30° (Chardon et al. 1991), at usual blood."""
    colour = skin_colour(torch.tensor(melanin), torch.tensor(0.4))
    assert low < typology_angle(colour) < high


def test_light_skin_has_the_colour_that_is_measured():
    """Light skin has about L* 60 to 70, a* 8 to 14, b* 12 to 20 (as in Xiao et al. 2017)."""
    colour = skin_colour(torch.tensor(0.15, dtype=torch.float64), torch.tensor(0.4).double())
    matrix = torch.tensor(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    ).double()
    x, y, z = ((matrix @ colour) / matrix.sum(1)) ** (1 / 3)
    assert 60 < 116 * y - 16 < 70
    assert 8 < 500 * (x - y) < 14
    assert 12 < 200 * (y - z) < 20


def test_a_flush_makes_skin_red_but_not_mauve():
    """Erythema raises a* much and lowers b* a little: with more blue it would look mauve."""
    pale, flushed = skin_colour(torch.tensor(0.15), torch.tensor([0.3, 0.9]))
    assert flushed[0] / flushed[1] > 1.25 * pale[0] / pale[1]
    assert flushed[2] < 0.95 * flushed[1]


def test_white_is_white_to_the_observer():
    """No melanin, hardly any blood: far from grey, but never above white."""
    assert (skin_colour(torch.tensor(-5.0), torch.tensor(-5.0)) < 1).all()


def test_skin_colour_is_differentiable():
    melanin = torch.tensor([0.05, 0.4, 0.9], dtype=torch.float64, requires_grad=True)
    haemoglobin = torch.tensor([0.2, 0.5, 0.8], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(skin_colour, (melanin, haemoglobin))


def test_skin_colour_broadcasts():
    assert skin_colour(torch.zeros(4, 1), torch.zeros(3)).shape == (4, 3, 3)


def test_the_table_holds_the_function():
    table = tone_table(5, 3)
    expected = skin_colour(torch.tensor(0.75).double(), torch.tensor(0.5).double())
    torch.testing.assert_close(table[3, 1], expected.float())
    between = skin_colour(torch.tensor(0.37), torch.tensor(0.61))
    fine = tone_table(64, 32)
    near = fine[23:25, 18:20].flatten(0, 1)
    assert (between >= near.amin(0) - 1e-3).all()
    assert (between <= near.amax(0) + 1e-3).all()


def test_the_typology_angle_of_a_known_colour():
    """A grey has no b*: the angle tells whether L* is above 50. Blue has a negative b*."""
    assert typology_angle(torch.tensor([0.5, 0.5, 0.5])) > 89
    assert typology_angle(torch.tensor([0.1, 0.1, 0.1])) < -89
    assert typology_angle(torch.tensor([0.2, 0.3, 0.6])) > 90


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 2**40), st.integers(1, 6))
def test_a_row_depends_on_its_labels_and_its_seed_only(seed, count):
    alone = sample_skin(labels(1, age=60.0), torch.tensor([seed]))
    seeds = torch.cat([torch.arange(count), torch.tensor([seed])])
    many = sample_skin(labels(count + 1, age=60.0), seeds)
    assert same(alone, many[-1:])


def test_sampled_people_are_all_valid_and_differ():
    skin = drawn(300)
    assert len(skin) == 300
    for name in ("melanin", "iris_melanin", "lip_redness", "pattern"):
        assert len(getattr(skin, name).unique()) > 280


def test_labels_far_outside_are_met_with_the_nearest():
    assert len(drawn(20, sex=-0.4, age=-5.0, african=-0.2, asian=1.4, european=-0.1)) == 20


def test_tone_is_broad_within_each_share_and_overlaps():
    melanin = {
        name: drawn(400, **({"african": 0.0, "asian": 0.0, "european": 0.0} | {name: 1.0})).melanin
        for name in ("african", "asian", "european")
    }
    assert melanin["european"].median() < melanin["asian"].median() < melanin["african"].median()
    assert all(value.std() > 0.1 for value in melanin.values())
    assert melanin["european"].quantile(0.95) > melanin["african"].quantile(0.05)


def test_make_up_beards_and_lines_go_with_sex_and_age():
    women, men = drawn(300, sex=0.0), drawn(300, sex=1.0)
    assert (women.lipstick > 0).float().mean() > 0.3
    assert (men.lipstick > 0).float().mean() < 0.02
    assert (men.stubble > 0).float().mean() > 0.5
    assert (women.stubble == 0).all()
    assert drawn(100, age=75.0).wrinkles.mean() > drawn(100, age=20.0).wrinkles.mean() + 0.4


def test_fair_people_have_freckles_and_light_eyes_more_often():
    people = drawn(1500, african=0.0, asian=0.1, european=0.9)
    fair, tan = people.melanin < 0.12, people.melanin > 0.35
    assert (people.freckles[fair] > 0).float().mean() > 2 * (
        people.freckles[tan] > 0
    ).float().mean()
    assert people.iris_melanin[fair].mean() < people.iris_melanin[tan].mean() - 0.2


def test_labels_that_cannot_be_used():
    with pytest.raises(SkinError, match="lack asian"):
        sample_skin({k: v for k, v in labels(1).items() if k != "asian"}, torch.arange(1))
    with pytest.raises(SkinError, match="int64"):
        sample_skin(labels(1), torch.zeros(1))
    with pytest.raises(SkinError, match="none negative"):
        sample_skin(labels(1), torch.tensor([-1]))
    with pytest.raises(SkinError, match="age is not finite"):
        sample_skin(labels(1, age=float("nan")), torch.arange(1))
    with pytest.raises(SkinError, match="not one for each"):
        sample_skin(labels(2), torch.arange(3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"melanin": torch.full((5,), float("nan"))}, "melanin is from nan"),
        ({"freckles": torch.full((5,), 1.2)}, "give 0 to 1"),
        ({"moles": torch.full((5,), 41.0)}, "give 0 to 40"),
        ({"lipstick_colour": torch.zeros(5)}, r"expected \(5, 3\)"),
        ({"pattern": torch.zeros(5)}, "int64"),
        ({"age": torch.zeros(4)}, r"expected \(5,\)"),
    ],
)
def test_parameters_that_cannot_be_painted(skin, change, message):
    with pytest.raises(SkinError, match=message):
        replace(skin, **change)


def test_sizes_that_there_are_not(model, skin):
    with pytest.raises(SkinError, match="size is 300"):
        skin_maps(model, skin, 300)


def test_textures_have_their_shapes_and_ranges(maps):
    assert maps.albedo.shape == (5, 3, SMALL, SMALL)
    assert maps.albedo.dtype == torch.float32
    for name in ("albedo", "roughness", "specular"):
        value = getattr(maps, name)
        assert value.min() >= 0
        assert value.max() <= 1
    assert maps.height.abs().max() < 1.5
    assert maps.height.isfinite().all()


def test_nobody_at_all(model, skin):
    assert skin_maps(model, skin[:0], SMALL).albedo.shape == (0, 3, SMALL, SMALL)


def test_a_person_is_the_same_in_any_batch_and_at_any_time(model, skin, maps):
    again = skin_maps(model, skin[torch.tensor([3, 1])], SMALL)
    assert same(again, skin_maps(model, skin[torch.tensor([3, 1])], SMALL))
    # The product of matrices may round differently for another number of columns.
    torch.testing.assert_close(again.albedo, maps.albedo[[3, 1]], atol=1e-5, rtol=0)
    torch.testing.assert_close(again.height, maps.height[[3, 1]], atol=1e-5, rtol=0)


def test_a_small_texture_is_the_mean_of_a_large_one(model, skin):
    """Away from the edges of the parts and the eyes, and but for the mean of a bent tone."""
    skin = replace(skin[:2], freckles=torch.tensor([0.8, 0.0]), moles=torch.tensor([10.0, 0.0]))
    small, large = skin_maps(model, skin, 64), skin_maps(model, skin, 256)
    inside = torch.zeros(256, 256)
    found = texels(model, 256)
    # Small eyes are sharper than the mean of large ones.
    kept = found.index[found.parts != model.part_names.index("eyes")]
    inside.view(-1)[torch.from_numpy(kept).long()] = 1
    whole = torch.nn.functional.avg_pool2d(inside[None, None], 4)[0, 0] == 1
    for name, close in (("albedo", 0.012), ("roughness", 0.01), ("height", 0.02)):
        mean = torch.nn.functional.avg_pool2d(getattr(large, name), 4)
        off = (mean - getattr(small, name)).abs()[:, :, whole]
        assert off.mean() < close / 8, name
        assert off.quantile(0.99) < close, name


def test_left_is_no_mirror_image_of_right(model, skin, maps):
    """Unevenness of the two halves of the face is hardly correlated."""
    index, places = at_part(model, "skin")
    face = (np.abs(places[:, 0]) > 8) & (places[:, 2] > 40)
    index, places = index[torch.from_numpy(face)], places[face]
    smooth = replace(skin, mottling=torch.zeros(5))
    rough = maps.albedo - skin_maps(model, smooth, SMALL).albedo
    rough = rough[:, 1].flatten(1)[:, index]
    left = np.flatnonzero(places[:, 0] > 0)
    right = [np.argmin(((places - places[n] * [-1, 1, 1]) ** 2).sum(1)) for n in left]
    for person in rough:
        a, b = person[left], person[right]
        assert abs(float(torch.corrcoef(torch.stack([a, b]))[0, 1])) < 0.6
        assert (a - b).std() > 0.5 * a.std()


def test_the_atlas_is_filled_between_its_parts(maps):
    """What filtering reads beside a part looks like the part: no texel is left at zero."""
    assert (maps.albedo.sum(1) > 0).float().mean() > 0.99


def painted(model, skin, region, **change):
    """Mean change of the albedo (3,) in and out of a region, when parameters change."""
    before = skin_maps(model, skin[:1], SMALL).albedo
    values = {name: torch.tensor([value]) for name, value in change.items()}
    after = skin_maps(model, replace(skin[:1], **values), SMALL).albedo
    found = texels(model, SMALL)
    inside = found.regions[:, model.region_names.index(region)] > 0.9
    inside &= found.parts == model.part_names.index("skin")
    outside = found.regions[:, model.region_names.index(region)] == 0
    moved = (after - before)[0].flatten(1)[:, torch.from_numpy(found.index).long()]
    return moved[:, inside].mean(1), moved[:, outside].abs().mean()


def test_lipstick_is_on_the_lips(model, skin):
    skin = replace(skin, lipstick=torch.zeros(5))
    red = [0.5, 0.02, 0.03]
    inside, outside = painted(model, skin, "lips", lipstick=1.0, lipstick_colour=red)
    assert inside[1] < -0.05
    assert outside < 0.003


def test_a_shaved_beard_darkens_the_beards_region(model, skin):
    skin = replace(skin, stubble=torch.zeros(5))
    inside, outside = painted(model, skin, "beard", stubble=1.0, stubble_colour=[0.02] * 3)
    assert (inside < -0.03).all()
    assert outside < 0.004


def test_hair_darkens_the_scalp(model, skin):
    skin = replace(skin, scalp=torch.zeros(5))
    inside, outside = painted(model, skin, "scalp", scalp=1.0, scalp_colour=[0.02] * 3)
    assert (inside < -0.1).all()
    assert outside < 0.004


def test_melanin_and_age_reach_the_texture(model, skin):
    light = replace(skin[:1], melanin=torch.tensor([0.1]), stubble=torch.zeros(1))
    dark = replace(light, melanin=torch.tensor([0.8]))
    both = [skin_maps(model, s, SMALL) for s in (light, dark)]
    index, _ = at_part(model, "skin")
    tones = [lightness(m.albedo[0].flatten(1)[:, index].mean(1)) for m in both]
    assert tones[0] > tones[1] + 20
    furrowed = skin_maps(model, replace(light, wrinkles=torch.ones(1)), SMALL)
    smooth = skin_maps(model, replace(light, wrinkles=torch.zeros(1)), SMALL)
    assert furrowed.height.std() > 1.5 * smooth.height.std()


def test_shrinking_takes_means_of_what_is_covered(model):
    fine = texels(model, 256)
    shrink = shrinking(fine, SMALL)
    values = fine.positions[:, 1]
    expected = {}
    for index, value in zip(fine.index, values, strict=True):
        y, x = divmod(int(index), 256)
        expected.setdefault((y // 2) * SMALL + x // 2, []).append(value)
    assert shrink.index.tolist() == sorted(expected)
    means = [np.mean(expected[index]) for index in shrink.index.tolist()]
    np.testing.assert_allclose(shrink(values), means, rtol=1e-4, atol=1e-3)


def test_noise_is_smooth_and_of_variance_one():
    random = np.random.default_rng(0)
    points = random.uniform(-100, 100, (20000, 3)).astype(np.float32)
    first, second, other = np.empty((3, 20000), np.float32)
    noise(points, 10.0, 1, first)
    noise(points + np.float32(0.01), 10.0, 1, second)
    noise(points, 10.0, 2, other)
    assert abs(first.mean()) < 0.05
    assert 0.6 < first.std() < 1.4
    assert np.abs(first - second).max() < 0.05
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.03


def test_cells_are_ordered_and_within_reach():
    points = np.random.default_rng(0).uniform(-9, 9, (2000, 3)).astype(np.float32)
    nearest, second = np.empty((2, 2000), np.float32)
    cells(points, 1.5, 3, nearest, second)
    assert (nearest <= second).all()
    assert (nearest >= 0).all()
    assert nearest.max() < 1.5 * 3**0.5


def test_near_curve_agrees_with_many_points_of_it():
    random = np.random.default_rng(0)
    curve = random.normal(0, 3, (5, 3)).astype(np.float32)
    points = random.normal(0, 3, (50, 3)).astype(np.float32)
    distance, along = np.full(50, 99, np.float32), np.zeros(50, np.float32)
    near_curve(points, curve, 50.0, distance, along)
    t = np.linspace(0, 4, 4001)
    dense = np.stack([np.interp(t, range(5), curve[:, axis]) for axis in range(3)], 1)
    expected = np.linalg.norm(points[:, None] - dense[None], axis=2)
    np.testing.assert_allclose(distance, expected.min(1), atol=2e-2)
    np.testing.assert_allclose(along, t[expected.argmin(1)] / 4, atol=1e-2)


def test_enlarging_agrees_with_torch():
    coarse = torch.rand(1, 2, 8, 8)
    flat = coarse[0].flatten(1).T.contiguous().numpy()
    result = np.empty((1024, 2), np.float32)
    source = np.arange(64, dtype=np.int32).reshape(8, 8)
    enlarge(flat, source, np.arange(1024, dtype=np.int32), 32, result)
    expected = torch.nn.functional.interpolate(coarse, size=32, mode="bilinear")
    np.testing.assert_allclose(result.T.reshape(2, 32, 32), expected[0], atol=1e-5)


def test_a_spot_has_the_same_strength_at_any_size():
    total = []
    for size in (32, 64, 256):
        texel = np.zeros((size * size, 1), np.float32)
        add_spots(
            np.array([[0.45, 0.52]], np.float32), np.array([[4e-4, 1e-4, 3e-4]], np.float32),
            np.ones((1, 1), np.float32), np.ones(1, np.float32), np.ones(size * size, bool),
            np.arange(size * size, dtype=np.int32).reshape(size, size), size, texel,
        )  # fmt: skip
        total.append(texel.sum() / size**2)
    np.testing.assert_allclose(total, 2 * np.pi * np.sqrt(11e-8), rtol=0.05)


def test_finish_looks_the_tone_up_and_paints_over_it():
    table = tone_table().numpy()
    mixed = np.zeros((3, 9), np.float32)
    mixed[:, 0], mixed[:, 1], mixed[:, 6] = 0.33, 0.41, 0.4
    mixed[1, 2:6] = 0.5, 0.1, 0.2, 0.3
    mixed[2, 2:6] = 2.0, 0.4, 0.4, 0.4
    done = np.empty((3, 6), np.float32)
    finish(mixed, table, np.ones(3, np.float32), done)
    tone = skin_colour(torch.tensor(0.33), torch.tensor(0.41)).numpy()
    np.testing.assert_allclose(done[0, :3], tone, atol=2e-3)
    np.testing.assert_allclose(done[1, :3], 0.5 * tone + [0.1, 0.2, 0.3], atol=2e-3)
    np.testing.assert_allclose(done[2, :3], 0.2, atol=1e-6)


def test_spots_are_round_on_the_head(model):
    """A spot's covariance in the texture, carried to the surface, is that of a circle."""
    for places in (freckle_places(model), mole_places(model)):
        assert (places.uv > 0).all()
        assert (places.uv < 1).all()
        uu, uv, vv = places.spread.T
        assert (uu * vv > uv * uv).all()
    found = texels(model, 512)
    compact = found.compact()
    column, row = (freckle_places(model).uv[:200] * 512).astype(int).T
    here = compact[row, column]
    right = compact[row, np.minimum(column + 1, 511)]
    good = (here >= 0) & (right >= 0)
    step = np.linalg.norm(found.positions[here[good]] - found.positions[right[good]], axis=1)
    uu, uv, vv = freckle_places(model).spread[:200][good].T.astype(np.float64)
    # A step du in the texture is du √(vv / (uu vv - uv²)) mm on the surface.
    expected = np.sqrt(vv / (uu * vv - uv**2)) / 512
    assert np.median(np.abs(step / expected - 1)) < 0.1


def test_lines_lie_where_they_are_called_after(model):
    found = texels(model, 256)
    channels = wrinkle_channels(model, found)
    assert set(channels) == set(LINES)
    height = {name: found.positions[value < -0.2, 1].mean() for name, value in channels.items()}
    assert height["forehead_a"] > 30 > height["glabella"] > 0 > height["under_eye"]
    assert height["under_eye"] > height["nasolabial"] > height["marionette"]
    crow = found.positions[channels["crow"] < -0.2]
    assert (np.abs(crow[:, 0]) > 42).all()
    assert {-1, 1} == set(np.sign(crow[:, 0]).tolist())


def test_brows_are_tinted_darker_than_the_scalp(model, skin):
    """Below white hair, whose roots are lighter than dark skin, the brows do not glow."""
    dark = replace(
        skin[torch.tensor([2, 2])],
        melanin=torch.full((2,), 0.85),
        brows=torch.tensor([0.0, 1.0]),
        scalp_colour=torch.full((2, 3), 0.15),
    )
    plain, tinted = skin_maps(model, dark, 128).albedo
    assert not torch.equal(plain, tinted)
    assert (tinted - plain).max() < 0.02


def test_skin_is_indexed_as_a_batch(skin):
    assert isinstance(skin[1:3], Skin)
    assert torch.equal(skin[torch.tensor([2, 0])].age, skin.age[[2, 0]])


def test_skin_and_hair_of_one_person_agree(skin):
    black, white = Hair(eumelanin=3.0), Hair(eumelanin=3.0, greyness=0.95)
    bald, bearded = Hair(style=BALD), Hair(beard="full_beard")
    skin = replace(skin[:4], stubble=torch.tensor([0.7, 0.0, 0.0, 0.0]))
    found = skin_under(skin, [black, white, bald, bearded])
    assert (found.scalp_colour[0] < 0.05).all()
    assert (found.scalp_colour[1] > 0.1).all()
    assert found.scalp[2] < 0.3 * found.scalp[0]
    assert found.stubble.tolist() == pytest.approx([0.7, 0.0, 0.0, 0.3])
    assert torch.equal(found.pattern, skin.pattern)
    assert len(skin_under(skin[:0], [])) == 0
    with pytest.raises(SkinError, match="4 people's skin and 1"):
        skin_under(skin, [black])
