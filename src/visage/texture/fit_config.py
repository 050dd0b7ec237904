"""How a model fit goes."""

from __future__ import annotations

from dataclasses import dataclass

from visage.texture.errors import ModelFitError


@dataclass(frozen=True)
class FitConfig:
    """Equation 1's weights and the solver's numbers.

    Where the paper gives none, they were chosen on the world's validation people.
    """

    w_c: float = 1.0  # the paper's; of colours in [0, 1]
    w_lan: float = 10.0  # the paper's; of distances in `landmark_unit`
    w_reg: float = 2.5e-5  # the paper's; of squared standard deviations
    steps: tuple[int, ...] = (30, 10, 3)  # the paper's, from the coarsest level to the finest
    pixels: tuple[int, ...] = (1500, 3000, 6000)  # a level, at most: M is thinned out evenly. The
    # paper's GPU takes all; neighbours say much the same, and time grows with their number.
    landmark_unit: float = 150.0  # mm at the head; the paper does not say of what its pixels are
    turned: float = 8.0  # times that unit where the head is turned by 33 degrees or more: there a
    # detector's points look further to the front than the face does, by 5 to 10 degrees
    blur: float = 0.7  # of each level's pixels: bilinear sampling needs a smooth picture
    least: float = 0.01  # colour difference from which ‖·‖ is reweighted: 1/‖r‖ has a pole at 0
    oblique: float = 0.25  # cosine below which skin is not compared: outlines are unsure
    landmark_steps: int = 8  # on landmarks alone before the first level
    refresh: int = 3  # steps until what is seen, and how normals turn, are found anew
    damping: float = 1e-3  # of the first step (Marquardt's)
    enough: float = 1e-4  # share of the energy below which two gains in a row end a level
    detector: bool = True  # landmarks are a detector's, whose bias is known; False: the model's

    def __post_init__(self):
        if not self.steps or len(self.steps) != len(self.pixels):
            raise ModelFitError(
                f"{len(self.steps)} counts of steps and {len(self.pixels)} of pixels; give as many "
                "of each, one a level"
            )
        if min(self.pixels) < 1 or min(self.steps) < 0 or self.refresh < 1:
            raise ModelFitError("a level has no pixels, or steps below 0; give at least 1 and 0")
        if not (self.w_c > 0 and self.w_lan > 0 and self.w_reg > 0):
            raise ModelFitError("a weight of the energy is not positive; give positive numbers")
