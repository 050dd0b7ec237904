"""From a person's parameters to weights of the channels.

A texture is channels times weights: one column each for the indices of melanin and blood, a paint
that covers the tone (its share, and its colour times that share), roughness, specular, and height.
"""

import torch
from torch import Tensor

from visage.faces.compiled_skin import (
    COVER,
    HAEMOGLOBIN,
    HEIGHT,
    MELANIN,
    OUTPUTS,
    RED,
    ROUGHNESS,
    SPECULAR,
)
from visage.faces.eyes import FIBRES, PUPILS, VEINS
from visage.faces.skin_channels import FLUSHES, NOISE_BANDS
from visage.faces.skin_details import MOTTLES
from visage.faces.skin_parameters import Skin
from visage.faces.skin_wrinkles import LINES

PAINT = slice(RED, RED + 3)

# Unevenness by wavelength, mm: of melanin and of blood, in indices, at a mottling of 1.
_UNEVEN = {75.0: (0.024, 0.05), 30.0: (0.018, 0.06), 12.0: (0.014, 0.06), 5.0: (0.014, 0.07)}

# mm at full strength, and how much of that a young face has, by name of line.
_DEPTHS = {
    "forehead_a": (0.50, 0.04),
    "forehead_b": (0.50, 0.02),
    "glabella": (0.60, 0.03),
    "crow": (0.42, 0.02),
    "under_eye": (0.34, 0.16),
    "trough": (0.45, 0.14),
    "nasolabial": (0.85, 0.13),
    "marionette": (0.65, 0.04),
    "chin_fold": (0.35, 0.15),
    "lip_lines": (0.28, 0.0),
    "cheek_lines": (0.40, 0.0),
    "neck_lines": (0.60, 0.10),
}
_TINT = (0.015, 0.06, 0.26)  # what carotene absorbs of red, green and blue


class Mixer:
    """Weights (B, C, 9) of channels that are called by name."""

    def __init__(self, names: tuple[str, ...], skin: Skin):
        self.row = {name: number for number, name in enumerate(names)}
        self.weights = torch.zeros(len(skin), len(names), OUTPUTS)

    def add(self, name: str, column: int | slice, value: Tensor | float) -> None:
        """Add to the weight of a channel; those that a small texture lacks are left out."""
        if name in self.row:
            self.weights[:, self.row[name], column] += value

    def paint(self, name: str, share: Tensor | float, colour: Tensor) -> None:
        """Hide a share (B,) of the tone where the channel is, behind a colour (B, 3) or (3,)."""
        share = torch.as_tensor(share, dtype=torch.float32)
        self.add(name, COVER, share)
        self.add(name, PAINT, share[..., None] * colour)

    def tone(self, name: str, melanin: Tensor | float, haemoglobin: Tensor | float) -> None:
        """Add to the indices of the tone."""
        self.add(name, MELANIN, melanin)
        self.add(name, HAEMOGLOBIN, haemoglobin)

    def shine(self, name: str, roughness: Tensor | float, specular: Tensor | float = 0.0) -> None:
        """Add to the roughness and to the specular factor."""
        self.add(name, ROUGHNESS, roughness)
        self.add(name, SPECULAR, specular)


def tints(skin: Skin) -> Tensor:
    """(B, 3) what carotene leaves of the tone's red, green and blue."""
    # Melanin absorbs the same blue first.
    amount = skin.carotene * (1 - 0.6 * skin.melanin)
    return (-amount[:, None] * torch.tensor(_TINT)).exp()


