"""Represent many exchangeable researchers as counts by phase, on the same clock and cluster as individuals."""

from __future__ import annotations

from typing import NamedTuple

import mesa
import numpy as np

from agents import work_model
from agents.batch_limits import BatchLimit, max_batch_for_duplicates
from agents.cohort.stage import CohortStage
from agents.cohort.start_index import StartIndexSampler
from agents.identity import AgentId
from agents.lab_agent import LabAgent
from agents.phases import Phase
from agents.ports.bundles import ResearcherPorts
from agents.ports.compute import JobArrayHandle, JobHandle
from agents.ports.knowledge import PaperBatch
from agents.researcher import Researcher


class ExperimentBatch(NamedTuple):
    """The facts that the experiments of one job array have in common."""

    mean_gpu_days: float
    """Mean cost of an experiment at submission [GPU-days]."""
    work_rate: float
    """Work rate of the cluster at submission, relative to the kernels of day 0."""
    known_at_start: int
    """Number of the latest paper that was known when the papers were begun."""


class Cohort(LabAgent):
    """Simulate many exchangeable researchers as the number in each phase.

    ``identity`` is that of the first researcher; it names the random streams. A cohort of one repeats the
    individual of that number, draw by draw. In larger cohorts the researchers that think or write move on in leaps of
    at most the share ``leap_tolerance`` (:class:`agents.cohort.stage.CohortStage`). Their experiments are job arrays,
    which the cluster keeps as counts. Several experiments of one array run on one gang, as one job. Two limits apply:
    the job takes on average at most the share ``leap_tolerance`` of the time of a paper, and it
    publishes at most that share of a doubling.
    """

    def __init__(self, model: mesa.Model, identity: AgentId, ports: ResearcherPorts) -> None:
        super().__init__(model, identity)
        self._stream_key = identity.stream_key
        self.time, self.randomness, self.compute, self.knowledge, self.team, self.settings = ports
        self.count = dict.fromkeys(Phase, 0)
        self.size = 0
        """Number of researchers, active or not."""
        self.inactive_pending = 0
        """Researchers that queue or run and have lost their inference GPU; they pause when their experiment is over."""
        self.thinking = CohortStage(ports, "thinking", self._stream_key, self._on_thought_out, self._max_ideas)
        self.writing = CohortStage(ports, "writing", self._stream_key, self._on_written, self._max_batch_for_step)
        self.ideas, self._drafts = StartIndexSampler(), StartIndexSampler()
        """Start labels of the papers that are thought about, and of those that are written."""
        self._running: dict[JobHandle, None] = {}
        """Jobs that hold GPUs."""
        self._batch_limit = BatchLimit(self.knowledge, self.settings)

    @property
    def active(self) -> int:
        """Number of active researchers."""
        return self.size - self.count[Phase.PAUSED] - self.inactive_pending

    # Size and activity

    def grow(self, researchers: int) -> None:
        """Add new researchers, which begin to think."""
        self.team.census.enter(Phase.THINK, self.time.now, researchers)
        self.count[Phase.THINK] += researchers
        self.size += researchers
        self._begin(researchers)

    def pause(self, researchers: int) -> None:
        """Pause active researchers, chosen at random, because they lose their inference GPUs.

        Their experiments go on.
        """
        thinking, writing = self.count[Phase.THINK], self.count[Phase.WRITE]
        away = self.count[Phase.QUEUE] + self.count[Phase.RUN] - self.inactive_pending
        ideas, drafts, experiments = self._choose((thinking, writing, away), researchers)
        self._pause(self.thinking, Phase.THINK, ideas)
        self._pause(self.writing, Phase.WRITE, drafts)
        self.inactive_pending += experiments

    def resume(self, researchers: int) -> None:
        """Resume paused researchers, chosen at random."""
        pausing = (self.thinking.paused, self.writing.paused, self.inactive_pending)
        ideas, drafts, experiments = self._choose(pausing, researchers)
        self._resume(self.thinking, Phase.THINK, ideas)
        self._resume(self.writing, Phase.WRITE, drafts)
        self.inactive_pending -= experiments

    def start_over(self) -> None:
        """Drop the papers that are thought about, and begin new ones together."""
        thinking = self.count[Phase.THINK]
        if thinking:
            self.ideas.take(thinking, self._rng("paper"))
            self.ideas.add(thinking, self.knowledge.literature.latest)
            self.thinking.start_over()

    def absorb(self, researcher: Researcher) -> None:
        """Take over an individual with its paper and its experiment, in its present phase."""
        phase = researcher.phase
        self.count[phase] += 1
        self.size += 1
        known_at_start, job = researcher.known_at_start, researcher.job
        if job is not None:
            job.transfer_to(self, ExperimentBatch(0.0, 1.0, known_at_start))
            self.inactive_pending += not researcher.active
            if phase is Phase.RUN:
                self._running[job] = None
        else:
            part, days = researcher.remaining_work()
            stage, labels = (self.writing, self._drafts) if part is Phase.WRITE else (self.thinking, self.ideas)
            labels.add(1, known_at_start)
            stage.add_partial(days)
            if phase is Phase.PAUSED:
                stage.pause(1)
        researcher.remove()

    # The life of a paper

    def _begin(self, researchers: int) -> None:
        self.ideas.add(researchers, self.knowledge.literature.latest)
        self.thinking.add_new(researchers)

    def _on_thought_out(self, researchers: int) -> None:
        """Submit the experiments of papers that are thought out, or write the papers if they need none."""
        known_at_start = self.ideas.take(researchers, self._rng("paper"))
        mean = self.knowledge.experiment_gpu_days()
        if mean == 0:
            self._write(researchers, known_at_start, Phase.THINK)
            self._schedule_leaps()
            return
        self._move(Phase.THINK, Phase.QUEUE, researchers)
        batch = ExperimentBatch(mean, self.compute.work_rate, known_at_start)
        self.compute.submit_job_array("experiment", researchers, self, batch, self.identity)
        self._schedule_leaps()

    def next_task(self, array: JobArrayHandle, max_gpus: int) -> tuple[int, float, int]:
        """Return GPUs, days and number of tasks of the next job of an array."""
        batch = _batch_of(array)
        params = self.settings.researcher
        gang = min(params.experiment_gpus, max_gpus)
        tasks = self._tasks_of_a_job(array.count, batch, gang) if array.count > 1 else 1
        stream = self._rng("experiment cost")
        gpu_days = work_model.draw_total_gpu_days(params, batch.mean_gpu_days, tasks, stream)
        gpus = work_model.gang_size(params, gpu_days, max_gpus)
        if tasks > 1:
            gpus = max(gpus, min(gang, 1 << (tasks - 1).bit_length()))  # tasks run in parallel, as single jobs
        return gpus, gpu_days / gpus / batch.work_rate, tasks

    def job_started(self, job: JobHandle) -> None:
        """Move experiments that got their GPUs to phase *run*, at most one for each GPU of the job."""
        self._running[job] = None
        self._move(Phase.QUEUE, Phase.RUN, _running_tasks(job))

    def job_stopped(self, job: JobHandle) -> None:
        """Move experiments that lost their GPUs back to phase *queue*."""
        del self._running[job]
        self._move(Phase.RUN, Phase.QUEUE, _running_tasks(job))

    def job_over(self, job: JobHandle) -> None:
        """Write the papers of experiments that are over."""
        del self._running[job]
        tasks, gpus = job.tasks, job.gpus
        if tasks > gpus:  # only as many ran at the same time
            self._move(Phase.QUEUE, Phase.RUN, tasks - gpus)
        inactive = 0
        if self.inactive_pending:
            away = self.count[Phase.QUEUE] + self.count[Phase.RUN]
            inactive, _ = self._choose((self.inactive_pending, away - self.inactive_pending), tasks)
        self._write(tasks, _batch_of(job).known_at_start, Phase.RUN, inactive)

    def _write(self, papers: int, known_at_start: int, phase: Phase, inactive: int = 0) -> None:
        """Start to write papers; ``inactive`` of their authors pause first."""
        later = papers if self.settings.researcher.writing_share else inactive
        if later:
            self._move(phase, Phase.WRITE, later)
            self._drafts.add(later, known_at_start)
            self.writing.add_new(later)
            self.inactive_pending -= inactive
            if inactive:
                self._pause(self.writing, Phase.WRITE, inactive)
        if papers > later:
            self._publish_batch(papers - later, known_at_start, phase)

    def _on_written(self, papers: int) -> None:
        self._publish_batch(papers, self._drafts.take(papers, self._rng("draft")), Phase.WRITE)

    def _publish_batch(self, papers: int, known_at_start: int, phase: Phase) -> None:
        """Hand in papers, which are counted at the end of the instant."""
        self._move(phase, Phase.PUBLISH, papers)
        self.knowledge.publish(PaperBatch(self.number, papers, known_at_start, self.active), self)

    def max_batch(self) -> float:
        """Return the largest number of papers that may be counted together now; no part exceeds a step of software."""
        return self._max_batch_for_step()

    def on_published(self, papers: float) -> None:
        """Begin new papers."""
        self._move(Phase.PUBLISH, Phase.THINK, int(papers))
        self._begin(int(papers))
        self._schedule_leaps()

    def on_dropped(self, papers: float) -> None:
        """Begin new papers, although these do not count."""
        self.on_published(papers)

    def _schedule_leaps(self) -> None:
        """Schedule leaps that are not; the papers of the last leap must be counted, as they limit the next one."""
        if not self.count[Phase.PUBLISH]:
            self.thinking.schedule_next()
            self.writing.schedule_next()

    # Limits of batches

    def _tasks_of_a_job(self, waiting: int, batch: ExperimentBatch, gang: int) -> int:
        """Return how many of the waiting experiments of an array run as one job.

        Limited so that no GPU idles and no experiment waits long for others of its job.
        """
        per_day = self.settings.researcher.papers_per_day
        in_time = gang * self.settings.run.leap_tolerance / per_day / (batch.mean_gpu_days or 1e-300)
        if in_time < 2:
            return 1
        one_job_per_gang = self.count[Phase.QUEUE] * gang / self.compute.gpus_for_experiments()
        if one_job_per_gang < 2:
            return 1
        return int(min(waiting, in_time, one_job_per_gang, self._batch_limit.for_step(self.size)))

    def _max_ideas(self) -> float:
        direct = self.knowledge.experiment_gpu_days() == 0
        direct = direct and work_model.mean_days(self.settings.researcher, "writing") == 0
        return self._max_batch_for_step() if direct else self._max_batch_for_duplicates()

    def _max_batch_for_step(self) -> float:
        """Return the papers to the next step of software, see :class:`BatchLimit`."""
        return self._batch_limit.for_step(self.size)

    def _max_batch_for_duplicates(self) -> float:
        """Return how many papers may share one start label, see :func:`max_batch_for_duplicates`."""
        return max_batch_for_duplicates(self.settings, self.size)

    def _choose(self, groups: tuple[int, ...], researchers: int) -> tuple[int, ...]:
        """Choose researchers from these groups, all equally likely; draw nothing if there is no choice."""
        if researchers == sum(groups):
            return groups
        if sum(group > 0 for group in groups) <= 1:
            return tuple(researchers if group else 0 for group in groups)
        stream, left, among = self._rng("housing"), researchers, sum(groups)
        chosen = []
        for group in groups:
            among -= group
            chosen.append(draw_hypergeometric(stream, group, among, left))
            left -= chosen[-1]
        return tuple(chosen)

    # Bookkeeping

    def _pause(self, stage: CohortStage, phase: Phase, researchers: int) -> None:
        stage.pause(researchers)
        self._move(phase, Phase.PAUSED, researchers)

    def _resume(self, stage: CohortStage, phase: Phase, researchers: int) -> None:
        self._move(Phase.PAUSED, phase, researchers)
        stage.resume(researchers)

    def _move(self, old: Phase, new: Phase, researchers: int) -> None:
        if researchers:
            self.team.census.move(old, new, self.time.now, researchers)
            self.count[old] -= researchers
            self.count[new] += researchers

    def _rng(self, decision: str) -> np.random.Generator:
        return self.randomness.get(decision, self._stream_key)


def _running_tasks(job: JobHandle) -> int:
    """Return how many tasks of a job run at the same time: at most one for each GPU."""
    tasks, gpus = job.tasks, job.gpus
    return min(gpus, tasks)


def _batch_of(jobs: JobHandle | JobArrayHandle) -> ExperimentBatch:
    batch = jobs.payload
    assert isinstance(batch, ExperimentBatch), "a cohort attaches a batch to its jobs"
    return batch


def draw_hypergeometric(stream: np.random.Generator, good: int, bad: int, number: int) -> int:
    """Draw a hypergeometric number of good ones, also beyond the 10^9 to which NumPy is limited."""
    if good == 0 or number == 0:
        return 0
    if bad == 0:
        return number
    if good + bad < 10**9:
        return int(stream.hypergeometric(good, bad, number))
    return min(good, max(number - bad, int(stream.binomial(number, good / (good + bad)))))
