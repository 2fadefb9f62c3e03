"""The form: scenario, seed and parameters, what was typed into it, and what is wrong with that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from experiments.errors import InputError
from experiments.window.default_link import offered, scenario_named
from experiments.window.form_fields import Field, FilledForm, blocks, scenario_from_form
from experiments.window.permalink import MAX_SEED
from experiments.window.session import ViewState
from sim.interventions import FIXED_AT_START
from sim.scenario.model import Scenario

STOPS = 48
"""Places of a slider."""
SEED_ALLOWED = f"a whole number from 0 to {MAX_SEED:,}"


def settings(shown: ViewState, typed: Mapping[str, str], seed: str, chosen: str = "") -> dict[str, Any]:
    """Return the form as its component takes it; ``typed``, ``seed`` and ``chosen``: what is not in use yet."""
    base = scenario_named(chosen) if chosen else shown.scenario
    filled = scenario_from_form(base, typed)
    seed_wrong = "" if not seed else seed_error(seed)
    groups = [group(title, rows, base, typed, filled) for title, rows in blocks().items()]
    edits = sum(group["changed"] for group in groups)
    fixed = fixed_edits(shown, groups, seed)
    if chosen:
        fixed.append("The scenario")
    return {
        "scenario": chosen or shown.first.name,
        "scenarios": offered(),
        "seed": seed or str(shown.seed),
        "seed_wrong": seed_wrong,
        "groups": groups,
        "note": filled.wrong.get("") or note(shown, edits, bool(filled.wrong), fixed),
        "can_branch": not filled.wrong and not shown.playing and not fixed,
        "wrong": bool(filled.wrong) or bool(seed_wrong),
        "edits": edits + bool(seed) + bool(chosen),
        "has_earlier": shown.has_earlier,
    }


def fixed_edits(shown: ViewState, groups: list[dict[str, Any]], seed: str) -> list[str]:
    """Return what was changed and can only be so on day 0: the seed, and where that day is over some parameters."""
    changed = [field["name"] for group in groups for field in group["fields"] if field["changed"]]
    fixed = [name for name in changed if name in FIXED_AT_START] if shown.frame.number else []
    return [*fixed, *(["The seed"] if seed and seed != str(shown.seed) else [])]


def note(shown: ViewState, edits: int, wrong: bool, fixed: Sequence[str] = ()) -> str:
    """Return what can be done with what was changed."""
    if wrong:
        return "Correct what is marked, or undo it."
    if fixed:
        return f"{fixed[0]} is decided on day 0: press Start anew, or undo it."
    if not edits:
        return "Change a value, then branch here or start anew. Point at a name for its meaning."
    return f"Branch here: from day {shown.frame.day:,.6g} on, with the same luck. Start anew: from day 0."


def group(
    title: str, rows: list[Field], scenario: Scenario, typed: Mapping[str, str], filled: FilledForm
) -> dict[str, Any]:
    """Return the fields of one block as the form shows them."""
    flat = scenario.flat()
    shown = [_field(row, text_of(flat[row.name]), typed.get(row.name), filled.wrong.get(row.name, "")) for row in rows]
    changed = sum(field["changed"] for field in shown)
    return {"name": rows[0].block, "title": title, "fields": shown, "changed": changed}


def _field(field: Field, value: str, typed: str | None, wrong: str) -> dict[str, Any]:
    return {
        "name": field.name,
        "label": field.label,
        "unit": unit(field),
        "choices": choices(field, value),
        "slides": field.slider is not None,
        "stops": stops(field.name, field.slider, field.log, field.kind),
        "text": value if typed is None else typed,
        "changed": typed is not None and typed.strip() != value,
        "wrong": wrong,
        "why": why(field),
    }


def unit(field: Field) -> str:
    """Return the unit of a field, unless its label says it already."""
    return "" if field.unit.lower() in field.label.lower() else field.unit


def choices(field: Field, value: str) -> list[str]:
    """Return what a list offers: a switch has two places, and what is in use is always among them."""
    offers = ["true", "false"] if field.kind == "switch" else list(field.choices)
    return offers if not offers or value in offers else [*offers, value]


def why(field: Field) -> list[str]:
    """Return what a field means, what it may be, and where its default comes from."""
    fixed = ["Only a new run can change it: start anew."] if field.fixed else []
    source = [f"Source: {field.source}"] if field.source else []
    allowed = f"{field.name}: {field.allowed}. Default: {text_of(field.default)}."
    return [field.help, allowed, *fixed, *source]


@cache
def stops(name: str, slider: tuple[float, float] | None, log: bool, kind: str) -> list[float]:
    """Return the values at which a slider stops, from the lowest to the highest."""
    if slider is None:
        return []
    low, high = slider
    parts = [at / (STOPS - 1) for at in range(STOPS)]
    values = [low * (high / low) ** part if log else low + (high - low) * part for part in parts]
    inner = [round(value) if kind == "whole number" else float(f"{value:.3g}") for value in values[1:-1]]
    return list(dict.fromkeys([low, *(value for value in inner if low < value < high), high]))


def text_of(value: Any) -> str:
    """Return a value as somebody would type it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def seed_error(text: str) -> str:
    """Return what is wrong with a seed; empty if nothing is."""
    try:
        seed_of(text)
    except InputError as error:
        return str(error)
    return ""


def seed_of(text: str) -> int:
    """Return a seed that was typed. Raises InputError."""
    shown = text.strip()
    if not (shown.isascii() and shown.isdigit()) or len(shown) > len(str(MAX_SEED)) or int(shown) > MAX_SEED:
        raise InputError(f"the seed must be {SEED_ALLOWED}")
    return int(shown)
