"""Repairs of the theme's pages."""

from __future__ import annotations

import importlib.util

import pytest
from bs4 import BeautifulSoup

from tools.book import REPOSITORY


@pytest.fixture(scope="module")
def repairs():
    path = REPOSITORY / "book" / "_extensions" / "visage_repairs.py"
    spec = importlib.util.spec_from_file_location("visage_repairs", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


THEME = """<main><details><summary><span class="toctree-toggle" role="presentation">
<i class="fa-solid fa-chevron-down"></i></span></summary></details>
<button class="btn search-button-field search-button__button" title="Search" aria-label="Search">
Search Ctrl+K</button>
<details class="hide above-input"><summary aria-label="Toggle hidden content">
<p>Show the code</p></summary></details>
<div role="list"><div class="citation" role="doc-biblioentry">One</div></div></main>"""


def test_names_and_roles_are_repaired(repairs):
    page = BeautifulSoup(repairs.repaired(THEME), "html.parser")
    assert page.summary["aria-label"] == "Pages below this one"
    assert not page.find(class_="hide").summary.has_attr("aria-label")
    assert page.find(class_="citation")["role"] == "listitem"
    assert not page.button.has_attr("aria-label")
    assert page.button["title"] == "Search"


def test_a_page_without_faults_stays(repairs):
    page = "<main><button aria-label='Search'>Search</button></main>"
    assert repairs.repaired(page) == page


def test_no_repair_undoes_another(repairs):
    assert repairs.repaired(repairs.repaired(THEME)) == repairs.repaired(THEME)
