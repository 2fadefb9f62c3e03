"""Parse the file of a design, and check it against the parameters of scenarios."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar, get_args

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
from sim.engines import Engine
from sim.scenario.labs import check_block, split_name
from sim.scenario.model import DEFAULT, Parameter, Scenario, ScenarioError, did_you_mean, parameters, shipped_scenarios
from sim.scenario.renamed import current_content
from sim.toml_files import TomlError, read_toml

MAX_RUNS: Final = 10_000_000
MAX_LEVELS: Final = 100_000
MAX_MASS_OUT_OF_BOUNDS: Final = 1e-9
"""Maximum share of a distribution beyond the bounds of its parameter; values beyond are set to the bound.

It is less than one draw in the largest design.
"""

_KEYS: Final = (
    "description",
    "source",
    "base",
    "engine",
    "sampling",
    "n",
    "replications",
    "seed",
    "level",
    "set",
    "uncertainties",
    "correlations",
    "levers",
)
_SAMPLED: Final = ("sobol", "latin-hypercube", "random")
"""Sampling methods that read the number of points, n."""

ZIP: Final = "zip"
"""Key of a coupled lever, which changes several parameters together."""
_Found = TypeVar("_Found")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_WORDS_OF_TABLES: Final = frozenset(
    {"all", "luck", "pace", "explosion", "lab", "levers", "parameter", "value", "runs", "points"}
)
"""Names that are reserved for columns and rows in the tables of an analysis."""


class Uncertainty(NamedTuple):
    """The distribution of one parameter."""

    distribution: Distribution
    levels: int
    """Number of values in a grid; 0 for other sampling methods."""
    table: dict[str, Any]
    """Table in the file."""


class DesignSpec(NamedTuple):
    """The checked content of a file; names are in alphabetical order, so that their order in the file has no effect."""

    texts: dict[str, str]
    base: Scenario
    base_name: str
    changes: dict[str, Any]
    engine: Engine
    sampling: str
    n: int
    """Number of points; 0 if the sampling determines it."""
    replications: int
    seed: int
    uncertainties: dict[str, Uncertainty]
    correlations: tuple[RankCorrelation, ...]
    levers: dict[str, tuple[Any, ...]]
    """Lever → its values; each value of a coupled lever is a dictionary of parameters that change together."""
    level: float | None
    """Level that decides a race [doublings]; None if the file has none."""


def read(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file. Raises InputError, which names the file, if it cannot be read."""
    try:
        return read_toml(path)
    except TomlError as error:
        raise InputError(str(error)) from None


def parse_design(
    content: Mapping[str, Any], folder: Path, changes: Mapping[str, Any], engine: str | None
) -> DesignSpec:
    """Return the checked content of a file.

    ``folder``: the folder of the files that it names. ``changes``: parameters of the base scenario by flat name, which
    replace those of ``[set]``. ``engine``: replaces the engine of the file. Raises InputError, PriorError or
    ScenarioError with the problem.
    """
    content = current_content(content)
    require_known(content, _KEYS, "the file")
    for key in ("uncertainties", "levers", "set"):
        if not isinstance(content.get(key, {}), Mapping):
            raise InputError(f"the file: {key} = {content[key]!r} is not a table; allowed: a table [{key}]")
    base, base_name, changed = _parse_base(content, folder, changes)
    content = {**content} | {
        key: name_by_lab(content[key], base.labs) for key in ("uncertainties", "levers") if key in content
    }
    sampling = _parse_choice(content, "sampling", tuple(SAMPLINGS), None)
    uncertainties = {
        name: _parse_uncertainty(name, content["uncertainties"][name], folder, sampling, base)
        for name in sorted(content.get("uncertainties", {}))
    }
    levers = {name: _parse_lever(name, content["levers"][name], base) for name in sorted(content.get("levers", {}))}
    # The values of each lab in the base are not settings of the design, which may vary them.
    is_race = len(base.labs) > 1
    settings = {**name_by_lab(content.get("set", {}), base.labs), **changes} if is_race else changed
    _check_disjoint(uncertainties, levers, settings)
    engines: tuple[Engine, ...] = get_args(Engine)
    named = _parse_choice({"engine": engine} if engine else content, "engine", engines, engines[0])
    chosen = next(each for each in engines if each == named)
    if chosen == "fluid" and len(base.labs) > 1:
        raise InputError(
            f"engine = 'fluid' cannot run the {len(base.labs)} labs of '{base.name}'; allowed with several labs: "
            "world. Leave the engine out."
        )
    return DesignSpec(
        {key: _parse_text(content, key) for key in ("description", "source") if key in content},
        base,
        base_name,
        changed,
        chosen,
        sampling,
        _parse_n(content, sampling, uncertainties, levers),
        _parse_replications(content, chosen, engine),
        _parse_whole(content, "seed", 0, 0, 2**63 - 1),
        uncertainties,
        _parse_correlations(content, sampling, uncertainties),
        levers,
        _parse_level(content, base),
    )


