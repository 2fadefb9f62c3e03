"""Record and replay replies of a language model on a tape of JSON lines, by the digest of the request."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from hardware.kernels.proposers.base import NoProposal
from hardware.kernels.proposers.endpoint import Endpoint, Reply, Request

_LINE_PREFIX: Final = b'{"request":'


class TapeError(ValueError):
    """A file is not a tape; the message gives the line."""


class NotOnTapeError(LookupError):
    """A request was not recorded, so its reply is unknown."""


class _Exchange(BaseModel, frozen=True, extra="forbid"):
    """One request and its reply or failure."""

    request: str
    """Digest of the request."""
    reply: str | None
    """Text of the reply; None without a usable reply."""
    reason: str = ""
    failed_on: str = ""
    tokens: int = 0

    def replay(self) -> Reply:
        if self.reply is None:
            raise NoProposal(self.reason, self.failed_on, self.tokens)
        return Reply(self.reply, self.tokens)


def _read_tape(path: Path) -> tuple[dict[str, _Exchange], int]:
    """Return the newest exchange of each digest, and the size of complete lines [bytes]. Raises TapeError."""
    exchanges, whole = {}, 0
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), start=1):
        try:
            exchange = _Exchange.model_validate_json(line)
        except ValueError:
            if not line.endswith(b"\n") and line[: len(_LINE_PREFIX)] == _LINE_PREFIX[: len(line)]:
                break  # the process was killed while it wrote the line
            raise TapeError(f"{path}, line {number}: not a line of a tape") from None
        exchanges[exchange.request] = exchange
        whole += len(line)
    return exchanges, whole


def load_replies(path: Path) -> tuple[str, ...]:
    """Return scripted replies in order; each line has one JSON object or one text in quotes.

    Raises TapeError with the number of an invalid line.
    """
    replies = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            text = line.decode()
            value = json.loads(text) if text.strip() else None
        except (ValueError, RecursionError):
            value = 0
        if value is not None and not isinstance(value, dict | str):
            raise TapeError(f"{path}, line {number}: neither a JSON object nor a text in quotes")
        if value is not None:
            replies.append(value if isinstance(value, str) else text)
    return tuple(replies)


class ReplayEndpoint:
    """Returns the replies on a tape, without an endpoint."""

    def __init__(self, tape: Path) -> None:
        self.tape, (self._exchanges, _) = tape, _read_tape(tape)

    def ask(self, request: Request) -> Reply:
        """Return the recorded reply, or raise the recorded NoProposal. Raises NotOnTapeError."""
        if request.digest not in self._exchanges:
            raise NotOnTapeError(
                f"{self.tape} has no reply to request {request.digest[:12]}: its {len(self._exchanges)} replies were "
                "recorded for another history, seed or prompt"
            )
        return self._exchanges[request.digest].replay()


class RecordingEndpoint:
    """Sends requests that are not on the tape to an endpoint, and records the replies before it returns them.

    Recorded replies are reused, so a killed search pays for each reply once. After a recorded failure, the request is
    sent again.
    """

    def __init__(self, tape: Path, endpoint: Endpoint) -> None:
        self.tape, self.endpoint = tape, endpoint
        tape.parent.mkdir(parents=True, exist_ok=True)
        tape.touch()
        self._exchanges, whole = _read_tape(tape)
        with tape.open("r+b") as file:
            file.truncate(whole)
            if whole and not tape.read_bytes().endswith(b"\n"):
                file.seek(whole)
                file.write(b"\n")

    def ask(self, request: Request) -> Reply | None:
        """Return the reply, from the tape or from the endpoint. Raises NoProposal."""
        exchange = self._exchanges.get(request.digest)
        if exchange is None or exchange.reply is None:
            exchange = self._ask_and_record(request)
        return None if exchange is None else exchange.replay()

    def _ask_and_record(self, request: Request) -> _Exchange | None:
        try:
            reply = self.endpoint.ask(request)
        except NoProposal as no:
            return self._append(
                _Exchange(
                    request=request.digest, reply=None, reason=no.reason, failed_on=no.failed_on, tokens=no.tokens
                )
            )
        if reply is None:
            return None
        text = reply.text.encode(errors="replace").decode()
        return self._append(_Exchange(request=request.digest, reply=text, tokens=reply.tokens))

    def _append(self, exchange: _Exchange) -> _Exchange:
        with self.tape.open("ab") as file:
            file.write(exchange.model_dump_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._exchanges[exchange.request] = exchange
        return exchange
