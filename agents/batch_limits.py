"""Limit how many papers are published together, so that steps of software and duplicates are not distorted."""

from __future__ import annotations

import math

from agents.ports.knowledge import Knowledge
from agents.ports.settings import Settings

_MAX_PARTS_OF_BATCH = 64
"""Maximum number of parts into which the papers of a team are divided when there are few open questions."""


def max_batch_for_step(knowledge: Knowledge, settings: Settings, team: float) -> float:
    """Return the papers to the next step of software, or to the share ``leap_tolerance`` of a doubling; at least 1.

    ``team``: size of the team, see :func:`max_batch_for_duplicates`.
    """
    papers = min(
        knowledge.papers_to_next_step(max(settings.run.leap_tolerance, 1e-9)),
        max_batch_for_duplicates(settings, team),
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
