"""Propose candidates by a language model: template parameters as JSON, or C++ source with one fixed symbol."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, get_args

from hardware.kernels.proposers.base import History, Proposal
from hardware.kernels.proposers.endpoint import Endpoint, EndpointError, OpenAiEndpoint, Request, ScriptedEndpoint
from hardware.kernels.proposers.prompt import system_prompt, user_prompt
from hardware.kernels.proposers.recording import RecordingEndpoint, ReplayEndpoint, load_replies
from hardware.kernels.proposers.response_parser import parse_proposal

Mode = Literal["live", "record", "replay", "scripted"]
MODES: Final = get_args(Mode)
"""Sources of replies: an endpoint, an endpoint with a recording tape, a tape, or a file of scripted replies."""


class LanguageModelProposer:
    """Sends one request for each trial, with the full history."""

    name = "llm"
    summary = "a language model, behind any OpenAI-compatible endpoint"

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    def propose(self, history: History) -> Proposal | None:
        """Return the proposal of the model. Raises NoProposal for a broken exchange or an unusable answer."""
        reply = self.endpoint.ask(request_of(history))
        return None if reply is None else parse_proposal(reply, history)


def request_of(history: History) -> Request:
    """Return the request for a history; equal histories give equal requests."""
    turn = history.number - 1 + len(history.refused)
    return Request(system_prompt(history), user_prompt(history), history.seed, turn)


def from_environment(mode: Mode = "live", tape: Path | None = None) -> LanguageModelProposer:
    """Return the proposer of a mode. Raises EndpointError if the endpoint or the tape is not named.

    Raises TapeError for a file that is not a tape, or has no valid replies.
    """
    if mode not in MODES:
        raise EndpointError(f"mode {mode!r} is unknown; allowed: {', '.join(MODES)}")
    if mode == "live":
        return LanguageModelProposer(OpenAiEndpoint.from_environment())
    if tape is None:
        raise EndpointError(f"mode {mode} of the llm proposer needs a tape; name one by --tape")
    if mode == "record":
        return LanguageModelProposer(RecordingEndpoint(tape, OpenAiEndpoint.from_environment()))
    if not tape.is_file():
        raise EndpointError(f"there is no tape {tape}; name an existing file by --tape")
    return LanguageModelProposer(ReplayEndpoint(tape) if mode == "replay" else ScriptedEndpoint(load_replies(tape)))
