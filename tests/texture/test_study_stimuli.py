"""The pictures of the user studies, and the sheets that hold them."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import interpolate

from visage.texture.errors import StudyError
from visage.texture.head_surface import blurred
from visage.texture.study_stimuli import (
    FACES,
    FOLDER,
    HALVES,
    WORDS,
    Stimuli,
    band_gaps,
    changed_over,
    load_stimuli,
    read_words,
    write_stimuli,
)
from visage.texture.user_study import METHODS_A, PEOPLE_A, PEOPLE_B, TRUTH

LIMIT = 300_000  # bytes that may be tracked


def smooth(*shape, seed=0):
    coarse = torch.rand(*shape[:-2], 4, 3, generator=torch.Generator().manual_seed(seed))
    flat = coarse.flatten(0, -4)
    return interpolate(flat, size=shape[-2:], mode="bilinear").view(*shape)


@pytest.fixture
def stimuli():
    halves = {name: smooth(4, 3, 32, 16, seed=n) for n, name in enumerate((TRUTH, "pca", "convex"))}
    faces = {name: smooth(2, 3, 3, 24, 20, seed=n + 9) for n, name in enumerate(("convex", TRUTH))}
    names = {TRUTH: "true", "pca": "PCA", "convex": "ours"}
    return Stimuli(smooth(4, 3, 32, 16, seed=7), halves, faces, names)


def test_sheets_come_back(stimuli, tmp_path):
    size = write_stimuli(stimuli, tmp_path, quality=95, note="a test")
    assert size == sum((tmp_path / name).stat().st_size for name in (HALVES, FACES, WORDS))
    found = load_stimuli(tmp_path)
    load_stimuli.cache_clear()
    assert (found.people_a, found.people_b, found.poses) == (4, 2, 3)
    assert found.makers_a == ("pca", "convex")
    assert found.makers_b == ("convex", TRUTH)
    assert found.names == stimuli.names
    pairs = [(found.reference, stimuli.reference)]
    pairs += [(found.halves[name], stimuli.halves[name]) for name in stimuli.halves]
    pairs += [(found.faces[name], stimuli.faces[name]) for name in stimuli.faces]
    for read, wrote in pairs:
        assert read.shape == wrote.shape
        assert (read - wrote).abs().mean() < 0.04


def test_halves_change_places():
    faces = torch.rand(2, 3, 6, 8)
    left, right = changed_over(faces)
    assert torch.equal(torch.cat([right, left], 3), faces)
    with pytest.raises(StudyError, match="7 pixels wide"):
        changed_over(faces[..., :7])


def test_gaps_grow_with_blur_whatever_the_place():
    true = torch.rand(1, 3, 48, 40, generator=torch.Generator().manual_seed(2))
    gaps = [float(band_gaps(blurred(true, sigma), true)) for sigma in (0.0, 0.5, 1.0, 2.0)]
    assert gaps[0] == 0
    assert gaps == sorted(gaps)
    assert float(band_gaps(true.flip(3), true)) < 0.05 < gaps[1]


def test_what_are_no_stimuli(stimuli, tmp_path):
    with pytest.raises(StudyError, match="halves are by pca"):
        replace(stimuli, halves={"pca": stimuli.halves["pca"]})
    with pytest.raises(StudyError, match="same people and size"):
        replace(stimuli, reference=stimuli.reference[:2])
    with pytest.raises(StudyError, match="what to call convex"):
        replace(stimuli, names={TRUTH: "true", "pca": "PCA"})
    with pytest.raises(StudyError, match="python -m tools"):
        read_words(tmp_path)


def test_the_shipped_stimuli_are_whole():
    found = load_stimuli()
    assert (found.people_a, found.people_b) == (PEOPLE_A, PEOPLE_B)
    assert len(found.makers_a) == len(METHODS_A)
    assert TRUTH in found.makers_b
    # Halves of one face go on where they were cut; those of different people do not.
    seams = found.reference[..., 0].flatten(1), found.halves[TRUTH][..., -1].flatten(1)
    nearest = torch.cdist(*seams, p=1).argmin(1)
    # Not where a nose parts light from shade.
    assert (nearest == torch.arange(PEOPLE_A)).float().mean() > 0.7
    for name in found.makers_a:
        assert (found.halves[name] - found.halves[TRUTH]).abs().mean() < 0.08


def test_the_shipped_files_are_small():
    assert sum((FOLDER / name).stat().st_size for name in (HALVES, FACES, WORDS)) <= LIMIT
