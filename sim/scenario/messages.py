"""Write the messages of scenario errors: the value, what is wrong with it, what is allowed, and the nearest name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from sim.scenario.declarations import Parameter

_OUT_OF_BOUNDS = ("greater_than_equal", "greater_than", "less_than_equal", "less_than")
_MIN_SIMILARITY = 0.5
"""Similarity ratio (difflib) from which a candidate is suggested. Source: our choice."""


class ScenarioError(ValueError):
    """Report a scenario that cannot be run: what is wrong, in which parameter or file, and what is allowed."""


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Return "; did you mean '...'?" with the candidate nearest to a name, or an empty text if none is near."""
    near = difflib.get_close_matches(name, list(candidates), n=1, cutoff=_MIN_SIMILARITY)
    return f"; did you mean '{near[0]}'?" if near else ""


def describe_unknown_parameter(name: str, known: Mapping[str, Parameter]) -> str:
    """Return the message for a parameter that does not exist, with the flat names it may stand for."""
    meant = [parameter for parameter in known.values() if parameter.name == name]
    if not meant:
        return f"no parameter '{name}'{did_you_mean(name, known)}"
    names = " or ".join(f"'{parameter.flat_name}'" for parameter in meant)
    tables = " or ".join(f"[{parameter.block}]" for parameter in meant)
    return f"no parameter '{name}'; did you mean {names} (in a file: {name} under {tables})?"


def describe_unread_parameter(parameter: Parameter, choice: Any) -> str:
    """Return the message for a parameter that has no effect under the present choice of the selector of its block."""
    return (
        f"{parameter.flat_name} is not read under {parameter.selector} = {choice!r}; it is read under "
        f"{parameter.read_under}"
    )


def describe_validation_error(block: str, error: ErrorDetails, known: Mapping[str, Parameter]) -> str:
    """Return one pydantic error as a sentence with the parameter, its value and the allowed values."""
    if not error["loc"]:
        return f"[{block}] {error['msg'].removeprefix('Value error, ')}"
    parameter = known[f"{block}__{error['loc'][0]}"]
    shown = f"{parameter.flat_name} = {error['input']!r}"
    if error["type"] in _OUT_OF_BOUNDS:
        return f"{shown} {parameter.unit} is out of bounds: {parameter.allowed}"
    if error["type"] == "value_error":
        return f"{shown}: {error['msg'].removeprefix('Value error, ')}"
    near = did_you_mean(str(error["input"]), parameter.choices) if parameter.choices else ""
    kind = "a whole number " if parameter.annotation is int else "a number " if parameter.annotation is float else ""
    return f"{shown} is not allowed: {kind}{parameter.allowed}{near}"
