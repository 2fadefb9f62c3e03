"""Write a run as an Excel workbook: one sheet with its summary and parameters, and one for each table."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from datetime import datetime
from importlib.util import find_spec
from typing import Any, Final

import pyarrow as pa

from experiments.errors import InputError

MAX_ROWS: Final = 1_048_576
"""Maximum number of rows of a sheet in Excel, its header included."""
_TIMESTAMP: Final = datetime(2000, 1, 1)
"""Fixed time of creation and of the last change, so that equal runs have equal bytes."""


def require_openpyxl() -> None:
    """Raise InputError if the library that writes workbooks is not installed."""
    if find_spec("openpyxl") is None:
        raise InputError("--xlsx needs openpyxl, which is not installed; allowed: --csv. Run pip install openpyxl.")


def workbook(summary: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> bytes:
    """Return the bytes of a workbook, equal for equal content.

    A table with more rows than a sheet can have is left out; its sheet contains the number of rows.
    """
    from openpyxl import Workbook  # noqa: PLC0415 - an optional package
    from openpyxl.writer.excel import ExcelWriter  # noqa: PLC0415

    book = Workbook(write_only=True)
    book.properties.created = book.properties.modified = _TIMESTAMP
    sheet = book.create_sheet("run")
    for name, value in _flatten(summary):
        sheet.append([name, value])
    for title, table in tables.items():
        sheet = book.create_sheet(title)
        if table.num_rows >= MAX_ROWS:
            sheet.append([f"{table.num_rows:,} rows are more than a sheet can have. Read {title}.parquet."])
            continue
        sheet.append(table.column_names)
        for batch in table.to_batches(max_chunksize=10_000):
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                sheet.append([_to_cell(value) for value in row])
    raw = io.BytesIO()
    # Workbook.save would replace the time of the last change with the time of this call.
    ExcelWriter(book, zipfile.ZipFile(raw, "w")).save()
    return _remove_timestamps(raw.getvalue())


def _flatten(content: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in content.items():
        if isinstance(value, Mapping):
            rows += _flatten(value, f"{before}{name}.")
        else:
            rows.append((f"{before}{name}", _to_cell(value)))
    return rows


def _to_cell(value: Any) -> Any:
    """Return a value for a cell: numbers as numbers, other values as text."""
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _remove_timestamps(content: bytes) -> bytes:
    """Return the same archive without the times of its files."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in sorted(old.namelist()):
            new.writestr(zipfile.ZipInfo(name), old.read(name), zipfile.ZIP_DEFLATED)
    return out.getvalue()
