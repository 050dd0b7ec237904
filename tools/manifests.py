"""What the five papers show, figure by figure and table by table, and how much is reproduced.

Each paper has one manifest, ``tools/papers/<part>.yaml``. It holds no measured number: those are
in the ledger, under the ids that a manifest names. ``own.yaml`` gives titles to entries of the
ledger that belong to no paper.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import yaml

from tools.book import REPOSITORY, BookError

FOLDER = REPOSITORY / "tools" / "papers"
PARTS = ("inversion", "normalization", "nfgan", "geometry", "texture")

Kind = Literal["figure", "table"]
Status = Literal["reproduced", "built", "in part", "not reproduced"]
"""``built``: a drawing of a network or a table of layers, which is built and has no number."""


@dataclass(frozen=True)
class Item:
    """A figure or a table of a paper.

    Attributes:
        kind: figure or table.
        number: as the paper counts.
        title: a few words, ours.
        shows: what is to be seen in it, one sentence.
        status: how far it is reproduced.
        entries: ids of the ledger.
        because: what is missing or other than in the paper; empty where nothing is.
        code: of a drawing that is built, the file that builds it.
        chapter: where the book speaks of it, if no entry says so; below book/.
    """

    kind: Kind
    number: int
    title: str
    shows: str
    status: Status
    entries: tuple[str, ...] = ()
    because: str = ""
    code: str = ""
    chapter: str = ""

    @property
    def name(self) -> str:
        """As the paper calls it, e.g. ``Figure 4``."""
        return f"{self.kind.capitalize()} {self.number}"


@dataclass(frozen=True)
class Beside:
    """An entry of the ledger that is no figure and no table.

    Attributes:
        title: a few words.
        shows: why it was measured.
        command: what repeats it, where that is not `visage reproduce`.
    """

    title: str
    shows: str = ""
    command: str = ""


@dataclass(frozen=True)
class Manifest:
    """One paper.

    Attributes:
        key: of the bibliography.
        part: the folder below book/, src/visage/ and results/.
        name: of the part of the book.
        figures: how many figures the paper has, appendices included.
        tables: how many tables.
        items: figures in their order, then tables.
        beside: other entries that belong to the paper, by id.
        rows: of an entry, the rows to show first, and what to call each.
        claims: of an entry, what the paper says of it in words, and as a comparison of its rows,
            such as ``mean_mm/4 < 0.9 * mean_mm/1``.
    """

    key: str
    part: str
    name: str
    figures: int
    tables: int
    items: tuple[Item, ...]
    beside: Mapping[str, Beside] = field(default_factory=dict)
    rows: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    claims: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def entries(self) -> tuple[str, ...]:
        """All ids of the ledger that the manifest names, each once."""
        named = [id for item in self.items for id in item.entries]
        return tuple(dict.fromkeys([*named, *self.beside]))

    def count(self, status: Status) -> int:
        """How many figures and tables stand so."""
        return sum(item.status == status for item in self.items)


@dataclass(frozen=True)
class Own:
    """Entries of no paper: titles by id, and rows to show first."""

    entries: Mapping[str, Beside]
    rows: Mapping[str, Mapping[str, str]]


def read_yaml(path: Path) -> dict:
    """A YAML file, by libyaml where it is there: a build of nothing reads all of these."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(encoding="utf-8"), loader)


@cache
def read_manifests(folder: Path = FOLDER) -> tuple[Manifest, ...]:
    """The five papers, in the order of the book."""
    return tuple(_manifest(folder / f"{part}.yaml") for part in PARTS)


def read_own(folder: Path = FOLDER) -> Own:
    """What is known of the other entries."""
    content = read_yaml(folder / "own.yaml")["entries"]
    rows = {id: entry.pop("rows", {}) for id, entry in content.items()}
    return Own({id: Beside(**entry) for id, entry in content.items()}, rows)


def _manifest(path: Path) -> Manifest:
    content = read_yaml(path)
    beside = {id: Beside(**entry) for id, entry in content.pop("beside", {}).items()}
    items = tuple(_items(content.pop("items"), path))
    try:
        return Manifest(**content, items=items, beside=beside)
    except TypeError as error:
        raise BookError(f"{path.name}: {error}.") from None


def _items(entries: list[dict], path: Path) -> Iterator[Item]:
    for entry in entries:
        (kind,) = [kind for kind in get_args(Kind) if kind in entry] or [""]
        if not kind or entry["status"] not in get_args(Status):
            raise BookError(f"{path.name}: {entry} has no number, or no status that there is.")
        number = entry.pop(kind)
        yield Item(kind, number, **{**entry, "entries": tuple(entry.get("entries", ()))})