def _parse_level(content: Mapping[str, Any], base: Scenario) -> float | None:
    if "level" not in content:
        return None
    if len(base.labs) < 2:
        raise InputError(
            f"the file: level is not read, because the scenario '{base.name}' does not have several labs. Leave level "
            "out, or choose the base two-labs."
        )
    return parse_number(content["level"], "the file: level")


def name_by_lab(table: Mapping[str, Any], labs: Sequence[str]) -> dict[str, Any]:
    """Return a table with the flat names of parameters: ``leader.entry__day`` for ``entry__day`` in a table ``leader``.

    TOML reads a name with a dot as such a table, unless it is in quotes. A table of parameters whose name is not that
    of a lab is such a table too, so that the unknown lab is reported.
    """
    found: dict[str, Any] = {}
    for key, value in table.items():
        if (
            isinstance(value, Mapping)
            and ZIP not in value
            and (key in labs or (value and all("__" in n for n in value)))
        ):
            found |= {f"{key}.{name}": each for name, each in value.items()}
        else:
            found[key] = value
    return found


def _parse_base(
    content: Mapping[str, Any], folder: Path, changes: Mapping[str, Any]
) -> tuple[Scenario, str, dict[str, Any]]:
    """Return the base scenario with its changes, and an equivalent shipped name with changes for another file."""
    name = _parse_file_name(content, "base", DEFAULT)
    beside = folder / name
    own = name not in shipped_scenarios() and (name.endswith(".toml") or beside.is_file())
    scenario = _call_at("base", lambda: Scenario.load(beside if own else name))
    settings = {**name_by_lab(content.get("set", {}), scenario.labs), **changes}
    base = _call_at("[set]", lambda: scenario.replace(**settings))
    shown, default = base.flat() | dict(base.overrides), Scenario.load(DEFAULT).flat()
    if not own:
        return base, name, {key: shown[key] for key in sorted(settings)}
    for key, value in scenario.flat().items():
        if value != default[key] and (unread := base.unread(key)):
            raise InputError(f"[set] leaves something of the base unread: {unread}")
    return base, DEFAULT, _changes_from_default(base, default)


def _changes_from_default(base: Scenario, default: Mapping[str, Any]) -> dict[str, Any]:
    """Return what turns the default scenario into this one; each lab of several has at least one value."""
    shared = {key: value for key, value in sorted(base.flat().items()) if value != default[key]}
    if len(base.labs) == 1:
        return shared
    named = {split_name(key)[0] for key, _ in base.overrides}
    own = {f"{lab}.entry__day": base.entry.day for lab in base.labs if lab not in named}
    return shared | {
        key: value for lab in base.labs for key, value in (*base.overrides, *own.items()) if split_name(key)[0] == lab
    }


def _call_at(where: str, load: Callable[[], _Found]) -> _Found:
    """Return the result of ``load``; add the place in the file to the message if it raises ScenarioError."""
    try:
        return load()
    except ScenarioError as error:
        raise InputError(f"{where}: {error}") from None


def _parse_uncertainty(name: str, table: Any, folder: Path, sampling: str, base: Scenario) -> Uncertainty:
    where = f"[uncertainties.{name}]"
    parameter = _find_parameter(name, "[uncertainties]", base)
    if not isinstance(table, Mapping):
        raise PriorError(f"{where}: {table!r} is not a table; allowed: a table with 'distribution'")
    if parameter.low is None:
        raise PriorError(f"{where}: the parameter is not a number ({parameter.allowed}). Make it a lever.")
    resolved = _resolve_from_file(name, table, folder, where)
    levels = _parse_levels(resolved, sampling, where)
    resolved.pop("levels", None)
    found = distribution(resolved, where)
    if isinstance(found, Constant):
        raise PriorError(f"{where}: a constant is not uncertain. Set it in [set].")
    _check_within(found, parameter, where)
    table = {key: value if key == "distribution" else _to_floats(value) for key, value in resolved.items()}
    return Uncertainty(found, levels, table | ({"levels": levels} if levels else {}))


