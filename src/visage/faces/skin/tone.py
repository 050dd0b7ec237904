"""The colour of skin from two numbers: how much melanin it has, and how much blood.

Light passes the epidermis, where melanin absorbs it, is scattered back by the dermis, where blood
absorbs it, and passes the epidermis again. Each layer is a Kubelka-Munk layer at 31 wavelengths;
the reflectance is seen by the CIE 1931 observer under daylight (D65) and given in linear sRGB.

Optical properties are about those collected by Jacques, "Skin Optics" (Oregon Medical Laser Center
News, 1998), and haemoglobin's extinction is Prahl's tabulation (OMLC, 1999). What these leave open
is fitted to colours of people: about L* 67, a* 10, b* 15 for light skin, L* 38, a* 13, b* 17 for
brown skin, and an a* that doubles in a flush while b* falls by a third.
"""

import math
from functools import lru_cache

import torch
from torch import Tensor

MELANIN = (0.012, 0.38)
"""Volume fraction of melanosomes in the epidermis at index 0 and 1: 1.3 to 43% in Jacques 1998."""

BLOOD = (0.004, 0.06)
"""Volume fraction of blood in the dermis at index 0 and 1: 0.2 to 7% in Jacques 1998."""

# cm. The living epidermis of the face is about 0.06 mm; melanin sits in a part of it.
_EPIDERMIS = 0.006
# Scattering of the epidermis relative to the dermis, whose collagen scatters most.
_CLEAR = 0.7
# Share of the blood that carries oxygen: arteries nearly 1, veins and the plexus about 0.6.
_OXYGEN = 0.8
# Peak of carotene and bilirubin in the dermis, 1/cm, and how much more of it comes with blood, by
# fit: without them light skin is pink, and flushed skin mauve.
_CAROTENE, _PLASMA = 1.6, 30.0
# Diffuse light inside a medium of index 1.4 is reflected at the surface; roughness lets more of it
# out than a smooth boundary (0.5, Walsh 1926). Fitted to the lightness of light skin.
_INTERNAL = 0.34
# What the horny layer scatters back before any pigment: it keeps very dark skin from being red.
_HORNY = 0.008

_WAVELENGTHS = range(400, 701, 10)  # nm
# Molar extinction in 1/(cm mol/l): oxygenated and deoxygenated haemoglobin (Prahl 1999).
_OXY = (
    266232, 466840, 480360, 246072, 102580, 62816, 44480, 33209, 26629, 23684, 20933, 20035, 24202,
    39957, 53236, 43016, 32613, 44496, 50104, 14400, 3200, 1506, 942, 610, 442, 368, 320, 294, 278,
    276, 290,
)  # fmt: skip
_DEOXY = (
    223296, 303956, 407560, 528600, 413280, 103292, 23389, 16156, 14550, 16684, 20862, 25774, 31590,
    39036, 46592, 53412, 53788, 45072, 37020, 28324, 14677, 9444, 6510, 5149, 4345, 3750, 3227,
    2795, 2408, 2052, 1794,
)  # fmt: skip
# Relative power of daylight, CIE standard illuminant D65.
_D65 = (
    82.75, 91.49, 93.43, 86.68, 104.86, 117.01, 117.81, 114.86, 115.92, 108.81, 109.35, 107.80,
    104.79, 107.69, 104.41, 104.05, 100.00, 96.33, 95.79, 88.69, 90.01, 89.60, 87.70, 83.29, 83.70,
    80.03, 80.21, 82.28, 78.28, 69.72, 71.61,
)  # fmt: skip
_XYZ_TO_RGB = (
    (3.2404542, -1.5371385, -0.4985314),
    (-0.9692660, 1.8760108, 0.0415560),
    (0.0556434, -0.2040259, 1.0572252),
)


def skin_colour(melanin: Tensor, haemoglobin: Tensor) -> Tensor:
    """Albedo of skin: a layer with melanin on a thick one with blood.

    With absorption K = 2 μ_a and scattering S = ¾ μ_s' (Star et al. 1988), the dermis reflects
    R = 1 + K/S - √((K/S)² + 2 K/S), the epidermis reflects R₁ and passes T₁, and both together
    R₁ + T₁² R / (1 - R₁ R) (Kubelka 1954). Of that, the surface keeps a part inside (Saunderson
    1942). Indices are logarithms of volume fractions, which makes equal steps look about equal.

    Args:
        melanin: (...), index in [0, 1] of `MELANIN`. Beyond, it extrapolates.
        haemoglobin: (...), index of `BLOOD`; broadcast with `melanin`.

    Returns:
        (..., 3) linear sRGB in [0, 1], differentiable.

    >>> light, dark = skin_colour(torch.tensor([0.1, 0.9]), torch.tensor(0.4))
    >>> bool((light > dark).all() and light[0] > light[1] > light[2])
    True
    """
    melanin, haemoglobin = torch.broadcast_tensors(melanin, haemoglobin)
    optics = _optics(melanin.dtype, melanin.device)
    melanosomes = _fraction(melanin, MELANIN)[..., None]  # (..., 1)
    blood = _fraction(haemoglobin, BLOOD)[..., None]
    upper = melanosomes * optics["melanin"] + (1 - melanosomes) * optics["baseline"]
    lower = blood * optics["blood"] + (1 - blood) * optics["baseline"]
    lower = lower + (1 + _PLASMA * blood) * optics["carotene"]

    scatter = 0.75 * optics["scattering"]
    ratio = 2 * lower / scatter
    deep = 1 + ratio - (ratio * (ratio + 2)).sqrt()
    reflected, passed = _layer(2 * upper, _CLEAR * scatter, _EPIDERMIS)
    both = reflected + passed.square() * deep / (1 - reflected * deep)
    seen = (1 - _INTERNAL) * both / (1 - _INTERNAL * both)
    seen = _HORNY + (1 - _HORNY) * seen
    # The reddest of skins leave the primaries of sRGB by a hair.
    return (seen @ optics["observer"]).clamp(min=1e-4)