def broad_weights(names: tuple[str, ...], skin: Skin, random: Tensor) -> Tensor:
    """Weights (B, K, 9) of the broad channels. `random`: (B, BROAD_RANDOMS)."""
    mix, m, h = Mixer(names, skin), skin.melanin, skin.haemoglobin
    red, dull = skin.redness, ((skin.age - 30) / 50).clamp(0, 1)
    mix.tone("skin", m, h)
    mix.shine("skin", 0.50 - 0.07 * skin.oiliness + 0.05 * dull, 0.85)
    # Blood under thin and warm skin; melanin where the sun shines, and round eyes and mouth.
    mix.tone("cheek", 0, 0.24 * red)
    mix.tone("nose_tip", 0.01, 0.26 * red)
    mix.tone("alar", 0.01, 0.05 + 0.22 * red)
    mix.tone("ears", -0.01, 0.06 + 0.22 * red)
    mix.tone("chin", 0, 0.12 * red)
    mix.tone("nose", 0.01, 0.05 * red)
    mix.tone("forehead", 0.025, -0.05)
    mix.tone("temple", 0, -0.05)
    mix.tone("perioral", 0.015 + 0.05 * m, -0.04)
    mix.tone("philtrum", 0.01, 0.04)
    mix.tone("orbit", 0.02 + 0.05 * m, 0.05)
    mix.tone("inner_corner", 0.02, 0.16)
    mix.tone("lids", 0.02 + 0.03 * m, 0.08)
    mix.tone("neck", -0.03 + 0.02 * dull, -0.06)
    mix.tone("torso", -0.01, -0.02)
    mix.tone("jaw", 0, -0.03)
    mix.tone("under_eye", 0.02 + 0.06 * skin.under_eye, 0.06 + 0.10 * skin.under_eye)
    mix.tone("trough", 0.03 * skin.under_eye, 0.12 * skin.under_eye)
    # Veins behind thin skin look blue.
    mix.paint("under_eye", 0.13 * skin.under_eye, torch.tensor([0.13, 0.10, 0.14]))
    mix.paint("trough", 0.10 * skin.under_eye, torch.tensor([0.12, 0.08, 0.12]))
    _uneven(mix, skin, random)

    mix.shine("shine", -0.05 - 0.09 * skin.oiliness, 0.10)
    mix.shine("neck", 0.06, -0.1)
    mix.shine("scalp", 0.04, -0.35 * skin.scalp)
    mix.shine("lids", -0.04)
    mix.shine("beard", 0.05 * skin.stubble)

    mix.paint("scalp", 0.80 * skin.scalp, skin.scalp_colour)
    mix.paint("beard", 0.42 * skin.stubble, skin.stubble_colour)
    mix.paint("brows", 0.30 * skin.brows, skin.scalp_colour)
    mix.paint("eye_shadow", 0.75 * skin.eye_shadow, skin.eye_shadow_colour)
    mix.tone("blush", 0, 0.30 * skin.blush)
    mix.paint("nostril", 0.85, torch.tensor([0.02, 0.007, 0.005]))
    _inside(mix)
    return mix.weights


def _uneven(mix: Mixer, skin: Skin, random: Tensor) -> None:
    columns = iter(random.T)
    # Old skin, and skin that the sun has seen, is more uneven.
    more = skin.mottling * (1 + 0.5 * ((skin.age - 35) / 40).clamp(0, 1))
    for wavelength, count in NOISE_BANDS:
        melanin, blood = _UNEVEN[wavelength]
        for number in range(count):
            name, scale = f"noise_{wavelength:g}_{number}", more / count**0.5
            mix.tone(name, melanin * scale * next(columns), blood * scale * next(columns))
    for number in range(FLUSHES):
        mix.tone(f"flush_{number}", 0, 0.09 * skin.redness * next(columns))


def _inside(mix: Mixer) -> None:
    """Sockets, mouth, tongue, teeth and lashes."""
    mix.tone("waterline", -0.02, 0.22)
    mix.shine("waterline", -0.15, 0.1)
    mix.paint("socket", 0.8, torch.tensor([0.20, 0.07, 0.055]))
    mix.paint("mouth", 1.0, torch.tensor([0.20, 0.058, 0.052]))
    mix.shine("mouth", 0.32, 0.6)
    mix.paint("tongue", 1.0, torch.tensor([0.36, 0.15, 0.135]))
    mix.shine("tongue", 0.38, 0.6)
    mix.add("deep", PAINT, torch.tensor([-0.18, -0.052, -0.047]))
    mix.shine("deep", 0.1, -0.5)
    mix.paint("lashes", 1.0, torch.tensor([0.02, 0.015, 0.012]))
    mix.shine("lashes", 0.6, 0.1)
    mix.shine("teeth", 0.22, 0.8)


