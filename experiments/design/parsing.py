"""What the file of a design states, read and checked against the parameters that there are."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

import numpy as np

from experiments.design.sampling import SAMPLINGS, neighbouring_powers_of_two
from experiments.errors import InputError
from experiments.uncertainty.distributions import Constant, Distribution, PriorError
from experiments.uncertainty.parsing import (
    GaussianCopula,
    RankCorrelation,
    distribution,
    parse_number,
    rank_correlations,
    require_known,
)
from sim.runner import Engine
from sim.scenario.model import DEFAULT, Parameter, Scenario, ScenarioError, did_you_mean, parameters, shipped_scenarios
from sim.scenario.renamed import current_content
from sim.toml_files import TomlError, read_toml

MAX_RUNS: Final = 10_000_000
MAX_LEVELS: Final = 100_000
MAX_MASS_OUT_OF_BOUNDS: Final = 1e-9
"""The share of a distribution that may lie beyond the bounds of its parameter: less than one draw of the largest
design, which is put on the bound."""

_KEYS: Final = (
    "description",
    "source",
    "base",
    "engine",
    "sampling",
    "n",
    "replications",
    "seed",
    "set",
    "uncertainties",
    "correlations",
    "levers",
)
_SAMPLED: Final = ("sobol", "latin-hypercube", "random")
"""Ways of sampling that are told how many points to take."""

ZIP: Final = "zip"
"""The key of a lever that moves several parameters together."""
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_WORDS_OF_TABLES: Final = frozenset(
    {"all", "luck", "pace", "explosion", "levers", "parameter", "value", "runs", "points"}
)
"""Names that the tables of an analysis use themselves."""


class Uncertainty(NamedTuple):
    """What is believed about one parameter."""

    distribution: Distribution
    levels: int
    """How many values a grid takes of it; 0 elsewhere."""
    table: dict[str, Any]
    """As it was stated."""


class DesignSpec(NamedTuple):
    """The content of a file, checked; names are in alphabetical order, so that theirs in the file does not matter."""

    texts: dict[str, str]
    base: Scenario
    base_name: str
    changes: dict[str, Any]
    engine: Engine
    sampling: str
    n: int
    """0 where it is not stated."""
    replications: int
    seed: int
    uncertainties: dict[str, Uncertainty]
    correlations: tuple[RankCorrelation, ...]
    levers: dict[str, tuple[Any, ...]]
    """Lever → its values; each value of a coupled lever is a dictionary of parameters that move together."""


def read(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file. Raises InputError, which names the file, if it cannot be read."""
    try:
        return read_toml(path)
    except TomlError as error:
        raise InputError(str(error)) from None


def parse_design(
    content: Mapping[str, Any], folder: Path, changes: Mapping[str, Any], engine: str | None
) -> DesignSpec:
    """Return what the content of a file states.

    ``folder``: where the files lie that it names. ``changes`` of the base scenario, by flat name, go before ``[set]``,
    and ``engine`` before that of the file. Raises InputError, PriorError or ScenarioError with what is wrong.
    """
    content = current_content(content)
    require_known(content, _KEYS, "the file")
    for key in ("uncertainties", "levers", "set"):
        if not isinstance(content.get(key, {}), Mapping):
            raise InputError(f"the file: {key} is not allowed as {content[key]!r}: a table [{key}] is needed")
    base, base_name, changed = _base(content, folder, changes)
    sampling = _choice(content, "sampling", tuple(SAMPLINGS), None)
    uncertainties = {
        name: _uncertainty(name, content["uncertainties"][name], folder, sampling)
        for name in sorted(content.get("uncertainties", {}))
    }
    levers = {name: _lever(name, content["levers"][name]) for name in sorted(content.get("levers", {}))}
    _check_disjoint(uncertainties, levers, changed)
    engines: tuple[Engine, ...] = get_args(Engine)
    named = _choice({"engine": engine} if engine else content, "engine", engines, engines[0])
    chosen = next(each for each in engines if each == named)
    return DesignSpec(
        {key: _text(content, key) for key in ("description", "source") if key in content},
        base,
        base_name,
        changed,
        chosen,
        sampling,
        _n(content, sampling, uncertainties, levers),
        _replications(content, chosen, engine),
        _whole(content, "seed", 0, 0, 2**63 - 1),
        uncertainties,
        _correlations(content, sampling, uncertainties),
        levers,
    )


