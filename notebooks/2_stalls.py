# %% [markdown]
"""
# 2. What stops an explosion: training runs and experiments

In the [report's arithmetic](1_report.md) researchers do nothing but think. In a real lab papers need experiments,
and experiments need GPUs. A discovery has an effect only after a new model has been trained. All of this shares one
cluster that does not grow. Which of these needs can stop an explosion?

Here is a lab with 1,024 GPUs. Half of them run the researchers, a quarter trains, the rest runs experiments. Its
returns to research are r = 1.4, the report's figure for image recognition, so the law alone would lead to an
explosion.
"""

# %%
import numpy as np

from experiments.plotting.run_figure import unconstrained_curve
from experiments.plotting.slides import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PINK,
    RED,
    SKY,
    darken_for_contrast,
    format_factor_axis,
    hide_frame,
    label_line_end,
    round_to_100_percent,
    slide,
    slides,
    table,
)
from sim.fluid.api import run_fluid
from sim.runner import run
from sim.scenario.model import Scenario

lab = Scenario.load("lab").replace(run__max_doublings=8, run__horizon_days=1500.0, run__max_individuals=300)

# %% [markdown]
"""
## Four labs

Two questions make four labs. Must a discovery wait for a *training run*? Do *experiments* get cheaper as algorithms
improve, or must they keep up with the frontier? The first is answered with no and yes, the second with both
extremes. *Cheap* experiments have a fixed size, and their cost halves with each doubling of software. *Frontier*
experiments have the size of the frontier and never get cheaper.
"""

# %%
CHEAP, COSTLY = {"researcher__experiment_scaling": 0.0}, {"researcher__experiment_scaling": 1.0}
FREE, TRAINED = {"training__required": False}, {"training__required": True}
LABS = {
    "cheap experiments, no training": CHEAP | FREE,
    "cheap experiments, training": CHEAP | TRAINED,
    "frontier experiments, no training": COSTLY | FREE,
    "frontier experiments, training": COSTLY | TRAINED,
}
COLOURS = dict(zip(LABS, (RED, PINK, SKY, BLUE), strict=True))
runs = {name: run(lab.replace(**changes), seed=1) for name, changes in LABS.items()}

# %%
with slide(
    "The same law leads four labs to different results", "growth of software; dashed: the law without other limits"
) as axes:
    law = unconstrained_curve(runs["cheap experiments, no training"], 200)
    axes.plot(*law, color=BLACK, linestyle=(0, (4, 3)), linewidth=1.4)
    for name, result in runs.items():
        days = [0.0, *(doubling.day for doubling in result.doublings)]
        axes.plot(days, range(len(days)), "o-", color=COLOURS[name], markersize=5)
    for (name, result), x, y, side in zip(
        runs.items(), (153, 349, 378, 381), (8, 8.8, 8.8, 6.6), ("left", "right", "left", "left"), strict=True
    ):
        label = name.replace(", ", ",\n")
        label_line_end(
            axes, x, y, f"{label}: {result.long_run.kind}", COLOURS[name], ha=side, xytext=(0, 0), fontsize=11.5
        )
    axes.set(xlim=(0, 500), ylim=(0, 9.5), xlabel="days")
    format_factor_axis(axes)

# %%
rows = []
for name, result in runs.items():
    pace, leads = result.pace, result.long_run
    did = f"{pace.ratio:.3f} [{pace.low:.3f}, {pace.high:.3f}]"
    rows.append((name, did, pace.name, f"{leads.ratio:.3f}", leads.kind))
table(("lab", "ratio of doubling times in this run", "what it did", "ratio in the long run", "where it leads"), rows)
assert [kind for *_, kind in rows] == ["singular", "fizzle", "fizzle", "fizzle"]

# %% [markdown]
"""
With cheap experiments and no training the run stays close to the law, and explodes. **Training runs or frontier
experiments stop that.**

- **Training runs** alone lead to a fizzle, close to exponential growth. Part of each doubling of software goes into
  shorter training runs, and only the rest into better researchers.
- **Experiments at the frontier** alone turn the explosion into a fizzle. For four doublings they have no effect;
  then the GPUs are full.

Why close to exponential? A doubling of software brings the lab with training only 1.60 times as many researchers.
Without training it would be 2 times. The next doubling takes 1.64 times as much research. The two nearly cancel:
each doubling takes 1.64/1.60 = 1.026 times as long in the long run. Over few doublings a run also shows the start-up
of its training runs, so its own pace can look faster. The mean path, without randomness, over more doublings:
"""

# %%
researchers = 2 ** (
    1 - lab.training.speedup_exponent
)  # times as many a doubling: the rest of it makes training shorter
research = 2 ** (1 / lab.growth.r)  # times as much for a doubling as for the one before
assert (round(researchers, 2), round(research, 2)) == (1.60, 1.64)
trained = lab.replace(**CHEAP, **TRAINED)
mean = run_fluid(trained.replace(run__max_doublings=14))
print(f"14 doublings of the mean path. What this run did: {mean.pace.sentence}")
print(f"Where it leads: {mean.long_run.sentence}")
assert mean.pace.name == "exponential" and round(mean.long_run.ratio, 3) == 1.026

# %% [markdown]
"""
## Where the researchers' time goes

Every day of a researcher is counted once: thinking and writing, in experiments and their queue, or without a GPU.
Training runs take none of it. They delay the day on which more researchers become active. These shares are an
accounting and not what limits a lab. Experiments limit it as soon as their GPUs are full, however little time they
take. The table shows what limits each lab at its last doubling, by the equations.
"""

