"""Tests of the language model with an endpoint: the exchange and its failures."""

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

from hardware.kernels.proposers import endpoint as endpoints
from hardware.kernels.proposers.base import NoProposal
from hardware.kernels.proposers.endpoint import EndpointError, OpenAiEndpoint, Reply
from hardware.kernels.proposers.llm import from_environment
from hardware.kernels.proposers.recording import RecordingEndpoint
from hardware.kernels.proposers.registry import proposer
from hardware.kernels.trace import SearchEnd
from tests.support.kernel_searches import (
    QUESTION,
    SOURCE,
    TILES,
    history,
    searched,
    template,
)

KEY = "a-key-that-nobody-may-see"

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
    """An endpoint on loopback that returns prepared answers, repeats the last one, and records the requests."""

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

    def live(self, *answers: Answer, seconds: float = 20.0) -> OpenAiEndpoint:
        self.answers = list(answers)
        return OpenAiEndpoint(self.url, "a-model", KEY, seconds, wait=self.waited.append)


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


def failure(live: OpenAiEndpoint) -> NoProposal:
    with pytest.raises(NoProposal) as caught:
        live.ask(QUESTION)
    return caught.value


# The exchange


def test_reply_has_its_tokens(stub: Stub) -> None:
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


def test_reply_without_usage_has_zero_tokens(stub: Stub) -> None:
    live = stub.live(send(200, b'{"choices": [{"message": {"content": "hello"}}]}'))
    assert live.ask(QUESTION) == Reply("hello", 0)


