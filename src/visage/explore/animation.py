"""Short films inside a page: frames as one animated picture, still for readers who ask for that."""

from __future__ import annotations

import base64
import io

from PIL import Image
from torch import Tensor

from visage.explore.style import Shown


def animated(frames: Tensor, seconds: float, *, alt: str, caption: str) -> Shown:
    """Frames as an animated WebP that repeats.

    Readers whose system asks for less motion see the first frame.

    Args:
        frames: (N, 3, H, W) in [0, 1], at least two.
        seconds: from the first frame to the first again.
        alt: what is to be seen, in words.
        caption: what to look at; HTML is allowed.

    Raises:
        ValueError: there is nothing to animate, or `alt` is empty.
    """
    if len(frames) < 2 or not seconds > 0:
        raise ValueError(f"{len(frames)} frames in {seconds} s; give two at least, and some time")
    if not alt.strip():
        raise ValueError("a film needs alt text: say in words what is to be seen.")
    pixels = (255 * frames.clamp(0, 1)).round().byte().permute(0, 2, 3, 1).numpy()
    pictures = [Image.fromarray(frame) for frame in pixels]
    moving, still = io.BytesIO(), io.BytesIO()
    pictures[0].save(
        moving, "WEBP", save_all=True, append_images=pictures[1:], loop=0, quality=80, method=4,
        duration=round(1000 * seconds / len(pictures)),
    )  # fmt: skip
    pictures[0].save(still, "WEBP", quality=80)
    source = (
        f'<source media="(prefers-reduced-motion: reduce)" srcset="{_url(still)}" '
        'type="image/webp">'
    )
    picture = f'<img src="{_url(moving)}" alt="" style="max-width:100%">'
    return Shown(f"<picture>{source}{picture}</picture>", caption, alt)


def _url(buffer: io.BytesIO) -> str:
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
