"""Detect the kind of a TOML file from its content: a scenario, the design of a sweep, or priors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from sim.toml_files import TomlError, read_toml

Kind = Literal["scenario", "design", "priors"]

BLOCKS: Final = (
    "growth",
    "researcher",
    "humans",
    "automation",
    "start",
    "horizon",
    "literature",
    "cluster",
    "training",
    "kernels",
    "supply",
    "commons",
    "entry",
    "exit",
    "policy",
    "disclosure",
    "regulator",
    "run",
)
"""Names of the tables of a scenario."""
_KINDS: Final[Mapping[Kind, tuple[str, str]]] = {
    "scenario": ("a scenario", "run"),
    "design": ("the design of a sweep", "sweep"),
    "priors": ("a file of priors", "mc"),
}
"""Description of each kind, and the command that reads it."""


def kind_of(content: Mapping[str, Any]) -> Kind | None:
    """Return the kind of a file with this content; None if it is unclear."""
    if "sampling" in content or "levers" in content or "uncertainties" in content:
        return "design"
    if "inputs" in content or "pairs" in content:
        return "priors"
    return "scenario" if any(isinstance(content.get(block), Mapping) for block in (*BLOCKS, "labs")) else None


def wrong_kind_message(path: Path, wanted: Kind) -> str:
    """Return an error text if a file is of another kind than ``wanted``, with the command that reads it; else ""."""
    try:
        found = kind_of(read_toml(path))
    except TomlError:
        return ""
    if found is None or found == wanted:
        return ""
    description, command = _KINDS[found]
    return f"{path} is {description}, not {_KINDS[wanted][0]}. Run `asara {command} {path}`."
