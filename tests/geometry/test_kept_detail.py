"""Drawn faces come back from disk as they were."""

import pytest
import torch

from visage.geometry.detail import draw_detailed
from visage.geometry.errors import DetailError
from visage.geometry.kept_detail import detailed_faces


def test_kept_faces_are_the_drawn_ones(tmp_path):
    kept = detailed_faces("validation", 1, 64, folder=tmp_path, progress=False)
    again = detailed_faces("validation", 1, 64, folder=tmp_path, progress=False)
    assert len(kept) == 1
    assert len(list(tmp_path.rglob("*.safetensors"))) == 1
    first, second = kept.rows([0]), again.rows(slice(0, 1))
    assert torch.equal(first.depth, second.depth)
    fresh = draw_detailed("validation", [0], 64)
    face = fresh.mask > 0
    assert (first.depth - fresh.depth)[face].abs().max() < 0.006
    assert (first.relief - fresh.relief)[face].abs().max() < 6e-4
    assert (first.faces - fresh.faces).abs().max() < 0.01
    assert torch.equal(first.depth.isinf(), fresh.depth.isinf())


def test_what_is_refused(tmp_path):
    with pytest.raises(DetailError, match="at least 1"):
        detailed_faces("test", 0, folder=tmp_path)
    with pytest.raises(DetailError, match="split"):
        detailed_faces("everybody", 1, folder=tmp_path)
