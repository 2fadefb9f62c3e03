"""The closed form that a picture shows beside its run, and the drawing of odd runs."""

import pytest

from experiments.plotting import run_figure as analysis
from experiments.plotting.run_figure import run_figure, run_picture, unconstrained_curve
from sim.growth import SoftwareCurve
from sim.runner import run
from sim.scenario.model import Scenario
from tests.support.known_speedup_curve import FILE


def at_doublings(curve: SoftwareCurve) -> list[float]:
    return [day for day, level in zip(*curve, strict=True) if abs(level - round(level)) < 1e-9 and level > 0]


@pytest.mark.parametrize("name", ["returns-0.7", "limits", "toes"])
def test_the_closed_form_runs_through_the_doublings_of_an_exact_run(name):
    result = run(Scenario.load(name))
    expected = [doubling.day for doubling in result.doublings]
    assert at_doublings(unconstrained_curve(result, result.day))[: len(expected)] == pytest.approx(expected)


def test_within_a_doubling_the_closed_form_is_what_an_exact_run_discovers():
    result = run(Scenario.load("returns-0.7"))
    curve = unconstrained_curve(result, result.day)
    seen = dict(zip(result.series["day"], result.series["discovered"], strict=True))
    assert all(a < b for a, b in zip(curve.days, curve.days[1:], strict=False))
    middle = curve.days.index(at_doublings(curve)[0]) - 8
    nearest = round(curve.days[middle])
    assert curve.doublings[middle] == pytest.approx(seen[float(nearest)], abs=0.02)


def test_the_closed_form_has_its_name_only_where_nothing_else_holds_software_up():
    def labels(name: str, measurements: str = "none") -> list[str]:
        changes = {"run__horizon_days": 5.0, "kernels__measurements": measurements}
        figure = run_figure(run(Scenario.load(name).replace(**changes)))
        return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]

    assert "closed form" in labels("toy-explosion")
    assert "the law alone: no queue, no retraining" in labels("lab")
    assert "the law alone: no queue, no retraining" in labels("lab", str(FILE))
    assert "the law alone: no faster kernels" in labels("toy-explosion", str(FILE))


def test_a_run_in_which_nothing_happened_has_a_picture_too():
    assert run_picture(run(Scenario.load("lab").replace(run__horizon_days=1e-3)))


def test_a_long_series_is_thinned_and_keeps_its_last_point(monkeypatch):
    monkeypatch.setattr(analysis, "MAX_POINTS", 10)
    days, squares = analysis._downsample([list(range(95)), [day**2 for day in range(95)]])
    assert len(days) <= 11
    assert (days[0], days[-1]) == (0, 94)
    assert squares == [day**2 for day in days]
