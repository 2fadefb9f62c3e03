"""What the equations expect of a run before it starts: whether its aim is in reach, and how much work it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from experiments.errors import InputError

if TYPE_CHECKING:
    from sim.scenario.model import Scenario

MANY_RESEARCHERS: Final = 1e6
"""Aims up to here are run without a look at the equations: the look takes seconds, and so does the run."""
_MARGIN: Final = 1.5
"""By how much longer than its horizon a run is followed by the equations before its aim is called out of reach."""
_SHARE: Final = 0.1
"""The part of an aim that must be in reach by then; runs are within some percent of the equations."""
_MIN_PAPERS: Final = 100
"""Papers in which a first doubling is written, below which a run can be far from the equations by chance."""
MANY_PAPERS: Final = 1_000_000
"""Papers one by one that take a computer minutes."""


def refuse_out_of_reach(scenario: Scenario) -> None:
    """Refuse a run whose aim, a number of researchers, it cannot reach by its horizon.

    Raises InputError if the equations have less than a tenth of the aim after half as many days again, and if papers
    are so many that chance averages out. So what could happen is never refused.
    """
    wanted, horizon = scenario.run.stop_at_researchers, scenario.run.horizon_days
    if wanted <= MANY_RESEARCHERS:
        return
    from sim.fluid.api import fluid  # noqa: PLC0415 - slow to load, and seldom needed
    from sim.scenario.model import parameters  # noqa: PLC0415

    longest = parameters()["run__horizon_days"].high or horizon
    found = fluid([scenario.replace(run__horizon_days=min(longest, _MARGIN * horizon))])
    reached, marks = float(found.researchers[0]), found.doublings_of(0)
    first = marks[0].papers if marks else float(found.papers[0])
    if reached >= _SHARE * wanted or first < _MIN_PAPERS or found.ending[0] not in ("horizon", "limit reached"):
        return
    raise InputError(
        f"run__stop_at_researchers = {wanted:.3g} is out of reach: by the equations there are about {reached:.2g} "
        f"researchers on day {found.day[0]:,.0f}, and the run ends on day {horizon:,.0f}; allowed: what the run can "
        "reach. Lower --stop-at-researchers, or raise run__horizon_days. `--engine fluid` shows the path."
    )


def note_on_length(scenario: Scenario) -> str:
    """Return a sentence on how many papers a run has to simulate one by one, if they are many; else an empty text."""
    largest = scenario.run.max_individuals
    team = scenario.own_team
    if team.researchers > largest or team.papers_per_day * largest * scenario.run.horizon_days < MANY_PAPERS:
        return ""
    from sim.fluid.api import fluid  # noqa: PLC0415 - slow to load, and seldom needed

    found = fluid([scenario])
    papers = float(found.papers[0])
    if float(found.researchers[0]) > largest:  # then the team is counted, and its papers are no longer simulated
        papers = max((mark.papers for mark in found.doublings_of(0) if mark.researchers <= largest), default=0.0)
    if papers < MANY_PAPERS:
        return ""
    rounded = float(f"{papers:.2g}")
    return (
        f"By the equations this run simulates about {rounded:,.0f} papers one by one; a computer does some thousand a "
        "second. Ctrl-C stops it and keeps what there is; `--engine fluid` has no randomness and is quick."
    )
