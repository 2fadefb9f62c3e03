"""Make readable labels of parameters and outcomes from their declarations."""

from __future__ import annotations

import re
import textwrap
from typing import Any, Final

from sim.long_run import EXPLOSION_MEANING
from sim.scenario.labs import split_name
from sim.scenario.model import parameters

_HIDDEN_UNITS: Final = ("", "name", "exponent")
_MIN_LETTERS: Final = 8
"""Minimum length of a label in letters; a shorter beginning of a meaning is a symbol and gets the name before it."""
_MAX_LETTERS: Final = 80
_OUTCOME_PHRASES: Final = {
    "explosion": f"probability that {EXPLOSION_MEANING}",
    "speeding_up": "probability that the run was speeding up over its last part",
    "doublings_a_year": "doublings of software a year, on average over the run",
    "software_doublings": "doublings of software by the end of the run",
    "asara_day": "day on which AIs can do all research (ASARA)",
}


_PHRASES: Final = {
    "growth__parallel_penalty": "Parallelization penalty",
    "training__speedup_exponent": "Share of each gain spent on shorter runs",
    "researcher__experiment_scaling": "How experiments must grow with software",
    "run__stop_at_researchers": "Researchers at which the run stops",
    "automation__first_threshold": "Threshold of the easiest task",
    "automation__last_threshold": "Threshold of the hardest task",
    "automation__rho": "Substitution between tasks, rho",
    "humans__growth_per_year": "Growth of the number of humans",
    "supply__growth_per_year": "Growth of the number of GPUs",
    "entry__gpu_share": "Share of the GPUs of all labs",
    "commons__publication_share": "Share of the papers of other labs that count",
    "kernels__candidates_per_day": "Kernel candidates a day, of the reference team",
}
"""Labels of parameters whose declared meaning does not begin with a usable phrase."""
_DAYS: Final = re.compile(r"days_to_(\d+)x")


RETURNS: Final = "growth__r"
"""Parameter whose meaning depends on growth__returns_to."""


def phrase(name: str) -> str:
    """Return a short label of a parameter or an outcome; the name itself if nothing is declared."""
    lab, flat_name = split_name(name)
    if lab:
        return f"{lab}: {phrase(flat_name)}"
    declared = _OUTCOME_PHRASES | _PHRASES
    if name in declared:
        return declared[name]
    if days := _DAYS.fullmatch(name):
        return f"days until software is {int(days[1]):,} times that of day 0"
    known = parameters().get(name)
    if known is None:
        return name
    label = re.split(r"[.:;]|,? if | on the way|, [a-z]+(?=:)", known.meaning, maxsplit=1)[0].strip().replace("`", "")
    if len(label) > _MAX_LETTERS:
        label = label.partition(",")[0]
    if len(label) >= _MIN_LETTERS:
        return label
    plain = known.name.replace("_", " ")
    return f"{plain}, {label}" if label else plain


def with_reading(name: str, reading: str = "") -> str:
    """Return the label of a parameter; that of r includes what it is the returns to, if a reading is given."""
    return f"{phrase(name)}, returns to {reading}" if reading and name == RETURNS else phrase(name)


def phrase_with_name(name: str, reading: str = "") -> str:
    """Return a parameter for use in a sentence: its label in quotes, and its name in brackets."""
    plain = with_reading(name, reading)
    return f"“{plain}” ({name})" if plain != name else name


def axis_label(name: str, width: int = 40, reading: str = "") -> str:
    """Return the label with its unit, in lines of at most ``width`` letters."""
    known = parameters().get(split_name(name)[1])
    unit = f" ({known.unit})" if known is not None and known.unit not in _HIDDEN_UNITS else ""
    return textwrap.fill(f"{with_reading(name, reading)}{unit}", width)


def format_value(value: Any) -> str:
    """Return a value of a parameter as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def percent(share: float) -> str:
    """Return a share as a percentage, with a decimal if it is below 2% or above 98%."""
    return f"{share:.0%}" if share in (0, 1) or 0.02 <= share <= 0.98 else f"{share:.1%}"
