"""What a language model may answer: JSON, checked against a schema; it can carry no code but the source it declares."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field, StrictInt, StrictStr, ValidationError

from hardware.kernels.candidate import Candidate
from hardware.kernels.proposers.base import History, NoProposal, Proposal
from hardware.kernels.proposers.endpoint import Reply
from hardware.kernels.registry import FOREIGN

LONGEST: Final = 200_000
"""Characters of an answer that are looked at."""
ATTEMPTS: Final = 200
"""Braces at which a JSON object may begin."""

_Expected = Annotated[float, Field(gt=0, lt=1e6, allow_inf_nan=False)]


class _Template(BaseModel, extra="forbid"):
    family: str
    parameters: dict[str, StrictInt | StrictStr] = {}
    expects: _Expected | None = None
    why: str = ""


class _Foreign(BaseModel, extra="forbid"):
    source: str = Field(min_length=1, max_length=LONGEST)
    expects: _Expected | None = None
    why: str = ""


def parse_proposal(reply: Reply, history: History) -> Proposal:
    """Return what a reply proposes. Raises NoProposal that says what is wrong with it."""
    try:
        return _checked(_object(reply.text), history)._replace(tokens=reply.tokens)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        reason = f"{where}: {first['msg']}"
    except ValueError as error:
        reason = str(error)
    raise NoProposal(f"an unusable answer: {reason}"[:500], "answer", reply.tokens) from None


def _checked(answer: dict[str, Any], history: History) -> Proposal:
    if "source" in answer:
        foreign = _Foreign.model_validate(answer)
        if not history.foreign:
            raise ValueError("source is not asked for in this search, only a family and its parameters")
        return Proposal(Candidate(FOREIGN, (), foreign.source), foreign.expects, _line(foreign.why))
    template = _Template.model_validate(answer)
    spaces = history.pool.spaces
    if template.family not in spaces:
        raise ValueError(f"no family {template.family!r}: there are {', '.join(spaces) or 'none'}")
    candidate = spaces[template.family].candidate(template.family, template.parameters)
    return Proposal(candidate, template.expects, _line(template.why))


def _line(text: str) -> str:
    return " ".join(text.split())


def _object(text: str) -> dict[str, Any]:
    """Return the last JSON object of a text that holds a proposal, whatever stands around it.

    Raises ValueError if there is none. Line breaks within strings are let pass: models write source that way.
    """
    if not text.strip():
        raise ValueError("the model said nothing")
    found, at, decoder = None, -1, json.JSONDecoder(strict=False)
    text = text[:LONGEST]
    for _ in range(ATTEMPTS):
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
