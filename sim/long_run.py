"""Derive the long-run growth of a lab from its scenario, without random numbers and without the noise of a run.

The derivation. D is the number of doublings of discovered software, E the cumulative research effort. Constant factors
are left out, because only growth rates in D matter.

1. Effort that D takes: ``E = 2^(a D)``. If r is the return to inputs (penalty included), ``a = p/r``; if r is the
   return to effort, ``a = 1/r``.
2. Researchers: without training runs ``2^D``. With them each generation spends the share phi of a gain on shorter
   runs, so that researchers grow as ``2^((1 - phi) D)`` and a run takes ``2^(-phi D)``. Once runs take the shortest
   time allowed (``training__shortest_run_days``) nothing more is spent on them: ``2^D``, and runs of constant length.
3. Experiments that the GPUs can end in a day: ``2^((1 - s) D)``, since the GPUs stay those of day 0 and an experiment
   costs ``2^(-(1 - s) D)``. They do not bind if experiments need no GPUs.
4. Effective output: n researchers who work at the same time count as n^p, so that output grows as ``2^(y D)`` with
   ``y = p x``. x is the smaller exponent of 2 and 3, of the resource that binds in the end. If duplicates count
   nothing, the share of new findings falls as (researchers / open questions)^(-1/2): y is less by half of exponent 2.
5. A doubling takes the effort ``2^(a D)`` at the rate ``2^(y D)``, so that each takes ``q = 2^(a - y)`` times as long
   as the one before. With ``b = y/a`` (r x without duplicates): b < 1 is a fizzle, b = 1 exponential growth, and b > 1
   a singularity, since the durations form a geometric series with a finite sum.

If doublings shrink (b > 1), delays that were negligible can bind:

- Papers are written up after their experiment, which takes a constant time. When doublings are shorter than that,
  output is what accumulates within a doubling, ``E/T = 2^(y D) T``, and ``T = 2^((a - y) D/2)``. That is still a
  singularity, with ``q = 2^((a - y)/2)``.
- Training runs shrink by 2^-phi a doubling. If doublings would shrink faster, the runs bind. Software then grows by
  kappa doublings during a generation of one doubling, ``kappa = (y - k phi)/a`` with k = 1, or 2 if papers are written
  up, and ``q = 2^(-phi/kappa)``. If a generation takes up every waiting gain, doublings come in bursts, and q is the
  ratio of the slowest of each burst. The lengths of the runs still have a finite sum: a singularity.
- If runs have a constant length (phi = 0, or the shortest run), deployed software improves only once a run. If a
  generation takes up every waiting gain, log effort multiplies by b over two generations. Growth is then faster than
  exponential, but without a date at which it ends. With one gain a generation, deployed software doubles at constant
  intervals.
- Papers of equal times (``researcher__timing = whole``) have a constant length too: faster than exponential.

A growth limit lets r fall to 0 at the limit, so that every doubling takes longer in the end: a fizzle. Source of r, phi
and the limit: Eth and Davidson, *Will AI R&D Automation Cause a Software Intelligence Explosion?*, 2025 (footnotes 26
and 42).

Humans. H is their number, which is constant or grows exponentially with time.

- If AIs come to do all tasks, humans and AIs add up. A constant H changes nothing in the long run. A growing H outgrows
  everything that fizzles, because D grows with the logarithm of time then. Output follows H, and software grows
  exponentially, unless the GPUs of experiments bind: ``b = r(1 - s) < 1`` is a fizzle.
- AIs may never do some tasks. If these are not replaced by others (rho < 0), or AIs need supervision, output is at most
  a constant times H (sim.production.log_unlimited_gain). There is no singularity then. With a constant H, y is 0, and a
  doubling takes ``2^a`` times as long as the one before. If all AIs share the tasks under way (a CES), their number
  still counts in n^p: ``y = -(1 - p) (1 - phi)``. With a growing H, growth is exponential, or a fizzle as above.
- If other tasks replace those that AIs never do (rho of at least 0), the result is undecided.

If software is frozen (``growth__law = 'frozen'``), there is no doubling and no ratio: a fizzle.
"""

import math
from typing import Literal, NamedTuple

from sim.growth import FrozenLaw, doublings_to_fastest
from sim.scenario.model import Scenario

Kind = Literal["singular", "faster than exponential", "exponential", "fizzle", "undecided"]
Binding = Literal["researchers", "experiments", "training runs", "limit", "humans", ""]

