# %% [markdown]
"""
# 7. Which alarm rings in time?

A government wants to be warned before AI research runs away from human control. It can measure how fast software gets
better, and raise an alarm when that is too fast. Which alarm comes early enough, how often is it false, and what can an
order still change? This notebook needs no knowledge of statistics or of asara. Each section has one finding and one
picture.

Five terms are enough:

- The *software* of a lab measures how good its AIs are on fixed hardware. A *doubling* makes it twice as good.
- The *pace* is the number of doublings per day, or its multiple of an earlier pace.
- In an *explosion* each doubling takes less time than the one before. In a *fizzle* it takes more. Which one happens
  depends on the *returns* r: the doublings of software for each doubling of all research. It explodes if r is above 1.
- An *alarm* is *in time* if it comes before software is 1,000 times as good as on day 0. The *lead time* is the time
  between both.
- On *day 0* AIs take over all AI research of a lab.

The report of Eth and Davidson (2025) proposes an alarm at five times the recent pace. By its numbers, software doubled
every six months before day 0, and takes a month for the first doubling after it. Estimates of r lie on both sides of 1.
The explosions below have r = 1.4 and the fizzles r = 0.7, unless the text has another value.
"""

# %%
from math import log2

import numpy as np

from experiments.detection.detectors import DetectorSettings, named_detectors
from experiments.detection.runs import Truths
from experiments.detection.study import study as study_alarms
from experiments.governance.study import study as study_policies
from experiments.plotting.slides import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PINK,
    RED,
    SOFT,
    label_line_end,
    slide,
    table,
)
from sim.governance.covert_work import explosion_day_of_hidden_lab, probability_found_in_time, time_to_discovery
from sim.governance.detectors import WindowRule
from sim.governance.knife_edge import KnifeEdge, acceleration_of, days_left, doublings_after_deployment_hold
from sim.governance.measurement import Meter
from sim.governance.pace_brakes import SmoothBrake, simulate_brake, software_under_barriers
from sim.governance.pace_rules import mark_of_pace, window_rule_alarm
from sim.governance.params import DisclosureParams, RegulatorParams
from sim.governance.run_lengths import precision
from sim.growth import DAYS_PER_MONTH, doubling_ratio, explosion_time, software_at, time_of_doubling
from sim.scenario.model import Scenario

HALF_YEAR = 182.5
"""Doubling time before day 0 [days]."""
THRESHOLD = 5
LEVEL = log2(1000)
EXPLOSION, FIZZLE = (float(doubling_ratio(r)) for r in (1.4, 0.7))
LEVEL_DAY = float(time_of_doubling(LEVEL, DAYS_PER_MONTH, EXPLOSION))


def software_on(day, ratio):
    """Return the software on a day [doublings], for the ratio of each doubling time to the one before."""
    return float(software_at(day, DAYS_PER_MONTH, ratio)) if day > 0 else day / HALF_YEAR


def format_factor_axis(axes, highest, step):
    """Label a scale of doublings with factors, up to a highest number of doublings."""
    ticks = range(0, highest + 1, step)
    axes.set_yticks(ticks, [f"{2**tick:,}×" for tick in ticks])


# %% [markdown]
"""
## What can be measured, and how late

A regulator does not see software. It has readings, which are results of a test. They may arrive late. The test may not
measure what is better than its hardest task, and the results may come from the lab itself. Here the true software is
that of an explosion. The same alarm is applied to four kinds of readings. It rings when software gained five doublings
within half a year, which is five times the earlier pace.
"""

# %%
READINGS = {
    "exact": (RegulatorParams(), DisclosureParams(), BLACK),
    "30 days late": (RegulatorParams(lag_days=30.0), DisclosureParams(), BLUE),
    "hardest task at 64×": (RegulatorParams(saturation_doublings=6.0), DisclosureParams(), ORANGE),
    "lab hides half": (RegulatorParams(reported_by="labs"), DisclosureParams(hidden_share=0.5), RED),
}
DAYS = np.arange(-2 * 365, 165)
alarms, shown = {}, {}
for name, (regulator, disclosure, _) in READINGS.items():
    meter, rule = Meter(regulator, disclosure), WindowRule(1 / HALF_YEAR, THRESHOLD, HALF_YEAR)
    read = [meter.read(software_on(day, EXPLOSION)) for day in DAYS]
    rings = [rule.update(float(day), value) for day, value in zip(DAYS, read, strict=True)]
    first = rings.index(True)
    alarms[name] = float(DAYS[first] + meter.days_to_arrival), read[first]
    shown[name] = DAYS + meter.days_to_arrival, np.array(read)
