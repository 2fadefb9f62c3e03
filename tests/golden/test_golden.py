"""Compare a run with its recorded events.

For a change on purpose, run `make golden` and give the reason in the commit.
"""

from sim.events import ActiveResearchersChanged, Deployed, SoftwareDoubled
from tests.golden.renew import FILE, golden_ledger, golden_run


def test_golden_run_equals_the_recorded_run():
    expected, found = FILE.read_text(encoding="utf-8").splitlines(), golden_ledger().splitlines()
    for number, (old, new) in enumerate(zip(expected, found, strict=False), start=1):
        assert new == old, f"line {number} of {FILE.name} has moved"
    assert len(found) == len(expected)


def test_golden_run_contains_every_kind_of_event():
    """Otherwise a change of queues, failures, training or active researchers could not change it."""
    result = golden_run()
    assert sum(job.use == "experiment" and job.waited > 0.1 for job in result.jobs) >= 3
    assert sum(job.failures for job in result.jobs) > 0
    assert sum(job.lost + job.restarts for job in result.jobs) > 0
    assert any(job.use == "training" and job.outcome == "done" for job in result.jobs)
    assert sum(isinstance(event, Deployed) for event in result.events) >= 2
    assert sum(isinstance(event, SoftwareDoubled) for event in result.events) >= 2
    teams = [event.researchers for event in result.events if isinstance(event, ActiveResearchersChanged)]
    assert teams == sorted(teams) and teams[-1] > teams[0]
