"""Build the form: scenario, seed and parameters, the typed values and their error messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from experiments.errors import InputError
from experiments.window.default_link import available_scenarios, scenario_named
from experiments.window.form_fields import FilledForm, FormField, blocks, scenario_from_form
from experiments.window.permalink import MAX_SEED
from experiments.window.session import ViewState
from sim.interventions import FIXED_AT_START
from sim.scenario.model import Scenario

SLIDER_STOPS = 48
"""Number of positions of a slider."""
SEED_ALLOWED = f"a whole number from 0 to {MAX_SEED:,}"


def settings_props(state: ViewState, typed: Mapping[str, str], seed: str, chosen: str = "") -> dict[str, Any]:
    """Return the values of the form; ``typed``, ``seed`` and ``chosen`` are changes that are not applied yet."""
    base = scenario_named(chosen) if chosen else state.scenario
    filled = scenario_from_form(base, typed)
    seed_wrong = "" if not seed else seed_error(seed)
    groups = [group_props(title, rows, base, typed, filled) for title, rows in blocks().items()]
    edits = sum(group["changed"] for group in groups)
    fixed = fixed_edits(state, groups, seed)
    if chosen:
        fixed.append("The scenario")
    return {
        "scenario": chosen or state.initial_scenario.name,
        "scenarios": available_scenarios(),
        "seed": seed or str(state.seed),
        "seed_wrong": seed_wrong,
        "groups": groups,
        "note": filled.errors.get("") or action_hint(state, edits, bool(filled.errors), fixed),
        "can_branch": not filled.errors and not state.is_playing and not fixed,
        "wrong": bool(filled.errors) or bool(seed_wrong),
        "edits": edits + bool(seed) + bool(chosen),
        "has_earlier": state.has_earlier,
    }


def fixed_edits(state: ViewState, groups: list[dict[str, Any]], seed: str) -> list[str]:
    """Return the changes that need a new run: the seed and, after day 0, parameters that are fixed at the start."""
    changed = [field["name"] for group in groups for field in group["fields"] if field["changed"]]
    fixed = [name for name in changed if name in FIXED_AT_START] if state.frame.number else []
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
    title: str, rows: list[FormField], scenario: Scenario, typed: Mapping[str, str], filled: FilledForm
) -> dict[str, Any]:
    """Return the fields of one block as the form shows them."""
    flat = scenario.flat()
    shown = [
        _field_props(row, value_text(flat[row.name]), typed.get(row.name), filled.errors.get(row.name, ""))
        for row in rows
    ]
    changed = sum(field["changed"] for field in shown)
    return {"name": rows[0].block, "title": title, "fields": shown, "changed": changed}


def _field_props(field: FormField, value: str, typed: str | None, wrong: str) -> dict[str, Any]:
    return {
        "name": field.name,
        "label": field.label,
        "unit": unit_label(field),
        "choices": choice_list(field, value),
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
