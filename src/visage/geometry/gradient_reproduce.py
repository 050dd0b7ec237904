"""Figure 5: how gradients flow through the rendering layer, and how true they are."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from torch import Tensor

from visage.faces.raster import barycentric, interpolate, visible_triangles
from visage.faces.reflectance import decode_srgb
from visage.geometry.detail import DetailedFaces, coarse_like
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.fine_loss import explain, shading_loss
from visage.geometry.gradient_flow import (
    GROUPS,
    agreement,
    depth_apart,
    descend,
    energy_differences,
    energy_gradient,
    vertex_gradient,
)
from visage.geometry.kept_detail import detailed_faces
from visage.geometry.pipeline import FINE_MESH
from visage.geometry.rendering_layer import DepthMap, render_depth, skin_mask
from visage.geometry.representation import FaceNumbers
from visage.geometry.study import part_result
from visage.geometry.texture_space import TextureSpace
from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import mean_row

SIZE = 100
"""Pixels of the depth maps that are measured."""

_FACES = {"fast": 2, "full": 24}
_STEPS = {"fast": 5, "full": 40}
_SHOWN_FACE = 0
_SIDE = 1.1  # pose numbers of yaw, about 30 degrees, from which the mesh is shown
_KINDS = {"fixed": False, "through": True}
_TITLES = ("picture", "dE/dz̃ of each pixel", "on the mesh, fixed", "on the mesh, through: length",
           "step of identity, fixed", "step of identity, through")  # fmt: skip


def reproduce_fig5(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Gradients pictured, and measured against finite differences and by descent."""
    start = time.perf_counter()
    count = _FACES[profile]
    faces = detailed_faces("test", count, progress=False).rows(slice(0, count))
    guess = coarse_like(faces.truth, torch.Generator().manual_seed(seed))
    mesh = FaceMesh.load()
    truth = render_depth(mesh, faces.truth, SIZE)
    result = part_result(
        "geometry/fig5",
        "Gradients flow from the depth map to the vertices that each pixel sees, weighted by "
        "fixed barycentric coordinates, and from the mesh to the model; derivatives of the "
        "coordinates are an alternative.",
        f"{count} test people's true depth at {SIZE} pixels, and numbers moved from the truth by "
        "about a CoarseNet's errors (coarse_like). E is half the mean square difference of depth. "
        "Its gradient in the 138 numbers by the rendering layer, with barycentrics fixed as in "
        "eq. 7 (fixed) and with their derivatives (through), against central differences of steps "
        "of 0.01, which also see one surface uncovering another: cosine and ratio of lengths, mean "
        "over faces, for each part of the representation. depth_mm: mean absolute difference of "
        f"depth before, and after {_STEPS[profile]} steps of Adam along either gradient. The paper "
        "shows a drawing and no number.",
        profile=profile,
        seed=seed,
        start=start,
        rows=[
            *agreement_rows(mesh, guess, truth),
            *descent_rows(mesh, guess, truth, _STEPS[profile]),
        ],
    )
    shown = slice(_SHOWN_FACE, _SHOWN_FACE + 1)
    return result, flow_figure(faces[shown], guess[shown], FaceMesh.load(FINE_MESH))


def agreement_rows(mesh: FaceMesh, guess: FaceNumbers, truth: DepthMap) -> list[Row]:
    """Cosines and lengths of both gradients against finite differences."""
    differences = torch.cat([
        energy_differences(mesh, guess[i : i + 1], _one(truth, i)) for i in range(len(guess))
    ])  # fmt: skip
    rows = []
    for kind, through in _KINDS.items():
        found = agreement(
            energy_gradient(mesh, guess, truth, through_barycentrics=through), differences
        )
        for name in GROUPS:
            rows.append(mean_row(f"cosine_{kind}/{name}", found.cosine[name], "", "higher"))
            rows.append(mean_row(f"length_{kind}/{name}", found.length[name], "times", None))
    return rows


def descent_rows(mesh: FaceMesh, guess: FaceNumbers, truth: DepthMap, steps: int) -> list[Row]:
    """How near the truth either gradient leads."""
    rows = [mean_row("depth_mm/before", depth_apart(mesh, guess, truth), "mm", "lower")]
    for kind, through in _KINDS.items():
        found = descend(mesh, guess, truth, steps, through_barycentrics=through)
        rows.append(mean_row(f"depth_mm/{kind}", depth_apart(mesh, found, truth), "mm", "lower"))
    return rows


def _one(drawn: DepthMap, index: int) -> DepthMap:
    chosen = slice(index, index + 1)
    return DepthMap(
        drawn.depth[chosen], drawn.mask[chosen], drawn.ids[chosen], drawn.weights[chosen]
    )


@dataclass(frozen=True, eq=False)
class Flow:
    """A gradient on its way from one depth map to the model."""

    pixels: Tensor  # (H, W), dE/dz̃
    mesh: dict[str, Tensor]  # (N,) each, dE over mm of depth at the vertices, a mm² of skin
    shape: dict[str, Tensor]  # (N,) each, mm towards the viewer that identity's -gradient moves


