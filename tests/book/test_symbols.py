"""The library's pages and the index of names: made from the sources, and linked both ways."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tools.book import REPOSITORY, Book, BookError
from tools.mentions import Sections, known_names, mentions, named, plain_title, read_lines, used
from tools.reference import LIBRARY_PAGE, Links, Reference, escaped
from tools.stage import with_sections
from tools.symbols import Symbols, field_comments


@pytest.fixture(scope="module")
def symbols() -> Symbols:
    return Symbols(REPOSITORY / "src" / "visage")


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> Reference:
    book = Book()
    build = tmp_path_factory.mktemp("build")

    class Elsewhere(Book):
        build = property(lambda self: build)

    return Reference.make(Elsewhere(root=book.root))


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Symbols:
    folder = tmp_path_factory.mktemp("src") / "tiny"
    (folder / "inner").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "inner" / "__init__.py").write_text("from tiny.inner.deep import Thing as Passed\n")
    (folder / "inner" / "deep.py").write_text(
        '"""Deep.\n\nMore."""\nSIZE = 3\n"""Pixels."""\nHIDDEN = 4\n\n\n'
        'class Thing:\n    """A thing."""\n\n    width: int = 1  # in mm\n    name: str = "#"\n\n'
        '    @property\n    def twice(self):\n        """Two."""\n        return 2\n\n\n'
        "def _private():\n    return 1\n"
    )
    return Symbols(folder)


def test_names_are_found_with_their_lines_and_summaries(small):
    deep = "tiny.inner.deep"
    kinds = {name: (one.kind, one.summary, one.first) for name, one in small.table.items()}
    assert kinds[deep] == ("module", "Deep.", 1)
    assert kinds[f"{deep}.SIZE"] == ("value", "Pixels.", 4)
    assert kinds[f"{deep}.HIDDEN"] == ("value", "", 6)
    assert kinds[f"{deep}.Thing"] == ("class", "A thing.", 9)
    assert kinds[f"{deep}.Thing.twice"] == ("method", "Two.", 15)
    assert not small.table[f"{deep}._private"].public
    assert small.table[f"{deep}.Thing.twice"].short == "Thing.twice"
    assert small.package(deep) == small.package("tiny.inner") == "tiny.inner"


def test_a_name_that_is_passed_on_is_the_one_it_comes_from(small):
    thing = small.table["tiny.inner.deep.Thing"]
    assert small.resolve("tiny.inner.Passed") == thing
    assert small.resolve("tiny.inner.Passed.twice").name.endswith("Thing.twice")
    assert small.resolve("tiny.inner.Passed.width") == thing, "a field is described with its class"
    assert small.resolve("tiny.inner.absent") is None
    assert small.resolve("torch.Tensor") is None


def test_comments_behind_fields_are_their_descriptions(small):
    assert field_comments(small.files["tiny.inner.deep"], "Thing") == {"width": "in mm"}
    assert field_comments(small.files["tiny.inner.deep"], "Absent") == {}


PAGE = """\
(top)=
# The `Thing` page

`Thing` and `word` and `Thing.twice`, `SIZE`, {ref}`Thing`.

```{code-cell} ipython3
from tiny.inner import deep
%matplotlib inline
deep.Thing()
```

## Ask *why*

```{literalinclude} ../../src/tiny/inner/deep.py
:language: python
:pyobject: Thing.twice
```

```{exercise} One
:label: exercise-one
`Thing` again.
```

$$
# no heading
$$

```python
# no heading either
```

## Ask *why*

