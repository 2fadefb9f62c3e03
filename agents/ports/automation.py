"""Define how the tasks of a paper are divided between humans and AIs."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class TaskWork(NamedTuple):
    """Work on one task of a paper, as parts of a whole paper."""

    human: float
    """Work of a human; 1 is a whole paper by a human."""
    ai: float
    """Work of AIs; 1 is a whole paper at the productivity of a human."""
    review: float
    """Work of a human who checks what the AIs did."""


class TaskDivision(Protocol):
    """Division of the tasks of a paper between humans and AIs, which changes as AIs improve."""

    @property
    def kinds(self) -> int:
        """Number of kinds of tasks; a paper has one task of each, in this order."""

    @property
    def reallocation(self) -> bool:
        """Whether humans move between kinds of tasks."""

    def task_work(self) -> Sequence[TaskWork]:
        """Return the work on a task of each kind that begins now."""
