"""Test the Standard Workload Format: its jobs, its header, and its unknown values."""

from io import BytesIO

import pytest

from hardware.job_logs import swf
from hardware.job_logs.log import JobLog, JobLogError
from hardware.job_logs.registry import parse_job_log
from hardware.replay import replay
from tests.support.clusters import params

JOB = "1 0 0 10 8 -1 -1 8 20 -1 1 1 1 1 1 -1 -1 -1\n"


def parsed(text: str | bytes, *, skip_bad: bool = False) -> JobLog:
    content = text.encode() if isinstance(text, str) else text
    return parse_job_log(BytesIO(content), "log.swf", "swf", skip_bad=skip_bad)


def test_swf_partial_executions_with_a_summary_are_omitted() -> None:
    log = parsed(
        "; MaxProcs: 8\n"
        "1 0 0 300 8 -1 -1 8 400 -1 1 1 1 1 1 -1 -1 -1\n"
        "1 0 0 100 8 -1 -1 8 400 -1 2 1 1 1 1 -1 -1 -1\n"
        "1 0 50 200 8 -1 -1 8 400 -1 3 1 1 1 1 -1 -1 -1\n"
        "2 10 300 10 8 -1 -1 8 20 -1 1 1 1 1 1 -1 -1 -1\n"
    )
    assert log.left_out == {swf.PART: 2}
    assert replay(log.jobs, params(gpus=8)).waits.tolist() == [0, 290]


def test_swf_partial_executions_without_a_summary_are_omitted_and_counted_separately() -> None:
    log = parsed(JOB + "2 -1 0 10 8 -1 -1 8 20 -1 2 1 1 1 1 -1 -1 -1\n2 -1 0 10 8 -1 -1 8 20 -1 4 1 1 1 1 -1 -1 -1\n")
    assert (len(log.jobs), log.left_out) == (1, {swf.LONE_PART: 2})


@pytest.mark.parametrize(
    "line",
    [
        "2 10 50 -1 -1 -1 -1 8 200 -1 5",
        "2 10 50 0 0 -1 -1 8 200 -1 5",
        "2 10 50 -1 8 -1 -1 8 200 -1 5",
        "2 10 50 0 -1 -1 -1 8 200 -1 5",
    ],
)
def test_swf_jobs_cancelled_before_their_start_are_omitted(line: str) -> None:
    log = parsed(f"{JOB}{line} 1 1 1 1 -1 -1 -1\n")
    assert (len(log.jobs), log.left_out) == (1, {swf.NEVER_RAN: 1})


def test_swf_jobs_cancelled_after_their_start_are_kept() -> None:
    assert len(parsed(JOB + "2 10 50 3 8 -1 -1 8 200 -1 5 1 1 1 1 -1 -1 -1\n").jobs) == 2


@pytest.mark.parametrize("status", [-1, 0, 1])
def test_swf_job_without_run_time_and_not_cancelled_is_a_bad_line(status: int) -> None:
    line = f"2 10 50 -1 8 -1 -1 8 200 -1 {status} 1 1 1 1 -1 -1 -1\n"
    with pytest.raises(JobLogError, match=r"field 4 \(run time\) = '-1' is not a time; .*--skip-bad"):
        parsed(JOB + line)
    assert parsed(JOB + line, skip_bad=True).skipped == 1


def test_swf_unknown_status_is_a_bad_line() -> None:
    with pytest.raises(JobLogError, match=r"field 11 \(status\) = 6 is unknown; allowed: -1 to 5"):
        parsed("1 0 0 10 8 -1 -1 8 20 -1 6 1 1 1 1 -1 -1 -1\n")


@pytest.mark.parametrize(
    ("head", "size"),
    [
        ("\n; MaxProcs: 16\n", 16),
        (" ; MaxProcs: 16\n", 16),
        ("\ufeff; MaxProcs: 16\n", 16),
        (";MaxProcs:16\r\n", 16),
        ("; MaxProcs: 338 (batch partition, 4 more)\n", 338),
        ("; MaxNodes: 64\n", 64),
        ("; maxprocs: 16\n", 16),
        ("; MaxProcs: 8\n; MaxProcs: 16\n", 16),
        ("; MaxNodes: 4\n; MaxProcs: 16\n", 16),
        ("; MaxProcs: 1,024\n", None),
        ("; MaxProcs: -1\n", None),
        ("; MaxProcs: 1.5\n", None),
        ("; Note: MaxProcs: 9\n", None),
        ("", None),
    ],
)
def test_swf_header_gives_the_cluster_size(head: str, size: int | None) -> None:
    log = parsed(head + JOB)
    assert (log.size.gpus if log.size else None, len(log.jobs)) == (size, 1)


def test_swf_header_reports_assumptions_about_the_cluster_size() -> None:
    nodes = parsed("; MaxNodes: 64\n" + JOB).size
    assert nodes and nodes.note == "MaxNodes is stated without MaxProcs: one processor per node is assumed"
    grown = parsed("; MaxProcs: 8\n; MaxProcs: 16\n" + JOB).size
    assert grown and grown.note == "MaxProcs is stated as 8, 16: the largest is used"
    unclear = parsed("; MaxProcs: 1,024\n" + JOB)
    assert unclear.notes == ("the size of the cluster is not understood: 'MaxProcs: 1,024'",)


def test_swf_latin_1_comment_is_accepted() -> None:
    assert len(parsed("; Acknowledge: Jürgen\n".encode("latin-1") + JOB.encode()).jobs) == 1


def test_swf_comment_after_a_job_is_ignored() -> None:
    assert parsed(JOB.strip() + " ; the first\n").jobs == parsed(JOB).jobs


def test_swf_truncated_line_is_a_bad_line() -> None:
    with pytest.raises(JobLogError, match="line 2: 5 fields, and the lines above have 18"):
        parsed(JOB + "2 5 0 10 1")


def test_swf_requested_times_and_dependencies_are_read() -> None:
    log = parsed(JOB + "2 0 0 10 8 -1 -1 8 -1 -1 1 1 1 1 1 -1 1 60\n")
    assert [job.requested_s for job in log.jobs] == [20, None]
    assert log.changed == {swf.DEPENDS: 1}
