"""The command line: ``visage avatar``, ``reproduce``, ``train`` and ``fetch``.

Everything heavy is imported only once a command needs it, so that ``visage --help`` answers at
once. Experiments come from the ``EXPERIMENTS`` of every ``visage/<part>/*reproduce.py``, trainable
networks from the ``RECIPES`` of every ``visage/<part>/train.py``.
"""

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from tyro.conf import Positional, arg

import visage
from visage import ledger
from visage.avatar.config import AvatarConfig
from visage.ledger import Profile, Result

List = Annotated[bool, arg(name="list", help="Print what there is.")]
Name = Annotated[str | None, arg(metavar="NAME")]


_FOLDERS = {"book": "avatar"}  # of parts that have none of their own: the book's is the whole road


class CommandError(ValueError):
    """A command that asks for something that is not there."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code.

    0 is success, 2 a mistake that one sentence on stderr explains, 130 an interruption.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _dispatch(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt as interrupt:
        print(f"Interrupted: {str(interrupt) or 'nothing is half-written'}.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output, such as `head`, has seen enough; the rest goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if not _is_expected(error):
            raise
        print(f"visage: {error}", file=sys.stderr)
        return 2
    return 0


def _dispatch(arguments: list[str]) -> None:
    names = [word for word in arguments[1:2] if not word.startswith("-")]
    if arguments[:1] == ["train"] and names:
        # The options of `train` and their defaults depend on what is trained.
        _train_one(names[0], arguments[2:])
        return
    tyro.extras.subcommand_cli_from_dict(
        {"avatar": avatar, "reproduce": reproduce, "train": train, "fetch": fetch},
        prog="visage",
        description=visage.__doc__,
        args=arguments,
    )


def _is_expected(error: Exception) -> bool:
    """Whether this package raised it by name; anything else is a fault that needs its traceback."""
    return type(error).__module__.partition(".")[0] == "visage"


def avatar(
    photo: Annotated[Positional[Path], arg(metavar="PHOTO")],
    out: Annotated[Path, arg(help="Ends in .glb.")] = Path("avatar.glb"),
    which: Annotated[
        Literal["only", "largest", "central"] | int,
        arg(help="Face of several; a number counts from 0 at the left."),
    ] = "only",
    expression: Annotated[bool, arg(help="Keep the photograph's; else at rest.")] = False,
    config: Annotated[AvatarConfig, arg(name="")] = AvatarConfig(),  # noqa: B008
) -> None:
    """Make a textured head of a photograph, in a file that any 3D viewer opens."""
    from visage.avatar.file import checked_path

    out = checked_path(out)  # before a minute's work
    from visage.avatar.build import build_avatar
    from visage.photos.landmarks import SeveralFacesError

    try:
        made = build_avatar(photo, config, which=which)
    except SeveralFacesError as error:
        raise CommandError(f"{error}".replace("which=", "--which ").replace("'", "")) from None
    _print_table(
        ("stage", "seconds", "distance"),
        [
            (stage.name, f"{stage.seconds:.1f}",
             "" if stage.distance is None else f"{stage.distance:.3f}")
            for stage in made.stages
        ],
    )  # fmt: skip
    print(f"Below a distance of {made.threshold:g}, the recogniser takes two for one person.")
    print(f"{made.save(out, expression=expression)} written.")


def reproduce(
    id: Positional[Name] = None,
    profile: Annotated[Profile, arg(help="full is what the published pages show.")] = "fast",
    seed: Annotated[int, arg(help="Every random choice follows from it.")] = 0,
    list: List = False,
    all: Annotated[bool, arg(help="Run every experiment.")] = False,
) -> None:
    """Run an experiment and record what it measures beside what the paper says."""
    if list or (id is None and not all):
        _list_experiments()
        return
    experiments = _collect("EXPERIMENTS", "*reproduce.py", None if all else id)
    if not all and id not in experiments:
        known = ", ".join(_collect("EXPERIMENTS", "*reproduce.py")) or "none"
        raise CommandError(f"There is no experiment {id!r}; there are: {known}.")
    for name in experiments if all else [id]:
        outcome = experiments[name](profile, seed)
        result, figure = outcome if isinstance(outcome, tuple) else (outcome, None)
        kept = ledger.is_protected(result.id, profile)
        path = ledger.record(result, figure)
        _print_result(result)
        print(f"{path} {'stands: it holds a full result' if kept else 'written'}.\n")


def train(list: List = False) -> None:
    """Train a network by name; `visage train <name> --help` shows its settings."""
    recipes = _collect("RECIPES", "train.py")
    if not list and recipes:
        print("Name one of these networks.")
    _print_table(("network", "what it is"), [(r.name, r.summary) for r in recipes.values()])


def fetch(name: Positional[Name] = None, list: List = False) -> None:
    """Download a data set or network that is not shipped, checked against its sha256."""
    from visage.photos.downloads import DOWNLOADS
    from visage.photos.downloads import fetch as download

    if list or name is None:
        rows = [(d.name, f"{d.bytes / 1e6:.1f} MB", d.licence) for d in DOWNLOADS.values()]
        _print_table(("name", "size", "licence"), rows)
        return
    print(download(name))


def _train_one(name: str, arguments: list[str]) -> None:
    recipes = _collect("RECIPES", "train.py")
    if name not in recipes:
        raise CommandError(
            f"There is no network {name!r} to train; there are: {', '.join(recipes) or 'none'}."
        )
    recipe = recipes[name]
    from visage.checkpoints import checkpoints_folder, save_checkpoint
    from visage.training import TrainingConfig
    from visage.training import train as run

    def command(
        config: Annotated[TrainingConfig, arg(name="")] = recipe.config,
        folder: Annotated[Path, arg(help="Of the run.")] = Path("runs") / name,
        ship: Annotated[
            bool, arg(help="Put the finished network into checkpoints/, not into the run's folder.")
        ] = False,
    ) -> None:
        if ship and config != recipe.config:
            raise CommandError(
                f"Only a run of {name!r} with the recipe's own settings can be shipped; "
                "change them in the recipe."
            )
        trained = run(recipe, config, folder)
        if trained.rank:
            return
        target = checkpoints_folder() if ship else trained.folder
        print(f"Trained {name} in {trained.seconds:.0f} s; measuring it.")
        tensors = recipe.shipped(trained.model).state_dict()
        print(save_checkpoint(name, tensors, recipe.card(trained), recipe.storage, target))

    command.__doc__ = f"Train {name}: {recipe.summary}."
    tyro.cli(command, prog=f"visage train {name}", args=arguments)


def _collect(table: str, pattern: str, id: str | None = None) -> dict[str, Any]:
    """Merge the tables of all parts, or only of the part that an id names."""
    part = id.partition("/")[0] if id else "*"
    part = _FOLDERS.get(part, part)
    found: dict[str, Any] = {}
    package = Path(visage.__file__).parent
    for path in sorted(package.glob(f"{part}/{pattern}")) if part.isidentifier() or not id else ():
        module = importlib.import_module(f"visage.{path.parent.name}.{path.stem}")
        found |= getattr(module, table)
    return dict(sorted(found.items()))


def _list_experiments() -> None:
    experiments = _collect("EXPERIMENTS", "*reproduce.py")
    rows = []
    for id in sorted({*experiments, *ledger.list_results()}):
        standing = ledger.read(id) if ledger.result_path(id).exists() else None
        rows.append(
            (
                id,
                standing.paper or "" if standing else "",
                standing.profile if standing else "not run",
                f"{standing.seconds:.0f} s" if standing else "",
                standing.revision if standing else "",
            )
        )
    _print_table(("experiment", "paper", "result", "took", "revision"), rows)


def _print_result(result: Result) -> None:
    print(f"{result.id} ({result.profile}, seed {result.seed}): {result.claim}")
    rows = [
        (
            row.name,
            "" if row.paper is None else f"{row.paper:.5g}",
            f"{row.ours:.5g}",
            row.unit,
            row.better or "",
            "" if row.n is None else str(row.n),
        )
        for row in result.rows
    ]
    _print_table(("row", "paper", "ours", "unit", "better", "n"), rows)
    print(f"{result.seconds:.1f} s on {result.device}, revision {result.revision}")


def _print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if not rows:
        print("There is nothing here yet.")
        return
    widths = [max(len(row[k]) for row in (header, *rows)) for k in range(len(header))]
    for row in (header, ["-" * width for width in widths], *rows):
        print("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip())
