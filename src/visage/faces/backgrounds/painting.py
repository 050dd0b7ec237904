"""What is behind a person: studio cloths, walls, rooms, leaves and streets, out of focus.

A scene is painted on a small canvas in normalised coordinates, so that a seed shows the same scene
at every size, and seen through a lens: the canvas is interpolated with Gaussians as wide as the
defocus. Colours are linear radiance; lamps and windows may exceed 1.
"""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from visage.faces.backgrounds.canvas import CANVAS, MARGIN, Canvas, noise, shades
from visage.faces.backgrounds.scenes import foliage, night, room, street

__all__ = ["BACKGROUND_KINDS", "BackgroundError", "background", "backgrounds"]


class BackgroundError(ValueError):
    """A background that cannot be painted."""


def backgrounds(seeds: Tensor, height: int, width: int) -> Tensor:
    """Paint what is behind people, a kind drawn for each.

    Args:
        seeds: (B,) int64; row i depends on `seeds[i]` only.
        height: of the pictures, pixels.
        width: of the pictures, pixels. The longer side shows the whole canvas.

    Returns:
        (B, 3, height, width) float32, linear radiance, mean 0.1 to 0.6.

    Raises:
        BackgroundError: seeds are not (B,) int64, or the picture has no pixels.

    >>> backgrounds(torch.tensor([1, 2]), 48, 64).shape
    torch.Size([2, 3, 48, 64])
    """
    if seeds.ndim != 1 or seeds.dtype != torch.int64:
        raise BackgroundError(f"seeds are {tuple(seeds.shape)} {seeds.dtype}; expected (B,) int64")
    names = list(BACKGROUND_KINDS)
    shares = np.array([share for share, _ in BACKGROUND_KINDS.values()])
    pictures = torch.empty(len(seeds), 3, height, width)
    for row, seed in enumerate(seeds.tolist()):
        chosen = np.random.default_rng([seed & (2**63 - 1), 90]).random()
        kind = names[int((chosen > shares.cumsum() / shares.sum()).sum())]
        pictures[row] = background(kind, seed, height, width)
    return pictures.to(seeds.device)


def background(kind: str, seed: int, height: int, width: int) -> Tensor:
    """Paint one background of a kind.

    Args:
        kind: one of `BACKGROUND_KINDS`.
        seed: of the scene.
        height: of the picture, pixels.
        width: of the picture, pixels.

    Returns:
        (3, height, width) float32, linear radiance.

    Raises:
        BackgroundError: there is no such kind, or the picture has no pixels.
    """
    if kind not in BACKGROUND_KINDS:
        raise BackgroundError(f"no background {kind!r}; choose among {', '.join(BACKGROUND_KINDS)}")
    if height < 1 or width < 1:
        raise BackgroundError(f"the picture is {height}×{width} pixels; give at least 1×1")
    random = np.random.default_rng([seed & (2**63 - 1), 91])
    canvas = BACKGROUND_KINDS[kind][1](random)
    longer = max(height, width)
    # Defocus in hundredths of the picture, so that it does not depend on the size.
    defocus = round(5 * float(canvas.defocus)) / 5
    down = _lens(height, longer, defocus)
    across = _lens(width, longer, defocus)
    light = canvas.light.transpose(2, 0, 1)
    seen = torch.from_numpy(down @ light @ across.T)
    return seen * (canvas.exposure / seen.mean().clamp(min=1e-3))


@lru_cache(maxsize=256)
def _lens(pixels: int, longer: int, defocus: float) -> np.ndarray:
    """(pixels, CANVAS) weights of a Gaussian as wide as the defocus, on the picture's middle."""
    place = 0.5 + ((np.arange(pixels) + 0.5) - pixels / 2) / longer
    cell = MARGIN + place * (CANVAS - 2 * MARGIN)
    # Never narrower than the canvas can carry without showing its cells.
    width = max(0.8, defocus / 100 * (CANVAS - 2 * MARGIN))
    # A pixel averages what it covers: a box has a twelfth of its width squared as variance.
    width = math.hypot(width, (CANVAS - 2 * MARGIN) / longer / math.sqrt(12))
    weights = np.exp(-(((cell[:, None] - np.arange(CANVAS) - 0.5) / width) ** 2) / 2)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def studio(random: np.random.Generator) -> Canvas:
    """A painted cloth with a pool of light behind the head and a vignette."""
    colour = shades(random, 0.25, muted=0.75)
    x, y = _grid()
    px, py, radius = random.uniform(0.2, 0.8), random.uniform(0.25, 0.75), random.uniform(0.3, 0.9)
    pool = np.exp(-(((x - px) / radius) ** 2 + ((y - py) / (radius * 1.15)) ** 2))
    vignette = 1 - random.uniform(0.1, 0.5) * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
    cloth = 1 + random.uniform(0.0, 0.2) * noise(random, (3, 6, 12))
    light = (random.uniform(0.12, 0.5) + pool) * vignette * cloth
    return Canvas(light[..., None] * colour, 2.0, random.uniform(0.1, 0.45))


