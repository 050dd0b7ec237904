"""Readers of CK+ and MMI, on folders made in their layout."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from visage.nfgan import recordings
from visage.nfgan.databases import CK_PLUS_EMOTIONS, read_ck_plus, read_mmi
from visage.nfgan.errors import NfganError
from visage.nfgan.recordings import DatabaseError, ExpressionFiles, Recording, frames_of


def _frame(path: Path, level: int = 128) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 6), level).save(path)
    return path


def _sequence(root: Path, subject: str, number: str, frames: int, label: str | None) -> None:
    for frame in range(1, frames + 1):
        name = f"{subject}_{number}_{frame:08d}"
        _frame(root / "cohn-kanade-images" / subject / number / f"{name}.png", frame)
    folder = root / "Emotion" / subject / number
    folder.mkdir(parents=True)
    if label is not None:
        (folder / f"{subject}_{number}_{frames:08d}_emotion.txt").write_text(label)


@pytest.fixture
def ck_plus(tmp_path) -> Path:
    root = tmp_path / "CK+"
    _sequence(root, "S005", "001", 11, "   3.0000000e+00\n")
    _sequence(root, "S010", "002", 14, "   7.0000000e+00\n")
    _sequence(root, "S010", "004", 9, "   1.0000000e+00\n")
    _sequence(root, "S010", "005", 5, None)  # most sequences have no label
    _sequence(root, "S011", "001", 4, "0.0000000e+00")
    (root / "cohn-kanade-images" / "S005" / ".DS_Store").write_text("no picture")
    (root / "cohn-kanade-images" / "S005" / "001" / "._S005_001_99999999.png").write_text("no")
    return root


def test_ck_plus_takes_labelled_peaks(ck_plus):
    found = read_ck_plus(ck_plus)
    assert [(one.subject, one.name, one.label) for one in found.recordings] == [
        ("S005", "S005_001", "disgust"),
        ("S010", "S010_002", "surprise"),
        ("S010", "S010_004", "anger"),
    ]
    assert [one.frames[0].name for one in found.recordings] == [
        "S005_001_00000011.png",
        "S010_002_00000014.png",
        "S010_004_00000009.png",
    ]
    assert all(one.neutral.stem.endswith("00000001") for one in found.recordings)
    assert found.subjects == ("S005", "S010")
    assert found.names == ("anger", "disgust", "surprise")
    assert len(found) == 3


def test_ck_plus_by_its_parent(ck_plus):
    assert read_ck_plus(ck_plus.parent) == read_ck_plus(ck_plus)
    assert read_ck_plus(str(ck_plus)) == read_ck_plus(ck_plus)


def test_all_labels_are_the_documented_ones(tmp_path):
    for number in range(1, 8):
        _sequence(tmp_path, "S100", f"{number:03d}", 2, f"{number}.0000000e+00")
    found = read_ck_plus(tmp_path)
    assert tuple(one.label for one in found.recordings) == CK_PLUS_EMOTIONS[1:]


@pytest.mark.parametrize("label", ["", "joy", "9.0", "2.5", "nan", "inf", "-1"])
def test_a_label_that_is_none(ck_plus, label):
    path = next((ck_plus / "Emotion" / "S005" / "001").iterdir())
    path.write_text(label)
    with pytest.raises(DatabaseError, match="expected a number from 0 to 7"):
        read_ck_plus(ck_plus)


def test_a_folder_that_is_not_ck_plus(tmp_path):
    with pytest.raises(DatabaseError, match="does not hold cohn-kanade-images and Emotion"):
        read_ck_plus(tmp_path)
    with pytest.raises(NfganError):
        read_ck_plus(tmp_path / "nowhere")


def test_ck_plus_without_labels_or_without_images(ck_plus):
    for path in (ck_plus / "cohn-kanade-images" / "S005" / "001").glob("*.png"):
        path.unlink()
    with pytest.raises(DatabaseError, match="has no frames"):
        read_ck_plus(ck_plus)
    for path in (ck_plus / "Emotion").rglob("*.txt"):
        path.unlink()
    with pytest.raises(DatabaseError, match="holds no label"):
        read_ck_plus(ck_plus)


def _session(
    root: Path, number: int, name: str, emotion: str | None, *, view: str = "0", frames: int = 0
) -> Path:
    folder = root / "Sessions" / str(number)
    folder.mkdir(parents=True)
    (folder / "session.xml").write_text(
        f'<?xml version="1.0"?><session sessionId="{number}" view="{view}">'
        '<subject id="77" gender="1"/></session>'
    )
    tag = "" if emotion is None else f'<Metatag Name="Emotion" Value="{emotion}"/>'
    (folder / f"{name}.xml").write_text(
        f'<?xml version="1.0"?><Annotation><Metatag Name="Coder" Value="x"/>{tag}</Annotation>'
    )
    (folder / f"{name}-oao_aucs.xml").write_text("<ActionUnitCoding/>")
    (folder / f"{name}.avi").write_bytes(b"RIFF")
    for frame in range(1, frames + 1):
        _frame(folder / name / f"{name}_{frame:05d}.jpg")
    return folder


@pytest.fixture
def mmi(tmp_path) -> Path:
    _session(tmp_path, 224, "S002-106", "4", frames=11)
    _session(tmp_path, 36, "S001-038", "Surprise", frames=4)
    _session(tmp_path, 40, "S001-042", None, frames=4)  # of an action unit, most of MMI
    _session(tmp_path, 41, "S001-043", "9", frames=4)  # another state
    _session(tmp_path, 42, "S001-044", "1", view="1", frames=4)  # in profile
    _session(tmp_path, 1767, "S053-005", "6")  # a video only
    return tmp_path


def test_mmi_takes_three_middle_frames_of_frontal_emotions(mmi):
    found = read_mmi(mmi)
    assert [(one.subject, one.name, one.label) for one in found.recordings] == [
        ("S001", "36", "surprise"),
        ("S002", "224", "happiness"),
        ("S053", "1767", "surprise"),
    ]
    frames = [path.name for path in found.recordings[1].frames]
    assert frames == ["S002-106_00005.jpg", "S002-106_00006.jpg", "S002-106_00007.jpg"]
    assert found.recordings[1].neutral.name == "S002-106_00001.jpg"
    assert len(found.recordings[0].frames) == 3
    assert found.recordings[2].frames == ()
    assert found.recordings[2].video.name == "S053-005.avi"


def test_mmi_in_profile_when_asked_for(mmi):
    assert [one.name for one in read_mmi(mmi, views=(1,)).recordings] == ["42"]
    assert read_mmi(mmi / "Sessions") == read_mmi(mmi)


def test_mmi_frames_beside_the_description(mmi):
    folder = mmi / "Sessions" / "1767"
    for frame in range(10):
        _frame(folder / f"{frame}.png")
    found = read_mmi(mmi).recordings[2]
    assert [path.name for path in found.frames] == ["3.png", "4.png", "5.png"]


def test_mmi_subject_from_the_description(tmp_path):
    _session(tmp_path, 3, "clip", "2")
    assert read_mmi(tmp_path).subjects == ("77",)


def test_mmi_that_cannot_be_understood(tmp_path):
    with pytest.raises(DatabaseError, match="is no folder"):
        read_mmi(tmp_path / "nowhere")
    with pytest.raises(DatabaseError, match="no session with an emotion"):
        read_mmi(tmp_path)
    folder = _session(tmp_path, 1, "S001-001", "glee", frames=3)
    with pytest.raises(DatabaseError, match="'glee'"):
        read_mmi(tmp_path)
    (folder / "S001-001.xml").write_text("<Annotation>")
    with pytest.raises(DatabaseError, match="is no XML"):
        read_mmi(tmp_path)


def test_mmi_without_pictures(tmp_path):
    folder = _session(tmp_path, 1, "S001-001", "3", frames=2)
    (folder / "S001-001.avi").unlink()
    with pytest.raises(DatabaseError, match="neither a video nor 3 frames"):
        read_mmi(tmp_path)


def test_frames_are_in_the_order_of_their_numbers(tmp_path):
    for number in (10, 9, 100, 1):
        _frame(tmp_path / f"a{number}.png")
    assert [path.name for path in frames_of(tmp_path)] == [
        "a1.png",
        "a9.png",
        "a10.png",
        "a100.png",
    ]


def test_faces_of_files(tmp_path, monkeypatch):
    """Labels, people, sequences and neutral faces belong together; sideways pictures are turned."""
    paths = [_frame(tmp_path / f"{level}.png", level) for level in (10, 20, 30, 40)]

    class Seen:
        landmarks = torch.zeros(1, 68, 2)

    def find(image, which):
        if image.shape[2] != 8:  # upright, these pictures are taller than wide
            raise recordings.NoFaceError("no face")
        return Seen()

    def cut(image, landmarks):
        return image[:, :1, :1, :1].expand(1, 1, 64, 64)

    monkeypatch.setattr(recordings, "find_face", find)
    monkeypatch.setattr(recordings, "aligned", cut)
    files = ExpressionFiles(
        (
            Recording("B", "b1", "fear", (paths[1], paths[2]), neutral=paths[0]),
            Recording("A", "a1", "anger", (paths[3],), neutral=paths[2]),
        )
    )
    faces = files.faces()
    assert faces.names == ("anger", "fear")
    assert faces.labels.tolist() == [1, 1, 0]
    assert faces.subjects.tolist() == [1, 1, 0]
    assert faces.sequences.tolist() == [0, 0, 1]
    assert faces.images[:, 0, 0, 0].tolist() == [20, 30, 40]
    assert faces.neutral[:, 0, 0, 0].tolist() == [30, 10]


def test_faces_that_cannot_be_had(tmp_path, monkeypatch):
    path = _frame(tmp_path / "a.png")
    video = Recording("A", "a", "fear", (), video=tmp_path / "a.avi")
    with pytest.raises(DatabaseError, match="ffmpeg"):
        ExpressionFiles((video,)).faces()
    with pytest.raises(DatabaseError, match="no face is seen"):
        ExpressionFiles((Recording("A", "a", "fear", (path,), neutral=path),)).faces()
    monkeypatch.setattr(recordings, "_face", lambda path, turned: torch.zeros(1, 1, 64, 64))
    with pytest.raises(DatabaseError, match="no neutral frame of A"):
        ExpressionFiles((Recording("A", "a", "fear", (path,)),)).faces()
