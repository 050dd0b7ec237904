import math

import pytest
import torch

from visage.inversion.colour import colour_shift, colour_statistics
from visage.inversion.errors import InversionError
from visage.inversion.gaussian_activations import gather_statistics, gaussian_regulariser
from visage.inversion.guiding_image import guide_distance
from visage.inversion.laplacian_pyramid import pyramid_distance
from visage.inversion.mirror import mirror_asymmetry
from visage.inversion.objective import Objective, ObjectiveConfig, References
from visage.inversion.spectrum import band_mismatch, mean_band_energy, spectrum_regulariser
from visage.inversion.total_variation import total_variation
from visage.photos.jitter import Jitter, moved

ALL = ObjectiveConfig(
    embedding_weight=2.0,
    tv_weight=0.1,
    tv_alpha=1.5,
    guide_weight=0.3,
    guide_layers=("low", "high"),
    gauss_weight=0.4,
    spectrum_weight=0.5,
    spectrum_levels=2,
    bands_weight=0.6,
    mirror_weight=0.7,
    colour_weight=0.8,
    guide_pixels_weight=0.9,
    guide_pixels_levels=2,
)


@pytest.fixture
def references(tiny, pictures):
    return References(
        guide=pictures[:1],
        activations=gather_statistics(tiny, [pictures], ["high"]),
        bands=mean_band_energy([pictures], 2),
        colours=colour_statistics([pictures]),
    )


def test_every_term_is_its_function_times_its_weight(tiny, pictures, references):
    images, targets = pictures[1:3], tiny.embed(pictures[3:5])
    found = Objective(tiny, ALL, references).evaluate(images, targets)
    seen, guide = (tiny.features(x, ["low", "high"]) for x in (images, references.guide))
    high = {"high": seen["high"]}
    expected = {
        "embedding": 2 * (tiny.embed(images) - targets).square().sum(1),
        "guide": 0.3 * guide_distance(seen, guide, 2.0, relative=True),
        "gauss": 0.4 * gaussian_regulariser(high, references.activations, 0.01),
        "tv": 0.1 * total_variation(images, 1.5),
        "spectrum": 0.5 * spectrum_regulariser(images, 6.0, -1.0, 2),
        "bands": 0.6 * band_mismatch(images, references.bands, 1.2),
        "colour": 0.8 * colour_shift(images, references.colours),
        "mirror": 0.7 * mirror_asymmetry(images),
        "guide_pixels": 0.9 * pyramid_distance(images, references.guide.expand_as(images), 2),
    }
    assert found.terms.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.allclose(found.terms[name], value), name
    assert torch.allclose(found.total(), sum(expected.values()))
    assert torch.allclose(found.embeddings, tiny.embed(images))


def test_a_weight_of_zero_leaves_the_term_out(tiny, pictures):
    config = ObjectiveConfig(tv_weight=0, guide_weight=0)
    found = Objective(tiny, config, References()).evaluate(pictures[:1], tiny.embed(pictures[1:2]))
    assert list(found.terms) == ["embedding"]


def test_the_mirrored_embedding_is_the_mean_of_both(tiny, pictures):
    config = ObjectiveConfig(mirrored=True, guide_layers=("low",))
    objective = Objective(tiny, config, References(guide=pictures[:1]))
    found = objective.evaluate(pictures[1:3], tiny.embed(pictures[3:4]))
    both = (tiny.embed(pictures[1:3]) + tiny.embed(pictures[1:3].flip(-1))) / 2
    assert torch.allclose(found.embeddings, both)
    plain = Objective(tiny, ObjectiveConfig(guide_layers=("low",)), References(guide=pictures[:1]))
    straight = plain.evaluate(pictures[1:3], tiny.embed(pictures[3:4]))
    assert torch.allclose(found.terms["guide"], straight.terms["guide"])


def test_the_guide_moves_with_the_image(tiny, pictures):
    config = ObjectiveConfig(guide_layers=("low",), tv_weight=1.0)
    objective = Objective(tiny, config, References(guide=pictures[:1]))
    moves = Jitter(shift=2.0).draws([0, 1], 0)
    images, targets = pictures[:1].expand(2, -1, -1, -1), tiny.embed(pictures[1:3])
    found = objective.evaluate(images, targets, similarities=moves)
    assert found.terms["guide"].abs().max() < 1e-20
    assert torch.allclose(found.embeddings, tiny.embed(moved(images, moves)))
    assert torch.allclose(found.terms["tv"], total_variation(images))


def test_a_guide_that_does_not_move_is_seen_once(tiny, pictures):
    config = ObjectiveConfig(guide_layers=("low",))
    objective = Objective(tiny, config, References(guide=pictures[:1]))
    for _ in range(3):
        objective.evaluate(pictures[:2], tiny.embed(pictures[2:4]))
    assert tiny.calls == 3 + 3 + 1


def test_layers_and_references_are_checked(tiny, pictures):
    with pytest.raises(InversionError, match="no guide in the references"):
        Objective(tiny, ObjectiveConfig(), References())
    with pytest.raises(InversionError, match="no layer stem"):
        Objective(tiny, ObjectiveConfig(guide_layers=("stem",)), References(guide=pictures[:1]))
    with pytest.raises(InversionError, match="guide_layers is empty"):
        Objective(tiny, ObjectiveConfig(guide_layers=()), References(guide=pictures[:1]))
    with pytest.raises(InversionError, match="no bands"):
        Objective(tiny, ObjectiveConfig(guide_weight=0, bands_weight=1), References())
    with pytest.raises(InversionError, match="no colours"):
        Objective(tiny, ObjectiveConfig(guide_weight=0, colour_weight=1), References())


@pytest.mark.parametrize(
    "wrong",
    [{"tv_weight": -1}, {"guide_weight": -0.1}, {"embedding_weight": math.nan}, {"tv_alpha": 0},
     {"target_scale": -2}, {"distance": "cosine"}, {"mirror_weight": math.inf}],
)  # fmt: skip
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(InversionError, match=next(iter(wrong))):
        ObjectiveConfig(**wrong)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (torch.ones(2, 5), r"\(2, 5\), expected a tensor \(B, 6\)"),
        (torch.ones(6), r"\(6,\)"),
        (torch.ones(2, 6, dtype=torch.int64), "int64"),
        (torch.tensor([[1.0] * 6, [math.nan] * 6]), "embedding 1 holds NaN"),
        (torch.tensor([[1.0] * 6, [0.0] * 6]), "embedding 1 is zero"),
        (torch.ones(0, 6), "no target"),
        ([1.0] * 6, "list"),
    ],
)
def test_impossible_targets_are_refused(tiny, targets, message):
    objective = Objective(tiny, ObjectiveConfig(guide_weight=0), References())
    with pytest.raises(InversionError, match=message):
        objective.check(targets)


@pytest.mark.parametrize(
    ("guide", "message"),
    [
        (torch.rand(1, 3, 15, 16), r"\(1, 3, 16, 16\)"),
        (torch.rand(2, 3, 16, 16), r"\(3, 3, 16, 16\)"),
        (torch.rand(1, 1, 16, 16), "guide is"),
        (torch.full((1, 3, 16, 16), math.nan), "NaN"),
        (torch.full((1, 3, 16, 16), 255.0), "divide 8-bit"),
        (torch.zeros(1, 3, 16, 16, dtype=torch.uint8), "uint8"),
    ],
)
def test_impossible_guides_are_refused(tiny, guide, message):
    objective = Objective(tiny, ObjectiveConfig(guide_layers=("low",)), References(guide=guide))
    with pytest.raises(InversionError, match=message):
        objective.check(torch.ones(3, 6))
