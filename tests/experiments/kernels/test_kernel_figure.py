"""What is drawn of searches, and that labels do not lie over each other."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.kernels import figure
from experiments.kernels.curve_fits import fits
from experiments.kernels.result_tables import fresh
from experiments.kernels.search_tables import searches
from tests.support.synthetic_traces import ended, measured, session, trials

heights = st.lists(st.floats(-0.5, 1.5), min_size=1, max_size=9)


@given(heights)
def test_labels_do_not_overlap_and_stay_in_the_panel(found):
    placed = figure.spread([figure.Label(height, str(at), "black") for at, height in enumerate(found)])
    at = [height for _, height in placed]
    assert all(upper - lower >= figure._LINE_HEIGHT - 1e-9 for lower, upper in pairwise(at))
    assert -1e-9 <= min(at) <= max(at) <= 1 + 1e-9
    assert [label.height for label, _ in placed] == sorted(found)


def test_a_label_with_room_is_where_it_speaks_of():
    labels = [figure.Label(height, "x", "black") for height in (0.2, 0.5, 0.8)]
    assert [height for _, height in figure.spread(labels)] == pytest.approx([0.2, 0.5, 0.8])


def drawn(lines):
    return figure.panels(searches(lines), fresh(lines), fits(lines))


def test_each_workload_with_something_to_show_has_a_panel():
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
    assert causal.fit is None, "its search is not over"
    assert short.fit is not None
    assert figure.picture([causal, short]).startswith(b"\x89PNG")


def test_searches_that_contradict_each_other_are_drawn_without_a_curve():
    """SDPA was faster than a roofline that was measured under load, and the winner faster than SDPA."""
    hasty = session("a")
    low = {"roofline": {"gflops": {"fp32": 1.0}, "copy_gbs": 1e9}}
    lines = [*trials(hasty, [1.2] * 4), ended(hasty, 4), *measured(hasty, "winner", "avx512", 1.2, 1.2)]
    (panel,) = drawn([hasty.model_copy(update={"machine": hasty.machine | low}), *lines])
    assert (panel.fit, len(panel.winners)) == (None, 1)


def test_one_candidate_on_an_unknown_machine_can_be_drawn():
    bare = session("a").model_copy(update={"machine": {}})
    assert figure.picture(drawn([bare, *trials(bare, [0.9])])).startswith(b"\x89PNG")


def test_nothing_is_not_drawn():
    with pytest.raises(ValueError, match="nothing to draw"):
        figure.picture([])


def test_picture_of_many_workloads_has_two_columns_and_a_footer():
    lines = []
    for name in ("causal", "long", "short", "wide", "decode"):
        each = session(name, name)
        lines += [each, *trials(each, [1.0, 1.2])]
    found = figure.picture(drawn(lines), "searches: 5", form="svg").decode()
    assert "searches: 5" in found
    width = float(re.search(r'<svg [^>]*width="([0-9.]+)pt"', found).group(1))
    assert width == pytest.approx(72 * 2 * figure.WIDTH)