def flow(mesh: FaceMesh, numbers: FaceNumbers, upstream: Tensor) -> Flow:
    """Follow a gradient (1, 1, H, W) on the depth map of one face."""
    area = _areas(mesh, numbers)
    on_mesh, shape = {}, {}
    for kind, through in _KINDS.items():
        arrived = vertex_gradient(mesh, numbers, upstream, through_barycentrics=through)
        on_mesh[kind] = (
            -arrived[0, :, 2] / area if kind == "fixed" else arrived[0].norm(dim=1) / area
        )
        # To the head frame, where the modes live, and along them: the derivative of eq. 5.
        back = numbers.camera().rotation().mT @ arrived.mT
        modes = mesh.modes[: mesh.identity_modes]
        moved = torch.einsum("k,knc->nc", -(modes * back[0].T).sum((1, 2)), modes)
        shape[kind] = (numbers.camera().rotation()[0] @ moved.T)[2]
    return Flow(upstream[0, 0], on_mesh, shape)


def _areas(mesh: FaceMesh, numbers: FaceNumbers) -> Tensor:
    a, b, c = numbers.vertices(mesh)[0][mesh.triangles].unbind(1)
    areas = torch.linalg.cross(b - a, c - a).norm(dim=1) / 6
    total = areas.new_zeros(len(mesh.mean))
    return total.index_add(0, mesh.triangles.flatten(), areas.repeat_interleave(3)).clamp(min=0.1)


def flow_figure(faces: DetailedFaces, guess: FaceNumbers, mesh: FaceMesh) -> Figure:
    """Two energies, depth and shading, of one face: from the pixels to the model.

    Args:
        faces: one, with its truth.
        guess: the numbers at which the gradients are taken.
        mesh: that is drawn.
    """
    size = faces.faces.shape[-1]
    drawn = render_depth(mesh, guess, size)
    both = (drawn.mask > 0) & (faces.mask > 0)
    depth = (drawn.depth - faces.depth).masked_fill(~both, 0) / both.sum()
    flows = {
        "E: depth error": flow(mesh, guess, depth),
        "E: shading, eq. 8": flow(mesh, guess, _shading_gradient(faces, guess, mesh, drawn)),
    }
    figure = Figure(figsize=(10.2, 3.6), layout="constrained")
    axes = figure.subplots(2, 6)
    for row, (name, found) in enumerate(flows.items()):
        pictures = [
            _coloured(found.pixels, drawn.mask[0, 0] > 0),
            *(_from_the_side(mesh, guess, value) for value in found.mesh.values()),
            *(_from_the_side(mesh, guess, value) for value in found.shape.values()),
        ]
        axes[row, 0].imshow(faces.faces[0, 0].numpy(), cmap="gray", vmin=0, vmax=1)
        axes[row, 0].set_ylabel(name, fontsize=8)
        for panel, picture in zip(axes[row, 1:], pictures, strict=True):
            panel.imshow(picture.numpy())
    for panel, title in zip(axes[0], _TITLES, strict=True):
        panel.set_title(title, fontsize=8)
    for panel in axes.flat:
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set_visible(False)
    return figure


def _shading_gradient(
    faces: DetailedFaces, guess: FaceNumbers, mesh: FaceMesh, drawn: DepthMap
) -> Tensor:
    mean, modes = TextureSpace.load(mesh).drawn(drawn.ids, drawn.weights)
    skin = skin_mask(mesh, drawn.ids)
    scale, linear = guess.camera(faces.faces.shape[-1]).scale, decode_srgb(faces.faces)
    known = explain(linear, drawn.depth, mean, modes, skin, scale)
    depth = drawn.depth.clone().requires_grad_()
    loss = shading_loss(depth, linear, known.albedo, known.light, skin, scale)
    return torch.autograd.grad(loss.sum(), depth)[0]


def _from_the_side(mesh: FaceMesh, numbers: FaceNumbers, values: Tensor) -> Tensor:
    """Values (N,) on the mesh as colours, turned so that what was hidden is seen, (S, S, 3)."""
    pose = numbers.pose.clone()
    pose[:, 1] = torch.where(pose[:, 1] > 0, pose[:, 1] - _SIDE, pose[:, 1] + _SIDE)
    turned = replace(numbers, pose=pose)
    points = turned.camera().project(turned.vertices(mesh))
    size = turned.camera().height
    ids = visible_triangles(points, mesh.triangles, size, size)
    weights = barycentric(points, mesh.triangles, ids)
    picture = interpolate(values[:, None], mesh.triangles, ids, weights)[0, 0]
    return _coloured(picture, ids[0] >= 0)


def _coloured(values: Tensor, there: Tensor) -> Tensor:
    """Red above zero, blue below, white where there is nothing; (H, W, 3)."""
    most = values[there].abs().quantile(0.98).clamp(min=1e-12)
    scaled = (values / most).clamp(-1, 1) / 2 + 0.5
    colours = torch.from_numpy(colormaps["coolwarm"](scaled.detach().numpy())[..., :3]).float()
    return torch.where(there[..., None], colours, 1.0)


EXPERIMENTS: dict[str, Experiment] = {"geometry/fig5": reproduce_fig5}
