"""Pictures of people who do not exist, as a data set for training."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor
from torch.utils.data import Dataset

from visage.faces.expressions import EXPRESSIONS
from visage.faces.population import SPLITS, PopulationError, people, seed_of
from visage.faces.portraits import Detail, portray
from visage.faces.scene import Render, render
from visage.faces.shape import MorphableModel
from visage.faces.shots import EVERYDAY, ShotRanges, Shots, shots
from visage.faces.skin import skin_maps

__all__ = ["SyntheticFaces"]

_NAMES = tuple(EXPRESSIONS)
_PICTURES = ("image", "mask", "seen", "depth", "normals", "pncc", "uv", "albedo", "landmarks")
_PARAMETERS = ("identity", "actions", "angles", "light")
_TOGETHER = 16  # pictures drawn at once: fast on one core, and about 100 MB at 128 pixels


class SyntheticFaces(Dataset):
    """Pictures of synthetic people, each with its answers, drawn when they are asked for.

    Item i is shot i mod `shots_each` of person i // `shots_each`. It depends on (seed, split, i),
    on `size`, `ranges` and `detail`, and on nothing else: not on the order, the number of workers,
    the batch (but for the last digits of floating point) or what was drawn before. So a run that
    stopped goes on at any i.

    `torch.utils.data.DataLoader` draws a batch at once (`__getitems__`), which is several times
    faster than one by one.

    Args:
        people_count: how many people.
        shots_each: pictures of each.
        size: of the square pictures, pixels.
        seed: of the world.
        split: one of `visage.faces.population.SPLITS`; their people are disjoint.
        answers: which of image's companions an item holds, names in `Render` ("mask", "seen",
            "depth", "normals", "pncc", "uv", "albedo", "landmarks"), or "identity" (80), "actions"
            (52), "angles" (3), "light" (9, 3), the parameters themselves.
        ranges: what shots are drawn from.
        detail: how finely people are made; None is what does for `size` without supersampling.
        subdivision: of the model, 0 or 1.

    Raises:
        PopulationError: a count is below 1, or a split or an answer is not known.

    >>> faces = SyntheticFaces(10, 2, size=64, answers=("landmarks", "depth"))
    >>> len(faces), sorted(faces[3])
    (20, ['depth', 'expression', 'image', 'intensity', 'landmarks', 'person'])
    """

    def __init__(
        self,
        people_count: int,
        shots_each: int = 1,
        *,
        size: int = 128,
        seed: int = 0,
        split: str = "train",
        answers: Sequence[str] = (),
        ranges: ShotRanges = EVERYDAY,
        detail: Detail | None = None,
        subdivision: int = 0,
    ):
        if people_count < 1 or shots_each < 1:
            raise PopulationError(
                f"{people_count} people with {shots_each} shots each; give at least 1 of both"
            )
        if split not in SPLITS:
            raise PopulationError(f"no split {split!r}; choose among {', '.join(SPLITS)}")
        if unknown := set(answers) - {*_PICTURES, *_PARAMETERS}:
            known = ", ".join((*_PICTURES, *_PARAMETERS))
            raise PopulationError(f"no answer {', '.join(sorted(unknown))}; choose among {known}")
        self.people_count, self.shots_each = people_count, shots_each
        self.size, self.seed, self.split = size, seed, split
        self.answers, self.ranges, self.subdivision = tuple(answers), ranges, subdivision
        self.detail = detail or Detail(texture=256 if size <= 160 else 512)

    def __len__(self) -> int:
        """Pictures of all people."""
        return self.people_count * self.shots_each

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """One picture and its answers, without a batch dimension.

        Returns:
            image (3, size, size) sRGB, person () int64, expression () int64 (place in
            `EXPRESSIONS`), intensity (), and what `answers` names.

        Raises:
            IndexError: there is no such picture.
        """
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Tensor]]:
        """Several pictures, drawn together."""
        indices = [self._checked(int(index)) for index in indices]
        items = []
        for start in range(0, len(indices), _TOGETHER):
            drawn = self._draw(indices[start : start + _TOGETHER])
            rows = zip(*drawn.values(), strict=True)
            items += [dict(zip(drawn, row, strict=True)) for row in rows]
        return items

    def _checked(self, index: int) -> int:
        if not -len(self) <= index < len(self):
            raise IndexError(f"picture {index} of {len(self)}")
        return index % len(self)

    @torch.no_grad()
    def _draw(self, indices: list[int]) -> dict[str, Tensor]:
        model = _model(self.subdivision)
        numbers = [index // self.shots_each for index in indices]
        once = sorted(set(numbers))
        persons = people(model, self.seed, once, split=self.split)
        maps = skin_maps(model, persons.skin, self.detail.texture)
        row = torch.tensor([once.index(number) for number in numbers])
        persons = persons[row]
        split = SPLITS.index(self.split)
        seeds = [seed_of(self.seed, split, n, i % self.shots_each)
                 for n, i in zip(numbers, indices, strict=True)]  # fmt: skip
        taken = shots(model, persons, torch.tensor(seeds), self.size, self.ranges)
        scene = portray(model, persons, taken, self.detail, maps=maps[row])
        picture = render(model, scene, supersample=self.detail.supersample)
        found = {
            "image": picture.image,
            "person": torch.tensor(numbers),
            "expression": torch.tensor([_NAMES.index(name) for name in taken.names]),
            "intensity": taken.intensity,
        }
        return found | {name: self._answer(name, picture, persons.identity, taken)
                        for name in self.answers}  # fmt: skip

    @staticmethod
    def _answer(name: str, picture: Render, identity: Tensor, taken: Shots) -> Tensor:
        if name in _PICTURES:
            return getattr(picture, name)
        if name == "light":
            return taken.light.coefficients()
        return {"identity": identity, "actions": taken.expression, "angles": taken.camera.angles}[
            name
        ]


@lru_cache(maxsize=2)
def _model(subdivision: int) -> MorphableModel:
    return MorphableModel.load(subdivision)
