"""What the shading loss wants for each weighting: `python -m tools.build_shading_grid`.

Writes ``shading.webp`` and ``shading.json`` in ``src/visage/explore/geometry``. Descends eq. 14 of
Richardson et al. (2017) over the depth of each pixel; ten minutes of one core.
"""

from __future__ import annotations

import torch
from torch import Tensor
from tqdm.auto import tqdm

from visage.explore.shading_grid import (
    FIDELITIES,
    SMOOTHNESSES,
    ShadedPeople,
    ShadingGrid,
    shaded_people,
    write_grid,
)
from visage.geometry.detail_error import detail_errors
from visage.geometry.fine_loss import (
    FineLossWeights,
    fidelity_loss,
    fine_loss,
    shading_loss,
    smoothness_loss,
)
from visage.geometry.light_and_albedo import Recovered

STEPS = 120
RATE = 0.03  # mm a step, falling to a tenth


def of_person(people: ShadedPeople, number: int) -> ShadedPeople:
    """One row of the people."""
    one = slice(number, number + 1)
    found = people.recovered
    parts = (getattr(people, name)[one] for name in ("linear", "coarse", "truth", "relief", "mask"))
    recovered = Recovered(
        found.light[one], found.weights[one], found.albedo[one], found.shading[one]
    )
    return ShadedPeople(people.names[one], *parts, recovered, people.scale[one])


def descended(person: ShadedPeople, start: Tensor, weights: FineLossWeights) -> Tensor:
    """The offset (1, 1, H, W), mm towards the viewer, that eq. 14 leads to."""
    offset = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([offset], lr=RATE)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.1 ** (1 / STEPS))
    for _ in range(STEPS):
        depth = person.coarse - offset * person.mask
        loss = fine_loss(depth, person.coarse, person.linear, person.recovered, person.mask,
                         person.scale, weights).total.sum()  # fmt: skip
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return offset.detach() * person.mask


@torch.no_grad()
def measured(person: ShadedPeople, offset: Tensor) -> dict[str, Tensor]:
    """The terms of eq. 14 by themselves, and how right the outcome is."""
    depth, found = person.coarse - offset, person.recovered
    pixels, seen = person.mask > 0, person.mask
    errors = [
        detail_errors(one, person.truth, person.relief, pixels, seen, person.scale)
        for one in (depth, person.coarse)
    ]
    return {
        "shading": shading_loss(
            depth, person.linear, found.albedo, found.light, person.mask, person.scale
        ),
        "fidelity": fidelity_loss(depth, person.coarse, person.mask),
        "smoothness": smoothness_loss(depth, person.mask),
        "error": errors[0].high_frequency,
        "coarse_error": errors[1].high_frequency,
        "normals": errors[0].normals,
        "coarse_normals": errors[1].normals,
        "recovered": 1 - errors[0].wrinkles / errors[0].energy,
    }


def main() -> None:
    """Descend every cell, from the smoothest on, and write the files."""
    torch.set_num_threads(1)
    people = shaded_people()
    rows = range(len(FIDELITIES))
    columns = range(len(SMOOTHNESSES))
    offsets = torch.zeros(len(people), len(rows), len(columns), *people.coarse.shape[2:])
    terms: dict[str, Tensor] = {}
    cells = [(p, f, s) for p in range(len(people)) for f in rows for s in reversed(columns)]
    for p, f, s in tqdm(cells):
        person = of_person(people, p)
        # Where less smoothness is asked for, the outcome begins as the smoother one ended.
        start = offsets[p, f, s + 1] if s + 1 in columns else torch.zeros_like(offsets[p, f, s])
        weights = FineLossWeights(1.0, FIDELITIES[f], SMOOTHNESSES[s])
        found = descended(person, start[None, None], weights)
        offsets[p, f, s] = found[0, 0]
        for name, value in measured(person, found).items():
            terms.setdefault(name, torch.zeros(offsets.shape[:3]))[p, f, s] = value[0]
    write_grid(ShadingGrid(offsets, terms))


if __name__ == "__main__":
    main()
