"""Compute the pace of a search for faster kernels, its costs and its effect: pure functions of parameters."""

from typing import Final

from agents.params import KernelParams

MAX_TIME: Final = 0.9
"""Maximum share of researchers' time, and of the GPUs for experiments, that candidates may take."""


def amdahl(share: float, speedup: float) -> float:
    """Return the total speed-up if a share f gets S times as fast: ``1/((1 - f) + f/S)``, below 1/(1 - f)."""
    return 1 / (1 - share * (1 - 1 / speedup))


def candidates_per_day(params: KernelParams, team: float) -> float:
    """Return the candidates that a team tries per day, within the limit of its time."""
    hours = params.candidate_researcher_hours
    return min(params.candidates_per_day, MAX_TIME * 24 * team / hours) if hours > 0 else params.candidates_per_day


def research_pace(params: KernelParams, team: float) -> float:
    """Return the share of researchers' time that is left during a search; 1 if candidates cost no time.

    ``1 - rate * hours / 24 / team``, with ``team`` and rate those of the reference team: both grow alike.
    """
    return 1 - candidates_per_day(params, team) * params.candidate_researcher_hours / 24 / team
