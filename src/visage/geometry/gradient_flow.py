"""How well the rendering layer's derivatives tell what changes: measures for figure 5.

The energy is half the mean square of depth differences to a surface that is known. Its gradient in
the 138 numbers is compared with finite differences, which see everything: corners that move
sideways, and one surface uncovering another.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from visage.geometry.face_mesh import FaceMesh
from visage.geometry.rendering_layer import DepthMap, depth_of_mesh, render_depth
from visage.geometry.representation import FaceNumbers

GROUPS = {
    "identity": slice(0, 80),
    "expression": slice(80, 132),
    "turn": slice(132, 135),
    "shift": slice(135, 137),
    "growth": slice(137, 138),
}
"""Parts of the representation."""

_STEP = 1e-2  # of a number; a hundredth of a standard deviation, a tenth of a pixel at most
_TOGETHER = 69  # renders at once


def depth_energy(drawn: DepthMap, truth: DepthMap, around: DepthMap | None = None) -> Tensor:
    """Half the mean square difference of depth.

    Args:
        drawn: B surfaces.
        truth: B surfaces, or one.
        around: B surfaces, or one, on whose pixels differences count, a surface that is not there
            in `drawn` counting as unmoved; `drawn` if None.

    Returns:
        (B,), mm².
    """
    around = drawn if around is None else around
    counted = (around.mask > 0) & (truth.mask > 0)
    depth = torch.where(drawn.mask > 0, drawn.depth, around.depth)
    apart = (depth - truth.depth).masked_fill(~counted, 0)
    return apart.square().sum((1, 2, 3)) / (2 * counted.sum((1, 2, 3)).clamp(min=1))


def energy_gradient(
    mesh: FaceMesh, numbers: FaceNumbers, truth: DepthMap, *, through_barycentrics: bool
) -> Tensor:
    """Gradient of `depth_energy` in the numbers, (B, 138), by the rendering layer."""
    values = numbers.numbers.detach().clone().requires_grad_()
    drawn = render_depth(
        mesh, FaceNumbers.of(values), truth.depth.shape[-1],
        through_barycentrics=through_barycentrics,
    )  # fmt: skip
    return torch.autograd.grad(depth_energy(drawn, truth).sum(), values)[0]


@torch.no_grad()
def energy_differences(mesh: FaceMesh, numbers: FaceNumbers, truth: DepthMap) -> Tensor:
    """The same gradient by central differences, of one face: (1, 138)."""
    values, size = numbers.numbers, truth.depth.shape[-1]
    around = render_depth(mesh, numbers, size)
    steps = _STEP * torch.eye(values.shape[1]).to(values)
    energies = []
    for moved in torch.cat([values + steps, values - steps]).split(_TOGETHER):
        drawn = render_depth(mesh, FaceNumbers.of(moved), size)
        energies.append(depth_energy(drawn, truth, around))
    up, down = torch.cat(energies).chunk(2)
    return ((up - down) / (2 * _STEP))[None]


@dataclass(frozen=True, eq=False)
class Agreement:
    """A gradient against finite differences, by the parts of the representation."""

    cosine: dict[str, Tensor]  # (B,) each; 0 where the gradient is zero
    length: dict[str, Tensor]  # (B,) each, of the gradient over that of the differences


def agreement(gradient: Tensor, differences: Tensor) -> Agreement:
    """Compare gradients (B, 138).

    >>> found = agreement(torch.ones(1, 138), 2 * torch.ones(1, 138))
    >>> round(float(found.cosine["turn"]), 3), round(float(found.length["shift"]), 3)
    (1.0, 0.5)
    """
    pairs = {name: (gradient[:, part], differences[:, part]) for name, part in GROUPS.items()}
    return Agreement(
        {
            name: cosine_similarity(ours, theirs, eps=1e-12)
            for name, (ours, theirs) in pairs.items()
        },
        {
            name: ours.norm(dim=1) / theirs.norm(dim=1).clamp(min=1e-12)
            for name, (ours, theirs) in pairs.items()
        },
    )


def descend(
    mesh: FaceMesh, start: FaceNumbers, truth: DepthMap, steps: int, *, through_barycentrics: bool
) -> FaceNumbers:
    """Follow the gradient: numbers whose depth is nearer to the truth.

    Args:
        mesh: of the face.
        start: of B faces.
        truth: B surfaces.
        steps: of Adam (Kingma and Ba 2015), whose length falls linearly to zero.
        through_barycentrics: as for `render_depth`.
    """
    values = start.numbers.detach().clone()
    mean, square = torch.zeros_like(values), torch.zeros_like(values)
    for step in range(steps):
        slope = energy_gradient(
            mesh, FaceNumbers.of(values), truth, through_barycentrics=through_barycentrics
        )
        mean, square = 0.9 * mean + 0.1 * slope, 0.99 * square + 0.01 * slope.square()
        ahead = mean / (1 - 0.9 ** (step + 1))
        size = (square / (1 - 0.99 ** (step + 1))).sqrt() + 1e-8
        values = values - 0.1 * (1 - step / steps) * ahead / size
    return FaceNumbers.of(values)


def depth_apart(mesh: FaceMesh, numbers: FaceNumbers, truth: DepthMap) -> Tensor:
    """Mean absolute difference of depth over the pixels that see both, (B,) mm."""
    drawn = render_depth(mesh, numbers, truth.depth.shape[-1])
    both = (drawn.mask > 0) & (truth.mask > 0)
    apart = (drawn.depth - truth.depth).masked_fill(~both, 0).abs()
    return apart.sum((1, 2, 3)) / both.sum((1, 2, 3)).clamp(min=1)


def vertex_gradient(
    mesh: FaceMesh, numbers: FaceNumbers, upstream: Tensor, *, through_barycentrics: bool = False
) -> Tensor:
    """Where a gradient on the depth map arrives on the mesh (Richardson et al. 2017, eq. 7).

    Args:
        mesh: of the face.
        numbers: of B faces.
        upstream: (B, 1, H, W), dE/dz̃; anything off the face.
        through_barycentrics: as for `render_depth`.

    Returns:
        (B, N, 3), of E over mm in the view frame; zero at hidden vertices.
    """
    camera = numbers.camera(upstream.shape[-1])
    vertices = numbers.vertices(mesh).detach().requires_grad_()
    drawn = depth_of_mesh(
        vertices, camera, mesh.triangles, through_barycentrics=through_barycentrics
    )
    kept = upstream.masked_fill(drawn.mask == 0, 0)
    depth = drawn.depth.masked_fill(drawn.mask == 0, 0)
    return camera.turn(torch.autograd.grad(depth, vertices, kept)[0]).detach()
