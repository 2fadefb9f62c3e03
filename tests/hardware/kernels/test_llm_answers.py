"""Tests of the language model without an endpoint: tapes, scripted replies, prompts and answers."""

import json
from pathlib import Path

import pytest

from hardware.kernels.candidate import Candidate
from hardware.kernels.proposers.base import NoProposal, TrialSummary
from hardware.kernels.proposers.endpoint import Reply, Request, ScriptedEndpoint
from hardware.kernels.proposers.llm import LanguageModelProposer, from_environment, request_of
from hardware.kernels.proposers.prompt import system_prompt, user_prompt
from hardware.kernels.proposers.recording import NotOnTapeError, RecordingEndpoint, ReplayEndpoint, TapeError
from hardware.kernels.proposers.response_parser import parse_proposal
from hardware.kernels.proposers.search_space import SearchSpace
from hardware.kernels.search import search
from hardware.kernels.trace import SearchEnd, Trace
from tests.support.kernel_searches import (
    CAUSAL,
    POOL,
    QUESTION,
    SOURCE,
    SPACES,
    TILES,
    Surface,
    history,
    searched,
    session,
    template,
)

# The tape


def test_replay_of_an_unknown_request_raises(tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    RecordingEndpoint(tape, ScriptedEndpoint(["one"])).ask(QUESTION)
    assert ReplayEndpoint(tape).ask(QUESTION) == Reply("one")
    for other in (QUESTION._replace(user="Trial 2."), QUESTION._replace(seed=1)):
        with pytest.raises(
            NotOnTapeError, match=rf"tape.jsonl has no reply to request {other.digest[:12]}: its 1 replies"
        ):
            ReplayEndpoint(tape).ask(other)


def test_search_with_an_unknown_request_stops_and_keeps_its_trace(tmp_path: Path) -> None:
    tape, script = tmp_path / "tape.jsonl", ScriptedEndpoint([template(rows=rows) for rows in (16, 32)])
    searched(tmp_path / "short.jsonl", RecordingEndpoint(tape, script), 2)
    with pytest.raises(NotOnTapeError):
        searched(tmp_path / "long.jsonl", ReplayEndpoint(tape), 3)


def test_killed_recording_sends_no_request_twice(tmp_path: Path) -> None:
    tape, replies = tmp_path / "tape.jsonl", [template(rows=rows) for rows in (16, 32, 64)]
    searched(tmp_path / "t.jsonl", RecordingEndpoint(tape, ScriptedEndpoint(replies)), 3)
    whole = tape.read_bytes()
    ends = [at for at, byte in enumerate(whole) if byte == ord("\n")]
    for cut in (*range(0, len(whole), 41), *ends):
        tape.write_bytes(whole[:cut])
        kept = sum(end <= cut for end in ends)
        unasked = [NoProposal("asked again", "503")] * kept
        trials, _ = searched(
            tmp_path / f"{cut}.jsonl", RecordingEndpoint(tape, ScriptedEndpoint([*unasked, *replies[kept:]])), 3
        )
        assert [each.parameters["rows"] for each in trials] == [16, 32, 64]
        assert tape.read_bytes() == whole


def test_recorded_failure_is_requested_again_and_the_newest_counts(tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    with pytest.raises(NoProposal, match="busy"):
        RecordingEndpoint(tape, ScriptedEndpoint([NoProposal("busy", "503", 3)])).ask(QUESTION)
    with pytest.raises(NoProposal, match="busy") as caught:
        ReplayEndpoint(tape).ask(QUESTION)
    assert (caught.value.failed_on, caught.value.tokens) == ("503", 3)
    assert (
        RecordingEndpoint(tape, ScriptedEndpoint(["hello"])).ask(QUESTION)
        == ReplayEndpoint(tape).ask(QUESTION)
        == Reply("hello")
    )


@pytest.mark.parametrize(
    "content", [b"garbage", b"garbage\n", b'{"request":"a"}\n', b'{"request":1,"reply":""}\n{"req']
)
def test_invalid_tape_is_reported_by_line_and_not_changed(tmp_path: Path, content: bytes) -> None:
    tape = tmp_path / "shopping.txt"
    tape.write_bytes(content)
    for opened in (ReplayEndpoint, lambda path: RecordingEndpoint(path, ScriptedEndpoint([]))):
        with pytest.raises(TapeError, match=r"shopping.txt, line 1: not a line of a tape"):
            opened(tape)
    assert tape.read_bytes() == content


def test_recording_without_more_replies_ends(tmp_path: Path) -> None:
    trials, end = searched(
        tmp_path / "t.jsonl", RecordingEndpoint(tmp_path / "tape.jsonl", ScriptedEndpoint([template(rows=16)]))
    )
    assert len(trials) == 1
    assert end is not None
    assert end.reason == "the proposer has no more candidates"


def test_recording_of_half_a_character_keeps_the_tape_valid(tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    assert (
        RecordingEndpoint(tape, ScriptedEndpoint(["half \ud800"])).ask(QUESTION)
        == ReplayEndpoint(tape).ask(QUESTION)
        == Reply("half ?")
    )


# The script


def test_scripted_replies_run_a_search(tmp_path: Path) -> None:
    replies = [template(rows=rows, columns=columns) for rows in (8, 16, 32) for columns in (16, 32)]
    trials, end = searched(tmp_path / "t.jsonl", ScriptedEndpoint(replies))
    assert [each.parameters["rows"] for each in trials] == [8, 8, 16, 16, 32, 32]
    assert end == SearchEnd(session="here", reason="the proposer has no more candidates", trials=6)


def test_scripted_replies_with_repeats_resume_after_an_interrupt(tmp_path: Path) -> None:
    rows = [8, 8, 16, 8, 32, 64, 64]
    replies = [Reply(template(rows=each), 10) for each in rows]
    trials, _ = searched(tmp_path / "whole.jsonl", ScriptedEndpoint(replies))
    assert [each.parameters["rows"] for each in trials] == [8, 16, 32, 64]
    whole = (tmp_path / "whole.jsonl").read_bytes()
    for cut in range(1, len(whole), 211):
        (tmp_path / "t.jsonl").write_bytes(whole[:cut])
        searched(tmp_path / "t.jsonl", ScriptedEndpoint(replies))
        assert (tmp_path / "t.jsonl").read_bytes() == whole


@pytest.mark.parametrize(
    "content",
    [b"nonsense", b"[]", b"7", b"\xff\xfe", b'{"family": "tiles"}\n{', b"[" * 100_000],
    ids=lambda text: text[:9],
)
def test_invalid_replies_are_reported_by_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ready.jsonl"
    path.write_bytes(content)
    with pytest.raises(TapeError, match=rf"ready\.jsonl, line {content.count(10) + 1}: neither"):
        from_environment("scripted", path)


def test_scripted_replies_of_a_file_come_in_order(tmp_path: Path) -> None:
    path = tmp_path / "ready.jsonl"
    path.write_text(f'{template(rows=16)}\n\n"I do not know."\n{template(unroll=2)}\n')
    trials, end = searched(tmp_path / "trace.jsonl", from_environment("scripted", path).endpoint)
    assert [each.parameters.get("rows") for each in trials] == [16, None, 8]
    assert [each.status for each in trials] == ["passed", "no proposal", "passed"]
    assert end is not None


# The answer


@pytest.mark.parametrize(
    "text",
    [
        template(rows=16),
        f"```json\n{template(rows=16)}\n```",
        f'{template(rows=16)} is best, so: {{"rows": 16}}',
        f"<think>Perhaps {{rows}} or {{}} or {template(rows=32)}?</think>\n\n{template(rows=16)} That is it {{.",
        template(rows=16).replace(" ", "\n\t"),
    ],
)
def test_parse_proposal_takes_the_last_object(text: str) -> None:
    made = parse_proposal(Reply(text, 7), history())
    assert made.candidate == TILES.candidate("tiles", {"rows": 16})
    assert (made.expects, made.why, made.tokens) == (1.2, "larger tiles", 7)


def test_parse_proposal_fills_missing_parameters_with_defaults() -> None:
    made = parse_proposal(Reply('{"family": "tiles"}'), history())
    assert (made.candidate, made.expects, made.why) == (POOL.defaults[0], None, "")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the model said nothing"),
        (" \n", "the model said nothing"),
        ("I would rather not.", "no JSON object with family or source in 'I would rather not.'"),
        ("[1, 2]", "no JSON object"),
        ("{" * 100_000, "no JSON object"),
        ('{"a":' * 20_000, "no JSON object"),
        ("{}", "no JSON object with family or source"),
        ('{"family": 7}', "family: Input should be a valid string"),
        ('{"family": "tile"}', "no family 'tile': there are tiles"),
        (template(row=8), "tiles has no parameter 'row': there are rows, columns"),
        (template(rows=9), "rows = 9 is not one of 8, 16"),
        (template(rows="8"), "rows = '8' is not one of 8, 16"),
        (template(rows=True), "parameters.rows.int: Input should be a valid integer"),
        (template(rows=8.5), "parameters.rows.int: Input should be a valid integer"),
        (template(rows=[8]), "parameters.rows.int: Input should be a valid integer"),
        (template(rows=128, columns=256), "these values do not go together"),
        (template(expects=-1), "expects: Input should be greater than 0"),
        (template(expects=float("nan")), "expects: "),
        (template(expects=float("inf")), "expects: "),
        (template(why=3), "why: Input should be a valid string"),  # type: ignore[arg-type]
        ('{"family": "tiles", "code": "import os"}', "code: Extra inputs are not permitted"),
        ('{"family": "tiles", "parameters": ["rows", 8]}', "parameters: Input should be a valid dictionary"),
        (json.dumps({"source": SOURCE}), "source is not asked for in this search"),
    ],
)
def test_parse_proposal_of_an_invalid_answer_gives_the_reason(text: str, reason: str) -> None:
    with pytest.raises(NoProposal) as caught:
        parse_proposal(Reply(text, 70), history())
    assert reason in caught.value.reason
    assert caught.value.reason.startswith("an unusable answer: ")
    assert len(caught.value.reason) <= 500
    assert (caught.value.failed_on, caught.value.tokens) == ("answer", 70)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"source": ""}, "source: String should have at least 1 character"),
        ({"source": ["int"]}, "source: Input should be a valid string"),
        ({"source": SOURCE, "family": "tiles"}, "family: Extra inputs are not permitted"),
        ({"source": "\ud800"}, "source: Input should be a valid string"),
    ],
)
def test_parse_proposal_of_invalid_source_gives_the_reason(answer: dict[str, object], reason: str) -> None:
    with pytest.raises(NoProposal, match=reason):
        parse_proposal(Reply(json.dumps(answer)), history(source_allowed=True))


