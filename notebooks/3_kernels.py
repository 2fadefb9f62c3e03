# %% [markdown]
"""
# 3. Measured kernel searches

The loop of the [first notebook](1_report.md) assumes that effort buys better software. One part of that can be
tested on an ordinary machine: *attention*. Experts rewrite this part of a language model by hand for each new
processor. Such a program is called a *kernel*. A search proposes variants of it, builds them, and discards those
that compute something else. It times the rest and uses the results to choose the next variants.

No number here is simulated until the last section. All are read from the record of real searches that comes with
asara. They ran on one core of a Xeon, an ordinary server processor. `asara kernels tune` makes such a record of your
machine.
"""

# %%
import math

import numpy as np

from experiments.kernels.full_report import read_traces, select_workloads, shipped_traces
from experiments.kernels.kernel_value import estimate_kernel_value
from experiments.kernels.result_tables import kernel_rows, remeasured_kernels
from experiments.kernels.search_tables import search_rows
from experiments.plotting.slides import BLACK, BLUE, GREEN, ORANGE, RED, SKY, SOFT, label_line_end, slide, table
from hardware.kernels.speedup_curve import elasticities, estimate
from sim.scenario.model import Scenario

trace = read_traces(shipped_traces())
LOAD = "causal/bf16/both"  # causal attention in numbers of 16 bits (bf16), forward and backward: what training does

# %% [markdown]
"""
## Which method finds the fastest kernel?

An article of March 2026 compares four methods and the gain of each on a GPU. Its title is *AI Bootstrapping Itself:
How LLMs Are Writing Code That Outperforms Human Engineers* (by way of Hacker News, without an author). Here are the
nearest methods that we measured, on one core of a processor. They are not the same:

- The *experts* are those of torch, with its widely used kernel for attention (`scaled_dot_product_attention`, SDPA).
  The article's are the authors of FlashAttention.
- An *auto-tuner* tries settings of a template, here as in the article.
- The article's *guided search* is led by a language model, which writes the candidates. Ours is a *hill climb*: it
  changes a setting of the best kernel so far, and keeps what is faster.
- A *completion* is the single answer of a language model. Ours is the first kernel that the template gives, without
  a language model.
- *Random search* chooses settings at random. The article has no such row.

All our candidates are of the template `amx`, named after the unit of the processor that multiplies small matrices of
16-bit numbers. Each winner was measured afresh, on shapes that no search had seen; brackets are 95% intervals of
that measurement.
"""


# %%
def interval(gain):
    """Format a speed-up and its interval."""
    return f"{gain.ratio:.2f} [{gain.low:.2f}, {gain.high:.2f}]" if gain else "–"


found = kernel_rows(remeasured_kernels(select_workloads(trace, [LOAD])))
TUNED = ("auto-tuner", "guided search: hill-climb", "random search")
NEAREST = {
    "expert library": ("experts: torch", "human experts: 1"),
    "auto-tuner": ("auto-tuner", "auto-tuner: 1.2 to 1.3"),
    "guided search: hill-climb": ("hill climb", "search guided by a language model: about 1.7"),
    "random search": ("random search", "–"),
    "naive": ("first of the template", "completion by a language model: 0.9 to 1.1"),
}
table(
    ("measured here", "searches", "times as fast as SDPA", "nearest in the article"),
    [
        (ours, row.searches if row.method in TUNED else "–", interval(row.over_sdpa), theirs)
        for row in found
        for ours, theirs in [NEAREST[row.method]]
    ],
)
speeds = {row.method: row.over_sdpa for row in found}
assert speeds["naive"].low > 3
assert [round(row.roofline, 2) for row in found if row.method == "expert library"] == [0.03]
assert speeds["random search"].low > speeds["guided search: hill-climb"].high

# %% [markdown]
"""
The first kernel of the template is already three times as fast as that of the experts. The experts probably did not
optimise for this processor: their kernel reaches 3% of the maximum of this core. So most of the gain is due to the
template, which was written for this processor, and not to the search through its settings.

Climbing was not better than chance either: the one random search found a faster kernel than the three climbs did on
average. This is no evidence about a search that a language model leads, which was not measured here.

## Do gains continue with more effort?

An explosion depends on the same question at a larger scale. The steps are the best kernel so far of each hill climb,
over the number of candidates that it had tried. The dashed line is the curve that drives the lab below. It is lower
because it ends at the speed of the winners when they were measured afresh. The best of many quick measurements is
partly best by chance.
"""

