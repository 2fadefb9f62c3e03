"""Limit how many papers are published together, so that steps of software and duplicates are not distorted."""

from __future__ import annotations

import math

from agents.ports.knowledge import Knowledge
from agents.ports.settings import Settings

_MAX_PARTS_OF_BATCH = 64
"""Maximum number of parts into which the papers of a team are divided when there are few open questions."""


class BatchLimit:
    """Limit batches to a step of software; the result is kept until papers are published or the team changes."""

    def __init__(self, knowledge: Knowledge, settings: Settings) -> None:
        self._knowledge = knowledge
        self._settings = settings
        self._known: tuple[tuple[int, int], float] = ((-1, 0), 1.0)
        """Result, with the latest paper and the size of the team for which it was computed."""

    def for_step(self, team: int) -> float:
        """Return the papers to the next step of software, or to the share ``leap_tolerance`` of a doubling; at least 1.

        ``team``: size of the team, see :func:`max_batch_for_duplicates`.
        """
        state = (self._knowledge.literature.latest, team)
        if self._known[0] != state:
            self._known = (state, self._papers_to_step(team))
        return self._known[1]

    def _papers_to_step(self, team: int) -> float:
        papers = min(
            self._knowledge.papers_to_next_step(max(self._settings.run.leap_tolerance, 1e-9)),
            max_batch_for_duplicates(self._settings, team),
        )
        return max(1.0, math.ceil(papers - 1e-6) if papers < math.inf else papers)


def max_batch_for_duplicates(settings: Settings, team: float) -> float:
    """Return how many papers may share one start label before the number of duplicates is distorted.

    Papers with one start label duplicate each other more often than single papers if questions are few. That
    matters if a duplicate counts less than a new paper. The papers of a large team are divided into at most 64 parts.
    """
    params = settings.literature
    if params.duplicate_weight == 1:
        return math.inf
    return settings.run.leap_tolerance * max(params.open_questions, team / _MAX_PARTS_OF_BATCH)
