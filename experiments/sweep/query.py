"""Read the tables of a sweep, and query them with SQL.

The tables do not depend on the number of parts, of workers or of interruptions.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from experiments.errors import InputError
from experiments.sweep.storage import read_manifest, read_table

TABLES: Final = ("runs", "series", "timings")
"""Names of the tables that a query can read."""


def manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a sweep: its design, digests and versions. Raises InputError if there is no sweep."""
    return read_manifest(folder)


def read(folder: Path) -> pa.Table:
    """Return the table of runs, sorted by run: identical to the byte for the same design, however it was run.

    Columns: `experiments.sweep.records.run_schema`. Raises InputError if there is no sweep, or a part is damaged.
    """
    read_manifest(folder)
    return read_table(folder, "runs")


def series(folder: Path) -> pa.Table:
    """Return the downsampled time series of all runs, sorted by run and day. Raises InputError as `read`."""
    read_manifest(folder)
    return read_table(folder, "series")


def timings(folder: Path) -> pa.Table:
    """Return the wall time of each run [s], sorted by run. Raises InputError as `read`."""
    read_manifest(folder)
    return read_table(folder, "timings")


def query(folder: Path, sql: str) -> pa.Table:
    """Return the result of an SQL query over the tables ``runs``, ``series`` and ``timings``.

    The query can read these tables and no other file. Raises InputError with DuckDB's message if the query is wrong.
    """
    import duckdb  # noqa: PLC0415 - slow to load, and needed here only

    with duckdb.connect() as connection:
        for kind in TABLES:
            if re.search(kind, sql, re.IGNORECASE):  # a table that the query does not name is not read
                connection.register(kind, read_table(folder, kind))
        connection.execute("SET enable_external_access = false")
        try:
            answer = connection.sql(sql)
            found = None if answer is None else answer.to_arrow_table()
        except duckdb.CatalogException as error:
            raise InputError(f"--sql: {_describe_unknown_name(str(error))}") from None
        except duckdb.Error as error:
            raise InputError(f"--sql: {' '.join(str(error).split())}") from None
    if found is None:
        raise InputError("--sql: the query returns no rows; allowed: a SELECT. Write select * from runs.")
    if len({*found.column_names}) < len(found.column_names):
        raise InputError("--sql: two columns of the result have the same name; rename one of them with `as`.")
    return found


def _describe_unknown_name(message: str) -> str:
    """Return DuckDB's message on an unknown name; for a table, with the nearest table of a sweep in its place."""
    found = re.search(r"Table with name (.+?) does not exist", message)
    if found is None:
        return " ".join(message.split())
    near = get_close_matches(found[1].lower(), TABLES, n=1)
    meant = f"; did you mean '{near[0]}'?" if near else ""
    return f"no table '{found[1]}'; allowed: {', '.join(TABLES)}{meant}"


def count_missing_runs(folder: Path) -> int:
    """Return the number of runs of the design that are not stored yet."""
    return int(read_manifest(folder)["runs"]) - len(read_table(folder, "runs", ["run"]))
