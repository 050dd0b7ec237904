"""Two pictures each of people of the test side: what type I and II acceptance is measured on."""

from __future__ import annotations

from functools import lru_cache

import torch

from visage.faces.dataset import SyntheticFaces
from visage.faces.portraits import Detail
from visage.photos.alignment import align
from visage.photos.lfw import open_lfw
from visage.recognition.encoder import Encoder, embed_mirrored
from visage.recognition.examples import RENDERED, Examples, lfw_examples

DEVELOPMENT = 60
"""People of LFW's test side, the first by name, on whom settings were chosen."""


def lfw_pairs(encoder: Encoder, count: int | None = None) -> tuple[Examples, Examples]:
    """Two photographs of each of LFW's test people who have two.

    Args:
        encoder: what embeds them.
        count: people at most; all if None.

    Returns:
        The first photographs and the second ones, of the same people in the same order.

    Raises:
        LFWNotFoundError: the data set is not there.
    """
    both = lfw_examples(encoder, open_lfw(), "test", 630, per_person=2, least=2)
    of = {name: row for row, name in enumerate(both.names)}
    people = sorted({name.rsplit("/", 1)[0] for name in both.names})
    photos = {person: sorted(n for n in of if n.rsplit("/", 1)[0] == person) for person in people}
    pairs = [(of[some[0]], of[some[1]]) for some in photos.values() if len(some) == 2][:count]
    first, second = zip(*pairs, strict=True)
    return both.chosen(first), both.chosen(second)


def judged_pairs(encoder: Encoder, count: int | None = None) -> tuple[Examples, Examples]:
    """`lfw_pairs` without the people on whom settings were chosen."""
    pairs = lfw_pairs(encoder)
    rows = range(DEVELOPMENT, len(pairs[0].names))[:count]
    return tuple(some.chosen(rows) for some in pairs)


@lru_cache(maxsize=2)
def synthetic_pairs(encoder: Encoder, count: int, seed: int) -> tuple[Examples, Examples]:
    """Two pictures of each of some test people who do not exist, in other light and expression."""
    faces = SyntheticFaces(count, 2, size=RENDERED, seed=seed, split="test",
                           answers=("landmarks",),
                           detail=Detail(texture=512, strands=3000, supersample=2))  # fmt: skip
    chips = []
    for rows in torch.arange(2 * count).split(16):
        items = faces.__getitems__(rows.tolist())
        images, points = (torch.stack([i[n] for i in items]) for n in ("image", "landmarks"))
        cut = align(images, points, encoder.crop, padding="border")
        chips.append((255 * cut).round().to(torch.uint8))
    chips = torch.cat(chips)
    with torch.no_grad():
        found = [embed_mirrored(encoder, c.float() / 255) for c in chips.split(32)]
    names = tuple(f"synthetic-test/{n // 2}" for n in range(2 * count))
    both = Examples(names, chips, torch.cat(found))
    return tuple(both.chosen(range(n, 2 * count, 2)) for n in (0, 1))
