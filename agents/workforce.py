"""Who is at work: individuals while they are few, a cohort beyond."""

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
    """Return the name of a class of researchers that no cohort stands for; empty if one does."""
    return "" if researcher is Researcher or cohort is not None else researcher.__name__


class Workforce:
    """All researchers of a lab, of whom the inference GPUs house the first so many.

    Up to ``individuals_up_to`` each is an agent. When there are more, all become one cohort, in which nobody loses a
    paper or an experiment. Those whose work is pooled are followed one by one as far, and the pool counts the others
    where they only ever think; where they have experiments too they all stay individuals.

    ``researcher``: the class of the individuals. A subclass of Researcher may do what no cohort does, so its
    researchers stay individuals in a team of any size, unless ``cohort`` is a cohort that stands for them.
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
        """The name of the class of researchers that no cohort stands for; empty if one does."""
        self._researcher = researcher
        self._cohort = cohort or Cohort
        self._warned = False
        self._model = model
        self._lab = lab
        self._pool = pool
        self.researchers: list[Researcher] = []
        """Individuals, in the order of their numbers."""
        self.cohorts: list[Cohort] = []
        self.active_researchers = 0
        self._last_number = 0
        self._gathering = False

    @property
    def in_cohorts(self) -> int:
        """Researchers in cohorts, at work or not."""
        return sum(cohort.size for cohort in self.cohorts)

    @property
    def size(self) -> int:
        """All researchers, at work or not."""
        others = self._pool.others if self._pool is not None else 0
        return others + len(self.researchers) + self.in_cohorts

    def set_active(self, room: int) -> None:
        """Pause the latest researchers or wake them, then create new ones, until ``room`` are at work."""
        before, self.active_researchers = self.active_researchers, room
        if self._pool is not None and self._lab.experiment_gpu_days() == 0:
            individuals = room if self._stay_individuals(room) else min(room, self._lab.individuals_up_to)
            self._pool.set_anonymous_members(room - individuals)
            self._house(individuals - sum(each.active for each in self.researchers))
        else:
            self._house(room - before)

    def _house(self, more: int) -> None:
        if more < 0:
            self._pause(-more)
        elif more > 0:
            self._create(more - self._wake(more))

    def start_over(self) -> None:
        """Let all who think begin a new paper, together."""
        for researcher in self.researchers:
            researcher.start_over()
        for cohort in self.cohorts:
            cohort.start_over()

    def stretch(self, factor: float) -> None:
        """Let what is left of everybody's thinking and writing take so many times as long."""
        for researcher in self.researchers:
            researcher.stretch(factor)
        for cohort in self.cohorts:
            cohort.thinking.stretch(factor)
            cohort.writing.stretch(factor)

    def _pause(self, researchers: int) -> None:
        for cohort in reversed(self.cohorts):
            resting = min(researchers, cohort.active)
            cohort.rest(resting)
            researchers -= resting
        for researcher in [each for each in reversed(self.researchers) if each.active][:researchers]:
            researcher.pause()

    def _wake(self, researchers: int) -> int:
        """Wake at most so many; return how many."""
        left = researchers
        for researcher in [each for each in self.researchers if not each.active][:left]:
            researcher.resume()
            left -= 1
        for cohort in self.cohorts:
            waking = min(left, cohort.size - cohort.active)
            if waking:
                cohort.wake(waking)
                left -= waking
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
        return self._pool is not None or self._stay_individuals(size) or size <= self._lab.individuals_up_to

    def _stay_individuals(self, researchers: int) -> bool:
        """Whether a team stays one of individuals because its class has no cohort; a warning says so once."""
        if not self.without_cohort:
            return False
        if researchers > self._lab.individuals_up_to and not self._warned:
            self._warned = True
            warnings.warn(
                f"{self.without_cohort} has no cohort class, so {researchers:,} researchers are simulated one by one, "
                f"above run__individuals_up_to = {self._lab.individuals_up_to:,}. This takes "
                "longer. Raise run__individuals_up_to, or give World a cohort class.",
                stacklevel=2,
            )
        return True

    def _grow(self, researchers: int) -> None:
        """Let a cohort grow; the individuals follow when this instant is over: some of them may be busy in it."""
        if not self.cohorts:
            number = self.researchers[0].unique_id if self.researchers else self._last_number + 1
            self._new_cohort(number)
            if self.researchers and not self._gathering:
                self._gathering = True
                self._lab.at_end_of_instant(self._gather_all)
        cohort = self.cohorts[-1]
        cohort.grow(researchers)
        self._last_number += researchers
        if not self._gathering:
            self._lab.cohort_formed(cohort.unique_id, cohort.size)

    def _gather_all(self, _: Event) -> None:
        self._gathering = False
        cohort = self.cohorts[-1]
        for researcher in self.researchers:
            assert researcher.phase is not Phase.PUBLISH, "nobody publishes at the end of an instant"
            cohort.absorb(researcher)
        self.researchers = []
        self._lab.cohort_formed(cohort.unique_id, cohort.size)

    def _new_cohort(self, number: int) -> Cohort:
        cohort = self._cohort(self._model, self._lab, number)
        self.cohorts.append(cohort)
        return cohort
