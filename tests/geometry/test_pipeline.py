"""From windows to surfaces, with networks that answer what they are told to."""

import math

import pytest
import torch

from visage.faces.fitting.mirror import Mirror
from visage.faces.raster import interpolate
from visage.faces.shape import MorphableModel, vertex_normals
from visage.geometry.coarse_network import CoarseNet
from visage.geometry.confidence import CONFIDENCE, FEATURES, features, learn_confidence
from visage.geometry.errors import GeometryError
from visage.geometry.face_mesh import FaceMesh
from visage.geometry.fine_network import FineNet
from visage.geometry.pipeline import Networks, coarse_looks, face_depth, reconstruct_windows
from visage.geometry.rendering_layer import render_depth
from visage.geometry.representation import YAW_UNIT, FaceNumbers


class Told:
    """A CoarseNet that answers with given numbers, look after look."""

    def __init__(self, *answers: FaceNumbers):
        self.answers, self.shown = list(answers), []

    def reduced(self, faces):
        self.shown.append(faces)
        return faces

    def step(self, mesh, faces, current):
        return self.answers[len(self.shown) - 1]


def _numbers(pose: list[float]) -> FaceNumbers:
    numbers = FaceNumbers.zeros(1)
    return FaceNumbers(numbers.identity, numbers.expression, torch.tensor([pose]))


def _looks(network, faces, iterations: int = 1, looks: int = 2):
    return coarse_looks(network, faces, iterations, looks=looks, mirrored=False)


def test_the_second_look_is_put_back():
    """A face off the middle is in the middle of the second window, and back where it was."""
    there = _numbers([0.1, 0.5, 0.2, 1.5, -1.0, 0.7])
    centred = _numbers([0.1, 0.5, 0.2, 0.0, 0.0, 0.0])
    looks = _looks(Told(there, centred), torch.rand(1, 1, 100, 100))
    torch.testing.assert_close(looks.answers[1, :, -6:], there.pose, atol=1e-4, rtol=0)
    torch.testing.assert_close(looks.last.pose, there.pose, atol=1e-4, rtol=0)
    assert float(looks.apart) < 1e-3


def test_the_second_look_sees_the_face_in_the_middle():
    there = _numbers([0.0, 0.0, 0.0, 2.0, 0.0, 0.0])  # to the right
    network = Told(there, there)
    faces = torch.zeros(1, 1, 200, 200)
    column = float(there.camera(200).project(torch.tensor([[[0.0, -8.0, 50.0]]]))[0, 0, 0])
    faces[..., round(column) - 2 : round(column) + 3] = 1
    _looks(network, faces)
    seen = network.shown[1].mean((0, 1, 2))
    middle = float((seen * torch.arange(200)).sum() / seen.sum())
    assert middle == pytest.approx(99.5, abs=1)


def test_a_mirrored_answer_is_mirrored_back():
    """A network that tells left from right is told the same face twice."""
    there = FaceNumbers.of(0.3 * torch.randn(1, 138, generator=torch.Generator().manual_seed(0)))
    mirrored = Mirror.of(MorphableModel.load()).where(torch.tensor([True]), there.numbers)
    network = Told(FaceNumbers.of(torch.cat([there.numbers, mirrored])))
    faces = torch.rand(1, 1, 100, 100)
    looks = coarse_looks(network, faces, 2, looks=1)
    torch.testing.assert_close(looks.last.numbers, there.numbers, atol=1e-4, rtol=1e-4)
    assert float(looks.apart) < 1e-2
    assert torch.equal(network.shown[0], torch.cat([faces, faces.flip(3)]))
    assert len(looks.first) == 1
    torch.testing.assert_close(looks.first.last.numbers, there.numbers)


def test_one_look_is_the_paper():
    there = _numbers([0.0, 0.4, 0.0, 0.0, 0.0, 0.0])
    looks = _looks(Told(there), torch.zeros(1, 1, 100, 100), 3, looks=1)
    torch.testing.assert_close(looks.last.numbers, looks.first.last.numbers, atol=1e-5, rtol=0)
    assert float(looks.apart) < 1e-3
    assert float(looks.settled) == 0  # the last iteration answers what the one before did


