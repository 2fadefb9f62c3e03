"""Provide the common parts of the benchmarks: sides that take turns, ratios, limits, and the table.

The machine may be busy with other work, so seconds are not compared directly. Two sides take turns in one run, each
turn gives a ratio, and a limit is compared with the median of the ratios.
"""

import gc
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

WIDTH = 118
"""Width of a table [characters], also on a narrower terminal."""
Side = Callable[[], float]
"""One turn: it returns the cost of a unit of work [s]."""


class Limit(NamedTuple):
    """Limit of a ratio."""

    kind: str
    """"at least" or "at most"."""
    value: float

    def holds(self, ratio: float) -> bool:
        """Return whether a ratio keeps the limit."""
        return ratio >= self.value if self.kind == "at least" else ratio <= self.value

    def __str__(self) -> str:
        return f"{self.kind} {self.value:,g}x"


class Row(NamedTuple):
    """One comparison: two sides with their names and costs (with units), and the ratio that is judged."""

    what: str
    ours: str
    other: str
    ratio: float | None
    """None: it could not be measured, as ``note`` says."""
    limit: Limit | None = None
    """None: for information."""
    note: str = ""
    wrong: str = ""
    """How the two sides' results differ, where they should not."""

    @property
    def verdict(self) -> str:
        """Whether the limit holds."""
        if self.wrong:
            return "wrong"
        if self.ratio is None:
            return "left out"
        if self.limit is None:
            return ""
        return "holds" if self.limit.holds(self.ratio) else "missed"


class Pair(NamedTuple):
    """Medians over the turns of two sides."""

    ours: float
    other: float
    faster: float
    """How many times as long the other takes."""

    @property
    def slower(self) -> float:
        """How many times as long ours takes."""
        return 1 / self.faster


def at_least(value: float) -> Limit:
    """Return a limit that a ratio must reach."""
    return Limit("at least", value)


def at_most(value: float) -> Limit:
    """Return a limit that a ratio must not pass."""
    return Limit("at most", value)


def take_turns(ours: Side, other: Side, turns: int) -> Pair:
    """Let two sides take turns, and the one that begins change from turn to turn; no garbage is collected."""
    with no_collection():
        taken = []
        for turn in range(turns):
            if turn % 2:
                theirs = other()
                taken.append((ours(), theirs))
            else:
                taken.append((ours(), other()))
    mine, others = zip(*taken, strict=True)
    ratio = statistics.median(their / own for own, their in taken)
    return Pair(statistics.median(mine), statistics.median(others), ratio)


@contextmanager
def no_collection() -> Iterator[None]:
    """Keep the garbage collector still, as timeit does: what is collected in a turn need not be its own."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU time of this process in one call, all threads together."""
    start = time.process_time()
    work()
    return time.process_time() - start


def wall_seconds(work: Callable[[], object]) -> float:
    """Return the wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def show(title: str, rows: Iterable[Row], console: Console | None = None) -> int:
    """Print the rows as a table, when all are there, and return how many missed their limits."""
    if console is None:
        console = Console()
        console.width = max(console.width, WIDTH)
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for name in ("", "ours", "other", "ratio", "limit", ""):
        table.add_column(name, justify="left" if name in ("", "limit") else "right", overflow="fold")
    missed, notes = 0, list[str]()
    for row in rows:
        missed += row.verdict in ("missed", "wrong")
        ratio = "" if row.ratio is None else f"{row.ratio:,.3g}x" if row.ratio < 1000 else f"{row.ratio:,.0f}x"
        table.add_row(row.what, row.ours, row.other, ratio, str(row.limit or ""), row.verdict)
        notes += [note for note in (row.note, row.wrong) if note and note not in notes]
    console.print(table)
    for note in notes:
        console.print(note, soft_wrap=True, highlight=False)
    return missed
