"""Films inside a page."""

import base64
import io
import re

import pytest
import torch
from PIL import Image

from visage.explore.animation import animated


def test_frames_follow_each_other():
    frames = torch.zeros(4, 3, 16, 24)
    for index, frame in enumerate(frames):
        frame[:] = index / 4
    shown = animated(frames, 2.0, alt="grey that brightens", caption="Look.")
    still, moving = re.findall(r"base64,([A-Za-z0-9+/=]+)", shown._repr_html_())
    film = Image.open(io.BytesIO(base64.b64decode(moving)))
    assert (film.n_frames, film.size) == (4, (24, 16))
    film.seek(3)
    assert film.convert("RGB").getpixel((5, 5))[0] == pytest.approx(191, abs=4)
    assert film.info["duration"] == 500
    first = Image.open(io.BytesIO(base64.b64decode(still)))
    assert getattr(first, "n_frames", 1) == 1
    assert "prefers-reduced-motion" in shown._repr_html_()


def test_refuses():
    with pytest.raises(ValueError, match="two at least"):
        animated(torch.zeros(1, 3, 4, 4), 1.0, alt="x", caption="")
    with pytest.raises(ValueError, match="alt"):
        animated(torch.zeros(2, 3, 4, 4), 1.0, alt=" ", caption="")