with slide(
    "Late, limited or dishonest readings use up the warning",
    "software as the regulator reads it, in an explosion; dots: the alarm at five times the pace over half a year",
) as axes:
    for name, (_, _, colour) in READINGS.items():
        known, read = shown[name]
        seen = (known >= 0) & (read < LEVEL + 1.2) & (known <= 165)
        axes.plot(known[seen], read[seen], color=colour)
        axes.plot(*alarms[name], "o", color=colour, markersize=10)
        end = {"xytext": (-12, 0), "ha": "right"} if name == "exact" else {}
        label_line_end(
            axes, known[seen][-1], read[seen][-1], f"{name}: alarm on day {alarms[name][0]:.0f}", colour, **end
        )
    axes.axvline(LEVEL_DAY, color=SOFT, linestyle=(0, (4, 3)), linewidth=1.3)
    label_line_end(axes, LEVEL_DAY, 0.5, f"1,000× on day {LEVEL_DAY:.0f}", SOFT, xytext=(5, 0))
    axes.set(xlim=(0, 253), ylim=(0, 11), xlabel="day on which the regulator has the reading", ylabel="software read")
    format_factor_axis(axes, 10, 2)
exact = alarms["exact"][0]
formula = window_rule_alarm(HALF_YEAR, THRESHOLD, 1 / HALF_YEAR, DAYS_PER_MONTH, EXPLOSION)
assert 0 <= exact - formula < 1
table(
    ("readings", "alarm on day", "lead time [days]"),
    [(name, f"{day:.0f}", f"{LEVEL_DAY - day:.0f}") for name, (day, _) in alarms.items()],
)
lead = LEVEL_DAY - exact
assert 40 < lead < 45 and all(alarms[name][0] > exact for name in READINGS if name != "exact")

# %% [markdown]
"""
Exact readings warn six weeks before software is 1,000 times as good. Each day by which readings are late takes a day
from that. A test whose hardest task corresponds to 64 times shows less and less of the progress, just when progress
is fast. A lab that reports only half of its doublings leaves almost nothing. **Before the threshold, agree on the test,
on when its result is due, and on who runs it.**

## The report's alarm on the report's own numbers

The pace on day 0 changes from one doubling in six months to one in a month. That is six times as fast. Is an alarm at
five times then of use? These are the paces in an explosion and in a fizzle that both begin with a month.
"""

# %%
later = np.linspace(0, 140, 600)
paces = {
    ratio: np.gradient(software_at(later, DAYS_PER_MONTH, ratio), later) * HALF_YEAR for ratio in (EXPLOSION, FIZZLE)
}
with slide(
    "On the report's numbers the alarm rings on day 0, in a fizzle too",
    "pace of software, relative to one doubling in six months; both first doublings take a month",
) as axes:
    axes.plot([-60, 0], [1, 1], color=BLACK)
    label_line_end(axes, -60, 1.6, "before: one doubling\nin six months", BLACK, xytext=(0, 12), ha="left")
    for ratio, colour, text in ((EXPLOSION, RED, "explosion, r = 1.4"), (FIZZLE, BLUE, "fizzle, r = 0.7")):
        axes.plot(later, paces[ratio], color=colour)
        axes.plot([0, 0], [1, paces[ratio][0]], color=SOFT, linewidth=1)
        axes.plot(0, paces[ratio][0], "o", color=colour, markersize=8)
        inside = paces[ratio] < 14.5
        label_line_end(axes, later[inside][-1], paces[ratio][inside][-1], text, colour)
    axes.axhline(THRESHOLD, color=ORANGE, linestyle=(0, (4, 3)))
    label_line_end(axes, -60, 5, "threshold: five times", ORANGE, xytext=(0, 9), ha="left")
    axes.set(xlim=(-62, 178), ylim=(0, 15), xlabel="day", ylabel="pace, times that before day 0")
