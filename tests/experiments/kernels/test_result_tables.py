"""Tests of the tables of results and searches, from synthetic traces with known speed-ups."""

import math

import pytest

from experiments.kernels import measurement_sessions, result_tables, search_tables
from hardware.kernels.search import geomean_speedup
from hardware.kernels.statistics import Speedup, geomean
from hardware.kernels.trace import CandidateSource, SearchEnd, geomean_over_shapes
from tests.support.synthetic_traces import measured, session, timed, trial, trials

TUNE = session("t", proposer="autotune", budget=20)
LINES = [
    TUNE,
    *measured(TUNE, "A/A", "sdpa", 1.0, 1.0),
    *measured(TUNE, "library", "sdpa", 1.0, 1.0, eager=3.0),
    *trials(TUNE, [0.8, None, 1.1, 1.05, 1.6]),
    *measured(TUNE, "naive", "avx512", 0.8, 0.7, eager=2.1, lines=300, tile=1),
    *measured(TUNE, "winner", "avx512", 1.5, 1.25, eager=3.75, error=1.5, lines=300, tile=5, unroll=2),
]


def row(lines, method):
    (found,) = [
        row for row in result_tables.kernel_rows(result_tables.remeasured_kernels(lines)) if row.method == method
    ]
    return found


def test_kernel_rows_follow_the_order_of_the_article():
    found = result_tables.kernel_rows(result_tables.remeasured_kernels(LINES))
    assert [row.method for row in found] == ["expert library", "auto-tuner", "naive"]
    assert {row.workload for row in found} == {"causal/fp32/forward"}
    assert {row.machine for row in found} == {"Imaginary 9000"}


def test_kernel_row_has_gains_on_tuned_and_held_out_shapes():
    winner = row(LINES, "auto-tuner")
    assert winner.over_sdpa.ratio == pytest.approx(1.25)
    assert winner.on_tuned.ratio == pytest.approx(1.5)
    assert winner.over_eager.ratio == pytest.approx(3.75)
    assert winner.candidate == "avx512(tile=5, unroll=2)"
    assert (winner.searches, winner.lines, winner.parameters, winner.error) == (1, 300, 2, 1.5)


def test_kernel_row_of_sdpa_is_one_and_its_gain_over_eager_is_measured():
    standard = row(LINES, "expert library")
    assert standard.over_sdpa == (1, 1, 1)
    assert standard.over_eager.ratio == pytest.approx(3)
    assert (standard.parameters, standard.lines) == (0, None)


def test_kernel_row_roofline_fraction_follows_from_the_times():
    # SDPA takes twice the least: a kernel 1.25 times as fast is at 1.25 / 2 of the roofline.
    assert row(LINES, "auto-tuner").roofline == pytest.approx(1.25 / 2)
    assert row(LINES, "naive").roofline == pytest.approx(0.7 / 2)
    bare = TUNE.model_copy(update={"machine": {"processor": "unknown"}})
    assert row([bare, *LINES[1:]], "naive").roofline is None


def test_kernel_row_of_repeated_searches_is_their_geometric_mean():
    again = TUNE.model_copy(update={"session": "t2"})
    lines = [*LINES, again, *measured(again, "winner", "avx512", 1.6, 2.0, tile=7)]
    winner = row(lines, "auto-tuner")
    assert winner.over_sdpa.ratio == pytest.approx(math.sqrt(1.25 * 2))
    assert (winner.searches, winner.candidate) == (2, "avx512(tile=7)")


def test_average_rows_are_geometric_means_over_workloads_with_the_best_family():
    long = session("l", "long", proposer="autotune")
    lines = [
        *LINES,
        long,
        *measured(long, "winner", "avx512", 2.0, 2.0),
        *measured(long, "winner", "portable", 1.0, 1.0),
    ]
    (mean,) = result_tables.average_rows(result_tables.kernel_rows(result_tables.remeasured_kernels(lines)))
    assert (mean.workload, mean.method) == ("all 2/fp32/forward", "auto-tuner")
    assert mean.over_sdpa.ratio == pytest.approx(math.sqrt(1.25 * 2))
    assert mean.over_eager is None


