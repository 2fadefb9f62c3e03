"""Write the waits of the jobs of a log as CSV."""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

WAITS: Final = ("job", "submit_s", "start_s", "wait_s", "run_s", "gpus")
"""Columns of the file: times in seconds."""


def write_waits(path: Path, rows: Iterable[Sequence[Any]], more: Sequence[str] = ()) -> None:
    """Write the wait of each job of a log as CSV, with the columns of `WAITS` and ``more``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*WAITS, *more])
            writer.writerows(rows)
        Path(name).chmod(0o666 & ~_umask())  # files of mkstemp are readable by their owner only
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
