"""The head's mesh, cut where its atlas is."""

import torch

from visage.faces.buffers import drawn_triangles
from visage.faces.shape import MorphableModel, vertex_normals
from visage.texture.head_mesh import seamed_mesh


def test_every_corner_keeps_its_place_and_its_texture_coordinate():
    model = MorphableModel.load()
    cut, triangles = seamed_mesh(model), drawn_triangles(model)
    assert torch.equal(cut.corners[cut.triangles], triangles)
    wanted = model.uv[model.uv_triangles[: len(triangles)]]
    assert torch.equal(cut.uv[cut.triangles], wanted)
    pairs = torch.cat([cut.corners[:, None].float(), cut.uv], 1)
    assert len(pairs.unique(dim=0)) == len(pairs)
    # Seams make more of the vertices that are drawn.
    assert len(cut.corners) > len(triangles.unique())


def test_places_and_normals_are_the_model_s():
    model = MorphableModel.load()
    cut, vertices = seamed_mesh(model), model.mean
    assert torch.equal(cut.places(vertices), vertices[cut.corners])
    whole = vertex_normals(vertices[None], model.triangles)[0]
    assert torch.equal(cut.normals(vertices, model), whole[cut.corners])
