import numpy as np
import pytest

from visage.files import opened_array, written_whole


def test_a_file_appears_with_its_folders(tmp_path):
    path = tmp_path / "a" / "b" / "note.txt"
    with written_whole(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert [entry.name for entry in path.parent.iterdir()] == ["note.txt"]
    assert path.stat().st_mode & 0o444 == 0o444


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_stood_stays_when_the_block_raises(tmp_path, error):
    path = tmp_path / "note.txt"
    path.write_text("before")

    def write_half():
        with written_whole(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["note.txt"]


def test_the_last_of_two_writers_wins(tmp_path):
    path = tmp_path / "note.txt"
    with written_whole(path) as first, written_whole(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"


def test_a_new_array_is_zeros_and_keeps_what_is_written(tmp_path):
    array = opened_array(tmp_path / "a.npy", np.float32, (3, 2))
    assert array.dtype == np.float32
    assert not array.any()
    array[1] = 7
    del array
    assert opened_array(tmp_path / "a.npy", np.float32, (3, 2)).tolist() == [[0, 0], [7, 7], [0, 0]]
    assert np.load(tmp_path / "a.npy").shape == (3, 2)


def test_an_array_grows_and_never_shrinks(tmp_path):
    opened_array(tmp_path / "a.npy", np.uint8, (2, 2))[:] = 5
    grown = opened_array(tmp_path / "a.npy", np.uint8, (4, 2))
    assert grown.tolist() == [[5, 5], [5, 5], [0, 0], [0, 0]]
    grown[3] = 9
    assert opened_array(tmp_path / "a.npy", np.uint8, (1, 2)).tolist() == grown.tolist()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.npy"]


@pytest.mark.parametrize(("dtype", "shape"), [(np.uint8, (2, 3)), (np.int16, (2, 2))])
def test_rows_of_another_kind_are_refused(tmp_path, dtype, shape):
    opened_array(tmp_path / "a.npy", np.uint8, (2, 2))[:] = 5
    with pytest.raises(ValueError, match="holds rows of"):
        opened_array(tmp_path / "a.npy", dtype, shape)
    assert np.load(tmp_path / "a.npy").sum() == 20
