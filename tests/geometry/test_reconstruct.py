"""The public door: photographs of all kinds in, a named error or a face out."""

from functools import lru_cache

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from visage.geometry.coarse_network import CoarseNet
from visage.geometry.errors import ProfileError
from visage.geometry.export import read_surface, write_surface
from visage.geometry.fine_network import FineNet
from visage.geometry.pipeline import Networks
from visage.geometry.reconstruct import DetailedFace, find_quickly, reconstruct
from visage.geometry.representation import FaceNumbers
from visage.photos.landmarks import FaceBox, FaceTooSmallError, NoFaceError
from visage.photos.reading import PhotoError, open_photo

_PORTRAIT = skimage.data.astronaut()[:260, 90:350]
_BOX = FaceBox(80.0, 70.0, 185.0, 175.0, score=1.0)


@lru_cache(maxsize=1)
def _networks() -> Networks:
    return Networks(CoarseNet().eval(), FineNet().eval())


@lru_cache(maxsize=1)
def _found() -> DetailedFace:
    return reconstruct(_PORTRAIT, _networks())


def test_what_comes_out():
    face = _found()
    assert face.depth.shape == face.coarse.shape == face.mask.shape == (1, 1, 200, 200)
    assert face.image.shape == face.normals.shape == (1, 3, 200, 200)
    assert len(face.numbers) == 1
    assert bool(face.depth[face.mask > 0].isfinite().all())
    assert 0 <= face.confidence <= 1
    assert face.expected_error > 0


def test_the_window_is_round_the_face():
    centre = _found().window.centre[0].tolist()
    assert centre == pytest.approx([133, 110], abs=20)
    assert 120 < float(_found().window.side) < 260


@pytest.mark.parametrize("kind", ["grey", "rgba", "file", "float", "tensor"])
def test_all_kinds_of_photographs(kind, tmp_path):
    grey = np.asarray(Image.fromarray(_PORTRAIT).convert("L"))
    opaque = np.full((*_PORTRAIT.shape[:2], 1), 255, np.uint8)
    photo = {
        "grey": grey,
        "rgba": np.concatenate([_PORTRAIT, opaque], 2),
        "file": tmp_path / "portrait.png",
        "float": _PORTRAIT.astype(np.float32) / 255,
        "tensor": torch.from_numpy(_PORTRAIT.copy()).permute(2, 0, 1)[None].float() / 255,
    }[kind]
    if kind == "file":
        Image.fromarray(_PORTRAIT).save(photo)
    face = reconstruct(photo, _networks(), box=_BOX)
    wanted = reconstruct(_PORTRAIT, _networks(), box=_BOX)
    assert face.image.shape == (1, 3, 200, 200)
    tolerance = 0.25 if kind == "grey" else 1e-4
    assert float((face.image.mean(1) - wanted.image.mean(1)).abs().max()) < tolerance


def test_another_size():
    face = reconstruct(_PORTRAIT, _networks(), box=_BOX, size=400)
    assert face.depth.shape == (1, 1, 400, 400)
    assert face.scale == pytest.approx(400 / 232)


def test_both_surfaces_can_be_written(tmp_path):
    face = _found()
    for name, surface in {"mesh": face.mesh(), "detail": face.surface()}.items():
        back = read_surface(write_surface(surface, tmp_path / f"{name}.glb"))
        assert len(back.triangles) == len(surface.triangles) > 1000
    depth = -face.surface().vertices[:, 2]
    assert float(depth.min()) == pytest.approx(float(face.depth.min()))


def test_no_face():
    with pytest.raises(NoFaceError, match="no face was found"):
        reconstruct(np.full((120, 160, 3), 128, np.uint8), _networks())


def test_a_tiny_face():
    small = np.asarray(Image.fromarray(_PORTRAIT).resize((78, 78), Image.Resampling.LANCZOS))
    with pytest.raises(FaceTooSmallError, match="pixels wide"):
        reconstruct(small, _networks())


def test_a_profile_is_refused_and_can_be_had():
    turned = FaceNumbers.zeros(2)  # the face, and its mirror image
    turned.pose[:, 1] = torch.tensor([3.1, -3.1])  # 89 degrees

    class Turned(CoarseNet):
        def step(self, mesh, faces, current):
            return turned

    networks = Networks(Turned().eval(), FineNet().eval())
    with pytest.raises(ProfileError, match="turned by 89 degrees"):
        reconstruct(_PORTRAIT, networks, box=_BOX)
    face = reconstruct(_PORTRAIT, networks, box=_BOX, farthest=95.0)
    assert bool(face.mask.any())


def test_saturated_and_black_faces_are_answered():
    for level in (0, 255):
        photo = np.full((200, 200), level, np.uint8)
        face = reconstruct(photo, _networks(), box=FaceBox(40.0, 40.0, 160.0, 160.0, score=1.0))
        assert bool(face.depth[face.mask > 0].isfinite().all())


def test_not_a_photograph(tmp_path):
    with pytest.raises(PhotoError, match="no file"):
        reconstruct(tmp_path / "nothing.jpg", _networks())


def test_found_in_a_small_copy():
    """A photograph three times as large has the same face three times as large."""
    image = open_photo(_PORTRAIT)
    large = torch.nn.functional.interpolate(image, scale_factor=3, mode="bilinear")
    small, found = (find_quickly(some, "largest") for some in (image, large))
    assert found.side / 3 == pytest.approx(small.side, rel=0.25)
    assert (found.left + found.right) / 6 == pytest.approx((small.left + small.right) / 2, abs=12)
