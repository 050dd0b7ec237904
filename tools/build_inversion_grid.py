"""What the explorers of part I show: `python -m tools.build_inversion_grid`.

Writes ``src/visage/explore/inversion``: `grid.webp` and `grid.json`, three people reconstructed
under every pair of weights, and `people.json`, between whom the trained network's explorer walks.
All of them are synthetic test people. Needs about ten minutes of one core, keeps what is finished
below ``_build``, and starts over where the guide, the people or the settings have changed.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import safetensors.torch
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from tools.book import Book
from visage.checkpoints import CheckpointError
from visage.explore.inversion_data import FOLDER
from visage.files import written_whole
from visage.inversion.expected_face import load_expected_face
from visage.inversion.guides import mean_guide
from visage.inversion.objective import Objective, ObjectiveConfig, References
from visage.inversion.reconstruct import reconstruct
from visage.inversion.reconstruction_config import ReconstructionConfig
from visage.ledger import current_revision
from visage.photos.jitter import Jitter
from visage.recognition.encoder import Encoder, load_encoder
from visage.recognition.examples import Examples, synthetic_examples

# Weights beside an embedding weight of 1. Adam's path is the same when all weights are multiplied
# by one number, so that two ratios are all that three weights can say.
GUIDE = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
TV = (0.0, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
STILL = ReconstructionConfig(
    steps=150,
    learning_rate=0.03,
    tv_final=1.0,  # constant, so that a picture is at the bottom of the loss that is shown
)
WAYS = {"still": STILL, "moved": replace(STILL, jitter=Jitter())}
"""The paper's, which finds grain that only this network reads, and the one that finds features."""
GRID_PEOPLE = (7, 0, 5)
"""Of the test split: a woman, a man with a beard, a man with glasses; nobody like the mean face."""
NETWORK_PEOPLE = (7, 0, 5, 3, 1, 11, 4, 9)
BUDGET = 1_000_000  # bytes of the sprite
_NAMES = "ABCDEFGH"


def reconstructed(
    encoder: Encoder, targets: Tensor, guide: Tensor, ways: Sequence[str], folder: Path
) -> Tensor:
    """Images (P, W·G·T, 3, S, S) of targets (P, dim): by way, guide weight and TV weight.

    Args:
        encoder: F.
        targets: embeddings of P people.
        guide: (1, 3, S, S).
        ways: W of `WAYS`.
        folder: where finished cells are kept.
    """
    cells = [
        replace(WAYS[way], objective=ObjectiveConfig(guide_weight=of_guide, tv_weight=of_tv))
        for way, of_guide, of_tv in product(ways, GUIDE, TV)
    ]
    images = []
    for config in tqdm(cells, desc="cells"):
        path = folder / f"{_digest(config, targets, guide)}.safetensors"
        if not path.exists():
            found = reconstruct(encoder, targets, config, References(guide=guide)).images
            with written_whole(path) as temporary:
                safetensors.torch.save_file({"images": found}, temporary)
        images.append(safetensors.torch.load_file(path)["images"])
    return torch.stack(images, 1)


@torch.no_grad()
def unweighted(
    encoder: Encoder, images: Tensor, targets: Tensor, guide: Tensor
) -> dict[str, list[float]]:
    """The three terms of images (B, 3, S, S), each as if its weight were 1."""
    config = ObjectiveConfig(guide_weight=1.0, tv_weight=1.0)
    terms = Objective(encoder, config, References(guide=guide)).evaluate(images, targets).terms
    return {name: [float(f"{value:.4g}") for value in values] for name, values in terms.items()}


