"""The shipped networks on two people whom they have never seen."""

import pytest
import torch

from visage.nfgan.algorithm import load_auxiliaries, terms
from visage.nfgan.family import load_family
from visage.nfgan.losses import TERMS, pixel_loss
from visage.nfgan.measures import Sample, embedded, generate, laplacian_energy
from visage.nfgan.networks import load_nfgan
from visage.nfgan.pairs import pairs


@pytest.fixture(scope="module")
def sample():
    return Sample.of(pairs("test", 2, 4, progress=False))


@pytest.fixture(scope="module")
def outputs(sample):
    return generate(load_nfgan(), sample)


def test_faces_come_near_to_their_targets(sample, outputs):
    before = pixel_loss(sample.inputs, sample.targets)
    after = pixel_loss(outputs, sample.targets)
    assert after.mean() < 0.5 * before.mean()
    assert after.max() < 0.12
    assert (laplacian_energy(outputs) / laplacian_energy(sample.targets)).mean() > 0.4


def test_faces_are_of_their_own_person(sample, outputs):
    distances = torch.cdist(embedded(outputs), embedded(sample.targets))
    assert (distances.diagonal() < 0.6).all()
    same = sample.person[:, None] == sample.person
    assert distances[same].mean() < distances[~same].mean()


def test_all_five_terms_fall(sample, outputs):
    auxiliaries, judge = load_auxiliaries(), load_nfgan().discriminator
    with torch.no_grad():
        of_outputs = terms(outputs, sample.inputs, sample.targets, judge, auxiliaries)
        of_grey = terms(
            torch.full_like(outputs, 0.5), sample.inputs, sample.targets, judge, auxiliaries
        )
    assert tuple(of_outputs) == TERMS
    for name in ("perceptual", "identity", "pixel"):
        assert of_outputs[name].mean() < 0.8 * of_grey[name].mean()


def test_the_family_listens_to_its_weights(sample):
    family = load_family()
    ranges = torch.tensor(list(family.ranges().values()))
    middle = ranges[:, 1].expand(len(sample), 5)
    pixels, adversary = (middle * torch.tensor(on) for on in ([0.0, 0, 0, 0, 1], [0.0, 0, 1, 0, 0]))
    with torch.no_grad():
        faces, smooth, grainy = (
            family(sample.inputs, weights) for weights in (middle, pixels, adversary)
        )
    assert pixel_loss(faces, sample.targets).mean() < 0.1
    assert laplacian_energy(smooth).mean() < 0.8 * laplacian_energy(grainy).mean()
