"""Tests of the figure of searches: its panels, and labels that do not overlap."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.kernels import figure
from experiments.kernels.curve_fits import fit_curves
from experiments.kernels.result_tables import remeasured_kernels
from experiments.kernels.search_tables import search_rows
from tests.support.synthetic_traces import ended, measured, session, trials

heights = st.lists(st.floats(-0.5, 1.5), min_size=1, max_size=9)


@given(heights)
def test_label_heights_do_not_overlap_and_stay_in_the_panel(found):
    placed = figure.avoid_label_overlap([figure.Label(height, str(at), "black") for at, height in enumerate(found)])
    at = [height for _, height in placed]
    assert all(upper - lower >= figure.LABEL_HEIGHT - 1e-9 for lower, upper in pairwise(at))
    assert -1e-9 <= min(at) <= max(at) <= 1 + 1e-9
    assert [label.height for label, _ in placed] == sorted(found)


def test_label_heights_with_enough_space_are_those_of_their_marks():
    labels = [figure.Label(height, "x", "black") for height in (0.2, 0.5, 0.8)]
    assert [height for _, height in figure.avoid_label_overlap(labels)] == pytest.approx([0.2, 0.5, 0.8])


def drawn(lines):
    return figure.build_panels(search_rows(lines), remeasured_kernels(lines), fit_curves(lines))


def test_panels_show_each_workload_with_a_passing_candidate():
    first, second, third = session("a", "causal"), session("b", "long"), session("c", "short")
    lines = [
        first,
        second,
        third,
        *trials(first, [1.0, 1.2]),
        *trials(second, [None, None]),
        *trials(third, [0.1] * 5),
        *measured(first, "winner", "avx512", 1.2, 1.1),
        ended(third, 5),
        *measured(third, "winner", "avx512", 0.1, 0.2),
    ]
    causal, short = drawn(lines)
    assert (causal.workload, short.workload) == ("causal/fp32/forward", "short/fp32/forward")
    assert [gain.ratio for _, gain in causal.winners] == pytest.approx([1.1])
    assert [gain.ratio for _, gain in short.winners] == pytest.approx([0.2])
    assert causal.fit is None, "its search is not complete"
    assert short.fit is not None
    assert figure.searches_picture([causal, short]).startswith(b"\x89PNG")


def test_panel_of_contradictory_searches_has_no_curve():
    """SDPA is faster than a roofline that was measured under load, and the winner is faster than SDPA."""
    hasty = session("a")
    low = {"roofline": {"gflops": {"fp32": 1.0}, "copy_gbs": 1e9}}
    lines = [*trials(hasty, [1.2] * 4), ended(hasty, 4), *measured(hasty, "winner", "avx512", 1.2, 1.2)]
    (panel,) = drawn([hasty.model_copy(update={"machine": hasty.machine | low}), *lines])
    assert (panel.fit, len(panel.winners)) == (None, 1)


def test_figure_of_one_candidate_on_an_unknown_machine_is_drawn():
    bare = session("a").model_copy(update={"machine": {}})
    assert figure.searches_picture(drawn([bare, *trials(bare, [0.9])])).startswith(b"\x89PNG")


def test_figure_without_panels_raises():
    with pytest.raises(ValueError, match="nothing to draw"):
        figure.searches_picture([])


def test_figure_of_many_workloads_has_two_columns_and_a_footer():
    lines = []
    for name in ("causal", "long", "short", "wide", "decode"):
        each = session(name, name)
        lines += [each, *trials(each, [1.0, 1.2])]
    found = figure.searches_picture(drawn(lines), "searches: 5", form="svg").decode()
    assert "searches: 5" in found
    width = float(re.search(r'<svg [^>]*width="([0-9.]+)pt"', found).group(1))
    assert width == pytest.approx(72 * 2 * figure.WIDTH)
