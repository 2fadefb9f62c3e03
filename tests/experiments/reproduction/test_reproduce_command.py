"""Test the output and exit codes of `asara reproduce`. tests/statistical tests the rows themselves."""

import json

import pytest

from experiments.cli.app import main
from experiments.reproduction import actions
from experiments.reproduction.comparison import Comparison

HOLDS = Comparison("O1", "2, 3, 4.5 months", "2, 3, 4.5", "2, 3, 4.5", "holds")
REFUTED = Comparison("O2", "2 months", "2", "9", "refuted", "a note")


@pytest.fixture
def table(monkeypatch):
    def give(*rows: Comparison) -> None:
        monkeypatch.setattr(actions, "rows", lambda seeds, data: iter(rows))

    return give


def test_reproduce_prints_and_counts_rows(table, capsys):
    table(HOLDS, HOLDS._replace(row="O3"))
    assert main(["reproduce"]) == 0
    printed = capsys.readouterr().out
    assert "O1: holds" in printed
    assert "2 holds" in printed
    assert "holds: the simulated figure equals" in printed
    assert "misses a correct value is at most 1%." in printed


def test_reproduce_with_too_few_seeds_exits_with_0(table, capsys):
    table(HOLDS, REFUTED._replace(outcome="cannot tell", note="20 seeds are too few; allowed: at least 189"))
    assert main(["reproduce"]) == 0
    assert "20 seeds are too few; allowed: at least 189" in capsys.readouterr().out


def test_reproduce_with_a_refuted_row_exits_with_1(table, capsys):
    table(HOLDS, REFUTED)
    assert main(["reproduce"]) == 1
    assert "a note" in capsys.readouterr().out


def test_reproduce_json_prints_one_object(table, capsys):
    table(HOLDS, REFUTED)
    assert main(["reproduce", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "rows": [HOLDS._asdict(), REFUTED._asdict()],
        "false_alarm_rate": 0.01,
    }


@pytest.mark.parametrize("arguments", [["--seeds", "1"], ["--seeds", "many"], ["--data", ""], ["--data", "no-such"]])
def test_reproduce_with_bad_input_prints_one_error(arguments, capsys):
    assert main(["reproduce", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("asara: ")
    assert error.count("\n") == 1
