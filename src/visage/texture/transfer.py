"""Shading of a head that shadows itself: radiance transfer (Sloan et al. 2002).

Second-order harmonics explain the light that falls on a convex head. Under the nose and in the
sockets a part of it is hidden by the head, and what hides it sends light of its own. Saito et al.
(2017, section 3) factor out shading by light, normal and geometry; the geometry also tells which
directions each point sees.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from visage.faces.buffers import drawn_triangles
from visage.faces.directions import axes, sphere_directions
from visage.faces.harmonics import harmonics
from visage.faces.shape import MorphableModel
from visage.faces.visibility import z_buffer

_LIFT = 2.0  # mm off the surface, so that it does not hide itself however it is tilted
_MARGIN = 4  # texels
_TOGETHER = 16  # directions looked from at once


def hidden_transfer(
    model: MorphableModel,
    vertices: Tensor,
    rotation: Tensor,
    *,
    directions: int = 96,
    size: int = 192,
) -> Tensor:
    """What of the light each vertex does not get because the head is in the way.

    The shading by an environment L_lm is Σ L_lm (A_l Y_lm(n)/π - h_lm), where
    h_lm = (1/π) ∫ Y_lm(ω) (1 - V(ω)) max(n·ω, 0) dω is summed over directions, and V is whether
    the point sees out of the head in direction ω.

    Args:
        model: whose vertices they are.
        vertices: (B, V, 3), mm, head frame.
        rotation: (B, 3, 3), from the head frame to that of the light.
        directions: how many, evenly over the sphere.
        size: pixels of the pictures in which vertices are looked for.

    Returns:
        (B, V, 10): h_lm for the nine harmonics of order 2, and last the share of light from
        everywhere that is hidden, in [0, 1].
    """
    normals = model.normals(vertices)
    triangles = drawn_triangles(model)
    towards = sphere_directions(directions).to(vertices)
    found = []
    for head, normal, turn in zip(vertices, normals, rotation, strict=True):
        basis = harmonics(towards @ turn.T, 2)  # (N, 9), in the frame of the light
        basis = torch.cat([basis, torch.ones_like(basis[:, :1])], 1)
        total = vertices.new_zeros(len(head), 10)
        for start in range(0, directions, _TOGETHER):
            group = towards[start : start + _TOGETHER]
            cosine = (normal @ group.T).clamp(min=0)  # (V, G)
            hidden = _hidden(head, normal, triangles, group, size).T
            total += (cosine * hidden) @ basis[start : start + _TOGETHER]
        found.append(total * (4 / directions))
    return torch.stack(found)


def _hidden(head: Tensor, normal: Tensor, triangles: Tensor, group: Tensor, size: int) -> Tensor:
    """(G, V) share of the four texels round each vertex that show something nearer."""
    middle = (head.amax(0) + head.amin(0)) / 2
    scale = (size - 2 * _MARGIN) / (head - middle).norm(dim=1).max() / 2
    to_picture = axes(group).mT * torch.stack([scale, -scale, -torch.ones_like(scale)])
    centre = head.new_tensor([size / 2, size / 2, 0])
    depth = z_buffer((head - middle) @ to_picture + centre, triangles, size, size)[1]
    points = (head + _LIFT * normal - middle) @ to_picture + centre
    x, y = points[..., :2].long().unbind(2)
    image = torch.arange(len(group), device=head.device)[:, None]
    corners = [(depth[image, y + j, x + i] < points[..., 2]) for j in (0, 1) for i in (0, 1)]
    return torch.stack(corners).to(head).mean(0)


def shadowed(shading: Tensor, hidden: Tensor, light: Tensor, skin: Tensor) -> Tensor:
    """Shading less what is hidden, and with what the hiding skin sends on.

    Args:
        shading: (B, 3, H, W), of `visage.faces.harmonics.shade`.
        hidden: (B, 10, H, W), of `hidden_transfer`.
        light: (B, 9, 3), radiance L_lm.
        skin: (B, 3), linear albedo of what hides.

    Returns:
        (B, 3, H, W).
    """
    taken = torch.einsum("bkhw,bkc->bchw", hidden[:, :9], light)
    # The hiding skin is lit about as the mean of all directions lights a sphere.
    mean = light[:, 0] * (0.5 / math.sqrt(math.pi))
    sent = hidden[:, 9:] * (skin * mean)[:, :, None, None]
    return shading - taken + sent