def test_parse_proposal_of_source_gives_an_untrusted_candidate() -> None:
    answer = json.dumps({"source": SOURCE, "expects": 2, "why": "by hand"})
    made = parse_proposal(Reply(answer), history(source_allowed=True))
    assert made.candidate == Candidate("foreign", (), SOURCE)
    assert (made.expects, made.why) == (2.0, "by hand")


# The prompt


def tried(number: int, score: float | None, **values: object) -> TrialSummary:
    candidate = TILES.candidate("tiles", values)
    shapes = tuple((shape, score) for shape in CAUSAL.tuned) if score else ()
    return TrialSummary(
        number, candidate, "passed" if score else "wrong", score, shapes, "" if score else "peaky inputs"
    )


def test_system_prompt_has_problem_machine_and_parameters() -> None:
    text = system_prompt(history())
    for sentence in (
        *("causal/fp32/forward", "1x8x512x64, 1x4x1024x64", "at most 3 times SDPA's own", "At most 1024 MiB"),
        *("A processor (x86_64)", "g++ 13", "avx2, fma", "L1 32 KiB", "fp32 189, bf16 1280", "16.5 GB/s"),
        *("Family tiles", "- rows: 8, 16, 32, 64, 128 (untuned: 8)", "- order: keys, queries (untuned: keys)"),
        *('{"family": ', "this form"),
    ):
        assert sentence in text
    assert "attention.h" not in text
    assert "C++17" not in text


