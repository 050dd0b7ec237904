"""Colours for a fitted head from the normalized picture: Cole et al. (2017), appendix B.3.

The picture is projected onto the mesh, vertex by vertex (c_p). Each vertex has a confidence α (eq.
9): how well it lies inside the landmarks, times how much it faces the camera. The colours that are
sure are explained by a linear colour basis (eq. 10), which then knows the others too (eq. 11), and
the two are blended by the confidence (eq. 12).

The paper prints α = m (1 - n_z), "downweights vertices at grazing angles", with n_z "the z
component of the normal". With n of length 1 and z towards the camera that would be 0 for what
faces it and 1 at grazing angles, the opposite; with z away from the camera it would reach 2. What
the sentence asks for is the cosine between the normal and the direction to the camera, clamped at
0: `confidence` takes that. And it adds what the paper leaves to the mask: a vertex that others hide
has no confidence, however it faces (an inner corner of the mouth, the far wall of a nostril).
"""

from dataclasses import dataclass

import torch
from scipy.spatial import ConvexHull
from torch import Tensor
from torch.nn.functional import grid_sample

from visage.faces.buffers import drawn_triangles
from visage.faces.camera import Camera
from visage.faces.directions import unit
from visage.faces.raster import z_buffer
from visage.faces.shape import MorphableModel
from visage.normalization.colour_basis import ColourBasis
from visage.normalization.errors import TextureFitError
from visage.photos.alignment import pixel_to_grid

__all__ = [
    "FittedTexture",
    "TextureFitting",
    "confidence",
    "explain_colours",
    "fit_texture",
    "hull_mask",
    "project_colours",
]

_BEHIND = 3.0  # mm that a vertex may lie behind what is drawn at its pixel: coarse triangles bulge


@dataclass(frozen=True)
class TextureFitting:
    """How colours are fitted."""

    # λ of eq. 10, which the paper does not state. Vertices' errors hang together: a beard is an
    # error of thousands of them, and a small λ would turn the basis inside out to explain it.
    regularization: float = 2.0
    decay: float = 0.05  # of the mask outside the hull, in its widths: m falls to exp(-1/2) there


@dataclass(frozen=True, eq=False)
class FittedTexture:
    """Colours of B heads, sRGB-encoded."""

    projected: Tensor  # (B, V, 3), c_p, whatever the picture has where the vertex falls
    confidence: Tensor  # (B, V), α in [0, 1]
    coefficients: Tensor  # (B, K), z, standard deviations
    explained: Tensor  # (B, V, 3), c_b, what the basis says, in [0, 1]
    colours: Tensor  # (B, V, 3), c, the blend

    def __len__(self) -> int:
        """B."""
        return len(self.colours)


def fit_texture(
    model: MorphableModel,
    images: Tensor,
    vertices: Tensor,
    camera: Camera,
    landmarks: Tensor,
    basis: ColourBasis | None = None,
    config: TextureFitting | None = None,
) -> FittedTexture:
    """Take a head's colours from its picture: eqs. 9 to 12.

    Args:
        model: whose vertices they are.
        images: (B, 3, H, W), sRGB, of normalized faces.
        vertices: (B, V, 3), mm, heads as fitted (`visage.normalization.model_fitting`).
        camera: of B pictures.
        landmarks: (B, 68, 2), pixels; their convex hull is where the picture is trusted.
        basis: of the model's vertices; the standard one if None.
        config: how to fit.

    Returns:
        FittedTexture. Differentiable in the images.

    Raises:
        TextureFitError: a shape does not fit, or values are not finite.
    """
    config = config or TextureFitting()
    basis = basis or ColourBasis.standard(model.subdivision)
    _check(images, vertices, camera, landmarks, basis)
    points = camera.project(vertices)
    projected = project_colours(images, points[..., :2])
    trust = confidence(model, vertices, camera, hull_mask(points[..., :2], landmarks, config.decay))
    coefficients = explain_colours(projected, trust, basis, config.regularization)
    explained = basis.colours(coefficients).clamp(0, 1)
    share = trust[..., None]
    colours = projected * share + explained * (1 - share)
    return FittedTexture(projected, trust, coefficients, explained, colours)


def project_colours(images: Tensor, points: Tensor) -> Tensor:
    """What pictures (B, C, H, W) have at points (B, V, 2), pixels: (B, V, C), bilinear."""
    grid = pixel_to_grid(points, *images.shape[2:])[:, :, None]
    found = grid_sample(images, grid, align_corners=False, padding_mode="border")
    return found[..., 0].mT


