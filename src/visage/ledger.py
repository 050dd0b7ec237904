"""The reproduction ledger: what a paper claims, what we measure, and how.

Each experiment has an id, ``<part>/<name>``, and at most one standing result: the file
``results/<part>/<name>.json``, with its figure beside it. The book reads these files; nobody types
a measured number into a page.

A result of the ``fast`` profile never replaces one of the ``full`` profile: `record` then leaves
the files alone and returns the path of what stands; `is_protected` tells beforehand.

>>> row = Row("accuracy", paper=0.9938, ours=0.9925, unit="fraction", better="higher", n=6000)
>>> row.ours - row.paper < 0
True
"""

from __future__ import annotations

import io
import json
import math
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import visage
from visage.files import written_whole

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

Profile = Literal["fast", "full"]

_ID = re.compile(r"[a-z][a-z0-9_]*/[a-z0-9][a-z0-9_-]*")
_LARGE = 60_000  # bytes of a figure: plots stay below, sheets of pictures do not
_FIGURE_SUFFIXES = (".png", ".svg", ".webp", ".jpg")


class LedgerError(ValueError):
    """A result that cannot be recorded or read; the message says which and why."""


@dataclass(frozen=True)
class Row:
    """One measured number beside the paper's.

    Attributes:
        name: unique within its result, e.g. ``tar_far_1e-3``.
        paper: the published value, None where the paper gives none.
        ours: the value measured here.
        unit: e.g. ``fraction``, ``px``, ``mm``, ``s``; empty for a count.
        better: which direction is better, None where neither is.
        n: how many items the number was measured on, None where that has no meaning.
    """

    name: str
    paper: float | None
    ours: float
    unit: str
    better: Literal["lower", "higher"] | None
    n: int | None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise LedgerError(f"A row's name is a text of at least one letter, not {self.name!r}.")
        for which in ("paper", "ours"):
            number = getattr(self, which)
            if which == "paper" and number is None:
                continue
            if not _is_finite_number(number):
                raise LedgerError(f"Row {self.name!r}: {which} is a finite number, not {number!r}.")
        if not isinstance(self.unit, str):
            raise LedgerError(f"Row {self.name!r}: unit is a text, not {self.unit!r}.")
        if self.better not in ("lower", "higher", None):
            raise LedgerError(
                f"Row {self.name!r}: better is 'lower', 'higher' or None, not {self.better!r}."
            )
        if self.n is not None and (type(self.n) is not int or self.n < 0):
            raise LedgerError(f"Row {self.name!r}: n is a whole number or None, not {self.n!r}.")


@dataclass(frozen=True)
class Result:
    """One run of one experiment.

    Attributes:
        id: ``<part>/<name>``, lower case, e.g. ``recognition/lfw``.
        paper: bibliography key of the paper, None for a measurement of our own.
        claim: what the paper says (or what we set out to show), one sentence.
        protocol: what was done, on which data, and what differs from the paper.
        profile: ``fast`` or ``full``.
        seed: every random choice follows from it.
        device: as `describe_device` words it.
        seconds: wall time of the run.
        revision: as `current_revision` words it.
        figure: file name beside the JSON; `record` fills it in.
        rows: the numbers, in the order in which a page shows them.
    """

    id: str
    paper: str | None
    claim: str
    protocol: str
    profile: Profile
    seed: int
    device: str
    seconds: float
    revision: str
    figure: str | None
    rows: tuple[Row, ...]

    def __post_init__(self) -> None:
        _check_id(self.id)
        object.__setattr__(self, "rows", tuple(self.rows))
        for name in ("claim", "protocol", "device", "revision"):
            text = getattr(self, name)
            if not isinstance(text, str) or not text.strip():
                raise LedgerError(f"Result {self.id!r}: {name} is a text, not {text!r}.")
        for name in ("paper", "figure"):
            text = getattr(self, name)
            if text is not None and not isinstance(text, str):
                raise LedgerError(f"Result {self.id!r}: {name} is a text or None, not {text!r}.")
        if self.figure is not None and Path(self.figure).name != self.figure:
            raise LedgerError(
                f"Result {self.id!r}: figure is a file name beside the JSON, not {self.figure!r}."
            )
        if self.profile not in ("fast", "full"):
            raise LedgerError(
                f"Result {self.id!r}: profile is 'fast' or 'full', not {self.profile!r}."
            )
        if type(self.seed) is not int:
            raise LedgerError(f"Result {self.id!r}: seed is a whole number, not {self.seed!r}.")
        if not _is_finite_number(self.seconds) or self.seconds < 0:
            raise LedgerError(
                f"Result {self.id!r}: seconds is a finite number of 0 or more, "
                f"not {self.seconds!r}."
            )
        if not self.rows or not all(isinstance(row, Row) for row in self.rows):
            raise LedgerError(f"Result {self.id!r}: rows holds at least one Row and nothing else.")
        names = [row.name for row in self.rows]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise LedgerError(
                f"Result {self.id!r}: each row has a name of its own, "
                f"but {', '.join(repeated)} occurs more than once."
            )


