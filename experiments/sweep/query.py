"""What came of a sweep: its tables, whatever the number of parts, of workers and of interruptions."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from experiments.errors import InputError
from experiments.sweep.storage import read_manifest, read_table

TABLES: Final = ("runs", "series", "timings")
"""Tables that a query can read."""


def manifest(folder: Path) -> dict[str, Any]:
    """Return what was swept: design, digests, versions. Raises InputError where there is no sweep."""
    return read_manifest(folder)


def read(folder: Path) -> pa.Table:
    """Return the table of runs, sorted: the same to the byte for the same design, however it was run.

    Columns: `experiments.sweep.records.run_schema`. Raises InputError where there is no sweep, or a part is broken.
    """
    read_manifest(folder)
    return read_table(folder, "runs")


def series(folder: Path) -> pa.Table:
    """Return what was seen frame by frame, thinned, sorted by run and day. Raises InputError as `read`."""
    read_manifest(folder)
    return read_table(folder, "series")


def timings(folder: Path) -> pa.Table:
    """Return the wall seconds of each run, sorted. Raises InputError as `read`."""
    read_manifest(folder)
    return read_table(folder, "timings")


def query(folder: Path, sql: str) -> pa.Table:
    """Return what an SQL query finds in the tables ``runs``, ``series`` and ``timings``.

    The query reads these tables and nothing else of the machine. Raises InputError with DuckDB's word on a wrong one.
    """
    import duckdb  # noqa: PLC0415 - slow to load, and needed here only

    with duckdb.connect() as connection:
        for kind in TABLES:
            if re.search(kind, sql, re.IGNORECASE):  # what is not asked for need not be read
                connection.register(kind, read_table(folder, kind))
        connection.execute("SET enable_external_access = false")
        try:
            answer = connection.sql(sql)
            found = None if answer is None else answer.to_arrow_table()
        except duckdb.CatalogException as error:
            raise InputError(f"--sql: {_unknown_name(str(error))}") from None
        except duckdb.Error as error:
            raise InputError(f"--sql: {' '.join(str(error).split())}") from None
    if found is None:
        raise InputError("--sql: the query has no answer; it must be one that does, such as select * from runs")
    if len({*found.column_names}) < len(found.column_names):
        raise InputError("--sql: two columns of the answer have one name; give each its own with `as`")
    return found


def _unknown_name(message: str) -> str:
    """DuckDB's word on a name that does not exist; for a table, with the nearest one of a sweep, not of DuckDB."""
    found = re.search(r"Table with name (.+?) does not exist", message)
    if found is None:
        return " ".join(message.split())
    near = get_close_matches(found[1].lower(), TABLES, n=1)
    meant = f"; did you mean '{near[0]}'?" if near else ""
    return f"no table '{found[1]}'; allowed: {', '.join(TABLES)}{meant}"


def missing(folder: Path) -> int:
    """Return how many runs of the design are not there yet."""
    return int(read_manifest(folder)["runs"]) - len(read_table(folder, "runs", ["run"]))
