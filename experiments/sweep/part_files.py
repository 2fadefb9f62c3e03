"""Write and read the part files of a sweep: atomic, named by a digest of their content, and verified when read.

    runs/part-000001-0123456789abcdef.parquet       number of the part, digest of the file

The files of a part share its number. Damaged files are moved to a separate folder, under a name that readers of
Parquet files ignore.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from experiments.errors import InputError
from experiments.sweep.race_records import lab_schema
from experiments.sweep.records import ADDED_COLUMNS, run_schema, series_schema, timing_schema

TABLES: Final = ("series", "timings", "runs")
"""Tables of a part of runs of one lab in the order in which they are written; it is valid once its runs are written."""
ALL_TABLES: Final = ("series", "timings", "labs", "runs")
"""Tables of a part of runs of several labs, in the same order."""
BROKEN: Final = ".broken"
"""Suffix of a file that is set aside."""
SET_ASIDE: Final = "_set-aside"
"""Name of the folder for files that are set aside, within the folder of the sweep."""
UNFINISHED: Final = ".partial"
"""Suffix of a file that is being written."""
_PART: Final = re.compile(r"part-(\d{6,})-([0-9a-f]{16})\.parquet")
_IDENTITY: Final = b"asara sweep"
"""Key of the identity in a file's metadata: the design and version of its runs."""


class DamageError(InputError):
    """A stored file is missing, or its content differs from what was written."""

    def __init__(self, path: Path, problem: str = "is damaged") -> None:
        super().__init__(
            f"{path} {problem}: its content is not what was written. Run the same `asara sweep` again: it sets the "
            "file aside and repeats the lost runs."
        )


def schema_of(kind: str) -> pa.Schema:
    """Return the columns that one of `ALL_TABLES` has in each sweep; for several labs there are more."""
    return {"runs": run_schema, "series": series_schema, "timings": timing_schema, "labs": lab_schema}[kind]()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file atomically; until it is complete its name begins with a dot."""
    partial = path.with_name(f".{path.name}{UNFINISHED}")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_table(folder: Path, kind: str, number: int, table: pa.Table, identity: str) -> None:
    """Write one of the files of a part."""
    sink = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({_IDENTITY: identity}), sink, write_page_checksum=True)
    content = sink.getvalue()
    (folder / kind).mkdir(parents=True, exist_ok=True)
    write_whole(folder / kind / f"part-{number:06d}-{_digest(content)}.parquet", content)


def parts(folder: Path, kind: str = "runs") -> dict[int, Path]:
    """Return the files of one of `ALL_TABLES` by the number of their part; the files of runs are the complete parts.

    Raises InputError if two files have the same number.
    """
    found: dict[int, Path] = {}
    for path in _entries(folder / kind):
        if match := _PART.fullmatch(path.name):
            number = int(match[1])
            if number in found:
                raise DamageError(path, f"has the same number as {found[number].name}")
            found[number] = path
    return found


def files_of(folder: Path, number: int) -> list[Path]:
    """Return the files of a part, those of runs last."""
    prefix = f"part-{number:06d}-"
    return [path for kind in ALL_TABLES for path in _entries(folder / kind) if path.name.startswith(prefix)]


def stray_files(folder: Path) -> list[Path]:
    """Return the Parquet files in the folders of the parts that are not parts."""
    return [
        path
        for kind in ALL_TABLES
        for path in _entries(folder / kind)
        if path.suffix == ".parquet" and not _PART.fullmatch(path.name)
    ]


def unfinished_files(folder: Path) -> list[Path]:
    """Return the files that an interrupted writer left: incomplete files, and files of parts without runs."""
    incomplete = [*folder.glob(f".*{UNFINISHED}"), *folder.glob(f"*/.*{UNFINISHED}")]
    complete = {number for path in _entries(folder / "runs") if (number := _part_number(path)) is not None}
    others = [path for kind in ALL_TABLES[:-1] for path in _entries(folder / kind)]
    return incomplete + [
        path for path in others if (number := _part_number(path)) is not None and number not in complete
    ]


def next_number(folder: Path) -> int:
    """Return a number above that of every part, including parts that were set aside or not completed."""
    places = [*(folder / kind for kind in ALL_TABLES), folder / SET_ASIDE]
    used = [int(found[1]) for each in places for path in _entries(each) if (found := _PART.search(path.name))]
    return max(used, default=-1) + 1


def read_part(path: Path, kind: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the table in a file. Raises DamageError if its content differs from what was written."""
    return _verify_and_parse(path, kind, columns)[0]


def identity_in(path: Path, kind: str = "runs") -> str:
    """Return the identity of the design and version of a file's runs. Raises DamageError as `read_part`."""
    return _verify_and_parse(path, kind, ["run"])[1]


def set_aside(folder: Path, path: Path) -> Path:
    """Move a file to the folder of files that are set aside, and return its new path."""
    (folder / SET_ASIDE).mkdir(exist_ok=True)
    name = path.name if path.parent == folder else f"{path.parent.name}-{path.name}"
    target, again = folder / SET_ASIDE / f"{name}{BROKEN}", 1
    while target.exists():
        again += 1
        target = target.with_name(f"{name}{BROKEN}-{again}")
    path.rename(target)
    return target


def _verify_and_parse(path: Path, kind: str, columns: Sequence[str] | None) -> tuple[pa.Table, str]:
    named = _PART.fullmatch(path.name)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DamageError(path, "is missing") from None
    except OSError as error:
        raise DamageError(path, f"cannot be read ({error.strerror})") from None
    if named is None or _digest(content) != named[2]:
        raise DamageError(path)
    schema = schema_of(kind)
    try:
        with pq.ParquetFile(pa.BufferReader(content)) as file:
            there = {field.name: field.type for field in file.schema_arrow}
            schema = pa.schema([*schema, *(field for field in file.schema_arrow if field.name not in schema.names)])
            absent = [name for name in schema.names if name in ADDED_COLUMNS and name not in there]
            if any(there.get(field.name) != field.type for field in schema if field.name not in absent):
                raise DamageError(path)
            wanted = schema.names if columns is None else list(columns)
            stored = [name for name in wanted if name not in absent]
            # Arrow's threads can abort the process at its end (Arrow issue 34314): no threads.
            found = file.read(columns=stored or ["run"], use_threads=False)
            for name in absent:
                found = found.append_column(
                    schema.field(name), pa.nulls(file.metadata.num_rows, schema.field(name).type)
                )
            found = found.select(wanted)
            identity = (file.schema_arrow.metadata or {}).get(_IDENTITY, b"").decode()
    except (OSError, ValueError, pa.ArrowException):  # another file with the name of a part
        raise DamageError(path) from None
    return found.cast(pa.schema([schema.field(name) for name in wanted])), identity


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=8).hexdigest()


def _part_number(path: Path) -> int | None:
    found = _PART.fullmatch(path.name)
    return int(found[1]) if found else None


def _entries(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.iterdir()) if folder.is_dir() else ()
