"""Tests of traces: round trips, and recovery of the lines after a kill."""

from fcntl import LOCK_EX, flock
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.kernels.candidate import Candidate
from hardware.kernels.problem import DIRECTIONS, DTYPES, Problem, Shape
from hardware.kernels.trace import (
    CandidateSource,
    FinalMeasurement,
    Line,
    MeasurementSession,
    SearchEnd,
    Timing,
    Trace,
    TraceError,
    Trial,
    candidate_of,
    read,
    source_of,
)
from tests.support.kernel_searches import CAUSAL, session, timed
from tests.support.properties import examples

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
TIMES = st.floats(min_value=1e-3, max_value=1e12)
SHAPES = st.builds(Shape, *[st.integers(1, 4096)] * 5)
PROBLEMS = st.builds(
    Problem, st.sampled_from(DTYPES), st.sampled_from(DIRECTIONS), st.booleans(), NUMBER, NUMBER, st.integers()
)
VALUES = st.dictionaries(TEXT, st.integers() | TEXT, max_size=4)
STATUSES = st.sampled_from(["passed", "wrong", "failed to build", "no proposal"])
TIMED = st.builds(
    Timing,
    shape=SHAPES,
    held_out=st.booleans(),
    calls=st.integers(1),
    error=st.none() | NUMBER,
    pairs=st.lists(st.tuples(TIMES, TIMES), max_size=4).map(tuple),
)
TRIED = {
    "session": TEXT,
    "family": TEXT,
    "parameters": VALUES,
    "source": TEXT,
    "digest": TEXT,
    "status": STATUSES,
    "reason": TEXT,
    "timed": st.lists(TIMED, max_size=2).map(tuple),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBER | TEXT, lambda inner: st.lists(inner, max_size=3)
)
LINES: st.SearchStrategy[Line] = st.one_of(
    st.builds(
        MeasurementSession,
        session=TEXT,
        date=TEXT,
        workload=TEXT,
        problem=PROBLEMS,
        tuned=st.lists(SHAPES, max_size=2).map(tuple),
        held_out=st.just(()),
        machine=st.dictionaries(TEXT, JSON, max_size=3),
        isolation=TEXT,
        seed=st.integers(),
    ),
    st.builds(CandidateSource, digest=TEXT, text=TEXT),
    st.builds(Trial, number=st.integers(), expects=st.none() | NUMBER, why=TEXT, failed_on=TEXT, cpu_s=NUMBER, **TRIED),
    st.builds(
        FinalMeasurement, role=st.sampled_from(["A/A", "winner"]), against=st.sampled_from(["sdpa", "eager"]), **TRIED
    ),
    st.builds(SearchEnd, session=TEXT, reason=TEXT, trials=st.integers()),
)


def trial(**more: object) -> Trial:
    given = {"session": "here", "number": 1, "family": "tiles", "parameters": {"rows": 8}, "digest": "d"}
    return Trial(**(given | {"status": "passed"} | more))


def some_lines() -> list[Line]:
    return [
        session(),
        trial(timed=timed(1.25)),
        trial(number=2, reason="größer → \u2028"),
        SearchEnd(session="here", reason="over", trials=2),
    ]


def written(path: Path, lines: list[Line]) -> bytes:
    trace = Trace(path)
    for line in lines:
        trace.append(line)
    return path.read_bytes()


