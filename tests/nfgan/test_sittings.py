"""Made databases: who shows what, and that pictures belong to their labels."""

from collections import Counter

import pytest
import torch

from visage.nfgan import sittings as module
from visage.nfgan.errors import NfganError
from visage.nfgan.sittings import (
    CK_PLUS_COUNTS,
    MMI_COUNTS,
    ExpressionFaces,
    expressive_faces,
    made_ck_plus,
    made_mmi,
)


@pytest.fixture
def plans(monkeypatch):
    """Draw flat pictures; keep what was asked for."""
    asked = []

    def draw(kind):
        def drawn(split, plan, ranges):
            asked.append((kind, split, plan, ranges))
            flat = torch.tensor(plan.people).float()[:, None, None, None] % 256 / 255
            return flat.expand(-1, 1, 64, 64), torch.tensor(plan.shots) - 0.5

        return drawn

    monkeypatch.setattr(module, "draw_inputs", draw("everyday"))
    monkeypatch.setattr(module, "draw_plainly", draw("plain"))
    monkeypatch.setattr(
        module,
        "draw_targets",
        lambda split, some: (torch.tensor(list(some)).float() % 256 / 255)[
            :, None, None, None
        ].expand(-1, 1, 64, 64),
    )
    monkeypatch.setattr(module, "edition", lambda: "test")
    return asked


def _shown(faces: ExpressionFaces) -> list[tuple[int, int]]:
    return list(zip(faces.subjects.tolist(), faces.labels.tolist(), strict=True))


def test_ck_plus_has_the_databases_numbers(plans, tmp_path):
    faces = made_ck_plus(folder=tmp_path)
    assert len(faces) == 327 == sum(CK_PLUS_COUNTS.values())
    assert len(faces.neutral) == 118
    assert set(faces.subjects.tolist()) == set(range(118))
    counts = Counter(faces.names[label] for label in faces.labels.tolist())
    assert counts == CK_PLUS_COUNTS
    assert max(Counter(_shown(faces)).values()) == 1  # nobody shows anything twice
    assert faces.sequences.tolist() == list(range(327))


def test_mmi_has_three_frames_of_a_sequence(plans, tmp_path):
    faces = made_mmi(folder=tmp_path)
    assert len(faces) == 3 * 208
    assert len(faces.neutral) == 31
    counts = Counter(faces.names[label] for label in faces.labels.tolist())
    assert counts == {name: 3 * count for name, count in MMI_COUNTS.items()}
    for sequence in range(208):
        rows = faces.sequences == sequence
        assert rows.sum() == 3
        assert len(set(faces.labels[rows].tolist())) == len(set(faces.subjects[rows].tolist())) == 1


def test_pictures_are_of_their_subjects(plans, tmp_path):
    for faces in (made_ck_plus(folder=tmp_path), made_mmi(folder=tmp_path)):
        assert torch.equal(faces.images[:, 0, 0, 0], faces.neutral[faces.subjects, 0, 0, 0])


def test_the_databases_share_nobody_with_the_ledgers_test_people(plans, tmp_path):
    made_ck_plus(folder=tmp_path)
    made_mmi(folder=tmp_path)
    people = {(split, person) for _, split, plan, _ in plans for person in plan.people}
    assert {split for split, _ in people} == {"test"}
    assert min(person for _, person in people) >= 1000
    assert len(people) == 118 + 31


def test_no_picture_twice(plans, tmp_path):
    made_mmi(folder=tmp_path)
    shots = [shot for _, _, plan, _ in plans for shot in zip(plan.people, plan.shots, strict=True)]
    assert len(shots) == len(set(shots)) == 624


def test_mmi_is_subtler_and_turns_farther(plans, tmp_path):
    made_ck_plus(folder=tmp_path)
    before = len(plans)
    made_mmi(folder=tmp_path)
    means = []
    for some in (plans[:before], plans[before:]):
        levels = [level for _, _, plan, _ in some for level in plan.intensities]
        assert min(levels) > 0
        assert max(levels) <= 1
        means.append(sum(levels) / len(levels))
    assert means[0] > means[1] + 0.05
    assert plans[0][3].yaw < plans[-1][3].yaw


def test_cached(plans, tmp_path):
    first = made_ck_plus(folder=tmp_path)
    count = len(plans)
    assert torch.equal(made_ck_plus(folder=tmp_path).images, first.images)
    assert len(plans) == count


def test_expressive_faces_are_half_plain_and_never_the_same_moment(plans, tmp_path):
    faces = expressive_faces("train", range(5000, 5004), 8, folder=tmp_path)
    assert len(faces) == 64
    assert len(faces.names) == 8
    assert "neutral" in faces.names
    assert torch.bincount(faces.labels).tolist() == [8] * 8
    assert torch.equal(faces.labels[:32], faces.labels[32:])
    assert len(set(faces.sequences.tolist())) == 64
    kinds = {kind for kind, *_ in plans}
    shots = [
        (*shot,) for _, _, plan, _ in plans for shot in zip(plan.people, plan.shots, strict=True)
    ]
    assert kinds == {"everyday", "plain"}
    assert len(set(shots)) == 64


def test_records_of_unequal_length_are_refused():
    flat = torch.zeros(2, 1, 64, 64, dtype=torch.uint8)
    with pytest.raises(NfganError, match="as many"):
        ExpressionFaces(flat, torch.zeros(1), torch.zeros(2), ("a",), flat, torch.zeros(2))


def test_development_has_other_people_in_the_same_numbers(plans, tmp_path):
    faces = made_mmi(split="validation", folder=tmp_path)
    assert {split for _, split, _, _ in plans} == {"validation"}
    assert len(faces) == 3 * 208
    assert not torch.equal(faces.labels, made_mmi(folder=tmp_path).labels)
