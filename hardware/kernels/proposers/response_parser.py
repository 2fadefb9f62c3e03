"""Parse the answers of a language model: JSON that is checked against a schema.

The error messages are part of later prompts, and so of the key of recorded replies: a change makes tapes unusable.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field, StrictInt, StrictStr, ValidationError

from hardware.kernels.candidate import Candidate
from hardware.kernels.proposers.base import History, NoProposal, Proposal
from hardware.kernels.proposers.endpoint import Reply
from hardware.kernels.registry import UNTRUSTED

MAX_ANSWER_CHARACTERS: Final = 200_000
"""Longest part of an answer that is read [characters]."""
MAX_BRACES: Final = 200
"""Largest number of braces that are tried as the start of a JSON object."""

_Expected = Annotated[float, Field(gt=0, lt=1e6, allow_inf_nan=False)]


class _TemplateAnswer(BaseModel, extra="forbid"):
    family: str
    parameters: dict[str, StrictInt | StrictStr] = {}
    expects: _Expected | None = None
    why: str = ""


class _SourceAnswer(BaseModel, extra="forbid"):
    source: str = Field(min_length=1, max_length=MAX_ANSWER_CHARACTERS)
    expects: _Expected | None = None
    why: str = ""


def parse_proposal(reply: Reply, history: History) -> Proposal:
    """Return the proposal in a reply. Raises NoProposal with the error in the reply."""
    try:
        return _to_proposal(_last_json_object(reply.text), history)._replace(tokens=reply.tokens)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        reason = f"{where}: {first['msg']}"
    except ValueError as error:
        reason = str(error)
    raise NoProposal(f"an unusable answer: {reason}"[:500], "answer", reply.tokens) from None


def _to_proposal(answer: dict[str, Any], history: History) -> Proposal:
    if "source" in answer:
        foreign = _SourceAnswer.model_validate(answer)
        if not history.source_allowed:
            raise ValueError("source is not asked for in this search, only a family and its parameters")
        return Proposal(Candidate(UNTRUSTED, (), foreign.source), foreign.expects, _single_line(foreign.why))
    template = _TemplateAnswer.model_validate(answer)
    spaces = history.search_space.spaces
    if template.family not in spaces:
        raise ValueError(f"no family {template.family!r}: there are {', '.join(spaces) or 'none'}")
    candidate = spaces[template.family].candidate(template.family, template.parameters)
    return Proposal(candidate, template.expects, _single_line(template.why))


def _single_line(text: str) -> str:
    return " ".join(text.split())


def _last_json_object(text: str) -> dict[str, Any]:
    """Return the last JSON object with a proposal in a text; other text is ignored.

    Raises ValueError without such an object. Line breaks within strings are accepted, because models write source that
    way.
    """
    if not text.strip():
        raise ValueError("the model said nothing")
    found, at, decoder = None, -1, json.JSONDecoder(strict=False)
    text = text[:MAX_ANSWER_CHARACTERS]
    for _ in range(MAX_BRACES):
        at = text.find("{", at + 1)
        if at < 0:
            break
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            continue
        at = end - 1
        found = value if "family" in value or "source" in value else found
    if found is None:
        raise ValueError(f"no JSON object with family or source in {' '.join(text[:200].split())!r}")
    return dict(found)