assert paces[EXPLOSION][0] > THRESHOLD and paces[FIZZLE][0] > paces[EXPLOSION][0]
print(
    f"On day 0 the pace is {paces[EXPLOSION][0]:.1f} times in the explosion, and {paces[FIZZLE][0]:.1f} in the fizzle,"
)
print(f"which is below five times from day {later[paces[FIZZLE] < THRESHOLD][0]:.0f} on.")
windows = {}
for window in (DAYS_PER_MONTH, 3 * DAYS_PER_MONTH, HALF_YEAR):
    windows[window] = [
        window_rule_alarm(window, THRESHOLD, 1 / HALF_YEAR, DAYS_PER_MONTH, ratio) for ratio in (EXPLOSION, FIZZLE)
    ]
table(
    ("pace measured over", "alarm in the explosion", "lead time [days]", "alarm in the fizzle"),
    [
        (
            f"{window:.0f} days",
            f"day {explodes:.0f}",
            f"{LEVEL_DAY - explodes:.0f}",
            f"day {fizzles:.0f}" if np.isfinite(fizzles) else "never",
        )
        for window, (explodes, fizzles) in windows.items()
    ],
)
assert np.isfinite(windows[DAYS_PER_MONTH][1]) and not np.isfinite(windows[HALF_YEAR][1])

# %% [markdown]
"""
The true pace is above the threshold as soon as AIs do all research. The alarm then means that research is automated. It
does not distinguish an explosion from a fizzle, whose pace is even higher at first.

A pace has to be measured over some time, and **that window decides what the alarm means**. Over a month, it rings in
both cases and leaves four months. Over half a year, it rings in the explosion only, and leaves six weeks. A rule that
names a multiple without a window is not complete.

## How much time can an alarm leave?

Suppose that readings are exact and without delay, and that the threshold is a multiple of the pace of day 0. Theory has
a formula for the time that is then left. An explosion that would be over on day T has k times the pace of day 0 on day
T(1 - 1/k), so that T/k is left. No reading of pace can do better.
"""

# %%
multiples = np.linspace(1.4, 10, 200)
marks = {r: mark_of_pace(THRESHOLD, DAYS_PER_MONTH, float(doubling_ratio(r))) for r in (1.4, 2.0, 3.0)}
with slide(
    "An alarm at five times the pace leaves a fifth of the time",
    "time left until software is unlimited in theory, by the threshold; first doubling: a month; dots: five times",
) as axes:
    for (r, mark), colour in zip(marks.items(), (RED, ORANGE, GREEN), strict=True):
        axes.plot(multiples, mark.time_left * THRESHOLD / multiples, color=colour)
        axes.plot(THRESHOLD, mark.time_left, "o", color=colour, markersize=9)
        above = {"va": "top"} if r == 3 else {"va": "bottom"}
        label_line_end(axes, 10, mark.time_left * THRESHOLD / 10, f"r = {r:g}", colour, **above)
    axes.axhline(30, color=SOFT, linestyle=(0, (4, 3)), linewidth=1.3)
    label_line_end(axes, 10, 30, "readings\na month late", SOFT, va="bottom", xytext=(7, 2))
    mark = marks[1.4]
    text = f"{mark.time_left:.0f} days left, software\nis {2**mark.doublings:.0f} times as good"
    label_line_end(axes, THRESHOLD, mark.time_left, text, RED, xytext=(12, 22), ha="left")
    axes.set(xlim=(1, 11.3), ylim=(0, 105), xlabel="threshold, times the pace of day 0", ylabel="time left [days]")
    axes.set_xticks(range(1, 11))
assert abs(5 * marks[1.4].time_left / explosion_time(DAYS_PER_MONTH, EXPLOSION) - 1) < 1e-9
table(
    ("r", "five times on day", "time left [days]", "software then"),
    [(f"{r:g}", f"{mark.time:.0f}", f"{mark.time_left:.0f}", f"{2**mark.doublings:.0f}×") for r, mark in marks.items()],
)

