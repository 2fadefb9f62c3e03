"""Compare governance policies in a sweep: days of delay against software lost, and the Pareto front of both.

Each run under a policy is paired with the run without a regulator of the same point, replication and other levers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from experiments.governance.paired_runs import days_gained
from experiments.sweep.analysis.combinations import (
    MAX_LISTED,
    Combination,
    combinations,
    select_for_figure,
    stack_tables,
)
from experiments.sweep.analysis.estimators import ClusteredMean, cluster_bootstrap, clustered_mean
from experiments.sweep.analysis.figure_frame import GRID, PAPER, SOFT, WIDTH, in_style
from experiments.sweep.analysis.policy_pairs import SOFTWARE_CHANGE, pairs_with_none
from experiments.sweep.analysis.sweep_data import (
    FACTORS,
    ONE_BY_ONE,
    Floats,
    Ints,
    Sweep,
    compares_policies,
    reported_gain,
)
from experiments.text.number_format import pluralize
from sim.governance.params import NO_POLICY, POLICY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_PANELS: Final = 3
"""Maximum number of combinations of other levers in the figure."""
METHOD_NOTE: Final = (
    "Delay: the day of the gain with the policy less the day without a regulator. Both runs have the same point, "
    "replication, other levers and seed. Cost: the software lost by the policy, on the last day of the run without a "
    "regulator. A policy is on the front if no other one delays as long at a lower cost, or longer at the same cost. "
    "Intervals are Student's at 95% over points. p_on_front: share of the bootstrap resamples of points in which the "
    "policy is on the front."
)
HOW_TO_READ: Final = (
    "Dashed: the front, the longest delay up to each cost. Hollow: dominated by another policy. Triangle: at least. "
    "Bars: 95% intervals."
)
_TOLERANCE: Final = 1e-9
"""Rounding of days and doublings, within which two policies are equal."""


class PolicyEffect(NamedTuple):
    """What a policy delays and costs."""

    policy: str
    delay_days: float
    """Mean delay of the gain [days]; ``nan`` if no run without a regulator reaches it."""
    delay_low: float | None
    """Lower end of its 95% interval; None for a lower bound, or if there are too few pairs."""
    delay_high: float | None
    at_least: bool
    """Whether the delay is a lower bound, because some runs end before the gain."""
    software_lost: float
    """Mean software lost on the last day of the run without a regulator [doublings]."""
    lost_low: float | None
    lost_high: float | None
    on_front: str
    """`yes`, `no`, or `open` if it depends on the true value of a lower bound."""
    p_on_front: float | None
    """Share of the bootstrap resamples in which the policy is on the front; None if there is one point."""
    pairs: int
    """Number of pairs in the cost."""
    delay_pairs: int
    """Number of pairs in the delay: those in which the run without a regulator reaches the gain."""
    not_reached: int
    """Number of these pairs in which the run with the policy does not reach the gain."""
    days_under_orders: float
    """Mean time under orders [days]."""


class PolicyFront(NamedTuple):
    """The policies at one combination of the other levers."""

    part: Combination
    effects: tuple[PolicyEffect, ...]
    """From the lowest cost to the highest; the first one is the run without a regulator."""


def has_front(sweep: Sweep) -> bool:
    """Return whether a sweep compares policies with runs without a regulator, and has the software that they cost."""
    return compares_policies(sweep) and SOFTWARE_CHANGE in sweep.runs.column_names


def policy_fronts(sweep: Sweep) -> list[PolicyFront]:
    """Return what each policy delays and costs, for each combination of the other levers."""
    column, _ = reported_gain(sweep)
    parts = [part for part in _combinations_of_others(sweep) if NO_POLICY in part.sweep.texts(POLICY)]
    return [PolicyFront(part, _effects(part.sweep, column)) for part in parts]


def _combinations_of_others(sweep: Sweep) -> list[Combination]:
    """Return the combinations of the other levers; for a one-at-a-time design, the runs that differ by policy alone."""
    if sweep.sampling != ONE_BY_ONE:
        return combinations(sweep, (POLICY,))
    policies, is_middle = np.array(sweep.texts(POLICY)), sweep.points == 0
    at_base = is_middle & (sweep.numbers("lever") == 0)
    return [Combination({}, sweep.only(at_base | (is_middle & ~np.isin(policies, policies[at_base]))))]


def _effects(sweep: Sweep, column: str) -> tuple[PolicyEffect, ...]:
    policies = np.array(sweep.texts(POLICY))
    names = [NO_POLICY, *sorted({*policies.tolist()} - {NO_POLICY})]
    delays, is_bound = _delays(sweep, column)
    lost, orders = -sweep.numbers(SOFTWARE_CHANGE), np.nan_to_num(sweep.numbers("days_under_orders"))
    lost[policies == NO_POLICY] = 0.0

    def means(rows: Ints) -> tuple[list[float], list[float]]:
        chosen = [rows[policies[rows] == name] for name in names]
        return [_mean(delays[each]) for each in chosen], [_mean(lost[each]) for each in chosen]

    everyone = np.arange(sweep.n)
    bounds = [bool(is_bound[policies == name].any()) for name in names]
    mean_delays, mean_costs = means(everyone)
    states = front_states(mean_delays, mean_costs, bounds)
    shares = _shares_on_front(sweep, means, len(names))
    found = []
    for at, name in enumerate(names):
        rows = policies == name
        delayed, costed = rows & np.isfinite(delays), rows & np.isfinite(lost)
        if not costed.any():
            continue
        delay = clustered_mean(delays[delayed], sweep.points[delayed]) if delayed.any() else None
        cost = clustered_mean(lost[costed], sweep.points[costed])
        is_base = name == NO_POLICY
        found.append(
            PolicyEffect(
                policy=name,
                delay_days=math.nan if delay is None else delay.mean,
                **_ends("delay", None if bounds[at] or is_base else delay),
                at_least=bounds[at],
                software_lost=cost.mean,
                **_ends("lost", None if is_base else cost),
                on_front="no" if delay is None else states[at],
                p_on_front=shares[at],
                pairs=cost.runs,
                delay_pairs=0 if delay is None else delay.runs,
                not_reached=int(is_bound[rows].sum()),
                days_under_orders=float(orders[rows].mean()),
            )
        )
    return (*found[:1], *sorted(found[1:], key=lambda each: each.software_lost))


def _delays(sweep: Sweep, column: str) -> tuple[Floats, np.ndarray[Any, np.dtype[np.bool_]]]:
    """Return the delay of each run by its policy, ``nan`` without a pair that has one, and which are lower bounds."""
    days, last = sweep.numbers(column), sweep.numbers("day")
    delays, is_bound = np.full(sweep.n, math.nan), np.zeros(sweep.n, dtype=bool)
    for row, base in pairs_with_none(sweep.runs, sweep.other_levers).items():
        if math.isfinite(days[base]):
            is_bound[row] = math.isnan(days[row])
            delays[row] = days_gained(math.inf if is_bound[row] else days[row], last[row], days[base])
    base_rows = np.array(sweep.texts(POLICY)) == NO_POLICY
    delays[base_rows & np.isfinite(days)] = 0.0
    return delays, is_bound


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def _ends(name: str, mean: ClusteredMean | None) -> dict[str, Any]:
    if mean is None or not math.isfinite(mean.low):
        return {f"{name}_low": None, f"{name}_high": None}
    return {f"{name}_low": mean.low, f"{name}_high": mean.high}


def front_states(delays: Sequence[float], costs: Sequence[float], is_bound: Sequence[bool]) -> list[str]:
    """Return whether each policy is on the Pareto front of a long delay and a low cost: `yes`, `no` or `open`.

    ``is_bound``: whether a delay is a lower bound. A state is `open` if it depends on the true delays.
    """
    highest = [math.inf if bound else delay for delay, bound in zip(delays, is_bound, strict=True)]
    found = []
    for at, cost in enumerate(costs):
        others = [each for each in range(len(costs)) if each != at]
        if any(_dominates(delays[each], costs[each], highest[at], cost) for each in others):
            found.append("no")
        elif any(_dominates(highest[each], costs[each], delays[at], cost) for each in others):
            found.append("open")
        else:
            found.append("yes")
    return found


def _dominates(delay: float, cost: float, other_delay: float, other_cost: float) -> bool:
    """Return whether a policy is at least as good as another one in both respects, and better in one."""
    if not (delay >= other_delay - _TOLERANCE and cost <= other_cost + _TOLERANCE):
        return False
    return delay > other_delay + _TOLERANCE or cost < other_cost - _TOLERANCE


def _shares_on_front(
    sweep: Sweep, means: Callable[[Ints], tuple[list[float], list[float]]], policies: int
) -> list[float | None]:
    """Return the share of bootstrap resamples in which no policy dominates each policy, with bounds as delays."""
    if len(np.unique(sweep.points)) < 2:
        return [None] * policies

    def is_on_front(rows: Ints) -> list[float]:
        delays, costs = means(rows)
        return [float(state == "yes") for state in front_states(delays, costs, [False] * policies)]

    return [float(share) for share in cluster_bootstrap(sweep.points, is_on_front).mean(axis=0)]


def front_table(sweep: Sweep, fronts: Sequence[PolicyFront] | None = None) -> pa.Table:
    """Return the effects as a table, a row a policy, for each combination of the other levers."""
    found = policy_fronts(sweep) if fronts is None else fronts
    kinds: dict[str, pa.DataType] = dict.fromkeys(PolicyEffect._fields, pa.float64())
    kinds |= dict.fromkeys(("policy", "on_front"), pa.string()) | {"at_least": pa.bool_()}
    kinds |= dict.fromkeys(("pairs", "delay_pairs", "not_reached"), pa.int64())
    return stack_tables(
        [
            (
                front.part.values,
                pa.table(
                    {n: pa.array([getattr(each, n) for each in front.effects], kind) for n, kind in kinds.items()}
                ),
            )
            for front in found
        ]
    )


# --- sentences -------------------------------------------------------------------------------------------------------


def front_sentences(sweep: Sweep, fronts: Sequence[PolicyFront] | None = None) -> list[str]:
    """Return the front at each combination of the other levers, and what is censored."""
    found = policy_fronts(sweep) if fronts is None else fronts
    column, why = reported_gain(sweep)
    sentences = [_front_sentence(each, FACTORS[column]) for each in found[:MAX_LISTED]]
    if len(found) > MAX_LISTED:
        sentences.append(f"The table policies has all {len(found):,} combinations of the other levers.")
    return [*sentences, *_censored_sentences(found, FACTORS[column]), *[why] * bool(why)]


def _front_sentence(front: PolicyFront, factor: int) -> str:
    where = f"With {front.part.text}, the" if front.part.values else "The"
    policies = front.effects[1:]
    if not any(each.delay_pairs for each in policies):
        return f"{where} front of policies is unknown: no run without a regulator gains {factor:,}-fold."
    without = [each.policy for each in policies if not each.delay_days and not each.software_lost]
    best = [each for each in policies if each.on_front != "no" and each.policy not in without]
    rest = [each.policy for each in policies if each.on_front == "no"]
    listed = "; ".join(map(_effect_text, best)) or "no policy that delays the gain"
    text = f"{where} front of delay of {factor:,}-fold against cost, from the lowest cost: {listed}."
    text += f" Dominated by another policy: {', '.join(rest)}." if rest else ""
    return text + (f" Without effect: {', '.join(without)}." if without else "")


def _effect_text(effect: PolicyEffect) -> str:
    delay = "≥ " * effect.at_least + f"{effect.delay_days:z,.0f}"
    cost = f"{effect.software_lost:z,.1f}"
    if effect.delay_low is not None and effect.delay_high is not None:
        delay += f" [{effect.delay_low:z,.0f}, {effect.delay_high:z,.0f}]"
    if effect.lost_low is not None and effect.lost_high is not None:
        cost += f" [{effect.lost_low:z,.1f}, {effect.lost_high:z,.1f}]"
    is_open = " (open)" if effect.on_front == "open" else ""
    return f"{effect.policy}{is_open}, {delay} days for {cost} doublings"


def _censored_sentences(fronts: Sequence[PolicyFront], factor: int) -> list[str]:
    found: list[str] = []
    policies = [each for front in fronts for each in front.effects[1:]]
    if missing := sum(each.not_reached for each in policies):
        pairs = sum(each.delay_pairs for each in policies)
        found.append(
            f"≥: the run with the policy ends before {factor:,}-fold in {missing:,} of {pluralize(pairs, 'pair')}. It "
            "counts with its last day, so that the delay is a lower bound; raise run__horizon_days."
        )
    if any(each.on_front == "open" for each in policies):
        found.append("Open: whether the policy is on the front depends on the true delay behind a lower bound.")
    bases = [front.effects[0] for front in fronts]
    if any(each.delay_pairs < each.pairs for each in bases):
        reached, runs = sum(each.delay_pairs for each in bases), sum(each.pairs for each in bases)
        found.append(
            f"Without a regulator, {factor:,}-fold is reached in {reached:,} of {pluralize(runs, 'run')}; delays are "
            "over these, and costs over all."
        )
    return found


def longest_delay_sentence(fronts: Sequence[PolicyFront]) -> str:
    """Return a sentence on the policy that delays most; empty if none delays."""
    known = [(each, front) for front in fronts for each in front.effects[1:] if each.delay_days > 0]
    if not known:
        return ""
    most, front = max(known, key=lambda each: each[0].delay_days)
    where = f" with {front.part.text}" * bool(front.part.values)
    return f"The longest delay{where}: {_effect_text(most)}."


# --- figure ----------------------------------------------------------------------------------------------------------


@in_style
def front_figure(fronts: Sequence[PolicyFront]) -> Figure:
    """Return delay against cost, with intervals and the front: a panel for each combination of other levers."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    shown = select_panels(fronts)
    figure = Figure(figsize=(WIDTH, 0.4 + 3.2 * len(shown)), layout="constrained")
    panels = np.atleast_1d(figure.subplots(len(shown), 1, sharex=True, sharey=True))
    _draw_panels(list(panels), shown, (0.85 * WIDTH, 2.6), size=8.5)
    panels[-1].set_xlabel("software lost [doublings]")
    for axes in panels:
        axes.set_ylabel("delay [days]")
    return figure


