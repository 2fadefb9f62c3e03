"""Read and write the folder of a sweep: its manifest and its part files.

- `manifest.json`: the design, and the versions of the design and of the model.
- `runs/*.parquet`: one row a run. Written last of the tables, so that the others exist.
- `series/*.parquet`: the downsampled time series of each run.
- `timings/*.parquet`: the wall time of each run [s].
- `labs/*.parquet`: one row a run and lab, if the runs have several labs.
- `_set-aside/*`: damaged and unexpected files.

Files are written atomically: under a temporary name, flushed to the disk, and then renamed. Each file carries a
digest of its content: a part in its name, the manifest in a key. A process that writes holds a lock on the folder.
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
    ALL_TABLES,
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
    stray_files,
    unfinished_files,
    write_table,
    write_whole,
)
from experiments.sweep.race_records import lab_schema, race_run_schema, race_series_schema
from experiments.sweep.records import RunRecord, run_schema, series_schema, timing_schema
from sim.scenario.labs import split_name

MANIFEST: Final = "manifest.json"
FORMAT: Final = 4
"""Format number of the folder. Format 2 introduced ``long_run`` and ``pace``, format 3 the digest of every file.
Format 4 has the names of events and parameters since release 0.2.
"""
EXTENDING: Final = ".extending"
"""Name of the folder with the parts of a larger design until they replace the existing parts."""
LIBRARIES: Final = ("mesa", "networkx", "numpy", "scipy", "simpy")
"""Libraries whose versions are in the manifest, because runs depend on them."""
_LOCK: Final = ".lock"
_DIGEST: Final = "digest"
_REQUIRED_KEYS: Final = frozenset(
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
"""Required keys of a manifest."""


def read_manifest(folder: Path, any_format: bool = False) -> dict[str, Any]:
    """Return the manifest of a sweep. Raises InputError if there is none, and DamageError if it is damaged.

    ``any_format``: accept the manifest of another format, whose tables cannot be read.
    """
    path = folder / MANIFEST
    if not folder.is_dir():
        raise InputError(f"{folder} is not an existing folder; allowed: a sweep folder. `asara sweep` makes one.")
    if (folder / EXTENDING / MANIFEST).exists():
        raise InputError(f"{folder} is being extended. Run the same `asara sweep` again to complete it.")
    if not path.exists():
        raise InputError(
            f"{folder} is not a sweep folder: {MANIFEST} is missing; allowed: a sweep folder. `asara sweep` makes one."
        )
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
            f"{path}: format = {found.get('format')!r} is not readable, because another release wrote it; allowed: "
            f"{FORMAT}. Run the same `asara sweep` with --fresh or another --out to make it again."
        )
    if _REQUIRED_KEYS - found.keys():
        raise DamageError(path)
    return found


def write_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the manifest atomically."""
    proven = {**content, _DIGEST: _digest(content)}
    text = json.dumps(proven, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole(folder / MANIFEST, text.encode())


def identity_of(manifest: Mapping[str, Any]) -> str:
    """Return the mark of the parts of a sweep: a digest of its design, the model and the libraries."""
    libraries = [manifest["versions"].get(name) for name in LIBRARIES]
    return _digest([manifest["design_digest"], manifest["model_digest"], libraries])[:16]


def _digest(content: Any) -> str:
    """Return the SHA-256 of plain values."""
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def write_part(folder: Path, finished: Sequence[RunRecord]) -> None:
    """Write finished runs as a new part. Raises OSError, and leaves no file, if the part cannot be written."""
    ordered = sorted(finished, key=lambda each: each.row["run"])
    manifest = read_manifest(folder)
    rows = {
        "series": [row for each in ordered for row in _series_rows(each)],
        "timings": [{"run": each.row["run"], "seconds": each.seconds} for each in ordered],
        "labs": [row for each in ordered for row in each.labs],
        "runs": [each.row for each in ordered],
    }
    tables = {kind: pa.Table.from_pylist(rows[kind], schema) for kind, schema in _schemas(manifest).items()}
    write_tables(folder, next_number(folder), tables, identity_of(manifest))


def _schemas(manifest: Mapping[str, Any]) -> dict[str, pa.Schema]:
    """Return the columns of each table of a sweep."""
    if "labs" not in manifest:
        return {"series": series_schema(), "timings": timing_schema(), "runs": run_schema()}
    own = {f"{lab}.{name}" for lab, values in manifest["labs"].items() for name in values}
    own |= {name for name in (*manifest["levers"], *manifest["uncertainties"]) if split_name(name)[0]}
    return {
        "series": race_series_schema(),
        "timings": timing_schema(),
        "labs": lab_schema(),
        "runs": race_run_schema(sorted(own)),
    }


def write_tables(folder: Path, number: int, tables: Mapping[str, pa.Table], identity: str) -> None:
    """Write the tables of a part; the table of runs is written last."""
    for kind in ALL_TABLES:
        if kind in tables:
            write_table(folder, kind, number, tables[kind], identity)


def _series_rows(finished: RunRecord) -> Iterator[dict[str, Any]]:
    columns = finished.series
    for at in range(len(columns.get("day", ()))):
        yield {"run": finished.row["run"]} | {name: values[at] for name, values in columns.items()}


def read_table(folder: Path, kind: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Return one of `ALL_TABLES`, sorted by run. Raises InputError if a part is missing, damaged or stored twice."""
    schema = schema_of(kind)
    if columns is not None:
        schema = pa.schema([schema.field(name) for name in columns if name in schema.names])
    files = parts(folder, kind)
    found = [read_part(_file_of(folder, kind, number, files), kind, columns) for number in parts(folder)]
    table = pa.concat_tables(found) if found else schema.empty_table()
    if kind == "runs" and len(table["run"].unique()) < len(table):
        raise InputError(
            f"{folder}: some runs are stored twice. Run the same `asara sweep` again to set the duplicates aside."
        )
    return table.sort_by(sort_keys(kind, table))


def sort_keys(kind: str, table: pa.Table) -> list[tuple[str, str]]:
    """Return the columns by which a table is sorted; labs of one run keep their order."""
    names = ("run", "lab", "day") if kind == "series" else ("run",)
    return [(name, "ascending") for name in names if name in table.column_names]


def count_runs(folder: Path) -> int:
    """Return the number of runs in the folder. Raises InputError as `read_table`."""
    return len(read_table(folder, "runs", ["run"]))


def _file_of(folder: Path, kind: str, number: int, files: Mapping[int, Path]) -> Path:
    if number not in files:
        raise DamageError(folder / kind / f"part-{number:06d}-*.parquet", "is missing")
    return files[number]


def read_tables(folder: Path, number: int) -> dict[str, pa.Table]:
    """Return the tables of a part. Raises DamageError if one is missing or damaged, or if their runs differ."""
    kinds = ALL_TABLES if "labs" in read_manifest(folder) else TABLES
    paths = {kind: _file_of(folder, kind, number, parts(folder, kind)) for kind in kinds}
    tables = {kind: read_part(path, kind) for kind, path in paths.items()}
    numbers = {kind: {*table["run"].unique().to_pylist()} for kind, table in tables.items()}
    if numbers["timings"] != numbers["runs"] or any(each - numbers["runs"] for each in numbers.values()):
        raise DamageError(paths["runs"], f"has other runs than its {' and '.join(kinds[:-1])}")
    return tables


def completed_runs(folder: Path, note: Callable[[str], None], identity: str | None = None) -> set[int]:
    """Return the finished runs in the folder, after removing files that an interrupted writer left.

    A part that is damaged, or belongs to another sweep than ``identity``, is set aside and reported. Its runs count as
    not done.
    """
    for path in stray_files(folder):
        note(f"{path} is not a part of the sweep; moved to {set_aside(folder, path)}.")
    for path in unfinished_files(folder):
        path.unlink()
    done: set[int] = set()
    for number in _numbers(folder):
        try:
            runs = read_tables(folder, number)["runs"]["run"].to_pylist()
            path = parts(folder)[number]
            if len({*runs} - done) < len(runs):
                raise DamageError(path, "has runs that are stored in another part")
            if identity is not None and identity_in(path) != identity:
                raise DamageError(path, "has runs of another design or version")
        except DamageError as error:
            places = [set_aside(folder, path) for path in files_of(folder, number)]
            note(f"{error} Moved to {places[0].parent}.")
        else:
            done.update(runs)
    return done


def _numbers(folder: Path) -> list[int]:
    """Return the numbers of the parts; a number that is used twice is reported when its part is read."""
    try:
        return list(parts(folder))
    except DamageError:
        return sorted({int(path.name.split("-")[1]) for path in (folder / "runs").glob("part-*-*.parquet")})


def identities(folder: Path) -> set[str]:
    """Return the identities of all readable parts."""
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
    """Hold the lock of the folder within this context. Raises InputError if another process holds it."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / _LOCK).open("w")
    with lock as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"{folder} is in use by another `asara sweep`. Wait until it ends, or choose another --out."
            ) from None
        yield


def clear(folder: Path) -> None:
    """Remove the runs of a sweep and no other file; the manifest stays until a new one replaces it."""
    for kind in reversed(ALL_TABLES):  # runs first: a part without them is ignored
        for path in [*(folder / kind).glob("part-*"), *(folder / kind).glob(f".part-*{UNFINISHED}")]:
            path.unlink()


def has_unexpected_files(folder: Path) -> bool:
    """Return whether a folder contains files that no sweep has written."""
    own = (_LOCK, MANIFEST, f".{MANIFEST}{UNFINISHED}", SET_ASIDE, EXTENDING, *ALL_TABLES)
    return any(each.name not in own for each in folder.iterdir())


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Raise InputError in place of OSError within this context, with the folder that cannot be written."""
    try:
        yield
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise InputError(
            f"{folder} cannot be written ({why}). Finished runs are kept; solve the problem and run the same command "
            "again."
        ) from None
