import pytest
import torch

from visage.faces.shape import MorphableModel
from visage.inversion.errors import InversionError
from visage.inversion.film import FilmStream, head_motion, talking_head
from visage.photos.alignment import DLIB_CHIP


def test_a_head_turns_both_ways_speaks_and_blinks():
    model = MorphableModel.load()
    angles, actions = head_motion(model, 70)
    assert angles.shape == (70, 3)
    assert angles[:, 1].max() > 0.3 > -0.3 > angles[:, 1].min()
    assert angles.diff(dim=0).abs().max() < 0.05  # no jump
    assert ((actions >= 0) & (actions <= 1)).all()
    jaw = actions[:, model.expression_names.index("jawOpen")]
    assert (jaw.diff().sign().diff() < 0).sum() >= 5  # syllables
    assert actions[:, model.expression_names.index("eyeBlinkLeft")].max() > 0.7


def test_frames_are_of_one_person_and_differ():
    frames = talking_head(3, DLIB_CHIP, frames=3)
    assert frames.shape == (3, 3, 150, 150)
    assert frames.min() >= 0
    assert frames.max() <= 1
    assert (frames[0] - frames[1]).abs().mean() > 0.005
    again = talking_head(3, DLIB_CHIP, frames=3)
    torch.testing.assert_close(frames, again)
    with pytest.raises(InversionError, match="two frames"):
        talking_head(3, DLIB_CHIP, frames=1)


def test_the_stream_pairs_targets_with_frames():
    frames = torch.arange(5.0).view(5, 1, 1, 1).expand(5, 3, 2, 2)
    stream = FilmStream(1, torch.eye(6), frames)
    targets, guides = stream.batch(range(40))
    assert targets.shape == (40, 6)
    assert len(guides[:, 0, 0, 0].unique()) == 5
    alone = stream.batch([8])
    assert torch.equal(targets[8], alone[0][0])
    assert torch.equal(guides[8], alone[1][0])
