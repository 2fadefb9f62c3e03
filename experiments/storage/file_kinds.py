"""Kinds of TOML files: scenarios, designs of sweeps and priors, each told by its content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from sim.toml_files import TomlError, read_toml

Kind = Literal["scenario", "design", "priors"]

BLOCKS: Final = ("growth", "researcher", "literature", "cluster", "training", "kernels", "run")
"""Tables of a scenario."""
_WHAT: Final[Mapping[Kind, tuple[str, str]]] = {
    "scenario": ("a scenario", "run"),
    "design": ("the design of a sweep", "sweep"),
    "priors": ("a file of priors", "mc"),
}
"""What a file of each kind is, and the command that reads it."""


def kind_of(content: Mapping[str, Any]) -> Kind | None:
    """Return which kind of file has this content; None if that is unclear."""
    if "sampling" in content or "levers" in content or "uncertainties" in content:
        return "design"
    if "inputs" in content or "pairs" in content:
        return "priors"
    return "scenario" if any(isinstance(content.get(block), Mapping) for block in BLOCKS) else None


def other_kind(path: Path, wanted: Kind) -> str:
    """Return the sentence that a file is of another kind than was wanted, and what reads it; else an empty text."""
    try:
        found = kind_of(read_toml(path))
    except TomlError:
        return ""
    if found is None or found == wanted:
        return ""
    what, command = _WHAT[found]
    return f"{path}: is {what}, not {_WHAT[wanted][0]}. `asara {command} {path}` runs it."
