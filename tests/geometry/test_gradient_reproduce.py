"""Figures 5 and 6 on few faces: rows, pictures, and what they are made of."""

import math

import pytest
import torch

from visage.geometry import light_reproduce
from visage.geometry.detail import DetailedFaces, coarse_like
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.gradient_flow import GROUPS
from visage.geometry.gradient_reproduce import agreement_rows, descent_rows, flow, flow_figure
from visage.geometry.photographs import PhotographedFaces
from visage.geometry.rendering_layer import render_depth
from visage.geometry.representation import FaceNumbers

SIZE = 60


@pytest.fixture(scope="module")
def mesh():
    return FaceMesh.load()


@pytest.fixture(scope="module")
def faces(mesh):
    """Two faces whose pictures are noise; their surfaces are known."""
    generator = torch.Generator().manual_seed(0)
    numbers = 0.3 * torch.randn(2, 138, generator=generator)
    drawn = render_depth(mesh, FaceNumbers.of(numbers), SIZE)
    grey = 0.3 + 0.3 * torch.rand(2, 1, SIZE, SIZE, generator=generator)
    return DetailedFaces(
        faces=grey, depth=drawn.depth, relief=0 * grey, mask=drawn.mask, seen=drawn.mask,
        albedo=0.3 * drawn.mask, numbers=numbers, light=torch.rand(2, 9, generator=generator),
        age=torch.zeros(2),
    )  # fmt: skip


@pytest.fixture(scope="module")
def guess(faces):
    return coarse_like(faces.truth, torch.Generator().manual_seed(1))


def test_rows_of_agreement_and_descent(mesh, faces, guess):
    truth = render_depth(mesh, faces.truth[:1], SIZE)
    rows = {row.name: row for row in agreement_rows(mesh, guess[:1], truth)}
    assert set(rows) == {
        f"{what}_{kind}/{name}"
        for what in ("cosine", "length")
        for kind in ("fixed", "through")
        for name in GROUPS
    }
    assert rows["cosine_fixed/shift"].ours == 0
    assert rows["cosine_through/shift"].ours > 0.3
    rows = {row.name: row.ours for row in descent_rows(mesh, guess[:1], truth, steps=6)}
    assert rows["depth_mm/through"] < rows["depth_mm/before"]
    assert math.isfinite(rows["depth_mm/fixed"])


def test_a_gradient_that_lifts_one_side_arrives_there(mesh, guess):
    drawn = render_depth(mesh, guess[:1], SIZE)
    upstream = drawn.mask.clone()
    upstream[..., : SIZE // 2] = 0  # only the right half shall come nearer
    found = flow(mesh, guess[:1], upstream)
    points = guess[:1].camera(SIZE).project(guess[:1].vertices(mesh))[0]
    left = points[:, 0] < SIZE / 2 - 3
    assert found.mesh["fixed"][left].abs().max() == 0
    right = found.mesh["fixed"][points[:, 0] > SIZE / 2 + 3]
    assert (right >= -1e-4).all()
    assert right.max() > 0
    for kind in ("fixed", "through"):
        moved = found.shape[kind]
        assert moved[points[:, 0] > SIZE / 2 + 8].mean() > 0  # towards the viewer
    assert torch.equal(found.pixels, upstream[0, 0])


def test_the_flow_is_pictured(mesh, faces, guess):
    figure = flow_figure(faces[:1], guess[:1], mesh)
    assert len(figure.axes) == 12
    pictures = [axis.images[0].get_array() for axis in figure.axes]
    assert all(picture.std() > 0 for picture in pictures)


def test_light_is_measured_and_pictured(faces, guess, monkeypatch):
    monkeypatch.setattr(light_reproduce, "FINE_MESH", 0)
    monkeypatch.setattr(light_reproduce, "coarse_numbers", lambda some, profile: guess[: len(some)])
    rows = light_reproduce.light_rows(faces, guess, "/guess")
    names = ["light_angle/guess", "shading_error/guess", "albedo_error/guess", "explained/guess"]
    assert [row.name for row in rows] == names
    assert all(math.isfinite(row.ours) for row in rows)
    photos = PhotographedFaces(("nobody",), faces.faces[:1], torch.zeros(1, 68, 2))
    figure = light_reproduce.light_figure(faces, guess, photos, "fast")
    assert len(figure.axes) == 5 * 3
