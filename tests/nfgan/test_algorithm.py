"""Which loss reaches which network, by the gradients; and one optimiser doing all of it."""

from dataclasses import replace
from itertools import combinations

import pytest
import torch
from torch import nn

from visage.nfgan.adversarial import discriminator_loss, generator_loss
from visage.nfgan.algorithm import Algorithm1, Auxiliaries, step_loss, terms
from visage.nfgan.family import FamilyPlayers, WeightRange
from visage.nfgan.losses import LETTERS, TERMS, LossWeights, identity_loss, perceptual_loss
from visage.nfgan.losses import pixel_loss as pixel
from visage.nfgan.networks import Nfgan, NfganConfig
from visage.nfgan.symmetry import laplacian_symmetry_loss, symmetry_loss

EVEN = LossWeights(perceptual=1.0, identity=0.7, pixel=0.5, symmetry=0.3, adversarial=0.2)
SMALL = NfganConfig(width=0.1, latent=16)


class Maps(nn.Module):
    """A small fixed network in the places of both pretrained ones."""

    name = "maps"

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(9)
        kernels = torch.randn(3, 1, 4, 4, generator=generator)
        self.kernels = nn.Parameter(kernels, requires_grad=False)

    def forward(self, faces):
        return torch.tanh(nn.functional.conv2d(faces, self.kernels.to(faces), stride=4))

    def layers(self, faces):
        maps = self(faces)
        return maps, maps.mean((2, 3))


AUXILIARIES = Auxiliaries(Maps(), Maps())


