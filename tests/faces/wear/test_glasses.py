"""Glasses on many people: closed tubes, clear of the skin, in front of the eyes."""

from dataclasses import fields, replace
from functools import lru_cache

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from visage.faces.camera import WeakPerspective
from visage.faces.shape import MorphableModel, vertex_normals
from visage.faces.visibility import visible_triangles
from visage.faces.wear.glasses import Glasses
from visage.faces.wear.glasses_form import ACROSS, ROUND, fan, height_at, outwards, sweep, tube
from visage.faces.wear.spectacles import GlassesError, GlassesParameters, sample_glasses

PEOPLE = 30
RIM = ROUND * ACROSS


@lru_cache
def people(level=0):
    model = MorphableModel.load(level)
    identity = model.sample_identity(PEOPLE, torch.Generator().manual_seed(8))
    parameters = sample_glasses(model.read(identity), torch.arange(PEOPLE))
    everybody = replace(parameters, worn=torch.ones(PEOPLE, dtype=torch.bool))
    glasses, head = Glasses(model), model.vertices(identity)
    return model, glasses, head, everybody, glasses.vertices(head, everybody)


def gaps(model, head, points):
    """Distance (N,) of points from the skin, negative inside."""
    skin = model.triangles[model.part_triangles["skin"]]
    normals = vertex_normals(head[None], skin)[0]
    sites = torch.cat([head[model.parts["skin"]], head[skin].mean(1)])
    out = torch.cat([normals[model.parts["skin"]], normals[skin].mean(1)])
    index = torch.from_numpy(cKDTree(sites.numpy()).query(points.numpy())[1])
    return ((points - sites[index]) * torch.nn.functional.normalize(out, dim=1)[index]).sum(1)


def test_rims_are_closed_and_the_rest_agrees_on_the_outside():
    _, glasses, *_ = people()
    directed = glasses.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    assert len(directed.unique(dim=0)) == len(directed)
    rim = directed[(directed < RIM).all(1)].sort(1).values
    _, uses = rim.unique(dim=0, return_counts=True)
    assert (uses == 2).all()


def test_tubes_face_outwards():
    _, glasses, _, _, vertices = people()
    rim = vertices[:, :RIM]
    normals = vertex_normals(vertices.nan_to_num(), glasses.triangles)[:, :RIM]
    middle = rim.unflatten(1, (ROUND, ACROSS)).mean(2, keepdim=True).expand(-1, -1, ACROSS, -1)
    assert ((rim - middle.flatten(1, 2)) * normals).sum(2).min() > 0


def test_lenses_face_the_picture_and_lie_in_their_rims():
    _, glasses, _, _, vertices = people()
    a, b, c = (vertices[:, glasses.lens_triangles[:, k]] for k in range(3))
    assert torch.linalg.cross(b - a, c - a)[..., 2].min() > 0
    assert vertices[:, glasses.lens_triangles.unique()].isfinite().all()


@pytest.mark.parametrize("level", [0, 1])
def test_nothing_cuts_into_the_face(level):
    model, glasses, head, _, vertices = people(level)
    for person in range(0, PEOPLE, 5 if level else 1):
        for name in ("rim", "bridge", "temple"):
            for start, stop in glasses.tubes[name]:
                part = vertices[person, start:stop]
                # Behind the ear a temple lies between ear and skull, where all is close.
                part = part[part[:, 2] > 22] if name == "temple" else part
                assert gaps(model, head[person], part).min() > -1


def test_lenses_are_where_an_optician_puts_them():
    model, _, head, _, vertices = people()
    eyes = head[:, model.pupils].mean(2)  # left, right
    lenses = vertices[:, -2 * (1 + 3 * ROUND) :].unflatten(1, (2, -1))
    for side in range(2):
        distance = lenses[:, side, 0, 2] - eyes[:, side, 2]
        assert distance.min() > 10
        assert distance.max() < 24
        low, high = lenses[:, side, :, :2].aminmax(dim=1)
        inside = (eyes[:, side, :2] > low + 5) & (eyes[:, side, :2] < high - 5)
        assert inside.all()


def test_the_front_is_about_as_wide_as_the_face():
    _, glasses, _, _, vertices = people()
    (start, stop), _ = glasses.tubes["rim"]
    width = 2 * vertices[:, start:stop, 0].amax(1)
    assert width.min() > 105
    assert width.max() < 155


def test_temples_end_behind_the_ears():
    _, glasses, _, _, vertices = people()
    for _, stop in glasses.tubes["temple"]:
        end = vertices[:, stop - ACROSS : stop].mean(1)
        assert (end[:, 2] < 0).all()
        assert (end[:, 1] < -5).all()


def test_who_has_none_is_not_drawn():
    _, glasses, head, parameters, _ = people()
    nobody = replace(parameters, worn=torch.zeros(PEOPLE, dtype=torch.bool))
    vertices = glasses.vertices(head, nobody)
    assert vertices.isnan().all()
    angles, shift = torch.zeros(PEOPLE, 3), torch.zeros(PEOPLE, 2)
    camera = WeakPerspective(angles, shift, 32, 32, scale=torch.full((PEOPLE,), 0.2))
    assert (visible_triangles(camera.project(vertices), glasses.triangles, 32, 32) == -1).all()