def hull_mask(points: Tensor, landmarks: Tensor, decay: float) -> Tensor:
    """The mask m of eq. 9: 1 in the convex hull of the landmarks, decaying smoothly outside.

    exp(-d²/(2 w²)) at a distance d from the hull, with w the decay times the hull's width.

    Args:
        points: (B, V, 2), where to ask, pixels.
        landmarks: (B, N, 2), pixels.
        decay: positive.

    Returns:
        (B, V), in (0, 1].

    >>> square = torch.tensor([[[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]]])
    >>> hull_mask(torch.tensor([[[2.0, 2.0], [6.0, 2.0]]]), square, 0.5)
    tensor([[1.0000, 0.6065]])
    """
    masks = []
    for some, points_of in zip(landmarks.detach(), points.detach(), strict=True):
        corners = some[torch.from_numpy(ConvexHull(some.cpu().double().numpy()).vertices).long()]
        width = decay * (corners[:, 0].max() - corners[:, 0].min())
        masks.append((-0.5 * (_outside(points_of, corners.to(points_of)) / width).square()).exp())
    return torch.stack(masks)


def _outside(points: Tensor, corners: Tensor) -> Tensor:
    """Distances (V,) of points (V, 2) from a convex polygon (N, 2), either way round; 0 inside."""
    edges = corners.roll(-1, 0) - corners
    away = points[:, None] - corners
    along = ((away * edges).sum(2) / edges.square().sum(1)).clamp(0, 1)
    distance = (away - along[..., None] * edges).norm(dim=2).amin(1)
    side = edges[:, 0] * away[..., 1] - edges[:, 1] * away[..., 0]
    inside = (side >= 0).all(1) | (side <= 0).all(1)
    return distance.masked_fill(inside, 0)


def confidence(model: MorphableModel, vertices: Tensor, camera: Camera, mask: Tensor) -> Tensor:
    """Eq. 9: α = m · max(0, cosine between normal and view), 0 where a vertex is hidden.

    Args:
        model: whose vertices they are.
        vertices: (B, V, 3), mm, head frame.
        camera: of B pictures.
        mask: (B, V), m at each vertex.

    Returns:
        (B, V), in [0, 1].
    """
    view = camera.view(vertices)
    normals = camera.turn(model.normals(vertices))
    towards = unit(-view, dim=2) if camera.perspective else view.new_tensor([0.0, 0.0, 1.0])
    facing = (normals * towards).sum(2).clamp(0, 1)
    return mask * facing * seen_from(model, vertices, camera)


def seen_from(model: MorphableModel, vertices: Tensor, camera: Camera) -> Tensor:
    """Which vertices (B, V, 3), mm, nothing of the head hides from cameras: (B, V) bool."""
    points = camera.project(vertices)
    size = camera.height, camera.width
    _, nearest = z_buffer(points, drawn_triangles(model), *size, perspective=camera.perspective)
    x, y = (points[..., axis].round().long() for axis in (0, 1))
    within = (x >= 0) & (x < size[1]) & (y >= 0) & (y < size[0])
    flat = (y.clamp(0, size[0] - 1) * size[1] + x.clamp(0, size[1] - 1)).to(nearest.device)
    drawn = nearest.flatten(1).gather(1, flat)
    return within & (points[..., 2] <= drawn + _BEHIND)


def explain_colours(
    colours: Tensor, trust: Tensor, basis: ColourBasis, regularization: float
) -> Tensor:
    """Eq. 10: z of the least squares (B ∘ A) z = (c_p - μ) ∘ a, λ z = 0.

    Args:
        colours: (B, V, 3), c_p.
        trust: (B, V), α, repeated for each colour channel (a, A).
        basis: K components, B and μ.
        regularization: λ, positive.

    Returns:
        (B, K), standard deviations. Differentiable in the colours.
    """
    if not regularization > 0:
        raise TextureFitError(f"the regularization is {regularization}; give a positive number")
    found = []
    for some, share in zip(colours, trust, strict=True):
        weighted = (basis.basis * share[:, None]).flatten(1).double()  # (K, 3 V)
        wanted = ((some - basis.mean) * share[:, None]).flatten().double()
        normal = weighted @ weighted.T
        normal = normal + regularization**2 * torch.eye(len(normal)).to(normal)
        found.append(torch.linalg.solve(normal, weighted @ wanted))
    return torch.stack(found).to(colours.dtype)


def _check(
    images: Tensor, vertices: Tensor, camera: Camera, landmarks: Tensor, basis: ColourBasis
) -> None:
    batch, size = len(images), (camera.height, camera.width)
    if images.ndim != 4 or images.shape[1] != 3 or images.shape[2:] != size:
        raise TextureFitError(f"images are {tuple(images.shape)}; the camera has (B, 3, {size})")
    if vertices.shape != (batch, len(basis.mean), 3) or len(camera) != batch:
        raise TextureFitError(
            f"{batch} images, {len(camera)} cameras and vertices {tuple(vertices.shape)}; expected "
            f"as many of all, and {len(basis.mean)} vertices as the basis has"
        )
    if landmarks.shape != (batch, 68, 2):
        raise TextureFitError(f"landmarks are {tuple(landmarks.shape)}; expected ({batch}, 68, 2)")
    for name, value in (("images", images), ("vertices", vertices), ("landmarks", landmarks)):
        if not value.isfinite().all():
            raise TextureFitError(f"{name} hold NaN or infinity; check how they were made")
