"""The language model: what it is told, what it may answer, and every way in which an endpoint can fail."""

import importlib
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import pytest

from hardware.kernels.candidate import Candidate
from hardware.kernels.proposers import endpoint as endpoints
from hardware.kernels.proposers.answer import proposal_of
from hardware.kernels.proposers.base import History, NoProposal, Tried, history_of
from hardware.kernels.proposers.endpoint import Endpoint, EndpointError, Live, Reply, Request, Scripted
from hardware.kernels.proposers.llm import LanguageModel, from_environment, request_of
from hardware.kernels.proposers.pool import Pool
from hardware.kernels.proposers.prompt import system_prompt, user_prompt
from hardware.kernels.proposers.registry import proposer
from hardware.kernels.proposers.tape import NotOnTapeError, Record, Replay, TapeError
from hardware.kernels.search import search
from hardware.kernels.trace import End, Trace, Trial
from tests.hardware.kernels.search_helpers import CAUSAL, SPACES, TILES, Surface, session

KEY = "a-key-that-nobody-may-see"
POOL = Pool(SPACES)
QUESTION = Request("You tune kernels.", "Trial 1.")
SOURCE = 'extern "C" int attention(const Attention* a) { return 0; }'

Answer = Callable[[BaseHTTPRequestHandler], None]


