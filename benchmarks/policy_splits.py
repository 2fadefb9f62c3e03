"""Compare the adaptive policy with the best fixed division of the GPUs: about four minutes of one core.

Prints a table with one row per lab and horizon. Each mean is over 8 seeds.
"""

from experiments.policy.fixed_splits import COMPARED_LABS, TRAINING_LABS, compare_with_fixed_splits, software_at_end
from sim.scenario.model import Scenario

SEEDS = range(8)
HORIZONS = (180.0, 365.0)
"""Horizons [days]."""


def main() -> None:
    """Print the table."""
    print("| lab | day | as shipped | best fixed (inference, training) | adaptive | adaptive / best fixed |")
    print("|---|--:|--:|--:|--:|--:|")
    for name in (*TRAINING_LABS, *COMPARED_LABS):
        for horizon in HORIZONS:
            scenario = Scenario.load(name).replace(run__horizon_days=horizon)
            if name in COMPARED_LABS:
                scenario = scenario.replace(run__max_doublings=30)
            found = compare_with_fixed_splits(scenario, SEEDS)
            unmanaged, fixed, adaptive = (
                sum(values) / len(values) for values in (software_at_end(scenario, SEEDS), found.fixed, found.adaptive)
            )
            best = f"{fixed:.2f} ({found.best.inference:.2f}, {found.best.training:.2f})"
            print(
                f"| `{name}` | {horizon:g} | {unmanaged:.2f} | {best} | {adaptive:.2f} | {found.ratio:.0%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