SINGULAR = "singular"
EXPLOSION_MEANING = "doubling times shrink without limit (long_run = singular)"
"""Definition of an explosion, for every probability of an explosion."""
EXPONENTIAL_TOLERANCE = 0.0005
"""Distance from 1 below which a long-run ratio is exponential growth."""
NEAR_EXPONENTIAL_TOLERANCE = 0.05
"""Distance from 1 up to which a ratio is described as close to exponential."""


class LongRun(NamedTuple):
    """Long-run growth under the scenario at the end of a run."""

    kind: Kind
    ratio: float | None
    """Ratio of each doubling time to the one before, in the long run; None if there is no constant ratio."""
    returns: float | None
    """b, the growth of output relative to that of the effort needed. It is r(1 - phi) or r(1 - s) unless duplicates
    count nothing. None if it cannot be derived."""
    bound_by: Binding
    """What limits progress in the long run; empty if it cannot be derived."""
    sentence: str
    fastest_doubling: float | None = None
    """Number of the fastest doubling under a growth limit: 0 if doublings never get faster. None without a limit."""

    @property
    def explosive(self) -> bool:
        """Whether doubling times shrink without limit."""
        return self.kind == SINGULAR


class _Exponents(NamedTuple):
    """Long-run growth of each quantity [doublings per doubling of discovered software]."""

    effort: float
    """a, growth of the effort that software takes."""
    output: float
    """y, growth of the output of the resource that binds."""
    researchers: float
    """Growth of the number of researchers."""
    experiments: float
    """Growth of the experiments that GPUs can end in a day; inf if experiments need no GPUs."""
    speedup_exponent: float
    """phi while runs get shorter; 0 without runs."""
    penalty: float
    """Parallelization penalty p."""
    stages: int
    """1, or 2 if papers are written up after a time that does not shrink."""

    @property
    def bound_by(self) -> Literal["researchers", "experiments"]:
        return "researchers" if self.researchers <= self.experiments else "experiments"

    @property
    def returns(self) -> float:
        return self.output / self.effort


def long_run(scenario: Scenario, stalled: str = "", *, standard_agents: bool = True) -> LongRun:
    """Return the long-run growth of a scenario; the module's docstring derives the equations.

    Arguments
    ---------
    scenario
        The scenario at the end of the run.
    stalled
        Sentence on why the run stalled, if it did: the lab makes no more progress then.
    standard_agents
        Whether the lab's agents are those of this package. For others the result is "undecided".
    """
    if stalled:
        return LongRun("fizzle", None, None, "", f"Fizzle: the lab makes no more progress. {stalled}")
    if not standard_agents:
        return _undecided("the lab has agents or laws of its own, which cannot be derived from the scenario")
    if isinstance(scenario.growth, FrozenLaw):
        frozen = "Fizzle: software is frozen (growth__law = 'frozen'), so that it never doubles."
        return LongRun("fizzle", None, None, "", frozen)
    if not _does_all_tasks_in_the_end(scenario):
        return _held_by_humans(scenario)
    derived = _derive(scenario)
    return _with_growing_humans(scenario, derived) if derived.kind == "fizzle" else derived


def _does_all_tasks_in_the_end(scenario: Scenario) -> bool:
    """Return whether AIs come to do all tasks: deployed software reaches the last threshold."""
    automation = scenario.automation
    if automation.is_complete(0.0):
        return True
    share = 1 - _share_for_shorter_runs(scenario)
    reach = (scenario.growth.limit - 1) * share if share > 0 else 0.0
    return automation.automatable_kinds == automation.kinds and automation.last_threshold < reach


def _held_by_humans(scenario: Scenario) -> LongRun:
    """Return the long-run growth of a lab in which AIs never do some tasks: output is bounded by that of humans."""
    automation, supervision = scenario.automation, scenario.humans.supervision
    replaced = automation.rho_of_tasks >= 0 and automation.automatable_kinds > 0
    if replaced and supervision == 0:
        return _undecided("AIs never do some tasks, and other tasks replace them (automation__rho of at least 0)")
    why = "AIs never do some tasks" if not replaced else f"AIs need supervision (humans__supervision = {supervision:g})"
    held = f"{why}, so that output is bounded by the number of humans"
    if math.isfinite(scenario.growth.limit):
        sentence = f"Fizzle: r falls to 0 at the limit of {scenario.growth.limit:g} doublings. {held}."
        return LongRun("fizzle", None, None, "limit", sentence)
    exponents = _exponents(scenario)
    crowd = 0.0  # of AIs at work
    if automation.combination == "ces" and automation.automatable_kinds > 0:
        crowd = (1 - exponents.penalty) * exponents.researchers
    ratio = _capped_power_of_two(exponents.effort + crowd)
    sentence = (
        f"Fizzle: doubling times grow without limit. {held}; in the long run each doubling takes "
        f"{_format_ratio(ratio)} times as long as the one before."
    )
    return _with_growing_humans(scenario, LongRun("fizzle", ratio, None, "humans", sentence), held)


