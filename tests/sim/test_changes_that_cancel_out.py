"""Nodes and orders that change and change back in the same instant leave the digest of a World as it is."""

import pytest

from hardware.uses import Use
from sim.scenario.model import Scenario
from sim.world import World


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"cluster__partitioning": "priority", "cluster__queue": "sjf"},
        {"cluster__placement": "flat", "run__max_individuals": 4},
    ],
    ids=["static", "shared", "cohort"],
)
def test_changes_that_cancel_out_keep_the_digest(changes: dict[str, object]) -> None:
    lab = Scenario.load("lab").replace(cluster__gpus=128, run__horizon_days=40, run__max_individuals=100)
    plain, changed = (World(lab.replace(**changes), 3) for _ in range(2))
    gate, cluster = changed.lab.compute.gate, changed.lab.compute.datacenter
    while plain.running:
        plain.step()
        for use in Use:
            changed.lab.add_nodes(use, 2)
            changed.lab.add_nodes(use, 1, speed=2.0)
            gate.hold(use, running="preempt")
            gate.resume(use)
            changed.lab.retire_nodes(use, 1, speed=2.0)
            changed.lab.retire_nodes(use, 2, speed=1.0)
        changed.step()
    assert changed.digest() == plain.digest()
    assert cluster.records == plain.lab.compute.datacenter.records
    assert cluster.capacity == changed.scenario.cluster.gpus
