"""Carry out `asara reproduce`: compare the simulator with theory and published numbers, and print the rows."""

from __future__ import annotations

from pathlib import Path

from experiments.cli.run_table import show_rows
from experiments.cli.terminal import print_json
from experiments.reproduction.comparison import Outcome
from experiments.reproduction.intervals import FALSE_ALARM
from experiments.reproduction.report_claims import find_data, rows


def reproduce_claims(seeds: int, data: Path | None, as_json: bool) -> set[Outcome]:
    """Print a row for each published claim, and return the outcomes of the rows."""
    found = rows(seeds, find_data(data))
    if not as_json:
        return set(show_rows(found, FALSE_ALARM))
    listed = list(found)
    print_json({"rows": [row._asdict() for row in listed], "false_alarm_rate": FALSE_ALARM})
    return {row.outcome for row in listed}
