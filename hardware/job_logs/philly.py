"""Jobs of Microsoft's Philly clusters (``cluster_job_log``, JSON, msr-fiddle/philly-traces)."""

from __future__ import annotations

import json
from typing import Any, Final, TextIO

from hardware.job_logs.log import NEVER_RAN, RESTARTED, Entry, LeftOut, LogBuilder, elapsed, is_missing, parse_timestamp
from hardware.job_logs.source import Source
from hardware.tables import TableError, quote_cell

INCOMPLETE: Final = "has an attempt without start, end or GPUs: the attempt is not counted"
SIZES: Final = "has attempts of different sizes: the largest is taken"


def read(source: Source, builder: LogBuilder) -> None:
    """Read one job per entry; its run time is the sum of its attempts, and its size that of the largest.

    Jobs without an attempt are left out. A job whose last attempt has no end is cut at the latest time of the log.
    All virtual clusters share one pool.
    """
    builder.unit = "entry"
    entries = _parsed(source.text())
    clusters: set[str] = set()
    for number, entry in enumerate(entries, 1):
        with builder.line(number):
            _add(entry, builder)
            clusters.add(str(entry.get("vc", "")))
    if len(clusters) > 1:
        builder.notes.append(f"the {len(clusters)} virtual clusters of the log share one pool of GPUs")


def is_like(head: str) -> bool:
    """Return whether the beginning of a file looks like this format."""
    return head.lstrip().startswith("[") and ('"attempts"' in head or '"jobid"' in head)


def _parsed(file: TextIO) -> list[Any]:
    try:
        content = json.load(file, object_pairs_hook=_unique, parse_constant=_not_a_number)
    except UnicodeDecodeError:
        raise TableError(0, "not a text file in UTF-8") from None
    except json.JSONDecodeError as error:
        raise TableError(error.lineno, f"not valid JSON ({error.msg})") from None
    except (ValueError, RecursionError) as error:
        raise TableError(0, f"not valid JSON ({error})") from None
    if not isinstance(content, list):
        raise TableError(0, "not a list of jobs; allowed: the JSON of cluster_job_log")
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _not_a_number(text: str) -> float:
    raise ValueError(f"{text} is not a number of JSON")


def _add(entry: Any, builder: LogBuilder) -> None:
    job = _text(entry, "jobid")
    submit = builder.note_time(parse_timestamp(_text(entry, "submitted_time"), "submitted_time"))
    attempts = _list(entry, "attempts")
    if not attempts:
        raise LeftOut(NEVER_RAN)
    run, sizes, runs_since, incomplete = 0, [], None, False
    for place, attempt in enumerate(attempts):
        start, end = _time(attempt, "start_time", builder), _time(attempt, "end_time", builder)
        gpus = sum(len(_list(node, "gpus")) for node in _list(attempt, "detail"))
        last = place == len(attempts) - 1
        if start is None or gpus == 0 or (end is None and not last):
            incomplete = True
            continue
        sizes.append(gpus)
        if end is None:
            runs_since = start
        else:
            run += int(elapsed(start, end, ("start_time", "end_time")))
    if not sizes:
        raise LeftOut("has no attempt with start, end and GPUs")
    builder.changed[INCOMPLETE] += incomplete
    builder.changed[RESTARTED] += len(sizes) > 1
    builder.changed[SIZES] += len(set(sizes)) > 1
    found = Entry(job, submit, run, max(sizes))
    if runs_since is None:
        builder.entries.append(found)
    else:
        builder.add_running(found, runs_since)


def _time(attempt: Any, key: str, builder: LogBuilder) -> int | None:
    if not isinstance(attempt, dict):
        raise ValueError(f"{quote_cell(str(attempt))} is not an attempt; allowed: an object")
    text = attempt.get(key)
    if text is None or (isinstance(text, str) and is_missing(text)):
        return None
    time = parse_timestamp(_text(attempt, key), key)
    builder.note_time(time)
    return time


def _text(entry: Any, key: str) -> str:
    found = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(found, str):
        raise ValueError(f"{key} = {quote_cell(str(found))} is not a text; allowed: a text in every entry")
    return found


def _list(entry: Any, key: str) -> list[Any]:
    found = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(found, list):
        raise ValueError(f"{key} = {quote_cell(str(found))} is not a list; allowed: a list in every entry")
    return found
