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
from agents.humans.shared_ais import SharedAis
from agents.identity import AgentId
from agents.ports.automation import TaskWork
from agents.ports.bundles import PaperLinePorts
from agents.ports.compute import JobHandle
from agents.ports.knowledge import PaperBatch


class Draft:
    """A paper in progress."""

    __slots__ = ("human_work", "is_past_experiment", "is_under_review", "kind", "known_at_start", "tasks")

    def __init__(self, known_at_start: int) -> None:
        self.known_at_start = known_at_start
        """Number of the latest paper that was known when the draft was begun."""
        self.kind = 0
        """Kind of its present task, from 0."""
        self.tasks = 1
        """Number of consecutive tasks that are done in one go."""
        self.human_work: list[float] = []
        """Work of a human on each of them, review included; 1 is a whole paper."""
        self.is_past_experiment = False
        """Whether its experiment was submitted, or is not needed."""
        self.is_under_review = False
        """Whether AIs have done their part of the present tasks, so that only the part of a human is left."""


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


class PaperLine:
    """Keep a number of drafts in progress, and give their tasks to humans and AIs.

    A draft needs one task of each kind, in their order. A human takes the draft that is nearest to its end, and goes on
    with its following tasks until AIs or the experiment come next. If humans may not move between tasks, human number n
    does tasks of kind ``n mod K`` only. AIs share the tasks that they can do. The experiment of a paper comes when the
    share `1 - researcher__writing_share` of its tasks is done.
    """

    def __init__(self, identity: AgentId, ports: PaperLinePorts) -> None:
        self.identity = identity
        self.time, self.randomness, self.compute, self.knowledge, self.team, self.settings, self.division = ports
        self.ais: SharedAis[Draft] = SharedAis(self.time, self._on_ai_done)
        """AIs that do tasks of drafts."""
        self.drafts = 0
        """Number of drafts in progress, those with an experiment or handed in for publication included."""
        self.experiments = 0
        """Number of drafts whose experiment waits or runs."""
        self.handed_in = 0
        """Number of drafts that are handed in for publication and not counted yet."""
        self.size = 0
        """Number of drafts that the lab keeps in progress."""
        self.waiting: dict[int, list[tuple[int, int, Draft]]] = {}
        """Drafts that wait for a human, by the group of humans that may do their task, each group as a heap."""
        self._is_closed = False
        self._arrivals = 0
        self._idle: dict[int, dict[Worker, None]] = {}

    @property
    def drafts_waiting(self) -> int:
        """Number of drafts that wait for a human."""
        return sum(len(queue) for queue in self.waiting.values())

    def start(self, drafts: int, humans: int) -> None:
        """Keep this number of drafts in progress from day 0 on, of which one for each human is at work already.

        These are spread evenly over the tasks, so that the first papers come at the usual pace.
        """
        for place in range(min(drafts, humans)):
            draft = Draft(self.knowledge.literature.latest)
            draft.kind = int((place + 0.5) / humans * self.division.kinds)
            draft.is_past_experiment = draft.kind >= self._tasks_before_experiment()
            self.drafts += 1
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
        queues, self.waiting = self.waiting, {}
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
        group = self._group(worker.number)
        queue = self.waiting.get(group)
        if queue:
            self._assign(worker, heapq.heappop(queue)[2])
        else:
            self._idle.setdefault(group, {})[worker] = None

    def on_human_done(self, draft: Draft) -> None:
        """Pass a draft to its next task."""
        self.team.humans_at_work -= 1
        self._pass_on(draft)

    def max_batch(self) -> float:
        """Return 1: papers are published one at a time."""
        return 1.0

    def on_published(self, papers: float) -> None:
        """Begin the next draft."""
        self.on_dropped(papers)

    def on_dropped(self, papers: float) -> None:
        """Begin the next draft, although this paper does not count."""
        self.drafts -= 1
        self.handed_in -= 1
        self._begin_drafts()

    def _begin_drafts(self) -> None:
        while self.drafts < self.size:
            self.drafts += 1
            self._continue(Draft(self.knowledge.literature.latest))

    def _continue(self, draft: Draft) -> None:
        """Go on with a draft after a task: experiment, next task or publication."""
        if self._is_closed:
            self.drafts -= 1
            return
        if not draft.is_past_experiment and draft.kind >= self._tasks_before_experiment():
            draft.is_past_experiment = True
            if self._submit_experiment(draft):
                return
        if draft.kind >= self.division.kinds:
            self.handed_in += 1
            batch = PaperBatch(0, 1.0, draft.known_at_start, max(1, self.team.humans_at_work))
            self.knowledge.publish(batch, self)
        else:
            self._begin_task(draft)

    def _begin_task(self, draft: Draft) -> None:
        """Give a task to AIs or a human, together with the following tasks that the same ones can do."""
        works = self.division.task_work()[draft.kind : self._end_of_part(draft)]
        by_ais = works[0].ai > 0
        draft.tasks = _tasks_in_one_go(works, self.division.reallocation)
        draft.human_work = [work.human + work.review for work in works[: draft.tasks]]
        if by_ais:
            self.ais.add(draft, sum(self._duration(work.ai) for work in works[: draft.tasks]))
            self._update_contributors()
        else:
            self._wait_for_human(draft)

    def _end_of_part(self, draft: Draft) -> int:
        """Return the number of tasks up to the experiment, or up to the end after it."""
        return self.division.kinds if draft.is_past_experiment else self._tasks_before_experiment()

    def _duration(self, work: float) -> float:
        """Return the time that one AI needs for work that is a part of a paper [days]."""
        mean = work / self.settings.humans.papers_per_day
        if self.settings.researcher.timing != "poisson":
            return mean
        return mean * self.randomness.get("ai task", self.identity.stream_key).standard_exponential()

    def _on_ai_done(self, draft: Draft) -> None:
        self._update_contributors()
        if sum(draft.human_work) > 0:
            draft.is_under_review = True
            self._wait_for_human(draft)
        else:
            self._pass_on(draft)

    def _pass_on(self, draft: Draft) -> None:
        draft.is_under_review = False
        draft.kind += draft.tasks
        self._continue(draft)

    def _wait_for_human(self, draft: Draft) -> None:
        group = self._group(draft.kind)
        idle = self._idle.get(group)
        if idle:
            worker = next(iter(idle))
            del idle[worker]
            self._assign(worker, draft)
        else:
            self._arrivals += 1
            heapq.heappush(self.waiting.setdefault(group, []), (-draft.kind, self._arrivals, draft))

    def _assign(self, worker: Worker, draft: Draft) -> None:
        self.team.humans_at_work += 1
        worker.work_on(draft)

    def _group(self, number: int) -> int:
        """Return the group of humans with this number, or of tasks of this kind; there is one if humans may move."""
        return 0 if self.division.reallocation else number % self.division.kinds

    def _update_contributors(self) -> None:
        self.team.ais_at_work = self.ais.busy

    def _tasks_before_experiment(self) -> int:
        return round(self.division.kinds * (1 - self.settings.researcher.writing_share))

    def _submit_experiment(self, draft: Draft) -> bool:
        """Submit the experiment of a draft; return False if it needs none."""
        mean = self.knowledge.experiment_gpu_days()
        if mean == 0:
            return False
        params = self.settings.researcher
        stream = self.randomness.get("experiment cost", self.identity.stream_key)
        gpu_days = work_model.experiment_gpu_days(params, mean, stream)
        gpus = work_model.gang_size(params, gpu_days, self.compute.largest_gang("experiment"))
        on_done = partial(self._on_experiment_done, draft)
        self.experiments += 1
        self.compute.submit_job("experiment", gpus, gpu_days / gpus, self.identity, on_done)
        return True

    def _on_experiment_done(self, draft: Draft, job: JobHandle) -> None:
        self.experiments -= 1
        self._continue(draft)
