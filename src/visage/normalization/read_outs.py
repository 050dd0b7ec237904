"""What landmarks and an embedding say of pose, expression and glasses, by linear regression.

The regressions learned from synthetic people, photographed as everyday people are, whose angles,
facial actions and glasses are known; from dlib's landmarks as it places them, so that its bias is
learned along. `python -m visage.normalization.fit_filter` fits them anew.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from visage.checkpoints import load_into
from visage.faces.population import SPLITS, people, seed_of
from visage.faces.readout import fit_ridge
from visage.faces.shape import MorphableModel
from visage.faces.shots import EVERYDAY, shots
from visage.normalization.errors import NormalizationError
from visage.photos.alignment import DLIB_CHIP, apply_transform, crop_transform
from visage.recognition.chips import Chips, synthetic_chips
from visage.recognition.encoder import Encoder

NAME = "normalization_filter"
SHAPES = ("yaw", "pitch", "smile", "opening")
"""Read from landmarks: degrees, degrees, and strengths from 0 to 1."""

_TOGETHER = 64


class ReadOuts(nn.Module):
    """Four read-outs of landmarks and one of an embedding.

    Landmarks are compared in dlib's 150-pixel chip, where roll, size and place are undone.
    """

    def __init__(self, dim: int = 128):
        super().__init__()
        self.register_buffer("landmark_weights", torch.zeros(len(SHAPES), 136))
        self.register_buffer("landmark_offsets", torch.zeros(len(SHAPES)))
        self.register_buffer("glasses_weights", torch.zeros(1, dim))
        self.register_buffer("glasses_offset", torch.zeros(1))

    def forward(self, landmarks: Tensor, embeddings: Tensor) -> dict[str, Tensor]:
        """Read.

        Args:
            landmarks: (B, 68, 2), dlib's, pixels of any picture.
            embeddings: (B, dim), of the same faces in the encoder's crop.

        Returns:
            yaw and pitch in degrees, smile, opening and glasses from about 0 to about 1; (B,) each.
        """
        features = landmark_features(landmarks)
        shapes = features @ self.landmark_weights.T + self.landmark_offsets
        glasses = embeddings @ self.glasses_weights[0] + self.glasses_offset
        return dict(zip(SHAPES, shapes.unbind(1), strict=True)) | {"glasses": glasses}


def landmark_features(landmarks: Tensor) -> Tensor:
    """Landmarks (B, 68, 2) of any picture, in dlib's chip, in its sides about its centre: (B, 136).

    Raises:
        NormalizationError: the shape does not fit.
    """
    if landmarks.ndim != 3 or landmarks.shape[1:] != (68, 2):
        raise NormalizationError(f"landmarks are {tuple(landmarks.shape)}; expected (B, 68, 2)")
    placed = apply_transform(crop_transform(landmarks, DLIB_CHIP), landmarks)
    return (placed / DLIB_CHIP.size - 0.5).flatten(1)


@lru_cache(maxsize=1)
def load_read_outs() -> ReadOuts:
    """The shipped read-outs, on the CPU.

    Raises:
        visage.checkpoints.CheckpointError: they are missing or damaged.
    """
    read_outs = ReadOuts()
    load_into(read_outs, NAME)
    return read_outs.eval()


def known_faces(people_count: int, shots_each: int, split: str) -> tuple[Chips, dict[str, Tensor]]:
    """Everyday pictures of synthetic people, with what the read-outs shall say of them.

    Returns:
        N chips, and the truth by name, (N,) each.
    """
    chips = synthetic_chips(people_count, shots_each, split)
    model = MorphableModel.load()
    persons = people(model, 0, range(people_count), split=split)
    numbers = torch.arange(people_count).repeat_interleave(shots_each)
    place = SPLITS.index(split)
    seeds = [seed_of(0, place, n, k) for n in range(people_count) for k in range(shots_each)]
    taken = shots(model, persons[numbers], torch.tensor(seeds), DLIB_CHIP.size, EVERYDAY)
    return chips, _truth(model, taken, persons.glasses.worn[numbers])


def _truth(model: MorphableModel, taken, worn: Tensor) -> dict[str, Tensor]:
    action = {name: taken.expression[:, i] for i, name in enumerate(model.expression_names)}
    pitch, yaw, _ = taken.camera.angles.rad2deg().unbind(1)
    return {
        "yaw": yaw,
        "pitch": pitch,
        "smile": (action["mouthSmileLeft"] + action["mouthSmileRight"]) / 2,
        "opening": action["jawOpen"],
        "glasses": worn.float(),
    }


def fit_read_outs(chips: Chips, truth: dict[str, Tensor], encoder: Encoder) -> ReadOuts:
    """Fit all five; the ridge by five folds (`visage.faces.readout.fit_ridge`)."""
    features = landmark_features(chips.landmarks).double()
    read_outs = ReadOuts(encoder.dim)
    for row, name in enumerate(SHAPES):
        fitted = fit_ridge(features.numpy(), truth[name].double().numpy())
        read_outs.landmark_weights[row] = torch.from_numpy(fitted.weights).float()
        read_outs.landmark_offsets[row] = fitted.offset
    worn = truth["glasses"].double().numpy()
    fitted = fit_ridge(embeddings(chips, encoder).double().numpy(), worn)
    read_outs.glasses_weights[0] = torch.from_numpy(np.asarray(fitted.weights)).float()
    read_outs.glasses_offset[0] = fitted.offset
    return read_outs


@torch.no_grad()
def embeddings(chips: Chips, encoder: Encoder) -> Tensor:
    """Of all chips, (N, dim)."""
    batches = chips.chips.split(_TOGETHER)
    return torch.cat([encoder.embed(some.float() / 255) for some in batches])