def write_grid(
    encoder: Encoder,
    people: Examples,
    guide: Tensor,
    source: str,
    ways: Sequence[str],
    built: Path,
) -> None:
    """Compute the grid and write its picture and its numbers."""
    targets = people.embeddings
    images = reconstructed(encoder, targets, guide, ways, built)
    chips = people.chips.float() / 255
    # A row of tiles for each person, way and guide weight; last the true faces, and the guide.
    tiles = images.unflatten(1, (-1, len(TV))).flatten(0, 1)  # (rows, T, 3, S, S)
    last = guide.expand(len(TV), -1, -1, -1).clone()
    last[: len(chips)] = chips
    tiles = torch.cat([tiles, last[None]])
    sprite, quality = _webp(tiles.permute(2, 0, 3, 1, 4).flatten(3, 4).flatten(1, 2))
    listed = []
    for p in range(len(targets)):
        shown = torch.cat([images[p], chips[p : p + 1], guide])
        terms = unweighted(encoder, shown, targets[p : p + 1].expand(len(shown), -1), guide)
        listed.append(
            {
                "name": f"Person {_NAMES[p]}",
                "terms": {name: values[:-2] for name, values in terms.items()},
                "true": {name: values[-2] for name, values in terms.items()},
                "of_guide": {name: values[-1] for name, values in terms.items()},
            }
        )
    grid = {
        "tile": people.chips.shape[-1],
        "ways": list(ways),
        "guide_weights": list(GUIDE),
        "tv_weights": list(TV),
        "threshold": float(encoder.threshold),
        "people": listed,
        "picture_sha256": hashlib.sha256(sprite).hexdigest(),
        "provenance": {
            "command": "python -m tools.build_inversion_grid",
            "revision": current_revision(),
            "encoder": encoder.name,
            "people": list(people.names),
            "target": "the mean of the chip's and its mirror image's embeddings",
            "guide": source,
            "start": STILL.start,
            "steps": STILL.steps,
            "optimiser": f"{STILL.optimiser}, plain pixels, step {STILL.learning_rate}",
            "moved": "a little at every step, and mirrored: visage.photos.jitter.Jitter()",
            "guide_layers": list(STILL.objective.guide_layers),
            "webp_quality": quality,
        },
    }
    with written_whole(FOLDER / "grid.webp") as temporary:
        temporary.write_bytes(sprite)
    _write_json(FOLDER / "grid.json", grid)


def write_people(encoder: Encoder, people: Examples) -> None:
    """Write the people of the network's explorer: thumbnails and embeddings."""
    listed = []
    for name, chip, embedding in zip(_NAMES, people.chips, people.embeddings, strict=True):
        listed.append(
            {
                "name": f"Person {name}",
                "embedding": [round(float(value), 5) for value in embedding],
                "face": _thumbnail(chip),
            }
        )
    provenance = {
        "command": "python -m tools.build_inversion_grid",
        "revision": current_revision(),
        "encoder": encoder.name,
        "people": list(people.names),
    }
    _write_json(FOLDER / "people.json", {"people": listed, "provenance": provenance})


def mean_face(encoder: Encoder, count: int) -> tuple[Tensor, str]:
    """The guide (1, 3, S, S), and where it is from."""
    try:
        return load_expected_face().mean_face.clone(), "mean face of checkpoint expected_face"
    except CheckpointError:
        train = synthetic_examples(encoder, "train", count)
        return mean_guide(train.pictures()), f"mean of {count} synthetic training pictures"


def _digest(config: ReconstructionConfig, targets: Tensor, guide: Tensor) -> str:
    digest = hashlib.sha256(repr(config).encode())
    for tensor in (targets, guide):
        digest.update(tensor.detach().numpy().tobytes())
    return digest.hexdigest()[:24]


def _chosen(people: Examples, rows: Sequence[int]) -> Examples:
    index = torch.tensor(rows)
    names = tuple(people.names[row] for row in rows)
    return Examples(names, people.chips[index], people.embeddings[index])


def _pixels(image: Tensor) -> Image.Image:
    """(3, H, W) in [0, 1], or uint8, as a picture."""
    if image.is_floating_point():
        image = (255 * image.clamp(0, 1)).round().byte()
    return Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())


def _webp(sheet: Tensor) -> tuple[bytes, int]:
    """A sheet (3, H, W) as WebP at the best quality that the budget allows."""
    for quality in range(80, 9, -5):
        buffer = io.BytesIO()
        _pixels(sheet).save(buffer, format="WEBP", quality=quality, method=6)
        if buffer.tell() <= BUDGET:
            return buffer.getvalue(), quality
    raise ValueError(f"the sprite is larger than {BUDGET} bytes at any quality; use fewer weights.")


def _thumbnail(chip: Tensor) -> str:
    """A chip (3, S, S), uint8, as a data URL."""
    buffer = io.BytesIO()
    _pixels(chip).save(buffer, format="WEBP", quality=80, method=6)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def _write_json(path: Path, content: Mapping[str, object]) -> None:
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("grid", "people"), help="leave the other as it is")
    parser.add_argument("--ways", nargs="+", choices=tuple(WAYS), default=tuple(WAYS))
    parser.add_argument("--training-pictures", type=int, default=192, metavar="N",
                        help="averaged, where checkpoint expected_face is not there")  # fmt: skip
    arguments = parser.parse_args()
    encoder = load_encoder()
    everybody = synthetic_examples(encoder, "test", 1 + max(GRID_PEOPLE + NETWORK_PEOPLE))
    if arguments.only != "grid":
        write_people(encoder, _chosen(everybody, NETWORK_PEOPLE))
    if arguments.only != "people":
        guide, source = mean_face(encoder, arguments.training_pictures)
        chosen = _chosen(everybody, GRID_PEOPLE)
        write_grid(encoder, chosen, guide, source, arguments.ways, Book().build / "inversion_grid")


if __name__ == "__main__":
    main()
