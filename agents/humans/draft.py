"""Hold a paper in progress, or a batch of papers that humans and AIs work on together."""

from __future__ import annotations


class Draft:
    """A paper in progress, or a batch of papers in progress with equal tasks."""

    __slots__ = (
        "human_work",
        "is_past_experiment",
        "is_under_review",
        "kind",
        "known_at_start",
        "papers",
        "progress",
        "tasks",
    )

    def __init__(self, known_at_start: int, papers: int = 1) -> None:
        self.known_at_start = known_at_start
        """Number of the latest paper that was known when the draft was begun."""
        self.papers = papers
        """Number of papers; 1 unless humans are a cohort."""
        self.kind = 0
        """Kind of its present task, from 0."""
        self.progress = 0.0
        """Share of the present task that is done when it begins; above 0 only on day 0."""
        self.tasks = 1
        """Number of consecutive tasks that are done in one go."""
        self.human_work: list[float] = []
        """Work of a human on each of them for one paper, review included; 1 is a whole paper."""
        self.is_past_experiment = False
        """Whether its experiment was submitted, or is not needed."""
        self.is_under_review = False
        """Whether AIs have done their part of the present tasks, so that only the part of a human is left."""
