"""The pictures of the user studies: `python -m tools.build_study_stimuli`.

Writes ``src/visage/texture/stimuli``: photographs of synthetic test people of which half has a
made texture (study A), and renderings of three heads (study B). Makes the textures where the cache
does not hold them, which takes a minute or two each.

With ``--stand-ins`` no method is asked: the true textures, blurred more and more, stand in for
what methods make, and are called that.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor
from tqdm.auto import tqdm

from visage.faces.shape import MorphableModel
from visage.texture.head_surface import blurred
from visage.texture.held_out import HeldOutViews, held_out_views
from visage.texture.skins import face_atlases
from visage.texture.study_drawing import (
    composited,
    face_crops,
    random_turns,
    turned_heads,
    without_detail,
)
from visage.texture.study_stimuli import Stimuli, changed_over, write_stimuli
from visage.texture.user_study import METHODS_A, METHODS_B, PEOPLE_A, PEOPLE_B, TRUTH

SPLIT = "test"
SIZE = 512  # texels
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

Makers = Mapping[str, Callable[[HeldOutViews], Tensor]]
"""By name: a photograph to its texture (1, 3, S, S)."""


def stand_ins() -> tuple[Makers, Makers, dict[str, str]]:
    """Makers that blur the truth, for both studies, and their names."""
    widths = {f"blur{level}": 0.8 * 1.7**level for level in range(1, 6)}

    def maker(width: float) -> Callable[[HeldOutViews], Tensor]:
        return lambda view: blurred(view.textures(SIZE), width)

    makers = {name: maker(width) for name, width in widths.items()}
    names = {name: f"blurred by {width:.1f} texels" for name, width in widths.items()}
    ofb = {"blur2": makers["blur2"], TRUTH: true_texture, "blur5": makers["blur5"]}
    return makers, ofb, {TRUTH: NAMES[TRUTH], **names}


def methods() -> tuple[Makers, Makers, dict[str, str]]:
    """The paper's makers, for both studies, and their names."""
    from visage.texture.methods import make_texture

    def maker(name: str) -> Callable[[HeldOutViews], Tensor]:
        return lambda view: make_texture(name, view, SIZE)

    ofa = {name: maker(name) for name in METHODS_A}
    ofb = {name: true_texture if name == TRUTH else maker(name) for name in METHODS_B}
    return ofa, ofb, NAMES


def true_texture(view: HeldOutViews) -> Tensor:
    """The person's own."""
    return view.textures(SIZE)


def halves(model: MorphableModel, makers: Makers) -> tuple[Tensor, dict[str, Tensor]]:
    """Study A's true halves, and the others by maker."""
    views = held_out_views(PEOPLE_A, SPLIT)
    reference, made = [], {name: [] for name in (TRUTH, *makers)}
    for person in tqdm(range(PEOPLE_A), desc="study A", unit="person"):
        view = views[[person]]
        true = face_atlases(SPLIT, view.indices, ATLAS)
        seen = photographed(view, without_detail(view.image))
        for name in made:
            picture = view.image
            if name != TRUTH:
                picture = composited(model, view, true, makers[name](seen))
            left, right = changed_over(face_crops(picture, view.landmarks))
            made[name].append(right)
            if name == TRUTH:
                reference.append(left)
    return torch.cat(reference), {name: torch.cat(some) for name, some in made.items()}


def faces(model: MorphableModel, makers: Makers) -> dict[str, Tensor]:
    """Study B's faces by maker; other people than study A's."""
    views = held_out_views(PEOPLE_B, SPLIT, first=PEOPLE_A)
    found = {name: [] for name in makers}
    for person in tqdm(range(PEOPLE_B), desc="study B", unit="person"):
        view = views[[person]]
        true = face_atlases(SPLIT, view.indices, ATLAS)
        angles = random_turns(POSES, person)
        for name, make in makers.items():
            found[name].append(turned_heads(model, make(view), view.identity, true, angles))
    return {name: torch.stack(some) for name, some in found.items()}


def photographed(view: HeldOutViews, image: Tensor) -> HeldOutViews:
    """The view with another picture."""
    return replace(view, image=image)


@torch.no_grad()
def main() -> None:
    """Write the sheets, at the best quality that fits."""
    plain = "--stand-ins" in sys.argv[1:]
    ofa, ofb, names = stand_ins() if plain else methods()
    model = MorphableModel.load(1)
    reference, by_maker = halves(model, ofa)
    stimuli = Stimuli(reference, by_maker, faces(model, ofb), names)
    note = "stand-ins: true textures, blurred" if plain else "textures made by each method"
    for quality in range(92, 40, -3):
        size = write_stimuli(stimuli, quality=quality, note=note)
        if size <= LIMIT:
            break
    print(f"{size} bytes at a quality of {quality}: {', '.join(stimuli.halves)}")


if __name__ == "__main__":
    main()
