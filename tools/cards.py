"""Model and data cards: what every shipped network and every download is, made when the book is.

The numbers and the words come from ``checkpoints/*.json`` and from `visage.photos.downloads`. What
stands here is only what those do not know: in which part a network belongs, what loads it, and
which chapters use it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from tools.book import REPOSITORY, Book, BookError
from tools.manifests import read_yaml
from visage.explore.tables import amount

if TYPE_CHECKING:
    from visage.photos.downloads import Download

MODELS_PAGE = "book/cards/models"
DATA_PAGE = "book/cards/data"
MEGABYTE = 1e6
METRICS: Mapping[str, tuple[str, str]] = read_yaml(REPOSITORY / "tools" / "metrics.yaml")
"""Words and unit of a card's metric."""


@dataclass(frozen=True)
class Use:
    """Where the book uses something.

    Attributes:
        part: heading of the cards' page under which it stands.
        loader: the library's name that gives it.
        chapters: below ``book/``, the one that explains it first.
    """

    part: str
    loader: str
    chapters: tuple[str, ...]


_PEOPLE = "Recognition and faces"
_ONE = "Part I, inverting embeddings"
_TWO = "Part II, normalized faces"
_THREE = "Part III, a perceptron GAN"
_FOUR = "Part IV, shape"
_FIVE = "Part V, texture"

_INVERTING = ("inversion/one_pass", "inversion/what_leaks")
_NORMALIZING = ("normalization/faces_from_features", "normalization/what_a_normal_face_is_good_for")
_GAN = ("nfgan/five_losses", "nfgan/the_discriminators_view", "nfgan/recognition_by_generation")
_NETWORKS = "visage.inversion.networks.FaceNetwork"
_DECODERS = "visage.normalization.decoder.load_decoder"

MODELS: dict[str, Use] = {
    "locator": Use(
        _PEOPLE, "visage.recognition.locator.load_locator", ("faces/faces_without_people",)
    ),
    "light_cnn": Use(_PEOPLE, "visage.recognition.light_cnn.LightCNN", ("inversion/what_leaks",)),
    "landmark_recogniser": Use(
        _PEOPLE, "visage.recognition.judge.load_judge", ("inversion/what_leaks",)
    ),
    "face_cascade": Use(
        _PEOPLE,
        "visage.faces.fitting.cascade.Cascade",
        ("faces/faces_without_people", "texture/the_missing_half"),
    ),
    "face_fitting": Use(
        _PEOPLE,
        "visage.faces.fitting.priors.FittingPriors",
        ("faces/faces_without_people", "texture/the_missing_half"),
    ),
    "expected_face": Use(
        _ONE,
        "visage.inversion.expected_face.load_expected_face",
        ("inversion/an_embedding_is_not_a_hash", *_INVERTING),
    ),
    **{f"inversion_network_{width}": Use(_ONE, _NETWORKS, _INVERTING) for width in (8, 16, 32, 50)},
    "inversion_network_guided": Use(
        _ONE, "visage.inversion.networks.GuidedFaceNetwork", ("inversion/one_pass",)
    ),
    "normalization_synthetic": Use(_TWO, _DECODERS, _NORMALIZING),
    "normalization_lfw": Use(_TWO, _DECODERS, _NORMALIZING),
    "normalization_filter": Use(
        _TWO, "visage.normalization.read_outs.load_read_outs", _NORMALIZING[:1]
    ),
    "nfgan": Use(_THREE, "visage.nfgan.networks.load_nfgan", _GAN),
    "nfgan_family": Use(_THREE, "visage.nfgan.family.load_family", _GAN[:1]),
    "nfgan_light_cnn": Use(_THREE, "visage.nfgan.identity_network.load_identity_network", _GAN[:1]),
    "nfgan_expressions": Use(
        _THREE, "visage.nfgan.expression_classifier.load_expression_classifier", _GAN[2:]
    ),
    "coarse_net": Use(
        _FOUR,
        "visage.geometry.coarse_network.load_coarse_net",
        ("geometry/coarse_geometry", "geometry/wrinkles_from_shading"),
    ),
    **{
        name: Use(
            _FOUR, "visage.geometry.fine_network.load_fine_net", ("geometry/wrinkles_from_shading",)
        )
        for name in ("fine_net", "fine_net_unsupervised")
    },
    "face_textures": Use(
        _FOUR, "visage.geometry.texture_space.TextureSpace", ("geometry/wrinkles_from_shading",)
    ),
    "face_albedo": Use(
        _FIVE,
        "visage.texture.low_frequency.LowFrequencyAlbedo",
        ("texture/what_skin_is_made_of", "texture/the_missing_half"),
    ),
    "face_segmentation": Use(
        _FIVE, "visage.texture.segmentation.load_segmentation_net", ("texture/the_missing_half",)
    ),
}

