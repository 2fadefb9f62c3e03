"""Manage the researchers of a lab: individual agents for small teams, cohorts for large ones."""

from __future__ import annotations

import warnings

import mesa
from simpy import Event

from agents.cohort.cohort import Cohort
from agents.phases import Phase
from agents.pooled_work import PooledWork
from agents.ports import Lab
from agents.researcher import Researcher


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
    """

    def __init__(
        self,
        model: mesa.Model,
        lab: Lab,
        pool: PooledWork | None,
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
        self._pool = pool
        self.researchers: list[Researcher] = []
        """Individual researchers, in the order of their numbers."""
        self.cohorts: list[Cohort] = []
        self.active_researchers = 0
        self._last_number = 0
        self._absorbing = False

    @property
    def in_cohorts(self) -> int:
        """Number of researchers in cohorts, active or not."""
        return sum(cohort.size for cohort in self.cohorts)

    @property
    def size(self) -> int:
        """Number of all researchers, active or not."""
        others = self._pool.anonymous_members if self._pool is not None else 0
        return others + len(self.researchers) + self.in_cohorts

    def set_active(self, target: int) -> None:
        """Pause the latest researchers, or resume and then create researchers, until ``target`` are active."""
        before, self.active_researchers = self.active_researchers, target
        if self._pool is not None and self._lab.experiment_gpu_days() == 0:
            individuals = target if self._stay_individuals(target) else min(target, self._lab.max_individuals)
            self._pool.set_anonymous_members(target - individuals)
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

    def stretch(self, factor: float) -> None:
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
            self.researchers.append(self._researcher(self._model, self._lab, self._last_number, self._pool))

    def _may_be_individuals(self, more: int) -> bool:
        size = len(self.researchers) + more
        return self._pool is not None or self._stay_individuals(size) or size <= self._lab.max_individuals

    def _stay_individuals(self, researchers: int) -> bool:
        """Return whether the team stays individual because its class has no cohort; warn once."""
        if not self.without_cohort:
            return False
        if researchers > self._lab.max_individuals and not self._warned:
            self._warned = True
            warnings.warn(
                f"{self.without_cohort} has no cohort class, so {researchers:,} researchers are simulated one by one, "
                f"above run__max_individuals = {self._lab.max_individuals:,}. This takes "
                "longer. Raise run__max_individuals, or give World a cohort class.",
                stacklevel=2,
            )
        return True

    def _grow(self, researchers: int) -> None:
        """Add researchers to a cohort, which absorbs the individuals at the end of the instant, when none is busy."""
        if not self.cohorts:
            number = self.researchers[0].unique_id if self.researchers else self._last_number + 1
            self._new_cohort(number)
            if self.researchers and not self._absorbing:
                self._absorbing = True
                self._lab.at_end_of_instant(self._absorb_individuals)
        cohort = self.cohorts[-1]
        cohort.grow(researchers)
        self._last_number += researchers
        if not self._absorbing:
            self._lab.cohort_formed(cohort.unique_id, cohort.size)

    def _absorb_individuals(self, _: Event) -> None:
        self._absorbing = False
        cohort = self.cohorts[-1]
        for researcher in self.researchers:
            assert researcher.phase is not Phase.PUBLISH, "no researcher publishes at the end of an instant"
            cohort.absorb(researcher)
        self.researchers = []
        self._lab.cohort_formed(cohort.unique_id, cohort.size)

    def _new_cohort(self, number: int) -> Cohort:
        cohort = self._cohort(self._model, self._lab, number)
        self.cohorts.append(cohort)
        return cohort
