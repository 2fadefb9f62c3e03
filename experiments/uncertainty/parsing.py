"""Parse priors: distributions and rank correlations that a file states.

A distribution is stated by its parameters or, if two numbers determine it, by an 80% interval ``ci80 = [low, high]``.
Then 10% of the probability lies below ``low`` and 10% above ``high``. ``min`` and ``max`` truncate a distribution:
values beyond them are not drawn, and the rest keeps its proportions. A ``ci80`` refers to the distribution before it is
truncated. Rank correlations are Spearman's, by a Gaussian copula. This module does not draw: it transforms uniform
numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from experiments.uncertainty.distributions import DISTRIBUTIONS, Array, Constant, Distribution, PriorError, Truncated
from sim.scenario.messages import did_you_mean


def distribution(table: Mapping[str, Any], where: str) -> Distribution:
    """Parse a table of a file as a distribution.

    Keys: ``distribution`` (one of `DISTRIBUTIONS`); its parameters, or ``ci80``; ``min`` and ``max``. ``where``: name
    of the table, for messages. Raises PriorError for a missing, unknown or invalid entry.
    """
    if "distribution" not in table:
        raise PriorError(f"{where}: 'distribution' is missing; allowed: {', '.join(DISTRIBUTIONS)}. Add it.")
    name = table["distribution"]
    if not isinstance(name, str) or name not in DISTRIBUTIONS:
        near = did_you_mean(str(name), DISTRIBUTIONS)
        raise PriorError(f"{where}: no distribution {name!r}; there are {', '.join(DISTRIBUTIONS)}{near}")
    kind = DISTRIBUTIONS[name]
    rest = {key: value for key, value in table.items() if key != "distribution"}
    bounds = {key: parse_number(rest.pop(key), f"{where}: {key}") for key in ("min", "max") if key in rest}
    stated = _parse_interval(kind, rest, where) if "ci80" in rest else _parse_parameters(kind, rest, where)
    if not bounds:
        return _require_valid(stated, where)
    if isinstance(stated, Constant):
        raise PriorError(
            f"{where}: a constant cannot be truncated; allowed: 'value' alone. Leave out {' and '.join(bounds)}."
        )
    low, high = bounds.get("min", -math.inf), bounds.get("max", math.inf)
    return _require_valid(Truncated(_require_valid(stated, where), low, high), where)


def _parse_parameters(kind: type[Distribution], given: Mapping[str, Any], where: str) -> Distribution:
    names = [field.name for field in fields(kind)]
    require_known(given, names, where, extra=("min", "max", *(("ci80",) if kind.ci80_allowed else ())))
    needed = [field.name for field in fields(kind) if not isinstance(field.default, float)]
    if missing := [name for name in needed if name not in given]:
        instead = ", or ci80 = [low, high]" if kind.ci80_allowed else ""
        raise PriorError(
            f"{where}: {kind.name} needs {' and '.join(needed)}{instead}; missing: {', '.join(missing)}. Add it."
        )
    return kind(
        **{
            name: (parse_numbers if name in kind.lists else parse_number)(value, f"{where}: {name}")
            for name, value in given.items()
        }
    )


def _parse_interval(kind: type[Distribution], given: Mapping[str, Any], where: str) -> Distribution:
    if len(given) > 1:
        others = ", ".join(key for key in given if key != "ci80")
        raise PriorError(f"{where}: ci80 determines the distribution; allowed: no other parameter. Leave out {others}.")
    interval = given["ci80"]
    if not isinstance(interval, list) or len(interval) != 2:
        raise PriorError(
            f"{where}: ci80 = {interval!r} is not an interval; allowed: two numbers. Write it as [low, high]."
        )
    low, high = (parse_number(end, f"{where}: ci80") for end in interval)
    if low >= high:
        raise PriorError(
            f"{where}: ci80 = [{low:g}, {high:g}] is not in order; allowed: low below high. Exchange them."
        )
    try:
        return kind.from_ci80(low, high)
    except PriorError as error:
        raise PriorError(f"{where}: {error}") from None


def _require_valid(found: Distribution, where: str) -> Distribution:
    if wrong := found.validation_error():
        raise PriorError(f"{where}: {wrong}")
    return found


def parse_number(value: Any, where: str) -> float:
    """Return a finite number as a float. Raises PriorError for other values."""
    try:
        if not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value):
            return float(value)
    except OverflowError:  # a whole number with hundreds of digits
        raise PriorError(
            f"{where}: a whole number beyond 1.8e308 is not allowed; allowed: a finite number. Name one."
        ) from None
    raise PriorError(f"{where} = {value!r} is not allowed; allowed: a finite number. Name one.")


def parse_numbers(value: Any, where: str) -> tuple[float, ...]:
    """Return a list of finite numbers as a tuple of floats. Raises PriorError for other values."""
    if not isinstance(value, list):
        raise PriorError(f"{where} = {value!r} is not a list; allowed: finite numbers. Write it as [0, 0.5, 1].")
    return tuple(parse_number(each, f"{where}[{place}]") for place, each in enumerate(value))


def require_known(given: Iterable[str], known: Sequence[str], where: str, extra: Sequence[str] = ()) -> None:
    """Raise PriorError for the first unknown key, with the most similar known key."""
    allowed = (*known, *extra)
    for key in given:
        if key not in allowed:
            raise PriorError(f"{where}: no '{key}' here; there may be {', '.join(allowed)}{did_you_mean(key, allowed)}")


def clip_open_unit(uniforms: Array) -> Array:
    """Clip uniform numbers to the open interval (0, 1), because an unbounded distribution is infinite at 0 and 1."""
    return np.clip(uniforms, 2.0**-54, 1 - 2.0**-53)


class RankCorrelation(NamedTuple):
    """Spearman rank correlation between two inputs."""

    one: str
    other: str
    rank: float


def rank_correlations(tables: Any, inputs: Mapping[str, Distribution]) -> list[RankCorrelation]:
    """Parse ``[[correlations]]`` of a file: pairs of inputs and their rank correlations.

    Raises PriorError for an invalid correlation. :class:`GaussianCopula` checks that they do not contradict each other.
    """
    found: list[RankCorrelation] = []
    for table in array_of_tables(tables, "correlations"):
        require_known(table, ("between", "rank"), "[[correlations]]")
        between, rank = table.get("between"), parse_number(table.get("rank"), "[[correlations]]: rank")
        if not isinstance(between, list) or len(between) != 2 or between[0] == between[1]:
            raise PriorError(
                f"[[correlations]]: between = {between!r} is not a pair; allowed: two inputs. Name two inputs."
            )
        where = f"the correlation of {between[0]} and {between[1]}"
        require_known(map(str, between), tuple(inputs), where)
        if not -1 <= rank <= 1:
            raise PriorError(f"{where}: rank = {rank:g} is out of bounds; allowed: from -1 to 1. Name another value.")
        if any(isinstance(inputs[name], Constant) for name in between):
            raise PriorError(
                f"{where}: a constant cannot be correlated with another input; allowed: other distributions. Leave "
                "it out."
            )
        if any({each.one, each.other} == set(between) for each in found):
            raise PriorError(f"{where} is stated twice; allowed: once. Leave one out.")
        found.append(RankCorrelation(between[0], between[1], rank))
    return found


def array_of_tables(content: Any, name: str) -> Sequence[Mapping[str, Any]]:
    """Return the tables ``[[name]]`` of a file. Raises PriorError if the value is not a list of tables."""
    if not isinstance(content, list) or not all(isinstance(table, Mapping) for table in content):
        raise PriorError(f"the file: {name} = {content!r} is not a list of tables; allowed: tables. Write [[{name}]].")
    return content


class GaussianCopula:
    """A Gaussian copula: it gives independent uniform numbers the stated rank correlations.

    A bivariate normal pair with correlation ρ has the rank correlation (6/π) asin(ρ/2), so ρ = 2 sin(π rank/6). Raises
    PriorError if no joint distribution has these correlations.
    """

    def __init__(self, correlations: Sequence[RankCorrelation]) -> None:
        """Compute the factor of the correlation matrix; raise PriorError if it is not positive definite."""
        self.names = list(dict.fromkeys(name for each in correlations for name in (each.one, each.other)))
        matrix = np.eye(len(self.names))
        for each in correlations:
            one, other = self.names.index(each.one), self.names.index(each.other)
            matrix[one, other] = matrix[other, one] = 2 * math.sin(math.pi * each.rank / 6)
        if self.names and np.linalg.eigvalsh(matrix)[0] < _MIN_EIGENVALUE:
            raise PriorError(
                f"the rank correlations of {', '.join(self.names)} contradict each other (their matrix is not "
                "positive definite); allowed: correlations of a joint distribution. Bring them nearer to 0."
            )
        self._factor = np.linalg.cholesky(matrix)

    def __call__(self, uniforms: Mapping[str, Array]) -> dict[str, Array]:
        """Return uniform numbers with the rank correlations; inputs without a correlation are unchanged."""
        found = dict(uniforms)
        if self.names:
            scores = self._factor @ special.ndtri(clip_open_unit(np.stack([uniforms[name] for name in self.names])))
            found |= dict(zip(self.names, clip_open_unit(special.ndtr(scores)), strict=True))
        return found


_MIN_EIGENVALUE = 1e-12
"""Eigenvalue below which a matrix counts as singular; a rank correlation of 1 or -1 gives 0 except for rounding."""
