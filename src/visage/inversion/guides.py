"""Guiding images: where they come from, and which suits an embedding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from tqdm.auto import tqdm

from visage.inversion.errors import InversionError, check_images, check_pictures
from visage.inversion.objective import References
from visage.inversion.pixels import Pixels
from visage.inversion.reconstruct import reconstruct
from visage.inversion.reconstruction_config import ReconstructionConfig
from visage.photos.alignment import align
from visage.photos.landmarks import find_face
from visage.recognition.encoder import Encoder


@dataclass(frozen=True)
class GuideChoice:
    """The guide that each embedding came nearest to itself with.

    Attributes:
        index: (B,), of the guide.
        distances: (B, G), the encoder's distance from the target after the trial with each guide.
        images: (B, 3, S, S), what the chosen trial had reached: a start for more steps.
    """

    index: Tensor
    distances: Tensor
    images: Tensor


def choose_guide(
    encoder: Encoder,
    targets: Tensor,
    guides: Tensor,
    config: ReconstructionConfig | None = None,
    references: References | None = None,
    *,
    steps: int = 60,
    pixels: Pixels | None = None,
    seeds: Sequence[int] | None = None,
) -> GuideChoice:
    """Try every guide for a while and keep the nearest embedding.

    The second remedy of section 3 against a guide of another sex or origin: "attempting to produce
    reconstructions with different guiding images and choosing the result with the smallest
    embedding space distance".

    Args:
        encoder: F.
        targets: (B, dim).
        guides: (G, 3, S, S).
        config: of a reconstruction, all its steps; only the first `steps` of its schedules are run
            in a shortened form.
        references: everything but the guide.
        steps: of a trial.
        pixels: the parametrisation.
        seeds: as for `reconstruct`.

    Raises:
        InversionError: there is no guide, or something does not fit.
    """
    check_images(guides)
    if len(guides) == 0:
        raise InversionError("there is no guide to choose from; give one at least.")
    config, references = config or ReconstructionConfig(), references or References()
    trial = replace(config, steps=steps)
    distances, images = [], []
    for guide in tqdm(guides.split(1), desc="guides", unit="guide", disable=None, leave=False):
        check_pictures(guide, encoder.crop.size, 1, "guide")
        found = reconstruct(
            encoder,
            targets,
            trial,
            replace(references, guide=guide),
            pixels=pixels,
            seeds=seeds,
        )
        images.append(found.images)
        with torch.no_grad():
            reached = encoder.distance(encoder.embed(found.images), targets)
        # A run that diverged holds its best image, which may well be a guide of the person.
        distances.append(reached)
    table = torch.stack(distances, 1)
    index = table.argmin(1)
    rows = torch.arange(len(targets), device=index.device)
    return GuideChoice(index, table, torch.stack(images, 1)[rows, index])


def mean_guide(chips: Iterable[Tensor]) -> Tensor:
    """The average face of aligned chips, as the paper takes from its reference 18.

    Args:
        chips: batches (B, 3, S, S) of one size.

    Returns:
        (1, 3, S, S).

    Raises:
        InversionError: there is no chip.

    >>> mean_guide([torch.zeros(1, 3, 2, 2), torch.ones(3, 3, 2, 2)]).unique()
    tensor([0.7500])
    """
    total, count = 0, 0
    for batch in chips:
        check_images(batch)
        total, count = total + batch.sum(0, keepdim=True), count + len(batch)
    if not count:
        raise InversionError("there is no chip to average.")
    return total / count


def guide_from_photo(photo: Tensor, encoder: Encoder) -> Tensor:
    """The face in a photograph, cut as an encoder wants it.

    Args:
        photo: (1, 3, H, W), from `visage.photos.reading.open_photo`.
        encoder: whose crop is cut.

    Returns:
        (1, 3, S, S).

    Raises:
        NoFaceError: there is no face in it.
        SeveralFacesError: there is more than one.
    """
    return align(photo, find_face(photo).landmarks, encoder.crop, padding="border")
