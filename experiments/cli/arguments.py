"""Check arguments of the command line before anything is run: settings, names, folders and files."""

from __future__ import annotations

import json
import math
import os
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from experiments.cli.typed_numbers import answer, any_number, whole_number
from experiments.errors import InputError
from experiments.gains import TEN_YEARS, goal_changes
from experiments.storage.file_kinds import wrong_kind_message
from sim.scenario.labs import split_name
from sim.scenario.model import Parameter, Scenario, ScenarioError, did_you_mean, parameters
from sim.scenario.renamed import current_name, current_value

RUN_SUMMARY = "run.json"
"""File that marks a folder as that of a run."""


def parse_settings(settings: Iterable[str]) -> dict[str, Any]:
    """Return `NAME=VALUE` texts as a dictionary; the last value of a name counts.

    Raises InputError for a text without `=`.
    """
    parsed = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name.strip():
            raise InputError(f"--set {setting} has no value; allowed: NAME=VALUE. Write it as --set cluster__gpus=64.")
        present = current_name(name.strip())
        parsed[present] = current_value(present, typed_value(parameters().get(split_name(present)[1]), value.strip()))
    return parsed


def typed_value(parameter: Parameter | None, text: str) -> Any:
    """Return a text as the value of a parameter, by the rules of :mod:`experiments.cli.typed_numbers`.

    A text that is no value of the parameter is returned unchanged, so that the error of the parameter quotes it.
    ``parameter`` is None if it does not exist.
    """
    if parameter is None or parameter.choices or parameter.annotation is str:
        return parse_value(text)
    if parameter.annotation is bool:
        found = answer(text)
        return text if found is None else found
    if text.lower().lstrip("+-") in ("inf", "nan"):
        return float(text)
    whole = whole_number(text) if parameter.annotation is int else None
    number = any_number(text) if whole is None else whole
    return text if number is None else number


def parse_value(text: str) -> Any:
    """Return a value as TOML reads it, else as a number that TOML refuses (such as .5), else the text itself."""
    try:
        content = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        content = {}
    if content.keys() == {"value"}:
        return content["value"]
    try:
        return float(text)
    except ValueError:
        return text


def load_scenario(
    name: str,
    settings: Iterable[str],
    until: float | None = None,
    stop_at_researchers: float | None = None,
    goal: float | None = None,
) -> Scenario:
    """Return a scenario with the changes of the command line.

    A run to a number of researchers has the largest allowed number of doublings and ten years, unless these are set.
    A run to a ``goal``, a multiple of the software level of day 0, has the doublings of that goal and ten years.
    """
    changes = parse_settings(settings)
    if until is not None:
        changes["run__horizon_days"] = until
    scenario = _scenario(name)
    if stop_at_researchers is not None:
        _check_until(stop_at_researchers, scenario)
        days = max(scenario.run.horizon_days, TEN_YEARS)
        far = {"run__max_doublings": parameters()["run__max_doublings"].high, "run__horizon_days": days}
        if goal is not None:
            raise InputError(
                f"--stop-at-researchers = {stop_at_researchers:g} is a second aim beside --goal; allowed: one of them. "
                "Leave out the other."
            )
        changes = far | changes | {"run__stop_at_researchers": stop_at_researchers}
    if goal is not None:
        changes |= goal_changes(goal, scenario, changes)
    return scenario.replace(**changes)


def _scenario(name: str) -> Scenario:
    try:
        return Scenario.load(name)
    except ScenarioError:
        if wrong := wrong_kind_message(Path(name), "scenario"):
            raise InputError(wrong) from None
        raise


def _check_until(researchers: float, scenario: Scenario) -> None:
    initial, high = scenario.initial_researchers, parameters()["run__stop_at_researchers"].high
    if not initial < researchers <= (high or math.inf):
        raise InputError(
            f"--stop-at-researchers = {researchers:g} is out of bounds; allowed: above the {initial:,} researchers of "
            "day 0, "
            f"up to {high:g}. Name another number."
        )


def find_parameters(text: str) -> list[Parameter]:
    """Return the parameter of this flat name, all parameters of this bare name, or the only one with this ending.

    Raises InputError with the candidates or the nearest name.
    """
    text = current_name(text)
    known = parameters()
    if text in known:
        return [known[text]]
    if named := [parameter for parameter in known.values() if parameter.name == text]:
        return named
    ending = [parameter for parameter in known.values() if text and parameter.flat_name.endswith(text)]
    if len(ending) > 1:
        raise InputError(
            f"'{text}' is ambiguous; allowed: {' or '.join(parameter.flat_name for parameter in ending)}. Write one "
            "of them."
        )
    if not ending:
        names = [name for parameter in known.values() for name in (parameter.flat_name, parameter.name)]
        raise InputError(f"no parameter '{text}' (`asara explain` lists them){did_you_mean(text, names)}")
    return ending


def check_folder(folder: Path) -> None:
    """Check that a folder is writable, and leave nothing behind.

    Raises InputError if it cannot.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out = {folder} is a file; allowed: a folder. Name another one.")
    _try_to_write(folder, _nearest_existing_folder(folder))


def refuse_stored_run(folder: Path) -> None:
    """Refuse a folder that contains a run. Raises InputError with the scenario and the seed of that run."""
    path = folder / RUN_SUMMARY
    if not path.exists():
        return
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        seed = content["seed"]
        which = f"{content['scenario']}, " + ("engine fluid" if seed is None else f"seed {seed}")
    except (OSError, ValueError, KeyError, TypeError):
        which = f"{RUN_SUMMARY} cannot be read"
    raise InputError(
        f"--out = {folder} is a folder that already contains a run ({which}); allowed: a folder without {RUN_SUMMARY}. "
        "Add --fresh to replace that run, or name another folder."
    )


def require_out(options: Mapping[str, object]) -> None:
    """Refuse options that apply to the files in --out. Raises InputError with the first one that is set."""
    for name, value in options.items():
        if value:
            raise InputError(f"{name} applies to the files in --out; allowed: together with --out. Add --out DIR.")


def check_file(path: Path) -> None:
    """Check that a file is writable, and leave nothing behind.

    Raises InputError if it cannot.
    """
    if path.is_dir():
        raise InputError(f"--out = {path} is a folder; allowed: a file. Name another one.")
    _try_to_write(path, _nearest_existing_folder(path.parent))


def _nearest_existing_folder(folder: Path) -> Path:
    return next(each for each in (folder, *folder.absolute().parents) if each.exists())


def _try_to_write(path: Path, folder: Path) -> None:
    # A check of permissions is not enough: root has all of them, and a full or read-only disk refuses anyway.
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".asara-"):
            pass
    except OSError as error:
        raise InputError(
            f"--out = {path} cannot be written ({os.strerror(error.errno or 0)}: {folder}). Name another path."
        ) from None