def narrow_weights(names: tuple[str, ...], skin: Skin, random: Tensor) -> Tensor:
    """Weights (B, C, 9) of the narrow channels, `random`: (B, NARROW_RANDOMS)."""
    mix = Mixer(names, skin)
    columns = iter(random.T)
    _lips(mix, skin)
    _lids(mix, skin)
    _lines(mix, skin, columns)
    _teeth(mix, skin)
    _eyes(mix, skin, columns)
    _fine(mix, skin, columns)
    return mix.weights


def _lips(mix: Mixer, skin: Skin) -> None:
    old = ((skin.age - 45) / 40).clamp(0, 1)
    # The lips' thin skin hides little of the blood. Dark lips are lighter than the skin, light ones
    # a little darker.
    lighter = (skin.melanin - 0.35) * (0.15 + 0.35 * skin.lip_contrast)
    mix.tone("lips", 0.05 - lighter, (0.36 + 0.50 * skin.lip_redness) * (1 - 0.25 * old))
    mix.shine("lips", -0.10 - 0.08 * skin.lipstick, 0.1)
    mix.paint("lips", 0.80 * skin.lipstick, skin.lipstick_colour)
    mix.add("lip_folds", HEIGHT, -0.035 - 0.03 * old)
    mix.tone("lip_folds", 0.006, 0.03)
    mix.paint("lip_seam", 0.45, torch.tensor([0.05, 0.012, 0.010]))


def _lids(mix: Mixer, skin: Skin) -> None:
    dark = torch.tensor([0.025, 0.017, 0.014])
    mix.paint("upper_lash", 0.35 + 0.6 * skin.eyeliner, dark)
    mix.paint("lower_lash", 0.12 + 0.5 * skin.eyeliner, dark)
    mix.paint("margin", 0.5 - 0.25 * skin.melanin, torch.tensor([0.42, 0.20, 0.165]))
    mix.shine("margin", -0.25, 0.1)


def _lines(mix: Mixer, skin: Skin, columns) -> None:
    for name in LINES:
        deep, young = _DEPTHS[name]
        own = (1 + 0.45 * next(columns)).clamp(0.15, 2)
        amount = (young + (1 - young) * skin.wrinkles) * own
        mix.add(name, HEIGHT, deep * amount)
        # A groove is -1: light is lost in it, and it is a little redder.
        mix.add(name, COVER, -0.10 * amount)
        mix.tone(name, -0.02 * amount, -0.05 * amount)


def _teeth(mix: Mixer, skin: Skin) -> None:
    white, stained = torch.tensor([0.60, 0.53, 0.42]), torch.tensor([0.46, 0.35, 0.20])
    tooth = white + skin.teeth[:, None] * (stained - white)
    mix.paint("tooth", 1.0, tooth)
    mix.add("gap", PAINT, -0.60 * tooth)
    gum = torch.tensor([0.33, 0.13, 0.115])
    mix.add("gum", PAINT, gum - tooth)
    mix.add("edge", PAINT, -0.10 * tooth)
    mix.add("back_teeth", PAINT, -0.75 * tooth)
    mix.add("back_gum", PAINT, -0.75 * gum)


