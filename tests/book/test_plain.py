"""MyST becomes Markdown that Colab can show."""

from __future__ import annotations

import pytest

from tools.book import REPOSITORY
from tools.plain import convert

PAGE = REPOSITORY / "book" / "start" / "page.md"


@pytest.mark.parametrize(
    ("myst", "plain"),
    [
        ("(label)=\n# Title", "# Title"),
        ("A {term}`chip` and {ref}`the text <label>`.", "A chip and the text."),
        ("{math}`x^2` in {eq}`one`", "$x^2$ in equation (one)"),
        ("See {py:func}`~visage.a.align`.", "See `align`."),
        ("{cite:t}`cole2017synthesizing`", "Cole et al. 2017"),
        (
            "{cite}`zhmoginov2016inverting,mai2019reconstruction`",
            "(Zhmoginov and Sandler 2016; Mai et al. 2019)",
        ),
        ("```{math}\n:label: a\n\nx = 1\n```", "$$\n\nx = 1\n$$"),
        (":::{admonition} Beware\n:class: tip\nOf this.\n:::", "> **Beware.** Of this."),
        (
            "````{exercise} Rows\n:label: r\n\nCount {term}`chip`s.\n````",
            "> **Exercise.** Count chips.",
        ),
        ("```{solution-start} r\n:class: dropdown\n```", "> **Solution.**"),
        ("```{solution-end}\n```", ""),
        (":::{figure} a.png\n:alt: words\n\nLook here.\n:::", "![words](a.png)\n\n*Look here.*"),
        ("```python\n{not}`touched`\n```", "```python\n{not}`touched`\n```"),
        (
            "```{bibliography}\n:filter: docname in docnames\n```",
            "The references stand at the foot of the rendered page.",
        ),
        (":::{div} wide\nInside {term}`chip`.\n:::", "Inside chip."),
        ("$$\nx\n$$ (name)", "$$\nx\n\\tag{name}\n$$"),
    ],
)
def test_convert(myst, plain):
    assert convert(myst, PAGE) == plain


def test_included_code_is_shown():
    text = "```{literalinclude} ../../tools/keys.py\n:language: python\n:pyobject: digest\n```"
    shown = convert(text, PAGE)
    assert shown.startswith("```python\ndef digest(content: bytes) -> str:")
    assert shown.endswith("[:20]\n```")
