"""Manage the researchers of a lab: individual agents for small teams, cohorts for large ones."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import mesa

from agents.cohort.cohort import Cohort
from agents.identity import AgentId
from agents.phases import Phase, PhaseOccupancy
from agents.pooled_work import PooledWork
from agents.ports.bundles import ResearcherPorts
from agents.researcher import Researcher
from agents.team import TeamState


def class_without_cohort(researcher: type[Researcher], cohort: type[Cohort] | None) -> str:
    """Return the name of a class of researchers without a cohort class; empty if it has one."""
    return "" if researcher is Researcher or cohort is not None else researcher.__name__


class Workforce:
    """Manage all researchers of a lab, of which the first are active as far as the inference GPUs allow.

    Up to ``max_individuals`` researchers are agents. A larger team becomes one cohort, which takes over all papers
    and experiments. Researchers with pooled work are agents up to the same number. Beyond it the pool
    counts them if they only think; if they have experiments, all stay agents.

    ``researcher`` is the class of the agents. A cohort does not reproduce a subclass of Researcher. Its researchers
    therefore stay agents in a team of any size, unless ``cohort`` is a cohort class for them.

    Arguments
    ---------
    model
        Model in which Mesa registers the agents.
    lab
        Name of the lab.
    team
        State of the team, which the workforce keeps. ``ports.team`` reads it.
    ports
        Ports of the researchers.
    reference_researchers
        Size of the reference team, to which `kernels__candidates_per_day` refers.
    on_cohort_formed
        Function that is called with the number and the size of a cohort when it is formed.
    """

    def __init__(
        self,
        model: mesa.Model,
        lab: str,
        team: TeamState,
        ports: ResearcherPorts,
        reference_researchers: float,
        on_cohort_formed: Callable[[int, int], None],
        researcher: type[Researcher] = Researcher,
        cohort: type[Cohort] | None = None,
    ) -> None:
        self.without_cohort = class_without_cohort(researcher, cohort)
        """Name of the class of researchers if it has no cohort class; else empty."""
        self._researcher = researcher
        self._cohort = cohort or Cohort
        self._warned = False
        self._model = model
        self._lab = lab
        self.ports = ports
        self._settings = ports.settings
        self._on_cohort_formed = on_cohort_formed
        self.team = team
        self.reference_researchers = reference_researchers
        self.pool = PooledWork(ports) if ports.settings.researcher.timing == "pooled" else None
        """Work of the researchers that think together; None if each thinks alone."""
        self.researchers: list[Researcher] = []
        """Individual researchers, in the order of their numbers."""
        self.cohorts: list[Cohort] = []
        self._last_number = 0

    @property
    def census(self) -> PhaseOccupancy:
        """Number of researchers in each phase, and the time spent there."""
        return self.team.census

    @property
    def active_researchers(self) -> int:
        """Number of active researchers."""
        return self.team.active_researchers

    @property
    def in_cohorts(self) -> int:
        """Number of researchers in cohorts, active or not."""
        return sum(cohort.size for cohort in self.cohorts)

    @property
    def size(self) -> int:
        """Number of all researchers, active or not."""
        others = self.pool.anonymous_members if self.pool is not None else 0
        return others + len(self.researchers) + self.in_cohorts

    def set_active(self, target: int) -> None:
        """Pause the latest researchers, or resume and then create researchers, until ``target`` are active."""
        before, self.team.active_researchers = self.team.active_researchers, target
        if self.pool is not None and self.ports.knowledge.experiment_gpu_days() == 0:
            individuals = target if self._stay_individuals(target) else min(target, self._settings.run.max_individuals)
            self.pool.set_anonymous_members(target - individuals)
            self._change_active_individuals(individuals - sum(each.active for each in self.researchers))
        else:
            self._change_active_individuals(target - before)

    def _change_active_individuals(self, more: int) -> None:
        if more < 0:
            self._pause(-more)
        elif more > 0:
            self._create(more - self._resume(more))

    def start_over(self) -> None:
        """Let all researchers that think begin a new paper together."""
        for researcher in self.researchers:
            researcher.start_over()
        for cohort in self.cohorts:
            cohort.start_over()

    def team_growth(self) -> float:
        """Return the number of active researchers, relative to the reference team."""
        return self.active_researchers / self.reference_researchers

    def set_research_pace(self, pace: float) -> None:
        """Set the share of their time that researchers spend on papers, also for work that has begun."""
        if pace == self.team.research_pace:
            return
        if self.pool is not None:
            self.pool.accrue()
        factor, self.team.research_pace = self.team.research_pace / pace, pace
        self._stretch(factor)
        self.schedule_pooled_work()

    def publish_pooled_work(self) -> bool:
        """Hand in pooled work before a change of the team changes its value; return whether there was any."""
        return self.pool is not None and self.pool.flush()

    def schedule_pooled_work(self) -> None:
        """Schedule the next publication of pooled work, after a change of the team or of its pace."""
        if self.pool is not None:
            self.pool.schedule_next()

    def _stretch(self, factor: float) -> None:
        """Multiply the time left of all thinking and writing by ``factor``."""
        for researcher in self.researchers:
            researcher.stretch(factor)
        for cohort in self.cohorts:
            cohort.thinking.stretch(factor)
            cohort.writing.stretch(factor)

    def _pause(self, researchers: int) -> None:
        for cohort in reversed(self.cohorts):
            pausing = min(researchers, cohort.active)
            cohort.pause(pausing)
            researchers -= pausing
        for researcher in [each for each in reversed(self.researchers) if each.active][:researchers]:
            researcher.pause()

    def _resume(self, researchers: int) -> int:
        """Resume at most ``researchers``; return how many were resumed."""
        left = researchers
        for researcher in [each for each in self.researchers if not each.active][:left]:
            researcher.resume()
            left -= 1
        for cohort in self.cohorts:
            resuming = min(left, cohort.size - cohort.active)
            if resuming:
                cohort.resume(resuming)
                left -= resuming
        return researchers - left

    def _create(self, researchers: int) -> None:
        if not researchers:
            return
        if self.cohorts or not self._may_be_individuals(researchers):
            self._grow(researchers)
            return
        for _ in range(researchers):
            self._last_number += 1
            self.researchers.append(
                self._researcher(self._model, self._identity(self._last_number), self.ports, self.pool)
            )

    def _may_be_individuals(self, more: int) -> bool:
        size = len(self.researchers) + more
        return self.pool is not None or self._stay_individuals(size) or size <= self._settings.run.max_individuals

    def _stay_individuals(self, researchers: int) -> bool:
        """Return whether the team stays individual because its class has no cohort; warn once."""
        if not self.without_cohort:
            return False
        if researchers > self._settings.run.max_individuals and not self._warned:
            self._warned = True
            warnings.warn(
                f"{self.without_cohort} has no cohort class, so {researchers:,} researchers are simulated one by one, "
                f"above run__max_individuals = {self._settings.run.max_individuals:,}. This takes "
                "longer. Raise run__max_individuals, or give LabFactory a cohort class.",
                stacklevel=2,
            )
        return True

    def _grow(self, researchers: int) -> None:
        """Add researchers to a cohort, which absorbs all individuals."""
        if not self.cohorts:
            number = self.researchers[0].number if self.researchers else self._last_number + 1
            self._new_cohort(number)
        cohort = self.cohorts[-1]
        cohort.grow(researchers)
        for researcher in self.researchers:
            assert researcher.phase is not Phase.PUBLISH, "all papers are counted before the team changes"
            cohort.absorb(researcher)
        self.researchers = []
        self._last_number += researchers
        self.record_cohort(cohort)

    def record_cohort(self, cohort: Cohort) -> None:
        """Record that a cohort was formed."""
        self._on_cohort_formed(cohort.number, cohort.size)

    def _identity(self, number: int) -> AgentId:
        return AgentId(self._lab, "researcher", number)

    def _new_cohort(self, number: int) -> Cohort:
        cohort = self._cohort(self._model, self._identity(number), self.ports)
        self.cohorts.append(cohort)
        return cohort
