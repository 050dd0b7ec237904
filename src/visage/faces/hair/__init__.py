"""Hair, brows, lashes and beards: strands that grow on the mean head and follow any other."""

from visage.faces.hair.growing import Hair, HairError, brows_at_rest, carry, grow, sample_hair
from visage.faces.hair.sampling import with_skin

__all__ = ["Hair", "HairError", "brows_at_rest", "carry", "grow", "sample_hair", "with_skin"]
