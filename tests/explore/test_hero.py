from pathlib import Path

import numpy as np
from PIL import Image

from visage.explore.hero import draw_hero

TRACKED = Path(__file__).parents[2] / "book" / "_static" / "hero.webp"


def on_white(path):
    picture = Image.open(path).convert("RGBA")
    ground = Image.new("RGBA", picture.size, "white")
    return np.asarray(Image.alpha_composite(ground, picture).convert("RGB"), dtype=float)


def test_the_landing_page_s_picture_is_what_the_library_draws(tmp_path):
    draw_hero(tmp_path / "hero.webp")
    fresh, tracked = on_white(tmp_path / "hero.webp"), on_white(TRACKED)
    assert fresh.shape == tracked.shape
    # Fonts differ between machines; faces, maps and rays do not.
    assert np.abs(fresh - tracked).mean() < 2