def tone_table(melanins: int = 64, haemoglobins: int = 32) -> Tensor:
    """`skin_colour` on a grid, for lookup with bilinear interpolation.

    Returns:
        (melanins, haemoglobins, 3) linear sRGB; the first and last rows and columns are at the
        indices 0 and 1.
    """
    rows = torch.linspace(0, 1, melanins, dtype=torch.float64)[:, None]
    return skin_colour(rows, torch.linspace(0, 1, haemoglobins, dtype=torch.float64)).float()


def typology_angle(albedo: Tensor) -> Tensor:
    """Individual typology angle, arctan((L* - 50)/b*), of linear sRGB colours (..., 3).

    Returns:
        (...) degrees: above 55 very light, 41 light, 28 intermediate, 10 tan, -30 brown, else dark
        (Chardon et al. 1991).
    """
    to_rgb = albedo.new_tensor(_XYZ_TO_RGB)
    xyz = albedo @ torch.linalg.inv(to_rgb).T
    white = torch.linalg.inv(to_rgb).sum(1)
    ratio = xyz / white
    bent = torch.where(ratio > 216 / 24389, ratio.clamp(min=1e-9) ** (1 / 3),
                       (ratio * 24389 / 27 + 16) / 116)  # fmt: skip
    lightness, yellow = 116 * bent[..., 1] - 16, 200 * (bent[..., 1] - bent[..., 2])
    return torch.rad2deg(torch.atan2(lightness - 50, yellow))


def _fraction(index: Tensor, ends: tuple[float, float]) -> Tensor:
    return ends[0] * (math.log(ends[1] / ends[0]) * index).exp()


def _layer(absorb: Tensor, scatter: Tensor, thickness: float) -> tuple[Tensor, Tensor]:
    """Reflectance and transmittance of a Kubelka-Munk layer (Kubelka 1948)."""
    a = 1 + absorb / scatter
    b = (a * a - 1).sqrt()
    sinh, cosh = (b * scatter * thickness).sinh(), (b * scatter * thickness).cosh()
    bottom = a * sinh + b * cosh
    return sinh / bottom, b / bottom


@lru_cache(maxsize=8)
def _optics(dtype: torch.dtype, device: torch.device) -> dict[str, Tensor]:
    """Spectra (31,) in 1/cm, and the observer (31, 3)."""
    nm = torch.tensor(list(_WAVELENGTHS), dtype=torch.float64)
    oxy, deoxy = torch.tensor(_OXY).double(), torch.tensor(_DEOXY).double()
    power = torch.tensor(_D65, dtype=torch.float64)[:, None] * _matching(nm)
    observer = power / power[:, 1].sum() @ torch.tensor(_XYZ_TO_RGB).double().T
    spectra = {
        "melanin": 6.6e11 * nm**-3.33,
        "baseline": 0.244 + 85.3 * (-(nm - 154) / 66.2).exp(),
        "carotene": _CAROTENE * (-0.5 * ((nm - 465) / 36) ** 2).exp(),
        # 150 g of haemoglobin a litre of blood, 64,500 g a mole.
        "blood": 2.303 * (_OXYGEN * oxy + (1 - _OXYGEN) * deoxy) * 150 / 64500,
        "scattering": 2e5 * nm**-1.5 + 2e12 * nm**-4,
        # The approximated observer leaves white a little off; a white surface must be white.
        "observer": observer / observer.sum(0),
    }
    return {name: value.to(device, dtype) for name, value in spectra.items()}


def _matching(nm: Tensor) -> Tensor:
    """CIE 1931 matching functions (n, 3) as sums of lobes (Wyman, Sloan and Shirley 2013)."""
    lobes = (
        ((1.056, 599.8, 37.9, 31.0), (0.362, 442.0, 16.0, 26.7), (-0.065, 501.1, 20.4, 26.2)),
        ((0.821, 568.8, 46.9, 40.5), (0.286, 530.9, 16.3, 31.1)),
        ((1.217, 437.0, 11.8, 36.0), (0.681, 459.0, 26.0, 13.8)),
    )
    return torch.stack(
        [
            sum(
                height * (-0.5 * ((nm - mid) / torch.where(nm < mid, left, right)) ** 2).exp()
                for height, mid, left, right in curve
            )
            for curve in lobes
        ],
        1,
    )