def wall(random: np.random.Generator) -> Canvas:
    """A plain wall, lit from one side; sometimes a corner of the room."""
    colour = shades(random, 0.55, muted=0.85)
    x, y = _grid()
    turn = random.uniform(0, 2 * math.pi)
    slope = (x - 0.5) * math.cos(turn) + (y - 0.5) * math.sin(turn)
    light = np.exp(random.uniform(0.3, 1.5) * slope)
    light = light * (1 + 0.05 * noise(random, (2, 4)))
    light = light[..., None] * colour
    if random.random() < 0.4:
        corner = random.uniform(-0.1, 1.1) + random.uniform(-0.03, 0.03) * y
        step = 1 / (1 + np.exp(-(x - corner) / 0.008))
        darker = random.uniform(0.55, 0.9)
        near = 1 - 0.15 * np.exp(-np.abs(x - corner) / 0.08)
        light = light * ((1 - step * (1 - darker)) * near)[..., None]
    if random.random() < 0.3:
        top = random.uniform(-0.05, 0.2)
        ceiling = 1 / (1 + np.exp((y - top - 0.05 * x) / 0.01))
        light = light + ceiling[..., None] * (0.7 * light.mean((0, 1)).max() - 0.5 * light)
    return Canvas(light, random.uniform(0.8, 2.5), random.uniform(0.2, 0.6))


def paper(random: np.random.Generator) -> Canvas:
    """A sheet of coloured paper, evenly lit."""
    colour = shades(random, 0.4, muted=0.25)
    x, y = _grid()
    light = 1 + random.uniform(-0.35, 0.35) * (y - 0.5) + random.uniform(-0.3, 0.3) * (x - 0.5)
    pool = np.exp(-((x - random.uniform(0.3, 0.7)) ** 2 + (y - 0.4) ** 2) / 0.35)
    light = light * (1 + random.uniform(0, 0.6) * pool)
    return Canvas(light[..., None] * colour, 2.0, random.uniform(0.2, 0.55))


def pattern(random: np.random.Generator) -> Canvas:
    """A wall of bricks, tiles, boards or striped paper, out of focus."""
    light = wall(random).light
    base = light.mean((0, 1))
    canvas = light.copy()
    kind = random.integers(4)
    width, height = [(0.16, 0.055), (0.14, 0.14), (0.12, 2.0), (0.09, 2.0)][kind]
    scale = random.uniform(0.7, 1.6)
    width, height = width * scale, height * scale
    cell = CANVAS - 2 * MARGIN
    spread = [0.22, 0.06, 0.10, 0.0][kind]
    joint = [0.012, 0.008, 0.006, 0.0][kind] * cell
    gap = random.choice([0.55, 1.5]) if kind < 2 else 0.5
    boxes, colours = [], []
    tint = random.uniform(0.45, 0.8, 3) * base
    for row in range(math.ceil(1.4 / height) + 1):
        shift = width / 2 * (row % 2) if kind == 0 else 0
        for column in range(math.ceil(1.4 / width) + 2):
            left, top = (column * width - shift - 0.2), row * height - 0.2
            box = [MARGIN + left * cell + joint, MARGIN + top * cell + joint,
                   MARGIN + (left + width) * cell, MARGIN + (top + height) * cell, 1.0]  # fmt: skip
            boxes.append(box)
            odd = kind == 3 and column % 2
            colours.append((tint if odd else base) * np.exp(spread * random.normal()))
    flat = Canvas(np.ones_like(canvas) * base * gap, 1.0, 1.0)
    flat.boxes(boxes, colours)
    shaded = flat.light * (light / base)
    return Canvas(shaded, random.uniform(0.9, 2.0), random.uniform(0.18, 0.5))


def _grid() -> tuple[np.ndarray, np.ndarray]:
    """Coordinates x and y (CANVAS, CANVAS) in the picture's widths; 0 to 1 is in the picture."""
    place = (np.arange(CANVAS) + 0.5 - MARGIN) / (CANVAS - 2 * MARGIN)
    return place[None, :] + 0 * place[:, None], place[:, None] + 0 * place[None, :]


BACKGROUND_KINDS: dict[str, tuple[float, Callable[[np.random.Generator], Canvas]]] = {
    "studio": (0.16, studio),
    "wall": (0.18, wall),
    "paper": (0.08, paper),
    "pattern": (0.09, pattern),
    "room": (0.22, room),
    "foliage": (0.13, foliage),
    "street": (0.09, street),
    "night": (0.05, night),
}
"""How often each kind is drawn, by judgement of everyday photographs, and what paints it."""
