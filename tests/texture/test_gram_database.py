import numpy as np
import pytest
import torch

from visage.texture import gram_database
from visage.texture.backbones import load_backbone
from visage.texture.database import TextureDatabase
from visage.texture.errors import BackboneError, GramError
from visage.texture.gram import grams
from visage.texture.gram_database import GramDatabase, coarsened
from visage.texture.yiq import luminance

SIZE, COUNT = 48, 5


def textures(count=COUNT, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(count, 3, SIZE, SIZE, generator=generator) * 255).round() / 255


@pytest.fixture(scope="module")
def backbone():
    return load_backbone("random_vgg19", width=0.05)


@pytest.fixture(scope="module")
def region():
    inside = torch.ones(1, 1, SIZE, SIZE)
    inside[..., :6] = 0
    return inside


@pytest.fixture(scope="module")
def database():
    return TextureDatabase.of(textures())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def correlations(backbone, database, region, folder):
    return GramDatabase.of(backbone, database, region=region, folder=folder, progress=False)


@pytest.fixture(scope="module")
def query():
    return luminance(textures(1, seed=7))


@pytest.fixture(scope="module")
def visible():
    seen = torch.ones(1, 1, SIZE, SIZE)
    seen[..., 30:] = 0
    return seen


def naive(backbone, database, region, query, visible):
    """Inner products of whole matrices, one by one."""
    seen = visible * region
    made = [grams(backbone, y[None], seen) for y in database.luminance()]
    target = grams(backbone, query, seen)
    for layer in backbone.gram_layers:
        a = torch.stack([one[layer].flatten() for one in made]).double()
        b = target[layer].flatten().double()
        yield a @ a.mT, a @ b, b @ b