_LFW = "visage.photos.lfw.open_lfw"
_LFW_CHAPTERS = ("start/who_is_this", "inversion/what_leaks", "normalization/faces_from_features")
_LFW_WHAT = (
    "13,233 press photographs of 5,749 public figures, collected from news sites without asking "
    "them. {} The book measures on them and shows none: {{ref}}`faces-and-consent` says why."
)

DATA: dict[str, tuple[str, Use]] = {
    "lfw-deepfunneled": (
        _LFW_WHAT.format("Aligned by deep funnelling."),
        Use("Photographs", _LFW, _LFW_CHAPTERS),
    ),
    "lfw-funneled": (
        _LFW_WHAT.format("Aligned by funnelling; taken where the deep-funnelled ones are absent."),
        Use("Photographs", _LFW, _LFW_CHAPTERS),
    ),
    "lfw-pairs": (
        "The benchmark's 6,000 pairs in ten folds: names and numbers of photographs, no pictures.",
        Use("Photographs", _LFW, _LFW_CHAPTERS[:1]),
    ),
    "facenet-vggface2": (
        "Weights of an Inception-ResNet that embeds faces as 512 numbers: another recogniser, to "
        "see whether what deceives one deceives the other.",
        Use("Weights", "visage.recognition.facenet.FaceNet", ("start/who_is_this",)),
    ),
    "facenet-casia-webface": (
        "The same network, trained on other photographs.",
        Use("Weights", "visage.recognition.facenet.FaceNet", ("start/who_is_this",)),
    ),
    "vgg19-imagenet": (
        "Weights of VGG-19, the paper's feature network for textures; this book's default is a "
        "network of random filters, which needs no download.",
        Use("Weights", "visage.texture.vgg19.VGG19", ("texture/what_skin_is_made_of",)),
    ),
}


def card_files(book: Book) -> dict[str, str]:
    """The generated halves of the two pages of cards; nothing for a book that has no such pages.

    Returns:
        Path below the stage to Markdown.
    """
    if book.root / f"{MODELS_PAGE}.md" not in book.pages:
        return {}
    from visage.photos.downloads import DOWNLOADS  # slow to import

    cards = read_cards(book.root / "checkpoints")
    return {
        "book/_reference/models.inc": models_markdown(cards),
        "book/_reference/downloads.inc": downloads_markdown(DOWNLOADS),
    }


def used_in(page: str) -> list[str]:
    """Names of the models that a chapter uses."""
    return [name for name, use in MODELS.items() if page in use.chapters]


def models_line(page: str) -> str:
    """A sentence that leads from a chapter to the cards of its models; nothing if it has none."""
    links = [f"[{name}](#{label_of(name)})" for name in used_in(page)]
    return f" Model cards: {', '.join(links)}." if links else ""


def read_cards(folder: Path) -> dict[str, dict]:
    """Every checkpoint's card, with its file's size as `bytes`, in the order of `MODELS`.

    Raises:
        BookError: a checkpoint has no entry in `MODELS`, or a metric none in `METRICS`.
    """
    cards = {}
    for path in folder.glob("*.json"):
        weights = path.with_suffix(".safetensors")
        cards[path.stem] = json.loads(path.read_text("utf-8")) | {"bytes": weights.stat().st_size}
    missing = sorted(cards.keys() - MODELS.keys())
    if missing:
        raise BookError(f"MODELS in tools/cards.py has no entry for {', '.join(missing)}.")
    metrics = {metric for card in cards.values() for metric in card["metrics"]}
    if unnamed := sorted(metrics - METRICS.keys()):
        raise BookError(f"tools/metrics.yaml has no words for {', '.join(unnamed)}.")
    return {name: cards[name] for name in MODELS if name in cards}


def models_markdown(cards: Mapping[str, Mapping]) -> str:
    """An overview, and one section a network, part by part."""
    lines = [_overview(cards), ""]
    part = ""
    for name, card in cards.items():
        if MODELS[name].part != part:
            part = MODELS[name].part
            lines += [f"## {part}", ""]
        lines += [f"({label_of(name)})=", f"### {name}", "", card["task"], ""]
        lines += [*_facts(_model_facts(name, card)), ""]
    return "\n".join(lines)


