"""Input-target pairs of synthetic people (section 5.1): drawn once, and kept in the cache folder.

The paper has 50,000 pairs of photographs and 204,156 of CMU Multi-PIE. Ours are drawn: eight
pictures of a person, one of each expression, from any side within 45 degrees and in any light, and
the one picture that a normalized face should be. `python -m visage.nfgan.pairs` draws all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import Tensor
from tqdm.auto import tqdm

from visage.faces.expressions import EXPRESSIONS
from visage.faces.population import SPLITS, seed_of
from visage.faces.shots import EVERYDAY
from visage.files import written_whole
from visage.nfgan.drawing import SEED, ShotPlan, draw_inputs, draw_targets, hidden_right
from visage.nfgan.errors import NfganError
from visage.photos.downloads import cache_folder

__all__ = ["EACH", "TEST", "TRAIN", "VALIDATION", "Pairs", "pairs"]

EACH = 8
"""Pictures of a person: one of each expression."""

TRAIN = (1600, EACH)
VALIDATION = (100, EACH)
TEST = (300, EACH)
"""People and pictures of each: to learn from, to develop on, and for the ledger."""

INTENSITY = (0.4, 1.0)
"""Of expressions: what can be seen at 64 pixels, up to the full prototype."""

_RANGES = replace(EVERYDAY, yaw=45.0)  # the paper's -45 to 45 degrees
_SHARD = 50  # people in a file
_TOGETHER = 5  # people drawn at once: about 200 MB
_ORDER = 2**21  # the number of the "shot" that the order of expressions follows from


@dataclass(frozen=True, eq=False)
class Pairs:
    """N pictures of P people, and how each person's normalized face looks.

    Faces turned to the side have the hidden side on the picture's right, as section 4.2 asks:
    pictures where it was on the left are mirrored. The target of a mirrored input is mirrored too,
    which `targets_of` does.
    """

    inputs: Tensor  # (N, 1, 64, 64) uint8
    targets: Tensor  # (P, 1, 64, 64) uint8, never mirrored
    person: Tensor  # (N,) int64, row of `targets`
    flipped: Tensor  # (N,) bool, whether the input is mirrored
    expression: Tensor  # (N,) int64, place in tuple(EXPRESSIONS)
    intensity: Tensor  # (N,) in [0, 1]; 0 where neutral
    yaw: Tensor  # (N,) radians, of the head before mirroring

    def __len__(self) -> int:
        """N."""
        return len(self.inputs)

    def targets_of(self, rows: Tensor | slice) -> Tensor:
        """The targets (B, 1, 64, 64) uint8 of some inputs, mirrored where the inputs are.

        Args:
            rows: (B,) int64 or bool (N,), or a slice.
        """
        chosen = self.targets[self.person[rows]]
        return torch.where(self.flipped[rows][:, None, None, None], chosen.flip(-1), chosen)


def pairs(
    split: str, people: int, each: int = EACH, *, folder: Path | None = None, progress: bool = True
) -> Pairs:
    """The pairs of the first people of a split; those that no cache holds are drawn first.

    About 40 pictures a second on one core. A stopped call goes on at its last 50 people.

    Args:
        split: of `visage.faces.population.SPLITS`.
        people: how many.
        each: pictures of each; eight show each expression once.
        folder: of the cache, `cache_folder()` if None.
        progress: whether to show it.

    Raises:
        NfganError: there is no such split, or a count is below 1.
    """
    if split not in SPLITS:
        raise NfganError(f"no split {split!r}; choose among {', '.join(SPLITS)}")
    if people < 1 or each < 1:
        raise NfganError(f"{people} people with {each} pictures; give at least 1 of both")
    folder = (folder or cache_folder()) / "nfgan" / f"pairs-{edition()}"
    starts = range(0, people, _SHARD)
    hidden = None if progress else True
    parts = [
        _shard(folder, split, start, min(start + _SHARD, people), each)
        for start in tqdm(starts, desc=f"{split} pairs", unit="shard", disable=hidden, leave=False)
    ]
    whole = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    person = torch.arange(people).repeat_interleave(each)
    return Pairs(**whole, person=person, flipped=whole["yaw"] < 0)


def _shard(folder: Path, split: str, start: int, stop: int, each: int) -> dict[str, Tensor]:
    """People start to stop, from a file that holds them, or drawn."""
    whole = folder / f"{split}-{start:05d}-{start + _SHARD:05d}-by{each}.safetensors"
    if stop < start + _SHARD and whole.exists():
        found = safetensors.torch.load_file(whole)
        count = {name: (stop - start) * (1 if name == "targets" else each) for name in found}
        return {name: value[: count[name]] for name, value in found.items()}
    path = folder / f"{split}-{start:05d}-{stop:05d}-by{each}.safetensors"
    return kept(path, lambda: _drawn(split, range(start, stop), each))


def kept(path: Path, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """Tensors from a file, which is made if it is not there."""
    if not path.exists():
        made = make()
        with written_whole(path) as temporary:
            safetensors.torch.save_file(made, temporary)
    return safetensors.torch.load_file(path)


def _drawn(split: str, numbers: range, each: int) -> dict[str, Tensor]:
    blocks = []
    for start in range(0, len(numbers), _TOGETHER):
        some = numbers[start : start + _TOGETHER]
        plan = expression_plan(split, some, each)
        inputs, yaw = draw_inputs(split, plan, _RANGES)
        blocks.append(
            {
                "inputs": stored(hidden_right(inputs, yaw)),
                "targets": stored(draw_targets(split, some)),
                "expression": torch.tensor([_NAMES.index(name) for name in plan.expressions]),
                "intensity": torch.tensor(plan.intensities),
                "yaw": yaw,
            }
        )
    return {name: torch.cat([block[name] for block in blocks]) for name in blocks[0]}


def expression_plan(split: str, numbers: Sequence[int], each: int) -> ShotPlan:
    """Each person makes each expression once, in an order of their own, then again."""
    names, levels = [], []
    for number in numbers:
        random = np.random.default_rng(seed_of(SEED, SPLITS.index(split), number, _ORDER))
        orders = [random.permutation(len(_NAMES)) for _ in range(-(-each // len(_NAMES)))]
        mine = [_NAMES[place] for place in np.concatenate(orders)[:each]]
        drawn = random.uniform(*INTENSITY, each).tolist()
        names += mine
        levels += [0.0 if name == "neutral" else d for name, d in zip(mine, drawn, strict=True)]
    people = tuple(number for number in numbers for _ in range(each))
    return ShotPlan(people, tuple(range(each)) * len(numbers), tuple(names), tuple(levels))


def stored(faces: Tensor) -> Tensor:
    """Pictures in [0, 1] as uint8.

    >>> stored(torch.tensor([0.0, 0.5, 1.0]))
    tensor([  0, 128, 255], dtype=torch.uint8)
    """
    return (255 * faces.clamp(0, 1)).round().to(torch.uint8)


def shown(faces: Tensor) -> Tensor:
    """Pictures in uint8 as float32 in [0, 1]."""
    return faces.float() / 255


@lru_cache(maxsize=1)
def edition() -> str:
    """Changes when pictures do: two are drawn again, and looked at coarsely."""
    plan = ShotPlan((0,), (0,), ("happiness",), (1.0,))
    probe = torch.cat([draw_inputs("train", plan, _RANGES)[0], draw_targets("train", [0])])
    seen = torch.nn.functional.adaptive_avg_pool2d(probe, 8).mul(100).round()
    return hashlib.sha256(f"{INTENSITY}{seen.tolist()}".encode()).hexdigest()[:12]


_NAMES = tuple(EXPRESSIONS)


def main() -> None:
    """Draw all pairs."""
    for split, (people, each) in zip(SPLITS, (TRAIN, VALIDATION, TEST), strict=True):
        found = pairs(split, people, each)
        print(f"{split}: {len(found)} pictures of {people} people")


if __name__ == "__main__":
    main()
