import hashlib
import io
import zipfile

import numpy as np
import pytest

from tools.face_world.archive import write_archive
from visage.faces.asset import ASSET, FaceShapeError, level, read_asset


@pytest.fixture(scope="module")
def asset():
    return read_asset()


def test_the_file_is_small_and_holds_finite_numbers(asset):
    assert ASSET.stat().st_size < 3_500_000
    assert (ASSET.parent / "PROVENANCE.md").is_file()
    for name, array in asset.items():
        if array.dtype.kind == "f":
            assert np.isfinite(array).all(), name


def test_indices_point_into_their_arrays(asset):
    vertices = len(asset["mean"])
    assert asset["quads"].max() == vertices - 1
    assert len(np.unique(asset["quads"])) == vertices  # no vertex is loose
    assert asset["uv_quads"].max() == len(asset["uv"]) - 1
    assert asset["expression_starts"][-1] == len(asset["expression_index"])
    assert asset["expression_index"].max() < vertices
    assert (np.diff(asset["quad_parts"].astype(int)) >= 0).all()
    assert (asset["mirror"][asset["mirror"]] == np.arange(vertices)).all()


def test_the_texture_atlas_has_no_overlaps(asset):
    hair = asset["quad_parts"] == asset["part_names"].tolist().index("hair")
    uv = asset["uv"][asset["uv_quads"][~hair]]
    assert uv.min() >= 0
    assert uv.max() <= 1
    size = 512
    owner = np.zeros((size, size), int)
    for part in np.unique(asset["quad_parts"][~hair]):
        cells = np.zeros((size, size), bool)
        centres = np.floor(uv[asset["quad_parts"][~hair] == part].mean(1) * size).astype(int)
        cells[centres[:, 1], centres[:, 0]] = True
        owner += cells
    assert owner.max() == 1  # no two parts in one place


def test_the_same_arrays_give_the_same_bytes(asset, tmp_path):
    write_archive(tmp_path / "again.npz", asset)
    digests = {
        hashlib.sha256(path.read_bytes()).hexdigest() for path in (ASSET, tmp_path / "again.npz")
    }
    assert len(digests) == 1
    with zipfile.ZipFile(ASSET) as archive:
        assert archive.namelist() == sorted(archive.namelist())
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_missing_or_damaged_file_is_answered_with_a_sentence(tmp_path):
    with pytest.raises(FaceShapeError, match="there is no face asset"):
        read_asset(tmp_path / "nothing.npz")
    whole = ASSET.read_bytes()
    for name, content in {
        "cut.npz": whole[: len(whole) // 2],
        "text.npz": b"not an archive",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FaceShapeError, match="damaged"):
            read_asset(tmp_path / name)


def test_pickles_are_not_opened(tmp_path):
    buffer = io.BytesIO()
    np.savez(buffer, mean=np.array([{"a": 1}], dtype=object))
    (tmp_path / "pickle.npz").write_bytes(buffer.getvalue())
    with pytest.raises(FaceShapeError, match="damaged"):
        read_asset(tmp_path / "pickle.npz")


def test_there_are_two_levels(asset):
    with pytest.raises(FaceShapeError, match="levels 0 and 1"):
        level(asset, 2)


def test_an_eyeball_keeps_its_size_when_it_is_smoothed(asset):
    eyes = asset["part_names"].tolist().index("eyes")
    radii = []
    for step in (0, 1):
        mesh = level(asset, step)
        points = mesh.mean[np.unique(mesh.quads[mesh.quad_parts == eyes])]
        left = points[points[:, 0] > 0]
        radii.append(np.linalg.norm(left - left.mean(0), axis=1).mean())
    assert radii[1] == pytest.approx(radii[0], rel=0.01)
