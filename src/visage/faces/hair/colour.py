"""Colour of hair from its pigments."""

import numpy as np

# Absorption of pigments at unit concentration in linear red, green and blue (d'Eon et al. 2011,
# "An energy-conserving hair reflectance model", from measurements).
EUMELANIN = np.array([0.419, 0.697, 1.37])
PHEOMELANIN = np.array([0.187, 0.4, 1.05])
_ROUGHNESS = 0.3  # of a fibre, azimuthal
_PLAIN = 0.2  # share of what is scattered by the scales, and so without colour of its own
_FLOOR = 0.006  # what even black hair scatters
_WHITE = np.array([0.46, 0.45, 0.43])  # hair without pigment, seen as a tuft


def melanin_colour(eumelanin: float, pheomelanin: float) -> np.ndarray:
    """What a thick tuft of hair reflects, linear (3,).

    Chiang et al. (2016, "A practical and controllable hair and fur model", section 4.2) fit the
    absorption σ of a fibre whose hair has the colour C after all scattering:
    σ = (ln C / p(β))², with p a polynomial in the roughness β. Inverted, C = exp(-p(β) √σ).

    Args:
        eumelanin: concentration; about 0.05 is blond, 0.2 light brown, 0.4 brown, 0.8 dark brown,
            3 black.
        pheomelanin: concentration; about 0.5 with little eumelanin is red.

    >>> melanin_colour(0.4, 0.05).round(2).tolist()
    [0.08, 0.04, 0.02]
    """
    b = _ROUGHNESS
    p = 5.969 - 0.215 * b + 2.532 * b**2 - 10.73 * b**3 + 5.574 * b**4 + 0.245 * b**5
    absorption = eumelanin * EUMELANIN + pheomelanin * PHEOMELANIN
    colour = np.exp(-p * np.sqrt(absorption))
    return np.maximum(colour + _PLAIN * (colour.mean() - colour), _FLOOR)


def strand_colours(
    count: int,
    eumelanin: float,
    pheomelanin: float,
    greyness: float,
    seed: int,
    *,
    bundle: float = 8.0,
) -> np.ndarray:
    """Colours (count, 3) of strands: none is quite like the next, and some are greyer.

    Args:
        count: of strands; the first ones do not depend on it.
        eumelanin: mean concentration, see `melanin_colour`.
        pheomelanin: the same.
        greyness: share of hairs without pigment.
        seed: of what strands differ in.
        bundle: hairs that a strand stands for; the more there are, the less strands differ in
            their share of grey ones.
    """
    random = np.random.default_rng(seed)
    draws = random.standard_normal((count, 3)).astype(np.float32)
    base = melanin_colour(eumelanin, pheomelanin).astype(np.float32)
    tint = np.array([1, 0, -1], np.float32)
    colour = base * np.exp(0.22 * draws[:, :1] + 0.05 * draws[:, 1:2] * tint)
    # Grey hairs in a bundle are as many as chance makes them: a binomial, nearly normal.
    spread = np.sqrt(greyness * (1 - greyness) / bundle)
    share = np.clip(greyness + spread * draws[:, 2:], 0, 1)
    white = _WHITE * np.exp(0.12 * draws[:, :1])
    return (colour + share * (white - colour)).clip(0, 0.9).astype(np.float32)
