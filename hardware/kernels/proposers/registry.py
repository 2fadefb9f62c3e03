"""Look up proposers by name."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from hardware.kernels.proposers.autotune import AutotuneProposer
from hardware.kernels.proposers.base import Proposer
from hardware.kernels.proposers.evolve import EvolutionProposer
from hardware.kernels.proposers.hill_climb import HillClimbProposer
from hardware.kernels.proposers.llm import LanguageModelProposer, Mode, from_environment
from hardware.kernels.proposers.naive import DefaultProposer
from hardware.kernels.proposers.random import RandomProposer

_STRATEGIES: Final[tuple[Callable[[], Proposer], ...]] = (
    DefaultProposer,
    RandomProposer,
    HillClimbProposer,
    EvolutionProposer,
    AutotuneProposer,
)
PROPOSERS: Final = {
    each.name: each.summary
    for each in (
        DefaultProposer,
        RandomProposer,
        HillClimbProposer,
        EvolutionProposer,
        AutotuneProposer,
        LanguageModelProposer,
    )
}
"""Name → description in one line."""


class UnknownProposerError(ValueError):
    """The name of a proposer is unknown; the message lists the known names."""


def proposer(name: str, mode: Mode = "live", tape: Path | None = None) -> Proposer:
    """Return a proposer by name; ``mode`` and ``tape`` apply only to the language model.

    Raises UnknownProposerError, and for the language model EndpointError if the environment does not name an endpoint.
    """
    if name == LanguageModelProposer.name:
        return from_environment(mode, tape)
    for made in (each() for each in _STRATEGIES):
        if made.name == name:
            return made
    near = get_close_matches(name, PROPOSERS, n=1, cutoff=0.5)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    raise UnknownProposerError(f"proposer '{name}' is unknown; allowed: {', '.join(PROPOSERS)}{hint}")
