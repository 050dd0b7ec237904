"""Read dlib's serialised networks without dlib.

dlib writes a network as a stream of a few primitives (`DlibReader`) and, for each layer, its name
followed by its fields (`read_network`). Only the layers that dlib's face recogniser uses are
understood; everything else is refused by name.

The stream of a network with loss ``loss_metric_2`` is, in order:

1. the loss and its margins;
2. one version number a node, outermost first: 2 for a layer, 1 for a tag or a skip (which store
   nothing else, so that the topology is only visible here), 3 for the layer next to the image;
3. the image layer: the mean of each channel on 0..255 and the size;
4. the layers' fields, image side first, each closed by three booleans and three empty tensors.

Reference: dlib's ``serialize.h``, ``dnn/core.h`` and ``dnn/layers.h``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np


class DlibFormatError(ValueError):
    """The file is not a network that this reader understands."""


@dataclass(frozen=True)
class Convolution:
    """A ``con_4`` layer: weight (out, in, height, width), bias (out,)."""

    weight: np.ndarray
    bias: np.ndarray
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True)
class Affine:
    """An ``affine_`` layer, y = gamma·x + beta for each channel; both (channels,)."""

    gamma: np.ndarray
    beta: np.ndarray


@dataclass(frozen=True)
class Pool:
    """A ``max_pool_2`` or ``avg_pool_2`` layer; a window of (0, 0) is the whole plane."""

    kind: str
    window: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True)
class Linear:
    """An ``fc_2`` layer without bias: weight (out, in)."""

    weight: np.ndarray


@dataclass(frozen=True)
class Plain:
    """A layer without fields: ``relu_`` or ``add_prev_``."""

    kind: str


Layer = Convolution | Affine | Pool | Linear | Plain


@dataclass(frozen=True)
class Network:
    """What a file holds.

    Attributes:
        versions: the node versions, outermost first, as stored.
        mean: mean red, green and blue on 0..255, subtracted before the first layer.
        size: (rows, columns) of the input image.
        layers: the layers, image side first.
    """

    versions: tuple[int, ...]
    mean: tuple[float, float, float]
    size: tuple[int, int]
    layers: tuple[Layer, ...]


class DlibReader:
    """Reads dlib's primitives one after the other from ``data``.

    Every method advances past what it returns and raises `DlibFormatError` where the bytes end
    early or cannot be what is asked for.

    >>> DlibReader(bytes([0x02, 0x2C, 0x01, 0x81, 0x07]), "example").integer()
    300
    """

    def __init__(self, data: bytes, source: str):
        self.data = memoryview(data)
        self.source = source
        self.position = 0

    def take(self, count: int) -> memoryview:
        """The next ``count`` bytes."""
        end = self.position + count
        if end > len(self.data):
            raise DlibFormatError(
                f"{self.source} ends at byte {len(self.data)} where at least {end} are expected: "
                "the file is truncated; fetch it again."
            )
        taken, self.position = self.data[self.position : end], end
        return taken

    def integer(self) -> int:
        """A control byte (low four bits: length; bit 7: sign), then a little-endian magnitude."""
        control = self.take(1)[0]
        length = control & 0x0F
        if control & 0x70 or not 1 <= length <= 8:
            raise self.unexpected(f"control byte 0x{control:02x} of an integer")
        magnitude = int.from_bytes(self.take(length), "little")
        return -magnitude if control & 0x80 else magnitude

    def boolean(self) -> bool:
        """An ASCII ``0`` or ``1``."""
        byte = bytes(self.take(1))
        if byte not in (b"0", b"1"):
            raise self.unexpected(f"{byte!r} where a boolean is due")
        return byte == b"1"

    def string(self, longest: int = 256) -> str:
        """A length, then bytes; longer than ``longest`` is taken for a wrong file."""
        length = self.integer()
        if not 0 <= length <= longest:
            raise self.unexpected(f"a string of {length} bytes")
        return bytes(self.take(length)).decode("latin-1")

    def floating(self) -> float:
        """Mantissa m and exponent e of m·2^e."""
        mantissa, exponent = self.integer(), self.integer()
        if not -1200 <= exponent <= 1023:  # beyond a double; dlib codes infinities this way too
            raise self.unexpected(f"a floating-point exponent of {exponent}")
        return mantissa * 2.0**exponent

    def shape(self, version: int) -> tuple[int, int, int, int]:
        """A version, then (samples, channels, rows, columns): an alias tensor, whole."""
        found = self.integer()
        if found != version:
            raise self.unexpected(f"tensor version {found} where {version} is due")
        n, k, rows, columns = (self.integer() for _ in range(4))
        if min(n, k, rows, columns) < 0:
            raise self.unexpected(f"a tensor of shape {(n, k, rows, columns)}")
        return n, k, rows, columns

    def tensor(self) -> np.ndarray:
        """A float32 array (samples, channels, rows, columns), a read-only view of the bytes."""
        shape = self.shape(version=2)
        raw = self.take(4 * prod(shape))
        return np.frombuffer(raw, dtype="<f4").reshape(shape)

    def unexpected(self, what: str) -> DlibFormatError:
        """The error for bytes that cannot belong to a dlib network."""
        return DlibFormatError(
            f"{self.source} is not a dlib network that can be read here: {what} at byte "
            f"{self.position}; give the file dlib_face_recognition_resnet_model_v1.dat."
        )


def _convolution(read: DlibReader) -> Convolution:
    packed = read.tensor().reshape(-1)
    filters, rows, columns, stride_y, stride_x, pad_y, pad_x = (read.integer() for _ in range(7))
    weight_shape, bias_shape = read.shape(version=1), read.shape(version=1)
    for _ in range(4):  # learning-rate and weight-decay multipliers
        read.floating()
    split = prod(weight_shape)
    if (
        weight_shape[0] != filters
        or weight_shape[2:] != (rows, columns)
        or packed.size != split + prod(bias_shape)
    ):
        raise read.unexpected("a convolution whose shapes do not fit together")
    weight = packed[:split].reshape(weight_shape)
    return Convolution(weight, packed[split:], (stride_y, stride_x), (pad_y, pad_x))


def _affine(read: DlibReader) -> Affine:
    packed = read.tensor().reshape(-1)
    gamma_shape, beta_shape = read.shape(version=1), read.shape(version=1)
    read.integer()  # whether it follows a convolution or a fully connected layer
    split = prod(gamma_shape)
    if gamma_shape != beta_shape or packed.size != 2 * split:
        raise read.unexpected("an affine layer whose shapes do not fit together")
    return Affine(packed[:split], packed[split:])


def _pool(kind: str) -> Callable[[DlibReader], Pool]:
    def pool(read: DlibReader) -> Pool:
        rows, columns, stride_y, stride_x, pad_y, pad_x = (read.integer() for _ in range(6))
        return Pool(kind, (rows, columns), (stride_y, stride_x), (pad_y, pad_x))

    return pool


def _linear(read: DlibReader) -> Linear:
    outputs, inputs = read.integer(), read.integer()
    packed = read.tensor()
    weight_shape, bias_shape = read.shape(version=1), read.shape(version=1)
    read.integer()  # bias mode
    for _ in range(4):
        read.floating()
    if packed.size != outputs * inputs or weight_shape[:2] != (inputs, outputs) or any(bias_shape):
        raise read.unexpected("a fully connected layer whose shapes do not fit together")
    return Linear(packed.reshape(inputs, outputs).T)


READERS: dict[str, Callable[[DlibReader], Layer]] = {
    "con_4": _convolution,
    "affine_": _affine,
    "max_pool_2": _pool("max"),
    "avg_pool_2": _pool("average"),
    "fc_2": _linear,
    "relu_": lambda read: Plain("relu"),
    "add_prev_": lambda read: Plain("add_prev"),
}


def _layer(read: DlibReader, *, innermost: bool) -> Layer:
    name = read.string()
    if name not in READERS:
        raise read.unexpected(f"a layer of kind {name!r}")
    layer = READERS[name](read)
    for _ in range(3):  # set up; gradient final; output and gradient hold each other
        read.boolean()
    for _ in range(3):  # gradients and cached output, empty in a cleaned network
        read.tensor()
    if innermost:
        read.integer()  # images a sample
    return layer


def read_network(path: str | Path) -> Network:
    """Read a dlib network trained with the metric loss.

    Args:
        path: a file such as ``dlib_face_recognition_resnet_model_v1.dat``.

    Raises:
        DlibFormatError: the file is not there, truncated, not dlib's, or another kind of network.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DlibFormatError(
            f"{path} cannot be read ({error.strerror}); give a dlib network file."
        ) from error
    read = DlibReader(data, path.name)
    if read.integer() != 1 or read.string() != "loss_metric_2":
        raise read.unexpected("no metric loss")
    for _ in range(2):  # margin and distance threshold of the training loss
        read.floating()
    versions = []
    while not versions or versions[-1] != 3:
        versions.append(read.integer())
        if versions[-1] not in (1, 2, 3):
            raise read.unexpected(f"a node of version {versions[-1]}")
    if read.string() != "input_rgb_image_sized":
        raise read.unexpected("no sized RGB input")
    mean = (read.floating(), read.floating(), read.floating())
    size = (read.integer(), read.integer())
    count = len(versions) - versions.count(1)
    layers = tuple(_layer(read, innermost=index == 0) for index in range(count))
    if read.position != len(data):
        raise read.unexpected(f"{len(data) - read.position} bytes left over")
    return Network(tuple(versions), mean, size, layers)
