import base64
import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from visage.explore.style import GRID, INK, MUTED, PALETTE, show, use_style


def drawn():
    use_style()
    figure, axes = plt.subplots(figsize=(4, 2))
    axes.plot([0, 1], [0, 1])
    axes.set_xlabel("x & <y>")
    return figure


def test_page_colours_stand_for_ink():
    shown = show(drawn(), alt="a line")
    for colour in (INK, MUTED, GRID):
        assert colour not in shown.svg
    assert "var(--pst-color-text-base" in shown.svg
    assert "var(--pst-color-border" in shown.svg


def test_figure_is_inline_svg_that_scales():
    shown = show(drawn(), alt="a line", caption="Look <em>here</em>.")
    html = shown._repr_html_()
    assert html.startswith("<figure")
    assert "<?xml" not in html
    assert "<em>here</em>" in html
    head = re.search(r"<svg[^>]*>", shown.svg)[0]
    assert "viewBox" in head
    assert "max-width:384px" in head  # 4 inches of 96 CSS pixels


def test_words_are_escaped_and_required():
    assert (
        'aria-label="5 &lt; 6 &quot;quoted&quot;"'
        in show(drawn(), alt='5 < 6 "quoted"')._repr_html_()
    )
    with pytest.raises(ValueError, match="alt"):
        show(drawn(), alt=" ")


def test_same_figure_same_bytes_and_closed():
    before = plt.get_fignums()
    assert show(drawn(), alt="a line").svg == show(drawn(), alt="a line").svg
    assert plt.get_fignums() == before


def relative_luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("colour", PALETTE[:3])
def test_line_colours_stand_out_on_light_and_dark(colour):
    # WCAG 2.2, 1.4.11: 3:1 for graphics.
    own = relative_luminance(colour)
    for ground in ("#ffffff", "#14181e"):
        other = relative_luminance(ground)
        high, low = max(own, other), min(own, other)
        assert (high + 0.05) / (low + 0.05) >= 3


def picture_figure(size):
    figure, axes = plt.subplots(figsize=(3, 3))
    pixels = np.random.default_rng(0).random((size, size, 3))
    axes.imshow(pixels)
    axes.set_axis_off()
    return figure


def test_large_pictures_are_packed():
    shown = show(picture_figure(400), alt="noise")
    assert "data:image/webp;base64," in shown.svg
    assert "data:image/png" not in shown.svg
    data = re.search(r"data:image/webp;base64,([A-Za-z0-9+/=]+)", shown.svg)[1]
    assert Image.open(io.BytesIO(base64.b64decode(data))).size[0] > 100


def test_small_pictures_stay_exact():
    assert "data:image/png;base64," in show(picture_figure(8), alt="noise").svg
