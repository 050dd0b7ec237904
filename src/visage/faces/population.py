"""People who do not exist, drawn from a seed.

A person is a number: person i of a split of a world (seed) is the same on every machine, whoever
else is drawn with them. Splits hold different people, so that nothing that is trained on one is
evaluated on a face that it has seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from visage.faces.hair import Hair, sample_hair, with_skin
from visage.faces.shape import MorphableModel
from visage.faces.skin import Skin, sample_skin, skin_under
from visage.faces.wear.garments import Garment, sample_garments
from visage.faces.wear.spectacles import GlassesParameters, sample_glasses

__all__ = ["SPLITS", "People", "PopulationError", "people", "seed_of"]

SPLITS = ("train", "validation", "test")


class PopulationError(ValueError):
    """People or pictures that cannot be drawn."""


@dataclass(frozen=True, eq=False)
class People:
    """B people: what stays the same from picture to picture."""

    seeds: Tensor  # (B,) int64, all that follows is a function of it
    identity: Tensor  # (B, 80), standard deviations, see `MorphableModel`
    labels: dict[str, Tensor]  # (B,) each: sex, age, nose_width, ..., see `MorphableModel.read`
    skin: Skin
    hair: tuple[Hair, ...]
    garment: Garment
    glasses: GlassesParameters

    def __len__(self) -> int:
        """People in the batch."""
        return len(self.seeds)

    def __getitem__(self, index: slice | Sequence[int] | Tensor) -> "People":
        """Some of the people, or some of them several times."""
        if not isinstance(index, slice):
            index = torch.as_tensor(index, dtype=torch.int64)
        chosen = torch.arange(len(self))[index].tolist()
        return People(
            self.seeds[index],
            self.identity[index],
            {name: values[index] for name, values in self.labels.items()},
            _rows(self.skin, index),
            tuple(self.hair[i] for i in chosen),
            _rows(self.garment, index),
            _rows(self.glasses, index),
        )


def people(
    model: MorphableModel, seed: int, indices: Sequence[int], *, split: str = "train"
) -> People:
    """Draw people.

    Args:
        model: whose identities they have; either level of subdivision gives the same people.
        seed: of the world.
        indices: B numbers of people, from 0.
        split: one of `SPLITS`; each has people of its own.

    Returns:
        B people, on the CPU; person i depends on (seed, split, i) only.

    Raises:
        PopulationError: an index or the seed is negative, or there is no such split.

    >>> model = MorphableModel.load()
    >>> pair = people(model, 0, [4, 5], split="test")
    >>> alone = people(model, 0, [5], split="test")
    >>> torch.equal(pair[1:].identity, alone.identity)
    True
    """
    if split not in SPLITS:
        raise PopulationError(f"no split {split!r}; choose among {', '.join(SPLITS)}")
    seeds = torch.tensor(
        [seed_of(seed, SPLITS.index(split), index) for index in indices], dtype=torch.int64
    )
    generator = torch.Generator()
    # One by one: a product of many rows rounds otherwise than a product of one.
    rows = [model.sample_identity(1, generator.manual_seed(seed)) for seed in seeds.tolist()]
    read = [model.read(row) for row in rows]
    none = model.mean.new_zeros(0, len(model.identity_basis))
    identity = torch.cat([none, *rows]).cpu()
    labels = {
        name: torch.cat([none[:, 0], *(labels[name] for labels in read)]).cpu()
        for name in model.direction_names
    }
    skin = sample_skin(labels, seeds)
    hair = tuple(with_skin(sample_hair(labels, seeds), skin.melanin))
    return People(
        seeds,
        identity,
        labels,
        skin_under(skin, hair),
        hair,
        sample_garments(labels, seeds),
        sample_glasses(labels, seeds),
    )


def seed_of(*numbers: int) -> int:
    """A seed from several numbers: as good as independent of those of all others.

    Raises:
        PopulationError: a number is negative.

    >>> seed_of(0, 1) != seed_of(1, 0)
    True
    """
    if min(numbers) < 0:
        raise PopulationError(f"{min(numbers)} is negative; seeds and indices count from 0")
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 2)


def _rows(parameters, index: slice | Tensor):
    """The same dataclass of batched tensors, with some of its rows."""
    values = (getattr(parameters, field.name) for field in fields(parameters))
    return type(parameters)(*(value[index] for value in values))
