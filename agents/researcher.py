"""Simulate one automated researcher: think, queue for GPUs, run an experiment, write, publish, and repeat."""

from __future__ import annotations

import mesa
from numpy.random import Generator
from simpy import Event

from agents import work_model
from agents.identity import AgentId
from agents.lab_agent import LabAgent
from agents.phases import Phase
from agents.pooled_work import PooledWork
from agents.ports.bundles import ResearcherPorts
from agents.ports.compute import JobHandle
from agents.ports.knowledge import PaperBatch


class Researcher(LabAgent):
    """Simulate one researcher from its first day to the end of the run.

    A subclass for ``LabFactory(researcher=...)`` changes `on_thought_out`, `thinking_days` or `writing_days`.
    ``identity`` names its random streams. ``pool`` is the pool of its thinking, if work is pooled.
    """

    def __init__(
        self, model: mesa.Model, identity: AgentId, ports: ResearcherPorts, pool: PooledWork | None = None
    ) -> None:
        super().__init__(model, identity)
        self.time, self.randomness, self.compute, self.knowledge, self.team, self.settings = ports
        self.pool = pool
        self.active = True
        self.phase = Phase.THINK
        self.papers = 0
        self.known_at_start = 0
        """Number of the latest paper that was known when its own was begun."""
        self.job: JobHandle | None = None
        """Job of its experiment, while it waits or runs."""
        self._timer: Event | None = None
        self._due = 0.0
        self._paused: tuple[Phase, float] | None = None
        self.team.census.enter(Phase.THINK, self.time.now)
        self._begin_paper()

    def stretch(self, factor: float) -> None:
        """Multiply the time left of its thinking or writing by ``factor``."""
        if self._paused is not None:
            self._paused = (self._paused[0], self._paused[1] * factor)
        elif self._timer is not None:
            self._start_timer((self._due - self.time.now) * factor)

    def remaining_work(self) -> tuple[Phase, float]:
        """Return its phase, or the phase before it paused, and the days that are left in it."""
        return self._paused or (self.phase, self._due - self.time.now)

    def remove(self) -> None:
        """Remove the agent from the model; a cohort continues its paper."""
        self._timer = None
        super().remove()

    def start_over(self) -> None:
        """Drop the paper that is thought about, and begin a new one."""
        if self.phase is Phase.THINK and self.pool is None:
            self._begin_paper()

    def pause(self) -> None:
        """Pause because the researcher loses its inference GPU. Its experiment goes on."""
        self.active = False
        if self.phase is Phase.THINK and self.pool is not None:
            self.pool.remove(self)
            self._pause(0.0)
        elif self.phase in (Phase.THINK, Phase.WRITE):
            self._pause(self._due - self.time.now)

    def resume(self) -> None:
        """Continue where :meth:`pause` stopped."""
        self.active = True
        if self._paused is None:
            return
        phase, left = self._paused
        self._paused = None
        self._enter_phase(phase)
        if phase is Phase.THINK and self.pool is not None:
            self.pool.add(self)
        else:
            self._start_timer(left)

    def on_thought_out(self) -> None:
        """Submit the experiment of a paper that is thought out, or write the paper if it needs none."""
        mean = self.knowledge.experiment_gpu_days()
        if mean == 0:
            self.write_up()
            return
        params = self.settings.researcher
        gpu_days = work_model.experiment_gpu_days(params, mean, self.stream("experiment cost"))
        gpus = work_model.gang_size(params, gpu_days, self.compute.largest_gang("experiment"))
        self._enter_phase(Phase.QUEUE)
        self.job = self.compute.submit_job(
            "experiment", gpus, gpu_days / gpus, self.identity, self.on_experiment_done, self
        )

    def job_started(self, job: JobHandle) -> None:
        """Enter phase *run* when the experiment gets its GPUs."""
        self._enter_phase(Phase.RUN)

    def job_stopped(self, job: JobHandle) -> None:
        """Enter phase *queue* when the experiment loses its GPUs."""
        self._enter_phase(Phase.QUEUE)

    def on_experiment_done(self, job: JobHandle) -> None:
        """Write the paper after its experiment."""
        self.job = None
        self.write_up()

    def _begin_paper(self) -> None:
        self.known_at_start = self.knowledge.literature.latest
        if self.pool is not None:
            self.pool.add(self)
        else:
            self._start_timer(self.thinking_days() / self.team.research_pace)

    def stream(self, decision: str) -> Generator:
        """Return the random generator of one of its decisions, such as ``"thinking"``."""
        return self.randomness.get(decision, self.identity.stream_key)

    def thinking_days(self) -> float:
        """Return the days of work until the next paper is thought out."""
        return work_model.thinking_days(self.settings.researcher, self.stream("thinking"))

    def writing_days(self) -> float:
        """Return the days of work that writing takes after an experiment."""
        return work_model.writing_days(self.settings.researcher, self.stream("writing"))

    def write_up(self) -> None:
        """Write the paper, then publish it."""
        days = self.writing_days() / self.team.research_pace
        if days == 0 and self.active:
            self._publish()
            return
        self._enter_phase(Phase.WRITE)
        if self.active:
            self._start_timer(days)
        else:
            self._pause(days)

    def _publish(self) -> None:
        self._enter_phase(Phase.PUBLISH)
        self.knowledge.publish(PaperBatch(self.number, 1.0, self.known_at_start), self)

    def max_batch(self) -> float:
        """Return 1: a researcher publishes one paper at a time."""
        return 1.0

    def on_published(self, papers: float) -> None:
        """Begin the next paper."""
        self.papers += 1
        self.on_dropped(papers)

    def on_dropped(self, papers: float) -> None:
        """Begin the next paper, although this one does not count."""
        self._enter_phase(Phase.THINK)
        self._begin_paper()
        if self.pool is not None:
            self.pool.schedule_next()

    def _pause(self, days_left: float) -> None:
        self._paused = (self.phase, days_left)
        self._timer = None
        self._enter_phase(Phase.PAUSED)

    def _start_timer(self, days: float) -> None:
        self._due = self.time.now + days
        self._timer = self.time.after(days, self._on_timer)

    def _on_timer(self, timer: Event) -> None:
        if timer is not self._timer:
            return  # the timer belongs to work that was dropped or paused since
        self._timer = None
        if self.phase is Phase.THINK:
            self.on_thought_out()
        else:
            self._publish()

    def _enter_phase(self, phase: Phase) -> None:
        self.team.census.move(self.phase, phase, self.time.now)
        self.phase = phase
