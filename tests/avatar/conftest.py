"""One small avatar for all tests of this folder."""

import pytest
import skimage.data

from visage.avatar.build import AvatarConfig, build_avatar
from visage.photos.reading import open_photo

CONFIG = AvatarConfig(texels=64, people=3, iterations=4, pixels=256, shown=96)


@pytest.fixture(scope="session")
def config():
    return CONFIG


@pytest.fixture(scope="session")
def photo():
    """(1, 3, 512, 512), NASA's portrait that scikit-image ships."""
    return open_photo(skimage.data.astronaut())


@pytest.fixture(scope="session")
def avatar(photo):
    return build_avatar(photo, CONFIG, progress=False)
