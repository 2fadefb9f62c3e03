"""Turn scenario parameters into form fields, and check the values that a visitor types."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from agents.params import UNCALIBRATED
from experiments.cli.arguments import typed_value
from experiments.errors import InputError
from experiments.window.visitor_limits import (
    MAX_VALUES,
    available_policies,
    check_background,
    check_bounds,
    check_measurements,
    check_policy,
)
from hardware.kernels.speedup_curve import (
    find_measurements,
    measured_workloads,
    read_measurements,
    shipped_measurements,
)
from sim.background import NO_BACKGROUND
from sim.governance.policy_files import read_policy, shipped_policies
from sim.interventions import FIXED_AT_START
from sim.scenario.labs import split_name
from sim.scenario.loading import shipped_races
from sim.scenario.model import Parameter, Scenario, ScenarioError, did_you_mean, parameters, shipped_scenarios

FieldKind = Literal["number", "whole number", "choice", "switch"]

MAX_VALUE_LENGTH = 100
"""Maximum length of a value [characters]."""
_MIN_LOG_RATIO = 30.0
"""Ratio of upper bound to default above which a slider is logarithmic and centred on the default."""
_LOG_SLIDER_FACTOR = 16.0
"""Factor below and above the default that a logarithmic slider covers."""
_BLOCK_TITLES = {
    "growth": "Growth of software",
    "researcher": "Researchers",
    "humans": "Human researchers",
    "automation": "Automation of tasks",
    "start": "Start of full automation",
    "horizon": "Time horizon of AIs",
    "literature": "Literature",
    "cluster": "GPU cluster",
    "training": "Training",
    "kernels": "Attention kernels",
    "supply": "Supply of GPUs",
    "commons": "Research from other labs",
    "entry": "Entry of a lab",
    "exit": "Exit of a lab",
    "policy": "Policy of the lab",
    "regulator": "Regulator",
    "disclosure": "What the lab reports",
    "run": "The run",
}
LAB_PARAMETER = "exit__into"
"""Parameter whose value is the name of a lab; a form adds the labs of its scenario to the choices."""
_WORD_SPELLINGS = {"gpu": "GPU", "gpus": "GPUs", "r": "r"}


class FormField(NamedTuple):
    """A parameter as a form shows it."""

    name: str
    """Name as ``block__name``."""
    label: str
    block: str
    kind: FieldKind
    low: float | None
    """Lower bound; None for a choice and a switch."""
    high: float | None
    """Upper bound on the page, which may be lower than the declared bound."""
    slider: tuple[float, float] | None
    """Range of the slider: around the default if the bounds are far apart. None if there is no slider."""
    is_log: bool
    """Whether the slider is logarithmic."""
    unit: str
    choices: tuple[str, ...]
    default: Any
    allowed: str
    """Allowed values, in words."""
    help: str
    source: str
    is_fixed: bool
    """Whether a branch cannot change the parameter."""


class ScenarioChoice(NamedTuple):
    """A scenario that can be selected."""

    name: str
    description: str


class FilledForm(NamedTuple):
    """The result of a form: a scenario, or error messages."""

    scenario: Scenario | None
    errors: dict[str, str]
    """Error message by the name of its field; "" for the whole form. Empty if there is a scenario."""


@cache
def fields() -> dict[str, FormField]:
    """Return a field for every parameter, by name."""
    return {name: _form_field(parameter) for name, parameter in parameters().items()}


def blocks() -> dict[str, list[FormField]]:
    """Return the fields by the title of their block, in the order of a scenario."""
    found: dict[str, list[FormField]] = {}
    for field in fields().values():
        found.setdefault(_BLOCK_TITLES[field.block], []).append(field)
    return found


def page_scenarios() -> list[str]:
    """Return the names of the scenarios that are shipped with asara: those of one lab, then those of several."""
    return [*shipped_scenarios(), *shipped_races()]


@cache
def scenario_choices() -> tuple[ScenarioChoice, ...]:
    """Return the scenarios that are shipped with asara."""
    return tuple(ScenarioChoice(name, Scenario.load(name).description) for name in page_scenarios())


def parse_value(name: str, text: str) -> Any:
    """Return a typed text as a value of a parameter; :func:`scenario_from_form` checks whether the value is allowed.

    Raises InputError for an unknown name, for a text that is too long, and for a text that could name a file.
    """
    flat_name = split_name(name)[1]
    field = fields().get(flat_name)
    if field is None:
        shown = flat_name[:MAX_VALUE_LENGTH]
        raise InputError(f"no parameter '{_printable(shown)}'{did_you_mean(shown, fields())}")
    if len(text) > MAX_VALUE_LENGTH:
        raise InputError(f"{name}: a value of {len(text):,} characters is too long; allowed: {field.allowed}")
    text = _printable(text.strip())
    if field.kind == "choice":
        if flat_name == "kernels__measurements":
            check_measurements(text)
        if flat_name == "cluster__background":
            check_background(text)
        if flat_name == "regulator__policy":
            check_policy(text)
        return text
    return typed_value(parameters()[flat_name], text)


def check_value(name: str, text: str, scenario: Scenario | None = None) -> tuple[Any, str]:
    """Return the typed value and "", or None and an error message.

    ``scenario`` gives the other values (by default the default scenario). A value that contradicts them is an error
    too.
    """
    filled = scenario_from_form(scenario or Scenario(), {name: text})
    if filled.scenario is None:
        return None, filled.errors.get(name) or next(iter(filled.errors.values()))
    return filled.scenario.flat()[name], ""


@lru_cache(maxsize=256)
def scenario_of_lab(scenario: Scenario, lab: str) -> Scenario:
    """Return a scenario as one of its labs reads it; unchanged for an empty name. Raises ScenarioError for no lab."""
    return scenario.lab_scenario(lab) if lab else scenario


def value_of(scenario: Scenario, name: str) -> Any:
    """Return the value of a parameter, by flat name or by LAB.flat_name. Raises ScenarioError for an unknown lab."""
    lab, flat_name = split_name(name)
    return scenario_of_lab(scenario, lab).flat()[flat_name]


def scenario_from_form(base: Scenario, typed: Mapping[str, str]) -> FilledForm:
    """Return the scenario that typed values make of a base scenario; equal values are not changes."""
    values, errors = dict[str, Any](), dict[str, str]()
    for name, text in typed.items():
        try:
            value, before = parse_value(name, text), value_of(base, name)
        except (InputError, ScenarioError) as error:
            errors[name] = str(error)
            continue
        if value != before or isinstance(value, bool) != isinstance(before, bool):
            values[name] = value
    for name in values:
        if sentence := _field_error(base, name, values[name]):
            errors[name] = sentence
    if errors:
        return FilledForm(None, errors)
    try:
        return FilledForm(scenario_with_changes(base, values), {})
    except (ScenarioError, InputError) as error:
        return FilledForm(None, {_field_named_in(str(error), values): str(error)})


def scenario_with_changes(base: Scenario, changes: Mapping[str, Any]) -> Scenario:
    """Return a scenario with changed parameters, which the page can run and a file can express.

    Raises ScenarioError, and InputError for a scenario that is too large for the page.
    """
    scenario = base.replace(**changes)
    check_bounds(scenario)
    return scenario


def differences(base: Scenario, scenario: Scenario) -> dict[str, Any]:
    """Return the changes that turn one scenario into another, as :func:`scenario_with_changes` takes them."""
    if len(base.labs) > 1:
        before_own, alone = dict(base.overrides), {"labs": (), "overrides": ()}
        own = {name: value for name, value in scenario.overrides if before_own.get(name) != value}
        return differences(base.model_copy(update=alone), scenario.model_copy(update=alone)) | own
    before, after = base.flat(), scenario.flat()
    selectors = {parameter.selector for parameter in parameters().values() if parameter.selector}
    switched = {name: after[name] for name in after if name in selectors and after[name] != before[name]}
    start = base.replace(**switched).flat()
    return switched | {name: value for name, value in after.items() if value != start[name]}


def _field_error(base: Scenario, name: str, value: Any) -> str:
    """Return the error message of a value on its own, independent of the other values; empty if it is allowed."""
    lab, name = split_name(name)
    try:
        scenario_of_lab(base, lab).replace(**{name: value})
    except ScenarioError as error:
        if not str(error).startswith(f"{name} ="):
            return ""
        return str(error).replace(parameters()[name].allowed, fields()[name].allowed)
    most = MAX_VALUES.get(name)
    if most is not None and value > most:
        return f"{name} = {value:,.12g} is out of bounds: {fields()[name].allowed}"
    return ""


def _field_named_in(sentence: str, names: Iterable[str]) -> str:
    """Return the first field that a message names; "" if it names none."""
    words = {name: f"{name}|{split_name(name)[1]}|{name.partition('__')[2]}" for name in names}
    places = {name: re.search(rf"\b({either})\b", sentence) for name, either in words.items()}
    return min((place.start(), name) for name, place in [*places.items(), ("", re.search("$", sentence))] if place)[1]


def _form_field(parameter: Parameter) -> FormField:
    name, kind = parameter.flat_name, _field_kind(parameter)
    high = MAX_VALUES.get(name, parameter.high)
    if high is not None and parameter.annotation is int:
        high = int(high)
    shown = parameter._replace(high=high, choices=_allowed_choices(parameter))
    slider, is_log = _slider_range(shown) if kind in ("number", "whole number") else (None, False)
    return FormField(
        name=name,
        label=_format_label(parameter.name),
        block=parameter.block,
        kind=kind,
        low=parameter.low,
        high=high,
        slider=slider,
        is_log=is_log,
        unit="" if kind in ("choice", "switch") else parameter.unit,
        choices=shown.choices,
        default=parameter.default,
        allowed=parameter.allowed if name == LAB_PARAMETER else shown.allowed,
        help=parameter.meaning,
        source=parameter.source,
        is_fixed=name in FIXED_AT_START,
    )


def _field_kind(parameter: Parameter) -> FieldKind:
    if parameter.choices or parameter.annotation is str:
        return "choice"
    if parameter.annotation is bool:
        return "switch"
    return "whole number" if parameter.annotation is int else "number"


def _allowed_choices(parameter: Parameter) -> tuple[str, ...]:
    """Return the choices of a parameter; if they could name files, only what is shipped with asara."""
    choices = _TEXT_CHOICES.get(parameter.flat_name)
    return parameter.choices if choices is None else choices()


def _measured_workloads() -> tuple[str, ...]:
    workloads = [measured_workloads(read_measurements(find_measurements(name))[1]) for name in shipped_measurements()]
    return tuple(dict.fromkeys(name for names in workloads for name in names))


def _rule_names() -> tuple[str, ...]:
    return tuple(dict.fromkeys(rule.name for name in shipped_policies() for rule in read_policy(name).rules))


_TEXT_CHOICES: Final[Mapping[str, Callable[[], tuple[str, ...]]]] = MappingProxyType(
    {
        "kernels__measurements": lambda: (*shipped_measurements(), UNCALIBRATED),
        "kernels__workload": _measured_workloads,
        "cluster__background": lambda: (NO_BACKGROUND,),
        "regulator__policy": available_policies,
        "regulator__rules_off": lambda: ("", *_rule_names()),
        LAB_PARAMETER: lambda: ("",),
    }
)
"""Functions that return the choices of a text parameter, by its flat name."""


def _slider_range(parameter: Parameter) -> tuple[tuple[float, float] | None, bool]:
    """Return the range of a slider and whether it is logarithmic; no range if the default is 0 or below."""
    low, high, default = parameter.low, parameter.high, float(parameter.default)
    assert low is not None and high is not None, f"{parameter.flat_name} has no bounds"
    if high <= _MIN_LOG_RATIO * default or (default == 0 and high <= _MIN_LOG_RATIO):
        return (float(low), float(high)), False
    if default <= 0:
        return None, False
    reach = max(float(low), default / _LOG_SLIDER_FACTOR), min(float(high), default * _LOG_SLIDER_FACTOR)
    return (float(math.ceil(reach[0])), float(math.floor(reach[1]))) if parameter.annotation is int else reach, True


def _format_label(name: str) -> str:
    words = [_WORD_SPELLINGS.get(word, word) for word in name.split("_")]
    first = words[0] if words[0] in ("GPU", "GPUs", "r") else words[0].capitalize()
    return " ".join([first, *words[1:]])


def _printable(text: str) -> str:
    """Replace characters that cannot be printed by question marks."""
    return "".join(character if character.isprintable() else "?" for character in text)
