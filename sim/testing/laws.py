"""Check the conformance of a growth law: the properties that a World relies on."""

import math
from typing import Protocol

from hypothesis import strategies as st

from sim.growth import add_effort
from sim.testing.runner import run_properties

_CLOSE = 1e-6
"""Tolerance for rounding [doublings]."""


class GrowthLaw(Protocol):
    """Interface of a growth law. Effort and software are in doublings since day 0."""

    @property
    def log2_initial_effort(self) -> float:
        """log2 of the effort before day 0 [effective papers]."""

    def software(self, effort: float) -> float:
        """Return the doublings of software after ``effort`` doublings of effort."""

    def effort(self, doublings: float) -> float:
        """Return the doublings of effort at ``doublings`` of software; ``inf`` beyond a limit."""

    def papers_between(self, effort: float, doublings: float) -> float:
        """Return the effective papers from ``effort`` to ``doublings`` of software; 0 if passed, ``inf`` if never."""


def check_law(law: GrowthLaw, doublings: float = 16.0, examples: int = 2000) -> None:
    """Check the conformance of a growth law, from day 0 to ``doublings`` of software.

    The properties are:

    - More effort never gives less software.
    - `effort` is the inverse of `software`.
    - The papers of `papers_between` lead exactly to that level, in one step or in two.

    Raises AssertionError with the violated property and the levels of software, also if the law itself raises an
    error. Raises TypeError for a class in place of a law. Raises ValueError if ``doublings`` is not above 0 and finite,
    or if ``examples`` is below 1.
    """
    if isinstance(law, type):
        raise TypeError(f"check_law needs a law with its numbers: {law.__name__}(...), not the class {law.__name__}")
    if not 0 < doublings < math.inf:
        raise ValueError(f"doublings = {doublings:g}: must be above 0 and finite")

    def check(levels: tuple[float, float, float]) -> None:
        low, middle, high = sorted(levels)
        _check_start(law)
        _check_inverse(law, low)
        _check_order(law, low, high)
        _check_papers(law, low, middle, high)
        _check_inverse(law, middle)
        _check_inverse(law, high)

    level = st.floats(0, doublings)
    run_properties(st.tuples(level, level, level), check, _describe_levels, examples)


def _describe_levels(levels: tuple[float, float, float]) -> str:
    return f"Found at {', '.join(f'{level:g}' for level in sorted(levels))} doublings of software."


def _check_start(law: GrowthLaw) -> None:
    assert abs(law.software(0.0)) <= _CLOSE, (
        f"software(0) = {law.software(0.0):g}: must be 0, since doublings are counted from day 0"
    )
    assert abs(law.effort(0.0)) <= _CLOSE, (
        f"effort(0) = {law.effort(0.0):g}: must be 0, since effort is counted from day 0"
    )


def _check_inverse(law: GrowthLaw, level: float) -> None:
    effort = law.effort(level)
    assert not math.isnan(effort), f"effort({level:g}) is not a number"
    if math.isfinite(effort):
        back = law.software(effort)
        assert abs(back - level) <= _CLOSE * max(1.0, level), f"software(effort({level:g})) = {back:g}"


def _check_order(law: GrowthLaw, low: float, high: float) -> None:
    efforts = law.effort(low), law.effort(high)
    assert efforts[0] <= efforts[1], f"effort({low:g}) = {efforts[0]:g} is above effort({high:g}) = {efforts[1]:g}"
    if math.isfinite(efforts[1]):
        levels = law.software(efforts[0]), law.software((efforts[0] + efforts[1]) / 2), law.software(efforts[1])
        ordered = levels[0] <= levels[1] + _CLOSE and levels[1] <= levels[2] + _CLOSE
        assert ordered, f"software falls with more effort: {levels}"


def _check_papers(law: GrowthLaw, low: float, middle: float, high: float) -> None:
    start = law.effort(low)
    if not math.isfinite(start):
        return
    assert law.papers_between(start, low - _CLOSE) == 0, f"papers are needed for {low:g} doublings that are passed"
    papers = law.papers_between(start, high)
    assert papers >= 0, f"papers_between({start:g}, {high:g}) = {papers:g}"
    if not math.isfinite(papers) or papers == 0:
        return
    there = law.software(add_effort(start, math.log2(papers) - law.log2_initial_effort))
    close = abs(there - high) <= 1e-3 * max(1.0, high)
    assert close, f"the {papers:g} papers from {low:g} to {high:g} doublings lead to {there:g}"
    parts = law.papers_between(start, middle) + law.papers_between(law.effort(middle), high)
    assert math.isclose(parts, papers, rel_tol=1e-6, abs_tol=1e-9), (
        f"from {low:g} to {high:g} doublings it takes {papers:g} papers at once, and {parts:g} by way of {middle:g}"
    )
