"""The faces of the relief explorer: tracked test people, with what the networks recover of them."""

from __future__ import annotations

import skimage.data
import torch
from torch import Tensor

from visage.checkpoints import CheckpointError
from visage.explore.geometry_faces import LARGE, ShownFaces, shown_faces
from visage.explore.relief_explorer import ReliefFace
from visage.faces.reflectance import decode_srgb
from visage.geometry.grey import grey
from visage.geometry.light_and_albedo import recover_light
from visage.geometry.pipeline import Networks, Surfaces, reconstruct_windows
from visage.geometry.reconstruct import DetailedFace, reconstruct
from visage.geometry.surface_normals import normals_of_depth

CHOSEN = (0, 1, 3, 4, 5, 6)
"""Of the shown faces: smooth and wrinkled, fair and dark, with a moustache and with glasses."""

UNTRAINED = {"coarse": "The truth without wrinkles", "true": "The truth"}


def relief_faces(size: int = LARGE) -> tuple[ReliefFace, ...]:
    """Six people and one photograph, recovered by the shipped networks, beside the truth.

    Where networks are not shipped, the true surfaces stand in for them.

    Args:
        size: pixels of the window.

    Raises:
        ExplorerDataError: the people are missing.
    """
    people = shown_faces()[list(CHOSEN)]
    try:
        networks = Networks.load()
    except CheckpointError:
        return tuple(true_face(people[[i]], size) for i in range(len(people)))
    return recovered_faces(networks, people, size)


@torch.no_grad()
def recovered_faces(networks: Networks, people: ShownFaces, size: int) -> tuple[ReliefFace, ...]:
    """People whose truth is known, and Eileen Collins, whose is not.

    Args:
        networks: that recover them.
        people: P.
        size: pixels of the window, a multiple of 100.
    """
    found = []
    for number in range(len(people)):
        one = people[[number]]
        surfaces = reconstruct_windows(networks, one.grey(size))
        found.append(recovered_face(one, surfaces))
    portrait = reconstruct(skimage.data.astronaut(), networks, size=size)
    return (*found, photographed_face("Eileen Collins, astronaut", portrait))


def recovered_face(person: ShownFaces, found: Surfaces) -> ReliefFace:
    """One person: the networks' surfaces, and the true one."""
    size = found.depth.shape[-1]
    true, _ = person.depth(size)
    photo = person.photos_at(size)
    return ReliefFace(
        person.names[0],
        photo[0],
        {"coarse": found.coarse.depth[0, 0], "fine": found.depth[0, 0], "true": true[0, 0]},
        float(found.scale),
        light_of(photo, found.coarse.depth, found.mask, found.scale),
    )


def photographed_face(name: str, face: DetailedFace) -> ReliefFace:
    """A face of which nobody knows the truth."""
    scale = torch.tensor([face.scale])
    return ReliefFace(
        name,
        face.image[0],
        {"coarse": face.coarse[0, 0], "fine": face.depth[0, 0]},
        face.scale,
        light_of(face.image, face.coarse, face.mask, scale),
    )


def true_face(person: ShownFaces, size: int) -> ReliefFace:
    """One person's true surface, with wrinkles and without."""
    coarse, mask = person.coarse_depth(size)
    true, _ = person.depth(size)
    scale = person.numbers.camera(size).scale
    photo = person.photos_at(size)
    return ReliefFace(
        person.names[0],
        photo[0],
        {"coarse": coarse[0, 0], "true": true[0, 0]},
        float(scale),
        light_of(photo, coarse, mask, scale),
        UNTRAINED,
    )


def light_of(photos: Tensor, depth: Tensor, mask: Tensor, scale: Tensor) -> Tensor:
    """The light (4,) that explains a photograph best as one of grey skin (eq. 11).

    Args:
        photos: (1, 3, H, W), sRGB.
        depth: (1, 1, H, W) mm.
        mask: (1, 1, H, W).
        scale: (1,) pixels a millimetre.

    Returns:
        As bright, for who faces the viewer, as a lamp of 1.
    """
    linear = decode_srgb(grey(photos))
    normals = normals_of_depth(depth, mask, scale)
    light = recover_light(linear, torch.ones_like(linear), normals, mask)[0]
    return light / (light[0] + light[3]).clamp(min=1e-3)
