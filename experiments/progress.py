"""Define the progress of a long computation, and the callback that every long computation reports it to."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Progress(NamedTuple):
    """The progress of a long computation."""

    done: float | None
    """Finished part, in the unit of ``total``; None if it is unknown."""
    total: float
    """Whole of the work, in any unit above 0."""
    what: str
    """Description of the current work."""
    task: str = ""
    """Name of the current task, if the work consists of several tasks one after another."""
    detail: str = ""
    """Results so far, which are shown last."""

    @property
    def share(self) -> float | None:
        """Finished share of the work [1]; None if it is unknown."""
        return None if self.done is None else self.done / self.total


class OnProgress(Protocol):
    """Callback for the progress of a long computation."""

    def __call__(self, progress: Progress, /) -> None:
        """Show or record the progress."""


def ignore_progress(progress: Progress) -> None:
    """Do nothing: the default of computations whose progress is optional."""


def count_progress(done: int, total: int, unit: str, detail: str = "") -> Progress:
    """Return the progress of work that consists of equal items, such as 12 of 40 runs."""
    return Progress(done, total, f"{done:,} of {total:,} {unit}", detail=detail)
