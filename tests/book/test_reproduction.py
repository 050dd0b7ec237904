"""Every figure and table of the papers is listed, and every entry of the ledger has its place."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tools.book import REPOSITORY, Book, BookError
from tools.evidence import Ledger, as_good, holds, registered_experiments
from tools.manifests import FOLDER, PARTS, read_manifests, read_own
from tools.reproduction import pages_named, reproduction_files
from visage.ledger import Row, list_results, read

MANIFESTS = read_manifests()
# Figures and tables as the papers number them, appendices included.
PUBLISHED = {
    "zhmoginov2016inverting": (11, 1),
    "cole2017synthesizing": (18, 0),
    "liu2018normalized": (7, 4),
    "richardson2017learning": (11, 1),
    "saito2017photorealistic": (20, 0),
}
RECORDED_BY_TOOLS = "book/"

each_manifest = pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda one: one.part)


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    book = Book()
    pages = {
        page.relative_to(book.root).as_posix(): page.read_bytes()
        for page in book.pages
        if page.relative_to(book.root).as_posix().startswith("book/reproduction")
    }
    return reproduction_files(book, pages)


def test_all_five_papers_have_a_manifest():
    assert {one.key for one in MANIFESTS} == set(PUBLISHED)
    assert [one.part for one in MANIFESTS] == list(PARTS)


@each_manifest
def test_no_figure_and_no_table_is_left_out(manifest):
    assert (manifest.figures, manifest.tables) == PUBLISHED[manifest.key]
    numbers = {"figure": [], "table": []}
    for item in manifest.items:
        numbers[item.kind].append(item.number)
    assert numbers["figure"] == list(range(1, manifest.figures + 1))
    assert numbers["table"] == list(range(1, manifest.tables + 1))


@each_manifest
def test_the_count_is_that_of_the_papers_text(manifest):
    """Where the papers' texts are: a folder, named by VISAGE_PAPERS, of one text each."""
    folder = os.environ.get("VISAGE_PAPERS")
    if not folder:
        pytest.skip("VISAGE_PAPERS names no folder with the papers' texts")
    opening = {
        "inversion": "invert low-dimensional face",
        "normalization": "frontal, neutralexpression image",
        "nfgan": "Perceptron Generative Adversarial",
        "geometry": "Learning Detailed Face Reconstruction",
        "texture": "Photorealistic Facial Texture Inference",
    }[manifest.part]
    (text,) = [
        text
        for path in sorted(Path(folder).glob("*.txt"))
        if opening in (text := path.read_text(encoding="utf-8"))[:6000]
    ]
    captions = re.findall(r"\b(Figure|Fig\.|Figures|Figs\.|Table)\s+(\d+)", text)
    found = {kind: {int(n) for k, n in captions if k[:3] == kind} for kind in ("Fig", "Tab")}
    assert found["Fig"] == set(range(1, manifest.figures + 1))
    assert found["Tab"] == set(range(1, manifest.tables + 1))


@each_manifest
def test_an_item_says_what_it_is(manifest):
    for item in manifest.items:
        assert item.title
        assert item.shows.endswith(".")
        if item.status in ("in part", "not reproduced"):
            assert item.because, f"{manifest.part}: {item.name} says not why"
        if item.status in ("reproduced", "in part"):
            assert item.entries, f"{manifest.part}: {item.name} names no entry"
        if item.status == "built":
            assert (REPOSITORY / item.code).is_file(), item.code
        if item.chapter:
            assert (REPOSITORY / "book" / f"{item.chapter}.md").is_file(), item.chapter


@each_manifest
def test_ids_and_rows_are_those_of_the_ledger(manifest):
    known = registered_experiments(REPOSITORY)
    for id in manifest.entries:
        assert id in known, f"{id} is no experiment"
    standing = set(list_results())
    for id, names in manifest.rows.items():
        assert id in manifest.entries
        rows = {row.name for row in read(id).rows} if id in standing else set(names)
        assert set(names) <= rows, f"{id} has no {set(names) - rows}"


def test_an_entry_of_a_paper_is_in_its_manifest():
    keys = {one.key: one for one in MANIFESTS}
    for id in list_results():
        key = read(id).paper
        if key in keys:
            assert id in keys[key].entries, f"{id} is of {key}, and its manifest does not say so"


def test_what_the_library_knows_is_recorded_or_listed_as_open(files):
    known = registered_experiments(REPOSITORY)
    stray = {id for id in list_results() if not id.startswith(RECORDED_BY_TOOLS)} - known
    assert not stray, f"no experiment makes {stray}"
    overview = files["book/reproduction.md"].decode()
    for id in known - set(list_results()):
        assert f"`{id}`" in overview


def test_each_module_of_experiments_is_read():
    known = registered_experiments(REPOSITORY)
    for path in REPOSITORY.glob("src/visage/*/*reproduce.py"):
        table = path.read_text(encoding="utf-8").partition("\nEXPERIMENTS")[2].partition("}")[0]
        named = re.findall(r'"([a-z]+/\w+)"', table)
        assert named, path
        assert set(named) <= known, path


def test_every_entry_is_on_one_page(files):
    pages = [content.decode() for name, content in files.items() if name.endswith(".md")]
    for id in list_results():
        shown = [page for page in pages if f"<p>entry {id}; " in page]
        assert len(shown) == 1, f"{id} is on {len(shown)} pages"
        assert f"visage reproduce {id} " in shown[0] or id.startswith(RECORDED_BY_TOOLS)


