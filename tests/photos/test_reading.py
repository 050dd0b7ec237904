import io
import struct
import warnings
import zlib

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageCms, ImageOps
from skimage import data

from visage.photos.reading import (
    EmptyImageError,
    ImageTooLargeError,
    NotAnImageError,
    PhotoError,
    PhotoNotFoundError,
    TruncatedImageError,
    open_photo,
)


def rng(seed=0):
    return np.random.default_rng(seed)


def noise(height=13, width=17, channels=3, seed=0):
    shape = (height, width, channels) if channels else (height, width)
    return rng(seed).integers(0, 256, shape, dtype=np.uint8)


def encode(image, format, **options):
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def expected(array):
    """(H, W, 3) of 0..255 to what `open_photo` returns, the slow and plain way."""
    return torch.tensor(np.asarray(array, dtype=np.float32) / 255).permute(2, 0, 1)[None]


@pytest.fixture(scope="module")
def portrait():
    return data.astronaut()[60:190, 150:290]


class TestFiles:
    @pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "PPM", "WEBP"])
    def test_lossless_formats_are_exact(self, format, tmp_path):
        array = noise()
        options = {"lossless": True} if format == "WEBP" else {}
        path = tmp_path / f"photo.{format.lower()}"
        path.write_bytes(encode(array, format, **options))
        opened = open_photo(path)
        assert opened.dtype == torch.float32
        assert opened.is_contiguous()
        assert torch.equal(opened, expected(array))
        assert torch.equal(open_photo(str(path)), opened)
        assert torch.equal(open_photo(path.read_bytes()), opened)

    @pytest.mark.parametrize("options", [{}, {"progressive": True}])
    def test_jpeg(self, portrait, options):
        opened = open_photo(encode(portrait, "JPEG", quality=95, **options))
        assert opened.shape == (1, 3, 130, 140)
        assert (opened - expected(portrait)).abs().mean() < 0.01

    def test_grey(self):
        array = noise(channels=0)
        opened = open_photo(encode(array, "PNG"))
        assert torch.equal(opened, expected(np.stack([array] * 3, -1)))

    def test_black_and_white(self):
        array = noise(channels=0) > 100
        opened = open_photo(encode(Image.fromarray(array), "PNG"))
        assert torch.equal(opened[0, 1], torch.from_numpy(array).float())

    def test_palette(self):
        image = Image.fromarray(noise()).quantize(16)
        opened = open_photo(encode(image, "PNG"))
        assert torch.equal(opened, expected(image.convert("RGB")))

    def test_transparent_palette_is_laid_over_white(self):
        image = Image.new("P", (2, 1))
        image.putpalette([10, 20, 30, 200, 100, 0])
        image.putpixel((1, 0), 1)
        opened = open_photo(encode(image, "PNG", transparency=1))
        assert torch.equal(opened, expected([[[10, 20, 30], [255, 255, 255]]]))

    def test_alpha_is_laid_over_white(self):
        array = noise(channels=4)
        opened = open_photo(encode(array, "PNG"))
        colour = array[..., :3].astype(np.float64)
        cover = array[..., 3:] / 255
        torch.testing.assert_close(
            opened, expected(colour * cover + 255 * (1 - cover)), atol=1e-6, rtol=0
        )

    def test_grey_with_alpha(self):
        image = Image.merge("LA", [Image.new("L", (3, 2), 100), Image.new("L", (3, 2), 51)])
        opened = open_photo(encode(image, "PNG"))
        torch.testing.assert_close(opened, torch.full((1, 3, 2, 3), (100 * 0.2 + 255 * 0.8) / 255))

    def test_cmyk(self, portrait):
        opened = open_photo(encode(Image.fromarray(portrait).convert("CMYK"), "JPEG", quality=95))
        assert (opened - expected(portrait)).abs().mean() < 0.02

    def test_first_frame_of_an_animation(self):
        frames = [Image.new("RGB", (5, 4), colour) for colour in ("red", "lime", "blue")]
        for format in ("GIF", "WEBP", "PNG", "TIFF"):
            options = {"lossless": True} if format == "WEBP" else {}
            encoded = encode(frames[0], format, save_all=True, append_images=frames[1:], **options)
            assert torch.equal(open_photo(encoded), expected(np.asarray(frames[0]))), format

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
    def test_exif_orientation(self, format, orientation):
        array = noise(16, 24, seed=1).repeat(8, 0).repeat(8, 1)
        exif = Image.Exif()
        exif[0x0112] = orientation
        options = {"lossless": True} if format == "WEBP" else {}
        encoded = encode(array, format, exif=exif, **options)
        with Image.open(io.BytesIO(encoded)) as image:
            upright = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        assert upright.shape[:2] == ((192, 128) if orientation > 4 else (128, 192))
        assert torch.equal(open_photo(encoded), expected(upright))

    def test_orientation_of_a_known_corner(self):
        """Orientation 6: the camera's left edge is the top, so the stored corner turns right."""
        array = np.zeros((2, 3, 3), np.uint8)
        array[0, 0] = 255
        exif = Image.Exif()
        exif[0x0112] = 6
        opened = open_photo(encode(array, "PNG", exif=exif))
        assert opened.shape == (1, 3, 3, 2)
        assert opened[0, 0, 0, 1] == 1
        assert opened.sum() == 3

    def test_nonsense_orientation_is_ignored(self):
        exif = Image.Exif()
        exif[0x0112] = 77
        array = noise()
        assert torch.equal(open_photo(encode(array, "PNG", exif=exif)), expected(array))


