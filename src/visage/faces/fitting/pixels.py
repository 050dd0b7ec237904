"""The pixel term of a fit: what the face's points should look like, and what they do look like.

At a point of the skin, r = picture(projection) - sRGB(albedo · light) - mean - Σ uₖ patternₖ. Mean
and patterns are what the light and the albedo cannot explain on faces whose shape is known, such as
beards, hair, wrinkles and hollows (`PixelStatistics`); without them a fit would explain a beard by
a chin. The derivatives are written out, all but those of the reflectance by the normal.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from visage.faces.directions import axes, unit
from visage.faces.fitting.surface import SurfacePoints
from visage.faces.fitting.unknowns import Unknowns
from visage.faces.harmonics import COSINE_LOBE, harmonics
from visage.faces.light import Light
from visage.faces.reflectance import encode_srgb, reflect

_ORDERS = (0, 1, 1, 1, 2, 2, 2, 2, 2)
_TILT = 0.02  # radians, of the key light, for its derivative
_ROUGHNESS, _SPECULAR = 0.45, 0.7  # of skin; what varies from face to face is in the statistics


@dataclass(frozen=True, eq=False)
class PixelStatistics:
    """What stays unexplained where shape, light and albedo are right, at S points, in sRGB."""

    mean: Tensor  # (S, 3)
    patterns: Tensor  # (N, S, 3), for one standard deviation: what points have in common
    std: Tensor  # (S,), what is left, each point by itself

    @classmethod
    def even(cls, points: int, std: float) -> "PixelStatistics":
        """No patterns, and the same for all points."""
        return cls(torch.zeros(points, 3), torch.zeros(0, points, 3), torch.full((points,), std))


@dataclass(frozen=True, eq=False)
class Appearance:
    """A linear model of log albedo at S points."""

    mean: Tensor  # (S, 3)
    basis: Tensor  # (S, 3, K)

    def albedo(self, coefficients: Tensor) -> Tensor:
        """Linear albedo (B, 3, S, 1) of coefficients (B, K), as a picture S high."""
        logs = self.mean + torch.einsum("sck,bk->bsc", self.basis, coefficients)
        return logs.exp().mT[..., None].contiguous()


@dataclass(frozen=True, eq=False)
class Sight:
    """What a fit takes for constant during a few steps."""

    seen: Tensor  # (B, S) in [0, 1]
    key: Tensor  # (B, 1, S, 1), share of the key light that arrives
    turning: Tensor | None  # (B, S, 3, D), derivative of the normals; None when shape is known


@dataclass(frozen=True, eq=False)
class Linearised:
    """A term Σ w r² near the unknowns: r ≈ residual - jacobian · step."""

    jacobian: Tensor  # (B, M, P)
    residual: Tensor  # (B, M)
    weight: Tensor  # (B, M)
    cost: Tensor  # (B,), robust


class Pictures:
    """B pictures, blurred, and how bright they get to the right and downwards.

    Args:
        images: (B, 3, H, W).
        blur: (B,), standard deviation of a Gaussian, pixels.
    """

    def __init__(self, images: Tensor, blur: Tensor):
        pairs = zip(images, blur.tolist(), strict=True)
        smooth = torch.stack([_blurred(image, sigma) for image, sigma in pairs])
        padded = F.pad(smooth, (1, 1, 1, 1), mode="replicate")
        right = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]) / 2
        down = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]) / 2
        self.maps = torch.cat([smooth, right, down], 1)

    def at(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Colours and their derivatives by x and by y, (B, 3, S) each, at pixels (B, S, 2)."""
        height, width = self.maps.shape[2:]
        size = points.new_tensor([width, height])
        grid = ((2 * points + 1) / size - 1)[:, None]
        found = F.grid_sample(self.maps, grid, align_corners=False, padding_mode="border")
        return found[:, :, 0].split(3, 1)


