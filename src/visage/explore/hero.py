"""The picture on the landing page and in the README: one photograph on its way to 128 numbers.

`python -m visage.explore.hero book/_static/hero.webp` draws it anew.
"""

import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import skimage
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from scipy.spatial import Delaunay
from torch import Tensor

from visage.explore.style import BLUE, ORANGE, SKY, YELLOW, use_style
from visage.files import written_whole
from visage.photos.alignment import DLIB_CHIP, align
from visage.photos.landmarks import find_face
from visage.photos.reading import open_photo
from visage.recognition.encoder import load_encoder

# Legible on white and on near-black: the picture is an <img>, which cannot follow the page's theme.
_INK = "#7d8794"
_WIDTH, _HEIGHT = 12.0, 3.9  # inches
_DPI = 180  # twice the width of a page's column
_ROUND = 0.06  # corner radius, of a picture's width


def draw_hero(path: Path) -> None:
    """Write the landing page's picture: photograph, mesh, chip, feature maps, embedding.

    Args:
        path: a WebP file; its folder must exist.
    """
    use_style()
    figure = hero_figure(open_photo(skimage.data.astronaut()))
    figure.set_dpi(_DPI)
    figure.patch.set_alpha(0)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    with written_whole(path) as partial:
        Image.fromarray(np.asarray(canvas.buffer_rgba())).save(partial, format="WebP", quality=88)
    plt.close(figure)


def hero_figure(photo: Tensor) -> Figure:
    """Draw one photograph's way from pixels to embedding.

    Args:
        photo: (1, 3, H, W) in [0, 1], with one face.
    """
    encoder = load_encoder("dlib_resnet")
    face = find_face(photo)
    chip = align(photo, face.landmarks, DLIB_CHIP)
    with torch.inference_mode():
        features = encoder.features(chip, ["block_3", "block_7", "embedding"])

    figure = plt.figure(figsize=(_WIDTH, _HEIGHT), layout="none")
    side = 3.3
    head, landmarks = _head(photo, face.landmarks)
    first = _square(figure, 0.15, 0.42, side)
    _picture(first, head)
    _mesh(first, landmarks[0])
    second = _square(figure, 3.85, 0.42 + (side - 2.2) / 2, 2.2)
    _picture(second, chip)
    _maps(figure, features["block_3"][0], left=6.45, side=0.98)
    _ring(_square(figure, 8.65, 0.42, side, polar=True), features["embedding"][0])
    for x, words in (
        (1.8, "photograph"),
        (4.95, "aligned chip"),
        (7.46, "features"),
        (10.3, "embedding"),
    ):
        figure.text(x / _WIDTH, 0.035, words, ha="center", color=_INK, fontsize=13)
    for x in (3.64, 6.24, 8.72):
        figure.text(
            x / _WIDTH,
            (0.42 + side / 2) / _HEIGHT,
            "›",
            ha="center",
            va="center",
            color=_INK,
            fontsize=22,
        )
    return figure


def _square(
    figure: Figure, left: float, bottom: float, side: float, *, polar: bool = False
) -> Axes:
    """Place square axes by inches from the lower left corner."""
    box = (left / _WIDTH, bottom / _HEIGHT, side / _WIDTH, side / _HEIGHT)
    axes = figure.add_axes(box, projection="polar" if polar else None)
    axes.set_axis_off()
    return axes


def _picture(axes: Axes, image: Tensor) -> None:
    axes.imshow(image[0].permute(1, 2, 0).clamp(0, 1).numpy(), interpolation="antialiased")
    _round_corners(axes)


def _round_corners(axes: Axes) -> None:
    (shown,) = axes.get_images()
    clip = mpl.patches.FancyBboxPatch(
        (0, 0), 1, 1, boxstyle=f"round,pad=0,rounding_size={_ROUND}", transform=axes.transAxes
    )
    shown.set_clip_path(clip)


def _mesh(axes: Axes, landmarks: Tensor) -> None:
    """Lines between neighbouring landmarks."""
    points = landmarks.numpy()
    triangles = Delaunay(points).simplices
    axes.triplot(points[:, 0], points[:, 1], triangles, color="white", linewidth=0.45, alpha=0.55)
    axes.scatter(points[:, 0], points[:, 1], s=7, color=YELLOW, linewidths=0, zorder=3)


def _head(photo: Tensor, landmarks: Tensor) -> tuple[Tensor, Tensor]:
    """Cut out the head with its hair; the landmarks (1, 68, 2) move with it."""
    low, high = landmarks[0].min(0).values, landmarks[0].max(0).values
    half = float((high - low).max()) * 0.98
    x, y = ((low + high) / 2).tolist()
    left, top = max(0, round(x - half)), max(0, round(y - 1.22 * half))
    side = min(round(2 * half), photo.shape[-2] - top, photo.shape[-1] - left)
    corner = torch.tensor([left, top], dtype=landmarks.dtype)
    return photo[..., top : top + side, left : left + side], landmarks - corner


def _maps(figure: Figure, maps: Tensor, *, left: float, side: float) -> None:
    """Six of a layer's channels, those that differ most across the picture."""
    spread = maps.flatten(1).std(1)
    chosen = spread.argsort(descending=True)[:6]
    for k, channel in enumerate(chosen.tolist()):
        row, column = divmod(k, 2)
        axes = _square(figure, left + column * (side + 0.08), 2.68 - row * (side + 0.08), side)
        axes.imshow(maps[channel].numpy(), cmap="viridis", interpolation="bilinear")
        _round_corners(axes)


def _ring(axes: Axes, embedding: Tensor) -> None:
    """The 128 numbers as rays: outwards where positive, inwards where negative."""
    values = embedding.numpy() / embedding.abs().max().item()
    angles = np.linspace(0, 2 * np.pi, len(values), endpoint=False)
    colours = np.where(values > 0, BLUE, ORANGE)
    axes.bar(angles, 0.42 * values, bottom=0.62, width=0.036, color=colours, linewidth=0)
    axes.plot(np.linspace(0, 2 * np.pi, 400), np.full(400, 0.62), color=SKY, linewidth=0.7)
    axes.set_ylim(0, 1.05)


if __name__ == "__main__":
    draw_hero(Path(sys.argv[1]))