# %%
PARTS = {
    "researchers": (GREEN, "thinking and writing"),
    "experiments": (ORANGE, "experiments"),
    "paused": (PINK, "without a GPU"),
}
with slide("Where the researchers' time goes", "share of their days over the whole run, of four labs") as axes:
    for row, result in enumerate(runs.values()):
        left = 0.0
        shares = [result.time_shares[part] for part in PARTS]
        for (colour, label), share, percent in zip(PARTS.values(), shares, round_to_100_percent(shares), strict=True):
            axes.barh(-row, share, left=left, color=colour, height=0.62)
            if share > 0.06:
                axes.text(left + share / 2, -row, f"{percent}%", ha="center", va="center", color=BLACK, fontsize=15)
            if row == 3 and share > 0.06:
                axes.text(left + share / 2, -3.56, label, ha="center", color=darken_for_contrast(colour), fontsize=12.5)
            left += share
    axes.set_yticks([0, -1, -2, -3], [name.replace(", ", ",\n") for name in runs])
    axes.set_xticks([])
    hide_frame(axes)

# %%
rows = []
for name, result in runs.items():
    each = result.margins.elasticities
    values = [f"{each[part]:.2f}" for part in ("researchers", "experiments", "training")]
    rows.append((name, *values, result.limited_by))
heads = ("lab", "1% more researchers", "GPUs for experiments", "faster training", "limited by")
table(heads, rows)
last = runs["frontier experiments, training"]
assert last.time_shares["researchers"] > 0.5 and last.limited_by == "experiments"

# %% [markdown]
"""
Each figure is the percentage by which 1% more of an input brings the last doubling forward. The fourth lab spends
most of its time thinking and writing, and is limited by GPUs for experiments.

## Two views on experiments

How much do experiments matter? In one view better algorithms make experiments cheaper, so that compute hardly binds.
In the other view only experiments near the size of the frontier are informative, and those never get cheaper. Both
views are one number here, s: an experiment costs 2^(-(1 - s)) of its earlier cost after each doubling of software.
The equations (`--engine fluid`) give the mean path in a second, so several values of s can be compared.
"""

# %%
SCALINGS = (0.0, 0.25, 0.5, 0.75, 1.0)
longer = lab.replace(run__max_doublings=9)
camps = [run_fluid(longer.replace(researcher__experiment_scaling=s, **FREE)) for s in SCALINGS]
with slides(
    "The larger s, the sooner GPUs limit progress",
    "s: how closely experiments must follow the frontier; no training runs",
    columns=2,
) as panels:
    for s, result, colour in zip(SCALINGS, camps, (RED, ORANGE, GREEN, SKY, BLUE), strict=True):
        numbers, lengths = zip(*((each.n, each.duration_days) for each in result.doublings), strict=True)
        panels[0].plot(numbers, lengths, "o-", color=colour, markersize=5)
        if s > 0:
            label_line_end(panels[0], numbers[-1], lengths[-1], f"s = {s:g}" if s > 0.25 else "s ≤ 0.25", colour)
    panels[0].set(xlabel="doubling of software", xlim=(0.8, 9.2), yscale="log", ylim=(5, 250))
    panels[0].set_yticks([5, 10, 20, 50, 100, 200], ["5", "10", "20", "50", "100", "200"])
    panels[0].set_yticks([], minor=True)
    panels[0].set_title("days that a doubling takes")
    panels[1].bar([f"{s:g}" for s in SCALINGS], [100 * each.time_shares["experiments"] for each in camps], color=ORANGE)
    panels[1].set(xlabel="s", ylim=(0, 100))
    panels[1].set_title("% of time in experiments")

rows = []
for s, result in zip(SCALINGS, camps, strict=True):
    lengths = [each.duration_days for each in result.doublings]
    fastest = int(np.argmin(lengths))
    after = f"{lengths[-1] / lengths[fastest]:.1f} times as long" if fastest + 1 < len(lengths) else "it is the ninth"
    rows.append((f"{s:g}", f"number {fastest + 1}: {lengths[fastest]:.0f} days", after, result.limited_by))
table(("s", "fastest doubling", "the ninth, beside it", "limited by"), rows)

# %% [markdown]
"""
With s up to a quarter each of the nine doublings is faster than the one before. From a half on the lab speeds up at
first and then slows down, because the GPUs are full. The larger s, the sooner.

## The effect of more GPUs

At s = 1, and without training, a lab needs twice the GPUs for experiments with each doubling of software. So more
GPUs only delay the slow-down:
"""

# %%
rows = []
for gpus in (512, 1024, 4096, 16384):
    size = {"cluster__gpus": gpus, "researcher__initial": lab.initial_researchers}
    result = run_fluid(longer.replace(**size, **COSTLY, **FREE))
    lengths = [doubling.duration_days for doubling in result.doublings]
    turn = int(np.argmin(lengths)) + 1
    rows.append((f"{gpus:,}", turn, f"{lengths[0]:.0f}", f"{lengths[-1]:.0f}", result.limited_by))
table(("GPUs", "fastest doubling", "days of the first", "days of the ninth", "limited by"), rows)

# %% [markdown]
"""
**In short.** These returns alone would lead to an explosion. The long run depends on two more things. If discoveries
must wait for training runs, this lab grows almost steadily and does not explode. If experiments must stay at the
frontier it fizzles, with training or without. More GPUs only move the moment when they bind.

To judge whether to expect an explosion, answer both questions. Must a new model be trained for each step? What will
experiments cost ten doublings from now? Try it: `asara run lab-frontier-experiments`, `asara bottleneck`. [The next
notebook](3_kernels.md) examines whether faster software for the GPUs themselves removes the limit.
"""
