"""Clothing for the neck, the shoulders and the chest: one grid of quads for every garment.

Columns run round the body, rows from inside the collar over its roll and along its band or leaf,
and on down the cloth to a hem below any portrait. The rest surface (`visage.faces.torso`) follows
a person as the nearest vertices of the neck and shoulders move; a garment says where on it the
neckline lies, and relief is added along its normals.
"""

import math

import numpy as np
import torch
from scipy.interpolate import make_interp_spline
from torch import Tensor

from visage.faces.directions import unit
from visage.faces.folds import construction, relief, yarn
from visage.faces.garments import Garment, GarmentError
from visage.faces.shape import MorphableModel
from visage.faces.torso import AXIS, CLEARANCE, torso

_LATTICE = (48, 24)
_CONTROL = 5842  # vertices of the coarse mesh come first at both levels
_SIZES = {
    # columns, samples along them, rows: inside, roll, leaf, step, body
    0: (72, 48, (2, 3, 4, 1, 18)),
    1: (480, 110, (3, 6, 16, 3, 86)),
}
_FRONT = math.pi / 2
_COLLAR = 1.3  # radians from the middle of the front to where a neckline's drop begins
_FEWEST = 3.0  # columns a rib, or it would alias
_BAND_RIB = 3.3  # mm


class Clothing:
    """Garments on a model's heads.

    The coarse model gets a coarse grid (about 4,000 triangles), the smooth one a fine one.

    Attributes:
        triangles: (F, 3) int64, counter-clockwise from outside.
        rows: of the grid; vertices count along rows, from inside the collar to the hem.
        columns: of the grid, round the body.
        body_rows: the last rows, below the collar.
    """

    def __init__(self, model: MorphableModel):
        self.columns, samples, self._counts = _SIZES[model.subdivision]
        self.rows, self.body_rows = sum(self._counts), self._counts[-1]
        mean = model.mean.detach().cpu().double().numpy()
        neck = model.triangles[model.part_triangles["neck"]].cpu().numpy()
        rest = torso(mean, neck, self.columns, samples)
        device = model.mean.device

        def kept(array: np.ndarray) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).float().to(device)

        self._rest, self._length, self._base = kept(rest.points), kept(rest.length), kept(rest.base)
        control = model.parts["neck"]
        self._control = control[control < _CONTROL]
        self._mean = model.mean[self._control]
        self._vertices = len(model.mean)
        around, down = _spread(self.columns, samples)
        places = rest.anchors[np.ix_(_picked(self.columns, _LATTICE[0]), _picked_ends(samples))]
        self._weights = kept(_bound(places, self._mean.cpu().double().numpy()))
        self._around, self._down = kept(around), kept(down)
        self._angle = torch.arange(self.columns, device=device) * (2 * math.pi / self.columns)
        self._swell = kept(_swell(rest.points))
        self.triangles = _grid(self.rows, self.columns).to(device)

    def vertices(self, head: Tensor, garment: Garment) -> Tensor:
        """Dress heads.

        Args:
            head: (B, V, 3) mm, head frame, vertices of the model.
            garment: B garments.

        Returns:
            (B, Vc, 3) mm, head frame, differentiable in `head`.

        Raises:
            GarmentError: the head is not one of this model's, or there are not as many garments.
        """
        if head.ndim != 3 or head.shape[1:] != (self._vertices, 3):
            raise GarmentError(
                f"the head is {tuple(head.shape)}; expected (B, {self._vertices}, 3)"
            )
        if len(head) != len(garment):
            raise GarmentError(f"{len(head)} heads and {len(garment)} garments; give as many")
        moved = head[:, self._control] - self._mean
        moved = (self._weights @ moved.flatten(0, 0)).unflatten(1, _LATTICE)
        moved = torch.einsum("nk,sl,bklc->bnsc", self._around, self._down, moved)
        forward = garment.chest[:, None, None, None] * self._swell[..., None]
        surface = self._rest + moved
        surface = surface + forward * surface.new_tensor([0.0, 0.0, 1.0])
        normals = _outward(surface)
        along, out, _ = self._rows_of(garment)
        points, normals = self._at(along, surface), unit(self._at(along, normals), dim=3)
        return (points + out[..., None] * normals).flatten(1, 2)

    def albedo(self, garment: Garment) -> Tensor:
        """(B, Vc, 3), linear: colours, stripes, mixed yarn, and dark seams."""
        along, _, shade = self._rows_of(garment)
        rest = self._at(along, self._rest.expand(len(garment), -1, -1, -1))
        first, second = garment.colour[:, None, None], garment.second[:, None, None]
        shape = (-1, 1, 1)
        across = torch.lerp(rest[..., 1], rest[..., 0], garment.upright.view(shape))
        wave = (2 * math.pi * across / garment.period.view(shape)).sin()
        striped = torch.sigmoid(6 * (wave - 0.2)) * garment.stripes.view(shape)
        collar = torch.zeros_like(striped)
        edge = sum(self._counts[:3])
        collar[:, :edge] = 1
        # A band has no stripes; a leaf of the same cloth has.
        plain = collar * (garment.points < 0.5).view(shape)
        share = striped * (1 - plain) + collar * garment.contrast.view(shape)
        mixed = torch.lerp(first, second, share.clamp(0, 1)[..., None])
        grain = torch.from_numpy(
            np.stack([yarn(self.columns, self.rows, s) for s in garment.seed.tolist()])
        ).to(mixed)
        grain = 1 + (0.02 + 0.13 * garment.heather.view(shape)) * grain
        return (mixed * (shade * grain)[..., None]).clamp(0.004, 0.9).flatten(1, 2)

    def roughness(self, garment: Garment) -> Tensor:
        """(B, Vc, 1)."""
        return garment.roughness[:, None, None].expand(-1, self.rows * self.columns, 1)

    def specular(self, garment: Garment) -> Tensor:
        """(B, Vc, 1)."""
        return garment.specular[:, None, None].expand(-1, self.rows * self.columns, 1)

    def _rows_of(self, garment: Garment) -> tuple[Tensor, Tensor, Tensor]:
        """Where the grid's points lie: mm along columns, mm out of the surface, and dark seams.

        Returns:
            three (B, rows, N).
        """

        def each(name: str) -> Tensor:
            return getattr(garment, name)[:, None]

        angle = self._angle[None]
        off = ((angle - _FRONT + math.pi) % (2 * math.pi) - math.pi).abs()  # from the front
        near = (1 - off / _COLLAR).clamp(min=0)
        straight = near.square() / (near + 0.2) * 1.2  # it begins without a corner
        fall = torch.lerp(torch.sin(near * _FRONT).square(), straight, each("vee"))
        top = self._base - each("stand") + each("drop") * fall + each("wide") * angle.cos().abs()
        leaf = _leaf(off, each("leaf"), each("points"))
        thick, bulk = each("thickness"), each("bulk")
        hood = (bulk > 8).float()
        bulk = bulk * (1 - 0.55 * hood * torch.sigmoid(6 * (1.1 - off)))

        inner, roll, band, step, body = self._counts
        along, out = [], []
        r = (thick + 2.0) / 2  # of the roll, from 2 mm below the surface to the band
        for t in torch.linspace(0, 1, inner + 1)[:-1].tolist():
            along.append(top + r + 16 * (1 - t))
            out.append((-2.0 - 1.2 * (1 - t)) + 0 * along[-1])
        for t in torch.linspace(0, 1, roll).tolist():
            along.append(top + r * (1 - math.sin(math.pi * t)))
            out.append(-2.0 + r * (1 - math.cos(math.pi * t)) + 0 * along[-1])
        height = thick + bulk * 0
        ribbed = (self.columns / 2 / _FEWEST, 400 / _BAND_RIB)
        waves = (angle * min(int(v) for v in ribbed)).cos() * each("ribs")
        waves = waves if self.columns > 200 else 0 * waves
        for t in torch.linspace(0, 1, band + 1)[1:].tolist():
            along.append(top + r + (leaf - r).clamp(min=0.5) * t)
            lift = bulk * math.sin(math.pi * t**0.8) if t < 1 else 0 * bulk
            ease = min(1.0, 6 * t, 5 * (1 - t))
            out.append(height * (1 - 0.25 * t) + lift + waves * ease)
        end = along[-1]
        for t in torch.linspace(0, 1, step + 1)[1:].tolist():
            along.append(end + 1.2 * t)
            out.append(height * 0.75 * (1 - t) - 0.3 * math.sin(math.pi * t))
        end, last = along[-1], self._length - 0.5
        for t in torch.linspace(0, 1, body + 1)[1:].tolist():
            share = 0.55 * t + 0.45 * t * t  # closer below the collar
            along.append(end + (last - end) * share)
            out.append(0 * end)
        along = torch.stack([a.expand(len(garment), self.columns) for a in along], 1)
        along = torch.minimum(along.clamp(min=0), self._length - 0.5)
        out = torch.stack([o.expand(len(garment), self.columns) for o in out], 1)
        rest = self._at(along, self._rest.expand(len(garment), -1, -1, -1))
        sides = torch.sigmoid(12 * angle.sin()).expand(self.rows, -1)
        folded = relief(rest, garment, sides)
        built, shade = construction(rest, garment, sides)
        collar = torch.ones(self.rows, 1, device=out.device)
        first = sum(self._counts[:4])
        collar[:first] = 0
        # Folds grow from nothing below the collar, which holds the cloth.
        grow = ((along - along[:, first - 1 : first]) / 28).clamp(0, 1) * collar
        # Folds may lie lower than the rest surface, but not in the skin.
        out = out + (folded * grow).clamp(min=-(CLEARANCE - 1.5) * 1.6) + built * collar
        return along, out, torch.where(collar > 0, shade, torch.ones_like(shade))

    def _at(self, along: Tensor, table: Tensor) -> Tensor:
        """Read (B, N, S, 3) at mm (B, R, N) along columns: cubic (Catmull-Rom), (B, R, N, 3)."""
        samples = table.shape[2]
        place = along / self._length * (samples - 1)
        index = place.detach().floor().clamp(0, samples - 2).long()
        t = (place - index)[..., None]

        def take(offset: int) -> Tensor:
            at = (index + offset).clamp(0, samples - 1).mT[..., None].expand(-1, -1, -1, 3)
            return torch.gather(table, 2, at).transpose(1, 2)

        a, b, c, d = (take(offset) for offset in (-1, 0, 1, 2))
        return b + t / 2 * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))


