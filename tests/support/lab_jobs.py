"""Submit jobs to the lab of a World, for tests."""

from agents.identity import AgentId
from agents.ports.compute import JobHandle
from sim.world import World


def submit_job(world: World, use: str, gpus: int, days: float) -> JobHandle:
    """Submit a job to the only lab, of a length with the kernels of day 0; nothing happens at its end."""
    return world.lab.compute.submit_job(use, gpus, days, AgentId("", "test", 0), lambda job: None)