def test_the_worn_do_not_depend_on_the_others():
    _, glasses, head, parameters, vertices = people()
    some = replace(parameters, worn=torch.arange(PEOPLE) % 3 == 0)
    mixed = glasses.vertices(head, some)
    assert mixed[1].isnan().all()
    torch.testing.assert_close(mixed[3], vertices[3], equal_nan=True, atol=1e-3, rtol=0)
    torch.testing.assert_close(glasses.albedo(parameters)[4:5], glasses.albedo(parameters[4:5]))


def test_they_move_with_the_head():
    _, glasses, head, parameters, vertices = people()
    shift = torch.tensor([3.0, -2.0, 5.0])
    moved = glasses.vertices(head + shift, parameters)
    torch.testing.assert_close(moved, vertices + shift, equal_nan=True, atol=0.5, rtol=0)


def test_older_people_wear_more():
    count = 600
    shares = []
    for age in (22.0, 72.0):
        labels = {"sex": torch.rand(count), "age": torch.full((count,), age)}
        shares.append(sample_glasses(labels, torch.arange(count)).worn.float().mean())
    assert 0.05 < shares[0] < 0.2 < shares[1] < 0.4


def test_a_seed_gives_the_same_glasses():
    labels = {"sex": torch.linspace(0, 1, 6), "age": torch.full((6,), 50.0)}
    seeds = torch.tensor([9, 4, 0, -3, 2, 1])
    everything = sample_glasses(labels, seeds)
    part = sample_glasses({name: value[3:4] for name, value in labels.items()}, seeds[3:4])
    for field in fields(GlassesParameters):
        assert torch.equal(getattr(everything, field.name)[3:4], getattr(part, field.name))


def test_materials():
    _, glasses, _, parameters, vertices = people()
    albedo = glasses.albedo(parameters)
    assert albedo.shape == vertices.shape
    assert (albedo >= 0).all()
    assert (albedo < 0.9).all()
    assert glasses.roughness(parameters).shape == (*albedo.shape[:2], 1)
    assert glasses.specular(parameters).shape == (*albedo.shape[:2], 1)
    through = glasses.lens_transmittance(parameters)
    assert through.shape == (PEOPLE, 3)
    assert ((through > 0.4) & (through < 1)).all()


def test_a_swept_circle_is_a_torus():
    angle = torch.arange(ROUND) * (2 * np.pi / ROUND)
    circle = 20 * torch.stack([angle.cos(), angle.sin()], 1)[None].float()
    path = torch.cat([circle, torch.zeros(1, ROUND, 1)], 2)
    two = torch.tensor([2.0])
    ring = sweep(path, outwards(circle), 2 * two, 2 * two, two, closed=True)[0]
    away = torch.hypot(ring[:, :2].norm(dim=1) - 20, ring[:, 2])
    torch.testing.assert_close(away, torch.full_like(away, 2.0), atol=1e-3, rtol=0)
    assert len(tube(ROUND, closed=True)) == 2 * ROUND * ACROSS


def test_a_fan_covers_its_disc():
    angle = torch.arange(ROUND) * (2 * np.pi / ROUND)
    ring = torch.stack([angle.cos(), angle.sin()], 1)
    points = torch.cat([torch.zeros(1, 2), 0.35 * ring, 0.7 * ring, ring])
    a, b, c = (points[fan()[:, k]] for k in range(3))
    area = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    assert (area > 0).all()
    assert area.sum() == pytest.approx(np.pi, rel=0.01)


def test_heights_are_interpolated():
    sites = torch.tensor([[[0.0, 0.0], [10.0, 0.0]]])
    found = height_at(torch.tensor([[[0.0, 0.0], [5.0, 0.0]]]), sites, torch.tensor([[2.0, 4.0]]))
    torch.testing.assert_close(found, torch.tensor([[2.0, 3.0]]), atol=1e-4, rtol=0)


def test_bad_input_is_refused():
    _, glasses, head, parameters, _ = people()
    with pytest.raises(GlassesError, match="as many"):
        glasses.vertices(head[:2], parameters)
    with pytest.raises(GlassesError, match="expected"):
        glasses.vertices(head[:, :9], parameters)
    with pytest.raises(GlassesError, match="int64"):
        sample_glasses({}, torch.zeros(3))
    with pytest.raises(GlassesError, match="'age'"):
        sample_glasses({"sex": torch.zeros(1)}, torch.zeros(1, dtype=torch.int64))
    with pytest.raises(GlassesError, match="rim"):
        replace(parameters, rim=torch.full((PEOPLE,), torch.inf))
    with pytest.raises(GlassesError, match="bool"):
        replace(parameters, worn=torch.ones(PEOPLE))