def _with_growing_humans(scenario: Scenario, constant: LongRun, held: str = "") -> LongRun:
    """Return the long-run growth if the number of humans grows, given that with a constant number: a fizzle."""
    humans, exponents = scenario.humans, _exponents(scenario)
    grows = humans.initial > 0 and humans.growth_per_year > 1
    if not grows or constant.kind != "fizzle" or math.isfinite(scenario.growth.limit):
        return constant
    if scenario.literature.duplicate_weight == 0:
        return _undecided("the number of humans grows, and duplicates count nothing (literature__duplicate_weight = 0)")
    output = exponents.penalty * exponents.experiments
    if output < exponents.effort:
        bound = exponents._replace(researchers=math.inf, output=output)
        why = f"although the number of humans grows {humans.growth_per_year:g}-fold a year"
        return _build_result(scenario, bound, "fizzle", _capped_power_of_two(exponents.effort - output), why)
    reason = held or "the number of humans outgrows that of AIs"
    sentence = f"Exponential: {reason}. It grows {humans.growth_per_year:g}-fold a year."
    return LongRun("exponential", 1.0, None, "humans", sentence)


def _derive(scenario: Scenario) -> LongRun:
    """Return the long-run growth of a lab whose software can grow."""
    exponents = _exponents(scenario)
    if math.isfinite(scenario.growth.limit):
        return _towards_limit(scenario, exponents)
    growth = exponents.effort - exponents.output
    if abs(2.0**growth - 1) <= EXPONENTIAL_TOLERANCE:
        return _build_result(scenario, exponents, "exponential", 2.0**growth, "")
    if growth > 0:
        return _build_result(scenario, exponents, "fizzle", _capped_power_of_two(growth), "")
    return _accelerating(scenario, exponents)


def _exponents(scenario: Scenario) -> _Exponents:
    growth, researcher = scenario.growth, scenario.researcher
    penalty = growth.parallel_penalty
    effort = penalty / growth.returns  # `returns` refers to inputs, whatever growth__returns_to is
    share = _share_for_shorter_runs(scenario)
    team = 1 - share
    experiments = 1 - researcher.experiment_scaling if researcher.experiment_gpu_days > 0 else math.inf
    pooled_alone = researcher.timing == "pooled" and researcher.experiment_gpu_days == 0
    output = penalty * min(team, experiments)
    if scenario.literature.duplicate_weight == 0 and not pooled_alone:
        output -= team / 2
    stages = 1 if pooled_alone or researcher.writing_share == 0 else 2
    return _Exponents(effort, output, team, experiments, share, penalty, stages)


def _share_for_shorter_runs(scenario: Scenario) -> float:
    """Return phi, the share of each gain that is spent on shorter training runs in the long run."""
    training = scenario.training
    return training.speedup_exponent if training.required and training.shortest_run_days == 0 else 0.0


def _accelerating(scenario: Scenario, exponents: _Exponents) -> LongRun:
    """Return the kind of growth if output outgrows effort."""
    training = scenario.training
    if training.required and _training_halts_research(scenario):
        return _undecided(
            "training runs take all GPUs of the researchers, and research that grows this fast would stop for each run"
        )
    if training.required and exponents.speedup_exponent == 0:
        if training.takes_up == "all":
            why = "but training runs keep their length, so that no date bounds it"
            return _build_result(scenario, exponents, "faster than exponential", 1.0, why, "training runs")
        why = "since each training run of constant length brings one gain"
        return _build_result(scenario, exponents, "exponential", 1.0, why, "training runs")
    if scenario.researcher.timing == "whole":
        why = "but each paper takes a constant time, so that no date bounds it"
        return _build_result(scenario, exponents, "faster than exponential", 1.0, why)
    growth = (exponents.effort - exponents.output) / exponents.stages
    if training.required and growth < -exponents.speedup_exponent:
        grown = exponents.penalty * exponents.researchers + (
            exponents.output - exponents.penalty * _binding_exponent(exponents)
        )
        per_gain = (grown - exponents.stages * exponents.speedup_exponent) / exponents.effort
        growth = -exponents.speedup_exponent / per_gain
        why = "and training runs, which shrink more slowly, set the pace"
        return _build_result(scenario, exponents, "singular", 2.0**growth, why, "training runs")
    return _build_result(scenario, exponents, "singular", _capped_power_of_two(growth), "")


