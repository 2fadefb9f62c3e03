"""Public formats: which rows are jobs, and how unknown, cancelled, restarted and unfinished jobs are read."""

import json
from io import BytesIO
from typing import Any

import pytest

from hardware.job_logs.log import JobLog, JobLogError, LoggedJob
from hardware.job_logs.registry import parse_job_log
from tests.support.job_log_samples import GOOD


def parsed(text: str, name: str, *, skip_bad: bool = False) -> JobLog:
    return parse_job_log(BytesIO(text.encode()), "log", name, skip_bad=skip_bad)


# --- Helios -----------------------------------------------------------------------------------------------------------

HELIOS = "job_id,user,vc,gpu_num,state,submit_time,start_time,end_time,duration\n"
DAY = "2020-06-09 18:00:"


def helios(job: str, gpus: int, start: str, end: str, duration: str, vc: str = "v") -> str:
    times = [f"{DAY}{each}" if each.isdigit() else each for each in (start, end)]
    return f"{job},u,{vc},{gpus},COMPLETED,{DAY}00,{','.join(times)},{duration}\n"


def test_helios_jobs_without_gpu_or_start_are_omitted() -> None:
    log = parsed(HELIOS + helios("a", 0, "00", "09", "9") + helios("b", 1, "None", "None", "0"), "helios")
    assert (log.jobs, log.left_out) == ([], {"asks for no GPU": 1, "never ran": 1})


def test_helios_running_jobs_end_at_the_latest_time() -> None:
    log = parsed(HELIOS + helios("a", 1, "05", "", "") + helios("b", 2, "00", "40", "40"), "helios")
    assert log.jobs == [LoggedJob("a", 0, 35, 1), LoggedJob("b", 0, 40, 2)]
    assert log.changed == {"still ran at the end of the log: cut there": 1}


def test_helios_inconsistent_durations_and_virtual_clusters_are_reported() -> None:
    log = parsed(HELIOS + helios("a", 1, "00", "09", "8", "v") + helios("b", 1, "00", "09", "9", "w"), "helios")
    assert [job.run_s for job in log.jobs] == [8, 9]
    assert log.changed == {"duration differs from end_time - start_time: duration is taken": 1}
    assert log.notes == ("the 2 virtual clusters of the log share one pool of GPUs",)


# --- sacct ------------------------------------------------------------------------------------------------------------

SACCT = "JobID|State|Submit|Start|ElapsedRaw|TimelimitRaw|Priority|AllocTRES|\n"


def sacct(job: str, state: str, run: int, tres: str = "cpu=8,gres/gpu=2,gres/gpu:a100=2", start: str = "") -> str:
    return f"{job}|{state}|2024-05-28T10:00:00|{start or '2024-05-28T10:00:05'}|{run}|60|4294901760|{tres}|\n"


def test_sacct_rows_give_gpus_time_limit_and_priority() -> None:
    log = parsed(SACCT + sacct("7", "COMPLETED", 9) + sacct("7.batch", "COMPLETED", 9, "cpu=8"), "sacct")
    assert log.jobs == [LoggedJob("7", 0, 9, 2, 4294901760, 3600)]
    assert (log.left_out, log.has_priorities) == ({"step of a job": 1}, True)


def test_sacct_jobs_without_start_or_gpu_are_omitted() -> None:
    rows = [
        sacct("1", "PENDING", 0, "", "Unknown"),
        sacct("2_[3-9]", "PENDING", 0, "", "Unknown"),
        sacct("3", "CANCELLED by 7", 0, "", "None"),
        sacct("4", "CANCELLED by 7", 0, ""),
        sacct("5", "COMPLETED", 9, "cpu=8,mem=64G"),
    ]
    log = parsed(SACCT + "".join(rows), "sacct")
    assert (log.jobs, log.left_out) == ([], {"never ran": 4, "asks for no GPU": 1})


def test_sacct_rows_of_a_requeued_job_are_merged() -> None:
    log = parsed(SACCT + sacct("7", "NODE_FAIL", 9) + sacct("7", "COMPLETED", 4, "gres/gpu:a=1,gres/gpu:b=3"), "sacct")
    assert log.jobs == [LoggedJob("7", 0, 13, 4, 4294901760, 3600)]
    assert log.changed == {"was restarted: its run times are added": 1}


def test_sacct_running_jobs_have_their_elapsed_time() -> None:
    log = parsed(SACCT + sacct("7", "RUNNING", 9), "sacct")
    assert ([job.run_s for job in log.jobs], log.changed) == ([9], {"still ran at the end of the log: cut there": 1})