def batch(count=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    names = ("inputs", "targets", "guiding")
    return {name: torch.rand(count, 1, 64, 64, generator=generator) for name in names}


def players(config=SMALL, seed=0):
    torch.manual_seed(seed)
    return Nfgan(config)


def gradients(network, weights, given=None):
    """Of each of the three networks' parameters after one backward pass; None where none came."""
    algorithm = Algorithm1(network, lambda: AUXILIARIES, weights)
    loss, logged = algorithm(**(given or batch()))
    loss.backward()
    found = {}
    for name in ("encoder", "decoder", "discriminator"):
        found[name] = [parameter.grad for parameter in getattr(network, name).parameters()]
    return found, loss.detach(), {key: float(value.detach()) for key, value in logged.items()}


def reached(found):
    """Which networks have any gradient that is not zero."""
    return {
        name
        for name, grads in found.items()
        if any(g is not None and g.abs().max() > 0 for g in grads)
    }


@pytest.mark.parametrize(
    ("letter", "wanted"),
    [
        ("p", {"encoder", "decoder"}),
        ("i", {"encoder", "decoder"}),
        ("x", {"encoder", "decoder"}),
        ("s", {"decoder"}),
        ("a", {"decoder", "discriminator"}),
    ],
)
def test_each_loss_reaches_the_networks_of_algorithm_1(letter, wanted):
    found, _, _ = gradients(players(), EVEN.only(letter))
    assert reached(found) == wanted
    if letter in "sa":
        assert all(gradient is None for gradient in found["encoder"])


def test_the_encoders_gradient_knows_nothing_of_symmetry_and_adversary():
    some, _, _ = gradients(players(), EVEN.only("pix"))
    every, _, _ = gradients(players(), EVEN)
    assert all(torch.allclose(a, b) for a, b in zip(some["encoder"], every["encoder"], strict=True))
    assert not all(
        torch.allclose(a, b) for a, b in zip(some["decoder"], every["decoder"], strict=True)
    )


def test_the_decoders_gradient_is_the_weighted_sum_of_all_five():
    every, _, _ = gradients(players(), EVEN)
    parts = [gradients(players(), EVEN.only(letter))[0]["decoder"] for letter in LETTERS]
    for whole, *some in zip(every["decoder"], *parts, strict=True):
        assert torch.allclose(whole, sum(some), atol=1e-6)


def test_the_discriminators_gradient_is_that_of_equation_4_alone():
    found, _, _ = gradients(players(), EVEN)
    network, given = players(), batch()
    fake = network(given["inputs"]).faces.detach()
    real_logits, fake_logits = network.discriminator(torch.cat([given["guiding"], fake])).chunk(2)
    discriminator_loss(real_logits, fake_logits).mean().backward()
    own = [parameter.grad for parameter in network.discriminator.parameters()]
    assert all(
        torch.allclose(a, b, atol=1e-6) for a, b in zip(found["discriminator"], own, strict=True)
    )
    # However much fooling it is worth to the decoder, the discriminator learns the same.
    bold, _, _ = gradients(players(), replace(EVEN, adversarial=50.0))
    for a, b in zip(found["discriminator"], bold["discriminator"], strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_judging_teaches_the_discriminator_nothing():
    network = players()
    before = {name: value.clone() for name, value in network.discriminator.state_dict().items()}
    gradients(network, EVEN)
    counts = [v for k, v in network.discriminator.state_dict().items() if "num_batches" in k]
    assert [int(count) for count in counts] == [1, 1, 1]  # the joint batch alone
    assert network.discriminator.training
    assert any(
        not torch.equal(value, before[name])
        for name, value in network.discriminator.state_dict().items()
        if "running" in name
    )


@pytest.mark.parametrize("space", ["pixel", "laplacian"])
def test_the_loss_is_the_weighted_sum(space):
    weights, given, network = replace(EVEN, symmetry_space=space), batch(), players()
    _, loss, logged = gradients(players(), weights)
    faces = network(given["inputs"]).faces
    maps = AUXILIARIES.perceptual
    symmetry = symmetry_loss if space == "pixel" else laplacian_symmetry_loss
    fresh = players().discriminator.eval()
    wanted = {
        "perceptual": perceptual_loss(maps(faces), maps(given["targets"])),
        "symmetry": symmetry(faces),
        "adversarial": generator_loss(fresh(faces)),
        "identity": identity_loss(maps.layers(faces), maps.layers(given["inputs"])),
        "pixel": pixel(faces, given["targets"]),
    }
    for name, value in wanted.items():
        assert logged[name] == pytest.approx(float(value.detach().mean()), rel=1e-4)
    total = sum(getattr(weights, name) * logged[name] for name in TERMS) + logged["discriminator"]
    assert float(loss) == pytest.approx(total, rel=1e-5)
    again = terms(
        faces, given["inputs"], given["targets"], players().discriminator.eval(), AUXILIARIES, space
    )
    assert tuple(again) == TERMS
    for name, value in again.items():
        assert torch.allclose(value, wanted[name])


def test_a_loss_left_out_is_not_computed():
    for letters in ("".join(some) for n in (1, 4) for some in combinations(LETTERS, n)):
        network = players()
        _, _, logged = gradients(network, EVEN.only(letters))
        named = {TERMS[LETTERS.index(letter)] for letter in letters}
        game = {"accuracy", "discriminator"} if "a" in letters else set()
        assert set(logged) == named | game


def test_a_familys_weights_are_each_faces_own():
    torch.manual_seed(0)
    network = FamilyPlayers(WeightRange(EVEN), SMALL)
    given = batch(4)
    given["strengths"] = torch.tensor([[1.0, 0.3, 0.0, 0.7, 0.0]] * 2 + [[0, 0, 0.2, 0, 0.5]] * 2)
    found, loss, logged = gradients(network, EVEN, given)
    assert reached(found) == {"encoder", "decoder", "discriminator"}
    algorithm = Algorithm1(network, lambda: AUXILIARIES, EVEN)
    off = {**given, "strengths": torch.zeros(4, 5)}
    nothing, _ = algorithm(**off)
    assert float(nothing.detach()) == pytest.approx(
        float(algorithm(**off)[1]["discriminator"]), rel=1e-5
    )
    assert float(loss) > logged["discriminator"]


def test_one_optimiser_plays_the_game():
    network = players(NfganConfig(width=0.15, latent=16))
    algorithm = Algorithm1(network, lambda: AUXILIARIES, replace(EVEN, pixel=5.0))
    optimizer = torch.optim.Adam(algorithm.parameters(), 3e-3)
    given, history = batch(8), []
    given["targets"] = given["guiding"] = torch.linspace(0, 1, 64).expand(8, 1, 64, 64)
    for _ in range(40):
        loss, logged = step_loss(algorithm, given, torch.Generator())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append({key: float(value.detach()) for key, value in logged.items()})
    assert history[-1]["pixel"] < 0.9 * history[0]["pixel"]
    assert history[-1]["discriminator"] < history[0]["discriminator"]
    state = algorithm.state_dict()
    assert all(name.startswith("players.") for name in state)  # nothing pretrained is kept
