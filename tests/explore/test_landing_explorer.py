"""The landing page's explorer: small enough, whole, and smooth where its mesh is coarse."""

import json
import re

import pytest
import torch

from tools.book import REPOSITORY, Book
from visage.explore import landing_explorer
from visage.explore.assets import ASSETS
from visage.explore.inversion_data import ExplorerDataError
from visage.explore.javascript import bundle
from visage.explore.landing_explorer import (
    BUDGET,
    PICTURES,
    SCRIPT,
    STILL,
    LandingExplorer,
    landing_file,
    landing_module,
)

HEAD = 'import { smoother } from "./landing_head.js";\n'


def octahedron():
    """Corners on the unit sphere, their normals, places, and triangles seen from outside."""
    corners = [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]
    triangles = [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4],
                 [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]  # fmt: skip
    flat = [value for corner in corners for value in corner]
    places = [value for x, y, _ in corners for value in ((1 + x) / 2, (1 + y) / 2)]
    return {
        "head": {"positions": flat, "normals": flat, "places": places},
        "triangles": [corner for triangle in triangles for corner in triangle],
    }


def test_a_head_gets_rounder_and_stays_closed(run_js):
    given = octahedron()
    script = HEAD + (
        "const made = smoother(given.head, given.triangles);\n"
        "console.log(JSON.stringify({ ...Object.fromEntries(Object.entries(made.head).map(([k, v]) => [k, Array.from(v)])), triangles: Array.from(made.triangles) }));"  # noqa: E501
    )  # fmt: skip
    found = run_js(script, given)
    points = torch.tensor(found["positions"]).view(-1, 3)
    triangles = torch.tensor(found["triangles"]).view(-1, 3)
    assert len(points) == 6 + 12, "every edge has one middle, whichever triangle asks"
    assert len(triangles) == 4 * 8
    assert points[:6].flatten().tolist() == given["head"]["positions"]
    radii = points[6:].norm(dim=1)
    assert (radii - 1).abs().max() < 0.2 < 1 - 0.5**0.5, "nearer to the sphere than the facets"
    a, b, c = points[triangles].unbind(1)
    outwards = (torch.linalg.cross(b - a, c - a) * (a + b + c)).sum(1)
    assert (outwards > 0).all()
    edges = torch.cat([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    assert len({tuple(edge) for edge in edges.tolist()}) == len(edges), "wound one way"
    normals = torch.tensor(found["normals"]).view(-1, 3)
    torch.testing.assert_close(normals.norm(dim=1), torch.ones(18))
    places = torch.tensor(found["places"]).view(-1, 2)
    torch.testing.assert_close(places[6:], (1 + points[6:, :2] / radii[:, None] * 0.5**0.5) / 2)


def test_flat_stays_flat(run_js):
    head = {"positions": [0, 0, 0, 2, 0, 0, 0, 2, 0], "normals": [0, 0, 1] * 3,
            "places": [0, 0, 1, 0, 0, 1]}  # fmt: skip
    script = HEAD + (
        "console.log(JSON.stringify(Array.from(smoother(given, [0, 1, 2]).head.positions)));"
    )
    points = torch.tensor(run_js(script, head)).view(-1, 3)
    assert points[3:].tolist() == [[1, 0, 0], [1, 1, 0], [0, 1, 0]]


def test_rays_are_as_long_as_their_numbers(run_js):
    script = (
        'import { rays } from "./landing.js";\nconsole.log(JSON.stringify(rays(given, { inner: 10, most: 5 })));'  # noqa: E501
    )  # fmt: skip
    found = run_js(script, [0.5, -1.0, 0.0, 0.25])
    lengths = [((r["x2"] - r["x1"]) ** 2 + (r["y2"] - r["y1"]) ** 2) ** 0.5 for r in found]
    assert lengths == pytest.approx([6 + 2.5, 6 + 5, 6, 6 + 1.25])
    assert [r["positive"] for r in found] == [True, False, True, True]
    assert found[0]["y2"] < found[0]["y1"] < 0, "the first points up"


def test_a_missing_file_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(landing_explorer, "FOLDER", tmp_path)
    with pytest.raises(ExplorerDataError, match=r"python -m tools\.build_landing"):
        LandingExplorer.standard()


def test_what_the_page_loads_is_small_and_complete():
    module = landing_module("landing.webp")
    assert len(module.encode()) + landing_file(f"{STILL}.webp").stat().st_size < BUDGET
    assert "export default" not in module
    (state,) = re.findall(r"^const landingState = (\{.*\});$", module, re.MULTILINE)
    state = json.loads(state)
    assert set(state["pictures"]) == set(PICTURES), "the still is a file of its own"
    assert len(state["told"]["embedding"]) == 128
    assert set(state["told"]["distances"]) == {"expected", "face", "rest", "normal", "avatar"}
    assert 'new URL("landing.webp", import.meta.url)' in module
    assert {"landing.js", "landing.webp"} <= set(ASSETS)


def test_it_is_said_which_pictures_please_the_recogniser():
    told = LandingExplorer.standard().told
    assert 0 < told["distances"]["face"] < told["distances"]["expected"]
    assert told["distances"]["avatar"] < told["threshold"], "the page calls it the person"


def test_links_lead_to_pages():
    text = bundle(SCRIPT)
    pages = {page.relative_to(REPOSITORY / "book").with_suffix("").as_posix()
             for page in Book().pages}  # fmt: skip
    linked = set(re.findall(r'page: "([\w/]+)"', text))
    assert len(linked) == 7
    assert linked <= pages
