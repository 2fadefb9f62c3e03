"""Research that several labs do more than once, against closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim.lab_params import PUBLICATION_STEP
from sim.race import RaceResult, run_race
from sim.repeated_research import LabResearch, repeated_share
from tests.support.several_labs import THINKERS, labs_of

POOLED = THINKERS | {"researcher__timing": "pooled", "run__horizon_days": 90.0, "run__sample_days": 10.0}
"""Labs that publish pooled work: at each doubling, the first on day 30, and in small steps if others read it."""


def race(own: dict[str, dict[str, Any]], **shared: Any) -> RaceResult:
    return run_race(labs_of(POOLED, own, **shared))


@pytest.mark.parametrize(("labs", "share"), [(2, 0.0), (3, 0.0), (3, 0.25), (2, 1.0)])
def test_repeated_share_of_equal_labs_is_what_they_do_not_pass_on(labs: int, share: float) -> None:
    own: dict[str, dict[str, Any]] = {f"lab{each}": {} for each in range(labs)}
    found = race(own, commons__publication_share=share).repeated_shares()
    assert found[0] == 0, "no research has been done on day 0"
    assert found[4:] == pytest.approx((1 - share) * (labs - 1) / labs, abs=PUBLICATION_STEP / 4)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_repeated_share_of_labs_that_share_nothing_is_that_of_the_smaller_ones(size: int) -> None:
    result = race({"large": {"cluster__gpus": 64 * size}, "small": {}})
    assert result.repeated_share_on(40.0) == pytest.approx(1 / (1 + size))


@pytest.mark.parametrize("lag", [3.0, 12.0, 36.0])
def test_repeated_share_with_a_lag_counts_papers_under_way(lag: float) -> None:
    result = race({"a": {}, "b": {}}, commons__publication_share=1.0, commons__lag_days=lag)
    for day in (6.0, 12.0, 18.0):  # before the first doubling, so that both labs write at a constant rate
        expected = min(1.0, lag / day) / 2  # half of what was written during the lag
        assert result.repeated_share_on(day) == pytest.approx(expected, abs=2 * PUBLICATION_STEP)


def test_repeated_share_depends_on_the_lab_that_knows_most() -> None:
    writer = LabResearch(written=np.array([0.0, 6.0, 6.0]), known=np.array([0.0, 6.0, 6.0]))
    reader = LabResearch(written=np.array([0.0, 2.0, 4.0]), known=np.array([0.0, 5.0, 9.0]))
    assert repeated_share([writer, reader]).tolist() == [0.0, 0.25, pytest.approx(0.1)]