# %%
fitted = estimate(trace, LOAD)
curve = fitted.curve
early, late = elasticities(fitted)
with slide(
    "The first candidates bring most of the gain",
    "speed over torch's own kernel (SDPA), at attention as training does it, in 16 bits, on one core",
) as axes:
    climbs = [each for each in search_rows(select_workloads(trace, [LOAD])) if each.proposer == "hill-climb"]
    for search, colour in zip(climbs, (BLUE, SKY, GREEN), strict=True):
        numbers, gains = zip(*search.steps, (search.tried, search.steps[-1][1]), strict=True)
        axes.step(numbers, gains, where="post", color=colour)
    numbers = np.geomspace(1, curve.tried, 200)
    axes.plot(numbers, [curve.speedup_after(n) for n in numbers], color=BLACK, linestyle=(0, (4, 2)))
    for level, name, colour in ((math.exp(curve.ceiling), "where the fit\nwould end", BLACK), (1, "SDPA", SOFT)):
        axes.axhline(level, color=colour, linewidth=1.1, linestyle=(0, (1, 2)))
        label_line_end(axes, curve.tried, level, name, colour)
    label_line_end(axes, curve.tried, np.mean([search.steps[-1][1] for search in climbs]), "three climbs", BLUE)
    label_line_end(axes, curve.tried, curve.largest, "the lab's curve:\nas measured afresh", BLACK, xytext=(7, -8))
    axes.set(xscale="log", xlim=(1, curve.tried), ylim=(0, None), xlabel="candidates tried")
    axes.set_xticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}×")
print("doublings of speed for each doubling of effort (a loop that feeds itself needs 1):")
for name, slope in (("among the first 20 candidates", early), ("from there on", late)):
    print(f"  {name}: {slope.value:.2f} [{max(0.0, slope.low):.2f}, {slope.high:.2f}]")
assert max(early.high, late.high) < 1 / 8

# %% [markdown]
"""
## What the kernels gain for a lab

In the simulated lab attention is a tenth of all work. Kernel engineers follow the measured curve up to the last
candidate that was tried. Each world is run twice with the same random seed, with these kernels and without.
"""

# %%
lab = Scenario.load("lab").replace(
    researcher__initial=64,
    growth__calibrated_for=64,
    training__first_run_gpus=64,
    cluster__gpus=256,
    run__max_doublings=6,
    run__max_individuals=200,
)
gained = estimate_kernel_value(lab, range(4))
print(gained.sentence)
assert (gained.doubling, round(gained.to_doubling.days / 7)) == (6, 3)

# %%
SHARES = (0.1, 0.3, 0.5, 1.0)
with slide(
    "The gain from faster attention depends on its share of the work",
    "work done a day by the whole cluster, by the share of it that is attention",
) as axes:
    speed = np.geomspace(1, 16, 100)
    for share, colour in zip(SHARES, (BLUE, GREEN, ORANGE, RED), strict=True):
        axes.plot(speed, 1 / (1 - share + share / speed), color=colour)
        label_line_end(axes, 16, 1 / (1 - share + share / 16), f"{share:.0%} attention", colour)
    axes.axvline(curve.largest, color=BLACK, linestyle=(0, (4, 2)), linewidth=1.3)
    label_line_end(axes, curve.largest, 13, f"measured: {curve.largest:.1f}×", BLACK)
    axes.set(xscale="log", xlim=(1, 16), ylim=(1, 16), yscale="log", xlabel="speed-up of attention")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks([1, 2, 4, 8, 16], [f"{n}×" for n in (1, 2, 4, 8, 16)])
        axis.set_ticks([], minor=True)

# %% [markdown]
"""
**In short.** Kernels can be much faster than those of experts who did not optimise for a processor, and a search
makes them faster still. But a doubling of effort bought less than an eighth of a doubling of speed, and attention is
a small part of the work. This loop alone does not lead to an explosion: it brings this lab's sixth doubling forward
by three weeks. `asara kernels report` prints every table, and [Kernels](../explanation/kernels.md) describes how
each number was measured. Next: [a sweep from design to answer](4_sweep.md).
"""
