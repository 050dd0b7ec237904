import numpy as np
import pytest
import torch

from visage.faces.camera import WeakPerspective
from visage.faces.fitting.mirror import Mirror
from visage.faces.shape import MorphableModel
from visage.geometry.coarse_stream import CoarseData, CoarseStream, cut, mixed
from visage.geometry.errors import TrainingFacesError
from visage.geometry.representation import FaceNumbers
from visage.geometry.training_faces import EACH, KEPT_SIZE, kept_faces


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return kept_faces("validation", 2, folder=tmp_path_factory.mktemp("kept"), progress=False)


def test_kept_faces_are_drawn_once(kept, tmp_path):
    assert len(kept) == 2 * EACH
    assert kept.images.shape == (2 * EACH, KEPT_SIZE, KEPT_SIZE)
    again = kept_faces("validation", 1, folder=tmp_path, progress=False)
    assert np.array_equal(again.images, kept.images[:EACH])
    assert np.array_equal(again.answers, kept.answers[:EACH])


def test_a_kept_face_is_where_its_camera_says(kept):
    images, shape, camera = kept.rows(range(len(kept)))
    model = MorphableModel.load()
    vertices = model.vertices(*shape.split([80, 52], 1))
    nose = camera.project(vertices)[:, model.landmarks[30], :2]
    assert ((nose > 0.2 * KEPT_SIZE) & (nose < 0.8 * KEPT_SIZE)).all()
    assert float(images.std()) > 0.05


@pytest.mark.parametrize(("split", "count"), [("nobody", 1), ("train", 0), ("test", None)])
def test_people_who_are_not_there_are_refused(split, count, tmp_path):
    with pytest.raises(TrainingFacesError, match=r"split|at least"):
        kept_faces(split, count, folder=tmp_path)


def test_items_depend_on_their_index_only(kept):
    stream, other = CoarseStream(3, kept), CoarseStream(3, kept)
    together, alone = stream.batch(range(4)), other.batch([2])
    for name, values in alone.items():
        assert torch.allclose(values, together[name][2:3], atol=1e-6)
    elsewhere = CoarseStream(4, kept).batch([2])
    assert not torch.equal(elsewhere["faces"], alone["faces"])


def test_a_share_of_items_starts_from_zero(kept):
    zero = [
        float((CoarseStream(0, kept, data).batch(range(40))["current"] == 0).all(1).float().mean())
        for data in (CoarseData(start=0.0), CoarseData(start=0.5), CoarseData(feedback=False))
    ]
    assert zero[0] == 0
    assert 0.2 < zero[1] < 0.8
    assert zero[2] == 1


def test_the_mixture_lies_between_truth_and_another_face():
    truth, random = torch.ones(2, 138), -torch.ones(2, 138)
    found = mixed(truth, random, torch.tensor([[1.0], [0.0]]))
    assert torch.equal(found, torch.cat([truth[:1], random[1:]]))


def blobs(points, size):
    """A picture with a bright spot at each of (N, 2) pixels."""
    grid = torch.stack(torch.meshgrid(*[torch.arange(float(size))] * 2, indexing="xy"), -1)
    near = (grid[None] - points[:, None, None]).square().sum(-1)
    return (-near / 4).exp().amax(0)[None, None]


def test_a_cut_window_shows_what_its_camera_projects():
    head = torch.tensor([[[0.0, 0.0, 60.0], [40.0, -30.0, 40.0], [-35.0, 25.0, 30.0]]])
    angles, shift = torch.tensor([[0.1, 0.4, -0.1]]), torch.tensor([[3.0, -6.0]])
    camera = WeakPerspective(angles, shift, 144, 144, scale=torch.tensor([144 / 275]))
    picture = blobs(camera.project(head)[0, :, :2], 144)
    told = torch.tensor([[5.0, -3.0]]), torch.tensor([0.1]), torch.tensor([0.3])
    placed, window = cut(picture, camera, *told, 120)
    for x, y in placed.project(head)[0, :, :2].tolist():
        patch = window[0, 0, round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3]
        assert float(patch.max()) > 0.85
        assert float(window[0, 0, round(y), round(x)]) > 0.7
    pose = FaceNumbers(torch.zeros(1, 80), torch.zeros(1, 52), torch.zeros(1, 6)).camera(120)
    assert float(placed.scale) == pytest.approx(float(pose.scale) * np.exp(0.1), rel=1e-5)
    assert float(placed.angles[0, 2]) == pytest.approx(0.2, abs=1e-6)


def test_a_mirrored_item_has_mirrored_numbers(kept):
    stream = CoarseStream(0, kept, CoarseData(gain=0, gamma=0, noise=0))
    batch = stream.batch(range(30))
    mirror, model = Mirror.of(MorphableModel.load()), MorphableModel.load()
    # Mirroring twice is nothing, and a mirrored face's landmarks are mirrored.
    assert torch.allclose(mirror(mirror(batch["truth"])), batch["truth"], atol=1e-6)
    numbers, turned = (FaceNumbers.of(n) for n in (batch["truth"], mirror(batch["truth"])))
    nose = model.landmarks[30]

    def seen(numbers):
        vertices = model.vertices(numbers.identity, numbers.expression)[:, nose : nose + 1]
        return numbers.camera(100).project(vertices)[:, 0, :2]

    assert torch.allclose(99 - seen(turned)[:, 0], seen(numbers)[:, 0], atol=0.6)


def test_faces_stay_pictures(kept):
    batch = CoarseStream(0, kept).batch(range(16))
    assert batch["faces"].shape == (16, 1, 100, 100)
    assert batch["faces"].min() >= 0
    assert batch["faces"].max() <= 1
    assert batch["truth"].shape == batch["current"].shape == (16, 138)