def test_kernel_gap_is_the_gain_of_the_best_kernel_that_passed():
    llm = session("m", proposer="llm")
    wrong = measured(llm, "winner", "avx512", 9.0, 9.0, status="wrong", tile=9)
    (gap,) = result_tables.kernel_gaps(result_tables.remeasured_kernels([*LINES, llm, *wrong]))
    assert (gap.candidate, gap.proved) == ("avx512(tile=5, unroll=2)", True)
    assert gap.gap.ratio == pytest.approx(1.25)


def test_kernel_gap_chooses_by_tuned_shapes_and_reports_held_out_shapes():
    """Choosing by the held-out shapes would overestimate the gain there."""
    overestimated = measured(TUNE, "family", "portable", 1.4, 1.9, tile=9)
    (gap,) = result_tables.kernel_gaps(result_tables.remeasured_kernels([*LINES, *overestimated]))
    assert (gap.candidate, gap.gap.ratio) == ("avx512(tile=5, unroll=2)", pytest.approx(1.25))
    other = measured(TUNE, "family", "avx512", 1.4, 1.9, tile=9)
    known = measurement_sessions.best_known_candidate([*LINES, *other], TUNE.full_name, "avx512")
    assert known.values == {"tile": 5, "unroll": 2}


def test_average_rows_choose_the_family_by_tuned_shapes():
    long = session("l", "long", proposer="autotune")
    lines = [
        *LINES,
        long,
        *measured(long, "winner", "avx512", 2.0, 2.0),
        *measured(long, "winner", "portable", 1.0, 9.0),
    ]
    (mean,) = result_tables.average_rows(result_tables.kernel_rows(result_tables.remeasured_kernels(lines)))
    assert mean.over_sdpa.ratio == pytest.approx(math.sqrt(1.25 * 2))


def test_held_out_gain_interval_is_that_over_rounds():
    """Errors that all shapes of a round share do not average out over shapes."""
    pairs = tuple((1 / gain, 1.0) for gain in (0.9, 1.0, 1.1, 1.0, 1.0))
    (one, *_) = timed(TUNE, None, 1.0)
    shapes = [one.model_copy(update={"pairs": pairs, "rounds": (1,) * 5})] * 4
    found = result_tables.held_out_gain(shapes)
    assert found == geomean_over_shapes(shapes)
    assert found.half_width == pytest.approx(2 * geomean([each.speedup for each in shapes]).half_width)


def test_machine_name_is_the_processor():
    """No kernel is timed on an accelerator, so its name is not used."""
    beside = TUNE.model_copy(update={"machine": TUNE.machine | {"accelerator": "Imaginary GPU"}})
    assert {
        each.machine for each in result_tables.kernel_rows(result_tables.remeasured_kernels([beside, *LINES[1:]]))
    } == {"Imaginary 9000"}
    assert result_tables.machine_name(TUNE.model_copy(update={"machine": {}})) == "unknown machine"


def test_kernel_gap_without_a_faster_kernel_is_one():
    slow = [TUNE, *measured(TUNE, "winner", "avx512", 2.0, 0.9)]
    assert result_tables.kernel_gaps(result_tables.remeasured_kernels(slow)) == [
        result_tables.KernelGap("Imaginary 9000", "causal/fp32/forward", "sdpa", Speedup(1, 1, 1), proved=False)
    ]


def test_remeasured_kernels_exclude_trials():
    assert result_tables.remeasured_kernels([TUNE, *trials(TUNE, [5.0])]) == []
    assert result_tables.kernel_gaps([]) == []
    assert result_tables.kernel_rows([]) == []


def test_kernel_row_counts_the_lines_of_untrusted_source():
    (line,) = measured(TUNE, "winner", "foreign", 1.0, 1.0)
    text = CandidateSource(digest="ab" * 32, text="// a comment\n\nint attention() {\n  return 0;\n}\n")
    found = row([TUNE, text, line.model_copy(update={"source": text.digest})], "auto-tuner")
    assert (found.lines, found.candidate) == (3, "foreign(abababab)")


