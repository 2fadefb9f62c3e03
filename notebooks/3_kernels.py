# %% [markdown]
"""
# 3. Kernels, really measured

The loop of the [first notebook](1_report.md) assumes that effort buys better software. One corner of that can be
tried on an ordinary machine: *attention*, the part of a language model that people write by hand again for each new
processor. A search proposes variants of the program, builds them, throws out those that compute something else,
times the rest, and learns from that what to try next. No number here is simulated until the last section: all are
read from the trace of real searches that comes with asara (one core of a Xeon; `asara kernels tune` makes such a
trace of your machine).
"""

# %%
import math

import numpy as np

from experiments.kernels.report import fresh, rows
from experiments.kernels.searches import searches
from experiments.kernels.tables import of_workloads, read_traces, shipped_traces
from experiments.slides import BLACK, BLUE, GREEN, ORANGE, RED, SKY, SOFT, end, slide, table
from experiments.worth import worth
from hardware.speedups import doublings_per_doubling, estimate
from sim.scenario import Scenario

trace = read_traces(shipped_traces())
LOAD = "causal/bf16/both"  # causal attention, numbers of 16 bits, forward and backward: what training does

# %% [markdown]
"""
## Who writes the fastest kernel?

The article that asks for such a loop expects experts at 1, an auto-tuner at 1.2 to 1.3 times that, a guided search
at about 1.7, and a naive completion at 0.9 to 1.1. The experts here are those of torch, whose
`scaled_dot_product_attention` (SDPA) everyone uses. Each winner was measured afresh, on shapes that no search had
seen; brackets are 95% intervals.
"""


# %%
def interval(gain):
    """Write a speed-up as people read it."""
    return f"{gain.ratio:.2f} [{gain.low:.2f}, {gain.high:.2f}]" if gain else "–"


found = rows(fresh(of_workloads(trace, [LOAD])))
ARTICLE = {
    "expert library": "1",
    "auto-tuner": "1.2 to 1.3",
    "guided search: hill-climb": "about 1.7",
    "naive": "0.9 to 1.1",
}
table(
    ("who", "kernel", "times SDPA", "in the article"),
    [
        (row.method, f"`{row.candidate.split('(')[0]}`", interval(row.over_sdpa), ARTICLE.get(row.method, ""))
        for row in found
    ],
)
best = max((row for row in found if row.over_sdpa), key=lambda row: row.over_sdpa.ratio)
assert best.over_sdpa.low > 1.02, "a gain is claimed only where its interval is above 1.02"

# %% [markdown]
"""
The naive kernel is no completion of a language model's but the first that a template gives, and it already beats
the experts threefold: backward passes in 16 bits are a corner where they had not looked. Clever search does no
better than random tries here.

## Does effort keep paying?

That is the question of an explosion in small. The steps are the best kernel so far of each search, against the
number of candidates that it had tried. The dashed line is the curve that drives the lab. It lies lower because it
ends where the winners did when they were measured afresh: the best of many quick measurements is partly the
luckiest.
"""

# %%
fitted = estimate(trace, LOAD)
curve = fitted.curve
early, late = doublings_per_doubling(fitted)
with slide(
    "Most of the gain is there at once",
    f"speed over SDPA, {LOAD}; dashed: the curve, scaled to winners measured afresh",
) as axes:
    for search, colour in zip(
        (each for each in searches(of_workloads(trace, [LOAD]))), (BLUE, SKY, GREEN), strict=False
    ):
        numbers, gains = zip(*search.steps, (search.tried, search.steps[-1][1]), strict=True)
        axes.step(numbers, gains, where="post", color=colour)
    numbers = np.geomspace(1, curve.tried, 200)
    axes.plot(numbers, [curve.speedup_after(n) for n in numbers], color=BLACK, linestyle=(0, (4, 2)))
    for level, name, colour in ((math.exp(curve.ceiling), "where the fit\nwould end", BLACK), (1, "SDPA", SOFT)):
        axes.axhline(level, color=colour, linewidth=1.1, linestyle=(0, (1, 2)))
        end(axes, curve.tried, level, name, colour)
    axes.set(xscale="log", xlim=(1, curve.tried), ylim=(0, None), xlabel="candidates tried")
    axes.set_xticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}×")
print("doublings of speed for each doubling of effort (a loop that feeds itself needs 1):")
for name, slope in (("among the first 20 candidates", early), ("from there on", late)):
    print(f"  {name}: {slope.value:.2f} [{max(0.0, slope.low):.2f}, {slope.high:.2f}]")
assert late.high < 1

# %% [markdown]
"""
## What is that worth to a lab?

In the simulated lab attention is a tenth of all work, and kernel engineers walk along the measured curve: no
further than what was tried, and never beyond it. Each world is run twice with the same luck, with these kernels and
without.
"""

# %%
lab = Scenario.load("lab").replace(
    researcher__initial=64, cluster__gpus=256, run__max_doublings=6, run__individuals_up_to=200
)
gained = worth(lab, range(4))
print(gained.sentence)

# %%
SHARES = (0.1, 0.3, 0.5, 1.0)
with slide(
    "What faster attention can do", "work done a day by the whole cluster, by the share of it that is attention"
) as axes:
    speed = np.geomspace(1, 16, 100)
    for share, colour in zip(SHARES, (BLUE, GREEN, ORANGE, RED), strict=True):
        axes.plot(speed, 1 / (1 - share + share / speed), color=colour)
        end(axes, 16, 1 / (1 - share + share / 16), f"{share:.0%} attention", colour)
    axes.axvline(curve.largest, color=BLACK, linestyle=(0, (4, 2)), linewidth=1.3)
    end(axes, curve.largest, 13, f"measured: {curve.largest:.1f}×", BLACK)
    axes.set(xscale="log", xlim=(1, 16), ylim=(1, 16), yscale="log", xlabel="speed-up of attention")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks([1, 2, 4, 8, 16], [f"{n}×" for n in (1, 2, 4, 8, 16)])
        axis.set_ticks([], minor=True)

# %% [markdown]
"""
**In short.** A machine did find kernels that beat the experts', by a lot where experts had not yet looked. But a
doubling of effort bought no more than a tenth of a doubling of speed, and attention is a small part
of the work. This loop alone feeds no explosion; it brings one nearer by weeks. `asara kernels report` prints every
table, and [Kernels](../kernels.md) says how each number was taken. Next: [a sweep from design to
verdict](4_sweep.md).
"""
