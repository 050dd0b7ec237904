import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

import visage.cli
from visage import checkpoints, ledger
from visage.checkpoints import Card
from visage.cli import main
from visage.ledger import Result, Row
from visage.training import Recipe, TrainingConfig


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    for name in ("results", "checkpoints", "cache"):
        monkeypatch.setenv(f"VISAGE_{name.upper()}", str(tmp_path / name))
    monkeypatch.setenv("LT_ACCELERATOR", "cpu")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def measure_pi(profile, seed):
    rows = (Row("pi", paper=3.14, ours=3.1416, unit="rad", better=None, n=2),)
    result = Result(
        "geometry/pi", "archimedes", "It is about 3.14.", "Polygons.", profile, seed, "CPU", 0.25,
        "abc", None, rows,
    )  # fmt: skip
    return result, Figure()


def fail_unexpectedly(profile, seed):
    raise ZeroDivisionError("a fault of ours")


def get_interrupted(profile, seed):
    raise KeyboardInterrupt


class Zeros:
    def batch(self, indices):
        return torch.zeros(len(indices), 2)


CARD = Card(
    "Adds.", "Zeros.", "None.", "Apache-2.0", "visage train adder --ship", "abc", 0, "CPU", 1.0,
    {"error": 0.0}, "Tests.", "Anything else.",
)  # fmt: skip
RECIPE = Recipe(
    name="adder",
    summary="adds two numbers",
    config=TrainingConfig(steps=4, batch_size=2, warmup=0),
    build_model=lambda: nn.Linear(2, 1),
    build_stream=lambda seed: Zeros(),
    loss=lambda model, batch, generator: (model(batch).square().mean(), {}),
    card=lambda trained: replace(CARD, seconds=trained.seconds),
)


@pytest.fixture
def tables(monkeypatch):
    """A house with three experiments and one network."""
    experiments = {
        "geometry/fault": fail_unexpectedly,
        "geometry/pi": measure_pi,
        "geometry/slow": get_interrupted,
    }
    everything = {"EXPERIMENTS": experiments, "RECIPES": {"adder": RECIPE}}
    monkeypatch.setattr(visage.cli, "_collect", lambda table, pattern, id=None: everything[table])


def test_reproduce_prints_ours_beside_the_papers_and_records(tables, capsys):
    assert main(["reproduce", "geometry/pi", "--seed", "7"]) == 0
    printed = capsys.readouterr().out
    assert [line.split() for line in printed.splitlines() if line.startswith(("row", "pi"))] == [
        ["row", "paper", "ours", "unit", "better", "n"],
        ["pi", "3.14", "3.1416", "rad", "2"],
    ]
    assert f"{ledger.result_path('geometry/pi')} written." in printed
    assert "0.2 s" in printed
    stood = ledger.read("geometry/pi")
    assert (stood.profile, stood.seed, stood.figure) == ("fast", 7, "pi.png")


def test_a_fast_run_prints_its_numbers_and_leaves_a_full_result_alone(tables, capsys):
    assert main(["reproduce", "geometry/pi", "--profile", "full"]) == 0
    before = ledger.result_path("geometry/pi").read_bytes()
    assert main(["reproduce", "geometry/pi", "--profile", "fast"]) == 0
    assert "it holds a full result" in capsys.readouterr().out
    assert ledger.result_path("geometry/pi").read_bytes() == before


def test_the_list_tells_what_has_been_run(tables, capsys):
    main(["reproduce", "geometry/pi", "--profile", "full"])
    capsys.readouterr()
    assert main(["reproduce", "--list"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["experiment", "paper", "result", "took", "revision"]
    assert ["geometry/pi", "archimedes", "full", "0", "s", "abc"] in lines
    assert ["geometry/slow", "not", "run"] in lines


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["reproduce", "geometry/tau"], "There is no experiment 'geometry/tau'; there are: "),
        (["train", "divider"], "There is no network 'divider' to train; there are: adder."),
        (["train", "adder", "--steps", "0"], "steps is at least 1, not 0."),
        (["train", "adder", "--ship", "--steps", "5"], "own settings can be shipped"),
        (["fetch", "nothing"], "there is no download 'nothing'; choose one of "),
    ],
)
def test_a_mistake_is_answered_in_one_sentence(tables, capsys, arguments, sentence):
    assert main(arguments) == 2
    streams = capsys.readouterr()
    assert sentence in streams.err
    assert "Traceback" not in streams.err


