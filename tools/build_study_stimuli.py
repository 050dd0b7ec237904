"""The pictures of the user studies: `python -m tools.build_study_stimuli`.

Writes ``src/visage/texture/stimuli``: photographs of synthetic test people of which half has a
made texture (study A), and renderings of three heads (study B). Makes the textures where the cache
does not hold them, which takes a minute or two each.

With ``--stand-ins`` no method is asked: the true textures, blurred more and more, stand in for
what methods make, and are called that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
import tyro
from torch import Tensor
from tqdm.auto import tqdm

from visage.faces.shape import MorphableModel
from visage.texture.database import COUNT
from visage.texture.head_surface import blurred
from visage.texture.held_out import HeldOutViews, held_out_views
from visage.texture.methods import Bench, infer
from visage.texture.observation import observe_truly
from visage.texture.skins import face_atlases
from visage.texture.study_drawing import (
    composited,
    face_crops,
    random_turns,
    turned_heads,
    without_detail,
)
from visage.texture.study_stimuli import Stimuli, changed_over, write_stimuli
from visage.texture.synthesis import SynthesisConfig
from visage.texture.user_study import METHODS_A, METHODS_B, PEOPLE_A, PEOPLE_B, TRUTH

SPLIT = "test"
ATLAS = 2048
POSES = 2
LIMIT = 300_000  # bytes of all files together
NAMES = {
    TRUTH: "the true skin",
    "pca": "PCA",
    "quilting": "image quilting",
    "closest": "ours, closest",
    "unconstrained": "ours, unconstrained",
    "convex": "ours, convex",
}

Maker = Callable[[HeldOutViews], Mapping[str, Tensor]]
"""A photograph to textures (1, 3, S, S), by who made them."""


@dataclass(frozen=True)
class Options:
    """What to make."""

    stand_ins: bool = False  # blur the truth instead of asking the methods
    size: int = 512  # texels of the textures
    people: int = COUNT  # K, of the database
    iterations: int = 300  # of each synthesis


def stand_ins(options: Options) -> tuple[Maker, Maker, dict[str, str]]:
    """Makers that blur the truth, for both studies, and their names."""
    widths = {f"blur{level}": 0.8 * 1.7**level for level in range(1, 6)}

    def blur(view: HeldOutViews) -> dict[str, Tensor]:
        true = view.textures(options.size)
        return {name: blurred(true, width * options.size / 512) for name, width in widths.items()}

    def choose(view: HeldOutViews) -> dict[str, Tensor]:
        made = blur(view)
        true = view.textures(options.size)
        return {"blur2": made["blur2"], TRUTH: true, "blur5": made["blur5"]}

    names = {name: f"blurred by {width:.1f} texels" for name, width in widths.items()}
    return blur, choose, {TRUTH: NAMES[TRUTH], **names}


def methods(options: Options) -> tuple[Maker, Maker, dict[str, str]]:
    """The paper's makers, for both studies, and their names."""
    synthesis = SynthesisConfig(iterations=options.iterations)
    bench = Bench.load(options.size, options.people, synthesis)

    def all_of_them(view: HeldOutViews) -> dict[str, Tensor]:
        return infer(observe_truly(view, 0, options.size), bench, METHODS_A)

    def some(view: HeldOutViews) -> dict[str, Tensor]:
        asked = [name for name in METHODS_B if name != TRUTH]
        made = infer(observe_truly(view, 0, options.size), bench, asked)
        made[TRUTH] = view.textures(options.size)
        return {name: made[name] for name in METHODS_B}

    return all_of_them, some, NAMES


def halves(model: MorphableModel, make: Maker) -> tuple[Tensor, dict[str, Tensor]]:
    """Study A's true halves, and the others by maker."""
    views = held_out_views(PEOPLE_A, SPLIT)
    reference, found = [], defaultdict(list)
    for person in tqdm(range(PEOPLE_A), desc="study A", unit="person"):
        view = views[[person]]
        true = face_atlases(SPLIT, view.indices, ATLAS)
        made = make(replace(view, image=without_detail(view.image)))
        pictures = composited(model, view, true, torch.cat(list(made.values())))
        pictures = torch.cat([view.image, pictures])
        for name, picture in zip((TRUTH, *made), pictures.split(1), strict=True):
            left, right = changed_over(face_crops(picture, view.landmarks))
            found[name].append(right)
            if name == TRUTH:
                reference.append(left)
    return torch.cat(reference), {name: torch.cat(some) for name, some in found.items()}


def faces(model: MorphableModel, make: Maker) -> dict[str, Tensor]:
    """Study B's faces by maker; other people than study A's."""
    views = held_out_views(PEOPLE_B, SPLIT, first=PEOPLE_A)
    found = defaultdict(list)
    for person in tqdm(range(PEOPLE_B), desc="study B", unit="person"):
        view = views[[person]]
        true = face_atlases(SPLIT, view.indices, ATLAS)
        angles = random_turns(POSES, person)
        for name, texture in make(view).items():
            found[name].append(turned_heads(model, texture, view.identity, true, angles))
    return {name: torch.stack(some) for name, some in found.items()}


def note_of(options: Options) -> str:
    """How the textures were made, in words."""
    if options.stand_ins:
        return f"True textures of {options.size} texels, blurred, stand in for methods"
    return (
        f"Textures of {options.size} texels by each method, from {options.people} training people; "
        f"{options.iterations} iterations of each synthesis"
    )


@torch.no_grad()
def main() -> None:
    """Write the sheets, at the best quality that fits."""
    options = tyro.cli(Options, description=__doc__)
    first, second, names = (stand_ins if options.stand_ins else methods)(options)
    model = MorphableModel.load(1)
    reference, by_maker = halves(model, first)
    stimuli = Stimuli(reference, by_maker, faces(model, second), names)
    for quality in range(94, 40, -3):
        size = write_stimuli(stimuli, quality=quality, note=note_of(options))
        if size <= LIMIT:
            break
    print(f"{size} bytes at a quality of {quality}: {', '.join(stimuli.halves)}")


if __name__ == "__main__":
    main()
