import math

import dlib
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data
from torch.autograd import gradcheck

from visage.photos.alignment import (
    COLE_CROP,
    CROPS,
    DLIB_CHIP,
    DLIB_CHIP_FIVE,
    GREY_CROP,
    MEAN_FACE,
    SQUARE_CROP,
    Crop,
    DegeneratePointsError,
    align,
    apply_transform,
    crop_transform,
    grid_to_pixel,
    invert_transform,
    pixel_to_grid,
    similarity_transform,
    to_grey,
    warp_similarity,
)
from visage.photos.landmarks import model_file

SIXTY_EIGHT = "shape_predictor_68_face_landmarks.dat"
FIVE = "shape_predictor_5_face_landmarks.dat"
# dlib's names of mirrored landmarks: the left half of the face is numbered as the right one.
MIRROR = [
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1),
]  # fmt: skip


def similarity(scale, angle, x, y, dtype=torch.float64):
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    return torch.tensor([[[c, -s, x], [s, c, y]]], dtype=dtype)


def centred(turn, place, target):
    """The same turn and scale, shifted so that (place, place) comes to (target, target)."""
    middle = apply_transform(turn, torch.full((1, 1, 2), float(place), dtype=turn.dtype))
    return torch.cat([turn[..., :2], target - middle.mT], -1)


def face_points(scale=90.0, angle=0.1, x=80.0, y=60.0, dtype=torch.float32):
    """68 plausible landmarks: dlib's mean face, and a jaw below it."""
    jaw = [
        (0.49 - 0.65 * math.cos(t), 0.2 + 1.0 * math.sin(t)) for t in np.linspace(0, math.pi, 17)
    ]
    points = torch.tensor([jaw + [MEAN_FACE[i] for i in range(17, 68)]], dtype=dtype)
    return apply_transform(similarity(scale, angle, x, y, dtype), points)


def smooth_picture(channels, size, seed):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, channels, 4, 4, generator=generator, dtype=torch.float64)
    return F.interpolate(coarse, (size, size), mode="bicubic")


@pytest.fixture(scope="module")
def astronaut():
    return data.astronaut()


@pytest.fixture(scope="module")
def image(astronaut):
    return torch.from_numpy(astronaut).permute(2, 0, 1)[None].float() / 255


def dlib_shape(astronaut, file):
    return dlib.shape_predictor(str(model_file(file)))(astronaut, dlib.rectangle(175, 76, 265, 166))


def points_of(shape):
    return torch.tensor([[[p.x, p.y] for p in shape.parts()]], dtype=torch.float32)


def naive_similarity(source, target):
    """Umeyama's least squares in four real unknowns, solved by NumPy."""
    rows, values = [], []
    for (x, y), (u, v) in zip(source.tolist(), target.tolist(), strict=True):
        rows += [[x, -y, 1, 0], [y, x, 0, 1]]
        values += [u, v]
    a, b, tx, ty = np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)[0]
    return torch.tensor([[a, -b, tx], [b, a, ty]])


