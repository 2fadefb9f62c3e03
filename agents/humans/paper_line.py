"""Pass papers from task to task: humans and AIs do the tasks of a paper one after another.

This is how a lab works until AIs do all tasks. A paper in progress is a *draft*. Bottlenecks, Amdahl's law and the
concentration of humans on the last tasks are not assumed; they follow from the queues.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Protocol

from agents import work_model
from agents.batch_limits import BatchLimit
from agents.humans.batch_experiments import BatchExperiments
from agents.humans.draft import Draft, draw_times
from agents.humans.shared_ais import SharedAis
from agents.identity import AgentId
from agents.ports.automation import TaskWork
from agents.ports.bundles import PaperLinePorts
from agents.ports.compute import JobHandle
from agents.ports.knowledge import PaperBatch

_MAX_DRAFTS = 1 << 16
"""Approximate maximum number of batches in progress, if the share of a doubling limits them."""


def _place(entry: tuple[int, int, Draft]) -> tuple[int, int]:
    """Return the place of a waiting draft: the later its task the earlier, then in order of arrival."""
    return entry[:2]


def _tasks_in_one_go(works: Sequence[TaskWork], by_one_human: bool) -> int:
    """Return how many of these tasks, at least one, AIs do without a human in between, or a human without AIs."""
    by_ais = works[0].ai > 0
    if not by_ais and not by_one_human:
        return 1
    number = 1
    while number < len(works) and (works[number].ai > 0) == by_ais and not (by_ais and works[number - 1].human > 0):
        number += 1
    return number


class Worker(Protocol):
    """A human, as the line sees it."""

    @property
    def number(self) -> int:
        """Number of the human."""

    def work_on(self, draft: Draft) -> None:
        """Do the present task of a draft, and report its end to the line."""


class HumanPool(Protocol):
    """A cohort of humans, as the line sees it."""

    @property
    def size(self) -> int:
        """Number of humans."""

    def idle(self, group: int) -> int:
        """Return the number of idle humans of a group."""

    def humans_for(self, papers: int, group: int) -> int:
        """Return how many idle humans of a group take a batch now, or as many of its papers; 0 if they wait."""

    def work_on(self, draft: Draft, humans: int, group: int) -> None:
        """Let idle humans do the present task of a batch, and report its end to the line."""


class PaperLine:
    """Keep a number of drafts in progress, and give their tasks to humans and AIs.

    A draft needs one task of each kind, in their order. A human takes the draft that is nearest to its end, and goes on
    with its following tasks until AIs or the experiment come next. If humans may not move between tasks, human number n
    does tasks of kind ``n mod K`` only. AIs share the tasks that they can do. The experiment of a paper comes when the
    share `1 - researcher__writing_share` of its tasks is done.

    If the humans are a cohort, a draft is a batch of papers. They are the share ``leap_tolerance`` of the humans that
    may do the same tasks, and at most that share of a doubling.
    """

    def __init__(self, identity: AgentId, ports: PaperLinePorts) -> None:
        self.identity = identity
        self._stream_key = identity.stream_key
        self.time, self.randomness, self.compute, self.knowledge, self.team, self.settings, self.division = ports
        self.ais: SharedAis[Draft] = SharedAis(self.time, self._on_ai_done)
        """AIs that do tasks of drafts."""
        self.drafts = 0
        """Number of papers in progress, those with an experiment or handed in for publication included."""
        self.handed_in = 0
        """Number of papers that are handed in for publication and not counted yet."""
        self.size = 0
        """Number of papers that the lab keeps in progress."""
        self.waiting: dict[int, list[tuple[int, int, Draft]]] = {}
        """Drafts that wait for a human, by the group of humans that may do their task, each group as a heap."""
        self.drafts_waiting = 0
        """Number of papers that wait for a human."""
        self._is_closed = False
        self._arrivals = 0
        self._idle: dict[int, dict[Worker, None]] = {}
        self._cohort: HumanPool | None = None
        self._batch_limit = BatchLimit(self.knowledge, self.settings)
        self._single_experiments = 0
        self.batch_experiments = BatchExperiments(identity, ports, self._max_papers, self._continue)
        """Experiments of batches of several papers."""

    @property
    def experiments(self) -> int:
        """Number of papers that wait for experiments."""
        return self._single_experiments + self.batch_experiments.papers

    @property
    def experiments_on_cluster(self) -> int:
        """Number of experiments that wait for GPUs or run."""
        return self._single_experiments + self.batch_experiments.on_cluster

    @property
    def groups(self) -> int:
        """Number of groups of humans; those of a group may do the same tasks."""
        return 1 if self.division.reallocation else self.division.kinds

    def start(self, drafts: int, humans: int) -> None:
        """Keep this number of drafts in progress from day 0 on, of which one for each human is at work already.

        These are spread evenly over the tasks, so that the first papers come at the usual pace. If timing is poisson,
        the time left of a task of a single paper is memoryless. The time of a batch of p papers is a sum of p
        exponential times. A part of them is over on day 0, as in a renewal process that began long before.
        """
        batches = self._batches(min(drafts, humans))
        for place, papers in enumerate(batches):
            draft = Draft(self.knowledge.literature.latest, papers)
            tasks_done = (place + 0.5) / len(batches) * self.division.kinds
            draft.kind = int(tasks_done)
            draft.is_past_experiment = draft.kind >= self._tasks_before_experiment()
            if self.settings.researcher.timing == "poisson":
                draft.papers_done = int((tasks_done - draft.kind) * papers)
            self.drafts += papers
            self._begin_task(draft)
        self.set_size(drafts)

    def set_size(self, drafts: int) -> None:
        """Keep this number of drafts in progress from now on. Further ones are finished and not replaced."""
        self.size = drafts
        self._begin_drafts()

    def close(self) -> None:
        """Begin no draft from now on, and drop each draft after its present task or experiment."""
        self._is_closed = True
        self.set_size(0)

    def set_ais(self, ais: float, most_per_task: float) -> None:
        """Set the number of AIs, and how many work on one task. Without AIs, humans do their tasks."""
        self.ais.set_ais(ais, most_per_task)
        self._update_contributors()
        if ais == 0:
            self.restart_tasks(self.ais.remove_all())

    def redivide(self) -> None:
        """Divide the tasks that wait for a human again, after a change of what AIs can do.

        Drafts on which AIs have done their part keep it, and wait for the part of a human.
        """
        queues, self.waiting, self.drafts_waiting = self.waiting, {}, 0
        drafts = [draft for queue in queues.values() for _, _, draft in sorted(queue, key=_place)]
        for draft in drafts:
            if draft.is_under_review:
                self._wait_for_human(draft)
        self.restart_tasks(draft for draft in drafts if not draft.is_under_review)

    def restart_tasks(self, drafts: Iterable[Draft]) -> None:
        """Begin the present tasks of drafts again, as they are divided now. Work on them so far is lost."""
        for draft in drafts:
            self._begin_task(draft)

    def join(self, worker: Worker) -> None:
        """Give an idle human the waiting draft that is nearest to its end, or let the human wait for one."""
        group = self.group_of(worker.number)
        queue = self.waiting.get(group)
        if queue:
            self.drafts_waiting -= 1
            self._assign(worker, heapq.heappop(queue)[2])
        else:
            self._idle.setdefault(group, {})[worker] = None

    def set_cohort(self, cohort: HumanPool) -> None:
        """Let a cohort do the tasks of humans from now on. It takes over all humans."""
        self._cohort = cohort
        self._idle.clear()

    def assign(self, group: int) -> None:
        """Give the idle humans of a cohort the waiting drafts that are nearest to their ends."""
        queue, cohort = self.waiting.get(group), self._cohort
        assert cohort is not None, "individuals join the line"
        while queue:
            first = queue[0][2]
            if not cohort.humans_for(first.papers, group):
                return
            papers, idle = first.papers, cohort.idle(group)
            if papers < min(idle, self._papers_of_humans()):
                papers = max(papers, self._max_papers())
            draft = self._take(queue, min(papers, idle))
            humans = cohort.humans_for(draft.papers, group)
            self.team.humans_at_work += humans
            cohort.work_on(draft, humans, group)

    def _take(self, queue: list[tuple[int, int, Draft]], papers: int) -> Draft:
        """Remove at most this number of papers with equal tasks from the start of a queue, as one draft."""
        draft = self._take_of_first(queue, papers)
        while queue and draft.papers < papers and draft.has_tasks_of(queue[0][2]):
            draft.add(self._take_of_first(queue, papers - draft.papers))
        return draft

    def _take_of_first(self, queue: list[tuple[int, int, Draft]], papers: int) -> Draft:
        first = queue[0][2]
        self.drafts_waiting -= min(papers, first.papers)
        if papers < first.papers:
            return first.split(papers)
        heapq.heappop(queue)
        return first

    def on_human_done(self, draft: Draft, humans: int = 1) -> None:
        """Pass a draft to its next task, after humans have done the present one."""
        self.team.humans_at_work -= humans
        self._pass_on(draft)

    def max_batch(self) -> float:
        """Return the largest number of papers that may be counted together now; no part exceeds a step of software."""
        return self._batch_limit.for_step(0 if self._cohort is None else self._cohort.size)

    def on_published(self, papers: float) -> None:
        """Begin the next draft."""
        self.on_dropped(papers)

    def on_dropped(self, papers: float) -> None:
        """Begin the next draft, although these papers do not count."""
        self.drafts -= int(papers)
        self.handed_in -= int(papers)
        self._begin_drafts()

    def _begin_drafts(self) -> None:
        for papers in self._batches(self.size - self.drafts):
            self.drafts += papers
            self._continue(Draft(self.knowledge.literature.latest, papers))

    def _batches(self, papers: int) -> list[int]:
        """Divide papers that may begin into drafts; few papers wait until they are at least half a batch."""
        if papers <= 0:
            return []
        if self._cohort is None:
            return [1] * papers
        number = round(papers / self._max_papers()) or int(self.drafts == 0)
        return [papers // number + (place < papers % number) for place in range(number)]

    def _max_papers(self) -> int:
        """Return the number of papers of a batch that begins now."""
        if self._cohort is None:
            return 1
        return max(1, int(min(self._papers_of_humans(), self.max_batch())), self.size // _MAX_DRAFTS)

    def _papers_of_humans(self) -> int:
        """Return the share ``leap_tolerance`` of the humans that may do the same tasks, at least 1."""
        humans = 0 if self._cohort is None else self._cohort.size
        return max(1, int(self.settings.run.leap_tolerance * humans / self.groups))

    def _continue(self, draft: Draft) -> None:
        """Go on with a draft after a task: experiment, next task or publication."""
        if self._is_closed:
            self.drafts -= draft.papers
            return
        if not draft.is_past_experiment and draft.kind >= self._tasks_before_experiment():
            draft.is_past_experiment = True
            if self._submit_experiment(draft):
                return
        if draft.kind >= self.division.kinds:
            self.handed_in += draft.papers
            batch = PaperBatch(0, float(draft.papers), draft.known_at_start, max(1, self.team.humans_at_work))
            self.knowledge.publish(batch, self)
        else:
            self._begin_task(draft)

    def _begin_task(self, draft: Draft) -> None:
        """Give a task to AIs or a human, together with the following tasks that the same ones can do."""
        works = self.division.task_work()[draft.kind : self._end_of_part(draft)]
        by_ais = works[0].ai > 0
        draft.tasks = _tasks_in_one_go(works, self.division.reallocation)
        parts = works[: draft.tasks]
        draft.human_work = [work.human + work.review for work in parts]
        if by_ais:
            self.ais.add(draft, self._days_of_one_ai(draft, parts), draft.papers)
            self._update_contributors()
        else:
            self._wait_for_human(draft)

    def _end_of_part(self, draft: Draft) -> int:
        """Return the number of tasks up to the experiment, or up to the end after it."""
        return self.division.kinds if draft.is_past_experiment else self._tasks_before_experiment()

    def _days_of_one_ai(self, draft: Draft, works: Sequence[TaskWork]) -> float:
        """Return the mean time that one AI needs for these tasks of one of the papers of a draft [days]."""
        per_day = self.settings.humans.papers_per_day
        means = [work.ai / per_day for work in works]
        if self.settings.researcher.timing != "poisson":
            return sum(means)
        stream = self.randomness.get("ai task", self._stream_key)
        if draft.papers == 1:
            draws = stream.standard_exponential(len(means))
        else:
            draws = draw_times(draft, stream) / draft.papers
        return float(sum(mean * draw for mean, draw in zip(means, draws.tolist(), strict=True)))

    def _on_ai_done(self, draft: Draft) -> None:
        self._update_contributors()
        if sum(draft.human_work) > 0:
            draft.is_under_review = True
            self._wait_for_human(draft)
        else:
            self._pass_on(draft)

    def _pass_on(self, draft: Draft) -> None:
        draft.is_under_review = False
        draft.papers_done = 0
        draft.kind += draft.tasks
        self._continue(draft)

    def _wait_for_human(self, draft: Draft) -> None:
        group = self.group_of(draft.kind)
        idle = self._idle.get(group)
        if idle:
            worker = next(iter(idle))
            del idle[worker]
            self._assign(worker, draft)
        else:
            self._arrivals += 1
            self.drafts_waiting += draft.papers
            heapq.heappush(self.waiting.setdefault(group, []), (-draft.kind, self._arrivals, draft))
            if self._cohort is not None:
                self.assign(group)

    def _assign(self, worker: Worker, draft: Draft) -> None:
        self.team.humans_at_work += 1
        worker.work_on(draft)

    def group_of(self, number: int) -> int:
        """Return the group of humans with this number, or of tasks of this kind; there is one if humans may move."""
        return number % self.groups

    def _update_contributors(self) -> None:
        self.team.ais_at_work = self.ais.busy

    def _tasks_before_experiment(self) -> int:
        return round(self.division.kinds * (1 - self.settings.researcher.writing_share))

    def _submit_experiment(self, draft: Draft) -> bool:
        """Submit the experiment of a draft; return False if it needs none."""
        mean = self.knowledge.experiment_gpu_days()
        if mean == 0:
            return False
        if draft.papers > 1:
            self.batch_experiments.submit(draft, mean)
            return True
        params = self.settings.researcher
        stream = self.randomness.get("experiment cost", self._stream_key)
        gpu_days = work_model.experiment_gpu_days(params, mean, stream)
        gpus = work_model.gang_size(params, gpu_days, self.compute.largest_gang("experiment"))
        on_done = partial(self._on_experiment_done, draft)
        self._single_experiments += 1
        self.compute.submit_job("experiment", gpus, gpu_days / gpus, self.identity, on_done)
        return True

    def _on_experiment_done(self, draft: Draft, job: JobHandle) -> None:
        self._single_experiments -= 1
        self._continue(draft)