@pytest.mark.parametrize(
    "arguments",
    [["reproduce", "geometry/pi", "--profile", "slow"], ["bake"], ["train", "adder", "-x"]],
)
def test_options_that_do_not_exist_end_with_2(tables, capsys, arguments):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_fault_of_ours_keeps_its_traceback(tables):
    with pytest.raises(ZeroDivisionError):
        main(["reproduce", "geometry/fault"])


def test_an_interruption_is_one_line(tables, capsys):
    assert main(["reproduce", "geometry/slow"]) == 130
    assert capsys.readouterr().err == "Interrupted: nothing is half-written.\n"
    assert not ledger.list_results()


def test_train_leaves_the_network_in_the_runs_folder_and_ship_puts_it_with_the_others(
    tables, capsys, folders
):
    assert main(["train", "adder", "--steps", "6"]) == 0
    assert (folders / "runs" / "adder" / "adder.safetensors").exists()
    assert not checkpoints.list_checkpoints()
    assert main(["train", "adder", "--ship", "--folder", "another"]) == 0
    assert checkpoints.list_checkpoints() == ["adder"]
    assert checkpoints.read_card("adder").command == "visage train adder --ship"
    assert json.loads((folders / "another" / "log.jsonl").read_text().splitlines()[-1])["step"] == 3


def test_train_in_the_folder_of_another_run_says_so(tables, capsys):
    main(["train", "adder", "--seed", "1"])
    assert main(["train", "adder"]) == 2
    assert "holds another run: seed was 1 and is now 0" in capsys.readouterr().err


def test_train_lists_the_networks(tables, capsys):
    assert main(["train", "--list"]) == 0
    assert "adder    adds two numbers" in capsys.readouterr().out


def test_fetch_lists_sizes_and_licences(capsys):
    assert main(["fetch", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["name", "size", "licence"]
    assert any(line.startswith("lfw-pairs ") for line in lines)


def test_the_real_tables_are_found():
    found = visage.cli._collect("EXPERIMENTS", "*reproduce.py", "recognition/locator")
    assert "recognition/locator" in found
    assert all(id.startswith("recognition/") for id in found)
    assert visage.cli._collect("EXPERIMENTS", "*reproduce.py", "../recognition/locator") == {}
    assert "book/avatar" in visage.cli._collect("EXPERIMENTS", "*reproduce.py", "book/avatar")
    assert visage.cli._collect("RECIPES", "train.py")["locator"].name == "locator"


def run(*arguments, **options):
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_help_imports_nothing_heavy():
    program = """
import sys
from visage.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
print(sorted({"torch", "numpy", "matplotlib", "requests"} & set(sys.modules)))
"""
    done = run("-c", program)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "reproduce" in done.stdout


def test_a_reader_that_leaves_early_causes_no_error():
    script = "import sys; from visage.cli import main; sys.exit(main(['fetch', '--list']))"
    reader, writer = os.pipe()
    os.close(reader)
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=writer, stderr=subprocess.PIPE, text=True
    ) as process:
        os.close(writer)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert errors == ""


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to one process on Windows")
def test_ctrl_c_ends_a_real_process_with_130(folders):
    script = """
import signal, sys, time
import visage.cli
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
def wait(profile, seed):
    print("waiting", flush=True)
    time.sleep(60)
visage.cli._collect = lambda table, pattern, id=None: {"geometry/wait": wait}
sys.exit(visage.cli.main(["reproduce", "geometry/wait"]))
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "waiting\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.startswith("Interrupted")
    assert errors.count("\n") == 1