@in_style
def front_slide(sweep: Sweep, fronts: Sequence[PolicyFront]) -> Figure:
    """Return :func:`front_figure` in the shape of a slide, with sentences as its subtitle."""
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.layout_engine import ConstrainedLayoutEngine  # noqa: PLC0415

    from experiments.plotting.frame import WIDE, add_title  # noqa: PLC0415

    shown = select_panels(fronts)
    figure = Figure(figsize=WIDE, layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08))
    panels = np.atleast_1d(figure.subplots(1, len(shown), sharex=True, sharey=True))
    _draw_panels(list(panels), shown, (0.9 * WIDE[0] / len(shown), 4.8), size=12)
    factor = FACTORS[reported_gain(sweep)[0]]
    panels[0].set_ylabel(f"delay of {factor:,} times the software [days]", fontsize=12)
    for axes in panels:
        axes.set_xlabel("software lost when the run with none ends [doublings]", fontsize=12)
    title = f"{sweep.manifest.get('name', 'sweep')}: what each policy delays, and what it costs"
    notes = [longest_delay_sentence(fronts), HOW_TO_READ, *_censored_sentences(fronts, factor)]
    add_title(figure, title, "\n".join(each for each in notes if each))
    return figure


def select_panels(fronts: Sequence[PolicyFront]) -> list[PolicyFront]:
    """Return the fronts for a figure, evenly spaced if there are many."""
    kept = {id(part) for part in select_for_figure([each.part for each in fronts], MAX_PANELS)}
    return [each for each in fronts if id(each.part) in kept]


