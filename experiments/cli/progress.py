"""Show on stderr how far a long computation is: a bar on a live terminal, else a line from time to time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from experiments.cli.terminal import is_live, live_console

if TYPE_CHECKING:
    from sim.world import World

ProgressCallback = Callable[[str, float | None], None]
"""Called with a description of the current work and the share of it that is done, None if unknown.

One of several tasks is described as "NAME: text".
"""
SECONDS_BETWEEN_LINES: Final = 30.0
"""Time between two lines about a run [s], if stderr is not a terminal."""
_LINES_PER_TASK: Final = 5
"""Lines in a log about one task; one more marks its end."""


class WorldCallback(Protocol):
    """Shows a World after a frame."""

    def __call__(self, world: World) -> None:
        """Show the state of the World."""


@contextmanager
def progress() -> Iterator[ProgressCallback]:
    """Show what is being done: a bar on a live terminal, else a line for each fifth of the work."""
    if not is_live(sys.stderr):
        yield _print_lines()
        return
    columns = (SpinnerColumn(), BarColumn(bar_width=16), TextColumn("{task.description}", markup=False))
    # Redrawn only twice a second, because drawing takes time from the work that is measured.
    with Progress(*columns, console=live_console(), transient=True, refresh_per_second=2) as bar:
        task = bar.add_task("", total=None)

        def on_progress(text: str, share: float | None) -> None:
            bar.update(task, description=text, total=None if share is None else 1.0, completed=share or 0.0)

        yield on_progress


def _print_lines() -> ProgressCallback:
    shown: tuple[str, int] | None = None

    def on_progress(text: str, share: float | None) -> None:
        nonlocal shown
        name, colon, _ = text.partition(":")
        now = (text, 0) if share is None else (name if colon else "", int(share * _LINES_PER_TASK))
        if now != shown:
            shown = now
            print(text, file=sys.stderr, flush=True)

    return on_progress


@contextmanager
def count_progress(total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Show how many of ``total`` items are done, as a bar on a live terminal; else show nothing.

    The callback takes the number of items that are done.
    """
    if not is_live(sys.stderr):
        yield lambda done: None
        return
    columns = (BarColumn(bar_width=30), TextColumn(f"{{task.completed:,}} of {{task.total:,}} {unit}"))
    with Progress(*columns, console=live_console(), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda done: bar.update(task, completed=done)


@contextmanager
def run_progress(clock: Callable[[], float] = time.monotonic) -> Iterator[WorldCallback]:
    """Show the state of a run: a bar on a live terminal, else a line after every half minute.

    ``clock``: returns the time [s].
    """
    if not is_live(sys.stderr):
        yield _print_world_lines(clock)
        return
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        console=live_console(),
        transient=True,
    )
    with bar:
        task = bar.add_task("day 0", total=1.0)

        def on_frame(world: World) -> None:
            days, doublings = world.scenario.run.horizon_days, world.scenario.run.max_doublings
            done = max(world.now / days, world.lab.knowledge.doublings / doublings)
            bar.update(task, completed=done, description=_describe_world(world))

        yield on_frame


def _print_world_lines(clock: Callable[[], float]) -> WorldCallback:
    shown_at = clock()

    def on_frame(world: World) -> None:
        nonlocal shown_at
        if clock() - shown_at >= SECONDS_BETWEEN_LINES:
            shown_at = clock()
            horizon = world.scenario.run.horizon_days
            print(f"of {horizon:,.0f} days at most: {_describe_world(world)}", file=sys.stderr, flush=True)

    return on_frame


def _describe_world(world: World) -> str:
    from sim.reporters import REPORTERS, gpus_idle  # noqa: PLC0415 - only a run loads the simulator

    lab, total = world.lab, world.scenario.cluster.gpus
    queue = sum(REPORTERS[f"{use}_waiting"](lab) for use in ("experiments", "training"))
    return (
        f"day {world.now:,.0f} · {lab.knowledge.doublings} doublings · "
        f"{lab.workforce.active_researchers:,} researchers · "
        f"{total - gpus_idle(lab):,}/{total:,} GPUs busy · {queue:,} jobs queued"
    )