@pytest.mark.parametrize(
    ("low", "words"),
    [(1.03, "kernel is 1.42x [1.03, 1.45]"), (1.02, "No significant gain"), (0.9, "No significant gain")],
)
def test_claim_is_significant_only_if_the_lower_end_is_above_2_percent(low, words):
    sentence = result_tables.claim_sentence("kernel", Speedup(1.42, low, 1.45))
    assert sentence.startswith(words)
    assert "on held-out shapes" in sentence
    assert f"1.42x [{low:.2f}, 1.45] as fast as torch's SDPA" in sentence


def test_noise_rows_contain_the_aa_test():
    (found,) = result_tables.noise_rows(LINES)
    assert found.ratio.ratio == pytest.approx(1)
    assert result_tables.noise_rows([TUNE]) == []


def test_search_row_contains_the_steps_of_its_best():
    (found,) = search_tables.search_rows(LINES)
    assert [number for number, _ in found.steps] == [1, 3, 5]
    assert [gain for _, gain in found.steps] == pytest.approx([0.8, 1.1, 1.6])
    assert (found.best, found.tried, found.over) == ("avx512(tile=5)", 5, False)
    assert found.cap == pytest.approx(2)
    assert (found.counts, found.cpu_s) == ({"passed": 4, "wrong": 1}, 5)
    (over,) = search_tables.search_rows([*LINES, SearchEnd(session="t", reason="spent", trials=5)])
    assert over.over


def test_search_row_without_a_passing_candidate_has_no_best():
    (found,) = search_tables.search_rows([TUNE, *trials(TUNE, [None, None])])
    assert (found.steps, found.best, found.cap) == ((), "", None)


def test_failure_rows_count_statuses_for_each_proposer():
    llm = session("m", proposer="llm")
    lines = [*LINES, llm, trial(llm, 1, None, "failed to build"), trial(llm, 2, None, "inconclusive")]
    tuner, model, together = search_tables.failure_rows(lines)
    assert (tuner.proposer, tuner.failed, tuner.families) == ("autotune", pytest.approx(1 / 5), {"ragged lengths": 1})
    assert (model.counts, model.failed) == ({"failed to build": 1, "inconclusive": 1}, 0.5)
    assert (together.proposer, together.tried, together.failed) == ("all", 7, pytest.approx(2 / 7))


@pytest.mark.parametrize(("sign", "answer"), [(1, 1.0), (-1, -1.0)])
def test_forecast_row_has_the_rank_correlation_of_prediction_and_outcome(sign, answer):
    lines = [TUNE, *(trial(TUNE, n, 1 + n / 10, expects=10 + sign * n) for n in range(1, 7))]
    (found,) = search_tables.forecast_rows([*lines, trial(TUNE, 7, None, "wrong", expects=99.0)])
    assert (found.proposer, found.pairs) == ("autotune", 6)
    assert found.rank_correlation == pytest.approx(answer)
    assert found.optimism > 4


def test_forecast_row_of_few_or_equal_predictions_has_no_rank_correlation():
    few = [TUNE, *(trial(TUNE, n, 1.0 + n, expects=float(n)) for n in range(1, 4))]
    alike = [TUNE, *(trial(TUNE, n, 1.0 + n, expects=2.0) for n in range(1, 9))]
    assert search_tables.forecast_rows(few)[0].rank_correlation is None
    assert search_tables.forecast_rows(alike)[0].rank_correlation is None
    assert search_tables.forecast_rows(LINES) == []


def test_geomean_speedup_equals_the_held_out_gain():
    shapes = timed(TUNE, 1.3, 1.7)
    assert geomean_speedup(shapes) == pytest.approx(1.3)
    assert geomean_speedup(shapes, held_out=True) == pytest.approx(1.7)
    assert geomean_speedup([]) is None
    assert result_tables.held_out_gain(shapes).ratio == pytest.approx(1.7)
    assert result_tables.held_out_gain(shapes, held_out=False).ratio == pytest.approx(1.3)
    assert result_tables.held_out_gain([]) is None
