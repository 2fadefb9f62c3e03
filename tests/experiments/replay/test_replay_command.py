"""A job log through the cluster: formats, sizes, and the file of waits."""

import csv
import gzip
import json
from decimal import Decimal

import pytest

from tests.support.job_log_samples import GOOD

CSV = "job,submit_s,run_s,gpus\na,0,10,4\nb,1,5.5,4\nc,2,0,1\nd,3,2,2\n"
SWF = """; Computer: two of them
; MaxProcs: 4
  1 0 -1 10 4 -1 -1 4 -1 -1 1 1 1 1 1 -1 -1 -1
  2 1 -1  5 4 -1 -1 4 -1 -1 1 1 1 1 1 -1 -1 -1
"""
OPENB = """name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time
p0,1,1,1,1000,,LS,Running,0,20,0
p1,1,1,0,0,,LS,Running,0,20,0
"""


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(CSV)
    return path


def test_replay_json_has_the_waits_of_the_queue(asara, log):
    answer = asara("replay", log, "--gpus", 4, "--queue", "fcfs", "--json")
    assert (answer.code, answer.err) == (0, "")
    found = json.loads(answer.out)
    assert found == {
        "log": "log.csv",
        "format": "csv",
        "gpus": 4,
        "gpus_per_node": None,
        "queue": "fcfs",
        "placement": "flat",
        "estimates": None,
        "priorities": None,
        "jobs": 4,
        "skipped": 0,
        "left_out": {},
        "changed": {},
        "notes": [],
        "mean_wait_s": pytest.approx((0 + 9 + 13.5 + 12.5) / 4),
        "median_wait_s": pytest.approx((9 + 12.5) / 2),
        "p99_wait_s": pytest.approx(13.47),
        "utilisation": pytest.approx((40 + 22 + 4) / (4 * 17.5)),
    }


