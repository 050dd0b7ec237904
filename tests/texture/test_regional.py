import pytest
import torch
import torch.nn.functional as F

from visage.texture.backbones import Backbone, load_backbone
from visage.texture.energy import Energy
from visage.texture.errors import BackboneError
from visage.texture.gram import gram, grams
from visage.texture.regional import REGIONS, Regional, region_masks
from visage.texture.window import face_region

SIZE = 96


@pytest.fixture(scope="module")
def base():
    return load_backbone("random_vgg19", width=0.05)


@pytest.fixture(scope="module")
def regional(base):
    return Regional(base, ["relu1_1", "relu2_1"])


@pytest.fixture
def luminance():
    return torch.rand(2, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


class TestMasks:
    def test_share_the_face_among_them(self):
        masks = region_masks(SIZE)
        assert tuple(masks) == REGIONS
        total = sum(masks.values())
        assert all((mask >= 0).all() for mask in masks.values())
        assert total.max() < 1 + 1e-5
        torch.testing.assert_close(total[face_region(SIZE) > 0], torch.ones(()).expand(
            int(face_region(SIZE).sum())), atol=1e-4, rtol=0)  # fmt: skip

    def test_where_they_are(self):
        """Brows above lids above lips; the outline round all."""
        masks = region_masks(SIZE)
        rows = torch.arange(SIZE).view(1, 1, -1, 1)
        height = {name: float((mask * rows).sum() / mask.sum()) for name, mask in masks.items()}
        assert height["brows"] < height["lids"] < height["lips"] < height["beard"] + SIZE / 8
        distance = (torch.arange(SIZE) - SIZE / 2 + 0.5).abs().view(1, 1, 1, -1)
        apart = {name: float((mask * distance).sum() / mask.sum()) for name, mask in masks.items()}
        assert apart["outline"] > apart["skin"] > apart["lips"]

    def test_about_the_same_at_any_size(self):
        for name, mask in region_masks(2 * SIZE).items():
            small = F.avg_pool2d(mask, 2)
            assert (small - region_masks(SIZE)[name]).abs().mean() < 0.02


class TestRegional:
    def test_is_a_backbone(self, regional, base):
        assert isinstance(regional, Backbone)
        assert regional.name == base.name
        assert regional.key != base.key
        assert len(regional.gram_layers) == 2 * len(REGIONS)
        assert set(regional.gram_layers) <= set(regional.layers)
        assert regional.feature_layers == base.feature_layers
        assert len(Regional(base).gram_layers) == len(base.gram_layers) * len(REGIONS)

    def test_naive(self, regional, base, luminance):
        """G = Σ mask f fᵀ over the number of texels of the region's box."""
        layer, region = "relu2_1", "lips"
        found = regional.features(luminance, [f"{layer}@{region}"])[f"{layer}@{region}"]
        features = base.features(luminance, [layer])[layer]
        mask = F.adaptive_avg_pool2d(region_masks(SIZE)[region], features.shape[2:])
        expected = torch.einsum("bihw,bjhw,hw->bij", features, features, mask[0, 0])
        texels = found.shape[2] * found.shape[3]
        assert texels < features.shape[2] * features.shape[3] / 4
        torch.testing.assert_close(gram(found) * texels, expected, rtol=5e-3, atol=1e-3)

    def test_all_regions_are_the_whole(self, regional, base, luminance):
        """Added up, over the face; outside of it nothing is left when it is masked out."""
        visible = face_region(SIZE)
        found = grams(regional, luminance, visible)
        whole = grams(base, luminance, visible, ["relu1_1"])["relu1_1"] * SIZE**2
        features = regional.features(luminance, [f"relu1_1@{name}" for name in REGIONS])
        total = sum(
            found[layer] * values.shape[2] * values.shape[3] for layer, values in features.items()
        )
        torch.testing.assert_close(total, whole, rtol=0.02, atol=0.02 * float(whole.max()))

    def test_plain_layers_are_the_base_s(self, regional, base, luminance):
        found = regional.features(luminance, ["relu1_2", "relu1_1@skin"])
        assert tuple(found) == ("relu1_2", "relu1_1@skin")
        assert torch.equal(found["relu1_2"], base.features(luminance, ["relu1_2"])["relu1_2"])

    def test_a_region_hears_nothing_of_far_away(self, regional, luminance):
        changed = luminance.clone()
        changed[:, :, : SIZE // 3] = 0.3  # forehead and brows
        for layer, values in regional.features(changed, ["relu1_1@lips", "relu1_1@skin"]).items():
            same = torch.equal(values, regional.features(luminance, [layer])[layer])
            assert same == layer.endswith("lips")

    def test_gradient_of_the_energy(self, base):
        """The synthesis takes it as any other backbone."""
        network = Regional(load_backbone("random_vgg19", width=0.05).double(), ["relu1_1"])
        generator = torch.Generator().manual_seed(1)
        target, point = torch.rand(2, 1, 1, SIZE, SIZE, generator=generator).double()
        region = face_region(SIZE).double()
        energy = Energy(network, grams(network, target, region), {}, region, 2000.0)
        value, gradient, _ = energy(point)
        direction = torch.randn(point.shape, generator=generator).double() * region
        step = 1e-6
        ahead, behind = (energy(point + sign * step * direction)[0] for sign in (1, -1))
        slope = float((gradient * direction).sum())
        assert (ahead - behind) / (2 * step) == pytest.approx(slope, rel=1e-4)
        assert value > 0

    def test_bad_input(self, regional, luminance):
        with pytest.raises(BackboneError, match="regions are of square windows"):
            regional.features(luminance[..., :64], ["relu1_1@lips"])
        for layers in (["relu1_1@nose"], "relu1_1", ["relu2_2@lips"]):
            with pytest.raises(BackboneError, match="expected a list of some"):
                regional.features(luminance, layers)
