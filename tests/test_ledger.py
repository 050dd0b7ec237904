import json
import math
import subprocess
from dataclasses import asdict, replace

import numpy as np
import pytest
from matplotlib.figure import Figure

import visage
from visage import ledger
from visage.ledger import LedgerError, Result, Row

ROW = Row("accuracy", paper=0.9938, ours=0.9925, unit="fraction", better="higher", n=6000)
RESULT = Result(
    id="recognition/lfw",
    paper="king2017",
    claim="The network reaches 99.38% on LFW.",
    protocol="10 folds, threshold from the other nine.",
    profile="full",
    seed=0,
    device="CPU",
    seconds=12.5,
    revision="0123456789ab",
    figure=None,
    rows=(ROW, Row("missed", paper=None, ours=3, unit="", better="lower", n=None)),
)


@pytest.fixture(autouse=True)
def results(tmp_path, monkeypatch):
    folder = tmp_path / "results"
    monkeypatch.setenv("VISAGE_RESULTS", str(folder))
    return folder


def draw():
    figure = Figure()
    figure.subplots().plot([0, 1], [1, 0])
    return figure


def test_a_recorded_result_reads_back_equal(results):
    path = ledger.record(RESULT)
    assert path == results / "recognition" / "lfw.json"
    assert ledger.read("recognition/lfw") == RESULT
    assert ledger.list_results() == ["recognition/lfw"]
    assert ledger.value("recognition/lfw", "accuracy") == 0.9925


def test_the_file_is_stable_text(results):
    first = ledger.record(RESULT).read_bytes()
    assert ledger.record(RESULT).read_bytes() == first
    assert first.endswith(b"}\n")
    assert json.loads(first)["rows"][1] == {
        "name": "missed", "paper": None, "ours": 3, "unit": "", "better": "lower", "n": None,
    }  # fmt: skip
    assert list(json.loads(first)) == list(asdict(RESULT))
    assert [path.name for path in (results / "recognition").iterdir()] == ["lfw.json"]


def test_a_fast_result_never_replaces_a_full_one():
    fast = replace(RESULT, profile="fast", rows=(replace(ROW, ours=0.5),))
    path = ledger.record(fast)
    assert ledger.value("recognition/lfw", "accuracy") == 0.5
    assert not ledger.is_protected("recognition/lfw", "fast")
    ledger.record(RESULT)
    before = path.read_bytes()
    assert ledger.is_protected("recognition/lfw", "fast")
    assert not ledger.is_protected("recognition/lfw", "full")
    assert ledger.record(fast, figure=draw()) == path
    assert path.read_bytes() == before
    assert not path.with_suffix(".png").exists()


def test_the_figure_stands_beside_the_result_and_goes_with_it(tmp_path):
    path = ledger.record(RESULT, figure=draw())
    figure = path.with_suffix(".png")
    assert figure.read_bytes().startswith(b"\x89PNG")
    stood = ledger.read("recognition/lfw")
    assert stood.figure == "lfw.png"
    assert ledger.record(stood).parent.joinpath(stood.figure).exists()
    svg = tmp_path / "drawn.svg"
    svg.write_text("<svg/>")
    ledger.record(RESULT, figure=svg)
    assert ledger.read("recognition/lfw").figure == "lfw.svg"
    assert not figure.exists()
    ledger.record(RESULT)
    assert not path.with_suffix(".svg").exists()


def test_a_figure_drawn_twice_is_the_same_file():
    first = ledger.record(RESULT, figure=draw()).with_suffix(".png").read_bytes()
    assert ledger.record(RESULT, figure=draw()).with_suffix(".png").read_bytes() == first


@pytest.mark.parametrize("figure", ["absent.png", __file__])
def test_a_figure_that_is_no_picture_is_refused(figure, results):
    with pytest.raises(LedgerError, match="matplotlib figure"):
        ledger.record(RESULT, figure=figure)
    assert not (results / "recognition" / "lfw.json").exists()


