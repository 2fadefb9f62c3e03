"""Damaged logs: each is refused with a sentence, or read as an independent reader of the narrow grammar reads it.

The slow tests try 30,000 damaged logs, the others a few thousand.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from io import BytesIO
from random import Random

import pytest

from hardware.job_logs.log import JobLog, JobLogError, LoggedJob
from hardware.job_logs.registry import parse_job_log
from hardware.replay import replay
from tests.support.clusters import params
from tests.support.job_log_samples import GOOD

QUICK, SLOW = 2_000, 15_000
NUMBER = re.compile(r"[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,3})?")
WORDS = [
    "",
    "-1",
    "0",
    "1",
    "2.0",
    "2.5",
    "1_0",
    "1,5",
    "٣",
    "nan",
    "inf",
    "1e3",
    "1e999",
    "-0",
    "+4",
    "0x10",
    " 7 ",
    "9" * 30,
    "99999999999",
    "None",
    '"',
    '"3"',
    "a;b",
    "\ufeff",
    "\0",
    "\x0b",
    "1700000000000000000",
]

CSV = "job,submit_s,run_s,gpus,priority\n" + "".join(
    f"j{number},{1000 + 3 * number},{7 * number % 5},{1 + number % 4},{number % 3}\n" for number in range(6)
)
SWF = "; Version: 2.2\n; MaxProcs: 8\n" + "".join(
    f"{number} {1000 + 3 * number} -1 {7 * number % 5} {1 + number % 4} -1 -1 {2 + number % 3} {9 * number} -1 "
    f"{[1, 0, 2, 5, 3, 1][number]} 1 1 1 1 -1 -1 -1\n"
    for number in range(6)
)


def damaged(random: Random, text: str, separator: str) -> bytes:
    """Return a log with one to three random changes."""
    for _ in range(random.randint(1, 3)):
        lines = text.split("\n")
        place = random.randrange(len(lines))
        cells = lines[place].split(separator)
        cell = random.randrange(len(cells))
        kind = random.randrange(10)
        if kind <= 2:
            cells[cell] = random.choice(WORDS)
        elif kind == 3:
            cells.insert(cell, random.choice([*WORDS, *cells]))
        elif kind == 4:
            del cells[cell]
        elif kind == 5:
            other = random.randrange(len(cells))
            cells[cell], cells[other] = cells[other], cells[cell]
        lines[place] = separator.join(cells)
        if kind == 6:
            lines.insert(place, random.choice(lines))
        elif kind == 7:
            del lines[place]
        text = _with_damaged_text(random, "\n".join(lines), kind)
    content = text.encode()
    if random.random() < 0.1 and content:
        at = random.randrange(len(content))
        content = content[:at] + bytes([content[at] ^ 1 << random.randrange(8)]) + content[at + 1 :]
    return content


def _with_damaged_text(random: Random, text: str, kind: int) -> str:
    """Return the text with one character put in or replaced, cut short, or as it is."""
    if kind == 8 and text:
        at = random.randrange(len(text))
        return text[:at] + random.choice(",;| \t\r\n\"'.0159-_eE\0é") + text[at + random.randint(0, 1) :]
    if kind == 9:
        return text[: random.randrange(len(text) + 1)]
    return text


def number(text: str) -> Decimal:
    if not NUMBER.fullmatch(text):
        raise ValueError(text)
    return Decimal(text)


def rows_of_csv(text: str) -> list[tuple[str, Decimal, Decimal, Decimal, Decimal]]:
    """Read a CSV log without quotes. Raises ValueError or KeyError for any other text."""
    text = re.sub(r'(^|[,\n])[ \t]*"([^",\n]*)"[ \t]*(?=[,\r\n]|$)', r"\1\2", text.removeprefix("\ufeff"))
    lines = [[cell.strip() for cell in line.split(",")] for line in re.split(r"\r\n|\n|\r", text)]
    header, *rows = [line for line in lines if any(line)]
    found = []
    for row in rows:
        cells = dict(zip(header, row, strict=True))
        priority = number(cells["priority"]) if "priority" in cells else Decimal(0)
        found.append((cells["job"], number(cells["submit_s"]), number(cells["run_s"]), number(cells["gpus"]), priority))
    return found


def rows_of_swf(text: str) -> list[tuple[str, Decimal, Decimal, Decimal, Decimal]]:
    """Read the jobs of an SWF log."""
    found = []
    for line in text.removeprefix("\ufeff").split("\n"):
        fields = line.split(";")[0].split()
        if not fields or line.strip().startswith(";"):
            continue
        status = number(fields[10]) if len(fields) > 10 else -1
        if status in (2, 3, 4):
            continue
        allocated, run = number(fields[4]), fields[3]
        unused = allocated == 0 or (allocated == -1 and NUMBER.fullmatch(run) and number(run) == 0)
        if status == 5 and (unused or number(run) == -1):
            continue
        gpus = number(fields[7]) if allocated == -1 else allocated
        found.append((str(int(number(fields[0]))), number(fields[1]), number(fields[3]), gpus, Decimal(0)))
    return found


def as_read(log: JobLog) -> list[tuple[str, float, float, int, int]]:
    return [(job.job, job.submit_s, job.run_s, job.gpus, job.priority) for job in log.jobs]


def expected(rows: list[tuple[str, Decimal, Decimal, Decimal, Decimal]]) -> list[tuple[str, float, float, int, int]]:
    origin = min((row[1] for row in rows), default=Decimal(0))
    return [(job, float(at - origin), float(run), int(gpus), int(rank)) for job, at, run, gpus, rank in rows]


Rows = Callable[[str], list[tuple[str, Decimal, Decimal, Decimal, Decimal]]]
FORMATS: dict[str, tuple[str, str, Rows]] = {"csv": (CSV, ",", rows_of_csv), "swf": (SWF, " ", rows_of_swf)}


def check(name: str, seed: int) -> bool:
    """Damage a log and read it; return whether it could be read."""
    text, separator, rows = FORMATS[name]
    content = damaged(Random(seed), text, separator)
    try:
        log = parse_job_log(BytesIO(content), "log", name)
    except JobLogError as error:
        assert str(error).startswith("log") and "\n" not in str(error), (seed, content)
        skipped = _skipping(content, name)
        assert skipped is None or skipped.skipped > 0, (seed, content)
        return False
    plain = content.decode("utf-8", errors="replace")
    assert as_read(log) == expected(rows(plain)), (seed, content)
    assert all(job.gpus >= 1 and job.run_s >= 0 for job in log.jobs), (seed, content)
    return True


def _skipping(content: bytes, name: str) -> JobLog | None:
    try:
        return parse_job_log(BytesIO(content), "log", name, skip_bad=True)
    except JobLogError:
        return None


@pytest.mark.parametrize("name", FORMATS)
def test_read_damaged_log_returns_correct_jobs_or_raises(name: str) -> None:
    read = sum(check(name, seed) for seed in range(QUICK))
    assert QUICK / 20 < read < QUICK * 0.9  # neither all nor none are refused


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_read_many_damaged_logs_returns_correct_jobs_or_raises(name: str) -> None:
    for seed in range(QUICK, QUICK + SLOW):
        check(name, seed)


@pytest.mark.parametrize("name", sorted(set(GOOD) - set(FORMATS)))
def test_read_damaged_public_log_raises_job_log_errors_only(name: str) -> None:
    separator = "|" if name == "sacct" else ","
    for seed in range(QUICK // 10):
        content = damaged(Random(seed), GOOD[name], separator)
        try:
            log = parse_job_log(BytesIO(content), "log", name)
        except JobLogError as error:
            assert str(error).startswith("log") and "\n" not in str(error), (seed, content)
        else:
            assert all(job.gpus >= 1 and job.run_s >= 0 and job.submit_s >= 0 for job in log.jobs), (seed, content)


@pytest.mark.parametrize("queue", ["fcfs", "priority", "sjf", "easy"])
def test_replay_with_any_time_origin_gives_the_same_waits(queue: str) -> None:
    for seed in range(50):
        random = Random(seed)
        times = [Decimal(random.randrange(400)) / random.choice([1, 4, 10]) for _ in range(8)]
        rows = [f"{time},{random.randrange(50) / 4},{random.randint(1, 4)}" for time in times]
        moved = Decimal(random.choice(["0.1", "1700000000", "1700000000000000000.7", "12345678901234567890123"]))
        waits = []
        for origin in (Decimal(0), moved):
            shifted = [f"j,{origin + Decimal(row.split(',', 1)[0]):f},{row.split(',', 1)[1]}" for row in rows]
            text = "job,submit_s,run_s,gpus\n" + "\n".join(shifted)
            log = parse_job_log(BytesIO(text.encode()), "log", "csv")
            waits.append(replay(log.jobs, params(gpus=4, queue=queue)).waits.tolist())
        assert waits[0] == waits[1], (seed, moved)


def test_independent_reader_detects_a_changed_log() -> None:
    log = parse_job_log(BytesIO(CSV.encode()), "log", "csv")
    assert as_read(log) == expected(rows_of_csv(CSV))
    other = log._replace(jobs=[*log.jobs[:-1], LoggedJob("j5", 15, 0, 3)])
    assert as_read(other) != expected(rows_of_csv(CSV))