def test_system_prompt_with_source_has_the_header() -> None:
    text = system_prompt(history(source_allowed=True))
    for sentence in (
        'extern "C" int attention(const Attention* a)',
        "struct Attention {",
        "int64_t q_strides[3]",
        "one of these",
    ):
        assert sentence in text
    alone = system_prompt(history(source_allowed=True, search_space=SearchSpace({})))
    assert '"family"' not in alone
    assert "this form" in alone


def test_user_prompt_has_outcomes() -> None:
    foreign = TrialSummary(
        9, Candidate("foreign", (), SOURCE), "failed to build", None, complaint="kernel.cpp:3: error: no j"
    )
    fast = [
        tried(at, 2.0 - at / 10, rows=8, columns=16, degree=4, unroll=unroll) for at, unroll in enumerate((1, 2, 4))
    ]
    more = [tried(3 + at, 1.5 - at / 10, rows=8, columns=32, unroll=unroll) for at, unroll in enumerate((1, 2, 4))]
    unlike = tried(6, 0.5, rows=128, columns=16, order="queries", rescale="never")
    text = user_prompt(history(number=10, tried=(*fast, *more, unlike, tried(8, None, rows=16), foreign)))
    best, others, failures = (
        text.index(title) for title in ("Fastest so far", "Others that passed", "Newest failures")
    )
    assert text.startswith("Trial 10 of 9.")
    assert best < text.index("2.00 (1x8x512x64: 2.00, 1x4x1024x64: 2.00)") < others
    assert others < text.index(f"{unlike.candidate}: 0.50") < failures  # the least alike comes first
    assert "wrong on peaky inputs" in text[failures:]
    assert "failed to build: kernel.cpp:3: error: no j" in text[failures:]


