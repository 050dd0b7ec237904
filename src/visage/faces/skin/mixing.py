"""From a person's parameters to weights of the broad channels.

A texture is channels times weights: one column each for the indices of melanin and blood, a paint
that covers the tone (its share, and its colour times that share), roughness, specular, and height.
`visage.faces.skin.narrow` has the narrow channels.
"""

import torch
from torch import Tensor

from visage.faces.skin.channels import FLUSHES, NOISE_BANDS
from visage.faces.skin.compiled import (
    COVER,
    HAEMOGLOBIN,
    MELANIN,
    OUTPUTS,
    RED,
    ROUGHNESS,
    SPECULAR,
)
from visage.faces.skin.parameters import Skin

PAINT = slice(RED, RED + 3)

BROAD_RANDOMS = 2 * sum(count for _, count in NOISE_BANDS) + FLUSHES
"""How many normal numbers the weights of one person take."""

# Unevenness by wavelength, mm: of melanin and of blood, in indices, at a mottling of 1.
_UNEVEN = {75.0: (0.024, 0.05), 30.0: (0.018, 0.06), 12.0: (0.014, 0.06), 5.0: (0.014, 0.07)}

# Brows are darker than the scalp's hair, and turn grey years later.
_BROW_SHADE = 0.4

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
    mix.paint("beard", 0.48 * skin.stubble, skin.stubble_colour)
    mix.paint("brows", 0.30 * skin.brows, _BROW_SHADE * skin.scalp_colour)
    mix.paint("eye_shadow", 0.75 * skin.eye_shadow, skin.eye_shadow_colour)
    mix.tone("blush", 0, 0.30 * skin.blush)
    mix.paint("nostril", 0.85, torch.tensor([0.02, 0.007, 0.005]))
    _inside(mix)
    return mix.weights


def _uneven(mix: Mixer, skin: Skin, random: Tensor) -> None:
    columns = iter(random.T)
    # Old skin, and skin that the sun has seen, is more uneven.
    more = skin.mottling * (1 + 0.5 * ((skin.age - 35) / 40).clamp(0, 1))
    # The same difference of melanin shows more on dark skin.
    spared = 1 - 0.6 * skin.melanin
    for wavelength, count in NOISE_BANDS:
        melanin, blood = _UNEVEN[wavelength]
        for number in range(count):
            name, scale = f"noise_{wavelength:g}_{number}", more / count**0.5
            mix.tone(name, melanin * spared * scale * next(columns), blood * scale * next(columns))
    for number in range(FLUSHES):
        mix.tone(f"flush_{number}", 0, 0.045 * skin.redness * next(columns))


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