def _eyes(mix: Mixer, skin: Skin, columns) -> None:
    white = torch.tensor([0.47, 0.43, 0.405])
    yellow = torch.tensor([0.44, 0.375, 0.28])
    sclera = white + skin.sclera_yellow[:, None] * (yellow - white)
    red = (0.35 + skin.sclera_red)[:, None]
    mix.paint("sclera", 1.0, sclera)
    mix.shine("sclera", 0.07, 1.0)
    mix.add("nasal", PAINT, red * torch.tensor([-0.06, -0.20, -0.20]))
    mix.add("temporal", PAINT, red * torch.tensor([-0.04, -0.12, -0.12]))
    mix.add("around", PAINT, -0.10 * sclera)
    mix.add("lid_shade", PAINT, -0.38 * sclera)
    for vein in range(VEINS):
        own = (0.7 + 0.5 * next(columns)).clamp(0, 1.6)[:, None]
        mix.add(f"veins_{vein}", PAINT, own * red * torch.tensor([-0.05, -0.22, -0.22]))

    outer, inner = _iris_colours(skin)
    fibres = torch.stack([next(columns) for _ in range(FIBRES)], 1)
    fibres = fibres / fibres.norm(dim=1, keepdim=True).clamp(min=1e-6)
    crypts, sector = next(columns).abs().clamp(max=1.5), (next(columns) - 0.8).clamp(0, 1)
    chosen = (skin.pupil * len(PUPILS)).long().clamp(max=len(PUPILS) - 1)
    for which in range(len(PUPILS)):
        used = (chosen == which).float()[:, None]
        mix.add(f"pupil_{which}", PAINT, used * (0.004 - sclera))
        mix.add(f"iris_{which}", PAINT, used * (outer - sclera))
        mix.add(f"limbal_{which}", PAINT, -used * (0.25 + 0.55 * skin.iris_ring)[:, None] * outer)
        mix.add(f"inner_{which}", PAINT, used * (inner - outer))
        mix.add(f"collarette_{which}", PAINT, 0.22 * used * outer)
        mix.add(f"crypts_{which}", PAINT, -0.30 * used * crypts[:, None] * outer)
        mix.add(f"sector_{which}", PAINT, 0.6 * used * sector[:, None] * (inner - outer))
        for fibre in range(FIBRES):
            amount = used * ((0.12 + 0.3 * skin.iris_contrast) * fibres[:, fibre])[:, None]
            mix.add(f"fibre_{fibre}_{which}", PAINT, amount * outer)


def _iris_colours(skin: Skin) -> tuple[Tensor, Tensor]:
    """Colours (B, 3) of the outer and the inner zone."""
    pale = torch.tensor([0.135, 0.215, 0.295])
    olive = torch.tensor([0.150, 0.160, 0.075])
    stops = torch.tensor([[0.165, 0.120, 0.052], [0.095, 0.046, 0.019], [0.026, 0.013, 0.008]])
    light = pale + skin.iris_yellow[:, None] * (olive - pale)

    def colour(melanin: Tensor) -> Tensor:
        t = (3 * melanin.clamp(0, 1))[:, None]
        first = light + t.clamp(0, 1) * (stops[0] - light)
        second = first + (t - 1).clamp(0, 1) * (stops[1] - first)
        return second + (t - 2).clamp(0, 1) * (stops[2] - second)

    # The middle has more melanin in light eyes, and is a little lighter in brown ones.
    more = 0.16 * (1 - 2 * skin.iris_melanin).clamp(min=-0.5)
    return colour(skin.iris_melanin), colour(skin.iris_melanin + more)


def _fine(mix: Mixer, skin: Skin, columns) -> None:
    turn = torch.sigmoid(1.5 * next(columns))
    for name, share in (("a", turn), ("b", 1 - turn)):
        mix.add(f"pores_{name}", HEIGHT, share * (0.03 + 0.10 * skin.pores))
        mix.add(f"pores_{name}", COVER, -share * (0.02 + 0.10 * skin.pores))
        mix.add(f"lines_{name}", HEIGHT, share * (0.02 + 0.02 * skin.wrinkles))
    mix.add("grain", HEIGHT, 0.012)
    mix.add("grain", ROUGHNESS, 0.02)
    for number in range(MOTTLES):
        own = 0.7 * next(columns)
        mix.tone(f"mottle_{number}", 0.016 * skin.mottling * own, 0.06 * skin.mottling * own)
    mix.tone("vessels", 0, 0.35 * skin.redness * (0.3 + ((skin.age - 25) / 40).clamp(0, 1)))
    mix.paint("beard_dots", 0.65 * skin.stubble, skin.stubble_colour)
    mix.paint("scalp_dots", 0.5 * skin.scalp, skin.scalp_colour)


BROAD_RANDOMS = 2 * sum(count for _, count in NOISE_BANDS) + FLUSHES
NARROW_RANDOMS = len(LINES) + VEINS + FIBRES + 2 + 1 + MOTTLES
"""How many normal numbers the weights of one person take."""
