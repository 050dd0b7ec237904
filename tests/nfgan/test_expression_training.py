from dataclasses import replace

import pytest
import torch

from visage.nfgan.errors import ExpressionError
from visage.nfgan.expression_network import ExpressionNetwork, ExpressionNetworkConfig
from visage.nfgan.expression_training import (
    RecognitionConfig,
    TwoBranchLoss,
    recognised,
    still_near,
    train_expressions,
    with_seed,
)
from visage.nfgan.expression_tuplets import ExpressionCrops, TupletConfig, TupletStream
from visage.nfgan.tuplet import tuplet_cluster_loss

CONFIG = RecognitionConfig(network=ExpressionNetworkConfig(classes=3, channels=(4, 8, 8)))


def patterns(count=36, noise=0.3):
    """Three "expressions" that are bars at three heights, on people of different tilt."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 3
    subjects = torch.arange(count) // 3
    faces = noise * torch.randn(count, 2, 1, 60, 60, generator=generator)
    for row, label in enumerate(labels.tolist()):
        faces[row, :, :, 10 + 15 * label : 18 + 15 * label] += 2
        faces[row] += torch.linspace(-1, 1, 60) * (subjects[row] - 6) / 6
    blank = noise * torch.randn(faces.shape, generator=generator)
    return ExpressionCrops(faces, labels, subjects, blank)


def test_shapes_and_configuration():
    network = ExpressionNetwork(ExpressionNetworkConfig(classes=6, features=16))
    logits, features = network(torch.zeros(3, 1, 60, 60))
    assert logits.shape == (3, 6)
    assert features.shape == (3, 16)
    with pytest.raises(ExpressionError, match="expected"):
        network(torch.zeros(3, 1, 64, 64))
    for wrong in ({"classes": 1}, {"features": 0}, {"channels": (8,)}, {"dropout": 1.0}):
        with pytest.raises(ExpressionError, match="give"):
            ExpressionNetworkConfig(**wrong)


def test_both_branches_and_the_threshold_learn():
    data = patterns()
    network = ExpressionNetwork(CONFIG.network)
    batch = TupletStream(0, data, CONFIG.tuplets).batch(range(4))
    loss, terms = TwoBranchLoss(CONFIG)(network, batch, torch.Generator())
    loss.backward()
    assert set(terms) == {"tuplets", "accuracy"}
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_metric_branch_can_be_left_out():
    config = replace(CONFIG, balance=0.0)
    network = ExpressionNetwork(CONFIG.network)
    batch = TupletStream(0, patterns(), CONFIG.tuplets).batch(range(4))
    TwoBranchLoss(config)(network, batch, torch.Generator())[0].backward()
    assert network.measure.weight.grad.abs().sum() == 0
    assert network.classify.weight.grad.abs().sum() > 0


@torch.no_grad()
def test_neutral_face_is_one_more_negative():
    data = patterns()
    network = ExpressionNetwork(CONFIG.network).eval()
    batch = TupletStream(0, data, CONFIG.tuplets).batch(range(4))
    config = replace(CONFIG, gap=200.0)  # so that every negative counts
    terms = TwoBranchLoss(config)(network, batch, torch.Generator())[1]
    points = network(batch["faces"].flatten(0, 1)).features
    rest = network(batch["neutral"]).features
    points = points.view(4, -1, points.shape[1])
    count = CONFIG.tuplets.positives
    negatives = torch.cat([points[:, count:], rest[:, None]], 1)
    wanted = tuplet_cluster_loss(points[:, :count], negatives, network.threshold, config.gap)
    assert torch.allclose(terms["tuplets"], wanted.mean(), atol=1e-5)
    del batch["neutral"]
    without = TwoBranchLoss(config)(network, batch, torch.Generator())[1]
    assert not torch.allclose(without["tuplets"], terms["tuplets"])


def test_learns_what_can_be_learned(tmp_path):
    data = patterns()
    config = replace(CONFIG, training=replace(CONFIG.training, steps=60, batch_size=4))
    network = train_expressions(data[data.subjects < 9], config, tmp_path / "a")
    tested = data[data.subjects >= 9]
    found = recognised(network, tested.crops[:, 0])
    assert (found == tested.labels).float().mean() > 0.8
    assert recognised(network, tested.crops[:0, 0]).tolist() == []
    again = train_expressions(data[data.subjects < 9], config, tmp_path / "b")
    same = zip(network.state_dict().values(), again.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in same)


def test_negatives_that_are_still_near():
    data, network = patterns(), ExpressionNetwork(CONFIG.network).eval()
    everything = still_near(network, data, replace(CONFIG, gap=500.0), 4)
    assert everything.tolist() == [1, 1]
    network.threshold.offset.data.fill_(-500)
    assert still_near(network, data, CONFIG, 4).tolist() == [0, 0]
    without = ExpressionCrops(data.crops, data.labels, data.subjects)
    assert still_near(network, without, CONFIG, 4).isnan().tolist() == [False, True]
    # Features of neutral faces at the centre, all others far away.
    network.threshold.offset.data.fill_(2)
    rest = ExpressionCrops(data.crops, data.labels, data.subjects, data.crops)
    one = replace(CONFIG, tuplets=TupletConfig(positives=1, negatives=2))
    network.measure.weight.data *= 100
    assert still_near(network, rest, one, 8)[1] == 1


def test_bad_labels_and_seeds(tmp_path):
    data = patterns()
    wrong = ExpressionCrops(data.crops, data.labels + 1, data.subjects)
    with pytest.raises(ExpressionError, match="3 classes"):
        train_expressions(wrong, CONFIG, tmp_path)
    assert with_seed(CONFIG, 7).training.seed == 7
    assert with_seed(CONFIG, 7).tuplets == CONFIG.tuplets