# %% [markdown]
"""
At five times the pace of day 0, four fifths of the time are over, for each r above 1. The larger r is, the less is
left: 34 days at r = 1.4 and 16 days at r = 3. If readings are a month late, only an explosion with r below about 1.5
leaves any warning. **A threshold that is high enough to be sure is reached late.**

## Why most alarms can be false

An alarm also rings by chance: a test was easy, or one release collected the work of a year. A *false alarm once in two
years* sounds rare. How many alarms are true depends on how often the event really happens, its *base rate*. Assume here
that the alarm misses no true event.
"""

# %%
rates = np.logspace(-2, 0.3, 200)
ONCE_IN = {2: RED, 10: ORANGE, 100: GREEN}
with slide(
    "With a false alarm in two years, five of six can be false",
    "share of alarms that are true, by how often the true event happens and how often an alarm is false",
) as axes:
    for years, colour in ONCE_IN.items():
        axes.plot(rates, [100 * precision(years, rate) for rate in rates], color=colour)
        aside = {"va": "bottom"} if years == 100 else {"va": "top"}
        label_line_end(
            axes, rates[-1], 100 * precision(years, rates[-1]), f"false: 1 in {years} years", colour, **aside
        )
    share = precision(2, 0.1)
    axes.plot(0.1, 100 * share, "o", color=RED, markersize=10)
    text = "true event once in 10 years:\n10 true and 50 false alarms in 100 years"
    label_line_end(axes, 0.1, 100 * share, text, RED, xytext=(9, -13), ha="left")
    axes.set(xscale="log", xlim=(0.01, 7.5), ylim=(0, 106), ylabel="alarms that are true [%]")
    axes.set_xlabel("how often the true event happens")
    axes.set_xticks([0.01, 0.1, 1], ["once in 100 years", "once in 10 years", "once a year"])
    axes.set_xticks([], minor=True)
assert abs(share - 1 / 6) < 1e-12
print(f"With a true event once in 10 years, {share:.0%} of the alarms are true at a false alarm once in 2 years,")
print(f"{precision(10, 0.1):.0%} at one in 10 years, and {precision(100, 0.1):.0%} at one in 100 years.")

# %% [markdown]
"""
In a hundred years such an alarm rings sixty times, and ten alarms are true. A better alarm helps, and so does a second
and independent look at each one. **A rule that stops research for half a year needs a rarer false alarm than a rule
that starts an inspection.**

## Which detector?

A *detector* turns readings into an alarm. `asara detect` judges detectors on simulated labs. Here 12 runs explode and
12 fizzle, and all begin with doublings of about a month. A reading comes every ten days, with an error of 0.2 doublings
(15%). Before day 0 there are two years of readings. A detector is good if it is early in explosions and silent in
fizzles.
"""

# %%
ERROR = 0.2
labs = [
    Scenario.load(name).replace(
        regulator__measured="discovered",
        regulator__reading_days=10.0,
        regulator__noise_doublings=ERROR,
        run__horizon_days=365.0,
    )
    for name in ("toy-explosion", "toy-fizzle")
]
DETECTORS = {  # name for asara detect: label, colour, place of the label
    "pace=5@30": ("5 times over a month", RED, {"xytext": (-12, 13), "ha": "right"}),
    "pace=5@90": ("5 times over three months", GREEN, {"xytext": (12, 12)}),
    "pace=5": ("5 times over half a year", ORANGE, {"xytext": (12, 11)}),
    "pace=12@30": ("12 times over a month", PINK, {"xytext": (12, -11)}),
    "cusum": ("CUSUM", BLUE, {"xytext": (12, -11)}),
    "openai-critical": ("5 times over four weeks, for three months (OpenAI)", SOFT, {"xytext": (12, -11)}),
    "anthropic-two-years-in-one": ("2 times over a year (Anthropic)", BLACK, {"xytext": (-12, -13), "ha": "right"}),
}
judged = study_alarms(
    labs,
    range(12),
    named_detectors(list(DETECTORS), DetectorSettings(noise_doublings=2**0.5 * ERROR)),
    Truths(THRESHOLD, HALF_YEAR, LEVEL, days_before=730.0),
    base_rate=0.1,
    singular_probability=0.5,
)
scores = {name: judged.score(name, "singular") for name in DETECTORS}
false = {name: judged.score(name, "pace").false_alarms_per_year for name in DETECTORS}
with slide(
    "Here two detectors ring months ahead, and rarely in a fizzle",
    "lead time before 1,000×, and share of the fizzles in which the alarm rings; bars: 95% intervals, 12 + 12 runs",
) as axes:
    for name, (text, colour, place) in DETECTORS.items():
        score = scores[name]
        x, y = 100 * score.false_share.share, score.lead.mean
        axes.plot([100 * score.false_share.low, 100 * score.false_share.high], [y, y], color=colour, alpha=0.35)
        axes.plot([x, x], [score.lead.low, score.lead.high], color=colour, alpha=0.35)
        axes.plot(x, y, "o", color=colour, markersize=10, clip_on=False)
        label_line_end(axes, x, y, text, colour, **place)
    axes.set(xlim=(-3, 103), ylim=(-20, 200), ylabel="mean lead time [days]")
    axes.set_xlabel("fizzles in which it rings [%]")
