"""Hooks of all tests: no property has a deadline, and the summary lists what this machine could not test."""

from collections import Counter
from typing import Any

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


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
