"""Examples, metrics and training, with a recogniser of a few numbers in dlib's place."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from visage.normalization.decoder import DecoderConfig
from visage.normalization.decoder_examples import (
    ExampleStream,
    Mixture,
    collected_examples,
    in_oval,
    is_held_out,
    mirrored_landmarks,
    steady_part,
)
from visage.normalization.decoder_loss import LossConfig
from visage.normalization.decoder_metrics import (
    own_chips,
    seen,
    sharpness,
    similarity,
    within_over_between,
)
from visage.normalization.faces import NormalFaces
from visage.normalization.features import FeaturesError, IdentityFeatures, Layer
from visage.normalization.frame import mean_landmarks
from visage.normalization.train import RECIPES, Plan, decoder_recipe, plan_of
from visage.normalization.training_data import WildChips
from visage.photos.alignment import DLIB_CHIP, MEAN_FACE
from visage.training import TrainingConfig, train

SIZE = 32


class Tiny(nn.Module):
    """Means of a chip's quarters and colours through a fixed matrix."""

    name = "dlib_resnet"
    crop = DLIB_CHIP
    dim = 6
    threshold = 0.2

    def __init__(self):
        super().__init__()
        matrix = torch.randn(48, 6, generator=torch.Generator().manual_seed(5)) / 3
        self.matrix = nn.Parameter(matrix, requires_grad=False)
        self.fc = nn.Identity()

    def features(self, chips, names):
        small = nn.functional.adaptive_avg_pool2d(chips, 4).flatten(1)
        return {name: small @ self.matrix.to(small) for name in names}

    def embed(self, chips):
        return self.features(chips, ["pooled"])["pooled"]

    def distance(self, a, b):
        return (a - b).norm(dim=-1)


@pytest.fixture
def features(monkeypatch):
    monkeypatch.setitem(
        __import__("visage.normalization.features", fromlist=["LAYERS"]).LAYERS,
        "dlib_resnet",
        Layer("pooled", 6),
    )
    return IdentityFeatures(Tiny())


