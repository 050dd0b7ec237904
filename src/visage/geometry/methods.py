"""The methods that table 1 compares, each from windows to depth maps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from visage.faces.shape import MorphableModel
from visage.geometry.coarse import ITERATIONS, reconstruct_coarse
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.held_out import HeldOut
from visage.geometry.landmark_fit import MEAN_FACE, fit_landmarks
from visage.geometry.pipeline import FINE_MESH, coarse_looks, face_depth, reconstruct_windows
from visage.geometry.representation import FaceNumbers
from visage.geometry.study import networks, single_pass
from visage.geometry.template_shading import posed_template, reconstruct_template
from visage.geometry.texture_space import TextureSpace
from visage.ledger import Profile

_TOGETHER = 25


@dataclass(frozen=True, eq=False)
class Estimate:
    """What a method says of B faces."""

    depth: Tensor  # (B, 1, S, S) mm; anything where the mask is False
    mask: Tensor  # (B, 1, S, S) bool, the pixels that it vouches for

    def __len__(self) -> int:
        """B."""
        return len(self.depth)

    @classmethod
    def of_numbers(cls, numbers: FaceNumbers, size: int) -> Estimate:
        """The surface that numbers have, without facets."""
        drawn = face_depth(numbers, size)
        return cls(drawn.depth, drawn.mask > 0)


Method = Callable[[HeldOut, Profile], Estimate]


def ours(faces: HeldOut, profile: Profile) -> Estimate:
    """CoarseNet and FineNet, from the window alone."""
    found = reconstruct_windows(networks(profile), faces.faces)
    return Estimate(found.depth, found.mask > 0)


def coarse(faces: HeldOut, profile: Profile) -> Estimate:
    """CoarseNet alone: what FineNet starts from."""
    looks = coarse_looks(networks(profile).coarse, faces.faces)
    return Estimate.of_numbers(looks.last, faces.size)


def one_look(faces: HeldOut, profile: Profile) -> Estimate:
    """CoarseNet alone, as the paper uses it: through the detector's window only."""
    looks = coarse_looks(networks(profile).coarse, faces.faces, ITERATIONS, looks=1, mirrored=False)
    return Estimate.of_numbers(looks.last, faces.size)


def template_sfs(faces: HeldOut, profile: Profile) -> Estimate:
    """Kemelmacher-Shlizerman and Basri (2011): the mean face, posed by landmarks, and shading."""
    numbers = _posed(faces)
    drawn, albedo = posed_template(FaceMesh.load(FINE_MESH), numbers, _textures(), faces.size)
    parts = faces.faces, drawn.depth, drawn.mask, numbers.camera(faces.size).scale, albedo
    depth = [reconstruct_template(*one) for one in zip(*(p.split(1) for p in parts), strict=True)]
    return Estimate(torch.cat(depth), drawn.mask > 0)


def landmark_3dmm(faces: HeldOut, profile: Profile) -> Estimate:
    """Zhu et al. (2015): the morphable model fitted to landmarks."""
    return Estimate.of_numbers(fit_landmarks(_model(), faces.landmarks, faces.size), faces.size)


def single_pass_regression(faces: HeldOut, profile: Profile) -> Estimate:
    """Richardson et al. (2016): a network of one pass, without feedback."""
    fit = reconstruct_coarse(single_pass(profile), FaceMesh.load(), faces.faces, iterations=1)
    return Estimate.of_numbers(fit.last, faces.size)


def mean_face(faces: HeldOut, profile: Profile) -> Estimate:
    """The mean face at rest, posed by landmarks."""
    return Estimate.of_numbers(_posed(faces), faces.size)


METHODS: dict[str, Method] = {
    "ours": ours,
    "template_sfs": template_sfs,
    "landmark_3dmm": landmark_3dmm,
    "single_pass": single_pass_regression,
    "mean_face": mean_face,
    "coarse": coarse,
    "coarse_one_look": one_look,
}
"""By the names of the ledger's rows; the first five are the table's."""


def estimates(
    faces: HeldOut, profile: Profile, names: tuple[str, ...] = tuple(METHODS)
) -> dict[str, Estimate]:
    """What methods say of all faces, a few at a time."""
    starts = range(0, len(faces), _TOGETHER)
    parts = [faces[start : start + _TOGETHER] for start in starts]
    found = {}
    for name in names:
        some = [METHODS[name](part, profile) for part in parts]
        found[name] = Estimate(*(torch.cat([getattr(one, of) for one in some])
                                 for of in ("depth", "mask")))  # fmt: skip
    return found


def _posed(faces: HeldOut) -> FaceNumbers:
    return fit_landmarks(_model(), faces.landmarks, faces.size, MEAN_FACE)


@lru_cache(maxsize=1)
def _model() -> MorphableModel:
    return MorphableModel.load()


@lru_cache(maxsize=1)
def _textures() -> TextureSpace:
    return TextureSpace.load(FaceMesh.load(FINE_MESH))
