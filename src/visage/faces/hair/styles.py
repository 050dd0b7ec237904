"""Ways to wear hair and beard, as numbers for `visage.faces.hair.growth`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Locks:
    """How strands join into locks and curl. Lengths in mm."""

    clump: float = 9  # distance between locks
    clumping: float = 0.5  # how far strands join their lock at the tip, 0 to 1
    curl: float = 0.0  # radius of the curls
    turn: float = 40  # length of one turn
    flat: float = 0.0  # 1 makes the curls waves, 0 helices
    curl_from: float = 15  # length over which curls grow to their full radius
    frizz: float = 1.0  # disorder at the tips


LOOSE = Locks()
"""Straight hair."""


@dataclass(frozen=True)
class HairStyle:
    """How scalp hair grows, falls and is combed. Lengths in mm; directions in the head frame.

    A strand starts along the skin's normal (`lift`) and the comb's direction, and bends towards
    comb and gravity as it grows; it slides over the skin at its own height, up to `volume`.
    """

    length: float  # on top
    sides: float  # length over the ears
    nape: float  # length at the back of the neck
    fringe: float = 0  # length of a fringe that is combed over the forehead; 0 is none
    fringe_half: float = 38  # half the fringe's width
    spread: float = 0.15  # standard deviation of length, as a share
    cut: float = -1000  # height above the eyes at which all is cut off, such as a bob's edge
    lift: float = 0.5  # share of the normal in the first direction
    lifted: float = 15  # length over which the lift fades
    volume: float = 8  # thickness of the head of hair over the skin
    stiffness: float = 0.7  # share of the old direction that is kept at each 5 mm
    gravity: float = 0.5
    hold: float = 0.8  # how firmly the comb presses hair to its layer
    guard: float = 1.0  # how firmly hair is kept out of the face
    sphere: float = 0.0  # radius of the ball that hair is trimmed to; 0 is none
    whorl: float = 0.0  # comb away from the crown, as short hair falls by itself
    back: float = 0.0  # comb to the back
    part: float = 0.0  # comb to both sides of a parting
    part_at: float = 0.0  # where it is, to the person's left
    up: float = 0.0  # comb upwards at the front: a quiff
    gather: tuple[float, float, float] | None = None  # where all hair is tied together
    tail: float = 0.0  # length behind the tie
    bun: float = 0.0  # radius of a bun at the tie, instead of a tail
    height: float = 0.0  # by which the hairline lies higher
    recession: float = 0.0  # by which the temples do, in addition
    bald: float = 0.0  # 0 to 1, how far the top is bare
    density: float = 1.0  # relative number of strands
    width: float = 1.0  # of strands, relative
    points: int = 20  # points a strand
    locks: Locks = LOOSE


STYLES: dict[str, HairStyle] = {
    "buzz": HairStyle(
        length=7, sides=6, nape=5, spread=0.12, lift=0.2, volume=2.5, gravity=0.02, whorl=1.0,
        points=3, density=3.0, width=1.45, stiffness=0.6, locks=Locks(clumping=0.0, frizz=0.5),
    ),
    "crop": HairStyle(
        length=32, sides=13, nape=9, spread=0.2, lift=0.4, volume=9, gravity=0.08, whorl=1.0,
        points=9, stiffness=0.6, guard=0.3, density=1.4, locks=Locks(clump=7, clumping=0.6,
        frizz=1.2, curl=1.2, turn=45),
    ),
    "side_part": HairStyle(
        length=72, sides=18, nape=11, spread=0.12, lift=0.5, volume=12, gravity=0.12, part=0.9,
        part_at=30, back=0.4, whorl=0.1, points=14, stiffness=0.6, density=1.2, locks=Locks(clump=9,
        clumping=0.6, frizz=1.0, curl=1.2, turn=80, flat=0.7),
    ),
    "quiff": HairStyle(
        length=62, sides=11, nape=9, spread=0.12, lift=0.75, lifted=20, volume=14, gravity=0.03,
        back=1.0, up=0.7, points=14, stiffness=0.7, density=1.3, locks=Locks(clump=9, clumping=0.65,
        frizz=1.2, curl=2, turn=60, flat=0.7),
    ),
    "slicked": HairStyle(
        length=95, sides=75, nape=30, spread=0.1, lift=0.3, volume=7, gravity=0.12, back=1.0,
        points=16, stiffness=0.6, recession=3, locks=Locks(clump=8, clumping=0.7, frizz=0.5),
    ),
    "curly": HairStyle(
        length=85, sides=75, nape=60, spread=0.15, lift=0.8, lifted=25, volume=26, gravity=0.15,
        whorl=0.45, part=0.2, points=40, stiffness=0.7, density=0.9, sphere=140, hold=0.4,
        guard=0.5, locks=Locks(curl=5.5, turn=24, clump=9, clumping=1.0, frizz=0.8),
    ),
    "afro": HairStyle(
        length=62, sides=52, nape=35, spread=0.08, lift=1.0, lifted=100, volume=45, gravity=0.0,
        whorl=0.0, points=44, stiffness=0.9, density=1.0, sphere=132, hold=0.0, guard=0.0,
        locks=Locks(curl=3.0, turn=10, curl_from=6, clump=5, clumping=0.35, frizz=2.5),
    ),
    "coils": HairStyle(
        length=16, sides=11, nape=8, spread=0.15, lift=0.8, lifted=30, volume=14, gravity=0.0,
        whorl=0.2, points=14, stiffness=0.8, density=2.0, hold=0.0, guard=0.0, locks=Locks(curl=1.6,
        turn=7, curl_from=3, clump=4, clumping=0.4, frizz=1.0),
    ),
    "bob": HairStyle(
        length=230, sides=190, nape=120, fringe=62, spread=0.04, cut=-88, lift=0.45, volume=12,
        gravity=0.75, whorl=0.7, points=22, locks=Locks(clump=10, clumping=0.35,
        frizz=1.2),
    ),
    "long_straight": HairStyle(
        length=330, sides=300, nape=260, spread=0.08, lift=0.45, volume=11, gravity=0.8, part=0.9,
        back=0.4, points=26, locks=Locks(clump=12, clumping=0.5, frizz=2),
    ),
    "long_wavy": HairStyle(
        length=310, sides=280, nape=240, spread=0.12, lift=0.55, lifted=20, volume=16, gravity=0.7,
        part=0.9, part_at=22, back=0.4, points=42, locks=Locks(curl=8, turn=95, flat=0.6,
        curl_from=70, clump=15, clumping=0.8, frizz=2.5),
    ),
    "shoulder": HairStyle(
        length=210, sides=180, nape=150, spread=0.1, lift=0.55, lifted=20, volume=15, gravity=0.65,
        part=0.9, part_at=-24, back=0.4, points=26, locks=Locks(curl=5, turn=90, flat=0.7,
        curl_from=70, clump=12, clumping=0.7, frizz=2),
    ),
    "ponytail": HairStyle(
        length=150, sides=150, nape=150, spread=0.05, lift=0.15, volume=5, gravity=0.0, gather=(0.0,
        48.0, -96.0), tail=210, points=32, stiffness=0.5, hold=1.0, locks=Locks(clump=8,
        clumping=0.35, frizz=0.7),
    ),
    "bun": HairStyle(
        length=150, sides=150, nape=150, spread=0.05, lift=0.15, volume=5, gravity=0.0, gather=(0.0,
        84.0, -76.0), tail=150, bun=26, points=34, stiffness=0.5, hold=1.0, locks=Locks(clump=8,
        clumping=0.35, frizz=0.7),
    ),
    "receding": HairStyle(
        length=26, sides=14, nape=9, spread=0.2, lift=0.3, volume=7, gravity=0.08, whorl=0.0,
        back=0.9, points=9, height=9, recession=16, bald=0.35, density=1.0, stiffness=0.6,
        locks=Locks(clump=7, clumping=0.5, frizz=1.2),
    ),
    "horseshoe": HairStyle(
        length=18, sides=14, nape=9, spread=0.2, lift=0.35, volume=6, gravity=0.12, whorl=0.7,
        points=8, height=14, recession=14, bald=1.0, stiffness=0.6, locks=Locks(clump=7,
        clumping=0.4, frizz=1.2),
    ),
}  # fmt: skip
"""By name. A bald head has no style, and no strands."""