def _leaf(off: Tensor, length: Tensor, points: Tensor) -> Tensor:
    """Length of the leaf (B, N) at angles from the front: a shirt's has tips and an opening."""
    towards = ((1.5 - off) / 1.0).clamp(0, 1)
    tipped = length * (1 + 0.5 * towards * towards)
    opening = ((off - 0.09) / 0.36).clamp(0.06, 1)
    return torch.lerp(length + 0 * off, tipped * opening, points)


def _swell(points: np.ndarray) -> np.ndarray:
    """(N, S) share of the chest's forward swell: two soft hills that cloth bridges."""
    x, y, z = np.moveaxis(points, 2, 0)
    hills = sum(np.exp(-(((x - s * 82) / 62) ** 2)) for s in (-1, 1)).clip(max=1)
    down = np.exp(-((np.minimum(y + 305, 0) / 80) ** 2)) * np.exp(
        -((np.maximum(y + 305, 0) / 62) ** 2)
    )
    return hills * down / (1 + np.exp(-(z + 5) / 6))


def _picked(columns: int, count: int) -> np.ndarray:
    return np.linspace(0, columns, count, endpoint=False).round().astype(int)


def _picked_ends(samples: int) -> np.ndarray:
    return np.linspace(0, samples - 1, _LATTICE[1]).round().astype(int)


