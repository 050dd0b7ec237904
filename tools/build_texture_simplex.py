"""Three faces blended in every proportion: `python -m tools.build_texture_simplex`.

Writes ``simplex.webp``, ``simplex_colour.webp`` and ``simplex.json`` in
``src/visage/explore/texture``: at each point of a lattice over the triangle of weights, and a
little beyond it, the texture with the blended correlations (eqs. 2 and 3 of Saito et al. 2017).
Two minutes of one core; what is finished is kept below ``_build``.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import torch
from torch import Tensor
from tqdm.auto import tqdm

from tools.texture_tiles import describer, kept, skins
from visage.explore.simplex_explorer import BEYOND, SHEET, STEPS, lattice_weights
from visage.explore.texture_sheets import TextureSheet, face_box, write_sheet
from visage.texture.blend import Blend
from visage.texture.database import TextureDatabase
from visage.texture.gram import Grams, grams
from visage.texture.synthesis import SynthesisConfig, synthesise
from visage.texture.window import face_region
from visage.texture.yiq import luminance

PEOPLE = ((21, "Freckles"), (4, "Stubble"), (7, "Smooth skin"))  # of the validation split
SIZE = 256
ITERATIONS = 60  # of L-BFGS
COLUMNS = 7
QUALITY = 88


def negative_share(blend: Grams) -> float:
    """The largest of the layers' -λ_min / max |λ|, 0 where no eigenvalue is negative."""
    shares = []
    for matrix in blend.values():
        values = torch.linalg.eigvalsh(matrix[0].double())
        shares.append(float((-values[0] / values.abs().max().clamp(min=1e-30)).clamp(min=0)))
    return max(shares)


def main() -> None:
    """Synthesise every point, and write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=SIZE, help="texels of the window")
    parser.add_argument("--people", type=int, nargs=3, default=[n for n, _ in PEOPLE])
    given = parser.parse_args()
    torch.set_num_threads(1)
    backbone, size = describer(), given.size
    truth, low = skins("validation", tuple(given.people), size)
    corners = grams(backbone, luminance(truth), face_region(size))
    weights = lattice_weights()
    blends = [
        {layer: torch.einsum("k,kcd->cd", w, found)[None] for layer, found in corners.items()}
        for w in weights
    ]
    lows = torch.einsum("nk,kchw->nchw", weights, low).clamp(0, 1)
    config = replace(SynthesisConfig(), iterations=ITERATIONS)
    skin = TextureDatabase.of(truth)
    plan = (backbone.key, backbone.gram_layers, vars(given), config)
    made = []
    for point, weight in enumerate(tqdm(weights)):

        def synthesised(point=point, weight=weight) -> Tensor:
            blend = Blend.of(skin, weight)
            return synthesise(
                lows[[point]], blends[point], backbone, config, blend=blend, progress=False
            ).luminance

        made.append(kept(("simplex", *plan, point), synthesised))
    box = face_box(size)
    lattice = torch.cat(made)[:, 0]
    blank = lattice.new_full((COLUMNS - 3, size, size), 0.5)
    more = lattice.new_full((-len(lattice) % COLUMNS, size, size), 0.5)
    tiles = torch.cat([luminance(truth)[:, 0], blank, lattice, more]).unflatten(0, (-1, COLUMNS))
    words = {
        "names": [name for _, name in PEOPLE],
        "steps": STEPS,
        "beyond": BEYOND,
        "columns": COLUMNS,
        "negative": [negative_share(blend) for blend in blends],
    }
    sheet = TextureSheet(tiles[..., box[0], box[1]], low[..., box[0], box[1]], words)
    print(f"{write_sheet(SHEET, sheet, QUALITY):,} bytes")


if __name__ == "__main__":
    main()
