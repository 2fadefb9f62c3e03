"""Test the figures of a sweep: their labels, and that no label is for missing elements."""

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from experiments.sweep.analysis import (
    explosion_probability,
    fan_chart,
    lever_effects,
    limiting_resource,
    report,
    sensitivity,
)
from experiments.sweep.analysis.figure_frame import png
from experiments.sweep.analysis.sweep_data import sweep_of
from tests.support.sweep_tables import ONLY_THE_LAW, drawn, manifest, row, small, table, write

HELD = {name: value for name, value in ONLY_THE_LAW.items() if name != "training__required"} | {
    "training__required": True
}


def legend(figure):
    found = figure.axes[0].get_legend()
    return [text.get_text() for text in found.get_texts()]


def texts(axes):
    return [text.get_text() for text in axes.texts]


def held(points):
    """A sweep with training runs, which has no closed form."""
    return sweep_of(drawn(points, levers={"training__required": [True]}), manifest(points, levers=[]))


def test_fan_of_a_single_run_names_no_bands():
    assert legend(fan_chart.fan_figure(held(1))) == ["the only run"]


def test_fan_of_few_runs_draws_each_of_them():
    figure = fan_chart.fan_figure(held(4))
    assert legend(figure) == ["each run", "median run"]
    assert len(figure.axes[0].lines) == 5


def test_fan_of_many_runs_has_bands():
    assert legend(fan_chart.fan_figure(held(64))) == ["90% of runs", "half of the runs", "median run"]


def one_at_a_time(horizon=730.0):
    """r at 0.9 in the middle, 0.5 and 2.0: with the low value a 1,000-fold gain is not reached."""
    rows = [row(at, at, {"growth__r": r, "run__horizon_days": horizon}, 0.0) for at, r in enumerate((0.9, 0.5, 2.0))]
    said = manifest(
        3,
        sampling="one-at-a-time",
        points=3,
        uncertainties={"growth__r": {"distribution": "uniform", "low": 0.5, "high": 2.0}},
    )
    return sweep_of(table(rows), said)


def test_tornado_writes_values_and_never_at_the_ends_of_equal_bars():
    axes = sensitivity.tornado_figure(one_at_a_time(), "days_to_1000x").axes[0]
    assert [text for text in texts(axes) if text.startswith("0.5")] == ["0.5: never"]
    assert any(text.startswith("2: ") and text[3:].isdigit() for text in texts(axes))
    assert {round(bar.get_height(), 6) for bar in axes.patches} == {0.34}
    assert axes.get_xlabel().replace("\n", " ") == "median days until software is 1,000 times that of day 0"


def test_tornado_texts_lie_within_the_panel():
    figure = sensitivity.tornado_figure(small(128), "days_to_1000x")
    FigureCanvasAgg(figure).draw()
    panel = figure.axes[0].get_window_extent()
    for text in figure.axes[0].texts:
        box = text.get_window_extent()
        assert panel.x0 - 1 <= box.x0, text.get_text()
        assert box.x1 <= panel.x1 + 1, text.get_text()


def test_map_colours_cells_of_a_single_run():
    levels = {"growth__r": {"distribution": "uniform", "low": 0.5, "high": 2.0}}
    rows = [
        row(at, at, {"growth__r": r, "training__gain": gain}, 0.0)
        for at, (r, gain) in enumerate((r, gain) for r in (0.5, 2.0) for gain in (1.2, 1.5))
    ]
    sweep = sweep_of(
        table(rows),
        manifest(4, sampling="grid", points=4, uncertainties=levels | {"training__gain": levels["growth__r"]}),
    )
    axes = explosion_probability.plane_figure(sweep, "growth__r", "training__gain").axes[0]
    colours = {tuple(round(part, 3) for part in patch.get_facecolor()) for patch in axes.patches}
    assert len(axes.patches) == 4
    assert len(colours) == 2, "0% and 100% differ"
    assert all(colour[3] == 1 for colour in colours), "no cell is left white"


def test_cells_of_a_limits_map_are_divided_between_resources():
    figure = limiting_resource.limits_figure(small(64), "growth__r", "growth__parallel_penalty")
    assert {"researchers", "experiments"} <= set(legend(figure))
    axes = figure.axes[0]
    filled = [patch for patch in axes.patches if patch.get_width() > 0]
    cells = {round(patch.get_y(), 3) for patch in filled}
    total = sum(patch.get_width() for patch in filled if round(patch.get_y(), 3) == min(cells))
    assert total == pytest.approx(0.96 * len(axes.get_xticks()))


def test_report_with_one_limit_everywhere_has_no_map_of_limits():
    sweep = small(32)
    same = sweep.with_column("limited_by", sweep.runs["limited_by"].combine_chunks().fill_null("researchers"))
    import pyarrow as pa

    same = sweep.with_column("limited_by", pa.array(["researchers"] * sweep.n))
    found = {part.name: part for part in report.parts(same)}
    assert found["limits"].figure is None
    assert "researchers in 100%" in found["limits"].sentences[0]


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.55, 1.02, [0.6, 0.7, 0.8, 0.9, 1.0]),
        (0.98, 1.02, [0.98, 0.99, 1.0, 1.01, 1.02]),
        (0.9, 5.0, [1, 2, 3, 4, 5]),
        (0.4, 70.0, [1.0, 4.0, 16.0, 64.0]),
    ],
)
def test_ticks_of_factors_are_round(low, high, ticks):
    assert lever_effects.factor_ticks(low, high) == pytest.approx(ticks)


def test_png_of_a_sweep_with_a_footer_leaves_the_figure_unchanged():
    sweep = small(16)
    footer = report.figure_footer(sweep)
    assert footer == f"n = 16 runs · seed 1 · engine world · asara 0.1.0 · design digest {'d' * 12}"
    figure = fan_chart.fan_figure(sweep)
    with_footer, without = png(figure, footer), png(figure)
    assert with_footer != without
    assert (png(figure, footer), png(figure)) == (with_footer, without)
    assert figure.texts == []


@pytest.mark.slow
def test_analyse_with_an_outcome_shows_only_that_tornado(asara, tmp_path):
    write(tmp_path / "small", drawn(32), manifest(32, points=32))
    answer = asara("analyse", "small", "--outcome", "days_to_100x")
    assert answer.code == 0
    tornados = sorted(path.name for path in (tmp_path / "small" / "analysis").glob("tornado*.png"))
    assert tornados == ["tornado-days_to_100x.png"]


def test_analyse_with_an_unknown_outcome_lists_the_available_ones(asara, tmp_path):
    answer = asara("analyse", "small", "--outcome", "days_to_100")
    assert answer.code == 2
    assert "days_to_1000x" in answer.err
    assert "did you mean 'days_to_100x'" in answer.err