def _draw_panels(
    panels: Sequence[Axes], fronts: Sequence[PolicyFront], inches: tuple[float, float], size: float
) -> None:
    """Draw a panel for each front. ``inches``: approximate width and height of a panel, to place the labels."""
    from experiments.governance.figure import COLOURS  # noqa: PLC0415

    names = sorted({each.policy for front in fronts for each in front.effects[1:]})
    colours = dict(zip(names, [*COLOURS[1:], *[SOFT] * len(names)], strict=False)) | {NO_POLICY: COLOURS[0]}
    known = [each for front in fronts for each in front.effects if math.isfinite(each.delay_days)]
    right = 1.06 * max([1.0, *(each.lost_high or each.software_lost for each in known)])
    top = 1.12 * max([1.0, *(each.delay_high or each.delay_days for each in known)])
    left = min([-0.03 * right, *(1.1 * (each.lost_low or each.software_lost) for each in known)])
    bottom = min([-0.16 * top, *(1.1 * (each.delay_low or each.delay_days) for each in known)])
    panel = _Panel(left, bottom, 72 * inches[0] / (right - left), 72 * inches[1] / (top - bottom), 72 * inches[0])
    for axes, front in zip(panels, fronts, strict=True):
        shown = [each for each in front.effects if math.isfinite(each.delay_days)]
        _draw_front(axes, front, right, bottom)
        for each in shown:
            _draw_effect(axes, each, colours[each.policy], size)
        _label_effects(axes, shown, colours, panel, size)
        axes.set_xlim(left, right)
        axes.set_ylim(bottom, top)
        axes.tick_params(labelsize=size)
        if front.part.values:
            axes.set_title(fill(front.part.text, max(24, round(7 * inches[0]))), fontsize=size, fontweight="normal")


