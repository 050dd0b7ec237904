"""The reader's journeys: every explorer of every page, found and used as a reader would.

Each control is moved by mouse on a desk in the light; by finger on a telephone in the dark and by
the keyboard alone, two of each group are. What is moved must change what is shown. `walker.py`
knows how, and its list of excuses names the controls that need not, with reasons.
"""

from __future__ import annotations

import os

import pytest

from tests.book.browser import walker
from tools.browser import visit as visiting
from tools.serve import served

SCHEMES = {False: "light", True: "dark"}


asked = pytest.mark.skipif(
    not os.environ.get("VISAGE_JOURNEYS"), reason="the walk over all pages is `make journeys`"
)


@pytest.fixture
def files(tmp_path):
    return walker.write_files(tmp_path)


@pytest.fixture
def explorers(open_page):
    """Opens a page and yields the visit and its explorers, which must be as many as were made."""

    def opened(name, **how):
        return open_page(name, script=walker.KEEP_PICTURES, **how)

    return opened


def well(visit):
    assert not visit.errors
    assert not visit.outside
    assert not visit.failed


@asked
@pytest.mark.parametrize(
    ("width", "dark"), [(1280, False), (390, True)], ids=["desktop-light", "phone-dark"]
)
def test_every_control_answers(explorers, explorer_page, width, dark, files, screenshots):
    with explorers(explorer_page, width=width, dark=dark) as visit:
        faults = []
        for number, root in enumerate(walker.find_explorers(visit.page)):
            element = walker.wake(root)
            name = f"{explorer_page.removesuffix('.html').replace('/', '-')}-explorer{number}"
            element.screenshot(path=screenshots / f"{name}-{width}-{SCHEMES[dark]}.png")
            hand = walker.Hand(visit.page, files, touch=width < 600)
            walk = walker.walk_through(element, hand, thrifty=width < 600)
            assert walk.moved, "an explorer without a control that does something"
            faults += walk.faults
        assert not faults, "\n".join(faults)
        well(visit)


@asked
def test_the_keyboard_is_enough(explorers, explorer_page):
    with explorers(explorer_page, dark=True) as visit:
        faults = []
        for root in walker.find_explorers(visit.page):
            element = walker.wake(root)
            faults += walker.tab_through(element)
            faults += walker.walk_through(element, walker.Keys(visit.page), thrifty=True).faults
        assert not faults, "\n".join(faults)
        well(visit)


@asked
def test_the_switch_of_the_theme_reaches_the_explorers(explorers, explorer_page):
    with explorers(explorer_page) as visit:
        (first, *_) = walker.find_explorers(visit.page)
        element = walker.wake(first)
        inks = {}
        for _ in range(3):  # auto, light, dark
            theme = visit.page.evaluate("document.documentElement.dataset.theme")
            inks[theme] = element.evaluate(
                "e => getComputedStyle(e).color + getComputedStyle(e).backgroundColor"
            )
            visit.page.locator(".theme-switch-button:visible").first.click()
        assert set(inks) == {"light", "dark"}
        assert inks["light"] != inks["dark"]
        well(visit)


# The walker itself: it must see what is dead.

MADE = """<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,">
<style>:focus-visible {{ outline: 2px solid black }}</style>
<div class="vx" data-ready="true">
  <canvas width="60" height="40"></canvas> <p id="said">0</p>
  <label>Alive <input type="range" min="0" max="9" data-key="alive"> <output></output></label>
  {more}
</div>
<script>
  const said = document.getElementById("said");
  document.querySelector('[data-key="alive"]').oninput = (event) => {{
    said.textContent = event.target.value;
    document.querySelector("canvas").getContext("2d").fillRect(0, 0, event.target.value, 9);
  }};
  {script}
</script></html>"""

