"""A study: priors over the inputs of the deterministic law, and what is asked of the worlds drawn from them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from experiments.uncertainty.distributions import Array, Constant, Distribution, PriorError
from experiments.uncertainty.parsing import (
    GaussianCopula,
    array_of_tables,
    clip_open_unit,
    distribution,
    parse_number,
    rank_correlations,
    require_known,
)
from sim.random_streams import RandomStreams

MAX_DOUBLINGS: Final = 300
"""Default number of doublings after which a world ends: more than any proposed limit."""
SPEED_SHARE: Final = 0.323
"""Share phi of each doubling that is spent on shorter training runs [1]: the default of `training__speedup_exponent`.

Source: the report's example, 30x = 3x shorter and 10x better: log 3/log 30.
"""

Retraining = Literal["none", "damped", "share"]
"""Effect of training runs on the exponent x = p (1/r - 1).

- "none": x is unchanged.
- "damped": x/(1 + |x|), the damping of the successor study.
- "share": p (1/r - (1 - phi)), the long run of a World whose training runs take a share phi of each doubling.
"""


class Input(NamedTuple):
    """One input of the law: its meaning and its bounds."""

    meaning: str
    highest: float
    default: Distribution | None
    """Distribution if the file does not state one; None if the file must state it."""


INPUTS: Final[Mapping[str, Input]] = {
    "r": Input("returns to software R&D at the start", np.inf, None),
    "doubling_months": Input("months in which software doubles before the speed-up", np.inf, None),
    "speedup": Input("speed of the first doubling over that", np.inf, Constant(1.0)),
    "parallel_penalty": Input("parallelization penalty, p", 1.0, Constant(1.0)),
    "limit_years": Input("years of progress to the limit, where r has fallen to 0", np.inf, Constant(np.inf)),
}
"""Every input, all above 0; the defaults of the last three mean no speed-up, no penalty and no limit."""

_SECTIONS: Final = ("description", "source", "law", "inputs", "correlations", "pairs", "explosion")
_LAW: Final = ("name", "retraining", "speed_share", "doublings_per_year", "horizon_months", "most_doublings")
_LOWEST, _HIGHEST = 1e-9, 1e9


class ProgressQuestion(NamedTuple):
    """A question: is there a period of ``months`` with at least ``years`` of progress?"""

    years: float
    months: float
    doublings: int
    published: str
    """Published answer to show beside the result; may be empty."""


class Inputs(NamedTuple):
    """Inputs of the law, one entry for each world."""

    first_months: Array
    r: Array
    p: Array
    limit_doublings: Array


class MonteCarloSpec(NamedTuple):
    """Priors and questions of a file."""

    description: str
    source: str
    inputs: Mapping[str, Distribution]
    copula: GaussianCopula
    retraining: Retraining
    speed_share: float
    """Share phi, from 0 to 1; it enters the recursion only under the rule "share"."""
    doublings_per_year: float
    """Doublings of software in a year of progress at today's pace [1/year]."""
    horizon_months: float
    most_doublings: int
    pairs: tuple[ProgressQuestion, ...]
    explosion_published: str
    """Published probability of an explosion to show beside the result; may be empty."""

    @property
    def doubling_counts(self) -> tuple[int, ...]:
        """Numbers of doublings in the questions, in ascending order without repeats."""
        return tuple(sorted({pair.doublings for pair in self.pairs}))

    def draw(self, seed: int, chunk: int, size: int) -> dict[str, Array]:
        """Draw the values of every input in the worlds of a chunk.

        Each input has a random stream that depends only on seed, chunk and name. A smaller chunk is the beginning of a
        larger one.
        """
        streams = RandomStreams(seed)
        uniforms = {name: clip_open_unit(streams.get(f"prior of {name}", chunk).random(size)) for name in self.inputs}
        linked = self.copula(uniforms)
        return {name: self._values(name, linked[name]) for name in self.inputs}

    def _values(self, name: str, uniforms: Array) -> Array:
        prior = self.inputs[name]
        if prior == INPUTS[name].default:  # the default limit is infinite and is not clipped
            return prior.ppf(uniforms)
        return np.clip(prior.ppf(uniforms), _LOWEST, _HIGHEST)

    def inputs_of(self, values: Mapping[str, Array]) -> Inputs:
        """Return the inputs of the law from drawn values."""
        first = values["doubling_months"] / values["speedup"]
        return Inputs(first, values["r"], values["parallel_penalty"], values["limit_years"] * self.doublings_per_year)


