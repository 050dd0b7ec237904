"""Face transfer: one person's embedding onto the frames of another's film (sections 3 and 5.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from visage.inversion.errors import InversionError, check_pictures
from visage.inversion.guides import guide_from_photo
from visage.inversion.networks import GuidedFaceNetwork
from visage.inversion.objective import References
from visage.inversion.pixels import Pixels
from visage.inversion.reconstruct import Reconstruction, reconstruct
from visage.inversion.reconstruction_config import ReconstructionConfig
from visage.photos.reading import open_photo
from visage.recognition.encoder import Encoder

Carry = Literal["change", "image", "nothing"]


def transfer(
    encoder: Encoder,
    target: Tensor,
    frames: Iterable[Tensor],
    config: ReconstructionConfig | None = None,
    references: References | None = None,
    *,
    steps_after: int = 60,
    carry: Carry = "change",
    pixels: Pixels | None = None,
) -> Iterator[Reconstruction]:
    """Reconstruct an embedding with each frame as its guide, warm-started from the frame before.

    The paper runs the algorithm on each frame. A start that already wears the person needs fewer
    steps, and frames that start alike differ less by chance.

    Args:
        encoder: F.
        target: e, (1, dim).
        frames: each (1, 3, S, S), aligned, in order; taken one at a time.
        config: of the first frame, and with fewer steps of the others.
        references: everything but the guide.
        steps_after: steps of every frame but the first, about; the schedules are shortened.
        carry: what goes from frame to frame: "change" adds to a frame what the last one was
            changed by, "image" starts from the last image itself, "nothing" from the frame, with
            as many steps as the first.
        pixels: the parametrisation.

    Yields:
        One reconstruction for each frame, as soon as it is done.

    Raises:
        InversionError: the target is not one, a frame has the wrong size, or there is no frame.
    """
    config, references = config or ReconstructionConfig(), references or References()
    if target.ndim != 2 or len(target) != 1:
        raise InversionError(f"the target is {tuple(target.shape)}, expected (1, {encoder.dim}).")
    if carry not in ("change", "image", "nothing"):
        raise InversionError(f"carry is 'change', 'image' or 'nothing', not {carry!r}.")
    later = config if carry == "nothing" else replace(config, steps=steps_after)
    before: tuple[Tensor, Tensor] | None = None
    for frame in frames:
        check_pictures(frame, encoder.crop.size, 1, "frame")
        start = frame if before is None else warm_start(frame, *before, carry)
        found = reconstruct(
            encoder,
            target,
            config if before is None else later,
            replace(references, guide=frame),
            pixels=pixels,
            start=start,
        )
        before = (frame, found.images)
        yield found
    if before is None:
        raise InversionError("there is no frame to transfer the face to.")


def warm_start(frame: Tensor, last_frame: Tensor, last_image: Tensor, carry: Carry) -> Tensor:
    """Where the reconstruction on a frame starts, (1, 3, S, S) in [0, 1]; see `transfer`.

    >>> at = [torch.full((1, 3, 2, 2), value) for value in (0.5, 0.25, 0.375)]
    >>> warm_start(*at, "change").unique(), warm_start(*at, "image").unique()
    (tensor([0.6250]), tensor([0.3750]))
    """
    if carry == "change":
        return (frame + last_image - last_frame).clamp(0, 1)
    return last_image if carry == "image" else frame


@torch.no_grad()
def transfer_at_once(
    network: GuidedFaceNetwork, target: Tensor, frames: Iterable[Tensor]
) -> Iterator[Tensor]:
    """The same by the guided network, one pass a frame (fig. 11).

    Args:
        network: trained, where the target is.
        target: e, (1, dim).
        frames: batches (B, 3, S, S) of aligned frames.

    Yields:
        (B, 3, S, S) for each batch.
    """
    network.eval()
    for batch in frames:
        yield network(target.expand(len(batch), -1), batch)


def read_frames(paths: Sequence[str | Path], encoder: Encoder) -> Iterator[Tensor]:
    """Faces cut from the pictures of a film, one after the other.

    Args:
        paths: of image files, in the film's order.
        encoder: whose crop is cut.

    Yields:
        (1, 3, S, S) for each file.

    Raises:
        NoFaceError: a frame has no face; leave it out.
        PhotoError: a file is no picture.
    """
    for path in paths:
        yield guide_from_photo(open_photo(path), encoder)
