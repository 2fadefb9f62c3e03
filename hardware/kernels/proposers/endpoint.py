"""Who answers for the language model: any OpenAI-compatible endpoint, or a script of ready replies."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Annotated, Any, Final, NamedTuple, Protocol

from pydantic import BaseModel, Field

from hardware.kernels.proposers.base import NoProposal

SECONDS: Final = 300.0
"""That one answer may take, from the request to its last byte."""
BYTES: Final = 4 << 20
"""Of one answer; more is refused."""
RETRY_DELAYS: Final = (2.0, 8.0)
"""Seconds before the second and the third attempt, where a later one may help."""
LONGEST_WAIT: Final = 60.0
"""Seconds, whatever the endpoint asks for."""
RETRY_STATUSES: Final = frozenset({"connection", "408", "409", "425", "429", "500", "502", "503", "504"})
"""What a later attempt may mend."""


class EndpointError(ValueError):
    """No endpoint is named; the message says what to set."""


class Request(NamedTuple):
    """What the model is asked."""

    system: str
    user: str
    seed: int = 0
    """Of the search: searches that differ in it have replies of their own on a tape. Not sent."""
    turn: int = 0
    """Which reply of a script is due: 0, 1, ..."""

    @property
    def digest(self) -> str:
        """SHA-256 of all but the turn: what a tape knows it by."""
        return sha256(json.dumps([self.system, self.user, self.seed]).encode()).hexdigest()


class Reply(NamedTuple):
    """What the model said."""

    text: str
    tokens: int = 0
    """Read and written."""


class Endpoint(Protocol):
    """One of live, record, replay, scripted."""

    def ask(self, request: Request) -> Reply | None:
        """Return the reply, None if there will be no more. Raises NoProposal if nothing usable came."""


class ScriptedEndpoint:
    """Ready replies, in order; a NoProposal among them is raised."""

    def __init__(self, replies: Sequence[str | Reply | NoProposal]) -> None:
        self.replies = tuple(replies)

    def ask(self, request: Request) -> Reply | None:
        """Return the reply that is due, None after the last."""
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
    """As much of a chat completion as is read."""

    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


class _Later(NoProposal):
    """The endpoint says how long to wait."""

    seconds: float | None = None


class OpenAiEndpoint:
    """An endpoint behind the ``openai`` client (extra ``llm``).

    ``wait``: called with seconds before another attempt, at most twice a request.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        key: str = "",
        seconds: float = SECONDS,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        try:
            from openai import OpenAI  # noqa: PLC0415 - an extra
        except ImportError:
            raise EndpointError("a language model needs the openai client: pip install 'asara[llm]'") from None
        self.model, self.seconds, self.wait, self._key = model, seconds, wait, key
        # A key is always given, so that the client never sends the one of OPENAI_API_KEY to another host.
        self._client = OpenAI(base_url=base_url, api_key=key or "none", max_retries=0, timeout=seconds)

    @classmethod
    def from_environment(cls) -> OpenAiEndpoint:
        """Return the endpoint of ASARA_LLM_BASE_URL, _MODEL and _API_KEY. Raises EndpointError if one is missing."""
        base_url, model = (os.environ.get(f"ASARA_LLM_{name}", "").strip() for name in ("BASE_URL", "MODEL"))
        if not base_url or not model:
            lacking = "ASARA_LLM_MODEL" if base_url else "ASARA_LLM_BASE_URL"
            raise EndpointError(
                f"{lacking} is not set: the llm proposer asks the OpenAI-compatible endpoint that ASARA_LLM_BASE_URL, "
                "ASARA_LLM_MODEL and, where it wants one, ASARA_LLM_API_KEY name"
            )
        return cls(base_url, model, os.environ.get("ASARA_LLM_API_KEY", "").strip())

    def ask(self, request: Request) -> Reply:
        """Return the reply. Raises NoProposal, which never carries the key, after the last attempt."""
        for pause in RETRY_DELAYS:
            try:
                return self._attempt(request)
            except _Later as error:
                if error.failed_on not in RETRY_STATUSES:
                    raise
                self.wait(min(error.seconds or pause, LONGEST_WAIT))
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
                    if len(body) > BYTES or time.monotonic() > deadline:
                        break
        except Exception as error:  # which exceptions a broken exchange raises differs from client to client
            raise self._failure(error) from None
        if len(body) > BYTES:
            raise NoProposal(f"the endpoint sent more than {BYTES >> 20} MiB", "endpoint")
        if time.monotonic() > deadline:
            raise NoProposal(f"no whole answer within {self.seconds:g} s", "timeout")
        return body

    def _failure(self, error: Exception) -> NoProposal:
        text = " ".join(str(error).split())[:300]
        text = text.replace(self._key, "***") if self._key else text
        status = getattr(error, "status_code", None)
        if status is not None:
            later = _Later(f"the endpoint refused with {status}: {text}", str(status))
            later.seconds = _seconds(error.response.headers.get("retry-after", ""))  # type: ignore[attr-defined]
            return later
        if "Timeout" in type(error).__name__:
            return NoProposal(f"no answer within {self.seconds:g} s", "timeout")
        return _Later(f"no connection that lasted: {type(error).__name__}: {text}", "connection")


def _seconds(text: str) -> float | None:
    """Return a Retry-After in seconds; its other form, a date, is not followed."""
    return float(text) if text.isdecimal() else None
