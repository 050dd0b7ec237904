"""Figure 15: what is inferred from a photograph of a quarter of the resolution."""

from __future__ import annotations

import time
from dataclasses import replace

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from visage.ledger import Experiment, Profile, Result
from visage.sheet import sheet
from visage.texture.errors import HeldOutError
from visage.texture.held_out import HeldOutViews, held_out_views
from visage.texture.likeness import face_chips, identity_distances, recogniser
from visage.texture.methods import Bench, infer
from visage.texture.observation import observe_truly
from visage.texture.study import finite_mean, joined, part_result, scores, shown
from visage.texture.synthesis import SynthesisConfig

FACTOR = 4
"""Of the sides: the paper goes from 435 by 652 pixels to 108 by 162."""

_DRAWN = 3
_MEASURES = (("high", None), ("middle", None), ("gram", "lower"))


def downsized(views: HeldOutViews, factor: int) -> HeldOutViews:
    """The same photographs with fewer pixels, each the mean of so many by so many.

    Args:
        views: photographs whose sides are multiples of the factor.
        factor: of the sides.

    Raises:
        HeldOutError: they are not.
    """
    camera = views.camera
    if factor < 1 or camera.height % factor or camera.width % factor:
        raise HeldOutError(
            f"photographs of {camera.height} by {camera.width} pixels cannot be reduced {factor} "
            "times; give a divisor of both"
        )
    smaller = replace(
        camera,
        height=camera.height // factor,
        width=camera.width // factor,
        focal=camera.focal / factor,
    )
    # The centre of the first pixel is at 0: half a pixel is another length in each picture.
    landmarks = (views.landmarks + 0.5) / factor - 0.5
    image, seen = avg_pool2d(views.image, factor), avg_pool2d(views.seen, factor)
    return replace(views, image=image, seen=seen, camera=smaller, landmarks=landmarks)


def reproduce_fig15(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Textures from whole photographs and from small ones."""
    start, full = time.perf_counter(), profile == "full"
    count = 10 if full else 1
    if full:
        bench = Bench.load(192, 256, SynthesisConfig(iterations=80))
    else:
        bench = Bench.load(128, 6, SynthesisConfig(iterations=3))
    large = held_out_views(count, "test", 512 if full else 256, relief=False)
    true = large.textures(bench.size)
    inputs = {"whole": large, "quarter": downsized(large, FACTOR)}
    made, rows = {}, []
    for name, views in inputs.items():
        textures, several = [], []
        for row in range(count):
            seen = observe_truly(views, row, bench.size)
            textures.append(infer(seen, bench, ("convex",))["convex"])
            several.append(scores(textures[-1], true[row : row + 1], seen, bench.judge))
        made[name] = torch.cat(textures)
        values = joined(several)
        rows += [finite_mean(f"{what}/{name}", values[what], better) for what, better in _MEASURES]
    known = face_chips(true, large.identity)
    for name, textures in made.items():
        distance = identity_distances(face_chips(textures, large.identity), known).diagonal()
        within = (distance < recogniser().threshold).float()
        rows += [
            finite_mean(f"identity_distance/{name}", distance, "lower"),
            finite_mean(f"identity_within_threshold/{name}", within, "higher", "fraction"),
        ]
    result = part_result(
        "texture/fig15",
        "From an image of a quarter of the resolution fine detail is produced all the same, and "
        "the person's likeness is kept.",
        f"{count} synthetic test people from the front, given the true fit; photographs of "
        f"{large.camera.width} pixels, and the same reduced to {large.camera.width // FACTOR} by "
        "means, with which the database is compared when it is made as coarse; "
        f"{bench.size} texels, {len(bench.database)} people, {bench.synthesis.iterations} "
        "steps. high, middle: band energies over the true texture's; gram: distance of "
        "correlations from the true texture's on the face; identity: dlib's recogniser on frontal "
        "heads with the inferred and the true texture. The paper shows one person.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, _figure(inputs, made, true, min(count, _DRAWN))


def _figure(
    inputs: dict[str, HeldOutViews], made: dict[str, Tensor], true: Tensor, count: int
) -> Figure:
    size = shown(true).shape[-1]
    rows = []
    for row in range(count):
        pictures = []
        for name, views in inputs.items():
            # Pixels as they are: a reader shall see how few a quarter has.
            photo = interpolate(views.image[row : row + 1], size=(size, size), mode="nearest")
            pictures += [photo, shown(made[name][row : row + 1])]
        rows.append(torch.cat([*pictures, shown(true[row : row + 1])]))
    names = [f"person {index}" for index in inputs["whole"].indices[:count]]
    columns = ("photograph", "texture", "a quarter", "texture", "truth")
    return sheet(rows, names, columns=columns)


EXPERIMENTS: dict[str, Experiment] = {"texture/fig15": reproduce_fig15}
"""What this module measures."""
