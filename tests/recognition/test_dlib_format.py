"""A tiny encoder of dlib's format, written from its description, checks the reader."""

import contextlib
import struct
from math import frexp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visage.photos.landmarks import model_file
from visage.recognition.dlib_format import (
    Affine,
    Convolution,
    DlibFormatError,
    DlibReader,
    Linear,
    Plain,
    Pool,
    read_network,
)


def integer(value):
    magnitude = abs(value)
    length = max(1, (magnitude.bit_length() + 7) // 8)
    return bytes([length | (0x80 if value < 0 else 0)]) + magnitude.to_bytes(length, "little")


def floating(value):
    mantissa, exponent = frexp(value)
    return integer(int(mantissa * 2**53)) + integer(exponent - 53)


def string(text):
    return integer(len(text)) + text.encode()


def tensor(array):
    shape = [*array.shape, *[1] * (4 - array.ndim)]
    header = integer(2) + b"".join(map(integer, shape))
    return header + b"".join(struct.pack("<f", value) for value in array.ravel())


def alias(*shape):
    return integer(1) + b"".join(map(integer, shape))


def closing(*, innermost=False):
    empty = tensor(np.zeros((0, 0, 0, 0)))
    return b"100" + 3 * empty + (integer(1) if innermost else b"")


def convolution(weight, bias, stride, padding):
    out, _, rows, columns = weight.shape
    packed = np.concatenate([weight.ravel(), bias])
    numbers = [out, rows, columns, *stride, *padding]
    shapes = alias(*weight.shape) + alias(1, out, 1, 1)
    return (
        string("con_4")
        + tensor(packed)
        + b"".join(map(integer, numbers))
        + shapes
        + 4 * floating(1.0)
    )


def affine(gamma, beta):
    shape = alias(1, len(gamma), 1, 1)
    return string("affine_") + tensor(np.concatenate([gamma, beta])) + 2 * shape + integer(0)


def linear(weight):
    out, inputs = weight.shape
    return (
        string("fc_2")
        + integer(out)
        + integer(inputs)
        + tensor(weight.T.copy())
        + alias(inputs, out, 1, 1)
        + alias(0, 0, 0, 0)
        + integer(1)
        + 4 * floating(1.0)
    )


def network(layers, versions):
    head = integer(1) + string("loss_metric_2") + floating(0.04) + floating(0.6)
    image = string("input_rgb_image_sized") + b"".join(map(floating, (122.0, 117.5, 104.25)))
    body = b"".join(layer + closing(innermost=i == 0) for i, layer in enumerate(layers))
    return head + b"".join(map(integer, versions)) + image + integer(9) + integer(7) + body


@pytest.fixture(scope="module")
def parts():
    rng = np.random.default_rng(0)
    return {
        "weight": rng.normal(size=(4, 3, 3, 2)).astype(np.float32),
        "bias": rng.normal(size=4).astype(np.float32),
        "gamma": rng.normal(size=4).astype(np.float32),
        "beta": rng.normal(size=4).astype(np.float32),
        "fc": rng.normal(size=(5, 4)).astype(np.float32),
    }


@pytest.fixture(scope="module")
def small_network(parts):
    pool = string("max_pool_2") + b"".join(map(integer, (3, 3, 2, 2, 0, 1)))
    layers = [
        convolution(parts["weight"], parts["bias"], (2, 1), (0, 1)),
        affine(parts["gamma"], parts["beta"]),
        string("relu_"),
        pool,
        string("add_prev_"),
        linear(parts["fc"]),
    ]
    return network(layers, versions=(2, 2, 1, 2, 2, 2, 3))


@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_integers_round_trip(value):
    assert DlibReader(integer(value), "test").integer() == value


@given(st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False))
def test_floats_round_trip(value):
    assert DlibReader(floating(value), "test").floating() == value


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=80))
def test_strings_round_trip(text):
    assert DlibReader(string(text), "test").string() == text


def test_tensors_round_trip():
    array = np.random.default_rng(1).normal(size=(2, 3, 4, 5)).astype(np.float32)
    read = DlibReader(tensor(array) + b"1", "test")
    np.testing.assert_array_equal(read.tensor(), array)
    assert read.boolean() is True


def test_a_network_is_read_whole(small_network, parts, tmp_path):
    (tmp_path / "small.dat").write_bytes(small_network)
    found = read_network(tmp_path / "small.dat")
    assert found.versions == (2, 2, 1, 2, 2, 2, 3)
    assert found.mean == (122.0, 117.5, 104.25)
    assert found.size == (9, 7)
    conv, norm, relu, pool, add, fc = found.layers
    assert isinstance(conv, Convolution)
    np.testing.assert_array_equal(conv.weight, parts["weight"])
    np.testing.assert_array_equal(conv.bias, parts["bias"])
    assert (conv.stride, conv.padding) == ((2, 1), (0, 1))
    assert isinstance(norm, Affine)
    np.testing.assert_array_equal(norm.gamma, parts["gamma"])
    np.testing.assert_array_equal(norm.beta, parts["beta"])
    assert (relu, add) == (Plain("relu"), Plain("add_prev"))
    assert pool == Pool("max", (3, 3), (2, 2), (0, 1))
    assert isinstance(fc, Linear)
    np.testing.assert_array_equal(fc.weight, parts["fc"])


def test_every_truncation_is_refused(small_network, tmp_path):
    path = tmp_path / "short.dat"
    for length in range(len(small_network)):
        path.write_bytes(small_network[:length])
        with pytest.raises(DlibFormatError, match=r"truncated|not a dlib network"):
            read_network(path)


@given(st.data())
def test_damage_gives_a_network_or_the_named_error(small_network, tmp_path_factory, data):
    damaged = bytearray(small_network)
    damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "network.dat"
    path.write_bytes(damaged)
    # Most damage is to a number and goes unseen; what is seen must not surface as another error.
    with contextlib.suppress(DlibFormatError):
        read_network(path)


def test_bytes_left_over_are_refused(small_network, tmp_path):
    (tmp_path / "long.dat").write_bytes(small_network + b"x")
    with pytest.raises(DlibFormatError, match="1 bytes left over"):
        read_network(tmp_path / "long.dat")


def test_an_unknown_layer_is_named(tmp_path):
    (tmp_path / "other.dat").write_bytes(network([string("dropout_")], versions=(3,)))
    with pytest.raises(DlibFormatError, match="a layer of kind 'dropout_'"):
        read_network(tmp_path / "other.dat")


@pytest.mark.parametrize(
    "file", ["mmod_human_face_detector.dat", "shape_predictor_5_face_landmarks.dat"]
)
def test_other_files_of_dlib_are_refused(file):
    with pytest.raises(DlibFormatError, match="not a dlib network that can be read here"):
        read_network(model_file(file))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DlibFormatError, match=r"nowhere\.dat cannot be read"):
        read_network(tmp_path / "nowhere.dat")
