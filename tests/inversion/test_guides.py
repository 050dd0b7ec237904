from dataclasses import replace

import pytest
import skimage.data
import torch

from visage.inversion.errors import InversionError
from visage.inversion.guides import choose_guide, guide_from_photo, mean_guide
from visage.inversion.objective import ObjectiveConfig, References
from visage.inversion.reconstruct import reconstruct
from visage.inversion.reconstruction_config import ReconstructionConfig
from visage.inversion.transfer import transfer, transfer_at_once, warm_start
from visage.photos.landmarks import NoFaceError
from visage.photos.reading import open_photo

CONFIG = ReconstructionConfig(
    objective=ObjectiveConfig(guide_layers=("low",), tv_weight=1e-4, guide_weight=0.1), steps=20
)


class TestChoosing:
    def test_the_guide_of_the_person_is_chosen(self, tiny, pictures):
        guides = pictures[[7, 2, 5]]
        choice = choose_guide(tiny, tiny.embed(pictures[[5, 7]]), guides, CONFIG, steps=2)
        assert choice.index.tolist() == [2, 0]
        assert choice.distances.shape == (2, 3)

    def test_distances_and_images_are_those_of_the_trials(self, tiny, pictures):
        targets = tiny.embed(pictures[:2])
        choice = choose_guide(tiny, targets, pictures[4:7], CONFIG, steps=3)
        for n in range(3):
            trial = reconstruct(
                tiny, targets, replace(CONFIG, steps=3), References(guide=pictures[4 + n : 5 + n])
            )
            reached = tiny.distance(tiny.embed(trial.images), targets)
            assert torch.allclose(choice.distances[:, n], reached)
            chosen = choice.index == n
            assert torch.allclose(choice.images[chosen], trial.images[chosen])
        assert torch.equal(choice.index, choice.distances.argmin(1))

    def test_bad_input(self, tiny, pictures):
        targets = tiny.embed(pictures[:1])
        with pytest.raises(InversionError, match="no guide"):
            choose_guide(tiny, targets, pictures[:0], CONFIG)
        with pytest.raises(InversionError, match="guide is"):
            choose_guide(tiny, targets, pictures[:2, :, :8], CONFIG)


class TestSources:
    def test_the_mean_is_over_all_batches(self, pictures):
        found = mean_guide(pictures.split(4))
        assert torch.allclose(found, pictures.mean(0, keepdim=True))
        with pytest.raises(InversionError, match="no chip"):
            mean_guide([])

    def test_a_photograph_without_a_face_is_no_guide(self, tiny):
        with pytest.raises(NoFaceError):
            guide_from_photo(open_photo(skimage.data.coffee()[:200, :200]), tiny)


class TestTransfer:
    def test_each_frame_wears_the_face(self, tiny, pictures):
        target = tiny.embed(pictures[:1])
        frames = [pictures[1:2] * (1 - 0.02 * n) for n in range(3)]
        found = list(transfer(tiny, target, frames, CONFIG, steps_after=5))
        assert [len(one.losses["total"]) for one in found] == [20, 5, 5]
        for frame, one in zip(frames, found, strict=True):
            before = tiny.distance(tiny.embed(frame), target)
            assert tiny.distance(tiny.embed(one.images), target) < 0.5 * before

    @pytest.mark.parametrize("carry", ["change", "image"])
    def test_a_warm_start_is_nearer(self, tiny, pictures, carry):
        target = tiny.embed(pictures[:1])
        frames = [pictures[1:2], pictures[1:2] * 0.98]
        warm, cold = (
            list(transfer(tiny, target, frames, CONFIG, steps_after=5, carry=way))[1]
            for way in (carry, "nothing")
        )
        assert warm.losses["distance"][0] < 0.5 * cold.losses["distance"][0]
        assert len(cold.losses["total"]) == 20

    def test_frames_are_taken_one_at_a_time(self, tiny, pictures):
        taken = []

        def film():
            for n in range(3):
                taken.append(n)
                yield pictures[n : n + 1]

        next(iter(transfer(tiny, tiny.embed(pictures[5:6]), film(), CONFIG)))
        assert taken == [0]

    def test_a_warm_start_is_an_image(self, pictures):
        a, b, c = pictures[:1], pictures[1:2], pictures[2:3]
        assert torch.allclose(warm_start(a, b, c, "change"), (a + c - b).clamp(0, 1))
        assert warm_start(a, b, c, "image") is c
        assert warm_start(a, b, c, "nothing") is a

    def test_bad_input(self, tiny, pictures):
        targets = tiny.embed(pictures[:2])
        with pytest.raises(InversionError, match="target is"):
            next(transfer(tiny, targets, [pictures[:1]], CONFIG))
        with pytest.raises(InversionError, match="no frame"):
            next(transfer(tiny, targets[:1], [], CONFIG))
        with pytest.raises(InversionError, match="frame is"):
            next(transfer(tiny, targets[:1], [pictures[:1, :, :8]], CONFIG))
        with pytest.raises(InversionError, match="carry"):
            next(transfer(tiny, targets[:1], [pictures[:1]], CONFIG, carry="all"))

    def test_the_network_gets_every_frame_with_the_target(self):
        class Adder(torch.nn.Module):
            def forward(self, embeddings, guides):
                return guides + embeddings.sum(1).view(-1, 1, 1, 1)

        frames = torch.arange(5.0).view(5, 1, 1, 1).expand(-1, 3, 2, 2)
        found = list(transfer_at_once(Adder(), torch.tensor([[1.0, 2.0]]), frames.split(2)))
        assert torch.equal(torch.cat(found), frames + 3)
        assert [len(batch) for batch in found] == [2, 2, 1]
