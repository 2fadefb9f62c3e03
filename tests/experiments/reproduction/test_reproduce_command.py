"""`asara reproduce`: what it prints and how it exits. The rows themselves are tested in tests/statistical."""

import json

import pytest

from experiments.cli.app import main
from experiments.reproduction import report_claims
from experiments.reproduction.comparison import Comparison

HELD = Comparison("O1", "2, 3, 4.5 months", "2, 3, 4.5", "2, 3, 4.5", "holds")
REFUTED = Comparison("O2", "2 months", "2", "9", "refuted", "a note")


@pytest.fixture
def table(monkeypatch):
    def give(*rows: Comparison) -> None:
        monkeypatch.setattr(report_claims, "rows", lambda seeds, data: iter(rows))

    return give


def test_rows_are_shown_and_counted(table, capsys):
    table(HELD, HELD._replace(row="O3"))
    assert main(["reproduce"]) == 0
    printed = capsys.readouterr().out
    assert "O1: holds" in printed
    assert "2 holds" in printed
    assert "holds: the simulator gives the figure" in printed
    assert "with a probability of at most 1%." in printed


def test_a_row_with_too_few_seeds_is_no_error_code(table, capsys):
    table(HELD, REFUTED._replace(outcome="cannot tell", note="cannot tell with 20 seeds; 189 would"))
    assert main(["reproduce"]) == 0
    assert "cannot tell with 20 seeds; 189 would" in capsys.readouterr().out


def test_a_refuted_row_is_an_error_code(table, capsys):
    table(HELD, REFUTED)
    assert main(["reproduce"]) == 1
    assert "a note" in capsys.readouterr().out


def test_json_is_one_object(table, capsys):
    table(HELD, REFUTED)
    assert main(["reproduce", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "rows": [HELD._asdict(), REFUTED._asdict()],
        "false_alarm_rate": 0.01,
    }


@pytest.mark.parametrize("arguments", [["--seeds", "1"], ["--seeds", "many"], ["--data", ""], ["--data", "no-such"]])
def test_bad_input(arguments, capsys):
    assert main(["reproduce", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("asara: ")
    assert error.count("\n") == 1
