from dataclasses import replace

import pytest
import torch

from visage.checkpoints import list_checkpoints
from visage.nfgan.errors import NfganError
from visage.nfgan.expression_classifier import (
    EXPRESSION_RECIPES,
    LEARNED_FROM,
    NAME,
    NAMES,
    CropStream,
    ExpressionClassifier,
    classifier_recipe,
    load_expression_classifier,
    measure,
)
from visage.nfgan.pairs import TRAIN
from visage.nfgan.preprocessing import preprocess
from visage.nfgan.sittings import ExpressionFaces
from visage.training import train

GENERATOR = torch.Generator().manual_seed(0)


def bars(count=32):
    """Eight "expressions": a bright bar at one of eight heights."""
    images = torch.randint(60, (count, 1, 64, 64), generator=GENERATOR)
    labels = torch.arange(count) % 8
    for row, label in enumerate(labels.tolist()):
        images[row, :, 4 + 7 * label : 10 + 7 * label] += 180
    neutral = images[labels == 5][:1].expand(4, -1, -1, -1)
    subjects = torch.arange(count) % 4
    return ExpressionFaces(
        images.to(torch.uint8),
        labels,
        subjects,
        NAMES,
        neutral.to(torch.uint8),
        torch.arange(count),
    )


def test_probabilities():
    classifier, faces = ExpressionClassifier().eval(), bars().images[:5]
    found = classifier.probabilities(faces)
    assert found.shape == (5, 8)
    assert torch.allclose(found.sum(1), torch.ones(5))
    assert torch.allclose(found, classifier.probabilities(faces.float() / 255), atol=1e-6)
    wanted = classifier(preprocess(faces.float() / 255, training=False)).softmax(1)
    assert torch.allclose(found, wanted)
    assert classifier.probabilities(faces[:0]).shape == (0, 8)
    with pytest.raises(NfganError, match="64"):
        classifier.probabilities(torch.zeros(1, 3, 64, 64))


def test_neutral_is_where_the_names_have_it():
    classifier, faces = ExpressionClassifier().eval(), bars().images[:3]
    assert list(NAMES) == sorted(NAMES)
    assert len(NAMES) == 8
    for place, name in enumerate(NAMES):
        classifier.network.classify.bias.data = 100 * torch.eye(8)[place]
        assert classifier.read_as_neutral(faces).tolist() == [name == "neutral"] * 3


def test_crops_of_every_face_once_a_round():
    data = bars(8)
    stream = CropStream(0, data)
    assert sorted(stream.batch(range(8))["labels"].tolist()) == list(range(8))
    assert torch.equal(stream.batch([9, 3])["crops"][1], stream.batch([3])["crops"][0])
    crops = stream.batch(range(16))["crops"]
    assert crops.shape == (16, 1, 60, 60)
    assert torch.allclose(crops.mean((1, 2, 3)), torch.zeros(16), atol=1e-5)
    every = preprocess(data.images.float() / 255, training=True).flatten(0, 1)
    nearest = (crops[:, None] - every[None]).abs().amax((2, 3, 4)).amin(1)
    assert (nearest < 1e-3).all()


def test_learns_what_can_be_learned(tmp_path):
    recipe = classifier_recipe(bars)
    config = replace(recipe.config, steps=25, batch_size=16, warmup=5, ema=0, precision="32-true")
    trained = train(recipe, config, tmp_path).model
    found = measure(trained, bars())
    assert found["accuracy"] > 0.8
    assert found["targets_read_as_neutral"] in (0.0, 1.0)


def test_measure_counts():
    class Fixed(ExpressionClassifier):
        """Says neutral of everything but the first four faces."""

        def probabilities(self, faces):
            said = torch.full((len(faces),), 5)
            said[:4] = torch.arange(4) if len(faces) > 4 else 5
            return torch.eye(8)[said]

    found = measure(Fixed(), bars(16))
    assert found == {
        "accuracy": pytest.approx(6 / 16),  # the first four, and two that are neutral
        "neutral_found": 1.0,
        "expressive_called_neutral": pytest.approx(10 / 14),
        "targets_read_as_neutral": 1.0,
    }


def test_judge_learns_from_nobody_else():
    assert min(LEARNED_FROM) >= TRAIN[0]
    assert set(EXPRESSION_RECIPES) == {NAME}


@pytest.mark.skipif(NAME not in list_checkpoints(), reason="the judge has not been trained yet")
def test_shipped_judge():
    judge = load_expression_classifier()
    assert not judge.training
    assert not any(parameter.requires_grad for parameter in judge.parameters())
    assert judge.probabilities(bars().images[:2]).isfinite().all()
