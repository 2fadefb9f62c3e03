"""The parameters of a scenario as fields of a form, and what somebody typed into them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Literal, NamedTuple

from agents.kernel_engineer import UNCALIBRATED
from experiments.cli.arguments import typed_value
from experiments.errors import InputError
from experiments.window.visitor_limits import MOST, check_background, check_bounds, check_measurements
from hardware.kernels.speedup_curve import (
    find_measurements,
    measured_workloads,
    read_measurements,
    shipped_measurements,
)
from sim.background import NO_BACKGROUND
from sim.interventions import FIXED_AT_START
from sim.scenario.model import Parameter, Scenario, ScenarioError, did_you_mean, parameters, shipped_scenarios

Kind = Literal["number", "whole number", "choice", "switch"]

LONGEST = 100
"""Characters of a value."""
_WIDE = 30.0
"""Where the upper bound is more than so many times the default, the slider is logarithmic, and about the default."""
_ABOUT = 16.0
"""So many times less and more than the default is what such a slider reaches."""
_BLOCKS = {
    "growth": "Growth of software",
    "researcher": "Researchers",
    "literature": "Literature",
    "cluster": "GPU cluster",
    "training": "Training",
    "kernels": "Attention kernels",
    "run": "The run",
}
_WRITTEN = {"gpu": "GPU", "gpus": "GPUs", "r": "r", "days": "days"}


_SWITCHES = ("growth__law", "kernels__measurements")
"""What decides which others are read."""


class Field(NamedTuple):
    """One parameter, as a form shows it."""

    name: str
    """block__name, as everywhere."""
    label: str
    block: str
    kind: Kind
    low: float | None
    """None for a choice and a switch."""
    high: float | None
    """What the window allows, which may be less than the declaration does."""
    slider: tuple[float, float] | None
    """What a slider reaches, within the bounds: about the default where these are far apart. None: type it."""
    log: bool
    """Whether the slider is logarithmic."""
    unit: str
    choices: tuple[str, ...]
    default: Any
    allowed: str
    """The allowed values, in words."""
    help: str
    source: str
    fixed: bool
    """Whether a branch cannot change it."""


class Choice(NamedTuple):
    """A scenario that can be chosen."""

    name: str
    description: str


class FilledForm(NamedTuple):
    """What came of a form: a scenario, or what is wrong."""

    scenario: Scenario | None
    wrong: dict[str, str]
    """A sentence by the name of its field; "" for what is wrong with the whole. Empty if there is a scenario."""


@cache
def fields() -> dict[str, Field]:
    """Return a field for every parameter, by its name."""
    return {name: _field(parameter) for name, parameter in parameters().items()}


def blocks() -> dict[str, list[Field]]:
    """Return the fields by the title of their block, in the order of a scenario."""
    found: dict[str, list[Field]] = {}
    for field in fields().values():
        found.setdefault(_BLOCKS[field.block], []).append(field)
    return found


@cache
def scenario_choices() -> tuple[Choice, ...]:
    """Return the scenarios that come with asara."""
    return tuple(Choice(name, Scenario.load(name).description) for name in shipped_scenarios())


def parse(name: str, text: str) -> Any:
    """Return what was typed as a value of this parameter; whether it is allowed only :func:`fill` says.

    Raises InputError for a name that there is not, a text that is too long, and a text that could name a file.
    """
    field = fields().get(name)
    if field is None:
        shown = name[:LONGEST]
        raise InputError(f"no parameter '{_plain(shown)}'{did_you_mean(shown, fields())}")
    if len(text) > LONGEST:
        raise InputError(f"{name}: {len(text):,} characters are too many: {field.allowed}")
    text = _plain(text.strip())
    if field.kind == "choice":
        if name == "kernels__measurements":
            check_measurements(text)
        if name == "cluster__background":
            check_background(text)
        return text
    return typed_value(parameters()[name], text)


def check(name: str, text: str, scenario: Scenario | None = None) -> tuple[Any, str]:
    """Return the value that was typed and "", or None and the sentence that says what is wrong with it.

    ``scenario``: the other values, the defaults if there is none. What does not fit together with them is wrong too.
    """
    filled = scenario_from_form(scenario or Scenario(), {name: text})
    if filled.scenario is None:
        return None, filled.wrong.get(name) or next(iter(filled.wrong.values()))
    return filled.scenario.flat()[name], ""


def scenario_from_form(base: Scenario, typed: Mapping[str, str]) -> FilledForm:
    """Return the scenario that a form makes of another one; what was typed as it was counts as no change."""
    flat, values, wrong = base.flat(), dict[str, Any](), dict[str, str]()
    for name, text in typed.items():
        try:
            value = parse(name, text)
        except InputError as error:
            wrong[name] = str(error)
            continue
        if name not in flat or value != flat[name] or isinstance(value, bool) != isinstance(flat[name], bool):
            values[name] = value
    for name in values:
        if sentence := _wrong_alone(base, name, values[name]):
            wrong[name] = sentence
    if wrong:
        return FilledForm(None, wrong)
    try:
        return FilledForm(changed(base, values), {})
    except (ScenarioError, InputError) as error:
        return FilledForm(None, {_about(str(error), values): str(error)})


def changed(base: Scenario, changes: Mapping[str, Any]) -> Scenario:
    """Return a scenario with some parameters changed, which the window can run and a file can say.

    Raises ScenarioError, and InputError for what is too large for the window.
    """
    scenario = base.canonical().replace(**changes).canonical()
    check_bounds(scenario)
    return scenario


def differences(base: Scenario, scenario: Scenario) -> dict[str, Any]:
    """Return what must be changed in one scenario to come to another, by flat name, as :func:`changed` takes it."""
    before, after = base.canonical(), scenario.canonical().flat()
    switched = {name: after[name] for name in _SWITCHES if after[name] != before.flat()[name]}
    start = before.replace(**switched).canonical().flat()
    return switched | {name: value for name, value in after.items() if value != start[name]}


def _wrong_alone(base: Scenario, name: str, value: Any) -> str:
    """What is wrong with a value whatever the others are; empty if nothing is."""
    try:
        base.replace(**{name: value})
    except ScenarioError as error:
        if not str(error).startswith(f"{name} ="):
            return ""
        return str(error).replace(parameters()[name].allowed, fields()[name].allowed)
    most = MOST.get(name)
    if most is not None and value > most:
        return f"{name} = {value:,.12g} is out of bounds: {fields()[name].allowed}"
    return ""


def _about(sentence: str, names: Iterable[str]) -> str:
    """The field that a sentence is about: the first that it names, "" if it names none of them."""
    places = {name: re.search(rf"\b({name}|{name.partition('__')[2]})\b", sentence) for name in names}
    return min((place.start(), name) for name, place in [*places.items(), ("", re.search("$", sentence))] if place)[1]


def _field(parameter: Parameter) -> Field:
    name, kind = parameter.flat_name, _kind(parameter)
    high = MOST.get(name, parameter.high)
    if high is not None and parameter.annotation is int:
        high = int(high)
    shown = parameter._replace(high=high, choices=_choices(parameter))
    slider, log = _slider(shown) if kind in ("number", "whole number") else (None, False)
    return Field(
        name=name,
        label=_label(parameter.name),
        block=parameter.block,
        kind=kind,
        low=parameter.low,
        high=high,
        slider=slider,
        log=log,
        unit="" if kind in ("choice", "switch") else parameter.unit,
        choices=shown.choices,
        default=parameter.default,
        allowed=shown.allowed,
        help=parameter.meaning,
        source=parameter.source,
        fixed=name in FIXED_AT_START,
    )


def _kind(parameter: Parameter) -> Kind:
    if parameter.choices or parameter.annotation is str:
        return "choice"
    if parameter.annotation is bool:
        return "switch"
    return "whole number" if parameter.annotation is int else "number"


def _choices(parameter: Parameter) -> tuple[str, ...]:
    """The words that a parameter can be; of those that could name a file, what comes with asara."""
    if parameter.flat_name == "kernels__measurements":
        return (*shipped_measurements(), UNCALIBRATED)
    if parameter.flat_name == "cluster__background":
        return (NO_BACKGROUND,)
    if parameter.flat_name == "kernels__workload":
        there = [measured_workloads(read_measurements(find_measurements(name))[1]) for name in shipped_measurements()]
        return tuple(dict.fromkeys(name for names in there for name in names))
    return parameter.choices


def _slider(parameter: Parameter) -> tuple[tuple[float, float] | None, bool]:
    """What a slider reaches, and whether it is logarithmic; none where 0 stands for something else than a little."""
    low, high, default = parameter.low, parameter.high, float(parameter.default)
    assert low is not None and high is not None, f"{parameter.flat_name} has no bounds"
    if high <= _WIDE * default or (default == 0 and high <= _WIDE):
        return (float(low), float(high)), False
    if default == 0:
        return None, False
    reach = max(float(low), default / _ABOUT), min(float(high), default * _ABOUT)
    return (float(math.ceil(reach[0])), float(math.floor(reach[1]))) if parameter.annotation is int else reach, True


def _label(name: str) -> str:
    words = [_WRITTEN.get(word, word) for word in name.split("_")]
    first = words[0] if words[0] in _WRITTEN.values() else words[0].capitalize()
    return " ".join([first, *words[1:]])


def _plain(text: str) -> str:
    """A text in which what cannot be printed is a question mark."""
    return "".join(character if character.isprintable() else "?" for character in text)