def _binding_exponent(exponents: _Exponents) -> float:
    return min(exponents.researchers, exponents.experiments)


def _training_halts_research(scenario: Scenario) -> bool:
    """Return whether training runs preempt the GPUs of all researchers, on the GPUs of day 0."""
    cluster = scenario.cluster
    if cluster.partitioning != "priority":
        return False
    standing = math.floor(cluster.inference_share * cluster.gpus)
    training = scenario.training.gpus or int(cluster.training_share * cluster.gpus)
    return training >= cluster.gpus - min(standing, cluster.gpus_per_node) + 1


def _towards_limit(scenario: Scenario, exponents: _Exponents) -> LongRun:
    limit = scenario.growth.limit
    fastest = float(doublings_to_fastest(exponents.returns, limit)) if exponents.returns > 1 else 0.0
    formula = _format_formula(scenario, exponents)
    until = (
        f"by the law doublings get faster up to doubling {fastest:.0f} while {formula} exceeds 1"
        if fastest > 0
        else "by the law doublings never get faster"
    )
    sentence = (
        f"Fizzle: r falls to 0 at the limit of {limit:g} doublings, so that doublings take ever longer in the end. "
        f"At the start {formula} = {exponents.returns:.3f}: {until}."
    )
    return LongRun("fizzle", None, exponents.returns, "limit", sentence, fastest)


def _build_result(
    scenario: Scenario, exponents: _Exponents, kind: Kind, ratio: float, why: str, bound_by: Binding | None = None
) -> LongRun:
    head = {
        "singular": "Singular (explosive): doubling times shrink without limit",
        "faster than exponential": "Faster than exponential: doubling times shrink",
        "exponential": "Exponential: doubling times settle",
        "fizzle": "Fizzle: doubling times grow without limit",
        "undecided": "Undecided",
    }[kind]
    why = f", {why}" if why else ""
    near = kind not in ("exponential", "faster than exponential") and abs(ratio - 1) <= NEAR_EXPONENTIAL_TOLERANCE
    close = ", close to exponential" if near else ""
    sentence = (
        f"{head}{why}. {_format_formula(scenario, exponents)} = {exponents.returns:.3f}, and "
        f"{_describe_binding(exponents)}; in the long run each doubling takes "
        f"{_format_ratio(ratio)} times as long as the one before{close}."
    )
    if exponents.bound_by == "experiments":
        team = exponents._replace(
            output=exponents.output + exponents.penalty * (exponents.researchers - exponents.experiments)
        )
        free = team._replace(experiments=math.inf)
        if math.isfinite(free.returns):
            formula = _format_formula(scenario, free)
            sentence += f" Until experiments fill their GPUs, {formula} = {free.returns:.3f} holds."
    return LongRun(kind, ratio, exponents.returns, bound_by or exponents.bound_by, sentence)


def _describe_binding(exponents: _Exponents) -> str:
    return "the GPUs of experiments bind" if exponents.bound_by == "experiments" else "the number of researchers binds"


def _format_formula(scenario: Scenario, exponents: _Exponents) -> str:
    """Return the returns of the binding resource as a formula."""
    name = "r"
    if exponents.bound_by == "experiments":
        name = "r(1 − s)"
    elif exponents.speedup_exponent > 0:
        name = "r(1 − φ)"
    if scenario.growth.returns_to == "effort" and exponents.penalty < 1:
        name = name.replace("r", "r p", 1)
    return f"{name}, less duplicates," if scenario.literature.duplicate_weight == 0 else name


def _undecided(reason: str) -> LongRun:
    return LongRun("undecided", None, None, "", f"Undecided: {reason}.")


def _capped_power_of_two(exponent: float) -> float:
    return float(2.0 ** min(exponent, 1000.0))


def _format_ratio(ratio: float) -> str:
    return f"{ratio:.3f}" if ratio < 1000 else f"{ratio:.3g}"