def test_no_inner_side_is_seen():
    """From the front nothing is missing; in profile the cavity of the mouth is."""
    mesh = FaceMesh.load(1)
    front, side = _numbers([0.0] * 6), _numbers([0.0, math.pi / 2 / YAW_UNIT, 0, 0, 0, 0])
    for numbers, least in ((front, 0.995), (side, 0.7)):
        whole, found = render_depth(mesh, numbers, 100), face_depth(numbers, 100)
        kept = found.mask > 0
        assert least < float(kept.sum() / whole.mask.sum()) <= 1
        torch.testing.assert_close(found.depth[kept], whole.depth[kept])
        assert bool(found.depth[~kept].isinf().all())
        turned = numbers.camera(100).turn(vertex_normals(numbers.vertices(mesh), mesh.triangles))
        normals = interpolate(turned, mesh.triangles, found.ids, found.weights)
        assert float((normals[:, 2:][kept] < -0.2).float().mean()) < 0.01
    assert float(render_depth(mesh, side, 100).mask.sum() - face_depth(side, 100).mask.sum()) > 50


@pytest.mark.parametrize("size", [100, 200])
def test_surfaces_of_untrained_networks_are_the_mean_face(size):
    networks = Networks(CoarseNet().eval(), FineNet().eval())
    found = reconstruct_windows(networks, torch.rand(2, 1, size, size))
    assert len(found) == 2
    torch.testing.assert_close(found.depth, found.coarse.depth)
    assert bool((found.depth.isfinite() == (found.mask > 0)).all())
    length = found.normals.norm(dim=1, keepdim=True)
    torch.testing.assert_close(length[found.mask > 0], torch.ones(int(found.mask.sum())))
    assert float(length[found.mask == 0].abs().max()) == 0
    assert found.scale.tolist() == pytest.approx([size / 232] * 2)


def test_faces_do_not_depend_on_each_other():
    torch.manual_seed(0)
    network = CoarseNet().eval()
    torch.nn.init.normal_(network.head.weight, std=3e-3)
    networks, faces = Networks(network, FineNet().eval()), torch.rand(3, 1, 100, 100)
    both, alone = (reconstruct_windows(networks, some) for some in (faces, faces[1:2]))
    torch.testing.assert_close(
        both.numbers[1:2].numbers, alone.numbers.numbers, atol=1e-4, rtol=1e-4
    )


def test_nan_is_refused():
    networks = Networks(CoarseNet().eval(), FineNet().eval())
    with pytest.raises(GeometryError, match="NaN"):
        reconstruct_windows(networks, torch.full((1, 1, 100, 100), torch.nan))


def test_confidence_is_learned():
    """Errors that follow the features by a law, with noise, give the law back."""
    generator = torch.Generator().manual_seed(0)
    seen = torch.randn(4000, len(FEATURES), generator=generator)
    law = torch.tensor([0.3, -0.2, 0.5])
    noise = 0.25 * torch.randn(4000, generator=generator)
    found = learn_confidence(seen, (seen @ law + 0.8 + noise).exp())
    assert found.weights == pytest.approx(law.tolist(), abs=0.03)
    assert found.offset == pytest.approx(0.8, abs=0.02)
    assert found.spread == pytest.approx(0.25, abs=0.02)


def test_confidence_falls_with_the_expected_error():
    faces = torch.zeros(1, 1, 100, 100)
    near = _looks(Told(*[_numbers([0.0] * 6)] * 2), faces)
    far = _looks(Told(_numbers([0.0] * 6), _numbers([0.0, 1.0, 0, 1, 1, 1])), faces)
    assert CONFIDENCE.expected_error(far) > CONFIDENCE.expected_error(near)
    assert 0 <= float(CONFIDENCE(far)) < float(CONFIDENCE(near)) <= 1
    assert features(far).shape == (1, len(FEATURES))
    assert float(features(far)[0, 2]) == pytest.approx(float(far.last.camera().angles[0, 1]))
    assert all(math.isfinite(value) for value in features(near)[0].tolist())


def test_confidence_needs_examples():
    with pytest.raises(GeometryError, match="at least 20"):
        learn_confidence(torch.zeros(5, 3), torch.ones(5))
    with pytest.raises(GeometryError, match="above 0"):
        learn_confidence(torch.zeros(30, 3), torch.zeros(30))
