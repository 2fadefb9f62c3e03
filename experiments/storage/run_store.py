"""Write and read the results of a run: a folder with Parquet tables, a summary and a figure.

A run is written into a temporary folder, and its files are then moved one by one, `run.json` last. So if `run.json`
exists, the other files belong to it. The same run always gives the same bytes.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from types import UnionType
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq

from experiments.cli.arguments import RUN_SUMMARY
from experiments.errors import InputError
from experiments.gains import RunEnding
from experiments.governance.summary import governance_content
from experiments.storage.atomic import to_json, to_json_values
from experiments.workbook import workbook
from hardware.cluster.jobs import JobRecord
from sim.engines import Engine
from sim.events import EVENT_FORMAT, Event
from sim.reporters import REPORTERS
from sim.run_statistics import Doubling
from sim.runner import RunResult

SUMMARY = RUN_SUMMARY
PROOF = "sha256"
"""Key of the summary that contains the digests of the tables and of the summary itself."""
TABLES = ("events", "jobs", "series", "doublings")
"""Tables of a run; doublings are a separate table in CSV only, else a part of the summary."""
WORKBOOK = "run.xlsx"
PICTURES = ("run.png", "run.svg", "run.pdf")
_ROUNDING = 1e-9
_ARROW: dict[Any, pa.DataType] = {int: pa.int64(), float: pa.float64(), bool: pa.bool_(), str: pa.string()}


class StoredRun(NamedTuple):
    """A run that was read from its folder."""

    summary: dict[str, Any]
    events: pa.Table
    jobs: pa.Table
    series: pa.Table


def summary(result: RunResult) -> dict[str, Any]:
    """Return the results of a run as plain values for JSON: None if a number is not finite."""
    pace, long_run = result.pace, result.long_run
    interval = None if pace.low is None else [pace.low, pace.high]
    found: dict[str, Any] = to_json_values(
        {
            "scenario": result.scenario.name,
            "engine": result.engine,
            "digest": result.digest,
            "event_format": EVENT_FORMAT,
            "seed": None if result.engine == "fluid" else result.seed,
            "ending": result.ending,
            "pace": pace.name,
            "pace_sentence": pace.sentence,
            "ratio": pace.ratio,
            "ratio_interval": interval,
            "ratio_doublings": None if pace.first is None else [pace.first, pace.last],
            "r_implied": pace.r_implied,
            "long_run": long_run.kind,
            "long_run_sentence": long_run.sentence,
            "long_run_ratio": long_run.ratio,
            "long_run_returns": long_run.returns,
            "bound_by": long_run.bound_by,
            "fastest_doubling": long_run.fastest_doubling,
            "doublings": [
                doubling._asdict() | {"papers": _int_if_whole(doubling.papers)} for doubling in result.doublings
            ],
            "software_doublings": result.software_doublings,
            "deployed_doublings": result.deployed_doublings,
            "researchers": result.researchers,
            "papers": _int_if_whole(result.papers),
            "duplicate_share": result.duplicate_share,
            "toes_exponent": result.toes_exponent,
            "cluster": {use: kind._asdict() for use, kind in result.cluster.items()},
            "kernels": result.kernels._asdict(),
            "limited_by": result.limited_by,
            "margins": result.margins._asdict(),
            "time_shares": result.time_shares,
            "day": result.day,
            "sentence": result.sentence,
        }
    )
    if result.road is not None:
        automation = {"share_automated": result.road.share_automated, "sentences": result.road_sentences}
        found["road"] = to_json_values(result.road._asdict() | automation)
    if result.governance is not None:
        found["governance"] = to_json_values(governance_content(result))
    return found


def ended(result: RunResult) -> RunEnding:
    """Return how a run ended, for the explanation of gains that it did not reach."""
    run = result.scenario.run
    return RunEnding(
        result.ending,
        result.day,
        len(result.doublings),
        run.max_doublings,
        float(result.researchers),
        run.stop_at_researchers,
    )


def write_run(
    folder: Path,
    result: RunResult,
    picture: bytes,
    form: Literal["png", "svg", "pdf"] = "png",
    as_csv: bool = False,
    as_xlsx: bool = False,
) -> list[str]:
    """Write a run into a folder, completely or not at all, and return the names of its files.

    Files of an earlier run are removed; other files stay. ``as_csv``: also write the tables as CSV. ``as_xlsx``: also
    write a workbook of the tables.
    """
    content = summary(result) | {"parameters": result.scenario.flat()}
    tables = {
        "events": events_table(result.events),
        "jobs": jobs_table(result.jobs),
        "series": series_table(result.series, result.engine),
    }
    with _temporary_directory(folder) as stage:
        for name, table in tables.items():
            pq.write_table(table, stage / f"{name}.parquet")
        content[PROOF] = {f"{name}.parquet": _digest((stage / f"{name}.parquet").read_bytes()) for name in tables}
        content[PROOF][SUMMARY] = _digest(to_json(content).encode())
        sheets = {"doublings": doublings_table(result.doublings), **tables} if as_csv or as_xlsx else {}
        for name, table in sheets.items() if as_csv else ():
            (stage / f"{name}.csv").write_text(_to_csv(table), encoding="utf-8", newline="")
        if as_xlsx:
            (stage / WORKBOOK).write_bytes(workbook(content, sheets))
        (stage / f"run.{form}").write_bytes(picture)
        (stage / SUMMARY).write_text(to_json(content) + "\n", encoding="utf-8")
        (folder / SUMMARY).unlink(missing_ok=True)
        for old in (WORKBOOK, *PICTURES, *(f"{name}.csv" for name in TABLES)):
            if not (stage / old).exists():
                (folder / old).unlink(missing_ok=True)
        written = sorted((path.name for path in stage.iterdir()), key=lambda name: (name == SUMMARY, name))
        for name in written:
            (stage / name).replace(folder / name)
    return sorted(written)


def read_run(folder: Path) -> StoredRun:
    """Return the run in a folder.

    Raises FileNotFoundError if a file of it is missing. Raises InputError if the content of a file differs from what
    was written, or if another release wrote it.
    """
    path = folder / SUMMARY
    content = path.read_bytes()
    try:
        found = json.loads(content)
        proof = found[PROOF]
        stated = proof.pop(SUMMARY)
        whole = stated == _digest(to_json(found).encode())
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        whole = False
    if not whole:
        raise _damaged(path)
    if found.get("event_format") != EVENT_FORMAT:
        raise InputError(
            f"{path}: event_format = {found.get('event_format', 1)} is not readable, because another release wrote it; "
            f"allowed: {EVENT_FORMAT}. Run the scenario again with --fresh or another --out."
        )
    tables = [_read_table(folder / f"{name}.parquet", proof) for name in ("events", "jobs", "series")]
    del found[PROOF]
    return StoredRun(found, *tables)


def _read_table(path: Path, proof: Mapping[str, str]) -> pa.Table:
    content = path.read_bytes()
    if _digest(content) != proof.get(path.name):
        raise _damaged(path)
    # Arrow's threads can abort the process at its end (Arrow issue 34314): no threads.
    with pq.ParquetFile(pa.BufferReader(content)) as file:
        return file.read(use_threads=False)


def _damaged(path: Path) -> InputError:
    return InputError(
        f"{path} is damaged: its content is not what was written. Run the same `asara run` again with --fresh."
    )


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def events_table(events: Sequence[Event]) -> pa.Table:
    """Return events as a table: one row an event, null if its type has no such field."""
    kinds = get_args(Event)
    fields: dict[str, pa.DataType] = {}
    for kind in kinds:
        fields |= {name: _arrow_type(hint) for name, hint in get_type_hints(kind).items()}
    columns: dict[str, list[Any]] = {"event": [type(event).__name__ for event in events]}
    for name in fields:
        place = {kind: kind._fields.index(name) if name in kind._fields else None for kind in kinds}
        columns[name] = [None if (at := place[type(event)]) is None else event[at] for event in events]
    return pa.table(columns, schema=pa.schema({"event": pa.string()} | fields))


def jobs_table(jobs: Sequence[JobRecord]) -> pa.Table:
    """Return the job records of a cluster as a table; without jobs it still has all columns."""
    hints = get_type_hints(JobRecord)
    fields = {name: _arrow_type(hints[name]) for name in JobRecord._fields}
    columns = {name: [job[at] for job in jobs] for at, name in enumerate(JobRecord._fields)}
    return pa.table(columns, schema=pa.schema(fields))


def series_table(series: Mapping[str, Sequence[float]], engine: Engine = "world") -> pa.Table:
    """Return the series of frames as a table; series of the fluid engine have no integer columns."""
    kinds = {name: _ARROW[float] if engine == "fluid" else _observed_type(name) for name in series}
    return pa.table(dict(series), schema=pa.schema(kinds))


def doublings_table(doublings: Sequence[Doubling]) -> pa.Table:
    """Return the doublings of software as a table: number, day, duration, papers, researchers."""
    columns = {name: [float(getattr(each, name)) for each in doublings] for name in Doubling._fields}
    return pa.table({name: pa.array(values, pa.float64()) for name, values in columns.items()})


def _to_csv(table: pa.Table) -> str:
    """Return a table as CSV: numbers in full, and an empty cell for null."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    writer.writerows(
        ["" if value is None else value for value in row] for row in zip(*table.to_pydict().values(), strict=True)
    )
    return text.getvalue()


def _observed_type(name: str) -> pa.DataType:
    reporter = REPORTERS[name]
    function = reporter.func if isinstance(reporter, partial) else reporter
    # get_type_hints would fail, because the World in the annotations is imported for type checkers only.
    return _ARROW[int] if function.__annotations__["return"] in ("int", int) else _ARROW[float]


def _arrow_type(hint: Any) -> pa.DataType:
    if get_origin(hint) is Literal:
        return _ARROW[str]
    if isinstance(hint, UnionType):  # "or None": every column may be null
        return _arrow_type(next(part for part in get_args(hint) if part is not type(None)))
    return _ARROW[hint]


@contextmanager
def _temporary_directory(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder inside ``folder``, and remove it at the end, with ``folder`` if it is new and empty."""
    existed = folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(dir=folder, prefix=".partial-"))
    try:
        yield stage
    finally:
        shutil.rmtree(stage)
        if not existed and not any(folder.iterdir()):
            folder.rmdir()


def _int_if_whole(number: float) -> float:
    """Return the number as an int if it is whole, up to rounding."""
    return round(number) if abs(number - round(number)) <= _ROUNDING * max(1.0, abs(number)) else number
