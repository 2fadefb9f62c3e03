"""Test job logs: properties of every format, the CSV format, and Alibaba's pods. See also test_swf.py."""

import gzip
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from hardware.job_logs.log import JobLog, JobLogError, LoggedJob
from hardware.job_logs.registry import FORMATS, guess_format, parse_job_log, read_job_log
from tests.support.clusters import ALIBABA, NASA, trace
from tests.support.job_log_samples import BAD, GOOD, JOBS

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "log.txt"
        path.write_text(text)
        return path

    return write


def parsed(text: str | bytes, name: str, *, skip_bad: bool = False) -> JobLog:
    content = text.encode() if isinstance(text, str) else text
    return parse_job_log(BytesIO(content), "log", name, skip_bad=skip_bad)


def test_samples_cover_every_format() -> None:
    assert set(FORMATS) == set(GOOD) == set(BAD) == set(JOBS)


@pytest.fixture(params=sorted(FORMATS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_read_log_of_good_lines_returns_their_jobs(name: str) -> None:
    assert parsed(GOOD[name], name).jobs == JOBS[name]


def test_read_log_gzipped_returns_the_same_jobs_under_any_name(name: str, tmp_path: Path) -> None:
    for ending in ("gz", "GZ", "txt"):
        packed = tmp_path / f"log.{ending}"
        packed.write_bytes(gzip.compress(GOOD[name].encode()))
        assert read_job_log(packed, name) == parsed(GOOD[name], name)


def test_read_log_with_a_byte_order_mark_returns_the_same_jobs(name: str) -> None:
    assert parsed(b"\xef\xbb\xbf" + GOOD[name].encode(), name) == parsed(GOOD[name], name)


def test_read_log_with_windows_line_ends_returns_the_same_jobs(name: str) -> None:
    assert parsed(GOOD[name].replace("\n", "\r\n"), name) == parsed(GOOD[name], name)


@pytest.mark.parametrize(("name", "bad"), [(name, bad) for name in BAD for bad in BAD[name]])
def test_read_log_with_a_bad_line_names_it_or_skips_it(name: str, bad: str) -> None:
    text = GOOD[name] + bad + "\n"
    with pytest.raises(JobLogError) as caught:
        parsed(text, name)
    error = caught.value
    assert (error.path, error.line) == ("log", len(GOOD[name].splitlines()) + 1)
    assert str(error) == f"log, line {error.line}: {error.reason}"
    assert "--skip-bad" in error.reason
    log = parsed(text, name, skip_bad=True)
    assert (log.jobs, log.skipped) == (JOBS[name], 1)


@pytest.mark.parametrize("name", ["csv", "alibaba"])
def test_read_log_with_a_missing_column_raises_even_if_bad_lines_are_skipped(name: str) -> None:
    with pytest.raises(JobLogError, match="line 1: no column"):
        parsed("job,run_s\n1,2\n", name, skip_bad=True)
    with pytest.raises(JobLogError, match="the table is empty"):
        parsed("", name)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("job;submit_s;run_s;gpus\n1;0;1;1\n", "line 1: the header's columns are separated by semicolons"),
        ("job\tsubmit_s\trun_s\tgpus\n1\t0\t1\t1\n", "line 1: the header's columns are separated by tabs"),
        ("job,submit_s,run_s,gpus\na,0,3,5,2\n", "line 2: 5 cells, and the header has 4; decimal commas"),
        ("job,submit_s,run_s,gpus\na,0,3\n", "line 2: 3 cells, and the header has 4"),
        ("job,submit_s,run_s,gpus,gpus\na,0,10,2,7\n", "line 1: two columns are called 'gpus'"),
        ("Job,submit_s,run_s,gpus\na,0,10,2\n", "line 1: no column job .*; did you mean job by 'Job'?"),
        ('job,submit_s,run_s,gpus\n1,0,"1,5",1\n', "line 2: run_s = '1,5' has a comma"),
        ("job,submit_s,run_s,gpus\n1,0,1_000,1\n", "line 2: run_s = '1_000' has an underscore"),
        ("job,submit_s,run_s,gpus\n1,0,1,1_0\n", "line 2: gpus = '1_0' has an underscore"),
        ("job,submit_s,run_s,gpus\n1,0,1,2.5\n", "line 2: gpus = '2.5' is not a whole number"),
        ("job,submit_s,run_s,gpus\n1,0,1,٣\n", "line 2: gpus = '٣' is not a number"),
        ('job,submit_s,run_s,gpus\n"1,0,1,1\n', "line 2: not a CSV file"),
        ('job,submit_s,run_s,gpus\n"1"x,0,1,1\n', "line 2: not a CSV file"),
        ('job,submit_s,run_s,gpus\n"a,0,1,1\nb",0,1,1\n', "line 3: a cell contains a line break"),
        ("job,submit_s,run_s,gpus,\n1,0,1,1,7\n", "line 2: a cell stands in a column without a name"),
        ("job,submit_s,run_s,gpus\n1,0,1,1\0\n", "zero bytes"),
    ],
)
def test_read_csv_with_an_error_names_its_cause(text: str, reason: str) -> None:
    with pytest.raises(JobLogError, match=reason):
        parsed(text, "csv")