class TestDeepColour:
    @pytest.mark.parametrize("format", ["PNG", "TIFF"])
    def test_sixteen_bit_grey_keeps_all_bits(self, format):
        array = rng().integers(0, 65536, (9, 7), dtype=np.uint16)
        opened = open_photo(encode(Image.fromarray(array), format))
        for channel in opened[0]:
            torch.testing.assert_close(channel, torch.tensor(array / 65535).float())

    @pytest.mark.parametrize(
        ("order", "photometric"),
        [("<", "minisblack"), (">", "minisblack"), ("<", "miniswhite")],
    )
    def test_sixteen_bit_tiff(self, order, photometric):
        array = rng().integers(0, 65536, (9, 7), dtype=np.uint16)
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, array, byteorder=order, photometric=photometric)
        values = torch.tensor(array / 65535).float()
        if photometric == "miniswhite":
            values = 1 - values
        torch.testing.assert_close(open_photo(buffer.getvalue())[0, 0], values)

    def test_twelve_bit_tiff_is_white_at_4095(self):
        """Two grey pixels, 4095 and 2048, in three bytes; written by hand."""
        tags = [
            (256, 3, 2), (257, 3, 1), (258, 3, 12), (259, 3, 1), (262, 3, 1),
            (273, 4, 8), (277, 3, 1), (278, 3, 1), (279, 4, 3),
        ]  # fmt: skip
        entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
        tiff = b"II*\0" + struct.pack("<I", 12) + b"\xff\xf8\x00\0"
        tiff += struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
        torch.testing.assert_close(
            open_photo(tiff)[0, 0], torch.tensor([[1.0, 2048 / 4095]]), atol=1e-6, rtol=0
        )

    def test_sixteen_bit_ppm(self):
        array = np.array([[0, 32768, 65535]], dtype=">u2")
        opened = open_photo(b"P5 3 1 65535\n" + array.tobytes())
        torch.testing.assert_close(opened[0, 0], torch.tensor([[0, 32768 / 65535, 1]]))

    def test_sixteen_bit_rgb_png(self):
        """Read with 8 bits, so within a 255th."""
        array = rng().integers(0, 65536, (5, 6, 3), dtype=np.uint16)
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)

        def chunk(name, body):
            return (
                struct.pack(">I", len(body))
                + name
                + body
                + struct.pack(">I", zlib.crc32(name + body))
            )

        png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 6, 5, 16, 2, 0, 0, 0))
        png += chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
        opened = open_photo(png)
        assert (opened[0].permute(1, 2, 0) - torch.tensor(array / 65535)).abs().max() <= 1 / 255

    def test_float_tiff(self):
        array = rng().random((4, 5), dtype=np.float32)
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, array)
        torch.testing.assert_close(open_photo(buffer.getvalue())[0, 2], torch.from_numpy(array))
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, array * 300)
        with pytest.raises(NotAnImageError, match=r"\[0, 1\]"):
            open_photo(buffer.getvalue())

    def test_32_bit_integers_have_no_white(self):
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, np.arange(12, dtype=np.int32).reshape(3, 4))
        with pytest.raises(NotAnImageError, match="white"):
            open_photo(buffer.getvalue())


