"""The folder of a sweep: its manifest, and part files that are there as a whole or not at all.

    manifest.json        the design, and the versions of it and of the model
    runs/*.parquet       a row a run; the last of the three to be written, so that what it names is there
    series/*.parquet     what was seen of each run, thinned
    timings/*.parquet    wall seconds of each run
    _set-aside/*         files that did not hold what was written

A file is written under another name, brought to the disk and then named. Each proves itself: a part by the digest in
its name, the manifest by one within it. A process that writes holds a lock, so that two never write into one folder.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from experiments.errors import InputError
from experiments.sweep.part_files import (
    SET_ASIDE,
    TABLES,
    UNFINISHED,
    DamageError,
    files_of,
    identity_in,
    next_number,
    parts,
    read_part,
    schema_of,
    set_aside,
    strays,
    unfinished,
    write_table,
    write_whole,
)
from experiments.sweep.records import RunRecord, run_schema, series_schema, timing_schema

MANIFEST: Final = "manifest.json"
FORMAT: Final = 3
"""Of the folder. Format 2 had ``long_run`` and ``pace`` in place of ``verdict``; since 3 every file proves itself."""
EXTENDING: Final = ".extending"
"""Folder with the parts of a larger design, until they take the place of those that there are."""
LIBRARIES: Final = ("mesa", "networkx", "numpy", "scipy", "simpy")
"""Whose versions a manifest tells: what a run is made of beside the model."""
_LOCK: Final = ".lock"
_DIGEST: Final = "digest"
_STATED: Final = frozenset(
    {
        "name",
        "version",
        "model_digest",
        "design_digest",
        "runs",
        "points",
        "sampling",
        "seed",
        "engine",
        "levers",
        "uncertainties",
        "base",
        "design",
        "versions",
    }
)
"""What a manifest says, by its keys."""


def read_manifest(folder: Path, any_format: bool = False) -> dict[str, Any]:
    """Return the manifest of a sweep. Raises InputError if there is none, and DamageError if it is damaged.

    ``any_format``: accept the manifest of another version, whose tables cannot be read.
    """
    path = folder / MANIFEST
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder")
    if (folder / EXTENDING / MANIFEST).exists():
        raise InputError(f"{folder}: is being extended; run the same `asara sweep` again, which completes it")
    if not path.exists():
        raise InputError(f"{folder}: is not the folder of a sweep ({MANIFEST} is missing)")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise DamageError(path) from None
    if not isinstance(found, dict):
        raise DamageError(path)
    stated = found.pop(_DIGEST, None)
    if stated != _digest(found) if stated is not None else found.get("format") == FORMAT:
        raise DamageError(path)
    if any_format and isinstance(found.get("format"), int):
        return found
    if found.get("format") != FORMAT:
        raise InputError(
            f"{path}: format = {found.get('format')!r} is not readable; allowed: {FORMAT}. Run the same `asara sweep` "
            "with --fresh or another --out to make it again."
        )
    if _STATED - found.keys():
        raise DamageError(path)
    return found


def write_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the manifest, all of it or nothing."""
    proven = {**content, _DIGEST: _digest(content)}
    text = json.dumps(proven, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole(folder / MANIFEST, text.encode())


def identity_of(manifest: Mapping[str, Any]) -> str:
    """Return what the parts of a sweep are marked with: the digest of its design, its model and their libraries."""
    libraries = [manifest["versions"].get(name) for name in LIBRARIES]
    return _digest([manifest["design_digest"], manifest["model_digest"], libraries])[:16]


def _digest(content: Any) -> str:
    """SHA-256 of plain values."""
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def write_part(folder: Path, finished: Sequence[RunRecord]) -> None:
    """Write runs that are over as a part of their own. Raises OSError, and leaves nothing of it, where it cannot."""
    ordered = sorted(finished, key=lambda each: each.row["run"])
    series = [row for each in ordered for row in _moments(each)]
    timings = [{"run": each.row["run"], "seconds": each.seconds} for each in ordered]
    write_tables(
        folder,
        next_number(folder),
        {
            "series": pa.Table.from_pylist(series, series_schema()),
            "timings": pa.Table.from_pylist(timings, timing_schema()),
            "runs": pa.Table.from_pylist([each.row for each in ordered], run_schema()),
        },
        identity_of(read_manifest(folder)),
    )


def write_tables(folder: Path, number: int, tables: Mapping[str, pa.Table], identity: str) -> None:
    """Write the tables of a part, its runs last."""
    for kind in TABLES:
        write_table(folder, kind, number, tables[kind], identity)


def _moments(finished: RunRecord) -> Iterator[dict[str, Any]]:
    columns = finished.series
    for at in range(len(columns.get("day", ()))):
        yield {"run": finished.row["run"]} | {name: values[at] for name, values in columns.items()}


def read_table(folder: Path, kind: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Return one of `TABLES`, sorted by run. Raises InputError for a part that is missing, damaged or there twice."""
    schema = schema_of(kind)
    if columns is not None:
        schema = pa.schema([schema.field(name) for name in columns])
    files = parts(folder, kind)
    found = [read_part(_file_of(folder, kind, number, files), kind, columns) for number in parts(folder)]
    table = pa.concat_tables(found) if found else schema.empty_table()
    if kind == "runs" and len(table["run"].unique()) < len(table):
        raise InputError(f"{folder}: some runs are there twice; the same `asara sweep` again sets the second aside")
    keys = [("run", "ascending")] + ([("day", "ascending")] if kind == "series" else [])
    return table.sort_by([key for key in keys if key[0] in table.column_names])


def count_runs(folder: Path) -> int:
    """Return how many runs the folder holds. Raises InputError as `read_table`."""
    return len(read_table(folder, "runs", ["run"]))


def _file_of(folder: Path, kind: str, number: int, files: Mapping[int, Path]) -> Path:
    if number not in files:
        raise DamageError(folder / kind / f"part-{number:06d}-*.parquet", "is missing")
    return files[number]


def read_tables(folder: Path, number: int) -> dict[str, pa.Table]:
    """Return the tables of a part. Raises DamageError where one is missing, damaged or of other runs than the rest."""
    paths = {kind: _file_of(folder, kind, number, parts(folder, kind)) for kind in TABLES}
    tables = {kind: read_part(path, kind) for kind, path in paths.items()}
    runs = {*tables["runs"]["run"].to_pylist()}
    if {*tables["timings"]["run"].to_pylist()} != runs or not {*tables["series"]["run"].unique().to_pylist()} <= runs:
        raise DamageError(paths["runs"], "has other runs than its series and timings")
    return tables


def completed_runs(folder: Path, note: Callable[[str], None], identity: str | None = None) -> set[int]:
    """Return the runs that are in the folder, after tidying up behind a writer that did not come to its end.

    A part that is damaged, or is not of the sweep with this ``identity``, is set aside and reported: its runs are not
    done.
    """
    for path in strays(folder):
        note(f"{path} is not a part of the sweep; moved to {set_aside(folder, path)}.")
    for path in unfinished(folder):
        path.unlink()
    done: set[int] = set()
    for number in _numbers(folder):
        try:
            runs = read_tables(folder, number)["runs"]["run"].to_pylist()
            path = parts(folder)[number]
            if len({*runs} - done) < len(runs):
                raise DamageError(path, "has runs that are there already")
            if identity is not None and identity_in(path) != identity:
                raise DamageError(path, "has runs of another design or version")
        except DamageError as error:
            places = [set_aside(folder, path) for path in files_of(folder, number)]
            note(f"{error} Moved to {places[0].parent}.")
        else:
            done.update(runs)
    return done


def _numbers(folder: Path) -> list[int]:
    """Numbers of the parts; one that is there twice is reported when it is read."""
    try:
        return list(parts(folder))
    except DamageError:
        return sorted({int(path.name.split("-")[1]) for path in (folder / "runs").glob("part-*-*.parquet")})


def identities(folder: Path) -> set[str]:
    """Return the identities of all parts that can be read."""
    found = set()
    for number in _numbers(folder):
        for path in files_of(folder, number)[-1:]:
            try:
                found.add(identity_in(path))
            except DamageError:
                continue
    return found


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
        for path in [*(folder / kind).glob("part-*"), *(folder / kind).glob(f".part-*{UNFINISHED}")]:
            path.unlink()


def has_unexpected_files(folder: Path) -> bool:
    """Return whether a folder holds anything that no sweep has written."""
    own = (_LOCK, MANIFEST, f".{MANIFEST}{UNFINISHED}", SET_ASIDE, EXTENDING, *TABLES)
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
