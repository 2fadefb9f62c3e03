"""Replies of a language model on a tape of JSON lines, keyed by the digest of the request."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from hardware.kernels.proposers.base import NoProposal
from hardware.kernels.proposers.endpoint import Endpoint, Reply, Request

_BEGINS: Final = b'{"request":'


class TapeError(ValueError):
    """A file that is no tape; the message says where."""


class NotOnTapeError(LookupError):
    """A request that was not recorded: it is never guessed what the reply would have been."""


class _Take(BaseModel, frozen=True, extra="forbid"):
    """One request and what came of it."""

    request: str
    """Digest."""
    reply: str | None
    """None if nothing usable came."""
    reason: str = ""
    failed_on: str = ""
    tokens: int = 0

    def play(self) -> Reply:
        if self.reply is None:
            raise NoProposal(self.reason, self.failed_on, self.tokens)
        return Reply(self.reply, self.tokens)


def _read(path: Path) -> tuple[dict[str, _Take], int]:
    """Return digest → the newest take, and the bytes of whole lines. Raises TapeError."""
    takes, whole = {}, 0
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), start=1):
        try:
            take = _Take.model_validate_json(line)
        except ValueError:
            if not line.endswith(b"\n") and line[: len(_BEGINS)] == _BEGINS[: len(line)]:
                break  # a kill while it was written
            raise TapeError(f"{path}, line {number}: not a line of a tape") from None
        takes[take.request] = take
        whole += len(line)
    return takes, whole


def load_replies(path: Path) -> tuple[str, ...]:
    """Return what a file has a model say, in order: one JSON object, or one text in quotes, a line.

    Raises TapeError with the line that is neither.
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
    """Reads the tape; asks nobody."""

    def __init__(self, tape: Path) -> None:
        self.tape, (self._takes, _) = tape, _read(tape)

    def ask(self, request: Request) -> Reply:
        """Return the recorded reply, or raise the recorded NoProposal. Raises NotOnTapeError."""
        if request.digest not in self._takes:
            raise NotOnTapeError(
                f"{self.tape} has no reply to request {request.digest[:12]}: it holds {len(self._takes)} others, "
                "recorded for another history, seed or prompt"
            )
        return self._takes[request.digest].play()


class RecordingEndpoint:
    """Asks an endpoint what is not on the tape yet, and writes it down before the search goes on.

    A reply that is there is played, so that a search that was killed pays for none twice; a failure is asked again.
    """

    def __init__(self, tape: Path, endpoint: Endpoint) -> None:
        self.tape, self.endpoint = tape, endpoint
        tape.parent.mkdir(parents=True, exist_ok=True)
        tape.touch()
        self._takes, whole = _read(tape)
        with tape.open("r+b") as file:
            file.truncate(whole)
            if whole and not tape.read_bytes().endswith(b"\n"):
                file.seek(whole)
                file.write(b"\n")

    def ask(self, request: Request) -> Reply | None:
        """Return the reply, from the tape or from the endpoint. Raises NoProposal."""
        take = self._takes.get(request.digest)
        if take is None or take.reply is None:
            take = self._taken(request)
        return None if take is None else take.play()

    def _taken(self, request: Request) -> _Take | None:
        try:
            reply = self.endpoint.ask(request)
        except NoProposal as no:
            return self._written(
                _Take(request=request.digest, reply=None, reason=no.reason, failed_on=no.failed_on, tokens=no.tokens)
            )
        if reply is None:
            return None
        text = reply.text.encode(errors="replace").decode()
        return self._written(_Take(request=request.digest, reply=text, tokens=reply.tokens))

    def _written(self, take: _Take) -> _Take:
        with self.tape.open("ab") as file:
            file.write(take.model_dump_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._takes[take.request] = take
        return take
