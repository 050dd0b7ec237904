"""Kinds of beards, as numbers for `visage.faces.hair.facial`."""

from dataclasses import dataclass

from visage.faces.hair.styles import Locks

_STRAIGHT = Locks(clumping=0, frizz=0.2)


@dataclass(frozen=True)
class Beard:
    """A beard. Lengths in mm; shares of the hairs that grow, 0 to 1."""

    length: float  # on lip and cheeks
    chin: float  # on the chin
    lip: float = 1.0  # share above the lip
    goatee: float = 1.0  # on the chin and beside the mouth
    rest: float = 1.0  # on cheeks, jaw and throat
    count: int = 11000  # hairs, if they grew everywhere
    width: float = 0.28
    points: int = 4
    locks: Locks = _STRAIGHT


BEARDS: dict[str, Beard] = {
    "stubble": Beard(1.4, 1.8, rest=0.75, width=0.15, points=3),
    "moustache": Beard(9, 9, goatee=0, rest=0, points=6, locks=Locks(4, 0.3, 0.4, 9, frizz=0.8)),
    "goatee": Beard(9, 14, rest=0, points=6, locks=Locks(4, 0.3, 0.6, 10, frizz=1.0)),
    "short_beard": Beard(5, 8, points=5, locks=Locks(3, 0.2, 0.4, 9, frizz=0.7)),
    "full_beard": Beard(14, 30, points=10, locks=Locks(5, 0.4, 1.2, 14, frizz=1.8)),
}
"""By name; `visage.faces.hair.traits.SHAVEN` is no beard."""
