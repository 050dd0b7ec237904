"""What hair one person has, as numbers."""

from dataclasses import dataclass

BALD = "bald"
"""The style of a head without strands."""

SHAVEN = "none"
"""The beard of a face without one."""


class HairError(ValueError):
    """Hair that cannot be grown."""


@dataclass(frozen=True)
class Hair:
    """One person's hair. Equal ones grow alike, strand by strand."""

    style: str = "side_part"  # a key of `STYLES`, or `BALD`
    variant: int = 0  # which of the ways in which a style is grown
    eumelanin: float = 0.4  # brown pigment; see `visage.faces.hair.colour.melanin_colour`
    pheomelanin: float = 0.05  # red pigment
    greyness: float = 0.0  # share of strands without pigment
    thickness: float = 1.0  # of strands; thin hair lets the scalp show
    brow_thickness: float = 1.0
    brow_density: float = 1.0
    brow_arch: float = 0.0  # mm
    brow_lift: float = 0.0  # mm
    lash_length: float = 9.0  # mm, of the longest
    beard: str = SHAVEN  # a key of `BEARDS`, or `SHAVEN`
    beard_length: float = 1.0  # factor
    beard_density: float = 1.0  # factor
    seed: int = 0  # of brows, lashes, beard, and the colours of single strands
