"""Shape from shading with one reference face: Kemelmacher-Shlizerman and Basri (2011).

"3D face reconstruction from a single image using a single reference face shape", the baseline that
table 1 of Richardson et al. (2017) calls [20]. A template, here the mean head at rest, is posed by
landmarks and moulded to the picture in three linear steps:

1. The light l, from the template's normals and albedo, as in eq. 11 of Richardson et al.
2. The depth. With (1, n) ⟨·, l⟩ and n = (s ∂d/∂u, -s ∂d/∂v, 1)/N, where the length N is the
   template's, shading is linear in the depth d. So is the prior, which compares what lies above
   a Gaussian's frequencies: e = d - d_template should be as smooth as e * G. On the border e has no
   slope across it.
3. The albedo, what is left of the picture, smoothed likewise against the template's.

Theirs is one sparse system solved once; so is this, by conjugate gradients. What differs: a small
pull to the template fixes the constant, and whatever neither shading nor smoothness tells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from scipy.sparse.linalg import LinearOperator, cg
from torch import Tensor

from visage.faces.reflectance import decode_srgb
from visage.geometry.errors import DepthError
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.light_and_albedo import recover_light, shade, usable_pixels
from visage.geometry.rendering_layer import DepthMap, render_depth
from visage.geometry.representation import SIZE, FaceNumbers
from visage.geometry.surface_normals import normals_of_depth
from visage.geometry.texture_space import TextureSpace

_EVEN_SKIN = 0.25  # linear albedo; any constant gives the same depth
_DARKEST = 0.05  # of shading; less would make the albedo anything


@dataclass(frozen=True)
class TemplateShading:
    """How a template is moulded; chosen on validation people."""

    smoothness: float = 0.1  # λ₁, of mm² above the Gaussian's frequencies, against relative error²
    blur: float = 6.0  # mm, the Gaussian's standard deviation
    pull: float = 1e-2  # of mm² to the template; not in the paper
    albedo_smoothness: float = 1.0  # λ₂, against relative error²
    iterations: int = 200  # of conjugate gradients, at most
    tolerance: float = 1e-3  # of the residual, at which they stop

    def __post_init__(self):
        for name, value in vars(self).items():
            if not value > 0:
                raise DepthError(f"{name} is {value}; give a positive number")


@dataclass(frozen=True, eq=False)
class MouldedTemplate:
    """What the three steps find of one picture."""

    depth: Tensor  # (1, 1, H, W) mm, infinite outside of the template
    light: Tensor  # (1, 4), l
    albedo: Tensor  # (1, 1, H, W), linear; zero outside of the template


def reconstruct_template(
    face: Tensor,
    template: Tensor,
    mask: Tensor,
    scale: Tensor,
    albedo: Tensor | None = None,
    config: TemplateShading = TemplateShading(),
) -> Tensor:
    """The depth of `mould`, (1, 1, H, W) mm; the same arguments."""
    return mould(face, template, mask, scale, albedo, config).depth


@torch.no_grad()
def mould(
    face: Tensor,
    template: Tensor,
    mask: Tensor,
    scale: Tensor,
    albedo: Tensor | None = None,
    config: TemplateShading = TemplateShading(),
) -> MouldedTemplate:
    """Mould a template to a picture (Kemelmacher-Shlizerman and Basri 2011, section 3).

    Args:
        face: (1, 1, H, W), grey, sRGB, in [0, 1].
        template: (1, 1, H, W) mm, its depth, posed; anything where the mask is 0.
        mask: (1, 1, H, W), 1 where the template is.
        scale: (1,) pixels a millimetre.
        albedo: (1, 1, H, W), linear, the template's (`posed_template`); None is even skin.
        config: of the moulding.

    Returns:
        MouldedTemplate.

    Raises:
        DepthError: a shape does not fit, or there is more than one picture.
    """
    if len(face) != 1 or face.shape != template.shape:
        raise DepthError(
            f"the picture is {tuple(face.shape)} and the template {tuple(template.shape)}; "
            "expected (1, 1, H, W) of both"
        )
    inside = mask > 0
    if albedo is None:
        albedo = torch.full_like(template, _EVEN_SKIN)
    normals = normals_of_depth(template, inside, scale)
    linear = decode_srgb(face)
    counted = usable_pixels(linear, mask.to(linear))
    light = recover_light(linear, albedo, normals, counted)
    found = torch.full_like(template, torch.inf)
    own = torch.zeros_like(template)
    if inside.any():
        rows, columns = _box(inside[0, 0])
        crop = (slice(None), slice(None), rows, columns)
        grid = _Grid(inside[crop], float(scale) * config.blur)
        brightness = linear[inside].mean().clamp(min=1e-3)
        left = (linear - albedo * shade(normals, light)) / brightness
        # Normals are (slopes, 1)/N with the template's N, whose inverse is n_z.
        slope = float(scale) * albedo * normals[:, 2:] / brightness
        moved = _moved(grid, left[crop], slope[crop], light[0], config)
        found[crop] = torch.where(inside[crop], template[crop] + moved, torch.inf)
        shading = shade(normals_of_depth(found, inside, scale), light)
        own[crop] = _albedo(grid, linear[crop], albedo[crop], shading[crop], config)
    return MouldedTemplate(found, light, own)


@torch.no_grad()
def posed_template(
    mesh: FaceMesh, pose: FaceNumbers, space: TextureSpace, size: int = SIZE
) -> tuple[DepthMap, Tensor]:
    """The mean face at rest where another face stands.

    Args:
        mesh: of the face.
        pose: of B faces, whose identity and expression are ignored.
        space: of the mesh; its mean is the template's albedo.
        size: pixels.

    Returns:
        The depth map, and the albedo (B, 1, H, W), linear.
    """
    numbers = FaceNumbers(0 * pose.identity, 0 * pose.expression, pose.pose)
    drawn = render_depth(mesh, numbers, size)
    return drawn, space.drawn(drawn.ids, drawn.weights)[0]


class _Grid:
    """Differences and Gaussians on the pixels of a mask (1, 1, H, W)."""

    def __init__(self, inside: Tensor, sigma: float):
        self.inside = inside[0, 0].numpy()
        self.sigma = sigma
        share = gaussian_filter(self.inside.astype(float), sigma, mode="constant")
        self.weight = np.maximum(share, 1e-3)
        self.right = self.inside[:, :-1] & self.inside[:, 1:]
        self.down = self.inside[:-1] & self.inside[1:]

    def slopes(self, e: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Forward differences to the right and down; zero where there is no neighbour."""
        u, v = np.zeros_like(e), np.zeros_like(e)
        u[:, :-1] = (e[:, 1:] - e[:, :-1]) * self.right
        v[:-1] = (e[1:] - e[:-1]) * self.down
        return u, v

    def slopes_back(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """The adjoint of `slopes`."""
        e = np.zeros_like(u)
        across, along = u[:, :-1] * self.right, v[:-1] * self.down
        e[:, 1:] += across
        e[:, :-1] -= across
        e[1:] += along
        e[:-1] -= along
        return e

    def rough(self, e: np.ndarray) -> np.ndarray:
        """What of e its Gaussian mean over the mask does not hold."""
        e = e * self.inside
        return (e - gaussian_filter(e, self.sigma, mode="constant") / self.weight) * self.inside

    def rough_back(self, e: np.ndarray) -> np.ndarray:
        """The adjoint of `rough`."""
        e = e * self.inside
        return (e - gaussian_filter(e / self.weight, self.sigma, mode="constant")) * self.inside


def _moved(
    grid: _Grid, left: Tensor, slope: Tensor, light: Tensor, config: TemplateShading
) -> Tensor:
    """Least squares of shading, roughness and the pull: e in mm."""
    target, factor = (part[0, 0].double().numpy() * grid.inside for part in (left, slope))
    across, along = factor * float(light[1]), -factor * float(light[2])

    def normal(e: np.ndarray) -> np.ndarray:
        u, v = grid.slopes(e)
        error = across * u + along * v
        prior = config.smoothness * grid.rough_back(grid.rough(e)) + config.pull * e
        return grid.slopes_back(across * error, along * error) + prior

    return _solved(grid, normal, grid.slopes_back(across * target, along * target), config).to(left)


def _albedo(
    grid: _Grid, linear: Tensor, albedo: Tensor, shading: Tensor, config: TemplateShading
) -> Tensor:
    """ρ: I ≈ ρ s, whose difference from the template's albedo is smooth."""
    s = shading.clamp(min=_DARKEST)[0, 0].double().numpy() * grid.inside
    start = albedo[0, 0].double().numpy() * grid.inside
    left = linear[0, 0].double().numpy() * grid.inside - s * start

    def normal(e: np.ndarray) -> np.ndarray:
        rough = config.albedo_smoothness * grid.rough_back(grid.rough(e))
        return s * s * e + rough + config.pull * e

    moved = _solved(grid, normal, s * left, config).to(albedo)
    return (albedo + moved).masked_fill(~torch.from_numpy(grid.inside), 0)


def _solved(grid: _Grid, normal, right: np.ndarray, config: TemplateShading) -> Tensor:
    shape = grid.inside.shape
    operator = LinearOperator(
        (right.size, right.size),
        matvec=lambda e: normal(e.reshape(shape) * grid.inside).ravel() * grid.inside.ravel(),
        dtype=np.float64,
    )
    found, _ = cg(operator, right.ravel(), rtol=config.tolerance, maxiter=config.iterations)
    return torch.from_numpy(found.reshape(shape))[None, None]


def _box(inside: Tensor) -> tuple[slice, slice]:
    rows, columns = inside.any(1).nonzero(), inside.any(0).nonzero()
    return (
        slice(int(rows[0]), int(rows[-1]) + 1),
        slice(int(columns[0]), int(columns[-1]) + 1),
    )
