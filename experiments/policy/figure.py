"""Draw how a lab divides its GPUs under the fixed and the adaptive policy, and the software that follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter
from numpy.typing import NDArray

from experiments.plotting.captions import footer_text
from experiments.plotting.frame import WIDE, Form, add_title, render
from experiments.plotting.slides import darken_for_contrast
from experiments.plotting.style import BLUE, GREEN, ORANGE, PINK, SKY, STYLE
from sim.scenario.model import Scenario
from sim.world import World

Floats = NDArray[np.float64]

POLICIES: Final = {"fixed": GREEN, "adaptive": BLUE}
"""Compared policies, and the colours of their lines."""
_USES: Final = {"inference": SKY, "training": PINK, "experiment": ORANGE}
_LABELS: Final = {"experiment": "experiments"}
_IDLE_TINT: Final = 0.72
"""Share of white in the colour of idle GPUs."""
_NEGLIGIBLE: Final = 0.01
"""Idle share of the GPUs of a use that is not visible."""


class PolicyRun(NamedTuple):
    """GPUs and software of one run, frame by frame."""

    days: Floats
    """Ends of the frames [days]."""
    gpus: dict[str, Floats]
    """GPUs of each use at the end of each frame."""
    held: dict[str, Floats]
    """Mean number of GPUs that the jobs of each use held in each frame, at most its GPUs."""
    software: Floats
    """Discovered software at the end of each frame [doublings]."""
    digest: str
    """Digest of the run."""

    @property
    def idle_share(self) -> float:
        """Share of all GPU time that no job held."""
        total = sum(each.sum() for each in self.gpus.values())
        return float(1 - sum(each.sum() for each in self.held.values()) / total)


def measure_run(scenario: Scenario, seed: int) -> PolicyRun:
    """Run a scenario and return its GPUs and software at each frame."""
    days, software = [], []
    gpus: dict[str, list[float]] = {use: [] for use in _USES}
    held: dict[str, list[float]] = {use: [] for use in _USES}
    with World(scenario, seed) as world:
        datacenter = world.lab.compute.datacenter
        before, since = dict.fromkeys(_USES, 0.0), 0.0
        while world.running:
            world.step()
            pools = datacenter.gpus_by_use()
            for use in _USES:
                total = datacenter.gpu_time(use)
                gpus[use].append(pools[use])
                held[use].append(min(pools[use], (total - before[use]) / max(world.now - since, 1e-9)))
                before[use] = total
            since = world.now
            days.append(since)
            software.append(world.lab.knowledge.discovered)
        digest = world.digest()
    return PolicyRun(
        np.array(days),
        {use: np.array(each, dtype=float) for use, each in gpus.items()},
        {use: np.array(each) for use, each in held.items()},
        np.array(software),
        digest,
    )


def policy_picture(scenario: Scenario, seed: int, form: Form = "png") -> bytes:
    """Run a scenario under each policy, and return the figure as PNG, SVG or PDF, of 16:9 for a slide."""
    runs = {policy: measure_run(scenario.replace(policy__name=policy), seed) for policy in POLICIES}
    footer = footer_text(
        f"scenario {scenario.name}", f"seed {seed}", "engine world", **{name: run.digest for name, run in runs.items()}
    )
    return render(lambda: policy_figure(runs), footer, STYLE, form)


def policy_figure(runs: dict[str, PolicyRun]) -> Figure:
    """Draw the GPUs of each use under each policy side by side, and software under both below."""
    figure = Figure(figsize=WIDE, layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08))
    grid = figure.add_gridspec(3, len(runs), height_ratios=[0.1, 1.5, 1.0])
    panels: list[Axes] = []
    for column, (policy, run) in enumerate(runs.items()):
        axes = figure.add_subplot(grid[1, column], sharey=panels[0] if panels else None)
        _draw_gpus(axes, run)
        axes.set_title(f"{policy}: {run.idle_share:.0%} of GPU time idle", loc="left", fontsize=13, fontweight="bold")
        panels.append(axes)
    panels[0].set_ylabel("GPUs by use")
    software = figure.add_subplot(grid[2, :])
    _draw_software(software, runs)
    figure.align_ylabels([panels[0], software])
    last = {policy: float(run.software[-1]) for policy, run in runs.items()}
    ahead = last["adaptive"] - last["fixed"]
    day = float(runs["fixed"].days[-1])
    add_title(
        figure,
        f"A lab that moves its idle GPUs gains {ahead:.1f} doublings of software by day {day:.0f}",
        "The same lab and cluster under two policies. Above: GPUs of each use that jobs hold (busy) or not (idle). "
        "Below: doublings of discovered software.",
    )
    _add_legend(figure.add_subplot(grid[0, :]), list(runs.values()))
    return figure


def _draw_gpus(axes: Axes, run: PolicyRun) -> None:
    """Draw the GPUs of each use as bands on each other, each with its idle part on top."""
    days = np.concatenate([[0.0], run.days])  # each value refers to the frame that ends with its day
    base = np.zeros(len(days))
    for use, colour in _USES.items():
        held, gpus = (np.concatenate([each[:1], each]) for each in (run.held[use], run.gpus[use]))
        middle, top = base + held, base + gpus
        axes.fill_between(days, base, middle, step="pre", color=colour, linewidth=0)
        axes.fill_between(days, middle, top, step="pre", color=_tint(colour), linewidth=0)
        axes.plot(days, top, color="white", linewidth=1.0, drawstyle="steps-pre")
        base = top
    total = float(base[-1])
    axes.set_ylim(0, total)
    axes.set_xlim(0, float(run.days[-1]))
    axes.yaxis.set_major_locator(FixedLocator([total * quarter / 4 for quarter in range(5)]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.grid(visible=False)


def _draw_software(axes: Axes, runs: dict[str, PolicyRun]) -> None:
    """Draw the doublings of both runs, with their names at the ends of the lines."""
    for policy, run in runs.items():
        axes.plot([0.0, *run.days], [0.0, *run.software], color=POLICIES[policy], linewidth=2.6)
        axes.annotate(
            f"{policy}: {run.software[-1]:.1f}",
            (float(run.days[-1]), float(run.software[-1])),
            (7, 0),
            textcoords="offset points",
            va="center",
            color=darken_for_contrast(POLICIES[policy]),
            fontweight="bold",
            annotation_clip=False,
        )
    axes.set_xlim(0, max(float(run.days[-1]) for run in runs.values()))
    axes.set_ylim(0, 1.08 * max(float(run.software[-1]) for run in runs.values()))
    axes.set_ylabel("software doublings")
    axes.set_xlabel("days")


def _add_legend(axes: Axes, runs: Sequence[PolicyRun]) -> None:
    """Show the colours of busy and idle GPUs in a row of their own; a use that is hardly idle has one colour."""
    axes.axis("off")
    patches = []
    for use, colour in _USES.items():
        patches.append(Patch(color=colour, label=f"{_LABELS.get(use, use)}, busy"))
        if any(run.held[use].sum() < (1 - _NEGLIGIBLE) * run.gpus[use].sum() for run in runs):
            patches.append(Patch(color=_tint(colour), label=f"{_LABELS.get(use, use)}, idle"))
    axes.legend(handles=patches, loc="center left", bbox_to_anchor=(-0.012, 0.5), ncols=len(patches), handlelength=1.2)


def _tint(colour: str) -> tuple[float, float, float]:
    """Return a colour mixed with white, for idle GPUs."""
    red, green, blue = (channel + (1 - channel) * _IDLE_TINT for channel in to_rgb(colour))
    return red, green, blue
