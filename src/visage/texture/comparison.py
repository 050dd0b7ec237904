"""Textures of many photographs measured against the truth, and the rows of what was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from tqdm.auto import tqdm

from visage.ledger import Row
from visage.photos.reading import PhotoError
from visage.texture.errors import TextureError
from visage.texture.held_out import HeldOutViews
from visage.texture.likeness import face_chips, identity_distances, recogniser
from visage.texture.methods import Bench, infer
from visage.texture.observation import Observation, observe_truly
from visage.texture.study import finite_mean, joined, scores

HEADS = ("convex", "pca")
"""Methods with whose textures heads are drawn for a recogniser."""

_MEASURES = ("high", "middle", "low", "gram_invented", "ssim_visible", "ssim_invented")
_BETTER = {"gram_invented": "lower", "ssim_visible": "higher", "ssim_invented": "higher"}


@dataclass
class Measured:
    """Scores of one condition and view, as they come in."""

    scores: dict[str, list[dict[str, float]]] = field(default_factory=dict)  # by method
    chips: dict[str, list[Tensor]] = field(default_factory=dict)  # (1, 3, 150, 150) by method
    rows: list[int] = field(default_factory=list)  # people measured
    asked: int = 0  # people looked at

    def add(self, method: str, found: dict[str, float]) -> None:
        """Scores of one person's texture."""
        self.scores.setdefault(method, []).append(found)

    def means(self, view: str, tail: str = "") -> list[Row]:
        """Rows of each measure's mean, by method."""
        return [
            finite_mean(f"{name}/{method}/{view}{tail}", values[name], _BETTER.get(name))
            for method, values in self.joined().items()
            for name in _MEASURES
            if values[name].isfinite().any()
        ]

    def joined(self) -> dict[str, dict[str, Tensor]]:
        """Scores (N,) by method and name."""
        return {method: joined(several) for method, several in self.scores.items()}


def measure(
    views: HeldOutViews,
    true: Tensor,
    bench: Bench,
    methods: Sequence[str],
    look: Callable[[HeldOutViews, int, int], Observation] = observe_truly,
    *,
    loose: int = 0,
    heads: bool = True,
    title: str = "",
) -> Measured:
    """Infer the textures of photographs, and compare them with the truth.

    Args:
        views: N photographs.
        true: (N, 3, S, S), their textures.
        bench: of the size S.
        methods: of `visage.texture.methods`.
        look: what is known of a photograph.
        loose: of how many of them unconstrained weights are measured too.
        heads: whether heads are drawn for the recogniser.
        title: of the progress.
    """
    found = Measured(asked=len(views))
    for row in tqdm(range(len(views)), desc=title, unit="photo", leave=False, disable=None):
        try:
            seen = look(views, row, bench.size)
        except (PhotoError, TextureError):
            continue  # a photograph in which no face is found; `asked` counts it
        found.rows.append(row)
        names = (*methods, "unconstrained") if row < loose else methods
        for name, made in infer(seen, bench, names, seed=views.indices[row]).items():
            found.add(name, scores(made, true[row : row + 1], seen, bench.judge))
            if heads and name in HEADS:
                chips = face_chips(made, views.identity[row : row + 1])
                found.chips.setdefault(name, []).append(chips)
    return found


def both_views(measured: dict[str, Measured], method: str) -> dict[str, Tensor]:
    """Scores (N,) of a method by name, of all views one after the other."""
    parts = [one.joined()[method] for one in measured.values()]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def identity_rows(measured: Iterable[Measured], chips: Tensor, tail: str = "") -> list[Row]:
    """The recogniser on heads with inferred textures, against those with the true ones.

    Args:
        measured: people in several views, measured with heads.
        chips: (N, 3, 150, 150), of the true textures on the same heads.
        tail: of the rows' names.
    """
    rows, several = [], list(measured)
    for name in HEADS:
        made = [chip for one in several for chip in one.chips.get(name, [])]
        if not made:
            continue
        whose = torch.tensor([row for one in several for row in one.rows])
        table = identity_distances(torch.cat(made), chips)
        right = table.gather(1, whose[:, None])[:, 0]
        within = (right < recogniser().threshold).float()
        first = (table.argmin(1) == whose).float()
        prefix = "" if name == "convex" else f"{name}_"
        rows += [
            finite_mean(f"{prefix}identity_within_threshold{tail}", within, "higher", "fraction"),
            finite_mean(f"{prefix}identity_distance{tail}", right, "lower"),
            finite_mean(f"{prefix}identity_first{tail}", first, "higher", "fraction"),
        ]
    return rows
