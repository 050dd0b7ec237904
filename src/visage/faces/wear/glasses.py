"""Glasses: two rims, a bridge, nose pads, temples to behind the ears, and lenses, of one topology.

The front is drawn in a plane of its own, X to the picture's right, Y up, Z out, whose origin lies
between the eyes; it tilts by 8 degrees (pantoscopic tilt), bends a little round the face, and
stands about 14 mm before the eyes, or more where brows, nose or cheeks need it. The wearer's
coarse vertices alone place it, so that both levels of the model wear the same glasses.
"""

import math

import torch
from torch import Tensor

from visage.faces.shape import MorphableModel
from visage.faces.wear.glasses_fit import TILT, Front, nearest, nose_gap, to_head, to_plane
from visage.faces.wear.glasses_form import (
    ACROSS,
    LENS_RINGS,
    ROUND,
    WRAP,
    fan,
    height_at,
    on_front,
    outline,
    outwards,
    sweep,
    tube,
)
from visage.faces.wear.spectacles import GlassesError, GlassesParameters

__all__ = ["Glasses", "GlassesError", "GlassesParameters"]

_RINGS = {"bridge": 13, "temple": 27, "arm": 7, "pad": 9}  # cross-sections, two of them caps
_VERTEX = 14.5  # mm from the eye to the lens
_CLEAR = 1.5  # mm between the frame and the skin
_CONTROL = 5842  # vertices of the coarse mesh come first at both levels
# Where the mean head has what a frame is fitted to, mm on the picture's right.
_TEMPLE_AT, _EAR_AT, _BEHIND_AT = (63.5, 8.0, 58.0), (73.0, 7.0, 8.0), (70.0, -22.0, -14.0)