Experiment = Callable[[Profile, int], "Result | tuple[Result, Figure]"]
"""A profile and a seed to a result, with its figure where there is one."""


def repository() -> Path | None:
    """The working copy that this package was imported from, None for an ordinary install."""
    root = Path(__file__).resolve().parents[2]
    is_ours = (root / "pyproject.toml").is_file() and (root / "src" / "visage").is_dir()
    return root if is_ours else None


def results_folder() -> Path:
    """Where results are read and written.

    The folder named by the environment variable ``VISAGE_RESULTS``, else ``results/`` of the
    working copy that the package was imported from.

    Raises:
        LedgerError: neither exists.
    """
    named = os.environ.get("VISAGE_RESULTS")
    if named:
        return Path(named).expanduser()
    root = repository()
    if root is None:
        raise LedgerError(
            "There is no results folder: the package is not installed from a working copy. "
            "Name a folder in the environment variable VISAGE_RESULTS."
        )
    return root / "results"


def result_path(id: str) -> Path:
    """Where the result of an experiment stands, whether or not it exists yet."""
    _check_id(id)
    return results_folder() / f"{id}.json"


def is_protected(id: str, profile: Profile) -> bool:
    """Whether a full result stands that a result of this profile must not replace."""
    return profile == "fast" and result_path(id).exists() and read(id).profile == "full"