def _model_facts(name: str, card: Mapping) -> dict[str, str]:
    measured = [
        f"{METRICS[key][0]}: {amount(x, METRICS[key][1])}" for key, x in card["metrics"].items()
    ]
    size = f"{card['parameters']:,} numbers as {card['storage']}, {megabytes(card['bytes'])}"
    return {
        "Meant for": card["intended_use"],
        "Must not be used for": card["must_not_be_used_for"],
        "Trained on": card["data"],
        "Terms of the data": card["data_licence"],
        "Licence": card["licence"],
        "Measured on what it was not trained on": "; ".join(measured),
        "Command": f"`{card['command']}`",
        "Time and device": f"{duration(card['seconds'])} on {card['device']}",
        "Seed, revision": f"{card['seed']}, `{card['revision']}`",
        "Size": size,
        "sha256": f"`{card['sha256']}`",
        "Loaded by": f"{{py:obj}}`{MODELS[name].loader}`",
        "Used in": _chapters(MODELS[name]),
    }


def downloads_markdown(downloads: Mapping[str, Download]) -> str:
    """One section a file that can be downloaded, with its origin, terms and sum.

    Raises:
        BookError: a download has no entry in `DATA`.
    """
    lines: list[str] = []
    for name, file in downloads.items():
        if name not in DATA:
            raise BookError(f"DATA in tools/cards.py has no entry for {name}.")
        what, use = DATA[name]
        lines += [f"({label_of(name)})=", f"### {name}", "", what, ""]
        lines += [*_facts(_download_facts(name, file, use)), ""]
    return "\n".join(lines)


def _download_facts(name: str, file: Download, use: Use) -> dict[str, str]:
    unpublished = "not published; that of the first download is kept, and checked from then on"
    return {
        "Kind": use.part,
        "Licence": f"{file.licence[0].upper()}{file.licence[1:]}.",
        "From": ", or ".join(f"`{url}`" for url in file.urls),
        "Size": f"about {megabytes(file.bytes)}, `{file.filename}`",
        "sha256": f"`{file.sha256}`" if file.sha256 else unpublished,
        "Command": f"`visage fetch {name}`",
        "Loaded by": f"{{py:obj}}`{use.loader}`",
        "Used in": _chapters(use),
    }


def _facts(facts: Mapping[str, str]) -> list[str]:
    lines = [":::{div} card-facts", ""]
    for key, value in facts.items():
        lines += [key, f": {value}", ""]
    return [*lines, ":::"]


def _chapters(use: Use) -> str:
    return "; ".join(f"{{doc}}`/{page}`" for page in use.chapters)


def _overview(cards: Mapping[str, Mapping]) -> str:
    """A table with a bar for each network's size: all that a clone carries, at one glance."""
    largest = max(card["bytes"] for card in cards.values())
    total = sum(card["bytes"] for card in cards.values())
    rows = []
    part = ""
    for name, card in cards.items():
        if MODELS[name].part != part:
            part = MODELS[name].part
            rows.append(f'<tr><th colspan="4" scope="colgroup">{escape(part)}</th></tr>')
        photographs = "LFW" in card["data_licence"] or "Labeled Faces" in card["data"]
        share = 100 * card["bytes"] / largest
        rows.append(
            f'<tr><td><a href="#{label_of(name)}">{escape(name)}</a></td>'
            f'<td><span class="bar"><i style="width: {share:.1f}%"></i></span>'
            f"{megabytes(card['bytes'])}</td>"
            f"<td>{duration(card['seconds'])}</td>"
            f"<td>{'photographs' if photographs else 'synthetic'}</td></tr>"
        )
    head = "<tr><th>Network</th><th>Size</th><th>Trained</th><th>On</th></tr>"
    caption = f"{len(cards)} networks and models, {total / MEGABYTE:.1f} MB together."
    return "\n".join(
        [
            "```{raw} html",
            f'<table class="model-overview"><caption>{caption}</caption><thead>{head}</thead>',
            "<tbody>",
            *rows,
            "</tbody></table>",
            "```",
        ]
    )


def label_of(name: str) -> str:
    """What a reference to a card is made with.

    >>> label_of("coarse_net")
    'card-coarse-net'
    """
    return f"card-{name.replace('_', '-')}"


def megabytes(size: int) -> str:
    """A size in words.

    >>> megabytes(3_012), megabytes(156_000), megabytes(3_175_572), megabytes(111_898_327)
    ('3 kB', '0.16 MB', '3.2 MB', '112 MB')
    """
    value = size / MEGABYTE
    if value < 0.01:
        return f"{1000 * value:.0f} kB"
    return (
        f"{value:.2f} MB" if value < 1 else f"{value:.1f} MB" if value < 10 else f"{value:.0f} MB"
    )


def duration(seconds: float) -> str:
    """A time in words.

    >>> duration(27.1), duration(3148.7)
    ('27 s', '52 min')
    """
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
