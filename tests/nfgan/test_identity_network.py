"""The Light CNN of four convolutions, and what it learns from."""

import pytest
import torch
from torch import nn

from visage.nfgan.errors import NfganError
from visage.nfgan.identity_network import (
    EMBEDDING,
    WIDTHS,
    IdentityStream,
    IdentityTask,
    LightCnn4,
    recognition_loss,
    told_apart,
)
from visage.nfgan.pairs import Pairs


def made_pairs(people=5, each=2):
    """Flat people, each of a grey of their own, with a mark that mirroring moves."""
    targets = torch.stack(
        [torch.full((1, 64, 64), 40 * n, dtype=torch.uint8) for n in range(people)]
    )
    targets[..., 10] = 255
    person = torch.arange(people).repeat_interleave(each)
    flipped = torch.arange(people * each) % 2 == 1
    inputs = targets[person]
    inputs = torch.where(flipped[:, None, None, None], inputs.flip(-1), inputs)
    none = torch.zeros(len(person))
    return Pairs(inputs, targets, person, flipped, none.long(), none, none)


def test_four_convolutions_and_four_poolings():
    torch.manual_seed(0)
    network = LightCnn4().eval()
    assert sum(isinstance(layer, nn.Conv2d) for layer in network.modules()) == 4
    faces = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    maps, embedding = network.layers(faces)
    assert maps.shape == (2, WIDTHS[-1], 64 // 2**4, 64 // 2**4)
    assert embedding.shape == (2, EMBEDDING)
    assert torch.equal(network(faces), embedding)
    assert sum(tensor.numel() for tensor in network.state_dict().values()) < 1_000_000


def test_exposure_is_nobody():
    torch.manual_seed(0)
    network = LightCnn4().eval()
    faces = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(network(faces), network(0.5 * faces + 0.2), atol=0.02)
    with pytest.raises(NfganError, match="64"):
        network(torch.zeros(1, 3, 64, 64))


def test_items_are_faces_with_their_person():
    pairs = made_pairs()
    stream = IdentityStream(0, pairs)
    batch = stream.batch(range(40))
    assert batch["faces"].shape == (40, 1, 64, 64)
    # The grey that most of a face has says whose it is.
    grey = batch["faces"].flatten(1).median(1).values * 255
    assert torch.allclose(grey, 40.0 * batch["people"])
    marks = {int(row.argmax()) for row in batch["faces"][:, 0, 32]}
    assert len(marks) > 6  # shifted either way, and mirrored
    alone = stream.batch([7])
    assert torch.equal(alone["faces"][0], batch["faces"][7])
    assert not torch.equal(IdentityStream(1, pairs).batch([7])["faces"], alone["faces"])


def test_it_learns_to_tell_people_apart():
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(4, 1, 8, 8, generator=generator)
    targets = (255 * nn.functional.interpolate(noise, (64, 64), mode="bilinear")).to(torch.uint8)
    person = torch.arange(4).repeat_interleave(2)
    none = torch.zeros(8)
    pairs = Pairs(targets[person], targets, person, none.bool(), none.long(), none, none)
    task, stream = IdentityTask(4), IdentityStream(0, pairs)
    optimizer = torch.optim.Adam(task.parameters(), 2e-3)
    losses = []
    for step in range(8):
        loss, logged = recognition_loss(task, stream.batch(range(8 * step, 8 * step + 8)), None)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        assert 0 <= logged["recognised"] <= 1
    assert min(losses[-2:]) < losses[0]


def test_told_apart_counts_who_is_nearer():
    class Grey(nn.Module):
        def forward(self, faces):
            grey = faces.flatten(1).median(1).values
            return torch.stack([grey.cos(), grey.sin()], 1)

    pairs = made_pairs()
    assert told_apart(Grey(), pairs) == 1.0

    class Blind(nn.Module):
        def forward(self, faces):
            return torch.ones(len(faces), 2)

    assert told_apart(Blind(), pairs) == 0.5
