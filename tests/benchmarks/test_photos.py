"""How fast photographs are read, searched and aligned (`pytest --benchmark-enable`)."""

import io

import pytest
import torch
from PIL import Image
from skimage import data

from visage.photos.alignment import CROPS, align
from visage.photos.landmarks import detect_faces, find_five_points, find_landmarks
from visage.photos.reading import open_photo


@pytest.fixture(scope="module")
def astronaut():
    return open_photo(data.astronaut())


@pytest.fixture(scope="module")
def box(astronaut):
    return max(detect_faces(astronaut), key=lambda box: box.score)


def test_open_jpeg(benchmark):
    buffer = io.BytesIO()
    Image.fromarray(data.astronaut()).save(buffer, "JPEG")
    assert benchmark(open_photo, buffer.getvalue()).shape == (1, 3, 512, 512)


def test_detect(benchmark, astronaut):
    assert benchmark(detect_faces, astronaut)


@pytest.mark.parametrize("find", [find_landmarks, find_five_points])
def test_landmarks(benchmark, astronaut, box, find):
    assert benchmark(find, astronaut, box).isfinite().all()


@pytest.mark.parametrize("name", ["dlib_chip_150", "cole_224", "grey_64", "square_200"])
def test_align_sixteen(benchmark, astronaut, box, name):
    images = astronaut.expand(16, -1, -1, -1)
    landmarks = find_landmarks(astronaut, box).expand(16, -1, -1)
    with torch.no_grad():
        chips = benchmark(align, images, landmarks, CROPS[name])
    assert len(chips) == 16
