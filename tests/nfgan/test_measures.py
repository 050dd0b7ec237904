"""Measures of generated faces, on faces whose answers are known."""

import pytest
import torch
import torch.nn.functional as F

from visage.nfgan import measures as module
from visage.nfgan.errors import NfganError
from visage.nfgan.measures import (
    Measures,
    Sample,
    diversity,
    embedded,
    identity_distance,
    laplacian_energy,
    measure,
    perceptual_error,
    within_over_between,
)
from visage.nfgan.pairs import Pairs


def _faces(count: int, seed: int = 0, detail: int = 12) -> torch.Tensor:
    noise = torch.rand(count, 1, detail, detail, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(noise, 64, mode="bicubic").clamp(0, 1)


def _sample(count: int) -> Sample:
    return Sample(_faces(count, 1), _faces(count, 2), torch.arange(count))


def _pairs() -> Pairs:
    numbered = torch.arange(6, dtype=torch.uint8)[:, None, None, None]
    ramp = torch.arange(64, dtype=torch.uint8).expand(2, 1, 64, 64).clone()
    return Pairs(
        inputs=numbered.expand(6, 1, 64, 64),
        targets=ramp,
        person=torch.tensor([0, 0, 0, 1, 1, 1]),
        flipped=torch.tensor([False, True, False, False, False, True]),
        expression=torch.zeros(6, dtype=torch.int64),
        intensity=torch.zeros(6),
        yaw=torch.zeros(6),
    )


def test_a_sample_takes_the_first_of_each_and_mirrors_targets():
    sample = Sample.of(_pairs(), each=2)
    assert (sample.inputs[:, 0, 0, 0] * 255).round().tolist() == [0, 1, 3, 4]
    assert sample.person.tolist() == [0, 0, 1, 1]
    rises = sample.targets[:, 0, 0, -1] > sample.targets[:, 0, 0, 0]
    assert rises.tolist() == [True, False, True, True]
    assert len(Sample.of(_pairs())) == 6


def test_the_truth_measures_as_the_truth():
    sample = _sample(3)
    found = measure(sample.targets, sample)
    for name in ("pixel_error", "perceptual_error"):
        assert getattr(found, name).abs().max() < 1e-6
    assert torch.allclose(found.sharpness, torch.ones(3))
    assert found.identity_distance.min() > 0
    assert Measures.names()[0] == "identity_distance"


def test_the_input_is_its_own_person():
    sample = _sample(2)
    assert identity_distance(sample.inputs, sample.inputs).abs().max() < 1e-6
    known = embedded(sample.inputs)
    assert torch.allclose(
        measure(sample.targets, sample, known).identity_distance,
        identity_distance(sample.inputs, sample.targets),
    )


def test_a_mirrored_face_is_the_same_person():
    faces = _faces(2)
    assert identity_distance(faces, faces.flip(-1)).max() < 1e-4


def test_blur_takes_sharpness_and_noise_adds_it():
    faces = _faces(2)
    blurred = F.avg_pool2d(F.pad(faces, (2,) * 4, mode="reflect"), 5, 1)
    noise = 0.1 * torch.randn(faces.shape, generator=torch.Generator().manual_seed(0))
    assert (laplacian_energy(blurred) < laplacian_energy(faces)).all()
    assert (laplacian_energy(faces + noise) > laplacian_energy(faces)).all()


def test_laplacian_energy_is_the_naive_one():
    faces = _faces(2)
    expected = []
    for face in faces[:, 0]:
        values = [
            face[y - 1, x] + face[y + 1, x] + face[y, x - 1] + face[y, x + 1] - 4 * face[y, x]
            for y in range(13, 51)
            for x in range(13, 51)
        ]
        expected.append(torch.stack(values).square().mean())
    assert torch.allclose(laplacian_energy(faces), torch.stack(expected), rtol=1e-4)


def test_hair_and_background_do_not_count_as_sharp():
    faces = _faces(1)
    edged = faces.clone()
    edged[..., :10] = torch.rand(64, 10)
    assert torch.equal(laplacian_energy(edged), laplacian_energy(faces))


def test_perceptual_error_by_any_network():
    faces, others = _faces(70), _faces(70, 1)

    class Pixels:
        name = "pixels"

        def __call__(self, some):
            return some

    found = perceptual_error(faces, others, Pixels())
    assert torch.allclose(found, (faces - others).square().mean((1, 2, 3)), atol=1e-6)


def test_diversity_sees_a_collapse():
    targets = _faces(5)
    assert diversity(targets, targets) == pytest.approx(1)
    assert diversity(targets[:1].expand(5, -1, -1, -1), targets) == pytest.approx(0)
    assert diversity(targets / 2, targets) == pytest.approx(0.5)


def test_within_over_between():
    people = torch.tensor([0, 0, 1, 1])
    faces = torch.tensor([[0.0], [2.0], [10.0], [12.0]])
    assert within_over_between(faces, people) == pytest.approx(1 / 25)
    assert within_over_between(faces[[0, 0, 2, 2]], people) == 0


def test_the_light_cnn_gives_unit_vectors():
    found = embedded(_faces(2), "light_cnn")
    assert torch.allclose(found.norm(dim=1), torch.ones(2), atol=1e-5)
    encoder = module.recogniser("light_cnn")
    distance = (found[0] - found[1]).norm()
    assert torch.allclose(distance, encoder.distance(found[0], found[1]), atol=1e-5)


def test_other_shapes_are_refused():
    with pytest.raises(NfganError):
        embedded(torch.zeros(1, 3, 64, 64))
    with pytest.raises(NfganError):
        laplacian_energy(torch.zeros(1, 1, 32, 32))
