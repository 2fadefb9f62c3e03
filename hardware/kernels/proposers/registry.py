"""Every proposer, by name."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from hardware.kernels.proposers.autotune import Autotune
from hardware.kernels.proposers.base import Proposer
from hardware.kernels.proposers.evolve import Evolve
from hardware.kernels.proposers.hill_climb import HillClimb
from hardware.kernels.proposers.llm import LanguageModel, Mode, from_environment
from hardware.kernels.proposers.naive import Naive
from hardware.kernels.proposers.random import Random

_PLAIN: Final[tuple[Callable[[], Proposer], ...]] = (Naive, Random, HillClimb, Evolve, Autotune)
PROPOSERS: Final = {each.name: each.summary for each in (Naive, Random, HillClimb, Evolve, Autotune, LanguageModel)}
"""Name → one line for people."""


class UnknownProposerError(ValueError):
    """A name that there is not; the message has those that there are."""


def proposer(name: str, mode: Mode = "live", tape: Path | None = None) -> Proposer:
    """Return a proposer by name; ``mode`` and ``tape`` are for the language model alone.

    Raises UnknownProposerError, and for the language model EndpointError if the environment does not name an endpoint.
    """
    if name == LanguageModel.name:
        return from_environment(mode, tape)
    for made in (each() for each in _PLAIN):
        if made.name == name:
            return made
    near = get_close_matches(name, PROPOSERS, n=1, cutoff=0.5)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    raise UnknownProposerError(f"no proposer '{name}': there are {', '.join(PROPOSERS)}{hint}")
