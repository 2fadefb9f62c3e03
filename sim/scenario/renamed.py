"""Translate the names of parameters that an earlier release used, with a warning."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Final

RENAMED: Final = {
    "cluster__sharing": "cluster__partitioning",
    "run__frame_days": "run__sample_days",
    "run__individuals_up_to": "run__max_individuals",
    "run__leap_error": "run__leap_tolerance",
    "run__until_researchers": "run__stop_at_researchers",
    "training__needed": "training__required",
    "training__speed_share": "training__speedup_exponent",
}
"""Present flat name by the name of the release before; the old names go with the next release."""
RENAMED_VALUES: Final = {"cluster__partitioning": {"shares": "static"}}
"""Present value by the value of the release before, for each parameter whose values were renamed."""


def current_name(name: str) -> str:
    """Return the present name of a parameter; an old name is translated with a FutureWarning."""
    lab, dot, flat_name = name.rpartition(".")
    if flat_name not in RENAMED:
        return name
    present = f"{lab}{dot}{RENAMED[flat_name]}"
    _warn(f"{name} is deprecated; use {present}")
    return present


def current_values(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return changes by their present names and values; each old one is translated with a FutureWarning.

    Raises ValueError if an old name and its present name are both given.
    """
    found: dict[str, Any] = {}
    for name, value in changes.items():
        present = current_name(name)
        if present != name and present in changes:
            raise ValueError(f"{name} is the old name of {present}; give only {present}")
        found[present] = current_value(present, value)
    return found


def current_value(name: str, value: Any) -> Any:
    """Return the present form of a parameter's value; an old one is translated with a FutureWarning."""
    renamed = RENAMED_VALUES.get(name.rpartition(".")[2], {})
    if not isinstance(value, str) or value not in renamed:
        return value
    _warn(f"{name} = '{value}' is deprecated; use '{renamed[value]}'")
    return renamed[value]


def current_content(content: Any, name: str = "") -> Any:
    """Return the content of a file, such as a design, with present names and values at any depth.

    ``name`` is the parameter that the content is a value of, if it is one.
    """
    if isinstance(content, Mapping):
        present = {key: current_name(key) for key in content}
        return {present[key]: current_content(value, present[key]) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return type(content)(current_content(each, name) for each in content)
    return current_value(name, current_name(content)) if isinstance(content, str) else content


def _warn(sentence: str) -> None:
    warnings.warn(sentence, FutureWarning, stacklevel=4)
