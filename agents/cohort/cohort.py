"""A cohort: researchers who cannot be told apart, as counts of the same phases, clock and cluster as individuals."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import mesa
import numpy as np

from agents import work_model
from agents.cohort.stage import CohortStage
from agents.cohort.start_index import StartIndexSampler
from agents.phases import Phase
from agents.ports import Lab, PaperBatch
from agents.researcher import Researcher

_LEAPS_WITHIN = 64
"""Into so many parts, at most, a leap is cut for the sake of few questions."""


class ExperimentBatch(NamedTuple):
    """What a lot of experiments is about."""

    mean_gpu_days: float
    """The mean cost of one when it was asked for."""
    work_rate: float
    """Of the cluster then."""
    began: int
    """The latest paper that was known when the papers were begun."""


class AbsorbedJob(NamedTuple):
    """What stands for the lot of an experiment that an individual had asked for."""

    payload: ExperimentBatch


class Cohort(mesa.Agent):
    """Many exchangeable researchers, of whom only the number in each phase is known.

    ``number``: of its first researcher, which names its streams of chance. A cohort of one does what the individual of
    that number would, draw by draw. Of many, those who think or write move on in leaps of at most the share
    ``leap_error`` (:class:`agents.cohort.stage.Stage`). Their experiments are lots, which the cluster keeps as counts;
    several of one lot run on one gang, as one job, while that takes on average no longer than the same share
    of the time that a paper takes, and publishes no more than that share of a doubling.
    """

    def __init__(self, model: mesa.Model, lab: Lab, number: int) -> None:
        super().__init__(model)
        self.unique_id = number
        self.lab = lab
        self.count = dict.fromkeys(Phase, 0)
        self.inactive_pending = 0
        """Of those who queue or run: no inference GPU houses them, and they will rest when their experiment is over."""
        self.thinking = CohortStage(lab, "thinking", number, self._have_ideas, self._most_ideas)
        self.writing = CohortStage(lab, "writing", number, self._written, self._publishable)
        self.ideas, self._drafts = StartIndexSampler(), StartIndexSampler()
        """When those who think, and those who write, began."""
        self._running: dict[Any, None] = {}
        """The jobs that have GPUs."""
        self._step: tuple[tuple[int, int], float] = ((0, 0), 1.0)
        """What may be published at once, and the state of knowledge and of the team for which that holds."""
        self._owed = 0
        """To be put to rest as soon as those who publish in this instant are through."""

    @property
    def size(self) -> int:
        """Researchers in it, at work or not."""
        return sum(self.count.values())

    @property
    def active(self) -> int:
        """Researchers at work."""
        return self.size - self.count[Phase.PAUSED] - self.inactive_pending - self._owed

    @property
    def owed(self) -> int:
        """Researchers who go to rest as soon as they have published."""
        return self._owed

    # Who comes and goes

    def grow(self, researchers: int) -> None:
        """Add so many new researchers, who begin to think."""
        self.lab.census.enter(Phase.THINK, self.lab.now, researchers)
        self.count[Phase.THINK] += researchers
        self._begin(researchers)

    def rest(self, researchers: int) -> None:
        """Let so many stop, any of those at work: no GPU houses them. Their experiments go on without them."""
        thinking, writing = self.count[Phase.THINK], self.count[Phase.WRITE]
        away = self.count[Phase.QUEUE] + self.count[Phase.RUN] - self.inactive_pending
        there = min(researchers, thinking + writing + away)
        ideas, drafts, experiments = self._choose((thinking, writing, away), there)
        self._rest(self.thinking, Phase.THINK, ideas)
        self._rest(self.writing, Phase.WRITE, drafts)
        self.inactive_pending += experiments
        self._owed += researchers - there

    def wake(self, researchers: int) -> None:
        """Let so many of those who stopped go on."""
        forgiven = min(researchers, self._owed)
        self._owed -= forgiven
        resting = (self.thinking.resting, self.writing.resting, self.inactive_pending)
        ideas, drafts, experiments = self._choose(resting, researchers - forgiven)
        self._wake(self.thinking, Phase.THINK, ideas)
        self._wake(self.writing, Phase.WRITE, drafts)
        self.inactive_pending -= experiments

    def start_over(self) -> None:
        """Drop the papers that are being thought about, and begin new ones together."""
        thinking = self.count[Phase.THINK]
        if thinking:
            self.ideas.take(thinking, self._chance("paper"))
            self.ideas.add(thinking, self.lab.literature.latest)
            self.thinking.start_over()

    def absorb(self, researcher: Researcher) -> None:
        """Take in an individual as it stands, with its paper and its experiment."""
        phase = researcher.phase
        self.count[phase] += 1
        began, job = researcher.began, researcher.job
        if job is not None:
            job.watcher, job.callbacks = self, [self.job_over]
            job.lot = AbsorbedJob(ExperimentBatch(0.0, 1.0, began))
            self.inactive_pending += not researcher.active
            if phase is Phase.RUN:
                self._running[job] = None
        else:
            part, days = researcher.remaining_work()
            stage, labels = (self.writing, self._drafts) if part is Phase.WRITE else (self.thinking, self.ideas)
            labels.add(1, began)
            stage.add_partial(days)
            if phase is Phase.PAUSED:
                stage.rest(1)
        researcher.remove()

    # The life of a paper

    def _begin(self, researchers: int) -> None:
        self.ideas.add(researchers, self.lab.literature.latest)
        self.thinking.add_new(researchers)

    def _have_ideas(self, researchers: int) -> None:
        """So many papers are thought out: ask for their experiments, or write them up if they need none."""
        began = self.ideas.take(researchers, self._chance("paper"))
        mean = self.lab.experiment_gpu_days()
        if mean == 0:
            self._write(researchers, began, Phase.THINK)
            return
        self._move(Phase.THINK, Phase.QUEUE, researchers)
        asked = ExperimentBatch(mean, self.lab.work_rate, began)
        self.lab.submit_job_array("experiment", researchers, self, asked, self.unique_id)

    def draw(self, lot: Any, most: int) -> tuple[int, float, int]:
        """Return GPUs, days and tasks of the next job of a lot."""
        asked: ExperimentBatch = lot.payload
        params = self.lab.researcher_params
        gang = min(params.experiment_gpus, most)
        tasks = self._tasks_of_a_job(lot, gang) if lot.count > 1 else 1
        stream = self._chance("experiment cost")
        gpu_days = work_model.draw_total_gpu_days(params, asked.mean_gpu_days, tasks, stream)
        gpus = work_model.gang_size(params, gpu_days, most)
        if tasks > 1:
            gpus = max(gpus, min(gang, 1 << (tasks - 1).bit_length()))  # side by side, as one by one
        return gpus, gpu_days / gpus / asked.work_rate, tasks

    def job_started(self, job: Any) -> None:
        """Note that experiments got their GPUs: no more run at once than there are GPUs."""
        self._running[job] = None
        self._move(Phase.QUEUE, Phase.RUN, self._side_by_side(job))

    def job_stopped(self, job: Any) -> None:
        """Note that experiments lost their GPUs and wait again."""
        del self._running[job]
        self._move(Phase.RUN, Phase.QUEUE, self._side_by_side(job))

    def job_over(self, job: Any) -> None:
        """Write up what came of experiments."""
        running = self._side_by_side(job)
        del self._running[job]
        tasks: int = job.tasks
        self._move(Phase.QUEUE, Phase.RUN, tasks - running)
        away = self.count[Phase.QUEUE] + self.count[Phase.RUN]
        unhoused, _ = self._choose((self.inactive_pending, away - self.inactive_pending), tasks)
        self._write(tasks, job.lot.payload.began, Phase.RUN, unhoused)

    def _write(self, papers: int, began: int, phase: Phase, unhoused: int = 0) -> None:
        """Write so many papers up; so many of their authors rest first."""
        at_once = work_model.mean_days(self.lab.researcher_params, "writing") == 0
        later = unhoused if at_once else papers
        if later:
            self._move(phase, Phase.WRITE, later)
            self._drafts.add(later, began)
            self.writing.add_new(later)
            self.inactive_pending -= unhoused
            self._rest(self.writing, Phase.WRITE, unhoused)
        if papers > later:
            self._hand_in(papers - later, began, phase)

    def _written(self, papers: int) -> None:
        self._hand_in(papers, self._drafts.take(papers, self._chance("draft")), Phase.WRITE)

    def _hand_in(self, papers: int, began: int, phase: Phase) -> None:
        """Publish papers, no more at once than bring software its next step, and begin new ones."""
        self._move(phase, Phase.PUBLISH, papers)
        left = papers
        while left:
            part = int(min(left, self._publishable()))
            self.lab.publish(PaperBatch(self.unique_id, part, began, self.active + self._owed))
            left -= part
        self._move(Phase.PUBLISH, Phase.THINK, papers)
        self._begin(papers)
        if self._owed:  # what was published brought a new generation, which found fewer GPUs than the last
            owed, self._owed = self._owed, 0
            self.rest(owed)

    def _side_by_side(self, job: Any) -> int:
        """How many of the cohort's own experiments in a job run at once: no more than there are GPUs."""
        return int(min(job.tasks, job.gpus))

    # How many at once

    def _tasks_of_a_job(self, lot: Any, gang: int) -> int:
        """Return how many experiments of a lot run as one job: no GPU idles for it, and none waits long for others."""
        asked, per_day = lot.payload, self.lab.researcher_params.papers_per_day
        in_time = gang * self.lab.leap_error / per_day / max(asked.mean_gpu_days, 1e-300)
        a_job_for_each_gang = self.count[Phase.QUEUE] * gang / self.lab.gpus_for_experiments()
        tasks = min(lot.count, in_time, a_job_for_each_gang)
        return int(min(tasks, self._publishable())) if tasks >= 2 else 1

    def _most_ideas(self) -> float:
        direct = self.lab.experiment_gpu_days() == 0
        direct = direct and work_model.mean_days(self.lab.researcher_params, "writing") == 0
        return self._publishable() if direct else self._of_one_beginning()

    def _publishable(self) -> float:
        """Papers that bring software its next step, or the share ``leap_error`` of a doubling; at least one."""
        moment = (self.lab.literature.latest, self.size)
        if self._step[0] != moment:
            papers = min(self.lab.papers_to_next_step(max(self.lab.leap_error, 1e-9)), self._of_one_beginning())
            self._step = (moment, max(1.0, math.ceil(papers - 1e-6) if papers < math.inf else papers))
        return self._step[1]

    def _of_one_beginning(self) -> float:
        """Papers that may go together as if they had begun together, for the sake of how many are duplicates.

        Such are in each other's way more than papers one by one would be, where questions are few. That matters where
        a duplicate counts for less.
        """
        params = self.lab.literature.params
        if params.duplicate_weight == 1:
            return math.inf
        return self.lab.leap_error * max(params.open_questions, self.size / _LEAPS_WITHIN)

    def _choose(self, groups: tuple[int, ...], researchers: int) -> tuple[int, ...]:
        """Choose so many of all in these groups, each as likely; nothing is drawn where there is no choice."""
        if researchers == sum(groups):
            return groups
        if sum(group > 0 for group in groups) <= 1:
            return tuple(researchers if group else 0 for group in groups)
        stream, left, among = self._chance("housing"), researchers, sum(groups)
        chosen = []
        for group in groups:
            among -= group
            chosen.append(_draw(stream, group, among, left))
            left -= chosen[-1]
        return tuple(chosen)

    # Bookkeeping

    def _rest(self, stage: CohortStage, phase: Phase, researchers: int) -> None:
        stage.rest(researchers)
        self._move(phase, Phase.PAUSED, researchers)

    def _wake(self, stage: CohortStage, phase: Phase, researchers: int) -> None:
        self._move(Phase.PAUSED, phase, researchers)
        stage.wake(researchers)

    def _move(self, old: Phase, new: Phase, researchers: int) -> None:
        if researchers:
            self.lab.census.move(old, new, self.lab.now, researchers)
            self.count[old] -= researchers
            self.count[new] += researchers

    def _chance(self, decision: str) -> np.random.Generator:
        return self.lab.rng_for(decision, self.unique_id)


def _draw(stream: np.random.Generator, good: int, bad: int, number: int) -> int:
    """Return how many of ``number`` drawn from good and bad ones are good; NumPy's own is limited to 10^9."""
    if good == 0 or number == 0:
        return 0
    if bad == 0:
        return number
    if good + bad < 10**9:
        return int(stream.hypergeometric(good, bad, number))
    return min(good, max(number - bad, int(stream.binomial(number, good / (good + bad)))))
