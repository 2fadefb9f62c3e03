"""Predict the speed-up of a candidate from trials, by an additive model of log speed-up with shrinkage."""

from __future__ import annotations

from collections import defaultdict
from math import exp, log
from typing import Final

from hardware.kernels.candidate import Candidate, Value
from hardware.kernels.proposers.base import History

PRIOR_TRIALS: Final = 1.0
"""Pseudo-trials of each value without an effect, which shrink estimates from few trials."""


def expected_speedup(history: History, candidate: Candidate) -> float | None:
    """Return the expected speed-up over SDPA if the candidate passes; None before a candidate of its family passed.

    The model is the mean log speed-up of the family plus an effect of each parameter value. An effect is the mean
    residual of the trials with that value, shrunk towards 0. Parameters are fitted one after the other.
    """
    trials = [(each.values, log(score)) for each, score in history.passed if each.family == candidate.family]
    if not trials:
        return None
    mean = sum(speed for _, speed in trials) / len(trials)
    left = [speed - mean for _, speed in trials]
    guess = mean
    for name, value in candidate.parameters:
        effects = _effects([values[name] for values, _ in trials], left)
        left = [rest - effects[values[name]] for rest, (values, _) in zip(left, trials, strict=True)]
        guess += effects[value]
    return exp(guess)


def _effects(values: list[Value], left: list[float]) -> defaultdict[Value, float]:
    sums: defaultdict[Value, float] = defaultdict(float)
    counts: defaultdict[Value, float] = defaultdict(lambda: PRIOR_TRIALS)
    for value, rest in zip(values, left, strict=True):
        sums[value] += rest
        counts[value] += 1
    return defaultdict(float, {value: total / counts[value] for value, total in sums.items()})
