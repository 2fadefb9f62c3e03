"""Write the golden run, its events and job records as text, to ``lab.txt``.

``make golden`` runs this module. Give the reason for new golden output in the commit message.
"""

from pathlib import Path

from sim.events import EVENT_FORMAT, digest_text
from sim.runner import RunResult, run
from sim.scenario.model import Scenario

FILE = Path(__file__).with_name("lab.txt")


def golden_run() -> RunResult:
    """Run a small lab in which experiments wait for GPUs, and experiments and training runs fail."""
    scenario = Scenario().replace(
        researcher__initial=16,
        researcher__experiment_gpu_days=12.0,
        growth__calibrated_for=0,
        cluster__gpus=48,
        cluster__training_share=0.34,
        cluster__inference_share=0.33,
        cluster__gpu_hours_between_failures=800.0,
        training__first_run_days=12.0,
        training__first_run_gpus=16,
        run__horizon_days=120.0,
        run__max_doublings=4,
    )
    return run(scenario, seed=11)


def golden_ledger() -> str:
    """Return every event and job record of the golden run, one per line."""
    result = golden_run()
    return "\n".join([f"event format {EVENT_FORMAT}", *map(digest_text, [*result.events, *result.jobs])]) + "\n"


if __name__ == "__main__":
    FILE.write_text(golden_ledger(), encoding="utf-8")
