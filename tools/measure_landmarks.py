"""Where a landmark detector sees the landmarks of the synthetic world's people.

    python -m tools.measure_landmarks [--people 160]

The vote in `tools.face_world.voting` is made on heads with painted features, before there is skin
or hair. This measures on finished pictures of training people, median over all, both sides
together, and prints the places on the mean head as `tools/face_world/places.py` holds them.
"""

import argparse

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from tools.face_world.voting import MIRRORED
from visage.faces.observed import pictures
from visage.faces.shape import MorphableModel
from visage.photos.landmarks import NoFaceError, SeveralFacesError, find_face


def offsets(found: Tensor, truth: Tensor) -> np.ndarray:
    """(68, 2) to the right and up, in outer-eye distances, in the frame of the eyes."""
    across = truth[45] - truth[36]
    size = across.norm()
    across = across / size
    up = torch.stack([across[1], -across[0]])
    apart = (found - truth) / size
    return torch.stack([apart @ across, apart @ up], 1).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=160)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    faces = pictures(chosen.people, 1, chosen.seed, "train")
    seen = []
    for start in tqdm(range(0, len(faces), 16)):
        for item in faces.__getitems__(range(start, min(start + 16, len(faces)))):
            try:
                face = find_face(item["image"][None], which="central")
            except (NoFaceError, SeveralFacesError):
                continue
            seen.append(offsets(face.landmarks[0], item["landmarks"]))
    model = MorphableModel.load()
    places = model.mean[model.landmarks].numpy()
    eyes = np.linalg.norm(places[45] - places[36])
    shift = np.array(seen) * eyes
    mirrored = shift[:, MIRRORED] * [-1, 1]
    shift = np.median(np.concatenate([shift, mirrored]), 0)
    moved = places[:, :2] + shift
    moved = (moved + moved[MIRRORED] * [-1, 1]) / 2
    print(f"# {len(seen)} of {len(faces)} found; mean shift {np.abs(shift[17:]).mean():.2f} mm")
    for index in range(17, 60):
        if moved[index, 0] > -0.5:
            print(f"    {index}: ({moved[index, 0]:.1f}, {moved[index, 1]:.1f}),")


if __name__ == "__main__":
    main()
