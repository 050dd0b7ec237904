"""Every built page, as a reader meets it: wide and narrow, light and dark, without a network."""

from __future__ import annotations

import os
from itertools import pairwise
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

from tests.book.browser.accessibility import grave_violations
from tests.book.browser.conftest import page_looks
from tests.book.browser.walker import find_explorers, wake
from tools.browser import visit as visiting
from tools.serve import served

LEVELS = ("h1", "h2", "h3", "h4", "h5", "h6")

OVERFLOWING = """() => {
  const width = document.documentElement.clientWidth;
  const wide = [...document.querySelectorAll("body *")].filter((element) => {
    const box = element.getBoundingClientRect();
    return box.width && box.right > width + 1 && getComputedStyle(element).position !== "fixed";
  });
  return document.documentElement.scrollWidth > width + 1
    ? wide.slice(0, 5).map((element) => element.tagName + "." + element.className)
    : [];
}"""

BROKEN_IMAGES = """() => [...document.images]
  .filter((image) => !(image.complete && image.naturalWidth > 0) && image.loading !== "lazy")
  .map((image) => image.src)"""

# Relative luminance and contrast as WCAG 2.2 defines them, of text against the page's background.
FAINT_TEXT = """() => {
  const parse = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
  const luminance = ([r, g, b]) => {
    const f = (v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b);
  };
  const backgroundOf = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.backgroundImage !== "none") return null;
      const colour = parse(style.backgroundColor);
      if (colour.length === 3) return colour;
      if (colour.length === 4 && colour[3] > 0) return colour[3] === 1 ? colour : null;
    }
    return [255, 255, 255];
  };
  const faint = new Set();
  const texts = "main :is(p, li, a, code, td, h1, h2, h3, figcaption, dt, dd), nav.bd-links a";
  for (const element of document.querySelectorAll(texts)) {
    if (!element.checkVisibility() || !element.textContent.trim()) continue;
    const background = backgroundOf(element);
    const text = parse(getComputedStyle(element).color);
    if (!background || text.length !== 3) continue;
    const [low, high] = [luminance(text), luminance(background)].sort((a, b) => a - b);
    if ((high + 0.05) / (low + 0.05) < 4.5) {
      faint.add(`${element.tagName}.${element.className} rgb(${text}) on rgb(${background})`);
    }
  }
  return [...faint].slice(0, 5);
}"""


def test_a_page_is_well(page_look, open_page, screenshots):
    page_name, width, dark = page_look
    # Once in the light, once in the dark, by `make journeys`: it takes as long as all else here.
    judged = width == 1280 or len(page_looks(page_name)) == 2
    judged = judged and bool(os.environ.get("VISAGE_JOURNEYS"))
    with open_page(page_name, width=width, dark=dark) as visit:
        visit.scroll_through()
        for explorer in find_explorers(visit.page) if judged else ():
            wake(explorer)
        visit.page.evaluate("window.scrollTo({top: 0, behavior: 'instant'})")
        overflowing = visit.page.evaluate(OVERFLOWING)
        broken = visit.page.evaluate(BROKEN_IMAGES)
        faint = visit.page.evaluate(FAINT_TEXT)
        theme = visit.page.evaluate("document.documentElement.dataset.theme")
        name = f"{page_name.removesuffix('.html').replace('/', '-')}-{width}-{theme}.png"
        visit.page.screenshot(path=screenshots / name)
        barred = grave_violations(visit.page) if judged else []
    assert theme == ("dark" if dark else "light")
    assert not visit.outside, "the page asks other hosts"
    assert not visit.errors, "the console has errors"
    assert not visit.failed, "files are missing"
    assert not broken, "pictures are broken"
    assert not overflowing, "the page scrolls sideways"
    assert not faint, "text has a contrast below 4.5"
    assert not barred, "some readers are kept out:\n" + "\n".join(barred)


def test_the_page_is_readable_without_its_looks(page_name, site):
    """Pictures have a text in their place, and headings descend one level at a time."""
    page = BeautifulSoup((site / page_name).read_text(encoding="utf-8"), "html.parser")
    silent = [
        image.get("src", "")[:80] for image in page.find_all("img") if not image.has_attr("alt")
    ]
    assert not silent, "pictures without alt"
    text = page.article or page.main
    levels = [LEVELS.index(heading.name) + 1 for heading in text.find_all(LEVELS)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    jumps = [(one, after) for one, after in pairwise(levels) if after > one + 1]
    assert not jumps, "headings leave out a level"


def test_links_lead_somewhere(page_name, site):
    page_path = site / page_name
    page = BeautifulSoup(page_path.read_text(encoding="utf-8"), "html.parser")
    dead = []
    for link in page.find_all("a", href=True):
        address = urlsplit(link["href"])
        if address.scheme or address.netloc:
            continue
        target = (page_path.parent / unquote(address.path)).resolve() if address.path else page_path
        if target.is_dir():
            target /= "index.html"
        whole = not address.fragment or target.suffix != ".html"
        if not (target.is_file() and (whole or _has_anchor(target, address.fragment))):
            dead.append(link["href"])
    assert not dead


def _has_anchor(path, fragment, known={}):  # noqa: B006 (a cache for the length of the run)
    if path not in known:
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        known[path] = {tag["id"] for tag in page.find_all(id=True)}
    return unquote(fragment) in known[path]


BARRED = """<!doctype html><html lang="en"><title>A page</title><link rel="icon" href="data:,">
<main><h1>Barred</h1><p style="color: #ccc; background: #fff">Faint</p><button></button>
<input type="range"><img src="data:,"></main></html>"""


def test_what_keeps_readers_out_is_found(browser, tmp_path):
    (tmp_path / "index.html").write_text(BARRED)
    with served(tmp_path) as address, visiting(browser, f"{address}/index.html") as visit:
        found = {line.partition(" ")[0] for line in grave_violations(visit.page)}
    assert found == {"color-contrast", "button-name", "label", "image-alt"}


def test_live_code_asks_binder_and_nobody_else(site, open_page):
    chapters = [
        path for path in sorted(site.rglob("*.html")) if "initThebeSBT()" in path.read_text()
    ]
    assert chapters, "no page offers Live Code"
    with open_page(chapters[0].relative_to(site).as_posix()) as visit:
        visit.page.evaluate("initThebeSBT()")
        visit.page.locator(".live-code-status").wait_for()
        visit.page.wait_for_function("window.thebe !== undefined", timeout=30_000)
        visit.page.wait_for_timeout(2_000)
        assert {urlsplit(url).hostname for url in visit.outside} == {"mybinder.org"}
        assert visit.page.locator(".thebe-cell, .thebelab-cell").count() > 0
        assert "did not answer" in visit.page.locator(".live-code-status").inner_text()