class Glasses:
    """Glasses on a model's heads.

    Attributes:
        triangles: (F, 3) int64, of the frame, counter-clockwise from outside. Each rim is a closed
            tube; so is each other part, but for its ends.
        tubes: by name (rim, temple, arm, pad, bridge), first and last + 1 of their vertices; the
            person's left comes first.
        lens_triangles: (L, 3) int64 into the same vertices, to be drawn as a layer to see through.
    """

    def __init__(self, model: MorphableModel):
        self._vertices = len(model.mean)
        mean = model.mean
        self._pupils = model.pupils
        skin = model.parts["skin"]
        skin = skin[skin < _CONTROL]
        x, y, z = mean[skin].unbind(1)
        self._patch = skin[(z > 62) & (y > -48) & (y < 38)]
        ears = model.regions["ears"][skin] > 0.3
        self._side = skin[(x.abs() > 48) & (y > -12) & (y < 26) & (z < 80) & (z > -5) & ~ears]
        bare = skin[~ears]
        self._temples = nearest(mean, bare, _TEMPLE_AT)
        self._ears = nearest(mean, bare, _EAR_AT)
        self._behind = nearest(mean, bare, _BEHIND_AT)
        self._layout(mean.device)

    def _layout(self, device: torch.device) -> None:
        """Number the vertices: for each side its rim, temple, arm, pad and lens; the bridge."""
        tubes, lenses, start = [], [], 0
        self.tubes: dict[str, list[tuple[int, int]]] = {"rim": []} | {name: [] for name in _RINGS}

        def counted(name: str, first: int, rings: int) -> int:
            self.tubes[name].append((first, first + rings * ACROSS))
            return first + rings * ACROSS

        for _ in range(2):
            self._side_rows = start
            tubes.append(start + tube(ROUND, closed=True))
            start = counted("rim", start, ROUND)
            for name in ("temple", "arm", "pad"):
                tubes.append(start + tube(_RINGS[name]))
                start = counted(name, start, _RINGS[name])
        tubes.append(start + tube(_RINGS["bridge"]))
        start = counted("bridge", start, _RINGS["bridge"])
        self._frame = start
        for side in range(2):
            lenses.append(start + (fan() if side == 0 else fan().flip(1)))
            start += 1 + len(LENS_RINGS) * ROUND
        # The second side is a mirror image, which turns its triangles over.
        half = len(tubes) // 2
        tubes = [t.flip(1) if half <= i < 2 * half else t for i, t in enumerate(tubes)]
        self.triangles = torch.cat(tubes).to(device)
        self.lens_triangles = torch.cat(lenses).to(device)
        self._count = start

    def vertices(self, head: Tensor, parameters: GlassesParameters) -> Tensor:
        """Put glasses on heads.

        Args:
            head: (B, V, 3) mm, head frame, vertices of the model.
            parameters: B rows.

        Returns:
            (B, Vc, 3) mm, head frame; NaN for people without glasses, and for nose pads where a
            frame has none. No derivatives.

        Raises:
            GlassesError: the head is not one of this model's, or there are not as many rows.
        """
        if head.ndim != 3 or head.shape[1:] != (self._vertices, 3):
            raise GlassesError(
                f"the head is {tuple(head.shape)}; expected (B, {self._vertices}, 3)"
            )
        if len(head) != len(parameters):
            raise GlassesError(f"{len(head)} heads and {len(parameters)} glasses; give as many")
        result = head.new_full((len(head), self._count, 3), torch.nan)
        worn = parameters.worn.nonzero()[:, 0]
        if len(worn):
            result[worn] = self._worn(head[worn].detach(), parameters[worn])
        return result

    def _worn(self, head: Tensor, p: GlassesParameters) -> Tensor:
        front = self._fitted(head, p)
        left = self._one_side(head, front, p, 1)
        right = self._one_side(head, front, p, -1)
        bridge = self._bridge(head, front, p)
        return torch.cat([left[0], right[0], bridge, left[1], right[1]], 1)

    def _fitted(self, head: Tensor, p: GlassesParameters) -> Front:
        """Size the front by face and nose, then move it forward until it touches nothing."""
        eyes = head[:, self._pupils].mean(2)  # (B, 2, 3)
        face = (head[:, self._temples[0], 0] - head[:, self._temples[1], 0]) + 7
        origin = eyes.mean(1) + head.new_tensor([0.0, -3.0, _VERTEX])
        patch = to_plane(head[:, self._patch], origin)
        nose = nose_gap(patch)
        # Tall lenses are narrower, with longer end pieces.
        half = (face * p.width / 2 - nose) / 2 * (1.12 - 0.22 * p.height) - p.rim
        half = half.clamp(18, 31)
        tall = half * p.height
        front = Front(origin, half, tall, nose + p.rim + half)
        outline = self._outline(front, p, p.rim / 2)  # (B, N, 2) on the right
        both = torch.cat([outline, outline * outline.new_tensor([-1.0, 1.0])], 1)
        skin = height_at(both, patch[..., :2], patch[..., 2])
        needed = (skin + _CLEAR + p.depth[:, None] / 2 + both[..., 0].square() / (2 * WRAP)).amax(1)
        push = needed.clamp(min=0)
        forward = origin + push[:, None] * head.new_tensor([0.0, -math.sin(TILT), math.cos(TILT)])
        return Front(forward, half, tall, front.middle)

    @staticmethod
    def _outline(front: Front, p: GlassesParameters, offset: Tensor) -> Tensor:
        return outline(front.half, front.tall, front.middle, p, offset)

    def _one_side(self, head, front, p, sign) -> tuple[Tensor, Tensor]:
        """Rim, temple, arm and pad (B, n, 3) of one side, and its lens."""
        mirror = head.new_tensor([sign, 1.0, 1.0])
        place = self._outline(front, p, p.rim / 2)
        rim = sweep(on_front(place), outwards(place), p.rim, p.depth, _power(p), closed=True)
        edge = self._outline(front, p, 0 * p.rim)
        middle = torch.stack([front.middle, 0 * front.middle], 1)[:, None]
        rings = [middle] + [middle + r * (edge - middle) for r in LENS_RINGS]
        dome = torch.cat([ring.new_tensor([1.2 * (1 - r * r)]).expand(ring.shape[1])
                          for ring, r in zip(rings, (0, *LENS_RINGS), strict=True)])  # fmt: skip
        lens = on_front(torch.cat(rings, 1)) + dome[:, None] * head.new_tensor([0.0, 0.0, 1.0])
        arm, pad = self._pad(front, p)
        plane = torch.cat([rim, arm, pad, lens], 1)
        placed = to_head(plane * mirror, front.origin)
        rim, arm, pad, lens = placed.split([n.shape[1] for n in (rim, arm, pad, lens)], 1)
        temple = self._temple(head, front, p, sign)
        return torch.cat([rim, temple, arm, pad], 1), lens

    def _temple(self, head, front, p, sign) -> Tensor:
        """(B, n, 3), from the rim's upper outer corner over the ear and down behind it."""
        side = 0 if sign > 0 else 1
        mirror = head.new_tensor([sign, 1.0, 1.0])
        outer = front.middle + front.half + p.rim * 0.6
        high = front.tall * (0.42 + 0.3 * p.lift)
        corner = torch.stack([outer, high], 1)[:, None]
        hinge = to_head(on_front(corner) * mirror, front.origin)[:, 0]
        room = (p.depth / 2 + _CLEAR + 0.8)[:, None] * mirror * mirror.new_tensor([1.0, 0.0, 0.0])
        over = head[:, self._ears[side]] + room + head.new_tensor([0.0, 2.5, 0.0])
        behind = head[:, self._behind[side]] + room
        count = _RINGS["temple"] - 2
        straight = count - 7
        t = torch.linspace(0, 1, straight, device=head.device)[None, :, None]
        line = hinge[:, None] + t * (over - hinge)[:, None]
        # The end piece leaves the rim sideways before it turns back.
        bow = 3.0 * (1 - (1 - (t / 0.12).clamp(max=1)).square()) * (1 - t)
        line = line + bow * head.new_tensor([sign, 0.0, 0.0])
        cheek = head[:, self._side]
        cheek = cheek[:, :, [1, 2, 0]] * head.new_tensor([1.0, 1.0, sign])
        skin = height_at(line[..., 1:], cheek[..., :2], cheek[..., 2].clamp(min=0))
        reach = torch.maximum(line[..., 0] * sign, skin + _CLEAR + 1.6 + p.depth[:, None] / 2)
        # A bar bends in one curve, not with each bump of the head.
        eased = (reach[:, :-2] + 2 * reach[:, 1:-1] + reach[:, 2:]) / 4
        reach = torch.cat(
            [reach[:, :1], torch.maximum(eased, skin[:, 1:-1] + 1.5), over[:, :1].abs()], 1
        )
        line = torch.cat([(reach * sign)[..., None], line[..., 1:]], 2)
        t = torch.linspace(0, 1, 8, device=head.device)[1:, None]
        start, back = line[:, -1:], (over - hinge)[:, None]
        knee = start + back / back.norm(dim=2, keepdim=True) * 14
        hook = (1 - t) ** 2 * start + 2 * t * (1 - t) * knee + t**2 * behind[:, None]
        path = torch.cat([line, hook], 1)
        taper = torch.linspace(1, 0.75, count, device=head.device)
        up = head.new_tensor([0.0, 1.0, 0.0]).expand_as(path)
        return sweep(path, up, p.temple[:, None] * taper, p.depth, _power(p), sign=sign)

    def _bridge(self, head, front, p) -> Tensor:
        """(B, n, 3), an arch between the rims, in front of the nose."""
        t = torch.linspace(-1, 1, _RINGS["bridge"] - 2, device=head.device)[None]
        gap = front.middle - front.half
        x = gap[:, None] * 0.98 * t
        y = (front.tall * 0.36)[:, None] + 2.2 * (1 - t * t)
        flat = torch.stack([x, y], 2)
        patch = to_plane(head[:, self._patch], front.origin)
        skin = height_at(flat, patch[..., :2], patch[..., 2])
        width = 0.85 * p.rim + 0.6
        lift = (skin + _CLEAR + p.depth[:, None] / 2).clamp(min=0) * (1 - t**4)
        path = on_front(flat) + lift[..., None] * head.new_tensor([0.0, 0.0, 1.0])
        up = head.new_tensor([0.0, 1.0, 0.0]).expand_as(path)
        swept = sweep(path, up, width, p.depth, _power(p))
        return to_head(swept, front.origin)

    def _pad(self, front, p) -> tuple[Tensor, Tensor]:
        """An arm (B, n, 3) from the rim, and the pad at its end; NaN where there is none."""
        none = torch.where(p.pads > 0, 0.0, torch.nan)[:, None, None]
        inner = front.middle - front.half
        rim = torch.stack([inner + 0.6, -0.05 * front.tall, 0 * inner - 0.6], 1)
        pad = torch.stack([inner - 1.3, -0.22 * front.tall - 1.5, 0 * inner - 4.2], 1)
        t = torch.linspace(0, 1, _RINGS["arm"] - 2, device=rim.device)[:, None]
        arm = rim[:, None] + t * (pad - rim)[:, None]
        arm = arm + torch.sin(math.pi * t) * rim.new_tensor([0.8, 0.8, -0.8])
        up = rim.new_tensor([0.0, 1.0, 0.0]).expand_as(arm)
        thread = torch.full_like(p.pads, 0.8)
        arm = sweep(arm, up, thread, thread, torch.full_like(p.pads, 2.0))
        t = torch.linspace(-0.98, 0.98, _RINGS["pad"] - 2, device=rim.device)[:, None]
        lean = rim.new_tensor([0.28, -1.0, 0.15])
        path = pad[:, None] + t * p.pads[:, None, None] * 1.5 * lean
        size = (1 - t[:, 0] ** 2).clamp(min=0.05).sqrt() * p.pads[:, None] * 1.7
        out = rim.new_tensor([0.55, 0.0, 0.83]).expand_as(path)
        return arm + none, sweep(path, out, 0.35 * size, size, torch.full_like(p.pads, 2.0)) + none

    def albedo(self, parameters: GlassesParameters) -> Tensor:
        """(B, Vc, 3), linear: the frame's colour, faded or mottled; lenses are nearly black."""
        index = torch.arange(self._count, device=parameters.colour.device)
        row, across = index // ACROSS, index % ACROSS
        p, seed = parameters, parameters.seed.remainder(1000).to(parameters.colour)[:, None]
        patches = (
            (0.43 * row + seed).sin() + (0.29 * row - 0.9 * across + 1.7 * seed).sin()
            + (0.71 * row + 0.5 * across + 2.3 * seed).sin()
        )  # fmt: skip
        dark = torch.sigmoid(2.2 * patches + 0.4) * p.mottle[:, None]
        colour = torch.lerp(p.colour[:, None], 0.09 * p.colour[:, None], dark[..., None])
        # Row k of a rim is at 2 π k / N round it: the lower half fades.
        place = (row % (self._side_rows // ACROSS)).float()
        below = torch.where(place < ROUND, (-(2 * math.pi * place / ROUND).sin()).clamp(min=0), 0)
        clear = p.fade[:, None, None] * below.clamp(max=0.6)[None, :, None]
        colour = torch.lerp(colour, colour.new_tensor([0.5, 0.47, 0.43]), clear)
        # Nose pads are of clear silicone.
        pad = place >= self._side_rows // ACROSS - _RINGS["pad"]
        colour = torch.where(pad[:, None], colour.new_tensor([0.42, 0.36, 0.31]), colour)
        return torch.where((index < self._frame)[:, None], colour, 0.02)

    def roughness(self, parameters: GlassesParameters) -> Tensor:
        """(B, Vc, 1); lenses are polished."""
        lens = torch.arange(self._count, device=parameters.roughness.device)[:, None] >= self._frame
        return torch.where(lens, 0.05, parameters.roughness[:, None, None])

    def specular(self, parameters: GlassesParameters) -> Tensor:
        """(B, Vc, 1)."""
        lens = torch.arange(self._count, device=parameters.specular.device)[:, None] >= self._frame
        return torch.where(lens, 1.0, parameters.specular[:, None, None])

    def lens_transmittance(self, parameters: GlassesParameters) -> Tensor:
        """(B, 3), share of the light that passes a lens."""
        return parameters.tint


def _power(p: GlassesParameters) -> Tensor:
    """(B,) exponent of the cross-sections: wire is round, acetate a bar with soft edges."""
    return 2.2 + 1.8 * torch.sigmoid(4 * (p.rim - 2))
