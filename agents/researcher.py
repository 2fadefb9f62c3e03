"""An automated researcher: it thinks, queues for GPUs, runs its experiment, writes, publishes, and thinks again."""

from typing import Annotated, Any, Literal

import mesa
from annotated_types import Interval
from pydantic import BaseModel
from simpy import Event

from agents import work_model
from agents.phases import Phase
from agents.pooled_work import PooledWork
from agents.ports import Lab, PaperBatch

DAYS_PER_MONTH = 365 / 12


class ResearcherParams(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """How researchers work, all alike."""

    initial: Annotated[int, Interval(ge=0, le=1_000_000_000), "researchers"] = 0
    """Researchers on day 0. 0: as many as the inference GPUs run, one for each `gpus_each` of them, at least 1. A
    fixed number does not follow `cluster__gpus`: a larger cluster then runs the same team on more GPUs each. Source:
    our choice; the report expects hundreds of thousands of copies, so each researcher here stands for many."""
    gpus_each: Annotated[float, Interval(ge=1e-6, le=1e6), "GPUs per researcher"] = 2.0
    """Inference GPUs that run one researcher on day 0; better software and kernels lower the number later. Read if
    `initial` is 0. Source: our choice, so that the 512 inference GPUs of the default lab run 256 researchers."""
    papers_per_month: Annotated[float, Interval(ge=1e-6, le=1e6), "papers per month"] = 1.0
    """Papers that a researcher who never waits for an experiment writes. Source: the report's toy model, 1."""
    timing: Annotated[Literal["poisson", "pooled", "whole"], "name"] = "poisson"
    """When papers are done: `poisson` after random, memoryless times; `whole` after equal times, all starting
    together whenever deployed software has doubled; `pooled` as fractions of papers, at once. Source: the report's
    months are exact when pooled and exact in the mean with Poisson papers."""
    writing_share: Annotated[float, Interval(ge=0, le=0.95), "share"] = 0.2
    """Share of a researcher's own work on a paper that comes after its experiment. Source: our choice; the sum
    of thinking and writing is what `papers_per_month` says."""
    experiment_gpu_days: Annotated[float, Interval(ge=0, le=1e9), "GPU-days"] = 4.17
    """Mean cost of the experiment that a paper needs on day 0; 0 is no experiment. Source: the mean of the
    33,192 jobs of Microsoft's Philly cluster (trace CC-BY-4.0, by way of Gavel), 4.17 GPU-days."""
    experiment_scaling: Annotated[float, Interval(ge=0, le=1), "exponent"] = 0.5
    """How closely experiments must follow the frontier, s: their cost is `cost * 2^(-(1-s) doublings)` of
    discovered software. 0: experiments of fixed size, ever cheaper; 1: they must stay near the frontier's size
    and never get cheaper. Source: the open question between the two camps on compute bottlenecks; 0.5 is the
    middle."""
    experiment_variation: Annotated[Literal["fixed", "exponential", "lognormal"], "name"] = "lognormal"
    """How the cost of experiments varies around its mean. Source: job sizes in the Philly log are close to
    lognormal."""
    experiment_sigma: Annotated[float, Interval(ge=0, le=4), "log units"] = 1.96
    """Spread of a lognormal cost: the standard deviation of its logarithm. Source: the Philly log, 1.96."""
    experiment_days: Annotated[float, Interval(ge=1e-4, le=1000), "days"] = 1.0
    """How long an experiment may take: a researcher asks the fewest GPUs, as a power of two, that end it in this
    time. Source: our choice; the mean run time in the Philly log is 1.4 days."""
    experiment_gpus: Annotated[int, Interval(ge=1, le=1_000_000), "GPUs"] = 8
    """The most GPUs that one experiment asks for. Source: the largest common gang in the Philly log, 8."""

    @property
    def papers_per_day(self) -> float:
        """Papers a day of a researcher who never waits."""
        return self.papers_per_month / DAYS_PER_MONTH


class Researcher(mesa.Agent):
    """One automated researcher, from its first day to the end of the run.

    A subclass for ``World(researcher=...)`` changes `has_idea`, `thinking_days` or `writing_days`.
    ``number``: 1, 2, ..., which names its streams of chance. ``pool``: where its thinking goes if pooled.
    """

    def __init__(self, model: mesa.Model, lab: Lab, number: int, pool: PooledWork | None) -> None:
        super().__init__(model)
        self.unique_id = number
        self.lab = lab
        self.pool = pool
        self.active = True
        self.phase = Phase.THINK
        self.papers = 0
        self.began = 0
        """The latest paper that was known when its own was begun."""
        self.job: Any = None
        """Its experiment, while it waits or runs."""
        self._alarm: Event | None = None
        self._due = 0.0
        self._paused: tuple[Phase, float] | None = None
        lab.census.enter(Phase.THINK, lab.now)
        self._begin_paper()

    def stretch(self, factor: float) -> None:
        """Let what is left of the thinking or writing under way take so many times as long."""
        if self._paused is not None:
            self._paused = (self._paused[0], self._paused[1] * factor)
        elif self._alarm is not None:
            self._set_alarm((self._due - self.lab.now) * factor)

    def remaining_work(self) -> tuple[Phase, float]:
        """Return which part of its paper it is at, or was before it paused, and the days that this still takes."""
        return self._paused or (self.phase, self._due - self.lab.now)

    def remove(self) -> None:
        """Be no individual any more: somebody else goes on with the paper."""
        self._alarm = None
        super().remove()

    def start_over(self) -> None:
        """Drop the paper that is being thought about and begin a new one, together with everybody."""
        if self.phase is Phase.THINK and self.pool is None:
            self._begin_paper()

    def pause(self) -> None:
        """Stop: no GPU houses this researcher. An experiment that queues or runs goes on without it."""
        self.active = False
        if self.phase is Phase.THINK and self.pool is not None:
            self.pool.leave(self)
            self._rest(0.0)
        elif self.phase in (Phase.THINK, Phase.WRITE):
            self._rest(self._due - self.lab.now)

    def resume(self) -> None:
        """Go on where :meth:`pause` stopped."""
        self.active = True
        if self._paused is None:
            return
        phase, left = self._paused
        self._paused = None
        self._become(phase)
        if phase is Phase.THINK and self.pool is not None:
            self.pool.join(self)
        else:
            self._set_alarm(left)

    def has_idea(self) -> None:
        """The paper is thought out: run its experiment, or write it up if it needs none."""
        mean = self.lab.experiment_gpu_days()
        if mean == 0:
            self.write_up()
            return
        number = self.unique_id
        params = self.lab.researcher_params
        gpu_days = work_model.experiment_gpu_days(params, mean, self.lab.rng_for("experiment cost", number))
        gpus = work_model.gang_size(params, gpu_days, self.lab.largest_gang("experiment"))
        self._become(Phase.QUEUE)
        self.job = self.lab.submit_job("experiment", gpus, gpu_days / gpus, number, watcher=self)
        self.job.callbacks.append(self.experiment_over)

    def job_started(self, job: Any) -> None:
        """Note that the experiment got its GPUs."""
        self._become(Phase.RUN)

    def job_stopped(self, job: Any) -> None:
        """Note that the experiment lost its GPUs and waits again."""
        self._become(Phase.QUEUE)

    def experiment_over(self, job: Any) -> None:
        """Write the paper up."""
        self.job = None
        self.write_up()

    def _begin_paper(self) -> None:
        self.began = self.lab.literature.latest
        if self.pool is not None:
            self.pool.join(self)
        else:
            self._set_alarm(self.thinking_days() / self.lab.research_pace)

    def thinking_days(self) -> float:
        """Return the days of work until the next paper is thought out."""
        return work_model.thinking_days(self.lab.researcher_params, self.lab.rng_for("thinking", self.unique_id))

    def writing_days(self) -> float:
        """Return the days of work that writing takes after an experiment."""
        return work_model.writing_days(self.lab.researcher_params, self.lab.rng_for("writing", self.unique_id))

    def write_up(self) -> None:
        """Write the paper, and publish it when that is done."""
        days = self.writing_days() / self.lab.research_pace
        if days == 0 and self.active:
            self._publish()
            return
        self._become(Phase.WRITE)
        if self.active:
            self._set_alarm(days)
        else:
            self._rest(days)

    def _publish(self) -> None:
        self._become(Phase.PUBLISH)
        self.papers += 1
        self.lab.publish(PaperBatch(self.unique_id, 1.0, self.began))
        self._become(Phase.THINK)
        self._begin_paper()
        if self.pool is not None:
            self.pool.plan()
        if not self.active:
            self.pause()  # what it published brought a new generation, which found fewer GPUs than the last count

    def _rest(self, days_left: float) -> None:
        self._paused = (self.phase, days_left)
        self._alarm = None
        self._become(Phase.PAUSED)

    def _set_alarm(self, days: float) -> None:
        self._due = self.lab.now + days
        self._alarm = self.lab.after(days, self._ring)

    def _ring(self, alarm: Event) -> None:
        if alarm is not self._alarm:
            return  # it was set for work that has been dropped or put off since
        self._alarm = None
        if self.phase is Phase.THINK:
            self.has_idea()
        else:
            self._publish()

    def _become(self, phase: Phase) -> None:
        self.lab.census.move(self.phase, phase, self.lab.now)
        self.phase = phase