table(
    ("detector", "explosions warned in time", "lead time, mean [days]", "rings in fizzles", "false alarms a year"),
    [
        (
            DETECTORS[name][0],
            f"{score.in_time.share:.0%}",
            f"{score.lead.mean:.0f} ({score.lead.low:.0f} to {score.lead.high:.0f})",
            f"{score.false_share.share:.0%} ({score.false_share.low:.0%} to {score.false_share.high:.0%})",
            f"{false[name].value:.2f} ({false[name].low:.2f} to {false[name].high:.2f})",
        )
        for name, score in scores.items()
    ],
)
assert scores["pace=5@30"].false_share.share == 1 and scores["pace=5"].false_share.share == 0
assert all(scores[name].lead.mean > scores["pace=5"].lead.mean for name in ("cusum", "pace=5@90"))

# %% [markdown]
"""
Over a month, five times is early and rings in each fizzle. Over half a year it is specific and late. Between them, a
window of three months warns earlier and rarely in a fizzle. So does *CUSUM*, which adds up small signs of a faster pace
until they are strong enough. The rule that needs three months at five times rarely rings in time. The last column
counts alarms before the pace is high.

These detectors were chosen on the runs shown, so that the best one looks better than it is. Twelve runs are few, and
other scenarios have other winners ([Which alarm rings in time?](../explanation/which-alarm-rings-in-time.md) has four).
**Test a rule on simulated readings before it is in force**; `asara detect` does it for your own rule and scenario.

## What does an order store?

Suppose that the alarm rings when software doubles in a month, and the regulator brakes for 30 days. A *pause* stops all
research by AIs. A *hold of deployment* lets research continue with today's AIs. Its results are put to use on the last
day of the hold.
"""

# %%
RETURNS, PACE, BRAKED = 1.4, 1 / DAYS_PER_MONTH, 30.0
rate = acceleration_of(RETURNS) * np.log(2) * PACE


def free_software(days):
    """Return the software without an order, relative to that of day 0 [doublings]."""
    return -np.log1p(-rate * np.asarray(days)) / (acceleration_of(RETURNS) * np.log(2))


def hold(days):
    """Return the software discovered in a hold of deployment [doublings]."""
    return doublings_after_deployment_hold(float(days), PACE, RETURNS)


