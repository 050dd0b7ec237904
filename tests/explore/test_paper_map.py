"""The map of the papers: nothing overlaps, every link is a page, both arrangements say the same."""

import re
from itertools import combinations

import pytest
from bs4 import BeautifulSoup

from tools.book import REPOSITORY, Book
from visage.explore.paper_map import _TALL, _WIDE, ARROWS, BOXES, map_svg, paper_map

PLANS = {"wide": _WIDE, "tall": _TALL}
each_layout = pytest.mark.parametrize("layout", PLANS)


def drawn(layout):
    return BeautifulSoup(map_svg(layout, lambda page: f"{page}.html"), "html.parser")


@each_layout
def test_every_box_is_a_link_to_a_page_of_the_book(layout):
    pages = {page.relative_to(REPOSITORY / "book").with_suffix("").as_posix()
             for page in Book().pages}  # fmt: skip
    links = [link["href"].removesuffix(".html") for link in drawn(layout).find_all("a")]
    assert links == [box.page for box in BOXES.values()]
    assert set(links) <= pages


@each_layout
def test_boxes_lie_inside_and_apart(layout):
    plan = PLANS[layout]
    wide, high = plan.box
    for x, y in plan.places.values():
        assert x >= 1
        assert y >= 1
        assert x + wide <= plan.width - 1
        assert y + high <= plan.height - 1
    for (ax, ay), (bx, by) in combinations(plan.places.values(), 2):
        assert abs(ax - bx) >= wide + 20 or abs(ay - by) >= high + 20


@each_layout
def test_every_arrow_begins_and_ends_at_a_box(layout):
    plan = PLANS[layout]
    assert set(plan.ways) == {(arrow.start, arrow.end) for arrow in ARROWS}
    paths = drawn(layout).select("path:not(.map-tip)")
    assert len(paths) == len(ARROWS)
    wide, high = plan.box
    for arrow, path in zip(ARROWS, paths, strict=True):
        numbers = [float(one) for one in re.findall(r"-?\d+\.?\d*", path["d"])]
        for key, (px, py) in ((arrow.start, numbers[:2]), (arrow.end, numbers[-2:])):
            x, y = plan.places[key]
            middles = [(x, y + high / 2), (x + wide, y + high / 2),
                       (x + wide / 2, y), (x + wide / 2, y + high)]  # fmt: skip
            assert (px, py) in middles


@each_layout
def test_the_drawing_is_named_and_described(layout):
    svg = drawn(layout).svg
    named = svg["aria-labelledby"].split()
    assert [svg.find(id=one).name for one in named] == ["title", "desc"]
    words = svg.find("desc").text
    assert all(box.part in words for box in BOXES.values() if box.part.startswith("Part"))


def test_the_page_has_both_and_their_names_differ():
    page = BeautifulSoup(paper_map(lambda page: page), "html.parser")
    names = [one["id"] for one in page.find_all(id=True)]
    assert len(names) == len(set(names)) == 4
    assert len(page.find_all("svg")) == 2
