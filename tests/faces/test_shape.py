import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from visage.faces.asset import read_asset
from visage.faces.labels import AGES, WHOLE_LABELS, draw_labels
from visage.faces.shape import FaceShapeError, MorphableModel, vertex_normals
from visage.faces.visibility import RasterError

FLIP = torch.tensor([-1.0, 1.0, 1.0])
PARTS = {"skin", "neck", "sockets", "mouth", "eyes", "teeth", "tongue", "lashes", "hair"}


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


@pytest.fixture(scope="module")
def fine():
    return MorphableModel.load(subdivision=1)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def people(model, count, seed=0):
    return model.sample_identity(count, torch.Generator().manual_seed(seed))


def test_vertices_are_the_sum_taken_term_by_term(model):
    identity = people(model, 2)
    expression = torch.rand(2, 52, generator=torch.Generator().manual_seed(1))
    got = model.vertices(identity, expression)
    asset = read_asset()
    for b in range(2):
        head = asset["mean"].astype(np.float64)
        for k in range(80):
            head = head + float(identity[b, k]) * asset["identity"][k].astype(np.float64)
        for e in range(52):
            part = slice(*asset["expression_starts"][e : e + 2])
            moved = asset["expression_offset"][part].astype(np.float64)
            np.add.at(head, asset["expression_index"][part], float(expression[b, e]) * moved)
        assert np.abs(got[b].numpy() - head).max() < 1e-3  # mm


def test_one_expression_serves_many_people_and_the_other_way_round(model):
    smile = model.expression_weights({"mouthSmileLeft": 1, "mouthSmileRight": 1})
    identity = people(model, 3)
    together = model.vertices(identity, smile)
    torch.testing.assert_close(together[1:2], model.vertices(identity[1:2], smile))
    assert model.vertices(identity[:1], smile.expand(5, -1)).shape[0] == 5
    assert model.vertices(torch.zeros(0, 80), torch.zeros(0, 52)).shape == (0, 5842, 3)


def test_the_model_is_not_saved_with_a_network_that_holds_it(model):
    assert not model.state_dict()


def test_leading_modes_alone_can_be_given(model):
    identity = people(model, 2)
    short = identity.clone()
    short[:, 10:] = 0
    torch.testing.assert_close(model.vertices(identity[:, :10]), model.vertices(short))


@pytest.mark.parametrize(
    ("identity", "expression"),
    [((2, 81), None), ((80,), None), ((2, 80), (2, 51)), ((2, 80), (3, 52)), ((2, 80), (52,))],
)
def test_coefficients_that_do_not_fit_are_refused(model, identity, expression):
    with pytest.raises(FaceShapeError):
        model.vertices(
            torch.zeros(identity), torch.zeros(expression) if expression is not None else None
        )


def test_unknown_names_are_refused_with_the_known_ones(model, generator):
    with pytest.raises(FaceShapeError, match="jawOpen"):
        model.expression_weights({"smile": 1.0})
    with pytest.raises(FaceShapeError, match="sex"):
        model.sample_identity(1, generator, given={"height": 1.0})
    with pytest.raises(FaceShapeError, match="spread"):
        model.sample_identity(1, generator, spread=1.5)
    with pytest.raises(FaceShapeError, match="no plausible person"):
        model.sample_identity(1, generator, given={"age": 300.0})