@examples(60)
@given(lines=st.lists(LINES, max_size=4))
def test_trace_round_trip_gives_the_same_lines(lines: list[Line]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "deep" / "trace.jsonl"
        trace = Trace(path)
        for line in lines:
            trace.append(line)
        assert trace.lines == lines
        assert not lines or read(path) == lines
        assert Trace(path).lines == lines


def test_trace_cut_at_any_byte_keeps_complete_lines(tmp_path: Path) -> None:
    lines, path = some_lines(), tmp_path / "trace.jsonl"
    whole = written(path, lines)
    ends = [at for at, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        kept = sum(end <= cut for end in ends)  # a line that lacks only its newline is whole
        assert read(path) == lines[:kept]
        assert path.read_bytes() == whole[:cut]  # to read is not to mend
        trace = Trace(path)
        assert trace.lines == lines[:kept]
        assert path.read_bytes() == whole[: ends[kept - 1] + 1 if kept else 0]
        if cut % 50 == 0 and kept < len(lines):
            trace.append(lines[kept])
            assert read(path) == lines[: kept + 1]


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b"garbage", "line 1: not a line"),
        (b"garbage\n", "line 1: "),
        (b"\n", "line 1: "),
        (b"\x00\xff\xfe", "line 1: not a line"),
        (b"\x00\xff\xfe\n", "line 1: "),
        (b"[]\n", "line 1: "),
        (b'{"kind":"party"}\n', "line 1: .*party"),
        (b'{"kind":"end","session":"a","reason":"b"}\n', "line 1: .*trials"),
        (b'{"kind":"end","session":"a","reason":"b","trials":1}\n{"kind":"end"}\n', "line 2: "),
        (b'{"kind":"end","session":"a","reason":"b","trials":1}\ngarbage', "line 2: not a line"),
        (b'{"kind":"end","session":"a","reason":"b","trials":1,"more":1}\n', "line 1: .*more"),
        (b'garbage\n{"kind":"en', "line 1: "),
    ],
)
def test_invalid_trace_is_reported_by_line_and_not_changed(tmp_path: Path, content: bytes, where: str) -> None:
    path = tmp_path / "shopping.txt"
    path.write_bytes(content)
    for opened in (read, Trace):
        with pytest.raises(TraceError, match=f"shopping.txt, {where}"):
            opened(path)
        assert path.read_bytes() == content


def test_empty_file_is_an_empty_trace(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.touch()
    assert read(path) == Trace(path).lines == []
    assert Trace(tmp_path / "new.jsonl").lines == []


def test_append_of_half_a_character_writes_a_question_mark(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "trace.jsonl")
    trace.append(trial(reason="?").model_copy(update={"reason": "half \ud800"}))
    assert read(trace.path) == trace.lines == [trial(reason="half ?")]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_append_of_a_non_finite_number_raises(tmp_path: Path, number: float) -> None:
    trace = Trace(tmp_path / "trace.jsonl")
    with pytest.raises(ValueError, match="not JSON compliant"):
        trace.append(trial(cpu_s=number))
    assert trace.lines == []
    assert not trace.path.exists()


def test_score_uses_tuned_shapes_of_passed_trials() -> None:
    both = (*timed(1.5), *timed(9.0, held_out=True))
    assert trial(timed=both).score == pytest.approx(1.5)
    assert trial(timed=both, status="wrong").score is None
    assert trial(timed=timed(9.0, held_out=True)).score is None
    assert trial().score is None


def test_lines_of_a_session_are_found_by_name(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "trace.jsonl")
    lines = some_lines()
    for line in [*lines, trial(session="else")]:
        trace.append(line)
    assert trace.session("here") == lines[0]
    assert trace.trials("here") == lines[1:3]
    assert trace.end("here") == lines[3]
    assert trace.session("else") is trace.end("else") is None


@pytest.mark.parametrize("source", ["", "int attention();"])
def test_candidate_of_restores_the_candidate(source: str) -> None:
    candidate = Candidate("foreign", (), source) if source else Candidate("tiles", (("rows", 8), ("order", "keys")))
    kept = source_of(candidate)
    line = trial(family=candidate.family, parameters=candidate.values, source=kept.digest if kept else "")
    assert candidate_of(line, {kept.digest: kept.text} if kept else {}) == candidate


def test_full_name_of_a_session_is_that_of_its_workload() -> None:
    assert session().full_name == CAUSAL.full_name == "causal/fp32/forward"


def test_append_by_two_writers_raises(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    first, second = Trace(path), Trace(path)
    first.append(session())
    with pytest.raises(TraceError, match="another search has written"):
        second.append(session())
    first.append(trial())
    assert len(read(path)) == 2
    with path.open("ab") as file:
        flock(file, LOCK_EX)
        with pytest.raises(TraceError, match="another search is writing"):
            first.append(trial())
