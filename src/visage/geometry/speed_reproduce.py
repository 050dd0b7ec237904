"""How long a face takes from a photograph, and how fast faces to learn from are made."""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import deepcopy
from functools import partial

import torch
from torch import Tensor

from visage.geometry.coarse_stream import CoarseStream
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.face_window import FaceWindow
from visage.geometry.feedback import feedback
from visage.geometry.held_out import held_out_faces
from visage.geometry.pipeline import coarse_looks
from visage.geometry.reconstruct import find_quickly, reconstruct
from visage.geometry.rendering_layer import render_depth
from visage.geometry.representation import FaceNumbers
from visage.geometry.study import networks, part_result
from visage.geometry.training_faces import kept_faces
from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import threads

_PICTURE = 400  # pixels a side of the photograph
_BATCH = {"fast": 2, "full": 32}
_THREADS = 2
_ROUNDS = {"fast": 2, "full": 30}
_PEOPLE = {"fast": 4, "full": 200}


def reproduce_speed(profile: Profile, seed: int) -> Result:
    """Milliseconds a face on two cores, part by part; training pictures a second on one."""
    start, rounds = time.perf_counter(), _ROUNDS[profile]
    photo = _photograph()
    players = networks(profile)
    with threads(_THREADS):
        rows = _face_rows(photo, players, rounds)
    with threads(1):
        rows += _training_rows(players.coarse, profile, rounds)
    return part_result(
        "geometry/speed",
        "Geometry and detail of a face in one pass through the networks, without an external "
        "initialisation or optimisation.",
        f"One photograph of {_PICTURE} × {_PICTURE} pixels with one face, in memory, {_THREADS} "
        f"threads, the median of {rounds} rounds after one to warm up. ms_per_face: "
        "`reconstruct` at 200 pixels, from the photograph to detailed depth, normals and "
        "confidence; the other ms rows are its parts: dlib's detector, CoarseNet (two looks of "
        "two iterations, also in a mirror), the rendering layer, FineNet. "
        f"training_images_per_s: items of CoarseNet's stream in batches of {_BATCH[profile]} on "
        "one thread, from pictures that are kept, each cut, mirrored and spoilt anew; "
        "with_feedback: and their PNCC and normals drawn. consumed_images_per_s: "
        "forward and backward pass of the network on one thread. The paper has no number.",
        profile=profile, seed=seed, start=start, rows=rows,
    )  # fmt: skip


def median_seconds(call: Callable[[], object], rounds: int) -> float:
    """Of so many rounds, after one to warm up."""
    call()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(torch.tensor(times).median())


def _photograph() -> Tensor:
    """A held-out face in the middle of a wider picture (1, 3, 400, 400)."""
    face = held_out_faces(1).faces
    whole = FaceWindow(torch.tensor([[99.5, 99.5]]), torch.tensor([300.0]))
    return whole.cut(face, _PICTURE).expand(-1, 3, -1, -1)


def _face_rows(photo: Tensor, players, rounds: int) -> list[Row]:
    face = FaceWindow.of_box(find_quickly(photo, "largest")).cut(photo)[:, :1]
    mesh, numbers = FaceMesh.load(1), coarse_looks(players.coarse, face).last
    drawn, scale = render_depth(mesh, numbers), numbers.camera().scale

    @torch.no_grad()
    def fine() -> Tensor:
        return players.fine(face, drawn.depth, drawn.mask, scale)

    calls = {
        "ms_per_face": partial(reconstruct, photo, players, farthest=180.0),
        "ms_detector": partial(find_quickly, photo, "largest"),
        "ms_coarse": partial(coarse_looks, players.coarse, face),
        "ms_rendering": torch.no_grad()(partial(render_depth, mesh, numbers)),
        "ms_fine": fine,
    }
    return [
        Row(name, None, 1e3 * median_seconds(call, rounds), "ms", "lower", rounds)
        for name, call in calls.items()
    ]


def _training_rows(network, profile: Profile, rounds: int) -> list[Row]:
    count = _BATCH[profile]
    stream = CoarseStream(0, kept_faces("train", _PEOPLE[profile], progress=False))
    batch = stream.batch(range(count))
    mesh, current = FaceMesh.load(), FaceNumbers.of(batch["current"])
    size = network.config.size
    seen = feedback(mesh, current, size)
    network = _learning(network)

    def step() -> None:
        network(batch["faces"], seen, current).numbers.square().sum().backward()

    made = median_seconds(lambda: stream.batch(range(count)), rounds)
    drawn = median_seconds(lambda: feedback(mesh, current, size), rounds)
    used = median_seconds(step, max(1, rounds // 5))
    return [
        Row("training_images_per_s", None, count / made, "images/s", "higher", count),
        Row("with_feedback_per_s", None, count / (made + drawn), "images/s", "higher", count),
        Row("consumed_images_per_s", None, count / used, "images/s", None, count),
    ]


def _learning(network):
    """A copy of a network that learns."""
    return deepcopy(network).train().requires_grad_(True)


EXPERIMENTS: dict[str, Experiment] = {"geometry/speed": reproduce_speed}
