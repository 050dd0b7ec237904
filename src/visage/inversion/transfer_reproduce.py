"""Figures 4, 5 and 11: faces carried over to other pictures and to a film."""

from __future__ import annotations

import time
from dataclasses import replace

import torch
from matplotlib.figure import Figure
from torch import Tensor

from visage.checkpoints import load_into
from visage.faces.camera import WeakPerspective
from visage.faces.light import LIGHT_KINDS, seeded_lights
from visage.faces.population import people
from visage.faces.scene import Scene, render
from visage.faces.shape import MorphableModel
from visage.faces.skin import skin_maps
from visage.inversion.film import FRAMES, talking_head
from visage.inversion.networks import GuidedFaceNetwork
from visage.inversion.reconstruction_config import PAPER, ROBUST
from visage.inversion.result import inversion_result
from visage.inversion.study import Study
from visage.inversion.train import GUIDED, film
from visage.inversion.transfer import transfer, transfer_at_once
from visage.ledger import Experiment, Profile, Result
from visage.measured import mean_row
from visage.photos.alignment import Crop, align
from visage.photos.landmarks import FaceBox, find_landmarks
from visage.recognition.examples import synthetic_examples
from visage.sheet import sheet

_SHOWN = 8
_CHIP_SIZE = 224
_PULL = 0.12  # of the guide: its pose has to stay


