"""Readers of real job logs: the Standard Workload Format, Alibaba's GPU cluster of 2023, and a plain CSV.

Any of them may be gzipped. A line that cannot be read is an error with its number, unless it is to be skipped and
counted.
"""

import csv
import gzip
import math
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, Protocol, TextIO


class TraceJob(NamedTuple):
    """One job of a log."""

    job: str
    """Its name in the log."""
    submit_s: float
    """When it was submitted, in seconds of the log's clock, not negative."""
    run_s: float
    """How long it ran, in seconds; 0 is lawful."""
    gpus: int
    """How many GPUs (or processors) it held, at least 1."""


class Log(NamedTuple):
    """What was read."""

    jobs: list[TraceJob]
    """In the order of the file."""
    skipped: int
    """Bad lines that were skipped."""
    left_out: dict[str, int]
    """Good lines that are no job for a GPU cluster: reason and number."""


class TraceError(ValueError):
    """A log that cannot be read: file, number of the line (0: the file as a whole) and reason."""

    def __init__(self, path: str, line: int, reason: str) -> None:
        super().__init__(path, line, reason)
        self.path = path
        self.line = line
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: {self.reason}" if self.line else f"{self.path}: {self.reason}"


def wrong_separator(header: str) -> str | None:
    """Return a sentence about a header line without commas that has semicolons or tabs; None if it has neither."""
    for separator, name in ((";", "semicolons"), ("\t", "tabs")):
        if separator in header and "," not in header:
            return f"the header's columns are separated by {name}; allowed: commas. Export the table as CSV with commas"
    return None


def wrong_notation(text: str) -> str | None:
    """Return what is wrong with a number that has an underscore or a decimal comma; None if it has neither."""
    if "_" in text:
        return f"{text!r} has an underscore; allowed: digits with a decimal point. Write 1000 for 1_000"
    if "," in text:
        return f"{text!r} has a comma; allowed: digits with a decimal point. Write 1.5 for 1,5"
    return None


class Reader(Protocol):
    """A reader of one format."""

    def __call__(self, path: str | Path, *, skip_bad: bool = False) -> Log:
        """Read a log; bad lines raise TraceError, or are skipped and counted."""


class _LeftOut(Exception):  # noqa: N818 - not an error: the line is good and no job
    """A good line that is no job for a GPU cluster, and why."""


def read_swf(path: str | Path, *, skip_bad: bool = False) -> Log:
    """Read a log in the Standard Workload Format (Chapin et al., JSSPP 1999; fields by the blanks between them).

    A job holds field 5, the processors that it was allocated, or where that is -1 field 8, those that it asked for.
    Comment lines begin with a semicolon.
    """
    return _read(path, _swf_rows, _swf_job, skip_bad)


def read_alibaba(path: str | Path, *, skip_bad: bool = False) -> Log:
    """Read the pods of Alibaba's GPU trace of 2023 (``openb_pod_list_*.csv``).

    A pod runs from ``scheduled_time`` to ``deletion_time``. Pods that ask for no GPU and pods that were never
    scheduled are left out and counted. A pod that asks for a part of a GPU (``gpu_milli`` below 1000) counts as
    one whole GPU: GPUs are not shared here, so the replay is busier than the log was.
    """
    return _read(path, _csv_rows(ALIBABA_COLUMNS), _alibaba_job, skip_bad)


def read_csv(path: str | Path, *, skip_bad: bool = False) -> Log:
    """Read a CSV file with the columns job, submit_s, run_s and gpus, in any order; others are ignored."""
    return _read(path, _csv_rows(CSV_COLUMNS), _csv_job, skip_bad)


CSV_COLUMNS: Final = ("job", "submit_s", "run_s", "gpus")
ALIBABA_COLUMNS: Final = ("name", "num_gpu", "creation_time", "deletion_time", "scheduled_time")
FORMATS: Final[dict[str, Reader]] = {"swf": read_swf, "alibaba": read_alibaba, "csv": read_csv}
"""Every reader by the name of its format."""

Row = dict[str, str]
Rows = Callable[[TextIO, str], Iterator[tuple[int, Row]]]


