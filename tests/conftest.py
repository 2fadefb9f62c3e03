"""Hooks of all tests: Hypothesis profile, markers by folder, order of files, skips in CI and the summary of skips."""

import gc
import os
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.properties import load_profile

load_profile()

_TESTS = Path(__file__).parent
_MARKER_OF_FOLDER = {
    "statistical": "statistical",
    "browser": "browser",
    "hardware/kernels": "kernels",
    "docs": "docs",
    "notebooks": "docs",
}
_SLOW_FILES = (
    "experiments/bottleneck/test_bottleneck.py",
    "experiments/run/test_expected_length.py",
    "experiments/cli/test_fluid_command.py",
    "experiments/cli/test_interrupt.py",
    "experiments/cli/test_output_streams.py",
    "experiments/cli/test_terminal.py",
    "experiments/docs_build/test_variability_page.py",
    "experiments/estimation/test_fit_command.py",
    "experiments/kernels/test_kernel_value.py",
    "experiments/monte_carlo/test_command.py",
    "experiments/plotting/test_figure_frame.py",
    "experiments/solve/test_solve.py",
    "experiments/sweep/analysis/test_analysis_figures.py",
    "experiments/sweep/analysis/test_analysis_report.py",
    "experiments/sweep/test_run_many.py",
    "experiments/sweep/test_sweep_command.py",
    "experiments/sweep/test_sweep_extension.py",
    "experiments/sweep/test_sweep_kills.py",
    "experiments/window/test_queue_view.py",
    "experiments/window/test_timeline.py",
    "sim/fluid/test_fluid.py",
    "sim/test_cohorts_in_world.py",
    "sim/test_kernel_costs.py",
    "sim/test_kernels_in_world.py",
    "sim/test_long_run.py",
    "sim/test_penalty.py",
    "sim/test_training_runs.py",
    "sim/testing/test_conformance_suite.py",
    "sim/testing/test_invariants.py",
)
"""Files with many tests that start processes, draw pictures or run large labs. All their tests are marked slow."""
_LONGEST_FILES = (
    "notebooks/test_notebooks.py",
    "experiments/sweep/test_sweep_kills.py",
    "browser/test_window_controls.py",
    "docs/test_pages.py",
    "statistical/test_reproduce.py",
    "statistical/test_cohorts.py",
    "experiments/sweep/analysis/test_analysis_report.py",
    "experiments/sweep/test_sweep_command.py",
    "browser/test_window_exact.py",
    "experiments/estimation/test_fit_command.py",
    "experiments/bottleneck/test_bottleneck.py",
    "hardware/kernels/test_evaluator.py",
    "statistical/test_cohorts_repairman.py",
    "statistical/test_world_theory.py",
    "statistical/test_queueing.py",
)
"""Files that take longest, the longest first. Processes that share the tests then end at about the same time."""
_ALLOWED_SKIPS = (
    "processor has no",
    "this kernel or processor",
    "no CUDA GPU",
    "the compiler makes no code for",
    "TRITON_INTERPRET",
    "interpreter multiplies bf16 wrongly",
    "/proc/self/statm",
)
"""Parts of the reasons for which a test may be skipped in CI: features of the processor, the kernel and the GPU."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[Any]:
    """Exclude the imported modules and the tests from garbage collection.

    They are about a million objects, which stay to the end. Searching them for garbage takes a fifth of the time of
    collecting the tests. It takes up to a fifth of the time of running a World.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Mark tests by folder and file, and sort files: the longest, then the statistical ones, then all others.

    The order within a file stays. Short files come last, so that no process waits long for the last file of another.
    """
    for item in items:
        name = _name(item)
        for folder, marker in _MARKER_OF_FOLDER.items():
            if name.startswith(f"{folder}/"):
                item.add_marker(marker)
        if name in _SLOW_FILES:
            item.add_marker("slow")
    items.sort(key=lambda item: _place(_name(item)))


def _place(name: str) -> int:
    """Return the place of a file among all files."""
    if name in _LONGEST_FILES:
        return _LONGEST_FILES.index(name)
    return len(_LONGEST_FILES) + (not name.startswith("statistical/"))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skip the import of folders and files that `-m "not A and not B"` leaves out whole: it takes seconds."""
    name = _within_tests(collection_path)
    marker = "slow" if name in _SLOW_FILES else _MARKER_OF_FOLDER.get(name)
    excluded = str(config.getoption("markexpr")).split(" and ")
    return True if f"not {marker}" in excluded else None


def _name(item: Any) -> str:
    """Return the path of a test's file within the folder of tests."""
    return _within_tests(item.path)


@cache
def _within_tests(path: Path) -> str:
    return path.relative_to(_TESTS).as_posix() if path.is_relative_to(_TESTS) else path.name


# --- skips ----------------------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[Any]:
    """Fail a test in CI if it was skipped because something that can be installed is missing."""
    report = yield
    if not hasattr(report, "wasxfail"):
        _forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[Any]:
    """Fail a file in CI if it was skipped because something that can be installed is missing."""
    report = yield
    _forbid_skip(report)
    return report


def _forbid_skip(report: Any) -> None:
    if not report.skipped or os.environ.get("CI") != "true":
        return
    reason = _reason(report)
    if not any(allowed in reason for allowed in _ALLOWED_SKIPS):
        report.outcome = "failed"
        report.longrepr = f"Skipped in CI, where every test must run: {reason}. Install what is missing (see .ci/run)."


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
    """Return the first line of the reason of a skip: Hypothesis adds the example to it."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ").partition("\n")[0].rstrip(".")
