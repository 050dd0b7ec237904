"""Open any photograph safely: one function from a file, bytes, an array or a picture to a tensor.

What comes out is always (1, 3, H, W), float32 in [0, 1], sRGB-encoded, upright. Files are decoded
by Pillow, restricted to raster formats that run no code of their own.
"""

import io
import os
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

MAX_PIXELS = 100_000_000  # a 100-megapixel photograph takes 1.2 GB as float32
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "JPEG2000", "PPM", "AVIF")

PhotoSource = str | os.PathLike | bytes | bytearray | memoryview | np.ndarray | Image.Image | Tensor


class PhotoError(ValueError):
    """A photograph that cannot be used; the message says why and what to do."""


class PhotoNotFoundError(PhotoError):
    """There is no file of that name."""


class NotAnImageError(PhotoError):
    """The source is not an image, or not one of a kind that can be read."""


class TruncatedImageError(PhotoError):
    """The file begins as an image and then ends early or is damaged."""


class EmptyImageError(PhotoError):
    """The image has no pixels."""


class ImageTooLargeError(PhotoError):
    """The image has more than `MAX_PIXELS` pixels; it was not decoded."""


def open_photo(source: PhotoSource) -> Tensor:
    """Open a photograph.

    Files may be JPEG, PNG, WebP, GIF, BMP, TIFF, JPEG 2000, PPM or AVIF; grey, palette, RGB, CMYK
    or with 16 bits (RGB files with 16 bits a channel are read with 8, grey ones with all 16). The
    first frame of an animation is taken, the EXIF orientation applied, transparency laid over
    white, and a colour profile converted to sRGB; a profile that cannot be read, or that belongs to
    grey with more than 8 bits, is ignored.

    Args:
        source: a path; the bytes of a file; a NumPy array (H, W) or (H, W, 1, 3 or 4), uint8,
            uint16, or floats in [0, 1]; a Pillow image; or a tensor (H, W), (C, H, W) or
            (1, C, H, W) of the same values, whose device and gradient are kept.

    Returns:
        (1, 3, H, W), float32, sRGB-encoded in [0, 1].

    Raises:
        PhotoError: one of its kinds above, in one sentence.

    >>> open_photo(np.full((2, 2), 65535, dtype=np.uint16)).shape
    torch.Size([1, 3, 2, 2])
    """
    if isinstance(source, Tensor):
        return _from_tensor(source)
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return _decode(source, "the given picture")
    if isinstance(source, bytes | bytearray | memoryview):
        return _from_bytes(bytes(source), "the given data")
    if isinstance(source, str | os.PathLike):
        return _from_file(Path(source))
    raise NotAnImageError(
        f"a {type(source).__name__} is not a photograph; give a path, the bytes of a file, an "
        "array, a tensor or a Pillow image"
    )


def _from_file(path: Path) -> Tensor:
    if path.is_dir():
        raise NotAnImageError(f"{str(path)!r} is a folder; give the path of one image in it")
    try:
        with path.open("rb") as file:
            return _from_stream(file, repr(str(path)))
    except FileNotFoundError:
        raise PhotoNotFoundError(f"there is no file {str(path)!r}; check its name") from None
    except OSError as error:
        reason = error.strerror or error
        raise PhotoError(f"{str(path)!r} cannot be read ({reason}); check the file") from None


def _from_bytes(data: bytes, name: str) -> Tensor:
    return _from_stream(io.BytesIO(data), name)


def _from_stream(file, name: str) -> Tensor:
    head = file.read(32)
    file.seek(0)
    if not head:
        raise EmptyImageError(f"{name} is empty (0 bytes); give an image file")
    with warnings.catch_warnings():
        # Pillow warns of what is refused or handled here: size, damaged EXIF, odd palettes.
        warnings.simplefilter("ignore")
        try:
            image = Image.open(file, formats=[f for f in FORMATS if _is_installed(f)])
        except Image.DecompressionBombError:
            raise _too_large(name) from None
        except UnidentifiedImageError:
            raise _unidentified(head, name) from None
        except Exception as error:  # Pillow's parsers raise anything on a damaged header
            raise _damaged(name, error) from None
        return _decode(image, name)


def _is_installed(name: str) -> bool:
    Image.init()
    return name in Image.OPEN


_SIGNATURES = (
    b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF",
    b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51", b"P5", b"P6",
)  # fmt: skip


def _unidentified(head: bytes, name: str) -> PhotoError:
    if head[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc"):
        return NotAnImageError(f"{name} is a HEIC photograph; export it as JPEG or PNG first")
    if head.startswith(_SIGNATURES):
        return _damaged(name, "its header makes no sense, or is of a rare kind")
    return NotAnImageError(f"{name} is not an image that can be read; give a JPEG, PNG or WebP")


def _damaged(name: str, cause: object) -> TruncatedImageError:
    return TruncatedImageError(
        f"{name} is cut off or damaged ({cause}); copy or download the file again"
    )


def _too_large(name: str, width: int | None = None, height: int | None = None) -> PhotoError:
    size = f"{width} x {height} pixels" if width else "far too many pixels"
    return ImageTooLargeError(
        f"{name} has {size}; at most {MAX_PIXELS // 1_000_000} megapixels are read, so make it "
        "smaller first"
    )


def _check_size(width: int, height: int, name: str) -> None:
    if width <= 0 or height <= 0:
        raise EmptyImageError(f"{name} has no pixels ({width} x {height}); give an image with some")
    if width * height > MAX_PIXELS:
        raise _too_large(name, width, height)


def _decode(image: Image.Image, name: str) -> Tensor:
    """Pixels of a Pillow image, which may not have been decoded yet."""
    _check_size(*image.size, name)
    try:
        image.load()
        pixels = _pixels(image, name)
        pixels = _upright(pixels, image.getexif().get(0x0112, 1))
    except PhotoError:
        raise
    except MemoryError:
        raise _too_large(name, *image.size) from None
    except Exception as error:  # Pillow's decoders raise anything on damaged data
        raise _damaged(name, error) from None
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None]


