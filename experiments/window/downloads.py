"""Create the downloads of a run as bytes: event log (ledger), series, scenario and figure."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import tomli_w

from experiments.storage.run_store import events_table, series_table
from sim.scenario.model import Scenario

if TYPE_CHECKING:
    from experiments.window.player import PlayedRun
    from sim.runner import RunResult

_matplotlib_lock = threading.Lock()
"""Settings of matplotlib are global to the process, and several browsers may draw at once."""


class DownloadFile(NamedTuple):
    """A file for download."""

    name: str
    mime: str
    content: bytes


class DownloadedRun(NamedTuple):
    """The run to download."""

    result: RunResult
    """Result of the shown lab."""
    changes_text: str
    """Changes since a later day, in words; empty if everything has held from day 0."""
    record: PlayedRun | None
    """Record of all labs; None for one lab."""
    lab: str
    """Name of the shown lab; empty for the only lab."""

    @property
    def scenario(self) -> Scenario:
        """Scenario of all labs."""
        return self.result.scenario if self.record is None else self.record.scenario


class DownloadKind(NamedTuple):
    """A kind of download."""

    label: str
    file_ending: str
    mime: str
    make: Callable[[DownloadedRun], bytes]


def download(
    kind: str, result: RunResult, changes_text: str = "", record: PlayedRun | None = None, lab: str = ""
) -> DownloadFile:
    """Return a download of a run; the arguments are as in `DownloadedRun`. Raises KeyError for an unknown kind."""
    found = DOWNLOADS[kind]
    name = re.sub(r"[^a-z0-9]+", "-", result.scenario.name.lower())[:40].strip("-") or "scenario"
    return DownloadFile(
        f"asara-{name}-seed-{result.seed}-{found.file_ending}",
        found.mime,
        found.make(DownloadedRun(result, changes_text, record, lab)),
    )


def scenario_toml(scenario: Scenario) -> str:
    """Return a scenario as a TOML file for `asara run`, with all values that differ from the defaults.

    The digest of the file equals that of the scenario.
    """
    return tomli_w.dumps(scenario.file_content())


def _scenario_bytes(run: DownloadedRun) -> bytes:
    branched = (
        f"# The downloaded run branched {run.changes_text}.\n# A run of this file has these changes from day 0 on.\n"
    )
    return ((branched if run.changes_text else "") + scenario_toml(run.scenario)).encode()


def _parquet_bytes(table: pa.Table) -> bytes:
    buffer = BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def _csv_bytes(table: pa.Table) -> bytes:
    buffer = BytesIO()
    pyarrow.csv.write_csv(table, buffer)
    return buffer.getvalue()


def _events_table(run: DownloadedRun) -> pa.Table:
    return events_table(run.result.events if run.record is None else run.record.events)


def _series_table(run: DownloadedRun) -> pa.Table:
    """Return the series as a table; with several labs the first column has the lab, and labs are below each other."""
    if run.record is None:
        return series_table(run.result.series)
    tables = []
    for lab, series in run.record.series.items():
        table = series_table(series)
        tables.append(table.add_column(0, "lab", pa.array([lab] * table.num_rows, pa.string())))
    return pa.concat_tables(tables)


def _picture_bytes(run: DownloadedRun, form: Any) -> bytes:
    from experiments.plotting.run_figure import run_picture  # noqa: PLC0415 - matplotlib takes a second to load

    scenario = run.result.scenario
    title = ", ".join(part for part in (scenario.name, run.lab, run.changes_text) if part)
    with _matplotlib_lock:
        return run_picture(run.result._replace(scenario=scenario.model_copy(update={"name": title})), form)


_PARQUET, _CSV = "application/vnd.apache.parquet", "text/csv"

DOWNLOADS: dict[str, DownloadKind] = {
    "ledger parquet": DownloadKind(
        "ledger (Parquet)", "ledger.parquet", _PARQUET, lambda run: _parquet_bytes(_events_table(run))
    ),
    "ledger csv": DownloadKind("ledger (CSV)", "ledger.csv", _CSV, lambda run: _csv_bytes(_events_table(run))),
    "series parquet": DownloadKind(
        "series (Parquet)", "series.parquet", _PARQUET, lambda run: _parquet_bytes(_series_table(run))
    ),
    "series csv": DownloadKind("series (CSV)", "series.csv", _CSV, lambda run: _csv_bytes(_series_table(run))),
    "scenario": DownloadKind("scenario (TOML)", "scenario.toml", "application/toml", _scenario_bytes),
    "png": DownloadKind("picture (PNG)", "run.png", "image/png", lambda run: _picture_bytes(run, "png")),
    "svg": DownloadKind("picture (SVG)", "run.svg", "image/svg+xml", lambda run: _picture_bytes(run, "svg")),
}
"""All kinds of downloads, by name."""
