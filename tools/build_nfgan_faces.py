"""The faces that Part III's explorers show: `python -m tools.build_nfgan_faces`.

Writes ``src/visage/explore/nfgan/faces.png`` and ``faces.json``: synthetic test people, a picture
of each and the normalized face that belongs to it. Draws them where the cache does not hold them,
which takes some minutes.

With ``--subsets`` it writes ``subsets.webp`` and ``subsets.json`` instead: what the 31 generators
of `nfgan/loss_subsets` make of the first of those people, and the five losses of that. Trains
those that the cache does not hold, a minute each; letters after it name fewer of them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import torch

from visage.explore.five_losses_explorer import PEOPLE as SHOWN
from visage.explore.five_losses_explorer import load_judge
from visage.explore.nfgan_faces import ShownPeople, shown_people, write_sheet, write_subsets
from visage.faces.expressions import EXPRESSIONS
from visage.nfgan.networks import normalized
from visage.nfgan.pairs import EACH, Pairs, pairs, shown
from visage.nfgan.plans import SUBSETS, subset_name
from visage.nfgan.study import trained

PEOPLE = 40  # of the test split, to choose from
LEADING = (
    (7, "happiness"),
    (14, "disgust"),
    (3, "surprise"),
    (19, "fear"),
    (10, "sadness"),
    (37, "anger"),
    (16, "happiness"),
    (36, "surprise"),
)
"""Who comes first, and looking how: long hair, beards, glasses, dark and light skin."""

COUNT = 32


def chosen(found: Pairs) -> list[int]:
    """Rows of the pictures to show: the leading ones, then the next people in turn."""
    names = tuple(EXPRESSIONS)
    leaders = {person for person, _ in LEADING}
    others = [person for person in range(PEOPLE) if person not in leaders]
    moods = [names[1 + number % (len(names) - 1)] for number in range(len(others))]
    wanted = [*LEADING, *zip(others, moods, strict=True)][:COUNT]
    return [row_of(found, person, names.index(mood)) for person, mood in wanted]


def row_of(found: Pairs, person: int, expression: int) -> int:
    """The picture of a person making an expression."""
    here = (found.person == person) & (found.expression == expression)
    return int(here.nonzero()[0, 0])


@torch.no_grad()
def write_made_by(subsets: Sequence[str]) -> None:
    """What each of these subsets' generators makes of the explorer's people."""
    people, judge = shown_people().first(SHOWN), load_judge()
    faces = {
        letters: normalized(trained(subset_name(letters), "full"), people.inputs)
        for letters in subsets
    }
    values = {
        letters: judge(people.inputs, made, people.targets) for letters, made in faces.items()
    }
    write_subsets(faces, values)
    print(f"{len(faces)} generators, {SHOWN} people")


def main() -> None:
    """Write both files."""
    if sys.argv[1:2] == ["--subsets"]:
        write_made_by(sys.argv[2:] or SUBSETS)
        return
    found = pairs("test", PEOPLE, EACH)
    rows = torch.tensor(chosen(found))
    moods = [tuple(EXPRESSIONS)[place] for place in found.expression[rows].tolist()]
    people = ShownPeople(shown(found.inputs[rows]), shown(found.targets_of(rows)), tuple(moods))
    write_sheet(people)
    print(f"{len(people)} people: {', '.join(people.names[: len(LEADING)])}")


if __name__ == "__main__":
    main()
