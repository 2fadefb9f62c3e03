"""Where a lab leads in the long run: derived from its scenario, without chance and without the noise of a run.

The derivation. D is the number of doublings of discovered software, E the cumulative research effort. Constant factors
are left out, because only growth rates in D matter.

1. Effort that D takes: ``E = 2^(a D)``. If r is what is seen while the inputs grow (toes included), ``a = p/r``; if r
   is the return to effort, ``a = 1/r``.
2. Researchers: without training runs ``2^D``. With them each generation spends the share phi of a gain on shorter
   runs, so that researchers grow as ``2^((1 - phi) D)`` and a run takes ``2^(-phi D)``. Once runs take the shortest
   time allowed (``training__shortest_run_days``) nothing more is spent on them: ``2^D``, and runs of constant length.
3. Experiments that the GPUs can end in a day: ``2^((1 - s) D)``, since the cluster is fixed and an experiment costs
   ``2^(-(1 - s) D)``. They do not bind if experiments need no GPUs.
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
  up, and ``q = 2^(-phi/kappa)``. If a generation takes up all that waits, doublings come in bursts, and q is the ratio
  of the slowest of each burst. The lengths of the runs still have a finite sum: a singularity.
- If runs have a constant length (phi = 0, or the shortest run), deployed software improves only once a run. If a
  generation takes up all that waits, log effort multiplies by b over two generations: faster than exponential, but
  without a date at which it ends. With one gain a generation, deployed software doubles at constant intervals.
- Papers of equal times (``researcher__timing = whole``) have a constant length too: faster than exponential.

A growth limit lets r fall to 0 at the limit, so that every doubling takes longer in the end: a fizzle. Source of r, phi
and the limit: Eth and Davidson, *Will AI R&D Automation Cause a Software Intelligence Explosion?*, 2025 (footnotes 26
and 42).
"""

import math
from typing import Literal, NamedTuple

from sim.growth import doublings_to_fastest
from sim.scenario.model import Scenario

Kind = Literal["singular", "faster than exponential", "exponential", "fizzle", "undecided"]
Binding = Literal["researchers", "experiments", "training runs", "limit", ""]

SINGULAR = "singular"
EXPLOSION_MEANING = "doubling times shrink without limit (long_run = singular)"
"""What every probability of an explosion is the probability of."""
SAME_AS_ONE = 0.0005
"""A long-run ratio nearer to 1 than this is exponential growth."""
CLOSE_TO_ONE = 0.05
"""A ratio within this of 1 is said to be close to exponential."""


class LongRun(NamedTuple):
    """Where the law that holds at the end of a run leads."""

    kind: Kind
    ratio: float | None
    """Each doubling time over the one before, in the long run; None if there is no constant ratio."""
    returns: float | None
    """b, the growth of output over that of the effort needed: r(1 - phi) or r(1 - s) unless duplicates count nothing.
    None if it cannot be derived."""
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
    """Growth in the long run, in doublings for each doubling of discovered software."""

    effort: float
    """a."""
    output: float
    """y, of the resource that binds."""
    researchers: float
    """Of their number."""
    experiments: float
    """Of the experiments that GPUs can end in a day; inf if experiments cost none."""
    speed_share: float
    """phi as long as runs get shorter; 0 without runs."""
    penalty: float
    stages: int
    """1, or 2 if papers are written up after a time that does not shrink."""

    @property
    def bound_by(self) -> Literal["researchers", "experiments"]:
        return "researchers" if self.researchers <= self.experiments else "experiments"

    @property
    def returns(self) -> float:
        return self.output / self.effort


def long_run(scenario: Scenario, starved: str = "", *, standard_agents: bool = True) -> LongRun:
    """Return where a scenario leads in the long run; the module derives the equations.

    Arguments
    ---------
    scenario
        The scenario that holds at the end of the run.
    starved
        Why the run starved, if it did: then nothing grows any more.
    standard_agents
        Whether the lab's agents are those of this package. Nothing is derived for others.
    """
    if starved:
        return LongRun("fizzle", None, None, "", f"Fizzle: the lab makes no more progress. {starved}")
    if not standard_agents:
        return _undecided("the lab has agents or laws of its own, which cannot be derived from the scenario")
    found = _exponents(scenario)
    if math.isfinite(scenario.growth.limit):
        return _towards_limit(scenario, found)
    growth = found.effort - found.output
    if abs(2.0**growth - 1) <= SAME_AS_ONE:
        return _result(scenario, found, "exponential", 2.0**growth, "")
    if growth > 0:
        return _result(scenario, found, "fizzle", _power(growth), "")
    return _accelerating(scenario, found)


def _exponents(scenario: Scenario) -> _Exponents:
    growth, training, researcher = scenario.growth, scenario.training, scenario.researcher
    penalty = growth.parallel_penalty
    effort = penalty / growth.returns  # `returns` is stated to inputs, whatever the scenario's reading
    share = training.speed_share if training.needed and training.shortest_run_days == 0 else 0.0
    team = 1 - share
    experiments = 1 - researcher.experiment_scaling if researcher.experiment_gpu_days > 0 else math.inf
    pooled_alone = researcher.timing == "pooled" and researcher.experiment_gpu_days == 0
    output = penalty * min(team, experiments)
    if scenario.literature.duplicate_weight == 0 and not pooled_alone:
        output -= team / 2
    stages = 1 if pooled_alone or researcher.writing_share == 0 else 2
    return _Exponents(effort, output, team, experiments, share, penalty, stages)