def test_replay_writes_waits_in_log_order(asara, log, tmp_path):
    assert asara("replay", log, "--gpus", 4, "--queue", "sjf", "--out", "new/waits.csv").code == 0
    with (tmp_path / "new" / "waits.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["job", "submit_s", "start_s", "wait_s", "run_s", "gpus"]
    assert [row["job"] for row in rows] == ["a", "b", "c", "d"]
    assert [row["run_s"] for row in rows] == ["10", "5.5", "0", "2"]
    for row in rows:
        assert float(row["start_s"]) - float(row["submit_s"]) == pytest.approx(float(row["wait_s"]))


def test_replay_of_its_own_output_gives_the_same_figures(asara, log):
    asara("replay", log, "--gpus", 4, "--out", "waits.csv")
    again = json.loads(asara("replay", "waits.csv", "--gpus", 4, "--json").out)
    first = json.loads(asara("replay", log, "--gpus", 4, "--json").out)
    assert again.pop("notes") == ["columns that are not read: start_s, wait_s"]
    assert again | {"log": "", "notes": []} == first | {"log": ""}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(("name", "text", "format_name"), [("x.swf", SWF, "swf"), ("openb_x.csv", OPENB, "alibaba")])
def test_replay_guesses_the_format_from_the_file_name(asara, tmp_path, name, text, format_name, zipped):
    path = tmp_path / (name + ".gz" * zipped)
    path.write_bytes(gzip.compress(text.encode()) if zipped else text.encode())
    size = [] if format_name == "swf" else ["--gpus", 4]
    found = json.loads(asara("replay", path, *size, "--json").out)
    assert (found["format"], found["gpus"]) == (format_name, 4)
    named = asara("replay", path, *size, "--format", format_name, "--json")
    assert json.loads(named.out) == found


def test_replay_with_gpus_per_node_consolidates(asara, log):
    """Two jobs of 3 leave one GPU free on each node: a job of 2 starts at once on a flat cluster alone."""
    log.write_text("job,submit_s,run_s,gpus\na,0,10,3\nb,0,20,3\nc,1,5,2\n")
    flat = json.loads(asara("replay", log, "--gpus", 8, "--json").out)
    assert (flat["placement"], flat["mean_wait_s"]) == ("flat", 0)
    nodes = json.loads(asara("replay", log, "--gpus", 8, "--gpus-per-node", 4, "--json").out)
    assert (nodes["placement"], nodes["gpus_per_node"], nodes["mean_wait_s"]) == ("consolidated", 4, 3)


def test_replay_with_skip_bad_counts_bad_lines(asara, tmp_path):
    (tmp_path / "log.csv").write_text(CSV + "e,then,2,2\n")
    found = json.loads(asara("replay", "log.csv", "--gpus", 4, "--skip-bad", "--json").out)
    assert (found["jobs"], found["skipped"]) == (4, 1)


def test_replay_prints_a_table_without_json(asara, log):
    answer = asara("replay", log, "--gpus", 4)
    assert answer.code == 0
    assert "mean wait s" in answer.out
    assert "utilisation" in answer.out


def replayed(asara, tmp_path, text, *options, name="log.csv"):
    (tmp_path / name).write_text(text)
    return json.loads(asara("replay", name, *options, "--json").out)


PRIORITIES = "job,submit_s,run_s,gpus,priority\nlow,0,100,2,0\nmid,1,10,2,1\nhigh,2,10,2,9\n"


@pytest.mark.parametrize(
    ("queue", "starts"), [("fcfs", [0, 100, 110]), ("priority", [0, 110, 100]), ("easy", [0, 110, 100])]
)
def test_replay_priorities_of_the_log_are_used_by_priority_queues_only(asara, tmp_path, queue, starts):
    found = replayed(asara, tmp_path, PRIORITIES, "--gpus", 2, "--queue", queue, "--out", "waits.csv")
    with (tmp_path / "waits.csv").open(newline="") as file:
        assert [int(row["start_s"]) for row in csv.DictReader(file)] == starts
    assert found["priorities"] == (None if queue == "fcfs" else "from the log")
    unread = "--queue fcfs does not use the priorities of the log"
    assert (unread in found["notes"]) == (queue == "fcfs")


def test_replay_priority_without_priorities_in_the_log_reports_fcfs(asara, tmp_path):
    found = replayed(asara, tmp_path, CSV, "--gpus", 4, "--queue", "priority")
    assert found["notes"] == ["the log has no priorities, so --queue priority equals fcfs"]


REQUESTED = "; MaxProcs: 8\n" + "".join(
    f"{job} {job - 1} -1 {run} {gpus} -1 -1 {gpus} {asked} -1 1 1 1 1 1 -1 -1 -1\n"
    for job, run, gpus, asked in [(1, 10, 4, 20), (2, 100, 4, 5000), (3, 10, 8, 20), (4, 90, 4, 6000)]
)


@pytest.mark.parametrize(("estimates", "wait"), [(None, 7), ("exact", 7), ("requested", 108)])
def test_replay_easy_uses_exact_or_requested_run_times(asara, tmp_path, estimates, wait):
    options = ["--estimates", estimates] if estimates else []
    found = replayed(asara, tmp_path, REQUESTED, *options, "--out", "waits.csv", name="x.swf")
    with (tmp_path / "waits.csv").open(newline="") as file:
        assert [int(row["wait_s"]) for row in csv.DictReader(file)][3] == wait
    assert found["estimates"] == (estimates or "exact")
    unread = "the requested run times of the log are not used; --estimates requested uses them"
    assert found["notes"] == ([] if estimates == "requested" else [unread])


def test_replay_sjf_uses_requested_run_times(asara, tmp_path):
    text = "job,submit_s,run_s,gpus,requested_s\na,0,10,1,10\nb,1,5,1,9\nc,2,6,1,7\nd,3,9,1,\n"
    found = replayed(asara, tmp_path, text, "--gpus", 1, "--queue", "sjf", "--estimates", "requested")
    assert found["mean_wait_s"] == (0 + (16 - 1) + (10 - 2) + (21 - 3)) / 4
    assert found["changed"] == {"has no requested run time: its actual run time is used": 1}


def test_replay_reports_jobs_that_ran_for_longer_than_requested(asara, tmp_path):
    text = "job,submit_s,run_s,gpus,requested_s\na,0,10,1,5\n"
    found = replayed(asara, tmp_path, text, "--gpus", 1, "--estimates", "requested")
    assert found["changed"] == {"ran for longer than requested": 1}


def test_replay_missing_or_unused_requested_times_are_reported(asara, log, tmp_path):
    answer = asara("replay", log, "--gpus", 4, "--estimates", "requested")
    assert answer.code == 2
    assert f"--estimates = requested needs requested run times, and {log} has none; allowed: exact" in answer.err
    found = replayed(asara, tmp_path, CSV, "--gpus", 4, "--queue", "fcfs", "--estimates", "exact")
    assert found["notes"] == ["--estimates has no effect: --queue fcfs does not use run times"]


@pytest.mark.parametrize("origin", ["0", "1700000000000000000", "1700000000.25", "0.1"])
def test_replay_with_any_time_origin_gives_the_same_waits_and_exact_times(asara, tmp_path, origin):
    text = "job,submit_s,run_s,gpus\n" + "".join(f"j{number},{origin},100,1\n" for number in range(4))
    found = replayed(asara, tmp_path, text, "--gpus", 1, "--out", "waits.csv")
    assert (found["mean_wait_s"], found["utilisation"]) == (150, 1)
    with (tmp_path / "waits.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["wait_s"] for row in rows] == ["0", "100", "200", "300"]
    assert {row["submit_s"] for row in rows} == {origin}
    assert rows[1]["start_s"] == str(Decimal(origin) + 100)


@pytest.mark.parametrize("row", ["b,0,1e308,1", "b,9e18,1,1", "b,1700000000000000000,1,1"])
def test_replay_with_too_long_a_time_span_is_refused(asara, tmp_path, row):
    (tmp_path / "log.csv").write_text(f"job,submit_s,run_s,gpus\na,0,5e12,1\n{row}\n")
    answer = asara("replay", "log.csv", "--gpus", 1, "--json")
    assert answer.code == 2 and answer.out == "" and answer.err.count("\n") == 1
    assert "allowed: 0 or more seconds" in answer.err or "Are these nanoseconds? Convert them to seconds" in answer.err


def test_replay_with_skip_bad_omits_and_counts_jobs_larger_than_the_cluster(asara, tmp_path):
    found = replayed(asara, tmp_path, CSV, "--gpus", 2, "--skip-bad")
    assert (found["jobs"], found["left_out"]) == (2, {"larger than the cluster can give": 2})
    answer = asara("replay", "log.csv", "--gpus", 2)
    assert answer.code == 2
    assert "can give at most 2 at once. Add --skip-bad to leave out jobs that are too large" in answer.err


def test_replay_table_reports_omitted_and_changed_jobs_and_notes(asara, tmp_path):
    (tmp_path / "openb.csv").write_text(OPENB + "p2,1,1,1,460,,LS,Running,0,20,0\n")
    answer = asara("replay", "openb.csv", "--gpus", 4, "--queue", "priority")
    for text in (
        "1 (asks for no GPU)",
        "1 (asks for a part of a GPU: has a whole one)",
        "so --queue priority equals fcfs",
    ):
        assert text in answer.out


def test_replay_writes_its_file_before_printing(asara, log, tmp_path, monkeypatch):
    monkeypatch.setattr("experiments.replay.actions.print_table", _broken)
    with pytest.raises(RuntimeError):
        asara("replay", log, "--gpus", 4, "--out", "waits.csv")
    assert (tmp_path / "waits.csv").exists()


def _broken(_):
    raise RuntimeError


def test_replay_help_names_every_format(asara):
    from experiments.replay.command import FORMAT_NAMES
    from hardware.job_logs.registry import FORMATS

    assert list(FORMATS) == list(FORMAT_NAMES)
    assert "philly" in asara("replay", "--help").out


@pytest.mark.parametrize("name", ["alibaba", "pai", "philly", "helios", "sacct", "borg"])
def test_replay_of_a_public_format_names_it_and_reads_it_with_the_option(asara, tmp_path, name):
    (tmp_path / "log.txt").write_text(GOOD[name])
    answer = asara("replay", "log.txt", "--gpus", 8)
    assert answer.code == 2 and answer.err.endswith(f"read it with --format {name}\n") and answer.err.count("\n") == 1
    found = replayed(asara, tmp_path, GOOD[name], "--gpus", 8, "--format", name)
    assert (found["jobs"], found["format"]) == (2, name)


def test_replay_of_an_unknown_format_lists_the_formats(asara, tmp_path):
    (tmp_path / "log.txt").write_text("time,host\n1,a\n")
    answer = asara("replay", "log.txt", "--gpus", 8)
    assert answer.code == 2
    assert (
        "no column job, submit_s, run_s, gpus" in answer.err
        and "docs/reference/job-logs.md describes them" in answer.err
    )


def test_replay_output_keeps_priorities_and_requested_times(asara, tmp_path):
    text = "job,submit_s,run_s,gpus,priority,requested_s\na,0.5,100,2,0,200\nb,1,10,2,1,\nc,2,10,2,9,20\n"
    options = ("--gpus", 2, "--queue", "easy", "--estimates", "requested")
    first = replayed(asara, tmp_path, text, *options, "--out", "waits.csv")
    again = json.loads(asara("replay", "waits.csv", *options, "--json").out)
    assert again | {"log": "", "notes": []} == first | {"log": ""}