@pytest.mark.parametrize(
    ("elapsed", "limit", "run", "requested"),
    [
        ("1-02:03:04", "UNLIMITED", 93784, None),
        ("00:09", "Partition_Limit", 9, None),
        ("02:00:00", "7-00:00:00", 7200, 604800),
    ],
)
def test_sacct_durations_are_parsed(elapsed: str, limit: str, run: int, requested: Any) -> None:
    header = "JobID|State|Submit|Start|Elapsed|Timelimit|ReqTRES\n"
    log = parsed(f"{header}1|COMPLETED|1700000000|1700000000|{elapsed}|{limit}|gres/gpu=1\n", "sacct")
    assert log.jobs == [LoggedJob("1", 0, run, 1, 0, requested)]


def test_sacct_without_gpu_columns_names_them() -> None:
    with pytest.raises(JobLogError, match="no column AllocTRES or ReqTRES"):
        parsed("JobID|State|Submit|Start|Elapsed\n", "sacct")


# --- Philly -----------------------------------------------------------------------------------------------------------


def philly(*attempts: tuple[int | None, int | None, int], job: str = "a") -> dict[str, Any]:
    def at(second: int | None) -> str | None:
        return None if second is None else f"2017-10-07 01:00:{second:02}"

    return {
        "jobid": job,
        "submitted_time": "2017-10-07 01:00:00",
        "vc": "v",
        "status": "Pass",
        "user": "u",
        "attempts": [
            {"start_time": at(start), "end_time": at(end), "detail": [{"ip": "m", "gpus": ["g"] * gpus}]}
            for start, end, gpus in attempts
        ],
    }


def test_philly_attempts_are_added_and_jobs_without_attempts_omitted() -> None:
    log = parsed(json.dumps([philly((1, 4, 2), (10, 20, 8)), philly()]), "philly")
    assert log.jobs == [LoggedJob("a", 0, 13, 8)]
    assert log.left_out == {"never ran": 1}
    assert log.changed == {
        "was restarted: its run times are added": 1,
        "has attempts of different sizes: the largest is taken": 1,
    }


def test_philly_attempts_without_start_or_end_are_ignored() -> None:
    log = parsed(json.dumps([philly((None, 4, 2), (1, None, 2), (5, 9, 2)), philly((None, None, 1))]), "philly")
    assert [job.run_s for job in log.jobs] == [4]
    assert log.left_out == {"has no attempt with start, end and GPUs": 1}
    assert log.changed == {"has an attempt without start, end or GPUs: the attempt is not counted": 1}


def test_philly_running_jobs_end_at_the_latest_time() -> None:
    log = parsed(json.dumps([philly((1, 4, 1), (10, None, 1)), philly((0, 50, 1), job="b")]), "philly")
    assert log.jobs == [LoggedJob("a", 0, 43, 1), LoggedJob("b", 0, 50, 1)]
    assert log.changed["still ran at the end of the log: cut there"] == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[1]", "entry 1: jobid = 'None' is not a text"),
        ("{}", "not a list of jobs"),
        ("[", "line 1: not valid JSON"),
        ('[{"jobid": "a", "jobid": "b"}]', "a key stands twice"),
        ("[NaN]", "NaN is not a number of JSON"),
        (json.dumps([philly((9, 1, 1))]), "entry 1: end_time = .* is before start_time"),
        ("[" * 100_000, "not valid JSON"),
        (json.dumps([philly() | {"attempts": 3}]), "entry 1: attempts = '3' is not a list"),
        (json.dumps([philly() | {"attempts": [3]}]), "entry 1: '3' is not an attempt"),
        (json.dumps([philly() | {"submitted_time": 3}]), "entry 1: submitted_time = '3' is not a text"),
    ],
)
def test_philly_json_with_an_error_names_its_entry(text: str, reason: str) -> None:
    with pytest.raises(JobLogError, match=reason):
        parsed(text, "philly")


# --- PAI --------------------------------------------------------------------------------------------------------------


def pai(job: str, instances: float, start: str, end: str, gpu: str, status: str = "Terminated") -> str:
    return f"{job},t,{instances},{status},{start},{end},600.0,29.3,{gpu},MISC\n"