def _read(path: str | Path, rows: Rows, job_of: Callable[[Row], TraceJob], skip_bad: bool) -> Log:
    """Go through a file line by line; rows and jobs raise ValueError with the reason if a line is bad."""
    jobs: list[TraceJob] = []
    left_out: Counter[str] = Counter()
    skipped = 0
    with _open(Path(path)) as file:
        for line, row in _whole(rows(file, str(path)), str(path)):
            try:
                jobs.append(job_of(row))
            except _LeftOut as reason:
                left_out[str(reason)] += 1
            except ValueError as error:
                if not skip_bad:
                    raise TraceError(str(path), line, str(error)) from None
                skipped += 1
    return Log(jobs, skipped, dict(left_out))


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _whole(rows: Iterator[tuple[int, Row]], path: str) -> Iterator[tuple[int, Row]]:
    """Pass the rows on; a file that is not text, or not the gzip file that its name promises, is a TraceError."""
    try:
        yield from rows
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise TraceError(path, 0, f"not a whole gzip file ({error})") from None
    except UnicodeDecodeError:
        raise TraceError(path, 0, "not a text file in UTF-8") from None
    except csv.Error as error:
        raise TraceError(path, 0, f"not a CSV file ({error})") from None


def _swf_rows(file: TextIO, _: str) -> Iterator[tuple[int, Row]]:
    for line, text in enumerate(file, 1):
        if text.strip() and not text.lstrip().startswith(";"):
            yield line, {str(field): value for field, value in enumerate(text.split(), 1)}


def _csv_rows(columns: tuple[str, ...]) -> Rows:
    def rows(file: TextIO, path: str) -> Iterator[tuple[int, Row]]:
        table = csv.reader(file)
        header = [name.strip() for name in next(table, [])]
        if wrong := wrong_separator(",".join(header)):
            raise TraceError(path, 1, wrong)
        missing = [name for name in columns if name not in header]
        if missing:
            raise TraceError(path, 1, f"no column {', '.join(missing)} (wanted: {','.join(columns)})")
        for fields in table:
            if len(fields) > len(header):
                raise TraceError(
                    path, table.line_num,
                    f"{len(fields)} cells, and the header has {len(header)}; decimal commas split cells in two. "
                    "Write 1.5 for 1,5",
                )  # fmt: skip
            if fields:
                yield table.line_num, dict(zip(header, fields, strict=False))

    return rows


def _swf_job(row: Row) -> TraceJob:
    if len(row) < 5:
        raise ValueError(f"{len(row)} fields where the Standard Workload Format has 18")
    allocated = _gpus(row, "5", "field 5 (processors)", least=-1)
    gpus = _gpus(row, "8", "field 8 (requested processors)") if allocated == -1 else allocated
    if gpus < 1:
        raise ValueError("no processors")
    return TraceJob(row["1"], _seconds(row, "2", "field 2 (submit)"), _seconds(row, "4", "field 4 (run time)"), gpus)


def _alibaba_job(row: Row) -> TraceJob:
    gpus = _gpus(row, "num_gpu", "num_gpu", least=0)
    if gpus == 0:
        raise _LeftOut("asks for no GPU")
    if not row.get("scheduled_time", "0").strip():
        raise _LeftOut("was never scheduled")
    submit = _seconds(row, "creation_time", "creation_time")
    start = _seconds(row, "scheduled_time", "scheduled_time")
    end = _seconds(row, "deletion_time", "deletion_time")
    if end < start:
        raise ValueError(f"deleted at {end:g} s, before it was scheduled at {start:g} s")
    return TraceJob(row["name"], submit, end - start, gpus)


def _csv_job(row: Row) -> TraceJob:
    submit, run = _seconds(row, "submit_s", "submit_s"), _seconds(row, "run_s", "run_s")
    return TraceJob(row["job"], submit, run, _gpus(row, "gpus", "gpus"))


def _seconds(row: Row, key: str, name: str) -> float:
    text = row.get(key, "").strip()
    if wrong := wrong_notation(text):
        raise ValueError(f"{name} = {wrong}")
    try:
        seconds = float(text)
    except ValueError:
        raise ValueError(f"{name} is not a number: {text!r}") from None
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{name} is {text}: not a time")
    return seconds


def _gpus(row: Row, key: str, name: str, least: int = 1) -> int:
    text = row.get(key, "").strip()
    if wrong := wrong_notation(text):
        raise ValueError(f"{name} = {wrong}")
    try:
        gpus = int(text)
    except ValueError:
        raise ValueError(f"{name} is not a whole number: {text!r}") from None
    if gpus < least:
        raise ValueError(f"{name} is {gpus}: at least {least} is needed")
    return gpus
