"""What axe-core finds wrong with a page: contrast, names, roles, landmarks, headings, the focus."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from playwright.sync_api import Page

from tools.book import REPOSITORY

GRAVE = ("serious", "critical")

# Rules that a page may break: (rule, part of the element's selector, why).
ALLOWED: tuple[tuple[str, str, str], ...] = ()

RUN = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.flatMap(({ id, impact, nodes }) => nodes.map((node) => ({
    id, impact: node.impact ?? impact, target: node.target.flat().join(" "),
    html: node.html.slice(0, 160), why: (node.any[0] ?? node.all[0] ?? node.none[0])?.message ?? "",
  })));
}"""


def grave_violations(page: Page) -> list[str]:
    """Serious and critical violations of axe-core's rules, those of `ALLOWED` left out.

    Args:
        page: what is to be judged, as it is now.

    Returns:
        A line an element.
    """
    page.evaluate(_axe())
    return [
        f"{found['id']} ({found['impact']}): {found['target']}: {found['html']}: {found['why']}"
        for found in page.evaluate(RUN)
        if found["impact"] in GRAVE
        and not any(found["id"] == rule and part in found["target"] for rule, part, _ in ALLOWED)
    ]


@cache
def _axe() -> str:
    """axe-core, which `make book` put beside the site."""
    site = REPOSITORY / os.environ.get("VISAGE_SITE", "_build/html")
    return (Path(site).parent / "checking" / "axe.min.js").read_text(encoding="utf-8")
