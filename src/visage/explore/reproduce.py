"""What a page's recogniser loses against the library's: eight-bit weights, measured."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import skimage
import torch
from torch import Tensor

from visage.explore.onnx_export import export_encoder
from visage.ledger import Profile, Result, Row
from visage.measured import measured_result
from visage.photos.alignment import DLIB_CHIP, align
from visage.photos.corruption import Corruption, corrupt, surroundings
from visage.photos.landmarks import find_face
from visage.photos.lfw import open_lfw
from visage.photos.reading import PhotoError, open_photo
from visage.recognition.encoder import load_encoder

_PAIRS = 600  # of the 6,000 official ones, evenly over the ten folds and both kinds


def browser(profile: Profile, seed: int) -> Result:
    """Compare the recogniser that the pages run with the one it was made from.

    The full profile needs LFW; the fast one corrupts one portrait instead.
    """
    began = time.perf_counter()
    encoder = load_encoder("dlib_resnet")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "encoder.onnx"
        export_encoder(encoder, path)
        size = path.stat().st_size
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path), options)
    chips, pairs, data = _lfw(seed) if profile == "full" else _portrait(seed)
    with torch.inference_mode():
        exact = torch.cat([encoder.embed(batch) for batch in chips.split(32)])
    rounded = torch.cat(
        [torch.from_numpy(session.run(None, {"chips": b.numpy()})[0]) for b in chips.split(32)]
    )
    moved = encoder.distance(exact, rounded)
    distances = [encoder.distance(e[pairs[:, 0]], e[pairs[:, 1]]) for e in (exact, rounded)]
    decisions = [d < encoder.threshold for d in distances]
    count = len(chips)
    rows = (
        Row("embedding_shift_mean", None, moved.mean().item(), "distance", "lower", count),
        Row("embedding_shift_max", None, moved.max().item(), "distance", "lower", count),
        Row(
            "decisions_changed",
            None,
            (decisions[0] != decisions[1]).float().mean().item(),
            "fraction",
            "lower",
            len(pairs),
        ),
        Row("download", None, size / 1e6, "MB", "lower", None),
    )
    return measured_result(
        id="explore/browser",
        paper=None,
        claim="The recogniser in the page, with eight-bit weights, decides as the library's does.",
        protocol=(
            f"dlib's network exported to ONNX, weights rounded to int8 with one scale per output "
            f"channel, run by onnxruntime in float32; {data}; shift is the distance between the "
            f"two embeddings of one chip, at a threshold of {encoder.threshold:.3f}."
        ),
        profile=profile,
        seed=seed,
        start=began,
        rows=rows,
    )


def _lfw(seed: int) -> tuple[Tensor, Tensor, str]:
    """Chips (N, 3, 150, 150) of some official pairs, and the pairs as indices (P, 2)."""
    lfw = open_lfw()
    pairs = lfw.pairs()
    rng = np.random.default_rng(seed)
    kinds = [
        [p for p in pairs if p.fold == fold and p.same is same]
        for fold in range(10)
        for same in (True, False)
    ]
    drawn = [kind[i] for kind in kinds for i in rng.choice(len(kind), _PAIRS // 20, replace=False)]
    chips: dict[tuple[str, int], Tensor] = {}
    missed = 0
    for name in sorted({photo for pair in drawn for photo in (pair.a, pair.b)}):
        image = lfw.image(*name)
        try:
            chips[name] = align(image, find_face(image, which="central").landmarks, DLIB_CHIP)
        except PhotoError:
            missed += 1
    kept = [p for p in drawn if p.a in chips and p.b in chips]
    index = {name: i for i, name in enumerate(chips)}
    return (
        torch.cat(list(chips.values())),
        torch.tensor([[index[p.a], index[p.b]] for p in kept]),
        f"{len(kept)} of LFW's official pairs, drawn evenly over folds and kinds ({missed} "
        "photographs without a detected face left out)",
    )


def _portrait(seed: int) -> tuple[Tensor, Tensor, str]:
    """One portrait under random corruptions, each paired with the plain chip."""
    source = surroundings(open_photo(skimage.data.astronaut()))
    rng = np.random.default_rng(seed)
    corruptions: Sequence[Corruption] = [Corruption()] + [
        Corruption(
            blur=rng.uniform(0, 4),
            exposure=rng.uniform(-3, 1),
            rotation=rng.uniform(-0.6, 0.6),
            zoom=rng.uniform(0.8, 1.3),
            shift_x=rng.uniform(-20, 20),
            shift_y=rng.uniform(-20, 20),
            cover=rng.uniform(0, 0.6),
        )
        for _ in range(63)
    ]
    chips = torch.cat([corrupt(source, corruption) for corruption in corruptions])
    pairs = torch.tensor([[0, i] for i in range(1, len(chips))])
    return chips, pairs, "one portrait under 63 random corruptions"


EXPERIMENTS = {"explore/browser": browser}
