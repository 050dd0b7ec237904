"""From a person's parameters to weights of the narrow channels: lips, lids, lines, teeth, eyes."""

import torch
from torch import Tensor

from visage.faces.skin.compiled import COVER, HEIGHT, ROUGHNESS
from visage.faces.skin.details import MOTTLES
from visage.faces.skin.eyes import FIBRES, PUPILS, VEINS
from visage.faces.skin.mixing import PAINT, Mixer
from visage.faces.skin.parameters import Skin
from visage.faces.skin.wrinkles import LINES

NARROW_RANDOMS = len(LINES) + VEINS + FIBRES + 2 + 1 + MOTTLES
"""How many normal numbers the weights of one person take."""

# mm at full strength, and how much of that a young face has, by name of line.
_DEPTHS = {
    "forehead_a": (0.50, 0.04),
    "forehead_b": (0.50, 0.02),
    "glabella": (0.42, 0.01),
    "crow": (0.38, 0.01),
    "under_eye": (0.34, 0.16),
    "trough": (0.45, 0.14),
    "nasolabial": (0.85, 0.13),
    "marionette": (0.50, 0.03),
    "chin_fold": (0.35, 0.15),
    "lip_lines": (0.17, 0.0),
    "cheek_lines": (0.30, 0.0),
    "neck_lines": (0.60, 0.10),
}


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
    lighter = (skin.melanin - 0.35) * (0.10 + 0.26 * skin.lip_contrast)
    mix.tone("lips", 0.05 - lighter, (0.36 + 0.50 * skin.lip_redness) * (1 - 0.25 * old))
    mix.shine("lips", -0.10 - 0.08 * skin.lipstick, 0.1)
    mix.paint("lips", 0.80 * skin.lipstick, skin.lipstick_colour)
    mix.add("lip_folds", HEIGHT, -0.035 - 0.03 * old)
    mix.tone("lip_folds", 0.006, 0.03)
    mix.paint("lip_seam", 0.45, torch.tensor([0.05, 0.012, 0.010]))


def _lids(mix: Mixer, skin: Skin) -> None:
    dark = torch.tensor([0.025, 0.017, 0.014])
    mix.paint("upper_lash", 0.45 + 0.5 * skin.eyeliner, dark)
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
        mix.add(f"veins_{vein}", PAINT, own * red * torch.tensor([-0.03, -0.14, -0.14]))

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
        mix.add(f"shaded_{which}", PAINT, -0.35 * used * outer)
        mix.add(f"collarette_{which}", PAINT, 0.22 * used * outer)
        mix.add(f"crypts_{which}", PAINT, -0.30 * used * crypts[:, None] * outer)
        mix.add(f"sector_{which}", PAINT, 0.6 * used * sector[:, None] * (inner - outer))
        for fibre in range(FIBRES):
            amount = used * ((0.12 + 0.3 * skin.iris_contrast) * fibres[:, fibre])[:, None]
            mix.add(f"fibre_{fibre}_{which}", PAINT, amount * outer)


def _iris_colours(skin: Skin) -> tuple[Tensor, Tensor]:
    """Colours (B, 3) of the outer and the inner zone."""
    pale = torch.tensor([0.130, 0.185, 0.235])
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
        mix.add(f"pores_{name}", HEIGHT, share * (0.03 + 0.15 * skin.pores))
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
