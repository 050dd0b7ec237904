"""How much of the surroundings each point of the head sees: ambient occlusion.

Light from all sides does not reach into nostrils, the corners of the eyes or a closed mouth.
Without this a face in soft light looks like a mask of wax. It is computed when the model is built;
`MorphableModel.occlusion` holds it.
"""

import torch
from torch import Tensor

from visage.faces.directions import axes, sphere_directions
from visage.faces.shape import MorphableModel
from visage.faces.visibility import z_buffer

_OPEN = {"jawOpen": 0.45, "mouthSmileLeft": 0.5, "mouthSmileRight": 0.5}
_INSIDE = {"teeth": 0.35, "tongue": 0.3, "mouth": 0.1}
_LIFT = 2.0  # mm off the surface, so that it does not hide itself however it is tilted
_MARGIN = 4  # texels


def ambient_occlusion(model: MorphableModel, directions: int = 96, size: int = 320) -> Tensor:
    """Share of the surroundings that each vertex of the mean head sees, weighted by the cosine.

    The head is looked at from all sides; a vertex sees where it is seen from. Of two states, mouth
    closed and mouth half open, the brighter counts: teeth are not black in a smile. It does not
    follow identity or expression, which change it little elsewhere.

    Args:
        model: at any level of subdivision.
        directions: from how many sides.
        size: of the pictures in which vertices are looked for, pixels.

    Returns:
        (V,) in [0, 1], on the model's device; 1 for vertices of no triangle (loose hair).

    >>> model = MorphableModel.load()
    >>> seen = ambient_occlusion(model, directions=32)
    >>> bool(seen[model.landmarks[30]] > 0.9)  # the tip of the nose
    True
    """
    rest = model.vertices(model.mean.new_zeros(1, 1))
    opened = model.vertices(model.mean.new_zeros(1, 1), model.expression_weights(_OPEN))
    found = [_visible(model, head, directions, size) for head in (rest, opened)]
    seen = torch.maximum(*found)
    # Teeth and tongue are only looked at when the mouth is wide enough for light to enter.
    for part, least in _INSIDE.items():
        inner = model.parts[part]
        seen[inner] = seen[inner].clamp(min=least)
    unused = torch.ones_like(seen, dtype=torch.bool)
    unused[model.triangles.flatten()] = False
    return seen.masked_fill(unused, 1)


def _visible(model: MorphableModel, head: Tensor, count: int, size: int) -> Tensor:
    head, triangles = head.cpu(), model.triangles.cpu()
    normals = model.normals(head.to(model.mean.device))[0].cpu()
    middle = (head.amax(1) + head.amin(1)) / 2
    scale = (size - 2 * _MARGIN) / (head - middle).norm(dim=2).max() / 2
    towards = sphere_directions(count).to(head)
    total, seen = torch.zeros(head.shape[1]), torch.zeros(head.shape[1])
    # Lashes are see-through: they take no light from the eye.
    lashes = model.part_triangles["lashes"]
    solid = torch.cat([triangles[: lashes.start], triangles[lashes.stop :]])
    for group in towards.split(16):
        to_picture = axes(group).mT * torch.tensor([scale, -scale, -1.0])
        centre = torch.tensor([size / 2, size / 2, 0])
        depth = z_buffer((head - middle) @ to_picture + centre, solid, size, size)[1]
        points = (head + _LIFT * normals - middle) @ to_picture + centre
        cosine = (normals @ group.T).clamp(min=0).T  # (G, V)
        # The four texels round a vertex: on a slope one of them may be in front of it.
        corner = points[..., :2].long()
        x, y = corner.unbind(2)
        image = torch.arange(len(group))[:, None]
        clear = torch.stack(
            [depth[image, y + j, x + i] > points[..., 2] for j in (0, 1) for i in (0, 1)]
        )
        total += cosine.sum(0)
        seen += (cosine * clear.float().mean(0)).sum(0)
    return seen / total.clamp(min=1e-6)