class TestSimilarityTransform:
    def test_equals_least_squares(self):
        generator = torch.Generator().manual_seed(0)
        source = torch.randn(5, 9, 2, generator=generator, dtype=torch.float64)
        target = torch.randn(5, 9, 2, generator=generator, dtype=torch.float64)
        found = similarity_transform(source, target)
        for i in range(5):
            torch.testing.assert_close(found[i], naive_similarity(source[i], target[i]))

    @given(
        scale=st.floats(0.01, 100),
        angle=st.floats(-math.pi, math.pi),
        x=st.floats(-1e4, 1e4),
        y=st.floats(-1e4, 1e4),
    )
    @settings(deadline=None, max_examples=50)
    def test_recovers_a_similarity(self, scale, angle, x, y):
        points = face_points(dtype=torch.float64)
        transform = similarity(scale, angle, x, y)
        moved = apply_transform(transform, points)
        torch.testing.assert_close(
            similarity_transform(points, moved), transform, rtol=1e-6, atol=1e-6 * (1 + scale)
        )
        torch.testing.assert_close(
            apply_transform(invert_transform(transform), moved), points, rtol=1e-6, atol=1e-4
        )

    def test_never_reflects(self):
        points = face_points(dtype=torch.float64)
        mirrored = points * points.new_tensor([-1.0, 1.0])
        assert torch.linalg.det(similarity_transform(points, mirrored)[..., :2]) > 0

    def test_without_rotation_keeps_scale_and_mean(self):
        points = face_points(dtype=torch.float64)
        moved = apply_transform(similarity(2.0, 0.7, 5, 6), points)
        found = similarity_transform(points, moved, rotation=False)
        torch.testing.assert_close(found[0, :, :2], 2 * torch.eye(2, dtype=torch.float64))
        torch.testing.assert_close(apply_transform(found, points).mean(1), moved.mean(1))

    def test_broadcasts_the_target_and_keeps_the_dtype(self):
        points = face_points().expand(3, -1, -1)
        found = similarity_transform(points, points[:1] + 1)
        assert found.shape == (3, 2, 3)
        assert found.dtype == torch.float32

    @pytest.mark.parametrize("which", ["source", "target"])
    def test_coincident_points(self, which):
        points = {"source": face_points(), "target": face_points()}
        points[which] = torch.full((1, 68, 2), 17.3)
        with pytest.raises(DegeneratePointsError, match="coincide"):
            similarity_transform(**points)

    def test_exactly_mirrored_points(self):
        square = torch.tensor([[[1.0, 1.0], [-1, 1], [-1, -1], [1, -1]]])
        with pytest.raises(DegeneratePointsError, match="mirrors"):
            similarity_transform(square, square * torch.tensor([-1.0, 1.0]))

    @pytest.mark.parametrize("bad", [math.nan, math.inf])
    def test_not_finite(self, bad):
        points = face_points()
        points[0, 3, 1] = bad
        with pytest.raises(DegeneratePointsError, match="not finite"):
            similarity_transform(points, face_points())

    @pytest.mark.parametrize("shape", [(68, 2), (1, 68, 3), (1, 1, 2)])
    def test_wrong_shape(self, shape):
        with pytest.raises(ValueError, match="expected"):
            similarity_transform(torch.zeros(shape), torch.zeros(shape))

    def test_gradcheck(self):
        generator = torch.Generator().manual_seed(1)
        source = torch.randn(2, 5, 2, generator=generator, dtype=torch.float64, requires_grad=True)
        target = torch.randn(2, 5, 2, generator=generator, dtype=torch.float64, requires_grad=True)
        assert gradcheck(similarity_transform, (source, target))
        assert gradcheck(lambda a, b: similarity_transform(a, b, rotation=False), (source, target))
        assert gradcheck(
            lambda a, b: invert_transform(similarity_transform(a, b)), (source, target)
        )


