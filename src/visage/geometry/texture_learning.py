"""How `TextureSpace` is learned: ``python -m visage.geometry.texture_learning`` ships it.

Training people are photographed from the front and from both sides, in light that is the same from
everywhere, without scalp hair, glasses and clothes. A vertex's albedo is the mean of what the
pictures show of it, the more a view faces it the more it counts. Principal components of all people
are the modes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
import tyro
from torch import Tensor
from torch.nn.functional import grid_sample
from tqdm.auto import tqdm

from visage.checkpoints import Card, save_checkpoint
from visage.faces.camera import WeakPerspective
from visage.faces.fitting.study import vertex_colours
from visage.faces.hair.traits import BALD
from visage.faces.light import Light
from visage.faces.population import people
from visage.faces.portraits import Detail, portray
from visage.faces.reflectance import decode_srgb, encode_srgb
from visage.faces.scene import Render, render
from visage.faces.shape import MorphableModel
from visage.faces.shots import Shots
from visage.faces.skin import skin_maps
from visage.geometry.errors import TextureError
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.grey import grey
from visage.geometry.texture_space import MODES, NAME, TextureSpace
from visage.ledger import current_revision, describe_device

_SIZE, _WIDTH = 256, 260.0  # pixels and mm of a picture
_MIDDLE = (0.0, -8.0)  # mm, of the picture in the head frame
_YAWS = (0.0, 0.9, -0.9)  # radians
_DETAIL = Detail(texture=512, strands=5000, wear=False, background=False)
_TOGETHER = 8
_BEHIND = 2.0  # mm that a vertex may lie behind what is drawn at its pixel: it is seen
_FAINT = 1e-3  # weight of a texture where no view shows it
_SLANTED = 0.2  # cosine below which a view shows too little of a surface


@torch.no_grad()
def appearances(
    mesh: FaceMesh, model: MorphableModel, indices: Sequence[int], *, seed: int = 0,
    split: str = "train", detail: Detail = _DETAIL, progress: bool = True,
) -> Tensor:  # fmt: skip
    """Albedo of people at the vertices of their faces, as pictures in even light show it.

    Args:
        mesh: of the model's face.
        model: not subdivided.
        indices: of B people.
        seed: of the world.
        split: of `visage.faces.population.SPLITS`.
        detail: how finely they are made.
        progress: whether to show it.

    Returns:
        (B, N), grey, linear.
    """
    groups = [indices[start : start + _TOGETHER] for start in range(0, len(indices), _TOGETHER)]
    hidden = None if progress else True
    shown = tqdm(groups, desc="textures", unit="group", disable=hidden, leave=False)
    return torch.cat([_appearance(mesh, model, group, seed, split, detail) for group in shown])


def _appearance(mesh, model, indices, seed, split, detail) -> Tensor:
    persons = people(model, seed, indices, split=split)
    bald = tuple(replace(hair, style=BALD) for hair in persons.hair)
    persons = replace(persons, hair=bald)
    maps = skin_maps(model, persons.skin, detail.texture)
    batch, rest = len(persons), torch.zeros(len(persons), 52)
    # Parts that no view shows, such as the tongue, have their texture's colour.
    colours = encode_srgb(vertex_colours(model, maps.albedo)[:, mesh.chosen]).mT[..., None]
    unseen = decode_srgb(grey(colours))[:, 0, :, 0]
    total = _FAINT * unseen * model.occlusion[mesh.chosen]
    weight = torch.full_like(total, _FAINT)
    for yaw in _YAWS:
        camera = even_camera(batch, yaw)
        names = ("neutral",) * batch
        taken = Shots(persons.seeds, rest, names, torch.zeros(batch), camera, even_light(batch))
        scene = portray(model, persons, taken, detail, maps=maps)
        picture = render(model, scene)
        seen, colour = sampled(mesh, model, picture, camera)
        total, weight = total + seen * colour, weight + seen
    return total / weight


def sampled(
    mesh: FaceMesh, model: MorphableModel, picture: Render, camera: WeakPerspective
) -> tuple[Tensor, Tensor]:
    """How well pictures show each vertex of the face, and their linear grey there; (B, N) both."""
    points = camera.project(picture.vertices)[:, mesh.chosen]
    facing = camera.turn(model.normals(picture.vertices))[:, mesh.chosen, 2]
    linear = decode_srgb(grey(picture.image))
    depth = picture.depth.masked_fill(picture.mask == 0, 1e4)
    grid = ((2 * points[:, None, :, :2] + 1) / _SIZE) - 1
    drawn = grid_sample(torch.cat([linear, depth], 1), grid, align_corners=False)
    colour, near = drawn[:, :, 0].unbind(1)
    visible = points[..., 2] < near + _BEHIND
    return (facing - _SLANTED).clamp(min=0) * visible, colour


def even_camera(batch: int, yaw: float) -> WeakPerspective:
    """The camera of the pictures that are learned from, turned by `yaw` radians."""
    angles = torch.tensor([0.0, yaw, 0.0]).expand(batch, -1)
    middle = -torch.tensor(_MIDDLE).expand(batch, -1)
    scale = torch.full((batch,), _SIZE / _WIDTH)
    return WeakPerspective(angles, middle, _SIZE, _SIZE, scale=scale)


def even_light(batch: int) -> Light:
    """Radiance 1 from everywhere: an open white surface sends back 1."""
    ambient = torch.zeros(batch, 4, 3)
    ambient[:, 0] = math.sqrt(4 * math.pi)
    towards = torch.tensor([0.0, 0.0, 1.0]).expand(batch, -1)
    return Light(ambient, towards, torch.zeros(batch, 3), torch.full((batch,), 0.1))


def learn_textures(albedos: Tensor, mesh: FaceMesh, modes: int = MODES) -> TextureSpace:
    """Principal components of people's albedo.

    A vertex counts as much as the area around it on the mean face, so that the modes explain what
    pictures show, and not what is finely meshed.

    Args:
        albedos: (B, N), linear.
        mesh: of N vertices.
        modes: K, below B.

    Returns:
        TextureSpace, float32; the sign of a mode is such that its sum is positive.

    Raises:
        TextureError: the shapes do not fit, or there are too few people.
    """
    if albedos.ndim != 2 or albedos.shape[1] != len(mesh.mean):
        raise TextureError(
            f"albedos are {tuple(albedos.shape)}; expected (B, {len(mesh.mean)}) for this mesh"
        )
    if not 1 <= modes < len(albedos):
        raise TextureError(f"{modes} modes of {len(albedos)} people; give fewer than people")
    values = albedos.double()
    mean = values.mean(0)
    centred = values - mean
    weighted = centred * vertex_areas(mesh).double()
    vectors = torch.linalg.eigh(weighted @ centred.T)[1].flip(1)[:, :modes]
    found = vectors.T @ centred / math.sqrt(len(albedos) - 1)  # (K, N)
    found = found * found.sum(1, keepdim=True).sign()
    return TextureSpace(mean.float(), found.float(), mesh.triangles)


def vertex_areas(mesh: FaceMesh) -> Tensor:
    """A third of the area of the triangles round each vertex of the mean face, (N,) mm²."""
    a, b, c = mesh.mean[mesh.triangles].unbind(1)
    areas = torch.linalg.cross(b - a, c - a).norm(dim=1) / 6
    return torch.zeros(len(mesh.mean)).index_add(
        0, mesh.triangles.flatten(), areas.repeat_interleave(3)
    )


def explained(space: TextureSpace, albedos: Tensor, mesh: FaceMesh) -> float:
    """Share of the variance of albedos (B, N) about the mean that the modes explain."""
    area = vertex_areas(mesh).sqrt()
    left = (albedos - space.mean) * area
    basis = (space.modes * area).T
    fitted = (basis @ torch.linalg.lstsq(basis, left.T).solution).T
    return float(1 - (left - fitted).square().sum() / left.square().sum())


def main(count: int = 150, tested: int = 24, seed: int = 0, folder: Path | None = None) -> None:
    """Learn the texture space and write its checkpoint.

    Args:
        count: training people.
        tested: validation people, for the card.
        seed: of the world.
        folder: where to write; checkpoints/ if None.
    """
    start = time.perf_counter()
    model, mesh = MorphableModel.load(), FaceMesh.load()
    space = learn_textures(appearances(mesh, model, range(count), seed=seed), mesh)
    others = appearances(mesh, model, range(tested), seed=seed, split="validation")
    card = Card(
        task=f"Mean and {MODES} modes of grey linear albedo over the vertices of the face.",
        data=f"{count} synthetic training people of visage.faces; metrics of validation people.",
        data_licence="CC0-1.0 assets; the pictures are the package's own.",
        licence="Apache-2.0",
        command="python -m visage.geometry.texture_learning",
        revision=current_revision(),
        seed=seed,
        device=describe_device(),
        seconds=round(time.perf_counter() - start, 1),
        metrics={"explained_variance": round(explained(space, others, mesh), 4)},
        intended_use="Telling light from skin in pictures of faces, to train FineNet.",
        must_not_be_used_for="Measuring or judging people's skin: it knows synthetic skin alone, "
        "and no picture tells dark skin from dim light.",
    )
    print(save_checkpoint(NAME, {"mean": space.mean, "modes": space.modes}, card, folder=folder))


if __name__ == "__main__":
    tyro.cli(main)
