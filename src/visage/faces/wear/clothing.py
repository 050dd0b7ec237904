"""Clothing for the neck, the shoulders and the chest: one grid of quads for every garment.

Columns run round the body, rows from inside the collar over its roll and along its band or leaf,
and on down the cloth to a hem below any portrait. The rest surface (`visage.faces.wear.torso`)
follows a person as the nearest vertices of the neck and shoulders move; a garment says where on it
the neckline lies, and relief is added along its normals.
"""

import math

import numpy as np
import torch
from scipy.interpolate import make_interp_spline
from torch import Tensor

from visage.faces.directions import unit
from visage.faces.shape import MorphableModel
from visage.faces.wear.collar import Rows, neckline, section
from visage.faces.wear.folds import construction, relief, yarn
from visage.faces.wear.garments import Garment, GarmentError
from visage.faces.wear.torso import CLEARANCE, torso

_LATTICE = (48, 24)
_CONTROL = 5842  # vertices of the coarse mesh come first at both levels
_SIZES = {
    # By the model's subdivision: columns, samples along them, rows.
    0: (72, 48, Rows(2, 3, 4, 1, 18)),
    1: (480, 110, Rows(3, 6, 16, 3, 86)),
}


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
        self.columns, samples, self._rows = _SIZES[model.subdivision]
        self.rows, self.body_rows = self._rows.total, self._rows.body
        mean = model.mean.detach().cpu().double().numpy()
        neck = model.triangles[model.part_triangles["neck"]].cpu().numpy()
        rest = torso(mean, neck, self.columns, samples)
        device = model.mean.device

        def kept(array: np.ndarray) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).float().to(device)

        self._rest, self._length, self._base = kept(rest.points), kept(rest.length), kept(rest.base)
        self._lowest = kept(rest.lowest)
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
        surface = self._rest + self._moved(head)
        forward = garment.chest[:, None, None, None] * self._swell[..., None]
        surface = surface + forward * surface.new_tensor([0.0, 0.0, 1.0])
        normals = _outward(surface)
        places, out, _ = self._laid(garment)
        points, normals = self._read(places, torch.cat([surface, normals], 3)).split(3, 3)
        return (points + out[..., None] * unit(normals, dim=3)).flatten(1, 2)

    def _moved(self, head: Tensor) -> Tensor:
        """How far (B, N, S, 3) the rest surface follows the neck and shoulders, mm."""
        moved = (head[:, self._control] - self._mean).transpose(0, 1).flatten(1)  # (C, 3 B)
        lattice = (self._weights @ moved).view(_LATTICE[0], -1)
        round_body = (self._around @ lattice).view(self.columns, _LATTICE[1], -1)
        table = self._down @ round_body  # (N, S, 3 B)
        return table.unflatten(2, (-1, 3)).permute(2, 0, 1, 3)

    def albedo(self, garment: Garment) -> Tensor:
        """(B, Vc, 3), linear: colours, stripes, mixed yarn, and dark seams."""
        places, _, shade = self._laid(garment)
        rest = self._read(places, self._rest[None])
        first, second = garment.colour[:, None, None], garment.second[:, None, None]
        shape = (-1, 1, 1)
        across = torch.lerp(rest[..., 1], rest[..., 0], garment.upright.view(shape))
        wave = (2 * math.pi * across / garment.period.view(shape)).sin()
        striped = torch.sigmoid(6 * (wave - 0.2)) * garment.stripes.view(shape)
        collar = torch.zeros_like(striped)
        collar[:, : self._rows.collar - self._rows.step] = 1
        # A band has no stripes; a leaf of the same cloth has.
        plain = collar * (garment.points < 0.5).view(shape)
        share = striped * (1 - plain) + collar * garment.contrast.view(shape)
        mixed = torch.lerp(first, second, share.clamp(0, 1)[..., None])
        grain = torch.from_numpy(
            np.stack([yarn(self.columns, self.rows, s) for s in garment.seed.tolist()])
        ).to(mixed)
        grain = 1 + (0.02 + 0.10 * garment.heather.view(shape)) * grain
        return (mixed * (shade * grain)[..., None]).clamp(0.004, 0.9).flatten(1, 2)

    def roughness(self, garment: Garment) -> Tensor:
        """(B, Vc, 1)."""
        return garment.roughness[:, None, None].expand(-1, self.rows * self.columns, 1)

    def specular(self, garment: Garment) -> Tensor:
        """(B, Vc, 1)."""
        return garment.specular[:, None, None].expand(-1, self.rows * self.columns, 1)

    def _section(self, garment: Garment) -> tuple[Tensor, Tensor]:
        top = neckline(garment, self._angle, self._base, self._lowest)
        return section(garment, self._angle, top, self._length, self._rows)

    def _laid(self, garment: Garment) -> tuple[tuple, Tensor, Tensor]:
        """Where the grid's points lie: places in the columns, mm out, and the seams' shade.

        Returns:
            places: for `_read`.
            out: (B, rows, N) mm.
            shade: (B, rows, N), factor of the albedo.
        """
        along, out = self._section(garment)
        places = self._places(along)
        rest = self._read(places, self._rest[None])
        sides = torch.sigmoid(12 * self._angle.sin())
        folded = relief(rest, garment, sides)
        built, shade = construction(rest, garment, sides)
        first = self._rows.collar
        # Folds grow from nothing below the collar, which holds the cloth.
        grow = ((along - along[:, first - 1 : first]) / 28).clamp(0, 1)
        # They may lie lower than the rest surface, but not in the skin.
        more = (folded * grow).clamp(min=-CLEARANCE) + built
        below = (torch.arange(self.rows, device=out.device) >= first)[:, None]
        return places, out + below * more, torch.where(below, shade, 1.0)

    def _places(self, along: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of a flattened table (4, B, R, N), and their weights: cubic (Catmull-Rom)."""
        samples = self._rest.shape[1]
        place = along / self._length * (samples - 1)
        index = place.floor().clamp(0, samples - 2)
        t = place - index
        weights = torch.stack(
            [
                t * (t * (2 - t) - 1) / 2,
                (t * t * (3 * t - 5) + 2) / 2,
                t * (t * (4 - 3 * t) + 1) / 2,
                t * t * (t - 1) / 2,
            ]
        )
        offsets = torch.arange(-1, 3, device=along.device).view(4, 1, 1, 1)
        taken = (index.long() + offsets).clamp(0, samples - 1)
        return taken + torch.arange(self.columns, device=along.device) * samples, weights

    def _read(self, places: tuple[Tensor, Tensor], table: Tensor) -> Tensor:
        """Read tables (B or 1, N, S, C) at places: (B, R, N, C)."""
        index, weights = places
        if len(table) > 1:
            batch = torch.arange(len(table), device=table.device)[:, None, None]
            index = index + batch * (table.shape[1] * table.shape[2])
        rows = table.flatten(0, 2)
        total = 0.0
        for at, weight in zip(index, weights, strict=True):
            taken = rows.index_select(0, at.flatten()).view(*at.shape, -1)
            total = total + weight[..., None] * taken
        return total


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
