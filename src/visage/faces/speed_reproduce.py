"""How fast the world is drawn, beside a naive loop: ``visage reproduce faces/speed``."""

import math
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from visage.faces.buffers import drawn_triangles
from visage.faces.camera import WeakPerspective
from visage.faces.dataset import SyntheticFaces
from visage.faces.light import sample_lights
from visage.faces.portraits import Detail
from visage.faces.raster import visible_triangles
from visage.faces.scene import Scene, render
from visage.faces.shape import MorphableModel
from visage.faces.surface import SurfaceMaps
from visage.ledger import Experiment, Profile, Result, Row
from visage.measured import measured_result

SIZE = 128
BATCH = 16


def reproduce_speed(profile: Profile, seed: int) -> Result:
    """Pictures a second on one thread; and how far a GPU's pictures are from a CPU's."""
    start, rounds = time.perf_counter(), 40 if profile == "full" else 3
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows = _rows(rounds, seed)
    finally:
        torch.set_num_threads(threads)
    return measured_result(
        id="faces/speed",
        paper=None,
        claim="One core draws 1,000 visibility and 300 shaded pictures of 128 pixels a second.",
        protocol=(
            f"{BATCH} heads at once, coarse mesh ({len(drawn_triangles(MorphableModel.load()))} "
            "triangles), 128 x 128 pixels, weak perspective, 280 mm across; one thread, the best "
            f"of {rounds} rounds. visibility: the z-buffer of projected points. shaded: from "
            "coefficients to the sRGB picture with all its answers (shape, normals, projection, "
            "visibility, textures of 256 texels, second-order light, key light with soft shadows, "
            "GGX). with_hair: the same with strands for hair, brows and lashes, clothes, glasses "
            "and background, people and textures drawn afresh, as `SyntheticFaces` does; most "
            f"styles of hair are grown before, with the first {BATCH * _grown(rounds)} people, who "
            "are not timed. "
            "ratio_to_naive: visibility against a plain loop over triangles and pixels in Python, "
            "timed in the same run; both give the same picture."
        ),
        profile=profile,
        seed=seed,
        start=start,
        rows=rows,
    )


@torch.no_grad()
def _rows(rounds: int, seed: int) -> tuple[Row, ...]:
    model, scene = MorphableModel.load(), _scene(seed)
    triangles = drawn_triangles(model)
    points = scene.camera.project(model.vertices(scene.identity, scene.expression))
    visibility = _seconds(lambda: visible_triangles(points, triangles, SIZE, SIZE), rounds)
    shaded = _seconds(lambda: render(model, scene), rounds)
    before = time.perf_counter()
    naive = naive_visibility(points[0], triangles, SIZE, SIZE)
    ratio = (time.perf_counter() - before) * BATCH / visibility
    fast = visible_triangles(points[:1], triangles, SIZE, SIZE)[0]
    differing = int((naive != fast).sum())
    faces = SyntheticFaces(10_000, 1, size=SIZE, seed=seed, detail=Detail())
    stream = _Stream(faces)
    for _ in range(_grown(rounds)):
        stream()
    whole = _seconds(stream, max(rounds // 2, 1))
    rows = [
        Row("visibility_128", None, BATCH / visibility, "pictures/s", "higher", BATCH),
        Row("shaded_128", None, BATCH / shaded, "pictures/s", "higher", BATCH),
        Row("with_hair_128", None, BATCH / whole, "pictures/s", "higher", BATCH),
        Row("ratio_to_naive", None, ratio, "times", "higher", 1),
        Row("pixels_unlike_naive", None, differing, "px", "lower", SIZE * SIZE),
    ]
    if torch.cuda.is_available():
        rows += _on_gpu(model, scene, rounds)
    return tuple(rows)


def _grown(rounds: int) -> int:
    """Batches of people for whom styles of hair are grown before the stream is timed."""
    return rounds if rounds > 10 else 1


class _Stream:
    """The next batch of a data set, again and again."""

    def __init__(self, faces: SyntheticFaces):
        self.faces, self.next = faces, 0

    def __call__(self) -> None:
        self.faces.__getitems__(range(self.next, self.next + BATCH))
        self.next += BATCH


def _scene(seed: int) -> Scene:
    model, generator = MorphableModel.load(), torch.Generator().manual_seed(seed)
    angles = (torch.rand(BATCH, 3, generator=generator) - 0.5) * torch.tensor([0.5, 1.0, 0.2])
    scale = torch.full((BATCH,), SIZE / 280)
    albedo = torch.rand(BATCH, 3, 256, 256, generator=generator) * 0.2 + 0.3
    one = torch.ones(BATCH, 1, 256, 256)
    return Scene(
        model.sample_identity(BATCH, generator),
        0.3 * torch.rand(BATCH, len(model.expression_names), generator=generator),
        WeakPerspective(angles, torch.zeros(BATCH, 2), SIZE, SIZE, scale=scale),
        sample_lights(BATCH, generator),
        SurfaceMaps(albedo, 0.4 * one, one, 0 * one),
    )


def _seconds(call: Callable[[], object], rounds: int) -> float:
    """Of the best round; the first call warms up."""
    call()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def naive_visibility(points: Tensor, triangles: Tensor, height: int, width: int) -> Tensor:
    """One picture's visible triangles, as one would write it first.

    Args:
        points: (V, 3), pixels and depth.
        triangles: (F, 3).
        height: of the picture, pixels.
        width: of the picture, pixels.

    Returns:
        (height, width) int64, -1 at the background.
    """
    ids = [[-1] * width for _ in range(height)]
    depth = [[math.inf] * width for _ in range(height)]
    corners = points.tolist()
    for index, (first, second, third) in enumerate(triangles.tolist()):
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = corners[first], corners[second], corners[third]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0:
            continue
        top, bottom = max(math.ceil(min(ay, by, cy)), 0), min(int(max(ay, by, cy)) + 1, height)
        left, right = max(math.ceil(min(ax, bx, cx)), 0), min(int(max(ax, bx, cx)) + 1, width)
        for y in range(top, bottom):
            for x in range(left, right):
                u = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
                v = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
                w = 1 - u - v
                if u >= 0 and v >= 0 and w >= 0:
                    z = u * az + v * bz + w * cz
                    if z < depth[y][x]:
                        depth[y][x], ids[y][x] = z, index
    return torch.tensor(ids)


def _on_gpu(model: MorphableModel, scene: Scene, rounds: int) -> list[Row]:
    there = MorphableModel.load().cuda()
    camera = replace(
        scene.camera,
        angles=scene.camera.angles.cuda(),
        translation=scene.camera.translation.cuda(),
        scale=scene.camera.scale.cuda(),
    )
    moved = Scene(
        scene.identity.cuda(),
        scene.expression.cuda(),
        camera,
        scene.light.to("cuda"),
        scene.maps.to("cuda"),
    )

    def call():
        drawn = render(there, moved)
        torch.cuda.synchronize()
        return drawn

    ours, theirs = render(model, scene).image, call().image.cpu()
    seconds = _seconds(call, rounds)
    difference = float((ours - theirs).abs().quantile(0.999))
    return [
        Row("shaded_128_gpu", None, BATCH / seconds, "pictures/s", "higher", BATCH),
        Row("cpu_gpu_difference", None, difference, "of white, 99.9 %", "lower", ours.numel()),
    ]


EXPERIMENTS: dict[str, Experiment] = {"faces/speed": reproduce_speed}
