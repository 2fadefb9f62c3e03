"""Test the closed form in the picture of a run, and pictures of unusual runs."""

import pytest

from experiments.plotting import run_figure as analysis
from experiments.plotting.run_figure import run_figure, run_picture, unconstrained_curve
from sim.growth import SoftwareCurve
from sim.runner import run, summarise
from sim.scenario.model import Scenario
from sim.world import World
from tests.support.known_speedup_curve import FILE


def at_doublings(curve: SoftwareCurve) -> list[float]:
    return [day for day, level in zip(*curve, strict=True) if abs(level - round(level)) < 1e-9 and level > 0]


@pytest.mark.parametrize("name", ["returns-0.7", "limits", "toes"])
def test_unconstrained_curve_contains_the_doublings_of_an_exact_run(name):
    result = run(Scenario.load(name))
    expected = [doubling.day for doubling in result.doublings]
    assert at_doublings(unconstrained_curve(result, result.day))[: len(expected)] == pytest.approx(expected)


def test_unconstrained_curve_within_a_doubling_equals_an_exact_run():
    result = run(Scenario.load("returns-0.7"))
    curve = unconstrained_curve(result, result.day)
    seen = dict(zip(result.series["day"], result.series["discovered"], strict=True))
    assert all(a < b for a, b in zip(curve.days, curve.days[1:], strict=False))
    middle = curve.days.index(at_doublings(curve)[0]) - 8
    nearest = round(curve.days[middle])
    assert curve.doublings[middle] == pytest.approx(seen[float(nearest)], abs=0.02)


def test_run_figure_labels_the_closed_form_only_without_constraints():
    def labels(name: str, measurements: str = "none") -> list[str]:
        changes = {"run__horizon_days": 5.0, "kernels__measurements": measurements}
        figure = run_figure(run(Scenario.load(name).replace(**changes)))
        return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]

    assert "closed form" in labels("toy-explosion")
    assert "the law alone: no queue, no retraining" in labels("lab")
    assert "the law alone: no queue, no retraining" in labels("lab", str(FILE))
    assert "the law alone: no faster kernels" in labels("toy-explosion", str(FILE))


def test_run_figure_shows_the_gpus_that_were_added():
    with World(Scenario.load("lab").replace(run__horizon_days=6.0), 1) as world:
        world.step()
        world.lab.add_nodes("inference", 128)
        while world.running:
            world.step()
        result = summarise(world)
    (axes,) = (each for each in run_figure(result).axes if each.get_ylabel() == "GPUs in use")
    assert axes.get_ylim() == (0, 2048)
    (line,) = (line for line in axes.lines if line.get_label() == "GPUs there")
    assert list(line.get_ydata()) == [1024, 1024, 2048, 2048, 2048, 2048, 2048]


def test_run_picture_of_an_empty_run_is_drawn():
    assert run_picture(run(Scenario.load("lab").replace(run__horizon_days=1e-3)))


def test_run_figure_of_a_long_series_draws_few_points_and_the_last(monkeypatch):
    result = run(Scenario.load("returns-0.7").replace(run__horizon_days=95.0, run__sample_days=1.0))
    monkeypatch.setattr(analysis, "MAX_POINTS", 10)
    assert len(result.series["day"]) > 90
    (line,) = (line for line in run_figure(result).axes[0].lines if line.get_label() == "discovered")
    days = list(line.get_xdata())
    assert len(days) <= 11 + len(result.doublings)
    assert (days[0], days[-1]) == (0, result.day)
