"""The methods on one bench: small textures, random filters, few steps."""

import pytest
import torch

from visage.texture import methods
from visage.texture.analysis import METHODS as BLENDS
from visage.texture.backbones import load_backbone
from visage.texture.database import TextureDatabase
from visage.texture.errors import MethodError
from visage.texture.gram_database import GramDatabase
from visage.texture.methods import METHODS, Bench, infer
from visage.texture.observation import Observation
from visage.texture.synthesis import SynthesisConfig
from visage.texture.window import face_region

_SIZE = 64


def _textures(count: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    tone = 0.3 + 0.4 * torch.rand(count, 3, 1, 1, generator=generator)
    return (tone + 0.1 * torch.rand(count, 3, _SIZE, _SIZE, generator=generator)).clamp(0, 1)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    database = TextureDatabase.of(_textures())
    backbone = load_backbone("random_vgg19", width=0.1)
    grams = GramDatabase.of(backbone, database, folder=folder, progress=False)
    return Bench(database, grams, SynthesisConfig(iterations=2), folder / "inferred")


def _seen(person: int = 1) -> Observation:
    """The left half of a face in the database."""
    visible = face_region(_SIZE).clone()
    visible[..., _SIZE // 2 :] = 0
    texture = TextureDatabase.of(_textures()).textures([person])
    smooth = texture.mean((2, 3), keepdim=True).expand_as(texture).contiguous()
    return Observation(torch.where(visible > 0, texture, 0.5), visible, smooth)


def test_a_face_of_the_database_is_found_there(bench):
    weights = bench.weights(_seen(2))
    for name in ("convex", "closest", "unconstrained"):
        torch.testing.assert_close(weights[name], torch.eye(4)[2], atol=0.02, rtol=0)


def test_every_method_gives_a_texture(bench):
    seen = _seen()
    found = infer(seen, bench)
    assert tuple(found) == METHODS
    for texture in found.values():
        assert texture.shape == (1, 3, _SIZE, _SIZE)
        assert 0 <= float(texture.min()) <= float(texture.max()) <= 1
    assert torch.equal(found["pca"], seen.low_frequency)
    for name in ("patch_match", "biharmonic"):
        known = seen.visible.expand(-1, 3, -1, -1) > 0
        torch.testing.assert_close(found[name][known], seen.texture[known])
    # Two steps towards the correlations of skin with grain give grain where there was none.
    assert float(found["convex"].std((2, 3)).min()) > float(found["pca"].std((2, 3)).max()) + 1e-3


def test_kept_and_found_again(bench, monkeypatch):
    first = infer(_seen(), bench, BLENDS)
    monkeypatch.setattr(methods, "synthesise", None)
    monkeypatch.setattr(GramDatabase, "compare", None)
    again = infer(_seen(), bench, BLENDS)
    for name in BLENDS:
        assert torch.equal(first[name], again[name])
    with pytest.raises(TypeError):
        infer(_seen(3), bench, ("convex",))  # another photograph is not taken for this one


def test_the_cache_knows_settings(bench, monkeypatch):
    """Other steps, or other low frequencies, are another texture."""
    infer(_seen(), bench, ("convex",))
    longer = Bench(bench.database, bench.grams, SynthesisConfig(iterations=3), bench.folder)
    monkeypatch.setattr(methods, "synthesise", None)
    with pytest.raises(TypeError):
        infer(_seen(), longer, ("convex",))


def test_quilting_depends_on_the_seed_only(bench):
    seen = _seen()
    one, two = (infer(seen, bench, ("quilting",), seed=5)["quilting"] for _ in range(2))
    assert torch.equal(one, two)


def test_unknown_methods_are_refused(bench):
    with pytest.raises(MethodError, match="no method 'magic'"):
        infer(_seen(), bench, ("magic",))
