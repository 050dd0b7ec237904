"""Gradients of the criterion reach CoarseNet; its fidelity holds it; photographs are cut once."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from visage.geometry import photo_windows as photo_module
from visage.geometry.coarse_network import CoarseNet
from visage.geometry.end_to_end import EndToEnd, EndToEndLoss, FaceStream
from visage.geometry.end_to_end_train import TRAINING, end_to_end_recipe, measure
from visage.geometry.errors import WindowError
from visage.geometry.fine_network import FineNet
from visage.geometry.photo_windows import photo_windows
from visage.photos.landmarks import FaceBox, NoFaceError
from visage.training import train


def networks():
    """Untrained, but for a CoarseNet that says something."""
    torch.manual_seed(0)
    coarse, fine = CoarseNet(), FineNet()
    nn.init.normal_(coarse.head.weight, std=1e-3)
    return EndToEnd(coarse.eval(), fine.eval())


def faces(count=2):
    """Bright in the middle: enough like a face to be explained."""
    at = torch.linspace(-1, 1, 100)
    shade = (200 - 120 * (at[:, None] ** 2 + at**2)).clamp(20, 255)
    return shade.to(torch.uint8).expand(count, 1, 100, 100).contiguous()


@pytest.fixture(scope="module")
def network():
    return networks()


def test_at_the_start_nothing_has_strayed(network):
    batch = {"faces": faces(1).float() / 255}
    passed = network.eval()(batch["faces"])
    assert torch.equal(passed["numbers"], passed["original"])
    loss, terms = EndToEndLoss()(network, batch, torch.Generator())
    assert terms["strayed"] == 0
    assert loss == terms["fine"]


@pytest.mark.parametrize("through", [False, True])
def test_the_criterion_moves_coarse_net_through_the_drawing(through):
    network = networks()
    network.through_barycentrics = through
    loss, _ = EndToEndLoss()(network, {"faces": faces(1).float() / 255}, torch.Generator())
    loss.backward()
    gradient = network.coarse.head.weight.grad
    shape, pose = gradient[:132].abs().sum(), gradient[132:].abs().sum(1)
    assert shape > 0
    # With the paper's fixed coordinates the picture's plane counts for nothing (eq. 7).
    assert (pose[3] > 0) == through
    assert all(p.grad is None for p in network.before[0].parameters())


def test_training_leaves_running_means_alone(network):
    means = {k: v.clone() for k, v in network.state_dict().items() if "running" in k}
    assert {name.partition(".")[0] for name in means} == {"coarse", "fine"}
    network.train()
    network(faces(1).float() / 255)
    assert all(torch.equal(network.state_dict()[k], v) for k, v in means.items())


def test_fidelity_weighs_what_strayed(network):
    moved = networks()
    with torch.no_grad():
        moved.coarse.head.bias += 0.1
    batch = {"faces": faces(1).float() / 255}
    loss, terms = EndToEndLoss(fidelity=7.0)(moved.eval(), batch, torch.Generator())
    assert terms["strayed"] > 0
    assert loss.item() == pytest.approx((terms["fine"] + 7 * terms["strayed"]).item(), rel=1e-5)


def test_a_recipe_runs_and_says_what_moved(tmp_path):
    config = replace(TRAINING, steps=1, batch_size=1, warmup=0, log_every=1)
    recipe = end_to_end_recipe("trial", config, networks, lambda side: faces())
    trained = train(recipe, folder=tmp_path).model
    found = measure(trained, faces(), 1)
    assert found["moved_mm"] > 0
    assert found["criterion"] > 0


def test_items_are_mirrored_half_of_the_time_and_repeat():
    sided = faces(1)
    sided[..., :50] = 0
    stream = FaceStream(3, lambda: sided)
    found = stream.batch(range(40))["faces"]
    left = (found[..., :50].mean((1, 2, 3)) > found[..., 50:].mean((1, 2, 3))).float().mean()
    assert 0.25 < left < 0.75
    assert torch.equal(stream.batch([7])["faces"], found[7:8])


class Photos:
    """Three people with a photograph each; the second shows no face."""

    def people(self):
        return {"Ann_One": [1], "Bea_Two": [1], "Cy_Three": [1]}

    def image(self, name, number):
        return torch.full((1, 3, 250, 250), 0.0 if name == "Bea_Two" else 0.5)


def test_photographs_are_cut_once_and_those_without_a_face_left_out(tmp_path, monkeypatch):
    def box(image, which):
        if image.max() == 0:
            raise NoFaceError("none")
        return FaceBox(70.0, 70.0, 180.0, 180.0, score=1.0)

    monkeypatch.setattr(photo_module, "open_lfw", Photos)
    monkeypatch.setattr(photo_module, "find_box", box)
    monkeypatch.setattr(photo_module, "split", lambda name: "train")
    found = photo_windows("train", 3, 40, folder=tmp_path)
    assert found.shape == (2, 1, 40, 40)
    assert (found.float() - 127.5).abs().max() <= 1
    monkeypatch.setattr(photo_module, "open_lfw", None)  # is not needed any more
    assert torch.equal(photo_windows("train", 3, 40, folder=tmp_path), found)


def test_who_is_refused(tmp_path):
    with pytest.raises(WindowError, match="train"):
        photo_windows("everybody", 3, folder=tmp_path)
    with pytest.raises(WindowError, match="at least 1"):
        photo_windows("train", 0, folder=tmp_path)