def _pixels(image: Image.Image, name: str) -> np.ndarray:
    """Values in [0, 1], (H, W, 3) float32, sRGB."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return _deep_grey(image, name)
    if "transparency" in image.info or image.mode in ("LA", "PA", "La", "RGBa"):
        image = _convert(image, "RGBA")
    elif image.mode in ("1", "P"):
        image = _convert(image, "RGB")
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    if alpha is not None:
        image = _convert(image, "RGB")
    image = _to_srgb(image)
    pixels = np.asarray(_convert(image, "RGB"), dtype=np.float32) / 255
    if alpha is not None:
        cover = np.asarray(alpha, dtype=np.float32)[..., None] / 255
        pixels = pixels * cover + (1 - cover)
    return pixels


def _convert(image: Image.Image, mode: str) -> Image.Image:
    """`Image.convert` that keeps the colour profile where it still applies."""
    if image.mode == mode:
        return image
    converted = image.convert(mode)
    profile = image.info.get("icc_profile")
    if profile and "CMYK" not in (image.mode, mode):
        converted.info["icc_profile"] = profile
    return converted


def _deep_grey(image: Image.Image, name: str) -> np.ndarray:
    """Grey images with more than 8 bits: Pillow leaves their values as stored."""
    values = np.asarray(image).astype(np.float32)
    if image.mode == "F":
        _check_range(values, name)
    elif image.mode == "I" and image.format not in ("PNG", "PPM"):
        raise NotAnImageError(
            f"{name} holds 32-bit numbers without a white level; save it with 8 or 16 bits"
        )
    else:
        tags = getattr(image, "tag_v2", {})
        bits = tags.get(258, (16,))[0]  # TIFF's BitsPerSample: Pillow leaves 12 bits unscaled
        values = np.clip(values / (2.0**bits - 1), 0, 1)
        if tags.get(262) == 0:  # TIFF's PhotometricInterpretation: white is zero
            values = 1 - values
    return np.repeat(values[..., None], 3, axis=2)


def _to_srgb(image: Image.Image) -> Image.Image:
    """Convert by the embedded colour profile, where there is one that fits the pixels."""
    profile = image.info.get("icc_profile")
    if not profile:
        return image
    try:
        from PIL import ImageCms

        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}.get(image.mode)
        if source.profile.xcolor_space.strip() != space:
            return image
        return ImageCms.profileToProfile(
            image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except Exception:  # a wrong profile is no reason to refuse a photograph
        return image


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Apply the EXIF orientation to (H, W, C); values outside 1 to 8 mean none."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _from_array(array: np.ndarray) -> Tensor:
    name = f"the given array {array.shape}"
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise NotAnImageError(
            f"{name} is not a picture; expected (H, W) or (H, W, C) with 1, 3 or 4 channels"
        )
    _check_size(array.shape[1], array.shape[0], name)
    if array.dtype == np.uint8:
        values = array.astype(np.float32) / 255
    elif array.dtype == np.uint16:
        values = array.astype(np.float32) / 65535
    elif np.issubdtype(array.dtype, np.floating):
        _check_range(array, name)
        values = array.astype(np.float32)
    else:
        raise NotAnImageError(
            f"{name} is of {array.dtype}; expected uint8, uint16, or floats in [0, 1]"
        )
    return _over_white(torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))[None])


def _from_tensor(tensor: Tensor) -> Tensor:
    name = f"the given tensor {tuple(tensor.shape)}"
    if tensor.ndim in (2, 3):
        tensor = tensor[(None,) * (4 - tensor.ndim)]
    if tensor.ndim != 4 or tensor.shape[0] != 1 or tensor.shape[1] not in (1, 3, 4):
        raise NotAnImageError(
            f"{name} is not one picture; expected (H, W), (C, H, W) or (1, C, H, W) with 1, 3 or "
            "4 channels"
        )
    _check_size(tensor.shape[3], tensor.shape[2], name)
    if tensor.dtype == torch.uint8:
        values = tensor.float() / 255
    elif tensor.dtype == torch.uint16:
        values = tensor.float() / 65535
    elif tensor.is_floating_point():
        _check_range(tensor.detach().cpu().float().numpy(), name)
        values = tensor.float()
    else:
        raise NotAnImageError(
            f"{name} is of {tensor.dtype}; expected uint8, uint16, or floats in [0, 1]"
        )
    return _over_white(values)


def _over_white(image: Tensor) -> Tensor:
    """(1, 1, 3 or 4, H, W) to (1, 3, H, W)."""
    if image.shape[1] == 4:
        return image[:, :3] * image[:, 3:] + (1 - image[:, 3:])
    return image if image.shape[1] == 3 else image.repeat(1, 3, 1, 1)


def _check_range(values: np.ndarray, name: str) -> None:
    if not np.isfinite(values).all():
        raise NotAnImageError(f"{name} holds values that are not finite; expected [0, 1]")
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 1:
        raise NotAnImageError(
            f"{name} holds floats from {low:g} to {high:g}; scale them to [0, 1] "
            "(divide by 255 if they are bytes)"
        )