def face_landmarks(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(68, 2, generator=generator)
    points[17:] = torch.tensor([MEAN_FACE[i] for i in range(17, 68)])
    return 8 + 16 * points + 0.3 * torch.randn(count, 68, 2, generator=generator)


def faces(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(count, 3, 4, 4, generator=generator)
    images = nn.functional.interpolate(noise, (SIZE, SIZE), mode="bicubic").clamp(0, 1)
    names = tuple(f"person-{n}" for n in range(count))
    return NormalFaces(names, (255 * images).to(torch.uint8), face_landmarks(count, seed))


@pytest.fixture
def examples(features, tmp_path):
    base = faces(24)
    morphs = replace(faces(30, 7), people=tuple(f"person-{n % 24}" for n in range(30)))
    chips = (255 * torch.rand(40, 3, 150, 150, generator=torch.Generator().manual_seed(1))).byte()
    rows = torch.arange(40) % 24
    photos = WildChips(tuple(f"person-{n}" for n in rows.tolist()), chips, rows)
    mean = mean_landmarks(base.landmarks)
    others = WildChips(tuple(f"other-{n}" for n in range(20)), chips[:20], rows[:20])
    return collected_examples(base, morphs, mean, photos, features, others=others, folder=tmp_path)


def test_examples_hold_everything_once(examples, features, tmp_path):
    assert examples.bases == 24
    assert examples.images.shape == examples.textures.shape == (54, 3, SIZE, SIZE)
    assert examples.features.shape == (54, 6)
    assert examples.photo_features.shape == (40, 6)
    known = examples.normal()
    assert torch.allclose(known.texture, examples.textures[:24].float().mean(0) / 255)
    assert torch.allclose(
        examples.normal(plain=True).texture, examples.images[:24].float().mean(0) / 255
    )
    files = list((tmp_path / "normalization" / "features").iterdir())
    assert len(files) == 3


def test_features_are_remembered(examples, features, tmp_path, monkeypatch):
    base, mean = faces(24), examples.mean
    looked = []
    plain = IdentityFeatures.of

    def count(self, chips):
        looked.append(len(chips))
        return plain(self, chips)

    monkeypatch.setattr(IdentityFeatures, "of", count)
    photos = WildChips((), torch.zeros(0, 3, 150, 150, dtype=torch.uint8), torch.zeros(0).long())
    for _ in range(2):
        collected_examples(base, base[:0], mean, photos, features, folder=tmp_path)
    assert sum(looked) == 24 + 2  # once all, and a probe each time


def test_a_recogniser_with_another_crop_is_refused(examples, features):
    features.encoder.crop = replace(DLIB_CHIP, name="other")
    with pytest.raises(FeaturesError, match="other"):
        collected_examples(faces(3), faces(3)[:0], examples.mean, None, features)


def test_item_depends_on_seed_and_number_only(examples):
    stream = ExampleStream(3, examples, Mixture(others=0.0))
    batch, single = stream.batch(range(20)), stream.batch([7])
    # Compared by everything at once: a face may be drawn twice, and mirrored once.
    same = torch.stack(
        [(batch[key] == single[key]).flatten(1).all(1) for key in ("features", "texture")]
    )
    assert same.all(0).any()
    other = ExampleStream(4, examples, stream.mixture).batch(range(20))
    assert not torch.equal(batch["features"], other["features"])


def test_nobody_who_is_held_out_is_drawn(examples):
    held = [n for n in range(200) if is_held_out(f"person-{n}")]
    assert 3 <= len(held) <= 30
    stream = ExampleStream(0, examples)
    drawn = {examples.people[int(row)] for row in stream.faces}
    with_photos = {examples.people[int(examples.photo_rows[row])] for row in stream.photos}
    assert with_photos
    assert with_photos <= drawn
    assert drawn == {name for name in examples.people if not is_held_out(name)}


def test_the_mixture_is_what_it_says(examples):
    none = ExampleStream(0, examples, Mixture(photos=0.0, others=0.0, morphed=False, mirrored=0.0))
    batch = none.batch(range(60))
    base = examples.features[:24]
    assert all((base == row).all(1).any() for row in batch["features"])
    plain = ExampleStream(0, examples, replace(none.mixture, plain=True)).batch(range(60))
    row = int((base == batch["features"][0]).all(1).nonzero()[0])
    assert torch.allclose(plain["texture"][0], examples.images[row].float() / 255)
    assert torch.allclose(batch["texture"][0], examples.textures[row].float() / 255)
    photos = ExampleStream(0, examples, Mixture(photos=1.0, others=0.0)).batch(range(30))
    assert all((examples.photo_features == row).all(1).any() for row in photos["features"])


def test_people_without_a_normal_face_come_first_and_are_not_held_to_one(examples, features):
    stream = ExampleStream(0, examples, Mixture(others=0.5))
    batch = stream.batch(range(40))
    count = int((~batch["known"]).sum())
    assert 10 < count < 30
    assert not batch["known"][:count].any()
    held = {row for row, name in enumerate(examples.other_people) if is_held_out(name)}
    for row in batch["features"][:count]:
        same = (examples.other_features == row).all(1).nonzero()[:, 0].tolist()
        assert same
        assert not held & set(same)
    made = recipe(examples, features, identity=0.0)
    torch.manual_seed(0)
    decoder = made.build_model()
    other = {**batch, "texture": batch["texture"].clone()}
    other["texture"][:count] = 0.0
    losses = [made.loss(decoder, some, torch.Generator())[0] for some in (batch, other)]
    assert losses[0] == losses[1]


def test_what_to_believe_of_a_photograph():
    generator = torch.Generator().manual_seed(0)
    # Three directions in which people differ more and more, and photographs always by 1.
    between, number, each = torch.tensor([0.0, 1.0, 3.0]), 4000, 4
    means = between * torch.randn(number, 1, 3, generator=generator)
    features = (means + torch.randn(number, each, 3, generator=generator)).flatten(0, 1)
    people = torch.arange(number).repeat_interleave(each)
    wanted = torch.diag(between**2 / (between**2 + 1))
    assert torch.allclose(steady_part(features, people), wanted, atol=0.03)
    half = steady_part(features, people, 0.5)
    assert torch.allclose(half, (wanted + torch.eye(3)) / 2, atol=0.03)
    assert torch.allclose(steady_part(features, people, 0.0), torch.eye(3), atol=1e-6)
    # It is the best linear guess at the person's mean.
    expected = features @ steady_part(features, people).mT
    truth = means.expand(-1, each, -1).flatten(0, 1)
    assert (expected - truth).square().mean() < 0.7 * (features - truth).square().mean()
    assert steady_part(features[::each], people[::each]) is None


def test_the_oval_hides_what_is_behind_a_head():
    faces = torch.stack([torch.zeros(3, 112, 112), torch.full((3, 112, 112), 255.0)]).byte()
    shown = in_oval(faces)
    assert torch.equal(shown[..., 30:80, 40:70], faces[..., 30:80, 40:70])
    assert torch.equal(shown[0, ..., 0], shown[1, ..., 0])
    assert torch.equal(shown, shown.flip(-1))
    small = in_oval(torch.zeros(1, 3, 56, 56).byte())
    whole = torch.nn.functional.avg_pool2d(shown[:1].float(), 2)
    assert (small.float() - whole).abs().max() < 12


def test_single_photographs_are_not_their_own_targets(examples):
    alone = replace(examples, photo_rows=torch.arange(40).clamp(max=20))
    stream = ExampleStream(0, alone)
    assert set(alone.photo_rows[stream.photos].tolist()) <= {20}


def test_mirrored_faces_have_mirrored_landmarks(examples):
    flipped = ExampleStream(0, examples, Mixture(mirrored=1.0)).batch(range(8))
    straight = ExampleStream(0, examples, Mixture(mirrored=0.0)).batch(range(8))
    assert torch.equal(flipped["texture"], straight["texture"].flip(-1))
    there = mirrored_landmarks(straight["landmarks"], SIZE)
    assert torch.equal(flipped["landmarks"], there)
    # The left corner of the mouth is at the right now, and is the right corner.
    assert torch.allclose(there[:, 48, 0], SIZE - 1 - straight["landmarks"][:, 54, 0])


def recipe(examples, features, steps=4, **loss):
    config = TrainingConfig(steps=steps, batch_size=4, warmup=1, log_every=1, learning_rate=3e-3)
    plan = Plan(
        loss=LossConfig(identity_from=0, identity_full=1, seen=2, half=False, **loss),
        training=config,
    )
    made = decoder_recipe("tiny", "a tiny one", plan, lambda: examples, lambda: features)
    shape = DecoderConfig(6, 8, SIZE, 16, 4, 12)
    return replace(made, build_model=lambda: plan.network()(shape, examples.normal()))


def test_training_learns_landmarks_and_identity(examples, features, tmp_path):
    made = recipe(examples, features, steps=40, identity=2.0)
    torch.manual_seed(0)
    decoder = made.build_model()
    batch = made.build_stream(9).batch(range(4, 36))  # the identity loss is full by then

    def terms(model):
        with torch.no_grad():
            return made.loss(model, batch, torch.Generator().manual_seed(0))[1]

    before, after = terms(decoder), terms(train(made, folder=tmp_path).model)
    assert after["identity"] < before["identity"] - 0.02
    assert after["landmarks"] < before["landmarks"]


def test_textures_are_learned_where_there_is_something_to_learn(examples, features, tmp_path):
    # Bright faces have other features than dark ones.
    shade = torch.linspace(0, 1, len(examples.people))
    textures = (255 * shade)[:, None, None, None].expand_as(examples.textures).to(torch.uint8)
    told = shade[:, None].expand(-1, 6) + torch.zeros_like(examples.features)
    examples = replace(examples, textures=textures, features=told)
    made = recipe(examples, features, steps=60, identity=0.0, landmarks=0.0)
    stream = ExampleStream(0, examples, Mixture(photos=0.0, others=0.0))
    made = replace(made, build_stream=lambda seed: stream)
    torch.manual_seed(0)
    before, model = made.build_model(), train(made, folder=tmp_path).model
    batch = stream.batch(range(1000, 1032))
    errors = [made.loss(m, batch, torch.Generator())[1]["texture"] for m in (before, model)]
    assert errors[1] < 0.7 * errors[0]


def test_without_identity_nothing_is_rendered(examples, features):
    made = recipe(examples, features, identity=0.0)
    torch.manual_seed(0)
    decoder, batch = made.build_model(), made.build_stream(0).batch(range(4))
    loss, terms = made.loss(decoder, batch, torch.Generator())
    assert "identity" not in terms
    wanted = terms["landmarks"] + 100 * terms["texture"]
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)


def test_a_stopped_run_resumes_to_the_same_weights(examples, features, tmp_path):
    whole = train(recipe(examples, features, steps=3), folder=tmp_path / "a").model
    again = train(recipe(examples, features, steps=3), folder=tmp_path / "a").model
    for a, b in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


def test_decoded_faces_are_seen_by_their_own_landmarks(examples, features):
    torch.manual_seed(0)
    decoder = recipe(examples, features).build_model().eval()
    found = seen(decoder, features, examples.features[:5])
    assert found.distances.shape == found.within.shape == (5,)
    assert own_chips(found.decoded, DLIB_CHIP).shape == (5, 3, 150, 150)
    assert torch.equal(found.within, found.distances < 0.2)


def test_variance_within_over_between():
    generator = torch.Generator().manual_seed(0)
    centres = 3 * torch.randn(400, 1, 5, generator=generator)
    drawn = (centres + torch.randn(400, 4, 5, generator=generator)).flatten(0, 1)
    people = torch.arange(400).repeat_interleave(4)
    assert within_over_between(drawn, people) == pytest.approx(1 / 9, rel=0.05)


def test_sharp_and_similar():
    picture = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    soft = nn.functional.avg_pool2d(picture, 5, stride=1, padding=2)
    assert (sharpness(soft) < 0.5 * sharpness(picture)).all()
    assert torch.allclose(similarity(picture, picture), torch.ones(2))
    assert (similarity(picture, soft) < 0.9).all()


def test_every_recipe_has_its_plan():
    shipped = {"normalization_synthetic", "normalization_lfw"}
    assert shipped < set(RECIPES)
    short = plan_of("normalization_synthetic_short")
    for name, made in RECIPES.items():
        assert made.name == name
        assert made.config == plan_of(name).training
        if name not in shipped:
            # A comparison is fair where all are trained equally long.
            assert plan_of(name).training == short.training
            assert plan_of(name).loss.identity_full == short.loss.identity_full
    assert plan_of("normalization_lfw_no_identity").loss.identity == 0
    assert plan_of("normalization_synthetic_no_morphs").mixture.morphed is False
