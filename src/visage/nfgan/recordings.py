"""Labelled recordings of people's expressions, as files, and as faces that can be recognised."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from visage.nfgan.errors import DatabaseError
from visage.nfgan.frame import aligned
from visage.nfgan.pairs import stored
from visage.nfgan.sittings import ExpressionFaces
from visage.nfgan.symmetry import hidden_right, mirror
from visage.photos.landmarks import FaceTooSmallError, NoFaceError, find_face
from visage.photos.reading import open_photo

_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
_TURNS = (0, 1, 3)  # quarter turns: some of MMI's pictures lie on their side


@dataclass(frozen=True)
class Recording:
    """A sequence with a label.

    Attributes:
        subject: the database's name of the person.
        name: the database's name of the sequence.
        label: the expression.
        frames: the files that are to be recognised.
        neutral: the file in which the sequence begins at rest, None where there is none.
        video: a video of which the frames still have to be taken, None where there are frames.
    """

    subject: str
    name: str
    label: str
    frames: tuple[Path, ...]
    neutral: Path | None = None
    video: Path | None = None


@dataclass(frozen=True)
class ExpressionFiles:
    """The labelled sequences of a database, in the order of their names."""

    recordings: tuple[Recording, ...]

    def __len__(self) -> int:
        """How many sequences."""
        return len(self.recordings)

    @property
    def names(self) -> tuple[str, ...]:
        """The expressions that there are, in order of the alphabet."""
        return tuple(sorted({recording.label for recording in self.recordings}))

    @property
    def subjects(self) -> tuple[str, ...]:
        """The people that there are, in order of their names."""
        return tuple(sorted({recording.subject for recording in self.recordings}))

    def faces(self) -> ExpressionFaces:
        """Read, find and align all faces; about 0.1 s a picture.

        Turned heads are mirrored so that the hidden side is on the right. A person's neutral face
        is the first frame of their first sequence, as it was filmed.

        Raises:
            DatabaseError: a face is not found, a sequence has a video instead of frames, or a
                person has no neutral frame.
            visage.photos.reading.PhotoError: a file cannot be read.
        """
        images, labels, subjects, sequences = [], [], [], []
        neutral: dict[str, Tensor] = {}
        for number, recording in enumerate(tqdm(self.recordings, desc="faces", disable=None)):
            if not recording.frames:
                raise DatabaseError(
                    f"{recording.video} is a video; take its frames first, for example with "
                    f"`ffmpeg -i {recording.video} {recording.name}_%05d.png` into its folder"
                )
            for path in recording.frames:
                images.append(_face(path, turned=True))
                labels.append(self.names.index(recording.label))
                subjects.append(self.subjects.index(recording.subject))
                sequences.append(number)
            if recording.subject not in neutral and recording.neutral is not None:
                neutral[recording.subject] = _face(recording.neutral, turned=False)
        if missing := set(self.subjects) - set(neutral):
            raise DatabaseError(f"no neutral frame of {', '.join(sorted(missing))}")
        return ExpressionFaces(
            images=stored(torch.cat(images)),
            labels=torch.tensor(labels),
            subjects=torch.tensor(subjects),
            names=self.names,
            neutral=stored(torch.cat([neutral[name] for name in self.subjects])),
            sequences=torch.tensor(sequences),
        )


def _face(path: Path, *, turned: bool) -> Tensor:
    """The face (1, 1, 64, 64) of a picture, upright or on its side."""
    photo = open_photo(path)
    for turns in _TURNS:
        upright = photo.rot90(turns, (2, 3))
        try:
            landmarks = find_face(upright, which="largest").landmarks
        except (NoFaceError, FaceTooSmallError):
            continue
        face = aligned(upright, landmarks)
        return mirror(face, hidden_right(landmarks).logical_not()) if turned else face
    raise DatabaseError(f"no face is seen in {path}, however it is turned; leave it out")


def frames_of(folder: Path) -> list[Path]:
    """Pictures of a folder, in the order of the last number of their names, the frame's."""
    files = [path for path in folder.glob("*") if path.suffix.lower() in _PICTURES]
    # Archives made on other systems carry "._" files that are no pictures.
    files = [path for path in files if not path.name.startswith(".")]
    return sorted(files, key=lambda path: (frame_number(path.stem), path.name))


def frame_number(text: str) -> int:
    """The last number in a name, -1 where there is none.

    >>> frame_number("S005_001_00000011"), frame_number("Emotion")
    (11, -1)
    """
    numbers = re.findall(r"\d+", text)
    return int(numbers[-1]) if numbers else -1


def middle(frames: Sequence[Path], count: int) -> tuple[Path, ...]:
    """The frames in the middle of a sequence.

    >>> [path.name for path in middle([Path(f"{i}.png") for i in range(9)], 3)]
    ['3.png', '4.png', '5.png']
    """
    start = (len(frames) - count) // 2
    return tuple(frames[start : start + count])