def parse_study(content: Mapping[str, Any]) -> MonteCarloSpec:
    """Parse the content of a TOML file as a study. Raises PriorError for invalid content."""
    require_known(content, _SECTIONS, "the file")
    law = _table(content, "law")
    require_known(law, _LAW, "[law]")
    if law.get("name", "returns") != "returns":
        raise PriorError(f"[law]: name = {law['name']!r} is unknown; allowed: 'returns'. Leave it out.")
    retraining = _retraining(law.get("retraining", False))
    speed_share = _in_range({"speed_share": SPEED_SHARE, **law}, "speed_share", 0, 1)
    per_year = _in_range(law, "doublings_per_year", 0.1, 1000)
    horizon = _in_range(law, "horizon_months", 0.1, 12_000)
    most = _in_range({"most_doublings": MAX_DOUBLINGS, **law}, "most_doublings", 1, 10_000)
    inputs = _inputs(_table(content, "inputs"))
    pairs = _parse_questions(content.get("pairs"), per_year, horizon, int(most))
    explosion = content.get("explosion", {})
    if not isinstance(explosion, Mapping):
        raise PriorError(
            f"[explosion] = {explosion!r} is not a table; allowed: a table with 'published'. Write [explosion]."
        )
    require_known(explosion, ("published",), "[explosion]")
    linked = GaussianCopula(rank_correlations(content.get("correlations", []), inputs))
    return MonteCarloSpec(
        str(content.get("description", "")),
        str(content.get("source", "")),
        inputs,
        linked,
        retraining,
        speed_share,
        per_year,
        horizon,
        int(most),
        pairs,
        str(explosion.get("published", "")),
    )


def _table(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    if name not in content:
        raise PriorError(f"the file: [{name}] is missing; allowed: a table. Add [{name}].")
    found = content[name]
    if not isinstance(found, Mapping):
        raise PriorError(f"the file: {name} = {found!r} is not a table; allowed: a table. Write [{name}].")
    return found


def _retraining(value: Any) -> Retraining:
    if isinstance(value, bool):
        return "damped" if value else "none"
    if value == "damped":
        return "damped"
    if value == "share":
        return "share"
    raise PriorError(
        f"[law]: retraining = {value!r} is not a rule; allowed: false, 'damped' or 'share'. "
        "Leave it out for the law without retraining."
    )


def _in_range(table: Mapping[str, Any], name: str, low: float, high: float) -> float:
    if name not in table:
        raise PriorError(f"[law]: '{name}' is missing; allowed: {low:g} to {high:g}. Add it to [law].")
    value = parse_number(table[name], f"[law]: {name}")
    if not low <= value <= high:
        raise PriorError(f"[law]: {name} = {value:g} is out of bounds; allowed: {low:g} to {high:g}. Change the file.")
    return value


def _inputs(tables: Mapping[str, Any]) -> dict[str, Distribution]:
    require_known(tables, tuple(INPUTS), "[inputs]")
    found = {}
    for name, known in INPUTS.items():
        where = f"[inputs.{name}]"
        if name in tables:
            if not isinstance(tables[name], Mapping):
                raise PriorError(
                    f"{where}: {tables[name]!r} is not a table; allowed: a table with 'distribution'. Write {where}."
                )
            found[name] = _check_support(distribution(tables[name], where), known, where)
        elif known.default is None:
            raise PriorError(
                f"[inputs]: '{name}' is missing ({known.meaning}); allowed: a distribution. Add [inputs.{name}]."
            )
        else:
            found[name] = known.default
    return found


def _check_support(prior: Distribution, known: Input, where: str) -> Distribution:
    low, high = prior.support
    if low < 0 or high <= 0:
        raise PriorError(
            f"{where}: its lowest value is {low:g}; allowed: above 0. Truncate the distribution with 'min'."
        )
    if high > known.highest:
        raise PriorError(
            f"{where}: its highest value is {high:g}; allowed: at most {known.highest:g}. Truncate the distribution "
            "with "
            "'max'."
        )
    return prior


def _parse_questions(tables: Any, per_year: float, horizon: float, most: int) -> tuple[ProgressQuestion, ...]:
    found = []
    for table in array_of_tables(tables or [], "pairs"):
        require_known(table, ("years", "months", "published"), "[[pairs]]")
        years, months = (parse_number(table.get(name), f"[[pairs]]: {name}") for name in ("years", "months"))
        where = f"[[pairs]]: {years:g} years in {months:g} months"
        doublings = years * per_year
        if doublings < 1 or abs(doublings - round(doublings)) > 1e-9 * doublings:
            raise PriorError(f"{where}: that is {doublings:g} doublings; allowed: a whole number from 1. Change years.")
        if doublings > most:
            raise PriorError(
                f"{where}: that is {doublings:g} doublings; allowed: up to most_doublings = {most}. Change one of them."
            )
        if not 0 < months <= horizon:
            raise PriorError(
                f"{where}: months is out of bounds; allowed: above 0, up to horizon_months = {horizon:g}. Change "
                "months."
            )
        found.append(ProgressQuestion(years, months, round(doublings), str(table.get("published", ""))))
    if not found:
        raise PriorError("the file: [[pairs]] is missing; allowed: one or more, with 'years' and 'months'. Add one.")
    return tuple(found)
