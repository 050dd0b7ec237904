"""Cloth on many people: closed, outside of the skin, and the same from the same seed."""

from dataclasses import fields, replace
from functools import lru_cache

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_fill_holes
from scipy.spatial import cKDTree

from visage.faces.camera import WeakPerspective
from visage.faces.shape import MorphableModel, vertex_normals
from visage.faces.visibility import visible_triangles
from visage.faces.wear.clothing import Clothing
from visage.faces.wear.garments import Garment, GarmentError, sample_garments

PEOPLE = 12


@lru_cache
def worn(level=0):
    model = MorphableModel.load(level)
    clothing = Clothing(model)
    identity = model.sample_identity(PEOPLE, torch.Generator().manual_seed(3))
    garment = sample_garments(model.read(identity), torch.arange(PEOPLE))
    head = model.vertices(identity)
    return model, clothing, head, garment, clothing.vertices(head, garment)


def grid(clothing, vertices):
    """(B, rows, columns, 3)."""
    return vertices.unflatten(1, (clothing.rows, clothing.columns))


def edges(triangles):
    """Directed edges (3 F, 2)."""
    return triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)


def test_the_grid_is_a_tube():
    _, clothing, *_ = worn()
    directed = edges(clothing.triangles)
    assert len(directed.unique(dim=0)) == len(directed)  # neighbours agree on the outside
    _, uses = directed.sort(1).values.unique(dim=0, return_counts=True)
    assert uses.max() == 2
    assert (uses == 1).sum() == 2 * clothing.columns  # inside of the collar, and the hem
    assert clothing.triangles.max() == clothing.rows * clothing.columns - 1


def test_it_faces_outwards():
    _, clothing, _, _, vertices = worn()
    normals = grid(clothing, vertex_normals(vertices, clothing.triangles))[:, -12:]
    outward = grid(clothing, vertices)[:, -12:] - torch.tensor([0.0, -300.0, -25.0])
    assert ((normals * outward)[..., [0, 2]].sum(-1) > 0).float().mean() > 0.97


@pytest.mark.parametrize("level", [0, 1])
def test_skin_below_the_collar_is_inside(level):
    model, clothing, head, _, vertices = worn(level)
    normals = vertex_normals(vertices, clothing.triangles)
    for person in range(PEOPLE if level == 0 else 3):
        cloth, out = (grid(clothing, each)[person] for each in (vertices, normals))
        skin = head[person, model.parts["neck"]]
        first = clothing.rows - clothing.body_rows
        edge = cloth[first]
        angle, around = (torch.atan2(p[:, 2] + 25, p[:, 0]) for p in (skin, edge))
        nearest = (torch.exp(1j * angle)[:, None] - torch.exp(1j * around)).abs().argmin(1)
        skin = skin[skin[:, 1] < edge[nearest, 1] - 6]
        body, out = cloth[first:].flatten(0, 1), out[first:].flatten(0, 1)
        index = torch.from_numpy(cKDTree(body.numpy()).query(skin.numpy())[1])
        gap = ((body[index] - skin) * out[index]).sum(1)
        assert len(skin) > 50
        assert gap.min() > 0


@pytest.mark.parametrize("pitch", [-20, 0, 20])
def test_no_cut_edge_and_no_hole_is_seen(pitch):
    """The ragged border of the skin is hidden, and nothing shines through the silhouette."""
    model, clothing, head, _, vertices = worn()
    skin = model.triangles[: model.part_triangles["lashes"].start]
    triangles = torch.cat([skin, clothing.triangles + head.shape[1]])
    directed = edges(skin).sort(1).values
    unique, index, uses = directed.unique(dim=0, return_inverse=True, return_counts=True)
    lowest = model.mean[unique].mean(1)[:, 1] < -190
    border = ((uses == 1) & lowest)[index].view(-1, 3).any(1).nonzero()[:, 0]
    assert len(border) > 50
    everything = torch.cat([head, vertices], 1)
    for yaw in (-60, -25, 0, 40, 60):
        angles = torch.deg2rad(torch.tensor([[float(pitch), float(yaw), 0]])).expand(PEOPLE, 3)
        shift = torch.tensor([[0.0, 120.0]]).expand(PEOPLE, 2)
        camera = WeakPerspective(angles, shift, 112, 112, scale=torch.full((PEOPLE,), 0.23))
        seen = visible_triangles(camera.project(everything), triangles, 112, 112)
        assert not torch.isin(seen, border.int()).any()
        # Above the collar, chin and neck may enclose a piece of background.
        collar = grid(clothing, camera.project(vertices))[:, 3, :, 1].amax(1).int().tolist()
        for mask, row in zip((seen >= 0).numpy(), collar, strict=True):
            holes = binary_fill_holes(mask) & ~mask
            assert holes[row:].sum() == 0