stored = hold(BRAKED)
day_of_stored = (1 - 2 ** (-acceleration_of(RETURNS) * stored)) / rate
delays = {"pause of research": BRAKED, "hold of deployment": float(BRAKED - day_of_stored)}
before, during, after = np.linspace(-30, 0, 60), np.linspace(0, BRAKED, 60), np.linspace(BRAKED, 120, 120)
free = np.linspace(-30, 120, 300)
with slide(
    "A pause delays an explosion by a month, a hold by a week",
    "software in use after an order of 30 days; it doubles in a month on day 0; dashed: stored in the hold",
) as axes:
    axes.axvspan(0, BRAKED, color=SOFT, alpha=0.1, linewidth=0)
    axes.plot(free, free_software(free), color=BLACK)
    axes.plot([0, BRAKED, *after], [0, 0, *free_software(after - BRAKED)], color=BLUE)
    axes.plot([0, BRAKED, *after], [0, 0, *free_software(day_of_stored + after - BRAKED)], color=ORANGE)
    axes.plot([0, BRAKED], [0, 0], color=BLUE, linestyle=(0, (3, 3)))
    axes.plot(during, [hold(day) for day in during], color=ORANGE, linestyle=(0, (4, 3)), linewidth=1.5)
    label_line_end(axes, 120, float(free_software(120)), "no order", BLACK)
    label_line_end(axes, 120, float(free_software(day_of_stored + 120 - BRAKED)), "hold of\ndeployment", ORANGE)
    label_line_end(axes, 120, float(free_software(90)), "pause of\nresearch", BLUE)
    label_line_end(axes, 15, -0.55, "30 days", SOFT, xytext=(0, 0), ha="center")
    text = f"stored, and released at once:\n{stored:.2f} doublings"
    label_line_end(axes, -28, 2.6, text, ORANGE, xytext=(0, 0))
    axes.set(xlim=(-32, 143), ylim=(-1, 8), xlabel="days since the order", ylabel="software in use (day 0: 1×)")
    format_factor_axis(axes, 8, 2)
paused = software_under_barriers([(BRAKED, float("inf")), (60.0, 1.0)], PACE, RETURNS)
gained = float(free_software(BRAKED))
assert abs(paused - float(free_software(60))) < 1e-9
assert 0 < stored < gained and 5 < delays["hold of deployment"] < 10
table(
    ("30 days of", "doublings discovered meanwhile", "later by [days]"),
    [
        ("no order", f"{gained:.2f}", "0.0"),
        ("hold of deployment", f"{stored:.2f}", f"{delays['hold of deployment']:.1f}"),
        ("pause of research", "0.00", f"{delays['pause of research']:.1f}"),
    ],
)

# %% [markdown]
"""
During a hold, most of the progress goes on and is stored. On the day of release software rises at once, and a hold of
30 days delays the explosion by about a week. A pause stores nothing and delays by its own length, not more. In both
cases the pace after the order is that of before, or higher. **An order buys time, and that is of use only if the time
is used.**

## Policies compared

A *policy* joins an alarm with an order. `asara policies` runs each policy on the same lab with the same random numbers,
so that two runs differ by the policy alone. The lab explodes. The regulator reads the software in use every 30 days.
"""

# %%
POLICIES = {
    "disclosure-only": ("disclosure only", SOFT),
    "staged-deployment": ("staged deployment", ORANGE),
    "compute-cap": ("compute cap", GREEN),
    "five-times-pause": ("pause at five times", BLUE),
}
compared = study_policies(Scenario.load("toy-explosion"), range(6), list(POLICIES))
effects = {each.name: each for each in compared.policies}
with slide(
    "Each order delays the explosion by months; none of them stops it",
    f"mean of {len(compared.seeds)} paired runs; bars: 95% intervals; cost: less software at the end without orders",
) as axes:
    for row, (name, (_, colour)) in enumerate(POLICIES.items()):
        gain, cost = effects[name].levels[-1].gained, effects[name].software.mean
        axes.plot([gain.low, gain.high], [row, row], color=colour, linewidth=3)
        axes.plot(gain.mean, row, "o", color=colour, markersize=11)
        right = "no cost" if cost == 0 else f"{gain.mean:.0f} days\ncost: {-cost:.1f} doublings"
        label_line_end(axes, gain.high, row, right, colour, xytext=(14, 0))
    axes.set(xlim=(-10, 330), ylim=(-0.6, 3.6), xlabel="days gained until software is 1,000 times as good")
    axes.set_yticks(range(len(POLICIES)), [text for text, _ in POLICIES.values()])
gains = {name: effects[name].levels[-1].gained for name in POLICIES}
assert gains["disclosure-only"].mean == 0
assert all(gains[name].low > 0 for name in POLICIES if name != "disclosure-only")
assert all(effects[name].levels[-1].not_reached == 0 for name in POLICIES)
rows = []
for name, (text, _) in POLICIES.items():
    gain, warned = gains[name], effects[name].levels[1].warned
    rows.append(
        (
            text,
            f"{warned.number} of {warned.of}",
            f"{gain.mean:.0f}" + (f" ({gain.low:.0f} to {gain.high:.0f})" if gain.high > 0 else ""),
            f"{effects[name].days_restricted.mean:.0f}",
        )
    )
