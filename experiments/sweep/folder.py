"""The folder of a sweep: its manifest, and part files that are there as a whole or not at all.

    manifest.json        the design, and the versions of it and of the model
    runs/*.parquet       a row a run; the last of the three to be written, so that what it names is there
    series/*.parquet     what was seen of each run, thinned
    timings/*.parquet    wall seconds of each run

A part is written beside its place, brought to the disk and then named. A process that writes holds a lock, so that two
never write into one folder.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from experiments.errors import InputError
from experiments.sweep.rows import Finished, run_schema, series_schema, timing_schema

MANIFEST: Final = "manifest.json"
FORMAT: Final = 2
"""Of the tables. Format 1 had one column `verdict`; since 2 there are `long_run` and `pace`."""
TABLES: Final = ("series", "timings", "runs")
"""In the order in which a part is written."""
BROKEN: Final = ".broken"
"""Appended to the name of a part that cannot be read; it is kept for whoever wants to know why."""
_UNFINISHED: Final = ".partial"
_PART: Final = re.compile(r"part-(\d{6,})\.parquet")
_LOCK: Final = ".lock"
_STATED: Final = frozenset({
    "name", "version", "model_digest", "design_digest", "runs", "points", "sampling", "seed", "engine", "levers",
    "uncertainties", "base", "design", "versions",
})  # fmt: skip
"""What a manifest says, by its keys."""


def read_manifest(folder: Path, any_format: bool = False) -> dict[str, Any]:
    """Return the manifest of a sweep. Raises InputError if there is none, or none that can be read.

    ``any_format``: accept the manifest of another version, whose tables cannot be read.
    """
    path = folder / MANIFEST
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{folder}: is not the folder of a sweep ({MANIFEST} is missing)") from None
    except (ValueError, UnicodeDecodeError):
        raise InputError(f"{path}: is no valid JSON, so what the sweep was cannot be told") from None
    if isinstance(found, dict) and any_format and isinstance(found.get("format"), int):
        return found
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        was = found.get("format") if isinstance(found, dict) else None
        raise InputError(
            f"{path}: format = {was!r} is not readable; allowed: {FORMAT}. Run the same `asara sweep` with --fresh or "
            "another --out to make it again."
        )
    if lacking := sorted(_STATED - found.keys()):
        raise InputError(f"{path}: does not say {lacking[0]}; a sweep writes it, and nobody else should")
    return found


def write_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the manifest, all of it or nothing."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    _named_when_whole(folder / MANIFEST, lambda path: path.write_text(text, encoding="utf-8"))


def write_part(folder: Path, finished: Sequence[Finished]) -> None:
    """Write runs that are over as a part of their own. Raises OSError, and leaves nothing of it, where it cannot."""
    ordered = sorted(finished, key=lambda each: each.row["run"])
    series = [row for each in ordered for row in _moments(each)]
    timings = [{"run": each.row["run"], "seconds": each.seconds} for each in ordered]
    tables = {
        "series": pa.Table.from_pylist(series, series_schema()),
        "timings": pa.Table.from_pylist(timings, timing_schema()),
        "runs": pa.Table.from_pylist([each.row for each in ordered], run_schema()),
    }
    name = f"part-{_next_number(folder):06d}.parquet"
    for kind in TABLES:
        (folder / kind).mkdir(parents=True, exist_ok=True)
        table = tables[kind]
        _named_when_whole(folder / kind / name, lambda path, table=table: pq.write_table(table, path))  # type: ignore[misc]


def _moments(finished: Finished) -> Iterator[dict[str, Any]]:
    columns = finished.series
    for at in range(len(columns.get("day", ()))):
        yield {"run": finished.row["run"]} | {name: values[at] for name, values in columns.items()}


def parts(folder: Path) -> list[str]:
    """Return the names of the parts that were written to their end: those whose runs are there."""
    there = folder / "runs"
    return sorted(each.name for each in there.iterdir() if _PART.fullmatch(each.name)) if there.is_dir() else []


def read_table(folder: Path, kind: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Return one of `TABLES`, sorted by run. Raises InputError for a part that is missing, broken or there twice."""
    schema = schema_of(kind)
    if columns is not None:
        schema = pa.schema([schema.field(name) for name in columns])
    found = [_read_part(folder / kind / name, schema) for name in parts(folder)]
    table = pa.concat_tables(found) if found else schema.empty_table()
    if kind == "runs" and len(table["run"].unique()) < len(table):
        raise InputError(f"{folder}: some runs are there twice; the same `asara sweep` again sets the second aside")
    keys = [("run", "ascending")] + ([("day", "ascending")] if kind == "series" else [])
    return table.sort_by([key for key in keys if key[0] in table.column_names])


