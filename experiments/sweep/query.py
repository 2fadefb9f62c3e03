"""Read the tables of a sweep, and query them with SQL.

The tables do not depend on the number of parts, of workers or of interruptions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from experiments.errors import InputError
from experiments.sweep.race_records import LAB_OUTCOMES
from experiments.sweep.storage import read_manifest, read_table

TABLES: Final = ("runs", "series", "timings")
"""Names of the tables that a query can read."""
LAB_TABLES: Final = ("labs", "wide")
"""Names of the further tables of a sweep of several labs."""


def manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a sweep: its design, digests and versions. Raises InputError if there is no sweep."""
    return read_manifest(folder)


def read(folder: Path) -> pa.Table:
    """Return the table of runs, sorted by run: identical to the byte for the same design, however it was run.

    Columns: `experiments.sweep.records.run_schema`, for several labs `experiments.sweep.race_records.race_run_schema`.
    Raises InputError if there is no sweep, or a part is damaged.
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


def labs(folder: Path) -> pa.Table:
    """Return the table of a sweep of several labs that is long by lab: a row for each run and each of its labs.

    Columns: `experiments.sweep.race_records.lab_schema`. Rows are sorted by run; labs have the order of the scenario.
    Raises InputError as `read`, and for a sweep of one lab.
    """
    if "labs" not in read_manifest(folder):
        raise InputError(
            f"{folder} has no table of labs, because its runs have one lab; allowed: {', '.join(TABLES)}. Read runs."
        )
    return read_table(folder, "labs")


def wide(folder: Path) -> pa.Table:
    """Return the table of runs with the outcomes of each lab as columns ``LAB.name``; null for a run without a result.

    Raises InputError as `labs`.
    """
    long, runs = labs(folder), read(folder)
    for lab in read_manifest(folder)["labs"]:
        of_lab = long.filter(pc.equal(long["lab"], lab))
        places = pc.index_in(runs["run"], of_lab["run"].combine_chunks())
        for name in LAB_OUTCOMES:
            runs = runs.append_column(f"{lab}.{name}", of_lab[name].take(places))
    return runs


def table_names(folder: Path) -> tuple[str, ...]:
    """Return the names of the tables of a sweep. Raises InputError as `read`."""
    return TABLES + LAB_TABLES if "labs" in read_manifest(folder) else TABLES


def table(folder: Path, name: str) -> pa.Table:
    """Return a table by its name. Raises InputError as `read`, and for a table that the sweep does not have."""
    return {"labs": labs, "wide": wide, "series": series, "timings": timings}.get(name, read)(folder)


def query(folder: Path, sql: str) -> pa.Table:
    """Return the result of an SQL query over the tables of a sweep, such as ``runs`` (see `table_names`).

    The query can read these tables and no other file. Raises InputError with DuckDB's message if the query is wrong.
    """
    import duckdb  # noqa: PLC0415 - slow to load, and needed here only

    with duckdb.connect() as connection:
        names = table_names(folder)
        for kind in names:
            if re.search(kind, sql, re.IGNORECASE):  # a table that the query does not name is not read
                connection.register(kind, table(folder, kind))
        connection.execute("SET enable_external_access = false")
        try:
            answer = connection.sql(sql)
            found = None if answer is None else answer.to_arrow_table()
        except duckdb.CatalogException as error:
            raise InputError(f"--sql: {_describe_unknown_name(str(error), names)}") from None
        except duckdb.Error as error:
            raise InputError(f"--sql: {' '.join(str(error).split())}") from None
    if found is None:
        raise InputError("--sql: the query returns no rows; allowed: a SELECT. Write select * from runs.")
    if len({*found.column_names}) < len(found.column_names):
        raise InputError("--sql: two columns of the result have the same name; rename one of them with `as`.")
    return found


def _describe_unknown_name(message: str, names: Sequence[str]) -> str:
    """Return DuckDB's message on an unknown name; for a table, with the nearest table of a sweep in its place."""
    found = re.search(r"Table with name (.+?) does not exist", message)
    if found is None:
        return " ".join(message.split())
    near = get_close_matches(found[1].lower(), names, n=1)
    meant = f"; did you mean '{near[0]}'?" if near else ""
    return f"no table '{found[1]}'; allowed: {', '.join(names)}{meant}"


def count_missing_runs(folder: Path) -> int:
    """Return the number of runs of the design that are not stored yet."""
    return int(read_manifest(folder)["runs"]) - len(read_table(folder, "runs", ["run"]))