def _base(content: Mapping[str, Any], folder: Path, changes: Mapping[str, Any]) -> tuple[Scenario, str, dict[str, Any]]:
    """The scenario with its changes, and the two by which another file may state it: a shipped name and changes."""
    name = _file_name(content, "base", DEFAULT)
    beside = folder / name
    own = name not in shipped_scenarios() and (name.endswith(".toml") or beside.is_file())
    settings = {**content.get("set", {}), **changes}
    scenario = _known("base", lambda: Scenario.load(beside if own else name))
    base = _known("[set]", lambda: scenario.replace(**settings))
    shown, default = base.flat(), Scenario.load(DEFAULT).flat()
    if not own:
        return base, name, {key: shown[key] for key in sorted(settings)}
    differing = {key: value for key, value in sorted(shown.items()) if value != default[key]}
    _known("[set] leaves something of the base unread", lambda: Scenario.load(DEFAULT).replace(**differing))
    return base, DEFAULT, differing


def _known(where: str, ask: Callable[[], Scenario]) -> Scenario:
    try:
        return ask()
    except ScenarioError as error:
        raise InputError(f"{where}: {error}") from None


def _uncertainty(name: str, table: Any, folder: Path, sampling: str) -> Uncertainty:
    where = f"[uncertainties.{name}]"
    parameter = _parameter(name, "[uncertainties]")
    if not isinstance(table, Mapping):
        raise PriorError(f"{where}: {table!r} is not allowed: a table with 'distribution' is needed")
    if parameter.low is None:
        raise PriorError(f"{where}: the parameter is no number ({parameter.allowed}): make it a lever")
    stated = _resolve_from_file(name, table, folder, where)
    levels = _levels(stated, sampling, where)
    stated.pop("levels", None)
    found = distribution(stated, where)
    if isinstance(found, Constant):
        raise PriorError(f"{where}: a constant is not uncertain: state it in [set]")
    _check_within(found, parameter, where)
    table = {key: value if key == "distribution" else _floats(value) for key, value in stated.items()}
    return Uncertainty(found, levels, table | ({"levels": levels} if levels else {}))


def _floats(value: Any) -> Any:
    return [float(each) for each in value] if isinstance(value, list) else float(value)


def _resolve_from_file(name: str, table: Mapping[str, Any], folder: Path, where: str) -> dict[str, Any]:
    """The table, with that of the file in the place of `from`, which `min`, `max` and `levels` may stand beside."""
    if "from" not in table:
        return dict(table)
    require_known(table, ("from", "min", "max", "levels"), where)
    file = folder / _file_name(table, "from")
    content = read(file)
    within = content.get("uncertainties", {})
    found = within.get(name, content) if isinstance(within, Mapping) else None
    if not isinstance(found, Mapping) or "distribution" not in found:
        raise PriorError(f"{where}: {file} has no 'distribution', neither by itself nor under {where}")
    texts = ("description", "source")
    return {key: value for key, value in {**found, **table}.items() if key not in ("from", *texts)}


def _levels(table: Mapping[str, Any], sampling: str, where: str) -> int:
    if sampling == "grid":
        if "levels" not in table:
            raise PriorError(f"{where}: 'levels' is missing: how many values a grid takes of it")
        return _whole(table, "levels", 1, 1, MAX_LEVELS, where)
    if "levels" in table:
        raise PriorError(f"{where}: levels are read by sampling = 'grid' alone, and this is '{sampling}'")
    return 0


def _check_within(found: Distribution, parameter: Parameter, where: str) -> None:
    """Refuse draws that the parameter cannot have; a whole number is rounded, so half of one more is allowed."""
    rounding = 0.5 if parameter.annotation is int else 0.0
    low, high = found.support
    least, most = float(parameter.low or 0.0) - rounding, math.inf if parameter.high is None else parameter.high
    most += rounding
    needed = []
    if low < least and found.cdf(least) > MAX_MASS_OUT_OF_BOUNDS:
        needed.append(f"as low as {low:g}: state min = {parameter.low:g} or higher")
    if high > most and 1 - found.cdf(most) > MAX_MASS_OUT_OF_BOUNDS:
        needed.append(f"as high as {high:g}: state max = {parameter.high:g} or lower")
    if needed:
        raise PriorError(f"{where}: the parameter is {parameter.allowed}, and a draw can be {' and '.join(needed)}")


def _lever(name: str, values: Any) -> tuple[Any, ...]:
    """The values of a lever; whether the parameter can have them is for the scenarios to say that have them."""
    if isinstance(values, Mapping) and ZIP in values:
        return _coupled(name, values)
    where = f"[levers]: {name}"
    found = _listed(values, _parameter(name, "[levers]"), where)
    _check_distinct(found, where)
    return tuple(found)


