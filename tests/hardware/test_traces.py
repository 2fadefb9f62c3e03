import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from hardware.traces import FORMATS, Log, Reader, TraceError, TraceJob, read_alibaba, read_csv, read_swf
from tests.hardware.helpers import ALIBABA, NASA, trace

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "log.txt"
        path.write_text(text)
        return path

    return write


HEADER = "name,cpu_milli,num_gpu,gpu_milli,creation_time,deletion_time,scheduled_time\n"
GOOD = {
    "swf": "; a comment\n\n  1 0 -1 10 4 -1 -1 -1\n 2 5 0 0 -1 -1 -1 8 -1 -1 1\n",
    "alibaba": HEADER + "p1,1,4,1000,0,10,0\np2,1,8,1000,5,9,9\n",
    "csv": "gpus,job,run_s,submit_s,note\n4,1,10,0,hello\n8,2,0,5,\n",
}
BAD = {
    "swf": ["3 7 -1 10", "3 x -1 10 4", "3 7 -1 -1 4", "3 7 -1 10 0 -1 -1 3", "3 7 -1 10 -1 -1 -1 0", "3 7 -1 10 1.5"],
    "alibaba": ["p3,1,1,1000,5,4,5", "p3,1,one,1000,0,1,0", "p3,1,-1,1000,0,1,0", "p3,1,1,1000,-1,1,0", "p3,1,1"],
    "csv": ["0,3,1,7", "1,3,1,-7", "1,3,nan,7", "1,3,inf,7", "1,3,,7", "1", "two,3,1,7"],
}


def test_each_format_has_good_and_bad_samples() -> None:
    assert set(FORMATS) == set(GOOD) == set(BAD)


@pytest.fixture(params=sorted(FORMATS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_good_lines(name: str, write: Write) -> None:
    names = ("p1", "p2") if name == "alibaba" else ("1", "2")
    expected = [TraceJob(names[0], 0, 10, 4), TraceJob(names[1], 5, 0, 8)]
    assert FORMATS[name](write(GOOD[name])) == Log(expected, 0, {})


def test_a_gzipped_log_reads_alike(name: str, write: Write, tmp_path: Path) -> None:
    packed = tmp_path / "log.gz"
    packed.write_bytes(gzip.compress(GOOD[name].encode()))
    assert FORMATS[name](packed) == FORMATS[name](write(GOOD[name]))


@pytest.mark.parametrize(("name", "bad"), [(name, bad) for name in BAD for bad in BAD[name]])
def test_a_bad_line_is_named_or_skipped_and_counted(name: str, bad: str, write: Write) -> None:
    path = write(GOOD[name] + bad + "\n" + GOOD[name].splitlines()[-1] + "\n")
    number = len(GOOD[name].splitlines()) + 1
    with pytest.raises(TraceError) as caught:
        FORMATS[name](path)
    error = caught.value
    assert (error.path, error.line) == (str(path), number) and error.reason
    assert str(error) == f"{path}, line {number}: {error.reason}"
    log = FORMATS[name](path, skip_bad=True)
    assert (len(log.jobs), log.skipped) == (3, 1)


@pytest.mark.parametrize("reader", [read_csv, read_alibaba])
def test_a_missing_column_is_an_error_even_when_bad_lines_are_skipped(reader: Reader, write: Write) -> None:
    with pytest.raises(TraceError, match="line 1: no column"):
        reader(write("job,run_s\n1,2\n"), skip_bad=True)
    with pytest.raises(TraceError, match="line 1: no column"):
        reader(write(""))


@pytest.mark.parametrize(("text", "says"), [
    ("job;submit_s;run_s;gpus\n1;0;1;1\n", "line 1: the header's columns are separated by semicolons"),
    ("job\tsubmit_s\trun_s\tgpus\n1\t0\t1\t1\n", "line 1: the header's columns are separated by tabs"),
    ("job,submit_s,run_s,gpus\n1,0,1,5,1\n", "line 2: 5 cells, and the header has 4; decimal commas"),
    ('job,submit_s,run_s,gpus\n1,0,"1,5",1\n', "line 2: run_s = '1,5' has a comma"),
    ("job,submit_s,run_s,gpus\n1,0,1_000,1\n", "line 2: run_s = '1_000' has an underscore"),
    ("job,submit_s,run_s,gpus\n1,0,1,1_0\n", "line 2: gpus = '1_0' has an underscore"),
])  # fmt: skip
def test_notations_of_a_spreadsheet_are_refused_with_their_cause(text: str, says: str, write: Write) -> None:
    with pytest.raises(TraceError, match=says):
        read_csv(write(text))


def test_what_is_no_gzip_file_and_what_is_no_text(name: str, tmp_path: Path) -> None:
    packed = tmp_path / "log.gz"
    packed.write_bytes(b"not packed at all")
    with pytest.raises(TraceError, match="gzip"):
        FORMATS[name](packed)
    packed.write_bytes(gzip.compress(GOOD[name].encode() * 1000)[:-20])
    with pytest.raises(TraceError, match="gzip"):
        FORMATS[name](packed)
    binary = tmp_path / "log.bin"
    binary.write_bytes(b"\xff\xfe\x00\x81" * 100)
    with pytest.raises(TraceError, match="UTF-8"):
        FORMATS[name](binary)
    with pytest.raises(FileNotFoundError):
        FORMATS[name](tmp_path / "nowhere")


def test_pods_without_a_gpu_or_never_scheduled_are_left_out_and_counted(write: Write) -> None:
    log = read_alibaba(write(HEADER + "a,1,0,0,0,5,0\nb,1,1,1000,0,5,\nc,1,1,300,1,5,2\n"))
    assert log == Log([TraceJob("c", 1, 3, 1)], 0, {"asks for no GPU": 1, "was never scheduled": 1})


def test_the_nasa_log() -> None:
    log = read_swf(trace(NASA))
    assert (len(log.jobs), log.skipped) == (18_239, 0)
    assert log.jobs[5] == TraceJob("57", 25574, 10, 1)
    assert max(job.gpus for job in log.jobs) == 128


def test_the_alibaba_log() -> None:
    log = read_alibaba(trace(ALIBABA))
    assert len(log.jobs) + sum(log.left_out.values()) == 8_152
    assert log.left_out == {"asks for no GPU": 1088, "was never scheduled": 861}
    assert log.jobs[0] == TraceJob("openb-pod-0000", 0, 12537496, 1)