def test_pages_hold_no_number_of_their_own(files):
    """What is typed in the sources of these pages has no measured number in it."""
    for name in pages_named(MANIFESTS):
        source = (REPOSITORY / f"{name}.md").read_text(encoding="utf-8")
        assert "% reproduction: " in source
        assert not re.search(r"\d\.\d|\d ?%", source), name
        assert "% reproduction: " not in files[f"{name}.md"].decode()


def test_links_and_pictures_of_the_pages_are_there(files):
    anchors = {
        anchor
        for name, content in files.items()
        if name.endswith(".md")
        for anchor in re.findall(r"^\((rep-[\w-]+)\)=$", content.decode(), re.MULTILINE)
    }
    for name, content in files.items():
        if not name.endswith(".md"):
            continue
        text = content.decode()
        for target in re.findall(r'href="[\w/.]*#(rep-[\w-]+)"', text):
            assert target in anchors
        for source in re.findall(r'(?:src|href)="(?:\.\./)?(_static/reproduction/[^"]+)"', text):
            assert f"book/{source}" in files, source
        for chapter in re.findall(r"\[\]\(/([\w/]+)\)", text):
            assert (REPOSITORY / "book" / f"{chapter}.md").is_file()


def test_chapters_lead_to_places_that_are_there(files):
    anchors = {
        anchor
        for name, content in files.items()
        if name.endswith(".md")
        for anchor in re.findall(
            r"^\(((?:rep|reproduction)[\w-]*)\)=$", content.decode(), re.MULTILINE
        )
    }
    for page in Book().pages:
        text = page.read_text(encoding="utf-8")
        wanted = re.findall(r"\{ref\}`(?:[^`<]*<)?((?:rep|reproduction)-[\w-]+)>?`", text)
        assert set(wanted) <= anchors, page


def test_the_summary_counts_what_is_there(files):
    overview = files["book/reproduction.md"].decode()
    items = [item for one in MANIFESTS for item in one.items]
    rows = [row for id in list_results() for row in read(id).rows]
    judged = [good for row in rows if (good := as_good(row)) is not None]
    reproduced = sum(item.status == "reproduced" for item in items)
    assert f"<dd>{len(items)}</dd><dt>figures and tables of 5 papers</dt>" in overview
    assert f"<dd>{reproduced}</dd><dt>reproduced</dt>" in overview
    assert f"<dd>{len(rows):,}</dd><dt>numbers in {len(list_results())} entries" in overview
    assert f"<dd>{sum(judged)} of {len(judged)}</dd>" in overview
    assert f"Of the {len(judged)} numbers" in overview
    assert f"{sum(judged)} are as good here or better" in overview


def test_as_good_goes_by_the_direction():
    lower = Row("a", paper=1.0, ours=1.0, unit="mm", better="lower", n=1)
    assert as_good(lower) is True
    assert as_good(replace(lower, ours=1.1)) is False
    assert as_good(replace(lower, ours=1.1, better="higher")) is True
    assert as_good(replace(lower, better=None)) is None
    assert as_good(replace(lower, paper=None)) is None


@each_manifest
def test_a_claim_compares_rows_that_are_there(manifest):
    standing = set(list_results())
    for id, compared in manifest.claims.items():
        assert id in manifest.entries
        for words, claim in compared.items():
            rows = read(id).rows if id in standing else ()
            assert holds(claim, rows) is not None or id not in standing, f"{id}: {claim}"
            assert not re.search(r"\d\.\d|%", words), f"{id}: {words}"


def test_claims_are_shown_with_their_verdict(files):
    page = files["book/reproduction/nfgan.md"].decode()
    rows = read("nfgan/fig5").rows
    word = "Holds" if holds("oriented_with > oriented_without", rows) else "Does not hold"
    sentence = "with the perceptual loss more filters are oriented."
    assert f"{word}:</b> {sentence}</li>" in page


def test_a_claim_that_is_no_comparison_is_refused():
    with pytest.raises(BookError, match="no comparison"):
        holds("a is better", ())


def test_a_chapter_that_names_an_entry_is_linked(tmp_path, tiny_book):
    chapter = tiny_book.root / "book/part/one.md"
    chapter.write_text(chapter.read_text() + '\nSee "inversion/fig1" and inversion/fig2.\n')
    ledger = Ledger(Book(root=tiny_book.root, package="tiny"))
    assert ledger.chapters == {"inversion/fig1": ["part/one"]}


def test_a_manifest_with_a_slip_is_refused_in_a_sentence(tmp_path):
    for part in PARTS:
        text = (FOLDER / f"{part}.yaml").read_text(encoding="utf-8")
        slipped = text.replace("status: reproduced", "status: nearly", 1)
        (tmp_path / f"{part}.yaml").write_text(slipped, encoding="utf-8")
    with pytest.raises(BookError, match="no status that there is"):
        read_manifests(tmp_path)


def test_titles_of_other_entries_belong_to_entries():
    known = registered_experiments(REPOSITORY)
    for id in read_own().entries:
        assert id in known or id.startswith(RECORDED_BY_TOOLS), id
    standing = set(list_results())
    for id, names in read_own().rows.items():
        if id in standing:
            assert set(names) <= {row.name for row in read(id).rows}, id
