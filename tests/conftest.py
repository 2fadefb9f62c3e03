"""Hooks of all tests: no property has a deadline, and the summary lists what this machine could not test."""

from collections import Counter
from pathlib import Path
from typing import Any

from tests.support.properties import load_profile

load_profile()

_LONGEST_FILES = (
    "test_sweep_kills.py",
    "test_notebooks.py",
    "test_cohorts.py",
    "test_reproduce.py",
    "test_world_theory.py",
    "test_window_controls.py",
    "test_pages.py",
    "test_bottleneck.py",
)
"""Files that take longest. They go first, so that no process ends the run alone with one of them."""


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Put the tests of the longest files first; the order within a file stays."""
    places = {name: place for place, name in enumerate(_LONGEST_FILES)}
    items.sort(key=lambda item: places.get(Path(item.path).name, len(places)))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print how many tests were skipped and why, even without -rs: a green run may have tested less than all."""
    reports = terminalreporter.stats.get("skipped", [])
    if not reports:
        return
    reasons = Counter(_reason(report) for report in reports)
    terminalreporter.section(f"NOT TESTED HERE: {len(reports)} tests were skipped", sep="!", yellow=True)
    for reason, number in reasons.most_common():
        terminalreporter.write_line(f"{number:6,}  {reason}")


def _reason(report: Any) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")
