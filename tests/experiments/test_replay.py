"""A job log through the cluster: formats, sizes, and the file of waits."""

import csv
import gzip
import json

import pytest

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


def test_jobs_wait_as_the_queue_says(asara, log):
    answer = asara("replay", log, "--gpus", 4, "--queue", "fcfs", "--json")
    assert (answer.code, answer.err) == (0, "")
    found = json.loads(answer.out)
    assert found == {
        "log": "log.csv", "format": "csv", "gpus": 4, "gpus_per_node": None, "queue": "fcfs", "placement": "flat",
        "jobs": 4, "skipped": 0, "left_out": {}, "changed": {}, "notes": [],
        "mean_wait_s": pytest.approx((0 + 9 + 13.5 + 12.5) / 4), "median_wait_s": pytest.approx((9 + 12.5) / 2),
        "p99_wait_s": pytest.approx(13.47), "utilisation": pytest.approx((40 + 22 + 4) / (4 * 17.5)),
    }  # fmt: skip


def test_waits_are_written_in_the_order_of_the_log(asara, log, tmp_path):
    assert asara("replay", log, "--gpus", 4, "--queue", "sjf", "--out", "new/waits.csv").code == 0
    with (tmp_path / "new" / "waits.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["job", "submit_s", "start_s", "wait_s", "run_s", "gpus"]
    assert [row["job"] for row in rows] == ["a", "b", "c", "d"]
    assert [row["run_s"] for row in rows] == ["10", "5.5", "0", "2"]
    for row in rows:
        assert float(row["start_s"]) - float(row["submit_s"]) == pytest.approx(float(row["wait_s"]))


def test_a_file_of_waits_is_a_log_again(asara, log):
    asara("replay", log, "--gpus", 4, "--out", "waits.csv")
    again = json.loads(asara("replay", "waits.csv", "--gpus", 4, "--json").out)
    first = json.loads(asara("replay", log, "--gpus", 4, "--json").out)
    assert again.pop("notes") == ["columns that are not read: start_s, wait_s"]
    assert again | {"log": "", "notes": []} == first | {"log": ""}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(("name", "text", "format_name"), [("x.swf", SWF, "swf"), ("openb_x.csv", OPENB, "alibaba")])
def test_formats_are_guessed_from_the_name(asara, tmp_path, name, text, format_name, zipped):
    path = tmp_path / (name + ".gz" * zipped)
    path.write_bytes(gzip.compress(text.encode()) if zipped else text.encode())
    size = [] if format_name == "swf" else ["--gpus", 4]
    found = json.loads(asara("replay", path, *size, "--json").out)
    assert (found["format"], found["gpus"]) == (format_name, 4)
    named = asara("replay", path, *size, "--format", format_name, "--json")
    assert json.loads(named.out) == found


def test_nodes_are_consolidated_where_they_are_asked_for(asara, log):
    """Two jobs of 3 leave one GPU free on each node: a job of 2 starts at once on a flat cluster alone."""
    log.write_text("job,submit_s,run_s,gpus\na,0,10,3\nb,0,20,3\nc,1,5,2\n")
    flat = json.loads(asara("replay", log, "--gpus", 8, "--json").out)
    assert (flat["placement"], flat["mean_wait_s"]) == ("flat", 0)
    nodes = json.loads(asara("replay", log, "--gpus", 8, "--gpus-per-node", 4, "--json").out)
    assert (nodes["placement"], nodes["gpus_per_node"], nodes["mean_wait_s"]) == ("consolidated", 4, 3)


def test_bad_lines_are_counted_if_they_may_be_skipped(asara, tmp_path):
    (tmp_path / "log.csv").write_text(CSV + "e,then,2,2\n")
    found = json.loads(asara("replay", "log.csv", "--gpus", 4, "--skip-bad", "--json").out)
    assert (found["jobs"], found["skipped"]) == (4, 1)


def test_it_is_told_in_words_too(asara, log):
    answer = asara("replay", log, "--gpus", 4)
    assert answer.code == 0
    assert "mean wait s" in answer.out
    assert "utilisation" in answer.out
