"""Real data for tests: it lies in ../shared/data beside the checkout, or in the folder that ASARA_DATA names."""

import os
from pathlib import Path

import pytest

SOURCES = {
    "traces/NASA-iPSC-1993-3.1-cln.swf.gz": "the Parallel Workloads Archive (log NASA iPSC)",
    "traces/philly_runtime_gpus.csv": "the Philly distribution of stanford-futuredata/gavel on GitHub",
    "traces/openb_pod_list_default.csv": "alibaba/clusterdata on GitHub (cluster-trace-gpu-v2023)",
    "nanogpt_speedrun.csv": "the README of KellerJordan/modded-nanogpt on GitHub",
    "metr_time_horizons_1_1.csv": "METR's page on time horizons (version 1.1)",
    "aifm_years_from_ac_to_milestones.csv": "the milestone table of the AI Futures Model, December 2025",
}
"""File → where to get it."""


def shared_file(name: str) -> Path:
    """Return a file of the shared data, or skip the test with the source of the file."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("ASARA_DATA") or beside)
    path = folder / name
    if not path.exists():
        pytest.skip(
            f"{name} is not in {folder}. Get it from {SOURCES[name]}, and put it there or set ASARA_DATA to its folder."
        )
    return path