def _draw_front(axes: Axes, front: PolicyFront, right: float, bottom: float) -> None:
    """Draw the longest delay up to each cost as a step, and the dominated area below it."""
    on_front = [each for each in front.effects if each.on_front != "no" and math.isfinite(each.delay_days)]
    best = sorted(on_front, key=lambda each: each.software_lost)
    if not best:
        return
    costs = [*(each.software_lost for each in best), right]
    delays = np.maximum.accumulate([each.delay_days for each in best]).tolist()
    delays = [*delays, delays[-1]]
    axes.fill_between(costs, bottom, delays, step="post", color=GRID, alpha=0.5, linewidth=0)
    axes.step(costs, delays, where="post", color=SOFT, linewidth=1.4, linestyle=(0, (4, 2)))


def _draw_effect(axes: Axes, effect: PolicyEffect, colour: str, size: float) -> None:
    line: Any = {"color": colour, "linewidth": 1.8, "alpha": 0.55}
    if effect.lost_low is not None and effect.lost_high is not None:
        axes.plot([effect.lost_low, effect.lost_high], [effect.delay_days] * 2, **line)
    if effect.delay_low is not None and effect.delay_high is not None:
        axes.plot([effect.software_lost] * 2, [effect.delay_low, effect.delay_high], **line)
    fill_colour = colour if effect.on_front != "no" else PAPER
    marker: Any = {"markersize": 0.85 * size, "markerfacecolor": fill_colour, "markeredgewidth": 1.6, "zorder": 4}
    axes.plot(effect.software_lost, effect.delay_days, "^" if effect.at_least else "o", color=colour, **marker)


