"""`asara reproduce`: every row of the table, and how a printed figure is compared with a simulated one."""

import csv

import pytest

from experiments.reproduction.comparison import Comparison, compare, printed_numbers
from experiments.reproduction.intervals import FALSE_ALARM, MISSES, TESTS
from experiments.reproduction.report_claims import find_data, rows
from tests.oracles.queueing import erlang_c, pollaczek_khinchine, preemptive_resume, repairman
from tests.support.clusters import NASA, PHILLY, trace

EXPECTED = {
    **dict.fromkeys(["O1", "O2", "O3", "O4", "O7", "O8", "O9", "O11", "O14", "O15", "O18", "O19", "O21"], "holds"),
    **dict.fromkeys(["O6", "O10", "O16", "O22"], "loose"),
    **dict.fromkeys(["O27", "O31"], "input"),
    **dict.fromkeys(["O29", "O30"], "arithmetic"),
    **dict.fromkeys(["F1", "F2", "F3", "F4"], "holds"),
    **dict.fromkeys(["Erlang C 0.5", "Erlang C 0.8", "Erlang C 0.9", "Little", "Accounting", "Preemption"], "holds"),
    "Repairman": "holds",
}
OF_LOGS = ["Pollaczek-Khinchine", "NASA fcfs", "NASA easy"]


@pytest.fixture(scope="module")
def table() -> dict[str, Comparison]:
    return {row.row: row for row in rows(200, find_data(None))}


def test_reproduction_table_has_every_row_once(table):
    assert set(table) == {*EXPECTED, *OF_LOGS}


@pytest.mark.parametrize("name", EXPECTED)
def test_reproduction_row_has_the_expected_outcome(table, name):
    assert table[name].outcome == EXPECTED[name]


def test_reproduction_false_alarm_rate_is_divided_among_all_intervals(table):
    """Five of each row of Poisson papers, and one of each mean of a queue, the one that needs a log included."""
    papers = [row for row in table.values() if row.says.startswith("Poisson papers")]
    queues = [row for row in table.values() if "±" in row.simulated]
    without_log = table["Pollaczek-Khinchine"].outcome == "no log"
    assert 5 * len(papers) + len(queues) + without_log == TESTS
    assert pytest.approx(FALSE_ALARM / TESTS) == MISSES


def test_reproduction_exact_queueing_figures_equal_the_oracle(table):
    exact = {f"Erlang C {load}": erlang_c(8, 8 * load, 1.0) for load in (0.5, 0.8, 0.9)}
    exact["Preemption"] = preemptive_resume((0.3, 0.4), 1.0)[1]
    exact["Repairman"] = repairman(24, 8, 2.5, 1.0)[0]
    for name, figure in exact.items():
        assert float(table[name].exact) == pytest.approx(figure, abs=6e-5), name


def test_reproduction_exact_philly_wait_equals_the_oracle(table):
    with trace(PHILLY).open() as file:
        hours = [float(row["runtime_s"]) / 3600 for row in csv.DictReader(file)]
    assert len(hours) == 33_192
    wait = pollaczek_khinchine(0.5 * len(hours) / sum(hours), hours)
    assert float(table["Pollaczek-Khinchine"].exact) == pytest.approx(wait, abs=6e-5)


@pytest.mark.parametrize("name", OF_LOGS)
def test_reproduction_rows_of_logs_hold_or_name_the_missing_log(table, name):
    if find_data(None) is None:
        assert table[name].outcome == "no log"
        assert "ASARA_DATA" in table[name].note
    trace(PHILLY if name == "Pollaczek-Khinchine" else NASA)
    assert table[name].outcome == "holds"


@pytest.mark.parametrize(
    ("printed", "simulated", "outcome"),
    [
        ("41", [40.94], "holds"),
        ("41", [41.51], "loose"),
        ("7.6, 4.8", [7.604, 4.79], "holds"),
        ("7.6, 4.8", [7.604, 4.74], "loose"),
        ("1.72", [1.7095], "loose"),
        ("2, 3", [2.0, 4.0], "refuted"),
    ],
)
def test_compare_uses_the_printed_digits(printed, simulated, outcome):
    assert compare(printed, simulated) == outcome


def test_figures_have_the_half_unit_of_their_last_digit():
    assert [(figure.value, figure.half_unit) for figure in printed_numbers("41, 7.6")] == [(41.0, 0.5), (7.6, 0.05)]


def test_find_data_of_a_folder_without_logs_raises(tmp_path):
    with pytest.raises(FileNotFoundError, match="traces"):
        find_data(tmp_path)