def _spread(columns: int, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Cubic splines from the lattice to the table: (N, 48) round the body and (S, 24) down."""
    at = _picked(columns, _LATTICE[0])
    closed = np.append(at, columns)
    unit_rows = np.eye(_LATTICE[0])
    around = make_interp_spline(
        closed, np.concatenate([unit_rows, unit_rows[:1]]), bc_type="periodic"
    )(np.arange(columns))
    down = make_interp_spline(_picked_ends(samples), np.eye(_LATTICE[1]))(np.arange(samples))
    return around, down


def _bound(places: np.ndarray, control: np.ndarray) -> np.ndarray:
    """(lattice, controls) weights: Gaussians that widen with the distance from the skin."""
    squared = ((places.reshape(-1, 1, 3) - control) ** 2).sum(2)
    nearest = squared.min(1, keepdims=True)
    width = 9 + 0.3 * np.sqrt(nearest)
    weights = np.exp(-(squared - nearest) / (2 * width**2))
    return weights / weights.sum(1, keepdims=True)


def _outward(surface: Tensor) -> Tensor:
    """Unit normals (B, N, S, 3) of a table that is closed over N, columns counted upwards."""
    around = surface.roll(-1, 1) - surface.roll(1, 1)
    down = torch.cat([surface[:, :, 1:], surface[:, :, -1:]], 2) - torch.cat(
        [surface[:, :, :1], surface[:, :, :-1]], 2
    )
    return unit(torch.linalg.cross(around, down), dim=3)


def _grid(rows: int, columns: int) -> Tensor:
    """(F, 3) triangles of a tube of quads, row by row."""
    row = torch.arange(rows - 1)[:, None] * columns
    column = torch.arange(columns)
    a, b = row + column, row + (column + 1) % columns
    c, d = a + columns, b + columns
    quads = torch.stack([a, b, c, b, d, c], -1)
    return quads.reshape(-1, 3)


__all__ = ["AXIS", "Clothing"]
