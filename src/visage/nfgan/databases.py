"""CK+ and MMI, read from the folders in which they are distributed.

Both are given to researchers who sign an agreement, so nothing of them is shipped or downloaded
here. A reader who has one names its folder; files are read where they lie.

CK+ (Lucey et al. 2010) comes as archives whose folders stand side by side:

    cohn-kanade-images/S005/001/S005_001_00000001.png ...   a sequence, neutral to peak
    Emotion/S005/001/S005_001_00000011_emotion.txt          "3.0000000e+00", of some sequences only

MMI (Pantic et al. 2005) comes as numbered sessions, with a description each:

    Sessions/224/S002-106.avi         the video, of subject S002
    Sessions/224/session.xml          about the session; `view` is 0 in front, 1 beside, 2 both
    Sessions/224/S002-106.xml         <Metatag Name="Emotion" Value="4"/> among others
    Sessions/224/S002-106/*.jpg       the video's frames, once the reader has taken them

Exports of MMI differ in detail; what is looked for is said in `read_mmi`.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from visage.nfgan.recordings import (
    DatabaseError,
    ExpressionFiles,
    Recording,
    frame_number,
    frames_of,
    middle,
)

__all__ = ["read_ck_plus", "read_mmi"]

CK_PLUS_EMOTIONS = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness",
                    "surprise")  # fmt: skip
"""By the number in CK+'s emotion files."""

MMI_EMOTIONS = {1: "anger", 2: "disgust", 3: "fear", 4: "happiness", 5: "sadness", 6: "surprise"}
"""By the number that MMI's metadata has for the six basic emotions."""

FRONT = 0
"""The view of MMI that shows a person in front."""

MIDDLE_FRAMES = 3
"""Of a sequence of MMI (section 5.1)."""

_VIDEOS = (".avi", ".mp4", ".mov", ".mpg")
_WORDS = {
    "anger": "anger", "angry": "anger", "disgust": "disgust", "fear": "fear", "scared": "fear",
    "happiness": "happiness", "happy": "happiness", "joy": "happiness", "sadness": "sadness",
    "sad": "sadness", "surprise": "surprise", "surprised": "surprise",
}  # fmt: skip


def read_ck_plus(folder: str | Path) -> ExpressionFiles:
    """The labelled sequences of CK+: 327 of 118 people in the release of 2010.

    The last frame of each, which is the one that its label is of (section 5.1), and the first, in
    which a face is at rest. Sequences without a label are left out, as are labels of 0.

    Args:
        folder: that holds `cohn-kanade-images` and `Emotion`, or their parent.

    Raises:
        DatabaseError: a folder or a labelled sequence's frames are missing, or a label cannot be
            understood.
    """
    root = _holding(Path(folder), "cohn-kanade-images", "Emotion")
    images, emotions = root / "cohn-kanade-images", root / "Emotion"
    found = []
    for label in sorted(emotions.glob("S*/*/*_emotion.txt")):
        name = _ck_plus_label(label)
        if name == "neutral":
            continue
        subject, sequence = label.parent.parent.name, label.parent.name
        frames = frames_of(images / subject / sequence)
        if not frames:
            raise DatabaseError(
                f"{label} has a label, but {images / subject / sequence} has no frames; unpack "
                "all of the images"
            )
        found.append(
            Recording(subject, f"{subject}_{sequence}", name, (frames[-1],), neutral=frames[0])
        )
    if not found:
        raise DatabaseError(f"{emotions} holds no label S*/*/*_emotion.txt; unpack the emotions")
    return ExpressionFiles(tuple(found))


def read_mmi(folder: str | Path, *, views: Sequence[int] = (FRONT,)) -> ExpressionFiles:
    """The sequences of MMI that show one of the six basic emotions.

    A session is a folder with XML and a video or its frames, beside the XML or in a folder of the
    video's name. The person is the first part of the video's name, or else an `id` of an element
    `subject`. The emotion is a metatag of that name, or an attribute `emotion`: a number of
    `MMI_EMOTIONS` or a word. Three frames from the middle are taken (section 5.1), and the first as
    the face at rest. Sessions without an emotion, most of MMI, are left out.

    Args:
        folder: that holds `Sessions`, or that folder itself.
        views: which to take where a session says; the paper's are in front. Pictures of view 2
            show a person twice, in front and beside: cut them first.

    Raises:
        DatabaseError: there is no session, or one with an emotion lacks the person or the
            pictures, or its XML or its label cannot be understood.
    """
    root = Path(folder)
    root = root / "Sessions" if (root / "Sessions").is_dir() else root
    if not root.is_dir():
        raise DatabaseError(f"{root} is no folder; name the one that holds MMI's Sessions")
    read = (_mmi_recording(session, views) for session in _sessions(root))
    found = [recording for recording in read if recording is not None]
    if not found:
        raise DatabaseError(
            f"{root} holds no session with an emotion; expected folders with an XML file each"
        )
    return ExpressionFiles(tuple(found))


