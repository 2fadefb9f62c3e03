"""Count the researchers of a lab by phase: individual researchers and members of cohorts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agents.phases import Phase
from experiments.text.number_format import pluralize

if TYPE_CHECKING:
    from experiments.window.shown_lab import ShownLab

MAX_PEOPLE = 400
"""Maximum number of individual researchers that are listed."""
PHASES = tuple(phase for phase in Phase if phase is not Phase.PUBLISH)
"""Phases that a researcher can be seen in; publishing takes no time."""


class PhaseCount(NamedTuple):
    """The researchers in one phase."""

    phase: str
    individuals: int
    in_cohorts: int
    pooled: int
    """Thinkers that only the pool counts."""

    @property
    def total(self) -> int:
        """Number of all researchers in the phase."""
        return self.individuals + self.in_cohorts + self.pooled


class IndividualResearcher(NamedTuple):
    """An individual researcher."""

    number: int
    phase: str
    papers: int
    is_active: bool
    """False if no inference GPU is available to run the researcher."""


class CohortSummary(NamedTuple):
    """A cohort: only the number of its researchers in each phase is known."""

    number: int
    """Number of its first researcher."""
    size: int
    active_researchers: int


class TeamView(NamedTuple):
    """All researchers of a lab."""

    active_researchers: int
    phases: tuple[PhaseCount, ...]
    people: tuple[IndividualResearcher, ...]
    """First individual researchers, by number."""
    groups: tuple[CohortSummary, ...]
    note: str
    """Which researchers are listed and which are only counted."""
    humans: int
    """Number of human researchers."""
    assistants: int
    """Number of AIs that assist humans, because AIs cannot do all tasks of a paper yet."""

    @property
    def individuals(self) -> int:
        """Number of individual researchers."""
        return sum(each.individuals for each in self.phases)

    @property
    def in_cohorts(self) -> int:
        """Number of researchers in cohorts."""
        return sum(each.in_cohorts for each in self.phases)


def team_of(shown: ShownLab) -> TeamView:
    """Return the researchers of a lab."""
    population = shown.lab.workforce
    cohorts, pool = population.cohorts, shown.lab.workforce.pool
    others = pool.anonymous_members if pool is not None else 0
    phases = []
    for phase in PHASES:
        grouped = sum(cohort.count[phase] for cohort in cohorts)
        pooled = others if phase is Phase.THINK else 0
        phases.append(
            PhaseCount(phase.value, shown.lab.workforce.census.count[phase] - grouped - pooled, grouped, pooled)
        )
    people = tuple(
        IndividualResearcher(each.number, each.phase.value, each.papers, each.active)
        for each in population.researchers[:MAX_PEOPLE]
    )
    groups = tuple(CohortSummary(each.number, each.size, each.active) for each in cohorts)
    return TeamView(
        shown.lab.workforce.active_researchers,
        tuple(phases),
        people,
        groups,
        _describe_team(len(population.researchers), groups, others) or _describe_humans(shown),
        shown.lab.humans.size,
        shown.lab.automation.ais,
    )


def _describe_humans(shown: ShownLab) -> str:
    """Describe the humans who do research until AIs do it on their own; empty after that."""
    if shown.lab.automation.is_complete:
        return ""
    humans, ais = shown.lab.humans.size, shown.lab.automation.ais
    return (
        f"{pluralize(humans, 'human')} and {pluralize(ais, 'AI')} that assist them write papers. Researchers appear "
        "when AIs can do all tasks of a paper."
    )


def _describe_team(individuals: int, groups: tuple[CohortSummary, ...], others: int) -> str:
    parts = []
    if groups:
        size = sum(group.size for group in groups)
        parts.append(f"{pluralize(size, 'researcher')} in cohorts are only counted.")
    if individuals > MAX_PEOPLE:
        parts.append(f"{MAX_PEOPLE} of {individuals:,} individuals are listed.")
    if others:
        parts.append(f"{others:,} pooled thinkers are only counted.")
    return " ".join(parts)
