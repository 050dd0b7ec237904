import contextlib
import hashlib
import http.server
import re
import threading
import warnings

import numpy as np
import pooch
import pytest
import requests
from tqdm.auto import tqdm

from visage.photos import downloads
from visage.photos.downloads import (
    DOWNLOADS,
    Download,
    DownloadError,
    UnverifiedDownloadWarning,
    cache_folder,
    fetch,
)

CONTENT = np.random.default_rng(0).bytes(400_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """A file server whose manners each test chooses."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.ranges = True  # whether it understands Range
        self.cut_after = None  # bytes after which it drops a connection, each time
        self.cuts_left = 0
        self.status = 200
        self.requests = []  # (path, Range)

    def url(self, path="/file.bin"):
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def handle_error(self, *_):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        asked = self.headers.get("Range")
        server.requests.append((self.path, asked))
        if server.status != 200:
            self.send_error(server.status)
            return
        start = int(re.match(r"bytes=(\d+)-$", asked)[1]) if asked and server.ranges else 0
        total = len(server.content)
        if start >= total:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{total}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if server.cuts_left > 0:
            server.cuts_left -= 1
            body = body[: server.cut_after]
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)
        self.close_connection = True


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VISAGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache"


@pytest.fixture
def offer(monkeypatch, server):
    """Put a file of the test's server into the registry."""

    def register(*urls, sha256=SHA256):
        download = Download(
            name="thing",
            urls=urls or (server.url(),),
            sha256=sha256,
            licence="CC0",
            bytes=len(CONTENT),
            filename="thing.bin",
        )
        monkeypatch.setitem(DOWNLOADS, "thing", download)

    register()
    return register


def names(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


class TestRegistry:
    def test_entries(self):
        for name, download in DOWNLOADS.items():
            assert download.name == name
            assert all(re.match(r"https?://[\w.-]+/", url) for url in download.urls)
            assert download.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", download.sha256)
            assert download.licence
            assert download.bytes > 0
        filenames = [download.filename for download in DOWNLOADS.values()]
        assert len(set(filenames)) == len(filenames)

    def test_unknown_name(self):
        with pytest.raises(DownloadError, match=r"no download 'nothing'; choose .*lfw-pairs"):
            fetch("nothing")

    def test_cache_folder(self, monkeypatch, tmp_path):
        assert cache_folder() == tmp_path / "cache"
        monkeypatch.delenv("VISAGE_CACHE")
        assert cache_folder() == pooch.os_cache("visage")


class TestFetch:
    def test_once(self, server, offer, cache):
        path = fetch("thing")
        assert path == cache / "thing.bin"
        assert path.read_bytes() == CONTENT
        assert names(cache) == ["thing.bin"]
        assert fetch("thing") == path
        assert len(server.requests) == 1

    def test_no_network_where_the_file_is_there(self, server, offer, cache, monkeypatch):
        cache.mkdir()
        (cache / "thing.bin").write_bytes(CONTENT)
        monkeypatch.setattr(requests, "get", lambda *_, **__: pytest.fail("asked the network"))
        assert fetch("thing").read_bytes() == CONTENT

    def test_damaged_file_is_fetched_again(self, offer, cache):
        fetch("thing").write_bytes(CONTENT[:-1] + b"!")
        assert fetch("thing").read_bytes() == CONTENT
        assert names(cache) == ["thing.bin"]

    def test_shows_progress(self, offer, monkeypatch):
        bars = []

        class Bar(tqdm):
            def close(self):
                if self not in bars:
                    bars.append(self)
                super().close()

        monkeypatch.setattr(downloads, "tqdm", Bar)
        fetch("thing")
        assert [(bar.n, bar.total) for bar in bars] == [(len(CONTENT), len(CONTENT))]


class TestResume:
    def test_a_cut_connection_goes_on_by_itself(self, server, offer, cache):
        server.cut_after, server.cuts_left = 2**17, 2
        assert fetch("thing").read_bytes() == CONTENT
        assert [asked for _, asked in server.requests] == [None, "bytes=131072-", "bytes=262144-"]
        assert names(cache) == ["thing.bin"]

    def test_goes_on_from_an_earlier_call(self, server, offer, cache):
        cache.mkdir()
        (cache / "thing.bin.part").write_bytes(CONTENT[:123_456])
        assert fetch("thing").read_bytes() == CONTENT
        assert server.requests == [("/file.bin", "bytes=123456-")]

    def test_a_server_that_gives_up_leaves_the_part(self, server, offer, cache):
        server.cut_after, server.cuts_left = 0, 99
        cache.mkdir()
        (cache / "thing.bin.part").write_bytes(CONTENT[:1000])
        with pytest.raises(DownloadError, match="cut the connection"):
            fetch("thing")
        assert names(cache) == ["thing.bin.part"]
        server.cuts_left = 0
        assert fetch("thing").read_bytes() == CONTENT

    def test_server_without_ranges(self, server, offer, cache):
        server.ranges = False
        cache.mkdir()
        (cache / "thing.bin.part").write_bytes(CONTENT[:1000])
        assert fetch("thing").read_bytes() == CONTENT

    def test_whole_part(self, server, offer, cache):
        """Everything had come, and the move did not happen any more."""
        cache.mkdir()
        (cache / "thing.bin.part").write_bytes(CONTENT)
        assert fetch("thing").read_bytes() == CONTENT

    def test_part_longer_than_the_file(self, server, offer, cache):
        cache.mkdir()
        (cache / "thing.bin.part").write_bytes(CONTENT + b"more")
        assert fetch("thing").read_bytes() == CONTENT

    def test_part_of_another_file(self, server, offer, cache):
        cache.mkdir()
        (cache / "thing.bin.part").write_bytes(b"x" * 1000)
        assert fetch("thing").read_bytes() == CONTENT
        assert [asked for _, asked in server.requests] == ["bytes=1000-", None]
        assert names(cache) == ["thing.bin"]

    def test_interrupt_leaves_only_the_part(self, offer, cache, monkeypatch):
        class Interrupting(tqdm):
            def update(self, n=1):
                if self.n > 100_000:
                    raise KeyboardInterrupt
                return super().update(n)

        monkeypatch.setattr(downloads, "tqdm", Interrupting)
        with pytest.raises(KeyboardInterrupt):
            fetch("thing")
        assert names(cache) == ["thing.bin.part"]
        part = (cache / "thing.bin.part").read_bytes()
        assert 100_000 < len(part) < len(CONTENT)
        assert CONTENT.startswith(part)
        monkeypatch.setattr(downloads, "tqdm", tqdm)
        assert fetch("thing").read_bytes() == CONTENT


class TestRefusals:
    def test_wrong_hash(self, server, offer, cache):
        server.content = CONTENT[::-1]
        with pytest.raises(DownloadError, match=r"another sha256, which was removed") as caught:
            fetch("thing")
        assert "\n" not in str(caught.value)
        assert names(cache) == []
        assert len(server.requests) == 1

    def test_offline(self, server, offer, cache):
        offer("http://127.0.0.1:9/file.bin")
        with pytest.raises(DownloadError) as caught:
            fetch("thing")
        message = str(caught.value)
        assert "127.0.0.1:9 cannot be reached" in message
        assert "check the network" in message
        assert f"put thing.bin into '{cache}' yourself" in message
        assert "\n" not in message
        assert names(cache) == []

    @pytest.mark.parametrize("status", [404, 500, 403])
    def test_server_says_no(self, server, offer, status):
        server.status = status
        with pytest.raises(DownloadError, match=f"answered {status}"):
            fetch("thing")

    def test_far_too_large(self, server, offer, cache):
        server.content = bytes(3_000_000)
        with pytest.raises(DownloadError, match="far more than expected"):
            fetch("thing")
        assert names(cache) == []

    def test_unwritable_folder(self, offer, monkeypatch, tmp_path):
        (tmp_path / "file").write_text("in the way")
        monkeypatch.setenv("VISAGE_CACHE", str(tmp_path / "file" / "cache"))
        with pytest.raises(DownloadError, match="VISAGE_CACHE"):
            fetch("thing")


class TestMirrors:
    def test_in_turn(self, server, offer):
        offer("http://127.0.0.1:9/file.bin", server.url("/second"))
        assert fetch("thing").read_bytes() == CONTENT
        assert server.requests == [("/second", None)]

    def test_not_asked_without_need(self, server, offer):
        offer(server.url("/first"), server.url("/second"))
        fetch("thing")
        assert [path for path, _ in server.requests] == ["/first"]

    def test_all_failures_are_named(self, server, offer):
        offer("http://127.0.0.1:9/a", server.url("/b"))
        server.status = 404
        with pytest.raises(DownloadError, match=r"cannot be reached; .* answered 404"):
            fetch("thing")


class TestUnpublishedHash:
    def test_trusted_on_first_use(self, server, offer, cache):
        offer(sha256=None)
        with pytest.warns(UnverifiedDownloadWarning, match="no published sha256"):
            fetch("thing")
        assert (cache / "thing.bin.sha256").read_text().strip() == SHA256
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fetch("thing")
        assert len(server.requests) == 1

    def test_checked_from_then_on(self, server, offer, cache):
        offer(sha256=None)
        with pytest.warns(UnverifiedDownloadWarning):
            fetch("thing")
        (cache / "thing.bin").unlink()
        server.content = CONTENT[::-1]
        with pytest.raises(DownloadError, match="another sha256"):
            fetch("thing")
        assert names(cache) == ["thing.bin.sha256"]
