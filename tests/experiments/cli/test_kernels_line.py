"""The line about kernels in the table of a run, and the same facts in its summary."""

import json

from experiments.cli.run_table import kernels_line
from experiments.storage.run_store import summary
from sim.runner import run
from sim.scenario.model import Scenario
from tests.support.known_speedup_curve import FILE, search, session_of, write

LAB = Scenario().replace(
    researcher__initial=60,
    growth__calibrated_for=0,
    training__first_run_gpus=16,
    cluster__gpus=64,
    training__first_run_days=10.0,
    run__horizon_days=60.0,
    run__max_doublings=3,
    kernels__candidates_per_day=1.0,
    kernels__candidate_researcher_hours=0.0,
    kernels__candidate_gpu_hours=0.0,
)


def test_line_of_measured_kernels_names_the_searches():
    result = run(LAB.replace(kernels__measurements=str(FILE), kernels__attention_share=0.5), 2)
    line = kernels_line(result.kernels)
    assert line.startswith(f"Kernels: {result.kernels.speedup:.3g}x attention after ")
    assert "(measured, causal/bf16/both, 3 imagined searches of imagined) → work rate" in line
    assert json.loads(json.dumps(summary(result)["kernels"])) == result.kernels._asdict()


def test_line_without_measurements_is_uncalibrated():
    result = run(LAB.replace(kernels__measurements="none"), 2)
    assert kernels_line(result.kernels) == "Kernels: uncalibrated, speed-up 1."


def test_line_of_a_search_without_a_gain_shows_a_factor_of_one(tmp_path):
    flat = write(tmp_path / "flat.jsonl", search(session_of("flat"), [-0.1] * 8, winner=-0.1))
    found = run(LAB.replace(kernels__measurements=str(flat), kernels__attention_share=0.5), 2)
    assert kernels_line(found.kernels).startswith("Kernels: 1x attention after 0 candidates (measured")