def _holding(folder: Path, *names: str) -> Path:
    """The folder, or the only one in it, that holds others by their names."""
    inside = (
        sorted(child for child in folder.iterdir() if child.is_dir()) if folder.is_dir() else []
    )
    for root in (folder, *inside):
        if all((root / name).is_dir() for name in names):
            return root
    raise DatabaseError(
        f"{folder} does not hold {' and '.join(names)}; name the folder that CK+ was unpacked into"
    )


def _ck_plus_label(path: Path) -> str:
    text = path.read_text("ascii", errors="replace").strip()
    try:
        number = float(text)
        if number != int(number) or not 0 <= number < len(CK_PLUS_EMOTIONS):
            raise ValueError(text)
    except (ValueError, OverflowError):
        raise DatabaseError(
            f"{path} holds {text[:40]!r}; expected a number from 0 to 7, like 3.0000000e+00"
        ) from None
    return CK_PLUS_EMOTIONS[int(number)]


def _sessions(root: Path) -> Iterator[Path]:
    folders = {path.parent for path in root.rglob("*.xml")}
    yield from sorted(folders, key=lambda path: (frame_number(path.name), str(path)))


def _mmi_recording(session: Path, views: Sequence[int]) -> Recording | None:
    described = [
        (path, _attributes(element), element)
        for path in sorted(session.glob("*.xml"))
        for element in _elements(path)
    ]
    labels = [found for path, known, _ in described if (found := _mmi_emotion(known, path))]
    view = next((known["view"] for _, known, _ in described if known.get("view")), None)
    if not labels or (view is not None and view not in {str(one) for one in views}):
        return None
    videos = sorted(path for path in session.glob("*") if path.suffix.lower() in _VIDEOS)
    folders = [session, *sorted(path for path in session.iterdir() if path.is_dir())]
    frames = next((some for one in folders if (some := frames_of(one))), [])
    subject = _mmi_subject([*videos, *frames], described)
    if subject is None:
        raise DatabaseError(
            f"{session} has an emotion, but neither its files nor XML name a person"
        )
    if len(frames) >= MIDDLE_FRAMES:
        return Recording(
            subject, session.name, labels[0], middle(frames, MIDDLE_FRAMES), neutral=frames[0]
        )
    if videos:
        return Recording(subject, session.name, labels[0], (), video=videos[0])
    raise DatabaseError(
        f"{session} has an emotion, but neither a video nor {MIDDLE_FRAMES} frames; unpack both"
    )


def _elements(path: Path) -> list[ElementTree.Element]:
    try:
        return list(ElementTree.parse(path).iter())
    except (ElementTree.ParseError, OSError) as error:
        raise DatabaseError(f"{path} is no XML that can be read: {error}") from None


def _attributes(element: ElementTree.Element) -> dict[str, str]:
    """Attributes by lower-case names; a metatag's value by the name that it has for it."""
    found = {name.lower(): value.strip() for name, value in element.attrib.items()}
    if "name" in found and "value" in found:
        found[found["name"].lower()] = found["value"]
    return found


def _mmi_emotion(known: Mapping[str, str], path: Path) -> str | None:
    value = known.get("emotion", "").lower()
    if value in _WORDS:
        return _WORDS[value]
    if value.isdigit():
        # Numbers beyond the six are of other states, such as boredom: no basic emotions.
        return MMI_EMOTIONS.get(int(value))
    if value in ("", "none", "neutral", "other"):
        return None
    raise DatabaseError(f"{path} has the emotion {value!r}; expected a number or one of six words")


def _mmi_subject(
    files: Sequence[Path], described: Sequence[tuple[Path, Mapping[str, str], ElementTree.Element]]
) -> str | None:
    for path in files:
        if named := re.match(r"(S\d+)-\d+", path.stem):
            return named[1]
    for _, known, element in described:
        if element.tag.lower() == "subject" and known.get("id"):
            return known["id"]
    return None