def test_an_interrupted_write_leaves_what_stood(monkeypatch):
    path = ledger.record(RESULT)
    before = path.read_bytes()

    def interrupted(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ledger.record(replace(RESULT, seconds=1.0))
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["lfw.json"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": "LFW"}, "<part>/<name>"),
        ({"id": "recognition/../secret"}, "<part>/<name>"),
        ({"id": None}, "<part>/<name>"),
        ({"claim": " "}, "claim is a text"),
        ({"profile": "quick"}, "'fast' or 'full'"),
        ({"seed": 1.5}, "whole number"),
        ({"seconds": math.nan}, "seconds"),
        ({"seconds": -1.0}, "seconds"),
        ({"rows": ()}, "at least one Row"),
        ({"rows": (ROW, ROW)}, "accuracy occurs more than once"),
        ({"figure": "../lfw.png"}, "beside the JSON"),
    ],
)
def test_a_wrong_result_is_refused(change, words):
    with pytest.raises(LedgerError, match=words):
        replace(RESULT, **change)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "name"),
        ({"ours": math.nan}, "ours is a finite number"),
        ({"ours": math.inf}, "ours is a finite number"),
        ({"ours": None}, "ours is a finite number"),
        ({"ours": True}, "ours is a finite number"),
        ({"paper": "99%"}, "paper is a finite number"),
        ({"better": "bigger"}, "'lower', 'higher' or None"),
        ({"unit": None}, "unit is a text"),
        ({"n": -1}, "whole number or None"),
        ({"n": 2.0}, "whole number or None"),
    ],
)
def test_a_wrong_row_is_refused(change, words):
    with pytest.raises(LedgerError, match=words):
        replace(ROW, **change)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda content: content.pop("seed"), "a result lacks seed"),
        (lambda content: content.update(mood="good"), "a result has the unknown mood"),
        (lambda content: content["rows"][0].pop("n"), "a row lacks n"),
        (lambda content: content.update(rows=[3]), "a row is a JSON object"),
        (lambda content: content.update(rows=None), "rows is a list"),
        (lambda content: content.update(id="recognition/other"), "recognition/other"),
    ],
)
def test_a_spoiled_file_is_named(spoil, words):
    path = ledger.record(RESULT)
    content = json.loads(path.read_text())
    spoil(content)
    path.write_text(json.dumps(content))
    with pytest.raises(LedgerError, match=words):
        ledger.read("recognition/lfw")


def test_a_broken_file_is_named_and_a_full_run_mends_it():
    path = ledger.record(RESULT)
    path.write_text(path.read_text()[:40])
    with pytest.raises(LedgerError, match=r"is not JSON.*visage reproduce recognition/lfw"):
        ledger.read("recognition/lfw")
    ledger.record(RESULT)
    assert ledger.read("recognition/lfw") == RESULT


def test_what_is_not_there_is_answered_with_what_is():
    ledger.record(RESULT)
    with pytest.raises(LedgerError, match="there are: recognition/lfw"):
        ledger.read("texture/gram")
    with pytest.raises(LedgerError, match="it has accuracy, missed"):
        ledger.value("recognition/lfw", "tar")


def test_without_a_results_folder_the_error_says_what_to_set(monkeypatch):
    monkeypatch.delenv("VISAGE_RESULTS")
    monkeypatch.setattr(ledger, "repository", lambda: None)
    with pytest.raises(LedgerError, match="VISAGE_RESULTS"):
        ledger.results_folder()
    assert ledger.current_revision() == f"v{visage.__version__}"


def test_the_revision_is_the_commit_and_says_when_files_differ(tmp_path, monkeypatch):
    def git(*words):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.invalid"]
        command = ["git", "-C", tmp_path, *identity, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    monkeypatch.setattr(ledger, "repository", lambda: tmp_path)
    assert ledger.current_revision() == f"v{visage.__version__}"
    git("init", "-q")
    (tmp_path / "code.py").write_text("1")
    git("add", "code.py")
    git("commit", "-q", "-m", "First")
    commit = git("rev-parse", "--short=12", "HEAD")
    ledger.record(RESULT)
    assert ledger.current_revision() == commit
    (tmp_path / "code.py").write_text("2")
    assert ledger.current_revision() == f"{commit}-dirty"


def test_the_device_is_named():
    assert "threads" in ledger.describe_device()


def test_a_large_figure_is_kept_as_webp():
    figure = Figure(figsize=(6, 6))
    noise = np.random.default_rng(0).random((900, 900, 3))
    figure.subplots().imshow(noise)
    path = ledger.record(RESULT, figure)
    assert ledger.read(RESULT.id).figure == "lfw.webp"
    assert path.with_suffix(".webp").stat().st_size > 10_000
    assert not path.with_suffix(".png").exists()
