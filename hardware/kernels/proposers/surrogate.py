"""What to expect of a candidate, from what was tried: a shrunken additive model of the logarithm of speed."""

from __future__ import annotations

from collections import defaultdict
from math import exp, log
from typing import Final

from hardware.kernels.candidate import Candidate, Value
from hardware.kernels.proposers.base import History

PRIOR: Final = 1.0
"""Imagined trials of each value without any effect: so little do one or two trials count."""


def expected_speedup(history: History, candidate: Candidate) -> float | None:
    """Return the speed-up over SDPA that is expected if the candidate passes; None before its family ever did.

    Mean log speed-up of the family, plus an effect of each parameter's value: the mean of what is left over among the
    trials with that value, shrunk towards 0, parameter after parameter.
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
    counts: defaultdict[Value, float] = defaultdict(lambda: PRIOR)
    for value, rest in zip(values, left, strict=True):
        sums[value] += rest
        counts[value] += 1
    return defaultdict(float, {value: total / counts[value] for value, total in sums.items()})
