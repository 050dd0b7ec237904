import hashlib
import http.server
import threading
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from visage.photos.downloads import DOWNLOADS, DownloadError
from visage.texture import vgg19
from visage.texture.backbones import load_backbone
from visage.texture.errors import BackboneError
from visage.texture.vgg19 import DOWNLOAD, FIVE, GROUPS, MEAN, STD, VGG19, pink_noise

SMALL = ((4, 4), (6, 6), (8,) * 4, (10,) * 4, (12,) * 4)


@pytest.fixture
def state(monkeypatch):
    """Weights as torchvision names them, of a narrower network."""
    monkeypatch.setattr(vgg19, "GROUPS", SMALL)
    generator = torch.Generator().manual_seed(0)
    found, index, inputs = {}, 0, 3
    for group in SMALL:
        for maps in group:
            found[f"features.{index}.weight"] = torch.randn(
                maps, inputs, 3, 3, generator=generator
            ) / (3 * inputs**0.5)
            found[f"features.{index}.bias"] = 0.1 * torch.randn(maps, generator=generator)
            inputs, index = maps, index + 2
        index += 1
    return found | {"classifier.0.weight": torch.zeros(2, 2)}


@pytest.fixture
def file(state, tmp_path):
    torch.save(state, tmp_path / "vgg19.pth")
    return tmp_path / "vgg19.pth"


@pytest.fixture
def luminance():
    return torch.rand(2, 1, 32, 48, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def served(file, monkeypatch, tmp_path):
    """The registry's entry, from a server on this machine; yields what it was asked for."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            asked.append(self.path)
            body = file.read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    entry = replace(
        DOWNLOADS[DOWNLOAD],
        urls=(f"http://127.0.0.1:{server.server_address[1]}/vgg19.pth",),
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
    )
    monkeypatch.setitem(DOWNLOADS, DOWNLOAD, entry)
    monkeypatch.setenv("VISAGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield asked
    server.shutdown()
    server.server_close()
    thread.join()


class TestTrained:
    def test_sixteen_convolutions(self):
        assert sum(map(len, GROUPS)) == 16
        assert len(VGG19(GROUPS, "max", "vgg19", "vgg19", MEAN, STD, FIVE).layers) == 16

    @pytest.mark.parametrize("pooling", ["average", "max"])
    def test_naive(self, state, file, luminance, pooling):
        network = load_backbone("vgg19", weights=file, pooling=pooling)
        assert network.key == f"vgg19_{pooling}"
        found = network.features(luminance, network.layers)
        x = luminance.expand(-1, 3, -1, -1)
        x = (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
        index, names = 0, iter(network.layers)
        for number, group in enumerate(SMALL, 1):
            for layer in range(1, len(group) + 1):
                weight, bias = (state[f"features.{index}.{part}"] for part in ("weight", "bias"))
                x = F.conv2d(x, weight, bias, padding=1).relu()
                name = next(names)
                assert name == f"relu{number}_{layer}"
                torch.testing.assert_close(found[name], x)
                index += 2
            x = F.max_pool2d(x, 2) if pooling == "max" else F.avg_pool2d(x, 2)
            index += 1

    def test_download(self, served, luminance, file):
        first = load_backbone("vgg19")
        second = load_backbone("vgg19")  # from the cache
        assert served == ["/vgg19.pth"]
        for network in (first, second):
            torch.testing.assert_close(
                network.features(luminance, ["relu2_1"]),
                load_backbone("vgg19", weights=file).features(luminance, ["relu2_1"]),
            )

    def test_another_file_arrives(self, served, file):
        file.write_bytes(b"something else")
        with pytest.raises(DownloadError, match="another sha256"):
            load_backbone("vgg19")

    def test_wrong_files(self, state, tmp_path):
        (tmp_path / "text.pth").write_text("no weights")
        with pytest.raises(BackboneError, match=r"cannot be read as a file of torch\.save"):
            load_backbone("vgg19", weights=tmp_path / "text.pth")
        with pytest.raises(BackboneError, match=r"cannot be read"):
            load_backbone("vgg19", weights=tmp_path / "missing.pth")
        del state["features.7.bias"]
        torch.save(state, tmp_path / "short.pth")
        with pytest.raises(BackboneError, match=r"'features\.7\.bias' is missing or not \(6,\)"):
            load_backbone("vgg19", weights=tmp_path / "short.pth")
        torch.save([1, 2], tmp_path / "list.pth")
        with pytest.raises(BackboneError, match=r"'features\.0\.weight' is missing"):
            load_backbone("vgg19", weights=tmp_path / "list.pth")


class TestRandom:
    def test_determined_by_the_seed(self, luminance):
        one, same, other = (VGG19.random(0.05, seed) for seed in (0, 0, 1))
        layers = one.gram_layers[:3]
        for layer, features in one.features(luminance, layers).items():
            assert torch.equal(features, same.features(luminance, layers)[layer])
            assert not torch.equal(features, other.features(luminance, layers)[layer])
        assert len({one.key, other.key, VGG19.random(0.1).key}) == 3

    def test_global_seed_is_left_alone(self):
        torch.manual_seed(7)
        expected = torch.rand(1)
        torch.manual_seed(7)
        VGG19.random(0.05)
        assert torch.equal(torch.rand(1), expected)

    def test_mid_grey_is_zero(self):
        network = VGG19.random(0.05)
        found = network.features(torch.full((1, 1, 32, 32), 0.5), network.layers)
        assert all((features == 0).all() for features in found.values())

    def test_filters(self):
        network = VGG19.random(0.25)
        for convolution in (layer for group in network.groups for layer in group):
            rows = convolution.weight.flatten(1).double()
            assert rows.sum(1).abs().max() < 1e-4 * rows.norm(dim=1).max()
            assert (convolution.bias == 0).all()
            if rows.shape[0] < rows.shape[1]:
                unit = F.normalize(rows)
                identity = torch.eye(len(unit), dtype=torch.float64)
                torch.testing.assert_close(unit @ unit.mT, identity, atol=1e-5, rtol=0)

    def test_scaled_on_pink_noise(self):
        network = VGG19.random(0.1, seed=2)
        noise = pink_noise(128, torch.Generator().manual_seed(2))
        for features in network.features(noise, network.layers).values():
            means = features.mean((0, 2, 3))
            torch.testing.assert_close(means, torch.ones_like(means), atol=1e-3, rtol=0)

    def test_too_narrow(self):
        with pytest.raises(BackboneError, match="leaves no maps"):
            VGG19.random(0.001)


def test_pink_noise():
    noise = pink_noise(64, torch.Generator().manual_seed(0))
    assert noise.shape == (1, 1, 64, 64)
    assert float(noise.mean()) == pytest.approx(0.5, abs=1e-5)
    assert float(noise.std()) == pytest.approx(0.15, abs=1e-5)
    power = torch.fft.fft2(noise[0, 0] - 0.5).abs().square()
    slow, fast = power[2:5, 2:5].mean(), power[16:24, 16:24].mean()
    assert 10 < slow / fast < 200  # about (20 / 3.5)² = 33
