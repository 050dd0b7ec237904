"""One face for each α and each number of layers: `python -m tools.build_texture_alpha`.

Writes ``alpha.webp``, ``alpha_colour.webp`` and ``alpha.json`` in ``src/visage/explore/texture``.
A person's own correlations, eq. 3 of Saito et al. (2017), from what the linear model makes of
the person. Three minutes of one core; what is finished is kept below ``_build``.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import torch
from torch import Tensor
from tqdm.auto import tqdm

from tools.texture_tiles import describer, kept, skins
from visage.explore.alpha_layers_explorer import ALPHAS, SHEET
from visage.explore.texture_sheets import TextureSheet, face_box, write_sheet
from visage.texture.backbones import Backbone
from visage.texture.blend import Blend
from visage.texture.database import TextureDatabase
from visage.texture.gram import grams
from visage.texture.measures import BANDS, band_energy_ratio
from visage.texture.synthesis import SynthesisConfig, synthesise
from visage.texture.window import face_region
from visage.texture.yiq import luminance

PERSON = 4  # of the validation split: freckles, moles, fine lines, stubble
SIZE = 256
STEPS = 50
QUALITY = 90


def depths(backbone: Backbone) -> list[str]:
    """The network's layers among `gram_layers`, each once however many regions it has."""
    return list(dict.fromkeys(name.partition("@")[0] for name in backbone.gram_layers))


def synthesised(backbone: Backbone, low: Tensor, truth: Tensor, alpha: float, layers: int,
                steps: int) -> Tensor:  # fmt: skip
    """Luminance (1, 1, S, S) with the truth's correlations in the first layers."""
    first = depths(backbone)[:layers]
    chosen = [name for name in backbone.gram_layers if name.partition("@")[0] in first]
    wanted = grams(backbone, luminance(truth), face_region(truth.shape[-1]), chosen)
    config = replace(SynthesisConfig(), alpha=alpha, iterations=steps)
    blend = Blend.of(TextureDatabase.of(truth), torch.ones(1))
    return synthesise(low, wanted, backbone, config, blend=blend, progress=False).luminance


def main() -> None:
    """Synthesise every cell, and write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=SIZE, help="texels of the window")
    parser.add_argument("--steps", type=int, default=STEPS, help="of L-BFGS")
    parser.add_argument("--person", type=int, default=PERSON, help="of the validation split")
    given = parser.parse_args()
    torch.set_num_threads(1)
    backbone, size = describer(), given.size
    truth, low = skins("validation", (given.person,), size)
    region, box = face_region(size), face_box(size)
    layers = range(1, len(depths(backbone)) + 1)
    cells = [(alpha, count) for alpha in ALPHAS for count in layers]
    plan = (backbone.key, backbone.gram_layers, vars(given), SynthesisConfig())
    made = [
        kept(
            ("alpha", *plan, alpha, count),
            lambda a=alpha, n=count: synthesised(backbone, low, truth, a, n, given.steps),
        )
        for alpha, count in tqdm(cells)
    ]
    made = torch.cat(made)
    energies = band_energy_ratio(made, luminance(truth).expand_as(made), region)
    start = luminance(low)
    rows = made.unflatten(0, (len(ALPHAS), -1))[:, :, 0]
    last = start.new_full(rows[:1].shape, 0.5)
    last[0, 0] = luminance(truth)[0, 0]
    cut = (..., *box)
    words = {
        "alphas": list(ALPHAS),
        "layers": depths(backbone),
        "bands": list(BANDS),
        "energies": energies.unflatten(0, (len(ALPHAS), -1)),
        "low": band_energy_ratio(start, luminance(truth), region)[0],
    }
    sheet = TextureSheet(torch.cat([rows, last])[cut], low[cut], words)
    print(f"{write_sheet(SHEET, sheet, QUALITY):,} bytes")


if __name__ == "__main__":
    main()
