import pytest

from visage.files import written_whole


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