def schema_of(kind: str) -> pa.Schema:
    """Return the columns of one of `TABLES`."""
    return {"runs": run_schema, "series": series_schema, "timings": timing_schema}[kind]()


def _read_part(path: Path, schema: pa.Schema) -> pa.Table:
    try:
        with pq.ParquetFile(path) as file:
            there = {field.name: field.type for field in file.schema_arrow}
            if any(there.get(field.name) != field.type for field in schema):
                raise pa.ArrowInvalid("its columns are not those of a sweep")
            return file.read(columns=schema.names).select(schema.names).cast(schema)
    except FileNotFoundError:
        why = "is missing"
    except (OSError, pa.ArrowException) as error:
        why = f"cannot be read ({' '.join(str(error).split())[:120]})"
    raise InputError(f"{path}: {why}; the same `asara sweep` again does its runs anew")


def done_runs(folder: Path, note: Callable[[str], None]) -> set[int]:
    """Return the runs that are in the folder, after tidying up behind a writer that did not come to its end.

    A part that cannot be read is set aside under another name, and said: its runs are not done.
    """
    for leftover in folder.glob(f"*/*{_UNFINISHED}"):
        leftover.unlink()
    done: set[int] = set()
    for name in parts(folder):
        files = [folder / kind / name for kind in TABLES]
        try:
            tables = [_read_part(each, schema_of(kind)) for kind, each in zip(TABLES, files, strict=True)]
            runs = tables[-1]["run"].to_pylist()
            if len({*runs} - done) < len(runs):
                raise InputError(f"{files[-1]}: has runs that are there already")
        except InputError as error:
            note(f"{error}; kept as {name}{BROKEN}")
            for each in files:
                if each.exists():
                    each.rename(each.with_name(each.name + BROKEN))
        else:
            done.update(runs)
    return done


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for as long as this lasts. Raises InputError where somebody else holds it."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / _LOCK).open("w")
    with lock as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{folder}: another `asara sweep` is at work in it") from None
        yield


def clear(folder: Path) -> None:
    """Remove the runs of a sweep, and nothing else that lies there; the manifest stays until there is a new one."""
    for kind in reversed(TABLES):  # without its runs a part is none
        for path in (folder / kind).glob("part-*"):
            path.unlink()


def foreign(folder: Path) -> bool:
    """Return whether a folder holds anything that no sweep has written."""
    own = (_LOCK, MANIFEST, MANIFEST + _UNFINISHED, *TABLES)
    return any(each.name not in own for each in folder.iterdir())


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Say in a sentence that a folder cannot be written: InputError for OSError."""
    try:
        yield
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise InputError(
            f"{folder}: cannot be written ({why}); what was written before is kept, and the same command goes on there"
        ) from None


def _next_number(folder: Path) -> int:
    """One above any that was ever used, also by a part that was set aside or whose runs were never written."""
    names = [path.name for kind in TABLES for path in (folder / kind).glob("part-*.parquet*")]
    used = [int(found[1]) for name in names if (found := _PART.match(name))]
    return max(used, default=-1) + 1


def _named_when_whole(path: Path, write: Callable[[Path], object]) -> None:
    partial = path.with_name(path.name + _UNFINISHED)
    try:
        write(partial)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