class _Panel(NamedTuple):
    """Approximate places in a panel, to find room for labels."""

    left: float
    """Software lost at its left end [doublings]."""
    bottom: float
    """Delay at its lower end [days]."""
    per_doubling: float
    """Length of a doubling [1/72 inch]."""
    per_day: float
    """Length of a day [1/72 inch]."""
    width: float
    """Width [1/72 inch]."""


def _label_effects(
    axes: Axes, effects: Sequence[PolicyEffect], colours: Mapping[str, str], panel: _Panel, size: float
) -> None:
    """Name each point beside it, at the first place without another label or point.

    Policies at one point share a label.
    """
    from matplotlib.patheffects import withStroke  # noqa: PLC0415

    groups: dict[tuple[float, float], list[PolicyEffect]] = {}
    for each in sorted(effects, key=lambda each: -each.delay_days):
        place = (each.software_lost - panel.left) * panel.per_doubling, (each.delay_days - panel.bottom) * panel.per_day
        groups.setdefault((round(place[0]), round(place[1])), []).append(each)
    taken = [(x - 0.5 * size, y - 0.5 * size, x + 0.5 * size, y + 0.5 * size) for x, y in groups]
    for point, members in groups.items():
        text = ", ".join(each.policy for each in members)
        boxes = {place: _label_box(point, text, place, size) for place in _LABEL_PLACES}
        inside = {place: box for place, box in boxes.items() if box[0] >= 0 and box[2] <= panel.width and box[1] >= 0}
        free = [place for place, box in inside.items() if not any(_overlap(box, other) for other in taken)]
        right, above = chosen = next(iter([*free, *inside]), _LABEL_PLACES[0])
        taken.append(boxes[chosen])
        axes.annotate(
            text,
            (members[0].software_lost, members[0].delay_days),
            (right * 0.7 * size, above * 0.6 * size),
            textcoords="offset points",
            ha="left" if right > 0 else "right",
            va="bottom" if above > 0 else "top",
            fontsize=size,
            fontweight="bold",
            color=colours[members[-1].policy],
            path_effects=[withStroke(linewidth=2.5, foreground=PAPER)],
            zorder=5,
        ).set_in_layout(False)


_LABEL_PLACES: Final = ((1, 1), (-1, 1), (1, -1), (-1, -1), (1, 2.5), (-1, 2.5), (1, -2.5), (-1, -2.5))
"""Places of a label: right of the point (1) or left of it (-1); above it (positive) or below it."""
_Box = tuple[float, float, float, float]


def _label_box(point: tuple[float, float], text: str, place: tuple[float, float], size: float) -> _Box:
    """Return the left, lower, right and upper end of a label [1/72 inch]."""
    (x, y), (right, above), width, height = point, place, 0.68 * size * len(text), 1.2 * size
    left = x + 0.7 * size if right > 0 else x - 0.7 * size - width
    low = y + 0.6 * above * size - (0 if above > 0 else height)
    return left, low, left + width, low + height


def _overlap(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