def test_no_neckline_falls_past_the_skin():
    model, clothing, head, garment, _ = worn()
    deep = replace(garment, drop=torch.full((PEOPLE,), 300.0), leaf=torch.full((PEOPLE,), 12.0))
    edge = grid(clothing, clothing.vertices(head, deep))[:, : clothing.rows - clothing.body_rows]
    front = edge[:, :, clothing.columns // 4, 1].amax(1)
    middle = (model.mean[:, 0].abs() < 6) & (model.regions["torso"] > 0.5)
    skin = head[:, middle.nonzero()[:, 0]]
    chest = skin[..., 1].masked_fill(skin[..., 2] < 0, 1e9).amin(1)
    assert (front > chest + 3).all()


def test_a_turtleneck_is_higher_than_a_scoop():
    _, clothing, head, garment, _ = worn()
    tops = []
    for stand, drop in ((35.0, 0.0), (0.0, 35.0)):
        drop, stand = torch.full((PEOPLE,), drop), torch.full((PEOPLE,), stand)
        vertices = clothing.vertices(head, replace(garment, drop=drop, stand=stand))
        tops.append(grid(clothing, vertices)[:, :, clothing.columns // 4, 1].amax(1))
    assert (tops[0] > tops[1] + 40).all()


def test_it_reaches_below_every_portrait():
    _, clothing, _, _, vertices = worn()
    assert grid(clothing, vertices)[:, -1, :, 1].max() < -330


def test_it_moves_with_the_head():
    _, clothing, head, garment, vertices = worn()
    shift = torch.tensor([10.0, -20.0, 30.0])
    moved = clothing.vertices(head + shift, garment)
    # The sleeves' seams and folds are drawn on the mean body, so that all of it moves.
    torch.testing.assert_close(moved, vertices + shift, atol=1e-3, rtol=0)


def test_broad_shoulders_wear_broad_clothes():
    model, clothing, head, _, vertices = worn()
    broad = head[:, model.parts["neck"], 0].amax(1)
    sleeves = grid(clothing, vertices)[:, clothing.rows // 2 :, :, 0].amax((1, 2))
    assert np.corrcoef(broad.numpy(), sleeves.numpy())[0, 1] > 0.9


def test_both_levels_wear_the_same():
    _, coarse, _, _, rough = worn(0)
    *_, smooth = worn(1)
    rough = grid(coarse, rough)[0, -coarse.body_rows :].flatten(0, 1)
    away = cKDTree(smooth[0].numpy()).query(rough.numpy())[0]
    assert np.quantile(away, 0.95) < 6
    assert away.max() < 16


def test_rows_do_not_depend_on_each_other():
    _, clothing, head, garment, vertices = worn()
    alone = clothing.vertices(head[3:4], garment[3:4])
    torch.testing.assert_close(alone, vertices[3:4], atol=1e-4, rtol=0)
    torch.testing.assert_close(clothing.albedo(garment)[3:4], clothing.albedo(garment[3:4]))


def test_a_seed_gives_the_same_garment():
    labels = {"sex": torch.rand(5), "age": torch.full((5,), 40.0), "weight": torch.rand(5)}
    seeds = torch.tensor([5, 1, 2, 3, 4])
    first, second = sample_garments(labels, seeds), sample_garments(labels, seeds)
    part = sample_garments({name: value[2:3] for name, value in labels.items()}, seeds[2:3])
    for field in fields(Garment):
        assert torch.equal(getattr(first, field.name), getattr(second, field.name))
        assert torch.equal(getattr(first, field.name)[2:3], getattr(part, field.name))


def test_colours_are_colours():
    _, clothing, _, garment, vertices = worn()
    albedo = clothing.albedo(garment)
    assert albedo.shape == vertices.shape
    assert albedo.min() > 0
    assert albedo.max() < 0.95
    assert clothing.roughness(garment).shape == (*albedo.shape[:2], 1)
    assert clothing.specular(garment).shape == (*albedo.shape[:2], 1)


def test_stripes_alternate():
    _, clothing, _, garment, _ = worn()
    plain = replace(
        garment,
        stripes=torch.ones(PEOPLE),
        period=torch.full((PEOPLE,), 60.0),
        upright=torch.zeros(PEOPLE),
        heather=torch.zeros(PEOPLE),
        colour=torch.full((PEOPLE, 3), 0.8),
        second=torch.full((PEOPLE, 3), 0.1),
    )
    front = clothing.albedo(plain).unflatten(1, (clothing.rows, clothing.columns))
    column = front[0, -clothing.body_rows :, clothing.columns // 4, 0]
    assert (column > 0.5).any()
    assert (column < 0.3).any()


def test_derivatives_reach_the_head():
    model, clothing, head, garment, _ = worn()
    head = head[:1].clone().requires_grad_()
    clothing.vertices(head, garment[:1])[..., 1].sum().backward()
    assert head.grad[0, model.parts["neck"]].abs().sum() > 0


def test_bad_input_is_refused():
    _, clothing, head, garment, _ = worn()
    with pytest.raises(GarmentError, match="as many"):
        clothing.vertices(head[:2], garment)
    with pytest.raises(GarmentError, match="expected"):
        clothing.vertices(head[:, :9], garment)
    with pytest.raises(GarmentError, match="int64"):
        sample_garments({}, torch.zeros(3))
    with pytest.raises(GarmentError, match="'age'"):
        sample_garments({"sex": torch.zeros(1)}, torch.zeros(1, dtype=torch.int64))
    with pytest.raises(GarmentError, match="drop"):
        replace(garment, drop=torch.full((PEOPLE,), torch.nan))
    with pytest.raises(GarmentError, match="colour"):
        replace(garment, colour=garment.colour[:, :2])