table(("policy", "runs with a warning before 100×", "days gained until 1,000×", "days under orders"), rows)

# %% [markdown]
"""
*Disclosure only* warns and orders nothing, so that it costs and gains nothing. *Staged deployment* keeps new software
out of use for 90 days. The *compute cap* stops the growth in the number of AI researchers, and halves the GPUs of
experiments. Both begin at twice the pace and last half a year. The *pause at five times* lasts as long and gains most
on average, but its alarm often comes after 100×. All runs reach 1,000× in the end. With six runs the intervals overlap,
so that **the comparison shows the kinds of effect, not a ranking.** [Compare governance
policies](../how-to/compare-governance-policies.md) has 20 seeds and more policies.

## A covert rival

A pause that one lab obeys does not bind a rival that works on in secret. How soon would it be found? The curves are
fitted to 12 secret nuclear weapons programmes (Clymer and others, 2025): the more people know of the work, the sooner
it is found. Suppose that the rival has half of the compute and goes on at day 0.
"""

# %%
WORKERS = {100: BLUE, 1000: ORANGE, 10_000: RED}
HIDDEN = 0.5
months = np.linspace(0, 48, 200)
explodes = explosion_day_of_hidden_lab(HIDDEN, 1.4)
found = {number: probability_found_in_time(number, HIDDEN, 1.4) for number in WORKERS}
with slide(
    "A covert rival explodes before it is likely to be found",
    "probability that a secret project is found, by the number of people who know of it; dots: its explosion",
) as axes:
    for number, colour in WORKERS.items():
        curve = [100 * time_to_discovery(number).probability_by(month / 12) for month in months]
        axes.plot(months, curve, color=colour)
        axes.plot(explodes / 365 * 12, 100 * found[number], "o", color=colour, markersize=9)
        label_line_end(axes, 48, curve[-1], f"{number:,} people", colour)
    axes.axvline(explodes / 365 * 12, color=SOFT, linestyle=(0, (4, 3)), linewidth=1.3)
    label_line_end(axes, explodes / 365 * 12, 96, "explosion with half of the compute, r = 1.4", SOFT)
    axes.set(xlim=(0, 57), ylim=(0, 103), xlabel="months since the pause", ylabel="found [%]")
    axes.set_xticks(range(0, 49, 12))
assert found[100] < found[1000] < 0.5
print(f"Alone and with half of the compute, the rival explodes on day {explodes:.0f} instead of 169.")
print(", ".join(f"{share:.0%} ({number:,} people)" for number, share in found.items()), "are found by then.")

# %% [markdown]
"""
A rival with half of the compute takes twice as long, and the pause therefore gains less than six months. Until then it
is found with a probability of about a quarter if 1,000 people know of it. The fit is to nuclear programmes, and figures
for 10,000 people extrapolate it. **A pause by one country or lab is as strong as the means to detect the others.** [The
tutorial](../tutorials/7-which-alarm-rings-in-time.md) runs a lab with a covert rival.

## The knife edge

Instead of one pause, a brake could react to the pace: the faster software gets, the stronger it brakes. The report
suggests that human reactions could hold growth like this, on the *knife edge* between an explosion and a fizzle. Here
the target is one doubling a month. The *reaction time* is how long the brake takes to grow by the ratio of the pace to
its target.
"""

# %%
edge = KnifeEdge(r=1.4, target_pace=1 / DAYS_PER_MONTH)
REACTIONS = {14: BLUE, 28: GREEN, 47: ORANGE, 63: RED}
braked = {days: simulate_brake(SmoothBrake(edge.target_pace, gain=1 / days), r=1.4, days=1200) for days in REACTIONS}
with slide(
    f"A brake that takes over {edge.longest_reaction_days:.1f} days to react loses the pace",
    "pace under a brake at r = 1.4, relative to its target of one doubling a month, by reaction time",
) as axes:
    for days, colour in REACTIONS.items():
        run = braked[days]
        pace = run.pace / edge.target_pace
        seen = (pace < 4.5) & (run.days <= 600)
        axes.plot(run.days[seen], pace[seen], color=colour)
        above = {"va": "bottom"} if days == 28 else {}
        label_line_end(axes, run.days[seen][-1], pace[seen][-1], f"{days} days", colour, **above)
    axes.axhline(1, color=SOFT, linestyle=(0, (4, 3)), linewidth=1.3)
    label_line_end(axes, 600, 1, "target", SOFT, va="top")
    axes.set(xlim=(0, 670), ylim=(0.8, 4.5), xlabel="days under the brake", ylabel="pace, times the target")
