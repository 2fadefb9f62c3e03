"""The researchers of a World by phase: who is followed alone, and who is part of a cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agents.phases import Phase
from experiments.window.number_format import pluralize

if TYPE_CHECKING:
    from sim.world import World

MAX_PEOPLE = 400
"""Individuals that are listed by number."""
PHASES = tuple(phase for phase in Phase if phase is not Phase.PUBLISH)
"""Those in which somebody can be seen: publishing takes no time."""


class InPhase(NamedTuple):
    """Researchers in one phase."""

    phase: str
    individuals: int
    in_cohorts: int
    pooled: int
    """Thinkers whom the pool counts, and who are nobody else."""

    @property
    def all(self) -> int:
        """All of them."""
        return self.individuals + self.in_cohorts + self.pooled


class Person(NamedTuple):
    """A researcher who is followed alone."""

    number: int
    phase: str
    papers: int
    active_researchers: bool
    """False: no inference GPU houses it."""


class PersonGroup(NamedTuple):
    """A cohort: researchers of whom only the number in each phase is known."""

    number: int
    """Of its first researcher."""
    size: int
    active_researchers: int


class TeamView(NamedTuple):
    """All researchers."""

    active_researchers: int
    phases: tuple[InPhase, ...]
    people: tuple[Person, ...]
    """The first individuals, by number."""
    groups: tuple[PersonGroup, ...]
    note: str
    """What is shown of whom."""

    @property
    def individuals(self) -> int:
        """Researchers who are followed alone."""
        return sum(each.individuals for each in self.phases)

    @property
    def in_cohorts(self) -> int:
        """Researchers in cohorts."""
        return sum(each.in_cohorts for each in self.phases)


def team_of(world: World) -> TeamView:
    """Return the researchers of a world."""
    population = world.population
    cohorts, pool = population.cohorts, world.pool
    others = pool.anonymous_members if pool is not None else 0
    phases = []
    for phase in PHASES:
        grouped = sum(cohort.count[phase] for cohort in cohorts)
        pooled = others if phase is Phase.THINK else 0
        phases.append(InPhase(phase.value, world.census.count[phase] - grouped - pooled, grouped, pooled))
    people = tuple(
        Person(each.unique_id, each.phase.value, each.papers, each.active)
        for each in population.researchers[:MAX_PEOPLE]
    )
    groups = tuple(PersonGroup(each.unique_id, each.size, each.active) for each in cohorts)
    return TeamView(
        world.active_researchers, tuple(phases), people, groups, _note(len(population.researchers), groups, others)
    )


def _note(individuals: int, groups: tuple[PersonGroup, ...], others: int) -> str:
    parts = []
    if groups:
        size = sum(group.size for group in groups)
        parts.append(f"{pluralize(size, 'researcher')}, as the counts of a cohort.")
    if individuals > MAX_PEOPLE:
        parts.append(f"{MAX_PEOPLE} of {individuals:,} individuals are listed.")
    if others:
        parts.append(f"{others:,} pooled thinkers are a number only.")
    return " ".join(parts)