def test_read_csv_accepts_whole_numbers_with_a_decimal_point() -> None:
    log = parsed("job,submit_s,run_s,gpus\na,0.0,3.5,2.0\n", "csv")
    assert log.jobs == [LoggedJob("a", 0, 3.5, 2)]


def test_read_csv_accepts_empty_columns_at_the_end() -> None:
    log = parsed("job,submit_s,run_s,gpus,,\na,0,3,2,,\n,,,,,\n", "csv")
    assert log.jobs == [LoggedJob("a", 0, 3, 2)]


def test_read_csv_reports_unused_columns() -> None:
    log = parsed("job,submit_s,run_s,gpus,user\na,0,3,2,me\n", "csv")
    assert log.notes == ("columns that are not read: user",)


def test_read_log_of_a_packed_or_binary_file_names_the_cause(name: str, tmp_path: Path) -> None:
    packed = tmp_path / "log.gz"
    packed.write_bytes(b"not packed at all")
    with pytest.raises(JobLogError, match="gzip"):
        read_job_log(packed, name)
    packed.write_bytes(gzip.compress((GOOD[name] + GOOD[name].splitlines()[-1] * 1000).encode())[:-20])
    with pytest.raises(JobLogError, match="gzip"):
        read_job_log(packed, name)
    with pytest.raises(JobLogError, match="UTF-8"):
        parsed(b"\xff\xfe\x00\x81" * 100, name)
    with pytest.raises(JobLogError, match="a zip archive; allowed: one log"):
        parsed(b"PK\x03\x04" + bytes(100), name)
    with pytest.raises(FileNotFoundError):
        read_job_log(tmp_path / "nowhere", name)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a.swf", "swf"),
        ("A.SWF", "swf"),
        ("A.SWF.GZ", "swf"),
        ("openb_pods.csv", "alibaba"),
        ("jobs.csv", "csv"),
    ],
)
def test_guess_format_uses_the_file_name(file: str, name: str) -> None:
    assert guess_format(Path(file)) == name


def test_read_csv_of_another_format_names_that_format() -> None:
    for name in sorted(set(GOOD) - {"csv"}):
        with pytest.raises(JobLogError, match=rf"--format {name}\b"):
            parsed(GOOD[name], "csv")


def test_read_alibaba_omits_pods_without_gpu_or_start_and_reports_changes() -> None:
    header = GOOD["alibaba"].splitlines()[0] + ",pod_phase\n"
    rows = "a,1,0,0,0,5,0,Running\nb,1,1,1000,0,5,,Pending\nc,1,1,300,1,5,2,Running\n"
    log = parsed(header + rows, "alibaba")
    assert log.jobs == [LoggedJob("c", 0, 3, 1)]
    assert log.left_out == {"asks for no GPU": 1, "was never scheduled": 1}
    assert log.changed == {
        "asks for a part of a GPU: has a whole one": 1,
        "still ran at the end of the log: cut there": 1,
    }


def test_read_log_of_nasa_returns_all_jobs() -> None:
    log = read_job_log(trace(NASA), "swf")
    assert (len(log.jobs), log.skipped, log.left_out, log.changed) == (18_239, 0, {}, {})
    assert log.jobs[5] == LoggedJob("57", 25574, 10, 1)
    assert max(job.gpus for job in log.jobs) == 128
    assert log.size is not None and log.size.gpus == 128


def test_read_log_of_alibaba_reports_omitted_and_changed_jobs() -> None:
    log = read_job_log(trace(ALIBABA), "alibaba")
    assert len(log.jobs) + sum(log.left_out.values()) == 8_152
    assert log.left_out == {"asks for no GPU": 1088, "was never scheduled": 861}
    assert sorted(log.changed.values()) == [2573, 4149]
    assert log.jobs[0] == LoggedJob("openb-pod-0000", 0, 12537496, 1)
