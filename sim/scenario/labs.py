"""Parse what a scenario states for one lab: ``[labs.NAME.block]`` in a file, ``NAME.block__name`` as a flat name.

Top-level values are the defaults of every lab.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sim.scenario.messages import ScenarioError, did_you_mean

MAX_LABS = 64
"""Largest number of labs in a run."""
_LAB_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
_NOT_OF_ONE_LAB = frozenset({"run", "regulator"})
"""Blocks that all labs of a run share."""


def split_name(name: str) -> tuple[str, str]:
    """Return the lab, empty for all labs, and the flat name of a parameter: "a.cluster__gpus" is of lab "a"."""
    lab, _, flat_name = name.rpartition(".")
    return lab, flat_name


def check_labs(names: Sequence[str]) -> None:
    """Refuse names that are not allowed for labs, and more labs than a run can have. Raises ScenarioError."""
    for name in names:
        if not _LAB_NAME.fullmatch(name):
            raise ScenarioError(
                f"'{name}' is not allowed as the name of a lab; allowed: a letter, then up to 39 letters, digits, - or "
                "_. Rename the lab"
            )
    if len(names) > MAX_LABS:
        raise ScenarioError(f"{len(names)} labs are too many for one run; allowed: {MAX_LABS}. Leave some of them out")


def labs_with(labs: Sequence[str], changes: Iterable[str]) -> tuple[str, ...]:
    """Return the labs of a scenario with those that changes name. Raises ScenarioError if they are not allowed."""
    named = dict.fromkeys(split_name(change)[0] for change in changes)
    for lab in named:
        near = did_you_mean(lab, labs) if lab not in labs else ""
        if near:
            raise ScenarioError(f"no lab '{lab}'{near}")
    found = tuple(dict.fromkeys((*labs, *named)))
    check_labs(found)
    return found


def check_block(lab: str, flat_name: str) -> None:
    """Refuse a parameter that all labs of a run share. Raises ScenarioError."""
    block = flat_name.partition("__")[0]
    if block in _NOT_OF_ONE_LAB:
        raise ScenarioError(f"{flat_name} is not a parameter of one lab ('{lab}'); set it under [{block}]")


def check_not_overridden(name: str, labs: Sequence[str], overrides: Mapping[str, Any]) -> None:
    """Refuse a value for all labs that no lab reads, because each has its own. Raises ScenarioError."""
    if labs and all(f"{lab}.{name}" in overrides for lab in labs):
        own = " and ".join(f"{lab}.{name}" for lab in labs)
        raise ScenarioError(f"{name} is not read, because each lab has its own value; set {own} instead")


def lab_values(tables: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return the names of the labs and their values from the content of ``[labs]``. Raises ScenarioError."""
    if not isinstance(tables, dict):
        raise ScenarioError(f"labs = {tables!r} is not a table; allowed: tables such as [labs.NAME.cluster]. Write one")
    values: dict[str, Any] = {}
    for lab, blocks in tables.items():
        if not isinstance(blocks, dict):
            raise ScenarioError(
                f"labs.{lab} = {blocks!r} is not a table; allowed: tables such as [labs.{lab}.cluster]. Write one"
            )
        for block, content in blocks.items():
            if isinstance(content, dict):
                values |= {f"{lab}.{block}__{name}": value for name, value in content.items()}
            else:
                values[f"{lab}.{block}"] = content
    check_labs(tuple(tables))
    return tuple(tables), values


class GpuShare(NamedTuple):
    """What a lab states on its GPUs."""

    share: float
    """Its share of the GPUs of all labs; 0 if it states none."""
    has_own_gpus: bool
    """Whether it states a number of GPUs of its own."""


def gpus_by_share(stated: Mapping[str, GpuShare], gpus: int, gpus_per_node: int) -> dict[str, int]:
    """Return the GPUs of each lab that has a share of them; empty if no lab states one.

    Labs without a share or GPUs of their own divide the rest equally. Each has whole nodes.

    Raises ScenarioError for shares that add to more than 1, for a lab with both, and for less than half a node.
    """
    shares = {lab: each.share for lab, each in stated.items() if each.share > 0}
    if not shares:
        return {}
    for lab in shares:
        if stated[lab].has_own_gpus:
            raise ScenarioError(
                f"lab '{lab}' states both cluster__gpus and entry__gpu_share; allowed: one of them. Leave one out"
            )
    total = math.fsum(shares.values())
    rest = [lab for lab, each in stated.items() if lab not in shares and not each.has_own_gpus]
    listed = " + ".join(f"{share:g} ({lab})" for lab, share in shares.items())
    if total > 1 + 1e-9:
        raise ScenarioError(
            f"entry__gpu_share adds to {total:.6g} over the labs: {listed}; allowed: at most 1. Lower one of them"
        )
    if rest and total > 1 - 1e-9:
        raise ScenarioError(
            f"entry__gpu_share = {listed} leaves no GPUs for {' and '.join(rest)}; allowed: less than 1 in sum. Lower "
            "one of them"
        )
    shares |= dict.fromkeys(rest, (1 - total) / max(1, len(rest)))
    nodes = {lab: round(share * gpus / gpus_per_node) for lab, share in shares.items()}
    for lab, number in nodes.items():
        if number == 0:
            raise ScenarioError(
                f"a share of {shares[lab]:.4g} of cluster__gpus = {gpus:,} is less than half a node of {gpus_per_node} "
                f"GPUs for lab '{lab}'; allowed: at least that. Raise cluster__gpus or the share"
            )
    return {lab: gpus_per_node * number for lab, number in nodes.items()}
