"""What a command shows on stderr of long work: what it is at, and how much of it is done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from experiments.cli.terminal import is_live, live_console

Tell = Callable[[str, float | None], None]
"""Shows what is being done, and the share that is done where that is known; several works are told as "NAME: text"."""
_PARTS: Final = 5
"""Lines about one work in a log, one more for its end."""


@contextmanager
def progress() -> Iterator[Tell]:
    """Show on stderr what is being done: a bar where that is a terminal, else a line whenever a good part is done."""
    if not is_live(sys.stderr):
        yield _in_lines()
        return
    columns = (SpinnerColumn(), BarColumn(bar_width=16), TextColumn("{task.description}", markup=False))
    # Drawn rarely: what draws takes time from what is measured.
    with Progress(*columns, console=live_console(), transient=True, refresh_per_second=2) as bar:
        task = bar.add_task("", total=None)

        def tell(text: str, share: float | None) -> None:
            bar.update(task, description=text, total=None if share is None else 1.0, completed=share or 0.0)

        yield tell


def _in_lines() -> Tell:
    told: tuple[str, int] | None = None

    def tell(text: str, share: float | None) -> None:
        nonlocal told
        name, colon, _ = text.partition(":")
        now = (text, 0) if share is None else (name if colon else "", int(share * _PARTS))
        if now != told:
            told = now
            print(text, file=sys.stderr, flush=True)

    return tell