def test_derivatives_reach_identity_and_expression():
    model = MorphableModel.load().double()
    vertices = torch.randperm(5842, generator=torch.Generator().manual_seed(0))[:4]
    start = torch.randn(1, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weights = torch.full((1, 52), 0.3, dtype=torch.float64)
    few = model.triangles[:40]

    def some(identity, expression):
        heads = model.vertices(identity, expression)
        return heads[:, vertices], vertex_normals(heads, few)[:, few[:3].flatten()]

    start.requires_grad_()
    weights.requires_grad_()
    assert torch.autograd.gradcheck(some, (start, weights), fast_mode=True)


def test_the_frame_is_the_heads_own(model):
    mean = model.mean
    left, right = mean[model.pupils].mean(1)
    assert left[0] > 25 > -25 > right[0]  # the person's left is the image's right
    assert mean[model.parts["eyes"], 1].mean().abs() < 1e-3
    assert mean[model.landmarks[30], 2] > left[2]  # the nose is in front of the eyes
    assert mean[model.landmarks[8], 1] < mean[model.landmarks[57], 1]  # the chin below the lips
    height = mean[model.parts["skin"], 1]
    assert 200 < height.max() - mean[model.landmarks[8], 1] < 260  # mm, chin to crown


def test_the_mean_is_symmetric_and_each_mode_is_even_or_odd(model):
    torch.testing.assert_close(model.mean[model.mirror] * FLIP, model.mean)
    flipped = model.identity_basis[:, model.mirror] * FLIP
    even = (flipped - model.identity_basis).flatten(1).norm(dim=1)
    odd = (flipped + model.identity_basis).flatten(1).norm(dim=1)
    assert (torch.minimum(even, odd) < 2e-3).all()
    assert (even < 2e-3).sum() > 20
    assert (odd < 2e-3).sum() > 5


def test_modes_have_norm_one_and_fall(model):
    torch.testing.assert_close(model.identity_basis.flatten(1).norm(dim=1), torch.ones(80))
    assert model.identity_std[0] > 3 * model.identity_std[20] > 9 * model.identity_std[79] / 3


def test_left_and_right_actions_mirror_each_other(model):
    names = model.expression_names
    for left in (name for name in names if name.endswith("Left")):
        right = names.index(left.removesuffix("Left") + "Right")
        one, other = model.expression_basis[names.index(left)], model.expression_basis[right]
        if left in ("jawLeft", "mouthLeft"):
            assert one[:, 0].sum() > 0 > other[:, 0].sum()  # towards the person's left
        else:
            a = one.norm(dim=1).argmax()
            assert model.mean[a, 0] > 0
            assert model.mean[other.norm(dim=1).argmax(), 0] < 0


def test_named_actions_do_what_they_say(model):
    def moved(name, landmark):
        head = model.vertices(torch.zeros(1, 80), model.expression_weights({name: 1.0}))[0]
        return (head - model.mean)[model.landmarks[landmark]]

    assert moved("jawOpen", 8)[1] < -15  # the chin goes down, mm
    assert moved("mouthSmileLeft", 54)[0] > 3  # the person's left corner goes outwards
    assert moved("browInnerUp", 21)[1] > 2
    assert moved("eyeBlinkLeft", 44)[1] < -4
    assert moved("eyeBlinkRight", 44).norm() < 0.5


def test_triangles_face_outwards_and_none_is_degenerate(model):
    a, b, c = model.mean[model.triangles].unbind(1)
    across = torch.linalg.cross(b - a, c - a)
    assert (across.norm(dim=1) > 1e-4).all()
    skin = model.part_triangles["skin"]
    centre = (a + b + c)[skin] / 3
    upper = centre[:, 1] > 40
    outward = ((centre - torch.tensor([0.0, 30.0, 10.0])) * across[skin]).sum(1)
    assert (outward[upper] > 0).float().mean() > 0.99


def test_parts_and_regions_cover_what_they_name(model):
    assert set(model.parts) == PARTS
    assert set(model.part_triangles) == PARTS - {"hair"}
    for name, where in model.part_triangles.items():
        used = model.triangles[where].unique()
        assert torch.equal(used, model.parts[name]), name
    hair = set(model.hair_triangles.unique().tolist())
    assert hair == set(model.parts["hair"].tolist())
    assert hair.isdisjoint(model.triangles.unique().tolist())
    regions = model.regions
    for name, mask in regions.items():
        assert mask.min() >= 0, name
        assert 0.9 < mask.max() <= 1, name
    lip = model.landmarks[57]
    assert regions["lips"][lip] > 0.5 > regions["ears"][lip]
    assert regions["beard"][model.landmarks[8]] > 0.5 > regions["scalp"][model.landmarks[8]]
    assert regions["brows"][model.landmarks[19]] > 0.2
    assert regions["torso"][model.parts["skin"]].max() < 0.9
    assert regions["left_eye"][model.pupils].mean(1).tolist() == [1, 0]


def test_masks_agree_with_the_regions_of_the_mesh(model):
    lips = model.masks["lips"]
    grid = 2 * model.uv[None, None] - 1
    sampled = torch.nn.functional.grid_sample(lips[None, None], grid, align_corners=False)[0, 0, 0]
    skin = model.part_triangles["skin"]
    at_corners = sampled[model.uv_triangles[skin]]
    at_vertices = model.regions["lips"][model.triangles[skin]]
    assert (at_corners - at_vertices).abs().mean() < 0.005


def test_the_rings_of_pupil_and_iris_are_round(model):
    for ring, low, high in ((model.pupils, 2.0, 4.0), (model.irises, 5.0, 7.5)):
        points = model.mean[ring]
        radius = (points - points.mean(1, keepdim=True)).norm(dim=-1)
        assert low < radius.min()
        assert radius.max() < high
        assert (ring.unique() == ring.flatten().sort().values).all()


def test_landmarks_are_symmetric_and_in_their_places(model):
    mirrored = model.mirror[model.landmarks]
    pairs = [(36, 45), (39, 42), (48, 54), (31, 35), (17, 26), (21, 22), (0, 16), (4, 12)]
    for a, b in pairs:
        assert mirrored[a] == model.landmarks[b]
    points = model.mean[model.landmarks]
    assert (points[[27, 28, 29, 30, 33, 51, 57, 62, 66, 8], 0].abs() < 0.1).all()
    assert (points[:17, 0].diff() > 0).all()  # from the picture's left to its right
    assert (points[27:31, 1].diff() < 0).all()


def test_contour_landmarks_slide_with_the_head(model):
    yaw = torch.tensor([-0.5, 0.0, 0.5])
    contour = model.contour_landmarks(yaw)
    assert contour.shape == (3, 17)
    assert torch.equal(contour[1], model.landmarks[:17])
    assert torch.equal(model.mirror[contour[0]].flip(0), contour[2])
    # On the side that turns away, the outline comes forward over the cheek.
    assert model.mean[contour[2, 13:16], 2].mean() > model.mean[contour[1, 13:16], 2].mean() + 5
    whole = model.landmark_vertices(yaw)
    assert torch.equal(whole[:, :17], contour)
    assert torch.equal(whole[0, 17:], model.landmarks[17:])


def test_sampled_people_are_plausible_and_depend_on_the_seed(model):
    identity = people(model, 300)
    assert model.direction_names[:7] == WHOLE_LABELS  # the rows that draw people
    assert model.plausible(identity).all()
    assert torch.equal(identity, people(model, 300))
    assert not torch.equal(identity[:10], people(model, 10, seed=1))
    assert abs(float(identity.mean())) < 0.05
    assert 0.8 < float(identity.std()) < 1.05
    heads = model.vertices(identity)
    pupils = heads[:, model.pupils].mean(2)
    eyes = (pupils[:, 0] - pupils[:, 1]).norm(dim=1)
    assert eyes.min() > 50
    assert eyes.max() < 76
    skull = heads[:, model.parts["skin"]]
    breadth = skull[..., 0].amax(1) - skull[..., 0].amin(1)
    assert breadth.min() > 130
    assert breadth.max() < 215
    assert not model.plausible(torch.full((1, 80), 4.0)).any()


def test_labels_can_be_set_and_read(model, generator):
    men = model.sample_identity(50, generator, given={"sex": 1.0, "age": 60.0})
    women = model.sample_identity(50, generator, given={"sex": 0.0, "age": 25.0})
    assert (model.read(men)["sex"] > 0.6).all()
    assert (model.read(women)["sex"] < 0.4).all()
    assert (model.read(men)["age"] > model.read(women)["age"] + 15).all()
    close = model.sample_identity(50, generator, spread=0.3)
    assert close.std() < 0.4


@pytest.mark.parametrize("name", ["sex", "age", "nose_width", "jaw_width", "eye_distance"])
def test_a_direction_raises_its_own_label(model, name):
    step = model.directions[name][None]
    before, after = model.read(torch.zeros(1, 80)), model.read(2 * step)
    spread = model.read(people(model, 200))[name].std()
    assert (after[name] - before[name]) / spread > 0.8


def test_directions_move_what_they_name(model):
    nose = model.vertices(2 * model.directions["nose_width"][None])[0] - model.mean
    assert (nose[model.landmarks[35]] - nose[model.landmarks[31]])[0] > 0.5
    eyes = model.vertices(2 * model.directions["eye_distance"][None])[0] - model.mean
    left, right = eyes[model.pupils].mean(1)
    assert left[0] - right[0] > 2


def test_the_smoothed_mesh_is_the_same_head(model, fine):
    assert len(fine.triangles) == 4 * len(model.triangles)
    identity = people(model, 2)
    smile = model.expression_weights({"mouthSmileLeft": 1.0})
    coarse, smooth = model.vertices(identity, smile), fine.vertices(identity, smile)
    inside = model.triangles[model.part_triangles["skin"]].unique()
    moved = (smooth[:, : len(model.mean)] - coarse)[:, inside].norm(dim=-1)
    assert moved.mean() < 0.4  # mm
    torch.testing.assert_close(fine.mean[fine.mirror] * FLIP, fine.mean, atol=1e-3, rtol=0)
    assert torch.equal(fine.mirror[fine.mirror], torch.arange(len(fine.mean)))
    assert fine.uv.min() >= 0
    assert fine.uv.max() <= 1
    assert set(fine.regions) == set(model.regions)


def test_normals_agree_with_a_loop(model):
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(2, 6, 3, generator=generator, dtype=torch.float64)
    triangles = torch.tensor([[0, 1, 2], [2, 1, 3], [3, 4, 0]])
    expected = torch.zeros_like(points)
    for b in range(2):
        for i, j, k in triangles.tolist():
            across = torch.linalg.cross(points[b, j] - points[b, i], points[b, k] - points[b, i])
            for corner in (i, j, k):
                expected[b, corner] += across
    length = expected.norm(dim=-1, keepdim=True)
    expected = torch.where(length > 0, expected / length.clamp(min=1e-12), 0)
    torch.testing.assert_close(vertex_normals(points, triangles), expected)
    assert (vertex_normals(points, triangles)[:, 5] == 0).all()
    assert vertex_normals(points[:0], triangles).shape == (0, 6, 3)
    compiled = vertex_normals(points.float(), triangles)
    torch.testing.assert_close(compiled, expected.float(), rtol=0, atol=1e-6)
    tip = model.normals(model.mean[None])[0, model.landmarks[30]]
    assert tip[2] > 0.8  # the nose points at the camera


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_labels_are_in_their_ranges(seed):
    labels = draw_labels(50, np.random.default_rng(seed))
    sex, age, muscle, weight, *shares = labels.T
    assert labels.shape == (50, len(WHOLE_LABELS))
    for value in (sex, muscle, weight, *shares):
        assert value.min() >= 0
        assert value.max() <= 1
    assert AGES[0] <= age.min()
    assert age.max() <= AGES[1]
    np.testing.assert_allclose(sum(shares), 1)


def test_normals_refuse_another_meshs_triangles(model):
    with pytest.raises(RasterError, match="another mesh"):
        vertex_normals(model.mean[None, :100], model.triangles)