def _to_floats(value: Any) -> Any:
    return [float(each) for each in value] if isinstance(value, list) else float(value)


def _resolve_from_file(name: str, table: Mapping[str, Any], folder: Path, where: str) -> dict[str, Any]:
    """Return the table with `from` replaced by the table of that file; `min`, `max` and `levels` are kept."""
    if "from" not in table:
        return dict(table)
    require_known(table, ("from", "min", "max", "levels"), where)
    file = folder / _parse_file_name(table, "from")
    content = read(file)
    within = content.get("uncertainties", {})
    found = within.get(name, content) if isinstance(within, Mapping) else None
    if not isinstance(found, Mapping) or "distribution" not in found:
        raise PriorError(f"{where}: {file} has no 'distribution'; allowed: one at the top or under {where}")
    texts = ("description", "source")
    return {key: value for key, value in {**found, **table}.items() if key not in ("from", *texts)}


def _parse_levels(table: Mapping[str, Any], sampling: str, where: str) -> int:
    if sampling == "grid":
        if "levels" not in table:
            raise PriorError(f"{where}: 'levels' is missing: the number of values in the grid. Write levels = 5.")
        return _parse_whole(table, "levels", 1, 1, MAX_LEVELS, where)
    if "levels" in table:
        raise PriorError(f"{where}: levels are read by sampling = 'grid' only, not by '{sampling}'. Leave them out.")
    return 0


def _check_within(found: Distribution, parameter: Parameter, where: str) -> None:
    """Check that draws are within the bounds of the parameter, or within 0.5 of them if they are rounded."""
    rounding = 0.5 if parameter.annotation is int else 0.0
    low, high = found.support
    least, most = float(parameter.low or 0.0) - rounding, math.inf if parameter.high is None else parameter.high
    most += rounding
    needed = []
    if low < least and found.cdf(least) > MAX_MASS_OUT_OF_BOUNDS:
        needed.append(f"as low as {low:g}: set min = {parameter.low:g} or higher")
    if high > most and 1 - found.cdf(most) > MAX_MASS_OUT_OF_BOUNDS:
        needed.append(f"as high as {high:g}: set max = {parameter.high:g} or lower")
    if needed:
        raise PriorError(
            f"{where}: a draw can be out of bounds; allowed: {parameter.allowed}. It can be {' and '.join(needed)}."
        )


def _parse_lever(name: str, values: Any, base: Scenario) -> tuple[Any, ...]:
    """Return the values of a lever; their bounds are checked later, when scenarios are built."""
    if isinstance(values, Mapping) and ZIP in values:
        return _parse_coupled_lever(name, values, base)
    where = f"[levers]: {name}"
    found = _parse_values(values, _find_parameter(name, "[levers]", base), where)
    _check_distinct(found, where)
    return tuple(found)


def _parse_values(values: Any, parameter: Parameter, where: str) -> list[Any]:
    """Return the values of one parameter, from a list or a range."""
    listed = _expand_range(values, parameter, where) if isinstance(values, Mapping) else values
    if not isinstance(listed, list) or not listed:
        raise InputError(f"{where} = {values!r} is not a list of values; allowed: a list, or low, high and count")
    if not all(isinstance(value, str | bool | int | float) for value in listed):
        raise InputError(f"{where} = {values!r} is not a list of values; allowed: numbers, texts, true and false")
    return [_to_parameter_type(value, parameter, where) for value in listed]


def _check_distinct(values: Sequence[Any], where: str) -> None:
    for at, value in enumerate(values):
        if value in values[:at]:
            raise InputError(f"{where}: {value!r} is listed twice. Leave one out.")


