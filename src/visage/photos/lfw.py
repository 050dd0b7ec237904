"""Labeled Faces in the Wild: people, photographs, and the official pairs.

Huang, Ramesh, Berg and Learned-Miller (2007), in the deep-funneled release of Huang, Mattar, Lee
and Learned-Miller (2012): 13,233 photographs of 5,749 people, 250 x 250 pixels, roughly aligned.
The photographs come from the web and carry no licence: they are for research and not for
publication.

The data set is read where it lies, from a folder or from a tar, and only what is asked for. No file
stays open, so that threads and the processes of a DataLoader can share one `LFW`.
"""

import gzip
import hashlib
import os
import re
import tarfile
import zlib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import Tensor
from tqdm.auto import tqdm

from visage.photos.downloads import cache_folder
from visage.photos.reading import PhotoError, open_photo

# In order of preference; the funneled release is an older alignment of the same photographs.
_FOLDERS = ("lfw-deepfunneled", "lfw_funneled")
_ARCHIVES = (
    "lfw-deepfunneled.tar",
    "lfw-deepfunneled.tgz",
    "lfw-funneled.tar",
    "lfw-funneled.tgz",
)
_PHOTO = re.compile(r"(?:^|/)([^/]+)/\1_(\d{4})\.jpg$")
_PAIRS = re.compile(r"(?:^|/)pairs\.txt$")

_HELP = (
    "run `visage fetch lfw-deepfunneled` and `visage fetch lfw-pairs`, or name the folder that "
    "holds lfw-deepfunneled/ or lfw-deepfunneled.tar in VISAGE_DATA"
)


class LFWNotFoundError(PhotoError):
    """The data set, its list of pairs, or one of its photographs is not there."""


class LFWDamagedError(PhotoError):
    """The data set is there and cannot be read, or is incomplete."""


@dataclass(frozen=True)
class Pair:
    """Two photographs of the benchmark, each a name and a number."""

    fold: int  # 0 to 9
    a: tuple[str, int]
    b: tuple[str, int]
    same: bool


@dataclass(frozen=True)
class _Place:
    """Where the bytes of a file lie: in a file of their own, or somewhere in a tar."""

    path: Path
    offset: int = 0
    size: int = -1  # -1 is all

    def read(self) -> bytes:
        # Opening anew costs 20 microseconds and shares no file position with other readers.
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


class LFW:
    """The data set, opened; see `open_lfw`."""

    def __init__(self, source: Path, places: dict[str, dict[int, _Place]], pairs: _Place | None):
        self.source = source
        self._places = places
        self._pairs = pairs

    def __len__(self) -> int:
        return sum(len(numbers) for numbers in self._places.values())

    def __repr__(self) -> str:
        return f"LFW({len(self)} photographs of {len(self._places)} people in {str(self.source)!r})"

    def people(self) -> dict[str, list[int]]:
        """Every person's name, as in the files, with the numbers of their photographs."""
        return {name: sorted(self._places[name]) for name in sorted(self._places)}

    def read(self, name: str, number: int) -> bytes:
        """The bytes of one JPEG file.

        Raises:
            LFWNotFoundError: there is no such person or photograph.
        """
        numbers = self._places.get(name)
        if numbers is None:
            raise LFWNotFoundError(
                f"there is nobody called {name!r} in {str(self.source)!r}; names look like "
                "'Aaron_Eckhart'"
            )
        if number not in numbers:
            have = ", ".join(map(str, sorted(numbers)))
            raise LFWNotFoundError(f"there is no photograph {number} of {name!r}; there are {have}")
        try:
            return numbers[number].read()
        except OSError as error:
            raise LFWDamagedError(
                f"photograph {number} of {name!r} cannot be read ({error.strerror}); check "
                f"{str(self.source)!r}"
            ) from None

    def image(self, name: str, number: int) -> Tensor:
        """One photograph, decoded: (1, 3, 250, 250), float32 in [0, 1].

        Raises:
            LFWNotFoundError: there is no such person or photograph.
            PhotoError: its file is damaged.
        """
        return open_photo(self.read(name, number))

    def pairs(self) -> list[Pair]:
        """The official pairs of View 2: 10 folds of 300 pairs alike and 300 apart.

        Raises:
            LFWNotFoundError: pairs.txt is not there.
            LFWDamagedError: it cannot be understood, or names photographs that are missing.
        """
        if self._pairs is None:
            raise LFWNotFoundError(
                f"there is no pairs.txt in {str(self.source)!r} or beside it; run `visage fetch "
                "lfw-pairs`"
            )
        pairs = _parse_pairs(self._pairs.read().decode("utf-8", "replace"))
        missing = sorted(
            {
                f"{name}_{number:04d}"
                for pair in pairs
                for name, number in (pair.a, pair.b)
                if number not in self._places.get(name, ())
            }
        )
        if missing:
            raise LFWDamagedError(
                f"{str(self.source)!r} lacks photographs that pairs.txt names, "
                f"{len(missing)} in all, {missing[0]}.jpg first; {_HELP}"
            )
        return pairs

    def folds(self) -> list[list[Pair]]:
        """The official pairs, one list for each fold."""
        folds: dict[int, list[Pair]] = defaultdict(list)
        for pair in self.pairs():
            folds[pair.fold].append(pair)
        return [folds[fold] for fold in sorted(folds)]


