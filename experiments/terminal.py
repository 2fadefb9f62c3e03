"""Where output goes: whether a stream can show live progress, and the console that prints tables and sentences."""

from __future__ import annotations

import os
import sys
from typing import Final, Protocol

from rich.console import Console

_JUPYTER_KERNEL: Final = "JPY_PARENT_PID"
"""Set by Jupyter for its kernels. Commands typed in a cell inherit it, with a terminal that does not follow codes."""


class Stream(Protocol):
    """An output stream."""

    def isatty(self) -> bool:
        """Return whether it is a terminal."""


def is_live(stream: Stream) -> bool:
    """Return whether a stream is a terminal that follows control codes, which the output of a notebook cell is not."""
    return stream.isatty() and os.environ.get("TERM") != "dumb" and _JUPYTER_KERNEL not in os.environ


def console(width: int | None = None) -> Console:
    """Return a console for what stdout is now: without control codes, colours too, unless it is a live terminal."""
    forced = None if is_live(sys.stdout) else False
    return Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False, force_terminal=forced)
