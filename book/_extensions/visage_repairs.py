"""Repairs of the theme's pages for readers who do not see them; axe-core finds what needs one."""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx

# What the theme writes, what stands in its place, and why.
REPAIRS = (
    # An arrow that opens a part of the table of contents has no name.
    (
        '<summary><span class="toctree-toggle" role="presentation">',
        '<summary aria-label="Pages below this one">'
        '<span class="toctree-toggle" role="presentation">',
    ),
    # The button says "Search Ctrl+K"; a name that says less is no help to those who speak to it.
    (
        'search-button__button" title="Search" aria-label="Search"',
        'search-button__button" title="Search"',
    ),
    # The fold of a cell says "Show the code" or "Hide the code", and is called something else.
    ('<summary aria-label="Toggle hidden content">', "<summary>"),
    # An entry of a list of references is an item of a list; the old role is going out of use.
    ('role="doc-biblioentry"', 'role="listitem"'),
)


def repaired(page: str) -> str:
    """The HTML of a page with every repair made."""
    for wrong, right in REPAIRS:
        page = page.replace(wrong, right)
    return page


def _repair_pages(app: Sphinx, exception: Exception | None) -> None:
    """Repair the finished pages: some of their parts are written by templates of the theme."""
    if exception or app.builder.format != "html":
        return
    for path in sorted(Path(app.outdir).rglob("*.html")):
        before = path.read_text(encoding="utf-8")
        after = repaired(before)
        if after != before:
            path.write_text(after, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, object]:
    """Connect to Sphinx."""
    app.connect("build-finished", _repair_pages)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
