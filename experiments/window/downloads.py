"""What can be taken home from the window: ledger, series, scenario and picture of a run, as bytes."""

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
from sim.scenario.model import Scenario, parameters

if TYPE_CHECKING:
    from sim.runner import RunResult

_drawing = threading.Lock()
"""matplotlib's settings belong to the process, and several browsers may ask at once."""


class File(NamedTuple):
    """A file to be downloaded."""

    name: str
    mime: str
    content: bytes


class DownloadedFile(NamedTuple):
    """A run to take home."""

    result: RunResult
    turns: str
    """What was otherwise from a later day on, in words; empty where all of it held from day 0."""


class Kind(NamedTuple):
    """Something that can be downloaded."""

    label: str
    ending: str
    mime: str
    make: Callable[[DownloadedFile], bytes]


def download(kind: str, result: RunResult, turns: str = "") -> File:
    """Return one of KINDS, of a run as it stands; ``turns``: see Taken. Raises KeyError for another one."""
    made = KINDS[kind]
    name = re.sub(r"[^a-z0-9]+", "-", result.scenario.name.lower())[:40].strip("-") or "scenario"
    return File(f"asara-{name}-seed-{result.seed}-{made.ending}", made.mime, made.make(DownloadedFile(result, turns)))


def scenario_toml(scenario: Scenario) -> str:
    """Return a scenario as a file that `asara run` reads: what differs from the defaults.

    Its digest is that of the scenario, whose parameters that nothing reads have their defaults.
    """
    content: dict[str, Any] = {"description": scenario.description, "source": scenario.source}
    for name, value in scenario.canonical().flat().items():
        parameter = parameters()[name]
        if value != parameter.default:
            content.setdefault(parameter.block, {})[parameter.name] = value
    return tomli_w.dumps({key: value for key, value in content.items() if value})


def _scenario(run: DownloadedFile) -> bytes:
    branched = f"# The run that this was taken from branched {run.turns}.\n# A run of this file has it so from day 0.\n"
    return ((branched if run.turns else "") + scenario_toml(run.result.scenario)).encode()


def _parquet(table: pa.Table) -> bytes:
    buffer = BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def _csv(table: pa.Table) -> bytes:
    buffer = BytesIO()
    pyarrow.csv.write_csv(table, buffer)
    return buffer.getvalue()


def _picture(run: DownloadedFile, form: Any) -> bytes:
    from experiments.plotting.run_figure import run_picture  # noqa: PLC0415 - matplotlib takes a second to load

    scenario = run.result.scenario
    title = f"{scenario.name}, {run.turns}" if run.turns else scenario.name
    with _drawing:
        return run_picture(run.result._replace(scenario=scenario.model_copy(update={"name": title})), form)


_PARQUET, _CSV = "application/vnd.apache.parquet", "text/csv"

KINDS: dict[str, Kind] = {
    "ledger parquet": Kind(
        "ledger (Parquet)", "ledger.parquet", _PARQUET, lambda run: _parquet(events_table(run.result.events))
    ),
    "ledger csv": Kind("ledger (CSV)", "ledger.csv", _CSV, lambda run: _csv(events_table(run.result.events))),
    "series parquet": Kind(
        "series (Parquet)", "series.parquet", _PARQUET, lambda run: _parquet(series_table(run.result.series))
    ),
    "series csv": Kind("series (CSV)", "series.csv", _CSV, lambda run: _csv(series_table(run.result.series))),
    "scenario": Kind("scenario (TOML)", "scenario.toml", "application/toml", _scenario),
    "png": Kind("picture (PNG)", "run.png", "image/png", lambda run: _picture(run, "png")),
    "svg": Kind("picture (SVG)", "run.svg", "image/svg+xml", lambda run: _picture(run, "svg")),
}
"""All that there is, by name."""