def _parse_coupled_lever(name: str, table: Mapping[str, Any], base: Scenario) -> tuple[dict[str, Any], ...]:
    """Return the values of a coupled lever: the first values of its parameters together, then the second ones."""
    from experiments.sweep.race_records import race_run_schema  # noqa: PLC0415 - slow to load, and rarely needed

    where = f"[levers.{name}]"
    require_known(table, (ZIP,), where)
    if "__" in name or not _NAME.fullmatch(name) or name in _WORDS_OF_TABLES or name in race_run_schema(()).names:
        raise InputError(
            f"{where}: {name!r} is not a name for a coupled lever; allowed: letters, digits, - and single _, "
            f"and not the name of a parameter or of a result. Choose another name, such as [levers.compute]."
        )
    zipped = name_by_lab(table[ZIP], base.labs) if isinstance(table[ZIP], Mapping) else table[ZIP]
    if not isinstance(zipped, Mapping) or len(zipped) < 2:
        raise InputError(
            f"{where}: {ZIP} = {zipped!r} is not allowed; allowed: a table of at least two parameters and their lists. "
            f"Write {ZIP} = {{ cluster__gpus = [1024, 2048], training__gain = [2, 3] }}."
        )
    within = f"{where}: {ZIP}"
    lists = {
        each: _parse_values(zipped[each], _find_parameter(each, within, base), f"{within}: {each}")
        for each in sorted(zipped)
    }
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
    """Return the parameters that each lever changes: the lever itself, or those of a coupled lever."""
    return {name: tuple(values[0]) if isinstance(values[0], Mapping) else (name,) for name, values in levers.items()}


def _expand_range(table: Mapping[str, Any], parameter: Parameter, where: str) -> list[Any]:
    """Return `count` values from low to high, in equal steps or, with `log`, in equal ratios."""
    require_known(table, ("low", "high", "count", "log"), where)
    if parameter.low is None:
        raise InputError(f"{where}: the parameter is not a number ({parameter.allowed}); list its values.")
    low, high = (parse_number(table.get(key), f"{where}: {key}") for key in ("low", "high"))
    count, log = _parse_whole(table, "count", None, 2, MAX_LEVELS, where), table.get("log", False)
    if not isinstance(log, bool):
        raise InputError(f"{where}: log = {log!r} is not a truth value; allowed: true or false")
    if low >= high:
        raise InputError(f"{where}: low = {low:g} is not below high = {high:g}; allowed: low below high. Swap them.")
    if log and low <= 0:
        raise InputError(f"{where}: low = {low:g} is too small with log = true; allowed: above 0. Raise low.")
    values = np.geomspace(low, high, count) if log else np.linspace(low, high, count)
    # 15 digits, so that steps of 0.1 give 0.3 and not 0.30000000000000004.
    return [round_to_parameter(float(f"{value:.15g}"), parameter) for value in values]


def round_to_parameter(value: float, parameter: Parameter) -> float | int:
    """Return a number in the type of the parameter, a whole one if it is a count, and within its bounds."""
    whole: float | int = math.floor(value + 0.5) if parameter.annotation is int else value
    low, high = parameter.low, parameter.high
    bounded = whole if low is None else max(whole, low)
    bounded = bounded if high is None else min(bounded, high)
    return int(bounded) if parameter.annotation is int else float(bounded)


def _to_parameter_type(value: Any, parameter: Parameter, where: str) -> Any:
    """Return a value in the type of the parameter: 64 becomes 64.0 for a float, 1e3 becomes 1000 for an int."""
    if parameter.annotation is float and type(value) is int:
        return parse_number(value, where)
    whole = parameter.annotation is int and isinstance(value, float) and value.is_integer()
    return int(value) if whole else value


def _find_parameter(name: str, where: str, base: Scenario) -> Parameter:
    lab, flat_name = split_name(name)
    if lab:
        _check_lab(lab, name, where, base)
    known = parameters()
    if flat_name not in known:
        near = did_you_mean(flat_name, known)
        raise InputError(f"{where}: no parameter '{flat_name}' (`asara explain` lists them){near}")
    return known[flat_name]


def _check_lab(lab: str, name: str, where: str, base: Scenario) -> None:
    """Check that a parameter can be of one lab. Raises InputError if there is no such lab, or it is of all labs."""
    if len(base.labs) < 2:
        raise InputError(
            f"{where}: '{name}' is a parameter of one of several labs, and the scenario '{base.name}' does not have "
            f"several. Write {split_name(name)[1]}, or choose the base two-labs."
        )
    if lab not in base.labs:
        raise InputError(f"{where}: no lab '{lab}'; allowed: {', '.join(base.labs)}{did_you_mean(lab, base.labs)}")
    _call_at(where, lambda: check_block(lab, split_name(name)[1]))