class TestGrid:
    @given(st.integers(1, 500), st.integers(1, 500), st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
    @settings(deadline=None, max_examples=50)
    def test_round_trip(self, height, width, x, y):
        points = torch.tensor([[x, y]], dtype=torch.float64)
        there = pixel_to_grid(points, height, width)
        torch.testing.assert_close(grid_to_pixel(there, height, width), points)

    def test_samples_the_named_pixel(self):
        picture = torch.arange(12.0).view(1, 1, 3, 4)
        points = torch.tensor([[[[x, y] for x in range(4)] for y in range(3)]], dtype=torch.float32)
        sampled = F.grid_sample(picture, pixel_to_grid(points, 3, 4), align_corners=False)
        torch.testing.assert_close(sampled, picture)


class TestInvert:
    def test_flat_transform(self):
        with pytest.raises(DegeneratePointsError, match="line"):
            invert_transform(torch.tensor([[[1.0, 2.0, 0.0], [2.0, 4.0, 0.0]]]))

    def test_not_finite(self):
        with pytest.raises(DegeneratePointsError, match="finite"):
            invert_transform(torch.full((1, 2, 3), math.nan))


class TestWarp:
    def test_identity(self, image):
        torch.testing.assert_close(
            warp_similarity(image, similarity(1, 0, 0, 0, torch.float32), (512, 512)), image
        )

    def test_equals_a_naive_bilinear_loop(self):
        generator = torch.Generator().manual_seed(2)
        picture = torch.rand(1, 1, 7, 9, generator=generator, dtype=torch.float64)
        transform = similarity(1.3, 0.3, 0.4, -0.7)
        warped = warp_similarity(picture, transform, (6, 5))
        back = invert_transform(transform)
        for row in range(6):
            for column in range(5):
                point = torch.tensor([[[column, row]]], dtype=torch.float64)
                x, y = apply_transform(back, point).flatten().tolist()
                value = 0.0
                for j in (math.floor(y), math.floor(y) + 1):
                    for i in (math.floor(x), math.floor(x) + 1):
                        if 0 <= i < 9 and 0 <= j < 7:
                            weight = (1 - abs(x - i)) * (1 - abs(y - j))
                            value += weight * float(picture[0, 0, j, i])
                assert float(warped[0, 0, row, column]) == pytest.approx(value, abs=1e-9)

    @pytest.mark.parametrize("factor", [2, 3, 4, 6, 8])
    def test_a_whole_factor_is_the_exact_mean(self, factor):
        generator = torch.Generator().manual_seed(factor)
        picture = torch.rand(1, 3, 6 * factor, 7 * factor, generator=generator, dtype=torch.float64)
        offset = 0.5 / factor - 0.5  # edge on edge
        warped = warp_similarity(picture, similarity(1 / factor, 0, offset, offset), (6, 7))
        torch.testing.assert_close(warped, F.avg_pool2d(picture, factor))

    @pytest.mark.parametrize(
        ("factor", "left"), [(1.7, 0.6), (2.5, 0.25), (3.9, 0.25), (4.1, 0.25), (16.5, 0.25)]
    )
    def test_stripes_too_fine_for_the_crop_disappear(self, factor, left):
        stripes = (torch.arange(600) % 2).double().expand(1, 1, 600, 600)
        transform = centred(similarity(1 / factor, 0.3, 0, 0), 300, 10)
        crop_pixels = torch.cartesian_prod(torch.arange(20.0), torch.arange(20.0)).double()[None]
        places = apply_transform(invert_transform(transform), crop_pixels)
        aliased = F.grid_sample(stripes, pixel_to_grid(places, 600, 600)[None], align_corners=False)
        assert aliased.std() > 0.25
        assert warp_similarity(stripes, transform, 20).std() < left * aliased.std()

    @pytest.mark.parametrize("factor", [1.5, 2.5, 5, 11, 16.5])
    def test_a_smooth_picture_keeps_its_values(self, factor):
        ramp = torch.arange(400, dtype=torch.float64).expand(1, 1, 400, 400)
        transform = centred(similarity(1 / factor, 0.2, 0, 0), 200, 6)
        warped = warp_similarity(ramp, transform, 12)
        x = torch.arange(12).double()
        points = torch.stack(torch.meshgrid(x, x, indexing="xy"), -1).flatten(0, 1)[None]
        places = apply_transform(invert_transform(transform), points)[0]
        inside = ((places > 2 * factor) & (places < 399 - 2 * factor)).all(-1)
        assert inside.sum() > 20
        torch.testing.assert_close(warped.flatten()[inside], places[inside, 0])

    def test_an_image_does_not_depend_on_its_batch(self, image):
        small = image[..., ::4, ::4]
        transforms = torch.cat([similarity(s, 0.1, 3, 2, torch.float32) for s in (2.0, 0.4, 0.1)])
        together = warp_similarity(small.expand(3, -1, -1, -1), transforms, 20)
        for i in range(3):
            alone = warp_similarity(small, transforms[i : i + 1], 20)
            torch.testing.assert_close(together[i : i + 1], alone)

    @pytest.mark.parametrize(("padding", "value"), [("zeros", 0.0), ("border", 1.0)])
    @pytest.mark.parametrize("scale", [1.0, 0.5, 0.1])
    def test_padding(self, padding, value, scale):
        far = similarity(scale, 0, -500, -500, torch.float32)
        warped = warp_similarity(torch.ones(1, 1, 33, 33), far, 8, padding=padding)
        torch.testing.assert_close(warped, torch.full_like(warped, value))

    @pytest.mark.parametrize("scale", [1.4, 0.7, 0.37, 0.15])
    def test_gradcheck(self, scale):
        # Smooth, so that a bilinear kink does not spoil the numerical derivative.
        picture = smooth_picture(1, 24, seed=3)
        transform = similarity(scale, 0.2, 0.37, -0.53).requires_grad_()
        assert gradcheck(lambda t: warp_similarity(picture, t, 4), (transform,), atol=1e-4)
        assert gradcheck(
            lambda p: warp_similarity(p, transform.detach(), 4),
            (picture.requires_grad_(),),
            fast_mode=True,
        )

    def test_wrong_shapes(self):
        with pytest.raises(ValueError, match="batch"):
            warp_similarity(torch.zeros(3, 4, 4), similarity(1, 0, 0, 0), 4)
        with pytest.raises(ValueError, match="transform"):
            warp_similarity(torch.zeros(2, 3, 4, 4), similarity(1, 0, 0, 0), 4)


class TestDlibChip:
    def test_same_picture_as_dlib(self, astronaut, image):
        shape = dlib_shape(astronaut, SIXTY_EIGHT)
        theirs = np.asarray(dlib.get_face_chip(astronaut, shape, size=150, padding=0.25))
        ours = align(image, points_of(shape), DLIB_CHIP)[0].permute(1, 2, 0).numpy() * 255
        # 0.5 grey levels of it is that dlib cuts fractions off.
        assert np.abs(ours - theirs).mean() < 1.5

    def test_same_picture_from_five_points(self, astronaut, image):
        shape = dlib_shape(astronaut, FIVE)
        theirs = np.asarray(dlib.get_face_chip(astronaut, shape, size=150, padding=0.25))
        ours = align(image, points_of(shape), DLIB_CHIP_FIVE)[0].permute(1, 2, 0).numpy() * 255
        assert np.abs(ours - theirs).mean() < 1.5

    @pytest.mark.parametrize("axis", [0, 1])
    def test_eyes_where_dlib_has_them(self, astronaut, axis):
        """dlib's chip of a ramp tells which place of the photograph each of its pixels shows."""
        shape = dlib_shape(astronaut, SIXTY_EIGHT)
        gain, start = 2, (160, 50)[axis]
        ramp = np.clip(gain * (np.arange(512) - start), 0, 255).astype(np.uint8)
        ramp = np.broadcast_to(ramp if axis == 0 else ramp[:, None], (512, 512))
        ramp = np.ascontiguousarray(np.stack([ramp] * 3, -1))
        chip = np.asarray(dlib.get_face_chip(ramp, shape, size=150, padding=0.25))[..., 0]
        transform = crop_transform(points_of(shape), DLIB_CHIP)
        eyes = [(45, 47), (101, 48), (73, 110)]
        places = apply_transform(invert_transform(transform), torch.tensor([eyes]).float())[0]
        scale = float(torch.linalg.det(transform[0, :, :2])) ** 0.5
        for (x, y), place in zip(eyes, places, strict=True):
            value = chip[y - 1 : y + 2, x - 1 : x + 2].mean() + 0.5  # dlib cuts fractions off
            assert abs(value / gain + start - float(place[axis])) * scale < 0.5


class TestCrops:
    @pytest.mark.parametrize("name", CROPS)
    def test_shape_and_range(self, image, name):
        crop = CROPS[name]
        landmarks = face_points(130, 0.2, 170, 90)[:, : crop.landmarks]
        if crop.landmarks == 5:
            landmarks = face_points()[:, [45, 42, 36, 39, 33]]
        chip = align(image, landmarks, crop)
        assert chip.shape == (1, crop.channels, crop.size, crop.size)
        assert 0 <= chip.min() <= chip.max() <= 1 + 1e-6

    @given(st.floats(20, 400), st.floats(-1.0, 1.0), st.floats(-50, 50))
    @settings(deadline=None, max_examples=25)
    def test_cole_puts_the_eyes_55_pixels_apart(self, scale, angle, shift):
        landmarks = face_points(scale, angle, shift, 2 * shift)
        moved = apply_transform(crop_transform(landmarks, COLE_CROP), landmarks)[0]
        left, right = moved[36:42].mean(0), moved[42:48].mean(0)
        torch.testing.assert_close(right - left, torch.tensor([55.0, 0.0]), atol=2e-3, rtol=0)
        torch.testing.assert_close(
            (left + right) / 2, torch.tensor([111.5, 91.5]), atol=2e-3, rtol=0
        )

    @pytest.mark.parametrize("crop", [GREY_CROP, SQUARE_CROP, COLE_CROP], ids=lambda c: c.name)
    def test_mirrored_face_gives_the_mirrored_crop(self, image, crop):
        landmarks = face_points(100, 0.1, 170, 80)
        mirrored = landmarks.clone()[:, MIRROR]
        mirrored[..., 0] = image.shape[-1] - 1 - mirrored[..., 0]
        there = align(image.flip(-1), mirrored, crop)
        torch.testing.assert_close(there.flip(-1), align(image, landmarks, crop), atol=2e-3, rtol=0)

    def test_upright_mean_face_fits_its_own_template(self):
        landmarks = face_points(100, 0.0, 10, 20)
        moved = apply_transform(crop_transform(landmarks, DLIB_CHIP), landmarks)[0]
        expected = torch.tensor([(0.25 + x) / 1.5 * 150 - 0.5 for x, _ in MEAN_FACE.values()])
        torch.testing.assert_close(moved[17:, 0], expected, atol=1e-3, rtol=0)

    @pytest.mark.parametrize("angle", [0.0, 0.5])
    def test_only_the_square_keeps_the_roll(self, angle):
        def roll(crop):
            landmarks = face_points(100, angle, 150, 80)
            moved = apply_transform(crop_transform(landmarks, crop), landmarks)[0]
            across = moved[42:48].mean(0) - moved[36:42].mean(0)
            return math.atan2(float(across[1]), float(across[0]))

        assert roll(SQUARE_CROP) == pytest.approx(angle, abs=1e-4)
        assert roll(GREY_CROP) == pytest.approx(0, abs=1e-4)

    def test_grey_is_rec601_luma(self):
        picture = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(4))
        r, g, b = picture.unbind(1)
        torch.testing.assert_close(
            to_grey(picture)[:, 0], 0.299 * r + 0.587 * g + 0.114 * b, atol=1e-6, rtol=0
        )

    def test_gradcheck_from_landmarks_to_pixels(self):
        picture = smooth_picture(3, 40, seed=5)
        small = Crop("small", 5, 3, ((36,), (45,), (48, 54)), ((1.1, 1.2), (3.1, 1.2), (2.1, 3.3)))
        landmarks = face_points(23, 0.1, 8.3, 6.7, torch.float64).requires_grad_()
        assert gradcheck(
            lambda p: align(picture, p, small), (landmarks,), atol=1e-4, fast_mode=True
        )

    def test_gradients_reach_image_and_landmarks(self, image):
        picture = image.clone().requires_grad_()
        landmarks = face_points(100, 0.1, 170, 80).requires_grad_()
        align(picture, landmarks, GREY_CROP).square().sum().backward()
        assert picture.grad.abs().sum() > 0
        assert landmarks.grad.isfinite().all()
        assert landmarks.grad[0, 17:].abs().sum() > 0

    def test_wrong_input(self, image):
        landmarks = face_points()
        with pytest.raises(ValueError, match="landmarks"):
            align(image, landmarks[:, :5], DLIB_CHIP)
        with pytest.raises(ValueError, match="expects"):
            align(image[:, :1], landmarks, DLIB_CHIP)
        with pytest.raises(ValueError, match="sets of landmarks"):
            align(image, landmarks.expand(2, -1, -1), DLIB_CHIP)
        with pytest.raises(DegeneratePointsError):
            align(image, torch.zeros(1, 68, 2), DLIB_CHIP)
        with pytest.raises(ValueError, match="anchors"):
            Crop("one", 5, 3, ((1,),), ((0.0, 0.0),))
