"""Hold a paper in progress, or a batch of papers that humans and AIs work on together."""

from __future__ import annotations

from typing import Any

from numpy.random import Generator


class Draft:
    """A paper in progress, or a batch of papers in progress with equal tasks."""

    __slots__ = (
        "human_work",
        "is_past_experiment",
        "is_under_review",
        "kind",
        "known_at_start",
        "papers",
        "papers_done",
        "tasks",
    )

    def __init__(self, known_at_start: int, papers: int = 1) -> None:
        self.known_at_start = known_at_start
        """Number of the latest paper that was known when the draft was begun."""
        self.papers = papers
        """Number of papers; 1 unless humans are a cohort."""
        self.kind = 0
        """Kind of its present task, from 0."""
        self.papers_done = 0
        """Number of its papers whose part of the present task is done when it begins; above 0 only on day 0."""
        self.tasks = 1
        """Number of consecutive tasks that are done in one go."""
        self.human_work: list[float] = []
        """Work of a human on each of them for one paper, review included; 1 is a whole paper."""
        self.is_past_experiment = False
        """Whether its experiment was submitted, or is not needed."""
        self.is_under_review = False
        """Whether AIs have done their part of the present tasks, so that only the part of a human is left."""

    def split(self, papers: int) -> Draft:
        """Return a draft of some of its papers; this one keeps the others."""
        part = Draft(self.known_at_start, papers)
        part.papers_done = self.papers_done * papers // self.papers
        self.papers_done -= part.papers_done
        self.papers -= papers
        part.kind = self.kind
        part.tasks = self.tasks
        part.human_work = self.human_work
        part.is_past_experiment = self.is_past_experiment
        part.is_under_review = self.is_under_review
        return part

    def has_tasks_of(self, other: Draft) -> bool:
        """Return whether the present and the following tasks equal those of another draft."""
        return (
            self.kind == other.kind
            and self.human_work == other.human_work
            and self.is_past_experiment == other.is_past_experiment
            and self.is_under_review == other.is_under_review
        )

    def add(self, other: Draft) -> None:
        """Take over the papers of a draft with equal tasks; all get the start of the larger part."""
        if other.papers > self.papers:
            self.known_at_start = other.known_at_start
        self.papers += other.papers
        self.papers_done += other.papers_done


def draw_times(draft: Draft, stream: Generator) -> Any:
    """Draw the total time of all papers of a batch for each present task, in mean times of one paper.

    It is a sum of exponential times: one for each paper whose part of the task is not done.
    """
    times = stream.standard_gamma(draft.papers, draft.tasks)
    if draft.papers_done:
        times[0] = stream.standard_gamma(draft.papers - draft.papers_done)
    return times
