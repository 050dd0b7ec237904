import pytest

from visage.explore import tables
from visage.ledger import Result, Row


def result(**changes):
    values = {
        "id": "recognition/test",
        "paper": "king2009dlib",
        "claim": "It <works>.",
        "protocol": "Try it.",
        "profile": "full",
        "seed": 3,
        "device": "a CPU",
        "seconds": 12.3,
        "revision": "abc",
        "figure": None,
        "rows": (
            Row("tar_far_1e-3", 0.9938, 0.98765432, "fraction", "higher", 6000),
            Row("missed", None, 58, "photographs", "lower", None),
            Row("tiny", None, 0.00000321, "", None, None),
        ),
    }
    return Result(**{**values, **changes})


def test_table_holds_every_row_and_how_to_repeat_it():
    table = tables.result_table(result())
    for text in (
        "99.38%",
        "98.77%",
        "6,000",
        "58 photographs",
        "3.21e-06",
        "visage reproduce recognition/test",
        "seed 3",
    ):
        assert text in table.html
    assert "tar far 1e-3: 98.77% (published: 99.38%)" in repr(table)


def test_table_shows_the_rows_asked_for():
    table = tables.result_table(result(), {"missed": "faces <not> found"})
    assert "faces &lt;not&gt; found" in table.html
    assert "published" not in table.html  # nobody published this one
    assert "98.77" not in table.html
    with pytest.raises(KeyError):
        tables.result_table(result(), {"unknown": "?"})


def test_markup_is_escaped():
    assert "&lt;works&gt;" in tables.protocol(result()).html


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (0.5, "0.5"),
        (123456, "123456"),
        (1e-5, "1.00e-05"),
        (0, "0"),
        (-2.34567, "-2.346"),
    ],
)
def test_numbers_are_short(value, text):
    assert tables._number(value) == text


def test_a_grid_has_a_cell_for_each_measure_of_each_row():
    rows = (
        Row("error_ours", None, 0.25, "", "lower", 4),
        Row("share_ours", None, 0.5, "fraction", None, 4),
        Row("error_theirs", None, 2.0, "", "lower", 4),
    )
    grid = tables.grid_table(
        result(rows=rows),
        {"ours": "Ours <b>", "theirs": "Theirs", "nobodys": "Nobody's"},
        {"error": "error", "share": "share"},
    )
    assert '<th scope="row">Ours &lt;b&gt;</th><td>0.25</td><td>50.00%</td>' in grid.html
    assert '<th scope="row">Theirs</th><td>2</td><td></td>' in grid.html
    assert "Nobody" not in grid.html
    assert "Ours <b>: 0.25, 50.00%" in repr(grid)
