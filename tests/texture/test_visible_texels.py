"""Which visible texels are believed."""

import torch

from visage.texture.visible_texels import shrunk


def face(size=80):
    region = torch.zeros(1, 1, size, size)
    region[..., 5:75, 5:75] = 1
    return region


def test_what_is_seen_of_the_whole_face_stays():
    region = face()
    assert torch.equal(shrunk(region, region, 2, 4), region)


def test_borders_shrink_and_the_faces_own_outline_does_not():
    region = face()
    visible = region.clone()
    visible[..., 40:] = 0
    found = shrunk(visible, region, 3, 6)
    assert float(found[0, 0, 40, 5]) == 1
    assert float(found[0, 0, 40, 30]) == 1
    assert float(found[0, 0, :, 38:].sum()) == 0


def test_slivers_go_and_broad_parts_stay():
    region = face()
    visible = 0 * region
    visible[..., 10:40, 10:40] = 1
    visible[..., 24:29, 40:70] = 1  # five texels high
    for sliver, kept in ((1, True), (12, False)):
        found = shrunk(visible, region, 1, sliver)
        assert bool(found[0, 0, 26, 60]) is kept
        assert float(found[0, 0, 25, 25]) == 1


def test_a_face_of_which_all_is_sliver_is_not_seen():
    region = face()
    visible = 0 * region
    visible[..., 30:33, 10:70] = 1
    assert float(shrunk(visible, region, 0, 20).sum()) == 0


def test_islands_are_left_out():
    region = face()
    visible = 0 * region
    visible[..., 10:40, 10:40] = 1
    visible[..., 60:63, 60:63] = 1
    assert float(shrunk(visible, region, 0, 0)[..., 55:, 55:].sum()) == 0