def swapped_profile():
    """An RGB profile whose red and blue primaries are exchanged: conversion swaps the channels."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", profile[128:132])[0]
    entries = {profile[132 + 12 * i : 136 + 12 * i].decode(): 132 + 12 * i for i in range(count)}
    red, blue = entries["rXYZ"] + 4, entries["bXYZ"] + 4
    profile[red : red + 8], profile[blue : blue + 8] = (
        profile[blue : blue + 8],
        profile[red : red + 8],
    )
    profile[84:100] = bytes(16)  # the profile's own checksum: none
    return bytes(profile)


class TestColourProfiles:
    @pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
    def test_converted_to_srgb(self, format):
        array = noise()
        options = {"lossless": True} if format == "WEBP" else {}
        opened = open_photo(encode(array, format, icc_profile=swapped_profile(), **options))
        assert (opened - expected(array[..., ::-1].copy())).abs().max() <= 2 / 255

    def test_with_transparency(self):
        array = noise(channels=4)
        array[..., 3] = 255
        opened = open_photo(encode(array, "PNG", icc_profile=swapped_profile()))
        assert (opened - expected(array[..., 2::-1].copy())).abs().max() <= 2 / 255

    def test_palette(self):
        image = Image.fromarray(noise()).quantize(8)
        opened = open_photo(encode(image, "PNG", icc_profile=swapped_profile()))
        array = np.asarray(image.convert("RGB"))[..., ::-1].copy()
        assert (opened - expected(array)).abs().max() <= 2 / 255

    @pytest.mark.parametrize("profile", [b"nonsense", swapped_profile()[:200]])
    def test_unreadable_profile_is_ignored(self, profile):
        array = noise()
        assert torch.equal(open_photo(encode(array, "PNG", icc_profile=profile)), expected(array))

    def test_profile_of_another_colour_space_is_ignored(self):
        array = noise(channels=0)
        opened = open_photo(encode(array, "PNG", icc_profile=swapped_profile()))
        assert torch.equal(opened, expected(np.stack([array] * 3, -1)))


class TestRefusals:
    def test_not_an_image(self, tmp_path):
        path = tmp_path / "letter.jpg"
        path.write_text("Dear reader, this is not a photograph.")
        with pytest.raises(NotAnImageError, match=r"letter\.jpg"):
            open_photo(path)

    def test_heic_is_named(self):
        with pytest.raises(NotAnImageError, match="HEIC"):
            open_photo(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64))

    def test_program_formats_are_not_run(self):
        with pytest.raises(NotAnImageError):
            open_photo(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n")

    def test_missing_file(self, tmp_path):
        with pytest.raises(PhotoNotFoundError, match=r"nobody\.png"):
            open_photo(tmp_path / "nobody.png")

    def test_folder(self, tmp_path):
        with pytest.raises(NotAnImageError, match="folder"):
            open_photo(tmp_path)

    def test_empty_file(self, tmp_path):
        path = tmp_path / "empty.png"
        path.touch()
        with pytest.raises(EmptyImageError, match="0 bytes"):
            open_photo(path)
        with pytest.raises(EmptyImageError):
            open_photo(b"")

    @pytest.mark.parametrize("shape", [(0, 4, 3), (4, 0), (0, 0, 1)])
    def test_empty_array(self, shape):
        with pytest.raises(EmptyImageError, match="no pixels"):
            open_photo(np.zeros(shape, np.uint8))

    @pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "BMP", "PPM"])
    @pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
    def test_truncated(self, portrait, format, kept):
        encoded = encode(portrait, format)
        with pytest.raises(TruncatedImageError, match="cut off or damaged"):
            open_photo(encoded[: int(kept * len(encoded))])

    @pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF"])
    def test_only_the_first_bytes(self, portrait, format):
        with pytest.raises(TruncatedImageError):
            open_photo(encode(portrait, format)[:20])

    @pytest.mark.parametrize("size", [(12_000, 9_000), (30_000, 30_000), (2**31 - 1, 2**31 - 1)])
    def test_decompression_bomb_is_refused_by_its_header(self, size):
        header = struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0)
        chunk = b"IHDR" + header
        png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
        png += struct.pack(">I", zlib.crc32(chunk))
        # No pixel data follows: had the decoder been asked, it would have called this damaged.
        png += (
            struct.pack(">I", 4)
            + b"IDAT"
            + b"\0\0\0\0"
            + struct.pack(">I", zlib.crc32(b"IDAT\0\0\0\0"))
        )
        with pytest.raises(ImageTooLargeError, match="100 megapixels"):
            open_photo(png)

    def test_large_array(self):
        view = np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (10_001, 10_000, 3))
        with pytest.raises(ImageTooLargeError):
            open_photo(view)

    @pytest.mark.parametrize("source", [None, 7, ["a.png"], object()])
    def test_something_else(self, source):
        with pytest.raises(NotAnImageError, match="give a path"):
            open_photo(source)

    @pytest.mark.parametrize(
        ("array", "says"),
        [
            (np.zeros((4, 4, 2), np.uint8), "channels"),
            (np.zeros((1, 4, 4, 3), np.uint8), "not a picture"),
            (np.zeros(4, np.uint8), "not a picture"),
            (np.zeros((4, 4), np.int64), "int64"),
            (np.zeros((4, 4), bool), "bool"),
            (np.zeros((4, 4), complex), "complex"),
            (np.full((4, 4), np.nan), "finite"),
            (np.full((4, 4), np.inf), "finite"),
            (np.full((4, 4), 255.0), "divide by 255"),
            (np.full((4, 4), -0.1), "-0.1"),
        ],
    )
    def test_arrays(self, array, says):
        with pytest.raises(PhotoError, match=says):
            open_photo(array)

    @pytest.mark.parametrize(
        ("tensor", "says"),
        [
            (torch.zeros(2, 3, 4, 4), "one picture"),
            (torch.zeros(6, 4, 3), "one picture"),
            (torch.zeros(3, 4, 4, dtype=torch.int64), "int64"),
            (torch.full((3, 4, 4), 2.0), r"\[0, 1\]"),
            (torch.zeros(3, 0, 4), "no pixels"),
        ],
    )
    def test_tensors(self, tensor, says):
        with pytest.raises(PhotoError, match=says):
            open_photo(tensor)

    def test_no_warnings_escape(self, portrait):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            open_photo(encode(portrait, "PNG"))


class TestArrays:
    @given(
        hnp.arrays(
            st.sampled_from([np.uint8, np.uint16, np.float32, np.float64]),
            st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([0, 1, 3, 4])).map(
                lambda s: s if s[2] else s[:2]
            ),
            elements={"min_value": 0, "max_value": 1},
        )
    )
    @settings(deadline=None, max_examples=60)
    def test_any_array(self, array):
        opened = open_photo(array)
        white = {"u1": 255, "u2": 65535}.get(array.dtype.str[1:], 1)
        values = array.reshape(*array.shape[:2], -1).astype(np.float64) / white
        if values.shape[2] == 4:
            values = values[..., :3] * values[..., 3:] + 1 - values[..., 3:]
        values = np.broadcast_to(values, (*array.shape[:2], 3))
        assert opened.dtype == torch.float32
        torch.testing.assert_close(
            opened[0].permute(1, 2, 0).double(), torch.tensor(values), atol=1e-6, rtol=0
        )

    @given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(3))))
    @settings(deadline=None, max_examples=30)
    def test_file_array_picture_and_tensor_agree(self, array):
        opened = open_photo(array)
        assert torch.equal(open_photo(encode(array, "PNG")), opened)
        assert torch.equal(open_photo(Image.fromarray(array)), opened)
        assert torch.equal(open_photo(torch.from_numpy(array).permute(2, 0, 1)), opened)
        assert torch.equal(open_photo(opened), opened)

    def test_negative_strides(self):
        array = noise()
        assert torch.equal(open_photo(array[::-1, ::-1]), open_photo(array[::-1, ::-1].copy()))

    def test_a_tensor_keeps_its_gradient(self):
        tensor = torch.rand(4, 5, 6, generator=torch.Generator().manual_seed(0), requires_grad=True)
        open_photo(tensor).sum().backward()
        assert tensor.grad.abs().sum() > 0

    def test_sixteen_bit_tensor(self):
        tensor = torch.tensor([[0, 65535]], dtype=torch.uint16)
        assert torch.equal(open_photo(tensor), torch.tensor([[[[0.0, 1.0]]]]).expand(1, 3, 1, 2))


def samples():
    small = data.astronaut()[60:124, 180:244]
    sixteen = Image.fromarray(small[..., 0].astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112] = 6
    return {
        "jpeg": encode(small, "JPEG", exif=exif),
        "progressive": encode(small, "JPEG", progressive=True),
        "cmyk": encode(Image.fromarray(small).convert("CMYK"), "JPEG"),
        "png": encode(small, "PNG", icc_profile=swapped_profile()),
        "palette": encode(Image.fromarray(small).quantize(16), "PNG", transparency=3),
        "png16": encode(sixteen, "PNG"),
        "webp": encode(small, "WEBP"),
        "gif": encode(small, "GIF"),
        "bmp": encode(small, "BMP"),
        "tiff": encode(small, "TIFF", compression="tiff_lzw"),
        "tiff16": encode(sixteen, "TIFF"),
        "ppm": encode(small, "PPM"),
        "jp2": encode(small, "JPEG2000"),
    }


SAMPLES = samples()


class TestFuzz:
    """Damaged files are refused in one sentence or read; nothing else ever comes out."""

    @pytest.mark.parametrize("name", SAMPLES)
    def test_cut_anywhere(self, name):
        encoded = SAMPLES[name]
        for length in rng(1).integers(0, len(encoded), 25):
            self.opens_or_refuses(encoded[:length])

    @pytest.mark.parametrize("name", SAMPLES)
    @pytest.mark.parametrize("where", ["anywhere", "header"])
    def test_garbled(self, name, where):
        generator = rng(2)
        for _ in range(40):
            encoded = bytearray(SAMPLES[name])
            end = len(encoded) if where == "anywhere" else min(120, len(encoded))
            for place in generator.integers(0, end, generator.integers(1, 8)):
                encoded[place] = generator.integers(0, 256)
            self.opens_or_refuses(bytes(encoded))

    @given(st.binary(max_size=200))
    @settings(deadline=None, max_examples=100)
    def test_any_bytes(self, junk):
        self.opens_or_refuses(junk)

    @staticmethod
    def opens_or_refuses(encoded):
        message = "none"
        try:
            opened = open_photo(encoded)
        except PhotoError as error:
            message = str(error)
            opened = torch.zeros(1, 3, 1, 1)
        assert message == "none" or (len(message) > 20 and "\n" not in message)
        assert opened.shape[:2] == (1, 3)
        assert opened.isfinite().all()
        assert 0 <= opened.min() <= opened.max() <= 1
