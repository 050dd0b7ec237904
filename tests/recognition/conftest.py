import dlib
import numpy as np
import pytest
import skimage.data
import torch

from visage.photos.alignment import align
from visage.photos.landmarks import find_face
from visage.recognition.encoder import load_encoder


@pytest.fixture(scope="session")
def encoder():
    return load_encoder("dlib_resnet")


@pytest.fixture(scope="session")
def astronaut_chip(encoder):
    """NASA's portrait of Eileen Collins: (1, 3, 150, 150)."""
    photo = torch.from_numpy(skimage.data.astronaut()).permute(2, 0, 1)[None] / 255
    face = find_face(photo)
    return align(photo, face.landmarks, encoder.crop)


@pytest.fixture(scope="session")
def jittered_bytes(astronaut_chip):
    """The chip and seven jittered copies as dlib makes them: (8, 150, 150, 3) uint8."""
    chip = (astronaut_chip[0] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy().copy()
    return np.stack([chip, *dlib.jitter_image(chip, num_jitters=7)])