class TestComplete:
    def test_each(self, backbone, database, region, correlations):
        assert len(correlations) == COUNT
        found = correlations.complete([3, 1])
        assert tuple(found) == backbone.gram_layers
        expected = grams(backbone, database.luminance([3, 1]), region)
        for layer in expected:
            torch.testing.assert_close(found[layer], expected[layer], atol=1e-4, rtol=1e-4)

    def test_blend(self, correlations):
        weights = torch.tensor([0.5, 0, 0, 0.75, -0.25])
        every = correlations.complete(range(COUNT))
        for layer, matrix in correlations.full(weights).items():
            assert matrix.dtype == torch.float32
            expected = torch.einsum("k,kij->ij", weights, every[layer])
            torch.testing.assert_close(matrix[0], expected)

    def test_on_disk_once(self, backbone, database, region, folder, correlations, monkeypatch):
        monkeypatch.setattr(GramDatabase, "_fill", lambda *_: pytest.fail("computed again"))
        again = GramDatabase.of(backbone, database, region=region, folder=folder, progress=False)
        np.testing.assert_array_equal(again.kept, correlations.kept)

    def test_anything_else_has_its_own_file(self, backbone, database, region, tmp_path):
        other = TextureDatabase.of(textures(seed=1))
        smaller = TextureDatabase.of(textures()[:4])
        layers = backbone.gram_layers[:2]
        made = [
            (backbone, database, layers, region),
            (backbone, database, layers[:1], region),
            (backbone, database, layers, torch.ones_like(region)),
            (load_backbone("random_vgg19", width=0.05, seed=1), database, layers, region),
            (backbone, other, layers, region),
            (backbone, smaller, layers, region),
        ]
        for network, base, names, inside in made:
            GramDatabase.of(network, base, names, region=inside, folder=tmp_path, progress=False)
        assert len(list((tmp_path / "texture").glob("grams-*.npy"))) == len(made)

    def test_interrupted_leaves_nothing(self, backbone, database, region, tmp_path, monkeypatch):
        def interrupt(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(GramDatabase, "_fill", interrupt)
        with pytest.raises(KeyboardInterrupt):
            GramDatabase.of(backbone, database, region=region, folder=tmp_path, progress=False)
        assert list((tmp_path / "texture").iterdir()) == []


class TestCompare:
    def test_naive(self, backbone, database, region, correlations, query, visible):
        found = correlations.compare(query, visible, progress=False)
        assert found.layers == backbone.gram_layers
        expected = list(naive(backbone, database, region, query, visible))
        for layer, (normal, right, square) in enumerate(expected):
            torch.testing.assert_close(found.normals[layer], normal, atol=0, rtol=1e-5)
            torch.testing.assert_close(found.rights[layer], right, atol=0, rtol=1e-5)
            torch.testing.assert_close(found.squares[layer], square, atol=0, rtol=1e-5)

    def test_how_much_the_mask_leaves(self, backbone, database, region, correlations, query):
        """Over complete matrices, as lengths; nothing is counted more than once."""
        for width in (10, 30, SIZE):
            visible = torch.ones(1, 1, SIZE, SIZE)
            visible[..., width:] = 0
            found = correlations.compare(query, visible, progress=False).seen
            for layer, share in zip(backbone.gram_layers, found, strict=True):
                masked, complete = (
                    sum(
                        float(grams(backbone, y[None], seen)[layer].square().sum())
                        for y in database.luminance()
                    )
                    for seen in (visible * region, region)
                )
                assert float(share) == pytest.approx(min(1, masked / complete) ** 0.5, rel=1e-4)

    @pytest.mark.parametrize("columns", [1, 7, 1 << 14])
    def test_blocks_and_files_change_nothing(
        self, correlations, query, visible, monkeypatch, columns
    ):
        expected = correlations.compare(query, visible, progress=False)
        monkeypatch.setattr(gram_database, "IN_MEMORY", 0)
        monkeypatch.setattr(gram_database, "_COLUMNS", columns)
        found = correlations.compare(query, visible, progress=False)
        torch.testing.assert_close(found.normals, expected.normals, atol=0, rtol=1e-12)
        torch.testing.assert_close(found.rights, expected.rights, atol=0, rtol=1e-12)

    def test_all_visible_needs_no_masking(self, correlations, query, region, monkeypatch):
        everything = torch.ones_like(region)
        expected = correlations.compare(query, everything * 0.999, progress=False)
        monkeypatch.setattr(GramDatabase, "_fill", lambda *_: pytest.fail("masked again"))
        found = correlations.compare(query, everything, progress=False)
        torch.testing.assert_close(found.normals, expected.normals, atol=0, rtol=0.02)

    def test_what_is_hidden_does_not_count(self, correlations, query, visible):
        other = torch.where(visible > 0, query, torch.nan)
        expected = correlations.compare(query, visible, progress=False)
        found = correlations.compare(other, visible, progress=False)
        assert torch.equal(found.rights, expected.rights)


class TestCoarse:
    def test_coarsened(self):
        checks = torch.ones(1, 1, 8, 8)
        checks[..., ::2] = 0
        flat = coarsened(checks, 0.5)
        assert flat.shape == checks.shape
        torch.testing.assert_close(flat, torch.full_like(checks, 0.5))
        assert coarsened(checks, 1.0) is checks
        assert coarsened(checks, 3.0) is checks
        for wrong in (0.0, -1.0, float("nan")):
            with pytest.raises(GramError, match="positive"):
                coarsened(checks, wrong)

    def test_naive(self, backbone, database, region, correlations, query, visible):
        """The same as with a database of coarser textures; the query is coarse by itself."""
        found = correlations.compare(query, visible, pixels=0.5, progress=False)
        coarse = coarsened(correlations.database.luminance(), 0.5)
        seen = visible * region
        layer = backbone.gram_layers[0]
        a = grams(backbone, coarse, seen)[layer].flatten(1).double()
        b = grams(backbone, query, seen)[layer].flatten().double()
        torch.testing.assert_close(found.normals[0], a @ a.mT, atol=0, rtol=1e-4)
        torch.testing.assert_close(found.rights[0], a @ b, atol=0, rtol=1e-4)

    def test_all_visible_is_masked_again(self, correlations, query, region):
        sharp = correlations.compare(query, region, progress=False)
        coarse = correlations.compare(query, region, pixels=0.5, progress=False)
        assert torch.equal(coarse.squares, sharp.squares)
        assert (coarse.normals[0].diagonal() < sharp.normals[0].diagonal()).all()


class TestBadInput:
    def test_nothing_visible(self, correlations, query, region):
        with pytest.raises(GramError, match="nothing of the face is visible"):
            correlations.compare(query, 1 - region)

    def test_another_size(self, correlations, query, visible):
        with pytest.raises(GramError, match=r"expected both \(1, 1, 48, 48\)"):
            correlations.compare(query[..., :32, :32], visible[..., :32, :32])

    def test_weights(self, correlations):
        with pytest.raises(GramError, match=r"expected \(5,\)"):
            correlations.full(torch.ones(4))

    def test_region(self, backbone, database, folder):
        with pytest.raises(GramError, match="same size"):
            GramDatabase.of(backbone, database, region=torch.ones(1, 1, 32, 32), folder=folder)

    def test_layer(self, backbone, database, region, folder):
        with pytest.raises(BackboneError, match="expected a list"):
            GramDatabase.of(backbone, database, ["conv1"], region=region, folder=folder)


def test_face_region_by_default(backbone, database, region, folder, monkeypatch):
    asked = []
    monkeypatch.setattr(gram_database, "face_region", lambda size: asked.append(size) or region)
    found = GramDatabase.of(backbone, database, ["relu1_1"], folder=folder, progress=False)
    assert torch.equal(found.region, region)
    assert asked == [SIZE]