def record(result: Result, figure: Figure | str | Path | None = None) -> Path:
    """Write a result, and its figure beside it; both appear whole or not at all.

    A fast result is not written where a full one stands (`is_protected`); without a figure, the
    file that ``result.figure`` names must already be there.

    Args:
        result: what to write.
        figure: a matplotlib figure (saved as PNG, as WebP if it is large) or the path of a picture
            (copied).

    Returns:
        The path of the JSON file that stands.

    Raises:
        LedgerError: the figure is missing or of another kind than PNG, SVG, WebP or JPEG, or a
            file that cannot be read stands where a fast result would go.
    """
    path = result_path(result.id)
    if is_protected(result.id, result.profile):
        return path
    if figure is not None:
        result = replace(result, figure=_write_figure(path, figure))
    elif result.figure is not None and not (path.parent / result.figure).is_file():
        raise LedgerError(
            f"Result {result.id!r} names the figure {result.figure!r}, which is not in "
            f"{path.parent}; hand the figure to record()."
        )
    text = json.dumps(asdict(result), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    for suffix in _FIGURE_SUFFIXES:
        stale = path.with_suffix(suffix)
        if stale.name != result.figure:
            stale.unlink(missing_ok=True)
    return path


def read(id: str) -> Result:
    """The standing result of an experiment.

    Raises:
        LedgerError: there is none (the message lists those there are), or its file is broken.
    """
    path = result_path(id)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        known = ", ".join(list_results()) or "none"
        raise LedgerError(
            f"There is no result {id!r} in {results_folder()} (there are: {known}); "
            f"run `visage reproduce {id}`."
        ) from None
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise LedgerError(f"{path} is not JSON ({error}); run `visage reproduce {id}`.") from None
    content = _known_fields(Result, content, path)
    if not isinstance(content["rows"], list):
        raise LedgerError(f"{path}: rows is a list.")
    rows = tuple(Row(**_known_fields(Row, row, path)) for row in content["rows"])
    result = Result(**{**content, "rows": rows})
    if result.id != id:
        raise LedgerError(f"{path} holds the result of {result.id!r}, not of {id!r}.")
    return result


def value(id: str, row: str) -> float:
    """The measured number of one row, for a page or a test.

    Raises:
        LedgerError: there is no such result or row.
    """
    rows = {entry.name: entry for entry in read(id).rows}
    if row not in rows:
        raise LedgerError(f"Result {id!r} has no row {row!r}; it has {', '.join(rows)}.")
    return rows[row].ours


def list_results() -> list[str]:
    """Ids of all standing results, sorted."""
    folder = results_folder()
    ids = (path.relative_to(folder).with_suffix("").as_posix() for path in folder.glob("*/*.json"))
    return sorted(id for id in ids if _ID.fullmatch(id))


def describe_device(device: str | torch.device = "cpu") -> str:
    """The device in words, for a result or a model card, e.g. ``NVIDIA H200``."""
    import torch  # Reading the ledger needs no torch, and the command line should start at once.

    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{_processor_name()}, {torch.get_num_threads()} of {os.cpu_count()} threads"


def current_revision() -> str:
    """The commit that the package stands at, ``-dirty`` where files other than results differ.

    Outside a git working copy: the package's version, e.g. ``v0.1.0``.
    """
    version = f"v{visage.__version__}"
    root = repository()
    if root is None:
        return version
    try:
        commit = _git(root, "rev-parse", "--short=12", "HEAD")
        # Recording one result must not make the next one dirty.
        changed = _git(root, "status", "--porcelain", "--", ".", ":(exclude)results")
    except (OSError, subprocess.CalledProcessError):
        return version
    return f"{commit}-dirty" if changed else commit


def _check_id(id: str) -> None:
    if not isinstance(id, str) or not _ID.fullmatch(id):
        raise LedgerError(
            f"An experiment's id is <part>/<name> in lower case, e.g. recognition/lfw, not {id!r}."
        )


def _is_finite_number(number: object) -> bool:
    is_number = isinstance(number, int | float) and not isinstance(number, bool)
    return is_number and math.isfinite(number)


def _known_fields(kind: type, content: object, path: Path) -> dict:
    if not isinstance(content, dict):
        raise LedgerError(f"{path}: a {kind.__name__.lower()} is a JSON object, not {content!r}.")
    expected = [field.name for field in fields(kind)]
    missing = [name for name in expected if name not in content]
    unknown = [name for name in content if name not in expected]
    if missing or unknown:
        what = [f"lacks {', '.join(missing)}"] if missing else []
        what += [f"has the unknown {', '.join(unknown)}"] if unknown else []
        raise LedgerError(f"{path}: a {kind.__name__.lower()} {' and '.join(what)}.")
    return content


def _write_figure(path: Path, figure: Figure | str | Path) -> str:
    if hasattr(figure, "savefig"):
        png = io.BytesIO()
        figure.savefig(png, format="png", dpi=150, bbox_inches="tight", metadata={"Software": None})
        return _write_raster(path, png.getvalue())
    source = Path(figure)
    if not source.is_file() or source.suffix.lower() not in _FIGURE_SUFFIXES:
        raise LedgerError(
            f"A figure is a matplotlib figure or a {', '.join(_FIGURE_SUFFIXES)} file, "
            f"not {str(figure)!r}."
        )
    target = path.with_suffix(source.suffix.lower())
    if not (target.exists() and target.samefile(source)):
        with written_whole(target) as temporary:
            shutil.copyfile(source, temporary)
    return target.name


def _write_raster(path: Path, png: bytes) -> str:
    """As PNG; sheets of photographs as WebP, a tenth of the size: every clone pays for them."""
    target, content = path.with_suffix(".png"), png
    if len(png) > _LARGE:
        from PIL import Image  # only to record

        webp = io.BytesIO()
        Image.open(io.BytesIO(png)).convert("RGB").save(webp, "webp", quality=80, method=6)
        target, content = path.with_suffix(".webp"), webp.getvalue()
    with written_whole(target) as temporary:
        temporary.write_bytes(content)
    return target.name


def _processor_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine() or "CPU"


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout.strip()