assert braked[63].outcome == "lost" and all(braked[days].outcome == "held" for days in (14, 28, 47))
table(
    ("reaction time [days]", "pace", "times the target at last", "effort divided by, at last"),
    [
        (days, run.outcome)
        + (
            ("-", "-")
            if run.outcome == "lost"
            else (f"{run.pace[-1] / edge.target_pace:.2f}", f"{2 ** run.log2_barrier[-1]:,.0f}")
        )
        for days, run in braked.items()
    ],
)
print(f"Without a brake, {days_left(edge.target_pace, 1.4):.0f} days are left on day 0.")

# %% [markdown]
"""
A brake holds an explosion if it reacts within 37% of the time left, here 56.5 days. The pace is then steady, and above
its target. But the brake has to divide the effort of research by more and more, without end. For each brake
that holds the pace, this barrier doubles with each three and a half doublings of software. **Reactions can hold
the edge, if they are fast and if they never stop.** [Can reactions hold the pace?](../explanation/knife-edge.md) has
the theory, and what a delay does.

## The answer

No alarm on pace alone is early, certain and cheap. What to ask of a proposed rule:
"""

# %%
QUESTIONS = {
    "what is measured, and when is it due?": f"each day of delay takes one of {lead:.0f} days",
    "over which window?": "a month: early, and in fizzles; half a year: late, and in explosions only",
    "at which multiple?": "five times the pace of day 0 leaves a fifth of the time",
    "how often is the alarm false?": f"once in two years, and true once in ten: {1 - share:.0%} are false",
    "what does the order stop?": f"30 days of pause: 30 days; of hold: {delays['hold of deployment']:.0f} days",
    "does each lab follow it?": f"{1 - found[1000]:.0%} of secret projects of 1,000 people are not found in time",
    "how fast can it react?": f"a brake needs less than {edge.longest_reaction_days:.1f} days",
}
assert len(QUESTIONS) == 7 and found[1000] < 0.3
table(("ask of a rule", "in the explosion with r = 1.4"), QUESTIONS.items())

# %% [markdown]
"""
## Exercise

A draft law has an alarm at three times the pace of day 0, with reports that are due after 45 days. Returns are r = 2,
and the first doubling takes a month. Does the alarm come before the explosion? Which delay would leave two weeks?
Decide before you read on.

**Answer.** The explosion would be on day 104. A third of that is left at three times the pace, which is less than 45
days. With reports after 20 days two weeks remain:
"""

# %%
draft = mark_of_pace(3, DAYS_PER_MONTH, float(doubling_ratio(2.0)))
assert 14 + 20 < draft.time_left < 45
print(f"At three times the pace {draft.time_left:.1f} days are left. Reports after 45 days are known")
print(
    f"{45 - draft.time_left:.1f} days after the explosion, and after 20 days {draft.time_left - 20:.1f} days before it."
)

# %% [markdown]
"""
**In short.** On its own numbers, the report's alarm means that research is automated, not that it explodes. The window,
the delay of readings and the base rate decide what an alarm is worth. Orders delay an explosion, holds of deployment
least. Brakes that hold it must be fast and without end.

**What is not simulated.** Explosions here have no limit of software. Labs do not react to a rule before it binds.
People and states do not bargain, and an alarm has no political cost. The detectors use readings of software only, and
not other signs such as the share of research that AIs do. All lead times depend on the level of 1,000 times, which is
our choice. [Which alarm rings in time?](../explanation/which-alarm-rings-in-time.md) has the definitions, intervals and
limits, and [Write a governance policy](../how-to/write-a-governance-policy.md) tests a rule of your own.
"""
