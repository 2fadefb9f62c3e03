"""Estimate a run from the equations before it starts: whether it can reach its aim, and how many papers it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from experiments.errors import InputError

if TYPE_CHECKING:
    from sim.scenario.model import Scenario

MANY_RESEARCHERS: Final = 1e6
"""Largest aim that is run without solving the equations first, because that takes as long as the run."""
_MARGIN: Final = 1.5
"""Time for which the equations are solved, in multiples of the horizon of the run [1]."""
_MIN_SHARE_REACHED: Final = 0.1
"""Share of the aim that the equations must reach by then [1]; runs are within some percent of the equations."""
_MIN_PAPERS: Final = 100
"""Papers of the first doubling below which a run can differ much from the equations by chance."""
MANY_PAPERS: Final = 1_000_000
"""Papers that take a computer minutes if they are simulated one by one."""


def refuse_out_of_reach(scenario: Scenario) -> None:
    """Refuse a run that cannot reach its aim, a number of researchers, by its horizon.

    Raises InputError if the equations reach less than a tenth of the aim in 1.5 times the horizon. The run must also
    have enough papers for chance to average out, so a possible run is never refused.
    """
    aim, horizon = scenario.run.stop_at_researchers, scenario.run.horizon_days
    if aim <= MANY_RESEARCHERS or not scenario.is_automated:
        return  # there are no equations for humans
    from sim.fluid.api import fluid  # noqa: PLC0415 - slow to import, and rarely needed
    from sim.scenario.model import parameters  # noqa: PLC0415

    longest = parameters()["run__horizon_days"].high or horizon
    found = fluid([scenario.replace(run__horizon_days=min(longest, _MARGIN * horizon))])
    reached, marks = float(found.researchers[0]), found.doublings_of(0)
    first = marks[0].papers if marks else float(found.papers[0])
    if (
        reached >= _MIN_SHARE_REACHED * aim
        or first < _MIN_PAPERS
        or found.ending[0] not in ("horizon", "limit reached")
    ):
        return
    raise InputError(
        f"run__stop_at_researchers = {aim:.3g} is out of reach: the equations give about {reached:.2g} "
        f"researchers on day {found.day[0]:,.0f}, and the run ends on day {horizon:,.0f}; allowed: a number that "
        "the run can reach. Lower --stop-at-researchers, or raise run__horizon_days. `--engine fluid` shows the path."
    )


def note_on_length(scenario: Scenario) -> str:
    """Describe how many papers a run simulates one by one; return an empty text if they are few."""
    largest = scenario.run.max_individuals
    team = scenario.own_team
    if (
        not scenario.is_automated
        or team.researchers > largest
        or team.papers_per_day * largest * scenario.run.horizon_days < MANY_PAPERS
    ):
        return ""
    from sim.fluid.api import fluid  # noqa: PLC0415 - slow to import, and rarely needed

    found = fluid([scenario])
    papers = float(found.papers[0])
    if float(found.researchers[0]) > largest:  # a larger team is a cohort, whose papers are counted and not simulated
        papers = max((mark.papers for mark in found.doublings_of(0) if mark.researchers <= largest), default=0.0)
    if papers < MANY_PAPERS:
        return ""
    rounded = float(f"{papers:.2g}")
    return (
        f"By the equations this run simulates about {rounded:,.0f} papers one by one, at some thousand papers a "
        "second. "
        "Ctrl-C stops it and keeps the results so far; `--engine fluid` has no randomness and is quick."
    )