def split(name: str) -> Literal["train", "test"]:
    """Which side of the fixed split a person is on: four fifths train, one fifth tests.

    It depends on the name alone (the first 8 hexadecimal digits of its sha256, modulo 5, 0 is
    test), so it is the same everywhere and nobody is ever on both sides. The official pairs know
    nothing of it: measure a network that was trained on LFW only on pairs whose people are both in
    "test".

    >>> split("Aaron_Eckhart"), split("Zico")
    ('test', 'train')
    """
    number = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
    return "test" if number % 5 == 0 else "train"


def open_lfw(folder: str | os.PathLike | None = None) -> LFW:
    """Open the data set without reading any photograph.

    A tar is indexed once (half a second). A compressed one cannot be read in the middle: the first
    time it is unpacked to a tar beside it, or in the cache folder where that cannot be written.

    Args:
        folder: the folder that holds `lfw-deepfunneled/`, `lfw-deepfunneled.tar` or
            `lfw-deepfunneled.tgz` (or the same of the funneled release), or one of these itself.
            None looks in the folder named by VISAGE_DATA, then where `visage fetch` keeps files.

    Raises:
        LFWNotFoundError: it is in none of these places.
        LFWDamagedError: the archive cannot be read.
    """
    if folder is not None:
        candidates = [Path(folder).expanduser()]
    else:
        named = os.environ.get("VISAGE_DATA")
        candidates = [*([Path(named).expanduser()] if named else []), cache_folder()]
    for candidate in candidates:
        source = _find(candidate)
        if source is not None:
            return _open(source)
    places = " or ".join(repr(str(candidate)) for candidate in candidates)
    raise LFWNotFoundError(f"Labeled Faces in the Wild is not in {places}; {_HELP}")


def _find(folder: Path) -> Path | None:
    """The data set's folder or archive, by preference, in a folder that may be it itself."""
    if folder.is_file() or folder.name in _FOLDERS:
        return folder if folder.exists() else None
    found = [folder / name for name in _FOLDERS if (folder / name).is_dir()]
    found += [folder / name for name in _ARCHIVES if (folder / name).is_file()]
    return min(found, key=lambda path: "deep" not in path.name) if found else None


def _open(source: Path) -> LFW:
    if source.is_file():
        files = _index_tar(_plain_tar(source))
    else:
        files = ((str(path), _Place(path)) for path in sorted(source.glob("*/*.jpg")))
    places: dict[str, dict[int, _Place]] = defaultdict(dict)
    pairs = None
    for name, place in files:
        if match := _PHOTO.search(name.replace(os.sep, "/")):
            places[match[1]][int(match[2])] = place
        elif _PAIRS.search(name):
            pairs = place
    if not places:
        raise LFWDamagedError(
            f"{str(source)!r} holds no photographs named like Aaron_Eckhart/Aaron_Eckhart_0001.jpg"
        )
    beside = [source / "pairs.txt", source.parent / "pairs.txt", cache_folder() / "pairs.txt"]
    for path in beside:
        if pairs is None and path.is_file():
            pairs = _Place(path)
    return LFW(source, dict(places), pairs)


def _index_tar(path: Path) -> list[tuple[str, _Place]]:
    """Where each file of an uncompressed tar lies."""
    size = path.stat().st_size
    try:
        with tarfile.open(path, "r:") as tar:
            members = [member for member in tar if member.isfile()]
    except (tarfile.TarError, OSError, EOFError) as error:
        raise _damaged(path, error) from None
    if any(member.offset_data + member.size > size for member in members):
        raise _damaged(path, "its last file is cut off")
    return [(member.name, _Place(path, member.offset_data, member.size)) for member in members]


def _plain_tar(path: Path) -> Path:
    """An uncompressed copy of a compressed tar, made once; a plain tar as it is."""
    with path.open("rb") as file:
        if file.read(2) != b"\x1f\x8b":
            return path
    beside = path.with_suffix("").with_suffix(".tar")
    folder = path.parent if os.access(path.parent, os.W_OK) else cache_folder()
    for target in (beside, folder / beside.name):
        if target.is_file() and target.stat().st_mtime >= path.stat().st_mtime:
            return target
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / beside.name
    temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    bar = tqdm(total=path.stat().st_size, unit="B", unit_scale=True, desc=f"unpacking {path.name}")
    try:
        with (
            bar,
            path.open("rb") as packed,
            gzip.GzipFile(fileobj=packed) as stream,
            temporary.open("wb") as plain,
        ):
            while chunk := stream.read(1 << 20):
                plain.write(chunk)
                bar.update(packed.tell() - bar.n)
        os.replace(temporary, target)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _damaged(path, error) from None
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _damaged(path: Path, cause: object) -> LFWDamagedError:
    return LFWDamagedError(
        f"{str(path)!r} is cut off or damaged ({cause}); remove it and fetch it again"
    )


def _parse_pairs(text: str) -> list[Pair]:
    """Read pairs.txt: '10 300', then for each fold 300 lines of one person and 300 of two."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    try:
        folds, count = map(int, lines[0])
        pairs = []
        for i, fields in enumerate(lines[1:]):
            fold, same = i // (2 * count), i % (2 * count) < count
            if same:
                name, first, second = fields
                pairs.append(Pair(fold, (name, int(first)), (name, int(second)), True))
            else:
                one, first, other, second = fields
                pairs.append(Pair(fold, (one, int(first)), (other, int(second)), False))
    except (ValueError, IndexError, ZeroDivisionError):
        raise LFWDamagedError("pairs.txt is not the list of LFW's View 2; fetch it again") from None
    if len(pairs) != 2 * folds * count:
        raise LFWDamagedError(
            f"pairs.txt has {len(pairs)} pairs instead of {2 * folds * count}; fetch it again"
        )
    return pairs