def test_request_never_sends_the_key_of_another_service(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of-another-service")
    stub.answers = [says("hello")]
    OpenAiEndpoint(stub.url, "a-model").ask(QUESTION)
    assert stub.keys == ["Bearer none"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_temporary_failure_is_retried_at_most_twice(stub: Stub, status: int) -> None:
    assert stub.live(refuses(status), refuses(status), says("at last")).ask(QUESTION).text == "at last"
    assert stub.waited == [2.0, 8.0]
    no = failure(stub.live(refuses(status)))
    assert no.failed_on == str(status)
    assert no.reason.startswith(f"the endpoint refused with {status}: ")
    assert len(stub.requests) == 6


@pytest.mark.parametrize(("asked", "waited"), [("7", 7.0), ("86400", 60.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 2.0)])
def test_retry_delay_of_the_endpoint_is_used_within_bounds(stub: Stub, asked: str, waited: float) -> None:
    stub.live(refuses(429, Retry_After=asked), says("at last")).ask(QUESTION)
    assert stub.waited == [waited]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_permanent_failure_is_not_retried(stub: Stub, status: int) -> None:
    no = failure(stub.live(refuses(status)))
    assert (no.failed_on, len(stub.requests), stub.waited) == (str(status), 1, [])


def test_key_is_not_in_error_messages(stub: Stub) -> None:
    no = failure(stub.live(refuses(401)))
    assert "Incorrect key provided: ***" in no.reason
    assert KEY not in repr(no.args)


@pytest.mark.parametrize("answer", [closes, stops_in_the_middle])
def test_closed_connection_is_retried(stub: Stub, answer: Answer) -> None:
    assert stub.live(answer, says("at last")).ask(QUESTION).text == "at last"
    no = failure(stub.live(answer))
    assert no.failed_on == "connection"
    assert no.reason.startswith("no connection that lasted: ")


def test_missing_endpoint_is_a_connection_failure(stub: Stub) -> None:
    live = stub.live(says("hello"))
    stub.server.server_close()
    assert failure(live).failed_on == "connection"


def test_endpoint_that_hangs_times_out(stub: Stub) -> None:
    no = failure(stub.live(stub.hangs, seconds=0.1))
    assert (no.failed_on, no.reason) == ("timeout", "no answer within 0.1 s")


def test_answer_without_end_times_out(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = count(0, 30)
    monkeypatch.setattr(endpoints, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))
    no = failure(stub.live(says("x" * 300_000), seconds=20.0))
    assert (no.failed_on, no.reason) == ("timeout", "no whole answer within 20 s")


def test_too_large_answer_is_refused(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "MAX_ANSWER_BYTES", 1 << 20)
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
def test_answer_that_is_not_a_chat_completion_is_refused(stub: Stub, body: bytes) -> None:
    no = failure(stub.live(send(200, body)))
    assert no.failed_on == "endpoint"
    assert no.reason.startswith("the endpoint sent no chat completion but: ")
    assert len(no.reason) < 1000


def test_search_after_a_failure_counts_a_trial_and_continues(stub: Stub, tmp_path: Path) -> None:
    live = stub.live(
        says(template(rows=16)),
        send(200, b"<html>"),
        says(""),
        says(template(rows=32)),
        says("Certainly!"),
        refuses(401),
        refuses(400),
        says(None),
        says(template(rows=64), read=4000),
        seconds=5.0,
    )
    trials, end = searched(tmp_path / "t.jsonl", live)
    assert [each.failed_on for each in trials if each.status == "no proposal"] == [
        *("endpoint", "answer", "answer", "401", "400", "answer")
    ]
    assert [each.parameters["rows"] for each in trials if each.parameters] == [16, 32, 64]
    assert [each.tokens for each in trials] == [100, 0, 100, 100, 100, 0, 0, 100, 4010]
    assert [(each.expects, each.why) for each in trials if each.parameters] == [(1.2, "larger tiles")] * 3
    assert end == SearchEnd(session="here", reason="the budget of 9 trials is spent", trials=9)
    assert KEY not in (tmp_path / "t.jsonl").read_text()


def test_search_with_a_rejected_key_ends_after_few_trials(stub: Stub, tmp_path: Path) -> None:
    trials, end = searched(tmp_path / "t.jsonl", stub.live(refuses(401)))
    assert end is not None
    assert end.reason.startswith("no proposal 3 times in a row: the endpoint refused with 401")
    assert len(trials) == len(stub.requests) == 3


def test_search_without_an_endpoint_ends(stub: Stub, tmp_path: Path) -> None:
    trials, end = searched(tmp_path / "t.jsonl", stub.live(refuses(503)))
    assert end is not None
    assert end.reason.startswith("no proposal 5 times in a row: the endpoint refused with 503")
    assert (len(trials), len(stub.requests), stub.waited) == (5, 15, [2.0, 8.0] * 5)


# The environment


def test_from_environment_without_an_endpoint_raises(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("BASE_URL", "MODEL", "API_KEY"):
        monkeypatch.delenv(f"ASARA_LLM_{name}", raising=False)
    with pytest.raises(EndpointError, match="ASARA_LLM_BASE_URL is not set"):
        proposer("llm")
    monkeypatch.setenv("ASARA_LLM_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(EndpointError, match="ASARA_LLM_MODEL is not set"):
        proposer("llm", "record", tmp_path / "tape.jsonl")


def test_from_environment_reads_endpoint_model_and_key(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("BASE_URL", stub.url), ("MODEL", "another"), ("API_KEY", f" {KEY}\n")):
        monkeypatch.setenv(f"ASARA_LLM_{name}", value)
    stub.answers = [says(template(rows=16))]
    made = proposer("llm").propose(history())
    assert made is not None
    assert (made.candidate, made.tokens) == (TILES.candidate("tiles", {"rows": 16}), 100)
    assert (stub.requests[0]["model"], stub.keys) == ("another", [f"Bearer {KEY}"])


@pytest.mark.parametrize("mode", ["record", "replay", "scripted"])
def test_modes_with_a_tape_need_its_name(mode: Any) -> None:
    with pytest.raises(EndpointError, match=f"mode {mode} of the llm proposer needs a tape"):
        from_environment(mode)


def test_replay_without_a_tape_file_raises(tmp_path: Path) -> None:
    with pytest.raises(EndpointError, match=r"there is no tape .*none\.jsonl"):
        from_environment("replay", tmp_path / "none.jsonl")
    with pytest.raises(EndpointError, match="mode 'guess' is unknown; allowed: live, record, replay"):
        from_environment("guess", tmp_path)  # type: ignore[arg-type]


def test_endpoint_without_the_client_names_the_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(importlib.sys.modules, "openai", None)
    with pytest.raises(EndpointError, match=r"pip install 'asara\[llm\]'"):
        OpenAiEndpoint("http://127.0.0.1:9/v1", "a-model")


def test_replay_of_a_recorded_search_gives_the_same_trace(stub: Stub, tmp_path: Path) -> None:
    tape = tmp_path / "deep" / "tape.jsonl"
    live = stub.live(
        says(template(rows=16)),
        refuses(401),
        says("nonsense"),
        says(template(rows=16)),
        says(template(rows=32)),
        says(json.dumps({"source": SOURCE, "why": "größer"})),
        says(template(unroll=2)),
    )
    searched(tmp_path / "recorded.jsonl", RecordingEndpoint(tape, live), 6, foreign=True)
    asked = len(stub.requests)
    searched(tmp_path / "replayed.jsonl", from_environment("replay", tape).endpoint, 6, foreign=True)
    assert (tmp_path / "replayed.jsonl").read_bytes() == (tmp_path / "recorded.jsonl").read_bytes()
    assert len(stub.requests) == asked == 7  # the replay sends no request
    assert KEY not in tape.read_text()
