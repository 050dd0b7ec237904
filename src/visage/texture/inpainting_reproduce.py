"""Figure 17: what is not visible, inferred and inpainted."""

from __future__ import annotations

import time
from dataclasses import replace

import torch
from matplotlib.figure import Figure

from visage.ledger import Experiment, Profile, Result
from visage.measured import mean_row
from visage.sheet import sheet
from visage.texture.quilting_reproduce import NAMES, PLANS, Compared, cut_out, within
from visage.texture.repetition import copied_share
from visage.texture.study import part_result, shown
from visage.texture.window import face_region
from visage.texture.yiq import luminance

METHODS = ("pca", "biharmonic", "patch_match", "convex")
"""As the figure shows them, from left to right."""

_YAW = 45.0  # degrees
_SHOWN = 3
_PRINTED = 256  # pixels
_GREY = 0.5
_CLOSE, _TOP, _EDGE = 0.4, 0.22, 0.12  # of the window's side: a cheek, an eye and half a mouth


def reproduce_fig17(profile: Profile, seed: int) -> tuple[Result, Figure]:
    """Turned heads of test people: the far side by four methods."""
    start, plan = time.perf_counter(), replace(PLANS[profile], fine=None)
    compared = Compared.of(plan, METHODS, _YAW)
    face = face_region(plan.size)
    visible = torch.cat([one.visible for one in compared.seen]) * face
    rows = compared.rows(face - visible)
    # What is smooth has no patches that could be told from each other.
    detailed = {name: compared.made[name] for name in ("patch_match", "convex")}
    for name, texture in {**detailed, "true": compared.true}.items():
        copied = copied_share(luminance(texture), visible, face)
        rows.append(mean_row(f"copied/{name}", copied, "fraction", None))
    invented = 1 - visible.sum((1, 2, 3)) / face.sum()
    rows.append(mean_row("invented", invented, "fraction", None))
    result = part_result(
        "texture/fig17",
        "PatchMatch, which knows low-level vision cues only, fills unseen skin with repeating "
        "structures and semantically wrong content.",
        f"The first {plan.views} of texture/truth's test people, turned by 45 degrees, textures of "
        f"{plan.size} texels, "
        "unwrapped with their true shape, camera and light (their wrinkles are painted, so that "
        "none of their shading is taken for albedo); measured on the part of the face that is not "
        "visible. Inpainting starts from the visible part, with the low-frequency albedo "
        "around the face. patch_match: written for this book after Barnes et al. (2009), 7 x 7 "
        "texels, coarse to fine, with the energy of Wexler et al. (2007). biharmonic: "
        "scikit-image's. "
        f"convex is ours: weights of {plan.people} training people, {plan.iterations} iterations "
        "from the low-frequency albedo. pca: the low-frequency albedo itself. "
        "gram_distance: mean over layers of the relative distance of Gram matrices from the "
        "truth's, by the default backbone, which ours optimises; "
        "gram_distance_recogniser: by a face recogniser's features, which no method has seen. "
        "copied: share of the invented 7 x 7 patches that occur in the visible part to within half "
        "a byte's step; true: of the true texture. difference: mean absolute difference of "
        "luminance. The paper shows one person, without numbers.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip
    return result, _figure(compared)


def _figure(compared: Compared) -> Figure:
    """For each person a row of whole faces, and one of the side that is hidden."""
    rows, names = [], []
    for person, one in enumerate(compared.seen[:_SHOWN]):
        some = slice(person, person + 1)
        visible = one.visible * face_region(one.size)
        partial = torch.where(visible > 0, one.texture, _GREY)
        textures = torch.cat([*(compared.made[name][some] for name in METHODS),
                              compared.true[some]])  # fmt: skip
        whole = torch.cat([partial, within(textures, one.low_frequency)])
        left, right = visible.chunk(2, 3)
        column = 1 - _CLOSE - _EDGE if left.sum() > right.sum() else _EDGE
        rows += [shown(whole, _PRINTED), cut_out(whole, (_TOP, column), _CLOSE)]
        names += [f"person {person + 1}", "hidden side"]
    return sheet(rows, names, columns=["visible", *(NAMES[name] for name in (*METHODS, "true"))])


EXPERIMENTS: dict[str, Experiment] = {"texture/fig17": reproduce_fig17}