def test_pai_tasks_of_a_job_form_one_gang_of_whole_gpus() -> None:
    log = parsed(pai("a", 2.0, "5.0", "9.0", "50.0") + pai("a", 1.0, "7.0", "20.0", "250.0"), "pai")
    assert log.jobs == [LoggedJob("a", 0, 15, 5)]
    assert log.changed == {
        "asks for a part of a GPU: has a whole one": 1,
        "has several tasks with GPUs: one gang from the first start to the last end": 1,
    }
    assert log.notes == ("the table has no submissions: a job is submitted when its first task was launched",)


def test_pai_tasks_without_gpu_start_or_end_are_omitted() -> None:
    rows = (
        pai("a", 1, "5.0", "9.0", "")
        + pai("b", 1, "", "", "100.0", "Waiting")
        + pai("c", 1, "5.0", "", "100.0", "Failed")
    )
    log = parsed(rows, "pai")
    assert log.jobs == []
    assert log.left_out == {"task that asks for no GPU": 1, "task that never ran": 1, "task without an end": 1}


def test_pai_running_jobs_end_at_the_latest_time() -> None:
    log = parsed(pai("a", 1, "5.0", "", "100.0", "Running") + pai("b", 1, "0.0", "30.0", "100.0"), "pai")
    assert log.jobs == [LoggedJob("a", 5, 25, 1), LoggedJob("b", 0, 30, 1)]


def test_pai_tables_with_a_header_are_read_by_name() -> None:
    header = "plan_gpu,job_name,task_name,inst_num,status,start_time,end_time\n"
    assert parsed(header + "400.0,1,w,1.0,Terminated,7,17\n", "pai").jobs == [LoggedJob("1", 0, 10, 4)]


# --- Borg -------------------------------------------------------------------------------------------------------------


def borg(second: float, kind: int, task: int = 0, missing: str = "") -> str:
    return f"{int(second * 1e6)},{missing},1,{task},,{kind},u,2,9,0.1,0.1,0.1,\n"


def test_borg_run_times_between_evictions_are_added() -> None:
    events = borg(1, 0) + borg(2, 1) + borg(4.5, 2) + borg(4.5, 0) + borg(9, 8) + borg(10, 1) + borg(20, 4)
    log = parsed(events, "borg")
    assert log.jobs == [LoggedJob("1/0", 0, 12.5, 1, 9)]
    assert log.changed == {"was restarted: its run times are added": 1}
    assert log.notes == ("a task holds one GPU: the log contains shares of machines",)


def test_borg_tasks_beyond_the_trace_are_truncated_and_reported() -> None:
    events = borg(0, 0) + borg(0, 1) + borg(3, 1, 1) + borg(8, 5, 0) + f"{2**63 - 1},,1,1,,4,u,2,9,,,,\n"
    log = parsed(events, "borg")
    assert log.jobs == [LoggedJob("1/0", 0, 8, 1, 9), LoggedJob("1/1", 3, 5, 1, 9)]
    assert log.changed == {
        "was there before the log began: taken from there": 2,
        "still ran at the end of the log: cut there": 1,
    }


def test_borg_tasks_that_never_ran_are_omitted() -> None:
    log = parsed(borg(1, 0) + borg(5, 5), "borg")
    assert (log.jobs, log.left_out) == ([], {"never ran": 1})


def test_borg_missing_or_reconstructed_events_are_reported() -> None:
    log = parsed(borg(1, 0) + borg(2, 1) + borg(3, 1) + borg(5, 6, missing="1"), "borg")
    assert [job.run_s for job in log.jobs] == [3]
    assert sorted(log.changed) == [
        "has an event that the trace's authors reconstructed",
        "has an event without the one before it",
    ]


def test_borg_job_events_have_one_gpu_each() -> None:
    log = parsed("1000000,,7,0,u,2,n,l\n2000000,,7,1,u,2,n,l\n5000000,,7,4,u,2,n,l\n", "borg")
    assert (log.jobs, log.has_priorities) == ([LoggedJob("7", 0, 3, 1)], False)
    assert log.notes == ("a job holds one GPU: the log contains shares of machines",)


def test_borg_table_of_unknown_width_raises() -> None:
    with pytest.raises(JobLogError, match=r"3 columns; allowed: 13 \(task_events\), 8 \(job_events\)"):
        parsed("1,2,3\n", "borg")


@pytest.mark.parametrize("name", sorted(GOOD))
def test_read_good_log_omits_no_job(name: str) -> None:
    log = parsed(GOOD[name], name)
    assert (log.left_out, log.changed, log.skipped) == ({}, {}, 0)
