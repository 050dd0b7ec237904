"""Each checkpoint and each download has a card, whole, and linked with the chapters that use it."""

from __future__ import annotations

import json
import re
from dataclasses import fields

import pytest

from tools.book import REPOSITORY, Book, BookError
from tools.cards import (
    DATA,
    METRICS,
    MODELS,
    card_files,
    downloads_markdown,
    duration,
    label_of,
    megabytes,
    models_line,
    models_markdown,
    read_cards,
    used_in,
)
from tools.imports import Library
from tools.mentions import read_lines
from tools.symbols import Symbols
from visage.checkpoints import Card
from visage.explore.tables import amount
from visage.photos.downloads import DOWNLOADS

FOLDER = REPOSITORY / "checkpoints"
CARDS = read_cards(FOLDER)
NAMES = sorted(path.stem for path in FOLDER.glob("*.safetensors"))


def sections(markdown: str) -> dict[str, str]:
    """Heading of a card to what stands below it."""
    parts = re.split(r"^### (\S+)$", markdown, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_has_a_card_with_every_field(name):
    card = json.loads((FOLDER / f"{name}.json").read_text())
    assert {field.name for field in fields(Card)} <= card.keys()
    text = sections(models_markdown(CARDS))[name]
    for key in ("task", "data", "data_licence", "licence", "command", "revision", "device"):
        assert card[key] in text, key
    for key in ("intended_use", "must_not_be_used_for", "sha256", "storage"):
        assert card[key] in text, key
    for metric, value in card["metrics"].items():
        words, unit = METRICS[metric]
        assert f"{words}: {amount(value, unit)}" in text
    assert f"{card['parameters']:,}" in text
    assert f"\n: {card['seed']}, " in text
    assert duration(card["seconds"]) in text
    assert megabytes((FOLDER / f"{name}.safetensors").stat().st_size) in text
    assert not re.search(r"^: *$", text, re.MULTILINE), "a field is empty"


def test_the_overview_has_every_checkpoint_once():
    table = models_markdown(CARDS).partition("</table>")[0]
    for name in NAMES:
        assert table.count(f'<a href="#{label_of(name)}">{name}</a>') == 1
    assert f"{len(NAMES)} networks" in table
    assert {MODELS[name].part for name in NAMES} == set(
        re.findall(r'scope="colgroup">([^<]+)<', table)
    )


@pytest.mark.parametrize("name", sorted(DOWNLOADS))
def test_a_download_has_a_card_with_every_field(name):
    file = DOWNLOADS[name]
    text = sections(downloads_markdown(DOWNLOADS))[name]
    assert all(f"`{url}`" in text for url in file.urls)
    assert file.licence[1:] in text
    assert megabytes(file.bytes) in text
    assert file.filename in text
    assert (file.sha256 or "not published") in text
    assert f"`visage fetch {name}`" in text
    assert not re.search(r"^: *$", text, re.MULTILINE), "a field is empty"


def test_a_new_checkpoint_or_download_needs_a_place(tmp_path):
    (tmp_path / "unheard_of.json").write_text("{}")
    (tmp_path / "unheard_of.safetensors").write_bytes(b"")
    with pytest.raises(BookError, match="unheard_of"):
        read_cards(tmp_path)
    with pytest.raises(BookError, match="unheard-of"):
        downloads_markdown({"unheard-of": next(iter(DOWNLOADS.values()))})
    assert MODELS.keys() == set(NAMES), "tools/cards.py names a checkpoint that is not there"
    assert DATA.keys() == DOWNLOADS.keys()


def test_chapters_reach_what_their_cards_say():
    library = Library(REPOSITORY / "src" / "visage")
    symbols = Symbols(REPOSITORY / "src" / "visage")
    reached = {}
    for name, use in [*MODELS.items(), *((name, use) for name, (_, use) in DATA.items())]:
        assert use.loader in symbols.table, name
        assert use.chapters, name
        for page in use.chapters:
            if page not in reached:
                text = (REPOSITORY / "book" / f"{page}.md").read_text(encoding="utf-8")
                code = "\n".join(line.text for line in read_lines(text) if line.kind == "code")
                # What it shows of the ledger was made by its part's experiments.
                part = f"visage.{page.partition('/')[0]}."
                made = [m for m in symbols.files if m.startswith(part) and m.endswith("reproduce")]
                reached[page] = library.closure([code, *(f"import {one}" for one in made)])
            module = symbols.table[use.loader].module
            assert symbols.files[module] in reached[page], f"{page} does not reach {module}"


def test_chapters_link_to_the_cards_of_their_models():
    assert "coarse_net" in used_in("geometry/coarse_geometry")
    assert "[coarse_net](#card-coarse-net)" in models_line("geometry/coarse_geometry")
    assert models_line("start/faces_and_consent") == ""
    linked = {name for chapter in Book().chapters for name in used_in(chapter.name[5:])}
    assert linked == MODELS.keys()


def test_a_book_without_the_page_has_no_cards(tiny_book):
    assert card_files(tiny_book) == {}
    assert card_files(Book()).keys() == {
        "book/_reference/models.inc",
        "book/_reference/downloads.inc",
    }


def test_a_metric_without_words_is_refused(tmp_path):
    card = json.loads((FOLDER / "locator.json").read_text())
    (tmp_path / "locator.json").write_text(json.dumps(card | {"metrics": {"a_secret": 1}}))
    (tmp_path / "locator.safetensors").write_bytes(b"")
    with pytest.raises(BookError, match=r"metrics\.yaml has no words for a_secret"):
        read_cards(tmp_path)


def test_no_words_stand_for_metrics_of_no_card():
    assert METRICS.keys() == {metric for card in CARDS.values() for metric in card["metrics"]}
