"""Build the form: scenario, seed and parameters, the typed values and their error messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from experiments.errors import InputError
from experiments.window.default_link import available_scenarios, scenario_named
from experiments.window.form_fields import (
    LAB_PARAMETER,
    FilledForm,
    FormField,
    blocks,
    scenario_from_form,
    scenario_of_lab,
    value_of,
)
from experiments.window.permalink import MAX_SEED
from experiments.window.session import ViewState
from sim.interventions import FIXED_AT_START
from sim.scenario.labs import split_name
from sim.scenario.model import Scenario

SLIDER_STOPS = 48
"""Number of positions of a slider."""
SEED_ALLOWED = f"a whole number from 0 to {MAX_SEED:,}"


def settings_props(
    state: ViewState, typed: Mapping[str, str], seed: str, chosen: str = "", target: str = ""
) -> dict[str, Any]:
    """Return the values of the form.

    Arguments
    ---------
    state
        State of the page.
    typed, seed, chosen
        Values, seed and scenario that are not applied yet. A value of one lab has the name LAB.flat_name.
    target
        Lab whose values the form shows and changes; empty for all labs.
    """
    base = scenario_named(chosen) if chosen else state.scenario
    labs = several_labs(base)
    target = valid_target(target, base)
    filled = scenario_from_form(base, typed)
    seed_wrong = "" if not seed else seed_error(seed)
    groups = [group_props(title, rows, base, typed, filled, target) for title, rows in blocks().items()]
    changed = changed_names(base, typed)
    edits = len(changed)
    fixed = fixed_edits(state, changed, seed)
    if chosen:
        fixed.append("The scenario")
    return {
        "scenario": chosen or state.initial_scenario.name,
        "scenarios": available_scenarios(),
        "seed": seed or str(state.seed),
        "seed_wrong": seed_wrong,
        "groups": groups,
        "note": _error_outside_form(filled, target) or action_hint(state, edits, bool(filled.errors), fixed),
        "can_branch": not filled.errors and not state.is_playing and not fixed,
        "wrong": bool(filled.errors) or bool(seed_wrong),
        "edits": edits + bool(seed) + bool(chosen),
        "has_earlier": state.has_earlier,
        **({"labs": list(labs), "target": target} if labs else {}),
    }


def several_labs(scenario: Scenario) -> tuple[str, ...]:
    """Return the names of the labs of a scenario; none if it has only one."""
    return scenario.labs if len(scenario.labs) > 1 else ()


def valid_target(target: str, scenario: Scenario) -> str:
    """Return the lab whose values the form shows; empty, for all labs, if the scenario has no such lab."""
    return target if target in several_labs(scenario) else ""


def changed_names(base: Scenario, typed: Mapping[str, str]) -> list[str]:
    """Return the names of typed values that differ from those of a scenario, without values of unknown labs."""
    known = ("", *several_labs(base))
    return [
        name
        for name, text in typed.items()
        if split_name(name)[0] in known and text.strip() != value_text(value_of(base, name))
    ]


def _error_outside_form(filled: FilledForm, target: str) -> str:
    """Return the error message of the whole form, or of a value of another lab; empty if there is none."""
    others = (error for name, error in filled.errors.items() if name and split_name(name)[0] != target)
    return filled.errors.get("") or next(others, "")


def fixed_edits(state: ViewState, changed: Sequence[str], seed: str) -> list[str]:
    """Return the changes that need a new run: the seed and, after day 0, parameters that are fixed at the start."""
    fixed = [name for name in changed if split_name(name)[1] in FIXED_AT_START] if state.frame.number else []
    return [*fixed, *(["The seed"] if seed and seed != str(state.seed) else [])]


def action_hint(state: ViewState, edits: int, wrong: bool, fixed: Sequence[str] = ()) -> str:
    """Describe what a visitor can do with the changes."""
    if wrong:
        return "Correct the marked fields, or press Undo."
    if fixed:
        return f"{fixed[0]} is fixed on day 0. Press Start anew or Undo."
    if not edits:
        return "Change a value, then branch here or start anew. Point at a name for its meaning."
    return f"Branch here: from day {state.frame.day:,.6g} on, with the same randomness. Start anew: from day 0."


def group_props(
    title: str, rows: list[FormField], scenario: Scenario, typed: Mapping[str, str], filled: FilledForm, target: str
) -> dict[str, Any]:
    """Return the fields of one block as the form shows them for a lab; for all labs if ``target`` is empty."""
    flat, labs = scenario_of_lab(scenario, target).flat(), several_labs(scenario)
    shown = []
    for row in rows:
        name = name_for(target, row.name)
        shown.append(_field_props(row, value_text(flat[row.name]), typed.get(name), filled.errors.get(name, ""), labs))
    changed = sum(field["changed"] for field in shown)
    return {"name": rows[0].block, "title": title, "fields": shown, "changed": changed}


def name_for(target: str, name: str) -> str:
    """Return the name of a parameter of a lab; unchanged for all labs, whose ``target`` is empty."""
    return f"{target}.{name}" if target else name


def _field_props(field: FormField, value: str, typed: str | None, wrong: str, labs: Sequence[str]) -> dict[str, Any]:
    return {
        "name": field.name,
        "label": field.label,
        "unit": unit_label(field),
        "choices": [*choice_list(field, value), *(labs if field.name == LAB_PARAMETER else ())],
        "slides": field.slider is not None,
        "stops": slider_stops(field.name, field.slider, field.is_log, field.kind),
        "text": value if typed is None else typed,
        "changed": typed is not None and typed.strip() != value,
        "wrong": wrong,
        "why": help_text(field),
    }


def unit_label(field: FormField) -> str:
    """Return the unit of a field; empty if the label contains it."""
    return "" if field.unit.lower() in field.label.lower() else field.unit


def choice_list(field: FormField, value: str) -> list[str]:
    """Return the entries of a selection list; the current value is always included."""
    offers = ["true", "false"] if field.kind == "switch" else list(field.choices)
    return offers if not offers or value in offers else [*offers, value]


def help_text(field: FormField) -> list[str]:
    """Return the lines of help on a field: meaning, allowed values, default and source."""
    fixed = ["Only a new run can change it. Press Start anew."] if field.is_fixed else []
    source = [f"Source: {field.source}"] if field.source else []
    allowed = f"{field.name}: {field.allowed}. Default: {value_text(field.default)}."
    return [field.help, allowed, *fixed, *source]


@cache
def slider_stops(name: str, slider: tuple[float, float] | None, log: bool, kind: str) -> list[float]:
    """Return the values at which a slider stops, in increasing order."""
    if slider is None:
        return []
    low, high = slider
    parts = [at / (SLIDER_STOPS - 1) for at in range(SLIDER_STOPS)]
    values = [low * (high / low) ** part if log else low + (high - low) * part for part in parts]
    inner = [round(value) if kind == "whole number" else float(f"{value:.3g}") for value in values[1:-1]]
    return list(dict.fromkeys([low, *(value for value in inner if low < value < high), high]))


def value_text(value: Any) -> str:
    """Return a value as text that a visitor could type."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def seed_error(text: str) -> str:
    """Return the error message of a seed; empty if the seed is allowed."""
    try:
        parse_seed(text)
    except InputError as error:
        return str(error)
    return ""


def parse_seed(text: str) -> int:
    """Return a typed seed. Raises InputError if it is not allowed."""
    shown = text.strip()
    if not (shown.isascii() and shown.isdigit()) or len(shown) > len(str(MAX_SEED)) or int(shown) > MAX_SEED:
        raise InputError(f"the seed must be {SEED_ALLOWED}")
    return int(shown)