The end of `tiny.inner.deep`.
"""


def test_a_page_says_what_it_speaks_of_and_where(small):
    found = [
        (one.name.removeprefix("tiny.inner."), one.label, one.section, one.how)
        for one in mentions("part/page", PAGE, small)
    ]
    first = ("top", "The Thing page")
    second = ("at-part-page-ask-why", "Ask why")
    assert found == [
        ("deep.Thing", *first, "named"),
        ("deep.Thing.twice", *first, "named"),
        ("deep", *first, "used"),
        ("deep.Thing", *first, "used"),
        ("deep.Thing.twice", *second, "shown"),
        ("deep.Thing", *second, "named"),
        ("deep", "at-part-page-ask-why-2", "Ask why", "named"),
    ]


def test_included_code_that_does_not_exist_is_refused(small):
    with pytest.raises(BookError, match=r"includes Nothing of tiny\.inner\.deep"):
        mentions("part/page", PAGE.replace("Thing.twice\n```", "Nothing\n```"), small)


def test_a_word_is_no_name_unless_the_page_imports_it(symbols):
    assert named("mask", symbols, {}) is None
    assert named("reconstruct", symbols, {}) is None, "the library has several"
    known = {"reconstruct": "visage.inversion.reconstruct.reconstruct"}
    found = named("reconstruct(photo)", symbols, known)
    assert found.name == "visage.inversion.reconstruct.reconstruct"
    assert named("visage.photos.landmarks", symbols, {}).kind == "module"
    assert named("MorphableModel.load", symbols, {}).name.endswith("shape.MorphableModel.load")
    assert named("through_barycentrics=False", symbols, {}) is None


def test_the_same_labels_are_put_into_the_page(small):
    links = Links(
        "part/page",
        {"Thing": "tiny.inner.deep.Thing"},
        {"../../src/tiny/inner/deep.py Thing.twice": "tiny.inner.deep.Thing.twice"},
    )
    cells = PAGE.split("\n\n## Ask *why*")
    put = links.put(cells[0]) + links.put("## Ask *why*" + cells[1]) + links.put("## Ask *why*")
    assert "(at-part-page-ask-why)=\n## Ask" in put
    assert "(at-part-page-ask-why-2)=\n## Ask" in put
    assert put.count("(top)=") == 1
    assert put.count("{py:obj}`Thing <tiny.inner.deep.Thing>`") == 1, "only where it is named first"
    assert "{ref}`Thing`" in put
    below = ":::{div} api-link\n{py:obj}`tiny.inner.deep.Thing.twice <tiny.inner.deep.Thing.twice>`"
    assert f"```\n\n{below}" in put
    assert Links("part/page", {}, {}, wanted=False).put(PAGE) == PAGE


def test_headings_lose_their_markup():
    assert plain_title("{term}`Chips <chip>` and $n_z$, *here*") == "Chips and n_z, here"
    sections = Sections("a/b")
    labels = [
        sections.read(line) for line in read_lines("(own)=\n# A\n\n## B & c\n\n(x)=\ny\n## D")
    ]
    assert [label for label in labels if label] == ["at-a-b-b-c", "at-a-b-d"]
    assert sections.title == "A"


def test_code_with_magic_or_mistakes_is_read_as_far_as_it_goes(symbols):
    text = "```{code-cell} ipython3\n!pip list\nfrom visage import ledger as book\n```"
    assert known_names(text, symbols) == {"book": "visage.ledger"}
    from tools.mentions import parsed

    tree = parsed("from visage import ledger\nledger.read('x')\nledger.absent")
    names = [one.name for one in used(tree, symbols, {"ledger": "visage.ledger"})]
    assert names == ["visage.ledger", "visage.ledger.read"]
    assert parsed("def (").body == []


def test_every_included_name_is_in_the_index_with_its_place(symbols, reference):
    index = reference.files["book/_reference/symbols.inc"]
    entries = dict(re.findall(r"^\{py:obj\}`(\S+) <[^>]+>`\n: (.*)$", index, re.MULTILINE))
    count = 0
    for page in Book().pages:
        name = page.relative_to(REPOSITORY / "book").with_suffix("").as_posix()
        text = page.read_text(encoding="utf-8")
        included = re.findall(r"^:pyobject: (\S+)$", text, re.MULTILINE)
        for one in mentions(name, text, symbols):
            if one.how == "shown":
                count += 1
                short = one.name.removeprefix(f"{symbols.package(symbols.table[one.name].module)}.")
                assert f"](#{one.label})**" in entries[short], one
        shown = {one.name for one in mentions(name, text, symbols) if one.how == "shown"}
        assert {one.rpartition(".")[2] for one in included} == {
            one.rpartition(".")[2] for one in shown
        }
    assert count > 50


def test_every_link_leads_to_an_entry(symbols, reference):
    pages = "\n".join(text for name, text in reference.files.items() if name.endswith(".rst"))
    described = set(re.findall(r"^\.\. automodule:: (\S+)$", pages, re.MULTILINE))
    index = reference.files["book/_reference/symbols.inc"]
    targets = set(re.findall(r"\{py:obj\}`\S+ <([^>]+)>`", index))
    targets |= {one for page in reference.spans.values() for one in page.values()}
    targets |= {one for page in reference.shown.values() for one in page.values()}
    for target in targets:
        symbol = symbols.table[target]
        assert symbol.module in described, target
        assert symbol.kind == "module" or (symbol.public and symbol.summary), target


def test_every_module_stands_on_its_package_page_once(symbols, reference):
    for module in symbols.files:
        package = symbols.package(module)
        page = reference.files[f"book/api/{package.replace('.', '_')}.rst"]
        short = module.removeprefix(f"{package}.")
        told = page.count(f".. automodule:: {module}\n") + page.count(f"`{short} <https://")
        assert told == 1 or (module == package and told == 1), module


def test_it_is_read_again_only_when_something_changed(tiny_book, edit, monkeypatch):
    made = []
    from tools import reference as module

    original = module._Made.reference
    monkeypatch.setattr(module._Made, "reference", lambda self: made.append(1) or original(self))
    root = tiny_book.root
    (root / "book" / "api").mkdir()
    (root / "book" / "api" / "library.md").write_text("# Library\n")
    edit(
        root / "_toc.yml",
        "- file: book/part/two",
        "- file: book/part/two\n- file: book/api/library",
    )
    first = Reference.make(Book(root=root, package="tiny"))
    assert first.pages == ["api/tiny"]
    assert first.spans == {}
    assert "[One](#at-part-one-one)" in first.files["book/_reference/symbols.inc"]
    places = "book/_reference/places.json"
    assert json.loads(first.files[places]).keys() == {"tiny.a", "tiny.b"}
    assert Reference.make(Book(root=root, package="tiny")) == first
    assert len(made) == 1
    edit(root / "src/tiny/a.py", "def shown():", 'def shown():\n    """A word."""')
    changed = Reference.make(Book(root=root, package="tiny"))
    assert len(made) == 2
    assert "tiny.a.shown" in json.loads(changed.files[places]), "now it has an entry of its own"
    edit(root / "book/part/one.md", "Some prose.", "Some prose with `shown`.")
    assert Reference.make(Book(root=root, package="tiny")).spans == {
        "part/one": {"shown": "tiny.a.shown"}
    }


def test_a_book_without_the_page_has_no_reference(tiny_book):
    assert Reference.make(tiny_book) == Reference({}, [], {}, {})
    assert not (tiny_book.build / "reference.json").exists()


def test_generated_pages_go_below_the_page_on_the_library():
    toc = {"root": "book/index", "parts": [{"chapters": [{"file": LIBRARY_PAGE}, {"file": "a"}]}]}
    found = with_sections(toc, ["api/x"])
    assert found["parts"][0]["chapters"] == [
        {"file": LIBRARY_PAGE, "sections": [{"file": "api/x"}]},
        {"file": "a"},
    ]
    assert "sections" not in toc["parts"][0]["chapters"][0]


@pytest.fixture
def extension(monkeypatch):
    pytest.importorskip("sphinx")
    import importlib.util

    path = REPOSITORY / "book" / "_extensions" / "visage_api.py"
    spec = importlib.util.spec_from_file_location("visage_api", path)
    module = importlib.util.module_from_spec(spec)
    import sys

    monkeypatch.setitem(sys.modules, "visage_api", module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_formulas_in_docstrings_are_text_and_names_are_links(extension):
    def target(name: str) -> str | None:
        return "tiny.Thing" if name == "Thing" else None

    lines = [
        "The norm |x| of S_x p and x_, 2 * y* with \\ and `Thing`s, `2 x`, ``y``.",
        "    >>> |a| * `b`",
        "    x_",
        "",
        "As so::",
        "",
        "    |raw|",
        "Done |x|",
        "See :func:`Thing`.",
    ]
    assert extension.escape(lines, target) == [
        "The norm \\|x\\| of S_x p and x\\_, 2 \\* y\\* with \\\\ and "
        ":py:obj:`Thing <tiny.Thing>`\\ s, ``2 x``, ``y``.",
        "    >>> |a| * `b`",
        "    x_",
        "",
        "As so::",
        "",
        "    |raw|",
        "Done \\|x\\|",
        "See :func:`Thing`.",
    ]


def test_names_in_docstrings_are_looked_for_nearby(extension, small, monkeypatch):
    described = {one.name for one in small.table.values() if one.public and one.summary}
    api = replace(extension._API, symbols=small, described=described)
    monkeypatch.setattr(extension, "_API", api)
    deep = "tiny.inner.deep"
    assert extension._target("twice", deep, f"{deep}.Thing") == f"{deep}.Thing.twice"
    assert extension._target("Thing", deep, f"{deep}.Thing.twice") == f"{deep}.Thing"
    assert extension._target("width", deep, f"{deep}.Thing") is None
    assert extension._target("HIDDEN", deep, f"{deep}.Thing") is None
    assert extension._target("a + b", deep, f"{deep}.Thing") is None
    lines = [":raises Thing: never.", ":raises ValueError: sometimes."]
    extension._with_full_names(None, "function", f"{deep}._private", None, None, lines)
    assert lines == [f":raises ~{deep}.Thing: never.", ":raises ValueError: sometimes."]


def test_the_source_of_an_entry_is_linked_by_its_lines(extension, symbols, monkeypatch):
    api = replace(extension._API, symbols=symbols, address="https://example.org/x")
    monkeypatch.setattr(extension, "_API", api)
    info = {"module": "visage.ledger", "fullname": "read"}
    symbol = symbols.table["visage.ledger.read"]
    assert extension._source("py", info) == (
        f"https://example.org/x/blob/main/src/visage/ledger.py#L{symbol.first}-L{symbol.last}"
    )
    lines = Path(REPOSITORY / "src/visage/ledger.py").read_text().splitlines()
    assert lines[symbol.first - 1].startswith("def read(")
    assert extension._source("py", info | {"fullname": "absent"}) is None


def test_what_stands_before_a_colon_is_no_type(extension, symbols, monkeypatch):
    monkeypatch.setattr(extension, "_API", replace(extension._API, symbols=symbols))
    lines = ["identity and pose.", "", ":type: Numbers that are guessed"]
    extension._with_full_names(None, "data", "visage.ledger.read", None, None, lines)
    assert lines == ["Numbers that are guessed: identity and pose.", ""]
    kept = ["An image.", ":type: str"]
    extension._with_full_names(None, "function", "visage.ledger.read", None, None, kept)
    assert kept == ["An image.", ":type: str"]


def test_a_link_to_nothing_is_a_warning(extension, monkeypatch):
    node = {"reftype": "obj", "reftarget": "visage.absent"}
    told = []

    class Logger:
        def warning(self, message, *values, location):
            told.append(message % values)

    monkeypatch.setattr(extension.logging, "getLogger", lambda name: Logger())
    extension._complain(None, None, node, None)
    extension._complain(None, None, node | {"reftarget": "torch.Tensor"}, None)
    extension._complain(None, None, node | {"reftype": "class"}, None)
    assert told == ["there is no entry for visage.absent"]


def test_summaries_are_text_in_restructured_text():
    assert escaped("a*b of `x_`, |y|_") == r"a\*b of ``x_``, \|y\|\_"
    assert escaped("one ` alone") == r"one \` alone"