def _accelerating(scenario: Scenario, found: _Exponents) -> LongRun:
    """The kinds of growth for which output outgrows effort."""
    training = scenario.training
    if training.needed and _halts_research(scenario):
        return _undecided(
            "training runs take all GPUs of the researchers, and research that grows this fast would stop for each run"
        )
    if training.needed and found.speed_share == 0:
        if training.takes_up == "all":
            why = "but training runs keep their length, so that no date bounds it"
            return _result(scenario, found, "faster than exponential", 1.0, why, "training runs")
        why = "since each training run of constant length brings one gain"
        return _result(scenario, found, "exponential", 1.0, why, "training runs")
    if scenario.researcher.timing == "whole":
        why = "but each paper takes a constant time, so that no date bounds it"
        return _result(scenario, found, "faster than exponential", 1.0, why)
    growth = (found.effort - found.output) / found.stages
    if training.needed and growth < -found.speed_share:
        grown = found.penalty * found.researchers + (found.output - found.penalty * _binding(found))
        per_gain = (grown - found.stages * found.speed_share) / found.effort
        growth = -found.speed_share / per_gain
        why = "and training runs, which shrink more slowly, set the pace"
        return _result(scenario, found, "singular", 2.0**growth, why, "training runs")
    return _result(scenario, found, "singular", _power(growth), "")


def _binding(found: _Exponents) -> float:
    return min(found.researchers, found.experiments)


def _halts_research(scenario: Scenario) -> bool:
    """Whether training runs push all researchers off their GPUs."""
    cluster = scenario.cluster
    if cluster.sharing != "priority":
        return False
    standing = math.floor(cluster.inference_share * cluster.gpus)
    training = scenario.training.gpus or int(cluster.training_share * cluster.gpus)
    return training >= cluster.gpus - min(standing, cluster.gpus_per_node) + 1


def _towards_limit(scenario: Scenario, found: _Exponents) -> LongRun:
    limit = scenario.growth.limit
    fastest = float(doublings_to_fastest(found.returns, limit)) if found.returns > 1 else 0.0
    until = (
        f"by the law doublings get faster up to doubling {fastest:.0f} while {_formula(scenario, found)} exceeds 1"
        if fastest > 0
        else "by the law doublings never get faster"
    )
    sentence = (
        f"Fizzle: r falls to 0 at the limit of {limit:g} doublings, so that doublings take ever longer in the end. "
        f"At the start {_formula(scenario, found)} = {found.returns:.3f}: {until}."
    )
    return LongRun("fizzle", None, found.returns, "limit", sentence, fastest)


def _result(
    scenario: Scenario, found: _Exponents, kind: Kind, ratio: float, why: str, bound_by: Binding | None = None
) -> LongRun:
    head = {
        "singular": "Singular (explosive): doubling times shrink without limit",
        "faster than exponential": "Faster than exponential: doubling times shrink",
        "exponential": "Exponential: doubling times settle",
        "fizzle": "Fizzle: doubling times grow without limit",
        "undecided": "Undecided",
    }[kind]
    why = f", {why}" if why else ""
    near = kind not in ("exponential", "faster than exponential") and abs(ratio - 1) <= CLOSE_TO_ONE
    close = ", close to exponential" if near else ""
    sentence = (
        f"{head}{why}. {_formula(scenario, found)} = {found.returns:.3f}, and {_binds(found)}; in the long run "
        f"each doubling takes {_figure(ratio)} times as long as the one before{close}."
    )
    if found.bound_by == "experiments":
        team = found._replace(output=found.output + found.penalty * (found.researchers - found.experiments))
        free = team._replace(experiments=math.inf)
        sentence += f" Until experiments fill their GPUs, {_formula(scenario, free)} = {free.returns:.3f} holds."
    return LongRun(kind, ratio, found.returns, bound_by or found.bound_by, sentence)


def _binds(found: _Exponents) -> str:
    return "the GPUs of experiments bind" if found.bound_by == "experiments" else "the number of researchers binds"


def _formula(scenario: Scenario, found: _Exponents) -> str:
    """The returns of what binds, as a formula."""
    name = "r"
    if found.bound_by == "experiments":
        name = "r(1 − s)"
    elif found.speed_share > 0:
        name = "r(1 − φ)"
    if scenario.growth.returns_to == "effort" and found.penalty < 1:
        name = name.replace("r", "r p", 1)
    return f"{name}, less duplicates," if scenario.literature.duplicate_weight == 0 else name


def _undecided(reason: str) -> LongRun:
    return LongRun("undecided", None, None, "", f"Undecided: {reason}.")


def _power(exponent: float) -> float:
    return float(2.0 ** min(exponent, 1000.0))


def _figure(ratio: float) -> str:
    return f"{ratio:.3f}" if ratio < 1000 else f"{ratio:.3g}"
