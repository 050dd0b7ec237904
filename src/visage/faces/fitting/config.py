"""How a fit goes."""

from dataclasses import dataclass

from visage.faces.fitting.unknowns import FittingError


@dataclass(frozen=True)
class FittingConfig:
    """How a fit goes; chosen on the world's validation people."""

    landmark_weight: float = 0.5  # below 1: their errors are not quite normal, and have outliers
    regression_weight: float = 0.8  # below 1: pixels, landmarks and cascade see the same picture
    landmark_steps: int = 12  # before the pixels count
    pixel_weights: tuple[float, ...] = (0.03, 0.1, 0.3)  # one a level; neighbours are not
    # independent, nor are colours, so that each pixel is worth less than a whole one.
    blur: tuple[float, ...] = (1.0, 1.0, 0.7)  # mm; more would mix the face with what is around it
    steps: tuple[int, ...] = (10, 10, 16)  # a level; the last gains little from more
    refresh: int = 4  # steps until visibility and shadows are found anew; derivatives every other
    robust: float = 2.0  # standard deviations at which a point counts a quarter
    oblique: float = 0.15  # cosine below which a surface is not compared: outlines are unsure
    key_radii: tuple[float, ...] = (0.02, 0.08, 0.18, 0.35, 0.6)  # radians, tried after level one
    first_radius: float = 0.14  # until then
    damping: float = 1e-3  # of the first step

    def __post_init__(self):
        if not len(self.pixel_weights) == len(self.blur) == len(self.steps):
            raise FittingError(
                f"{len(self.pixel_weights)} pixel weights, {len(self.blur)} blurs and "
                f"{len(self.steps)} counts of steps; give as many of each"
            )