def _check_disjoint(uncertainties: Mapping[str, Any], levers: Mapping[str, Any], changed: Mapping[str, Any]) -> None:
    """Check that no parameter is set in two places. Raises InputError if one is."""
    moved: dict[str, str] = {}
    for lever, names in lever_parameters(levers).items():
        for name in names:
            if name in uncertainties:
                raise InputError(f"{name} is in [uncertainties] and in [levers]; allowed: one of them. Leave one out.")
            if name in moved:
                raise InputError(
                    f"{name} is in the levers {moved[name]} and {lever}; allowed: one of them. Leave one out."
                )
            moved[name] = lever
    for name in changed:
        if name in uncertainties or name in moved:
            other = "uncertainties" if name in uncertainties else "levers"
            raise InputError(f"{name} is set for all runs and is in [{other}]; allowed: one of them. Leave one out.")


def _parse_correlations(
    content: Mapping[str, Any], sampling: str, uncertainties: Mapping[str, Uncertainty]
) -> tuple[RankCorrelation, ...]:
    tables = content.get("correlations", [])
    if tables and sampling not in _SAMPLED:
        raise PriorError(
            f"[[correlations]] are not read by sampling = '{sampling}', whose combinations are fixed; allowed with: "
            f"{', '.join(_SAMPLED)}. Choose one of these, or leave [[correlations]] out."
        )
    found = rank_correlations(tables, {name: each.distribution for name, each in uncertainties.items()})
    ordered = sorted(each._replace(one=min(each[:2]), other=max(each[:2])) for each in found)
    GaussianCopula(ordered)
    return tuple(ordered)


def _parse_n(
    content: Mapping[str, Any], sampling: str, uncertainties: Mapping[str, Any], levers: Mapping[str, Any]
) -> int:
    if sampling not in _SAMPLED:
        if "n" in content:
            raise InputError(
                f"the file: n is not read by sampling = '{sampling}', which determines the number of points. "
                "Leave n out."
            )
        if not uncertainties and not levers:
            raise InputError("the file has neither [uncertainties] nor [levers], so all runs are equal. Add one.")
        return 0
    if not uncertainties:
        raise InputError(
            f"the file: sampling = '{sampling}' needs [uncertainties]. Add them, or use sampling = 'grid' for levers."
        )
    n = _parse_whole(content, "n", None, 1, MAX_RUNS)
    below, above = neighbouring_powers_of_two(n)
    if sampling == "sobol" and below != n:
        raise InputError(
            f"the file: n = {n} is not a power of 2; allowed for Sobol' points: powers of 2. Write {below} or {above}."
        )
    return n


def _parse_replications(content: Mapping[str, Any], engine: Engine, asked: str | None) -> int:
    found = _parse_whole(content, "replications", 1, 1, MAX_RUNS)
    if engine != "fluid" or found == 1:
        return found
    if asked == engine and content.get("engine") != engine:
        return 1  # --engine fluid replaces the World of the file, whose replications have no meaning for the fluid
    raise InputError(
        f"the file: replications = {found} would repeat the run, because engine = 'fluid' has no seed; allowed: 1. "
        "Leave replications out."
    )


def _parse_choice(content: Mapping[str, Any], key: str, choices: tuple[str, ...], default: str | None) -> str:
    if key not in content and default is None:
        raise InputError(f"the file: '{key}' is missing; allowed: {', '.join(choices)}")
    value = content.get(key, default)
    if value not in choices:
        near = did_you_mean(str(value), choices)
        raise InputError(f"the file: {key} = {value!r} is not known; allowed: {', '.join(choices)}{near}")
    return str(value)


def _parse_text(content: Mapping[str, Any], key: str, default: str = "") -> str:
    value = content.get(key, default)
    if not isinstance(value, str):
        raise InputError(f'the file: {key} = {value!r} is not a text; allowed: a text in quotes, such as "lab"')
    return value


def _parse_file_name(content: Mapping[str, Any], key: str, default: str = "") -> str:
    name = _parse_text(content, key, default)
    if not name.isprintable():
        raise InputError(f"the file: {key} = {name!r} is not the name of a file; allowed: printable characters")
    return name


def _parse_whole(
    content: Mapping[str, Any], key: str, default: int | None, low: int, high: int, where: str = "the file"
) -> int:
    if key not in content and default is None:
        raise InputError(f"{where}: '{key}' is missing; allowed: a whole number from {low:,} to {high:,}")
    value = content.get(key, default)
    if isinstance(value, float) and value.is_integer():  # 1e3
        value = int(value)
    if type(value) is not int or not low <= value <= high:
        raise InputError(f"{where}: {key} = {value!r} is not allowed; allowed: a whole number from {low:,} to {high:,}")
    return value
