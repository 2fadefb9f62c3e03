"""Count who does which kind of task of a paper: humans and AIs by task, and the papers that wait there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sim.time_horizon import NoHorizon

if TYPE_CHECKING:
    from experiments.window.shown_lab import ShownLab
    from sim.lab import Lab

MAX_ROWS = 20
"""Maximum number of rows; more kinds of tasks are shown in groups of equal size."""


class TaskRow(NamedTuple):
    """A kind of task, or consecutive kinds that are counted together."""

    first: int
    """Number of the first kind, from 1."""
    last: int
    """Number of the last kind."""
    first_threshold: float
    """Capability at which AIs can do the first kind [doublings since day 0]; ``inf`` for never."""
    last_threshold: float
    """Capability at which AIs can do the last kind [doublings since day 0]; ``inf`` for never."""
    automated: int
    """Number of these kinds that AIs can do."""
    since: float | None
    """Day on which the latest of these was automated; None if AIs can do none of them."""
    humans: float
    """Number of humans at work on them. A human who does several tasks in one go counts on each in proportion."""
    ais: float
    """Number of AIs at work on them. AIs that do several tasks in one go count on each in equal parts."""
    waiting: int
    """Number of papers that wait for a human there."""

    @property
    def kinds(self) -> int:
        """Number of kinds of tasks in the row."""
        return self.last - self.first + 1


class TaskView(NamedTuple):
    """Humans and AIs of a lab by task, and the papers of humans by place."""

    kinds: int
    """Number of kinds of tasks of a paper."""
    kinds_automated: int
    """Number of kinds that AIs can do."""
    capability: float
    """Capability of AIs [doublings since day 0]."""
    is_time_horizon: bool
    """Whether capability is the time horizon of AIs; otherwise it is the deployed software."""
    next_threshold: float
    """Capability at which AIs can do one more kind [doublings since day 0]; ``inf`` if there is none."""
    completed_on: float | None
    """Day of full automation (ASARA); None before it."""
    humans: int
    """Number of humans."""
    humans_at_work: int
    """Number of humans who do a task of a paper."""
    assistants: int
    """Number of AIs that assist humans."""
    assistants_at_work: float
    """Number of AIs that do a task of a paper of humans."""
    researchers: int
    """Number of active AI researchers, who do whole papers."""
    papers: int
    """Number of papers of humans in progress."""
    papers_waiting: int
    """Number of papers that wait for a human."""
    papers_with_humans: int
    """Number of papers on which humans work."""
    papers_with_ais: int
    """Number of papers on which AIs work."""
    papers_with_experiment: int
    """Number of papers whose experiment waits or runs."""
    papers_handed_in: int
    """Number of papers that are handed in for publication and not counted yet."""
    rows: tuple[TaskRow, ...]

    @property
    def share_automated(self) -> float:
        """Share of the tasks of a paper that AIs can do."""
        return self.kinds_automated / self.kinds


def task_view_of(shown: ShownLab) -> TaskView | None:
    """Return who does which task in a lab.

    Return None if AIs have done all research since day 0 and there are no humans.
    """
    lab = shown.lab
    automation, line = lab.automation, lab.line
    if automation.is_complete and not lab.humans.size and not any(automation.automation_days):
        return None
    thresholds = lab.settings.automation.thresholds()
    done = automation.kinds_automated
    return TaskView(
        kinds=automation.kinds,
        kinds_automated=done,
        capability=automation.capability,
        is_time_horizon=not isinstance(lab.settings.horizon, NoHorizon),
        next_threshold=float(thresholds[done]) if done < automation.kinds else float("inf"),
        completed_on=automation.automation_days[-1] if automation.is_complete else None,
        humans=lab.humans.size,
        humans_at_work=lab.workforce.team.humans_at_work,
        assistants=automation.ais,
        assistants_at_work=line.ais.busy,
        researchers=lab.workforce.active_researchers,
        papers=line.drafts,
        papers_waiting=line.drafts_waiting,
        papers_with_humans=sum(draft.papers for draft in lab.humans.drafts),
        papers_with_ais=line.ais.tasks,
        papers_with_experiment=line.experiments,
        papers_handed_in=line.handed_in,
        rows=_rows_of(lab, thresholds.tolist()),
    )


def format_tasks(first: int, last: int) -> str:
    """Format the numbers of consecutive tasks: task 3, tasks 3 and 4, tasks 3 to 8."""
    if first == last:
        return f"task {first:,}"
    return f"tasks {first:,} {'and' if last == first + 1 else 'to'} {last:,}"


def _rows_of(lab: Lab, thresholds: Sequence[float]) -> tuple[TaskRow, ...]:
    """Return the kinds of tasks in at most ``MAX_ROWS`` rows."""
    kinds, days = len(thresholds), lab.automation.automation_days
    size = -(-kinds // MAX_ROWS)
    humans, ais, waiting = _humans_by_kind(lab, kinds), _ais_by_kind(lab, kinds), _papers_waiting_by_kind(lab, kinds)
    rows = []
    for start in range(0, kinds, size):
        end = min(start + size, kinds)
        reached = days[start:end]
        rows.append(
            TaskRow(
                first=start + 1,
                last=end,
                first_threshold=thresholds[start],
                last_threshold=thresholds[end - 1],
                automated=len(reached),
                since=reached[-1] if reached else None,
                humans=float(humans[start:end].sum()),
                ais=float(ais[start:end].sum()),
                waiting=int(waiting[start:end].sum()),
            )
        )
    return tuple(rows)


def _humans_by_kind(lab: Lab, kinds: int) -> np.ndarray:
    """Return the number of humans at work on each kind, in proportion to their work if they do several.

    A cohort of humans is spread over its batches in proportion to their papers.
    """
    found, same = np.zeros(kinds), Counter[tuple[int, tuple[float, ...]]]()
    for draft in lab.humans.drafts:
        same[draft.kind, tuple(draft.human_work)] += draft.papers
    for (kind, work), papers in same.items():
        parts = np.array(work) if sum(work) > 0 else np.ones(len(work))
        found[kind : kind + len(work)] += lab.humans.at_work * papers / same.total() * parts / parts.sum()
    return found


def _ais_by_kind(lab: Lab, kinds: int) -> np.ndarray:
    """Return the number of AIs at work on each kind, in equal parts if they do several."""
    found, ais, same = np.zeros(kinds), lab.line.ais, Counter[tuple[int, int]]()
    for draft in ais.under_way:
        same[draft.kind, draft.tasks] += draft.papers
    for (kind, tasks), papers in same.items():
        found[kind : kind + tasks] += ais.busy * papers / ais.tasks / tasks
    return found


def _papers_waiting_by_kind(lab: Lab, kinds: int) -> np.ndarray:
    """Return the number of papers that wait for a human at each kind, the first of those done in one go."""
    found = np.zeros(kinds, dtype=int)
    for queue in lab.line.waiting.values():
        for _, _, draft in queue:
            found[draft.kind] += draft.papers
    return found