DEAD_SLIDER = (
    '<label>Dead <input type="range" max="9" data-key="dead"> <output id="echo"></output></label>',
    """document.querySelector('[data-key="dead"]').oninput = (event) => {
      document.getElementById("echo").textContent = event.target.value; // its echo alone
    };""",
)
DEAD_BUTTON = ('<button type="button" onclick="this.title = \'pressed\'">Press</button>', "")
DEAD_ON_A_TAB = (
    """<div role="tablist"><button role="tab" id="one">One</button>
    <button role="tab" id="two">Two</button></div>
    <div><label>Hidden <input type="range" max="9" data-key="hidden"></label></div>
    <div hidden><button type="button" onclick="said.textContent += 1">Well</button></div>""",
    """const panels = document.querySelectorAll(".vx > div:not([role])");
    for (const [i, id] of ["one", "two"].entries()) document.getElementById(id).onclick = () => {
      panels.forEach((panel, k) => { panel.hidden = k !== i; });
      said.textContent = id;
    };""",
)
NEVER_ENABLED = ('<button type="button" disabled>Not yet</button>', "")
COVERED = (
    '<div style="position: relative"><button type="button" onclick="said.textContent += 1">Under'
    '</button><i style="position: absolute; inset: 0; background: white"></i></div>',
    "",
)
BROKEN_FILE = (
    '<label>A file <input type="file" onchange="said.textContent += 1"></label>',
    "",
)
WRONG = (
    '<button type="button" data-key="breaks">Break</button>'
    '<p class="vx-status vx-wrong" hidden>It broke.</p>',
    """document.querySelector('[data-key="breaks"]').onclick = () => {
      document.querySelector(".vx-wrong").hidden = false;
    };""",
)
TRAP = (
    '<div tabindex="0" id="trap" style="cursor: grab">Held</div>'
    '<button onclick="said.textContent += 1">On</button>',
    """document.getElementById("trap").onkeydown = (event) => {
      said.textContent += event.key;
      event.preventDefault();
    };""",
)
NO_MARK = (
    '<button style="outline: none" onclick="said.textContent += 1">Unmarked</button>',
    "",
)
UNREACHED = (
    '<button tabindex="-1" onclick="said.textContent += 1">Never by Tab</button>',
    "",
)


@pytest.fixture
def made_page(browser, tmp_path, monkeypatch):
    """Shows a page with one explorer that has a living slider and `more`."""
    monkeypatch.setattr(walker, "LATE", 400)
    monkeypatch.setattr(walker, "SOON", 200)

    def shown(more, script=""):
        (tmp_path / "index.html").write_text(MADE.format(more=more, script=script))
        return served(tmp_path)

    return shown


def walked(browser, server, hand):
    with server as address, visiting(browser, f"{address}/index.html") as visit:
        (root,) = walker.find_explorers(visit.page)
        return hand(visit.page, walker.wake(root))


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        pytest.param(("", ""), None, id="all-well"),
        pytest.param(DEAD_SLIDER, "dead “Dead” changes nothing", id="dead-slider"),
        pytest.param(DEAD_BUTTON, "“Press” changes nothing", id="dead-button"),
        pytest.param(DEAD_ON_A_TAB, "hidden “Hidden” changes nothing", id="dead-on-a-tab"),
        pytest.param(NEVER_ENABLED, "“Not yet” is never enabled", id="never-enabled"),
        pytest.param(COVERED, "“Under” cannot be moved", id="covered"),
        pytest.param(BROKEN_FILE, "takes a broken file without a word", id="broken-file"),
        pytest.param(WRONG, "ends in “It broke.”", id="error"),
    ],
)
def test_a_walk_finds_what_is_dead(browser, made_page, files, more, fault):
    def hand(page, root):
        return walker.walk_through(root, walker.Hand(page, files))

    walk = walked(browser, made_page(*more), hand)
    assert any("alive" in one for one in walk.moved)
    if fault is None:
        assert walk.faults == []
    else:
        assert [fault in one for one in walk.faults] == [True]


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        pytest.param(("", ""), None, id="all-well"),
        pytest.param(TRAP, "keeps the focus", id="trap"),
        pytest.param(NO_MARK, "“Unmarked” does not show that it has the focus", id="no-mark"),
        pytest.param(UNREACHED, "“Never by Tab” is not reached by Tab", id="unreached"),
    ],
)
def test_tab_finds_what_it_cannot_reach_or_leave(browser, made_page, more, fault):
    faults = walked(browser, made_page(*more), lambda page, root: walker.tab_through(root))
    if fault is None:
        assert faults == []
    else:
        assert [one for one in faults if fault in one]