def test_user_prompt_treats_another_family_as_most_different() -> None:
    fast = [tried(at, 2.0 - at / 10, rows=8, unroll=1 + at % 2, degree=3 + at // 2) for at in range(5)]
    near, other = tried(7, 1.0, rows=128, order="queries"), TrialSummary(8, Candidate("sdpa"), "passed", 1.0)
    text = user_prompt(history(tried=(*fast, near, other)))
    assert text.index("sdpa(): 1.00") < text.index(f"{near.candidate}: 1.00")


def test_system_prompt_without_a_roofline_has_no_rates() -> None:
    bare = history().machine.model_copy(update={"roofline": None, "instructions": (), "caches_kib": {}, "compiler": ""})
    text = system_prompt(history(machine=bare))
    assert "One core at most" not in text
    assert "compiler none" in text
    assert "Instruction sets: none of note. Caches: unknown." in text


def test_user_prompt_has_the_fastest_source() -> None:
    sources = [TrialSummary(at, Candidate("foreign", (), f"// {at}"), "passed", 1.0 + at) for at in (1, 2)]
    text = user_prompt(history(tried=tuple(sources)))
    assert text.count("Source of foreign(") == 1
    assert ":\n// 2\n" in text


def test_user_prompt_has_refusals_and_the_error_of_the_last_answer() -> None:
    text = user_prompt(history(refused=(POOL.defaults[0],), complaint="no JSON object in 'Certainly!'"))
    assert f"because it was tried before:\n- {POOL.defaults[0]}" in text
    assert "Your last answer could not be used: no JSON object" in text


def test_prompts_contain_no_seed_and_no_held_out_shape(tmp_path: Path) -> None:
    asked: list[Request] = []

    class Listens(ScriptedEndpoint):
        def ask(self, request: Request) -> Reply | None:
            asked.append(request)
            return super().ask(request)

    trace, here = Trace(tmp_path / "t.jsonl"), session(proposer="llm", seed=987654321)
    replies = [template(rows=rows, columns=columns) for rows in (8, 16, 32, 64) for columns in (16, 32, 64)]
    search(trace, here, LanguageModelProposer(Listens(replies)), Surface(), SPACES, source_allowed=True)
    text = "".join(each.system + each.user for each in asked)
    assert "wrong on ragged length" in text
    assert "secret" not in text  # the evaluator's own words about a failure
    assert "987654321" not in text
    assert all(str(shape) not in text for shape in CAUSAL.held_out)
    assert len({each.digest for each in asked}) == len(asked) == 13


def test_request_of_a_history_is_the_same_in_another_process() -> None:
    assert request_of(history()) == request_of(history())
    assert request_of(history(seed=1)).digest != request_of(history()).digest
    assert request_of(history(number=5, refused=(POOL.defaults[0],))).turn == 5
