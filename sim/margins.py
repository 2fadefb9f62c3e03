"""Compute which input limits progress at the margin, and the cost of training runs, by the equations of a scenario.

The elasticity of an input is the percentage by which 1% more of it brings a doubling of software forward. The fluid
engine runs each scenario together with copies that have 1% more of one input, and with a copy without training runs.
There are no random numbers: the same scenario gives the same numbers in every process.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Final, NamedTuple

import numpy as np

from sim.fluid.lab_arrays import Floats, LabArrays, lab_arrays
from sim.fluid.stepper import run_labs
from sim.growth import FrozenLaw
from sim.scenario.model import Scenario, ScenarioError

INPUTS: Final = ("researchers", "experiments", "training", "humans")
"""Inputs: AI researchers of day 0, GPUs for experiments, and the speed of training runs (the inverse of their work). If
the lab has humans, their number on all days is another input."""
INPUT_INCREASE: Final = 1.01
"""Factor by which an input is raised."""
UNDEFINED: Final = "undefined"
STEPS_PER_DOUBLING: Final = 32
"""Number of steps per doubling, the default of the fluid engine."""
_MIN_ELASTICITY: Final = 1e-6
"""Elasticity below which a value is rounding error."""
_MIN_SHOWN: Final = 0.005
"""Elasticity below which the sentence omits an input."""
_MAX_CACHED: Final = 256
"""Maximum number of results that are kept for later runs of the same scenarios."""


class Margins(NamedTuple):
    """Input that limits progress at one doubling of software."""

    limited_by: str
    """Input with the largest elasticity, or "undefined"."""
    reason: str
    """Reason why it is undefined; otherwise empty."""
    doubling: int
    """Number of the doubling: the last completed one; 0 if there is none."""
    day: float | None
    """Day on which the equations complete the doubling."""
    elasticities: dict[str, float]
    """Percentage by which 1% more of each input brings that day forward. Empty if undefined."""
    day_without_training: float | None
    """Day of the same doubling without training runs; None if the scenario needs none."""

    @property
    def sentence(self) -> str:
        """Sentence on the input that limits progress."""
        if not self.elasticities or self.limited_by == UNDEFINED:
            return f"What limits progress at the margin is undefined: {self.reason}."
        each = [
            f"1% {_MORE_OF[name]} brings it {value:.2f}% sooner"
            for name, value in self.elasticities.items()
            if abs(value) >= _MIN_SHOWN
        ]
        return (
            f"What limits progress at the margin of doubling {self.doubling} (by the equations): "
            f"{_NAMES[self.limited_by]}. {'; '.join(each)}."
        )

    @property
    def training_sentence(self) -> str:
        """Sentence on the cost of training runs; empty if the scenario needs none."""
        if self.day is None or self.day_without_training is None:
            return ""
        return (
            f"Without training runs doubling {self.doubling} would come on day {self.day_without_training:,.0f} "
            f"instead of {self.day:,.0f} (by the equations)."
        )


_NAMES: Final = {
    "researchers": "researchers",
    "experiments": "GPUs for experiments",
    "training": "training runs",
    "humans": "humans",
}
_MORE_OF: Final = {
    "researchers": "more researchers",
    "experiments": "more GPUs for experiments",
    "training": "faster training runs",
    "humans": "more humans",
}


def margins(scenarios: Sequence[Scenario], doublings: Sequence[int]) -> list[Margins]:
    """Return the limiting input of each scenario at its number of doublings, or at the last that the equations reach.

    All scenarios run in one call. For a scenario without equations (``whole`` papers), with a policy that moves GPUs,
    or with frozen software, the result is "undefined", with the reason.
    """
    found = [Margins(UNDEFINED, reason_undefined(each), 0, None, {}, None) for each in scenarios]
    moving = [row for row, margin in enumerate(found) if not margin.reason]
    if moving:
        computed = _moving_margins([scenarios[row] for row in moving], [doublings[row] for row in moving])
        for row, each in zip(moving, computed, strict=True):
            found[row] = each
    return found


def reason_undefined(scenario: Scenario) -> str:
    """Return why no input of a scenario can be compared with the others; empty if the equations may decide."""
    if isinstance(scenario.growth, FrozenLaw):
        return "software is frozen (growth__law = 'frozen')"
    if scenario.policy.name != "fixed":
        return (
            f"the policy moves GPUs from one input to another during the run (policy__name = '{scenario.policy.name}')"
        )
    return ""


def _moving_margins(scenarios: Sequence[Scenario], doublings: Sequence[int]) -> list[Margins]:
    """Return the limiting input of scenarios whose software can double."""
    try:
        days = _doubling_days(scenarios, doublings)
    except ScenarioError as error:
        if len(scenarios) == 1:
            return [Margins(UNDEFINED, f"there are no equations for it ({error})", 0, None, {}, None)]
        return [_moving_margins([each], [n])[0] for each, n in zip(scenarios, doublings, strict=True)]
    return [
        _margins_at(each, days[row], done) for row, (each, done) in enumerate(zip(scenarios, doublings, strict=True))
    ]


def margins_of(scenario: Scenario, doublings: int) -> Margins:
    """Return the limiting input of one scenario; the result is cached, so that runs with other seeds reuse it."""
    return cached_margins([scenario], [doublings])[0]


def cached_margins(scenarios: Sequence[Scenario], doublings: Sequence[int]) -> list[Margins]:
    """Return the limiting inputs as :func:`margins` does, with a cache: equal scenarios are computed once.

    One call for many scenarios takes little longer than a call for one, because the steps of all are taken together.
    """
    keys = [(each, each.digest(), n) for each, n in zip(scenarios, doublings, strict=True)]
    known = {key: _cache[key] for key in keys if key in _cache}
    missing = list(dict.fromkeys(key for key in keys if key not in known))
    if missing:
        computed = margins([scenario for scenario, _, _ in missing], [n for _, _, n in missing])
        known |= zip(missing, computed, strict=True)
        _cache.update(zip(missing, computed, strict=True))
        for key in list(_cache)[:-_MAX_CACHED]:
            _cache.pop(key, None)
    return [known[key] for key in keys]


_cache: Final[dict[tuple[Scenario, str, int], Margins]] = {}
"""Latest results by scenario, its digest, and number of doublings; the oldest first."""


def _doubling_days(scenarios: Sequence[Scenario], doublings: Sequence[int]) -> Floats:
    """Return the days of the doublings, of shape (scenarios, variants, doublings).

    The variants are the scenario itself, one copy per raised input in the order of INPUTS, and a copy without training
    runs. No variant runs beyond the doubling of its scenario.
    """
    base = lab_arrays(scenarios)
    base = replace(base, most_doublings=np.minimum(base.most_doublings, np.maximum(1, doublings)))
    free = lab_arrays([_without_training(each) for each in scenarios])
    free = replace(free, log2_initial_effort=base.log2_initial_effort, most_doublings=base.most_doublings)
    trained = np.flatnonzero(base.training)  # the other scenarios need no training runs
    staffed = np.flatnonzero(base.humans > 0)
    ways = [
        base,
        replace(base, initial=base.initial * INPUT_INCREASE),
        _more_gpus(base),
        replace(base, first_run=base.first_run / INPUT_INCREASE).take(trained),
        replace(base, humans=base.humans * INPUT_INCREASE).take(staffed),
        free.take(trained),
    ]
    columns = {field.name: np.concatenate([getattr(way, field.name) for way in ways]) for field in fields(LabArrays)}
    _, marks = run_labs(LabArrays(**columns), STEPS_PER_DOUBLING)
    sizes = np.cumsum([len(way.r) for way in ways])
    full, more_ais, more_gpus, faster, more_humans, untrained = np.split(marks[0], sizes[:-1])
    days = [full, more_ais, more_gpus, full.copy(), full.copy(), full.copy()]
    days[3][trained], days[4][staffed], days[5][trained] = faster, more_humans, untrained
    return np.stack(days, axis=1)


def _without_training(scenario: Scenario) -> Scenario:
    return scenario.model_copy(update={"training": scenario.training.model_copy(update={"required": False})})


def _more_gpus(labs: LabArrays) -> LabArrays:
    """Return the labs with 1% more GPUs for experiments, in their own partition or in the shared pool."""
    shared = labs.gpus + np.where(labs.shared, (INPUT_INCREASE - 1) * np.maximum(0.0, labs.gpus - labs.standing), 0.0)
    return replace(labs, gpus=shared, experiment_share=labs.experiment_share * INPUT_INCREASE)


def _margins_at(scenario: Scenario, days: Floats, doublings: int) -> Margins:
    done = min(doublings, int(np.isfinite(days[0]).sum()))
    if done < 1:
        return Margins(UNDEFINED, "no doubling of software was completed", 0, None, {}, None)
    base, *raised, free = days[:, done - 1].tolist()
    found = {
        name: -math.log(day / base) / math.log(INPUT_INCREASE) if math.isfinite(day) else 0.0
        for name, day in zip(INPUTS, raised, strict=True)
        if name != "humans" or scenario.humans.initial > 0
    }
    found = {name: 0.0 if abs(value) < _MIN_ELASTICITY else value for name, value in found.items()}
    best = max(found, key=lambda name: found[name])
    without = free if scenario.training.required and math.isfinite(free) else None
    if found[best] <= 0:
        return Margins(UNDEFINED, "1% more of any input changes nothing", done, base, found, without)
    return Margins(best, "", done, base, found, without)
