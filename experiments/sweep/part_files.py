"""Part files of a sweep: written whole, named by the digest of their content, and read only if they still have it.

    runs/part-000001-0123456789abcdef.parquet       number of the part, digest of the file

The three files of a part share its number. What cannot be trusted is moved to a folder of its own, under a name that no
reader of Parquet files takes for one.
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
from experiments.sweep.records import run_schema, series_schema, timing_schema

TABLES: Final = ("series", "timings", "runs")
"""In the order in which a part is written: it counts from the moment that its runs are there."""
BROKEN: Final = ".broken"
"""Appended to the name of a file that is set aside."""
SET_ASIDE: Final = "_set-aside"
"""Folder of the files that are set aside, within the folder of the sweep."""
UNFINISHED: Final = ".partial"
_PART: Final = re.compile(r"part-(\d{6,})-([0-9a-f]{16})\.parquet")
_IDENTITY: Final = b"asara sweep"
"""Key in a file's metadata: which design and version its runs are of."""


class DamageError(InputError):
    """A stored file is missing, or does not hold what was written."""

    def __init__(self, path: Path, problem: str = "is damaged") -> None:
        super().__init__(
            f"{path} {problem}: it does not hold what was written. Run the same `asara sweep` again: it sets the file "
            "aside and repeats what is lost."
        )


def schema_of(kind: str) -> pa.Schema:
    """Return the columns of one of `TABLES`."""
    return {"runs": run_schema, "series": series_schema, "timings": timing_schema}[kind]()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, all of it or nothing; until it is whole its name begins with a dot."""
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
    """Write one of the three files of a part."""
    sink = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({_IDENTITY: identity}), sink, write_page_checksum=True)
    content = sink.getvalue()
    (folder / kind).mkdir(parents=True, exist_ok=True)
    write_whole(folder / kind / f"part-{number:06d}-{_digest(content)}.parquet", content)


def parts(folder: Path, kind: str = "runs") -> dict[int, Path]:
    """Return the files of one of `TABLES` by the number of their part; of the runs: the parts that are whole.

    Raises InputError for two files of one part.
    """
    found: dict[int, Path] = {}
    for path in _entries(folder / kind):
        if match := _PART.fullmatch(path.name):
            number = int(match[1])
            if number in found:
                raise DamageError(path, f"is there beside {found[number].name}")
            found[number] = path
    return found


def files_of(folder: Path, number: int) -> list[Path]:
    """Return all files of a part."""
    prefix = f"part-{number:06d}-"
    return [path for kind in TABLES for path in _entries(folder / kind) if path.name.startswith(prefix)]


def strays(folder: Path) -> list[Path]:
    """Return the Parquet files among the parts that are not parts, and which other readers would read as such."""
    return [
        path
        for kind in TABLES
        for path in _entries(folder / kind)
        if path.suffix == ".parquet" and not _PART.fullmatch(path.name)
    ]


def unfinished(folder: Path) -> list[Path]:
    """Return what a writer left that did not come to its end: half a file, and files of parts without runs."""
    half = [*folder.glob(f".*{UNFINISHED}"), *folder.glob(f"*/.*{UNFINISHED}")]
    whole = {number for path in _entries(folder / "runs") if (number := _number(path)) is not None}
    rest = [path for kind in TABLES[:-1] for path in _entries(folder / kind)]
    return half + [path for path in rest if (number := _number(path)) is not None and number not in whole]


def next_number(folder: Path) -> int:
    """Return a number above that of every part, also of those that were set aside or never finished."""
    places = [*(folder / kind for kind in TABLES), folder / SET_ASIDE]
    used = [int(found[1]) for each in places for path in _entries(each) if (found := _PART.search(path.name))]
    return max(used, default=-1) + 1


def read_part(path: Path, kind: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the table in a file. Raises DamageError unless it holds, to the bit, what was written."""
    return _parsed(path, kind, columns)[0]


def identity_in(path: Path, kind: str = "runs") -> str:
    """Return which design and version a file's runs are of. Raises DamageError as `read_part`."""
    return _parsed(path, kind, ["run"])[1]


def set_aside(folder: Path, path: Path) -> Path:
    """Move a file of the folder to where no reader takes it for data, and return its new place."""
    (folder / SET_ASIDE).mkdir(exist_ok=True)
    name = path.name if path.parent == folder else f"{path.parent.name}-{path.name}"
    target, again = folder / SET_ASIDE / f"{name}{BROKEN}", 1
    while target.exists():
        again += 1
        target = target.with_name(f"{name}{BROKEN}-{again}")
    path.rename(target)
    return target


def _parsed(path: Path, kind: str, columns: Sequence[str] | None) -> tuple[pa.Table, str]:
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
        with pq.ParquetFile(io.BytesIO(content)) as file:
            there = {field.name: field.type for field in file.schema_arrow}
            if any(there.get(field.name) != field.type for field in schema):
                raise DamageError(path)
            wanted = schema.names if columns is None else list(columns)
            found = file.read(columns=wanted).select(wanted)
            identity = (file.schema_arrow.metadata or {}).get(_IDENTITY, b"").decode()
    except (OSError, ValueError, pa.ArrowException):  # something else under the name of a part
        raise DamageError(path) from None
    return found.cast(pa.schema([schema.field(name) for name in wanted])), identity


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=8).hexdigest()


def _number(path: Path) -> int | None:
    found = _PART.fullmatch(path.name)
    return int(found[1]) if found else None


def _entries(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.iterdir()) if folder.is_dir() else ()
