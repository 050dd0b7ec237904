"""Pages that nobody writes by hand: the library's, the index of its names, and links to both.

`Reference.make` reads the library and all pages once, and keeps what it found in the build folder
until one of them changes. `Links` puts into a page what the reference says of it: a label at each
section, a link at the first mention of a name, and a line below code that the page includes.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from tools import mentions as reading
from tools.book import Book
from tools.cards import DATA, MODELS
from tools.keys import digest
from tools.mentions import Mention, Sections, mentions, read_lines
from tools.symbols import Symbol, Symbols
from visage.files import written_whole

LIBRARY_PAGE = "book/api/library"
EXPERIMENT = re.compile(r"(reproduce|study|^train|_train|_data|_learning|_examples|^compiled_.*)$")
WHOLE = ("visage", "visage.faces", "visage.photos", "visage.recognition", "visage.avatar")
PLACES = 6
"""That the index names of one name; what is on every page needs no more."""
ORDER = {"shown": 0, "named": 1, "used": 2}


@dataclass(frozen=True)
class Reference:
    """What is generated, and where names lead.

    Attributes:
        files: path below the stage to text.
        pages: names of the generated pages, below ``book/`` and without suffix, in order.
        spans: page to what stands in backticks there to the name that it links to.
        shown: page to included name to the name that it links to.
    """

    files: dict[str, str]
    pages: list[str]
    spans: dict[str, dict[str, str]]
    shown: dict[str, dict[str, str]]

    @classmethod
    def make(cls, book: Book) -> Reference:
        """The reference of a book; an empty one if the book has no page for it.

        Raises:
            BookError: a page includes code that the library does not have.
        """
        if book.root / f"{LIBRARY_PAGE}.md" not in book.pages:
            return cls({}, [], {}, {})
        texts = {
            page.relative_to(book.root / "book").with_suffix("").as_posix(): page.read_text("utf-8")
            for page in book.pages
        }
        symbols = Symbols(book.root / "src" / book.package)
        kept = book.build / "reference.json"
        read = [path.read_bytes() for path in symbols.files.values()]
        read += [(Path(__file__).parent / name).read_bytes() for name in _MAKERS]
        key = digest(json.dumps([*map(digest, read), *symbols.files, texts]).encode())
        if kept.is_file():
            old = json.loads(kept.read_text("utf-8"))
            if old.pop("key") == key:
                return cls(**old)
        made = _Made(symbols, texts, book.repository_url).reference()
        kept.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(kept) as temporary:
            temporary.write_text(json.dumps({"key": key, **asdict(made)}), encoding="utf-8")
        return made

    def links(self, page: str) -> Links:
        """What to put into one page; take its pieces through it in order."""
        return Links(page, self.spans.get(page, {}), self.shown.get(page, {}), bool(self.files))


_MAKERS = ("reference.py", "mentions.py", "symbols.py", "cards.py")


class Links:
    """Puts labels and links into the Markdown of one page."""

    def __init__(
        self, page: str, spans: Mapping[str, str], shown: Mapping[str, str], wanted: bool = True
    ):
        self.sections = Sections(page)
        self.spans = dict(spans)
        self.shown = shown
        self.wanted = wanted

    def put(self, text: str) -> str:
        """The same piece of Markdown with its links."""
        if not self.wanted:
            return text
        lines: list[str] = []
        below = ""
        for line in read_lines(text):
            label = self.sections.read(line)
            if label:
                lines.append(f"({label})=")
            if line.kind == "option" and line.directive == "literalinclude":
                option = re.match(r"^\s*:pyobject:\s*(\S+)", line.text)
                below = self.shown.get(f"{line.argument} {option[1]}", "") if option else below
            if line.kind == "prose" and not line.text.startswith("#"):
                lines.append(reading.SPAN.sub(self._linked, line.text))
            else:
                lines.append(line.text)
            if below and line.kind == "fence" and not line.directive:
                lines += ["", ":::{div} api-link", _role(below, below), ":::"]
                below = ""
        return "\n".join(lines)

    def _linked(self, span: re.Match) -> str:
        target = self.spans.pop(span["text"], None)  # the first mention only
        return span[0] if target is None else _role(span["text"], target)


def _role(text: str, target: str) -> str:
    return f"{{py:obj}}`{text} <{target}>`"


@dataclass(frozen=True)
class _Made:
    symbols: Symbols
    texts: Mapping[str, str]
    address: str

    @cached_property
    def mentions(self) -> list[Mention]:
        return [
            one for page, text in self.texts.items() for one in mentions(page, text, self.symbols)
        ]

    @cached_property
    def whole(self) -> set[str]:
        """Modules that are described in full: those that the book speaks of, and the ground."""
        table = self.symbols.table
        found = {table[one.name].module for one in self.mentions}
        loaders = [*MODELS.values(), *(use for _, use in DATA.values())]
        found |= {table[use.loader].module for use in loaders if use.loader in table}
        for module in self.symbols.files:
            package, _, last = module.rpartition(".")
            ground = package in WHOLE and not EXPERIMENT.search(last)
            if ground or last == "errors" or module in WHOLE:
                found.add(module)
        return {module for module in found if not module.endswith("__main__")}

    def target(self, symbol: Symbol) -> str:
        """The nearest entry of the API pages that a name can lead to."""
        while symbol.kind != "module" and not (symbol.public and symbol.summary):
            above = symbol.name.rpartition(".")[0]
            symbol = self.symbols.table.get(above) or self.symbols.table[symbol.module]
        return symbol.name

    def reference(self) -> Reference:
        packages: dict[str, list[str]] = defaultdict(list)
        for module in self.symbols.files:
            packages[self.symbols.package(module)].append(module)
        pages = {package: f"api/{page_of(package)}" for package in packages}
        files = {f"book/{page}.rst": self._page(p, packages[p]) for p, page in pages.items()}
        files["book/_reference/packages.inc"] = self._packages(packages)
        files["book/_reference/symbols.inc"] = self._index()
        files["book/_reference/places.json"] = json.dumps(self._places(), indent=0)
        spans: dict[str, dict[str, str]] = defaultdict(dict)
        shown: dict[str, dict[str, str]] = defaultdict(dict)
        for page, text in self.texts.items():
            known = reading.known_names(text, self.symbols)
            for line in read_lines(text):
                if line.kind == "option" and line.directive == "literalinclude":
                    symbol = reading.included(page, line, self.symbols)
                    if symbol:
                        shown[page][f"{line.argument} {symbol.short}"] = self.target(symbol)
                elif line.kind == "prose":
                    for span in reading.SPAN.findall(line.text):
                        symbol = reading.named(span, self.symbols, known)
                        if symbol:
                            spans[page][span] = self.target(symbol)
        return Reference(files, list(pages.values()), dict(spans), dict(shown))

    def _page(self, package: str, modules: Sequence[str]) -> str:
        lines = [f".. _{label_of(package)}:", "", *_title(package, "=")]
        whole = [m for m in modules if m in self.whole]
        others = [m for m in modules if m not in self.whole and m != package]
        if package in self.symbols.files:
            lines += _automodule(package)
        lines += [self._below(package), ""]
        for module in whole:
            if module != package:
                lines += [*_title(module.removeprefix(f"{package}."), "-"), *_automodule(module)]
        if others:
            lines += [*_title("Other modules" if whole else "Modules", "-"), ""]
            lines += ["Not described here name by name; each leads to its source.", ""]
            lines += [".. container:: name-list", ""]
        for module in others:
            tail = self.symbols.files[module].relative_to(self.symbols.folder.parent.parent)
            link = f"{self.address}/blob/main/{tail.as_posix()}"
            lines += [f"   `{module.removeprefix(f'{package}.')} <{link}>`__"]
            lines += [f"      {escaped(self.symbols.table[module].summary)}", ""]
        return "\n".join(lines) + "\n"

    def _below(self, package: str) -> str:
        return "Back to :doc:`library`, or look a name up in the :doc:`index </symbols>`."

    def _packages(self, packages: Mapping[str, Sequence[str]]) -> str:
        lines = [":::{div} name-list", ""]
        for package, modules in packages.items():
            about = self.symbols.table[package].summary if package in self.symbols.files else ""
            count = f"{len(modules)} modules" if len(modules) > 1 else "1 module"
            lines += [f"[`{package}`](#{label_of(package)})", f": {about} {count}.", ""]
        return "\n".join([*lines, ":::", ""])

    def _places(self) -> dict[str, list[list[str]]]:
        """Name of an API entry to where the book speaks of it: label, title, section, how."""
        best: dict[tuple[str, str], Mention] = {}
        for one in sorted(self.mentions, key=lambda one: ORDER[one.how]):
            name = self.target(self.symbols.table[one.name])
            best.setdefault((name, one.page), one)
        pages = list(self.texts)
        found: dict[str, list[list[str]]] = defaultdict(list)
        for (name, page), one in sorted(best.items(), key=lambda item: pages.index(item[0][1])):
            found[name].append([one.label, self._title(page), one.section, one.how])
        return dict(sorted(found.items()))

    def _title(self, page: str) -> str:
        sections = Sections(page)
        for line in read_lines(self.texts[page]):
            sections.read(line)
            if sections.title:
                break
        return sections.title

    def _index(self) -> str:
        """Every name that the book shows, names or imports, with its place; package by package."""
        of: dict[str, dict[tuple[str, str], Mention]] = defaultdict(dict)
        for one in sorted(self.mentions, key=lambda one: ORDER[one.how]):
            of[one.name].setdefault((one.page, one.how if one.how == "shown" else ""), one)
        table = self.symbols.table
        lines: list[str] = []
        package = ""
        home = {name: self.symbols.package(table[name].module) for name in of}
        for name in sorted(of, key=lambda name: (home[name], name.lower())):
            symbol = table[name]
            if home[name] != package:
                lines += [":::", ""] if package else []
                package = home[name]
                lines += [f"## {package}", "", ":::{div} name-list", ""]
            short = name.removeprefix(f"{package}.") if name != package else name
            lines += [_role(short, self.target(symbol)), f": {self._where(of[name])}", ""]
        return "\n".join([*lines, ":::", ""])

    def _where(self, places: Mapping[tuple[str, str], Mention]) -> str:
        pages = list(self.texts)
        shown_on = {page for page, how in places if how}
        kept = [one for (page, how), one in places.items() if how or page not in shown_on]
        kept.sort(key=lambda one: (ORDER[one.how], pages.index(one.page)))
        parts = []
        more = len(kept) - PLACES
        for one in kept[:PLACES] if more > 1 else kept:
            title = self._title(one.page)
            text = title if one.section == title else f"{title}, {one.section}"
            link = f"[{markdown_escaped(text)}](#{one.label})"
            parts.append(f"**{link}**" if one.how == "shown" else link)
        others = f"; and on {more} more pages" if more > 1 else ""
        return "; ".join(parts) + others


def page_of(package: str) -> str:
    """The name of a package's page."""
    return package.replace(".", "_")


def label_of(package: str) -> str:
    """What a reference to a package's page is made with."""
    return f"api-{package.replace('.', '-')}"


def escaped(text: str) -> str:
    r"""Plain text as reStructuredText, what stands in backticks as code.

    >>> escaped("a*b of `x_`, |y|")
    'a\\*b of ``x_``, \\|y\\|'
    """
    pieces = text.split("`")
    plain = [re.sub(r"([\\*|_])", r"\\\1", piece) for piece in pieces]
    if len(pieces) % 2 == 0:  # a backtick without its other one
        return "\\`".join(plain)
    return "".join(f"``{pieces[i]}``" if i % 2 else one for i, one in enumerate(plain))


def markdown_escaped(text: str) -> str:
    """Plain text as Markdown."""
    return re.sub(r"([\\*_`\[\]<>$])", r"\\\1", text)


def _title(text: str, mark: str) -> list[str]:
    return [text, mark * len(text), ""]


def _automodule(module: str) -> list[str]:
    return [f".. automodule:: {module}", "   :members:", "   :ignore-module-all:", ""]
