"""What `make measure` counts on pages: explorers that answer, and requests to other hosts."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tools import measure

PAGE = """<!doctype html><html lang="en"><link rel="icon" href="data:,"><body>{}</body></html>"""
LIVING = """<div class="vx" id="one">One</div>
<script>document.getElementById("one").dataset.ready = "true";</script>"""
LATE = """<div class="vx" id="late">Two</div><script>
  setTimeout(() => { document.getElementById("late").dataset.ready = "true"; }, 300);
</script>"""
DEAD = '<div class="vx">Three</div>'
OUTSIDE = '<img alt="" src="http://elsewhere.example/one.png">'


@pytest.fixture
def small_site(tmp_path):
    (tmp_path / "part").mkdir()
    (tmp_path / "_static").mkdir()
    (tmp_path / "index.html").write_text(PAGE.format(LIVING + LATE))
    (tmp_path / "part" / "one.html").write_text(PAGE.format(DEAD + OUTSIDE))
    (tmp_path / "_static" / "made.html").write_text(PAGE.format(LIVING))
    return tmp_path


def test_explorers_and_requests_are_counted(small_site, monkeypatch):
    monkeypatch.setattr(measure, "ALIVE", 600)
    # In a thread of its own: the other checks of this process have a browser open already.
    with ThreadPoolExecutor(1) as thread:
        seen = thread.submit(measure.read_all_pages, small_site).result()
    assert (seen.pages, seen.explorers, seen.alive) == (2, 3, 2)
    assert seen.outside == ("http://elsewhere.example/one.png",) * 2  # in both windows