def _listed(values: Any, parameter: Parameter, where: str) -> list[Any]:
    """The values of one parameter, from a list or a ladder."""
    listed = _expand_range(values, parameter, where) if isinstance(values, Mapping) else values
    if not isinstance(listed, list) or not listed:
        raise InputError(f"{where} = {values!r} is not allowed: a list of values is needed, or low, high and count")
    if not all(isinstance(value, str | bool | int | float) for value in listed):
        raise InputError(f"{where} = {values!r} is not allowed: each of the values is one number, text or truth")
    return [_as_parameter(value, parameter, where) for value in listed]


def _check_distinct(values: Sequence[Any], where: str) -> None:
    for at, value in enumerate(values):
        if value in values[:at]:
            raise InputError(f"{where}: {value!r} is there twice")


def _coupled(name: str, table: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """The values of a coupled lever: its parameters take their first values together, then their second ones."""
    from experiments.sweep.records import run_schema  # noqa: PLC0415 - slow to load, and seldom needed

    where = f"[levers.{name}]"
    require_known(table, (ZIP,), where)
    if "__" in name or not _NAME.fullmatch(name) or name in _WORDS_OF_TABLES or name in run_schema().names:
        raise InputError(
            f"{where}: {name!r} is not a name for a coupled lever; allowed: letters, digits, - and single _, "
            f"and not the name of a parameter or of a result. Choose another name, such as [levers.compute]."
        )
    zipped = table[ZIP]
    if not isinstance(zipped, Mapping) or len(zipped) < 2:
        raise InputError(
            f"{where}: {ZIP} = {zipped!r} is not allowed; allowed: a table of at least two parameters and their lists. "
            f"Write {ZIP} = {{ cluster__gpus = [1024, 2048], training__gain = [2, 3] }}."
        )
    within = f"{where}: {ZIP}"
    lists = {each: _listed(zipped[each], _parameter(each, within), f"{within}: {each}") for each in sorted(zipped)}
    lengths = {each: len(values) for each, values in lists.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{each} has {length}" for each, length in lengths.items())
        raise InputError(
            f"{where}: {ZIP} has lists of unequal lengths ({found}); allowed: one length. "
            "Give every parameter a value for each step of the lever."
        )
    steps = [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]
    _check_distinct(steps, where)
    return tuple(steps)


def lever_parameters(levers: Mapping[str, Sequence[Any]]) -> dict[str, tuple[str, ...]]:
    """Return the parameters that each lever moves: the lever itself, or those that a coupled lever names."""
    return {name: tuple(values[0]) if isinstance(values[0], Mapping) else (name,) for name, values in levers.items()}


def _expand_range(table: Mapping[str, Any], parameter: Parameter, where: str) -> list[Any]:
    """So many values from low to high, in equal steps or, with `log`, in equal ratios."""
    require_known(table, ("low", "high", "count", "log"), where)
    if parameter.low is None:
        raise InputError(f"{where}: the parameter is no number ({parameter.allowed}): list its values")
    low, high = (parse_number(table.get(key), f"{where}: {key}") for key in ("low", "high"))
    count, log = _whole(table, "count", None, 2, MAX_LEVELS, where), table.get("log", False)
    if not isinstance(log, bool):
        raise InputError(f"{where}: log = {log!r} is not allowed: true or false")
    if low >= high:
        raise InputError(f"{where}: low = {low:g} is not below high = {high:g}")
    if log and low <= 0:
        raise InputError(f"{where}: low = {low:g} must be above 0 where log = true")
    values = np.geomspace(low, high, count) if log else np.linspace(low, high, count)
    # 15 digits, so that a step of 0.1 leads to 0.3 and not to 0.30000000000000004.
    return [rounded(float(f"{value:.15g}"), parameter) for value in values]


def rounded(value: float, parameter: Parameter) -> float | int:
    """Return a number as the parameter has it: a whole one if it counts something, and within its bounds."""
    whole: float | int = math.floor(value + 0.5) if parameter.annotation is int else value
    low, high = parameter.low, parameter.high
    bounded = whole if low is None else max(whole, low)
    bounded = bounded if high is None else min(bounded, high)
    return int(bounded) if parameter.annotation is int else float(bounded)


def _as_parameter(value: Any, parameter: Parameter, where: str) -> Any:
    """A number as the parameter has it: 64 with decimals, 1e3 as a whole number."""
    if parameter.annotation is float and type(value) is int:
        return parse_number(value, where)
    whole = parameter.annotation is int and isinstance(value, float) and value.is_integer()
    return int(value) if whole else value


def _parameter(name: str, where: str) -> Parameter:
    known = parameters()
    if name not in known:
        raise InputError(f"{where}: no parameter '{name}' (`asara explain` lists them){did_you_mean(name, known)}")
    return known[name]


def _check_disjoint(uncertainties: Mapping[str, Any], levers: Mapping[str, Any], changed: Mapping[str, Any]) -> None:
    """Refuse a parameter that is stated in two places, one of which would not be read."""
    moved: dict[str, str] = {}
    for lever, names in lever_parameters(levers).items():
        for name in names:
            if name in uncertainties:
                raise InputError(f"{name} is in [uncertainties] and in [levers]: it can be in one of them")
            if name in moved:
                raise InputError(f"{name} is moved by the levers {moved[name]} and {lever}: it can be in one of them")
            moved[name] = lever
    for name in changed:
        if name in uncertainties or name in moved:
            other = "uncertainties" if name in uncertainties else "levers"
            raise InputError(f"{name} is set for all runs and is in [{other}]: leave out one of them")


def _correlations(
    content: Mapping[str, Any], sampling: str, uncertainties: Mapping[str, Uncertainty]
) -> tuple[RankCorrelation, ...]:
    tables = content.get("correlations", [])
    if tables and sampling not in _SAMPLED:
        raise PriorError(
            f"[[correlations]]: sampling = '{sampling}' has none, as it says itself which values go together; "
            f"{', '.join(_SAMPLED)} have them"
        )
    found = rank_correlations(tables, {name: each.distribution for name, each in uncertainties.items()})
    ordered = sorted(each._replace(one=min(each[:2]), other=max(each[:2])) for each in found)
    GaussianCopula(ordered)
    return tuple(ordered)


def _n(content: Mapping[str, Any], sampling: str, uncertainties: Mapping[str, Any], levers: Mapping[str, Any]) -> int:
    if sampling not in _SAMPLED:
        if "n" in content:
            raise InputError(f"the file: n is not read by sampling = '{sampling}', which says itself how many points")
        if not uncertainties and not levers:
            raise InputError("the file: neither [uncertainties] nor [levers] is there, so nothing differs")
        return 0
    if not uncertainties:
        raise InputError(f"the file: sampling = '{sampling}' needs [uncertainties]; levers alone are a 'grid'")
    n = _whole(content, "n", None, 1, MAX_RUNS)
    below, above = neighbouring_powers_of_two(n)
    if sampling == "sobol" and below != n:
        raise InputError(
            f"the file: n = {n} is not allowed: Sobol' points need a power of 2, such as {below} or {above}"
        )
    return n


def _replications(content: Mapping[str, Any], engine: Engine, asked: str | None) -> int:
    found = _whole(content, "replications", 1, 1, MAX_RUNS)
    if engine != "fluid" or found == 1:
        return found
    if asked == engine and content.get("engine") != engine:
        return 1  # somebody wants the agents' design without agents
    raise InputError(f"the file: replications = {found} would be the same run again: engine = 'fluid' reads no seed")


def _choice(content: Mapping[str, Any], key: str, choices: tuple[str, ...], default: str | None) -> str:
    if key not in content and default is None:
        raise InputError(f"the file: '{key}' is missing; it is one of {', '.join(choices)}")
    value = content.get(key, default)
    if value not in choices:
        near = did_you_mean(str(value), choices)
        raise InputError(f"the file: {key} = {value!r} is not allowed: one of {', '.join(choices)}{near}")
    return str(value)


def _text(content: Mapping[str, Any], key: str, default: str = "") -> str:
    value = content.get(key, default)
    if not isinstance(value, str):
        raise InputError(f"the file: {key} = {value!r} is not allowed: a text is needed")
    return value


def _file_name(content: Mapping[str, Any], key: str, default: str = "") -> str:
    name = _text(content, key, default)
    if not name.isprintable():
        raise InputError(f"the file: {key} = {name!r} is not allowed: no file is called so")
    return name


def _whole(
    content: Mapping[str, Any], key: str, default: int | None, low: int, high: int, where: str = "the file"
) -> int:
    if key not in content and default is None:
        raise InputError(f"{where}: '{key}' is missing; it is a whole number from {low:,} to {high:,}")
    value = content.get(key, default)
    if isinstance(value, float) and value.is_integer():  # 1e3
        value = int(value)
    if type(value) is not int or not low <= value <= high:
        raise InputError(f"{where}: {key} = {value!r} is not allowed: a whole number from {low:,} to {high:,}")
    return value
