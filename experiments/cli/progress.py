"""Show on stderr how far a long computation is: a bar on a live terminal, else a line from time to time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal

from rich import progress as rich_progress

from experiments.cli.terminal import is_live, live_console
from experiments.progress import OnProgress, Progress, ignore_progress
from experiments.text.number_format import format_number

if TYPE_CHECKING:
    from sim.world import World

LogLines = Literal["milestones", "intervals", "none"]
"""Lines that are printed if stderr is not a terminal.

milestones: a line for each fifth of a task, and for each new description of work of unknown length. intervals: a line
after every `SECONDS_BETWEEN_LINES`. none: no line, for work that takes seconds.
"""
SECONDS_BETWEEN_LINES: Final = 30.0
"""Time between two lines about long work [s]."""
_LINES_PER_TASK: Final = 5
"""Lines in a log about one task; one more marks its end."""
_Show = Callable[[Progress, str], None]
"""Show a progress with its text."""


@contextmanager
def show_progress(
    log: LogLines = "milestones", *, with_rate: bool = False, clock: Callable[[], float] = time.monotonic
) -> Iterator[OnProgress]:
    """Show the progress of a computation while the context is open.

    Args:
        log: Lines that are printed if stderr is not a terminal.
        with_rate: Whether to show the finished items a second and the time that is left.
        clock: Returns the time [s].

    Yields:
        The callback to report progress to.
    """
    if is_live(sys.stderr):
        with _show_bar() as show:
            yield _with_rate(show, clock) if with_rate else _with_text(show)
    elif log == "none":
        yield ignore_progress
    else:
        due = _MilestoneCheck().is_due if log == "milestones" else _IntervalCheck(clock).is_due
        yield _with_rate(_print_if(due), clock) if with_rate else _with_text(_print_if(due))


def run_progress(world: World) -> Progress:
    """Return the progress of a run at the end of a frame: the share of its time or doublings, and the lab's state.

    GPUs and waiting jobs are those that the frame recorded, so that nothing is counted again.
    """
    lab, limits = world.lab, world.scenario.run
    gpus = lab.compute.datacenter.capacity
    recorded = world.datacollector.model_vars
    idle = recorded["gpus_idle"][-1]
    queue = recorded["experiments_waiting"][-1] + recorded["training_waiting"][-1]
    text = (
        f"day {world.now:,.0f} · {lab.knowledge.doublings} doublings · "
        f"{lab.workforce.active_researchers:,} researchers · "
        f"{f'{lab.humans.size:,} humans · ' if lab.humans.size else ''}"
        f"{gpus - idle:,}/{gpus:,} GPUs busy · {queue:,} jobs queued"
    )
    done = max(world.now / limits.horizon_days, lab.knowledge.doublings / limits.max_doublings)
    return Progress(done, 1.0, text, detail=f"at most {limits.horizon_days:,.0f} days")


@contextmanager
def _show_bar() -> Iterator[_Show]:
    columns = (
        rich_progress.SpinnerColumn(),
        rich_progress.BarColumn(bar_width=16),
        rich_progress.TextColumn("{task.description}", markup=False),
    )
    # Redrawn only twice a second, because drawing takes time from the work that is measured.
    with rich_progress.Progress(*columns, console=live_console(), transient=True, refresh_per_second=2) as bar:
        task = bar.add_task("", total=None)

        def show(progress: Progress, text: str) -> None:
            share = progress.share
            bar.update(task, description=text, total=None if share is None else 1.0, completed=share or 0.0)

        yield show


def _with_text(show: _Show) -> OnProgress:
    return lambda progress: show(progress, _format(progress, ""))


def _with_rate(show: _Show, clock: Callable[[], float]) -> OnProgress:
    """Return a callback that adds the finished items a second, counted from the first call, and the time left."""
    started, first = clock(), -1.0

    def on_progress(progress: Progress) -> None:
        nonlocal first
        done = progress.done or 0.0
        first = done if first < 0 else first
        per_second = rate(done - first, clock() - started)
        left = time_left(progress.total - done, per_second)
        when = "" if left == float("inf") else f" · {_format_duration(left)} left"
        show(progress, _format(progress, f"{format_number(per_second)} a second{when}"))

    return on_progress


def _print_if(is_due: Callable[[Progress], bool]) -> _Show:
    def show(progress: Progress, text: str) -> None:
        if is_due(progress):
            print(text, file=sys.stderr, flush=True)

    return show


class _MilestoneCheck:
    """Checks whether the last printed line is older than a fifth of a task."""

    def __init__(self) -> None:
        self._shown: tuple[str, int] | None = None

    def is_due(self, progress: Progress) -> bool:
        """Return whether a line is due, and count it as printed."""
        share = progress.share
        now = (_format(progress, ""), 0) if share is None else (progress.task, int(share * _LINES_PER_TASK))
        if now == self._shown:
            return False
        self._shown = now
        return True


class _IntervalCheck:
    """Checks whether the last printed line is older than `SECONDS_BETWEEN_LINES`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._shown_at = clock, clock()

    def is_due(self, progress: Progress) -> bool:
        """Return whether a line is due, and count it as printed."""
        if self._clock() - self._shown_at < SECONDS_BETWEEN_LINES:
            return False
        self._shown_at = self._clock()
        return True


def _format(progress: Progress, speed: str) -> str:
    text = f"{progress.task}: {progress.what}" if progress.task else progress.what
    return " · ".join(part for part in (text, speed, progress.detail) if part)


def rate(done: float, seconds: float) -> float:
    """Return the number of items a second [1/s]; 0 if no time has passed."""
    return done / seconds if seconds > 0 else 0.0


def time_left(left: float, per_second: float) -> float:
    """Return the time until all items are done [s]; infinite if no item is done yet."""
    return left / per_second if per_second > 0 else float("inf")


def _format_duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
