"""Read typed numbers and answers: 1,024 and 1e3 are whole numbers, yes and False are answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Final, get_args, get_type_hints

import typer

_GROUPED: Final = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
"""Pattern of a number with commas between thousands, as tables print it."""
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_MAX_DIGITS: Final = 400
"""Largest number of digits of a whole number; longer ones are outside every range, and take memory."""
_ANSWERS: Final = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def plain_number(text: str) -> str | None:
    """Return a decimal number without its commas between thousands; None for other text, such as 0x2 or 1_0."""
    stripped = text.strip()
    if _GROUPED.fullmatch(stripped):
        stripped = stripped.replace(",", "")
    return stripped if _NUMBER.fullmatch(stripped) else None


def whole_number(text: str) -> int | None:
    """Return the whole number that a text states in any notation, or None."""
    found = plain_number(text)
    if found is None:
        return None
    try:
        number = Decimal(found)
    except InvalidOperation:
        return None
    if number.adjusted() > _MAX_DIGITS or number != number.to_integral_value():
        return None
    return int(number)


def any_number(text: str) -> float | None:
    """Return the number that a text states, or None."""
    found = plain_number(text)
    return None if found is None else float(found)


def answer(text: str) -> bool | None:
    """Return True for yes and False for no; None if the text is neither."""
    return _ANSWERS.get(text.strip().lower())


def read_typed_numbers(command: Any) -> None:
    """Make a command and all its subcommands read numbers by these rules.

    Args:
        command: A click command or group, as typer builds it.
    """
    kinds = _number_kinds(command.callback) if command.callback is not None else {}
    for parameter in command.params:
        if parameter.name in kinds:
            parameter.process_value = _make_reader(parameter, kinds[parameter.name])
    for subcommand in getattr(command, "commands", {}).values():
        read_typed_numbers(subcommand)


def _number_kinds(function: Callable[..., Any]) -> dict[str, type[int | float]]:
    """Return the parameters of a function that are numbers, with their type."""
    found: dict[str, type[int | float]] = {}
    for name, hint in get_type_hints(function).items():
        kinds = set(get_args(hint) or (hint,)) - {type(None)}
        for kind in (int, float):
            if kinds == {kind}:
                found[name] = kind
    return found


def _make_reader(parameter: Any, kind: type[int | float]) -> Callable[[Any, Any], Any]:
    """Return a function that reads a typed number and passes it to the usual checks of the parameter."""
    before, read = parameter.process_value, whole_number if kind is int else any_number
    wanted = "whole number, such as 64, 1,024 or 1e3" if kind is int else "valid number, such as 0.5, 1,024 or 1e3"

    def process(context: Any, value: Any) -> Any:
        if isinstance(value, str):
            found = read(value)
            if found is None:
                raise typer.BadParameter(f"'{value}' is not a {wanted}", ctx=context, param=parameter)
            value = f"{found!r}"
        return before(context, value)

    return process