def send(status: int, body: bytes, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def says(text: str | None, read: int = 90, wrote: int = 10) -> Answer:
    usage = {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote}
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    completion = {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [choice],
        "usage": usage,
    }
    return send(200, json.dumps(completion).encode(), Content_Type="application/json")


def refuses(status: int, **headers: str) -> Answer:
    message = f"Incorrect key provided: {KEY}" if status == 401 else "try later"
    return send(
        status, json.dumps({"error": {"message": message}}).encode(), Content_Type="application/json", **headers
    )


def closes(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


def stops_in_the_middle(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.close_connection = True


class Stub:
    """An endpoint on loopback that gives ready answers, the last of them for ever, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.over = Event()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                stub.requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                stub.keys.append(self.headers["Authorization"])
                (stub.answers.pop(0) if len(stub.answers) > 1 else stub.answers[0])(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        self.waited: list[float] = []

    def hangs(self, handler: BaseHTTPRequestHandler) -> None:
        self.over.wait()
        handler.close_connection = True

    def live(self, *answers: Answer, seconds: float = 20.0) -> Live:
        self.answers = list(answers)
        return Live(self.url, "a-model", KEY, seconds, wait=self.waited.append)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    pytest.importorskip("openai", reason="the extra 'llm' is not installed")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made = Stub()
    made.thread.start()
    yield made
    made.over.set()
    made.server.shutdown()
    made.thread.join()
    made.server.server_close()


def history(**more: object) -> History:
    return history_of(session(proposer="llm", budget=9), POOL)._replace(**more)


def template(why: str = "larger tiles", expects: float = 1.2, **parameters: object) -> str:
    return json.dumps({"family": "tiles", "parameters": parameters, "expects": expects, "why": why})


def failure(live: Live) -> NoProposal:
    with pytest.raises(NoProposal) as caught:
        live.ask(QUESTION)
    return caught.value


def searched(path: Path, endpoint: Endpoint, budget: int = 9, foreign: bool = False) -> tuple[list[Trial], End | None]:
    trace = Trace(path)
    here = session(proposer="llm", budget=budget)
    end = search(trace, here, LanguageModel(endpoint), Surface(), SPACES, foreign=foreign)
    return trace.trials("here"), end


# The exchange


def test_a_reply_comes_with_its_tokens(stub: Stub) -> None:
    assert stub.live(says("hello", 90, 10)).ask(QUESTION) == Reply("hello", 100)
    assert stub.requests == [
        {
            "model": "a-model",
            "messages": [
                {"role": "system", "content": QUESTION.system},
                {"role": "user", "content": QUESTION.user},
            ],
        }
    ]
    assert stub.keys == [f"Bearer {KEY}"]


def test_a_reply_without_usage_has_no_tokens(stub: Stub) -> None:
    live = stub.live(send(200, b'{"choices": [{"message": {"content": "hello"}}]}'))
    assert live.ask(QUESTION) == Reply("hello", 0)


def test_a_key_of_another_service_is_never_sent(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of-another-service")
    stub.answers = [says("hello")]
    Live(stub.url, "a-model").ask(QUESTION)
    assert stub.keys == ["Bearer none"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_may_mend_is_tried_again_at_most_twice(stub: Stub, status: int) -> None:
    assert stub.live(refuses(status), refuses(status), says("at last")).ask(QUESTION).text == "at last"
    assert stub.waited == [2.0, 8.0]
    no = failure(stub.live(refuses(status)))
    assert no.failed_on == str(status)
    assert no.reason.startswith(f"the endpoint refused with {status}: ")
    assert len(stub.requests) == 6


@pytest.mark.parametrize(("asked", "waited"), [("7", 7.0), ("86400", 60.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 2.0)])
def test_an_endpoint_may_say_how_long_to_wait_within_bounds(stub: Stub, asked: str, waited: float) -> None:
    stub.live(refuses(429, Retry_After=asked), says("at last")).ask(QUESTION)
    assert stub.waited == [waited]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_what_does_not_mend_is_not_tried_again(stub: Stub, status: int) -> None:
    no = failure(stub.live(refuses(status)))
    assert (no.failed_on, len(stub.requests), stub.waited) == (str(status), 1, [])


def test_the_key_is_in_no_message(stub: Stub) -> None:
    no = failure(stub.live(refuses(401)))
    assert "Incorrect key provided: ***" in no.reason
    assert KEY not in repr(no.args)


@pytest.mark.parametrize("answer", [closes, stops_in_the_middle])
def test_a_connection_that_closes_is_tried_again(stub: Stub, answer: Answer) -> None:
    assert stub.live(answer, says("at last")).ask(QUESTION).text == "at last"
    no = failure(stub.live(answer))
    assert no.failed_on == "connection"
    assert no.reason.startswith("no connection that lasted: ")


def test_nobody_there(stub: Stub) -> None:
    live = stub.live(says("hello"))
    stub.server.server_close()
    assert failure(live).failed_on == "connection"


def test_an_endpoint_that_hangs_is_given_up(stub: Stub) -> None:
    no = failure(stub.live(stub.hangs, seconds=0.1))
    assert (no.failed_on, no.reason) == ("timeout", "no answer within 0.1 s")


def test_an_answer_that_never_ends_is_given_up(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = count(0, 30)
    monkeypatch.setattr(endpoints, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))
    no = failure(stub.live(says("x" * 300_000), seconds=20.0))
    assert (no.failed_on, no.reason) == ("timeout", "no whole answer within 20 s")


def test_an_answer_without_bounds_is_not_swallowed(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "BYTES", 1 << 20)
    no = failure(stub.live(send(200, b" " * (3 << 20))))
    assert (no.failed_on, no.reason) == ("endpoint", "the endpoint sent more than 1 MiB")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Welcome</html>",
        b"{}",
        b"[]",
        b"null",
        b'{"choices": []}',
        b'{"choices": null}',
        b'{"choices": [{"message": {"content": 7}}]}',
        b'{"choices": [{"message": null}]}',
        b'{"choices": [{"message": {"content": "a"}}], "usage": {"prompt_tokens": -5}}',
        b'{"choices": [{"message": {"content": "\\ud800"}}]}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
    ],
)
def test_what_is_no_chat_completion_is_said_to_be_none(stub: Stub, body: bytes) -> None:
    no = failure(stub.live(send(200, body)))
    assert no.failed_on == "endpoint"
    assert no.reason.startswith("the endpoint sent no chat completion but: ")
    assert len(no.reason) < 1000


def test_each_failure_is_a_trial_and_the_search_goes_on(stub: Stub, tmp_path: Path) -> None:
    live = stub.live(
        says(template(rows=16)), send(200, b"<html>"), says(""), says(template(rows=32)), says("Certainly!"),
        refuses(401), refuses(400), says(None), says(template(rows=64), read=4000), seconds=5.0,
    )  # fmt: skip
    trials, end = searched(tmp_path / "t.jsonl", live)
    assert [each.failed_on for each in trials if each.status == "no proposal"] == [
        *("endpoint", "answer", "answer", "401", "400", "answer")
    ]
    assert [each.parameters["rows"] for each in trials if each.parameters] == [16, 32, 64]
    assert [each.tokens for each in trials] == [100, 0, 100, 100, 100, 0, 0, 100, 4010]
    assert [(each.expects, each.why) for each in trials if each.parameters] == [(1.2, "larger tiles")] * 3
    assert end == End(session="here", reason="the budget of 9 trials is spent", trials=9)
    assert KEY not in (tmp_path / "t.jsonl").read_text()


def test_a_key_that_is_refused_ends_the_search_soon(stub: Stub, tmp_path: Path) -> None:
    trials, end = searched(tmp_path / "t.jsonl", stub.live(refuses(401)))
    assert end is not None
    assert end.reason.startswith("no proposal 3 times in a row: the endpoint refused with 401")
    assert len(trials) == len(stub.requests) == 3


def test_an_endpoint_that_stays_away_ends_the_search(stub: Stub, tmp_path: Path) -> None:
    trials, end = searched(tmp_path / "t.jsonl", stub.live(refuses(503)))
    assert end is not None
    assert end.reason.startswith("no proposal 5 times in a row: the endpoint refused with 503")
    assert (len(trials), len(stub.requests), stub.waited) == (5, 15, [2.0, 8.0] * 5)


# The environment


def test_there_is_no_default_endpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("BASE_URL", "MODEL", "API_KEY"):
        monkeypatch.delenv(f"ASARA_LLM_{name}", raising=False)
    with pytest.raises(EndpointError, match="ASARA_LLM_BASE_URL is not set"):
        proposer("llm")
    monkeypatch.setenv("ASARA_LLM_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(EndpointError, match="ASARA_LLM_MODEL is not set"):
        proposer("llm", "record", tmp_path / "tape.jsonl")


def test_the_environment_names_endpoint_model_and_key(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("BASE_URL", stub.url), ("MODEL", "another"), ("API_KEY", f" {KEY}\n")):
        monkeypatch.setenv(f"ASARA_LLM_{name}", value)
    stub.answers = [says(template(rows=16))]
    made = proposer("llm").propose(history())
    assert made is not None
    assert (made.candidate, made.tokens) == (TILES.candidate("tiles", {"rows": 16}), 100)
    assert (stub.requests[0]["model"], stub.keys) == ("another", [f"Bearer {KEY}"])


@pytest.mark.parametrize("mode", ["record", "replay"])
def test_a_tape_has_to_be_named(mode: Any) -> None:
    with pytest.raises(EndpointError, match=f"to {mode} a language model, name a tape"):
        from_environment(mode)


def test_a_tape_to_replay_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(EndpointError, match=r"there is no tape .*none\.jsonl"):
        from_environment("replay", tmp_path / "none.jsonl")
    with pytest.raises(EndpointError, match="no mode 'guess': there are live, record, replay"):
        from_environment("guess", tmp_path)  # type: ignore[arg-type]


def test_without_the_client_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(importlib.sys.modules, "openai", None)
    with pytest.raises(EndpointError, match=r"pip install 'asara\[llm\]'"):
        Live("http://127.0.0.1:9/v1", "a-model")


# The tape


def test_a_recorded_search_replays_to_the_same_trace(stub: Stub, tmp_path: Path) -> None:
    tape = tmp_path / "deep" / "tape.jsonl"
    live = stub.live(
        says(template(rows=16)), refuses(401), says("nonsense"), says(template(rows=16)), says(template(rows=32)),
        says(json.dumps({"source": SOURCE, "why": "größer"})), says(template(unroll=2)),
    )  # fmt: skip
    searched(tmp_path / "recorded.jsonl", Record(tape, live), 6, foreign=True)
    asked = len(stub.requests)
    searched(tmp_path / "replayed.jsonl", from_environment("replay", tape).endpoint, 6, foreign=True)
    assert (tmp_path / "replayed.jsonl").read_bytes() == (tmp_path / "recorded.jsonl").read_bytes()
    assert len(stub.requests) == asked == 7  # nobody was asked
    assert KEY not in tape.read_text()


def test_what_is_not_on_the_tape_is_an_error_that_says_so(tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    Record(tape, Scripted(["one"])).ask(QUESTION)
    assert Replay(tape).ask(QUESTION) == Reply("one")
    for other in (QUESTION._replace(user="Trial 2."), QUESTION._replace(seed=1)):
        with pytest.raises(
            NotOnTapeError, match=rf"tape.jsonl has no reply to request {other.digest[:12]}: it holds 1"
        ):
            Replay(tape).ask(other)


def test_a_search_off_the_tape_stops_with_the_trace_as_it_is(tmp_path: Path) -> None:
    tape, script = tmp_path / "tape.jsonl", Scripted([template(rows=rows) for rows in (16, 32)])
    searched(tmp_path / "short.jsonl", Record(tape, script), 2)
    with pytest.raises(NotOnTapeError):
        searched(tmp_path / "long.jsonl", Replay(tape), 3)


def test_a_killed_recording_asks_for_nothing_twice(tmp_path: Path) -> None:
    tape, replies = tmp_path / "tape.jsonl", [template(rows=rows) for rows in (16, 32, 64)]
    searched(tmp_path / "t.jsonl", Record(tape, Scripted(replies)), 3)
    whole = tape.read_bytes()
    ends = [at for at, byte in enumerate(whole) if byte == ord("\n")]
    for cut in (*range(0, len(whole), 41), *ends):
        tape.write_bytes(whole[:cut])
        kept = sum(end <= cut for end in ends)
        unasked = [NoProposal("asked again", "503")] * kept
        trials, _ = searched(tmp_path / f"{cut}.jsonl", Record(tape, Scripted([*unasked, *replies[kept:]])), 3)
        assert [each.parameters["rows"] for each in trials] == [16, 32, 64]
        assert tape.read_bytes() == whole


def test_a_recorded_failure_is_asked_again_and_the_newest_counts(tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    with pytest.raises(NoProposal, match="busy"):
        Record(tape, Scripted([NoProposal("busy", "503", 3)])).ask(QUESTION)
    with pytest.raises(NoProposal, match="busy") as caught:
        Replay(tape).ask(QUESTION)
    assert (caught.value.failed_on, caught.value.tokens) == ("503", 3)
    assert Record(tape, Scripted(["hello"])).ask(QUESTION) == Replay(tape).ask(QUESTION) == Reply("hello")


@pytest.mark.parametrize(
    "content", [b"garbage", b"garbage\n", b'{"request":"a"}\n', b'{"request":1,"reply":""}\n{"req']
)
def test_what_is_no_tape_is_named_by_file_and_line_and_left_alone(tmp_path: Path, content: bytes) -> None:
    tape = tmp_path / "shopping.txt"
    tape.write_bytes(content)
    for opened in (Replay, lambda path: Record(path, Scripted([]))):
        with pytest.raises(TapeError, match=r"shopping.txt, line 1: not a line of a tape"):
            opened(tape)
    assert tape.read_bytes() == content


def test_a_recording_ends_when_there_are_no_more_replies(tmp_path: Path) -> None:
    trials, end = searched(tmp_path / "t.jsonl", Record(tmp_path / "tape.jsonl", Scripted([template(rows=16)])))
    assert len(trials) == 1
    assert end is not None
    assert end.reason == "the proposer has nothing more to propose"


def test_half_a_character_does_not_break_the_tape(tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    assert Record(tape, Scripted(["half \ud800"])).ask(QUESTION) == Replay(tape).ask(QUESTION) == Reply("half ?")


# The script


def test_a_script_drives_a_whole_search(tmp_path: Path) -> None:
    replies = [template(rows=rows, columns=columns) for rows in (8, 16, 32) for columns in (16, 32)]
    trials, end = searched(tmp_path / "t.jsonl", Scripted(replies))
    assert [each.parameters["rows"] for each in trials] == [8, 8, 16, 16, 32, 32]
    assert end == End(session="here", reason="the proposer has nothing more to propose", trials=6)


def test_a_script_that_repeats_itself_goes_on_after_a_stop(tmp_path: Path) -> None:
    rows = [8, 8, 16, 8, 32, 64, 64]
    replies = [Reply(template(rows=each), 10) for each in rows]
    trials, _ = searched(tmp_path / "whole.jsonl", Scripted(replies))
    assert [each.parameters["rows"] for each in trials] == [8, 16, 32, 64]
    whole = (tmp_path / "whole.jsonl").read_bytes()
    for cut in range(1, len(whole), 211):
        (tmp_path / "t.jsonl").write_bytes(whole[:cut])
        searched(tmp_path / "t.jsonl", Scripted(replies))
        assert (tmp_path / "t.jsonl").read_bytes() == whole


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
def test_the_last_object_of_an_answer_counts(text: str) -> None:
    made = proposal_of(Reply(text, 7), history())
    assert made.candidate == TILES.candidate("tiles", {"rows": 16})
    assert (made.expects, made.why, made.tokens) == (1.2, "larger tiles", 7)


def test_what_is_left_out_is_untuned() -> None:
    made = proposal_of(Reply('{"family": "tiles"}'), history())
    assert (made.candidate, made.expects, made.why) == (POOL.naives[0], None, "")


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
def test_an_answer_against_the_schema_is_none_and_says_why(text: str, reason: str) -> None:
    with pytest.raises(NoProposal) as caught:
        proposal_of(Reply(text, 70), history())
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
def test_foreign_source_has_a_schema_too(answer: dict[str, object], reason: str) -> None:
    with pytest.raises(NoProposal, match=reason):
        proposal_of(Reply(json.dumps(answer)), history(foreign=True))


def test_foreign_source_is_a_candidate_of_its_own() -> None:
    answer = json.dumps({"source": SOURCE, "expects": 2, "why": "by hand"})
    made = proposal_of(Reply(answer), history(foreign=True))
    assert made.candidate == Candidate("foreign", (), SOURCE)
    assert (made.expects, made.why) == (2.0, "by hand")


# The prompt


def tried(number: int, score: float | None, **values: object) -> Tried:
    candidate = TILES.candidate("tiles", values)
    shapes = tuple((shape, score) for shape in CAUSAL.tuned) if score else ()
    return Tried(number, candidate, "passed" if score else "wrong", score, shapes, "" if score else "peaky inputs")


def test_the_model_is_told_problem_machine_and_parameters() -> None:
    text = system_prompt(history())
    for told in (
        *("causal/fp32/forward", "1x8x512x64, 1x4x1024x64", "at most 3 times SDPA's own", "At most 1024 MiB"),
        *("A processor (x86_64)", "g++ 13", "avx2, fma", "L1 32 KiB", "fp32 189, bf16 1280", "16.5 GB/s"),
        *("Family tiles", "- rows: 8, 16, 32, 64, 128 (untuned: 8)", "- order: keys, queries (untuned: keys)"),
        *('{"family": ', "this form"),
    ):
        assert told in text
    assert "attention.h" not in text
    assert "C++17" not in text


def test_for_foreign_source_the_model_is_told_the_call() -> None:
    text = system_prompt(history(foreign=True))
    for told in (
        'extern "C" int attention(const Attention* a)',
        "struct Attention {",
        "int64_t q_strides[3]",
        "one of these",
    ):
        assert told in text
    alone = system_prompt(history(foreign=True, pool=Pool({})))
    assert '"family"' not in alone
    assert "this form" in alone


def test_the_model_is_told_what_was_learnt() -> None:
    foreign = Tried(9, Candidate("foreign", (), SOURCE), "failed to build", None, complaint="kernel.cpp:3: error: no j")
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


def test_another_family_is_the_least_alike() -> None:
    fast = [tried(at, 2.0 - at / 10, rows=8, unroll=1 + at % 2, degree=3 + at // 2) for at in range(5)]
    near, other = tried(7, 1.0, rows=128, order="queries"), Tried(8, Candidate("sdpa"), "passed", 1.0)
    text = user_prompt(history(tried=(*fast, near, other)))
    assert text.index("sdpa(): 1.00") < text.index(f"{near.candidate}: 1.00")


def test_a_machine_without_a_roofline_has_none_to_tell() -> None:
    bare = history().machine.model_copy(update={"roofline": None, "instructions": (), "caches_kib": {}, "compiler": ""})
    text = system_prompt(history(machine=bare))
    assert "One core at most" not in text
    assert "compiler none" in text
    assert "Instruction sets: none of note. Caches: unknown." in text


def test_the_model_is_shown_the_fastest_source() -> None:
    sources = [Tried(at, Candidate("foreign", (), f"// {at}"), "passed", 1.0 + at) for at in (1, 2)]
    text = user_prompt(history(tried=tuple(sources)))
    assert text.count("Source of foreign(") == 1
    assert ":\n// 2\n" in text


def test_the_model_is_told_what_was_refused_and_what_was_wrong_with_its_answer() -> None:
    text = user_prompt(history(refused=(POOL.naives[0],), complaint="no JSON object in 'Certainly!'"))
    assert f"because it was tried before:\n- {POOL.naives[0]}" in text
    assert "Your last answer could not be used: no JSON object" in text


def test_the_model_is_never_told_a_seed_or_a_shape_that_is_held_out(tmp_path: Path) -> None:
    asked: list[Request] = []

    class Listens(Scripted):
        def ask(self, request: Request) -> Reply | None:
            asked.append(request)
            return super().ask(request)

    trace, here = Trace(tmp_path / "t.jsonl"), session(proposer="llm", seed=987654321)
    replies = [template(rows=rows, columns=columns) for rows in (8, 16, 32, 64) for columns in (16, 32, 64)]
    search(trace, here, LanguageModel(Listens(replies)), Surface(), SPACES, foreign=True)
    text = "".join(each.system + each.user for each in asked)
    assert "wrong on ragged length" in text
    assert "secret" not in text  # the evaluator's own words about a failure
    assert "987654321" not in text
    assert all(str(shape) not in text for shape in CAUSAL.held_out)
    assert len({each.digest for each in asked}) == len(asked) == 13


def test_the_same_history_is_the_same_request_in_any_process() -> None:
    assert request_of(history()) == request_of(history())
    assert request_of(history(seed=1)).digest != request_of(history()).digest
    assert request_of(history(number=5, refused=(POOL.naives[0],))).turn == 5