def _blurred(image: Tensor, sigma: float) -> Tensor:
    sigma = max(sigma, 0.3)
    reach = math.ceil(3 * sigma)
    place = torch.arange(-reach, reach + 1).to(image)
    kernel = torch.exp(-place.square() / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    rows = F.conv2d(F.pad(image[:, None], (reach, reach, 0, 0), mode="replicate"),
                    kernel.view(1, 1, 1, -1))  # fmt: skip
    columns = F.pad(rows, (0, 0, reach, reach), mode="replicate")
    return F.conv2d(columns, kernel.view(1, 1, -1, 1))[:, 0]


@dataclass(frozen=True, eq=False)
class PixelTerm:
    """The term of some pictures at some points."""

    pictures: Pictures
    points: SurfacePoints
    appearance: Appearance
    statistics: PixelStatistics
    robust: float  # standard deviations at which a point counts a quarter
    weight: float

    def linearise(self, unknowns: Unknowns, vertices: Tensor, sight: Sight) -> Linearised:
        """Residuals and derivatives, point by point and channel by channel.

        Args:
            unknowns: B pictures' unknowns.
            vertices: (B, V, 3), their heads.
            sight: without `turning`, there are no columns for shape and pose.
        """
        camera, light = unknowns.camera, unknowns.light
        seen, right, down = self.pictures.at(self.points.at(camera.project(vertices))[..., :2])
        normals = camera.turn(self.points.normals(vertices)).mT[..., None].contiguous()
        albedo = self.appearance.albedo(unknowns.albedo)
        linear, by_normal = _with_derivative(albedo, normals, light, sight.key)
        slope = _srgb_slope(linear)
        extra = torch.einsum("bn,nsc->bcs", unknowns.nuisance, self.statistics.patterns)
        residual = seen - encode_srgb(linear) - self.statistics.mean.T - extra
        columns = [
            *_light_columns(albedo, normals, light, sight.key, slope, linear),
            self.appearance.basis.transpose(0, 1) * (linear * slope)[..., None],
            self.statistics.patterns.permute(2, 1, 0).expand(len(seen), -1, -1, -1),
        ]
        if sight.turning is not None:
            scale = camera.scale[:, None, None]
            gradient = right * scale, -down * scale  # by mm to the right and up
            by_normal = slope[:, :, None] * by_normal
            columns = (
                self._geometry(unknowns, vertices, sight, gradient, by_normal, normals) + columns
            )
        far = residual.square().mean(1) / (self.robust * self.statistics.std) ** 2  # (B, S)
        full = self.weight * sight.seen / self.statistics.std**2
        # Geman and McClure (1987): cost x/(1 + x), whose weight is 1/(1 + x)².
        cost = 3 * (full * (self.robust * self.statistics.std) ** 2 * far / (1 + far)).sum(1)
        weight = (full / (1 + far).square())[:, None].expand_as(residual)
        return Linearised(torch.cat(columns, 3).flatten(1, 2), residual.flatten(1),
                          weight.flatten(1), cost)  # fmt: skip

    def _geometry(self, unknowns, vertices, sight, gradient, by_normal, normals) -> list[Tensor]:
        """Columns for shape, turns, shifts and scale, (B, 3, S, ·) each."""
        camera, (x, y) = unknowns.camera, gradient
        rotation = camera.rotation()
        moving = -torch.einsum("dbcs,bdj->sbcj", torch.stack([x, y]), rotation[:, :2])
        turning = torch.einsum("bcis,bij->bscj", by_normal, rotation)
        size = len(self.points), len(vertices), 3
        shape = (moving.flatten(1, 2) @ self.points.basis).unflatten(1, size[1:])
        shape = shape.permute(1, 2, 0, 3)
        bent = turning.flatten(0, 1) @ sight.turning.flatten(0, 1)
        shape = shape + bent.unflatten(0, (size[1], size[0])).transpose(1, 2)
        turned = self.points.at(camera.turn(vertices)).mT[:, :, None]  # (B, 3, 1, S)
        px, py, pz = turned.unbind(1)
        # g · (ω × p) = ω · (p × g), with g = (x, y, 0); and the same for the normal.
        across = torch.stack([-pz * y, pz * x, px * y - py * x], 3)
        normal = normals.mT.expand(-1, -1, 3, -1).permute(0, 2, 3, 1)  # (B, 3, S, 3)
        turns = torch.linalg.cross(normal, by_normal.movedim(2, 3)) - across
        shift = camera.translation[..., None]
        grow = -(x * (px + shift[:, :1]) + y * (py + shift[:, 1:]))
        return [shape, turns, -torch.stack([x, y], 3), grow[..., None]]


def shading_basis(normals: Tensor) -> Tensor:
    """Shading (B, 9, S, 1) of normals (B, 3, S, 1) by each harmonic of the surroundings."""
    lobe = normals.new_tensor([COSINE_LOBE[order] / math.pi for order in _ORDERS])
    return harmonics(normals, 2, dim=1) * lobe.view(1, 9, 1, 1)


def _reflected(albedo: Tensor, normals: Tensor, light: Light, key: Tensor) -> Tensor:
    camera = normals.new_tensor([0, 0, 1]).view(1, 3, 1, 1)
    return reflect(albedo, normals, camera, light, key_visibility=key,
                   roughness=_ROUGHNESS, specular=_SPECULAR)  # fmt: skip


def _with_derivative(albedo, normals, light, key) -> tuple[Tensor, Tensor]:
    """Linear colours (B, 3, S) and their derivatives by the normals, (B, 3, 3, S)."""
    with torch.enable_grad():
        normals = normals.detach().requires_grad_(True)
        linear = _reflected(albedo, normals, light, key)
        each = [
            torch.autograd.grad(channel.sum(), normals, retain_graph=True)[0][..., 0]
            for channel in linear.unbind(1)
        ]
    return linear.detach()[..., 0], torch.stack(each, 1)


def _light_columns(albedo, normals, light, key, slope, linear) -> list[Tensor]:
    """Columns for the surroundings, the key light's colour, and its direction."""
    batch, _, points = linear.shape
    basis = shading_basis(normals)[..., 0]
    ambient = linear.new_zeros(batch, 3, points, 9, 3)
    colour = linear.new_zeros(batch, 3, points, 3)
    alone = Light(torch.zeros_like(light.ambient), light.key_direction,
                  torch.ones_like(light.key_colour), light.key_radius)  # fmt: skip
    lit = _reflected(albedo, normals, alone, key)[..., 0] * slope
    for channel in range(3):
        ambient[:, channel, :, :, channel] = (basis * (albedo[..., 0] * slope)[:, channel, None]).mT
        colour[:, channel, :, channel] = lit[:, channel]
    tilts = []
    for aside in axes(light.key_direction)[:, :2].unbind(1):
        direction = unit(light.key_direction + _TILT * aside)
        moved = Light(light.ambient, direction, light.key_colour, light.key_radius)
        moved = _reflected(albedo, normals, moved, key)[..., 0]
        tilts.append((moved - linear) / _TILT * slope)
    return [ambient.flatten(3), colour, torch.stack(tilts, 3)]


def _srgb_slope(linear: Tensor) -> Tensor:
    """Derivative of `encode_srgb`."""
    curve = 1.055 / 2.4 * linear.clamp(min=0.0031308) ** (1 / 2.4 - 1)
    return torch.where(linear <= 0.0031308, 12.92, curve)


def learn_pixel_statistics(
    residuals: Tensor, seen: Tensor, patterns: int, *, clip: float = 0.25
) -> PixelStatistics:
    """Principal components of what light and albedo did not explain.

    Args:
        residuals: (N, S, 3), sRGB.
        seen: (N, S), what is below 0.3 does not count.
        patterns: how many components, fewer than N.
        clip: larger residuals, of hair and glasses, count as this: a component has to be common.
    """
    there = (seen > 0.3).double()[..., None]
    clipped = residuals.double().clamp(-clip, clip)
    count = there.sum(0)
    mean = (there * clipped).sum(0) / (count + 5)
    centred = ((clipped - mean) * there).flatten(1)
    values, vectors = torch.linalg.eigh(centred @ centred.T / len(centred))
    values, vectors = values.flip(0)[:patterns], vectors.flip(1)[:, :patterns]
    basis = vectors.T @ centred / len(centred) ** 0.5
    left = centred - centred @ (basis / values.clamp(min=1e-12)[:, None]).T @ basis
    left = left.view_as(clipped) * there
    # The components were fitted to the very faces whose rest is measured.
    freedom = len(centred) / (len(centred) - patterns)
    variance = left.square().sum((0, 2)) / (3 * count[:, 0] + 5) * freedom
    basis = basis.unflatten(1, residuals.shape[1:])
    return PixelStatistics(mean.float(), basis.float(), (variance + 1e-4).sqrt().float())
