"""What the book adds to Sphinx: citations, quizzes, a map; Live Code and plotly from its own host.

sphinx-thebe would write its constants into every page, twice, and load an old thebe from
elsewhere. Its two event handlers are taken out; `_static/js/live-code.js` starts the thebe that the
site serves, when a reader asks for it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import sphinx_thebe
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinxcontrib.bibtex.plugin import register_plugin
from sphinxcontrib.bibtex.style.referencing import BracketStyle
from sphinxcontrib.bibtex.style.referencing.author_year import AuthorYearReferenceStyle


def _round() -> BracketStyle:
    return BracketStyle(left="(", right=")")


@dataclass
class AuthorYearRound(AuthorYearReferenceStyle):
    """Cole et al. (2017), not Cole et al. [2017]: numbers in brackets are equations here."""

    bracket_parenthetical: BracketStyle = field(default_factory=_round)
    bracket_textual: BracketStyle = field(default_factory=_round)
    bracket_author: BracketStyle = field(default_factory=_round)
    bracket_label: BracketStyle = field(default_factory=_round)
    bracket_year: BracketStyle = field(default_factory=_round)


class _Drawn(SphinxDirective):
    """HTML that the library writes, with links from this page to others of the book."""

    def address(self, place: str) -> str:
        """Where a page lies from here, and a place in it: "inversion/one_pass#the-network"."""
        page, mark, anchor = place.partition("#")
        if page not in self.env.found_docs:
            raise self.error(f"a link leads to {page}, which is no page of the book")
        return self.env.app.builder.get_relative_uri(self.env.docname, page) + mark + anchor

    def run(self) -> list[nodes.Node]:
        """One raw node."""
        return [nodes.raw("", self.html(), format="html")]


class QuizDirective(_Drawn):
    """A part's quiz, `visage.explore.quiz`: a form that needs neither a kernel nor a widget."""

    required_arguments = 1  # the part

    def html(self) -> str:
        """Style, form and script."""
        from visage.explore.quiz import QuizError, quiz_page  # a book without quizzes needs none

        try:
            return quiz_page(self.arguments[0], self.address)
        except QuizError as wrong:
            raise self.error(str(wrong)) from wrong


class PaperMapDirective(_Drawn):
    """The map of the five papers, `visage.explore.paper_map`."""

    def html(self) -> str:
        """Both arrangements of it, of which the page shows one."""
        from visage.explore.paper_map import paper_map

        return paper_map(self.address)


def setup(app: Sphinx) -> dict[str, object]:
    """Connect to Sphinx; the repairs of the theme's pages are an extension of their own."""
    plugins = "sphinxcontrib.bibtex.style.referencing"
    register_plugin(plugins, "author_year_round", AuthorYearRound)
    app.add_directive("quiz", QuizDirective)
    app.add_directive("paper-map", PaperMapDirective)
    app.setup_extension("visage_repairs")
    app.connect("builder-inited", _silence_sphinx_thebe)
    app.connect("html-page-context", _add_scripts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def _silence_sphinx_thebe(app: Sphinx) -> None:
    """Disconnect what sphinx-thebe writes into pages; its button and its styles stay."""
    replaced = (sphinx_thebe.init_thebe_core, sphinx_thebe.update_thebe_context)
    for listeners in app.events.listeners.values():
        listeners[:] = [one for one in listeners if one.handler not in replaced]


def _add_scripts(
    app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None
) -> None:
    """Load on a page what that page uses."""
    if doctree is None:
        return
    root = context["content_root"]
    scripts = []
    if "plotly-graph-div" in context["body"]:
        # In the text, not in the head: figures call it while the page loads, and it has to come
        # before require.js, which would take it for a module.
        scripts.append(f'<script src="{root}_static/vendor/plotly.min.js"></script>')
    if "kernelspec" in app.env.metadata[pagename]:
        config = json.dumps(_thebe_config(app, pagename))
        scripts.append(f'<script type="text/x-thebe-config">{config}</script>')
        app.add_js_file("js/live-code.js", loading_method="defer")
    context["body"] = "".join(scripts) + context["body"]


def _thebe_config(app: Sphinx, pagename: str) -> dict[str, object]:
    """How thebe starts a kernel: on Binder, from the branch of notebooks, in the page's folder."""
    theme = app.config.html_theme_options
    folder = pagename.rpartition("/")[0]
    return {
        "requestKernel": True,
        "useBinder": True,
        "useJupyterLite": False,
        "binderOptions": {
            "repo": theme["repository_url"].removeprefix("https://github.com/"),
            "ref": theme["repository_branch"],
            "binderUrl": theme["launch_buttons"]["binderhub_url"],
        },
        "kernelOptions": {
            "name": "python3",
            "kernelName": "python3",
            "path": f"{theme['path_to_docs']}/{folder}",
        },
        "codeMirrorConfig": {"mode": "python", "theme": "default"},
        "predefinedOutput": True,
        "mountStatusWidget": False,
        "mountActivateWidget": False,
    }
