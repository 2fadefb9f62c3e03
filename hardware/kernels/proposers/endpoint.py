"""Send requests to a language model: an OpenAI-compatible endpoint, or a list of scripted replies."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Annotated, Any, Final, NamedTuple, Protocol

from pydantic import BaseModel, Field

from hardware.kernels.proposers.base import NoProposal

ANSWER_TIMEOUT_SECONDS: Final = 300.0
"""Longest time of an answer, from the request to its last byte [s]."""
MAX_ANSWER_BYTES: Final = 4 << 20
"""Largest answer [bytes]; a larger one is refused."""
RETRY_DELAYS: Final = (2.0, 8.0)
"""Delays before the second and the third attempt [s]."""
MAX_WAIT_SECONDS: Final = 60.0
"""Longest delay before an attempt, even if the endpoint requests more [s]."""
RETRY_STATUSES: Final = frozenset({"connection", "408", "409", "425", "429", "500", "502", "503", "504"})
"""Failures after which another attempt may succeed."""


class EndpointError(ValueError):
    """The endpoint is not configured; the message gives the missing setting."""


class Request(NamedTuple):
    """A request to the model."""

    system: str
    user: str
    seed: int = 0
    """Seed of the search; it is not sent. Searches with different seeds have separate replies on a tape."""
    turn: int = 0
    """Index of the scripted reply: 0, 1, ..."""

    @property
    def digest(self) -> str:
        """SHA-256 of prompts and seed, the key of the request on a tape."""
        return sha256(json.dumps([self.system, self.user, self.seed]).encode()).hexdigest()


class Reply(NamedTuple):
    """A reply of the model."""

    text: str
    tokens: int = 0
    """Tokens read and written."""


class Endpoint(Protocol):
    """Answers requests; the modes live, record, replay and scripted have one class each."""

    def ask(self, request: Request) -> Reply | None:
        """Return the reply, None if there are no more replies. Raises NoProposal without a usable reply."""


class ScriptedEndpoint:
    """Returns scripted replies in order; a NoProposal among them is raised."""

    def __init__(self, replies: Sequence[str | Reply | NoProposal]) -> None:
        self.replies = tuple(replies)

    def ask(self, request: Request) -> Reply | None:
        """Return the reply of the turn, None after the last."""
        if request.turn >= len(self.replies):
            return None
        reply = self.replies[request.turn]
        if isinstance(reply, NoProposal):
            raise reply
        return Reply(reply) if isinstance(reply, str) else reply


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Message


class _Usage(BaseModel):
    prompt_tokens: Annotated[int, Field(ge=0)] = 0
    completion_tokens: Annotated[int, Field(ge=0)] = 0


class _Completion(BaseModel):
    """The part of a chat completion that is read."""

    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


class _RetryableFailure(NoProposal):
    """A failure after which another attempt may succeed; the endpoint may give a delay [s]."""

    seconds: float | None = None


class OpenAiEndpoint:
    """An endpoint with the ``openai`` client (extra ``llm``).

    ``wait``: called with a delay [s] before another attempt, at most twice for each request.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        key: str = "",
        seconds: float = ANSWER_TIMEOUT_SECONDS,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        try:
            from openai import OpenAI  # noqa: PLC0415 - an extra
        except ImportError:
            raise EndpointError("the openai client is not installed; run: pip install 'asara[llm]'") from None
        self.model, self.seconds, self.wait, self._key = model, seconds, wait, key
        # A key is always given, so that the client never sends OPENAI_API_KEY to another host.
        self._client = OpenAI(base_url=base_url, api_key=key or "none", max_retries=0, timeout=seconds)

    @classmethod
    def from_environment(cls) -> OpenAiEndpoint:
        """Return the endpoint of ASARA_LLM_BASE_URL, _MODEL and _API_KEY. Raises EndpointError if one is missing."""
        base_url, model = (os.environ.get(f"ASARA_LLM_{name}", "").strip() for name in ("BASE_URL", "MODEL"))
        if not base_url or not model:
            missing = "ASARA_LLM_MODEL" if base_url else "ASARA_LLM_BASE_URL"
            raise EndpointError(
                f"{missing} is not set; the llm proposer needs an OpenAI-compatible endpoint: set ASARA_LLM_BASE_URL, "
                "ASARA_LLM_MODEL and, if the endpoint requires a key, ASARA_LLM_API_KEY"
            )
        return cls(base_url, model, os.environ.get("ASARA_LLM_API_KEY", "").strip())

    def ask(self, request: Request) -> Reply:
        """Return the reply. Raises NoProposal, which never contains the key, after the last attempt."""
        for pause in RETRY_DELAYS:
            try:
                return self._attempt(request)
            except _RetryableFailure as error:
                if error.failed_on not in RETRY_STATUSES:
                    raise
                self.wait(min(error.seconds or pause, MAX_WAIT_SECONDS))
        return self._attempt(request)

    def _attempt(self, request: Request) -> Reply:
        body = self._fetch(request)
        try:
            completion = _Completion.model_validate_json(body)
        except ValueError:
            start = " ".join(body[:200].decode(errors="replace").split())
            raise NoProposal(f"the endpoint sent no chat completion but: {start!r}", "endpoint") from None
        usage = completion.usage or _Usage()
        return Reply(completion.choices[0].message.content or "", usage.prompt_tokens + usage.completion_tokens)

    def _fetch(self, request: Request) -> bytes:
        messages = [{"role": "system", "content": request.system}, {"role": "user", "content": request.user}]
        create: Any = self._client.chat.completions.with_streaming_response.create
        deadline = time.monotonic() + self.seconds
        body = b""
        try:
            with create(model=self.model, messages=messages) as response:
                for part in response.iter_bytes():
                    body += part
                    if len(body) > MAX_ANSWER_BYTES or time.monotonic() > deadline:
                        break
        except Exception as error:  # the exceptions of a broken exchange differ between clients
            raise self._failure(error) from None
        if len(body) > MAX_ANSWER_BYTES:
            raise NoProposal(f"the endpoint sent more than {MAX_ANSWER_BYTES >> 20} MiB", "endpoint")
        if time.monotonic() > deadline:
            raise NoProposal(f"no whole answer within {self.seconds:g} s", "timeout")
        return body

    def _failure(self, error: Exception) -> NoProposal:
        text = " ".join(str(error).split())[:300]
        text = text.replace(self._key, "***") if self._key else text
        status = getattr(error, "status_code", None)
        if status is not None:
            later = _RetryableFailure(f"the endpoint refused with {status}: {text}", str(status))
            later.seconds = _parse_retry_after(error.response.headers.get("retry-after", ""))  # type: ignore[attr-defined]
            return later
        if "Timeout" in type(error).__name__:
            return NoProposal(f"no answer within {self.seconds:g} s", "timeout")
        return _RetryableFailure(f"no connection that lasted: {type(error).__name__}: {text}", "connection")


def _parse_retry_after(text: str) -> float | None:
    """Parse a Retry-After header [s]; a date is ignored."""
    return float(text) if text.isdecimal() else None