def reproduce_fig4(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Each of some people transferred to the picture of the next one."""
    start, (count, steps) = time.perf_counter(), ((16, 200) if profile == "full" else (4, 20))
    study = Study.standard()
    source = synthetic_examples(study.encoder, "test", 100).chosen(range(count))
    guides = (source.chips.float() / 255).roll(-1, 0)
    objective = replace(PAPER.objective, guide_weight=_PULL)
    config = replace(PAPER, steps=steps, objective=objective)
    known = replace(study.known.references(), guide=guides)
    found = study.descend(source.embeddings, config, known, seed=seed, name="fig4")
    moved = study.descend(source.embeddings, replace(ROBUST, steps=steps), known, seed=seed,
                          pixels=study.known.pixels(), name="fig4, moved")  # fmt: skip
    before = study.encoder.distance(study.embed(guides), source.embeddings)
    rows = [mean_row("guide_distance_before", before, "", None)]
    for images, suffix in ((found.images, ""), (moved.images, "_moved")):
        apart = study.encoder.distance(study.embed(images), source.embeddings.roll(-1, 0))
        kept = _landmarks_apart(images, guides)
        rows += [
            *study.closeness(images, source.embeddings, suffix),
            mean_row(f"distance_from_guides_person{suffix}", apart, "", "higher"),
            mean_row(f"pose_kept{suffix}", kept, "eye distances", "lower"),
        ]
    chips = source.chips[:_SHOWN].float() / 255
    shown = [chips, guides[:_SHOWN], found.images[:_SHOWN], moved.images[:_SHOWN]]
    figure = sheet(shown, ["whose embedding", "guide", "transfer", "moved each step"])
    result = inversion_result(
        "inversion/fig4",
        "One person's embedding, transferred onto the picture of another, shows the first with "
        "the pose and expression of the second.",
        f"{count} synthetic test people, each on the picture of the next one as guide and start; "
        f"{steps} steps of section 5.1's settings, guide weight {_PULL}. Rows _moved: beyond the "
        "paper, as many steps of `ROBUST`, which moves the image at each. pose_kept: mean distance "
        "of dlib's 68 landmarks in the result and in the guide, by the distance of the outer "
        "corners of the eyes.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, figure


def reproduce_fig5(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Several people on guides that are nobody: a drawn face, and the mean face."""
    start, (count, steps) = time.perf_counter(), ((16, 200) if profile == "full" else (4, 20))
    study = Study.standard()
    source = synthetic_examples(study.encoder, "test", 100).chosen(range(count))
    guides = {"drawn": drawn_face(study.encoder.crop), "mean": study.known.mean_face}
    config = replace(PAPER, steps=steps)
    rows, shown = [], []
    for name, guide in guides.items():
        known = replace(study.known.references(), guide=guide)
        images = study.descend(source.embeddings, config, known, seed=seed, name=name).images
        reached = study.embed(images)
        table = study.encoder.distance(reached[:, None], source.embeddings[None])
        first = (table.argmin(1) == torch.arange(count)).float()
        rows += [
            *study.closeness(images, source.embeddings, f"_{name}"),
            mean_row(f"identified_{name}", first, "fraction", "higher"),
            mean_row(f"worst_distance_{name}", table.diagonal().amax()[None], "", "lower"),
        ]
        shown.append(images[:_SHOWN])
    chips = source.chips[:_SHOWN].float() / 255
    figure = sheet([chips, *shown], ["true face", "on a drawn face", "on the mean face"])
    result = inversion_result(
        "inversion/fig5",
        "People differ in how recognisable they are on a guide that is nobody's photograph.",
        f"{count} synthetic test people, {steps} steps of section 5.1's settings on two guides: "
        "the morphable model's mean head, bare and evenly lit (the paper takes cartoons), and the "
        f"mean face of training pictures. identified: nearest of the {count} embeddings.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, figure


def drawn_face(crop: Crop) -> Tensor:
    """The morphable model's mean head without hair, before a plain background: (1, 3, S, S)."""
    model = MorphableModel.load(1)
    someone = people(model, 0, [0])
    room = tuple(kind for kind in LIGHT_KINDS if kind.name == "overcast")
    camera = WeakPerspective(torch.zeros(1, 3), torch.zeros(1, 2), _CHIP_SIZE, _CHIP_SIZE,
                             scale=torch.tensor([_CHIP_SIZE / 300]))  # fmt: skip
    scene = Scene(
        identity=torch.zeros_like(someone.identity),
        expression=torch.zeros(1, len(model.expression_names)),
        camera=camera,
        light=seeded_lights(torch.tensor([0]), room),
        maps=skin_maps(model, someone.skin, 512),
    )
    picture = render(model, scene, supersample=2)
    grey = torch.lerp(torch.full_like(picture.image, 0.6), picture.image, picture.mask)
    return align(grey, picture.landmarks, crop, padding="border")


def _landmarks_apart(images: Tensor, guides: Tensor) -> Tensor:
    apart = []
    for image, guide in zip(images, guides, strict=True):
        there, here = (_inner_landmarks(chip[None]) for chip in (guide, image))
        apart.append((there - here).norm(dim=1).mean() / (there[45] - there[36]).norm())
    return torch.stack(apart)


def _inner_landmarks(chip: Tensor) -> Tensor:
    """Dlib's 68 points (68, 2) in a chip, whose face is where chips have it."""
    size = chip.shape[-1]
    box = FaceBox(left=0.12 * size, top=0.1 * size, right=0.88 * size, bottom=0.88 * size, score=0)
    return find_landmarks(chip, box)[0]


def reproduce_fig11(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """The guided network on its film with people that it has never seen, and on another film."""
    full = profile == "full"
    start, (count, frames) = time.perf_counter(), ((20, FRAMES) if full else (2, 8))
    study = Study.standard()
    network = load_guided()
    source = synthetic_examples(study.encoder, "test", 100).chosen(range(count))
    films = {
        "seen_film": film() if full else film()[:frames],
        "new_film": talking_head(7, study.encoder.crop, frames=frames, split="test"),
    }
    rows, shown = [], []
    for name, pictures in films.items():
        made = torch.stack([
            torch.cat(list(transfer_at_once(network, target[None], pictures.split(16))))
            for target in source.embeddings
        ])  # fmt: skip
        targets = source.embeddings.repeat_interleave(len(pictures), 0)
        rows += study.closeness(made.flatten(0, 1), targets, f"_{name}")
        # From frame to frame a face should change as little as the film does.
        unrest = (made.diff(dim=1) - pictures.diff(dim=0)).abs().mean((1, 2, 3, 4))
        rows.append(mean_row(f"unrest_{name}", 255 * unrest, "grey levels", "lower"))
        some = torch.linspace(0, len(pictures) - 1, _SHOWN).round().long()
        shown += [pictures[some], made[0][some], made[1][some]]
    descended = list(transfer(
        study.encoder, source.embeddings[:1], films["seen_film"][:16].split(1),
        replace(PAPER, steps=100 if full else 10), study.known.references(),
        steps_after=30 if full else 5,
    ))  # fmt: skip
    descent = torch.cat([one.images for one in descended])
    rows += study.closeness(descent, source.embeddings[:1].expand(len(descent), -1), "_iterative")
    names = ["its film", "person A", "person B", "new film", "person A", "person B"]
    result = inversion_result(
        "inversion/fig11",
        "A network that takes the guide as an input carries an embedding that it has never seen "
        "over to a film.",
        f"{count} synthetic test people on two films of {frames} frames of rendered heads that "
        f"turn and talk: the one that the network was trained with ({FRAMES} frames) and one of a "
        "test person. unrest: mean absolute change from frame to frame beyond the film's own. "
        "iterative: one person, 16 frames, each warm-started from the one before.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, sheet(shown, names)


def load_guided() -> GuidedFaceNetwork:
    """The shipped network of section 4.2."""
    network = GuidedFaceNetwork(GUIDED)
    load_into(network, "inversion_network_guided")
    return network.eval().requires_grad_(False)


EXPERIMENTS: dict[str, Experiment] = {
    "inversion/fig4": reproduce_fig4,
    "inversion/fig5": reproduce_fig5,
    "inversion/fig11": reproduce_fig11,
}
